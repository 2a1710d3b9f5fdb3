//! Checking an object against the schema of its kind, as the API server would, without one.
//!
//! The schema is the one of the CustomResourceDefinition, so there is one truth. CEL rules are not evaluated; what
//! they refuse is checked by hand in `lint`, and a test fails when a rule is added.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use regex::Regex;
use serde_json::Value;

use super::nodes::{Content, Node, Place};

/// No word that may have been meant is longer.
const MAX_MEANT: usize = 64;

/// Something that is wrong in one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    pub at: Place,
    /// Such as `spec.rules[1].action`.
    pub path: String,
    pub because: String,
}

/// The schema of a definition's first version, whole.
pub fn of(crd: &CustomResourceDefinition) -> Option<JSONSchemaProps> {
    let version = crd.spec.versions.first()?;
    let mut schema = version.schema.as_ref()?.open_api_v3_schema.clone()?;
    // These belong to the API server; the schemas of our kinds do not say what is in them.
    for key in ["apiVersion", "kind", "metadata"] {
        schema.properties.get_or_insert_default().entry(key.to_owned()).or_default();
    }
    Some(schema)
}

/// Everything in `node` that the schema refuses, and fields that it does not know.
pub fn check(node: &Node, schema: &JSONSchemaProps, path: &str, wrong: &mut Vec<Wrong>) {
    if node.is_null() {
        // A null is as if it were not there; the API server drops it where a default or nothing takes its place.
        return;
    }
    let mut say = |because: String| wrong.push(Wrong { at: node.at, path: path.to_owned(), because });
    let wanted = schema.type_.as_deref().unwrap_or_default();
    let either = schema.x_kubernetes_int_or_string == Some(true);
    if !either && !wanted.is_empty() && !fits(&node.content, wanted) {
        say(format!("must be {}, not {}", article(wanted), kind(&node.content)));
        return;
    }
    match &node.content {
        Content::Scalar(value) => scalar(value, schema, &mut say),
        Content::List(items) => {
            length(items.len(), schema.min_items, schema.max_items, "items", &mut say);
            if schema.x_kubernetes_list_type.as_deref() == Some("set") {
                twice(items, path, wrong);
            }
            if let Some(JSONSchemaPropsOrArray::Schema(schema)) = &schema.items {
                for (at, item) in items.iter().enumerate() {
                    check(item, schema, &format!("{path}[{at}]"), wrong);
                }
            }
        }
        Content::Map(entries) => {
            length(entries.len(), schema.min_properties, schema.max_properties, "fields", &mut say);
            map(node.at, entries, schema, path, wrong);
        }
    }
}

/// A list that is a set holds nothing twice.
fn twice(items: &[Node], path: &str, wrong: &mut Vec<Wrong>) {
    for (at, item) in items.iter().enumerate() {
        let same = |earlier: &Node| earlier.to_json() == item.to_json();
        if items.iter().take(at).any(same) {
            let because = "stands in the list already".to_owned();
            wrong.push(Wrong { at: item.at, path: format!("{path}[{at}]"), because });
        }
    }
}

fn map(at: Place, entries: &[(String, Place, Node)], schema: &JSONSchemaProps, path: &str, wrong: &mut Vec<Wrong>) {
    let known = schema.properties.as_ref();
    let open = schema.x_kubernetes_preserve_unknown_fields == Some(true)
        || (known.is_none() && schema.additional_properties.is_none());
    for (key, place, node) in entries {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        if let Some(schema) = known.and_then(|known| known.get(key)) {
            check(node, schema, &path, wrong);
        } else if let Some(JSONSchemaPropsOrBool::Schema(schema)) = &schema.additional_properties {
            check(node, schema, &path, wrong);
        } else if !open && !matches!(schema.additional_properties, Some(JSONSchemaPropsOrBool::Bool(true))) {
            let like = known.and_then(|known| nearest(key, known.keys()));
            let hint = like.map(|like| format!("; did you mean {like}?")).unwrap_or_default();
            wrong.push(Wrong { at: *place, path, because: format!("there is no such field{hint}") });
        }
    }
    for required in schema.required.iter().flatten() {
        if !entries.iter().any(|(key, _, node)| key == required && !node.is_null()) {
            let path = if path.is_empty() { required.clone() } else { format!("{path}.{required}") };
            wrong.push(Wrong { at, path, because: "is required".to_owned() });
        }
    }
}

