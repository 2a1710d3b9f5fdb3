//! `backstay crds`: the CustomResourceDefinitions as YAML.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use kube::ResourceExt;

use crate::api::crds;

#[derive(Args, Debug)]
pub struct CrdsArgs {
    /// Write one file per kind into this directory instead of printing
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

pub fn run(args: &CrdsArgs) -> anyhow::Result<ExitCode> {
    for crd in crds::all() {
        let yaml = crds::yaml(&crd).with_context(|| format!("writing {} as YAML", crd.name_any()))?;
        match &args.out {
            Some(dir) => {
                std::fs::create_dir_all(dir).with_context(|| format!("making {}", dir.display()))?;
                let path = dir.join(format!("{}.yaml", crd.spec.names.plural));
                std::fs::write(&path, yaml).with_context(|| format!("writing {}", path.display()))?;
            }
            None => super::print(&format!("---\n{yaml}"))?,
        }
    }
    Ok(ExitCode::SUCCESS)
}
