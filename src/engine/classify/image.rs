//! Images that cannot be pulled: pkg/kubelet/images/{types,image_manager}.go for the reasons, containerd, CRI-O and
//! registries for the texts.

use std::sync::LazyLock;

use super::hint;
use super::look::{Look, SYNCS, waiting};
use super::text::{Reading, Table, contains, reading};
use crate::engine::facts::{ContainerFacts, EventFacts};
use crate::engine::finding::{Detail, Symptom, Told};
use crate::engine::message::{Message, Speaker};
use crate::engine::observe::telling;
use crate::engine::words::{Cause, Class, Sureness};

pub(super) fn symptom<'a>(look: &Look<'_, 'a>, container: &'a ContainerFacts) -> Option<Symptom<'a>> {
    let (reason, shown) = waiting(container)?;
    if !is_pull_reason(reason) {
        return None;
    }
    let kept = look.spell(container).map(|spell| &spell.message).filter(|message| telling(message));
    let message = if telling(shown) { shown } else { kept.unwrap_or(shown) };
    // A back-off has overwritten the text, or nobody watched when it showed: its event may still be there.
    let failed = if telling(message) { None } else { look.event_of(container, is_of_pull) };
    let said = read(reason, failed.map_or(message, |told| &told.event.message));
    let without_secret = without_secret(look, said);
    // The text of the pull is lost, and what the kubelet could not find before it is not.
    let said =
        if without_secret.is_some() && said.cause == Cause::Unknown { self::said(Cause::RegistryAuth) } else { said };
    let told = failed.or(without_secret);
    // The kubelet backs off from pulls alone.
    let (attempts, pace) = match reason {
        "ImageInspectError" => (look.attempts_by_time(container), Some(SYNCS)),
        _ => (look.spell(container).map_or(1, |spell| spell.attempts), None),
    };
    let detail = Detail::Waiting { reason, message };
    let symptom = look.on_container(container, said, look.waiting_since(container), detail);
    Some(hint::with(Symptom { occurrences: attempts, pace, ..symptom }, told))
}

/// What a node may not do to its own files, as in `lchown /x: permission denied: unknown`. Registries begin with their
/// `denied: `, whatever comes behind it.
const BY_NODE: &str = "permission denied: ";

/// `Failed` and `BackOff` are reasons of other events too.
fn is_of_pull(event: &EventFacts) -> bool {
    match &*event.reason {
        "Failed" => event.message.starts_with("Failed to pull image "),
        "BackOff" => event.message.starts_with("Back-off pulling image ") && telling(&event.message),
        _ => false,
    }
}

/// The registry refuses, and the kubelet has said which pull secret it could not find.
fn without_secret<'a>(look: &Look<'_, 'a>, said: Reading) -> Option<Told<'a>> {
    let refused = matches!(said.cause, Cause::RegistryAuth | Cause::ImageMissingOrPrivate | Cause::Unknown);
    look.event(|event| refused && hint::is(event, "FailedToRetrieveImagePullSecret"))
}

pub(super) fn is_pull_reason(reason: &str) -> bool {
    matches!(
        reason,
        "ErrImagePull"
            | "ImagePullBackOff"
            | "InvalidImageName"
            | "ErrImageNeverPull"
            | "ImageInspectError"
            | "RegistryUnavailable"
            | "SignatureValidationFailed"
    )
}

fn read(reason: &str, message: &Message) -> Reading {
    match reason {
        "InvalidImageName" => return said(Cause::InvalidImageName),
        "ErrImageNeverPull" => return said(Cause::NeverPullPolicy),
        "SignatureValidationFailed" => return said(Cause::SignatureRejected),
        _ => {}
    }
    let read = message.says(&TEXTS, of_text);
    // What cannot be inspected is on the node already: whatever the runtime says is not about a registry.
    if reason == "ImageInspectError" {
        let told = read.filter(|read| matches!(read.cause, Cause::NodeDiskFull | Cause::InvalidImageName));
        return told.unwrap_or(said(Cause::Unknown));
    }
    read.unwrap_or_else(|| match reason {
        "RegistryUnavailable" => said(Cause::RegistryUnreachable),
        _ => said(Cause::Unknown),
    })
}

/// What the text of a pull says, by its phrases or by its form.
pub(super) fn of_text(texts: &Table, text: &str) -> Option<Reading> {
    let read = |text: &str| texts.read_part(text).or_else(|| by_form(text));
    if contains(text, BY_NODE) { read(&text.to_ascii_lowercase().replace(BY_NODE, "")) } else { read(text) }
}

/// What is told by its form, with a name or a number in its middle; and what says the least, for when nothing else does.
fn by_form(message: &str) -> Option<Reading> {
    let outside_quotes: String = message.split('"').step_by(2).collect::<String>().to_ascii_lowercase();
    let then =
        |first: &str, second: &str| outside_quotes.split_once(first).is_some_and(|(_, rest)| rest.contains(second));
    if has_server_error(&outside_quotes) {
        return Some(said(Cause::RegistryError));
    }
    if then("manifest for ", " not found") || names_what_is_missing(&outside_quotes) {
        return Some(said(Cause::ImageNotFound));
    }
    if then("manifest", "invalid") || outside_quotes.contains("invalid manifest") {
        return Some(said(Cause::RegistryError));
    }
    // ghcr.io says no more than this, and CRI-O says it of both its attempts.
    if outside_quotes.split([';', ')', '\n']).any(|part| part.trim_end().ends_with(": denied")) {
        return Some(said(Cause::RegistryAuth));
    }
    LEAST.read_part(&outside_quotes)
}

