//! What is fed with hostile input: how the input is made, and what must hold of what becomes of it.

mod alerts;
mod around;
mod logs;
mod own;
pub mod scene;
mod text;

use backstay::cli::diagnose::input;
use backstay::cli::page::one_line;
use backstay::cluster::intake::Intake;
use proptest::prelude::*;

use crate::json::Json;
use crate::mutate::mutated;
use crate::oracle::{Checked, is_plain, refused, whole_way};
use crate::{hostile, seeds};

/// Something that reads what others wrote. Its input is bytes, so that one that it fails on can be kept as it is.
#[derive(Clone, Copy)]
pub struct Target {
    pub name: &'static str,
    pub input: fn() -> BoxedStrategy<Vec<u8>>,
    pub check: fn(&[u8]) -> Checked,
    /// Cases in `make test`.
    pub cases: u32,
}

pub const TARGETS: [Target; 10] = [
    Target { name: "objects", input: objects, check: check_objects, cases: 20 },
    Target { name: "messages", input: messages, check: check_messages, cases: 10 },
    Target { name: "documents", input: documents, check: check_document, cases: 100 },
    Target { name: "logs", input: logs::input, check: logs::check, cases: 50 },
    Target { name: "text", input: text::input, check: text::check, cases: 100 },
    Target { name: "patterns", input: text::patterns, check: text::check_patterns, cases: 60 },
    Target { name: "own", input: own::input, check: own::check, cases: 15 },
    Target { name: "around", input: around::input, check: around::check, cases: 30 },
    Target { name: "scene", input: scene::input, check: scene::check, cases: 30 },
    Target { name: "alerts", input: alerts::input, check: alerts::check, cases: 40 },
];

fn bytes(json: &Json) -> Vec<u8> {
    json.write().into_bytes()
}

/// Lists of objects, from the text that kubectl prints to the screen.
fn objects() -> BoxedStrategy<Vec<u8>> {
    mutated(seeds::lists(), 8).prop_map(|list| bytes(&list)).boxed()
}

fn check_objects(input: &[u8]) -> Checked {
    whole_way(&String::from_utf8_lossy(input))
}

/// One text wherever a kubelet, a runtime, a registry, a scheduler, an admission plugin or a program may write it.
fn messages() -> BoxedStrategy<Vec<u8>> {
    hostile::long_text().prop_map(String::into_bytes).boxed()
}

fn check_messages(input: &[u8]) -> Checked {
    let message = String::from_utf8_lossy(input);
    let items = [seeds::crashing(), seeds::telling(&message)].concat();
    whole_way(&serde_json::json!({"kind": "List", "items": items}).to_string())
}

/// Files that are damaged: cut, with bytes changed, in another encoding, or YAML that is no YAML.
fn documents() -> BoxedStrategy<Vec<u8>> {
    let text = mutated(seeds::lists(), 3).prop_flat_map(|list| {
        let yaml = serde_json::from_str::<serde_json::Value>(&list.write()).ok();
        let yaml = yaml.and_then(|value| serde_saphyr::to_string(&value).ok());
        proptest::sample::select(vec![list.write(), yaml.unwrap_or_default()])
    });
    let damage = proptest::collection::vec((any::<u32>(), any::<u8>(), 0..4_u8), 0..4);
    let pieces = "[\\[\\]{}:,\"'&*|>#%!?~\\- \n\ta-z0-9]{0,60}";
    prop_oneof![
        6 => (text, damage, 0..6_u8).prop_map(|(text, damage, encoding)| {
            let mut bytes = match encoding {
                0 => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
                _ => text.into_bytes(),
            };
            if encoding == 0 {
                bytes.splice(0..0, [0xff, 0xfe]);
            }
            for (at, byte, what) in damage {
                let at = at as usize % (bytes.len() + 1);
                match what {
                    0 => bytes.truncate(at),
                    1 => bytes.insert(at, byte),
                    2 if at < bytes.len() => bytes[at] = byte,
                    _ => drop(bytes.splice(at..at, *b"\n---\n")),
                }
            }
            bytes
        }),
        1 => pieces.prop_map(String::into_bytes),
        1 => proptest::collection::vec(any::<u8>(), 0..64),
    ]
    .boxed()
}

fn check_document(document: &[u8]) -> Checked {
    let mut intake = Intake::default();
    match input::take_bytes("x", document.to_vec(), &mut intake) {
        Err(error) => refused(&error.to_string()),
        Ok(odd) => odd.iter().try_for_each(|odd| is_plain("what was left out", &one_line(&odd.said))),
    }
}
