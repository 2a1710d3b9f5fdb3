use std::collections::BTreeSet;

use rstest::rstest;
use strum::IntoEnumIterator;

use super::*;
use crate::engine::words::{Aspect, Fault, Sureness};

/// The words of the API: every class with its causes.
const WORDS: &str = "
ImagePullBackOff: InvalidImageName ImageNotFound PlatformMismatch RegistryAuth ImageMissingOrPrivate
    RegistryRateLimited RegistryUnreachable RegistryDns RegistryTls RegistryError NodeDiskFull SignatureRejected
    NeverPullPolicy Unknown
CrashLoopBackOff: ApplicationError Panic NativeCrash MissingCode ConfigError PortInUse PermissionDenied StorageFull
    CommandExits LivenessKilled StartupProbeKilled PostStartHook RuntimeOutOfMemory PoolExhausted TooManyConnections
    DatabaseDeadlock DatabaseLockTimeout SchemaMismatch MigrationFailed DatabaseAuth DatabaseUnavailable
    DependencyUnreachable DnsFailure TlsFailure UpstreamTimeout KubernetesForbidden NodeRestart NodeLimit
    DeviceUnavailable Unknown
OOMKilled: ContainerLimit LimitTooLowToStart NodeOutOfMemory ChildProcess Suspected
Pending: InsufficientResources Taints NodeSelector PodAffinity TopologySpread HostPort NodesCordoned TooManyPods
    VolumeUnbound VolumeTopology SchedulingGated NoScheduler Unknown
ContainerConfig: MissingConfigMap MissingSecret MissingKey RunAsNonRoot SubPath CacheNotSynced Unknown
ContainerStart: CommandNotFound NotExecutable WrongArchitecture MountError NodeDiskFull RuntimeError
PodSetup: MissingConfigMap MissingSecret VolumeMount VolumeAttach SandboxFailed NetworkNotReady DeviceUnavailable
    Unknown
InitStuck: InitHanging
Unready: ReadinessHttp ReadinessRefused ReadinessTimeout ReadinessExec ReadinessGrpc ReadinessGate ProbeErrored
    Flapping Unknown
CreateRefused: QuotaExceeded QuotaNeedsLimits LimitRange PodSecurity AdmissionDenied WebhookUnavailable
    ServiceAccountMissing PriorityClassMissing PodInvalid NamespaceTerminating Unknown
Evicted: NodePressure OwnLimit Preempted NodeShutdown
NodeLost: NodeNotReady
RolloutStalled: DeadlineExceeded StrategyDeadlock
HealthCheck: HttpCheckFailing MetricCheckFailing
";

fn class(word: &str) -> Class {
    Class::iter().find(|class| class.to_string() == word).unwrap_or_else(|| panic!("no class {word}"))
}

fn cause(word: &str) -> Cause {
    Cause::iter().find(|cause| cause.to_string() == word).unwrap_or_else(|| panic!("no cause {word}"))
}

fn words() -> BTreeSet<(Class, Cause)> {
    let mut current = None;
    let mut pairs = BTreeSet::new();
    for word in WORDS.split_whitespace() {
        match word.strip_suffix(':') {
            Some(word) => current = Some(class(word)),
            None => assert!(pairs.insert((current.unwrap(), cause(word))), "{word} twice"),
        }
    }
    pairs
}

fn rows() -> impl Iterator<Item = (Class, Cause, Knowledge)> {
    table::ROWS.iter().map(|(class, cause)| (*class, *cause, table::known(*class, *cause).unwrap()))
}

#[test]
fn every_word_has_its_row_and_every_row_its_word() {
    let rows: BTreeSet<_> = table::ROWS.iter().copied().collect();
    assert_eq!(rows.len(), table::ROWS.len(), "a row stands twice");
    assert_eq!(words().difference(&rows).collect::<Vec<_>>(), Vec::<&(Class, Cause)>::new(), "rows are missing");
    assert_eq!(rows.difference(&words()).collect::<Vec<_>>(), Vec::<&(Class, Cause)>::new(), "words are missing");
}

#[test]
fn every_class_and_cause_is_used() {
    let (classes, causes): (BTreeSet<Class>, BTreeSet<Cause>) = words().into_iter().unzip();
    assert_eq!(classes, Class::iter().collect());
    assert_eq!(causes, Cause::iter().collect());
}

#[test]
fn a_meaning_is_one_sentence() {
    let mut meanings = BTreeSet::new();
    for (class, cause, about) in rows() {
        let meaning = about.meaning;
        assert!(meaning.ends_with('.') && meaning.len() <= 120, "{class} {cause}: {meaning}");
        assert_eq!(meaning.matches(". ").count(), 0, "{class} {cause}: {meaning}");
        assert!(meanings.insert(meaning), "{class} {cause} means what another means: {meaning}");
    }
}

