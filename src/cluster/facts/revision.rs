use super::quantity::{thousandths, units};
use super::{Interner, annotation, condition_facts, count, find, identity, label};
use crate::cluster::digest::Walked;
use crate::cluster::slim::{ContainerSpec, Probe, REVISION, SlimReplicaSet, TEMPLATE_HASH, Template};
use crate::engine::classify::intake;
use crate::engine::facts::{ContainerTemplate, ProbeFacts, ProbeKind, RevisionFacts, TemplateFacts};
use crate::engine::words::ContainerKind;

/// The facts of a ReplicaSet; `None` if it has no UID, name or time of creation.
pub fn revision_facts(set: &SlimReplicaSet, names: &mut Interner) -> Option<RevisionFacts> {
    let (meta, status) = (&set.metadata, &set.status);
    let identity = identity(meta)?;
    let failure = find(&status.conditions, "ReplicaFailure");
    Some(RevisionFacts {
        // Its pods carry the same UID in their owner references.
        uid: names.name(&identity.uid),
        name: identity.name,
        hash: names.label(label(meta, TEMPLATE_HASH).unwrap_or_default()),
        number: annotation(meta, REVISION).and_then(|number| number.parse().ok()).unwrap_or_default(),
        created: identity.created,
        deleting: meta.deletion_timestamp.is_some(),
        desired: set.spec.replicas.unwrap_or(1).max(0),
        replicas: count(status.replicas),
        ready: count(status.ready_replicas),
        available: count(status.available_replicas),
        replica_failure: failure.map(|failure| condition_facts(failure, identity.created, names, intake::of_refusal)),
        template: template_facts(&set.spec.template, names),
    })
}

/// What can be compared between templates, and what the classifiers compute with.
pub fn template_facts(template: &Walked<Template>, names: &mut Interner) -> TemplateFacts {
    let kept = &template.kept;
    let init = kept.init_containers.iter().map(|spec| (init_kind(spec.restart_policy.as_deref()), spec));
    let apps = kept.containers.iter().map(|spec| (ContainerKind::App, spec));
    TemplateFacts {
        digest: template.digest.0,
        material: kept.material().0,
        placing: kept.placing().0,
        aspects: kept.aspects.clone().finish(),
        claims: kept
            .volumes
            .iter()
            .filter_map(|volume| volume.claim.as_deref())
            .map(|name| names.named(name))
            .collect(),
        containers: init.chain(apps).map(|(kind, spec)| container_template(kind, spec, names)).collect(),
    }
}

/// An init container that restarts always is a sidecar (KEP-753).
pub fn init_kind(restart_policy: Option<&str>) -> ContainerKind {
    if restart_policy == Some("Always") { ContainerKind::Sidecar } else { ContainerKind::Init }
}

fn container_template(kind: ContainerKind, spec: &ContainerSpec, names: &mut Interner) -> ContainerTemplate {
    let (memory_limit, cpu_limit) = (units(&spec.limits.memory), thousandths(&spec.limits.cpu));
    // Of these a request is as high as the limit, which must be there (`validateContainerResourceRequirements`).
    let devices = spec.limits.devices.iter();
    ContainerTemplate {
        name: names.named(&spec.name),
        kind,
        image: spec.image.clone(),
        ports: spec.ports.iter().filter_map(|port| u16::try_from(port.number?).ok()).collect(),
        memory_limit,
        // A limit without a request is also the request: `SetDefaults_Pod` in `pkg/apis/core/v1/defaults.go`.
        memory_request: units(&spec.requests.memory).or(memory_limit),
        cpu_request: thousandths(&spec.requests.cpu).or(cpu_limit),
        cpu_limit,
        devices: devices.filter_map(|(name, amount)| Some((names.named(name), units(amount)?))).collect(),
        readiness: spec.readiness.as_ref().and_then(probe_facts),
        liveness: spec.liveness.as_ref().and_then(probe_facts),
        startup: spec.startup.as_ref().and_then(probe_facts),
        places: spec.places.finish().0,
        aspects: spec.aspects.clone().finish(),
    }
}

/// Timing with the defaults of `SetDefaults_Probe` in `pkg/apis/core/v1/defaults.go`, which also reads 0 as unset.
/// A probe that does nothing is none.
fn probe_facts(probe: &Probe) -> Option<ProbeFacts> {
    let kind = if probe.http {
        ProbeKind::Http
    } else if probe.tcp {
        ProbeKind::Tcp
    } else if probe.exec {
        ProbeKind::Exec
    } else if probe.grpc {
        ProbeKind::Grpc
    } else {
        return None;
    };
    let given = |value: Option<i64>| value.and_then(|value| i32::try_from(value).ok()).filter(|value| *value > 0);
    Some(ProbeFacts {
        kind,
        initial_delay_seconds: given(probe.initial_delay_seconds).unwrap_or(0),
        period_seconds: given(probe.period_seconds).unwrap_or(10),
        timeout_seconds: given(probe.timeout_seconds).unwrap_or(1),
        failure_threshold: given(probe.failure_threshold).unwrap_or(3),
        success_threshold: given(probe.success_threshold).unwrap_or(1),
    })
}
