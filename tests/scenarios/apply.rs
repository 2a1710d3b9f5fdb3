//! What a decision leaves behind: in the objects, by the very patches that the controller sends, and in memory.

use backstay::cluster::patch::{self, Live};
use backstay::controller::health::{self, Due};
use backstay::engine::decision::{Action, Decision, IncidentStep};
use backstay::engine::facts::Snapshot;
use backstay::engine::freeze::{self, Step};
use backstay::engine::memory::{ActionRecord, Approval, Intent, LedgerEntry, OpenIncident};
use backstay::engine::words::ActionKind;
use serde_json::{Value, json};

use super::script::{self, verdict};
use super::world::World;

impl World {
    /// What a person says.
    pub fn say(&mut self, step: &script::Step) {
        let Some(incident) = self.memory.open.last_mut() else { return };
        if let Some(says) = &step.says {
            let (verdict, decision) = verdict(says);
            incident.approval = Some(Approval { verdict, by: "alex@example.com".to_owned(), decision });
        }
        if step.resume {
            self.deployment["metadata"]["annotations"]["backstay.dev/resume"] = json!(&*incident.name);
        }
    }

    /// Incidents and ledger, as they are written before an action.
    pub fn remember(&mut self, decision: &Decision) {
        self.memory.ledger.clone_from(&decision.ledger);
        self.memory.current.clone_from(&decision.current);
        let IncidentStep::Record { name, failing, episode, progress, .. } = &decision.incident else { return };
        if !self.memory.open.iter().any(|i| &i.name == name) {
            self.memory.episodes.retain(|(hash, _)| hash != &failing.hash);
            self.memory.episodes.push((failing.hash.clone(), *episode));
            self.memory.open.push(OpenIncident {
                name: name.clone(),
                failing: failing.clone(),
                episode: *episode,
                opened: self.now,
                intent: None,
                acted: None,
                returned: false,
                approval: None,
                progress: None,
            });
        }
        let Some(incident) = self.memory.open.iter_mut().find(|i| &i.name == name) else { return };
        if let Some(intent) = intent(decision) {
            // A pause that was carried out does not make a later roll-back one that was.
            if incident.intent.as_ref().is_some_and(|i| i.kind != intent.kind) {
                incident.acted = None;
            }
            let under_way = incident.intent.as_ref().is_some_and(|before| intent.goes_on_with(before));
            if !under_way || decision.verdict.is_some() {
                incident.intent = Some(intent.clone());
                incident.returned = false;
            }
        }
        incident.progress = Some(*progress);
    }

    /// The owner's template was seen under the freeze, which is written with the incident's status.
    pub fn see_template(&mut self, decision: &Decision) {
        let IncidentStep::Record { name, .. } = &decision.incident else { return };
        for incident in self.memory.open.iter_mut().filter(|i| &i.name == name) {
            incident.returned |= decision.template_returned;
        }
    }

    pub fn close(&mut self, decision: &Decision) {
        if let IncidentStep::Close { name, .. } = &decision.incident {
            self.memory.open.retain(|i| &i.name != name);
        }
    }

    /// Writes what is due into the WorkloadHealth.
    pub fn write_health(&mut self, s: &Snapshot, decision: &Decision) {
        let wanted = health::wanted(s, decision, self.health.as_ref(), self.now);
        let since = self.differs.get_or_insert(self.now);
        match health::due(self.health.as_ref(), &wanted, Some(*since), self.now) {
            Due::At(_) => return,
            Due::No => {}
            Due::Now => self.health = Some(wanted),
        }
        self.differs = None;
    }

    /// The operator starts again and knows what is in objects: incidents, and the WorkloadHealth as it was written.
    pub fn restart(&mut self) {
        self.seen.clear();
        let written = self.health.clone().unwrap_or_default();
        self.memory.current = written.current;
        for entry in &mut self.memory.ledger {
            let known = written.ledger.iter().find(|e| e.uid == entry.uid);
            entry.healthy_since = known.and_then(|e| e.healthy_since);
            entry.ready_seconds = known.and_then(|e| e.ready_seconds);
            entry.crashed_at = known.and_then(|e| e.crashed_at);
            entry.broken_at = known.and_then(|e| e.broken_at);
            entry.troubled = known.is_some_and(|e| e.troubled);
            entry.migration = known.and_then(|e| e.migration.clone());
        }
        let tells = |e: &LedgerEntry| e.healthy_since.is_some() || e.failed_at.is_some() || e.migration.is_some();
        self.memory.ledger.retain(|e| tells(e) || e.broken_at.is_some() || e.troubled);
    }

