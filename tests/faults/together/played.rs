//! What simulated pods play by their annotation (`tests/cluster/stages`): what the other tests see is worth no more.

use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::{ContainerState, Pod, PodStatus, ServiceAccount};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::{Patch, PatchParams, PostParams};
use kube::runtime::watcher::{self, Event};
use serde_json::{Value, json};

use crate::support::place::{self, Place};
use crate::support::wait::{self, PATIENCE, show};

const RUNS: &str = "Running";
/// A pod that never becomes ready is watched for so long; those that crash take longer.
const NEVER: Duration = Duration::from_secs(10);

/// What the status of a pod's only container shows.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Sight {
    /// That it runs, or else why it waits, or how it ended.
    state: String,
    restarts: i32,
    /// How the run before this ended.
    last: Option<String>,
    ready: bool,
    message: String,
}

#[tokio::test]
async fn simulated_pods_show_the_statuses_of_their_behaviour() {
    place::run("played", async |t| {
        t.until::<ServiceAccount, _>("default", "the account of its pods", |_| Some(())).await;
        tokio::join!(
            crashes(&t, "crash", "Error 3"),
            crashes(&t, "oom", "OOMKilled 137"),
            crashes(&t, "ready-then-crash", "Error 3"),
            is_late(&t),
            is_never_ready(&t),
            flaps(&t),
            changes(&t),
            is_not_pulled(&t, "pull-error", ": not found"),
            is_not_pulled(&t, "pull-unreachable", "dial tcp 127.0.0.1:5000: connect: connection refused"),
            is_not_pulled(&t, "pull-ratelimited", "429 Too Many Requests"),
            is_not_pulled(&t, "pull-unauthorized", "401 Unauthorized"),
        );
    })
    .await;
}

/// It ends, is started again at once, and after the next end only when the back-off is over.
async fn crashes(t: &Place, behaviour: &str, ending: &str) {
    let settings = json!({"after": "400ms", "exit-code": "3"});
    let seen = play(t, behaviour, settings, |seen| seen.last().is_some_and(|now| now.restarts == 2)).await;
    let told: Vec<_> = seen.iter().map(|now| (&*now.state, now.restarts, now.last.as_deref())).collect();
    let expected = [
        (RUNS, 0, None),
        (ending, 0, None),
        (RUNS, 1, Some(ending)),
        (ending, 1, Some(ending)),
        ("CrashLoopBackOff", 1, Some(ending)),
        (RUNS, 2, Some(ending)),
    ];
    assert_eq!(told, expected, "{behaviour}");
    let ready = |now: &Sight| behaviour == "ready-then-crash" && now.state == RUNS;
    assert!(seen.iter().all(|now| now.ready == ready(now)), "{behaviour}: {seen:?}");
    let backs_off = |now: &Sight| now.message.starts_with("back-off 10s restarting failed container=web pod=");
    assert!(seen.iter().all(|now| backs_off(now) == (now.state == "CrashLoopBackOff")), "{behaviour}: {seen:?}");
}

async fn is_late(t: &Place) {
    let seen = play(t, "slow", json!({"after": "3s"}), |seen| seen.last().is_some_and(|now| now.ready)).await;
    let told: Vec<_> = seen.iter().map(|now| (&*now.state, now.restarts, now.ready)).collect();
    assert_eq!(told, [(RUNS, 0, false), (RUNS, 0, true)]);
    let pod: Pod = t.api().get("slow").await.expect("reading the pod");
    let status = pod.status.as_ref().unwrap();
    let ready =
        status.conditions.iter().flatten().find(|c| c.type_ == "Ready").and_then(|c| c.last_transition_time.clone());
    let took = ready.unwrap().0.duration_since(started(status).unwrap().0).as_secs();
    // Times in a status are whole seconds.
    assert!((2..=10).contains(&took), "ready {took} s after its start: {}", show(&pod));
}

