//! Conditions, by type, as Kubernetes writes them.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::{Schema, SchemaGenerator, json_schema};

/// The longest message a condition carries here, in bytes.
const MAX_MESSAGE: usize = 1024;
/// The longest type and reason that Kubernetes' own definitions allow.
const MAX_TYPE: usize = 316;
const MAX_REASON: usize = 1024;

/// What a condition should say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub kind: &'static str,
    /// `None` is `Unknown`.
    pub status: Option<bool>,
    pub reason: String,
    pub message: String,
}

/// Sets conditions by type. `lastTransitionTime` moves only when the status does, so that an unchanged condition is
/// byte for byte what it was.
pub fn set(conditions: &mut Vec<Condition>, wanted: Wanted, generation: Option<i64>, now: Timestamp) {
    let status = match wanted.status {
        Some(true) => "True",
        Some(false) => "False",
        None => "Unknown",
    };
    let mut message = wanted.message;
    message.truncate(crate::cluster::text::head(&message, MAX_MESSAGE).len());
    let before = conditions.iter().find(|c| c.type_ == wanted.kind);
    let since = match before {
        Some(c) if c.status == status => c.last_transition_time.clone(),
        _ => Time(now),
    };
    let condition = Condition {
        type_: wanted.kind.to_owned(),
        status: status.to_owned(),
        reason: wanted.reason,
        message,
        observed_generation: generation,
        last_transition_time: since,
    };
    match conditions.iter_mut().find(|c| c.type_ == wanted.kind) {
        Some(slot) => *slot = condition,
        None => conditions.push(condition),
    }
}

/// The condition of this type, if it is set.
pub fn find<'a>(conditions: &'a [Condition], kind: &str) -> Option<&'a Condition> {
    conditions.iter().find(|c| c.type_ == kind)
}

/// The condition of this type is `True`.
pub fn is_true(conditions: &[Condition], kind: &str) -> bool {
    find(conditions, kind).is_some_and(|c| c.status == "True")
}

/// The schema of a list of conditions, `metav1.Condition`: a map by type, so that several writers can own one each. The
/// bounds are those that Kubernetes' own kinds leave to validation.
pub fn schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "items": {
            "type": "object",
            "description": "One aspect of the state of this resource.",
            "required": ["lastTransitionTime", "message", "reason", "status", "type"],
            "properties": {
                "lastTransitionTime": {
                    "description": "When `status` last changed.",
                    "type": "string",
                    "format": "date-time",
                },
                "message": {"description": "For a person; may be empty.", "type": "string", "maxLength": MAX_MESSAGE},
                "observedGeneration": {
                    "description": "The `metadata.generation` that this condition is about; an older one is out of date.",
                    "type": "integer",
                    "format": "int64",
                },
                "reason": {
                    "description": "Why `status` is what it is, as one word in CamelCase.",
                    "type": "string",
                    "maxLength": MAX_REASON,
                },
                "status": {"description": "Whether it holds.", "type": "string", "enum": ["True", "False", "Unknown"]},
                "type": {"description": "What may hold, in CamelCase.", "type": "string", "maxLength": MAX_TYPE},
            },
        },
        "maxItems": 16,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
    })
}
