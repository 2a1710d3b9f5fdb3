//! Short histories of a workload, in which every action is carried out.

use std::collections::BTreeMap;

use backstay::engine::decide::decide;
use backstay::engine::decision::{Action, Decision};
use jiff::SignedDuration;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::facts::changes_template;
use crate::script::{MemoryLines, PodLine, Revision, Script, Step};
use crate::world::World;

/// One thing that happens.
#[derive(Clone, Debug)]
pub struct Event {
    after: u32,
    ship: Option<u8>,
    /// Which revision's pods change, and to what.
    pods: Option<(u8, u8)>,
}

const STATES: [&str; 13] = [
    "0 ready",
    "2 ready",
    "4 ready",
    "2 starting",
    "2 exited 1",
    "2 crashed 2",
    "2 recovered 1",
    "2 crashed 3",
    "2 unready",
    "2 creating",
    "2 waiting CreateContainerConfigError",
    "2 waiting ErrImagePull",
    "2 waiting ImagePullBackOff",
];

pub fn steps() -> impl Strategy<Value = (u8, Vec<Event>)> {
    let ship = prop::option::weighted(0.3, 1_u8..=3);
    let pods = prop::option::weighted(0.8, (1_u8..=3, 0..STATES.len() as u8));
    let event = (prop_oneof![0_u32..10, 10_u32..400], ship, pods);
    let event = event.prop_map(|(after, ship, pods)| Event { after, ship, pods });
    (0_u8..7, prop::collection::vec(event, 1..9))
}

/// A rollout whose pods go from one state to another within the minute that a policy wants a failure to last.
pub fn failing_rollout() -> impl Strategy<Value = (u8, Vec<Event>)> {
    let state = 0..STATES.len() as u8;
    let later =
        (0_u32..40, state.clone()).prop_map(|(after, state)| Event { after, ship: None, pods: Some((2, state)) });
    let shipped = state.prop_map(|state| Event { after: 0, ship: Some(2), pods: Some((2, state)) });
    let events = (shipped, prop::collection::vec(later, 2..8)).prop_map(|(shipped, mut later)| {
        later.insert(0, shipped);
        later
    });
    (prop_oneof![0_u8..6, Just(6)], events)
}

const MOST_REVISIONS: u8 = 8;

fn world(policy: u8) -> World {
    let revision = |n: u8| Revision {
        tag: Some(format!("{n}.0")),
        container: json!({"env": [{"name": "MODE", "value": format!("prod-{n}")}]}),
        healthy: (n == 1).then(|| "23h".to_owned()),
        ..Revision::default()
    };
    let terms = [
        "{}",
        "{rollout: {onSuspicion: Pause}}",
        "{rules: [{name: freeze, action: Freeze}]}",
        "{rollout: {onSuspicion: Pause}, rules: [{name: freeze, action: Freeze}], guards: {cooldownSeconds: 0}}",
        "{guards: {cooldownSeconds: 0, unprovenBaseline: RollBack}}",
        "{mode: Observe}",
        "{rules: [{name: a-minute, threshold: {forSeconds: 60, exits: 3}}]}",
    ];
    World::new(&Script {
        finds: None,
        tells: false,
        about: String::new(),
        replicas: 4,
        deployment: serde_json::Value::Null,
        policy: serde_saphyr::from_str(terms[usize::from(policy)]).unwrap(),
        revisions: (1..=MOST_REVISIONS).map(|n| (format!("v{n}"), revision(n))).collect(),
        runs: "v1".to_owned(),
        memory: MemoryLines::default(),
        steps: Vec::new(),
    })
}

/// Pods in one of the states; what a container waits for comes after the word.
fn line(state: &str) -> PodLine {
    let mut words = state.splitn(3, ' ');
    let (count, word, rest) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap_or_default());
    if word != "waiting" {
        return PodLine { are: state.to_owned(), ..PodLine::default() };
    }
    let message = (rest == "CreateContainerConfigError").then(|| "configmap \"web-flags\" not found".to_owned());
    PodLine { are: format!("{count} {word}"), reason: Some(rest.to_owned()), message, ..PodLine::default() }
}

