//! The table itself: one row per class and cause.

use super::Knowledge;
use super::aspects::*;
use crate::engine::words::{Cause, Class, Fault, Rollback, Sureness};

const DESCRIBE: &str = "kubectl -n {namespace} describe pod {pod}";
const ENDED: &str = "kubectl -n {namespace} logs {pod} -c {container}{previous}";
const RUNS: &str = "kubectl -n {namespace} logs {pod} -c {container}";
const HISTORY: &str = "kubectl -n {namespace} rollout history {rollout}";
const PODS: &str = "kubectl -n {namespace} get pods -o wide";
const REFUSALS: &str =
    "kubectl -n {namespace} get events --field-selector involvedObject.kind={creator},reason=FailedCreate";
const NODES: &str = "kubectl get nodes -o wide";

pub(super) const LOOK: &[&str] = &[DESCRIBE, HISTORY];
const LOGS: &[&str] = &[ENDED, DESCRIBE, HISTORY];
const LOG: &[&str] = &[RUNS, DESCRIBE, HISTORY];
const OOM: &[&str] = &["kubectl -n {namespace} top pod {pod} --containers", ENDED, DESCRIBE, HISTORY];
const NODE: &[&str] = &[NODES, "kubectl describe nodes", PODS];
const REGISTRY: &[&str] = &[DESCRIBE, "kubectl -n {namespace} get {kind} {workload} -o wide", NODES];
const SECRETS: &[&str] = &[DESCRIBE, "kubectl -n {namespace} get serviceaccounts,secrets", HISTORY];
const OBJECTS: &[&str] = &[DESCRIBE, "kubectl -n {namespace} get configmaps,secrets", HISTORY];
const PLACING: &[&str] = &[DESCRIBE, "kubectl describe nodes", PODS];
const VOLUMES: &[&str] = &[DESCRIBE, "kubectl -n {namespace} describe pvc", "kubectl get pv"];
const QUOTA: &[&str] = &[REFUSALS, "kubectl -n {namespace} describe resourcequota,limitrange", HISTORY];
const POLICY: &[&str] = &[REFUSALS, "kubectl get namespace {namespace} --show-labels", HISTORY];
const WEBHOOKS: &[&str] = &[REFUSALS, "kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations"];
const ACCOUNTS: &[&str] = &[REFUSALS, "kubectl -n {namespace} get serviceaccounts", HISTORY];
const PRIORITIES: &[&str] = &[REFUSALS, "kubectl get priorityclasses", HISTORY];
const NAMESPACE: &[&str] = &["kubectl get namespace {namespace} -o yaml"];
pub(super) const DESCRIBE_WORKLOAD: &str = "kubectl -n {namespace} describe {kind} {workload}";
const ROLLOUT: &[&str] = &[DESCRIBE_WORKLOAD, PODS, HISTORY];

macro_rules! table {
    ($($class:ident $cause:ident: $fault:ident $rollback:ident $sureness:ident $aspects:ident $steps:ident
        $meaning:literal)*) => {
        pub(super) fn known(class: Class, cause: Cause) -> Option<Knowledge> {
            Some(match (class, cause) {
                $((Class::$class, Cause::$cause) => Knowledge {
                    fault: Fault::$fault,
                    rollback: Rollback::$rollback,
                    sureness: Sureness::$sureness,
                    aspects: $aspects,
                    steps: $steps,
                    meaning: $meaning,
                },)*
                _ => return None,
            })
        }

        /// The rows in their order.
        pub(super) const ROWS: &[(Class, Cause)] = &[$((Class::$class, Cause::$cause)),*];
    };
}

