//! The bench of the whole program against a real control plane. `bench/run` starts what it needs and calls it.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, bail};

mod audit;
mod board;
mod cluster;
mod decide;
mod diagnose;
mod fill;
mod floor;
mod incidents;
#[path = "../tests/e2e/support/kubeconfig.rs"]
mod kubeconfig;
mod load;
mod logs;
mod operator;
mod report;
mod sizes;
mod speed;
mod stores;
mod waits;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

static BEGAN: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();

/// A line of progress.
pub fn say(text: &str) {
    let seconds = BEGAN.get_or_init(Instant::now).elapsed().as_secs();
    eprintln!("bench: {seconds:>4} s  {text}");
}

/// A path that `bench/run` hands over.
pub fn path(name: &str) -> anyhow::Result<PathBuf> {
    std::env::var(name).map(PathBuf::from).with_context(|| format!("{name} is not set; call bench/run"))
}

fn main() -> ExitCode {
    BEGAN.get_or_init(Instant::now);
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let (command, rest) = arguments.split_first().context("bench/run starts a cluster and calls this")?;
    match command.as_str() {
        "alone" => alone()?,
        "speed" => runtime.block_on(speed::run(rest))?,
        "waits" => runtime.block_on(waits::run())?,
        "floor" => runtime.block_on(floor::run())?,
        stores::ONE => rest.iter().try_for_each(|pods| stores::measure_one(pods.parse()?))?,
        "report" => return report(rest.iter().any(|option| option == "--strict")),
        other => bail!("unknown command {other}"),
    }
    Ok(ExitCode::SUCCESS)
}

/// What needs no cluster.
fn alone() -> anyhow::Result<()> {
    let mut report = report::Report::open(&path("BENCH_OUT")?);
    let shapes = decide::micros()?;
    for (name, micros) in &shapes {
        report.put(&format!("decide_us_by_shape.{name}"), *micros);
        say(&format!("decide() on 100 pods, {name}: {micros:.2} µs"));
    }
    report.put("decide_us", shapes.iter().map(|(_, micros)| *micros).fold(0.0, f64::max));
    let kinds = logs::megabytes();
    for (name, megabytes) in &kinds {
        report.put(&format!("logs_mb_per_s_by_kind.{name}"), *megabytes);
        say(&format!("logs read on one core, {name}: {megabytes:.0} MB/s"));
    }
    let usual = kinds.iter().filter(|(name, _)| logs::USUAL.contains(name));
    report.put("logs_mb_per_s", usual.map(|(_, megabytes)| *megabytes).fold(f64::INFINITY, f64::min));
    for (format, seconds) in diagnose::seconds()? {
        report.put(&format!("diagnose_s.{format}"), seconds);
        say(&format!("diagnose of 1,000 pods from {format}: {:.0} ms", seconds * 1000.0));
    }
    for size in stores::measure(&stores::SIZES)? {
        say(&size.to_string());
        report.put(&format!("stores_mib.pods_{}", size.pods), size.steady_mib);
        report.put(&format!("stores_relist_peak_ratio.pods_{}", size.pods), size.relist_peak_ratio);
    }
    report.write()
}

/// Prints everything that was measured so far. A missed budget is a failure only where that was asked for.
fn report(strict: bool) -> anyhow::Result<ExitCode> {
    let (table, missed) = report::Report::open(&path("BENCH_OUT")?).table();
    println!("{table}");
    Ok(if strict && missed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
