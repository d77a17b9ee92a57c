#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

/// Reads a string of the query language, as the service does.
fn read_string(text: &str) -> Option<(String, &str)> {
    let mut read = String::new();
    let mut rest = text.strip_prefix('"')?.chars();
    loop {
        match rest.next()? {
            '"' => return Some((read, rest.as_str())),
            '\\' => read.push(rest.next()?),
            character => read.push(character),
        }
    }
}

fn decode(text: &str) -> String {
    percent_encoding::percent_decode_str(text)
        .decode_utf8()
        .unwrap()
        .into_owned()
}

proptest! {
    #[test]
    fn strings_survive_the_way(text in "[^\\p{Cc}]{0,40}|[\\\\\" +%&=#~()]{0,12}") {
        let condition = format!("title ~ {} AND id > 1", quoted(&text));
        let query = query_string([("q", condition.as_str()), ("sort", "id")]);
        let sent = query.strip_prefix("?q=").unwrap().strip_suffix("&sort=id").unwrap();
        let is_encoded = !sent.contains(['+', '&', '#', ' ', '"', '=']);
        prop_assert!(is_encoded, "{}", sent);
        let received = decode(sent);
        let value = received.strip_prefix("title ~ ").unwrap();
        let (read, rest) = read_string(value).unwrap();
        prop_assert_eq!(read, text);
        prop_assert_eq!(rest, " AND id > 1");
    }

    #[test]
    fn segments_stay_one_segment(name in "\\PC{1,20}") {
        let encoded = segment(&name);
        let is_safe = !encoded.contains(['/', '?', '#', '{', '}']);
        prop_assert!(is_safe, "{}", encoded);
        prop_assert_eq!(decode(&encoded), name);
    }
}

#[test]
fn instants_are_unquoted_and_their_plus_encoded() {
    let value = "2026-10-07T20:39:55.5+02:00"
        .parse::<DateTime<Utc>>()
        .unwrap();
    assert_eq!(instant(value), "2026-10-07T18:39:55.500000+00:00");
    let query = query_string([("q", instant(value).as_str())]);
    assert_eq!(query, "?q=2026-10-07T18%3A39%3A55.500000%2B00%3A00");
}

#[test]
fn doubtful_values_are_kept() {
    let column = |name: &str| {
        let table = crate::tables::table("Issues");
        table.columns[table.column(name).unwrap()].clone()
    };
    let long = vec![Literal::Int(1); LIST_LIMIT + 1];
    let cases = [
        (
            "Title",
            Operator::Eq,
            vec![Literal::Text("a\nb".into())],
            Pushdown::Kept,
        ),
        (
            "Title",
            Operator::Contains,
            vec![Literal::Text("say \"hi\"".into())],
            Pushdown::Kept,
        ),
        (
            "Title",
            Operator::Eq,
            vec![Literal::Text("a\\b".into())],
            Pushdown::Kept,
        ),
        (
            "Title",
            Operator::Eq,
            vec![Literal::Text("x".repeat(501))],
            Pushdown::Kept,
        ),
        (
            "Title",
            Operator::Contains,
            vec![Literal::Text(String::new())],
            Pushdown::Kept,
        ),
        ("Title", Operator::Eq, vec![Literal::Int(1)], Pushdown::Kept),
        (
            "Title",
            Operator::NotEq,
            vec![Literal::Text("a".into())],
            Pushdown::Kept,
        ),
        (
            "Title",
            Operator::Eq,
            vec![Literal::Text("a".into())],
            Pushdown::Narrowing,
        ),
        ("Id", Operator::In, long, Pushdown::Kept),
        ("Id", Operator::In, vec![], Pushdown::Kept),
        (
            "Id",
            Operator::Eq,
            vec![Literal::Float(1.5)],
            Pushdown::Kept,
        ),
        (
            "Id",
            Operator::NotIn,
            vec![Literal::Int(1)],
            Pushdown::Exact,
        ),
        (
            "Kind",
            Operator::Eq,
            vec![Literal::Text("bug".into())],
            Pushdown::Exact,
        ),
        // The service refuses a value that it does not know.
        (
            "Kind",
            Operator::Eq,
            vec![Literal::Text("Bug".into())],
            Pushdown::Kept,
        ),
        (
            "Priority",
            Operator::In,
            vec![Literal::Text("major".into()), Literal::Text("high".into())],
            Pushdown::Kept,
        ),
        // The column may be null, which `!=` may or may not return.
        (
            "Kind",
            Operator::NotEq,
            vec![Literal::Text("bug".into())],
            Pushdown::Narrowing,
        ),
        ("AssigneeUUID", Operator::IsNull, vec![], Pushdown::Exact),
    ];
    for (name, operator, values, expected) in cases {
        let predicate = Predicate {
            column: 0,
            operator,
            values,
        };
        assert_eq!(
            pushdown(&column(name), &predicate),
            expected,
            "{name} {operator}"
        );
    }
}
