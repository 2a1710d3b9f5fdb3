//! The bench of the whole program against a real control plane. `bench/run` starts what it needs and calls it.

use std::process::ExitCode;
use std::time::Instant;

mod audit;
mod board;
mod cluster;
mod decide;
mod fill;
mod floor;
mod incidents;
mod load;
mod operator;
mod report;
mod sizes;
mod speed;
mod waits;

static BEGAN: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();

/// A line of progress.
pub fn say(text: &str) {
    let seconds = BEGAN.get_or_init(Instant::now).elapsed().as_secs();
    eprintln!("bench: {seconds:>4} s  {text}");
}

fn main() -> ExitCode {
    BEGAN.get_or_init(Instant::now);
    // Cargo adds options of its own, such as `--bench`.
    let command = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("bench: cannot start the runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    let done = match command.as_deref() {
        Some("speed") => runtime.block_on(speed::run()),
        Some("decide") => decide::micros().map(|micros| println!("{micros:.2}")),
        Some("waits") => runtime.block_on(waits::run()),
        Some("floor") => runtime.block_on(floor::run()),
        // `cargo test --all-targets` and a bare `cargo bench` end up here.
        _ => {
            println!("bench/run starts a cluster and calls this; nothing was measured");
            return ExitCode::SUCCESS;
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