/// The step of a scenario that says the same. A new template comes with pods of its own, or nothing could fail.
fn step(world: &World, event: &Event, apply: bool) -> Step {
    let mut pods = BTreeMap::new();
    if let Some((revision, state)) = event.pods {
        let name = format!("v{revision}");
        let exists = world.sets.contains_key(&name) || event.ship == Some(revision);
        let starts = event.ship == Some(revision) && world.deployment["spec"]["paused"] == true;
        if exists && !starts {
            pods.insert(name, vec![line(STATES[usize::from(state)])]);
        }
    }
    let ship = event.ship.map(|n| format!("v{n}"));
    Step { after: Some(format!("{}s", event.after)), ship, pods, apply, ..Step::default() }
}

fn look(world: &mut World, event: &Event, apply: bool) -> Decision {
    let step = step(world, event, apply);
    world.happen(&step);
    let snapshot = world.snapshot();
    let decision = decide(&snapshot, world.now);
    world.follow(&snapshot, &decision, &step);
    decision
}

/// What a decision does to the workload, and to which revision.
fn acts(decision: &Decision) -> Option<String> {
    match decision.action.as_ref()? {
        Action::RollBack(permit) | Action::Freeze(permit) => Some(permit.intent().failing.hash.to_string()),
        Action::Pause(_) | Action::Resume { .. } => None,
    }
}

/// Nothing is carried out here. After each look the clock is set back for another look at the same objects: it acts
/// on nothing that looks with the right clock do not act on, and what follows is as if it had not been. Two looks at
/// the right time stand beside it, since the first may only close what a new template has overtaken.
pub fn clock_set_back((policy, events): &(u8, Vec<Event>), back: i64) -> Result<(), TestCaseError> {
    let (mut plain, mut turned) = (world(*policy), world(*policy));
    let mut acted = Vec::new();
    for event in events {
        let (expected, decision) = (look(&mut plain, event, false), look(&mut turned, event, false));
        prop_assert_eq!(acts(&decision), acts(&expected));
        acted.extend(acts(&expected));
        acted.extend(acts(&decide(&turned.snapshot(), turned.now)));
        let now = turned.now;
        turned.now = now - SignedDuration::from_secs(back);
        let snapshot = turned.snapshot();
        let earlier = decide(&snapshot, turned.now);
        turned.now = now;
        if let Some(hash) = acts(&earlier) {
            prop_assert!(acted.contains(&hash), "acts on {} only when the clock is set back", hash);
        }
    }
    Ok(())
}

/// Nothing is carried out here either. An operator that starts again, and has lost what it had seen of the pods, acts on
/// nothing that it would not have acted on by then.
pub fn history_lost((policy, events): &(u8, Vec<Event>), at: usize) -> Result<(), TestCaseError> {
    let (mut plain, mut lost) = (world(*policy), world(*policy));
    let mut acted = Vec::new();
    for (n, event) in events.iter().enumerate() {
        if n == at {
            lost.restart();
        }
        acted.extend(acts(&look(&mut plain, event, false)));
        if let Some(hash) = acts(&look(&mut lost, event, false)) {
            prop_assert!(acted.contains(&hash), "acts on {} only because a history was lost", hash);
        }
    }
    Ok(())
}

/// Every event of a watch is delivered twice.
pub fn twice((policy, events): &(u8, Vec<Event>)) -> Result<(), TestCaseError> {
    let (mut plain, mut doubled) = (world(*policy), world(*policy));
    for event in events {
        let expected = look(&mut plain, event, true);
        let step = step(&doubled, event, true);
        doubled.happen(&step);
        doubled.snapshot();
        let snapshot = doubled.snapshot();
        let decision = decide(&snapshot, doubled.now);
        prop_assert_eq!(&decision, &expected);
        doubled.follow(&snapshot, &decision, &step);
    }
    Ok(())
}

