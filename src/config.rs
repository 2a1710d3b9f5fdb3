//! The flags of `backstay run`. Every flag has an environment variable; a flag wins.

use std::net::SocketAddr;
use std::time::Duration;

use clap::{ArgAction, Args, ValueEnum};

use crate::cluster::lease;
use crate::engine::{policy, storm};
use crate::telemetry::TelemetryArgs;

/// A quiet watch shows life when it is opened anew. Five seconds and the way there later it would be cut for its silence
/// (`READ_SILENCE` in `cluster/client.rs`), and what it shows would be too old (`MAX_DATA_AGE_SECONDS` in `engine/guard.rs`).
const LONGEST_WATCH: i64 = 50;

/// What Backstay may do to workloads, over and above what each policy says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// Do what the policies say
    Enforce,
    /// Decide and record, and write nothing to any workload, whatever a policy says
    Observe,
}

impl Mode {
    /// The mode in which a workload is handled: a policy can be stricter than the operator, never laxer.
    pub fn limit(self, policy: policy::Mode) -> policy::Mode {
        match self {
            Self::Enforce => policy,
            Self::Observe => policy::Mode::Observe,
        }
    }
}

#[derive(Args, Clone, Debug)]
pub struct RunArgs {
    /// What Backstay may do to workloads, over and above what each policy says
    #[arg(long, env = "BACKSTAY_MODE", value_enum, default_value = "enforce", value_name = "MODE")]
    pub mode: Mode,

    /// Watch only this namespace; repeat the flag for several. Without it the whole cluster is watched
    #[arg(
        long = "watch-namespace",
        env = "BACKSTAY_WATCH_NAMESPACE",
        value_delimiter = ',',
        value_parser = parse_dns_label,
        value_name = "NAMESPACE"
    )]
    pub watch_namespaces: Vec<String>,

    /// Where to serve /livez, /readyz and /metrics. 0.0.0.0 stands for all addresses, those of IPv6 too
    #[arg(long, env = "BACKSTAY_LISTEN", default_value = "0.0.0.0:8080", value_name = "ADDRESS")]
    pub listen: SocketAddr,

    /// How many workloads are looked at in parallel
    #[arg(
        long,
        env = "BACKSTAY_CONCURRENCY",
        default_value_t = 8,
        value_parser = clap::value_parser!(u16).range(1..=256),
        value_name = "N"
    )]
    pub concurrency: u16,

    /// How long a watch may live before it is opened anew, 10 to 50. A connection that died unnoticed is found out after
    /// this many seconds and five more
    #[arg(
        long,
        env = "BACKSTAY_WATCH_TIMEOUT_SECONDS",
        default_value_t = 45,
        value_parser = clap::value_parser!(u32).range(10..=LONGEST_WATCH),
        value_name = "SECONDS"
    )]
    pub watch_timeout_seconds: u32,

    /// Read logs of containers that fail, where the policy allows it. With false none is read, whatever a policy says
    #[arg(
        long,
        env = "BACKSTAY_READ_LOGS",
        action = ArgAction::Set,
        default_value_t = true,
        value_name = "BOOL"
    )]
    pub read_logs: bool,

    #[command(flatten)]
    pub lease: LeaseArgs,

    #[command(flatten)]
    pub around: AroundArgs,

    #[command(flatten)]
    pub incidents: IncidentArgs,

    #[command(flatten)]
    pub storm: StormArgs,

    #[command(flatten)]
    pub telemetry: TelemetryArgs,
}

impl RunArgs {
    /// The namespaces to watch, each once and in order; `None` for the whole cluster.
    pub fn namespaces(&self) -> Option<Vec<&str>> {
        let mut names: Vec<&str> = self.watch_namespaces.iter().map(String::as_str).collect();
        names.sort_unstable();
        names.dedup();
        (!names.is_empty()).then_some(names)
    }

    pub fn watch_timeout(&self) -> Duration {
        Duration::from_secs(self.watch_timeout_seconds.into())
    }
}

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Leader election")]
pub struct LeaseArgs {
    /// The Lease by which replicas agree on who acts
    #[arg(
        long,
        env = "BACKSTAY_LEASE_NAME",
        default_value = "backstay",
        value_parser = parse_dns_subdomain,
        value_name = "NAME"
    )]
    pub lease_name: String,

    /// The namespace of the Lease. Without it, the namespace of the kubeconfig's context
    #[arg(long, env = "POD_NAMESPACE", value_parser = parse_dns_label, value_name = "NAMESPACE")]
    pub lease_namespace: Option<String>,

    /// The name of this replica, unique among those that run. Without it, a name made of host and process
    #[arg(long, env = "POD_NAME", value_parser = parse_identity, value_name = "NAME")]
    pub lease_identity: Option<String>,
}

impl LeaseArgs {
    /// The name of this replica in the Lease, in Events and in traces.
    pub fn identity(&self) -> String {
        self.lease_identity.clone().unwrap_or_else(|| {
            let host = std::env::var("HOSTNAME").ok().filter(|host| !host.is_empty());
            format!("{}-{}", host.as_deref().unwrap_or("backstay"), std::process::id())
        })
    }

