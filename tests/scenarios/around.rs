//! What lies around the workload of a scenario: the objects that its templates name, and Jobs. It goes through the
//! same functions as what is read live.

use std::collections::BTreeMap;

use backstay::engine::change::references::{self, Reference, ReferenceFacts, Sight, Written};
use backstay::engine::change::{migration, template};
use backstay::engine::decide::decide;
use backstay::engine::facts::Snapshot;
use backstay::engine::surroundings::{self, Surroundings};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use super::objects::stamp;
use super::script::{Step, seconds};
use super::world::World;

/// What became of an object.
#[derive(Clone, Deserialize)]
#[serde(untagged)]
pub enum ObjectLine {
    /// `gone` or `unseen`.
    Word(String),
    Changed {
        /// How long before this step.
        changed: String,
        #[serde(default)]
        keys: Vec<String>,
    },
}

/// A Job of the namespace.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobLine {
    pub name: String,
    /// How long before this step it began.
    pub began: String,
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
    #[serde(default)]
    pub image: String,
    #[serde(default)]
    pub args: Vec<String>,
}

/// All of it, as far as steps have told.
#[derive(Clone, Default)]
pub struct Around {
    objects: BTreeMap<String, Sight>,
    jobs: Vec<Value>,
    refused: Option<String>,
    accepted: bool,
}

impl Around {
    pub fn happen(&mut self, step: &Step, now: Timestamp) {
        let ago = |text: &str| now - SignedDuration::from_secs(seconds(text));
        for (name, line) in &step.objects {
            let sight = match line {
                ObjectLine::Word(word) if word == "gone" => Sight::Missing,
                ObjectLine::Word(word) if word == "unseen" => Sight::Unseen,
                ObjectLine::Word(word) => panic!("an object is gone or unseen, not {word}"),
                ObjectLine::Changed { changed, keys } => {
                    let written = Written { at: ago(changed), by: "kubectl-edit".to_owned(), keys: keys.clone() };
                    Sight::Present { created: Timestamp::UNIX_EPOCH, written: Some(written) }
                }
            };
            self.objects.insert(name.clone(), sight);
        }
        self.jobs.extend(step.jobs.iter().map(|job| {
            json!({
                "metadata": {"name": job.name, "labels": job.labels, "annotations": job.annotations},
                "spec": {"template": {"spec": {"containers": [{"name": "job", "image": job.image, "args": job.args}]}}},
                "status": {"succeeded": 1, "startTime": stamp(ago(&job.began))},
            })
        }));
        self.accepted |= step.baseline_accepted;
        if let Some(refused) = &step.baseline_refused {
            self.refused = Some(refused.clone());
        }
    }

    /// As the controller asks: about the revisions that a decision without this knowledge names.
    pub fn of(&self, world: &World, s: &Snapshot) -> Option<Surroundings> {
        let decision = decide(s, world.now);
        let (newest, baseline) = surroundings::compared(s, &decision, world.now)?;
        let template_of = |hash: &str| world.sets[hash]["spec"]["template"].clone();
        let new = template_of(&newest.hash);
        let old = baseline.as_ref().map(|b| template_of(&b.hash));
        let (of_newest, of_baseline) =
            (references::of_template(&new), old.as_ref().map(references::of_template).unwrap_or_default());
        let all: std::collections::BTreeSet<&Reference> = of_newest.keys().chain(of_baseline.keys()).collect();
        let unchanged = Sight::Present { created: Timestamp::UNIX_EPOCH, written: None };
        let facts = all.into_iter().map(|reference| ReferenceFacts {
            reference: reference.clone(),
            newest: of_newest.get(reference).copied(),
            baseline: of_baseline.get(reference).copied(),
            sight: self.objects.get(&reference.to_string()).unwrap_or(&unchanged).clone(),
            elsewhere: Vec::new(),
        });
        Some(Surroundings {
            read_at: world.now,
            newest: newest.uid,
            baseline: baseline.map(|b| b.uid),
            difference: old.as_ref().map(|old| template::between(old, &new)).unwrap_or_default(),
            references: facts.collect(),
            migrators: old.as_ref().map(|old| migration::of_templates(old, &new)).unwrap_or_default(),
            jobs: self.jobs.iter().filter_map(|job| migration::of_job(job, "web", &new)).collect(),
            baseline_refused: self.refused.clone(),
            baseline_tried: self.accepted || self.refused.is_some(),
            ..Surroundings::default()
        })
    }
}
