//! Carrying out an action: live read, last look, one conditional write.
//!
//! Nothing here decides. What was permitted is compared with the object as it is now; if that has moved on, nothing
//! is written and the workload is judged again.

mod fresh;

use std::time::Duration;

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::Value;
use thiserror::Error;

pub use self::fresh::{Baseline, Fresh, read};
use super::client::Busy;
use super::patch::{self, Live};
use crate::api::WORKLOAD_MANAGER;
use crate::engine::freeze::Step;
use crate::engine::memory::{Intent, RevisionRef};
use crate::metrics::ErrorCategory;

/// No call to the API server takes longer than this: less than what a lease has left between two renewals.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// A workload whose objects are read and written.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    pub namespace: &'a str,
    pub name: &'a str,
    pub uid: &'a str,
}

/// What became of an action.
#[derive(Debug, PartialEq, Eq)]
pub enum Applied {
    /// It was written now; the Deployment's generation afterwards.
    Done { generation: i64 },
    /// It had been written before, by us, and the answer was lost.
    Already { generation: i64 },
    /// The workload has moved on since it was judged; nothing was written.
    Overtaken(String),
    /// A part was written, and the rest is left to whoever leads then.
    LeftOff,
}

#[derive(Debug, Error)]
pub enum Error {
    #[error("{doing} {kind} {name}")]
    Call { doing: &'static str, kind: &'static str, name: String, source: Box<kube::Error> },
    #[error("{doing} {kind} {name}: no answer within {} s", CALL_TIMEOUT.as_secs())]
    Timeout { doing: &'static str, kind: &'static str, name: String },
    #[error("ReplicaSet {name} has no pod template")]
    NoTemplate { name: String },
}

impl Error {
    /// The namespace is being deleted, so that nothing can be created in it: the API server answers 403 with the
    /// cause `NamespaceTerminating` (plugin/pkg/admission/namespace/lifecycle).
    pub fn is_terminating(&self) -> bool {
        let Self::Call { source, .. } = self else { return false };
        let kube::Error::Api(status) = source.as_ref() else { return false };
        let causes = status.details.iter().flat_map(|d| &d.causes);
        status.code == 403 && causes.into_iter().any(|c| c.reason == "NamespaceTerminating")
    }

    /// There was no answer, so what was written may have been carried out all the same.
    pub fn may_have_landed(&self) -> bool {
        matches!(self.category(), ErrorCategory::Timeout | ErrorCategory::Transport)
    }

    /// What was read or written does not exist.
    pub fn is_missing(&self) -> bool {
        self.category() == ErrorCategory::NotFound
    }

    /// For how long the API server wants to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        let Self::Call { source, .. } = self else { return None };
        Busy::of(source).map(|busy| busy.after)
    }

    /// A word from a closed set, for metrics.
    pub fn category(&self) -> ErrorCategory {
        match self {
            Self::Call { source, .. } => source.as_ref().into(),
            Self::Timeout { .. } => ErrorCategory::Timeout,
            Self::NoTemplate { .. } => ErrorCategory::Decode,
        }
    }
}

/// What a write brings about, by which it is recognised when its answer was lost.
enum Brings<'a> {
    Template(&'a Value),
    Pause,
    Resume,
}

/// Puts the baseline's template back.
pub async fn roll_back(
    client: &Client,
    target: Target<'_>,
    intent: &Intent,
    incident: &str,
    mut fresh: Fresh,
) -> Result<Applied, Error> {
    let Some(template) = fresh.template.take() else {
        let name = intent.target.name.to_string();
        return fresh.hands_off.map(Applied::Overtaken).ok_or(Error::NoTemplate { name });
    };
    let brings = Brings::Template(&template);
    if let Some(answer) = overtaken(&fresh, intent, incident, &brings) {
        return Ok(answer);
    }
    let patch = patch::roll_back(&fresh.live, template.clone(), (incident, intent.kind));
    write(client, target, &patch, (incident, &fresh.live), &brings).await
}

/// Pauses the rollout.
pub async fn pause(
    client: &Client,
    target: Target<'_>,
    intent: &Intent,
    incident: &str,
    fresh: Fresh,
) -> Result<Applied, Error> {
    if let Some(answer) = overtaken(&fresh, intent, incident, &Brings::Pause) {
        return Ok(answer);
    }
    let patch = patch::pause(&fresh.live, (incident, intent.kind));
    write(client, target, &patch, (incident, &fresh.live), &Brings::Pause).await
}

