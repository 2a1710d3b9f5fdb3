//! Pod templates: the few values that classifiers compute with, and digests of all the rest.

use serde::Deserialize;
use serde::de::{Error, MapAccess};
use serde_json::Value;

use super::variable::Variable;
use super::volume::Volume;
use super::{RESTARTED_AT, TEMPLATE_HASH};
use crate::cluster::digest::{Digest, Elements, Entries, Leaf, Walk, Walked, WalkedList};
use crate::engine::change::aspects;
use crate::engine::words::Aspect;

/// A pod template. Its own digest, in `Walked`, leaves out the `pod-template-hash` label.
#[derive(Clone, Debug, Default)]
pub struct Template {
    /// The digest without the mark of `kubectl rollout restart`, once finished.
    material: Entries,
    /// Digest per aspect of the pod.
    pub aspects: Aspects,
    labels: Labels,
    /// Keys of labels that the rules about the pod's place select by.
    selected: Vec<Digest>,
    pub volumes: Vec<Volume>,
    pub init_containers: Vec<ContainerSpec>,
    pub containers: Vec<ContainerSpec>,
}

impl Template {
    /// The digest of the labels that the pod's own rules about its place select by; `NOTHING` where there are none.
    pub fn placing(&self) -> Digest {
        let mut labels: Vec<_> = self.labels.0.iter().filter(|(key, _)| self.selected.contains(key)).collect();
        labels.sort_unstable();
        let mut digest = Elements::default();
        labels.into_iter().for_each(|(key, value)| [key, value].into_iter().for_each(|part| digest.add(*part)));
        digest.finish()
    }

    /// The digest of all that is material: equal for a template and the same template restarted.
    pub fn material(&self) -> Digest {
        self.material.finish()
    }
}

impl<'de> Walk<'de> for Template {
    fn entry<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<Digest, A::Error> {
        match key {
            "metadata" => {
                let Walked { kept, digest } = map.next_value::<Walked<Metadata>>()?;
                let material = kept.material.finish();
                self.material.add(key, material);
                self.aspects.add(Aspect::Metadata, key, material);
                self.labels = kept.labels;
                Ok(digest)
            }
            "spec" => {
                let Walked { kept, digest } = map.next_value::<Walked<Spec>>()?;
                self.material.add(key, digest);
                self.aspects.merge(kept.aspects);
                self.selected = kept.selected;
                self.volumes = kept.volumes;
                self.init_containers = kept.init_containers;
                self.containers = kept.containers;
                Ok(digest)
            }
            _ => {
                let digest = map.next_value()?;
                self.material.add(key, digest);
                self.aspects.add(Aspect::Other, key, digest);
                Ok(digest)
            }
        }
    }
}

/// Digests by aspect.
#[derive(Clone, Debug, Default)]
pub struct Aspects(Vec<(Aspect, Entries)>);

impl Aspects {
    fn add(&mut self, aspect: Aspect, key: &str, value: Digest) {
        let mut entries = Entries::default();
        entries.add(key, value);
        if entries.is_empty() {
            return;
        }
        match self.0.iter_mut().find(|(existing, _)| *existing == aspect) {
            Some((_, existing)) => existing.add(key, value),
            None => self.0.push((aspect, entries)),
        }
    }

