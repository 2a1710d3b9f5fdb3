//! Log lines for people: when, how bad, which workload, what, and why. Spans are left out, since a line says what it is
//! about itself.

use std::fmt::{self, Write};

use jiff::Timestamp;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::cluster::chain::chain;

/// The format of `--log-format human`.
#[derive(Clone, Copy, Debug)]
pub struct Human;

/// The parts of a line. Fields that say which object it is about come first, the reason comes last.
#[derive(Debug, Default)]
struct Line {
    message: String,
    namespace: String,
    object: String,
    why: String,
    rest: String,
}

impl<S, N> FormatEvent<S, N> for Human
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut line = Line::default();
        event.record(&mut line);
        let level = *event.metadata().level();
        let (on, off) = if out.has_ansi_escapes() { colour(level) } else { ("", "") };
        write!(out, "{} {on}{level:>5}{off} ", Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ"))?;
        match (line.namespace.as_str(), line.object.as_str()) {
            ("", "") => {}
            ("", name) | (name, "") => write!(out, "{name}: ")?,
            (namespace, name) => write!(out, "{namespace}/{name}: ")?,
        }
        write!(out, "{}{}", line.message, line.rest)?;
        if !line.why.is_empty() {
            write!(out, ": {}", line.why)?;
        }
        writeln!(out)
    }
}

impl Line {
    fn take(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => value.clone_into(&mut self.message),
            "namespace" => value.clone_into(&mut self.namespace),
            "workload" | "name" | "object" => value.clone_into(&mut self.object),
            "why" | "because" | "error" => value.clone_into(&mut self.why),
            other => {
                let quote = if value.contains([' ', '"']) || value.is_empty() { "\"" } else { "" };
                let _ = write!(self.rest, " {other}={quote}{value}{quote}");
            }
        }
    }
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.take(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.take(field, &chain(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.take(field, &format!("{value:?}"));
    }
}

fn colour(level: Level) -> (&'static str, &'static str) {
    let on = match level {
        Level::ERROR => "\u{1b}[31m",
        Level::WARN => "\u{1b}[33m",
        Level::INFO => "\u{1b}[32m",
        _ => "\u{1b}[2m",
    };
    (on, "\u{1b}[0m")
}
