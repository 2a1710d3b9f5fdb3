//! What is shown beside the status that gave a failure away: the event that says more, the numbers in the texts, and
//! how it stands to the rollout. Made only for the one symptom that leads a finding.

use jiff::Timestamp;

use super::amounts::Amount;
use super::evidence::{MAX_SOURCE, MAX_TEXT, bounded};
use super::look::Scene;
use super::{late, pending, probe, refusal, room, scheduling, unknown};
use crate::engine::change::references::{ReferenceFacts, ReferenceKind};
use crate::engine::facts::{ContainerTemplate, RevisionFacts, Snapshot};
use crate::engine::finding::{Detail, Evidence, Subject, Symptom, Teller, Told};
use crate::engine::moment::seconds_between;
use crate::engine::text::redact;
use crate::engine::words::{Cause, Class};

/// Most pieces of evidence beside the statuses themselves.
const MAX_NOTES: usize = 2;
/// One busy thread takes all of one core; with a limit below it, one is enough to be throttled. Thousandths of a core.
const ONE_CORE: u64 = 1_000;

/// What more there is to say about a symptom, the most telling first, in the bounds of `evidence`.
pub fn notes(s: &Snapshot, symptom: &Symptom<'_>, now: Timestamp) -> Vec<Evidence> {
    let told = symptom.told.map(|told| (source(s, told), text(told)));
    let notes =
        [told, figures(s, symptom, now), resolver(s, symptom), unknown::note(s, symptom), late::note(s, symptom, now)];
    let shown = notes.into_iter().flatten().take(MAX_NOTES);
    let evidence = |(source, text): (String, String)| Evidence {
        source: bounded(MAX_SOURCE, &source),
        text: redact(&bounded(MAX_TEXT, &text)).into_owned(),
    };
    shown.map(evidence).collect()
}

fn source(s: &Snapshot, told: Told<'_>) -> String {
    let reason = &told.event.reason;
    match told.by {
        Teller::Subject(Subject::Pod(pod)) => format!("pod/{} events[{reason}]", pod.name),
        Teller::Subject(Subject::Revision(revision)) => format!("replicaset/{} events[{reason}]", revision.name),
        Teller::Subject(Subject::Workload) => {
            format!("{} events[{reason}]", s.workload.kind.to_ascii_lowercase())
        }
        Teller::Node(node) => format!("node/{node} events[{reason}]"),
        Teller::Claim(claim) => format!("persistentvolumeclaim/{claim} events[{reason}]"),
    }
}

fn text(told: Told<'_>) -> String {
    let (message, count) = (&told.event.message, told.event.count);
    if count > 1 { format!("{count} times: {message}") } else { message.to_string() }
}

/// A kubelet that knows no DNS server of the cluster says so of the pods whose names then do not resolve.
fn resolver(s: &Snapshot, symptom: &Symptom<'_>) -> Option<(String, String)> {
    let (Subject::Pod(pod), Cause::DnsFailure) = (symptom.subject, symptom.cause) else { return None };
    let event = s.events.about(&pod.uid).iter().rev().find(|event| &*event.reason == "MissingClusterDNS")?;
    let told = Told { by: Teller::Subject(symptom.subject), event };
    Some((source(s, told), text(told)))
}

/// The numbers behind a refusal, a lack of room or a port, with the object that they are about.
fn figures(s: &Snapshot, symptom: &Symptom<'_>, now: Timestamp) -> Option<(String, String)> {
    match symptom.class {
        _ if symptom.cause == Cause::StartupProbeKilled => of_start(s, symptom, now),
        _ if symptom.cause == Cause::LivenessKilled => of_port(s, symptom).or_else(|| of_throttling(s, symptom)),
        _ if matches!(symptom.cause, Cause::MissingConfigMap | Cause::MissingSecret) => of_namesake(s, symptom),
        Class::CreateRefused => of_refusal(words(symptom)?),
        Class::Pending if symptom.cause == Cause::InsufficientResources => of_capacity(s, symptom),
        Class::Pending => of_taints(s, words(symptom)?),
        Class::Unready if symptom.cause == Cause::ReadinessRefused => of_port(s, symptom),
        Class::Unready if symptom.cause == Cause::ReadinessTimeout => of_throttling(s, symptom),
        _ => None,
    }
}

