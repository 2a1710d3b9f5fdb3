//! Kubernetes Events: the story of a workload as `kubectl describe deployment` tells it.
//!
//! An Event is one write about one object. It regards the workload, where people look first, and has the incident as
//! its related object; the incident's own timeline tells the story in full, so it needs no second Event.
//!
//! kube's `Recorder` is not used: it takes two events that differ only in their note for a series and keeps the first
//! note. Here the name of an Event is computed from what it says. The same fact told twice, also after a restart or a
//! retried request, is one Event, and another fact is another Event. The API server forgets Events after an hour by
//! default; then the same fact may be told again.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::PostParams;
use kube::{Api, Client};
use thiserror::Error;

use super::chain::chain;

/// Who reports; qualified like a label key, as the API asks for.
const CONTROLLER: &str = "backstay.dev/backstay";
/// Nothing waits longer than this for an Event.
const TIMEOUT: Duration = Duration::from_secs(5);
// Limits of events.k8s.io/v1, in bytes; see `ValidateEventCreate` in kube-apiserver.
const MAX_NOTE: usize = 1024;
const MAX_WORD: usize = 128;
const MAX_NAME: usize = 253;

#[derive(Debug, Error)]
enum Error {
    #[error("the API server did not take it")]
    Call(#[from] kube::Error),
    #[error("no answer within {TIMEOUT:?}")]
    Timeout(#[from] tokio::time::error::Elapsed),
}

/// What an Event is about.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// The object on which `kubectl describe` shows it; the Event is written to its namespace.
    pub regarding: &'a ObjectReference,
    /// The incident, when there is one. It is part of what makes two Events different.
    pub related: Option<&'a ObjectReference>,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Normal,
    Warning,
}

/// One step of the story. The reasons and actions are API.
#[derive(Debug)]
struct Step<'a> {
    kind: Kind,
    reason: &'static str,
    action: &'a str,
    note: String,
}

/// Publishes Events. Cheap to clone. No method fails: an Event that cannot be written is logged.
#[derive(Clone)]
pub struct Events {
    client: Client,
    instance: String,
}

impl Events {
    /// `instance` is the name of this replica's pod.
    pub fn new(client: Client, instance: impl AsRef<str>) -> Self {
        Self { client, instance: bounded(instance.as_ref(), MAX_WORD) }
    }

    /// `failing` and `baseline` are names of ReplicaSets, here and below; `why` is a sentence.
    pub async fn rolled_back(&self, about: About<'_>, failing: &str, baseline: &str, why: &str) {
        let note = format!("Rolled back from {failing} to {baseline}: {why}");
        self.publish(about, Step { kind: Kind::Warning, reason: "RolledBack", action: "RollBack", note }).await;
    }

    pub async fn frozen(&self, about: About<'_>, failing: &str, baseline: &str, why: &str) {
        let note = format!(
            "Frozen at {baseline}, {failing} is scaled to zero and the template is left as it is: {why}. \
             The next new template resumes the rollout."
        );
        self.publish(about, Step { kind: Kind::Warning, reason: "Frozen", action: "Freeze", note }).await;
    }

    pub async fn paused(&self, about: About<'_>, failing: &str, why: &str) {
        let note = format!("Paused the rollout to {failing} while evidence gathers: {why}");
        self.publish(about, Step { kind: Kind::Warning, reason: "Paused", action: "Pause", note }).await;
    }

    pub async fn resumed(&self, about: About<'_>, why: &str) {
        let note = format!("Resumed the rollout: {why}");
        self.publish(about, Step { kind: Kind::Normal, reason: "Resumed", action: "Resume", note }).await;
    }

    /// `refusal` is the reason of the guard that said no, `why` its sentence.
    pub async fn held(&self, about: About<'_>, refusal: &str, why: &str) {
        let note = format!("Nothing was done ({refusal}): {why}");
        self.publish(about, Step { kind: Kind::Warning, reason: "Held", action: refusal, note }).await;
    }

    /// `action` is what the API server does not take, `why` what it answered.
    pub async fn blocked(&self, about: About<'_>, action: &'static str, why: &str) {
        let note = format!("The API server refused the action {action}, which is tried again: {why}");
        self.publish(about, Step { kind: Kind::Warning, reason: "ActionBlocked", action, note }).await;
    }

