//! What a person does next about an incident: commands that can be copied, the most useful first.

use kube::ResourceExt;

use super::words;
use crate::api::{Incident, keys};
use crate::engine::decision::Progress;
use crate::engine::storm::overridden_by;
use crate::engine::words::{ActionKind, RefusalReason};

/// Steps that are shown.
const MAX_STEPS: usize = 8;

/// Commands, each with what it is good for.
pub fn next_steps(incident: &Incident, program: &str) -> Vec<(String, String)> {
    let name = incident.name_any();
    let namespace = incident.namespace().unwrap_or_default();
    let mut steps: Vec<(String, String)> = Vec::new();
    let mut add = |what: &str, command: String| {
        if !steps.iter().any(|(known, _)| *known == command) {
            steps.push((command, what.to_owned()));
        }
    };
    if let Some(key) = words::awaited(incident) {
        for (verb, what) in [("approve", "Let Backstay do it"), ("deny", "Or keep it from doing so")] {
            add(what, format!("{program} incident {verb} {name} -n {namespace} --decision {key}"));
        }
    }
    if words::is_storm(incident) {
        add("See which nodes are in trouble", "kubectl get nodes".to_owned());
        add("See what went wrong last", "kubectl get events -A --field-selector type=Warning".to_owned());
        if incident.is_open() {
            let overridden = overridden_by(incident.spec.approval.as_ref(), &name).is_some();
            let (verb, what) = if overridden {
                ("deny", "Let nothing be done automatically again")
            } else {
                ("approve", "Let Backstay act on single workloads although the storm has not passed")
            };
            add(what, format!("{program} incident {verb} {name} -n {namespace}"));
        }
    } else {
        about_workload(incident, (&name, &namespace, program), &mut add);
    }
    if incident.is_open() && incident.spec.acknowledged.is_none() {
        add("Tell others that you are on it", format!("{program} incident ack {name} -n {namespace}"));
    }
    steps.truncate(MAX_STEPS);
    steps
}

fn about_workload(incident: &Incident, named: (&str, &str, &str), add: &mut impl FnMut(&str, String)) {
    let (name, namespace, program) = named;
    let workload = &incident.spec.workload.name;
    if is_left_held(incident) {
        let deployment = format!("-n {namespace} deployment/{workload}");
        add("End the pause by hand, since Backstay must not", format!("kubectl rollout resume {deployment}"));
        add("And take its mark away", format!("kubectl annotate {deployment} {}-", keys::PAUSED_FOR));
    } else if is_frozen(incident) {
        let mark = format!("{}={name}", keys::RESUME);
        add(
            "End the freeze and let the present template roll out; a new template does that by itself",
            format!("kubectl annotate -n {namespace} deployment/{workload} {mark} --overwrite"),
        );
    }
    if is_paused(incident) && !is_left_held(incident) {
        add(
            "End the pause and let the rollout go on",
            format!("kubectl annotate -n {namespace} deployment/{workload} {}={name} --overwrite", keys::RESUME),
        );
    }
    if let Some((what, command)) = by_refusal(incident, namespace, workload) {
        add(what, command);
    }
    if incident.is_open() {
        for step in words::lead(incident).map(|f| f.next_steps.as_slice()).unwrap_or_default() {
            add("Look at what fails", step.clone());
        }
        let what = "See what Backstay would do now, and which guard says no";
        add(what, format!("{program} policy explain deployment/{workload} -n {namespace}"));
    } else {
        let history = format!("kubectl rollout history -n {namespace} deployment/{workload}");
        add("See which revisions there were", history);
    }
}

/// The last that was done, while the incident is open.
fn done(incident: &Incident) -> Option<ActionKind> {
    let done = incident.status.as_ref().and_then(|s| s.actions.last());
    done.map(|action| action.kind).filter(|_| incident.is_open())
}

/// The last that was done is the freeze. It holds also where the baseline is not at full strength.
fn is_frozen(incident: &Incident) -> bool {
    done(incident) == Some(ActionKind::Freeze) && words::progress(incident) != Some(Progress::Retaken)
}

/// The last that was done is the pause on suspicion.
fn is_paused(incident: &Incident) -> bool {
    done(incident) == Some(ActionKind::Pause)
}

/// Backstay holds the workload, and must not write to it any more.
fn is_left_held(incident: &Incident) -> bool {
    let holds = matches!(done(incident), Some(ActionKind::Freeze | ActionKind::Pause));
    let refusal = words::refusal(incident).map(|r| r.reason);
    holds && matches!(refusal, Some(RefusalReason::OptedOut | RefusalReason::ObserveOnly))
}

/// What the refusal asks of a person.
fn by_refusal(incident: &Incident, namespace: &str, workload: &str) -> Option<(&'static str, String)> {
    let deployment = format!("-n {namespace} deployment/{workload}");
    Some(match words::refusal(incident)?.reason {
        RefusalReason::Paused => {
            ("Resume it when the reason for the pause has passed", { format!("kubectl rollout resume {deployment}") })
        }
        RefusalReason::NoBaseline
        | RefusalReason::BaselineEqualsCurrent
        | RefusalReason::BaselineWouldNotRun
        | RefusalReason::TooManyRollbacks
        | RefusalReason::ObserveOnly
        | RefusalReason::RuleSaysHold => {
            ("Choose a revision to go back to by hand", format!("kubectl rollout history {deployment}"))
        }
        RefusalReason::GitOpsManaged => {
            ("Revert the commit in Git; see who owns the template", format!("kubectl get {deployment} --show-labels"))
        }
        RefusalReason::AlreadyTried => {
            ("See who put the template back", format!("kubectl get {deployment} -o yaml --show-managed-fields"))
        }
        _ => return None,
    })
}
