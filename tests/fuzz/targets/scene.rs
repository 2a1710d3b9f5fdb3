//! What lies around a workload that fails: Services and their endpoints, entries, scalers, budgets, policies, and who
//! calls it.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::json::Json;
use crate::mutate::mutated;
use crate::oracle::{Checked, whole_way};
use crate::seeds;

/// The objects around the workload of `seeds::calling`.
pub fn input() -> BoxedStrategy<Vec<u8>> {
    let around = [true, false].map(|serves| Json::from(&Value::from(seeds::around(serves))));
    mutated(around.to_vec(), 8).prop_map(|around| around.write().into_bytes()).boxed()
}

/// These beside the workload, and another one that fails, of the same image.
pub fn objects(around: Vec<Value>) -> Vec<Value> {
    [seeds::calling(), seeds::refused("api", Some("exceeded quota: team"), None).to_vec(), around].concat()
}

pub fn check(input: &[u8]) -> Checked {
    let Ok(Value::Array(around)) = serde_json::from_slice::<Value>(input) else { return Ok(()) };
    whole_way(&json!({"kind": "List", "items": objects(around)}).to_string())
}
