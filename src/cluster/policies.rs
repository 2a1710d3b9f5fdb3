//! Which policy governs a workload.
//!
//! A namespaced policy wins over a cluster one; inside a kind the higher priority wins, then the older policy, then
//! the name, so that every replica comes to the same answer. Where a policy of the namespace cannot be read, nobody knows
//! whom it governs and whether it lets act, so those of the cluster only observe there. The same holds where one of the
//! cluster cannot be read that may go before.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use kube::ResourceExt;
use kube::core::{Selector, SelectorExt};

use super::own::Own;
use super::readable::Reach;
use super::store::Labels;
use crate::api::policy::Terms;
use crate::api::selector::fault as fault_of;
use crate::api::{ClusterIncidentPolicy, IncidentPolicy};
use crate::config::Mode;
use crate::engine::builtin;
use crate::engine::facts::Name;
use crate::engine::policy::{self, Impact, Policy, Unread};
use crate::engine::text;

/// Bytes of a rule's name.
const MAX_RULE_NAME: usize = 63;

/// Policies ready for use, compiled once per generation.
#[derive(Debug)]
pub struct Policies {
    own: Arc<Own>,
    limit: Mode,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    compiled: BTreeMap<String, Arc<Compiled>>,
    /// Namespaces with a policy that cannot be read.
    unread: BTreeSet<String>,
    unread_of_cluster: Arc<[Obscure]>,
}

/// A policy with its selectors and its rules ready to be asked.
#[derive(Debug)]
pub struct Compiled {
    pub policy: Arc<Policy>,
    /// `None` for a namespaced policy, which selects in its own namespace only.
    namespaces: Option<Selector>,
    namespace: Option<String>,
    selector: Selector,
    rank: Rank,
    uid: String,
}

/// A policy for the whole cluster that cannot be read. What of it is not known may be anything.
#[derive(Debug)]
struct Obscure {
    namespaces: Option<Selector>,
    selector: Option<Selector>,
    rank: Option<Rank>,
}

/// Lower is stronger: first whether it is a cluster policy, then priority, age and name.
type Rank = (bool, Reverse<i32>, Option<Timestamp>, String);

/// The policy that governs a workload and those that would if it did not.
#[derive(Debug, Clone)]
pub struct Choice {
    pub policy: Arc<Policy>,
    /// It is one for the whole cluster.
    pub of_cluster: bool,
    pub overridden: Vec<Name>,
}

impl Policies {
    pub fn new(own: Arc<Own>, limit: Mode) -> Self {
        Self { own, limit, known: Mutex::default() }
    }

    /// Takes over what the policy objects say now. A policy whose selector cannot be read governs nothing; its status
    /// says so.
    pub fn refresh(&self) {
        let mut fresh = BTreeMap::new();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let unreadable = self.own.policies.unreadable();
        let mut unread: BTreeSet<String> = unreadable.into_iter().map(|((namespace, _), _)| namespace).collect();
        for policy in self.own.policies.all() {
            let namespace = policy.namespace().unwrap_or_default();
            let key = format!("{namespace}/{}", policy.name_any());
            if let Some(compiled) = reuse(&known.compiled, &key, policy.metadata.generation, policy.uid()) {
                fresh.insert(key, compiled);
            } else if let Ok(compiled) = namespaced(&policy, self.limit) {
                fresh.insert(key, Arc::new(compiled));
            } else {
                unread.insert(namespace);
            }
        }
        let unreadable = self.own.cluster_policies.unreadable();
        let mut unread_of_cluster: Vec<Obscure> =
            unreadable.iter().map(|(_, object)| Obscure::of(&object.metadata, &object.reach)).collect();
        for policy in self.own.cluster_policies.all() {
            let key = format!("/{}", policy.name_any());
            if let Some(compiled) = reuse(&known.compiled, &key, policy.metadata.generation, policy.uid()) {
                fresh.insert(key, compiled);
            } else if let Ok(compiled) = cluster(&policy, self.limit) {
                fresh.insert(key, Arc::new(compiled));
            } else {
                unread_of_cluster.push(Obscure::of(&policy.metadata, &reach(&policy)));
            }
        }
        *known = Known { compiled: fresh, unread, unread_of_cluster: unread_of_cluster.into() };
    }

    /// The policy that governs the workload, if any selects it.
    pub fn choose(&self, namespace: &str, labels: &Labels) -> Option<Choice> {
        let (compiled, unread, unread_of_cluster) = {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            let compiled: Vec<_> = known.compiled.values().cloned().collect();
            (compiled, known.unread.contains(namespace), known.unread_of_cluster.clone())
        };
        let mut selecting: Vec<&Arc<Compiled>> =
            compiled.iter().filter(|c| c.selector.matches(labels) && self.covers(c, namespace)).collect();
        selecting.sort_by(|a, b| a.rank.cmp(&b.rank));
        let (first, rest) = selecting.split_first()?;
        let goes_before = |u: &Obscure| {
            let covers = u.namespaces.as_ref().is_none_or(|selector| self.is_of(namespace, selector));
            let selects = covers && u.selector.as_ref().is_none_or(|selector| selector.matches(labels));
            selects && u.rank.as_ref().is_none_or(|rank| *rank < first.rank)
        };
        let unread_peer = || unread_of_cluster.iter().any(goes_before).then_some(Unread::OfCluster);
        let unread = unread.then_some(Unread::OfNamespace).or_else(unread_peer);
        let acts = first.namespaces.is_some() && first.policy.mode == policy::Mode::Enforce;
        let observing = |stands_in_for| {
            let policy = Policy::clone(first.policy.as_ref());
            Arc::new(Policy { mode: policy::Mode::Observe, stands_in_for: Some(stands_in_for), ..policy })
        };
        Some(Choice {
            policy: unread.filter(|_| acts).map_or_else(|| first.policy.clone(), observing),
            of_cluster: first.namespaces.is_some(),
            overridden: rest.iter().map(|c| c.policy.reference.clone()).collect(),
        })
    }

