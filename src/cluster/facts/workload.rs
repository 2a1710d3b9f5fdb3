use jiff::Timestamp;
use strum::IntoEnumIterator;

use super::{Interner, annotation, condition_facts, count, find, identity, message, owners, rollout};
use crate::api::keys;
use crate::cluster::slim::{Condition, REVISION, SlimDeployment};
use crate::engine::classify::intake;
use crate::engine::facts::{Name, WorkloadFacts};
use crate::engine::words::ActionKind;

/// Defaults of `SetDefaults_Deployment` in `pkg/apis/apps/v1/defaults.go`.
const REPLICAS: i32 = 1;
const REVISION_HISTORY_LIMIT: i32 = 10;

/// The facts of a Deployment; `None` if it has no UID, name or time of creation.
pub fn workload_facts(deployment: &SlimDeployment, names: &mut Interner) -> Option<WorkloadFacts> {
    let (meta, spec, status) = (&deployment.metadata, &deployment.spec, &deployment.status);
    let identity = identity(meta)?;
    let created = identity.created;
    let replicas = spec.replicas.unwrap_or(REPLICAS).max(0);
    let recreate = spec.strategy.kind.as_deref() == Some("Recreate");
    let update = spec.strategy.rolling_update.as_ref();
    let (max_surge, max_unavailable) = if recreate { (0, 0) } else { rollout::limits(update, replicas) };
    let progressing = find(&status.conditions, "Progressing");
    let mut condition = |condition: &Condition| condition_facts(condition, created, names, intake::of_refusal);

    let progressing_facts = progressing.map(&mut condition);
    let available = find(&status.conditions, "Available").map(&mut condition);
    let replica_failure = find(&status.conditions, "ReplicaFailure").map(&mut condition);
    Some(WorkloadFacts {
        kind: names.name("Deployment"),
        namespace: names.named(meta.namespace.as_deref().unwrap_or_default()),
        name: identity.name,
        uid: identity.uid,
        created,
        deleting: meta.deletion_timestamp.is_some(),
        generation: meta.generation.unwrap_or_default(),
        observed_generation: status.observed_generation.unwrap_or_default(),
        paused: spec.paused.unwrap_or_default(),
        replicas,
        updated_replicas: count(status.updated_replicas),
        ready_replicas: count(status.ready_replicas),
        available_replicas: count(status.available_replicas),
        total_replicas: count(status.replicas),
        // Unset or the largest number disables it: `HasProgressDeadline` in
        // `pkg/controller/deployment/util/deployment_util.go`.
        progress_deadline_seconds: spec.progress_deadline_seconds.filter(|seconds| *seconds != i32::MAX),
        revision_history_limit: spec.revision_history_limit.unwrap_or(REVISION_HISTORY_LIMIT).max(0),
        max_unavailable,
        max_surge,
        recreate,
        revision: annotation(meta, REVISION).and_then(|revision| revision.parse().ok()),
        template_digest: spec.template.digest.0,
        template_material: spec.template.kept.material().0,
        progressing: progressing_facts,
        completed: progressing.and_then(completed),
        available,
        replica_failure,
        gave_up: None,
        gitops: owners::gitops(meta),
        owned_by: owners::owned_by(meta, names),
        opted_out: annotation(meta, "backstay.dev/ignore") == Some("true"),
        incident_mark: mark(annotation(meta, keys::INCIDENT), names),
        action_mark: annotation(meta, keys::ACTION).and_then(action),
        paused_for: mark(annotation(meta, keys::PAUSED_FOR), names),
        resume_asked: mark(annotation(meta, keys::RESUME), names),
    })
}

/// The Deployment controller sets this reason once, when the rollout completes, and touches the update time only
/// when the condition changes (`SetDeploymentCondition`).
fn completed(progressing: &Condition) -> Option<Timestamp> {
    let done = progressing.reason.as_deref() == Some("NewReplicaSetAvailable");
    done.then_some(progressing.last_update_time.0).flatten()
}

fn action(value: &str) -> Option<ActionKind> {
    ActionKind::iter().find(|kind| value == <&str>::from(*kind))
}

/// The name of an incident, as long as a name of an object can be.
fn mark(value: Option<&str>, names: &mut Interner) -> Option<Name> {
    const MAX_NAME: usize = 253;
    value.filter(|value| !value.is_empty() && value.len() <= MAX_NAME).map(|value| names.name(&message(Some(value))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_of_action_is_read_as_it_is_written_and_nothing_else_is() {
        for kind in ActionKind::iter() {
            assert_eq!(action(kind.into()), Some(kind));
        }
        assert_eq!(["", "rollback", "Undo"].map(action), [None; 3]);
    }
}
