//! Lines that are JSON objects: where loggers put the level and what is said.

use serde_json::{Map, Value};

use super::level::{self, Level};

/// A longer line is read as plain text.
const MAX_LINE: usize = 65_536;
/// How deep objects and texts that are JSON themselves are followed.
const MAX_DEPTH: usize = 5;
/// A longer code is none.
const MAX_CODE: usize = 40;

/// What one line says: how severe it is, and the texts in it, the message first and stack traces last.
#[derive(Debug, Default, PartialEq)]
pub struct Entry {
    pub level: Option<Level>,
    pub texts: Vec<String>,
}

/// What a line of JSON says; `None` if it is none.
pub fn entry(line: &[u8]) -> Option<Entry> {
    let line = line.trim_ascii();
    let object = line.len() <= MAX_LINE && line.starts_with(b"{") && line.ends_with(b"}");
    let Some(Ok(Value::Object(object))) = object.then(|| serde_json::from_slice(line)) else { return None };
    let mut found = Found::default();
    found.object(&object, Role::Message, 0);
    found.texts.sort_by_key(|(role, _)| *role);
    Some(Entry { level: found.level, texts: found.texts.into_iter().map(|(_, text)| text).collect() })
}

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Role {
    Message,
    Error,
    Stack,
    Level,
    /// An object that may hold any of these.
    Nested,
}

/// Field names without punctuation, in lower case.
fn role(key: &str) -> Option<Role> {
    let key: String = key.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    Some(match key.as_str() {
        "msg" | "message" | "log" | "text" | "m" | "body" | "shortmessage" | "fullmessage" | "renderedmessage" => {
            Role::Message
        }
        "error" | "err" | "errors" | "exception" | "exc" | "exceptionmessage" | "errormessage" | "errormsg"
        | "errmsg" | "reason" | "cause" | "causedby" | "detail" | "details" | "throwable" | "thrown" | "panic"
        | "fault" | "innerexception" | "aggregateerrors" | "x" => Role::Error,
        "stack"
        | "stacktrace"
        | "traceback"
        | "backtrace"
        | "excinfo"
        | "exctext"
        | "errorverbose"
        | "errorstack"
        | "errorstacktrace"
        | "exceptionstacktrace" => Role::Stack,
        "level" | "severity" | "lvl" | "loglevel" | "levelname" | "severitytext" | "l" | "s" => Role::Level,
        "fields" | "event" | "attr" | "attributes" | "payload" | "jsonpayload" | "record" | "data" | "extra"
        | "ctx" | "context" | "properties" => Role::Nested,
        _ => return None,
    })
}

#[derive(Default)]
struct Found {
    level: Option<Level>,
    texts: Vec<(Role, String)>,
}

impl Found {
    fn object(&mut self, object: &Map<String, Value>, outer: Role, depth: usize) {
        for (key, value) in object {
            match role(key) {
                Some(Role::Level) => self.level = self.level.or_else(|| of_value(value)),
                // Some errors say what happened by a code alone. It is written as Node writes it.
                None if outer == Role::Error && matches!(key.as_str(), "code" | "codeName" | "sqlState") => {
                    let code = value.as_str().filter(|code| !code.is_empty() && code.len() <= MAX_CODE);
                    self.texts.extend(
                        code.map(|code| (outer, format!("{}: '{code}'", if key == "codeName" { key } else { "code" }))),
                    );
                }
                None => {}
                Some(Role::Nested) => self.value(value, outer, depth),
                Some(role) => self.value(value, role.max(outer), depth),
            }
        }
    }

    fn value(&mut self, value: &Value, role: Role, depth: usize) {
        if depth >= MAX_DEPTH {
            return;
        }
        match value {
            Value::String(text) => match serde_json::from_str(text.trim()) {
                Ok(Value::Object(inner)) if text.trim_start().starts_with('{') => self.object(&inner, role, depth + 1),
                _ => self.texts.push((role, text.clone())),
            },
            Value::Object(inner) => self.object(inner, role, depth + 1),
            Value::Array(items) => items.iter().for_each(|item| self.value(item, role, depth + 1)),
            _ => {}
        }
    }
}