    /// Takes over the aspects of another part, of which none is here yet.
    fn merge(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// The digests sorted by aspect; an aspect that the template does not touch is not listed.
    pub fn finish(mut self) -> Box<[(Aspect, u64)]> {
        self.0.sort_unstable_by_key(|(aspect, _)| *aspect);
        self.0.into_iter().map(|(aspect, entries)| (aspect, entries.finish().0)).collect()
    }
}

#[derive(Default)]
struct Metadata {
    material: Entries,
    labels: Labels,
}

impl<'de> Walk<'de> for Metadata {
    fn entry<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<Digest, A::Error> {
        let (all, material) = match key {
            "labels" => {
                let Walked { kept, digest } = map.next_value::<Walked<Labels>>()?;
                self.labels = kept;
                (digest, digest)
            }
            "annotations" => {
                let Walked { kept, digest } = map.next_value::<Walked<Annotations>>()?;
                (digest, kept.material.finish())
            }
            _ => {
                let digest = map.next_value()?;
                (digest, digest)
            }
        };
        self.material.add(key, material);
        Ok(all)
    }
}

/// Digests of keys and values.
#[derive(Clone, Debug, Default)]
struct Labels(Vec<(Digest, Digest)>);

impl<'de> Walk<'de> for Labels {
    fn entry<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<Digest, A::Error> {
        let digest = map.next_value()?;
        if key == TEMPLATE_HASH {
            return Ok(Digest::NOTHING);
        }
        self.0.push((Digest::of_text(key), digest));
        Ok(digest)
    }
}

#[derive(Default)]
struct Annotations {
    material: Entries,
}

impl<'de> Walk<'de> for Annotations {
    fn entry<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<Digest, A::Error> {
        let digest = map.next_value()?;
        if key != RESTARTED_AT {
            self.material.add(key, digest);
        }
        Ok(digest)
    }
}

#[derive(Default)]
struct Spec {
    aspects: Aspects,
    selected: Vec<Digest>,
    volumes: Vec<Volume>,
    init_containers: Vec<ContainerSpec>,
    containers: Vec<ContainerSpec>,
}

impl<'de> Walk<'de> for Spec {
    fn entry<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<Digest, A::Error> {
        match key {
            "containers" => {
                let WalkedList { kept, digest } = map.next_value::<WalkedList<ContainerSpec>>()?;
                let mut names = Elements::default();
                kept.iter().for_each(|container| names.add(Digest::of_text(&container.name)));
                self.aspects.add(Aspect::Containers, key, names.finish());
                self.containers = kept;
                Ok(digest)
            }
            "initContainers" => {
                let WalkedList { kept, digest } = map.next_value::<WalkedList<ContainerSpec>>()?;
                self.aspects.add(Aspect::InitContainers, key, digest);
                self.init_containers = kept;
                Ok(digest)
            }
            "volumes" => {
                let WalkedList { kept, digest } = map.next_value::<WalkedList<Volume>>()?;
                self.volumes = kept;
                self.aspects.add(aspects::of_pod_field(key), key, digest);
                Ok(digest)
            }
            "affinity" | "topologySpreadConstraints" => {
                let rules: Value = map.next_value()?;
                select(&rules, &mut self.selected);
                let digest = Digest::deserialize(&rules).map_err(A::Error::custom)?;
                self.aspects.add(aspects::of_pod_field(key), key, digest);
                Ok(digest)
            }
            _ => {
                let digest = map.next_value()?;
                self.aspects.add(aspects::of_pod_field(key), key, digest);
                Ok(digest)
            }
        }
    }
}

/// The keys of labels that rules select by. Some are of nodes and namespaces, and no pod's label is called so.
fn select(rules: &Value, keys: &mut Vec<Digest>) {
    match rules {
        Value::Array(items) => items.iter().for_each(|item| select(item, keys)),
        Value::Object(fields) => {
            for (name, value) in fields {
                match (&**name, value) {
                    ("matchLabels", Value::Object(labels)) => {
                        keys.extend(labels.keys().map(|key| Digest::of_text(key)));
                    }
                    ("matchLabelKeys" | "mismatchLabelKeys", Value::Array(named)) => {
                        keys.extend(named.iter().filter_map(Value::as_str).map(Digest::of_text));
                    }
                    ("key", Value::String(key)) => keys.push(Digest::of_text(key)),
                    _ => select(value, keys),
                }
            }
        }
        _ => {}
    }
}

/// A container or init container of a template.
#[derive(Clone, Debug, Default)]
pub struct ContainerSpec {
    pub name: Box<str>,
    pub image: Box<str>,
    pub ports: Vec<Port>,
    pub restart_policy: Option<Box<str>>,
    pub limits: ResourceList,
    pub requests: ResourceList,
    pub readiness: Option<Probe>,
    pub liveness: Option<Probe>,
    pub startup: Option<Probe>,
    /// Variables that may lead to a service, or whose content is elsewhere.
    pub places: Entries,
    pub aspects: Aspects,
}

impl<'de> Walk<'de> for ContainerSpec {
    fn entry<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<Digest, A::Error> {
        let digest = match key {
            "name" => {
                let leaf = map.next_value::<Leaf>()?;
                self.name = leaf.text.unwrap_or_default();
                return Ok(leaf.digest);
            }
            "image" => {
                let leaf = map.next_value::<Leaf>()?;
                self.image = leaf.text.unwrap_or_default();
                leaf.digest
            }
            "restartPolicy" => {
                let leaf = map.next_value::<Leaf>()?;
                self.restart_policy = leaf.text;
                leaf.digest
            }
            "resources" => {
                let Walked { kept, digest } = map.next_value::<Walked<Resources>>()?;
                (self.limits, self.requests) = (kept.limits, kept.requests);
                digest
            }
            "ports" => {
                let WalkedList { kept, digest } = map.next_value::<WalkedList<Port>>()?;
                self.ports = kept;
                digest
            }
            "env" => {
                let WalkedList { kept, digest } = map.next_value::<WalkedList<Variable>>()?;
                let leading = kept.iter().filter(|variable| variable.may_lead());
                leading.for_each(|variable| self.places.add(&variable.name, variable.content.finish()));
                digest
            }
            "envFrom" => {
                let digest = map.next_value()?;
                self.places.add(key, digest);
                digest
            }
            "readinessProbe" => probe(&mut self.readiness, map)?,
            "livenessProbe" => probe(&mut self.liveness, map)?,
            "startupProbe" => probe(&mut self.startup, map)?,
            _ => map.next_value()?,
        };
        self.aspects.add(aspects::of_container_field(key), key, digest);
        Ok(digest)
    }
}

/// A port that a container declares.
#[derive(Clone, Debug, Default)]
pub struct Port {
    pub number: Option<i64>,
}

impl<'de> Walk<'de> for Port {
    fn entry<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<Digest, A::Error> {
        let leaf = map.next_value::<Leaf>()?;
        if key == "containerPort" {
            self.number = leaf.integer;
        }
        Ok(leaf.digest)
    }
}

fn probe<'de, A: MapAccess<'de>>(into: &mut Option<Probe>, map: &mut A) -> Result<Digest, A::Error> {
    let Walked { kept, digest } = map.next_value::<Walked<Probe>>()?;
    *into = Some(kept).filter(|_| digest != Digest::NOTHING);
    Ok(digest)
}

#[derive(Default)]
struct Resources {
    limits: ResourceList,
    requests: ResourceList,
}

impl<'de> Walk<'de> for Resources {
    fn entry<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<Digest, A::Error> {
        let list = match key {
            "limits" => &mut self.limits,
            "requests" => &mut self.requests,
            _ => return map.next_value(),
        };
        let Walked { kept, digest } = map.next_value()?;
        *list = kept;
        Ok(digest)
    }
}

/// Amounts as written; `facts` turns them into numbers.
#[derive(Clone, Debug, Default)]
pub struct ResourceList {
    pub cpu: Leaf,
    pub memory: Leaf,
    /// Whatever has a name with a domain.
    pub devices: Vec<(Box<str>, Leaf)>,
}

impl<'de> Walk<'de> for ResourceList {
    fn entry<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<Digest, A::Error> {
        let amount = match key {
            "cpu" => &mut self.cpu,
            "memory" => &mut self.memory,
            device if device.contains('/') => {
                let amount = map.next_value::<Leaf>()?;
                let digest = amount.digest;
                self.devices.push((device.into(), amount));
                return Ok(digest);
            }
            _ => return map.next_value(),
        };
        *amount = map.next_value()?;
        Ok(amount.digest)
    }
}

/// What a probe does and when, as written.
#[derive(Clone, Debug, Default)]
pub struct Probe {
    pub http: bool,
    pub tcp: bool,
    pub exec: bool,
    pub grpc: bool,
    pub initial_delay_seconds: Option<i64>,
    pub period_seconds: Option<i64>,
    pub timeout_seconds: Option<i64>,
    pub failure_threshold: Option<i64>,
    pub success_threshold: Option<i64>,
}

impl<'de> Walk<'de> for Probe {
    fn entry<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<Digest, A::Error> {
        let leaf = map.next_value::<Leaf>()?;
        let set = leaf.digest != Digest::NOTHING;
        match key {
            "httpGet" => self.http = set,
            "tcpSocket" => self.tcp = set,
            "exec" => self.exec = set,
            "grpc" => self.grpc = set,
            "initialDelaySeconds" => self.initial_delay_seconds = leaf.integer,
            "periodSeconds" => self.period_seconds = leaf.integer,
            "timeoutSeconds" => self.timeout_seconds = leaf.integer,
            "failureThreshold" => self.failure_threshold = leaf.integer,
            "successThreshold" => self.success_threshold = leaf.integer,
            _ => {}
        }
        Ok(leaf.digest)
    }
}
