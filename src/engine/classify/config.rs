//! Containers whose configuration cannot be made: `CreateContainerConfigError`, from
//! pkg/kubelet/kuberuntime/kuberuntime_container.go and what it calls.

use std::sync::LazyLock;

use super::look::{Look, SYNCS, waiting};
use super::text::{Reading, Table, reading};
use crate::engine::facts::ContainerFacts;
use crate::engine::finding::{Detail, Symptom};
use crate::engine::message::Speaker;
use crate::engine::words::{Cause, Class, Sureness};

/// A kubelet whose caches do not fill for so long is in trouble; before that it merely starts.
const CACHE_GRACE_SECONDS: i64 = 120;

pub(super) fn symptom<'a>(look: &Look<'_, 'a>, container: &'a ContainerFacts) -> Option<Symptom<'a>> {
    let (reason, message) = waiting(container)?;
    if reason != "CreateContainerConfigError" {
        return None;
    }
    let said = TEXTS.read(message).unwrap_or(said(Cause::Unknown));
    let detail = Detail::Waiting { reason, message };
    let symptom = look.on_container(container, said, look.waiting_since(container), detail);
    Some(if said.sureness == Sureness::Timed {
        Symptom { grace_seconds: CACHE_GRACE_SECONDS, ..symptom }
    } else {
        Symptom { occurrences: look.attempts_by_time(container), pace: Some(SYNCS), ..symptom }
    })
}

const fn said(cause: Cause) -> Reading {
    reading(Class::ContainerConfig, cause, Sureness::Repeated)
}

/// A kubelet that has just started says "not registered" and "failed to sync" of objects that exist.
pub(super) static TEXTS: LazyLock<Table> = LazyLock::new(|| {
    let cache = reading(Class::ContainerConfig, Cause::CacheNotSynced, Sureness::Timed);
    Table::new(
        Speaker::Kubelet,
        &[
            (
                &[
                    "failed to sync secret cache",
                    "failed to sync configmap cache",
                    "\" not registered",
                    "services have not yet been read at least once",
                ],
                cache,
            ),
            (
                &["couldn't find key ", "environment variable key ", "references non-existent config key"],
                said(Cause::MissingKey),
            ),
            (&["configmap \"", "configmaps \""], said(Cause::MissingConfigMap)),
            (&["secret \"", "secrets \""], said(Cause::MissingSecret)),
            (&["runasnonroot", "breaks non-root policy", "has non-numeric user"], said(Cause::RunAsNonRoot)),
            (&["subpath"], said(Cause::SubPath)),
        ],
    )
});