    fn covers(&self, compiled: &Compiled, namespace: &str) -> bool {
        match &compiled.namespaces {
            None => compiled.namespace.as_deref() == Some(namespace),
            Some(selector) => self.is_of(namespace, selector),
        }
    }

    /// The namespace is there, and the selector of a policy for the whole cluster fits it.
    fn is_of(&self, namespace: &str, selector: &Selector) -> bool {
        let found = self.own.namespaces.get("", namespace);
        found.is_some_and(|n| selector.matches(n.metadata.labels.as_ref().unwrap_or(&BTreeMap::new())))
    }
}

impl Obscure {
    fn of(metadata: &ObjectMeta, reach: &Reach) -> Self {
        let name = metadata.name.clone().unwrap_or_default();
        let created = metadata.creation_timestamp.as_ref().map(|t| t.0);
        let read = |selected: &Option<LabelSelector>| selected.as_ref().and_then(|s| selector(s).ok());
        Self {
            namespaces: read(&reach.namespaces),
            selector: read(&reach.selector),
            rank: reach.priority.map(|priority| (true, Reverse(priority), created, name)),
        }
    }
}

fn reach(object: &ClusterIncidentPolicy) -> Reach {
    Reach {
        selector: Some(object.spec.selector.clone()),
        namespaces: Some(object.spec.namespace_selector.clone()),
        priority: Some(object.spec.terms.priority),
    }
}

/// What is wrong with a policy that the API server let pass; `None` if nothing is.
pub fn fault(selectors: &[&LabelSelector], terms: &Terms) -> Option<String> {
    selectors.iter().find_map(|s| selector(s).err()).or_else(|| patterns(terms).err())
}

/// All patterns of the rules can be matched.
fn patterns(terms: &Terms) -> Result<(), String> {
    let faults = terms.rules.iter().filter_map(|rule| Some((rule, rule.matches.logs.fault()?)));
    match faults.map(|(rule, (at, because))| format!("match.logs[{at}] of rule {}: {because}", rule.name)).next() {
        Some(because) => Err(because),
        None => Ok(()),
    }
}

fn reuse(
    known: &BTreeMap<String, Arc<Compiled>>,
    key: &str,
    generation: Option<i64>,
    uid: Option<String>,
) -> Option<Arc<Compiled>> {
    let same = |c: &&Arc<Compiled>| Some(c.policy.generation) == generation && Some(&c.uid) == uid.as_ref();
    known.get(key).filter(same).cloned()
}

fn namespaced(object: &IncidentPolicy, limit: Mode) -> Result<Compiled, String> {
    let name = object.name_any();
    patterns(&object.spec.terms)?;
    Ok(Compiled {
        policy: Arc::new(compile(
            format!("IncidentPolicy/{name}"),
            object.metadata.generation,
            &object.spec.terms,
            limit,
        )),
        namespaces: None,
        namespace: object.namespace(),
        selector: selector(&object.spec.selector)?,
        rank: (false, Reverse(object.spec.terms.priority), object.creation_timestamp().map(|t| t.0), name),
        uid: object.uid().unwrap_or_default(),
    })
}

fn cluster(object: &ClusterIncidentPolicy, limit: Mode) -> Result<Compiled, String> {
    let name = object.name_any();
    let reference = format!("ClusterIncidentPolicy/{name}");
    patterns(&object.spec.terms)?;
    Ok(Compiled {
        policy: Arc::new(compile(reference, object.metadata.generation, &object.spec.terms, limit)),
        namespaces: Some(selector(&object.spec.namespace_selector)?),
        namespace: None,
        selector: selector(&object.spec.selector)?,
        rank: (true, Reverse(object.spec.terms.priority), object.creation_timestamp().map(|t| t.0), name),
        uid: object.uid().unwrap_or_default(),
    })
}

/// The policy with every default and the built-in table.
pub fn compile(reference: String, generation: Option<i64>, terms: &Terms, limit: Mode) -> Policy {
    let mut rules = terms.rules.clone();
    // The API server refuses longer names, and would refuse an incident that bears one; a file may hold any.
    rules.iter_mut().for_each(|rule| rule.name = text::head(&rule.name, MAX_RULE_NAME).to_owned());
    rules.extend(builtin::rules());
    Policy {
        reference: Name::from(reference),
        generation: generation.unwrap_or_default(),
        mode: limit.limit(terms.mode),
        rollout: terms.rollout.clone(),
        rules,
        guards: terms.guards.clone(),
        logs: terms.logs,
        impact: terms.impact.as_ref().and_then(Impact::said),
        stands_in_for: None,
    }
}

/// The selector ready to be asked, or why it cannot be.
fn selector(selector: &LabelSelector) -> Result<Selector, String> {
    if let Some(because) = fault_of(selector) {
        return Err(because.to_owned());
    }
    Selector::try_from(selector.clone()).map_err(|e| format!("the selector is not valid: {e}"))
}

#[cfg(test)]
#[path = "policies_tests.rs"]
mod tests;
