//! Pods that an admission policy denies. It may deny those of the old template as well, so the revision is at fault only
//! where the API server was asked about these, or where the change touches what the denial is about.

use super::{Case, touches, verdict, words};
use crate::engine::change;
use crate::engine::decision::Verdict;
use crate::engine::facts::{ContainerTemplate, RevisionFacts};
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
/// Words for where an image comes from, and for what of it a tag may change.
const PLACES: [&str; 3] = ["registry", "registries", "repositor"];
const TAGS: [&str; 5] = [" tag", ":latest", "digest", "signature", "signed"];
/// What Pod Security looks at in a container (policy/check_*.go).
const CONFINED: [Aspect; 4] = [Aspect::Security, Aspect::Ports, Aspect::Probes, Aspect::Lifecycle];
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
    if tried.is_none() && touches::changed(case, &about) && !is_about_an_old_place(case, control) {
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

/// The denial is about where an image comes from, and all of the new ones come from where the healthy revision's do: a new
/// tag does not change what the policy thinks of that.
fn is_about_an_old_place(case: &Case, control: &RevisionFacts) -> bool {
    let newest = case.rollout.newest;
    let is_new = |c: &ContainerTemplate| change::brings_in(control, newest, &c.name, change::repository);
    // A host may be called so, as `registry.example` is.
    let is_name = |word: &str| newest.template.containers.iter().any(|c| word.contains(change::repository(&c.image)));
    let speaks = |text: String| {
        let mut words = text.split_whitespace().filter(|word| !is_name(word));
        words.any(|word| PLACES.iter().any(|place| word.contains(place)))
    };
    let of_place = denials(case).any(speaks);
    let of_tag = denials(case).any(|text| TAGS.iter().any(|word| text.contains(word)));
    case.changed == [Aspect::Image] && of_place && !of_tag && !newest.template.containers.iter().any(is_new)
}

/// Pod Security (k8s.io/pod-security-admission) names the containers that violate the level. One of them is in the healthy
/// revision just as it is, so that pods of that would be refused too.
pub(super) fn violates_as_before(case: &Case) -> bool {
    let Some(control) = case.control else { return false };
    let newest = &case.rollout.newest.template;
    let is_old = |new: &&ContainerTemplate| {
        let before = control.template.containers.iter().find(|old| old.name == new.name);
        before.is_some_and(|old| change::are_alike(&old.aspects, &new.aspects, &CONFINED))
    };
    let texts = || case.finding.evidence.iter().filter_map(|e| Some(e.text.split_once("violates PodSecurity")?.1));
    let is_named = |c: &ContainerTemplate| texts().flat_map(containers).any(|name| *name == *c.name);
    change::are_alike(&control.template.aspects, &newest.aspects, &[Aspect::Security])
        && newest.containers.iter().filter(is_old).any(is_named)
}

/// The names behind `container` and `containers`, up to what they must do: `containers "a", "b" must set`.
fn containers(text: &str) -> impl Iterator<Item = &str> {
    let lists = text.split("container").skip(1).map(|rest| rest.strip_prefix('s').unwrap_or(rest));
    lists.flat_map(|rest| {
        let parts: Vec<&str> = rest.split('"').collect();
        let named = parts.chunks_exact(2).map_while(|pair| match pair {
            [gap, name] if gap.chars().all(|c| matches!(c, ' ' | ',')) => Some(*name),
            _ => None,
        });
        named.collect::<Vec<&str>>()
    })
}

/// What the denials speak of, without the names of who denies.
fn about(case: &Case) -> Vec<Aspect> {
    let mut about = Vec::new();
    for denial in denials(case) {
        let spoken_of = ABOUT.iter().filter(|(phrases, _)| phrases.iter().any(|phrase| denial.contains(phrase)));
        about.extend(spoken_of.map(|(_, aspect)| *aspect));
    }
    about.sort_unstable();
    about.dedup();
    about
}

/// What the policies say, in lower case.
fn denials<'a>(case: &'a Case<'_>) -> impl Iterator<Item = String> + 'a {
    let texts = case.finding.evidence.iter().map(|evidence| evidence.text.to_ascii_lowercase());
    texts.filter_map(|text| DENIED.iter().find_map(|words| Some(text.split_once(words)?.1.to_owned())))
}
