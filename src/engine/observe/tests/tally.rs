use super::*;

/// A node that restarts ends a run, and what the program does then is its first exit.
#[test]
fn what_was_made_up_counts_for_as_long_as_it_is_in_the_count() {
    let lost = || Box::new(Termination { reason: name("Unknown"), ..*ended(255) });
    let show = |restarts, state, last| pod(ContainerFacts { last, ..container(restarts, state, false) });
    let sights = [
        (show(0, running(), None), 0),
        (show(0, ContainerState::Terminated(lost()), None), 0),
        (show(1, running(), Some(lost())), 0),
        (show(1, terminated(), Some(lost())), 1),
        (show(1, waiting("CrashLoopBackOff", ""), Some(ended(1))), 1),
        (show(2, running(), Some(ended(1))), 1),
        (show(2, terminated(), Some(ended(1))), 2),
        (show(3, waiting("ContainerCreating", ""), Some(lost())), 2),
        (show(3, terminated(), Some(lost())), 3),
    ];
    let mut seen: Option<PodFacts> = None;
    for (sight, expected) in sights {
        let next = observe(seen.as_ref(), sight, at(9));
        assert_eq!(exits_since(&next, &next.containers[0], at(0)).0, expected, "{:?}", next.containers[0]);
        seen = Some(next);
    }
}

#[test]
fn an_older_pod_is_not_credited_twice_with_what_was_made_up_before() {
    let lost = Box::new(Termination { reason: name("Unknown"), ..*ended(255) });
    let show = |restarts, state, last| pod(ContainerFacts { last, ..container(restarts, state, false) });
    let first = observe(None, show(1, running(), Some(lost)), at(9));
    assert_eq!((first.history.exits_at_first_sight, tally(&first, &first.containers[0]).made_up), (0, 1));
    let next = observe(Some(&first), show(1, waiting("CrashLoopBackOff", ""), Some(ended(1))), at(10));
    assert_eq!(exits_since(&next, &next.containers[0], at(1)).0, 1);
}

#[test]
fn ends_that_no_status_showed_are_known_to_be_unseen() {
    let show = |restarts, state, last| pod(container(restarts, state, last));
    let first = observe(None, show(4, waiting("CrashLoopBackOff", ""), true), at(9));
    let unseen = |pod: &PodFacts| tally(pod, &pod.containers[0]).unseen;
    assert_eq!(unseen(&first), 4);
    let second = observe(Some(&first), show(5, terminated(), true), at(10));
    assert_eq!(unseen(&second), 4);
    assert_eq!(unseen(&observe(Some(&second), show(8, running(), true), at(11))), 5);
}
