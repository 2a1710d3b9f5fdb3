//! What may stand where a kubelet, a registry or a program writes.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;
use regex::Regex;

use crate::json::Json;

/// How long a text becomes; more where there is more time.
static MOST: AtomicUsize = AtomicUsize::new(5_000);

pub fn most() -> usize {
    MOST.load(Ordering::Relaxed)
}

/// From now on texts are up to a megabyte long.
pub fn without_haste() {
    MOST.store(1_000_000, Ordering::Relaxed);
}

/// Stands for a secret; nothing that is printed or written may hold a part of it.
pub const SECRET: &str = "Qx7RqVt2LpZ9mK4wHs8J";

/// Every text in the source of the engine and of what reads objects: the phrases, names and keys that parsers look for.
static WORDS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let mut words = Vec::new();
    let quoted = Regex::new(r#""((?:[^"\\\n]|\\.){2,200})""#).unwrap();
    let mut folders = vec!["src/engine".to_owned(), "src/cluster".to_owned(), "tests/logs".to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(&folder)).unwrap() {
            let entry = entry.unwrap();
            let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
            if entry.file_type().unwrap().is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(entry.path()).unwrap();
            match path.rsplit('.').next() {
                Some("rs") => words.extend(quoted.captures_iter(&text).map(|found| unescaped(&found[1]))),
                _ => words.extend(text.lines().map(str::to_owned).filter(|line| line.len() > 2)),
            }
        }
    }
    words.sort();
    words.dedup();
    words
});

fn unescaped(literal: &str) -> String {
    literal.replace("\\n", "\n").replace("\\t", "\t").replace("\\\"", "\"").replace("\\\\", "\\")
}

/// Pieces that terminals, parsers of prose and cutters of text stumble over.
const PIECES: [&str; 48] = [
    "\0",
    "\u{7}",
    "\u{8}",
    "\r",
    "\n",
    "\n\n",
    "\t",
    "\u{b}",
    "\u{7f}",
    "\u{85}",
    "\u{9b}31m",
    "\u{1b}[2J",
    "\u{1b}]0;x\u{7}",
    "\u{1b}]8;;",
    "\u{1b}P",
    "\u{1b}",
    "\u{2028}",
    "\u{202e}",
    "\u{2066}",
    "\u{200b}",
    "\u{feff}",
    "\u{fffd}",
    "\u{e000}",
    "\u{10ffff}",
    "e\u{301}\u{301}\u{301}",
    "日本語",
    "👩‍👩‍👧‍👦",
    "ß",
    "İ",
    "ﬁ",
    "{",
    "}",
    "\"",
    "'",
    "`",
    "\\",
    "/",
    ":",
    ",",
    "=",
    "@",
    "://",
    "…",
    "***",
    "%",
    " ",
    "-",
    ".",
];

/// Secrets in forms that redaction knows.
const PLANTS: [&str; 9] = [
    "password=@",
    "DB_PASSWORD='@'",
    "postgres://app:@@db.shop.svc:5432/orders",
    "{\"token\": \"@\", \"n\": 1}",
    "Authorization: Bearer @",
    "clientSecret: @",
    "\\\"api_key\\\":\\\"@\\\"",
    "Server=db;User Id=sa;Password=@;Encrypt=true",
    "redis://:@@cache/0",
];

pub fn word() -> BoxedStrategy<String> {
    (0..WORDS.len()).prop_map(|at| WORDS[at].clone()).boxed()
}

fn piece() -> BoxedStrategy<String> {
    prop_oneof![
        8 => word(),
        4 => (0..PIECES.len()).prop_map(|at| PIECES[at].to_owned()),
        1 => "\\PC{0,12}",
        1 => "(?s).{0,12}",
        1 => "[0-9]{1,24}(\\.[0-9]{0,4})?(m|k|Ki|Gi|Ei|e9|e999|E-4)?",
        1 => number(),
    ]
    .boxed()
}

/// A secret, surrounded as secrets are.
pub fn plant() -> BoxedStrategy<String> {
    (0..PLANTS.len()).prop_map(|at| format!(" {} ", PLANTS[at].replacen('@', SECRET, 1))).boxed()
}

