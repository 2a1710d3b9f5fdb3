//! Reading what lies around one workload: live, on occasion, and bounded in number, bytes and time; or from the files of
//! a diagnosis. No watch and no store, so that what is rarely needed costs nothing while nothing is wrong.
//!
//! Of a cluster's ConfigMaps and Secrets only the metadata is asked for; from files their values are dropped as they are
//! read.

mod ask;
mod callers;
mod entries;
mod fellows;
pub mod objects;
mod parts;
mod pods;
pub mod scene;
pub mod shown;
mod templates;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use kube::api::ApiResource;
use serde_json::Value;

pub use self::ask::Source;
use self::ask::{List, keep, note};
use self::templates::Of;
use crate::api::WORKLOAD_MANAGER;
use crate::engine::change::author::author;
use crate::engine::change::{migration, template};
use crate::engine::facts::Name;
use crate::engine::memory::RevisionRef;
use crate::engine::surroundings::Surroundings;

/// Gaps that are told, and Jobs that are kept.
const KEPT: usize = 8;
/// Labels of pods that are kept.
const LABELS: usize = 64;

/// Which revisions of which workload, and how far to look.
#[derive(Clone, Debug)]
pub struct Question {
    pub kind: Name,
    pub namespace: Name,
    pub workload: Name,
    pub newest: RevisionRef,
    pub baseline: Option<RevisionRef>,
    /// Look at Jobs and at the objects that templates name; without, at the templates alone.
    pub objects: bool,
    /// Look at Secrets too.
    pub secrets: bool,
    /// Look at what has no namespace too.
    pub outside: bool,
    /// Look for what is missing in other namespaces, as far as that may be read.
    pub elsewhere: bool,
    /// Ask the API server whether it would take a pod of the baseline. Needs the right to create pods.
    pub try_baseline: bool,
}

impl Question {
    fn of(&self) -> Of<'_> {
        Of { kind: &self.kind, namespace: &self.namespace, name: &self.workload }
    }

    /// The Job is not the workload itself.
    fn is_another(&self, job: &Value) -> bool {
        let name = job.pointer("/metadata/name").and_then(Value::as_str);
        &*self.kind != "Job" || name != Some(&self.workload)
    }
}

/// Answers it as far as rights and time allow; what could not be read is named in `gaps`.
pub async fn read(source: Source<'_>, question: &Question) -> Surroundings {
    let (of, namespace) = (question.of(), &question.namespace);
    let mut gaps = Vec::new();
    let baseline = async {
        match &question.baseline {
            Some(revision) => of.template(source, &revision.name).await.map(Some),
            None => Ok(None),
        }
    };
    let jobs = async {
        if question.objects {
            source.list(Some(namespace), &ApiResource::erase::<Job>(&())).await
        } else {
            Ok(List::default())
        }
    };
    let (workload, newest, baseline, jobs) =
        tokio::join!(of.workload(source), of.newest(source, &question.newest.name), baseline, jobs,);
    let workload = keep(workload, &mut gaps);
    let new = keep(newest, &mut gaps).unwrap_or_default();
    let old = keep(baseline, &mut gaps).flatten();
    let past = of.without_a_past(source, &question.newest.name).filter(|_| question.baseline.is_none());
    past.into_iter().for_each(|gap| note(gap, &mut gaps));
    let jobs = keep(jobs, &mut gaps).unwrap_or_default().told(&mut gaps);
    let jobs = jobs.iter().filter(|job| question.is_another(job));
    let (seen, refused) = tokio::join!(objects::look(source, question, &new, old.as_ref()), async {
        match (&old, source) {
            (Some(old), Source::Cluster(client)) if question.try_baseline => {
                pods::refusal(client, namespace, old).await
            }
            _ => Ok(None),
        }
    });
    let (references, unseen) = seen;
    gaps.extend(unseen);
    let refused = keep(refused, &mut gaps);
    let baseline_tried = refused.is_some() && old.is_some() && question.try_baseline;
    let baseline_refused = refused.flatten();
    gaps.truncate(KEPT);
    // Whoever wrote a template that came later did not ship this one.
    let shipped = workload.filter(|workload| of.is_present(workload, &question.newest.name));
    Surroundings {
        read_at: Timestamp::now(),
        newest: question.newest.uid.clone(),
        // A comparison with a template that could not be read says nothing about the baseline.
        baseline: question.baseline.as_ref().filter(|_| old.is_some()).map(|b| b.uid.clone()),
        difference: old.as_ref().map(|old| template::between(old, &new)).unwrap_or_default(),
        author: shipped.and_then(|d| Some(author(d.get("metadata")?, WORKLOAD_MANAGER))).unwrap_or_default(),
        migrators: old.as_ref().map(|old| migration::of_templates(old, &new)).unwrap_or_default(),
        jobs: latest(jobs.filter_map(|job| migration::of_job(job, &question.workload, &new)).collect()),
        references,
        labels: labels(&new),
        baseline_refused,
        baseline_tried,
        gaps,
    }
}

/// Those that began last.
fn latest(mut jobs: Vec<migration::JobFacts>) -> Vec<migration::JobFacts> {
    jobs.sort_by_key(|job| std::cmp::Reverse(job.started));
    jobs.truncate(KEPT);
    jobs
}

/// Text from objects, as it may be shown.
fn clean(text: &str, max: usize) -> String {
    crate::engine::change::shown(text, max)
}

fn labels(template: &Value) -> BTreeMap<String, String> {
    let labels = template.pointer("/metadata/labels").and_then(Value::as_object).into_iter().flatten();
    let text = labels.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())));
    text.filter(|(key, _)| key != "pod-template-hash").take(LABELS).collect()
}
