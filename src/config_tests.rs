use clap::{Command, CommandFactory, FromArgMatches, Parser};
use rstest::rstest;

use super::*;
use crate::telemetry::LogFormat;

#[derive(Debug, Parser)]
#[command(name = "run")]
struct Run {
    #[command(flatten)]
    args: RunArgs,
}

/// The command without its environment variables, so that those of the machine do not matter.
fn command() -> Command {
    Run::command().mut_args(|arg| arg.env(None::<&str>))
}

fn parse(flags: &[&str]) -> Result<RunArgs, String> {
    let words = std::iter::once("run").chain(flags.iter().copied());
    let matches = command().try_get_matches_from(words).map_err(|error| error.to_string())?;
    Ok(Run::from_arg_matches(&matches).map_err(|error| error.to_string())?.args)
}

#[test]
fn nothing_is_required_and_the_defaults_are_those_of_the_documentation() {
    let args = parse(&[]).unwrap();
    assert_eq!(args.mode, Mode::Enforce);
    assert_eq!(args.namespaces(), None);
    assert_eq!(args.listen, "0.0.0.0:8080".parse().unwrap());
    assert_eq!((args.concurrency, args.watch_timeout()), (8, Duration::from_secs(45)));
    let around = AroundArgs { surroundings: true, secret_namespaces: Vec::new(), try_baseline: false };
    assert_eq!(args.around, around);
    assert_eq!(args.incidents, IncidentArgs { incident_retention_days: 30, incidents_per_workload: 20 });
    let storm = StormArgs { storm_workloads: 3, storm_percent: 10, storm_window_seconds: 300, storm_nodes_percent: 20 };
    assert_eq!(args.storm, storm);
    assert_eq!(storm::Limits::from(&args.storm), storm::Limits::default());
    assert_eq!((args.telemetry.log_format, args.telemetry.otlp_endpoint), (LogFormat::Json, None));
}

#[test]
fn namespaces_repeat_or_are_listed_and_count_once() {
    let args = parse(&["--watch-namespace=shop", "--watch-namespace=pay,shop", "--watch-namespace", "api"]).unwrap();
    assert_eq!(args.namespaces(), Some(vec!["api", "pay", "shop"]));
}

#[rstest]
#[case::unknown_mode("--mode=auto")]
#[case::path_as_namespace("--watch-namespace=../kube-system")]
#[case::empty_namespace("--watch-namespace=")]
#[case::path_as_secret_namespace("--secret-namespace=../kube-system")]
#[case::perhaps("--surroundings=perhaps")]
#[case::address_without_port("--listen=localhost")]
#[case::no_concurrency("--concurrency=0")]
#[case::watch_too_long("--watch-timeout-seconds=600")]
#[case::watch_that_is_cut_for_its_silence("--watch-timeout-seconds=51")]
#[case::no_retention("--incident-retention-days=0")]
#[case::storm_of_more_than_all("--storm-percent=101")]
#[case::lease_name("--lease-name=Back_Stay")]
#[case::identity("--lease-identity=two words")]
#[case::collector_of_another_protocol("--otlp-endpoint=grpc://collector:4317")]
#[case::filter("--log-level=backstay=loud")]
fn nonsense_is_refused_and_the_flag_named(#[case] flag: &str) {
    let error = parse(&[flag]).unwrap_err();
    assert!(error.contains(flag.split('=').next().unwrap()), "{error}");
}

#[test]
fn a_quiet_watch_shows_life_before_it_is_cut_or_counts_as_too_old() {
    let longest = (1..=600).rev().find_map(|seconds| parse(&[&format!("--watch-timeout-seconds={seconds}")]).ok());
    let silence = longest.unwrap().watch_timeout() + Duration::from_secs(5);
    assert!(silence < crate::cluster::client::READ_SILENCE);
    assert!(silence.as_secs() < crate::engine::guard::MAX_DATA_AGE_SECONDS.unsigned_abs());
}

#[test]
fn observe_overrules_every_policy() {
    assert_eq!(Mode::Observe.limit(policy::Mode::Enforce), policy::Mode::Observe);
    assert_eq!(Mode::Enforce.limit(policy::Mode::Observe), policy::Mode::Observe);
    assert_eq!(Mode::Enforce.limit(policy::Mode::Enforce), policy::Mode::Enforce);
}

#[test]
fn the_lease_takes_the_pods_name_and_namespace() {
    let args = parse(&["--lease-identity=backstay-0", "--lease-namespace=ops"]).unwrap();
    let settings = args.lease.settings("default");
    assert_eq!((settings.namespace.as_str(), settings.identity.as_str()), ("ops", "backstay-0"));
    let settings = parse(&[]).unwrap().lease.settings("default");
    assert_eq!(settings.namespace, "default");
    assert!(settings.identity.ends_with(&std::process::id().to_string()));
}

#[test]
fn every_flag_has_help_and_an_environment_variable() {
    let command = Run::command();
    command.clone().debug_assert();
    assert_eq!(command.get_about(), None, "the text of a flattened group became the command's");
    for arg in command.get_arguments().filter(|arg| arg.get_id() != "help") {
        let env = arg.get_env().unwrap_or_else(|| panic!("{} has no variable", arg.get_id()));
        let env = env.to_str().unwrap();
        assert!(env.starts_with("BACKSTAY_") || env == "POD_NAME" || env == "POD_NAMESPACE", "{env}");
        assert!(arg.get_help().is_some(), "{} has no help", arg.get_id());
    }
}