/// A moment in the fight over a template.
#[derive(Clone, Debug)]
pub struct Round {
    after: u32,
    owner: Owner,
    /// What has become of the baseline's and of the failing revision's pods.
    pods: (usize, usize),
    /// The operator dies before it records what it did.
    forget: bool,
}

/// What the owner of the template does.
#[derive(Clone, Copy, Debug)]
enum Owner {
    Nothing,
    PutsBack,
    /// It ends the pause as well.
    Resumes,
    /// It replaces the whole object, and our marks with it.
    Replaces,
    /// It reverts the commit: the template is the baseline's.
    Reverts,
}

const BASELINES: [&str; 4] = ["", "1 creating", "3 ready", "4 ready"];
const FAILINGS: [&str; 4] = ["", "4 crashed 2", "4 ready", "1 crashed 3"];

/// Whether the rollout was complete when it failed, and what follows.
pub fn fight() -> impl Strategy<Value = (bool, Vec<Round>)> {
    let owner = prop_oneof![
        1 => Just(Owner::Nothing),
        3 => Just(Owner::PutsBack),
        1 => Just(Owner::Resumes),
        1 => Just(Owner::Replaces),
        1 => Just(Owner::Reverts)
    ];
    let after = prop_oneof![4 => 0_u32..3, 1 => 0_u32..100];
    let round = (after, owner, (0..BASELINES.len(), 0..FAILINGS.len()), prop::bool::weighted(0.1));
    let round = round.prop_map(|(after, owner, pods, forget)| Round { after, owner, pods, forget });
    (any::<bool>(), prop::collection::vec(round, 1..40))
}

/// Pods of the baseline and of the failing revision.
fn both(baseline: &str, failing: &str) -> BTreeMap<String, Vec<PodLine>> {
    let line = |are: &str| match are {
        "" => vec![],
        are => vec![PodLine { are: are.to_owned(), ..PodLine::default() }],
    };
    BTreeMap::from([("v1".to_owned(), line(baseline)), ("v2".to_owned(), line(failing))])
}

impl Round {
    fn step(&self) -> Step {
        let (baseline, failing) = self.pods;
        let annotations = match self.owner {
            Owner::Nothing | Owner::PutsBack | Owner::Reverts => None,
            Owner::Resumes => Some(json!({"backstay.dev/paused-for": null})),
            Owner::Replaces => Some(json!({"backstay.dev/paused-for": null, "backstay.dev/incident": null})),
        };
        let change = |annotations| json!({"spec": {"paused": false}, "metadata": {"annotations": annotations}});
        Step {
            after: Some(format!("{}s", self.after)),
            ship: match self.owner {
                Owner::Nothing => None,
                Owner::Reverts => Some("v1".to_owned()),
                Owner::PutsBack | Owner::Resumes | Owner::Replaces => Some("v2".to_owned()),
            },
            pods: both(BASELINES[baseline], FAILINGS[failing]),
            deployment: annotations.map_or(Value::Null, change),
            apply: true,
            forget: self.forget,
            ..Step::default()
        }
    }
}

/// However the owner of a template and the controller act, a freeze puts the template back twice at most. It pauses once
/// for each of these and once more, and each time that what it did is forgotten. What it holds back and its owner reverts
/// is let go.
pub fn fights_are_bounded((complete, rounds): &(bool, Vec<Round>)) -> Result<(), TestCaseError> {
    let mut world = world(2);
    let (mut put_back, mut paused, mut forgot) = (0, 0, 0);
    let pods = if *complete { both("", "4 crashed 2") } else { both("3 ready", "2 crashed 2") };
    let begin = Step { ship: Some("v2".to_owned()), pods, apply: true, ..Step::default() };
    // At the last look the freeze held the owner's template back.
    let mut held_back = false;
    for step in std::iter::once(begin).chain(rounds.iter().map(Round::step)) {
        if step.deployment != Value::Null && world.deployment["spec"]["paused"] == true {
            // The spec changes with what follows.
            world.raise_generation();
        }
        world.happen(&step);
        let snapshot = world.snapshot();
        let was_paused = world.deployment["spec"]["paused"] == true;
        let decision = decide(&snapshot, world.now);
        let newest = |hash: &str| decision.newest.as_ref().is_some_and(|r| &*r.hash == hash);
        let resumes = matches!(decision.action, Some(Action::Resume { .. }));
        prop_assert!(!held_back || !was_paused || !newest("v1") || resumes, "reverted, yet {}", decision.why);
        held_back = was_paused && !step.forget && decision.action.is_none() && newest("v2");
        put_back += u32::from(world.follow(&snapshot, &decision, &step) == Some("RolledBack"));
        paused += u32::from(!was_paused && world.deployment["spec"]["paused"] == true);
        forgot += u32::from(step.forget);
    }
    prop_assert!(put_back <= 2 && paused <= 3 + forgot, "put back {} times, paused {} times", put_back, paused);
    Ok(())
}

