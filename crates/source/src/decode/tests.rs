#![allow(clippy::unwrap_used)]

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Float64Type, Int64Type, TimestampMicrosecondType};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::number::digits;
use super::*;
use crate::spec::{ColumnKind, load};

const THINGS: &str = r#"
[[table]]
name = "Things"
doc = "Things."
path = "/{workspace}/{repository}/things"
slice = "repository"
key = ["RepositoryUUID", "Id"]
walk = { column = "Id", unique = true }
cursor = { column = "UpdatedOn", tie = "Id", look_back = "1m" }
page_size = 100
scopes = { token = "t", oauth = "o" }
columns = [
  { name = "Id", type = "int", at = "id", required = true, immutable = true, sort = true, exact = "range", doc = "d" },
  { name = "Flag", type = "bool", at = "flag", doc = "d" },
  { name = "Ratio", type = "float", at = "ratio", doc = "d" },
  { name = "Title", type = "text", at = "title", doc = "d" },
  { name = "OwnerName", type = "text", at = "owner.name", doc = "d" },
  { name = "OwnerAge", type = "int", at = "owner.age", doc = "d" },
  { name = "Owner", type = "json", at = "owner", doc = "d" },
  { name = "Tags", type = "json", at = "tags", doc = "d" },
  { name = "UpdatedOn", type = "timestamp", at = "updated_on", required = true, sort = true, exact = "range", doc = "d" },
  { name = "ClosedOn", type = "timestamp", at = "closed_on", doc = "d" },
]
"#;

fn things() -> TableSpec {
    load(&[("things.toml", THINGS)])
        .unwrap_or_else(|error| panic!("{error}"))
        .remove(0)
}

fn everything(table: &TableSpec) -> Decoder {
    Decoder::new(table, &(0..table.columns.len()).collect::<Vec<_>>())
}

fn parents() -> Vec<Option<String>> {
    vec![Some("acme".into()), None, Some("{1}".into())]
}

const AT: &str = "2026-10-07T18:39:55.551762+00:00";

