//! Files as kubectl writes them: JSON or YAML, one or several documents, lists of one kind or of many, single objects.

use std::fmt;
use std::fs;
use std::io::{self, Read};
use std::path::Path;

use serde_json::Value;
use serde_json::error::Category;

use super::super::failure::Failed;
use super::left_out::LeftOut;
use crate::cluster::intake::Intake;

/// Lists within lists; kubectl writes none.
const MAX_DEPTH: usize = 4;

/// Takes in everything that a file holds. Returns what was left out, with its place and the reason.
///
/// # Errors
/// A file that cannot be read, or that is neither JSON nor YAML.
pub fn read(path: &Path, intake: &mut Intake) -> Result<Vec<LeftOut>, Failed> {
    let name = if path.as_os_str() == "-" { "standard input".to_owned() } else { path.display().to_string() };
    let bytes = bytes(path).map_err(|error| Failed::new(format!("reading {name}"), error.to_string()))?;
    take_bytes(&name, bytes, intake)
}

/// The same for what was read; `name` is what it is called.
///
/// # Errors
/// What is neither JSON nor YAML.
pub fn take_bytes(name: &str, bytes: Vec<u8>, intake: &mut Intake) -> Result<Vec<LeftOut>, Failed> {
    let text = text(bytes).map_err(|at| Failed::new(format!("{name}:{at}"), "neither UTF-8 nor UTF-16"))?;
    take_text(name, text, intake)
}

/// The same for text.
///
/// # Errors
/// What is neither JSON nor YAML.
pub fn take_text(name: &str, text: String, intake: &mut Intake) -> Result<Vec<LeftOut>, Failed> {
    let documents = documents(&text).map_err(|bad| Failed::new(format!("{name}:{}", bad.at), bad.why))?;
    if documents.iter().all(Value::is_null) {
        return Err(Failed::new(format!("reading {name}"), "it is empty"));
    }
    let mut odd = Vec::new();
    let several = documents.len() > 1;
    for (number, document) in (1..).zip(documents) {
        let place = if several { format!("{name}: document {number}") } else { name.to_owned() };
        take(document, None, &place, intake, &mut odd, MAX_DEPTH);
    }
    Ok(odd)
}

fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    if path.as_os_str() != "-" {
        return fs::read(path);
    }
    let mut bytes = Vec::new();
    io::stdin().lock().read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The text of a file; a redirection in Windows PowerShell writes UTF-16. Fails with the line that is no text.
fn text(bytes: Vec<u8>) -> Result<String, Place> {
    let utf16 = |units: fn([u8; 2]) -> u16| {
        let (pairs, _) = bytes.as_chunks::<2>();
        let units: Vec<u16> = pairs.iter().skip(1).map(|pair| units(*pair)).collect();
        String::from_utf16(&units).map_err(|_| Place { line: 1, column: 1 })
    };
    match bytes.as_slice() {
        [0xff, 0xfe, ..] => return utf16(u16::from_le_bytes),
        [0xfe, 0xff, ..] => return utf16(u16::from_be_bytes),
        _ => {}
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let before = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
        let line = before.iter().filter(|byte| **byte == b'\n').count();
        let column = before.iter().rev().take_while(|byte| **byte != b'\n').count();
        Place { line: line.saturating_add(1), column: column.saturating_add(1) }
    })?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

/// Where in a file, both from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    line: usize,
    column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

struct Bad {
    at: Place,
    why: String,
}

fn documents(text: &str) -> Result<Vec<Value>, Bad> {
    if !text.trim_start().starts_with(['{', '[']) {
        return yaml(text);
    }
    let json = serde_json::Deserializer::from_str(text).into_iter().collect::<Result<Vec<Value>, _>>();
    // YAML in braces is rare, so what cannot be read is most likely damaged JSON, unless it was read further as YAML.
    json.or_else(|error| yaml(text).map_err(|bad| if bad.at.line > error.line() { bad } else { not_json(&error) }))
}

fn not_json(error: &serde_json::Error) -> Bad {
    let at = Place { line: error.line(), column: error.column() };
    let why = match error.classify() {
        Category::Eof => "the JSON ends too early".to_owned(),
        _ => format!("not JSON: {}", without_place(&error.to_string())),
    };
    Bad { at, why }
}

/// Both parsers end what they say with the place, which is told already.
fn without_place(said: &str) -> &str {
    said.rsplit_once(" at line ").map_or(said, |(said, _)| said)
}

fn yaml(text: &str) -> Result<Vec<Value>, Bad> {
    // The defaults are for configuration files; a namespace of a thousand pods is larger.
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: 200_000_000,
            max_nodes: 100_000_000,
            max_documents: 1_000_000,
            max_total_scalar_bytes: 2 << 30,
        },
    };
    serde_saphyr::from_multiple_with_options(text, options).map_err(|error| {
        let number = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        let at = error.location().map_or((1, 1), |at| (number(at.line()), number(at.column())));
        Bad {
            at: Place { line: at.0, column: at.1 },
            why: format!("not YAML: {}", for_people(without_place(&error.without_snippet().to_string()))),
        }
    })
}

/// The parser speaks of its own settings in some cases.
fn for_people(said: &str) -> &str {
    if said.starts_with("budget breached: Depth") {
        "nested too deeply"
    } else if said.starts_with("budget breached") {
        "larger than anything that kubectl prints"
    } else {
        said.split_once(", set ").map_or(said, |(said, _)| said)
    }
}

/// An object, or all items of a list. Items of a typed list may not say their kind.
fn take(document: Value, kind: Option<&str>, place: &str, intake: &mut Intake, odd: &mut Vec<LeftOut>, depth: usize) {
    let (items, of) = match document {
        Value::Null => return,
        Value::Array(items) => (items, None),
        Value::Object(mut object) => {
            let said = object.get("kind").and_then(Value::as_str).map(str::to_owned);
            match (object.remove("items"), said.as_deref().and_then(|kind| kind.strip_suffix("List"))) {
                (Some(Value::Array(items)), of) => (items, of.filter(|of| !of.is_empty()).map(str::to_owned)),
                (Some(Value::Null) | None, Some(_)) => return,
                (items, _) => {
                    object.extend(items.map(|items| ("items".to_owned(), items)));
                    return one(Value::Object(object), kind, place, intake, odd);
                }
            }
        }
        other => return one(other, kind, place, intake, odd),
    };
    for (number, item) in items.into_iter().enumerate() {
        let place = format!("{place}: items[{number}]");
        match depth.checked_sub(1) {
            _ if item.is_null() => one(item, None, &place, intake, odd),
            Some(depth) => take(item, of.as_deref(), &place, intake, odd, depth),
            None => odd.push(LeftOut { said: format!("{place}: lists within lists, left out"), ..LeftOut::default() }),
        }
    }
}

fn one(object: Value, kind: Option<&str>, place: &str, intake: &mut Intake, odd: &mut Vec<LeftOut>) {
    let word = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let said = if word("/kind").is_empty() { kind.unwrap_or_default() } else { word("/kind") };
    let named = [said, word("/metadata/namespace"), word("/metadata/name")].map(str::to_owned);
    let Err(why) = intake.take(object, kind) else { return };
    let words = named.iter().map(String::as_str).filter(|word| !word.is_empty()).collect::<Vec<_>>().join("/");
    let words = if words.is_empty() { words } else { format!(" ({words})") };
    let [kind, namespace, name] = named;
    odd.push(LeftOut { said: format!("{place}{words} was left out: {why}"), kind, namespace, name });
}

#[cfg(test)]
#[path = "input_tests.rs"]
mod tests;
