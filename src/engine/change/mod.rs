//! What is different from when the workload last did well. Most failures come from something that just changed, so
//! the newest change that can cause the failure is what a person wants to see first.
//!
//! Values of environment variables and of anything else that may be a secret never get into these words.

pub mod aspects;
pub mod author;
mod container;
mod digests;
mod leaf;
pub mod migration;
mod nodes;
pub mod places;
pub mod references;
pub mod template;
#[cfg(test)]
mod tests;
pub mod told;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::{Display, EnumIter, IntoStaticStr};

pub use self::digests::{
    Demand, are_alike, asked, asks_for_more, brings_in, changed_around, changed_aspects, devices, felt_by,
    leads_elsewhere, registry, registry_of, repository,
};
use super::text;
use super::words::Aspect;

/// Changes kept of one template; a person who rewrites everything is told that there is more.
pub const MAX_TEMPLATE_CHANGES: usize = 24;
/// Bytes of one change in words.
pub const MAX_TEXT: usize = 256;
/// Bytes of what a change is about.
const MAX_SUBJECT: usize = 320;
/// Bytes of a text that is shortened further on.
const MAX_LOOKED_AT: usize = 4096;

/// What kind of thing changed.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    Display,
    EnumIter,
    IntoStaticStr,
)]
pub enum ChangeKind {
    /// The pod template, compared with that of the baseline.
    Template,
    ConfigMap,
    Secret,
    /// Another object that the template names: a service account, a volume claim, a priority class.
    Object,
    /// A migration of a database schema ran.
    Migration,
    Autoscaler,
    Service,
    Quota,
    NetworkPolicy,
    Node,
    /// Another workload of the namespace was rolled out.
    Rollout,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    pub kind: ChangeKind,
    /// Of a template: which part of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aspect: Option<Aspect>,
    /// What it is about, such as `container web` or `ConfigMap settings`.
    #[schemars(length(max = 320))]
    pub subject: String,
    /// The difference in words, such as `limits.memory 128Mi → 64Mi`.
    #[schemars(length(max = 256))]
    pub text: String,
    /// When it was made, as far as the object tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// Who made it, as far as the object tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub by: Option<String>,
    /// It can cause the failure that the incident is about.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub relevant: bool,
}

impl Change {
    /// A difference between two templates.
    pub fn of_template(aspect: Aspect, subject: &str, text: String) -> Self {
        Self {
            kind: ChangeKind::Template,
            aspect: Some(aspect),
            subject: shown(subject, MAX_SUBJECT),
            text: bounded(&text),
            at: None,
            by: None,
            relevant: false,
        }
    }
}

/// The text of a change. Words from templates are text that others wrote, and arguments may hold secrets.
fn bounded(text: &str) -> String {
    shown(text, MAX_TEXT)
}

/// Text as it may be shown: cleaned, redacted and bounded.
pub fn shown(text: &str, max: usize) -> String {
    text::shown(text, max).into()
}
