//! The JSON Patches that change a workload. Pure: what goes in is what was read live, what comes out is one write.
//!
//! Every patch tests `metadata.uid` and `metadata.generation`, which pins exactly "the spec is the one that was
//! judged"; `resourceVersion` would not do, since a failing workload's status changes all the time.

use json_patch::jsonptr::PointerBuf;
use json_patch::{AddOperation, Patch, PatchOperation, RemoveOperation, ReplaceOperation, TestOperation};
use serde_json::{Value, json};

use crate::api::keys;
use crate::engine::words::ActionKind;

/// What a patch is conditional on, and what it needs to know of the Deployment as it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Live {
    pub uid: String,
    pub generation: i64,
    /// `metadata.annotations`; `None` when there are none, since an entry cannot be added to what is absent.
    pub annotations: Option<Vec<String>>,
    pub paused: bool,
}

/// Puts a ReplicaSet's template, `without_hash`, back and names the incident and what was intended. Replicas, labels, strategy and foreign annotations stay.
/// A pause of our own ends with it, or the template would start nothing.
pub fn roll_back(live: &Live, template: Value, (incident, kind): (&str, ActionKind)) -> Patch {
    let mut ops = preconditions(live);
    ops.push(replace(&["spec", "template"], template));
    annotate(&mut ops, live, incident, kind);
    if live.paused {
        ops.push(replace(&["spec", "paused"], json!(false)));
        unannotate(&mut ops, live, keys::PAUSED_FOR);
    }
    Patch(ops)
}

/// Pauses the rollout for an incident.
pub fn pause(live: &Live, (incident, kind): (&str, ActionKind)) -> Patch {
    let mut ops = preconditions(live);
    ops.push(add(&["spec", "paused"], json!(true)));
    annotate(&mut ops, live, incident, kind);
    add_annotation(&mut ops, keys::PAUSED_FOR, incident);
    Patch(ops)
}

/// Ends our own pause. A person's word that overrules the evidence stays, so that it is heeded for as long as it stands.
pub fn resume(live: &Live, overrules: bool) -> Patch {
    let mut ops = preconditions(live);
    ops.push(add(&["spec", "paused"], json!(false)));
    unannotate(&mut ops, live, keys::PAUSED_FOR);
    if !overrules {
        unannotate(&mut ops, live, keys::RESUME);
    }
    Patch(ops)
}

/// Scales a ReplicaSet to zero through its scale subresource.
pub fn scale_to_zero(uid: &str) -> Patch {
    Patch(vec![test(&["metadata", "uid"], json!(uid)), replace(&["spec", "replicas"], json!(0))])
}

/// The template of a ReplicaSet as a Deployment carries it: without the label that the controller adds
/// (`EqualIgnoreHash` in pkg/controller/deployment/util/deployment_util.go).
pub fn without_hash(mut template: Value) -> Value {
    if let Some(labels) = template.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
        labels.remove("pod-template-hash");
    }
    template
}

fn preconditions(live: &Live) -> Vec<PatchOperation> {
    vec![test(&["metadata", "uid"], json!(live.uid)), test(&["metadata", "generation"], json!(live.generation))]
}

/// Which incident the write is for, and what it does: an intent is not known to be carried out without either.
fn annotate(ops: &mut Vec<PatchOperation>, live: &Live, incident: &str, kind: ActionKind) {
    if live.annotations.is_none() {
        ops.push(add(&["metadata", "annotations"], json!({})));
    }
    add_annotation(ops, keys::INCIDENT, incident);
    add_annotation(ops, keys::ACTION, kind.into());
}

fn add_annotation(ops: &mut Vec<PatchOperation>, key: &str, value: &str) {
    ops.push(add(&["metadata", "annotations", key], json!(value)));
}

fn unannotate(ops: &mut Vec<PatchOperation>, live: &Live, key: &str) {
    if live.annotations.as_ref().is_some_and(|a| a.iter().any(|k| k == key)) {
        ops.push(PatchOperation::Remove(RemoveOperation { path: pointer(&["metadata", "annotations", key]) }));
    }
}

fn pointer(tokens: &[&str]) -> PointerBuf {
    PointerBuf::from_tokens(tokens.iter().copied())
}

fn test(path: &[&str], value: Value) -> PatchOperation {
    PatchOperation::Test(TestOperation { path: pointer(path), value })
}

fn replace(path: &[&str], value: Value) -> PatchOperation {
    PatchOperation::Replace(ReplaceOperation { path: pointer(path), value })
}

