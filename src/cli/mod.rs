//! The command line, one file per command.

mod crds;
mod run;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Exit code for usage and for input that cannot be read.
const UNUSABLE: u8 = 2;

/// Brings a bad rollout back to the last healthy revision, or says why not
#[derive(Debug, Parser)]
#[command(name = "backstay", version, arg_required_else_help = true, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the operator
    Run(Box<crate::config::RunArgs>),
    /// Print the CustomResourceDefinitions, or write them into a directory
    Crds(crds::CrdsArgs),
}

/// Runs the command that the arguments name.
pub async fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Run(args) => run::run(&args).await,
        Command::Crds(args) => crds::run(&args),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("backstay: {error:#}");
            ExitCode::from(UNUSABLE)
        }
    }
}