    /// `default_namespace` is that of the kubeconfig's context.
    pub fn settings(&self, default_namespace: &str) -> lease::Settings {
        lease::Settings {
            namespace: self.lease_namespace.clone().unwrap_or_else(|| default_namespace.to_owned()),
            name: self.lease_name.clone(),
            identity: self.identity(),
            timing: lease::Timing::default(),
        }
    }
}

// How far to look beyond Deployments, ReplicaSets and Pods. Not a doc comment, as for the storm brake below.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
#[command(next_help_heading = "What lies around a workload")]
pub struct AroundArgs {
    /// Look at what lies around a failing workload: Services and routes, quotas, Jobs, and whether what its templates name
    /// is there
    #[arg(
        long,
        env = "BACKSTAY_SURROUNDINGS",
        action = ArgAction::Set,
        default_value_t = true,
        value_name = "true|false"
    )]
    pub surroundings: bool,

    /// Look at Secrets of this namespace too, at their metadata alone; repeat the flag for several
    #[arg(
        long = "secret-namespace",
        env = "BACKSTAY_SECRET_NAMESPACE",
        value_delimiter = ',',
        value_parser = parse_dns_label,
        value_name = "NAMESPACE"
    )]
    pub secret_namespaces: Vec<String>,

    /// Ask the API server, by a dry run, whether it would take a pod of the baseline before going back to it. Needs the
    /// right to create pods
    #[arg(long, env = "BACKSTAY_TRY_BASELINE")]
    pub try_baseline: bool,
}

#[derive(Args, Clone, Debug, PartialEq, Eq)]
#[command(next_help_heading = "Incident retention")]
pub struct IncidentArgs {
    /// Incidents that ended longer ago than this are deleted
    #[arg(
        long,
        env = "BACKSTAY_INCIDENT_RETENTION_DAYS",
        default_value_t = 30,
        value_parser = clap::value_parser!(u32).range(1..=3650),
        value_name = "DAYS"
    )]
    pub incident_retention_days: u32,

    /// Of the incidents that ended, this many are kept per workload, the newest
    #[arg(
        long,
        env = "BACKSTAY_INCIDENTS_PER_WORKLOAD",
        default_value_t = 20,
        value_parser = clap::value_parser!(u32).range(1..=1000),
        value_name = "N"
    )]
    pub incidents_per_workload: u32,
}

// When so much fails at once that no single revision is to blame, nothing is done automatically. Not a doc comment:
// clap would take it for the description of the whole command.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
#[command(next_help_heading = "Storm brake")]
pub struct StormArgs {
    /// No actions while more workloads than this, and more than the share below, are newly failing
    #[arg(
        long,
        env = "BACKSTAY_STORM_WORKLOADS",
        default_value_t = 3,
        value_parser = clap::value_parser!(u32).range(1..=100_000),
        value_name = "N"
    )]
    pub storm_workloads: u32,

    /// The share of the watched workloads that goes with it
    #[arg(
        long,
        env = "BACKSTAY_STORM_PERCENT",
        default_value_t = 10,
        value_parser = clap::value_parser!(u32).range(1..=100),
        value_name = "PERCENT"
    )]
    pub storm_percent: u32,

    /// How long a workload counts as newly failing
    #[arg(
        long,
        env = "BACKSTAY_STORM_WINDOW_SECONDS",
        default_value_t = 300,
        value_parser = clap::value_parser!(i64).range(10..=86_400),
        value_name = "SECONDS"
    )]
    pub storm_window_seconds: i64,

    /// No actions while more than this share of the nodes is not ready
    #[arg(
        long,
        env = "BACKSTAY_STORM_NODES_PERCENT",
        default_value_t = 20,
        value_parser = clap::value_parser!(u32).range(1..=100),
        value_name = "PERCENT"
    )]
    pub storm_nodes_percent: u32,
}

impl From<&StormArgs> for storm::Limits {
    fn from(args: &StormArgs) -> Self {
        Self {
            workloads: args.storm_workloads,
            percent: args.storm_percent,
            window_seconds: args.storm_window_seconds,
            nodes_percent: args.storm_nodes_percent,
        }
    }
}

/// RFC 1123 label, as Kubernetes asks for in names of namespaces.
fn parse_dns_label(text: &str) -> Result<String, String> {
    let inside = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let fits = (1..=63).contains(&text.len()) && text.chars().all(inside);
    if fits && !text.starts_with('-') && !text.ends_with('-') {
        return Ok(text.to_owned());
    }
    Err("a name has 1 to 63 lower-case letters, digits and inner dashes".to_owned())
}

/// RFC 1123 subdomain, as Kubernetes asks for in names of most objects.
fn parse_dns_subdomain(text: &str) -> Result<String, String> {
    if text.len() <= 253 && text.split('.').all(|label| parse_dns_label(label).is_ok()) {
        return Ok(text.to_owned());
    }
    Err("a name has at most 253 lower-case letters, digits, dashes and dots".to_owned())
}

fn parse_identity(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > 128 || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err("a replica's name has 1 to 128 characters and no spaces".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