/// Some pieces behind each other.
pub fn text() -> BoxedStrategy<String> {
    let joint = prop_oneof![3 => Just(""), 2 => Just(" "), 1 => Just(": "), 1 => Just(", "), 1 => Just("\n")];
    (proptest::collection::vec(prop_oneof![12 => piece(), 1 => plant()], 0..8), joint)
        .prop_map(|(pieces, joint)| pieces.join(joint))
        .boxed()
}

/// The same, now and then very long.
pub fn long_text() -> BoxedStrategy<String> {
    let sizes =
        prop_oneof![20 => Just(0_usize), 6 => 400..3000_usize, 2 => Just(most().min(70_000)), 1 => Just(most())];
    (text(), text(), text(), sizes, any::<bool>())
        .prop_map(|(first, filling, last, size, one_line)| {
            let filling = if filling.is_empty() { "x".to_owned() } else { filling };
            let filling = if one_line { filling.replace('\n', " ") } else { filling };
            first + &filling.repeat(size / filling.len()) + &last
        })
        .boxed()
}

/// A number as JSON writes it.
pub fn number() -> BoxedStrategy<String> {
    prop_oneof![
        proptest::sample::select(vec![
            "-1",
            "0",
            "1",
            "2",
            "137",
            "255",
            "2147483647",
            "-2147483648",
            "2147483648",
            "4294967296",
            "9223372036854775807",
            "-9223372036854775808",
            "18446744073709551615",
            "1e308",
            "-0.0",
            "1.5",
            "1e400",
            "123456789012345678901234567890",
        ])
        .prop_map(str::to_owned),
        any::<i64>().prop_map(|n| n.to_string()),
        (-300_i64..300).prop_map(|n| n.to_string()),
    ]
    .boxed()
}

/// What stands where a time should: near the others, at the ends of time, and nonsense.
pub fn time() -> BoxedStrategy<String> {
    let near = (-90_000_i64..90_000).prop_map(|seconds| {
        let start: jiff::Timestamp = "2026-03-01T10:00:00Z".parse().unwrap();
        (start + jiff::SignedDuration::from_secs(seconds)).to_string()
    });
    let odd = proptest::sample::select(vec![
        "9999-12-31T23:59:59Z",
        "9999-12-30T22:00:00.999999999Z",
        "0001-01-01T00:00:00Z",
        "1970-01-01T00:00:00Z",
        "-009999-01-02T01:59:59Z",
        "2026-03-01T10:00:60Z",
        "2026-02-30T10:00:00Z",
        "2026-03-01T10:00:00.123456789123Z",
        "2026-03-01T10:00:00+25:59",
        "2026-03-01T10:00:00",
        "2026-03-01",
        "2026-03-01T10:00:00Z[Europe/Berlin]",
        "P1Y",
        "now",
    ]);
    prop_oneof![3 => near, 1 => odd.prop_map(str::to_owned)].boxed()
}

/// An amount as quotas, limits and nodes have them.
fn amount() -> BoxedStrategy<String> {
    "[+-]?[0-9]{0,26}(\\.[0-9]{0,26})?(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|e[+-]?[0-9]{1,4}|E[0-9]{0,3})?".boxed()
}

/// A key of a map; some with more slashes than keys have, some with none.
pub fn key() -> BoxedStrategy<String> {
    prop_oneof![
        6 => word(),
        1 => Just(String::new()),
        1 => proptest::sample::select(vec!["/", "a/b/c", "backstay.dev", "backstay.dev/", "/paused-for", "items", "kind", "f:", "."])
            .prop_map(str::to_owned),
        1 => text(),
    ]
    .boxed()
}

/// Any value.
pub fn value() -> BoxedStrategy<Json> {
    let leaf = prop_oneof![
        1 => Just(Json::Null),
        1 => any::<bool>().prop_map(Json::Bool),
        2 => number().prop_map(Json::Number),
        4 => long_text().prop_map(Json::Text),
        2 => time().prop_map(Json::Text),
        2 => amount().prop_map(Json::Text),
        1 => number().prop_map(Json::Text),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Json::List),
            proptest::collection::vec((key(), inner), 0..4).prop_map(Json::Map),
        ]
    })
    .boxed()
}