fn scalar(value: &Value, schema: &JSONSchemaProps, say: &mut impl FnMut(String)) {
    if let Some(words) = &schema.enum_
        && !words.iter().any(|word| word.0 == *value)
    {
        let names: Vec<&str> = words.iter().filter_map(|word| word.0.as_str()).collect();
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        say(match nearest(&text, names.iter()) {
            Some(like) => format!("{text} is not one of the words for it; did you mean {like}?"),
            None if names.len() > 12 => format!("{text} is not one of the words for it; `kubectl explain` has all"),
            None => format!("{text} is not one of {}", names.join(", ")),
        });
    }
    if let Some(number) = value.as_f64() {
        if let Some(least) = schema.minimum.filter(|least| number < *least) {
            say(format!("{value} is less than {least}"));
        }
        if let Some(most) = schema.maximum.filter(|most| number > *most) {
            say(format!("{value} is more than {most}"));
        }
    }
    if let Some(text) = value.as_str() {
        length(text.chars().count(), schema.min_length, schema.max_length, "characters", say);
        let pattern = schema.pattern.as_deref().and_then(|pattern| Regex::new(pattern).ok());
        if pattern.is_some_and(|pattern| !pattern.is_match(text)) {
            say(format!("{text:?} does not look like {}", schema.pattern.as_deref().unwrap_or_default()));
        }
    }
}

fn length(length: usize, least: Option<i64>, most: Option<i64>, what: &str, say: &mut impl FnMut(String)) {
    let length = i64::try_from(length).unwrap_or(i64::MAX);
    if let Some(least) = least.filter(|least| length < *least) {
        say(format!("has {length} {what}, at least {least} are needed"));
    }
    if let Some(most) = most.filter(|most| length > *most) {
        say(format!("has {length} {what}, at most {most} are allowed"));
    }
}

fn fits(content: &Content, wanted: &str) -> bool {
    match (content, wanted) {
        (Content::Map(_), "object") | (Content::List(_), "array") => true,
        (Content::Scalar(Value::String(_)), "string") | (Content::Scalar(Value::Bool(_)), "boolean") => true,
        (Content::Scalar(Value::Number(_)), "number") => true,
        (Content::Scalar(Value::Number(number)), "integer") => number.as_f64().is_some_and(|n| n.fract() == 0.0),
        _ => false,
    }
}

fn kind(content: &Content) -> &'static str {
    match content {
        Content::Map(_) => "an object",
        Content::List(_) => "a list",
        Content::Scalar(Value::String(_)) => "a text",
        Content::Scalar(Value::Bool(_)) => "true or false",
        Content::Scalar(Value::Number(_)) => "a number",
        Content::Scalar(_) => "nothing",
    }
}

fn article(wanted: &str) -> &'static str {
    match wanted {
        "object" => "an object",
        "array" => "a list",
        "string" => "a text",
        "boolean" => "true or false",
        "integer" => "a whole number",
        _ => "a number",
    }
}

/// The word that was probably meant: the same but for case, or at most two letters away.
fn nearest(word: &str, known: impl Iterator<Item = impl AsRef<str>>) -> Option<String> {
    if word.len() > MAX_MEANT {
        return None;
    }
    let distances = known.map(|known| (distance(word, known.as_ref()), known.as_ref().to_owned()));
    let (distance, nearest) = distances.min()?;
    (distance <= 2 && nearest.len() > 3).then_some(nearest)
}

/// Letters to change, add or remove, whatever their case (Wagner and Fischer's algorithm, one row at a time).
fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (a.to_lowercase(), b.to_lowercase());
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        let mut next = vec![left];
        for (y, above) in b.chars().zip(row.iter().skip(1)) {
            left = (left + 1).min(above + 1).min(diagonal + usize::from(x != y));
            diagonal = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("", "abc", 3)]
    #[case("Rollback", "RollBack", 0)]
    #[case("stableSecond", "stableSeconds", 1)]
    #[case("kitten", "sitting", 3)]
    fn distances_are_counted_in_letters(#[case] a: &str, #[case] b: &str, #[case] letters: usize) {
        assert_eq!(distance(a, b), letters);
        assert_eq!(distance(b, a), letters);
    }
}
