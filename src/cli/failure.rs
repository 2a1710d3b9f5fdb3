//! What a command could not do, said in one line, with a hint where one helps.

use std::error::Error;

use crate::api::GROUP;
use crate::cluster::client::Busy;

/// What was being done, to which object, and why it did not work.
#[derive(Debug, thiserror::Error)]
#[error("{doing}: {why}")]
pub struct Failed {
    doing: String,
    why: String,
    hint: Option<String>,
}

impl Failed {
    pub fn new(doing: impl Into<String>, why: impl Into<String>) -> Self {
        Self { doing: doing.into(), why: why.into(), hint: None }
    }

    /// The failure of a call to the API server at `server`.
    pub fn call(doing: impl Into<String>, server: &str, error: &kube::Error) -> Self {
        let (why, hint) = explain(server, error);
        Self { doing: doing.into(), why, hint }
    }

    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

/// The definition of a kind of ours is not served.
///
/// A path that nobody serves is answered with the plain text `404 page not found`, an object that is missing with a
/// Status that names its kind (apiserver's `notFoundHandler`, and `NewNotFound` in pkg/api/errors).
pub fn is_unserved(error: &kube::Error) -> bool {
    let kube::Error::Api(status) = error else { return false };
    let named = status.details.as_ref().is_some_and(|details| !details.name.is_empty());
    status.code == 404 && !named
}

/// The innermost of nested errors says what happened; the outer ones say in which layer.
pub fn innermost(error: &dyn Error) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}

fn explain(server: &str, error: &kube::Error) -> (String, Option<String>) {
    if let Some(busy) = Busy::of(error) {
        return (busy.to_string(), None);
    }
    let kube::Error::Api(status) = error else {
        return match error {
            kube::Error::SerdeError(error) => (format!("the answer cannot be read: {error}"), None),
            other => {
                let hint = "is the cluster up, and is this the right context? `kubectl cluster-info` asks the same";
                (format!("{server} does not answer: {}", innermost(other)), Some(hint.to_owned()))
            }
        };
    };
    let said = if status.message.is_empty() { status.reason.clone() } else { status.message.clone() };
    let hint = match status.code {
        404 if is_unserved(error) => Some(format!(
            "the resources of {GROUP} are not installed: install the chart, or `backstay crds | kubectl apply --server-side -f -`"
        )),
        401 => Some("the credentials of this context are not accepted".to_owned()),
        _ => None,
    };
    let said = if is_unserved(error) { format!("the API server does not know {GROUP}/v1alpha1") } else { said };
    (said, hint)
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    fn answer(code: u16, message: &str, name: &str) -> kube::Error {
        let details = serde_json::json!({"name": name, "kind": "incidents"});
        let status = serde_json::json!({"code": code, "message": message, "reason": "x", "details": details});
        kube::Error::Api(serde_json::from_value::<Status>(status).unwrap().boxed())
    }

    #[test]
    fn missing_definitions_are_told_from_missing_objects() {
        let unserved = Failed::call("listing incidents", "https://c", &answer(404, "404 page not found", ""));
        assert_eq!(unserved.to_string(), "listing incidents: the API server does not know backstay.dev/v1alpha1");
        assert!(unserved.hint().unwrap().contains("backstay crds"));
        let missing = Failed::call("reading incident a", "https://c", &answer(404, "incidents \"a\" not found", "a"));
        assert_eq!(missing.to_string(), "reading incident a: incidents \"a\" not found");
        assert_eq!(missing.hint(), None);
    }

    #[test]
    fn what_is_forbidden_is_said_in_the_servers_words() {
        let refused = Failed::call("listing incidents", "https://c", &answer(403, "u cannot list", ""));
        assert_eq!(refused.to_string(), "listing incidents: u cannot list");
    }

    #[test]
    fn a_busy_cluster_is_not_taken_for_a_wrong_one() {
        let busy = Busy { code: http::StatusCode::TOO_MANY_REQUESTS, after: std::time::Duration::from_secs(1) };
        let failed = Failed::call("listing incidents", "https://c", &kube::Error::Service(busy.into()));
        let said = "listing incidents: the API server is busy (429 Too Many Requests) and asks to come back in 1 s";
        assert_eq!((failed.to_string().as_str(), failed.hint()), (said, None));
    }

    #[test]
    fn an_unreachable_cluster_is_named() {
        let error = kube::Error::Service("tcp connect error".into());
        let failed = Failed::call("listing incidents", "https://c:6443", &error);
        assert_eq!(failed.to_string(), "listing incidents: https://c:6443 does not answer: tcp connect error");
        assert!(failed.hint().unwrap().contains("cluster-info"));
    }
}
