//! `backstay incident`: reading incidents and answering them.

mod answer;
pub mod around;
pub mod list;
pub mod show;
mod steps;
#[cfg(test)]
mod tests;
mod words;

pub use self::show::finding;

use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};
use kube::Api;
use kube::api::{ApiResource, DynamicObject, ListParams, ObjectList};
use serde::Serialize;

use super::failure::Failed;
use super::reach::{Cluster, ReachArgs};
use crate::api::Incident;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List incidents: open ones first, then the newest
    #[command(visible_alias = "ls", after_help = "Exit codes: 0 listed, whatever the list says; 2 it cannot be read.")]
    List(ListArgs),
    /// Show one incident: what failed, whose fault it is, what Backstay did or why not, and what to do next
    #[command(after_help = "Exit codes: 0 shown, open or over; 2 it cannot be read.")]
    Show(ShowArgs),
    /// Agree to the action that an incident waits with
    #[command(after_help = "Exit codes: 0 recorded, 2 nothing waits for an answer or it cannot be recorded.")]
    Approve(AnswerArgs),
    /// Refuse the action that an incident waits with
    #[command(after_help = "Exit codes: 0 recorded, 2 nothing waits for an answer or it cannot be recorded.")]
    Deny(AnswerArgs),
    /// Say that you look after an incident
    #[command(after_help = "Exit codes: 0 recorded, 2 it cannot be recorded.")]
    Ack(NameArgs),
}

#[derive(Args, Debug)]
pub struct ListArgs {
    /// All namespaces
    #[arg(short = 'A', long)]
    pub all_namespaces: bool,
    /// How to print it
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    pub output: Option<Output>,
    #[command(flatten)]
    pub reach: ReachArgs,
}

#[derive(Args, Debug)]
pub struct ShowArgs {
    /// The incident, as NAME or incident/NAME
    #[arg(value_parser = parse_name)]
    pub name: String,
    /// Look for it in all namespaces
    #[arg(short = 'A', long)]
    pub all_namespaces: bool,
    /// How to print it
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    pub output: Option<Output>,
    #[command(flatten)]
    pub reach: ReachArgs,
}

#[derive(Args, Debug)]
pub struct NameArgs {
    /// The incident, as NAME or incident/NAME
    #[arg(value_parser = parse_name)]
    pub name: String,
    #[command(flatten)]
    pub reach: ReachArgs,
}

#[derive(Args, Debug)]
pub struct AnswerArgs {
    /// Answer only if this is the decision that waits, as `incident show` prints it
    #[arg(long, value_name = "KEY")]
    pub decision: Option<String>,
    #[command(flatten)]
    pub target: NameArgs,
}

/// How an answer is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people, with more in it
    Wide,
    /// The objects as JSON
    Json,
    /// The objects as YAML
    Yaml,
}

pub async fn run(command: &Command, program: &str) -> anyhow::Result<ExitCode> {
    match command {
        Command::List(args) => list::run(args).await,
        Command::Show(args) => show::run(args, program).await,
        Command::Approve(args) => answer::decide(args, crate::engine::memory::ApprovalVerdict::Approve).await,
        Command::Deny(args) => answer::decide(args, crate::engine::memory::ApprovalVerdict::Deny).await,
        Command::Ack(args) => answer::acknowledge(args).await,
    }
}

/// `NAME` or `incident/NAME`, as kubectl prints it.
fn parse_name(text: &str) -> Result<String, String> {
    let name = text.rsplit_once('/').map_or(Ok(text), |(kind, name)| match kind {
        "incident" | "incidents" | "inc" | "incident.backstay.dev" | "incidents.backstay.dev" => Ok(name),
        _ => Err(format!("{kind} is not an incident")),
    })?;
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
    if name.is_empty() || name.len() > 253 || !name.chars().all(fits) {
        return Err("a name has at most 253 lower-case letters, digits, dashes and dots".to_owned());
    }
    Ok(name.to_owned())
}

/// Incidents as the API server has them: one that this build cannot read is still printed as JSON.
fn objects(cluster: &Cluster, all: bool) -> Api<DynamicObject> {
    let kind = ApiResource::erase::<Incident>(&());
    match all {
        true => Api::all_with(cluster.client.clone(), &kind),
        false => Api::namespaced_with(cluster.client.clone(), &cluster.namespace, &kind),
    }
}

/// All of them, page by page.
async fn fetch(cluster: &Cluster, all: bool, fields: Option<&str>) -> Result<ObjectList<DynamicObject>, Failed> {
    let api = objects(cluster, all);
    let place = if all { "all namespaces".to_owned() } else { format!("namespace {}", cluster.namespace) };
    let mut params = ListParams { limit: Some(500), ..ListParams::default() };
    params.field_selector = fields.map(str::to_owned);
    let doing = || format!("listing incidents in {place}");
    let mut list = api.list(&params).await.map_err(|error| cluster.failed(doing(), &error))?;
    let mut token = list.metadata.continue_.take().filter(|token| !token.is_empty());
    while let Some(next) = token.take() {
        params.continue_token = Some(next);
        let mut page = api.list(&params).await.map_err(|error| cluster.failed(doing(), &error))?;
        list.items.append(&mut page.items);
        token = page.metadata.continue_.take().filter(|token| !token.is_empty());
    }
    // Who wrote which field is noise to readers, as kubectl finds too.
    list.items.iter_mut().for_each(|object| object.metadata.managed_fields = None);
    Ok(list)
}

/// An object of this build's type, or why it is not one.
fn typed(object: &DynamicObject) -> anyhow::Result<Incident> {
    let name = object.metadata.name.as_deref().unwrap_or_default();
    let value = serde_json::to_value(object).with_context(|| format!("reading incident {name}"))?;
    serde_json::from_value(value).with_context(|| format!("reading incident {name}, which another version wrote"))
}

/// `value` as JSON or YAML, with a line end.
pub fn encode(value: &impl Serialize, output: Output) -> anyhow::Result<String> {
    Ok(match output {
        Output::Yaml => serde_saphyr::to_string(value).context("writing YAML")?,
        Output::Json | Output::Wide => {
            let mut text = serde_json::to_string_pretty(value).context("writing JSON")?;
            text.push('\n');
            text
        }
    })
}
