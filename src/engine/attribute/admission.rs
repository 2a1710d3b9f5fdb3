//! Pods that an admission policy denies. It may deny those of the old template as well, so the revision is at fault only
//! where the API server was asked about these, or where the change touches what the denial is about.

use super::{Case, touches, verdict, words};
use crate::engine::decision::Verdict;
use crate::engine::surroundings;
use crate::engine::words::{Aspect, Cause, Class, Confidence, Fault};

/// Words of a denial, in lower case, and the part of a template that they are about.
const ABOUT: &[(&[&str], Aspect)] = &[
    (&["image", "registry", "registries", "digest", " tag", ":latest"], Aspect::Image),
    (&["command", "args", "argument"], Aspect::Command),
    (&["env ", "env.", "environment", "configmap", "secret"], Aspect::Environment),
    (&["resource", "limits", "requests", "cpu", "memory"], Aspect::Resources),
    (&["probe"], Aspect::Probes),
    (&["hostport", " port"], Aspect::Ports),
    (&["volume", "hostpath", "mount"], Aspect::Volumes),
    (&["toleration", "nodeselector", "affinity", "priorityclass", "runtimeclass", "topology"], Aspect::Scheduling),
    (
        &[
            "privileged",
            "privilege",
            "securitycontext",
            "security context",
            "root",
            "runasuser",
            "capabilit",
            "seccomp",
            "apparmor",
            "selinux",
            "sysctl",
            "hostnetwork",
            "hostpid",
            "hostipc",
            "host namespace",
            "readonlyrootfilesystem",
        ],
        Aspect::Security,
    ),
    (&["serviceaccount", "service account", "automount"], Aspect::ServiceAccount),
    (&["lifecycle", "prestop", "terminationgraceperiod", "restartpolicy"], Aspect::Lifecycle),
    (&["imagepullsecret"], Aspect::PullSecrets),
    (&["label", "annotation"], Aspect::Metadata),
];
const DENIED: [&str; 2] = ["denied the request", "denied request"];

pub(super) fn is(case: &Case) -> bool {
    (case.finding.class, case.finding.cause) == (Class::CreateRefused, Cause::AdmissionDenied)
}

/// Nothing proves that the policy would take the pods of the healthy revision.
pub(super) fn unproven(case: &Case) -> Option<Verdict> {
    let control = case.control.filter(|_| is(case))?;
    let around = surroundings::of_newest(case.s, case.rollout.newest);
    let tried = around.filter(|around| around.baseline_tried && around.baseline.as_ref() == Some(&control.uid));
    if tried.is_some_and(|around| around.baseline_refused.is_none()) {
        return None;
    }
    let about = about(case);
    if tried.is_none() && touches::changed(case, &about) {
        return None;
    }
    let because = match (tried, &*about) {
        (Some(_), _) => format!("the API server would refuse pods of the healthy revision {} too", control.hash),
        (None, []) => "the policy does not say what it denies, and whether it would take pods of the healthy revision \
                       was not tried"
            .to_owned(),
        (None, about) => {
            format!("the policy speaks of what did not change ({}); changed: {}", words(about), words(&case.changed))
        }
    };
    Some(verdict(Fault::Namespace, Confidence::Likely, because))
}

/// What the denials speak of, without the names of who denies.
fn about(case: &Case) -> Vec<Aspect> {
    let mut about = Vec::new();
    for evidence in &case.finding.evidence {
        let text = evidence.text.to_ascii_lowercase();
        let Some(denial) = DENIED.iter().find_map(|words| Some(text.split_once(words)?.1)) else { continue };
        let spoken_of = ABOUT.iter().filter(|(phrases, _)| phrases.iter().any(|phrase| denial.contains(phrase)));
        about.extend(spoken_of.map(|(_, aspect)| *aspect));
    }
    about.sort_unstable();
    about.dedup();
    about
}
