//! What is known of every failure before anything is compared: who is likely at fault, whether going back helps, which
//! parts of a template can cause it, what it means and where a person looks next.

pub(super) mod aspects;
mod table;

use super::facts::{ContainerState, Snapshot};
use super::finding::{Subject, Symptom};
use super::makers;
use super::words::{Aspect, Cause, Class, Fault, Rollback, Sureness};

/// What is known of one class and cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Knowledge {
    /// Who is at fault unless a comparison of revisions says otherwise; `Unknown` where only that can tell.
    pub fault: Fault,
    pub rollback: Rollback,
    /// How much one sight of it proves as a rule; a symptom may be surer or less sure by the way it shows.
    pub sureness: Sureness,
    /// Parts of a template whose change can cause it; empty where no change of a template can.
    pub aspects: &'static [Aspect],
    /// Commands for a person, with `{namespace}`, `{kind}`, `{workload}`, `{creator}`, `{rollout}`, `{pod}`, `{container}`
    /// and `{previous}` to fill in; `{creator}` is the kind that creates the pods, `{rollout}` kind and name of a workload
    /// that keeps its revisions, and `{previous}` asks for the log of the run before this one.
    pub steps: &'static [&'static str],
    /// What it means, in one sentence.
    pub meaning: &'static str,
}

/// Most bytes of one step. A command cut short would do something else, so a longer one is left out.
const MAX_STEP: usize = 256;

/// What is known of a class and cause. Total: a pair that never occurs gets the little that is always true.
pub fn about(class: Class, cause: Cause) -> Knowledge {
    table::known(class, cause).unwrap_or(Knowledge {
        fault: Fault::Unknown,
        rollback: Rollback::Depends,
        sureness: Sureness::Timed,
        aspects: aspects::PROGRAM,
        steps: table::LOOK,
        meaning: "Something fails and nothing says why.",
    })
}

/// The next steps for a person who meets this symptom: at most four commands of at most 256 bytes each. A step that
/// needs what there is none of, such as a pod, is left out; if none remains, the workload itself is what to look at.
pub fn next_steps(s: &Snapshot, class: Class, symptom: Option<&Symptom<'_>>) -> Vec<String> {
    let cause = symptom.map_or(Cause::Unknown, |symptom| symptom.cause);
    let pod = symptom.and_then(|symptom| match symptom.subject {
        Subject::Pod(pod) => Some(&*pod.name),
        Subject::Revision(_) | Subject::Workload => None,
    });
    let container = symptom.and_then(|symptom| symptom.container);
    let has_ended = container.is_some_and(|c| matches!(c.state, ContainerState::Terminated(_)));
    let previous = if has_ended { "" } else { " --previous" };
    let container = container.map(|container| &*container.name);
    let kind = s.workload.kind.to_ascii_lowercase();
    let keeps_revisions = matches!(&*kind, "deployment" | "statefulset" | "daemonset");
    let creator = if kind == "deployment" { "ReplicaSet" } else { &*s.workload.kind };
    let rollout = makers::called(&s.workload);
    let marks = [
        ("namespace", Some(&*s.workload.namespace)),
        ("kind", Some(&*kind)),
        ("creator", Some(creator)),
        ("workload", Some(&*s.workload.name)),
        ("rollout", keeps_revisions.then_some(&*rollout)),
        ("pod", pod),
        ("container", container),
        ("previous", Some(previous)),
    ];
    let filled = about(class, cause).steps.iter().filter_map(|step| fill(step, &marks));
    let mut steps: Vec<String> = filled.filter(|step| step.len() <= MAX_STEP).take(4).collect();
    if steps.is_empty() {
        steps.extend(fill(table::DESCRIBE_WORKLOAD, &marks).filter(|step| step.len() <= MAX_STEP));
    }
    steps
}

/// The cause occurs with this class of failure.
pub fn is_known(class: Class, cause: Cause) -> bool {
    table::known(class, cause).is_some()
}

/// All causes of a class of failure.
pub fn causes(class: Class) -> impl Iterator<Item = Cause> {
    table::ROWS.iter().filter(move |(of, _)| *of == class).map(|(_, cause)| *cause)
}

/// A symptom of this class and cause may show in a way that is counted so. What is flapping is one cause; what is
/// counted by exits or attempts is so by class, since causes show in several ways.
pub fn may_show(class: Class, cause: Cause, sureness: Sureness) -> bool {
    let as_a_rule = |of: Cause| table::known(class, of).is_some_and(|about| about.sureness == sureness);
    match sureness {
        Sureness::Flapping => as_a_rule(cause),
        // A program that cannot be run ends the shell that should run it.
        Sureness::Counted if class == Class::ContainerStart => true,
        // No sandbox comes up within such a limit, which only events tell. What a rollout gives back to a quota takes time.
        Sureness::Timed if matches!(cause, Cause::LimitTooLowToStart | Cause::QuotaExceeded) => true,
        // Pods that kubelets reject are made anew, and are counted.
        Sureness::Repeated if matches!(class, Class::Pending | Class::PodSetup) => true,
        _ => causes(class).any(as_a_rule),
    }
}

/// Such a failure may be that of one container. Otherwise a pod, a revision or the workload fails as a whole, and a rule for
/// containers does not match it.
pub fn may_be_of_a_container(class: Class, cause: Cause) -> bool {
    match class {
        Class::ImagePullBackOff
        | Class::CrashLoopBackOff
        | Class::OOMKilled
        | Class::ContainerConfig
        | Class::ContainerStart
        | Class::InitStuck => true,
        // A gate is set when all containers are ready, by somebody outside.
        Class::Unready => cause != Cause::ReadinessGate,
        Class::Pending
        | Class::PodSetup
        | Class::CreateRefused
        | Class::Evicted
        | Class::NodeLost
        | Class::RolloutStalled
        | Class::HealthCheck => false,
    }
}

/// This version finds such failures. Of the others there are only the words.
pub fn is_raised(class: Class) -> bool {
    class != Class::HealthCheck
}

/// The step with every mark replaced; `None` where there is nothing to put in.
fn fill(step: &str, marks: &[(&str, Option<&str>)]) -> Option<String> {
    let mut filled = String::with_capacity(MAX_STEP);
    let mut rest = step;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let mark =
            after.split_once('}').and_then(|(name, after)| Some((marks.iter().find(|(m, _)| *m == name)?, after)));
        rest = match mark {
            Some(((_, value), after)) => {
                filled.push_str((*value)?);
                after
            }
            None => {
                filled.push('{');
                after
            }
        };
    }
    filled.push_str(rest);
    Some(filled)
}

#[cfg(test)]
mod tests;
