use proptest::prelude::*;
use rstest::rstest;
use serde_json::json;

use super::*;

fn pod(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "shop"}})
}

fn names(text: &str) -> Vec<String> {
    let mut intake = Intake::default();
    let odd = take_text("x", text.to_owned(), &mut intake).unwrap();
    assert!(odd.is_empty(), "{odd:?}");
    intake.pods.keys().map(|(_, name)| name.clone()).collect()
}

fn refused(text: &str) -> String {
    take_text("x.json", text.to_owned(), &mut Intake::default()).unwrap_err().to_string()
}

#[test]
fn every_shape_that_kubectl_prints_is_read() {
    let (a, b) = (pod("a"), pod("b"));
    let list = json!({"apiVersion": "v1", "kind": "List", "items": [a, b], "metadata": {"resourceVersion": ""}});
    let bare = json!({"metadata": {"name": "a", "namespace": "shop"}});
    let typed = json!({"apiVersion": "v1", "kind": "PodList", "items": [bare, b]});
    let nested = json!({"kind": "List", "items": [typed]});
    let yaml = |value: &Value| serde_saphyr::to_string(value).unwrap();
    let texts = [
        list.to_string(),
        serde_json::to_string_pretty(&list).unwrap(),
        typed.to_string(),
        nested.to_string(),
        json!([a, b]).to_string(),
        format!("{a}{b}"),
        format!("{a}\n{b}\n"),
        yaml(&list),
        yaml(&typed),
        format!("---\n{}---\n{}---\n", yaml(&a), yaml(&b)),
        format!("# as printed\n{}...\n---\n{}", yaml(&a), yaml(&b)),
        format!("\u{feff}{list}"),
        format!("{a}\n---\n{b}"),
    ];
    for text in texts {
        assert_eq!(names(&text), ["a", "b"], "{text}");
    }
}

#[rstest]
#[case(json!({"kind": "PodList", "items": []}))]
#[case(json!({"kind": "List", "items": null}))]
#[case(json!({"kind": "List"}))]
#[case(json!({"kind": "ConfigMap", "metadata": {"name": "a"}, "items": {"a": 1}}))]
fn a_list_of_nothing_and_other_kinds_are_read(#[case] value: Value) {
    assert_eq!(names(&value.to_string()), [] as [&str; 0]);
}

#[rstest]
#[case("", "reading x.json: it is empty")]
#[case("---\n---\n", "reading x.json: it is empty")]
#[case("{\"kind\": \"List\",\n \"items\": [", "x.json:2:11: the JSON ends too early")]
#[case("{\"kind\": \"List\",\n \"items\": [}\n]}", "x.json:2:12: not JSON: expected value")]
#[case("kind: List\nitems: [\n", "x.json:")]
#[case("kind: \"a\nb", "x.json:")]
#[case("{\"kind\": \"Pod\"}\n---\nkind: Pod\nspec: [}\n", "x.json:4:7: not YAML: ")]
#[case("kind: Pod\nkind: Pod\n", "x.json:2:1: not YAML: duplicate mapping key: kind")]
fn bad_input_is_one_line_with_its_place(#[case] text: &str, #[case] said: &str) {
    let refused = refused(text);
    assert!(refused.starts_with(said), "{refused}");
    assert!(!refused.contains('\n'), "{refused}");
}

/// What the parser of YAML says of its settings is of no use to anybody who has none.
#[test]
fn what_is_said_is_for_people() {
    assert!(refused("kind: Pod\nkind: Pod\n").ends_with(": kind"));
    assert!(refused(&"- ".repeat(200)).ends_with(": not YAML: nested too deeply"));
}

#[test]
fn an_item_of_nothing_is_named() {
    let list = json!({"kind": "List", "items": [null, pod("a")]});
    let mut intake = Intake::default();
    let odd = take_text("x", list.to_string(), &mut intake).unwrap();
    assert_eq!((odd.len(), &*odd[0].said), (1, "x: items[0] was left out: it is no object"));
    assert_eq!(intake.pods.len(), 1);
}

#[test]
fn encodings_of_other_systems_are_read() {
    let list = pod("ä").to_string();
    let utf16 = |swap: bool| {
        let units = std::iter::once(0xfeff).chain(list.encode_utf16());
        units.flat_map(|unit| if swap { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect::<Vec<u8>>()
    };
    assert_eq!(text(utf16(false)).unwrap(), list);
    assert_eq!(text(utf16(true)).unwrap(), list);
    assert_eq!(text(b"ab\ncd\xff".to_vec()), Err(Place { line: 2, column: 3 }));
}

#[test]
fn deep_nesting_is_refused_and_not_followed() {
    for text in ["[".repeat(100_000), "{\"a\":".repeat(100_000), "- ".repeat(10_000), "{a: ".repeat(10_000)] {
        take_text("x", text, &mut Intake::default()).unwrap_err();
    }
    let mut list = pod("a");
    for _ in 0..20 {
        list = json!({"kind": "List", "items": [list]});
    }
    let odd = take_text("x", list.to_string(), &mut Intake::default()).unwrap();
    assert!(odd[0].said.ends_with("lists within lists, left out"), "{odd:?}");
}

#[test]
fn a_bomb_of_aliases_does_not_explode() {
    let mut bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n".to_owned();
    for (level, before) in ('b'..='k').zip('a'..) {
        let parts = vec![format!("*{before}"); 9].join(",");
        bomb.push_str(&format!("{level}: &{level} [{parts}]\n"));
    }
    take_text("x", bomb, &mut Intake::default()).unwrap_err();
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC*|[\\[\\]{}:,\"'&*|>#\\-? \\n\\t0-9a-z]*|(?s).*") {
        let _ = take_text("x", text, &mut Intake::default());
    }
}
