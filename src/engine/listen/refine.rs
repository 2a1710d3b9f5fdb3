//! Causes that logs name where statuses leave them open.

use super::logs_of;
use crate::engine::facts::Snapshot;
use crate::engine::finding::{Subject, Symptom};
use crate::engine::knowledge;
use crate::engine::logs::{Seen, rank};
use crate::engine::words::{Cause, Class, Sureness};

/// Crashes whose status leaves the cause open get the one that the logs of their revision name. All pods of a revision
/// run the same program, so the logs of a few speak for all.
pub fn refine(s: &Snapshot, symptoms: &mut [Symptom]) {
    if s.logs.is_empty() {
        return;
    }
    let mut known: Vec<(&str, &str, bool, Option<Cause>)> = Vec::new();
    for symptom in symptoms.iter_mut().filter(|symptom| is_open(symptom)) {
        let (Subject::Pod(pod), Some(container)) = (symptom.subject, symptom.container) else { continue };
        // What others ended did not end on its last words.
        let by_itself = symptom.cause != Cause::Unknown;
        let found = known.iter().find(|k| *k.0 == *pod.revision && *k.1 == *container.name && k.2 == by_itself);
        let cause = match found {
            Some((.., cause)) => *cause,
            None => {
                let cause = told(s, &pod.revision, &container.name, by_itself);
                known.push((&pod.revision, &container.name, by_itself, cause));
                cause
            }
        };
        if let Some(cause) = cause.filter(|cause| tells_more(symptom, *cause)) {
            symptom.by_status = Some((symptom.class, symptom.cause));
            (symptom.class, symptom.cause) = (class_of(cause), cause);
        }
    }
}

fn is_open(symptom: &Symptom) -> bool {
    let open = match symptom.class {
        Class::CrashLoopBackOff => {
            &[Cause::ApplicationError, Cause::NativeCrash, Cause::CommandExits, Cause::Unknown][..]
        }
        // By its exit code alone: 126 and 127 are what shells say, and programs may too.
        Class::ContainerStart if symptom.sureness == Sureness::Counted => {
            &[Cause::NotExecutable, Cause::CommandNotFound]
        }
        _ => &[],
    };
    symptom.sureness != Sureness::Excluded && open.contains(&symptom.cause)
}

/// A shell that may not execute a command says that permission is denied.
fn tells_more(symptom: &Symptom, cause: Cause) -> bool {
    symptom.cause != cause && (symptom.cause, cause) != (Cause::NotExecutable, Cause::PermissionDenied)
}

/// The class of failure that a cause belongs to which a log names: a program that ran and ended, or one that never came
/// to run.
pub fn class_of(cause: Cause) -> Class {
    if knowledge::is_known(Class::CrashLoopBackOff, cause) { Class::CrashLoopBackOff } else { Class::ContainerStart }
}

/// The cause that most of the logs name; of several the most telling. What programs try again counts when it repeats,
/// be it in the log of another pod.
fn told(s: &Snapshot, revision: &str, container: &str, by_itself: bool) -> Option<Cause> {
    let logs = || logs_of(s, revision, container).filter(|log| log.ended);
    let once = || {
        let firsts = || logs().filter_map(|log| log.reading.first(by_itself)).map(|seen| seen.cause);
        let twice = firsts().filter(|cause| firsts().filter(|other| other == cause).nth(1).is_some());
        twice.min_by_key(|cause| rank(*cause))
    };
    most_named(logs().filter_map(|log| log.reading.lead(by_itself))).or_else(once)
}

/// The cause that is named most often; of several the most telling.
pub fn most_named<'a>(seen: impl Iterator<Item = &'a Seen>) -> Option<Cause> {
    let mut votes: Vec<(Cause, usize)> = Vec::new();
    for seen in seen {
        match votes.iter_mut().find(|(cause, _)| *cause == seen.cause) {
            Some((_, votes)) => *votes = votes.saturating_add(1),
            None => votes.push((seen.cause, 1)),
        }
    }
    let most = votes.into_iter().max_by_key(|(cause, votes)| (*votes, std::cmp::Reverse(rank(*cause))));
    most.map(|(cause, _)| cause)
}
