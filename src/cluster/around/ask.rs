//! Single requests, each bounded in bytes and time, and what keeps them from being answered.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::AsyncReadExt;
use http::Request as HttpRequest;
use kube::api::{ApiResource, DynamicObject, GetParams, ListParams};
use kube::core::Request;
use kube::{Client, Resource};
use serde_json::Value;

use super::parts::items;
use super::shown::{Look, NOT_GIVEN, Shown};
use super::{clean, parts};

/// One request takes no longer than this.
pub(super) const TIME: Duration = Duration::from_secs(2);
/// Bytes of one answer. Most objects have a few thousand, and none more than a million and a half.
const BYTES: u64 = 4 << 20;
/// Objects of one kind that are looked at.
const PAGE: u32 = 200;

/// Objects of one kind.
#[derive(Debug, Default)]
pub struct List {
    items: Vec<Arc<Value>>,
    /// There are more than were looked at.
    gap: Option<String>,
}

impl List {
    /// All objects there are were looked at.
    pub fn is_whole(&self) -> bool {
        self.gap.is_none()
    }

    /// The objects; what is missing joins the gaps.
    pub fn told(self, gaps: &mut Vec<String>) -> Vec<Arc<Value>> {
        gaps.extend(self.gap);
        self.items
    }
}

/// The answer, or its failure among the gaps.
pub fn keep<T>(answer: Result<T, String>, gaps: &mut Vec<String>) -> Option<T> {
    answer.map_err(|gap| note(gap, gaps)).ok()
}

/// Puts a gap to the others, once.
pub fn note(gap: String, gaps: &mut Vec<String>) {
    if !gaps.contains(&gap) {
        gaps.push(gap);
    }
}

/// Where objects are read.
#[derive(Clone, Copy)]
pub enum Source<'a> {
    Cluster(&'a Client),
    Input(&'a Shown),
}

impl Source<'_> {
    /// One object as plain JSON: a typed one would lose the fields that this build does not know.
    pub async fn get(&self, kind: &ApiResource, namespace: &str, name: &str) -> Result<Arc<Value>, String> {
        let missing = |why: &Why| gap(&format!("{} {name}", kind.kind), why);
        match self {
            Self::Cluster(client) => {
                let path = DynamicObject::url_path(kind, Some(namespace));
                let request = Request::new(path).get(name, &GetParams::default());
                fetch(client, request).await.map(Arc::new).map_err(|why| missing(&why))
            }
            Self::Input(shown) => of_input(shown.get(&kind.kind, namespace, name)).map_err(|why| missing(&why)),
        }
    }

    /// The metadata of one object, and nothing else of it.
    pub async fn metadata(&self, kind: &ApiResource, namespace: Option<&str>, name: &str) -> Result<Arc<Value>, Why> {
        match self {
            Self::Cluster(client) => {
                let path = DynamicObject::url_path(kind, namespace);
                let request = Request::new(path).get_metadata(name, &GetParams::default());
                fetch(client, request).await.map(Arc::new)
            }
            Self::Input(shown) => of_input(shown.get(&kind.kind, namespace.unwrap_or_default(), name)),
        }
    }

    /// The namespaces that have an object of this name, as far as they may be looked through.
    pub async fn namespaces_with(&self, kind: &ApiResource, name: &str) -> Vec<String> {
        let items = match self {
            Self::Cluster(client) => {
                let params = ListParams::default().fields(&format!("metadata.name={name}")).limit(PAGE);
                let request = Request::new(DynamicObject::url_path(kind, None)).list_metadata(&params);
                let answer = fetch(client, request).await.unwrap_or_default();
                items(&answer, "/items").iter().cloned().map(Arc::new).collect()
            }
            Self::Input(shown) => shown.list(&kind.kind, None).unwrap_or_default(),
        };
        // What answers a request need not heed what was asked.
        let named = items.iter().filter(|object| parts::name(object) == name).map(|object| parts::namespace(object));
        named.filter(|namespace| !namespace.is_empty()).map(|namespace| clean(namespace, 63)).collect()
    }

    /// The first page of a list as plain JSON, of one namespace or of all.
    pub async fn list(&self, namespace: Option<&str>, kind: &ApiResource) -> Result<List, String> {
        self.list_with(namespace, kind, ListParams::default()).await
    }

    /// The same, of those that match. An input is not searched: the caller leaves out what it did not ask for.
    pub async fn list_with(
        &self,
        namespace: Option<&str>,
        kind: &ApiResource,
        params: ListParams,
    ) -> Result<List, String> {
        let client = match self {
            Self::Cluster(client) => client,
            Self::Input(shown) => {
                let given = shown.list(&kind.kind, namespace).ok_or_else(|| gap(&kind.plural, NOT_GIVEN));
                return given.map(|items| List { items, gap: None });
            }
        };
        let request = Request::new(DynamicObject::url_path(kind, namespace)).list(&params.limit(PAGE));
        let mut answer = fetch(client, request).await.map_err(|why| gap(&kind.plural, &why))?;
        let items = answer.get_mut("items").map(Value::take);
        let items = if let Some(Value::Array(items)) = items { items } else { Vec::new() };
        let next = answer.pointer("/metadata/continue").and_then(Value::as_str).filter(|next| !next.is_empty());
        let gap = next.map(|_| gap(&kind.plural, &format!("only {} were looked at", items.len())));
        Ok(List { gap, items: items.into_iter().map(Arc::new).collect() })
    }
}

fn of_input(look: Look) -> Result<Arc<Value>, Why> {
    match look {
        Look::There(object) => Ok(object),
        Look::Gone => Err(Why::Missing),
        Look::Unknown => Err(Why::Other(NOT_GIVEN.to_owned())),
    }
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
