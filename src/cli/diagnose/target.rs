use std::fmt;

use super::Diagnosed;

/// A workload as people name it to kubectl.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// As in the object; `None` where only a name was given.
    kind: Option<&'static str>,
    name: String,
}

/// Kinds with the names that kubectl knows them by.
const KINDS: [(&str, &[&str]); 7] = [
    ("Deployment", &["deployment", "deployments", "deploy", "deployment.apps", "deployments.apps"]),
    ("ReplicaSet", &["replicaset", "replicasets", "rs", "replicaset.apps", "replicasets.apps"]),
    ("StatefulSet", &["statefulset", "statefulsets", "sts", "statefulset.apps", "statefulsets.apps"]),
    ("DaemonSet", &["daemonset", "daemonsets", "ds", "daemonset.apps", "daemonsets.apps"]),
    ("Job", &["job", "jobs", "job.batch", "jobs.batch"]),
    ("ReplicationController", &["replicationcontroller", "replicationcontrollers", "rc"]),
    ("Pod", &["pod", "pods", "po"]),
];

/// Objects of this kind are workloads or parts of them.
pub fn makes_pods(kind: &str) -> bool {
    KINDS.iter().any(|(known, _)| *known == kind)
}

impl Target {
    /// `NAME` or `KIND/NAME`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (kind, name) = match text.split_once('/') {
            None => (None, text),
            Some((kind, name)) => {
                let known = KINDS.iter().find(|(_, names)| names.contains(&kind.to_ascii_lowercase().as_str()));
                (Some(known.ok_or_else(|| format!("{kind} is nothing that makes pods"))?.0), name)
            }
        };
        if name.is_empty() || name.contains('/') {
            return Err("write NAME or KIND/NAME".to_owned());
        }
        Ok(Self { kind, name: name.to_owned() })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// The workload of that kind and name, or else the one that a pod of that name belongs to; and the others.
    pub fn among(&self, all: Vec<Diagnosed>) -> (Vec<Diagnosed>, Vec<Diagnosed>) {
        let named = |found: &Diagnosed| {
            let workload = &found.case.snapshot.workload;
            *workload.name == *self.name && self.kind.is_none_or(|kind| *workload.kind == *kind)
        };
        if all.iter().any(named) {
            return all.into_iter().partition(named);
        }
        let of_pod = |found: &Diagnosed| found.case.snapshot.pods.iter().any(|pod| *pod.name == *self.name);
        let of_set = |found: &Diagnosed| found.case.snapshot.revisions.iter().any(|set| *set.name == *self.name);
        all.into_iter().partition(|found| match self.kind {
            None | Some("Pod") => of_pod(found),
            Some("ReplicaSet") => of_set(found),
            Some(_) => false,
        })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Some(kind) => write!(f, "{}/{}", kind.to_ascii_lowercase(), self.name),
            None => f.write_str(&self.name),
        }
    }
}
