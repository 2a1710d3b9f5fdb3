//! kubectl, called as people call it.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use regex::Regex;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;

use crate::case::See;

/// How long one sight is waited for. Back-offs and graces take minutes.
const PATIENCE: Duration = Duration::from_secs(900);

pub struct Kubectl {
    namespace: String,
}

impl Kubectl {
    pub fn new(namespace: &str) -> Self {
        Self { namespace: namespace.to_owned() }
    }

    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    pub async fn create_namespace(&self) -> Result<(), String> {
        self.output(&["create", "namespace", &self.namespace]).await?;
        // Pods are refused until it exists.
        self.call("wait --for=create serviceaccount/default --timeout=60s").await.map(drop)
    }

    pub async fn delete_namespace(&self) -> Result<(), String> {
        self.output(&["delete", "namespace", &self.namespace, "--wait=false"]).await.map(drop)
    }

    /// Calls kubectl with words that blanks separate.
    pub async fn call(&self, words: &str) -> Result<String, String> {
        self.output(&words.split_whitespace().collect::<Vec<_>>()).await
    }

    pub async fn output(&self, arguments: &[&str]) -> Result<String, String> {
        self.input(arguments, "").await
    }

    /// The same with standard input.
    pub async fn input(&self, arguments: &[&str], input: &str) -> Result<String, String> {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("kubectl: {error}"))?;
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(self.named(input).as_bytes()).await.map_err(|error| format!("kubectl: {error}"))?;
        drop(stdin);
        let output = child.wait_with_output().await.map_err(|error| format!("kubectl: {error}"))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(format!("kubectl {}: {said}", arguments.join(" ")))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("kubectl");
        command.args(["--namespace", &self.namespace]).args(arguments.iter().map(|word| self.named(word)));
        command.kill_on_drop(true);
        command
    }

    fn named(&self, text: &str) -> String {
        text.replace("NAMESPACE", &self.namespace)
    }

    /// Calls the script of the test cluster; `exec`, in which this runs, has put name and state into the environment.
    pub async fn cluster(&self, words: &str) -> Result<(), String> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cluster/cluster");
        let mut command = Command::new(script);
        command.args(words.split_whitespace());
        command.args(["--state", &std::env::var("BACKSTAY_CLUSTER_STATE").unwrap_or_default()]);
        let status = command.status().await.map_err(|error| format!("{script}: {error}"))?;
        if status.success() { Ok(()) } else { Err(format!("{script} {words}: {status}")) }
    }

    /// Watches until so many objects show what is looked for.
    pub async fn see(&self, see: &See) -> Result<(), String> {
        let like = Regex::new(&see.like).map_err(|error| error.to_string())?;
        let template = format!("jsonpath={{.metadata.name}} {}{{\"\\n\"}}", see.shows);
        let mut arguments = vec!["get", "--watch", "-o", &template];
        arguments.extend(see.of.split_whitespace());
        let mut command = self.command(&arguments);
        let mut child = command.stdout(Stdio::piped()).spawn().map_err(|error| format!("kubectl: {error}"))?;
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut shown: BTreeMap<String, String> = BTreeMap::new();
        let seeing = async {
            while let Some(line) = lines.next_line().await.map_err(|error| error.to_string())? {
                let (name, text) = line.split_once(' ').unwrap_or((&line, ""));
                shown.insert(name.to_owned(), text.to_owned());
                if shown.values().filter(|text| like.is_match(text)).count() >= see.count {
                    return Ok(());
                }
            }
            Err("the watch has ended".to_owned())
        };
        let outcome = tokio::time::timeout(PATIENCE, seeing).await;
        let outcome = outcome.unwrap_or_else(|_| Err(format!("gave up after {} s", PATIENCE.as_secs())));
        outcome.map_err(|why| format!("{} like {}: {why}; last seen: {shown:?}", see.of, see.like))
    }
}
