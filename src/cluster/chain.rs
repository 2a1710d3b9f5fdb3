//! An error and what caused it, in one line for people.

use std::error::Error;

use super::text;

/// The whole chain, outermost first. kube's errors print their sources as well as naming them, and dump the whole
/// answer of the API server; here each link is said once.
pub fn chain(error: &(dyn Error + 'static)) -> Box<str> {
    let mut said = String::new();
    let mut link = Some(error);
    while let Some(error) = link {
        let (words, source) = words(error);
        if !words.is_empty() && !said.ends_with(&words) {
            if !said.is_empty() {
                said.push_str(": ");
            }
            said.push_str(&words);
        }
        link = source;
    }
    text::clean(&said.replace('\n', " "), text::MAX_MESSAGE)
}

/// What a link says by itself, and the next one.
fn words<'a>(error: &'a (dyn Error + 'static)) -> (String, Option<&'a (dyn Error + 'static)>) {
    let boxed = error.downcast_ref::<Box<kube::Error>>().map(AsRef::as_ref);
    if let Some(kube::Error::Api(status)) = error.downcast_ref().or(boxed) {
        let message = status.message.trim();
        // Answers that are no Status object get a sentence for a reason.
        let reason = Some(status.reason.as_str()).filter(|reason| !reason.is_empty() && !reason.contains(' '));
        let code = reason.map_or_else(|| status.code.to_string(), |reason| format!("{} {reason}", status.code));
        return (if message.is_empty() { code } else { format!("{message} ({code})") }, None);
    }
    let whole = error.to_string();
    let own = error.source().and_then(|source| whole.strip_suffix(&source.to_string()));
    let own = own.map_or(whole.as_str(), |own| own.trim_end_matches([':', ' '])).to_owned();
    (own, error.source())
}

#[cfg(test)]
mod tests {
    use kube::core::Status;
    use kube::runtime::watcher;

    use super::*;
    use crate::cluster::apply;

    fn refused(message: &str, reason: &str, code: u16) -> kube::Error {
        kube::Error::Api(Box::new(Status::failure(message, reason).with_code(code)))
    }

    #[test]
    fn the_api_servers_words_are_said_once() {
        let source = Box::new(refused("deployments.apps \"web\" is forbidden", "Forbidden", 403));
        let error = apply::Error::Call { doing: "patching", kind: "Deployment", name: "web".into(), source };
        assert_eq!(&*chain(&error), "patching Deployment web: deployments.apps \"web\" is forbidden (403 Forbidden)");
    }

    #[test]
    fn an_error_that_prints_its_source_says_it_once() {
        let source = refused("404 page not found\n", "Failed to parse error data", 404);
        let error = watcher::Error::InitialListFailed(source);
        assert_eq!(&*chain(&error), "failed to perform initial object list: 404 page not found (404)");
    }

    #[test]
    fn a_connection_that_breaks_is_told_to_its_cause() {
        let error = kube::Error::Service(Box::new(std::io::Error::other("connection reset")));
        assert_eq!(&*chain(&error), "ServiceError: connection reset");
    }
}