    /// Carries the action out, on the preconditions that the controller sends along.
    pub fn apply(&mut self, s: &Snapshot, decision: &Decision) -> &'static str {
        let live = self.live();
        match &decision.action {
            None => "Nothing",
            Some(Action::Resume { incident, overrules, .. }) => {
                let ours = self.deployment["metadata"]["annotations"]["backstay.dev/paused-for"] == json!(&**incident);
                if !ours {
                    return "Overtaken";
                }
                self.write(&patch::resume(&live, *overrules));
                "Resumed"
            }
            Some(Action::RollBack(permit) | Action::Freeze(permit) | Action::Pause(permit)) => {
                let intent = permit.intent().clone();
                if live.generation != intent.generation {
                    return "Overtaken";
                }
                self.carry_out(s, decision, &intent, &live)
            }
        }
    }

    fn carry_out(&mut self, s: &Snapshot, decision: &Decision, intent: &Intent, live: &Live) -> &'static str {
        let IncidentStep::Record { name, .. } = &decision.incident else { panic!("an action without an incident") };
        let held = s.workload.paused && s.workload.paused_for.as_ref() == Some(name);
        let step = freeze::step(s, intent, held);
        let (said, done) = match (intent.kind, step) {
            (ActionKind::RollBack, _) => (self.roll_back(live, intent, name), true),
            (ActionKind::Freeze, Step::PutBack) => {
                self.act(ActionKind::RollBack, intent, name);
                (self.roll_back(live, intent, name), false)
            }
            (ActionKind::Freeze, Step::PauseAndScale) => {
                self.write(&patch::pause(live, (name, intent.kind)));
                (self.scale_to_zero(s, intent), true)
            }
            (ActionKind::Freeze, Step::Scale) => (self.scale_to_zero(s, intent), true),
            (ActionKind::Freeze, Step::Wait | Step::Done) => ("Waited", false),
            (ActionKind::Pause | ActionKind::Resume, _) => {
                self.write(&patch::pause(live, (name, intent.kind)));
                ("Paused", true)
            }
        };
        if done {
            self.acted(intent, name);
        }
        said
    }

    fn acted(&mut self, intent: &Intent, name: &str) {
        let now = self.now;
        if let Some(incident) = self.memory.open.iter_mut().find(|i| &*i.name == name) {
            let again = incident.intent.as_ref().filter(|i| i.attempt > 1).map(Intent::made);
            incident.acted = incident.acted.filter(|at| again.is_none_or(|made| made <= *at)).or(Some(now));
        }
        self.act(intent.kind, intent, name);
    }

    /// One action of a kind is known of one incident.
    fn act(&mut self, kind: ActionKind, intent: &Intent, name: &str) {
        let known = self.memory.actions.iter().any(|a| a.kind == kind && &*a.incident == name);
        if !known {
            self.memory.actions.push(ActionRecord {
                at: self.now,
                kind,
                from: intent.failing.hash.clone(),
                to: intent.target.hash.clone(),
                incident: name.into(),
            });
        }
    }

    fn roll_back(&mut self, live: &Live, intent: &Intent, incident: &str) -> &'static str {
        let template = patch::without_hash(self.sets[&*intent.target.hash]["spec"]["template"].clone());
        self.write(&patch::roll_back(live, template, (incident, intent.kind)));
        "RolledBack"
    }

    fn scale_to_zero(&mut self, s: &Snapshot, intent: &Intent) -> &'static str {
        for revision in freeze::to_stop(s, intent) {
            self.sets.get_mut(&*revision.hash).unwrap()["spec"]["replicas"] = json!(0);
        }
        "Frozen"
    }

    fn live(&self) -> Live {
        let metadata = &self.deployment["metadata"];
        Live {
            uid: metadata["uid"].as_str().unwrap().to_owned(),
            generation: metadata["generation"].as_i64().unwrap(),
            annotations: metadata["annotations"].as_object().map(|a| a.keys().cloned().collect()),
            paused: self.deployment["spec"]["paused"] == true,
        }
    }

    /// Writes to the Deployment; the API server raises the generation when the spec changes.
    fn write(&mut self, patch: &json_patch::Patch) {
        let before: Value = self.deployment["spec"].clone();
        json_patch::patch(&mut self.deployment, patch).unwrap();
        if self.deployment["spec"] != before {
            self.raise_generation();
        }
    }
}

fn intent(decision: &Decision) -> Option<&Intent> {
    match decision.action.as_ref()? {
        Action::RollBack(permit) | Action::Freeze(permit) | Action::Pause(permit) => Some(permit.intent()),
        Action::Resume { .. } => None,
    }
}
