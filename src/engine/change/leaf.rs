//! Differences between two values of any shape, in words: `httpGet.port 8080 → 8081`.

use std::collections::BTreeSet;

use serde_json::Value;

use super::MAX_LOOKED_AT;
use crate::engine::text;

/// Differences named in one sentence; the rest are counted.
const NAMED: usize = 5;
/// Bytes of a value that are shown.
const MAX_VALUE: usize = 72;
const HIDDEN: &str = "***";

/// The differences, joined; `None` if there are none.
pub fn words(old: &Value, new: &Value) -> Option<String> {
    let mut all = Vec::new();
    walk("", old, new, &mut all);
    join(all)
}

/// Joins differences and counts those for which there is no room.
pub fn join(mut all: Vec<String>) -> Option<String> {
    if all.is_empty() {
        return None;
    }
    let more = all.len().saturating_sub(NAMED);
    all.truncate(NAMED);
    if more > 0 {
        all.push(format!("and {more} more"));
    }
    Some(all.join(", "))
}

/// Null, absent and empty mean the same to the API server.
pub fn is_absent(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// The field of an object; null for what is not there.
pub fn field<'a>(value: &'a Value, key: &str) -> &'a Value {
    value.get(key).unwrap_or(&Value::Null)
}

/// The fields of both objects, each once, in order.
pub fn fields<'a>(old: &'a Value, new: &'a Value) -> BTreeSet<&'a str> {
    let keys = |value: &'a Value| value.as_object().into_iter().flat_map(|fields| fields.keys().map(String::as_str));
    keys(old).chain(keys(new)).collect()
}

fn walk(path: &str, old: &Value, new: &Value, out: &mut Vec<String>) {
    if old == new || (is_absent(old) && is_absent(new)) {
        return;
    }
    match (old, new) {
        (Value::Object(_), Value::Object(_)) => {
            for key in fields(old, new) {
                walk(&below(path, key), field(old, key), field(new, key), out);
            }
        }
        (Value::Array(before), Value::Array(after)) => list(path, before, after, out),
        _ => out.push(became(path, old, new)),
    }
}

/// What a field was and is. What a header or a variable is set to may be a secret; that it changed is enough.
pub fn became(path: &str, old: &Value, new: &Value) -> String {
    if path == "value" || path.ends_with(".value") {
        return format!("{path} changed");
    }
    format!("{path} {} → {}", shown(old), shown(new)).trim_start().to_owned()
}

/// Lists whose items have names are compared by name, others as sets: an item in another place is no difference that
/// a person looks for.
fn list(path: &str, old: &[Value], new: &[Value], out: &mut Vec<String>) {
    let named = |items: &[Value]| items.iter().all(|item| item_name(item).is_some());
    if named(old) && named(new) {
        let find = |items: &[Value], name: &str| items.iter().find(|i| item_name(i) == Some(name)).cloned();
        let names: BTreeSet<&str> = old.iter().chain(new).filter_map(item_name).collect();
        for name in names {
            let (before, after) = (find(old, name), find(new, name));
            let path = below(path, name);
            match (before, after) {
                (Some(before), Some(after)) => walk(&path, &before, &after, out),
                (None, Some(_)) => out.push(format!("{path} added")),
                _ => out.push(format!("{path} removed")),
            }
        }
        return;
    }

    out.extend(old.iter().filter(|i| !new.contains(i)).map(|i| format!("{path} without {}", shown(i))));
    out.extend(new.iter().filter(|i| !old.contains(i)).map(|i| format!("{path} with {}", shown(i))));
}

fn item_name(item: &Value) -> Option<&str> {
    item.get("name").and_then(Value::as_str)
}

fn below(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// A value as people write it, shortened; objects as `key=value` of their plain fields.
pub fn shown(value: &Value) -> String {
    shortened(&plain(value))
}

fn plain(value: &Value) -> String {
    match value {
        value if is_absent(value) => "unset".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(" "),
        Value::Object(fields) => {
            let parts = fields.iter().filter(|(key, value)| *key != "value" && !is_absent(value));
            parts.map(|(key, value)| format!("{key}={}", plain(value))).collect::<Vec<_>>().join(",")
        }
        other => other.to_string(),
    }
}

/// A command line. What follows an option whose name stands for a secret is hidden, since nothing else shows that it is
/// one, and a word may hold spaces.
pub fn line(words: &Value) -> String {
    let Some(words) = words.as_array().filter(|words| !words.is_empty()) else { return shown(words) };
    let words: Vec<String> = words.iter().map(plain).collect();
    let command: Vec<&str> = words.iter().map(String::as_str).take_while(|w| !w.starts_with('-')).take(2).collect();
    let command = command.join(" ");
    let mut said: Vec<&str> = Vec::new();
    let mut option = "";
    for word in &words {
        let hidden = !option.is_empty() && !word.starts_with("--") && is_secret_behind(&command, option, word);
        said.push(if hidden { HIDDEN } else { word });
        option = if word.starts_with('-') && !word.contains('=') { word } else { "" };
    }
    shortened(&said.join(" "))
}

/// All of the word would be hidden, were it quoted as a shell asks for.
fn is_secret_behind(command: &str, option: &str, word: &str) -> bool {
    let word = word.replace(['"', '\\', '\n'], "_");
    let hides = |before: &str| text::redact(&format!("{before}\"{word}\"")) == format!("{before}\"{HIDDEN}\"");
    hides(&format!("{option}=")) || hides(&format!("{command} {option} "))
}

/// Text as it may be shown. What is a secret is told by what stands around it, so it is hidden before anything is cut.
pub fn shortened(text: &str) -> String {
    let text = text::shown(text, MAX_LOOKED_AT).replace('\n', " ");
    if text.len() <= MAX_VALUE {
        return text;
    }
    format!("{}…", text::head(&text, MAX_VALUE))
}
