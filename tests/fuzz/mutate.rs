//! Real documents with something wrong in a few places.

use proptest::prelude::*;

use crate::hostile;
use crate::json::Json;

#[derive(Clone, Debug)]
enum Change {
    Set(Json),
    Remove,
    /// Puts in what stands at another place of the document.
    Copy(u32),
    /// Adds an entry, with a key that may be there already.
    Add(String, Json),
    Rename(String),
    /// Repeats the entries.
    Repeat(usize),
    /// Puts it into so many lists or maps.
    Wrap(usize, bool),
    /// Writes into a text, at some place of it.
    Write(u16, String),
    /// Makes a text of another.
    Cut(u16),
    Time(String),
}

fn change() -> BoxedStrategy<Change> {
    prop_oneof![
        4 => hostile::value().prop_map(Change::Set),
        2 => Just(Change::Remove),
        3 => any::<u32>().prop_map(Change::Copy),
        2 => (hostile::key(), hostile::value()).prop_map(|(key, value)| Change::Add(key, value)),
        1 => hostile::key().prop_map(Change::Rename),
        1 => (2..40_usize).prop_map(Change::Repeat),
        1 => (1..200_usize, any::<bool>()).prop_map(|(deep, list)| Change::Wrap(deep, list)),
        6 => (any::<u16>(), hostile::long_text()).prop_map(|(at, text)| Change::Write(at, text)),
        2 => any::<u16>().prop_map(Change::Cut),
        2 => hostile::time().prop_map(Change::Time),
    ]
    .boxed()
}

/// One of the documents, changed in up to `most` places.
pub fn mutated(documents: Vec<Json>, most: usize) -> BoxedStrategy<Json> {
    let changes = proptest::collection::vec((any::<u32>(), change()), 0..=most);
    (proptest::sample::select(documents), changes)
        .prop_map(|(mut document, changes)| {
            for (at, change) in changes {
                apply(&mut document, at, change);
            }
            document
        })
        .boxed()
}

fn apply(document: &mut Json, at: u32, change: Change) {
    let size = document.size();
    let other = match change {
        // What is a secret only by its place is none at another.
        Change::Copy(from) => document.nth(from as usize % size).cloned().filter(|value| !is_bare_secret(value)),
        _ => None,
    };
    // Texts are where the parsers of prose begin, so a change to a text looks for one.
    let places = (0..size).cycle().skip(at as usize % size).take(size);
    let wants_text = matches!(change, Change::Write(..) | Change::Cut(_));
    let Some(place) = places.into_iter().find(|at| !wants_text || matches!(document.nth(*at), Some(Json::Text(_))))
    else {
        return;
    };
    let Some(value) = document.nth(place) else { return };
    match change {
        Change::Set(new) => *value = new,
        Change::Copy(_) => *value = other.unwrap_or(Json::Null),
        Change::Time(time) => *value = Json::Text(time),
        Change::Wrap(deep, list) => {
            for _ in 0..deep {
                let inner = std::mem::replace(value, Json::Null);
                *value = if list { Json::List(vec![inner]) } else { Json::Map(vec![("items".to_owned(), inner)]) };
            }
        }
        Change::Write(at, new) => {
            if let Json::Text(text) = value {
                text.insert_str(place_in(text, at), &new);
            }
        }
        Change::Cut(at) => {
            if let Json::Text(text) = value {
                text.truncate(place_in(text, at));
            }
        }
        Change::Remove | Change::Add(..) | Change::Rename(_) | Change::Repeat(_) => entries(value, at as usize, change),
    }
}

fn is_bare_secret(value: &Json) -> bool {
    matches!(value, Json::Text(text) if text == hostile::SECRET)
}

fn place_in(text: &str, at: u16) -> usize {
    text.char_indices().nth(usize::from(at) % (text.chars().count() + 1)).map_or(text.len(), |(at, _)| at)
}

/// Changes among the entries of a list or map; anything else is left as it is.
fn entries(value: &mut Json, at: usize, change: Change) {
    match (value, change) {
        (Json::List(items), Change::Remove) if !items.is_empty() => drop(items.remove(at % items.len())),
        (Json::Map(fields), Change::Remove) if !fields.is_empty() => drop(fields.remove(at % fields.len())),
        (Json::List(items), Change::Add(_, new)) => items.push(new),
        (Json::Map(fields), Change::Add(key, new)) => fields.insert(at % (fields.len() + 1), (key, new)),
        (Json::Map(fields), Change::Rename(key)) if !fields.is_empty() => {
            let at = at % fields.len();
            fields[at].0 = key;
        }
        (Json::List(items), Change::Repeat(times)) if items.len() < 100 => *items = repeated(items, times),
        (Json::Map(fields), Change::Repeat(times)) if fields.len() < 100 => *fields = repeated(fields, times),
        _ => {}
    }
}

fn repeated<T: Clone>(entries: &[T], times: usize) -> Vec<T> {
    std::iter::repeat_n(entries, times).flatten().cloned().collect()
}
