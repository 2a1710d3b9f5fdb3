use rstest::rstest;

use super::build::*;
use crate::engine::classify::classify;
use crate::engine::finding::Detail;
use crate::engine::words::{Cause, Class, Sureness};

fn cause_of(message: &str) -> Cause {
    let s = only(pod([waiting("ErrImagePull", message)]));
    let symptom = single(&s, at(10));
    assert_eq!(symptom.class, Class::ImagePullBackOff);
    symptom.cause
}

const RESOLVE: &str =
    "failed to pull and unpack image \"127.0.0.1:5000/web:9\": failed to resolve reference \"127.0.0.1:5000/web:9\": ";

#[rstest]
#[case::tag_missing("127.0.0.1:5000/web:9: not found", Cause::ImageNotFound)]
#[case::unknown("reading manifest 9 in 127.0.0.1:5000/web: manifest unknown", Cause::ImageNotFound)]
#[case::platform_ends_with_not_found(
    "no match for platform in manifest sha256:40340304: not found",
    Cause::PlatformMismatch
)]
#[case::platform_of_crio(
    "choosing image instance: no image found in manifest list for architecture arm64, variant \"v8\", OS linux",
    Cause::PlatformMismatch
)]
#[case::rate_limit("unexpected status from HEAD request: 429 Too Many Requests", Cause::RegistryRateLimited)]
#[case::rate_limit_by_code(
    "toomanyrequests: You have reached your unauthenticated pull rate limit.",
    Cause::RegistryRateLimited
)]
#[case::rate_limit_at_the_token(
    "failed to authorize: failed to fetch anonymous token: unexpected status: 429 Too Many Requests",
    Cause::RegistryRateLimited
)]
#[case::refusal_that_may_mean_missing(
    "pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed",
    Cause::ImageMissingOrPrivate
)]
#[case::unauthorized(
    "failed to authorize: failed to fetch oauth token: unexpected status: 401 Unauthorized",
    Cause::RegistryAuth
)]
#[case::forbidden(
    "unexpected status from HEAD request to https://127.0.0.1:5000/v2/web: 403 Forbidden",
    Cause::RegistryAuth
)]
#[case::no_credentials("no basic auth credentials", Cause::RegistryAuth)]
#[case::token_and_nothing_else("failed to authorize: failed to fetch anonymous token", Cause::RegistryAuth)]
#[case::tls(
    "failed to do request: Head \"https://127.0.0.1:5000/v2/\": tls: failed to verify certificate: x509: certificate signed by unknown authority",
    Cause::RegistryTls
)]
#[case::plain_http("http: server gave HTTP response to HTTPS client", Cause::RegistryTls)]
#[case::dns(
    "failed to do request: Head \"https://reg.invalid/v2/\": dial tcp: lookup reg.invalid on 10.0.0.10:53: no such host",
    Cause::RegistryDns
)]
#[case::dns_at_the_token(
    "failed to authorize: failed to fetch anonymous token: Get \"https://auth.invalid/token\": dial tcp: lookup auth.invalid: no such host",
    Cause::RegistryDns
)]
#[case::dns_by_timeout(
    "dial tcp: lookup reg.invalid on 10.0.0.10:53: read udp 10.0.0.2:4->10.0.0.10:53: i/o timeout",
    Cause::RegistryDns
)]
#[case::refused("dial tcp 127.0.0.1:5000: connect: connection refused", Cause::RegistryUnreachable)]
#[case::timeout("dial tcp 10.0.0.1:443: i/o timeout", Cause::RegistryUnreachable)]
#[case::disk("failed to copy: write /var/lib/x: no space left on device", Cause::NodeDiskFull)]
#[case::signature("Source image rejected: A signature was required, but no signature exists", Cause::SignatureRejected)]
#[case::server_error("unexpected status from HEAD request: 503 Service Unavailable", Cause::RegistryError)]
#[case::server_error_of_any_number(
    "unexpected status from HEAD request to http://127.0.0.1:5000/v2/: 520 <none>",
    Cause::RegistryError
)]
#[case::server_error_without_words("received unexpected HTTP status: 507 Insufficient Storage", Cause::RegistryError)]
#[case::server_error_by_its_code("invalid status code from registry 502 (Bad Gateway)", Cause::RegistryError)]
#[case::server_error_at_the_token(
    "failed to authorize: failed to fetch oauth token: unexpected status from GET request to http://127.0.0.1:5000/token: 599",
    Cause::RegistryError
)]
#[case::manifest_that_is_none("manifest type application/json is invalid", Cause::RegistryError)]
#[case::no_manifest("manifest for 127.0.0.1:5000/web:9 not found", Cause::ImageNotFound)]
#[case::no_progress("image pulling cancelled: no progress for 1m0s", Cause::RegistryUnreachable)]
#[case::no_progress_before("cancel image pulling: no progress", Cause::RegistryUnreachable)]
#[case::unauthorized_and_no_more("unauthorized", Cause::RegistryAuth)]
#[case::denied("requested access to the resource is denied", Cause::RegistryAuth)]
#[case::dns_of_musl("lookup reg.invalid on 10.0.0.10:53: Try again", Cause::RegistryDns)]
#[case::another_status("unexpected status from HEAD request to http://127.0.0.1:5000/v2/: 418 teapot", Cause::Unknown)]
#[case::digest_with_status_numbers("sha256:404403429500aa cannot be used", Cause::Unknown)]
#[case::rpc_code_alone_is_unreliable("rpc error: code = NotFound desc = something else", Cause::Unknown)]
#[case::windows("a Windows version 10.0.2-based image is incompatible with a 10.0.1 host", Cause::PlatformMismatch)]
#[case::page_of_a_proxy(
    "failed to unpack image: unexpected media type text/html for sha256:60: not found",
    Cause::RegistryError
)]
#[case::lost_layer("parent snapshot sha256:ec does not exist: not found", Cause::Unknown)]
#[case::lost_layers(
    "failed to prepare extraction snapshot \"extract-1 sha256:c6\": failed to stat parent: stat /snapshots/1/fs: no such file or directory: not found",
    Cause::Unknown
)]
#[case::no_room_for_a_layer(
    "failed to prepare extraction snapshot \"extract-1 sha256:c6\": mkdir /snapshots/new-1: no space left on device",
    Cause::NodeDiskFull
)]
#[case::short_name(
    "short-name \"web:9\" did not resolve to an alias and no unqualified-search registries are defined in \"/etc/containers/registries.conf\"",
    Cause::InvalidImageName
)]
#[case::policy_of_the_registry(
    "unknown: current image with \"Pending\" status of vulnerability scanning cannot be pulled due to configured policy",
    Cause::SignatureRejected
)]
#[case::policy_by_its_code(
    "unexpected status from HEAD request to https://127.0.0.1:5000/v2/: 412 Precondition Failed",
    Cause::SignatureRejected
)]
#[case::forbidden_at_the_token(
    "Requesting bearer token: invalid status code from registry 403 (Forbidden)",
    Cause::RegistryAuth
)]
#[case::unauthorized_at_the_token(
    "Requesting bearer token: invalid status code from registry 401 (Unauthorized)",
    Cause::RegistryAuth
)]
#[case::server_error_at_the_token_of_crio(
    "Requesting bearer token: invalid status code from registry 503 (Service Unavailable)",
    Cause::RegistryError
)]
#[case::another_code_of_crio("invalid status code from registry 418 (I'm a teapot)", Cause::Unknown)]
#[case::rate_limit_of_crio("Requesting bearer token: too many requests to registry", Cause::RegistryRateLimited)]
#[case::artifact_missing(
    "reading manifest v9 in harbor.io/o/w: unknown: artifact o/w:v9 not found",
    Cause::ImageNotFound
)]
#[case::artifact_missing_by_digest(
    "unknown: artifact o/w@sha256:ec not found; artifact err: unknown: artifact o/w@sha256:ec not found",
    Cause::ImageNotFound
)]
#[case::repository_missing(
    "reading manifest v9 in harbor.io/o/invalid: unknown: repository o/invalid not found",
    Cause::ImageNotFound
)]
#[case::something_else_missing("unknown: artifact scan of o/w not found", Cause::Unknown)]
#[case::denied_and_no_more("reading manifest v2 in ghcr.io/o/w: denied", Cause::RegistryAuth)]
#[case::denied_twice(
    "pull image err: reading manifest v2 in ghcr.io/o/w: denied; artifact err: get manifest: denied\n",
    Cause::RegistryAuth
)]
#[case::denied_by_the_node("open /var/lib/containers/x: permission denied", Cause::Unknown)]
#[case::denied_by_the_node_to_containerd(
    "failed to extract layer sha256:ec: lchown /var/lib/containerd/tmp/etc: permission denied: unknown",
    Cause::Unknown
)]
#[case::denied_by_the_node_and_then_by_the_registry(
    "mkdir /var/tmp/1: permission denied: unknown; artifact err: get manifest: denied: access forbidden",
    Cause::RegistryAuth
)]
#[case::denied_in_full("denied: requested access to the resource is denied", Cause::RegistryAuth)]
#[case::denied_by_google(
    "denied: Permission \"artifactregistry.repositories.downloadArtifacts\" denied on resource \"projects/p\" (or it may not exist)",
    Cause::RegistryAuth
)]
#[case::denied_by_github("denied: permission_denied: read_package", Cause::RegistryAuth)]
#[case::denied_a_permission("denied: permission denied: no such account", Cause::RegistryAuth)]
#[case::denied_and_maybe_missing(
    "pull access denied for web, repository does not exist or may require authorization",
    Cause::ImageMissingOrPrivate
)]
#[case::nothing("", Cause::Unknown)]
fn a_pull_error_has_one_cause(#[case] text: &str, #[case] cause: Cause) {
    assert_eq!(cause_of(&format!("{RESOLVE}{text}")), cause);
    assert_eq!(cause_of(&format!("rpc error: code = Unknown desc = {RESOLVE}{}", text.to_uppercase())), cause);
}

