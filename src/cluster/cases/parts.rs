//! The revisions of a StatefulSet or DaemonSet, told apart by the mark that their pods bear.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::group::{Group, MadeUp};
use super::is_hash;
use super::shape::Shape;
use crate::cluster::digest::{Digest, Walked};
use crate::cluster::facts::{Interner, template_facts};
use crate::cluster::intake::{Maker, Marked};
use crate::cluster::slim::Template;
use crate::engine::facts::TemplateFacts;

/// One of several revisions whose pods have the same owner.
#[derive(Debug)]
pub struct Part {
    pub hash: String,
    /// What tells which is the newest: it is said to be, the number of its ControllerRevision, its youngest pod.
    pub rank: (bool, i64, Timestamp),
    /// Its ControllerRevision was.
    pub created: Option<Timestamp>,
    /// `material` is 0 where it is not known whether the template differs from the newest one's.
    pub template: TemplateFacts,
}

impl Group {
    /// Gives the pods of one owner revisions of their own, where they bear different marks or where it is known what their
    /// mark stands for.
    pub fn tell_apart(&mut self, namespace: &str, marked: &Marked, refused: bool, names: &mut Interner) {
        let owners: Vec<String> = self.makers.keys().cloned().collect();
        for owner in owners {
            let mut marks = self.marks(&owner, namespace, marked);
            let update = self.maker.as_ref().and_then(|maker| maker.status.update_revision.clone());
            self.add_without_pods(&owner, &mut marks, (marked, update.as_deref()), refused);
            let is_known = marks.iter().any(|mark| marked.kept(&owner, mark).is_some());
            if marks.len() > 1 || is_known {
                self.split(&owner, namespace, &marks, (marked, update.as_deref()), names);
            }
        }
    }

    /// A newest revision whose pods are refused has none, and the one before that has none left where a rollout went through
    /// all of them: what is kept of it tells what was changed.
    fn add_without_pods(
        &self,
        owner: &str,
        marks: &mut BTreeSet<String>,
        (marked, update): (&Marked, Option<&str>),
        refused: bool,
    ) {
        let has_pods = self.pods.iter().any(|pod| *pod.revision == *owner);
        if !has_pods || (refused && !marks.is_empty()) {
            marks.extend(newest_without_pods(owner, marks, (marked, update)));
        }
        let only = marks.first().filter(|_| marks.len() == 1).and_then(|mark| marked.kept(owner, mark));
        if let Some(only) = only {
            marks.extend(marked.newest(owner, Some(only.number)).map(|before| before.name.clone()));
        }
    }

    fn marks(&self, owner: &str, namespace: &str, marked: &Marked) -> BTreeSet<String> {
        let own = self.pods.iter().filter(|pod| *pod.revision == *owner);
        own.filter_map(|pod| marked.of(namespace, &pod.name)).map(str::to_owned).collect()
    }

    fn split(
        &mut self,
        owner: &str,
        namespace: &str,
        marks: &BTreeSet<String>,
        (marked, update): (&Marked, Option<&str>),
        names: &mut Interner,
    ) {
        let Some(whole) = self.makers.remove(owner) else { return };
        let mut unmarked = false;
        for pod in self.pods.iter_mut().filter(|pod| *pod.revision == *owner) {
            match marked.of(namespace, &pod.name) {
                Some(mark) => pod.revision = names.name(&uid(owner, mark)),
                None => unmarked = true,
            }
        }
        let rank = |mark: &String| {
            let own = uid(owner, mark);
            let youngest = self.pods.iter().filter(|pod| *pod.revision == *own).map(|pod| pod.created).max();
            let number = marked.kept(owner, mark).map(|kept| kept.number).unwrap_or_default();
            (update == Some(mark), number, youngest.unwrap_or(Timestamp::UNIX_EPOCH))
        };
        let mut ranked: Vec<_> = marks.iter().map(|mark| (rank(mark), mark)).collect();
        ranked.sort();
        let templates = templates(owner, &ranked, self.maker.as_ref(), marked, names);
        let created = |mark: &str| marked.kept(owner, mark).and_then(|kept| kept.created);
        for ((rank, mark), template) in ranked.into_iter().zip(templates) {
            let bare = mark.strip_prefix(&*whole.name).and_then(|rest| rest.strip_prefix('-'));
            let hash = bare.filter(|bare| is_hash(bare)).unwrap_or(mark).to_owned();
            let name = if bare.is_some() { mark.clone() } else { format!("{}-{mark}", whole.name) };
            let part = Part { hash, rank, created: created(mark), template };
            self.makers.insert(uid(owner, mark), MadeUp { name, part: Some(part) });
        }
        if unmarked {
            self.makers.insert(owner.to_owned(), whole);
        }
    }
}

/// The newest revision, where no pod bears its mark: the one that the owner's status names, or that of the highest number.
fn newest_without_pods(
    owner: &str,
    marks: &BTreeSet<String>,
    (marked, update): (&Marked, Option<&str>),
) -> Option<String> {
    let named = update.filter(|update| !marks.is_empty() || marked.kept(owner, update).is_some());
    let newest = named.or_else(|| marked.newest(owner, None).map(|kept| &*kept.name))?;
    let bears_it = |mark: &String| marked.kept(owner, mark).is_some_and(|kept| kept.name == newest);
    (!marks.iter().any(bears_it)).then(|| newest.to_owned())
}

/// What stands in for the UID of a revision of one owner.
fn uid(owner: &str, mark: &str) -> String {
    format!("{owner}/{mark}")
}

/// The templates in the order of the marks, of which the last is the newest. What ControllerRevisions keep is compared only
/// with what others keep, and what pods show only with what pods show.
fn templates(
    owner: &str,
    ranked: &[((bool, i64, Timestamp), &String)],
    maker: Option<&Maker>,
    marked: &Marked,
    names: &mut Interner,
) -> Vec<TemplateFacts> {
    let kept = ranked.iter().map(|(_, mark)| marked.kept(owner, mark)?.template.clone());
    // No two of them are equal; should they be, they do not tell what differs.
    let kept: Option<Vec<Value>> = kept.collect();
    let kept = kept.filter(|kept| kept.iter().zip(kept.iter().skip(1)).all(|(one, next)| one != next));
    let are_whole = kept.is_some();
    let newest = ranked.last().and_then(|(_, mark)| marked.pod(owner, mark));
    let none = Value::Null;
    let shape = Shape::new(maker.map_or(&none, |maker| &maker.spec.template), newest);
    let shown = || ranked.iter().map(|(_, mark)| marked.pod(owner, mark).map(|pod| shape.of(pod)).unwrap_or_default());
    let values = kept.unwrap_or_else(|| shown().collect());
    let facts = |value: &Value| Walked::<Template>::deserialize(value).map(|template| template_facts(&template, names));
    let mut facts: Vec<TemplateFacts> = values.iter().map(facts).map(Result::unwrap_or_default).collect();
    let newest = facts.last().map(|template| template.material).unwrap_or_default();
    let is_newest_seen = values.last().is_some_and(|value| !value.is_null());
    for (template, ((_, mark), value)) in facts.iter_mut().zip(ranked.iter().zip(&values)) {
        // Different marks are different templates.
        template.digest = Digest::of_text(mark).0;
        let is_seen = is_newest_seen && !value.is_null();
        if !are_whole {
            template.claims = Box::default();
        }
        if !is_seen || (!are_whole && template.material == newest) {
            template.material = 0;
        }
    }
    facts
}
