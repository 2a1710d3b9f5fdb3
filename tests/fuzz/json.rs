//! JSON as a text may hold it, which is more than a `Value` can: keys that come twice and numbers of any size.

use std::fmt::Write as _;

use serde_json::Value;

#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    Null,
    Bool(bool),
    /// As written.
    Number(String),
    Text(String),
    List(Vec<Json>),
    Map(Vec<(String, Json)>),
}

impl From<&Value> for Json {
    fn from(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(bool) => Self::Bool(*bool),
            Value::Number(number) => Self::Number(number.to_string()),
            Value::String(text) => Self::Text(text.clone()),
            Value::Array(items) => Self::List(items.iter().map(Self::from).collect()),
            Value::Object(fields) => Self::Map(fields.iter().map(|(key, value)| (key.clone(), value.into())).collect()),
        }
    }
}

impl Json {
    pub fn write(&self) -> String {
        let mut out = String::new();
        self.write_to(&mut out);
        out
    }

    fn write_to(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(bool) => write!(out, "{bool}").unwrap(),
            Self::Number(number) => out.push_str(number),
            Self::Text(text) => out.push_str(&serde_json::to_string(text).unwrap()),
            Self::List(items) => {
                out.push('[');
                for (at, item) in items.iter().enumerate() {
                    out.push_str(if at == 0 { "" } else { "," });
                    item.write_to(out);
                }
                out.push(']');
            }
            Self::Map(fields) => {
                out.push('{');
                for (at, (key, value)) in fields.iter().enumerate() {
                    out.push_str(if at == 0 { "" } else { "," });
                    out.push_str(&serde_json::to_string(key).unwrap());
                    out.push(':');
                    value.write_to(out);
                }
                out.push('}');
            }
        }
    }

    /// How many values it holds, with itself.
    pub fn size(&self) -> usize {
        1 + match self {
            Self::List(items) => items.iter().map(Self::size).sum(),
            Self::Map(fields) => fields.iter().map(|(_, value)| value.size()).sum(),
            _ => 0,
        }
    }

    /// The value of that number, counted as they are written.
    pub fn nth(&mut self, number: usize) -> Option<&mut Self> {
        let mut left = number;
        self.find(&mut left)
    }

    fn find(&mut self, left: &mut usize) -> Option<&mut Self> {
        if *left == 0 {
            return Some(self);
        }
        *left -= 1;
        match self {
            Self::List(items) => items.iter_mut().find_map(|item| item.find(left)),
            Self::Map(fields) => fields.iter_mut().find_map(|(_, value)| value.find(left)),
            _ => None,
        }
    }

    /// Every text in it that is no key, with the key that it stands behind.
    pub fn texts<'a>(value: &'a Value, key: &'a str, found: &mut Vec<(&'a str, &'a str)>) {
        match value {
            Value::String(text) => found.push((key, text)),
            Value::Array(items) => items.iter().for_each(|item| Self::texts(item, key, found)),
            Value::Object(fields) => fields.iter().for_each(|(key, value)| Self::texts(value, key, found)),
            _ => {}
        }
    }
}
