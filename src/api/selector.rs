//! Label selectors of policies: narrower than Kubernetes', so that a slip is refused when the policy is applied and
//! does not select nothing, or everything, in silence.

use std::sync::LazyLock;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use regex::Regex;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::json;

pub const ANY_RULE: &str = "(has(self.matchLabels) && size(self.matchLabels) > 0) || (has(self.matchExpressions) && size(self.matchExpressions) > 0)";
pub const ANY_MESSAGE: &str = "an empty selector would match everything: name at least one label";
/// Formats are no keys of schemas, so the form of labels' keys needs a rule.
pub const KEYS_MESSAGE: &str = "a key of matchLabels is not one that a label can have";
pub const VALUES_RULE: &str = "!has(self.matchExpressions) || self.matchExpressions.all(e, (e.operator in ['In', 'NotIn']) == (has(e.values) && size(e.values) > 0))";
pub const VALUES_MESSAGE: &str = "In and NotIn need values; Exists and DoesNotExist take none";

/// Label keys and values as `IsQualifiedName` and `IsValidLabelValue` in apimachinery's util/validation know them.
const KEY: &str = r"^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$";
const VALUE: &str = r"^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$";
static LABEL_KEY: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(KEY).ok());
/// Bounds without which the API server reckons that the rule on values could cost too much.
const MAX_LABELS: usize = 32;
const MAX_EXPRESSIONS: usize = 32;
const MAX_VALUES: usize = 64;

/// The schema of a selector, `metav1.LabelSelector`, with the words, forms and bounds that Kubernetes' own leaves to
/// validation.
pub fn schema(_: &mut SchemaGenerator) -> Schema {
    let value = json!({"type": "string", "maxLength": 63, "pattern": VALUE});
    let words = ["In", "NotIn", "Exists", "DoesNotExist"];
    json_schema!({
        "type": "object",
        "properties": {
            "matchExpressions": {
                "description": "Requirements on labels; all of them must hold.",
                "type": "array",
                "maxItems": MAX_EXPRESSIONS,
                "items": {
                    "type": "object",
                    "description": "What one label must be.",
                    "required": ["key", "operator"],
                    "properties": {
                        "key": {"description": "The label's key.", "type": "string", "maxLength": 317, "pattern": KEY},
                        "operator": {
                            "description": "`In` and `NotIn` compare with `values`; `Exists` and `DoesNotExist` take none.",
                            "type": "string",
                            "enum": words,
                        },
                        "values": {
                            "description": "The values that `In` and `NotIn` compare with, at least one.",
                            "type": "array",
                            "maxItems": MAX_VALUES,
                            "items": value,
                        },
                    },
                },
            },
            "matchLabels": {
                "description": "Labels with the value that each must have; all of them must fit.",
                "type": "object",
                "maxProperties": MAX_LABELS,
                "additionalProperties": value,
            },
        },
    })
}

/// Every key of `matchLabels` is one that a label can have.
pub fn keys_rule() -> String {
    format!("!has(self.matchLabels) || self.matchLabels.all(k, k.matches('{KEY}'))")
}

/// What is wrong with a selector that the API server let pass, such as one of an older definition; `None` if nothing.
pub fn fault(selector: &LabelSelector) -> Option<&'static str> {
    let expressions = selector.match_expressions.as_deref().unwrap_or_default();
    if selector.match_labels.as_ref().is_none_or(|labels| labels.is_empty()) && expressions.is_empty() {
        return Some("an empty selector would match everything");
    }
    let labels = selector.match_labels.iter().flatten();
    if labels.into_iter().any(|(key, _)| !LABEL_KEY.as_ref().is_none_or(|form| form.is_match(key))) {
        return Some(KEYS_MESSAGE);
    }
    let fits = |operator: &str, values: usize| matches!(operator, "In" | "NotIn") == (values > 0);
    let odd = expressions.iter().any(|e| !fits(&e.operator, e.values.as_ref().map_or(0, Vec::len)));
    odd.then_some(VALUES_MESSAGE)
}