// Class and cause: fault, rollback, sureness, aspects, next steps, and what it means.
table! {
    ImagePullBackOff InvalidImageName: Revision Helps Definitive IMAGE LOOK
        "The image's name is not a valid reference, or is too short for the node to tell the registry."
    ImagePullBackOff ImageNotFound: Revision Helps Definitive IMAGE REGISTRY
        "The registry says that it has no such image."
    ImagePullBackOff PlatformMismatch: Revision Helps Repeated IMAGE REGISTRY
        "The image was not built for this node's platform."
    ImagePullBackOff RegistryAuth: Revision Depends Repeated PULL SECRETS
        "The registry refuses the credentials, or there are none."
    ImagePullBackOff ImageMissingOrPrivate: Revision Depends Repeated PULL SECRETS
        "The image does not exist or may not be read; the registry does not say which."
    ImagePullBackOff RegistryRateLimited: Platform CannotHelp Repeated NOTHING REGISTRY
        "The registry allows no more pulls for now."
    ImagePullBackOff RegistryUnreachable: Platform Depends Repeated IMAGE REGISTRY
        "The registry cannot be reached."
    ImagePullBackOff RegistryDns: Platform Depends Repeated IMAGE REGISTRY
        "The registry's host name cannot be resolved."
    ImagePullBackOff RegistryTls: Platform Depends Repeated IMAGE REGISTRY
        "The registry's certificate is not trusted, or it does not speak TLS."
    ImagePullBackOff RegistryError: Platform CannotHelp Repeated NOTHING REGISTRY
        "The registry answers with errors of its own."
    ImagePullBackOff NodeDiskFull: Platform CannotHelp Repeated NOTHING NODE
        "The node has no space left for the image."
    ImagePullBackOff SignatureRejected: Revision Helps Repeated IMAGE REGISTRY
        "A policy of the registry or the node does not accept the image, such as for its signature."
    ImagePullBackOff NeverPullPolicy: Revision Depends Definitive IMAGE REGISTRY
        "The image may not be pulled and is not on the node."
    ImagePullBackOff Unknown: Unknown Depends Repeated PULL REGISTRY
        "The image cannot be pulled, and the status does not say why, or not in words that are known."

    CrashLoopBackOff ApplicationError: Revision Depends Counted PROGRAM LOGS
        "The program ends with an error of its own."
    CrashLoopBackOff Panic: Revision Helps Counted PROGRAM LOGS
        "The program panics."
    CrashLoopBackOff NativeCrash: Revision Depends Counted PROGRAM LOGS
        "The program is killed by a signal that it caused itself."
    CrashLoopBackOff MissingCode: Revision Helps Counted PROGRAM LOGS
        "A module, class or library that the program needs is not in the image."
    CrashLoopBackOff ConfigError: Revision Depends Counted CLIENT LOGS
        "The program does not accept its configuration."
    CrashLoopBackOff PortInUse: Revision Depends Counted PROGRAM LOGS
        "The port that the program listens on is taken."
    CrashLoopBackOff PermissionDenied: Revision Depends Counted PROGRAM LOGS
        "The program may not read, write or bind what it needs."
    CrashLoopBackOff StorageFull: Platform Depends Counted WRITER LOGS
        "The program has no space left to write to."
    CrashLoopBackOff CommandExits: Revision Depends Counted PROGRAM LOGS
        "The program ends without an error where it should run on."
    CrashLoopBackOff LivenessKilled: Revision Depends Counted PROGRAM LOGS
        "The kubelet kills the container because its liveness probe fails."
    CrashLoopBackOff StartupProbeKilled: Revision Depends Counted PROGRAM LOGS
        "The kubelet kills the container because its startup probe never passes."
    CrashLoopBackOff PostStartHook: Revision Helps Counted PROGRAM LOGS
        "The container's postStart hook fails, so the kubelet kills it."
    CrashLoopBackOff RuntimeOutOfMemory: Revision Depends Counted MEMORY LOGS
        "The program's own runtime runs out of memory."
    CrashLoopBackOff PoolExhausted: Unknown Depends Counted CLIENT LOGS
        "The program finds no free connection in its pool."
    CrashLoopBackOff TooManyConnections: Unknown Depends Counted CLIENT LOGS
        "The database accepts no more connections."
    CrashLoopBackOff DatabaseDeadlock: Unknown Depends Counted CLIENT LOGS
        "Transactions of the program lock each other out."
    CrashLoopBackOff DatabaseLockTimeout: Dependency Depends Counted CLIENT LOGS
        "The program waits too long for a lock in its database."
    CrashLoopBackOff SchemaMismatch: Revision Depends Counted CLIENT LOGS
        "The program expects another database schema than there is."
    CrashLoopBackOff MigrationFailed: Revision Depends Counted CLIENT LOGS
        "A migration of the database schema fails."
    CrashLoopBackOff DatabaseAuth: Configuration Depends Counted CLIENT LOGS
        "The database, or another service, does not accept the program's credentials."
    CrashLoopBackOff DatabaseUnavailable: Dependency Depends Counted ADDRESSES LOGS
        "The database does not serve at the moment."
    CrashLoopBackOff DependencyUnreachable: Dependency Depends Counted CLIENT LOGS
        "A service that the program calls cannot be reached."
    CrashLoopBackOff DnsFailure: Unknown Depends Counted CLIENT LOGS
        "A host name that the program needs cannot be resolved."
    CrashLoopBackOff TlsFailure: Dependency Depends Counted CLIENT LOGS
        "The program and a service that it calls do not agree on a certificate."
    CrashLoopBackOff UpstreamTimeout: Dependency Depends Counted CLIENT LOGS
        "A service that the program calls answers too late."
    CrashLoopBackOff KubernetesForbidden: Unknown Depends Counted CALLER LOGS
        "The program's service account may not do what it does."
    CrashLoopBackOff NodeRestart: Platform CannotHelp Excluded NOTHING NODE
        "The node lost the container; it did not fail by itself."
    CrashLoopBackOff NodeLimit: Platform Depends Counted SANDBOX LOGS
        "The node's kernel allows less than the program needs, such as inotify watches."
    CrashLoopBackOff DeviceUnavailable: Platform Depends Counted DRIVER LOGS
        "The driver of a device that the program needs is not there."
    CrashLoopBackOff Unknown: Unknown Depends Counted PROGRAM LOGS
        "The container ends and its status does not say why."

    OOMKilled ContainerLimit: Revision Depends Counted MEMORY OOM
        "The container used more memory than its limit."
    OOMKilled LimitTooLowToStart: Revision Helps Repeated MEMORY OOM
        "The memory limit is too low for the container to start at all."
    OOMKilled NodeOutOfMemory: Platform CannotHelp Counted NOTHING NODE
        "The node ran out of memory, and the container was killed for it."
    OOMKilled ChildProcess: Revision CannotHelp Excluded NOTHING OOM
        "A process in the container was killed for want of memory; the container goes on."
    OOMKilled Suspected: Unknown Depends Counted MEMORY OOM
        "The container was killed, perhaps for want of memory."

    Pending InsufficientResources: Platform Depends Timed CAPACITY PLACING
        "No node has as much free as the pod asks for."
    Pending Taints: Platform Depends Timed PLACE PLACING
        "The nodes have taints that the pod does not tolerate."
    Pending NodeSelector: Revision Depends Timed PLACE PLACING
        "No node has the labels that the pod asks for."
    Pending PodAffinity: Revision Depends Timed COMPANY PLACING
        "The pod's affinity to other pods leaves no node."
    Pending TopologySpread: Revision Depends Timed COMPANY PLACING
        "The pod's spread constraints leave no node."
    Pending HostPort: Revision Depends Timed PORTS PLACING
        "The host port that the pod asks for is taken on every node."
    Pending NodesCordoned: Platform CannotHelp Timed NOTHING NODE
        "The nodes that would fit are cordoned."
    Pending TooManyPods: Platform CannotHelp Timed NOTHING NODE
        "The nodes run as many pods as they may."
    Pending VolumeUnbound: Platform Depends Timed STORAGE VOLUMES
        "A volume claim of the pod is missing or not bound."
    Pending VolumeTopology: Platform Depends Timed STORAGE VOLUMES
        "The pod's volume cannot be used on any node that would fit."
    Pending SchedulingGated: Platform Depends Timed PLACE LOOK
        "A scheduling gate holds the pod back."
    Pending NoScheduler: Revision Depends Timed PLACE LOOK
        "No scheduler has looked at the pod."
    Pending Unknown: Unknown Depends Timed CAPACITY PLACING
        "No node was found for the pod, in words that are not known."

    ContainerConfig MissingConfigMap: Revision Depends Repeated SETTINGS OBJECTS
        "A ConfigMap that the container needs does not exist."
    ContainerConfig MissingSecret: Revision Depends Repeated SETTINGS OBJECTS
        "A Secret that the container needs does not exist."
    ContainerConfig MissingKey: Revision Depends Repeated SETTINGS OBJECTS
        "A ConfigMap or Secret lacks a key that the container needs."
    ContainerConfig RunAsNonRoot: Revision Depends Repeated USER LOOK
        "The container must not run as root, and its image would."
    ContainerConfig SubPath: Revision Depends Repeated STORAGE VOLUMES
        "A subPath of a volume cannot be prepared."
    ContainerConfig CacheNotSynced: Platform CannotHelp Timed NOTHING NODE
        "The kubelet has not read the objects that the pod needs."
    ContainerConfig Unknown: Unknown Depends Repeated PROGRAM LOOK
        "The container's configuration cannot be made."

    ContainerStart CommandNotFound: Revision Helps Repeated START LOOK
        "The command is not in the image."
    ContainerStart NotExecutable: Revision Helps Repeated START LOOK
        "The command may not be executed."
    ContainerStart WrongArchitecture: Revision Depends Repeated START REGISTRY
        "The program was built for another processor, or lacks its interpreter."
    ContainerStart MountError: Revision Depends Repeated START VOLUMES
        "Something cannot be mounted into the container."
    ContainerStart NodeDiskFull: Platform CannotHelp Repeated NOTHING NODE
        "The node has no space left for the container."
    ContainerStart RuntimeError: Unknown Depends Repeated START LOOK
        "The runtime cannot create or start the container."

    PodSetup MissingConfigMap: Revision Depends Repeated SETTINGS OBJECTS
        "A ConfigMap that the pod mounts does not exist."
    PodSetup MissingSecret: Revision Depends Repeated SETTINGS OBJECTS
        "A Secret that the pod mounts does not exist."
    PodSetup VolumeMount: Unknown Depends Timed STORAGE VOLUMES
        "A volume of the pod cannot be mounted."
    PodSetup VolumeAttach: Platform CannotHelp Timed NOTHING VOLUMES
        "A volume of the pod cannot be attached to its node."
    PodSetup SandboxFailed: Platform Depends Timed SANDBOX NODE
        "The runtime cannot make the pod's sandbox."
    PodSetup NetworkNotReady: Platform CannotHelp Timed NOTHING NODE
        "The node's network is not ready."
    PodSetup DeviceUnavailable: Platform Depends Timed CAPACITY NODE
        "A device that the pod asks for is not available on its node."
    PodSetup Unknown: Unknown Depends Timed PROGRAM LOOK
        "The pod has a node and cannot be set up there."

    InitStuck InitHanging: Unknown Depends Timed PROGRAM LOG
        "An init container runs and does not end."

    Unready ReadinessHttp: Revision Depends Timed PROGRAM LOG
        "The program answers its readiness probe with an error."
    Unready ReadinessRefused: Revision Depends Timed PROGRAM LOG
        "Nothing listens where the readiness probe asks."
    Unready ReadinessTimeout: Unknown Depends Timed PROGRAM LOG
        "The program answers its readiness probe too late."
    Unready ReadinessExec: Revision Depends Timed PROGRAM LOG
        "The command of the readiness probe fails."
    Unready ReadinessGrpc: Revision Depends Timed PROGRAM LOG
        "The program's gRPC health service does not say that it serves."
    Unready ReadinessGate: Platform CannotHelp Timed NOTHING LOOK
        "A readiness gate is not set, though all containers are ready."
    Unready ProbeErrored: Platform CannotHelp Timed NOTHING LOOK
        "The kubelet could not carry the probe out."
    Unready Flapping: Unknown Depends Flapping PROGRAM LOG
        "The pod becomes ready and unready by turns."
    Unready Unknown: Unknown Depends Timed PROGRAM LOG
        "The container runs and is not ready."

    CreateRefused QuotaExceeded: Namespace Depends Repeated CAPACITY QUOTA
        "The namespace's quota leaves no room for the pod."
    CreateRefused QuotaNeedsLimits: Revision Depends Definitive CAPACITY QUOTA
        "The namespace's quota asks for requests or limits that the pod lacks."
    CreateRefused LimitRange: Revision Depends Definitive CAPACITY QUOTA
        "The pod's resources are outside the namespace's limit range."
    CreateRefused PodSecurity: Revision Depends Definitive SECURITY POLICY
        "The namespace's pod security level forbids the pod."
    CreateRefused AdmissionDenied: Namespace Depends Definitive PROGRAM POLICY
        "An admission policy forbids the pod."
    CreateRefused WebhookUnavailable: Platform CannotHelp Repeated NOTHING WEBHOOKS
        "An admission webhook does not answer or cannot do its work, so no pod can be created."
    CreateRefused ServiceAccountMissing: Revision Depends Repeated IDENTITY ACCOUNTS
        "The pod's service account does not exist."
    CreateRefused PriorityClassMissing: Revision Depends Repeated PLACE PRIORITIES
        "The pod's priority class does not exist."
    CreateRefused PodInvalid: Revision Depends Definitive VALIDATED POLICY
        "The API server does not accept the pod."
    CreateRefused NamespaceTerminating: Namespace Harmful Repeated NOTHING NAMESPACE
        "The namespace is being deleted."
    CreateRefused Unknown: Unknown Depends Repeated PROGRAM POLICY
        "The ReplicaSet cannot create its pods."

    Evicted NodePressure: Platform CannotHelp Excluded NOTHING NODE
        "The node ran short and put the pod out."
    Evicted OwnLimit: Revision Depends Repeated LIMITS LOOK
        "The pod went beyond a limit of its own, of local storage or of time."
    Evicted Preempted: Platform CannotHelp Excluded NOTHING NODE
        "The pod gave way to a more important one."
    Evicted NodeShutdown: Platform CannotHelp Excluded NOTHING NODE
        "The pod was taken from a node that is drained or shut down."
    NodeLost NodeNotReady: Platform CannotHelp Excluded NOTHING NODE
        "The pod's node is not ready or gone."
    RolloutStalled DeadlineExceeded: Unknown Depends Definitive PROGRAM ROLLOUT
        "No progress was made within the deadline."
    RolloutStalled StrategyDeadlock: Revision Depends Timed PLACES ROLLOUT
        "New pods wait for places of old pods, which wait for new pods."
    HealthCheck HttpCheckFailing: Revision Depends Timed PROGRAM ROLLOUT
        "An HTTP check of the policy fails."
    HealthCheck MetricCheckFailing: Revision Depends Timed PROGRAM ROLLOUT
        "A metric check of the policy fails."
}
