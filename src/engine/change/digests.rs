//! What differs between two revisions, as far as their digests tell.

use std::collections::BTreeSet;

use crate::engine::facts::{ContainerTemplate, Name, RevisionFacts};
use crate::engine::words::{Aspect, ContainerKind};

/// Which aspects differ between two revisions, each once, in the order of the words.
pub fn changed_aspects(old: &RevisionFacts, new: &RevisionFacts) -> Vec<Aspect> {
    changed_in(old, new, |_| true)
}

/// The same of what one container, which both have, can feel: what changed in itself, in the pod around it, and in the
/// containers that run before it.
pub fn felt_by(old: &RevisionFacts, new: &RevisionFacts, container: &str) -> Vec<Aspect> {
    changed_in(old, new, |c| *c.name == *container || c.kind != ContainerKind::App)
}

fn changed_in(old: &RevisionFacts, new: &RevisionFacts, counts: impl Fn(&ContainerTemplate) -> bool) -> Vec<Aspect> {
    let mut changed = BTreeSet::new();
    changed.extend(differing(&old.template.aspects, &new.template.aspects));
    for container in new.template.containers.iter().filter(|c| counts(c)) {
        match old.template.containers.iter().find(|c| c.name == container.name && c.kind == container.kind) {
            Some(before) => changed.extend(differing(&before.aspects, &container.aspects)),
            None => {
                changed.insert(Aspect::Containers);
            }
        }
    }
    let gone = |c: &ContainerTemplate| !new.template.containers.iter().any(|n| n.name == c.name);
    if old.template.containers.iter().any(|c| counts(c) && gone(c)) {
        changed.insert(Aspect::Containers);
    }
    // What differs in an init container that both have is told by what differs in it.
    if init_containers(old).eq(init_containers(new)) {
        changed.remove(&Aspect::InitContainers);
    }
    changed.into_iter().collect()
}

fn init_containers(revision: &RevisionFacts) -> impl Iterator<Item = &Name> {
    revision.template.containers.iter().filter(|c| c.kind != ContainerKind::App).map(|c| &c.name)
}

/// Which aspects differ of one container and of the pod around it; of a container that was not there before `Containers`.
pub fn changed_around(old: &RevisionFacts, new: &RevisionFacts, container: &str) -> Vec<Aspect> {
    let of = |revision: &'_ RevisionFacts| revision.template.containers.iter().find(|c| &*c.name == container).cloned();
    let own = match (of(old), of(new)) {
        (Some(before), Some(after)) => differing(&before.aspects, &after.aspects),
        _ => vec![Aspect::Containers],
    };
    let mut around = differing(&old.template.aspects, &new.template.aspects);
    // What differs in this one is told by what differs in it.
    if init_containers(old).eq(init_containers(new)) && others_are_the_same(old, new, container) {
        around.retain(|aspect| *aspect != Aspect::InitContainers);
    }
    own.into_iter().chain(around).collect()
}

/// All init containers but this one are.
fn others_are_the_same(old: &RevisionFacts, new: &RevisionFacts, container: &str) -> bool {
    let before = |new: &ContainerTemplate| old.template.containers.iter().find(|c| c.name == new.name);
    let mut others = new.template.containers.iter().filter(|c| c.kind != ContainerKind::App && &*c.name != container);
    others.all(|new| before(new).is_some_and(|old| old.aspects == new.aspects))
}

fn differing(old: &[(Aspect, u64)], new: &[(Aspect, u64)]) -> Vec<Aspect> {
    let value = |list: &[(Aspect, u64)], aspect: Aspect| list.iter().find(|(a, _)| *a == aspect).map(|(_, v)| *v);
    let all: BTreeSet<Aspect> = old.iter().chain(new).map(|(a, _)| *a).collect();
    all.into_iter().filter(|a| value(old, *a) != value(new, *a)).collect()
}

