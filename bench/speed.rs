//! The figures of speed and size, in the order in which the cluster grows.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::str::FromStr;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use kube::Client;
use serde_json::json;

use crate::audit::{Entry, Log, Mark, OPERATOR};
use crate::fill::{self, Batch};
use crate::incidents::{self, Boards, Times};
use crate::operator::Operator;
use crate::report::{Report, percentile};
use crate::{cluster, path, say};

/// What can be measured by itself, in the order in which it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// Incidents beside the floor, and what a thousand pods take.
    Idle,
    /// What ten thousand pods take: memory, processor, start, relist.
    Sizes,
    /// Incidents at ten thousand pods, some of which keep changing.
    Load,
}

impl FromStr for Part {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> anyhow::Result<Self> {
        match name {
            "idle" => Ok(Self::Idle),
            "sizes" => Ok(Self::Sizes),
            "load" => Ok(Self::Load),
            other => bail!("unknown part {other}: idle, sizes or load"),
        }
    }
}

/// How much of everything.
pub struct Scale {
    pub name: &'static str,
    /// What runs from the start, and then in addition.
    pub first: Batch,
    pub more: Batch,
    pub incidents: usize,
    /// For how long a quiet cluster is looked at.
    pub quiet: Duration,
}

const FULL: Scale = Scale {
    name: "full",
    first: Batch { prefix: "few", deployments: 250, replicas: 4 },
    more: Batch { prefix: "many", deployments: 750, replicas: 12 },
    incidents: 200,
    quiet: Duration::from_secs(60),
};

const SMALL: Scale = Scale {
    name: "small",
    first: Batch { prefix: "few", deployments: 25, replicas: 4 },
    more: Batch { prefix: "many", deployments: 30, replicas: 12 },
    incidents: 20,
    quiet: Duration::from_secs(10),
};

/// How long the allocator has to give pages back before a size is read.
pub const SETTLE: Duration = Duration::from_secs(15);

/// What a run works with.
pub struct Bench {
    pub scale: Scale,
    pub client: Client,
    pub log: Log,
    pub boards: Boards,
    pub report: Report,
    /// The state directory of the cluster.
    pub state: PathBuf,
    /// Where the operator's own log and the figures go.
    pub out: PathBuf,
    program: PathBuf,
}

/// Measures the named parts in one cluster.
pub async fn run(parts: &[String]) -> anyhow::Result<()> {
    let parts = parts.iter().map(|part| part.parse()).collect::<anyhow::Result<Vec<Part>>>()?;
    let scale = if std::env::var("BENCH_SCALE").as_deref() == Ok("small") { SMALL } else { FULL };
    let (state, out, program) = (path("BENCH_CLUSTER_STATE")?, path("BENCH_OUT")?, path("BENCH_PROGRAM")?);
    let client = cluster::client(cluster::AGENT).await?;
    let boards = Boards::follow(&client);
    let log = Log::new(state.join("audit.log"));
    let report = Report::open(&out);
    let mut bench = Bench { scale, client, log, boards, report, state, out, program };
    bench.report.put_value("scale", json!(bench.scale.name));
    let measured = bench.measure(&parts).await;
    // What was measured before something failed is worth keeping.
    bench.report.write()?;
    measured
}

impl Bench {
    async fn measure(&mut self, parts: &[Part]) -> anyhow::Result<()> {
        cluster::prepare(&self.client).await?;
        self.fill(self.scale.first).await?;
        let mut floor = self.start_floor()?;
        let measured = self.parts(parts).await;
        floor.kill().context("ending the floor")?;
        floor.wait().context("ending the floor")?;
        measured
    }

    async fn parts(&mut self, parts: &[Part]) -> anyhow::Result<()> {
        if parts.contains(&Part::Idle) {
            self.few().await?;
        }
        let (sizes, load) = (parts.contains(&Part::Sizes), parts.contains(&Part::Load));
        if !sizes && !load {
            return Ok(());
        }
        self.fill(self.scale.more).await?;
        let operator = self.proven().await?;
        let operator = if sizes { self.sizes(operator).await? } else { operator };
        if load {
            self.under_load().await?;
        }
        if sizes {
            // Last, since the restart of the API server disturbs everything.
            self.relist(&operator).await?;
        }
        operator.stop().await
    }

    async fn fill(&self, batch: Batch) -> anyhow::Result<()> {
        let began = Instant::now();
        say(&format!("making {} Deployments with {} pods", batch.deployments, batch.pods()));
        fill::fill(&self.client, &self.boards.workloads, &batch).await?;
        say(&format!("{} pods run after {} s", batch.pods(), began.elapsed().as_secs()));
        Ok(())
    }