fn add(path: &[&str], value: Value) -> PatchOperation {
    PatchOperation::Add(AddOperation { path: pointer(path), value })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live() -> Live {
        Live { uid: "u".into(), generation: 4, annotations: Some(vec!["team".into()]), paused: false }
    }

    fn deployment() -> Value {
        json!({
            "metadata": {"uid": "u", "generation": 4, "annotations": {"team": "shop"}, "labels": {"app": "web"}},
            "spec": {"replicas": 7, "template": {"spec": {"containers": [{"name": "web", "image": "v2"}, {"name": "new"}]}}}
        })
    }

    fn old_template() -> Value {
        json!({
            "metadata": {"labels": {"app": "web", "pod-template-hash": "59"}},
            "spec": {"containers": [{"name": "web", "image": "v1"}]}
        })
    }

    #[test]
    fn a_roll_back_replaces_the_template_and_touches_nothing_else() {
        let mut object = deployment();
        json_patch::patch(
            &mut object,
            &roll_back(&live(), without_hash(old_template()), ("web-1", ActionKind::RollBack)),
        )
        .unwrap();
        assert_eq!(
            object,
            json!({
                "metadata": {"uid": "u", "generation": 4, "labels": {"app": "web"},
                             "annotations": {"team": "shop", "backstay.dev/incident": "web-1",
                                             "backstay.dev/action": "RollBack"}},
                "spec": {"replicas": 7, "template": {"metadata": {"labels": {"app": "web"}},
                                                     "spec": {"containers": [{"name": "web", "image": "v1"}]}}}
            })
        );
    }

    #[test]
    fn every_patch_fails_on_another_generation_or_another_object() {
        let (kind, template) = (ActionKind::Freeze, without_hash(old_template()));
        for patch in [roll_back(&live(), template, ("i", kind)), pause(&live(), ("i", kind)), resume(&live(), false)] {
            for (path, value) in [("/metadata/generation", json!(5)), ("/metadata/uid", json!("other"))] {
                let mut object = deployment();
                *object.pointer_mut(path).unwrap() = value;
                assert!(json_patch::patch(&mut object, &patch).is_err());
            }
        }
    }

    #[test]
    fn a_deployment_without_annotations_can_be_marked() {
        let mut object = deployment();
        object["metadata"].as_object_mut().unwrap().remove("annotations");
        let live = Live { annotations: None, ..live() };
        json_patch::patch(&mut object, &pause(&live, ("web-1", ActionKind::Pause))).unwrap();
        assert_eq!(object["spec"]["paused"], json!(true));
        assert_eq!(object["metadata"]["annotations"]["backstay.dev/paused-for"], json!("web-1"));
    }

    #[test]
    fn a_resume_removes_what_the_pause_added() {
        let mut object = deployment();
        json_patch::patch(&mut object, &pause(&live(), ("web-1", ActionKind::Pause))).unwrap();
        let paused = Live {
            annotations: Some(vec!["team".into(), keys::INCIDENT.into(), keys::PAUSED_FOR.into()]),
            paused: true,
            ..live()
        };
        json_patch::patch(&mut object, &resume(&paused, false)).unwrap();
        assert_eq!(object["spec"]["paused"], json!(false));
        assert_eq!(object["metadata"]["annotations"].get(keys::PAUSED_FOR), None);
    }

    #[test]
    fn a_roll_back_ends_our_own_pause() {
        let mut object = deployment();
        json_patch::patch(&mut object, &pause(&live(), ("web-1", ActionKind::Pause))).unwrap();
        let paused = Live { annotations: Some(vec!["team".into(), keys::PAUSED_FOR.into()]), paused: true, ..live() };
        json_patch::patch(
            &mut object,
            &roll_back(&paused, without_hash(old_template()), ("web-1", ActionKind::RollBack)),
        )
        .unwrap();
        assert_eq!(object["spec"]["paused"], json!(false));
        assert_eq!(object["metadata"]["annotations"].get(keys::PAUSED_FOR), None);
    }

    #[test]
    fn a_word_that_overrules_the_evidence_stays() {
        for overrules in [false, true] {
            let mut object = deployment();
            object["metadata"]["annotations"][keys::RESUME] = json!("web-1");
            let annotations = Some(vec!["team".into(), keys::RESUME.into()]);
            json_patch::patch(&mut object, &resume(&Live { annotations, ..live() }, overrules)).unwrap();
            assert_eq!(object["metadata"]["annotations"].get(keys::RESUME).is_some(), overrules);
        }
    }
}
