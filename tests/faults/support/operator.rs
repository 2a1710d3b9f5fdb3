//! The operator as a process of its own.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use kube::runtime::watcher;
use kube::{Api, Client};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use super::wait::{self, PATIENCE};

/// How to start it.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Its own namespace, with the lease in it.
    pub namespace: String,
    /// `POD_NAME`, by which it stands in the lease.
    pub identity: String,
    /// `None` for the kubeconfig of the tests.
    pub kubeconfig: Option<PathBuf>,
    /// Only its own namespace is watched.
    pub scoped: bool,
}

impl Setup {
    pub fn new(namespace: &str, identity: &str) -> Self {
        Self { namespace: namespace.to_owned(), identity: identity.to_owned(), kubeconfig: None, scoped: true }
    }

    pub fn through(self, kubeconfig: &Path) -> Self {
        Self { kubeconfig: Some(kubeconfig.to_owned()), ..self }
    }

    /// Watches all namespaces, and the nodes.
    pub fn everywhere(self) -> Self {
        Self { scoped: false, ..self }
    }
}

/// A running operator; killed when dropped. Its log is kept and printed when a test fails.
pub struct Operator {
    child: Child,
    setup: Setup,
    said: watch::Receiver<Vec<String>>,
}

impl Operator {
    pub fn start(setup: Setup) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_backstay"));
        command.args(["run", "--lease-name", "backstay", "--listen", "127.0.0.1:0"]);
        if setup.scoped {
            command.args(["--watch-namespace", &setup.namespace]);
        }
        if let Some(path) = &setup.kubeconfig {
            command.env("KUBECONFIG", path);
        }
        command.env("POD_NAMESPACE", &setup.namespace).env("POD_NAME", &setup.identity);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().expect("the operator starts");
        let (say, said) = watch::channel(Vec::new());
        listen(child.stdout.take().unwrap(), say.clone());
        listen(child.stderr.take().unwrap(), say);
        Self { child, setup, said }
    }

    pub fn pid(&self) -> u32 {
        self.child.id().expect("it was not waited for")
    }

    /// Waits until it holds the lease.
    pub async fn leads(&self, client: &Client) {
        let leases: Api<Lease> = Api::namespaced(client.clone(), &self.setup.namespace);
        let config = watcher::Config::default().fields("metadata.name=backstay");
        let what = format!("{} to hold the lease in {}", self.setup.identity, self.setup.namespace);
        wait::first(&leases, config, &what, PATIENCE, |lease: &Lease| {
            let holder = lease.spec.as_ref()?.holder_identity.as_deref()?;
            (holder == self.setup.identity).then_some(())
        })
        .await;
    }

    /// Whether it, or another beside it, stands for election.
    pub async fn stands(&self, client: &Client) -> bool {
        let leases: Api<Lease> = Api::namespaced(client.clone(), &self.setup.namespace);
        leases.get_opt("backstay").await.expect("the lease can be read").is_some()
    }

    /// Waits for a line of its log.
    pub async fn says<T>(&self, what: &str, mut condition: impl FnMut(&Value) -> Option<T>) -> T {
        let mut said = self.said.clone();
        let mut seen = 0;
        let search = async {
            loop {
                let fresh = said.borrow_and_update().get(seen..).unwrap_or_default().to_vec();
                seen += fresh.len();
                let lines = fresh.iter().filter_map(|line| serde_json::from_str(line).ok());
                if let Some(answer) = lines.collect::<Vec<Value>>().iter().find_map(&mut condition) {
                    return answer;
                }
                assert!(said.changed().await.is_ok(), "the operator ended before {what}:\n{}", self.log());
            }
        };
        let found = tokio::time::timeout(PATIENCE, search).await;
        found.unwrap_or_else(|_| panic!("the operator did not tell {what}:\n{}", self.log()))
    }

    /// Waits until it tells that the watch of a kind fails.
    pub async fn says_of(&self, plural: &str) {
        let what = format!("that {plural} cannot be watched");
        self.says(&what, |line| (line["resource"] == plural).then_some(())).await;
    }

    /// Resolves when the process has ended, however it did.
    pub async fn ended(&self) {
        let mut said = self.said.clone();
        while said.changed().await.is_ok() {}
    }

    /// What `/readyz` answers: whether it is ready, and why not.
    pub async fn readyz(&self) -> (bool, String) {
        let address = self.says("where it listens", |line| line["address"].as_str().map(str::to_owned)).await;
        let mut config = kube::Config::new(format!("http://{address}").parse().unwrap());
        // "Not ready" is an answer here, and nothing to try again.
        config.default_retry = false;
        let request = http::Request::get("/readyz").body(kube::client::Body::empty()).unwrap();
        let answer = Client::try_from(config).unwrap().send(request).await.expect("the operator answers");
        let ready = answer.status().is_success();
        let body = axum::body::to_bytes(axum::body::Body::new(answer.into_body()), 1 << 16).await.unwrap();
        (ready, String::from_utf8_lossy(&body).into_owned())
    }

    /// Ends it with SIGTERM and waits for its end.
    pub async fn terminate(mut self) {
        signal(self.pid(), "TERM").await;
        let ended = tokio::time::timeout(Duration::from_secs(30), self.child.wait()).await;
        let status = ended.expect("it ends soon after SIGTERM").unwrap();
        assert!(status.success(), "the operator ended with {status}:\n{}", self.log());
    }

    pub fn log(&self) -> String {
        self.said.borrow().join("\n")
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("log of {} in {}:\n{}", self.setup.identity, self.setup.namespace, self.log());
        }
    }
}

fn listen(source: impl tokio::io::AsyncRead + Unpin + Send + 'static, say: watch::Sender<Vec<String>>) {
    tokio::spawn(async move {
        let mut lines = BufReader::new(source).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            say.send_modify(|said| said.push(line));
        }
    });
}

/// Sends a signal by name to one process.
pub async fn signal(pid: u32, name: &str) {
    let sent = Command::new("kill").arg(format!("-{name}")).arg(pid.to_string()).status().await.unwrap();
    assert!(sent.success(), "kill -{name} {pid}");
}
