//! The operator's own processes, which only a test on this machine can see.

use std::fs;
use std::process::Command;

use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client, ResourceExt};

use super::helm::NAMESPACE;

/// The program runs in a cluster of `tests/cluster`, whose processes are this machine's; else it says what is left out.
pub fn are_ours(test: &str) -> bool {
    let ours = std::env::var_os("BACKSTAY_CLUSTER_NAME").is_some();
    if !ours {
        eprintln!("e2e: {test}: left out: the processes of this cluster are not this machine's");
    }
    ours
}

/// Ends the operator in this pod with SIGKILL: it can say no goodbye, and gives no lease back.
pub async fn kill(client: &Client, pod: &str) {
    let pods: Api<Pod> = Api::namespaced(client.clone(), NAMESPACE);
    let pod = pods.get(pod).await.unwrap_or_else(|e| panic!("reading the pod {pod}: {e}"));
    let id = id(&pod).unwrap_or_else(|| panic!("no process of the operator in {}", pod.name_any()));
    let done = Command::new("kill").args(["-KILL", &id.to_string()]).status().expect("kill runs");
    assert!(done.success(), "killing process {id} of {}", pod.name_any());
}

/// The id of the operator's process, by the control group of its pod and by its own name: a pause process is beside it.
fn id(pod: &Pod) -> Option<u32> {
    let group = format!("pod{}/", pod.uid()?);
    let processes = fs::read_dir("/proc").ok()?.flatten();
    let mut ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    ids.find(|id| {
        // One that ends meanwhile has neither file.
        let read = |file: &str| fs::read_to_string(format!("/proc/{id}/{file}")).unwrap_or_default();
        read("cgroup").contains(&group) && read("comm").trim() == "backstay"
    })
}
