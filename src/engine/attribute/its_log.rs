//! What the log of a container names that does not end, or is not ready.

use super::{Case, shared, touches, verdict};
use crate::engine::change;
use crate::engine::decision::Verdict;
use crate::engine::knowledge;
use crate::engine::listen;
use crate::engine::words::{Aspect, Class, Confidence, Fault};

/// How it shows says little, and its log names what lies behind it: a service that it calls, which this change does not
/// touch. An init container that waits for one is the revision's doing only if it is new or waits for something else.
pub(super) fn explains_it(case: &Case) -> Option<Verdict> {
    let cause = case.finding.named?;
    let about = knowledge::about(Class::CrashLoopBackOff, cause);
    let (fault, touched) = if case.finding.class == Class::InitStuck {
        (shared::of_others(about.fault), waits_for_something_else(case))
    } else {
        let touched =
            if listen::is_of_a_service(cause) && !listen::is_of_use(cause) { touches::places } else { touches::any };
        (about.fault, touched(case, about.aspects))
    };
    let its_own = matches!(fault, Fault::Revision | Fault::Unknown) || touched;
    (!its_own)
        .then(|| verdict(fault, Confidence::Likely, format!("its log names {cause}, which the change does not touch")))
}

/// The change touches the init container, or what names the services that it calls.
fn waits_for_something_else(case: &Case) -> bool {
    let Some((control, container)) = case.control.zip(case.finding.container.as_deref()) else { return true };
    let newest = case.rollout.newest;
    let mut changed = change::changed_around(control, newest, container);
    if !change::leads_elsewhere(control, newest, Some(container)) {
        changed.retain(|aspect| *aspect != Aspect::Environment);
    }
    let names = [
        Aspect::Image,
        Aspect::Command,
        Aspect::Environment,
        Aspect::Volumes,
        Aspect::Security,
        Aspect::Containers,
        Aspect::InitContainers,
        Aspect::Other,
    ];
    names.iter().any(|aspect| changed.contains(aspect))
}