/// The next step of a freeze. Before each write but the first `may_go_on` is asked, since one may have taken its time.
pub async fn freeze(
    client: &Client,
    target: Target<'_>,
    intent: &Intent,
    incident: &str,
    (step, stop, fresh): (Step, &[RevisionRef], Fresh),
    may_go_on: impl Fn() -> bool,
) -> Result<Applied, Error> {
    if let Some(because) = no_more(&fresh, incident, step) {
        return Ok(Applied::Overtaken(because));
    }
    match step {
        Step::PutBack => roll_back(client, target, intent, incident, fresh).await,
        Step::PauseAndScale => {
            let applied = pause(client, target, intent, incident, fresh).await?;
            if let Applied::Overtaken(_) = applied {
                return Ok(applied);
            }
            Ok(if scale_to_zero(client, target, stop, may_go_on).await? { applied } else { Applied::LeftOff })
        }
        Step::Scale => {
            let done = Applied::Done { generation: fresh.live.generation };
            Ok(if scale_to_zero(client, target, stop, may_go_on).await? { done } else { Applied::LeftOff })
        }
        Step::Wait | Step::Done => Ok(Applied::Already { generation: fresh.live.generation }),
    }
}

/// Ends our own pause; only ours, and only of the generation that was judged.
pub async fn resume(
    client: &Client,
    target: Target<'_>,
    (incident, overrules): (&str, bool),
    judged: i64,
    fresh: Fresh,
) -> Result<Applied, Error> {
    if fresh.live.uid != target.uid || !is_held(&fresh, incident) {
        return Ok(Applied::Overtaken("the Deployment is not paused for this incident any more".to_owned()));
    }
    if let Some(applied) = moved_on(&fresh, judged) {
        return Ok(applied);
    }
    let patch = patch::resume(&fresh.live, overrules);
    write(client, target, &patch, (incident, &fresh.live), &Brings::Resume).await
}

/// Who wrote the pod template last, by field manager; asked only to tell people.
pub async fn last_writer(client: &Client, target: Target<'_>) -> Option<String> {
    let api: Api<Deployment> = Api::namespaced(client.clone(), target.namespace);
    let deployment = call("reading", "Deployment", target.name, api.get(target.name)).await.ok()?;
    let owns_template = |fields: &Value| fields.pointer("/f:spec/f:template").is_some();
    let entries = deployment.metadata.managed_fields.unwrap_or_default();
    let writers = entries.iter().filter(|e| e.fields_v1.as_ref().is_some_and(|f| owns_template(&f.0)));
    writers.max_by_key(|e| e.time.as_ref().map(|t| t.0)).and_then(|e| e.manager.clone())
}

/// Whether all of them were scaled before it was not to go on.
async fn scale_to_zero(
    client: &Client,
    target: Target<'_>,
    stop: &[RevisionRef],
    may_go_on: impl Fn() -> bool,
) -> Result<bool, Error> {
    let sets: Api<ReplicaSet> = Api::namespaced(client.clone(), target.namespace);
    let params = PatchParams { field_manager: Some(WORKLOAD_MANAGER.to_owned()), ..PatchParams::default() };
    for RevisionRef { name, uid, .. } in stop {
        // A watch that lags shows what was scaled already as it was.
        let live = call("reading", "ReplicaSet", name, sets.get_opt(name)).await?;
        if live.is_none_or(|set| set.spec.replicas == Some(0)) {
            continue;
        }
        if !may_go_on() {
            return Ok(false);
        }
        let patch = Patch::Json::<()>(patch::scale_to_zero(uid));
        match call("scaling to zero", "ReplicaSet", name, sets.patch_scale(name, &params, &patch)).await {
            // What is gone runs nothing.
            Err(error) if error.is_missing() => {}
            scaled => drop(scaled?),
        }
    }
    Ok(true)
}

/// Why a ReplicaSet is not to be scaled any more: whoever ends our pause by `kubectl rollout resume` leaves its mark.
fn no_more(fresh: &Fresh, incident: &str, step: Step) -> Option<String> {
    let scales = matches!(step, Step::PauseAndScale | Step::Scale);
    let ended = step == Step::Scale && !is_held(fresh, incident);
    let ended = ended.then(|| "the freeze is no longer in force".to_owned());
    fresh.hands_off.clone().filter(|_| scales).or(ended)
}

