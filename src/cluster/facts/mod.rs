//! Turns slim Kubernetes objects into the engine's facts. Pure: the same for the live watch, for files and for tests.
//!
//! Objects come from outside, so nothing is taken for granted: what is missing becomes the default that Kubernetes
//! documents, nonsense becomes nothing, text is bounded, and only an object without an identity gives no facts.

mod event;
mod names;
mod node;
mod owners;
mod pod;
mod quantity;
mod revision;
mod rollout;
#[cfg(test)]
mod tests;
mod workload;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

pub use self::event::{UNINTERESTING, event_facts, talked_about};
pub use self::names::Interner;
pub use self::node::node_facts;
pub use self::pod::pod_facts;
pub use self::quantity::{thousandths, units};
pub use self::revision::{init_kind, revision_facts, template_facts};
pub use self::rollout::unavailable;
pub use self::workload::workload_facts;
use super::slim::Condition;
use super::text::{self, MAX_MESSAGE};
use crate::engine::facts::{ConditionFacts, Name};
use crate::engine::message::Message;

/// What every object has: its UID, name and time of creation.
struct Identity {
    uid: Name,
    name: Name,
    created: Timestamp,
}

/// `None` for objects that never came from an API server. UIDs and names of most objects are their own, so they are
/// not interned.
fn identity(meta: &ObjectMeta) -> Option<Identity> {
    let given = |text: &Option<String>| text.as_deref().filter(|text| !text.is_empty()).map(Name::from);
    let name = names::unshared(meta.name.as_deref().filter(|name| !name.is_empty())?);
    Some(Identity { uid: given(&meta.uid)?, name, created: meta.creation_timestamp.as_ref()?.0 })
}

fn label<'a>(meta: &'a ObjectMeta, key: &str) -> Option<&'a str> {
    meta.labels.as_ref()?.get(key).map(String::as_str)
}

fn annotation<'a>(meta: &'a ObjectMeta, key: &str) -> Option<&'a str> {
    meta.annotations.as_ref()?.get(key).map(String::as_str)
}

fn find<'a>(conditions: &'a [Condition], kind: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.kind.as_deref() == Some(kind))
}

fn is_true(condition: &Condition) -> bool {
    condition.status.as_deref() == Some("True")
}

/// `created` stands in for a transition time that is missing: the condition is at most as old as its object.
fn condition_facts(
    condition: &Condition,
    created: Timestamp,
    names: &mut Interner,
    message: fn(&str) -> Message,
) -> ConditionFacts {
    ConditionFacts {
        status: is_true(condition),
        reason: names.word(condition.reason.as_deref().unwrap_or_default()),
        message: message(condition.message.as_deref().unwrap_or_default()),
        since: condition.last_transition_time.0.unwrap_or(created),
    }
}

/// A condition of what is no Deployment, whose message nobody but a person reads.
pub fn shown_condition(condition: &Condition, created: Timestamp, names: &mut Interner) -> ConditionFacts {
    condition_facts(condition, created, names, |text| text::shown(text, MAX_MESSAGE).into())
}

fn message(message: Option<&str>) -> Message {
    message.map(|message| text::shown(message, MAX_MESSAGE).into()).unwrap_or_default()
}

/// A count that cannot be negative.
fn count(count: Option<i32>) -> i32 {
    count.unwrap_or_default().max(0)
}
