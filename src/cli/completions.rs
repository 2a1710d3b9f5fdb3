//! `backstay completions`: made from the same definitions as the help.

use std::process::ExitCode;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Cli, print};

#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    source <(backstay completions bash)\n  \
    backstay completions zsh > \"${fpath[1]}/_backstay\"\n  \
    backstay completions fish > ~/.config/fish/completions/backstay.fish")]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: Shell,
}

pub fn run(args: &CompletionsArgs) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "backstay", &mut script);
    print(&String::from_utf8(script)?)?;
    Ok(ExitCode::SUCCESS)
}