/// At most one action per template; right after an action there is none; cooldown and budget hold.
pub fn once((policy, events): &(u8, Vec<Event>)) -> Result<(), TestCaseError> {
    let mut world = world(*policy);
    for event in events {
        let decision = look(&mut world, event, true);
        if !matches!(decision.action, None | Some(Action::Resume { .. })) {
            let nothing = Event { after: 0, ship: None, pods: None };
            let again = look(&mut world, &nothing, false);
            let goes_on = again.verdict.is_none() && matches!(again.action, Some(Action::Freeze(_)));
            prop_assert!(again.action.is_none() || goes_on, "acts twice: {}", again.why);
            // What was done is remembered by now, and nothing is left to say.
            prop_assert_eq!(look(&mut world, &nothing, false), again);
        }
    }
    // A freeze may put the template back first: one incident, one action.
    let mut actions: Vec<_> = world.memory.actions.iter().filter(|a| changes_template(a.kind)).collect();
    actions.dedup_by(|a, b| a.incident == b.incident);
    let cooldown = if matches!(policy, 3 | 4) { 0 } else { 300 };
    for pair in actions.windows(2) {
        prop_assert!(pair[1].at.duration_since(pair[0].at).as_secs() >= cooldown);
    }
    let all = actions.len();
    actions.sort_by(|a, b| a.from.cmp(&b.from));
    actions.dedup_by(|a, b| a.from == b.from);
    prop_assert_eq!(actions.len(), all, "a template was acted on twice");
    prop_assert!(*policy != 5 || all == 0, "acts while observing");
    Ok(())
}

/// How long after each other bad releases come, each a new template.
pub fn releases() -> impl Strategy<Value = (u8, Vec<u32>)> {
    (0_u8..5, prop::collection::vec(prop_oneof![0_u32..300, 280_u32..1200], 2..usize::from(MOST_REVISIONS)))
}

/// Bad releases one after the other: the cooldown is kept, and no more is done within the window than the policy allows.
pub fn kept_apart((policy, gaps): &(u8, Vec<u32>)) -> Result<(), TestCaseError> {
    let mut world = world(*policy);
    for (revision, gap) in (2..).zip(gaps) {
        let crashed = STATES.iter().position(|state| *state == "2 crashed 2").unwrap() as u8;
        let ship = Event { after: *gap, ship: Some(revision), pods: Some((revision, crashed)) };
        look(&mut world, &ship, true);
        // What came before is closed first.
        for _ in 0..2 {
            look(&mut world, &Event { after: 1, ship: None, pods: None }, true);
        }
    }
    let mut acted: Vec<_> = world.memory.actions.iter().filter(|a| changes_template(a.kind)).collect();
    acted.dedup_by(|a, b| a.incident == b.incident);
    let seconds = |n: usize| acted.windows(n).map(|w| w[n - 1].at.duration_since(w[0].at).as_secs()).min();
    let cooldown = if matches!(policy, 3 | 4) { 0 } else { 300 };
    prop_assert!(seconds(2).is_none_or(|apart| apart >= cooldown), "{:?} apart", seconds(2));
    prop_assert!(seconds(4).is_none_or(|apart| apart >= 3600), "four within {:?}", seconds(4));
    Ok(())
}
