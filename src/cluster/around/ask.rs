//! Single requests, each bounded in bytes and time, and what keeps them from being answered.

use std::fmt;
use std::pin::pin;
use std::time::Duration;

use futures::AsyncReadExt;
use http::Request as HttpRequest;
use kube::api::{ApiResource, DynamicObject, GetParams, ListParams};
use kube::core::Request;
use kube::{Client, Resource};
use serde_json::Value;

use super::clean;

/// One request takes no longer than this.
pub(super) const TIME: Duration = Duration::from_secs(2);
/// Bytes of one answer. Most objects have a few thousand, and none more than a million and a half.
const BYTES: u64 = 4 << 20;
/// Objects of one kind that are looked at.
const PAGE: u32 = 200;

/// Objects of one kind in one namespace.
#[derive(Debug, Default)]
pub struct List {
    items: Vec<Value>,
    /// There are more than were looked at.
    gap: Option<String>,
}

impl List {
    /// The objects; what is missing joins the gaps.
    pub fn told(self, gaps: &mut Vec<String>) -> Vec<Value> {
        gaps.extend(self.gap);
        self.items
    }
}

/// The answer, or its failure among the gaps.
pub fn keep<T>(answer: Result<T, String>, gaps: &mut Vec<String>) -> Option<T> {
    answer.map_err(|gap| gaps.push(gap)).ok()
}

/// One object as plain JSON: a typed one would lose the fields that this build does not know.
pub async fn get<K: Resource<DynamicType = ()>>(client: &Client, namespace: &str, name: &str) -> Result<Value, String> {
    let kind = ApiResource::erase::<K>(&());
    let request = Request::new(DynamicObject::url_path(&kind, Some(namespace))).get(name, &GetParams::default());
    fetch(client, request).await.map_err(|why| gap(&format!("{} {name}", kind.kind), &why))
}

/// The metadata of one object, and nothing else of it.
pub async fn metadata(client: &Client, kind: &ApiResource, namespace: Option<&str>, name: &str) -> Result<Value, Why> {
    let path = DynamicObject::url_path(kind, namespace);
    fetch(client, Request::new(path).get_metadata(name, &GetParams::default())).await
}

/// The first page of a list as plain JSON.
pub async fn list(client: &Client, namespace: &str, kind: &ApiResource) -> Result<List, String> {
    list_with(client, namespace, kind, ListParams::default()).await
}

/// The same, of those that match.
pub async fn list_with(
    client: &Client,
    namespace: &str,
    kind: &ApiResource,
    params: ListParams,
) -> Result<List, String> {
    let request = Request::new(DynamicObject::url_path(kind, Some(namespace))).list(&params.limit(PAGE));
    let mut answer = fetch(client, request).await.map_err(|why| gap(&kind.plural, &why))?;
    let items = answer.get_mut("items").map(Value::take);
    let items = if let Some(Value::Array(items)) = items { items } else { Vec::new() };
    let next = answer.pointer("/metadata/continue").and_then(Value::as_str).filter(|next| !next.is_empty());
    Ok(List { gap: next.map(|_| gap(&kind.plural, &format!("only {} were looked at", items.len()))), items })
}

/// Why a request gave nothing.
#[derive(Debug)]
pub enum Why {
    Missing,
    Forbidden,
    Other(String),
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("there is none"),
            Self::Forbidden => f.write_str("no right to read them"),
            Self::Other(why) => f.write_str(why),
        }
    }
}

impl From<kube::Error> for Why {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) if status.code == 404 => Self::Missing,
            kube::Error::Api(status) if status.code == 403 => Self::Forbidden,
            kube::Error::Api(status) => Self::Other(status.message),
            other => Self::Other(other.to_string()),
        }
    }
}

/// What was not looked at, for people.
pub fn gap(what: &str, why: &(impl fmt::Display + ?Sized)) -> String {
    clean(&format!("{what} ({why})"), 256)
}

type Built = Result<HttpRequest<Vec<u8>>, kube::core::request::Error>;

async fn fetch(client: &Client, request: Built) -> Result<Value, Why> {
    let request = request.map_err(|error| Why::Other(error.to_string()))?;
    let answer = async {
        let body = pin!(client.request_stream(request).await?);
        let mut bytes = Vec::new();
        let read = body.take(BYTES + 1).read_to_end(&mut bytes).await;
        read.map_err(|error| Why::Other(error.to_string()))?;
        if bytes.len() as u64 > BYTES {
            return Err(Why::Other(format!("more than {} MiB", BYTES >> 20)));
        }
        serde_json::from_slice(&bytes).map_err(|error| Why::Other(error.to_string()))
    };
    let answer = tokio::time::timeout(TIME, answer).await;
    answer.unwrap_or_else(|_| Err(Why::Other(format!("no answer within {} s", TIME.as_secs()))))
}
