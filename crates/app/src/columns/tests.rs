//! Edits change what they are about, and not one byte more.

use proptest::prelude::*;

use super::{Edit, Shape, edit, shape};
use crate::Task;

const AVAILABLE: [&str; 4] = ["Id", "Title", "State", "Created On"];

fn available() -> Vec<String> {
    AVAILABLE.map(str::to_owned).to_vec()
}

fn edited(text: &str, change: &Edit) -> Result<String, (&'static str, String)> {
    edit(text, change, &available()).map_err(|problem| (problem.code.as_str(), problem.place))
}

fn choose(names: &[&str]) -> Edit {
    Edit::Choose(names.iter().map(|name| (*name).to_owned()).collect())
}

fn rename(column: &str, name: &str) -> Edit {
    Edit::Rename {
        column: column.to_owned(),
        name: name.to_owned(),
    }
}

fn compute(name: &str, expression: &str) -> Edit {
    Edit::Compute {
        name: name.to_owned(),
        expression: expression.to_owned(),
    }
}

fn filter(condition: &str) -> Edit {
    Edit::Filter(Some(condition.to_owned()))
}

#[test]
fn each_edit_changes_what_it_is_about() {
    let laid_out = "-- our issues\nREPLICATE Issues WITH SkipDeleted\n  SELECT Id,   -- the key\n         \
                    Title AS Name,\n         f(State, ',') /* odd */ AS [a b]\n  FROM Issues i -- all\n  \
                    ORDER BY Id;";
    let cases = [
        (
            "REPLICATE Issues;",
            choose(&["id", "State"]),
            "REPLICATE Issues SELECT Id, State FROM Issues;",
        ),
        (
            "REPLICATE x.[My Issues] WITH SkipDeleted -- so",
            choose(&["Created On"]),
            "REPLICATE x.[My Issues] WITH SkipDeleted SELECT [Created On] FROM [My Issues] -- so",
        ),
        (
            "REPLICATE Copy cloud.Issues WITH SkipDeleted",
            filter("State = 'open'"),
            "REPLICATE Copy SELECT * FROM cloud.Issues WHERE State = 'open' WITH SkipDeleted",
        ),
        (
            "REPLICATE Issues SELECT *, 1 AS One FROM Issues",
            rename("Title", "Name"),
            "REPLICATE Issues SELECT Id, Title AS Name, State, [Created On], 1 AS One FROM Issues",
        ),
        (
            laid_out,
            Edit::Remove("ID".to_owned()),
            "-- our issues\nREPLICATE Issues WITH SkipDeleted\n  SELECT Title AS Name,\n         \
             f(State, ',') /* odd */ AS [a b]\n  FROM Issues i -- all\n  ORDER BY Id;",
        ),
        (
            laid_out,
            Edit::Remove("a B".to_owned()),
            "-- our issues\nREPLICATE Issues WITH SkipDeleted\n  SELECT Id,   -- the key\n         \
             Title AS Name\n  FROM Issues i -- all\n  ORDER BY Id;",
        ),
        (
            laid_out,
            rename("name", "Title"),
            "-- our issues\nREPLICATE Issues WITH SkipDeleted\n  SELECT Id,   -- the key\n         \
             Title,\n         f(State, ',') /* odd */ AS [a b]\n  FROM Issues i -- all\n  ORDER BY Id;",
        ),
        (
            laid_out,
            compute("a b", "upper(State)"),
            "-- our issues\nREPLICATE Issues WITH SkipDeleted\n  SELECT Id,   -- the key\n         \
             Title AS Name,\n         upper(State) /* odd */ AS [a b]\n  FROM Issues i -- all\n  ORDER BY Id;",
        ),
        (
            laid_out,
            filter("Id > 5"),
            "-- our issues\nREPLICATE Issues WITH SkipDeleted\n  SELECT Id,   -- the key\n         \
             Title AS Name,\n         f(State, ',') /* odd */ AS [a b]\n  FROM Issues i WHERE Id > 5 -- all\n  \
             ORDER BY Id;",
        ),
        (
            "REPLICATE T SELECT a, -- of a\n b FROM t",
            Edit::Remove("b".to_owned()),
            "REPLICATE T SELECT a -- of a\n  FROM t",
        ),
        (
            "CACHE SELECT a FROM t WHERE a > 1 GROUP BY a",
            Edit::Filter(None),
            "CACHE SELECT a FROM t GROUP BY a",
        ),
        (
            "CACHE SELECT a FROM t WHERE a > 1 /* x */ LIMIT 1",
            filter("a < 2"),
            "CACHE SELECT a FROM t WHERE a < 2 /* x */ LIMIT 1",
        ),
        ("REPLICATE Issues", Edit::Filter(None), "REPLICATE Issues"),
        (
            "REPLICATE T SELECT a AS b, c FROM t",
            compute("d", "a || 'x, y'"),
            "REPLICATE T SELECT a AS b, c, a || 'x, y' AS d FROM t",
        ),
        (
            "REPLICATE T SELECT t.a, c FROM t",
            compute("A", "c + 1"),
            "REPLICATE T SELECT c + 1 AS A, c FROM t",
        ),
        (
            "REPLICATE T SELECT a AS b, c FROM t",
            choose(&["B", "State"]),
            "REPLICATE T SELECT a AS b, State FROM t",
        ),
    ];
    for (text, change, expected) in cases {
        assert_eq!(edited(text, &change).as_deref(), Ok(expected), "{change:?}");
        assert!(Task::new(expected).parse().is_ok(), "{expected}");
    }
}

