//! `backstay man`: manual pages, made from the same definitions as the help.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, CommandFactory};
use clap_mangen::Man;

use super::{Cli, print};

#[derive(Args, Debug)]
#[command(after_help = "Example:\n  backstay man --out ~/.local/share/man/man1")]
pub struct ManArgs {
    /// Write a page per command into this directory, which is made if it is not there
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

pub fn run(args: &ManArgs) -> anyhow::Result<ExitCode> {
    match &args.out {
        Some(folder) => {
            let doing = || format!("writing manual pages into {}", folder.display());
            std::fs::create_dir_all(folder).with_context(doing)?;
            clap_mangen::generate_to(Cli::command(), folder).with_context(doing)?;
        }
        None => {
            let mut page = Vec::new();
            Man::new(Cli::command()).render(&mut page).context("rendering the manual page")?;
            print(&String::from_utf8(page)?)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
