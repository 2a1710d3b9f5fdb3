//! `backstay run`: the operator.

use std::process::ExitCode;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::config::RunArgs;
use crate::controller;
use crate::telemetry;

/// Runs until SIGTERM or SIGINT; the lease is given back before the process ends.
pub async fn run(args: &RunArgs) -> anyhow::Result<ExitCode> {
    let telemetry = telemetry::start(&args.telemetry, &args.lease.identity()).context("starting logs and traces")?;
    let config = kube::Config::infer().await.context("finding the cluster's configuration")?;
    let (end, ending) = watch::channel(false);
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listening for SIGINT")?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("ending");
        let _ = end.send(true);
    });
    let done = controller::run::run(args, config, telemetry.traces(), ending).await;
    telemetry.shutdown().await;
    done?;
    Ok(ExitCode::SUCCESS)
}
