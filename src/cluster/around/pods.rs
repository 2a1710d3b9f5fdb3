//! Asking the API server whether it would take a pod, without creating one.

use k8s_openapi::api::core::v1::Pod;
use kube::api::PostParams;
use kube::{Api, Client};
use serde_json::{Value, json};

use super::ask::{TIME, gap};
use super::clean;
use crate::api::WORKLOAD_MANAGER;

/// Why the API server would not take a pod of this template; `None` if it would.
///
/// # Errors
/// What kept it from being asked, for people.
pub async fn refusal(client: &Client, namespace: &str, template: &Value) -> Result<Option<String>, String> {
    let unasked = |why: &str| Err(gap("whether pods of the baseline would be accepted", why));
    let pod = match pod(template) {
        Ok(pod) => pod,
        Err(error) => return unasked(&error.to_string()),
    };
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let params = PostParams { dry_run: true, field_manager: Some(WORKLOAD_MANAGER.to_owned()) };
    match tokio::time::timeout(TIME, api.create(&params, &pod)).await {
        Ok(Ok(_)) => Ok(None),
        Ok(Err(kube::Error::Api(status))) => match meaning(status.code, &status.message) {
            Meaning::Refused => Ok(Some(clean(&status.message, 256))),
            Meaning::Unasked(why) => unasked(why),
        },
        Ok(Err(error)) => unasked(&error.to_string()),
        Err(_) => unasked("no answer in time"),
    }
}

#[derive(Debug, PartialEq, Eq)]
pub enum Meaning {
    Refused,
    /// The answer says nothing about the pod.
    Unasked(&'static str),
}

/// What an error says about the pod.
pub fn meaning(code: u16, message: &str) -> Meaning {
    match code {
        403 if message.contains("cannot create resource") => Meaning::Unasked("no right to create pods"),
        // The failing revision's pods take up what is left, and they go when the baseline comes.
        403 if message.contains("exceeded quota") => {
            Meaning::Unasked("the quota is used up while the failing pods run")
        }
        400 if message.contains("does not support dry run") => Meaning::Unasked("a webhook does not support dry runs"),
        400 | 403 | 422 => Meaning::Refused,
        500 if message.contains("failed calling webhook") => Meaning::Refused,
        _ => Meaning::Unasked("the API server did not answer the question"),
    }
}

fn pod(template: &Value) -> Result<Pod, serde_json::Error> {
    let metadata = |key: &str| template.pointer(&format!("/metadata/{key}")).cloned().unwrap_or(Value::Null);
    serde_json::from_value(json!({
        "metadata": {"generateName": "backstay-dry-run-", "labels": metadata("labels"), "annotations": metadata("annotations")},
        "spec": template.get("spec").cloned().unwrap_or(Value::Null),
    }))
}
