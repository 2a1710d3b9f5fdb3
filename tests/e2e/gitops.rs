//! Templates that a GitOps tool owns and puts back. Freezing leaves them to it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use backstay::api::{Incident, WorkloadHealth, keys};
use backstay::engine::decision::{Outcome, Progress};
use backstay::engine::freeze::MAX_ATTEMPTS;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use kube::ResourceExt;
use serde_json::{Value, json};
use tokio::task::AbortHandle;

use crate::support::audit::lines;
use crate::support::case::{Baseline, OPERATOR, complete};
use crate::support::wait::show;
use crate::support::{App, Case, Write, case};

/// How long the freeze must hold against the tool.
const STEADY: Duration = Duration::from_secs(60);
/// How often the tool comes by in that time.
const ROUNDS: usize = 60;

/// How a tool brings back what its repository says.
#[derive(Clone, Copy)]
enum Tool {
    /// Applies by force in every round, whether or not anything differs.
    Flux,
    /// Compares, and applies by force what has drifted.
    ArgoCd,
}

impl Tool {
    fn manager(self) -> &'static str {
        match self {
            Self::Flux => "kustomize-controller",
            Self::ArgoCd => "argocd-controller",
        }
    }

    /// The marks that the tool leaves on what it owns.
    fn marks(self) -> Value {
        match self {
            Self::Flux => json!({"labels": {
                "kustomize.toolkit.fluxcd.io/name": "shop",
                "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
            }}),
            Self::ArgoCd => json!({"annotations": {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:shop/web"}}),
        }
    }

    fn app(self, rollout: Rollout) -> App {
        let app = App::new().metadata(self.marks());
        match rollout {
            Rollout::AtOnce => app.replicas(3).spec(json!({"strategy": {"rollingUpdate": {"maxSurge": "100%"}}})),
            Rollout::InWaves => app.replicas(4),
        }
    }
}

/// How many pods a rollout replaces at a time.
#[derive(Clone, Copy)]
enum Rollout {
    /// All: where new pods do not become ready, no old one goes.
    AtOnce,
    /// A quarter, as is the default. A rollout that stands still has cost the baseline a pod, and when the baseline's first
    /// pod runs again most are still to come. Only a freeze brings those back.
    InWaves,
}

/// A tool at work: its repository, and the task that applies it.
struct Repository {
    tool: Tool,
    rollout: Rollout,
    baseline: Baseline,
    manifest: Arc<Mutex<Value>>,
    task: AbortHandle,
}

impl Repository {
    fn follow((tool, rollout): (Tool, Rollout), case: &Case, baseline: Baseline) -> Self {
        let manifest = Arc::new(Mutex::new(tool.app(rollout).0));
        let (shared, case) = (manifest.clone(), case.clone());
        let task = tokio::spawn(async move {
            let mut round = tokio::time::interval(Duration::from_secs(1));
            loop {
                round.tick().await;
                let wanted = shared.lock().unwrap().clone();
                let live = case.api::<Deployment>().get_opt("web").await;
                let live = live.ok().flatten().and_then(|d| serde_json::to_value(d).ok()).unwrap_or_default();
                let drifted = !contains(&live, &wanted);
                if drifted || matches!(tool, Tool::Flux) {
                    // A round that fails is made up for by the next, as with the real tools.
                    let _ = case.apply_as(tool.manager(), wanted).await;
                }
            }
        });
        Self { tool, rollout, baseline, manifest, task: task.abort_handle() }
    }

    /// What it ships when all is well.
    fn good(&self) -> App {
        self.tool.app(self.rollout)
    }

    fn commit(&self, app: &App) {
        *self.manifest.lock().unwrap() = app.0.clone();
    }
}

impl Drop for Repository {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Everything wanted is in what is there; lists of the same length are compared one by one. The type of the object
/// is not part of what is read.
fn contains(live: &Value, wanted: &Value) -> bool {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => wanted.iter().all(|(key, value)| {
            key == "kind" || key == "apiVersion" || live.get(key).is_some_and(|l| contains(l, value))
        }),
        (Value::Array(live), Value::Array(wanted)) => {
            live.len() == wanted.len() && live.iter().zip(wanted).all(|(l, w)| contains(l, w))
        }
        (live, wanted) => live == wanted,
    }
}

#[tokio::test]
async fn t15_flux_a_rollout_in_progress_is_frozen_without_a_fight() {
    case::run_with_registry("flux-progress", async |t| in_progress(&t, (Tool::Flux, Rollout::InWaves)).await).await;
}

#[tokio::test]
async fn t15_flux_a_completed_rollout_is_frozen_without_a_fight() {
    case::run("flux-complete", async |t| completed(&t, (Tool::Flux, Rollout::AtOnce)).await).await;
}

#[tokio::test]
async fn t15_argo_cd_a_rollout_in_progress_is_frozen_without_a_fight() {
    case::run_with_registry("argo-progress", async |t| in_progress(&t, (Tool::ArgoCd, Rollout::AtOnce)).await).await;
}

#[tokio::test]
async fn t15_argo_cd_a_completed_rollout_is_frozen_without_a_fight() {
    case::run("argo-complete", async |t| completed(&t, (Tool::ArgoCd, Rollout::InWaves)).await).await;
}

#[tokio::test]
async fn t15_flux_a_revert_ends_the_freeze_of_a_completed_rollout() {
    case::run("flux-revert", async |t| {
        let of = (Tool::Flux, Rollout::AtOnce);
        let bad = dies_late(of);
        let git = shipped(&t, of, &bad).await;
        reverted(&t, &git, &bad).await;
    })
    .await;
}

#[tokio::test]
async fn t15_argo_cd_a_revert_ends_the_freeze_of_a_rollout_in_progress() {
    case::run_with_registry("argo-revert", async |t| {
        let of = (Tool::ArgoCd, Rollout::AtOnce);
        let bad = without_image(of);
        let git = shipped(&t, of, &bad).await;
        reverted(&t, &git, &bad).await;
    })
    .await;
}

async fn in_progress(t: &Case, of: (Tool, Rollout)) {
    let bad = without_image(of);
    let git = shipped(t, of, &bad).await;
    // The baseline has pods, so its template is never put back: the pause is all.
    frozen_and_resumed(t, &git, &bad, 1).await;
}

async fn completed(t: &Case, of: (Tool, Rollout)) {
    let bad = dies_late(of);
    let git = shipped(t, of, &bad).await;
    let old = git.baseline.name();
    t.until::<ReplicaSet, _>(&old, "the old pods to be gone", |s| (s.status.as_ref()?.replicas == 0).then_some(()))
        .await;
    // Each attempt puts the template back and pauses.
    frozen_and_resumed(t, &git, &bad, 2 * usize::try_from(MAX_ATTEMPTS).unwrap()).await;
}

fn without_image((tool, rollout): (Tool, Rollout)) -> App {
    tool.app(rollout).image("localhost:5000/testapp:no-such-tag")
}

/// Ready long enough for the rollout to complete, in waves too.
fn dies_late((tool, rollout): (Tool, Rollout)) -> App {
    tool.app(rollout).env("APP_EXIT_AFTER_READY_SECONDS", 15)
}

/// The tool has shipped a healthy version, and then the bad one.
async fn shipped(t: &Case, (tool, rollout): (Tool, Rollout), bad: &App) -> Repository {
    t.govern(json!({})).await;
    let baseline = t.settle(&tool.app(rollout)).await;
    let git = Repository::follow((tool, rollout), t, baseline);
    git.commit(bad);
    git
}

/// How often the operator scales the failing revision to zero while one freeze comes into force. No attempt is counted for
/// it: the Deployment controller may overwrite a scaling with what it had read before the pause.
const SCALINGS: usize = 2;

/// `most` bounds the operator's patches of the Deployment that were accepted until the freeze holds. One that was refused
/// changed nothing and counts as no attempt: the tool came between the last look and the write, which takes milliseconds
/// once in its rounds.
async fn frozen_and_resumed(t: &Case, git: &Repository, bad: &App, most: usize) {
    let incident = frozen(t).await;
    t.event("Frozen", &incident).await;
    holds_steady(t, git, &incident, bad).await;
    let writes = workload_writes(t).await;
    let count = |resource: &str, accepted: bool| {
        writes.iter().filter(|w| w.resource == resource && w.accepted() == accepted).count()
    };
    let (patches, refused) = (count("deployments", true), count("deployments", false));
    let scalings = count("replicasets/scale", true) + count("replicasets/scale", false);
    let bounded = (1..=most).contains(&patches) && refused <= most && (1..=SCALINGS).contains(&scalings);
    assert!(!t.audit.is_there() || bounded, "at most {most} patches, but saw:{}", lines(&writes));
    strengthened_by_the_controller(t, git, &writes).await;
    resumes(t, git, &git.good().image("localhost:5000/testapp:v2"), &incident).await;
}

/// Where the rollout had cost the baseline pods, the Deployment controller brought them back once it was paused, and nobody
/// else scaled the baseline. `ours` are the operator's writes.
async fn strengthened_by_the_controller(t: &Case, git: &Repository, ours: &[Write]) {
    if !t.audit.is_there() {
        return;
    }
    let name = git.baseline.name();
    let of_baseline = |w: &Write| w.resource.starts_with("replicasets") && w.name == name && w.accepted();
    assert!(!ours.iter().any(of_baseline), "the operator never writes to the baseline, but saw:{}", lines(ours));
    let pauses = ours.iter().filter(|w| w.resource == "deployments" && w.accepted() && pauses(&w.body));
    let paused = pauses.map(|w| w.answered).max().unwrap_or_else(|| panic!("a pause, but saw:{}", lines(ours)));
    let all = t.writes().await;
    let wants = |w: &Write| w.body.pointer("/spec/replicas").and_then(Value::as_i64);
    let scaled = all.iter().filter(|w| of_baseline(w)).filter_map(|w| Some((w.received, wants(w)?)));
    let (before, after): (Vec<_>, Vec<_>) = scaled.partition(|(at, _)| *at < paused);
    let full = i64::from(git.baseline.replicas());
    let short = before.last().is_some_and(|(_, wanted)| *wanted < full);
    let strengthened = after.iter().any(|(_, wanted)| *wanted == full);
    let proven = match git.rollout {
        Rollout::InWaves => short && strengthened,
        Rollout::AtOnce => !short || strengthened,
    };
    assert!(proven, "what the rollout took is brought back to {full} after the pause, but saw:{}", lines(&all));
}

/// The body of a JSON Patch.
fn pauses(body: &Value) -> bool {
    body.as_array().into_iter().flatten().any(|op| op["path"] == "/spec/paused" && op["value"] == true)
}

async fn frozen(t: &Case) -> Incident {
    t.incident("a freeze in force", |i| (i.status.as_ref()?.progress == Some(Progress::Frozen)).then(|| i.clone()))
        .await
}

/// The Deployment is paused for the incident, with what the tool's repository says.
async fn held_with(t: &Case, app: &App, incident: &Incident) {
    t.until::<Deployment, _>("web", "the tool's template, paused", |d| {
        let live = serde_json::to_value(d).unwrap();
        let ours = d.annotations().get(keys::PAUSED_FOR) == Some(&incident.name_any());
        (contains(&live, &app.0) && d.spec.paused == Some(true) && ours).then_some(())
    })
    .await;
}

/// The usual answer to a bad commit: the repository says again what the baseline runs. Its pods stay as they are.
async fn reverted(t: &Case, git: &Repository, bad: &App) {
    let incident = frozen(t).await;
    held_with(t, bad, &incident).await;
    let (baseline, good) = (&git.baseline, git.good());
    let wanted = baseline.replicas();
    t.until::<ReplicaSet, _>(&baseline.name(), "the baseline at full strength", |s| {
        (s.status.as_ref()?.available_replicas? >= wanted).then_some(())
    })
    .await;
    let pods = t.pods_of(baseline).await;
    git.commit(&good);
    let now = t
        .until::<Deployment, _>("web", "the baseline's template, let go", |d| {
            let live = serde_json::to_value(d).unwrap();
            (contains(&live, &good.0) && d.spec.paused != Some(true) && complete(d, d)).then(|| d.clone())
        })
        .await;
    assert!(!now.annotations().contains_key(keys::PAUSED_FOR), "no mark of the pause: {}", show(&now));
    t.until::<Incident, _>(&incident.name_any(), "the baseline to have proven itself", |i| {
        (i.status.as_ref()?.outcome == Some(Outcome::Recovered)).then_some(())
    })
    .await;
    assert_eq!(t.pods_of(baseline).await, pods, "the baseline's pods are the same ones");
}

/// Under the tool's loop the baseline never has a pod less, the template is the tool's, and nobody writes.
async fn holds_steady(t: &Case, git: &Repository, incident: &Incident, bad: &App) {
    let (baseline, tool) = (&git.baseline, git.tool);
    let wanted = baseline.replicas();
    let available = |s: &ReplicaSet| s.status.as_ref().and_then(|s| s.available_replicas).unwrap_or(0);
    t.until::<ReplicaSet, _>(&baseline.name(), "the baseline at full strength", |s| {
        (available(s) >= wanted).then_some(())
    })
    .await;
    held_with(t, bad, incident).await;
    let (frozen, pods) = (t.deployment().await, t.pods_of(baseline).await);
    let before = t.writes().await.len();
    t.holds::<ReplicaSet>(&baseline.name(), "the baseline stays at full strength", STEADY, |s| match available(s) {
        n if n >= wanted => Ok(()),
        n => Err(format!("{n} of {wanted} available")),
    })
    .await;
    assert_eq!(t.pods_of(baseline).await, pods, "the baseline's pods are the same ones");
    let now = t.deployment().await;
    assert_eq!(now.metadata.generation, frozen.metadata.generation, "nobody changed the spec: {}", show(&now));
    assert!(contains(&serde_json::to_value(&now).unwrap(), &bad.0), "the template is the tool's: {}", show(&now));
    no_fight(&t.writes().await[before..], tool);
}

/// While the freeze holds the operator is silent and nothing is scaled; Flux applies in every round and changes
/// nothing, and Argo CD finds nothing to heal.
fn no_fight(writes: &[Write], tool: Tool) {
    let workload =
        |w: &&Write| ["deployments", "replicasets", "replicasets/scale", "deployments/scale"].contains(&&*w.resource);
    let (of_tool, others): (Vec<&Write>, Vec<&Write>) =
        writes.iter().filter(workload).partition(|w| w.resource == "deployments" && w.user != OPERATOR);
    assert!(others.is_empty(), "nobody but the tool writes while it is frozen, but saw:{}", lines(others));
    match tool {
        _ if writes.is_empty() => {}
        Tool::Flux => assert!(of_tool.len() > ROUNDS / 2, "the loop went on: {} applies", of_tool.len()),
        Tool::ArgoCd => assert!(of_tool.is_empty(), "no drift is seen, but saw:{}", lines(of_tool)),
    }
}

/// A new template in the repository rolls out by itself, and nothing of the freeze is left.
async fn resumes(t: &Case, git: &Repository, good: &App, incident: &Incident) {
    git.commit(good);
    let now = t
        .until::<Deployment, _>("web", "the new template to be rolled out", |d| {
            let live = serde_json::to_value(d).unwrap();
            (contains(&live, &good.0) && complete(d, d)).then(|| d.clone())
        })
        .await;
    assert_ne!(now.spec.paused, Some(true), "not paused: {}", show(&now));
    assert!(!now.annotations().contains_key(keys::PAUSED_FOR), "no mark of the pause: {}", show(&now));
    let name = incident.name_any();
    t.until::<Incident, _>(&name, "the incident to be over", |i| {
        (i.status.as_ref()?.outcome == Some(Outcome::Superseded)).then_some(())
    })
    .await;
    let set = t.newest(&now).await;
    t.until::<WorkloadHealth, _>("web", "the new revision to be healthy", |h| {
        let uid = set.uid()?;
        h.status.as_ref()?.ledger.iter().any(|e| *e.uid == *uid && e.healthy_since.is_some()).then_some(())
    })
    .await;
}

/// What the operator wrote to the Deployment and its ReplicaSets.
async fn workload_writes(t: &Case) -> Vec<Write> {
    let mut writes = t.operator_writes().await;
    writes.retain(|w| w.resource.starts_with("deployments") || w.resource.starts_with("replicasets"));
    writes
}
