//! The released program as a process of its own, measured from outside.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

/// A running operator.
pub struct Operator {
    child: Child,
    pid: u32,
    listen: SocketAddr,
    /// From the start of the process until `/readyz` agreed.
    pub start_to_ready: Duration,
}

/// Sizes of a process in KiB.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    pub resident: u64,
    /// The highest since the process started, or since it was forgotten.
    pub peak: u64,
}

impl Operator {
    /// Starts it and waits until it is ready. Its log goes to `log`.
    pub async fn start(program: &Path, log: &Path) -> anyhow::Result<Self> {
        let listen = free_address()?;
        let log = std::fs::OpenOptions::new().create(true).append(true).open(log).context("opening the log")?;
        let began = Instant::now();
        let child = Command::new(program)
            .args(["run", "--listen", &listen.to_string(), "--lease-namespace", "default"])
            // The incidents of a bench are many and independent; the brake would stop them.
            .args(["--storm-workloads", "100000"])
            .stdin(Stdio::null())
            .stdout(log.try_clone().context("sharing the log")?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        let pid = child.id();
        let mut operator = Self { child, pid, listen, start_to_ready: Duration::ZERO };
        while !operator.says_ready() {
            if let Some(status) = operator.child.try_wait().context("looking at the operator")? {
                bail!("the operator ended: {status}");
            }
            ensure!(began.elapsed() < Duration::from_secs(120), "the operator was not ready after 120 s");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        operator.start_to_ready = began.elapsed();
        Ok(operator)
    }

    fn says_ready(&self) -> bool {
        matches!(self.get("/readyz"), Ok(answer) if answer.starts_with("HTTP/1.1 200"))
    }

    /// Answers of this server on the same machine take microseconds, so nobody minds the wait.
    fn get(&self, path: &str) -> anyhow::Result<String> {
        let limit = Duration::from_secs(5);
        let mut stream = TcpStream::connect_timeout(&self.listen, limit)?;
        stream.set_read_timeout(Some(limit))?;
        stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n").as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    /// A metric's value, summed over its series.
    pub fn metric(&self, name: &str) -> anyhow::Result<f64> {
        let answer = self.get("/metrics").context("reading /metrics")?;
        let of = |line: &str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{']));
        let values = answer.lines().filter(|line| of(line)).filter_map(|line| line.rsplit_once(' ')?.1.parse().ok());
        let values: Vec<f64> = values.collect();
        ensure!(!values.is_empty(), "there is no metric {name}");
        Ok(values.iter().sum())
    }

    /// Ends it as a kubelet does, so that it gives its lease back.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        let status = Command::new("kill").args(["-TERM", &self.pid.to_string()]).status().context("kill")?;
        ensure!(status.success(), "the operator does not take SIGTERM");
        let began = Instant::now();
        while self.child.try_wait().context("waiting for the operator")?.is_none() {
            ensure!(began.elapsed() < Duration::from_secs(20), "the operator does not end");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    pub fn memory(&self) -> anyhow::Result<Memory> {
        let status = std::fs::read_to_string(self.proc("status")).context("reading its memory")?;
        let field = |name: &str| -> anyhow::Result<u64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).with_context(|| name.to_owned())?;
            let number = line.trim().trim_end_matches(" kB").trim();
            number.parse().with_context(|| format!("{name} {number}"))
        };
        Ok(Memory { resident: field("VmRSS:")?, peak: field("VmHWM:")? })
    }

    /// Lets the peak begin anew at the present size.
    pub fn forget_peak(&self) -> anyhow::Result<()> {
        std::fs::write(self.proc("clear_refs"), "5").context("forgetting its peak")
    }

    /// Processor time used so far by all its threads.
    pub fn cpu(&self) -> anyhow::Result<Duration> {
        let mut total = 0;
        for thread in std::fs::read_dir(self.proc("task")).context("listing its threads")? {
            let path = thread?.path().join("schedstat");
            let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            let run: u64 = text.split(' ').next().unwrap_or_default().parse().context("schedstat")?;
            total += run;
        }
        Ok(Duration::from_nanos(total))
    }

    /// Cores used on average over some time, while `meanwhile` goes on.
    pub async fn cores(&self, over: Duration) -> anyhow::Result<f64> {
        let (began, before) = (Instant::now(), self.cpu()?);
        tokio::time::sleep(over).await;
        let used = self.cpu()?.saturating_sub(before);
        Ok(used.as_secs_f64() / began.elapsed().as_secs_f64())
    }

    fn proc(&self, file: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{file}", self.pid))
    }
}

impl Drop for Operator {
    /// A bench that failed leaves nothing running.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_address() -> anyhow::Result<SocketAddr> {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("finding a free port")?;
    Ok(listener.local_addr()?)
}