fn of_value(value: &Value) -> Option<Level> {
    match value {
        Value::Number(number) => level::of_number(number.as_u64()?),
        // MongoDB writes a single letter.
        Value::String(word) => match word.as_str() {
            "I" | "i" => Some(Level::Info),
            "W" | "w" => Some(Level::Warning),
            "E" | "e" => Some(Level::Error),
            "F" | "f" => Some(Level::Fatal),
            "D1" | "D2" | "D3" | "D4" | "D5" => Some(Level::Debug),
            word => level::of_word(word).or_else(|| level::of_number(word.parse().ok()?)),
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(r#"{"level":"error","ts":1,"msg":"a","error":"b"}"#, Some(Level::Error), &["a", "b"])]
    #[case(r#"{"level":50,"err":{"type":"Error","message":"b","stack":"Error: b\n at c"},"msg":"a"}"#, Some(Level::Error), &["a", "b", "Error: b\n at c"])]
    #[case(r#"{"log.level":"WARN","message":"a","error.message":"b","error.stack_trace":"c"}"#, Some(Level::Warning), &["a", "b", "c"])]
    #[case(r#"{"@t":"x","@l":"Fatal","@m":"a","@x":"b"}"#, Some(Level::Fatal), &["a", "b"])]
    #[case(r#"{"timestamp":"x","level":"ERROR","fields":{"message":"a","error":"b"},"target":"t"}"#, Some(Level::Error), &["a", "b"])]
    #[case(r#"{"severity":"INFO","jsonPayload":{"message":"a"}}"#, Some(Level::Info), &["a"])]
    #[case(r#"{"log":"{\"level\":\"debug\",\"msg\":\"a\"}\n","stream":"stderr","time":"x"}"#, Some(Level::Debug), &["a"])]
    #[case(r#"{"s":"E","c":"NETWORK","msg":"a","attr":{"error":"b"}}"#, Some(Level::Error), &["a", "b"])]
    #[case(r#"{"severity":3,"short_message":"a"}"#, Some(Level::Error), &["a"])]
    #[case(r#"{"msg":"a","query":"select 'deadlock detected'","config":{"message":"x"}}"#, None, &["a"])]
    #[case(r#"{"errors":["a",{"message":"b"}]}"#, None, &["a", "b"])]
    #[case(r#"{"err":{"type":"AggregateError","message":"","aggregateErrors":[{"message":"a"},{"message":"b"}]}}"#, None, &["a", "b", ""])]
    #[case(r#"{"msg":"a","err":{"code":"28P01","errno":7},"code":"other"}"#, None, &["a", "code: '28P01'"])]
    fn levels_and_texts_are_found(#[case] line: &str, #[case] level: Option<Level>, #[case] texts: &[&str]) {
        let entry = entry(line.as_bytes()).unwrap();
        assert_eq!(entry.level, level);
        assert_eq!(entry.texts, texts);
    }

    #[rstest]
    #[case("{ not json }")]
    #[case("plain")]
    #[case("{\"msg\":\"cut off")]
    #[case("[1,2]")]
    fn what_is_no_object_is_no_entry(#[case] line: &str) {
        assert_eq!(entry(line.as_bytes()), None);
    }

    #[test]
    fn depth_is_bounded() {
        let deep = format!("{}{}{}", "{\"err\":".repeat(100), "\"x\"", "}".repeat(100));
        assert!(entry(deep.as_bytes()).unwrap().texts.is_empty());
        let deeper = format!("{}1{}", "{\"err\":".repeat(1000), "}".repeat(1000));
        assert_eq!(entry(deeper.as_bytes()), None);
    }
}