async fn is_never_ready(t: &Place) {
    let seen = play(t, "unready", json!({}), |seen| !seen.is_empty()).await;
    assert!(seen.iter().all(|now| !now.ready && now.restarts == 0), "{seen:?}");
    wait::holds(&t.api::<Pod>(), of("unready"), "it runs and is not ready", NEVER, |pod| match Sight::of(pod) {
        Some(now) if now.state == RUNS && !now.ready => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
}

async fn flaps(t: &Place) {
    let seen = play(t, "flap", json!({"period": "1s"}), |seen| seen.len() == 5).await;
    let told: Vec<_> = seen.iter().map(|now| (&*now.state, now.restarts, now.ready)).collect();
    assert_eq!(told, [false, true, false, true, false].map(|ready| (RUNS, 0, ready)));
}

/// A pod that lives plays what it is told next.
async fn changes(t: &Place) {
    let seen = play(t, "ok", json!({}), |seen| !seen.is_empty()).await;
    assert!(seen[0].ready && seen[0].state == RUNS, "{seen:?}");
    for (behaviour, ready) in [("unready", false), ("ok", true)] {
        let change = json!({"metadata": {"annotations": {"sim.backstay.dev/behaviour": behaviour}}});
        let pods = t.api::<Pod>();
        pods.patch("ok", &PatchParams::default(), &Patch::Merge(change)).await.expect("changing the behaviour");
        let now = t.until::<Pod, _>("ok", behaviour, |pod| Sight::of(pod).filter(|now| now.ready == ready)).await;
        assert!(now.state == RUNS && now.restarts == 0, "{behaviour}: {now:?}");
    }
}

async fn is_not_pulled(t: &Place, behaviour: &str, why: &str) {
    let seen = play(t, behaviour, json!({}), |seen| seen.len() == 3).await;
    let told: Vec<_> = seen.iter().map(|now| (&*now.state, now.message.contains(why))).collect();
    assert_eq!(told, [("ErrImagePull", true), ("ImagePullBackOff", true), ("ErrImagePull", true)], "{seen:?}");
    assert!(seen.iter().all(|now| !now.ready && now.restarts == 0 && now.last.is_none()), "{behaviour}: {seen:?}");
    let backs_off = format!("Back-off pulling image \"localhost:5000/web:{behaviour}\": ErrImagePull: ");
    assert!(seen[1].message.starts_with(&backs_off), "{seen:?}");
}

/// Creates a pod that is called after what it plays, and watches it from before until there is enough to be seen. Equal
/// sights one after the other are one.
async fn play(t: &Place, behaviour: &str, settings: Value, enough: impl Fn(&[Sight]) -> bool) -> Vec<Sight> {
    let mut annotations = json!({"sim.backstay.dev/behaviour": behaviour});
    for (name, value) in settings.as_object().unwrap() {
        annotations[format!("sim.backstay.dev/{name}")] = value.clone();
    }
    let pod = json!({
        "metadata": {"name": behaviour, "annotations": annotations},
        "spec": {"containers": [{"name": "web", "image": format!("localhost:5000/web:{behaviour}")}]},
    });
    let pod = serde_json::from_value(pod).unwrap();
    let pods = t.api::<Pod>();
    let (_, mut events) = wait::opened(&pods, of(behaviour), "a pod that plays").await;
    pods.create(&PostParams::default(), &pod).await.expect("creating a pod");
    let mut seen: Vec<Sight> = Vec::new();
    let watching = async {
        while !enough(&seen) {
            let event = events.next().await.expect("a watch goes on for ever");
            let Ok(Event::Apply(pod)) = event else { continue };
            let sight = Sight::of(&pod).filter(|sight| sight.state != "ContainerCreating");
            if sight.is_some() && seen.last() != sight.as_ref() {
                seen.extend(sight);
            }
        }
    };
    let watched = tokio::time::timeout(PATIENCE, watching).await;
    assert!(watched.is_ok(), "gave up on the pod that plays {behaviour}, which showed {seen:#?}");
    seen
}

fn of(name: &str) -> watcher::Config {
    watcher::Config::default().fields(&format!("metadata.name={name}"))
}

impl Sight {
    fn of(pod: &Pod) -> Option<Self> {
        let status = pod.status.as_ref()?;
        let container = status.container_statuses.as_ref()?.first()?;
        for kind in ["Ready", "ContainersReady"] {
            let said = status.conditions.iter().flatten().find(|c| c.type_ == kind).map(|c| c.status == "True");
            assert_eq!(said, Some(container.ready), "{kind} is what the container is: {}", show(pod));
        }
        let state = container.state.as_ref()?;
        let waiting = state.waiting.as_ref();
        Some(Self {
            state: waiting
                .and_then(|waiting| waiting.reason.clone())
                .or_else(|| state.running.as_ref().map(|_| RUNS.to_owned()))
                .or_else(|| ending(state))?,
            restarts: container.restart_count,
            last: container.last_state.as_ref().and_then(ending),
            ready: container.ready,
            message: waiting.and_then(|waiting| waiting.message.clone()).unwrap_or_default(),
        })
    }
}

fn ending(state: &ContainerState) -> Option<String> {
    let ended = state.terminated.as_ref()?;
    Some(format!("{} {}", ended.reason.as_deref().unwrap_or_default(), ended.exit_code))
}

fn started(status: &PodStatus) -> Option<Time> {
    status.container_statuses.as_ref()?.first()?.state.as_ref()?.running.as_ref()?.started_at.clone()
}