    pub async fn start(&self) -> anyhow::Result<Operator> {
        let operator = Operator::start(&self.program, &self.out.join("operator.log")).await?;
        say(&format!("the operator was ready after {:.2} s", operator.start_to_ready.as_secs_f64()));
        Ok(operator)
    }

    fn start_floor(&self) -> anyhow::Result<Child> {
        let me = std::env::current_exe().context("finding this program")?;
        let log = std::fs::File::create(self.out.join("floor.log")).context("creating floor.log")?;
        let mut command = Command::new(me);
        command.arg("floor").stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        command.spawn().context("starting the floor")
    }

    /// An idle cluster of about a thousand pods.
    async fn few(&mut self) -> anyhow::Result<()> {
        let targets = self.targets(self.scale.first);
        let operator = self.start().await?;
        let ready = self.log.mark()?;
        self.boards.baselines(&self.scale.first.names()).await?;
        say("every Deployment has a baseline");
        tokio::time::sleep(SETTLE).await;
        self.put_memory(&operator, "rss_mib.pods_1000")?;
        self.report.put("cpu_cores.idle_1000", operator.cores(self.scale.quiet).await?);
        self.put_lists("lists_steady", ready)?;
        let quiet = self.log.mark()?;
        let times = incidents::run(&self.client, &self.log, &self.boards, &targets).await?;
        self.put_times("evidence_to_rollback_ms.idle", "floor_ms", &times)?;
        self.put_writes(&times, targets.len());
        self.put_memory(&operator, "rss_mib.pods_1000_after_incidents")?;
        self.put_lists_per_incident(quiet, targets.len())?;
        operator.stop().await
    }

    pub fn targets(&self, batch: Batch) -> Vec<(String, String)> {
        batch.names().into_iter().take(self.scale.incidents).collect()
    }

    pub fn put_times(&mut self, incidents: &str, floor: &str, times: &Times) -> anyhow::Result<()> {
        ensure!(!times.floor.is_empty(), "the floor never acted; see floor.log");
        self.report.put_percentiles(incidents, &times.incidents);
        self.report.put_percentiles(floor, &times.floor);
        let median = |of: &[f64]| percentile(of, 50);
        let ratio = median(&times.incidents) / median(&times.floor);
        say(&format!(
            "{incidents}: {:.1} ms, floor {:.1} ms, {ratio:.2} times the floor",
            median(&times.incidents),
            median(&times.floor)
        ));
        Ok(())
    }

    #[expect(clippy::cast_precision_loss, reason = "hundreds of incidents")]
    fn put_writes(&mut self, times: &Times, incidents: usize) {
        let total: usize = times.writes.values().sum();
        self.report.put("writes_per_incident", total as f64 / incidents as f64);
        for (what, count) in &times.writes {
            say(&format!("writes: {what}: {:.2} per incident", *count as f64 / incidents as f64));
        }
        self.report.put_value("writes_by_kind", json!({"incidents": incidents, "writes": times.writes}));
    }

    #[expect(clippy::cast_precision_loss, reason = "MiB")]
    pub fn put_memory(&mut self, operator: &Operator, figure: &str) -> anyhow::Result<()> {
        let memory = operator.memory()?;
        let mib = memory.resident as f64 / 1024.0;
        say(&format!("{figure}: {mib:.1} MiB, at most {:.1}", memory.peak as f64 / 1024.0));
        self.report.put(figure, mib);
        self.report.put(&format!("peak_{figure}"), memory.peak as f64 / 1024.0);
        Ok(())
    }

    /// What lies around a workload is read when it fails, a page of each kind.
    #[expect(clippy::cast_precision_loss, reason = "hundreds of incidents")]
    fn put_lists_per_incident(&mut self, since: Mark, incidents: usize) -> anyhow::Result<()> {
        let entries = self.log.since(since, &[OPERATOR])?;
        let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
        for list in entries.iter().filter(|e| e.verb == "list") {
            *kinds.entry(list.object_ref.resource.clone()).or_default() += 1;
        }
        let total: usize = kinds.values().sum();
        say(&format!("lists per incident: {:.2}", total as f64 / incidents as f64));
        self.report.put("lists_per_incident", total as f64 / incidents as f64);
        self.report.put_value("lists_in_incidents_by_kind", json!(kinds));
        Ok(())
    }

    pub fn put_lists(&mut self, figure: &str, since: Mark) -> anyhow::Result<()> {
        let entries = self.log.since(since, &[OPERATOR])?;
        let lists: Vec<_> = entries.iter().filter(|e| e.verb == "list").collect();
        say(&format!("{figure}: {}", lists.len()));
        self.report.put_value(figure, json!(lists.len()));
        let said = |e: &&Entry| format!("{} {}", e.request_received_timestamp, e.object_ref.resource);
        self.report.put_value(&format!("{figure}_seen"), json!(lists.iter().map(said).collect::<Vec<_>>()));
        Ok(())
    }
}
