use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};

use super::*;

fn digest(value: &Value) -> Digest {
    serde_json::from_value(value.clone()).unwrap()
}

fn digest_text(text: &str) -> Digest {
    serde_json::from_str(text).unwrap()
}

#[test]
fn entries_of_a_map_count_in_any_order() {
    assert_eq!(digest_text(r#"{"a":1,"b":{"c":2,"d":3}}"#), digest_text(r#"{"b":{"d":3,"c":2},"a":1}"#));
}

#[test]
fn elements_of_a_list_count_in_their_order() {
    assert_ne!(digest(&json!([1, 2])), digest(&json!([2, 1])));
}

#[rstest]
#[case(json!({"a": 1}), json!({"a": "1"}))]
#[case(json!({"a": true}), json!({"a": "true"}))]
#[case(json!({"a": 1}), json!({"a": true}))]
#[case(json!({"a": 1}), json!({"a": 1.5}))]
#[case(json!({"a": "b"}), json!({"b": "a"}))]
#[case(json!({"a": {"b": 1}}), json!({"a": [{"b": 1}]}))]
#[case(json!([["a"], ["b"]]), json!([["a", "b"]]))]
#[case(json!([null]), json!([null, null]))]
#[case(json!({"namespaceSelector": {}}), json!({}))]
#[case(json!({"a": 1, "b": 2}), json!({"a": 2, "b": 1}))]
fn different_values_have_different_digests(#[case] left: Value, #[case] right: Value) {
    assert_ne!(digest(&left), digest(&right));
}

#[rstest]
#[case(json!({"a": null}), json!({}))]
#[case(json!({"a": []}), json!({}))]
#[case(json!({"labels": {}}), json!({}))]
#[case(json!({"metadata": {"creationTimestamp": null}, "n": 1}), json!({"n": 1}))]
#[case(json!({"resources": {"limits": {}}}), json!({}))]
fn what_the_api_server_treats_as_absent_is_absent(#[case] left: Value, #[case] right: Value) {
    assert_eq!(digest(&left), digest(&right));
}

#[test]
fn a_digest_is_the_same_in_every_process() {
    assert_eq!(digest(&json!({"image": "127.0.0.1:5000/web:1", "ports": [80]})), Digest(PINNED));
}

/// Taken from a run; it changes only when the digest does, and then everything that compares digests is new too.
const PINNED: u64 = 17_390_082_997_275_149_043;

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i32>().prop_map(|number| Value::from(f64::from(number) / 4.0)),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::hash_map(".{0,6}", inner, 0..5).prop_map(|map| map.into_iter().collect()),
        ]
    })
}

proptest! {
    #[test]
    fn reading_text_and_reading_a_tree_agree(value in any_json()) {
        prop_assert_eq!(digest_text(&value.to_string()), digest(&value));
        let _: Leaf = serde_json::from_value(value).unwrap();
    }
}