/// Two lists of digests are the same in these.
pub fn are_alike(old: &[(Aspect, u64)], new: &[(Aspect, u64)], of: &[Aspect]) -> bool {
    !differing(old, new).iter().any(|aspect| of.contains(aspect))
}

/// A variable that may lead to a service changed, came or went in a container that both have, or in this one alone; or
/// whether Kubernetes adds those of the namespace's Services did.
pub fn leads_elsewhere(old: &RevisionFacts, new: &RevisionFacts, container: Option<&str>) -> bool {
    let mut asked = new.template.containers.iter().filter(|c| container.is_none_or(|name| *c.name == *name));
    let changed = asked.any(|new| {
        let before = old.template.containers.iter().find(|c| c.name == new.name);
        before.is_some_and(|before| before.places != new.places)
    });
    changed || differing(&old.template.aspects, &new.template.aspects).contains(&Aspect::Environment)
}

/// What containers ask for that is known by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    Cpu,
    Memory,
    MemoryLimit,
}

/// A container asks for more of one of these than before, or for the first time.
pub fn asks_for_more(old: &RevisionFacts, new: &RevisionFacts, of: &[Demand]) -> bool {
    new.template.containers.iter().any(|new| {
        let old = old.template.containers.iter().find(|c| c.name == new.name);
        of.iter().any(|demand| old.is_none_or(|old| has_grown(*demand, old, new)))
    })
}

/// So many devices of this name a pod asks for.
pub fn devices(revision: &RevisionFacts, name: &str) -> u64 {
    asked(revision, |c| c.devices.iter().find(|(of, _)| **of == *name).map_or(0, |(_, amount)| *amount))
}

/// What a pod asks for of something: its app containers and sidecars together, or its largest init container if that is more.
pub fn asked(revision: &RevisionFacts, of: impl Fn(&ContainerTemplate) -> u64) -> u64 {
    let (mut together, mut init) = (0_u64, 0_u64);
    for container in &revision.template.containers {
        match container.kind {
            ContainerKind::Init => init = init.max(of(container)),
            ContainerKind::App | ContainerKind::Sidecar => together = together.saturating_add(of(container)),
        }
    }
    together.max(init)
}

/// A request that is not set is as high as the limit (`SetDefaults_Pod` in pkg/apis/core/v1/defaults.go). The limit of
/// processor time is not known by itself, so any change of resources may be one of it.
fn has_grown(demand: Demand, old: &ContainerTemplate, new: &ContainerTemplate) -> bool {
    let resources = |c: &ContainerTemplate| c.aspects.iter().find(|(a, _)| *a == Aspect::Resources).map(|(_, v)| *v);
    match demand {
        Demand::Cpu if new.cpu_request.is_none() => resources(old) != resources(new),
        Demand::Cpu => new.cpu_request > old.cpu_request,
        Demand::Memory => new.memory_request.or(new.memory_limit) > old.memory_request.or(old.memory_limit),
        Demand::MemoryLimit => new.memory_limit > old.memory_limit,
    }
}

/// The image of this container has a part, such as its registry, that no image had before.
pub fn brings_in(old: &RevisionFacts, new: &RevisionFacts, container: &str, part: fn(&str) -> &str) -> bool {
    let container = new.template.containers.iter().find(|c| &*c.name == container);
    container.is_some_and(|c| !old.template.containers.iter().any(|o| part(&o.image) == part(&c.image)))
}

/// The host that the image of this container comes from.
pub fn registry_of<'a>(revision: &'a RevisionFacts, container: &str) -> Option<&'a str> {
    let container = revision.template.containers.iter().find(|c| &*c.name == container)?;
    Some(registry(&container.image))
}

/// An image reference without tag and digest.
pub fn repository(image: &str) -> &str {
    let name = image.split('@').next().unwrap_or(image);
    match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => name,
    }
}