#[test]
fn what_cannot_be_edited_is_refused() {
    let cases = [
        ("SELECT 1", choose(&["a"]), "BL0007", "statement"),
        ("CHECKCACHE Issues", choose(&["a"]), "BL0010", "statement"),
        (
            "REPLICATE T SELECT 1 UNION SELECT 2",
            choose(&["a"]),
            "BL0010",
            "statement",
        ),
        (
            "REPLICATE T (a int) SELECT a FROM t",
            rename("a", "b"),
            "BL0010",
            "statement",
        ),
        (
            "REPLICATE T SELECT t.* FROM t",
            rename("a", "b"),
            "BL0010",
            "statement",
        ),
        (
            "REPLICATE T SELECT a, 1 + 1 FROM t",
            choose(&["a"]),
            "BL0010",
            "statement",
        ),
        ("REPLICATE T", choose(&["Titel"]), "BL0011", "columns"),
        (
            "REPLICATE T SELECT a FROM t",
            Edit::Remove("a".into()),
            "BL0011",
            "columns",
        ),
        (
            "REPLICATE T SELECT a FROM t",
            Edit::Remove("b".into()),
            "BL0011",
            "columns",
        ),
        (
            "REPLICATE T SELECT a, b FROM t",
            rename("a", "B"),
            "BL0004",
            "name",
        ),
        (
            "REPLICATE T SELECT a, b FROM t",
            rename("a", ""),
            "BL0002",
            "name",
        ),
        ("REPLICATE T", choose(&["Id", "ID"]), "BL0004", "columns"),
        ("REPLICATE T", choose(&[]), "BL0011", "columns"),
        (
            "REPLICATE T SELECT a FROM t",
            compute("x", "1, 2"),
            "BL0012",
            "expression",
        ),
        (
            "REPLICATE T SELECT a FROM t",
            compute("x", "1 -- no"),
            "BL0012",
            "expression",
        ),
        (
            "REPLICATE T SELECT a FROM t",
            compute("x", "1 AS y, 2"),
            "BL1002",
            "expression",
        ),
        (
            "REPLICATE T SELECT a FROM t",
            compute("x", ""),
            "BL1002",
            "expression",
        ),
        (
            "REPLICATE T SELECT a FROM t",
            filter("a > 1 ORDER BY a"),
            "BL1002",
            "expression",
        ),
    ];
    for (text, change, code, place) in cases {
        let error = edited(text, &change).unwrap_err();
        assert_eq!(
            (error.0, error.1.as_str()),
            (code, place),
            "{text}: {change:?}"
        );
    }
}

#[test]
fn a_star_needs_the_columns_of_the_source() {
    let problem = edit("REPLICATE Issues", &rename("Id", "Key"), &[]).unwrap_err();
    assert_eq!(problem.code, "BL0011");
    // A choice of new columns is taken at its word.
    assert_eq!(
        shape("REPLICATE Issues").unwrap(),
        Shape {
            columns: None,
            filter: None
        }
    );
}

