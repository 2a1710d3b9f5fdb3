//! One look at a cluster for a diagnosis, as far as the caller's rights go.
//!
//! Backstay need not be installed there, and only pods must be readable: whatever else cannot be read is a gap that
//! is told.

use k8s_openapi::api::apps::v1::{ControllerRevision, DaemonSet, Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Event, Namespace, Node, Pod, ReplicationController};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ListMeta;
use kube::api::ListParams;
use kube::core::Request;
use kube::{Client, Resource};
use serde::Deserialize;
use serde_json::Value;

use super::hints::NODE_EVENTS;
use super::intake::Intake;
use crate::api::{ClusterIncidentPolicy, Incident, IncidentPolicy, WorkloadHealth};

/// Objects per page of a list.
const PAGE: u32 = 500;

/// Pages of pods of other namespaces that are read to count what is free.
const MAX_PAGES: usize = 20;

/// What was seen.
#[derive(Debug, Default)]
pub struct Survey {
    pub intake: Intake,
    /// What could not be read, and what that means, for people.
    pub gaps: Vec<String>,
}

/// A page of a list, its objects as they are.
#[derive(Debug, Deserialize)]
struct Page {
    #[serde(default)]
    metadata: ListMeta,
    #[serde(default)]
    items: Vec<Value>,
}

impl Survey {
    /// Reads a namespace, or all of them.
    ///
    /// # Errors
    /// Pods that cannot be listed: without them there is nothing to say.
    pub async fn of(client: &Client, namespace: Option<&str>) -> Result<Self, kube::Error> {
        let mut survey = Self::default();
        // In this order, so that a pod always finds its revision: one that comes in between is missed, not misread.
        survey.list::<Pod>(client, namespace).await?;
        let and = "so no revisions can be compared";
        survey.also::<ReplicaSet>(client, namespace, and).await;
        survey.also::<Deployment>(client, namespace, "so pods are judged by themselves").await;
        survey.also::<StatefulSet>(client, namespace, "so their pods are judged by themselves").await;
        survey.also::<DaemonSet>(client, namespace, "so their pods are judged by themselves").await;
        survey.also::<Job>(client, namespace, "so their last pods have the last word").await;
        if survey.intake.has_pods_of("ReplicationController") {
            survey.also::<ReplicationController>(client, namespace, "so their pods are judged by themselves").await;
        }
        if survey.intake.wants_revisions() {
            survey.also::<ControllerRevision>(client, namespace, "so only pods tell how their revisions differ").await;
        }
        survey.also::<Node>(client, None, "so all are taken to be well").await;
        let events = survey.list::<Event>(client, namespace).await;
        survey.intake.events_read = events.is_ok();
        match (events, namespace) {
            (Err(error), _) => survey.gap::<Event>("so some causes stay unknown", &error),
            (Ok(()), Some(namespace)) if namespace != NODE_EVENTS => survey.node_events(client).await,
            (Ok(()), _) => {}
        }
        if let Some(namespace) = namespace.filter(|_| survey.lacks_room()) {
            survey.pods_elsewhere(client, namespace).await;
        }
        survey.own::<IncidentPolicy>(client, namespace).await;
        survey.own::<ClusterIncidentPolicy>(client, None).await;
        survey.own::<WorkloadHealth>(client, namespace).await;
        survey.own::<Incident>(client, namespace).await;
        if !survey.intake.own.cluster_policies.all().is_empty() {
            survey.also::<Namespace>(client, None, "so no ClusterIncidentPolicy selects any").await;
        }
        Ok(survey)
    }

    /// What events say of nodes, such as that one ran out of memory.
    async fn node_events(&mut self, client: &Client) {
        let params = ListParams::default().fields("involvedObject.kind=Node");
        if let Err(error) = self.list_with::<Event>(client, Some(NODE_EVENTS), params).await {
            let why = said(&error);
            self.gaps.push(format!("events of nodes cannot be read, so what befell a node may be missed: {why}"));
        }
    }

    /// A pod waits for room on a node, of which pods of other namespaces take some too.
    fn lacks_room(&self) -> bool {
        let conditions = self.intake.pods.values().flat_map(|pod| &pod.status.conditions);
        let mut said = conditions.filter_map(|condition| condition.message.as_deref());
        said.any(|message| message.contains("Insufficient cpu") || message.contains("Insufficient memory"))
    }

    /// What pods of other namespaces take. Where that is not known in full nothing is free to anybody's knowledge.
    async fn pods_elsewhere(&mut self, client: &Client, namespace: &str) {
        let fields =
            format!("spec.nodeName!=,status.phase!=Succeeded,status.phase!=Failed,metadata.namespace!={namespace}");
        let path = Request::new(Pod::url_path(&(), None));
        let mut params = ListParams::default().fields(&fields).limit(PAGE);
        for _ in 0..MAX_PAGES {
            let page = match path.list(&params).map_err(kube::Error::BuildRequest) {
                Ok(request) => client.request::<Page>(request).await,
                Err(error) => Err(error),
            };
            let page = match page {
                Ok(page) => page,
                Err(error) => return self.no_room(&said(&error)),
            };
            page.items.iter().for_each(|pod| self.intake.take_asks(pod));
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params.continue_token = Some(token),
                None => return,
            }
        }
        self.no_room("there are too many; -A counts them all");
    }

    fn no_room(&mut self, why: &str) {
        self.intake.asks.clear();
        let gap = "pods of other namespaces cannot be counted, so how much of a node is free is not told";
        self.gaps.push(format!("{gap}: {why}"));
    }

    /// A kind that may be missing.
    async fn also<K: Resource<DynamicType = ()>>(&mut self, client: &Client, namespace: Option<&str>, and: &str) {
        if let Err(error) = self.list::<K>(client, namespace).await {
            self.gap::<K>(and, &error);
        }
    }

    /// A kind of Backstay's own, which is not served where it is not installed.
    async fn own<K: Resource<DynamicType = ()>>(&mut self, client: &Client, namespace: Option<&str>) {
        match self.list::<K>(client, namespace).await {
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => self.gap::<K>("so none is taken to exist", &error),
            Ok(()) => {}
        }
    }

    fn gap<K: Resource<DynamicType = ()>>(&mut self, and: &str, error: &kube::Error) {
        self.gaps.push(format!("{} cannot be read, {and}: {}", K::plural(&()), said(error)));
    }

    async fn list<K: Resource<DynamicType = ()>>(
        &mut self,
        client: &Client,
        namespace: Option<&str>,
    ) -> Result<(), kube::Error> {
        self.list_with::<K>(client, namespace, ListParams::default()).await
    }

    async fn list_with<K: Resource<DynamicType = ()>>(
        &mut self,
        client: &Client,
        namespace: Option<&str>,
        params: ListParams,
    ) -> Result<(), kube::Error> {
        let path = Request::new(K::url_path(&(), namespace));
        let mut params = params.limit(PAGE);
        loop {
            let request = path.list(&params).map_err(kube::Error::BuildRequest)?;
            let page: Page = client.request(request).await?;
            let kind = K::kind(&());
            for object in page.items {
                if let Err(odd) = self.intake.take(object, Some(&kind)) {
                    self.gaps.push(format!("one of the {} was left out: {odd}", K::plural(&())));
                }
            }
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params.continue_token = Some(token),
                None => return Ok(()),
            }
        }
    }
}

fn said(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
#[path = "survey_tests.rs"]
mod tests;