/// The host that an image comes from. A first part that looks like no host is a name on Docker Hub, as container
/// runtimes read it (`splitDockerDomain` in github.com/distribution/reference).
pub fn registry(image: &str) -> &str {
    match image.split_once('/') {
        Some((host, _)) if host == "localhost" || host.contains(['.', ':']) => host,
        _ => "docker.io",
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn revision(init: &[(&str, u64)], digest: u64) -> RevisionFacts {
        let container = |(name, image): &(&str, u64)| ContainerTemplate {
            name: Name::from(*name),
            kind: ContainerKind::Init,
            aspects: Box::new([(Aspect::Image, *image)]),
            ..ContainerTemplate::default()
        };
        RevisionFacts {
            uid: Name::from("u"),
            name: Name::from("web-6d"),
            hash: Name::from("6d"),
            number: 1,
            created: jiff::Timestamp::UNIX_EPOCH,
            deleting: false,
            desired: 1,
            replicas: 1,
            ready: 0,
            available: 0,
            replica_failure: None,
            template: crate::engine::facts::TemplateFacts {
                aspects: Box::new([(Aspect::InitContainers, digest)]),
                containers: init.iter().map(container).collect(),
                ..Default::default()
            },
        }
    }

    #[test]
    fn an_init_container_with_a_new_image_is_a_new_image_and_another_one_is_another_one() {
        let old = revision(&[("migrate", 1)], 1);
        assert_eq!(changed_aspects(&old, &revision(&[("migrate", 2)], 2)), [Aspect::Image]);
        let more = revision(&[("migrate", 1), ("wait", 1)], 2);
        assert_eq!(changed_aspects(&old, &more), [Aspect::InitContainers, Aspect::Containers]);
        let (one, other) = (revision(&[("a", 1), ("b", 1)], 1), revision(&[("b", 1), ("a", 1)], 2));
        assert_eq!(changed_aspects(&one, &other), [Aspect::InitContainers], "their order matters");
    }

    #[test]
    fn around_an_init_container_is_what_differs_in_it_and_what_others_may_have_left_it() {
        let old = revision(&[("fetch", 1), ("wait", 1)], 1);
        let own = revision(&[("fetch", 1), ("wait", 2)], 2);
        assert_eq!(changed_around(&old, &own, "wait"), [Aspect::Image]);
        let of_another = revision(&[("fetch", 2), ("wait", 1)], 2);
        assert_eq!(changed_around(&old, &of_another, "wait"), [Aspect::InitContainers]);
    }

    #[test]
    fn a_container_feels_what_changed_in_it_and_before_it_and_not_what_its_neighbours_run() {
        let app = |name: &str, image| ContainerTemplate {
            name: Name::from(name),
            kind: ContainerKind::App,
            aspects: Box::new([(Aspect::Image, image)]),
            ..ContainerTemplate::default()
        };
        let with = |init, web, log| {
            let mut revision = revision(&[("wait", init)], init);
            let apps = [app("web", web), app("log", log)];
            revision.template.containers = revision.template.containers.iter().cloned().chain(apps).collect();
            revision
        };
        let old = with(1, 1, 1);
        assert_eq!(felt_by(&old, &with(1, 2, 1), "web"), [Aspect::Image]);
        assert_eq!(felt_by(&old, &with(1, 2, 1), "log"), []);
        assert_eq!(felt_by(&old, &with(1, 2, 1), "wait"), []);
        assert_eq!(felt_by(&old, &with(2, 1, 1), "log"), [Aspect::Image]);
    }

    #[test]
    fn a_change_leads_elsewhere_where_a_variable_that_may_does_or_those_of_services_come_or_go() {
        let with = |places| {
            let mut revision = revision(&[("wait", 1), ("fetch", 1)], 1);
            revision.template.containers.iter_mut().filter(|c| &*c.name == "wait").for_each(|c| c.places = places);
            revision
        };
        let old = with(1);
        assert!(!leads_elsewhere(&old, &with(1), None) && leads_elsewhere(&old, &with(2), None));
        assert!(leads_elsewhere(&old, &with(2), Some("wait")) && !leads_elsewhere(&old, &with(2), Some("fetch")));
        let mut without = with(1);
        without.template.aspects = Box::new([(Aspect::Environment, 7), (Aspect::InitContainers, 1)]);
        assert!(leads_elsewhere(&old, &without, None));
    }

    #[test]
    fn more_is_asked_for_of_what_there_is_too_little_of() {
        let with = |cpu_request, memory_request, memory_limit, resources| {
            let mut revision = revision(&[("web", 1)], 1);
            for container in &mut revision.template.containers {
                (container.cpu_request, container.memory_request, container.memory_limit) =
                    (cpu_request, memory_request, memory_limit);
                container.aspects = Box::new([(Aspect::Resources, resources)]);
            }
            revision
        };
        let old = with(Some(100), Some(64), Some(128), 1);
        let of = |new: &RevisionFacts| {
            [Demand::Cpu, Demand::Memory, Demand::MemoryLimit].map(|demand| asks_for_more(&old, new, &[demand]))
        };
        assert_eq!(of(&with(Some(200), Some(64), Some(128), 2)), [true, false, false]);
        assert_eq!(of(&with(Some(100), Some(65), Some(128), 2)), [false, true, false]);
        assert_eq!(of(&with(Some(100), Some(64), Some(256), 2)), [false, false, true]);
        assert_eq!(of(&with(Some(100), None, Some(256), 2)), [false, true, true], "the limit is asked for");
        assert_eq!(of(&with(None, Some(64), Some(128), 2)), [true, false, false], "a limit may be asked for");
        assert_eq!(of(&with(Some(50), Some(32), Some(64), 2)), [false; 3]);
        assert!(!asks_for_more(&old, &with(Some(200), Some(128), Some(256), 2), &[]));
    }

    #[rstest]
    #[case::of_one(&[(ContainerKind::App, 2)], 2)]
    #[case::together(&[(ContainerKind::App, 1), (ContainerKind::App, 2)], 3)]
    #[case::beside_a_sidecar(&[(ContainerKind::Sidecar, 1), (ContainerKind::App, 1)], 2)]
    #[case::init_runs_before(&[(ContainerKind::Init, 2), (ContainerKind::App, 1)], 2)]
    #[case::init_is_less(&[(ContainerKind::Init, 2), (ContainerKind::App, 2), (ContainerKind::App, 1)], 3)]
    fn a_pod_asks_for_the_devices_of_all_its_containers(#[case] containers: &[(ContainerKind, u64)], #[case] all: u64) {
        let mut asking = revision(&[], 1);
        let container = |(kind, amount): &(ContainerKind, u64)| ContainerTemplate {
            kind: *kind,
            devices: Box::new([("example.com/nic".into(), 9), ("example.com/gpu".into(), *amount)]),
            ..ContainerTemplate::default()
        };
        asking.template.containers = containers.iter().map(container).collect();
        assert_eq!(devices(&asking, "example.com/gpu"), all);
        assert_eq!(devices(&asking, "example.com/fpga"), 0);
    }

    #[rstest]
    #[case("web", "web", "docker.io")]
    #[case("web:1.0", "web", "docker.io")]
    #[case("shop/web:1.0", "shop/web", "docker.io")]
    #[case("docker.io/shop/web@sha256:12", "docker.io/shop/web", "docker.io")]
    #[case("localhost/web", "localhost/web", "localhost")]
    #[case("registry:5000/web", "registry:5000/web", "registry:5000")]
    #[case("127.0.0.1:5000/shop/web:1.0@sha256:12", "127.0.0.1:5000/shop/web", "127.0.0.1:5000")]
    #[case("", "", "docker.io")]
    fn an_image_has_a_registry_and_a_repository(#[case] image: &str, #[case] repo: &str, #[case] host: &str) {
        assert_eq!((repository(image), registry(image)), (repo, host));
    }
}
