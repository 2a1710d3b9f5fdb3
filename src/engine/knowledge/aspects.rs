//! Which parts of a template can bring about what.
//!
//! Labels and annotations are among them only where a program or a rule about its place reads them: charts change some
//! with every release.

use crate::engine::words::Aspect;

pub(in crate::engine) const IMAGE: &[Aspect] = &[Aspect::Image, Aspect::InitContainers, Aspect::Containers];
pub(in crate::engine) const PULL: &[Aspect] =
    &[Aspect::Image, Aspect::ServiceAccount, Aspect::PullSecrets, Aspect::InitContainers, Aspect::Containers];
/// All that can make a program end: its code, its surroundings and who may stop it.
pub(in crate::engine) const PROGRAM: &[Aspect] = &[
    Aspect::Image,
    Aspect::Command,
    Aspect::Environment,
    Aspect::Resources,
    Aspect::Probes,
    Aspect::Ports,
    Aspect::Volumes,
    Aspect::Scheduling,
    Aspect::Security,
    Aspect::ServiceAccount,
    Aspect::Lifecycle,
    Aspect::InitContainers,
    Aspect::Containers,
    Aspect::Metadata,
    Aspect::Other,
];
pub(in crate::engine) const START: &[Aspect] = &[
    Aspect::Image,
    Aspect::Command,
    Aspect::Resources,
    Aspect::Volumes,
    Aspect::Scheduling,
    Aspect::Security,
    Aspect::InitContainers,
    Aspect::Containers,
    Aspect::Other,
];
pub(in crate::engine) const MEMORY: &[Aspect] = &[
    Aspect::Image,
    Aspect::Command,
    Aspect::Environment,
    Aspect::Resources,
    Aspect::Volumes,
    Aspect::InitContainers,
    Aspect::Containers,
    Aspect::Metadata,
];
/// Memory and what else a pod limits itself in.
pub(in crate::engine) const LIMITS: &[Aspect] = &[
    Aspect::Image,
    Aspect::Command,
    Aspect::Environment,
    Aspect::Resources,
    Aspect::Volumes,
    Aspect::Lifecycle,
    Aspect::InitContainers,
    Aspect::Containers,
    Aspect::Metadata,
];
pub(in crate::engine) const CLIENT: &[Aspect] = &[
    Aspect::Image,
    Aspect::Command,
    Aspect::Environment,
    Aspect::Volumes,
    Aspect::InitContainers,
    Aspect::Containers,
    Aspect::Other,
];
/// What calls the API server, and as whom.
pub(in crate::engine) const CALLER: &[Aspect] = &[
    Aspect::Image,
    Aspect::Command,
    Aspect::Environment,
    Aspect::Volumes,
    Aspect::ServiceAccount,
    Aspect::InitContainers,
    Aspect::Containers,
    Aspect::Metadata,
    Aspect::Other,
];
/// What writes, and to where.
pub(in crate::engine) const WRITER: &[Aspect] = &[
    Aspect::Image,
    Aspect::Command,
    Aspect::Environment,
    Aspect::Resources,
    Aspect::Volumes,
    Aspect::Scheduling,
    Aspect::InitContainers,
    Aspect::Containers,
];
/// What names the services that a program calls, and how names are resolved.
pub(in crate::engine) const ADDRESSES: &[Aspect] =
    &[Aspect::Command, Aspect::Environment, Aspect::Volumes, Aspect::InitContainers, Aspect::Containers, Aspect::Other];
pub(in crate::engine) const SETTINGS: &[Aspect] =
    &[Aspect::Environment, Aspect::Volumes, Aspect::InitContainers, Aspect::Containers];
pub(in crate::engine) const CAPACITY: &[Aspect] =
    &[Aspect::Resources, Aspect::Scheduling, Aspect::InitContainers, Aspect::Containers];
pub(in crate::engine) const PLACE: &[Aspect] = &[Aspect::Scheduling];
/// What places a pod beside others or away from them; of its labels those that the rules select by.
pub(in crate::engine) const COMPANY: &[Aspect] = &[Aspect::Scheduling, Aspect::Metadata];
pub(in crate::engine) const PORTS: &[Aspect] = &[Aspect::Ports, Aspect::Scheduling, Aspect::Containers, Aspect::Other];
pub(in crate::engine) const STORAGE: &[Aspect] =
    &[Aspect::Volumes, Aspect::Scheduling, Aspect::InitContainers, Aspect::Containers];
/// Whom a container runs as: the template says so, or its image.
pub(in crate::engine) const USER: &[Aspect] =
    &[Aspect::Image, Aspect::Security, Aspect::InitContainers, Aspect::Containers];
/// What pod security levels look at.
pub(in crate::engine) const SECURITY: &[Aspect] =
    &[Aspect::Ports, Aspect::Volumes, Aspect::Security, Aspect::InitContainers, Aspect::Containers, Aspect::Other];
/// The class of the runtime, the node, and as whom a program runs on it: kernels count some of what they allow by user.
pub(in crate::engine) const SANDBOX: &[Aspect] = &[Aspect::Scheduling, Aspect::Security];
/// What brings a device's driver into a container.
pub(in crate::engine) const DRIVER: &[Aspect] = &[
    Aspect::Environment,
    Aspect::Resources,
    Aspect::Volumes,
    Aspect::Scheduling,
    Aspect::Security,
    Aspect::Containers,
];
/// What a place that an old pod holds can be.
pub(in crate::engine) const PLACES: &[Aspect] = &[
    Aspect::Resources,
    Aspect::Ports,
    Aspect::Volumes,
    Aspect::Scheduling,
    Aspect::InitContainers,
    Aspect::Containers,
];
/// What validation looks at after everybody has changed the pod; an image is none of it.
pub(in crate::engine) const VALIDATED: &[Aspect] = &[
    Aspect::Command,
    Aspect::Environment,
    Aspect::Resources,
    Aspect::Probes,
    Aspect::Ports,
    Aspect::Volumes,
    Aspect::Scheduling,
    Aspect::Security,
    Aspect::ServiceAccount,
    Aspect::Lifecycle,
    Aspect::InitContainers,
    Aspect::Containers,
    Aspect::Other,
];
pub(in crate::engine) const IDENTITY: &[Aspect] = &[Aspect::ServiceAccount];
pub(in crate::engine) const NOTHING: &[Aspect] = &[];
