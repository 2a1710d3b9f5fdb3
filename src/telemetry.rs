//! Logs to standard error, and traces to an OpenTelemetry collector where one is named.

mod human;
pub mod traces;

use std::io::IsTerminal;
use std::time::Duration;

use clap::{Args, ValueEnum};
use http::Uri;
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::trace::SdkTracerProvider;
use opentelemetry_sdk::trace::span_processor_with_async_runtime::BatchSpanProcessor;
use opentelemetry_sdk::{Resource, runtime};
use thiserror::Error;
use tracing::Subscriber;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use self::human::Human;
use self::traces::{Ids, Traces};
use crate::cluster::chain::chain;

/// A collector that does not answer must not hold up an exit for long.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(3);

#[derive(Debug, Error)]
pub enum Error {
    #[error("the filter in RUST_LOG cannot be read")]
    Filter(#[from] tracing_subscriber::filter::FromEnvError),
    #[error("the trace exporter for {endpoint} cannot be made")]
    Exporter { endpoint: Uri, source: opentelemetry_otlp::ExporterBuildError },
    #[error("logging was started twice")]
    StartedTwice(#[from] tracing_subscriber::util::TryInitError),
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line, for collectors of logs
    Json,
    /// Short lines, for people
    Human,
}

// Not a doc comment: clap would take it for the description of the whole command.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
#[command(next_help_heading = "Logs and traces")]
pub struct TelemetryArgs {
    /// How log lines look
    #[arg(long, env = "BACKSTAY_LOG_FORMAT", value_enum, default_value = "json", value_name = "FORMAT")]
    pub log_format: LogFormat,

    /// What is logged: a level (error, warn, info, debug, trace) or a filter such as `info,backstay=debug`.
    /// Without it RUST_LOG counts, and without that `info`
    #[arg(long, env = "BACKSTAY_LOG_LEVEL", value_parser = parse_filter, value_name = "LEVEL")]
    pub log_level: Option<String>,

    /// Send traces to this OpenTelemetry collector by OTLP over HTTP or HTTPS, such as http://collector:4318. The path
    /// /v1/traces is added when the URL has none. No traces without it
    #[arg(long, env = "BACKSTAY_OTLP_ENDPOINT", value_parser = parse_endpoint, value_name = "URL")]
    pub otlp_endpoint: Option<Uri>,
}

/// Gives the directives that stand for `text`. A bare level is for our own lines and kube's; libraries below them
/// would drown everything else at `debug`, so they stay at `info`.
fn parse_filter(text: &str) -> Result<String, String> {
    let directives = match text.trim() {
        level @ ("debug" | "trace") => format!("info,backstay={level},kube_runtime={level},kube_client={level}"),
        other => other.to_owned(),
    };
    match EnvFilter::builder().parse(&directives) {
        Ok(_) if !directives.is_empty() => Ok(directives),
        Ok(_) => Err("an empty filter".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn parse_endpoint(text: &str) -> Result<Uri, String> {
    let uri: Uri = text.parse().map_err(|error: http::uri::InvalidUri| error.to_string())?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none_or(str::is_empty) {
        return Err("an http:// or https:// URL with a host is needed".to_owned());
    }
    if uri.path() != "/" {
        return Ok(uri);
    }
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let mut parts = uri.into_parts();
    let path = format!("/v1/traces{query}").parse();
    parts.path_and_query = Some(path.map_err(|error: http::uri::InvalidUri| error.to_string())?);
    Uri::from_parts(parts).map_err(|error| error.to_string())
}

/// Keeps the exporter of traces; see [`Telemetry::shutdown`].
#[derive(Debug)]
#[must_use = "traces are lost unless shutdown is called"]
pub struct Telemetry {
    provider: Option<SdkTracerProvider>,
}

/// Starts logs and traces for the whole process. `instance` names this replica in traces.
///
/// Must be called inside a tokio runtime, which then carries the exporter.
pub fn start(args: &TelemetryArgs, instance: &str) -> Result<Telemetry, Error> {
    let filter = match &args.log_level {
        Some(directives) => EnvFilter::builder().parse_lossy(directives),
        None => EnvFilter::builder().with_default_directive(tracing::Level::INFO.into()).from_env()?,
    };
    let provider = args.otlp_endpoint.as_ref().map(|endpoint| provider(endpoint, instance)).transpose()?;
    let ansi = std::io::stderr().is_terminal();
    let lines = log_layer(args.log_format, std::io::stderr, ansi);
    tracing_subscriber::registry().with(filter).with(lines).try_init()?;
    // A panic is a line like any other, and not text between lines of JSON.
    std::panic::set_hook(Box::new(|panic| tracing::error!(error = %panic, "a part of the program panicked")));
    Ok(Telemetry { provider })
}

impl Telemetry {
    #[cfg(test)]
    pub fn to(endpoint: &Uri, instance: &str) -> Result<Self, Error> {
        // `main` does so; of several tests in one process the first does.
        drop(rustls::crypto::ring::default_provider().install_default());
        provider(endpoint, instance).map(|provider| Self { provider: Some(provider) })
    }

    /// Where the traces of incidents go.
    pub fn traces(&self) -> Traces {
        self.provider.as_ref().map(|provider| Traces::new(provider.tracer("backstay"))).unwrap_or_default()
    }

    /// Sends what is still queued, for at most a few seconds.
    pub async fn shutdown(self) {
        let Some(provider) = self.provider else { return };
        let (done, ended) = tokio::sync::oneshot::channel();
        // The exporter's shutdown blocks its thread while tasks on this runtime send the rest. A thread of its own
        // also lets the process end when the collector hangs.
        std::thread::spawn(move || done.send(provider.shutdown_with_timeout(EXPORT_TIMEOUT)));
        match tokio::time::timeout(EXPORT_TIMEOUT * 2, ended).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => tracing::warn!(error = %chain(&error), "the last traces were lost"),
            Ok(Err(_)) | Err(_) => tracing::warn!("the last traces were lost"),
        }
    }
}

fn provider(endpoint: &Uri, instance: &str) -> Result<SdkTracerProvider, Error> {
    let exporter = SpanExporter::builder()
        .with_http()
        .with_endpoint(endpoint.to_string())
        .with_timeout(EXPORT_TIMEOUT)
        .build()
        .map_err(|source| Error::Exporter { endpoint: endpoint.clone(), source })?;
    let resource = Resource::builder()
        .with_service_name("backstay")
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .with_attribute(KeyValue::new("service.instance.id", instance.to_owned()))
        .build();
    // The default batch processor has a thread without a tokio reactor, which the HTTP client needs.
    let batches = BatchSpanProcessor::builder(exporter, runtime::Tokio).build();
    Ok(SdkTracerProvider::builder()
        .with_resource(resource)
        .with_id_generator(Ids::default())
        .with_span_processor(batches)
        .build())
}

fn log_layer<S, W>(format: LogFormat, writer: W, ansi: bool) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(ansi);
    match format {
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).boxed(),
        LogFormat::Human => lines.event_format(Human).boxed(),
    }
}

#[cfg(test)]
#[path = "telemetry_tests.rs"]
mod tests;
