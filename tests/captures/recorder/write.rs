//! What is kept of a case: what kubectl prints of its namespace and of the node, logs, and the time.

use std::fs;
use std::path::Path;

use jiff::Timestamp;
use serde_json::Value;

use crate::kubectl::Kubectl;

/// What tells one machine from another in a Node, and is nobody's business.
const OF_THE_MACHINE: [&str; 4] = ["bootID", "kernelVersion", "machineID", "systemUUID"];

/// Writes the capture in the place of the one that was there.
pub async fn capture(kubectl: &Kubectl, also: &[String], folder: &Path) -> Result<(), String> {
    let kinds = ["deploy", "rs", "pods", "events", "nodes"].into_iter().chain(also.iter().map(String::as_str));
    let kinds = kinds.collect::<Vec<_>>().join(",");
    let objects = kubectl.output(&["get", &kinds, "-o", "yaml"]).await?;
    let pods = kubectl.output(&["get", "pods", "-o", "json"]).await?;
    let taken = Timestamp::now().strftime("%FT%TZ").to_string();
    let logs = folder.join("logs");
    if logs.is_dir() {
        fs::remove_dir_all(&logs).map_err(|error| error.to_string())?;
    }
    write(&folder.join("capture.yaml"), &of_any_machine(&objects))?;
    write(&folder.join("taken"), &format!("{taken}\n"))?;
    let pods: Value = serde_json::from_str(&pods).map_err(|error| error.to_string())?;
    for (pod, container, restarted) in containers(&pods) {
        let name = format!("{pod}_{container}");
        save(kubectl, &["logs", &pod, "-c", &container], &logs.join(format!("{name}.log"))).await?;
        if restarted {
            let previous = ["logs", &pod, "-c", &container, "--previous"];
            save(kubectl, &previous, &logs.join(format!("{name}.previous.log"))).await?;
        }
    }
    Ok(())
}

/// Pods and their containers that have run, and whether more than once.
fn containers(pods: &Value) -> Vec<(String, String, bool)> {
    let list = |value: &Value, pointer: &str| value.pointer(pointer).and_then(Value::as_array).cloned();
    let word = |value: &Value, pointer: &str| value.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let mut found = Vec::new();
    for pod in list(pods, "/items").unwrap_or_default() {
        let statuses = ["/status/initContainerStatuses", "/status/containerStatuses"];
        for status in statuses.iter().flat_map(|pointer| list(&pod, pointer).unwrap_or_default()) {
            let has_run = word(&status, "/containerID").is_some_and(|id| !id.is_empty());
            let restarted = status.pointer("/restartCount").and_then(Value::as_u64).is_some_and(|n| n > 0);
            if let (true, Some(pod), Some(name)) = (has_run, word(&pod, "/metadata/name"), word(&status, "/name")) {
                found.push((pod, name, restarted));
            }
        }
    }
    found
}

/// Keeps a log, if there is one: a container that never came to run has none, and kubectl says so.
async fn save(kubectl: &Kubectl, arguments: &[&str], path: &Path) -> Result<(), String> {
    match kubectl.output(arguments).await {
        Ok(log) if !log.is_empty() => write(path, &log),
        _ => Ok(()),
    }
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    let folder = path.parent().unwrap();
    let written = fs::create_dir_all(folder).and_then(|()| fs::write(path, text));
    written.map_err(|error| format!("{}: {error}", path.display()))
}

/// The text without what tells one machine from another; nothing else is changed.
fn of_any_machine(objects: &str) -> String {
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    // Schedulers sign their events with their name and that of their host.
    let signed = format!("-{}\n", host.trim());
    let mut text = String::with_capacity(objects.len());
    for line in objects.split_inclusive('\n') {
        let rest = line.trim_start();
        let key = rest.split(':').next().unwrap_or_default();
        let indent = line.strip_suffix(rest).unwrap_or_default();
        match (line.strip_suffix(&signed), key) {
            (Some(own), "reportingInstance") => text.push_str(&format!("{own}-node1\n")),
            (_, key) if OF_THE_MACHINE.contains(&key) => text.push_str(&format!("{indent}{key}: redacted\n")),
            _ => text.push_str(line),
        }
    }
    text
}
