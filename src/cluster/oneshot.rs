//! One look at a namespace from outside: the same facts as the operator's watches bring, read once.
//!
//! What only time shows is not in it: how often readiness was lost, and the exits of pods older than the rollout.

use std::fmt::Debug;
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::ListParams;
use kube::runtime::watcher::Event;
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use thiserror::Error;

use super::gather::{self, Seen};
use super::own::Own;
use super::readable::Readable;
use super::shelf::Shelf;
use super::slim::{SlimDeployment, SlimNode, SlimPod, SlimReplicaSet};
use super::store::{Source, Stored, Stores, WorkloadKey};
use crate::api::{ClusterIncidentPolicy, Incident, IncidentPolicy, WorkloadHealth, keys};
use crate::engine::facts::{EventsFacts, FleetFacts, Snapshot};
use crate::engine::policy::Policy;
use crate::engine::surroundings::Surroundings;

/// Objects per page of a list.
const PAGE: u32 = 500;
const SOURCE: Source = Source(0);

/// Something without which nothing can be said could not be read.
#[derive(Debug, Error)]
#[error("listing {kind} in {place}")]
pub struct Error {
    pub kind: String,
    pub place: String,
    #[source]
    pub source: Box<kube::Error>,
}

/// What was seen of one namespace.
#[derive(Debug)]
pub struct Sight {
    pub stores: Stores,
    pub own: Arc<Own>,
    /// What lies around one of the workloads, if that was read.
    around: Option<(WorkloadKey, Arc<Surroundings>)>,
    /// What could not be read, and what is assumed instead, for people.
    pub gaps: Vec<String>,
    /// Among what could not be read may be a policy that selects workloads here.
    pub may_miss_policies: bool,
    pub at: Timestamp,
}

impl Sight {
    pub fn empty(at: Timestamp) -> Self {
        Self {
            stores: Stores::default(),
            own: Own::new(),
            around: None,
            gaps: Vec::new(),
            may_miss_policies: false,
            at,
        }
    }

    /// Adds what was read around a workload; what could not be is among the gaps.
    pub fn look_around(&mut self, key: WorkloadKey, around: Surroundings) {
        self.gaps.extend(around.gaps.iter().map(|gap| format!("not looked at: {gap}")));
        self.around = Some((key, Arc::new(around)));
    }

    /// Takes in watched objects of one kind, all of them at once.
    pub fn take<K: Stored>(&self, objects: impl IntoIterator<Item = K>) {
        K::apply(&self.stores, SOURCE, Event::Init, self.at);
        for object in objects {
            K::apply(&self.stores, SOURCE, Event::InitApply(object), self.at);
        }
        K::apply(&self.stores, SOURCE, Event::InitDone, self.at);
    }

    /// What one decision is made from; `None` if there is no such workload.
    pub fn snapshot(&self, key: &WorkloadKey, policy: Arc<Policy>, fleet: FleetFacts) -> Option<Snapshot> {
        let (workload, revisions, pods, nodes) = self.stores.workload(key)?;
        let memory = gather::memory(&self.own, &workload, &Seen::default());
        let logs = gather::logs(&self.own, &workload);
        Some(Snapshot {
            workload,
            revisions,
            pods,
            nodes,
            events: EventsFacts::default(),
            policy,
            memory,
            fleet,
            surroundings: self.around.as_ref().filter(|(of, _)| of == key).map(|(_, around)| around.clone()),
            logs,
            data_age_seconds: 0,
        })
    }
}

/// Puts own objects on their shelf.
pub fn shelve<K>(shelf: &Shelf<K>, objects: impl IntoIterator<Item = Readable<K>>)
where
    K: Resource<DynamicType = ()> + Clone,
{
    for object in objects {
        shelf.apply("", Event::Apply(object));
    }
}