/// Harbor names what it does not have, as in `unknown: artifact shop/web:9 not found`.
fn names_what_is_missing(text: &str) -> bool {
    let is_missing = |kind: &str| {
        let named = text.split(kind).skip(1).filter_map(|rest| rest.split_once(' '));
        named.map(|(_, rest)| rest).any(|rest| rest.starts_with("not found"))
    };
    is_missing("unknown: artifact ") || is_missing("unknown: repository ")
}

/// A status of HTTP from 500 on. Digests and ports hold such numbers too, so it must stand by itself, after it was said to
/// be a status.
fn has_server_error(text: &str) -> bool {
    let Some((_, after)) = text.split_once("status") else { return false };
    after.split([' ', ',', ';', '(', ')']).any(|word| {
        let word = word.trim_matches([':', '.']);
        word.len() == 3 && word.starts_with('5') && word.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// A bad name, a policy of `Never` and a registry that says "not found" do not get better by trying again.
fn said(cause: Cause) -> Reading {
    let sureness = match cause {
        Cause::InvalidImageName | Cause::NeverPullPolicy | Cause::ImageNotFound => Sureness::Definitive,
        _ => Sureness::Repeated,
    };
    reading(Class::ImagePullBackOff, cause, sureness)
}

/// The order decides. containerd ends the text of a missing platform with "not found" and that of a refusal which
/// may mean a missing repository with "authorization failed".
pub(super) static TEXTS: LazyLock<Table> = LazyLock::new(|| {
    Table::new(
        Speaker::Registry,
        &[
            (
                // CRI-O looks short names up in a list of the node, and may refuse those that stand for several images.
                &["invalid reference format", "did not resolve to an alias", "short name mode is enforcing"],
                said(Cause::InvalidImageName),
            ),
            (&["no space left on device"], said(Cause::NodeDiskFull)),
            // The node has lost a layer that it says it has.
            (&["parent snapshot ", "failed to prepare extraction snapshot"], said(Cause::Unknown)),
            // A proxy answers with a page of its own where an image was asked for.
            (&["unexpected media type text/html"], said(Cause::RegistryError)),
            (
                &[
                    "no match for platform in manifest",
                    "no image found in manifest list for architecture",
                    "no image found in image index for architecture",
                    "no matching manifest for",
                    // Windows.
                    "image is incompatible with a ",
                ],
                said(Cause::PlatformMismatch),
            ),
            (
                &["toomanyrequests", "429 too many requests", "too many requests to registry", "pull rate limit"],
                said(Cause::RegistryRateLimited),
            ),
            (
                // The repository "does not exist or may require authorization".
                &["pull access denied"],
                said(Cause::ImageMissingOrPrivate),
            ),
            (
                &[
                    "401 unauthorized",
                    "403 forbidden",
                    "invalid status code from registry 403",
                    "unauthorized: ",
                    "unauthorized access",
                    "insufficient_scope",
                    "authorization token has expired",
                    "denied: ",
                    "requested access to the resource is denied",
                    "no basic auth credentials",
                ],
                said(Cause::RegistryAuth),
            ),
            (
                &[": not found", "manifest unknown", "name unknown", "repository name not known to registry"],
                said(Cause::ImageNotFound),
            ),
            (
                &["x509: ", "tls: ", "tls handshake timeout", "server gave http response to https client"],
                said(Cause::RegistryTls),
            ),
            (
                &[
                    "dial tcp: lookup ",
                    ":53: ",
                    "no such host",
                    "server misbehaving",
                    "temporary failure in name resolution",
                ],
                said(Cause::RegistryDns),
            ),
            (
                &[
                    "connection refused",
                    "connection reset by peer",
                    "i/o timeout",
                    "no route to host",
                    "network is unreachable",
                    "proxyconnect",
                    "unexpected eof",
                    ": eof",
                    "context deadline exceeded",
                    "context canceled",
                    "client.timeout exceeded",
                    // containerd and Docker, of a pull that stands still.
                    "image pulling cancelled",
                    "cancel image pulling",
                ],
                said(Cause::RegistryUnreachable),
            ),
            (
                &[
                    "signature validation failed",
                    "source image rejected",
                    // Harbor, of images that are not signed, not scanned or not safe enough.
                    "cannot be pulled due to configured policy",
                    "412 precondition failed",
                ],
                said(Cause::SignatureRejected),
            ),
            (
                &[
                    "500 internal server error",
                    "502 bad gateway",
                    "503 service unavailable",
                    "504 gateway timeout",
                    "manifest invalid",
                ],
                said(Cause::RegistryError),
            ),
        ],
    )
    .outside_quotes()
});

/// Of a token that could not be fetched it says only at which step something failed.
static LEAST: LazyLock<Table> = LazyLock::new(|| {
    let phrases: &[&str] =
        &["failed to fetch anonymous token", "failed to fetch oauth token", "failed to authorize", "unauthorized"];
    Table::new(Speaker::Registry, &[(phrases, said(Cause::RegistryAuth))])
});
