//! `backstay policy`: checking policies and explaining them.

mod advice;
mod explain;
pub mod lint;
mod screen;
mod terms;

use std::process::ExitCode;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Say which policy governs a workload, what follows from it, and whether Backstay would act now
    #[command(after_help = "Exit codes: 0 nothing is failing, 1 the workload is failing, 2 it cannot be judged.")]
    Explain(explain::ExplainArgs),
    /// Check policy files without a cluster
    #[command(after_help = "Exit codes: 0 no errors, 1 errors (with --strict also warnings), 2 unreadable input.")]
    Lint(lint::LintArgs),
}

pub async fn run(command: &Command, program: &str) -> anyhow::Result<ExitCode> {
    match command {
        Command::Explain(args) => explain::run(args, program).await,
        Command::Lint(args) => lint::run(args),
    }
}