#[rstest]
#[case::quoted_image(
    "failed to resolve reference \"127.0.0.1:5000/x509: tls: unauthorized: \": connection refused",
    Cause::RegistryUnreachable
)]
#[case::bare_image("127.0.0.1:5000/unauthorized:1: not found", Cause::ImageNotFound)]
#[case::image_that_is_denied("reading manifest denied in ghcr.io/o/denied", Cause::Unknown)]
#[case::image_of_an_artifact("reading manifest 1 in harbor.io/unknown/artifact: the moon is not found", Cause::Unknown)]
fn words_in_an_image_name_are_no_cause(#[case] text: &str, #[case] cause: Cause) {
    assert_eq!(cause_of(text), cause);
}

#[rstest]
#[case(
    "InvalidImageName",
    "Failed to apply default image tag \"W:\": couldn't parse image name \"W:\"",
    Cause::InvalidImageName,
    Sureness::Definitive
)]
#[case(
    "ErrImageNeverPull",
    "Container image \"web\" is not present with pull policy of Never",
    Cause::NeverPullPolicy,
    Sureness::Definitive
)]
#[case("ErrImagePull", "127.0.0.1:5000/web:9: not found", Cause::ImageNotFound, Sureness::Definitive)]
#[case("ErrImagePull", "401 Unauthorized", Cause::RegistryAuth, Sureness::Repeated)]
#[case("ErrImagePull", "no match for platform in manifest: not found", Cause::PlatformMismatch, Sureness::Repeated)]
#[case("ImageInspectError", "Failed to inspect image", Cause::Unknown, Sureness::Repeated)]
#[case(
    "ImageInspectError",
    "Failed to inspect image \"web\": rpc error: code = DeadlineExceeded desc = context deadline exceeded",
    Cause::Unknown,
    Sureness::Repeated
)]
#[case("ImageInspectError", "mkdir /var/lib/x: no space left on device", Cause::NodeDiskFull, Sureness::Repeated)]
#[case(
    "ImageInspectError",
    "Failed to inspect image \"\": rpc error: code = Unknown desc = short name mode is enforcing, but image name web:9 returns ambiguous list",
    Cause::InvalidImageName,
    Sureness::Definitive
)]
#[case(
    "RegistryUnavailable",
    "image pull failed for web because the registry is unavailable",
    Cause::RegistryUnreachable,
    Sureness::Repeated
)]
#[case("RegistryUnavailable", "toomanyrequests", Cause::RegistryRateLimited, Sureness::Repeated)]
#[case(
    "SignatureValidationFailed",
    "image pull failed for web because the signature validation failed",
    Cause::SignatureRejected,
    Sureness::Repeated
)]
fn the_reason_and_the_text_say_how_sure_it_is(
    #[case] reason: &str,
    #[case] message: &str,
    #[case] cause: Cause,
    #[case] sureness: Sureness,
) {
    let s = only(pod([waiting(reason, message)]));
    assert_eq!(seen(&s, at(10)), [(Class::ImagePullBackOff, cause, sureness)]);
}

