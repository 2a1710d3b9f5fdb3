//! ReplicaSets that cannot create their pods. There is no pod to look at: only the `ReplicaFailure` condition tells
//! (pkg/controller/replicaset, and what admission plugins write).

use std::sync::LazyLock;

use super::hint;
use super::look::Scene;
use super::quota;
use super::text::{Reading, Table, contains, reading};
use crate::engine::facts::{ConditionFacts, RevisionFacts};
use crate::engine::finding::{Detail, Subject, Symptom, Told};
use crate::engine::message::{Message, Speaker};
use crate::engine::pace::Pace;
use crate::engine::words::{Cause, Class, Sureness};

/// The Deployment controller gives up on a ReplicaSet that it cannot create after so many tries (`maxRetries` in
/// pkg/controller/deployment/deployment_controller.go); a ReplicaSet never gives up on its pods.
const DEPLOYMENT_TRIES: u32 = 16;

pub(super) fn symptoms<'a>(scene: &Scene<'a>, symptoms: &mut Vec<Symptom<'a>>) {
    let before = symptoms.len();
    for revision in &scene.s.revisions {
        symptoms.extend(of_revision(scene, revision));
    }
    if symptoms.len() == before {
        symptoms.extend(of_workload(scene));
    }
}

/// A condition that outlived the shortage is old news.
fn of_revision<'a>(scene: &Scene<'a>, revision: &'a RevisionFacts) -> Option<Symptom<'a>> {
    let condition = revision.replica_failure.as_ref().filter(|condition| condition.status)?;
    let short = revision.replicas < revision.desired && !revision.deleting;
    short.then(|| refused(scene, Subject::Revision(revision), "ReplicaFailure", condition))
}

/// The Deployment repeats its ReplicaSets' condition, at times for longer than they hold it; its own word counts
/// where the newest ReplicaSet lacks pods, or could not be created at all.
fn of_workload<'a>(scene: &Scene<'a>) -> Option<Symptom<'a>> {
    let workload = &scene.s.workload;
    if let Some(condition) = workload.progressing.as_ref().filter(|c| &*c.reason == "ReplicaSetCreateError") {
        let refused = refused(scene, Subject::Workload, "Progressing", condition);
        return Some(Symptom { occurrences: refused.occurrences.min(DEPLOYMENT_TRIES), ..refused });
    }
    let condition = workload.replica_failure.as_ref().filter(|condition| condition.status)?;
    let short = match scene.newest {
        Some(newest) => newest.replicas < newest.desired,
        None => workload.replicas > 0,
    };
    short.then(|| refused(scene, Subject::Workload, "ReplicaFailure", condition))
}

fn refused<'a>(
    scene: &Scene<'a>,
    subject: Subject<'a>,
    kind: &'static str,
    condition: &'a ConditionFacts,
) -> Symptom<'a> {
    let told = newer_refusal(scene, subject, condition);
    let last = told.and_then(|told| Some((read(&told.event.message)?, &told.event.message)));
    let first = || (read(&condition.message).unwrap_or(said(Cause::Unknown)), &condition.message);
    let (said, text) = last.unwrap_or_else(first);
    let detail = Detail::Condition { kind, condition };
    let symptom =
        Symptom::new((said.class, said.cause, said.sureness), subject, condition.since.min(scene.now), detail);
    let symptom = hint::with(symptom, told);
    if said.sureness == Sureness::Definitive {
        return symptom;
    }
    let of = match subject {
        Subject::Revision(revision) => Some(revision),
        Subject::Workload | Subject::Pod(_) => scene.newest.filter(|_| kind == "ReplicaFailure"),
    };
    let waits = of.filter(|_| said.cause == Cause::QuotaExceeded);
    let given_back = waits.and_then(|revision| quota::given_back_within(scene, revision, condition, text));
    if let Some(grace_seconds) = given_back.filter(|grace| scene.elapsed(condition.since) < *grace) {
        return Symptom { sureness: Sureness::Timed, grace_seconds, ..symptom };
    }
    // The condition comes with the first refusal, stays as it is with every further one, and goes when all pods are created.
    let pace = Pace::BackingOff;
    Symptom { occurrences: pace.attempts_after(scene.elapsed(condition.since)), pace: Some(pace), ..symptom }
}

