//! `backstay diagnose`: what fails, whose fault it is, and what to do next, from a cluster or from files.
//!
//! The answer is made by the operator's own code. Nothing is written.

pub mod alerts;
pub mod around;
pub mod input;
mod left_out;
mod logs;
pub mod markdown;
pub mod report;
pub mod screen;
#[cfg(test)]
mod status_tests;
mod target;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use jiff::Timestamp;

use self::alerts::Alert;
use self::around::{Reach, Story};
use self::left_out::LeftOut;
use self::report::Report;
use self::target::Target;
use super::failure::Failed;
use super::incident::{self, encode};
use super::page::{Screen, one_line};
use super::reach::ReachArgs;
use super::{FAILING, UNUSABLE, note, print};
use crate::cluster::around::Source;
use crate::cluster::cases::{Case, cases};
use crate::cluster::intake::Intake;
use crate::cluster::store::WorkloadKey;
use crate::cluster::survey::Survey;
use crate::controller::fleet::{self, Fleet};
use crate::engine::decide::decide;
use crate::engine::diagnose::{Diagnosis, of_deployment, of_others};
use crate::engine::facts::{FleetFacts, Name};
use crate::engine::storm::Limits;
use crate::engine::words::State;

/// Namespaces that are named to who asked for another.
const SHOWN_NAMESPACES: usize = 3;

#[derive(Args, Debug)]
#[command(after_help = "Exit codes: 0 nothing is failing, 1 something is, 2 it cannot be judged.\n\n\
    Examples:\n  \
      backstay diagnose deployment/web -n shop\n  \
      kubectl get deploy,rs,pods,events,nodes -o json | backstay diagnose -f -\n  \
      backstay diagnose -f objects.json --logs logs\n\n\
    With sts, ds, jobs and controllerrevisions among the files it knows what was changed of\n\
    StatefulSets and DaemonSets too, and with jobs, cm, svc, endpointslices, ingress, hpa and\n\
    pdb whether a migration ran, what else changed and who suffers.")]
pub struct DiagnoseArgs {
    /// Only this workload, as NAME, deployment/NAME, pod/NAME, statefulset/NAME and so on
    #[arg(value_name = "WORKLOAD", value_parser = Target::parse)]
    pub target: Option<Target>,
    /// What `kubectl get -o json` or `-o yaml` printed, or - for standard input; no cluster is asked
    #[arg(short, long = "filename", value_name = "FILE", num_args = 1..)]
    pub files: Vec<PathBuf>,
    /// A folder of logs, as `kubectl logs POD -c CONTAINER >DIR/POD_CONTAINER.log` writes them; those of the run before,
    /// with `--previous`, as POD_CONTAINER.previous.log
    #[arg(long, value_name = "DIR", requires = "files")]
    pub logs: Option<PathBuf>,
    /// Alerts, as Alertmanager's /api/v2/alerts or Prometheus' /api/v1/alerts answers, among which the first sign of a
    /// failure may be
    #[arg(long, value_name = "FILE")]
    pub alerts: Option<PathBuf>,
    /// All namespaces
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    pub all_namespaces: bool,
    /// When the files were written. Without it, the newest time in them
    #[arg(long, value_name = "TIME", requires = "files")]
    pub now: Option<Timestamp>,
    /// json and yaml have one schema, which --schema prints
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    pub output: Option<Format>,
    /// Print the JSON Schema of -o json
    #[arg(long, exclusive = true)]
    pub schema: bool,
    /// No colour, also on a terminal
    #[arg(long)]
    pub no_color: bool,
    #[command(flatten)]
    pub reach: ReachArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Json,
    Yaml,
    Markdown,
}

/// One workload and what is to say of it.
#[derive(Debug)]
pub struct Diagnosed {
    pub case: Case,
    pub diagnosis: Diagnosis,
    /// Of workloads in trouble.
    pub story: Option<Story>,
}

/// Everything there is to say.
#[derive(Debug)]
pub struct Answer {
    pub workloads: Vec<Diagnosed>,
    /// What was not seen, for people.
    pub gaps: Vec<String>,
    /// How many objects could not be read that may be of these workloads, and may be what fails.
    pub unread: usize,
    pub now: Timestamp,
}