#[test]
fn a_back_off_of_kubernetes_1_36_repeats_the_error() {
    let message = "Back-off pulling image \"web:9\": ErrImagePull: rpc error: code = NotFound desc = web:9: not found";
    let s = only(pod([waiting("ImagePullBackOff", message)]));
    assert_eq!(single(&s, at(10)).cause, Cause::ImageNotFound);
}

#[test]
fn a_back_off_before_1_36_says_nothing_and_the_remembered_error_counts() {
    let mut pod = pod([waiting("ImagePullBackOff", "Back-off pulling image \"web:9\"")]);
    let s = only(pod.clone());
    assert_eq!(single(&s, at(10)).cause, Cause::Unknown);
    pod.history.waiting = spell("ImagePullBackOff", 4, 1, "web:9: not found");
    let s = only(pod);
    let symptom = single(&s, at(10));
    assert_eq!((symptom.cause, symptom.onset), (Cause::ImageNotFound, at(4)));
    assert_eq!(symptom.detail, Detail::Waiting { reason: "ImagePullBackOff", message: "web:9: not found" });
}

#[test]
fn attempts_are_counted_and_time_spent_backing_off_is_not() {
    let mut pod = pod([waiting("ImagePullBackOff", "Back-off pulling image \"web:9\"")]);
    pod.history.waiting = spell("ImagePullBackOff", 4, 1, "401 Unauthorized");
    assert_eq!(single(&only(pod.clone()), at(1000)).occurrences, 1);
    pod.history.waiting = spell("ImagePullBackOff", 4, 2, "401 Unauthorized");
    assert_eq!(single(&only(pod), at(10)).occurrences, 2);
}

#[test]
fn an_image_that_cannot_be_inspected_is_tried_at_every_sync() {
    let mut pod = pod([waiting("ImageInspectError", "Failed to inspect image")]);
    pod.history.waiting = spell("ImageInspectError", 4, 1, "Failed to inspect image");
    assert_eq!(single(&only(pod.clone()), at(5)).occurrences, 1);
    assert!(single(&only(pod), at(60)).occurrences >= 2);
}

#[test]
fn another_containers_spell_is_not_this_ones() {
    let mut pod = pod([waiting("ImagePullBackOff", "Back-off pulling image \"x\"").named("side")]);
    pod.history.waiting = spell("ImagePullBackOff", 4, 7, "web:9: not found");
    let s = only(pod);
    assert_eq!((single(&s, at(10)).cause, single(&s, at(10)).occurrences), (Cause::Unknown, 1));
}

#[test]
fn a_container_that_is_being_created_may_be_pulling_and_fails_in_nothing() {
    assert_eq!(classify(&only(pod([waiting("ContainerCreating", "")])), at(500)), []);
}