#[test]
fn a_page() {
    let table = things();
    let body = json!({
        "pagelen": 2, "page": 1, "size": 7, "next": "https://example.org/2",
        "values": [
            {"id": 1, "flag": true, "ratio": 2, "title": "a\n\u{1F600}\"", "updated_on": AT, "unknown": {"a": [1]},
             "owner": {"name": "User 17", "age": 40, "more": 1}, "tags": ["x", {"y": null}]},
            {"id": 2, "owner": null, "updated_on": AT, "closed_on": null},
        ],
    });
    let decoded = everything(&table)
        .decode(body.to_string().as_bytes(), &parents())
        .unwrap();
    assert_eq!(decoded.next.as_deref(), Some("https://example.org/2"));
    assert_eq!(
        (decoded.size, decoded.page, decoded.pagelen),
        (Some(7), Some(1), Some(2))
    );
    assert_eq!(decoded.lost, BTreeMap::new());
    let rows = &decoded.rows;
    let text = |name: &str, row: usize| {
        let column = rows.column_by_name(name).unwrap().as_string::<i32>();
        column.is_valid(row).then(|| column.value(row).to_owned())
    };
    assert_eq!(text("Workspace", 1).as_deref(), Some("acme"));
    assert_eq!(text("Repository", 0), None);
    assert_eq!(text("RepositoryUUID", 1).as_deref(), Some("{1}"));
    assert_eq!(text("Title", 0).as_deref(), Some("a\n\u{1F600}\""));
    assert_eq!(text("OwnerName", 0).as_deref(), Some("User 17"));
    assert_eq!(text("OwnerName", 1), None);
    assert_eq!(
        text("Owner", 0).as_deref(),
        Some(r#"{"name":"User 17","age":40,"more":1}"#)
    );
    assert_eq!(text("Owner", 1), None);
    assert_eq!(text("Tags", 0).as_deref(), Some(r#"["x",{"y":null}]"#));
    let ratio = rows
        .column_by_name("Ratio")
        .unwrap()
        .as_primitive::<Float64Type>();
    assert_eq!((ratio.value(0), ratio.is_null(1)), (2.0, true));
    let updated = rows.column_by_name("UpdatedOn").unwrap();
    assert_eq!(
        updated.as_primitive::<TimestampMicrosecondType>().value(1),
        1_791_398_395_551_762
    );
}

#[test]
fn an_answer_is_bounded_in_rows_and_in_what_is_said_of_it() {
    let table = things();
    let decoder = Decoder::new(&table, &[]).at_most(3);
    let page = |rows: usize| format!(r#"{{"values":[{}{{}}]}}"#, "{},".repeat(rows - 1));
    let decoded = decoder.decode(page(3).as_bytes(), &[]).unwrap();
    assert_eq!(decoded.rows.num_rows(), 3);
    let error = decoder.decode(page(4).as_bytes(), &[]).unwrap_err();
    assert_eq!(error.code(), "BL2011");
    assert!(error.to_string().contains("more than 3 rows"), "{error}");

    let long = format!(r#"{{"values":["{}"]}}"#, "x".repeat(1_000_000));
    let error = decoder.decode(long.as_bytes(), &[]).unwrap_err();
    assert!(error.to_string().len() < 1000, "{error}");
}

#[test]
fn counts_that_are_none_are_passed_over() {
    let table = things();
    let deep = "[".repeat(200) + &"]".repeat(200);
    let many = format!("[{}0]", "0,".repeat(1000));
    for (count, size) in [
        ("7", Some(7)),
        ("7.0", Some(7)),
        ("70e-1", Some(7)),
        ("-7", None),
        ("7.5", None),
        ("1e400", None),
        ("\"7\"", None),
        ("null", None),
        (&*deep, None),
        (&*many, None),
        (r#"{"a":[{}]}"#, None),
    ] {
        let body = format!(r#"{{"size":{count},"page":{count},"values":[{{}}]}}"#);
        let decoded = Decoder::new(&table, &[]).decode(body.as_bytes(), &[]);
        let decoded = decoded.unwrap();
        assert_eq!((decoded.size, decoded.page), (size, size), "{count}");
    }
}

#[test]
fn no_columns_still_count_rows() {
    let table = things();
    let decoded = Decoder::new(&table, &[])
        .decode(br#"{"values":[{},{"id":1},{}],"next":""}"#, &[])
        .unwrap();
    assert_eq!(
        (decoded.rows.num_rows(), decoded.rows.num_columns()),
        (3, 0)
    );
    assert_eq!(decoded.next, None);
}

#[test]
fn a_single_row() {
    let table = things();
    let id = table.column("id").unwrap();
    let decoded = Decoder::new(&table, &[id])
        .single()
        .decode(br#"{"id": 5, "next": 1}"#, &[]);
    assert_eq!(
        decoded
            .unwrap()
            .rows
            .column(0)
            .as_primitive::<Int64Type>()
            .values(),
        &[5]
    );
}

#[test]
fn conflicts_are_null_and_counted() {
    let table = things();
    let body = json!({"values": [
        {"id": 1, "updated_on": AT, "title": true, "flag": "yes", "owner": "User 17", "closed_on": "soon"},
        {"id": 2, "updated_on": AT, "title": [6], "owner": {"age": 1.5}},
    ]});
    let decoded = everything(&table)
        .decode(body.to_string().as_bytes(), &parents())
        .unwrap();
    let lost = decoded.lost.iter();
    let lost: Vec<_> = lost
        .map(|(how, values)| (how.to_string(), *values))
        .collect();
    assert_eq!(
        lost,
        [
            (
                "`closed_on`: expected a timestamp, found another text".to_owned(),
                1
            ),
            ("`flag`: expected true or false, found a text".to_owned(), 1),
            ("`owner`: expected an object, found a text".to_owned(), 1),
            (
                "`owner.age`: expected a whole number of 64 bits, found a number".to_owned(),
                1
            ),
            ("`title`: expected a text, found a list".to_owned(), 1),
            (
                "`title`: expected a text, found true or false".to_owned(),
                1
            ),
        ]
    );
    assert_eq!(
        decoded.rows.column_by_name("Title").unwrap().null_count(),
        2
    );
}

#[test]
fn unusable_answers() {
    let cases: [(&str, &str, &str); 14] = [
        ("", "BL2010", "its body is empty"),
        ("<html>\u{7}</html>", "BL2010", r"<html>\u{7}</html>"),
        (r#"{"values":[{"id":1,"#, "BL2010", "ends too early"),
        (r#"{"values":[]} x"#, "BL2010", "is not JSON"),
        ("[]", "BL2011", "an object with `values`"),
        ("{}", "BL2011", "it has no `values`"),
        (r#"{"values":null}"#, "BL2011", "a list of rows in `values`"),
        (r#"{"values":[7]}"#, "BL2011", "an object as a row"),
        (
            r#"{"values":[{"updated_on":"2026-01-01T00:00:00Z"}]}"#,
            "BL2011",
            "row 1 has no `id`, which is its Id",
        ),
        (r#"{"values":[{"id":null}]}"#, "BL2011", "row 1"),
        (
            r#"{"values":[{"id":1,"updated_on":"x"}]}"#,
            "BL2011",
            "in row 1 (Id 1), `updated_on` is another text",
        ),
        (
            r#"{"values":[{"id":7,"updated_on":null}]}"#,
            "BL2011",
            "row 1 (Id 7) has no `updated_on`, which is its UpdatedOn",
        ),
        (
            r#"{"values":[{"id":"1"}]}"#,
            "BL2011",
            "`id` is a text where a whole number",
        ),
        (r#"{"values":[],"next":7}"#, "BL2011", "expected a string"),
    ];
    let table = things();
    let wanted = [
        table.column("Id").unwrap(),
        table.column("UpdatedOn").unwrap(),
    ];
    let decoder = Decoder::new(&table, &wanted);
    for (body, code, part) in cases {
        let error = decoder.decode(body.as_bytes(), &[]).unwrap_err();
        assert_eq!(error.code(), code, "{body}: {error}");
        assert!(error.to_string().contains(part), "{body}: {error}");
    }
    let error = decoder.decode(b"{\"values\":[\xff]}", &[]).unwrap_err();
    assert!(error.to_string().contains("UTF-8"), "{error}");
}

#[test]
fn snippets_are_short_and_harmless() {
    let long = format!("{{\"values\":[\u{1b}[31m{}", "\u{1}é".repeat(500));
    for at in [0, 11, 300, long.len()] {
        let shown = snippet(long.as_bytes(), at);
        assert!(
            shown.chars().count() <= 200 && !shown.chars().any(char::is_control),
            "{shown}"
        );
    }
}

const PLACES: &str = r#"
[[table]]
name = "Files"
doc = "Files."
path = "/{workspace}/{repository}/files"
slice = "repository"
key = ["RepositoryUUID", "Path"]
walk = { pages = true }
page_size = 100
scopes = { token = "t", oauth = "o" }
columns = [
  { name = "Path", type = "text", at = ["new.path", "old.path"], required = true, doc = "d" },
  { name = "OldPath", type = "text", at = "old.path", doc = "d" },
  { name = "Kind", type = "text", member = ["new", "old"], required = true, doc = "d" },
  { name = "Size", type = "int", at = ["new.size", "old.size", "size"], doc = "d" },
]
"#;

/// Path, old path, kind and size.
type File = (Option<String>, Option<String>, Option<String>, Option<i64>);

/// The first row of `Files`.
fn places(body: &str) -> Result<File> {
    let table = load(&[("files.toml", PLACES)]).unwrap_or_else(|error| panic!("{error}"));
    let columns: Vec<_> = (3..7).collect();
    let decoded = Decoder::new(&table[0], &columns).decode(body.as_bytes(), &[])?;
    let text = |column: usize| {
        let array = decoded.rows.column(column).as_string::<i32>();
        array.is_valid(0).then(|| array.value(0).to_owned())
    };
    let sizes = decoded.rows.column(3).as_primitive::<Int64Type>();
    let size = sizes.is_valid(0).then(|| sizes.value(0));
    Ok((text(0), text(1), text(2), size))
}

#[test]
fn the_first_place_of_a_column_counts_wherever_it_is_in_the_row() {
    let text = |text: &str| Some(text.to_owned());
    let cases = [
        (
            r#"{"old":{"path":"a","size":1},"new":{"path":"b","size":2},"size":3}"#,
            (text("b"), text("a"), text("new"), Some(2)),
        ),
        (
            r#"{"size":3,"new":{"path":"b"},"old":{"path":"a","size":1}}"#,
            (text("b"), text("a"), text("new"), Some(1)),
        ),
        (
            r#"{"size":3,"old":{"path":"a"},"new":null}"#,
            (text("a"), text("a"), text("old"), Some(3)),
        ),
        (
            r#"{"old":{"path":"a"},"new":{"path":null,"size":null}}"#,
            (text("a"), text("a"), text("new"), None),
        ),
        // Of equal members the first counts.
        (
            r#"{"old":null,"new":{"path":"b","path":"c"}}"#,
            (text("b"), None, text("new"), None),
        ),
    ];
    for (row, expected) in cases {
        let found = places(&format!(r#"{{"values":[{row}]}}"#)).unwrap();
        assert_eq!(found, expected, "{row}");
    }
    for (row, part) in [
        (
            r#"{"old":{"path":"a"},"new":{"path":[7]}}"#,
            "`new.path` is a list",
        ),
        (
            r#"{"old":{},"new":{}}"#,
            "row 1 has no `new.path` or `old.path`, which is its Path",
        ),
    ] {
        let error = places(&format!(r#"{{"values":[{row}]}}"#)).unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
    }
}

#[test]
fn half_a_surrogate_pair_costs_one_character() {
    let table = things();
    let body = format!(
        r#"{{"values":[{{"id":1,"updated_on":"{AT}","title":"caf\udce9","owner":{{"na\ud800me":"\udc00"}},"tags":["\ud83d\ude00"]}}]}}"#
    );
    let decoded = everything(&table)
        .decode(body.as_bytes(), &parents())
        .unwrap();
    let text = |name: &str| {
        let column = decoded.rows.column_by_name(name).unwrap();
        column.as_string::<i32>().value(0).to_owned()
    };
    assert_eq!(text("Title"), "caf\u{fffd}");
    assert_eq!(text("Owner"), r#"{"na\ufffdme":"\ufffd"}"#);
    assert_eq!(text("Tags"), r#"["\ud83d\ude00"]"#);
    assert_eq!(decoded.lost, BTreeMap::from([(Lost::Halves, 3)]));
}

/// Row 1 of `Things`, of which these members are added to those that must be there; the columns as text.
fn thing(id: &str, members: &str) -> Result<(BTreeMap<String, String>, BTreeMap<Lost, u64>)> {
    let body = format!(r#"{{"values":[{{"id":{id},"updated_on":"{AT}",{members}}}]}}"#);
    let decoded = everything(&things()).decode(body.as_bytes(), &parents())?;
    let rows = &decoded.rows;
    let mut values = BTreeMap::new();
    for (index, field) in rows.schema().fields().iter().enumerate() {
        let column = rows.column(index);
        if column.is_valid(0) {
            let text = arrow::util::display::array_value_to_string(column, 0).unwrap();
            values.insert(field.name().clone(), text);
        }
    }
    Ok((values, decoded.lost))
}

#[test]
fn a_whole_number_counts_however_it_is_spelled() {
    for (spelled, id) in [("3.0", "3"), ("1e2", "100"), ("-0", "0"), ("2.50E1", "25")] {
        let members = format!(r#""owner":{{"age":{spelled}}},"title":{spelled},"ratio":{spelled}"#);
        let (values, lost) = thing(spelled, &members).unwrap();
        assert_eq!(lost, BTreeMap::new(), "{spelled}");
        for column in ["Id", "OwnerAge", "Title"] {
            assert_eq!(values[column], id, "{column} of {spelled}");
        }
        assert_eq!(values["Ratio"], format!("{id}.0"));
    }
    let error = thing("3.5", r#""title":1"#).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("`id` is a number where a whole number"),
        "{error}"
    );
    let (values, lost) = thing("1", r#""owner":{"age":3.5},"title":1.50"#).unwrap();
    assert_eq!((lost.len(), &*values["Title"]), (1, "1.50"));
    assert!(!values.contains_key("OwnerAge"));
}

#[test]
fn a_number_out_of_range_is_lost_alone() {
    let members = r#""ratio":-1e400,"title":1e400,"flag":1e400,"closed_on":1e400,"tags":[1e400],"other":1e400,
        "owner":{"age":1e400,"name":123456789012345678901234567890}"#;
    let (values, lost) = thing("1", members).unwrap();
    let lost: Vec<_> = lost
        .iter()
        .map(|(how, count)| format!("{how}: {count}"))
        .collect();
    assert_eq!(
        lost,
        [
            "`closed_on`: expected a timestamp, found a number: 1",
            "`flag`: expected true or false, found a number: 1",
            "`owner.age`: expected a whole number of 64 bits, found a number: 1",
            "`ratio`: expected a number, found a number out of range: 1",
        ]
    );
    assert_eq!(values["Title"], "1e400");
    assert_eq!(values["OwnerName"], "123456789012345678901234567890");
    assert_eq!(values["Tags"], "[1e400]");
    let (_, lost) = thing("1", r#""owner":1e400"#).unwrap();
    assert_eq!(lost.len(), 1);
    assert!(thing("1e400", r#""title":"x""#).is_err());
}

#[test]
fn bytes_that_are_no_characters_cost_one_each() {
    let body = [
        b"\xef\xbb\xbf{\"values\":[{\"id\":1,\"updated_on\":\"".as_slice(),
        AT.as_bytes(),
        b"\",\"title\":\"caf\xe9 \xed\xb3\xa9\",\"n\xe9\":2,\"owner\":{\"name\":\"\xed\xa0\xbd\xed\xb8\x80\"}}]}",
    ]
    .concat();
    let table = things();
    let decoded = everything(&table).decode(&body, &parents()).unwrap();
    let text = |name: &str| {
        let column = decoded.rows.column_by_name(name).unwrap();
        column.as_string::<i32>().value(0).to_owned()
    };
    assert_eq!(text("Title"), "caf\u{fffd} \u{fffd}");
    assert_eq!(text("OwnerName"), "\u{1f600}");
    let expected = [(Lost::Halves, 1), (Lost::Foreign, 2)];
    assert_eq!(decoded.lost, BTreeMap::from(expected));
}

/// What a cell should hold, the slow way.
fn naive<'v>(row: &'v Value, path: &[String], kind: ColumnKind) -> Option<Value> {
    let value = path
        .iter()
        .try_fold(row, |value: &'v Value, member| value.get(member))?;
    match (kind, value) {
        (_, Value::Null) => None,
        (ColumnKind::Json, value) => Some(value.clone()),
        (ColumnKind::Bool, Value::Bool(_)) | (ColumnKind::Text, Value::String(_)) => {
            Some(value.clone())
        }
        (ColumnKind::Text, Value::Number(number)) => Some(digits(&number.to_string()).into()),
        (ColumnKind::Int, Value::Number(number)) => whole(&number.to_string()).map(Value::from),
        (ColumnKind::Float, Value::Number(number)) => number.as_f64().map(Value::from),
        (ColumnKind::Timestamp, Value::String(text)) => chrono::DateTime::parse_from_rfc3339(text)
            .ok()
            .map(|instant| instant.timestamp_micros().into()),
        _ => None,
    }
}

/// What a cell does hold.
fn held(rows: &RecordBatch, column: usize, row: usize, kind: ColumnKind) -> Option<Value> {
    let array = rows.column(column);
    if array.is_null(row) {
        return None;
    }
    Some(match kind {
        ColumnKind::Bool => array.as_boolean().value(row).into(),
        ColumnKind::Int => array.as_primitive::<Int64Type>().value(row).into(),
        ColumnKind::Float => array.as_primitive::<Float64Type>().value(row).into(),
        ColumnKind::Text => array.as_string::<i32>().value(row).into(),
        ColumnKind::Json => serde_json::from_str(array.as_string::<i32>().value(row)).unwrap(),
        ColumnKind::Timestamp => array
            .as_primitive::<TimestampMicrosecondType>()
            .value(row)
            .into(),
        ColumnKind::Plain(_) => unreachable!("no table file names it"),
    })
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1000_i32..1000).prop_map(|quarters| Value::from(f64::from(quarters) / 4.0)),
        any::<String>().prop_map(Value::from),
        Just(Value::from(AT)),
        (0_u32..2_000_000_000, 0_u32..60).prop_map(|(seconds, minutes)| {
            let zone = chrono::FixedOffset::east_opt(i32::try_from(minutes).unwrap() * 60).unwrap();
            let instant = chrono::DateTime::from_timestamp(seconds.into(), seconds % 1_000_000_000);
            Value::from(instant.unwrap().with_timezone(&zone).to_rfc3339())
        }),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        let member = prop_oneof![
            Just("name".to_owned()),
            Just("age".to_owned()),
            "[a-z]{1,3}"
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map(member, inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn any_row() -> impl Strategy<Value = Value> {
    let members = [
        "flag",
        "ratio",
        "title",
        "owner",
        "tags",
        "closed_on",
        "other",
    ];
    let picked = prop::sample::subsequence(members.to_vec(), 0..=members.len()).prop_shuffle();
    (picked, prop::collection::vec(any_json(), 7), any::<i64>()).prop_map(|(names, values, id)| {
        let mut row = serde_json::Map::new();
        row.insert("id".into(), id.into());
        row.extend(names.into_iter().map(str::to_owned).zip(values));
        row.insert("updated_on".into(), AT.into());
        Value::Object(row)
    })
}

proptest! {
    #[test]
    fn agrees_with_the_naive_decoder(
        values in prop::collection::vec(any_row(), 0..6),
        picked in prop::sample::subsequence((3..13).collect::<Vec<usize>>(), 0..=10).prop_shuffle(),
        pretty in any::<bool>(),
    ) {
        let table = things();
        let body = json!({"values": values});
        let body = if pretty { format!("{body:#}") } else { body.to_string() };
        let decoded = Decoder::new(&table, &picked).decode(body.as_bytes(), &parents()).unwrap();
        prop_assert_eq!(decoded.rows.num_rows(), values.len());
        for (position, index) in picked.iter().enumerate() {
            let column = &table.columns[*index];
            let Origin::Row(path) = &column.origin else { unreachable!() };
            for (row, value) in values.iter().enumerate() {
                let expected = naive(value, path, column.kind);
                let actual = held(&decoded.rows, position, row, column.kind);
                prop_assert_eq!(actual, expected, "{} of {}", column.name, value);
            }
        }
    }

    #[test]
    fn never_panics(body in prop::collection::vec(any::<u8>(), 0..200), cut in 0_usize..300) {
        let table = things();
        let decoder = everything(&table);
        let _ = decoder.decode(&body, &parents());
        let whole = json!({"values": [{"id": 1, "updated_on": AT, "owner": {"name": "é"}}]}).to_string();
        let cut = cut.min(whole.len() - 1);
        prop_assert!(decoder.decode(&whole.as_bytes()[..cut], &parents()).is_err());
    }
}
