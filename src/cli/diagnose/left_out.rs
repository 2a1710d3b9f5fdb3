use super::target;
use crate::engine::facts::WorkloadFacts;

/// An object that was left out, as far as it says what it is.
#[derive(Debug, Default)]
pub struct LeftOut {
    /// Its place and the reason, for people.
    pub said: String,
    pub kind: String,
    pub namespace: String,
    pub name: String,
}

impl LeftOut {
    /// It is a workload or a part of one, so what fails may stand in it.
    pub fn may_fail(&self) -> bool {
        target::makes_pods(&self.kind)
    }

    /// It is in this namespace, or may be.
    pub fn is_in(&self, namespace: &str) -> bool {
        self.namespace.is_empty() || self.namespace == namespace
    }

    /// It is the workload or a part of it, as far as names tell: what a workload makes is named after it.
    pub fn may_be_of(&self, workload: &WorkloadFacts) -> bool {
        let rest = self.name.strip_prefix(&*workload.name);
        self.is_in(&workload.namespace)
            && (self.name.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-')))
    }
}
