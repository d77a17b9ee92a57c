#![allow(clippy::unwrap_used)]

use std::io::Read;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// The entries of a list, or the code-bearing fault as text.
fn entries(document: &str, list: &str, entry_bytes: u64) -> Result<Vec<Value>, String> {
    let mut found = Vec::new();
    each_entry(document.as_bytes(), list, entry_bytes, |entry| {
        found.push(serde_json::from_str(entry).unwrap());
        Ok(())
    })
    .map_err(|fault| fault.to_string())?;
    Ok(found)
}

#[test]
fn lists_may_be_missing_and_in_any_order() {
    let whole = |document| entries(document, "issues", 1 << 20).unwrap();
    assert_eq!(whole("{}"), Vec::<Value>::new());
    assert_eq!(whole(r#"{"issues":null}"#), Vec::<Value>::new());
    assert_eq!(
        whole(r#"{"meta":{"a":[1,{"issues":[9]}]},"x":"y","n":-1.5,"issues":[1,[2]],"z":true}"#),
        [json!(1), json!([2])]
    );
    // A name that is no text.
    assert_eq!(whole(r#"{"\udce9":[0],"issues":[1]}"#), [json!(1)]);
}

#[test]
fn what_is_no_document_is_told() {
    let cases = [
        ("", "its document is not whole JSON: EOF while parsing"),
        (
            "{\"issues\":[{\"id\":1},",
            "its document is not whole JSON: EOF",
        ),
        (
            "{\"issues\":[{\"id\":1}}",
            "its document is not whole JSON: expected `,`",
        ),
        (
            "{\"issues\":[]} x",
            "its document is not whole JSON: trailing characters",
        ),
        (
            "[]",
            "its document is not laid out as an export of issues: invalid type",
        ),
        (
            "{\"issues\":{}}",
            "its document is not laid out as an export of issues: invalid type",
        ),
        (
            "{\"issues\":[],\"issues\":[]}",
            "its document is not laid out as an export of issues: `issues` is there twice",
        ),
    ];
    for (document, expected) in cases {
        let told = entries(document, "issues", 1 << 20).unwrap_err();
        assert!(told.starts_with(expected), "{document}: {told}");
    }
}

#[test]
fn an_entry_has_a_size_limit_whether_it_is_wanted_or_not() {
    let large = "x".repeat(300 << 10);
    let document = format!(r#"{{"issues":[1],"comments":["{large}"]}}"#);
    for list in ["issues", "comments"] {
        assert!(entries(&document, list, 400 << 10).is_ok());
        let told = entries(&document, list, 100 << 10).unwrap_err();
        assert_eq!(
            told,
            "an entry of its document is too large, and at most 102400 bytes are allowed"
        );
    }
    // Small ones may be as many as they like.
    let many = format!(r#"{{"comments":[{}0]}}"#, "1234567,".repeat(100_000));
    assert_eq!(entries(&many, "comments", 1000).unwrap().len(), 100_001);
    assert_eq!(entries(&many, "issues", 1000).unwrap().len(), 0);
}

#[test]
fn endless_nesting_ends_at_the_limit() {
    for open in ["[", "{\"a\":", "\""] {
        let document = std::io::repeat(open.as_bytes()[0]);
        let document = b"{\"issues\":[".as_slice().chain(document);
        let fault = each_entry(document, "other", 1 << 20, |_| Ok(())).unwrap_err();
        assert!(
            matches!(fault, Fault::Limit { .. } | Fault::Json(_)),
            "{fault}"
        );
    }
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{0,3}", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn every_entry_comes_once_and_in_order(
        lists in prop::collection::btree_map("issues|comments|logs|[a-z]{1,4}", prop::collection::vec(value(), 0..6), 0..5),
        pretty in any::<bool>(),
    ) {
        let document = serde_json::to_value(&lists).unwrap();
        let text = if pretty { serde_json::to_string_pretty(&document) } else { serde_json::to_string(&document) };
        let text = text.unwrap();
        for (list, expected) in &lists {
            prop_assert_eq!(&entries(&text, list, 1 << 20).unwrap(), expected);
        }
    }
}