/// What was said last.
fn words<'a>(symptom: &Symptom<'a>) -> Option<&'a str> {
    match (symptom.told, symptom.detail) {
        (Some(told), _) if !pending::is_of_autoscaler(told.event) => Some(&told.event.message),
        (_, Detail::Condition { condition, .. }) => Some(&condition.message),
        _ => None,
    }
}

/// Another namespace has what the kubelet misses.
fn of_namesake(s: &Snapshot, symptom: &Symptom<'_>) -> Option<(String, String)> {
    let said: &str = match (symptom.told, symptom.detail) {
        (Some(told), _) => &told.event.message,
        (_, Detail::Waiting { message, .. }) => message,
        _ => return None,
    };
    let kind = if symptom.cause == Cause::MissingSecret { ReferenceKind::Secret } else { ReferenceKind::ConfigMap };
    let known = s.surroundings.iter().flat_map(|around| &around.references);
    let named = |r: &&ReferenceFacts| r.reference.kind == kind && said.contains(&format!("\"{}\"", r.reference.name));
    let found = known.filter(|r| !r.elsewhere.is_empty()).find(named)?;
    let source = format!("{}/{}", kind.to_string().to_ascii_lowercase(), found.reference.name);
    let places = found.elsewhere.join(", ");
    Some((source, format!("not in namespace {}, but one of that name is in {places}", s.workload.namespace)))
}

fn of_refusal(message: &str) -> Option<(String, String)> {
    if let Some(quota) = refusal::quota(message) {
        let shortages: Vec<String> = quota.shortages.iter().map(ToString::to_string).collect();
        return Some((format!("resourcequota/{}", quota.name), shortages.join("; ")));
    }
    let bounds = refusal::bounds(message).into_iter().map(|bound| bound.to_string());
    let ratios = refusal::ratios(message).into_iter().map(|ratio| ratio.to_string());
    let bounds: Vec<String> = bounds.chain(ratios).collect();
    (!bounds.is_empty()).then(|| ("limitrange".to_owned(), bounds.join("; ")))
}

fn of_taints(s: &Snapshot, message: &str) -> Option<(String, String)> {
    let taints: Vec<String> = scheduling::taints(message)
        .map(|taint| {
            let value = if taint.value.is_empty() { String::new() } else { format!("={}", taint.value) };
            let whose = if taint.is_of_condition() { ", which stands for a condition of the node," } else { "" };
            format!("taint {}{value}{whose} on {}", taint.key, nodes(taint.nodes))
        })
        .collect();
    if !taints.is_empty() {
        return Some(("nodes".to_owned(), taints.join("; ")));
    }
    let unnamed = scheduling::reasons(message).find(|reason| reason.text.contains("taint(s)"))?;
    let known: Vec<String> =
        s.nodes.taints.iter().map(|(taint, count)| format!("{taint} on {}", nodes(*count))).collect();
    let where_to_look = "kubectl get nodes -o custom-columns=NAME:.metadata.name,TAINTS:.spec.taints";
    let known = if known.is_empty() { where_to_look.to_owned() } else { format!("nodes bear {}", known.join("; ")) };
    Some(("nodes".to_owned(), format!("taints that the scheduler does not name on {}: {known}", nodes(unnamed.nodes))))
}

fn nodes(count: u32) -> String {
    match count {
        0 => "the nodes".to_owned(),
        1 => "1 node".to_owned(),
        n => format!("{n} nodes"),
    }
}

fn of_capacity(s: &Snapshot, symptom: &Symptom<'_>) -> Option<(String, String)> {
    // Pods may ask for more than what there are figures of, such as devices and storage of the node.
    let lacking: Vec<String> = scheduling::insufficient(words(symptom)?)
        .map(|(resource, count)| format!("{resource} on {}", nodes(count)))
        .collect();
    let figures = ["cpu ", "memory "].iter().any(|known| lacking.iter().any(|of| of.starts_with(known)));
    if s.nodes.total == 0 || !(figures || lacking.is_empty()) {
        return (!lacking.is_empty()).then(|| ("nodes".to_owned(), format!("too little {}", lacking.join("; "))));
    }
    let mut text = room::words(s, pending::asks(revision(s, symptom)?));
    if lacking.iter().any(|of| !of.starts_with("cpu ") && !of.starts_with("memory ")) {
        text = format!("{text}; too little {}", lacking.join("; "));
    }
    Some(("nodes".to_owned(), text))
}