    pub async fn recovered(&self, about: About<'_>, baseline: &str, why: &str) {
        let note = format!("Recovered on {baseline}: {why}");
        self.publish(about, Step { kind: Kind::Normal, reason: "Recovered", action: "Verify", note }).await;
    }

    pub async fn ineffective(&self, about: About<'_>, baseline: &str, why: &str) {
        let note = format!("Going back to {baseline} did not help, a person is needed: {why}");
        self.publish(about, Step { kind: Kind::Warning, reason: "Ineffective", action: "Verify", note }).await;
    }

    /// `writer` is the field manager that wrote the template last, if that is known.
    pub async fn retaken(&self, about: About<'_>, why: &str, writer: Option<&str>) {
        let last = writer.map(|writer| format!(". The template was last written by {writer}")).unwrap_or_default();
        let note = format!("Left alone: {why}{last}");
        self.publish(about, Step { kind: Kind::Warning, reason: "Retaken", action: "Verify", note }).await;
    }

    pub async fn superseded(&self, about: About<'_>, newest: &str, why: &str) {
        let note = format!("Over with {newest} as the newest revision: {why}");
        self.publish(about, Step { kind: Kind::Normal, reason: "Superseded", action: "Verify", note }).await;
    }

    async fn publish(&self, about: About<'_>, step: Step<'_>) {
        let event = self.event(about, &step, Timestamp::now());
        let namespace = about.regarding.namespace.as_deref().unwrap_or("default");
        if let Err(error) = self.create(namespace, &event).await {
            let object = about.regarding.name.as_deref();
            tracing::warn!(error = %chain(&error), namespace, object, reason = step.reason, "an Event was not published");
        }
    }

    async fn create(&self, namespace: &str, event: &Event) -> Result<(), Error> {
        let api: Api<Event> = Api::namespaced(self.client.clone(), namespace);
        match tokio::time::timeout(TIMEOUT, api.create(&PostParams::default(), event)).await? {
            // It has been told already.
            Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(()),
            answer => Ok(answer.map(drop)?),
        }
    }

    fn event(&self, about: About<'_>, step: &Step<'_>, now: Timestamp) -> Event {
        let note = bounded(&step.note, MAX_NOTE);
        let kind = match step.kind {
            Kind::Normal => "Normal",
            Kind::Warning => "Warning",
        };
        Event {
            metadata: ObjectMeta {
                name: Some(name(about, step.reason, &note)),
                namespace: Some(about.regarding.namespace.clone().unwrap_or_else(|| "default".to_owned())),
                ..ObjectMeta::default()
            },
            event_time: Some(MicroTime(now)),
            type_: Some(kind.to_owned()),
            reason: Some(step.reason.to_owned()),
            action: Some(bounded(step.action, MAX_WORD)),
            note: Some(note),
            regarding: Some(about.regarding.clone()),
            related: about.related.cloned(),
            reporting_controller: Some(CONTROLLER.to_owned()),
            reporting_instance: Some(self.instance.clone()),
            ..Event::default()
        }
    }
}

/// The object's name and a digest of what is said, as a DNS subdomain. The digest need not be the same in another
/// version of this program: the worst that can follow is that a fact is told twice.
fn name(about: About<'_>, reason: &str, note: &str) -> String {
    let mut hasher = DefaultHasher::new();
    for object in [Some(about.regarding), about.related] {
        object.map(|object| (&object.kind, &object.name, &object.uid)).hash(&mut hasher);
    }
    (reason, note).hash(&mut hasher);
    let digest = format!(".{:016x}", hasher.finish());
    let object = bounded(about.regarding.name.as_deref().unwrap_or("backstay"), MAX_NAME - digest.len());
    format!("{}{digest}", object.trim_end_matches(['-', '.']))
}

/// At most `max` bytes, without control characters: part of the text comes from containers.
fn bounded(text: &str, max: usize) -> String {
    let mut out = String::with_capacity(text.len().min(max));
    for c in text.chars().map(|c| if c.is_control() { ' ' } else { c }) {
        if out.len() + c.len_utf8() > max {
            break;
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
#[path = "events_tests.rs"]
mod tests;