/// Blanks and comments between tokens.
fn gap() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => Just(" ".to_owned()),
        1 => Just("\n\t".to_owned()),
        1 => Just(" /* x, FROM */ ".to_owned()),
        1 => Just(" -- WHERE , it's\n".to_owned()),
    ]
}

/// A list of columns `c0`, `c1`, ... in all forms, and the text of a statement with it.
fn statement() -> impl Strategy<Value = (usize, String)> {
    let item = (
        prop_oneof![
            Just("plain"),
            Just("t.plain"),
            Just("f(a, 'b, c')"),
            Just("(a + 1)"),
            Just("CASE WHEN a THEN 'WHERE' ELSE b END"),
        ],
        any::<bool>(),
        gap(),
    );
    let parts = (
        prop::collection::vec(item, 2..6),
        prop::collection::vec(gap(), 8),
        prop_oneof![
            Just(""),
            Just("WHERE a IN (1, 2) AND b"),
            Just("WHERE NOT (a)")
        ],
        prop_oneof![Just(""), Just("GROUP BY a, b"), Just("ORDER BY a LIMIT 3")],
        prop_oneof![Just(""), Just(";"), Just(" -- end")],
    );
    parts.prop_map(|(items, gaps, condition, rest, end)| {
        let mut text = format!("REPLICATE{}T{}SELECT{}", gaps[0], gaps[1], gaps[2]);
        let count = items.len();
        for (index, (expression, has_as, gap)) in items.into_iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let word = if has_as { "AS " } else { "" };
            text.push_str(&format!("{comma}{gap}{expression} {word}c{index}"));
        }
        text.push_str(&format!("{}FROM{}t", gaps[3], gaps[4]));
        for part in [condition, rest] {
            if !part.is_empty() {
                text.push_str(&gaps[5]);
                text.push_str(part);
            }
        }
        text.push_str(end);
        (count, text)
    })
}

/// The text without one stretch, whose place is found by what is left: what `before` and `after` have in common.
fn common(before: &str, after: &str) -> (usize, usize) {
    let head = before
        .bytes()
        .zip(after.bytes())
        .take_while(|(a, b)| a == b)
        .count();
    let most = before.len().min(after.len()) - head;
    let tails = before.bytes().rev().zip(after.bytes().rev()).take(most);
    (head, tails.take_while(|(a, b)| a == b).count())
}

proptest! {
    #[test]
    fn an_edit_gives_what_was_wanted_and_leaves_the_rest((count, text) in statement(), pick in any::<prop::sample::Index>()) {
        let before = shape(&text).unwrap();
        let columns = before.columns.clone().unwrap();
        prop_assert_eq!(columns.len(), count);
        let picked = pick.index(count);
        let name = format!("c{picked}");
        let expression = columns[picked].expression.clone();

        let renamed = edit(&text, &rename(&name, "new name"), &[]).unwrap();
        let mut expected = before.clone();
        expected.columns.as_mut().unwrap()[picked].name = Some("new name".to_owned());
        prop_assert_eq!(shape(&renamed).unwrap(), expected);
        let (head, tail) = common(&text, &renamed);
        prop_assert!(text[head..text.len() - tail].len() <= name.len());

        let computed = edit(&text, &compute(&name, "x * 2"), &[]).unwrap();
        let mut expected = before.clone();
        let column = &mut expected.columns.as_mut().unwrap()[picked];
        column.expression = "x * 2".to_owned();
        column.is_plain = false;
        prop_assert_eq!(shape(&computed).unwrap(), expected);
        let (head, tail) = common(&text, &computed);
        prop_assert!(text[head..text.len() - tail].len() <= expression.len());

        let removed = edit(&text, &Edit::Remove(name.clone()), &[]).unwrap();
        let mut expected = before.clone();
        expected.columns.as_mut().unwrap().remove(picked);
        prop_assert_eq!(shape(&removed).unwrap(), expected);

        let filtered = edit(&text, &filter("z = 'q'"), &[]).unwrap();
        let expected = Shape { filter: Some("z = 'q'".to_owned()), ..before.clone() };
        prop_assert_eq!(shape(&filtered).unwrap(), expected);
        let back = edit(&filtered, &Edit::Filter(before.filter.clone()), &[]).unwrap();
        // A filter that is taken back leaves the text of before.
        prop_assert_eq!(&back, &text);
    }
}
