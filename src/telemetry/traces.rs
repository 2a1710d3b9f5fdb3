//! One trace per incident.
//!
//! The trace's id is the incident's UID, so an incident's trace is found without looking for it, and every replica and
//! every restart adds to the same one. Its root spans the incident from the first signal to its end and is sent when
//! it ends. Below it stands one span for each look that did something, and below that the steps of the look. Looks that
//! changed nothing are not sent: a quiet cluster has no traces.

use std::cell::Cell;
use std::error::Error;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use jiff::Timestamp;
use opentelemetry::trace::{
    Span, SpanBuilder, SpanContext, SpanId, Status, TraceContextExt, TraceFlags, TraceId, TraceState, Tracer,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator, SdkTracer};

use crate::cluster::chain::chain;

/// Where traces go; nowhere by default.
#[derive(Clone, Default)]
pub struct Traces(Option<SdkTracer>);

impl fmt::Debug for Traces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Traces(on)" } else { "Traces(off)" })
    }
}

/// What one look did, until it is known which incident it is about.
#[derive(Debug)]
pub struct Look {
    traces: Traces,
    began: SystemTime,
    steps: Mutex<Vec<Step>>,
}

#[derive(Debug)]
struct Step {
    name: &'static str,
    began: SystemTime,
    ended: SystemTime,
    error: Option<String>,
    /// It asked the API server for something.
    calls: bool,
}

/// An incident, as its trace names it.
#[derive(Clone, Debug)]
pub struct Subject<'a> {
    pub uid: &'a str,
    pub namespace: &'a str,
    pub workload: &'a str,
    pub incident: &'a str,
}

/// How an incident ended.
#[derive(Clone, Copy, Debug)]
pub struct Ending<'a> {
    pub began: Timestamp,
    pub ended: Timestamp,
    pub class: &'a str,
    pub outcome: &'a str,
}

impl Traces {
    /// The tracer's provider must have [`Ids`].
    pub fn new(tracer: SdkTracer) -> Self {
        Self(Some(tracer))
    }

    /// Begins to note what a look does.
    pub fn look(&self) -> Look {
        Look { traces: self.clone(), began: SystemTime::now(), steps: Mutex::default() }
    }

    /// Sends the root of an incident's trace.
    pub fn ended(&self, subject: &Subject<'_>, ending: Ending<'_>) {
        let (Some(tracer), Some((trace, root))) = (&self.0, ids(subject.uid)) else { return };
        let mut attributes = attributes(subject);
        attributes.push(KeyValue::new("backstay.class", ending.class.to_owned()));
        attributes.push(KeyValue::new("backstay.outcome", ending.outcome.to_owned()));
        let builder = SpanBuilder::from_name("incident")
            .with_start_time(SystemTime::from(ending.began))
            .with_attributes(attributes);
        let mut span = with_ids((trace, root), || tracer.build_with_context(builder, &Context::new()));
        span.end_with_timestamp(ending.ended.into());
    }
}

impl Look {
    /// Notes a step that only computes.
    pub fn step<T>(&self, name: &'static str, work: impl FnOnce() -> T) -> T {
        let began = self.now();
        let done = work();
        self.note(name, began, None, false);
        done
    }

    /// Notes a step that asks the API server for something.
    pub async fn call<T, E: Error + 'static>(
        &self,
        name: &'static str,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let began = self.now();
        let done = work.await;
        self.note(name, began, done.as_ref().err().map(|error| chain(error).into()), true);
        done
    }

    /// Sends the look as part of the incident's trace, if it did something.
    pub fn send(self, subject: &Subject<'_>, decided: Vec<(&'static str, String)>) {
        let (Some(tracer), Some((trace, root))) = (self.traces.0, ids(subject.uid)) else { return };
        let steps = self.steps.into_inner().unwrap_or_else(PoisonError::into_inner);
        let Some(last) = steps.iter().filter(|step| step.calls).map(|step| step.ended).max() else { return };
        let parent = SpanContext::new(trace, root, TraceFlags::SAMPLED, true, TraceState::default());
        let parent = Context::new().with_remote_span_context(parent);
        let mut attributes = attributes(subject);
        attributes.extend(decided.into_iter().map(|(key, value)| KeyValue::new(key, value)));
        let builder = SpanBuilder::from_name("look").with_start_time(self.began).with_attributes(attributes);
        let mut look = tracer.build_with_context(builder, &parent);
        let within = Context::new().with_remote_span_context(look.span_context().clone());
        for step in steps {
            let builder = SpanBuilder::from_name(step.name).with_start_time(step.began);
            let mut span = tracer.build_with_context(builder, &within);
            if let Some(error) = step.error {
                span.set_status(Status::error(error));
            }
            span.end_with_timestamp(step.ended);
        }
        look.end_with_timestamp(last);
    }

    /// Nobody asks for the time when there are no traces.
    fn now(&self) -> Option<SystemTime> {
        self.traces.0.is_some().then(SystemTime::now)
    }

    fn note(&self, name: &'static str, began: Option<SystemTime>, error: Option<String>, calls: bool) {
        let Some(began) = began else { return };
        let step = Step { name, began, ended: SystemTime::now(), error, calls };
        self.steps.lock().unwrap_or_else(PoisonError::into_inner).push(step);
    }
}

fn attributes(subject: &Subject<'_>) -> Vec<KeyValue> {
    vec![
        KeyValue::new("k8s.namespace.name", subject.namespace.to_owned()),
        KeyValue::new("k8s.deployment.name", subject.workload.to_owned()),
        KeyValue::new("backstay.incident", subject.incident.to_owned()),
    ]
}

/// The ids of an incident's trace and of its root: the UID without its dashes, and the UID's first half.
fn ids(uid: &str) -> Option<(TraceId, SpanId)> {
    let hex: String = uid.chars().filter(|c| *c != '-').collect();
    let trace = TraceId::from_hex(&hex).ok().filter(|id| *id != TraceId::INVALID && hex.len() == 32)?;
    let root = SpanId::from_hex(hex.get(..16)?).ok().filter(|id| *id != SpanId::INVALID)?;
    Some((trace, root))
}

thread_local! {
    /// The ids of the next span of this thread, where they are not left to chance.
    static NEXT: Cell<Option<(TraceId, SpanId)>> = const { Cell::new(None) };
}

fn with_ids<T>(ids: (TraceId, SpanId), build: impl FnOnce() -> T) -> T {
    NEXT.set(Some(ids));
    let built = build();
    NEXT.set(None);
    built
}

/// Ids by chance, but for the root of an incident's trace.
#[derive(Clone, Debug, Default)]
pub struct Ids(RandomIdGenerator);

impl IdGenerator for Ids {
    fn new_trace_id(&self) -> TraceId {
        NEXT.get().map_or_else(|| self.0.new_trace_id(), |(trace, _)| trace)
    }

    fn new_span_id(&self) -> SpanId {
        NEXT.get().map_or_else(|| self.0.new_span_id(), |(_, span)| span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trace_of_an_incident_has_its_uid() {
        let (trace, root) = ids("0b5d2c1e-8f3a-4d6b-9c7e-1a2b3c4d5e6f").unwrap();
        assert_eq!(trace.to_string(), "0b5d2c1e8f3a4d6b9c7e1a2b3c4d5e6f");
        assert_eq!(root.to_string(), "0b5d2c1e8f3a4d6b");
        for odd in ["", "d-1", "00000000-0000-0000-0000-000000000000", "0b5d2c1e-8f3a-4d6b-9c7e-1a2b3c4d5e6f00"] {
            assert!(ids(odd).is_none(), "{odd}");
        }
    }
}