/// The probe asks where the container does not say that it listens.
fn of_port(s: &Snapshot, symptom: &Symptom<'_>) -> Option<(String, String)> {
    let container = template(s, symptom)?;
    let text = wrong_port(container, symptom)?;
    Some((format!("template containers[{}].ports", container.name), text))
}

fn wrong_port(container: &ContainerTemplate, symptom: &Symptom<'_>) -> Option<String> {
    let answer = probe::answer(&symptom.told?.event.message)?;
    let kind = answer.asked.of(container).map(|probe| probe.kind);
    let asked = answer.port().filter(|_| answer.cause(kind) == Cause::ReadinessRefused)?;
    if container.ports.is_empty() || container.ports.contains(&asked) {
        return None;
    }
    let declared: Vec<String> = container.ports.iter().map(ToString::to_string).collect();
    Some(format!("the probe asks port {asked}; the container declares {}", declared.join(", ")))
}

/// A container that may use little processor time answers late because it is throttled, and not always because it is slow.
fn of_throttling(s: &Snapshot, symptom: &Symptom<'_>) -> Option<(String, String)> {
    let container = template(s, symptom)?;
    let text = throttled(container, symptom)?;
    Some((format!("template containers[{}].resources", container.name), text))
}

fn throttled(container: &ContainerTemplate, symptom: &Symptom<'_>) -> Option<String> {
    let limit = container.cpu_limit.filter(|limit| *limit < ONE_CORE)?;
    let probe = match symptom.told.and_then(|told| probe::answer(&told.event.message)) {
        Some(answer) => {
            let asked = answer.asked.of(container);
            asked.filter(|probe| answer.cause(Some(probe.kind)) == Cause::ReadinessTimeout)
        }
        None => container.readiness.filter(|_| symptom.cause == Cause::ReadinessTimeout),
    }?;
    let (limit, seconds) = (Amount::of_thousandths(limit), probe.timeout_seconds);
    Some(format!(
        "perhaps throttled: the limit is cpu {limit}, and the probe waits {seconds} s for an answer (timeoutSeconds)"
    ))
}

/// How long a start may take by the startup probe, beside how long one does take.
fn of_start(s: &Snapshot, symptom: &Symptom<'_>, now: Timestamp) -> Option<(String, String)> {
    let container = template(s, symptom)?;
    let probe = container.startup?;
    let [delay, failures, period] =
        [probe.initial_delay_seconds, probe.failure_threshold, probe.period_seconds].map(|n| i64::from(n.max(0)));
    let budget = delay.saturating_add(failures.saturating_mul(period));
    let sum = format!("initialDelaySeconds {delay} + failureThreshold {failures} × periodSeconds {period}");
    let run = match symptom.detail {
        Detail::Ended(run) => run.started.zip(run.finished),
        _ => None,
    };
    let run = run.map(|(started, finished)| format!("this run lasted {} s", seconds_between(started, finished)));
    let known = Scene::new(s, now).known_ready_seconds();
    let known = known.map(|seconds| format!("the healthy revision took {seconds} s to become ready"));
    let why = wrong_port(container, symptom).or_else(|| throttled(container, symptom));
    let parts = [Some(format!("it allows a start {budget} s ({sum})")), run, known, why];
    let text = parts.into_iter().flatten().collect::<Vec<_>>().join("; ");
    Some((format!("template containers[{}].startupProbe", container.name), text))
}

fn revision<'a>(s: &'a Snapshot, symptom: &Symptom<'_>) -> Option<&'a RevisionFacts> {
    let Subject::Pod(pod) = symptom.subject else { return None };
    s.revisions.iter().map(AsRef::as_ref).find(|revision| revision.uid == pod.revision)
}

fn template<'a>(s: &'a Snapshot, symptom: &Symptom<'_>) -> Option<&'a ContainerTemplate> {
    let name = &symptom.container?.name;
    revision(s, symptom)?.template.containers.iter().find(|container| container.name == *name)
}
