use std::sync::Arc;

use rstest::rstest;

use super::build::*;
use crate::engine::classify::classify;
use crate::engine::facts::{ContainerTemplate, PodFacts, Snapshot};
use crate::engine::finding::Symptom;
use crate::engine::words::{Cause, Class, Sureness};

/// Two replicas, of which each old pod asks for half a core and 64 Mi, and each new one for a core. An old pod is ready, the other
/// one ends, and the second new one is refused.
fn refused(message: &str) -> Snapshot {
    let (old, new) = (serving("old-1", OLD), serving("new-1", NEW));
    let ending = PodFacts { deleting: true, ..serving("old-2", OLD) };
    let mut s = snapshot([old, ending, new]);
    for (at, cpu) in [(0, 500), (1, 1_000)] {
        let revision = Arc::make_mut(&mut s.revisions[at]);
        let asks = ContainerTemplate {
            cpu_request: Some(cpu),
            cpu_limit: Some(2 * cpu),
            memory_request: Some(64 << 20),
            ..template("web")
        };
        revision.template.containers = Box::new([asks]);
    }
    let newest = Arc::make_mut(&mut s.revisions[1]);
    newest.desired = 2;
    newest.replica_failure = Some(condition(true, "FailedCreate", message, 10));
    s
}

fn serving(pod: &str, revision: &str) -> PodFacts {
    PodFacts { uid: name(pod), name: name(pod), revision: name(revision), ..ready_pod([running(2).ready()]) }
}

fn quota(requested: &str, used: &str, limited: &str) -> String {
    format!("pods \"x\" is forbidden: exceeded quota: q, requested: {requested}, used: {used}, limited: {limited}")
}

fn of_creation(s: &Snapshot, now: i64) -> Symptom<'_> {
    let all = classify(s, at(now));
    all.into_iter().find(|symptom| symptom.class == Class::CreateRefused).unwrap()
}

#[rstest]
#[case::two_new_ones_fit("requests.cpu=1", "requests.cpu=2", "requests.cpu=2", Sureness::Timed)]
#[case::two_new_ones_do_not("requests.cpu=1", "requests.cpu=1500m", "requests.cpu=1900m", Sureness::Repeated)]
#[case::beside_others("requests.cpu=1", "requests.cpu=7", "requests.cpu=6", Sureness::Repeated)]
#[case::beside_few_others("requests.cpu=1", "requests.cpu=3", "requests.cpu=3", Sureness::Timed)]
#[case::a_sidecar_is_added_to_all("requests.cpu=1200m", "requests.cpu=4", "requests.cpu=3500m", Sureness::Timed)]
#[case::limits("limits.cpu=2", "limits.cpu=14", "limits.cpu=12", Sureness::Repeated)]
#[case::memory("memory=64Mi", "memory=192Mi", "memory=192Mi", Sureness::Timed)]
#[case::memory_that_others_have("memory=64Mi", "memory=1Gi", "memory=800Mi", Sureness::Repeated)]
#[case::pods("pods=1", "pods=3", "pods=3", Sureness::Timed)]
#[case::pods_of_others("pods=1", "pods=9", "pods=5", Sureness::Repeated)]
#[case::one_of_two_never_fits(
    "pods=1,requests.cpu=1",
    "pods=3,requests.cpu=7",
    "pods=9,requests.cpu=6",
    Sureness::Repeated
)]
#[case::of_what_no_template_tells("count/x=1", "count/x=9", "count/x=9", Sureness::Timed)]
#[case::of_that_too_little_in_all("count/x=1", "count/x=1", "count/x=1", Sureness::Repeated)]
#[case::in_no_numbers("pods=one", "pods=3", "pods=3", Sureness::Timed)]
fn a_quota_that_has_room_for_the_finished_rollout_is_waited_for(
    #[case] requested: &str,
    #[case] used: &str,
    #[case] limited: &str,
    #[case] sureness: Sureness,
) {
    let s = refused(&quota(requested, used, limited));
    let symptom = of_creation(&s, 12);
    assert_eq!((symptom.cause, symptom.sureness), (Cause::QuotaExceeded, sureness));
}

#[test]
fn it_is_waited_for_until_it_must_have_been_asked_again() {
    let room = quota("pods=1", "pods=3", "pods=3");
    let mut s = refused(&room);
    let waits = |s: &Snapshot, now| of_creation(s, now).sureness == Sureness::Timed;
    assert_eq!((waits(&s, -5), waits(&s, 609), waits(&s, 610)), (true, true, false), "a pod is stuck");
    s.pods.remove(1);
    assert_eq!((waits(&s, 189), waits(&s, 190)), (true, false), "all that ended are gone");
    Arc::make_mut(&mut s.pods[1]).created = at(50);
    assert_eq!(
        (waits(&s, 269), waits(&s, 270)),
        (true, false),
        "a step further, and the ReplicaSet backs off for longer"
    );
}

#[test]
fn what_gives_nothing_back_is_not_waited_for() {
    let room = quota("pods=1", "pods=3", "pods=3");
    let waits = |s: &Snapshot| of_creation(s, 12).sureness == Sureness::Timed;
    let mut complete = refused(&room);
    complete.workload.completed = Some(at(5));
    assert!(!waits(&complete), "scaled up after its rollout");
    let mut first = refused(&room);
    first.revisions.remove(0);
    assert!(!waits(&first), "there was no revision before");
    let mut all_stand = refused(&room);
    all_stand.pods.truncate(2);
    Arc::make_mut(&mut all_stand.pods[1]).deleting = false;
    assert!(!waits(&all_stand), "all old pods stand, and no new one is there to replace one");
    let mut none = refused(&room);
    none.pods.clear();
    assert!(!waits(&none));
}