/// Reads everything that judging the workloads of a namespace needs.
///
/// # Errors
/// A kind in the namespace that cannot be listed. What lies outside of it may be missing: the caller may not be
/// allowed to see it, and `gaps` says what that means.
pub async fn look(client: &Client, namespace: &str, at: Timestamp) -> Result<Sight, Error> {
    let mut sight = Sight::empty(at);
    let (policies, health, incidents) = tokio::try_join!(
        list::<Readable<IncidentPolicy>>(client, namespace),
        list::<Readable<WorkloadHealth>>(client, namespace),
        list::<Readable<Incident>>(client, namespace),
    )?;
    shelve(&sight.own.policies, policies);
    shelve(&sight.own.health, health);
    shelve(&sight.own.incidents, incidents);
    // In this order, so that a pod always finds its revision: one that comes in between is missed, not misread.
    let pods = list::<SlimPod>(client, namespace).await?;
    let sets = list::<SlimReplicaSet>(client, namespace).await?;
    let deployments = list::<SlimDeployment>(client, namespace).await?;
    sight.take(deployments);
    sight.take(sets);
    sight.take(pods);
    around(client, namespace, &mut sight).await;
    Ok(sight)
}

/// What lies outside the namespace.
async fn around(client: &Client, namespace: &str, sight: &mut Sight) {
    let (metadata, nodes, cluster_policies) = (
        Api::<Namespace>::all(client.clone()),
        Api::<SlimNode>::all(client.clone()),
        Api::<Readable<ClusterIncidentPolicy>>::all(client.clone()),
    );
    let storms = Api::<Readable<Incident>>::all(client.clone());
    let (metadata, nodes, cluster_policies, storms) = tokio::join!(
        metadata.get_metadata(namespace),
        pages(&nodes, ListParams::default()),
        pages(&cluster_policies, ListParams::default()),
        pages(&storms, ListParams::default().labels(keys::STORM)),
    );
    sight.may_miss_policies = metadata.is_err() || cluster_policies.is_err();
    match metadata {
        Ok(metadata) => shelve(&sight.own.namespaces, [Readable(Ok(metadata))]),
        Err(error) => sight.gap("the namespace", "no ClusterIncidentPolicy is taken to select it", &error),
    }
    match nodes {
        Ok(nodes) => sight.take(nodes),
        Err(error) => sight.gap("nodes", "all are taken to be well", &error),
    }
    match cluster_policies {
        Ok(policies) => shelve(&sight.own.cluster_policies, policies),
        Err(error) => sight.gap("ClusterIncidentPolicies", "none is taken to exist", &error),
    }
    match storms {
        Ok(storms) => shelve(&sight.own.incidents, storms),
        Err(error) => sight.gap("incidents of other namespaces", "no storm is taken to be on", &error),
    }
}

impl Sight {
    fn gap(&mut self, what: &str, instead: &str, error: &kube::Error) {
        let why = match error {
            kube::Error::Api(status) => status.message.clone(),
            other => other.to_string(),
        };
        self.gaps.push(format!("{what} cannot be read, so {instead}: {why}"));
    }
}

async fn list<K>(client: &Client, namespace: &str) -> Result<Vec<K>, Error>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
{
    let api = Api::<K>::namespaced(client.clone(), namespace);
    pages(&api, ListParams::default()).await.map_err(|source| Error {
        kind: K::plural(&()).into_owned(),
        place: format!("namespace {namespace}"),
        source: Box::new(source),
    })
}

/// All objects, read in pages.
///
/// # Errors
/// What the API server answered to a page.
pub async fn pages<K>(api: &Api<K>, params: ListParams) -> Result<Vec<K>, kube::Error>
where
    K: Resource + Clone + Debug + DeserializeOwned,
{
    let mut params = params.limit(PAGE);
    let mut all = Vec::new();
    loop {
        let page = api.list(&params).await?;
        all.extend(page.items);
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params.continue_token = Some(token),
            None => return Ok(all),
        }
    }
}