/// Our own pause is in force.
fn is_held(fresh: &Fresh, incident: &str) -> bool {
    fresh.live.paused && fresh.paused_for.as_deref() == Some(incident)
}

/// Something is not as it was judged.
fn overtaken(fresh: &Fresh, intent: &Intent, incident: &str, brings: &Brings) -> Option<Applied> {
    if fresh.live.generation > intent.generation && is_ours(fresh, incident, brings) {
        return Some(Applied::Already { generation: fresh.live.generation });
    }
    if fresh.scaled_to_zero {
        return Some(Applied::Overtaken("the Deployment was scaled to zero".to_owned()));
    }
    if let Some(applied) = moved_on(fresh, intent.generation) {
        return Some(applied);
    }
    if fresh.live.paused && fresh.paused_for.as_deref() != Some(incident) {
        return Some(Applied::Overtaken("somebody paused the Deployment".to_owned()));
    }
    None
}

/// It is to be left alone, or its spec is another one.
fn moved_on(fresh: &Fresh, judged: i64) -> Option<Applied> {
    let generation = fresh.live.generation;
    let other = (generation != judged).then(|| format!("generation is {generation}, judged was {judged}"));
    fresh.hands_off.clone().or(other).map(Applied::Overtaken)
}

/// The Deployment is as our own write for this incident leaves it.
fn is_ours(fresh: &Fresh, incident: &str, brings: &Brings) -> bool {
    let held = is_held(fresh, incident);
    let marked = fresh.incident_mark.as_deref() == Some(incident);
    match brings {
        Brings::Template(template) => marked && fresh.current == **template,
        Brings::Pause => marked && held,
        Brings::Resume => !held,
    }
}

async fn write(
    client: &Client,
    target: Target<'_>,
    patch: &json_patch::Patch,
    (incident, read_before): (&str, &Live),
    brings: &Brings<'_>,
) -> Result<Applied, Error> {
    let api: Api<Deployment> = Api::namespaced(client.clone(), target.namespace);
    let params = PatchParams { field_manager: Some(WORKLOAD_MANAGER.to_owned()), ..PatchParams::default() };
    let patch = Patch::Json::<()>(patch.clone());
    match call("patching", "Deployment", target.name, api.patch(target.name, &params, &patch)).await {
        Ok(deployment) => Ok(Applied::Done { generation: deployment.metadata.generation.unwrap_or_default() }),
        // The API server answers 404 when the Deployment was deleted, 422 when a test fails and 409 when it loses
        // against another write; the object tells
        // whether it was our own write that came first, and whether it is still what was judged. Where nothing has
        // changed, the write itself was refused, by admission for example.
        Err(Error::Call { doing, kind, name, source }) if refused(&source) => {
            let now = read(client, target, None).await?;
            match since(&now, read_before, (incident, brings)) {
                Some(applied) => Ok(applied),
                None => Err(Error::Call { doing, kind, name, source }),
            }
        }
        Err(error) => Err(error),
    }
}

/// What has become of the Deployment between the live read and a write that was refused; `None` if nothing has.
fn since(now: &Fresh, before: &Live, (incident, brings): (&str, &Brings<'_>)) -> Option<Applied> {
    let generation = now.live.generation;
    if generation > before.generation && is_ours(now, incident, brings) {
        return Some(Applied::Already { generation });
    }
    if let Some(because) = &now.hands_off {
        return Some(Applied::Overtaken(because.clone()));
    }
    (now.live != *before).then(|| {
        let because = format!("it was changed meanwhile: generation is {generation}, read was {}", before.generation);
        Applied::Overtaken(because)
    })
}

fn refused(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if matches!(status.code, 404 | 409 | 422))
}

/// Makes one call, with a limit on its time and a context for its error.
pub async fn call<T>(
    doing: &'static str,
    kind: &'static str,
    name: &str,
    future: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, Error> {
    match tokio::time::timeout(CALL_TIMEOUT, future).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(source)) => Err(Error::Call { doing, kind, name: name.to_owned(), source: Box::new(source) }),
        Err(_) => Err(Error::Timeout { doing, kind, name: name.to_owned() }),
    }
}
