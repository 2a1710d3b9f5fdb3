//! The command line, one file per command.

mod completions;
mod crds;
pub mod diagnose;
mod failure;
mod frozen;
pub mod incident;
mod man;
pub mod page;
pub mod policy;
mod reach;
mod run;
mod selftest;
mod times;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use self::failure::Failed;

/// Exit code for an answer that is bad news: something fails.
const FAILING: u8 = 1;
/// Exit code for usage, for input that cannot be read and for a cluster that does not answer.
const UNUSABLE: u8 = 2;
/// The name of the binary as a kubectl plugin.
const PLUGIN: &str = "kubectl-backstay";

/// Brings a bad rollout back to the last healthy revision, or says why not
#[derive(Debug, Parser)]
#[command(name = "backstay", version, arg_required_else_help = true, max_term_width = 100)]
#[command(after_help = "Exit codes: 0 nothing is failing, 1 something is, 2 the question could not be answered.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the operator
    Run(Box<crate::config::RunArgs>),
    /// Say what fails, whose fault it is and what to do next, in a cluster or in what kubectl printed
    Diagnose(Box<diagnose::DiagnoseArgs>),
    /// Read incidents, and answer them
    #[command(subcommand, visible_alias = "incidents")]
    Incident(incident::Command),
    /// Check policies, and explain what they mean for a workload
    #[command(subcommand, visible_alias = "policies")]
    Policy(policy::Command),
    /// List the Deployments that Backstay holds paused
    Frozen(frozen::FrozenArgs),
    /// Print the CustomResourceDefinitions, or write them into a directory
    Crds(crds::CrdsArgs),
    /// Print what a shell needs to complete commands and flags
    Completions(completions::CompletionsArgs),
    /// Print the manual page, or write those of all commands into a directory
    Man(man::ManArgs),
    /// Check from inside the cluster that this installation can do its work
    Selftest(selftest::SelftestArgs),
}

/// Runs the command that the arguments name.
pub async fn main() -> ExitCode {
    let program = program(std::env::args_os().next().and_then(|name| name.into_string().ok()).as_deref());
    let matches = Cli::command().bin_name(program).get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let done = match cli.command {
        Command::Run(args) => run::run(&args).await,
        Command::Diagnose(args) => diagnose::run(&args, program).await,
        Command::Incident(command) => incident::run(&command, program).await,
        Command::Policy(command) => policy::run(&command, program).await,
        Command::Frozen(args) => frozen::run(&args).await,
        Command::Crds(args) => crds::run(&args),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
        Command::Selftest(args) => selftest::run(&args).await,
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            note(&format!("backstay: {}", page::one_line(&format!("{error:#}"))));
            if let Some(hint) = error.downcast_ref::<Failed>().and_then(Failed::hint) {
                note(&format!("hint: {hint}"));
            }
            ExitCode::from(UNUSABLE)
        }
    }
}

/// What people type to call this program: kubectl finds plugins by the name of the file.
fn program(called: Option<&str>) -> &'static str {
    match called.and_then(|path| path.rsplit(['/', '\\']).next()) {
        Some(name) if name.trim_end_matches(".exe") == PLUGIN => "kubectl backstay",
        _ => "backstay",
    }
}

/// Writes to standard output. A reader that has gone, such as `head`, is no error.
fn print(text: &str) -> anyhow::Result<()> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Writes a line to standard error. Where its reader has gone there is nobody left to tell.
fn note(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(Some("/usr/local/bin/kubectl-backstay"), "kubectl backstay")]
    #[case(Some("kubectl-backstay"), "kubectl backstay")]
    #[case(Some("target/debug/backstay"), "backstay")]
    #[case(Some("not-kubectl-backstay"), "backstay")]
    #[case(None, "backstay")]
    fn the_plugin_is_known_by_its_file(#[case] called: Option<&str>, #[case] shown: &str) {
        assert_eq!(program(called), shown);
    }

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }
}