pub async fn run(args: &DiagnoseArgs, program: &str) -> anyhow::Result<ExitCode> {
    if args.schema {
        print(&report::schema()?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let answer = if args.files.is_empty() { live(args).await? } else { offline(args).await? };
    let text = match args.output {
        Some(format @ (Format::Json | Format::Yaml)) => {
            answer.gaps.iter().for_each(|gap| note(&format!("backstay: {}", one_line(gap))));
            let output = if format == Format::Yaml { incident::Output::Yaml } else { incident::Output::Json };
            encode(&Report::of(&answer.workloads), output)?
        }
        Some(Format::Markdown) => markdown::render(&answer, program),
        None => {
            let screen = Screen::stdout();
            screen::render(&answer, if args.no_color { screen.plain() } else { screen }, program)
        }
    };
    print(&text)?;
    Ok(code(&answer))
}

async fn live(args: &DiagnoseArgs) -> anyhow::Result<Answer> {
    // A file that cannot be read is told before a cluster is asked.
    let (alerts, odd) = alerts(args, Timestamp::now())?;
    let cluster = args.reach.connect().await?;
    let namespace = (!args.all_namespaces).then_some(&*cluster.namespace);
    let place = namespace.map_or_else(|| "all namespaces".to_owned(), |name| format!("namespace {name}"));
    let seen = Survey::of(&cluster.client, namespace).await;
    let seen = seen.map_err(|error| cluster.failed(format!("listing pods in {place}"), &error))?;
    let now = Timestamp::now();
    let (mut workloads, beside) = chosen(args, diagnose(seen.intake, now), (&place, &[]))?;
    let mut gaps = seen.gaps;
    gaps.extend(odd);
    let source = Source::Cluster(&cluster.client);
    let reach = Reach { source, everywhere: args.all_namespaces, alerts: &alerts, beside: &beside };
    gaps.extend(around::surround(reach.source, &mut workloads, now).await);
    gaps.extend(logs::live(&cluster.client, &mut workloads, now).await);
    around::tell(reach, &mut workloads, now).await;
    Ok(Answer { workloads, gaps, unread: 0, now })
}

async fn offline(args: &DiagnoseArgs) -> anyhow::Result<Answer> {
    let mut intake = Intake::default();
    let mut left_out = Vec::new();
    for path in &args.files {
        left_out.extend(input::read(path, &mut intake)?);
    }
    if !intake.has_workloads() && (intake.objects > 0 || !left_out.is_empty()) {
        let why = match left_out.first() {
            Some(odd) => odd.said.clone(),
            None => "there is no Deployment and no Pod in what was given".to_owned(),
        };
        let hint = "`kubectl get deploy,rs,pods,events,nodes -o json` prints what helps most";
        return Err(Failed::new("finding workloads", why).with_hint(hint).into());
    }
    let now = args.now.or(intake.newest).unwrap_or_else(Timestamp::now);
    let shown = std::mem::take(&mut intake.shown);
    let (alerts, odd) = alerts(args, now)?;
    let (mut workloads, beside) = chosen(args, diagnose(intake, now), ("the input", &left_out))?;
    let reach = Reach { source: Source::Input(&shown), everywhere: true, alerts: &alerts, beside: &beside };
    let unread = unread(args, &left_out, &workloads);
    let mut gaps: Vec<String> = left_out.into_iter().map(|odd| odd.said).chain(odd).collect();
    gaps.extend(around::surround(reach.source, &mut workloads, now).await);
    if let Some(folder) = &args.logs {
        gaps.extend(logs::offline(folder, &mut workloads, now)?);
    }
    around::tell(reach, &mut workloads, now).await;
    if unread > 0 && !is_any_failing(&workloads) {
        let objects = if unread == 1 { "object of a workload was" } else { "objects of workloads were" };
        gaps.push(format!("{unread} {objects} left out, so it cannot be said that nothing is failing"));
    }
    Ok(Answer { workloads, gaps, unread, now })
}

/// How many of the objects that were left out may be of what was asked for. Others that cannot be read are only told.
fn unread(args: &DiagnoseArgs, left_out: &[LeftOut], workloads: &[Diagnosed]) -> usize {
    let namespace = args.reach.namespace.as_ref();
    let is_asked_for = |odd: &LeftOut| match &args.target {
        Some(_) => workloads.iter().any(|found| odd.may_be_of(&found.case.snapshot.workload)),
        None => namespace.is_none_or(|namespace| odd.is_in(namespace)),
    };
    left_out.iter().filter(|odd| odd.may_fail() && is_asked_for(odd)).count()
}

/// The alerts that were given, and what was left out of them.
fn alerts(args: &DiagnoseArgs, now: Timestamp) -> Result<(Vec<Alert>, Vec<String>), Failed> {
    args.alerts.as_ref().map_or_else(|| Ok(Default::default()), |path| alerts::read(path, now))
}

/// Judges every workload, each knowing how its neighbours do.
pub fn diagnose(intake: Intake, now: Timestamp) -> Vec<Diagnosed> {
    let mut cases = cases(intake, now);
    let fleet = Fleet::new(Limits::default());
    for case in &cases {
        let s = &case.snapshot;
        let report = match case.is_deployment {
            true => fleet::Report::of(s, &decide(s, now)),
            false => fleet::Report { setups: fleet::setups(s, &of_others(s, now).findings), ..Default::default() },
        };
        fleet.report(&key(case), report);
    }
    for case in &mut cases {
        let facts = fleet.facts(&key(case), now);
        // What is not a Deployment is only compared node by node.
        let setups = || FleetFacts { watched: facts.watched, setups: facts.setups.clone(), ..FleetFacts::default() };
        case.snapshot.fleet = if case.is_deployment { facts } else { setups() };
    }
    cases.into_iter().map(|case| Diagnosed { diagnosis: of_case(&case, now), case, story: None }).collect()
}

fn of_case(case: &Case, now: Timestamp) -> Diagnosis {
    let of = if case.is_deployment { of_deployment } else { of_others };
    of(&case.snapshot, now)
}

fn key(case: &Case) -> WorkloadKey {
    let workload = &case.snapshot.workload;
    // Other kinds may bear the same names.
    let name =
        if case.is_deployment { workload.name.clone() } else { format!("{}/{}", workload.kind, workload.name).into() };
    WorkloadKey { namespace: workload.namespace.clone(), name }
}

/// The workloads that were asked for, of those in a place from which some objects were left out, and the others.
fn chosen(
    args: &DiagnoseArgs,
    workloads: Vec<Diagnosed>,
    (place, left_out): (&str, &[LeftOut]),
) -> Result<(Vec<Diagnosed>, Vec<Diagnosed>), Failed> {
    let (workloads, mut beside) = match args.reach.namespace.as_ref().filter(|_| !args.files.is_empty()) {
        Some(namespace) => in_namespace(workloads, namespace, left_out)?,
        None => (workloads, Vec::new()),
    };
    let Some(target) = &args.target else { return Ok((workloads, beside)) };
    let (found, others) = target.among(workloads);
    if found.is_empty() {
        let odd = left_out.iter().find(|odd| odd.may_fail() && odd.name == target.name());
        let why = odd.map_or("there is none of that name", |odd| odd.said.as_str());
        return Err(Failed::new(format!("finding {target} in {place}"), why));
    }
    beside.extend(others);
    Ok((found, beside))
}

/// Those of one namespace, and the others. Where all that was given is of others, the namespace is most likely a wrong
/// one.
fn in_namespace(
    workloads: Vec<Diagnosed>,
    namespace: &str,
    left_out: &[LeftOut],
) -> Result<(Vec<Diagnosed>, Vec<Diagnosed>), Failed> {
    let of = |found: &Diagnosed| found.case.snapshot.workload.namespace.clone();
    let given: BTreeSet<Name> = workloads.iter().map(of).collect();
    let (workloads, beside): (Vec<_>, Vec<_>) = workloads.into_iter().partition(|found| *of(found) == *namespace);
    if given.is_empty() || !workloads.is_empty() {
        return Ok((workloads, beside));
    }
    let odd = left_out.iter().find(|odd| odd.may_fail() && odd.is_in(namespace));
    let why =
        odd.map_or_else(|| format!("there is none; those given are in {}", listed(&given)), |odd| odd.said.clone());
    Err(Failed::new(format!("finding workloads in namespace {namespace}"), why))
}

/// The first of these names, and how many more there are.
fn listed(namespaces: &BTreeSet<Name>) -> String {
    let name = |name: &Name| if name.is_empty() { "none".to_owned() } else { name.to_string() };
    let shown: Vec<String> = namespaces.iter().take(SHOWN_NAMESPACES).map(name).collect();
    let more = match namespaces.len().saturating_sub(SHOWN_NAMESPACES) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{}{more}", shown.join(", "))
}

fn is_failing(state: State) -> bool {
    matches!(state, State::Failing | State::Held | State::Stabilising)
}

fn is_any_failing(workloads: &[Diagnosed]) -> bool {
    workloads.iter().any(|found| is_failing(found.diagnosis.state))
}

/// What is known to fail comes before what could not be read.
fn code(answer: &Answer) -> ExitCode {
    match answer.unread {
        _ if is_any_failing(&answer.workloads) => ExitCode::from(FAILING),
        0 => ExitCode::SUCCESS,
        _ => ExitCode::from(UNUSABLE),
    }
}