#[test]
fn where_a_revision_may_be_at_fault_some_part_of_a_template_is_the_cause() {
    for (class, cause, about) in rows() {
        let rolls_back = matches!(about.rollback, Rollback::Helps | Rollback::Depends);
        if rolls_back {
            assert!(!about.aspects.is_empty(), "{class} {cause} depends on no change");
        }
        if about.sureness == Sureness::Excluded {
            assert_eq!(about.rollback, Rollback::CannotHelp, "{class} {cause} is never evidence");
        }
        if about.rollback == Rollback::Helps {
            assert_eq!(about.fault, Fault::Revision, "{class} {cause}");
        }
    }
}

#[test]
fn aspects_are_listed_once_in_their_order() {
    for (class, cause, about) in rows() {
        assert!(about.aspects.is_sorted_by(|a, b| a < b), "{class} {cause}: {:?}", about.aspects);
    }
}

#[rstest]
#[case(Class::Pending, Cause::InsufficientResources, Aspect::Resources)]
#[case(Class::ImagePullBackOff, Cause::RegistryAuth, Aspect::PullSecrets)]
#[case(Class::ContainerConfig, Cause::MissingConfigMap, Aspect::Environment)]
#[case(Class::OOMKilled, Cause::ContainerLimit, Aspect::Resources)]
#[case(Class::CrashLoopBackOff, Cause::ApplicationError, Aspect::Metadata)]
fn the_usual_suspect_is_among_the_aspects(#[case] class: Class, #[case] cause: Cause, #[case] aspect: Aspect) {
    assert!(about(class, cause).aspects.contains(&aspect));
}

/// Charts change a label or an annotation with every release.
#[rstest]
#[case(Class::Pending, Cause::Taints)]
#[case(Class::Pending, Cause::NodeSelector)]
#[case(Class::PodSetup, Cause::SandboxFailed)]
#[case(Class::CreateRefused, Cause::PodSecurity)]
#[case(Class::CrashLoopBackOff, Cause::DatabaseUnavailable)]
#[case(Class::CrashLoopBackOff, Cause::DependencyUnreachable)]
#[case(Class::CrashLoopBackOff, Cause::DnsFailure)]
fn labels_and_annotations_bring_about_no(#[case] class: Class, #[case] cause: Cause) {
    assert!(!about(class, cause).aspects.contains(&Aspect::Metadata));
}

#[rstest]
#[case(Class::PodSetup, Cause::SandboxFailed)]
#[case(Class::CreateRefused, Cause::PodSecurity)]
#[case(Class::CreateRefused, Cause::PodInvalid)]
#[case(Class::CrashLoopBackOff, Cause::DatabaseUnavailable)]
#[case(Class::RolloutStalled, Cause::StrategyDeadlock)]
fn a_new_image_brings_about_no(#[case] class: Class, #[case] cause: Cause) {
    assert!(!about(class, cause).aspects.contains(&Aspect::Image));
}

#[test]
fn a_pair_that_never_occurs_is_known_to_be_unknown() {
    let about = about(Class::OOMKilled, Cause::ImageNotFound);
    assert_eq!((about.fault, about.rollback), (Fault::Unknown, Rollback::Depends));
}

#[test]
fn steps_are_commands_with_nothing_but_known_marks() {
    let marks = ["namespace", "kind", "workload", "creator", "rollout", "pod", "container", "previous"];
    let values = marks.map(|mark| (mark, Some("x")));
    for (class, cause, about) in rows() {
        assert!((1..=4).contains(&about.steps.len()), "{class} {cause}");
        for step in about.steps {
            let filled = fill(step, &values).unwrap();
            assert!(filled.starts_with("kubectl ") && !filled.contains(['{', '}']), "{class} {cause}: {step}");
        }
    }
}

#[test]
fn a_step_that_needs_what_is_missing_or_grows_too_long_is_left_out() {
    let marks = |pod| [("namespace", Some("shop")), ("pod", pod)];
    let step = "kubectl -n {namespace} describe pod {pod}";
    assert_eq!(fill(step, &marks(Some("web-1"))).unwrap(), "kubectl -n shop describe pod web-1");
    assert_eq!(fill(step, &marks(None)), None);
}

#[rstest]
#[case::only_events_tell_it(Class::OOMKilled, Cause::LimitTooLowToStart, Sureness::Timed, true)]
#[case::a_rollout_frees_it(Class::CreateRefused, Cause::QuotaExceeded, Sureness::Timed, true)]
#[case::another_cause_of_the_class(Class::OOMKilled, Cause::ContainerLimit, Sureness::Timed, false)]
#[case::as_a_rule(Class::Pending, Cause::Taints, Sureness::Timed, true)]
#[case::flapping_is_one_cause(Class::Unready, Cause::ReadinessHttp, Sureness::Flapping, false)]
fn a_failure_shows_in_some_ways(
    #[case] class: Class,
    #[case] cause: Cause,
    #[case] sureness: Sureness,
    #[case] shows: bool,
) {
    assert_eq!(may_show(class, cause, sureness), shows);
}