/// A controller keeps a condition as it first was while its reason stays the same (`SetCondition` in
/// pkg/controller/replicaset), so the text of a later refusal is in its event alone.
fn newer_refusal<'a>(scene: &Scene<'a>, subject: Subject<'a>, condition: &ConditionFacts) -> Option<Told<'a>> {
    let revision = match subject {
        Subject::Revision(revision) => Some(revision),
        Subject::Workload if &*condition.reason == "ReplicaSetCreateError" => None,
        Subject::Workload | Subject::Pod(_) => Some(scene.newest?),
    };
    let told = scene.refusal(revision)?;
    let differs = told.event.last > condition.since && *told.event.message != *condition.message;
    differs.then_some(told)
}

/// Why a pod was refused, where the text is known.
pub fn cause_of_refusal(message: &Message) -> Option<Cause> {
    read(message).map(|reading| reading.cause)
}

fn read(message: &Message) -> Option<Reading> {
    message.says(&TEXTS, |texts, text| not_looked_at(text).or_else(|| texts.read_part(text)))
}

/// A denial by a policy that could not look at the pod, since what it asks did not answer. It would deny any pod.
fn not_looked_at(text: &str) -> Option<Reading> {
    let denial = text.split_once("denied the request").or_else(|| text.split_once("denied request:"));
    denial.filter(|(_, denial)| CANNOT_LOOK.iter().any(|phrase| contains(denial, phrase)))?;
    Some(said(Cause::WebhookUnavailable))
}

/// What says that somebody was asked and did not answer, or not with what was asked for. In lower case.
pub(super) const CANNOT_LOOK: &[&str] = &[
    "deadline exceeded",
    "unable to reach host",
    "i/o timeout",
    "tls handshake timeout",
    "dial tcp",
    "dial udp",
    "no such host",
    "connection refused",
    "connection reset by peer",
    "server misbehaving",
    "500 internal server error",
    "502 bad gateway",
    "503 service unavailable",
    "504 gateway time",
    "429 too many requests",
    "toomanyrequests",
    "system error",
    "failed to send external data request",
];

/// What validation refuses it will refuse again. A quota frees up, an object may yet come, a webhook may return.
const fn said(cause: Cause) -> Reading {
    let sureness = match cause {
        Cause::PodInvalid
        | Cause::PodSecurity
        | Cause::LimitRange
        | Cause::QuotaNeedsLimits
        | Cause::AdmissionDenied => Sureness::Definitive,
        _ => Sureness::Repeated,
    };
    reading(Class::CreateRefused, cause, sureness)
}

/// A webhook's own words come last in its refusal and may hold any of the others, so webhooks are asked for first.
pub(super) static TEXTS: LazyLock<Table> = LazyLock::new(|| {
    Table::new(
        Speaker::Admission,
        &[
            (
                &["failed calling webhook", "failed calling admission webhook", "failed to call webhook"],
                said(Cause::WebhookUnavailable),
            ),
            (&["denied the request", "denied request:"], said(Cause::AdmissionDenied)),
            (&["because it is being terminated"], said(Cause::NamespaceTerminating)),
            (&["must specify limits.", "must specify requests.", "failed quota: "], said(Cause::QuotaNeedsLimits)),
            (
                &[
                    "exceeded quota: ",
                    "insufficient quota to consume",
                    "insufficient quota to match these scopes",
                    "status unknown for quota",
                ],
                said(Cause::QuotaExceeded),
            ),
            (
                &[
                    "violates podsecurity",
                    "against any security context constraint",
                    // Pod security policies, until Kubernetes 1.25.
                    "against any pod security policy",
                    "podsecuritypolicy: unable to admit pod",
                ],
                said(Cause::PodSecurity),
            ),
            (&["usage per container is", "usage per pod is", "limit to request ratio"], said(Cause::LimitRange)),
            (&["error looking up service account", "serviceaccount \""], said(Cause::ServiceAccountMissing)),
            (&["no priorityclass with name"], said(Cause::PriorityClassMissing)),
            (&["is invalid: ", "runtimeclass \""], said(Cause::PodInvalid)),
        ],
    )
});
