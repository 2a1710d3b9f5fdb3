//! What ten thousand pods cost.

use std::collections::HashSet;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::json;
use tokio::time::sleep;

use crate::audit::OPERATOR;
use crate::incidents;
use crate::load::{self, Load};
use crate::operator::Operator;
use crate::report::percentile;
use crate::say;
use crate::speed::{Bench, SETTLE};

/// How often a start is measured; the median counts.
const STARTS: usize = 3;

impl Bench {
    /// An operator that has recorded a baseline for everything there is.
    pub async fn proven(&self) -> anyhow::Result<Operator> {
        let everything: Vec<_> = [self.scale.first, self.scale.more].iter().flat_map(|b| b.names()).collect();
        let operator = self.start().await?;
        self.boards.baselines(&everything).await?;
        say("every Deployment has a baseline");
        Ok(operator)
    }

    /// What ten thousand pods take from a freshly started operator, which goes on running.
    pub async fn sizes(&mut self, operator: Operator) -> anyhow::Result<Operator> {
        operator.stop().await?;
        let operator = self.starts().await?;
        let ready = self.log.mark()?;
        sleep(SETTLE).await;
        self.put_memory(&operator, "rss_mib.pods_10000")?;
        let idle = operator.cores(self.scale.quiet).await?;
        self.report.put("cpu_cores.idle_10000", idle);
        say(&format!("{idle:.4} cores when idle"));
        self.updates(&operator).await?;
        self.put_lists("lists_steady_10000", ready)?;
        Ok(operator)
    }

    /// From the start of the process to ready, several times; the last one keeps running.
    async fn starts(&mut self) -> anyhow::Result<Operator> {
        let mut times = Vec::new();
        loop {
            let operator = self.start().await?;
            times.push(operator.start_to_ready.as_secs_f64());
            if times.len() == STARTS {
                self.report.put("start_to_ready_s", percentile(&times, 50));
                self.report.put_value("start_to_ready_each_s", json!(times));
                return Ok(operator);
            }
            // Long enough to have led, so that the next one does not wait for a lease that was never released.
            sleep(Duration::from_secs(3)).await;
            operator.stop().await?;
        }
    }

    async fn updates(&mut self, operator: &Operator) -> anyhow::Result<()> {
        let pods = load::pods_of(&self.client, &self.scale.more).await?;
        let load = Load::start(&self.client, pods, 100);
        sleep(Duration::from_secs(3)).await;
        let looks = "backstay_reconcile_total";
        let before = operator.metric(looks)?;
        let cores = operator.cores(self.scale.quiet).await?;
        let looked = operator.metric(looks)? - before;
        self.report.put("cpu_cores.updates_100", cores);
        self.report.put("updates_per_second.updates_100", load.rate());
        self.report.put("updates_100_looks", looked);
        say(&format!("{cores:.4} cores at {:.1} updates per second, {looked} looks", load.rate()));
        ensure!(load.rate() > 50.0, "only {:.1} updates per second got through", load.rate());
        ensure!(looked > 0.0, "no update made the operator look at a workload");
        Ok(())
    }

    /// Incidents while pods of other workloads keep changing.
    pub async fn under_load(&mut self) -> anyhow::Result<()> {
        let targets = self.targets(self.scale.more);
        let mut pods = load::pods_of(&self.client, &self.scale.more).await?;
        let failing: HashSet<_> = targets.iter().map(|(_, name)| name.as_str()).collect();
        pods.retain(|(_, pod)| !load::workload_of(pod).is_some_and(|workload| failing.contains(workload)));
        let load = Load::start(&self.client, pods, 20);
        let times = incidents::run(&self.client, &self.log, &self.boards, &targets).await?;
        self.put_times("evidence_to_rollback_ms.load_10k", "floor_load_10k_ms", &times)?;
        self.report.put("updates_per_second.load_10k", load.rate());
        ensure!(load.rate() > 15.0, "only {:.1} updates per second got through", load.rate());
        Ok(())
    }

    /// The API server forgets what the watches had seen, so everything is listed anew beside what is in memory.
    pub async fn relist(&mut self, operator: &Operator) -> anyhow::Result<()> {
        sleep(SETTLE).await;
        let mark = self.log.mark()?;
        let before = operator.memory()?.resident;
        operator.forget_peak()?;
        self.restart_apiserver()?;
        let mut lists = 0;
        for _ in 0..60 {
            sleep(Duration::from_secs(1)).await;
            let entries = self.log.since(mark, &[OPERATOR])?;
            lists =
                entries.iter().filter(|e| e.accepted() && e.verb == "list" && e.object_ref.resource == "pods").count();
            // Pages come one after the other; the last has come when no more do for a while.
            let last = entries.iter().rfind(|e| e.verb == "list").map(|e| e.stage_timestamp);
            let quiet = last.is_some_and(|at| jiff::Timestamp::now().duration_since(at).as_secs() >= 5);
            if lists > 0 && quiet {
                break;
            }
        }
        ensure!(lists > 0, "the operator did not list again");
        let peak = operator.memory()?.peak;
        #[expect(clippy::cast_precision_loss, reason = "KiB")]
        let ratio = peak as f64 / before as f64;
        say(&format!(
            "relist of {lists} pages: from {} to at most {} MiB, {ratio:.2} times",
            before / 1024,
            peak / 1024
        ));
        self.report.put("relist_peak_ratio", ratio);
        Ok(())
    }

    fn restart_apiserver(&self) -> anyhow::Result<()> {
        let script = std::env::var("BENCH_CLUSTER").context("BENCH_CLUSTER")?;
        let mut command = std::process::Command::new(script);
        command.args(["restart-apiserver", "--signal", "KILL", "--state"]).arg(&self.state);
        let status = command.status().context("restarting the API server")?;
        ensure!(status.success(), "the API server did not come back");
        Ok(())
    }
}
