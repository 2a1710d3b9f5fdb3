//! `backstay policy explain`: what the policies mean for one workload, and whether Backstay would act now.
//!
//! The answer is made by the operator's own code from what the API server says now.

use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use kube::ResourceExt;

use super::super::diagnose::around::question;
use super::super::failure::Failed;
use super::super::incident::{Output, encode};
use super::super::page::{Screen, one_line};
use super::super::reach::{Cluster, ReachArgs};
use super::super::{FAILING, UNUSABLE, note, print};
use super::screen;
use crate::cluster::around::{self, Question, Source};
use crate::cluster::oneshot::{self, Sight};
use crate::cluster::policies::{Choice, Policies};
use crate::cluster::store::WorkloadKey;
use crate::config::Mode;
use crate::controller::fleet::{Fleet, Report};
use crate::controller::storm::is_storm;
use crate::engine::decide::decide;
use crate::engine::decision::Decision;
use crate::engine::facts::{FleetFacts, Name, Snapshot};
use crate::engine::storm::{Limits, overridden_by};
use crate::engine::words::State;

#[derive(Args, Debug)]
pub struct ExplainArgs {
    /// The Deployment, as NAME or deployment/NAME
    #[arg(value_parser = parse_workload)]
    pub workload: String,
    /// How the operator was started: an operator in observe mode never acts, whatever a policy says
    #[arg(long, value_enum, default_value = "enforce", value_name = "MODE")]
    pub mode: Mode,
    /// json and yaml print the decision
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    pub output: Option<Output>,
    #[command(flatten)]
    pub reach: ReachArgs,
}

/// Everything there is to say.
pub struct Explained<'a> {
    pub sight: &'a Sight,
    pub snapshot: Snapshot,
    pub choice: Choice,
    pub decision: Decision,
    pub now: Timestamp,
}

pub async fn run(args: &ExplainArgs, program: &str) -> anyhow::Result<ExitCode> {
    let cluster = args.reach.connect().await?;
    let now = Timestamp::now();
    let mut sight = oneshot::look(&cluster.client, &cluster.namespace, now)
        .await
        .map_err(|error| cluster.failed(error.to_string(), &error.source))?;
    let key = WorkloadKey::new(&cluster.namespace, &args.workload);
    exists(&cluster, &sight, &key)?;
    if let Some(question) = explain(&sight, &key, args.mode).and_then(|first| wanted(&first)) {
        let around = around::read(Source::Cluster(&cluster.client), &question).await;
        sight.look_around(key.clone(), around);
    }
    let Some(explained) = explain(&sight, &key, args.mode) else {
        return unselected(args, &sight, &key, program);
    };
    let text = match args.output {
        Some(output @ (Output::Json | Output::Yaml)) => {
            note_gaps(&sight);
            encode(&explained.decision, output)?
        }
        Some(Output::Wide) | None => screen::render(&explained, Screen::stdout(), program),
    };
    print(&text)?;
    Ok(code(explained.decision.state))
}

/// Judges the workload as the operator would; `None` if no policy selects it.
pub fn explain<'a>(sight: &'a Sight, key: &WorkloadKey, mode: Mode) -> Option<Explained<'a>> {
    let now = sight.at;
    let policies = Policies::new(sight.own.clone(), mode);
    policies.refresh();
    let choose = |key: &WorkloadKey| {
        let labels = sight.stores.labels(key)?;
        policies.choose(&key.namespace, &labels)
    };
    let choice = choose(key)?;
    // How the neighbours do matters to the verdict, so they are judged first.
    let fleet = Fleet::new(Limits::default());
    for other in sight.stores.keys() {
        let Some(policy) = choose(&other).map(|choice| choice.policy) else { continue };
        let snapshot = sight.snapshot(&other, policy, FleetFacts::default());
        fleet.report(&other, snapshot.map(|s| Report::of(&s, &decide(&s, now))).unwrap_or_default());
    }
    fleet.set_storm(storm(sight));
    let snapshot = sight.snapshot(key, choice.policy.clone(), fleet.facts(key, now))?;
    let decision = decide(&snapshot, now);
    Some(Explained { sight, snapshot, choice, decision, now })
}

/// What the operator would have looked at before it decided; nothing while nothing is wrong.
fn wanted(explained: &Explained<'_>) -> Option<Question> {
    let decision = &explained.decision;
    let calm = decision.findings.is_empty() && matches!(decision.state, State::Healthy | State::Stabilised);
    if calm { None } else { question(&explained.snapshot, explained.now) }
}

/// The open storm, if the brake is on.
fn storm(sight: &Sight) -> Option<Name> {
    let mut open = sight.own.incidents.all().into_iter().filter(|i| i.is_open() && is_storm(i));
    open.find(|i| overridden_by(i.spec.approval.as_ref(), &i.name_any()).is_none()).map(|i| Name::from(i.name_any()))
}

fn exists(cluster: &Cluster, sight: &Sight, key: &WorkloadKey) -> Result<(), Failed> {
    if sight.stores.labels(key).is_some() {
        return Ok(());
    }
    let hint = format!("`kubectl get deployments -n {}` lists them", cluster.namespace);
    Err(Failed::new(format!("reading deployment {key}"), "there is none of that name").with_hint(hint))
}

fn unselected(args: &ExplainArgs, sight: &Sight, key: &WorkloadKey, program: &str) -> anyhow::Result<ExitCode> {
    let workload = format!("deployment/{} in {}", key.name, key.namespace);
    let (said, code) = if sight.may_miss_policies {
        let unknown = "whether Backstay leaves it alone cannot be said";
        (format!("No policy that you may read selects {workload}: {unknown}."), ExitCode::from(UNUSABLE))
    } else {
        (format!("No policy selects {workload}: Backstay leaves it alone."), ExitCode::SUCCESS)
    };
    match args.output {
        Some(output @ (Output::Json | Output::Yaml)) => {
            note(&said);
            note_gaps(sight);
            print(&encode(&None::<Decision>, output)?)?;
        }
        Some(Output::Wide) | None => {
            let labels = sight.stores.labels(key).unwrap_or_default();
            let labels: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
            let known = sight.own.policies.all().len() + sight.own.cluster_policies.all().len();
            let gaps: String = sight.gaps.iter().map(|gap| format!("  {}\n", one_line(gap))).collect();
            print(&format!(
                "{said}\n  its labels: {}\n  policies in reach: {known}\n{gaps}  `{program} policy lint -f FILE` checks \
                 a policy before it is applied\n",
                one_line(&labels.join(", "))
            ))?;
        }
    }
    Ok(code)
}

/// What was not seen, beside an answer for machines.
fn note_gaps(sight: &Sight) {
    sight.gaps.iter().for_each(|gap| note(&format!("backstay: {}", one_line(gap))));
}

fn code(state: State) -> ExitCode {
    match state {
        State::Failing | State::Held | State::Stabilising => ExitCode::from(FAILING),
        State::Healthy | State::Progressing | State::Suspect | State::Stabilised | State::Unknown => ExitCode::SUCCESS,
    }
}

/// `NAME` or `deployment/NAME`, as kubectl takes them.
fn parse_workload(text: &str) -> Result<String, String> {
    let name = match text.rsplit_once('/') {
        None => text,
        Some(("deployment" | "deployments" | "deploy" | "deployment.apps" | "deployments.apps", name)) => name,
        Some((kind, _)) => return Err(format!("{kind} is no Deployment, and only those are watched")),
    };
    if name.is_empty() { Err("the name is missing".to_owned()) } else { Ok(name.to_owned()) }
}

#[cfg(test)]
#[path = "explain_tests.rs"]
mod tests;
