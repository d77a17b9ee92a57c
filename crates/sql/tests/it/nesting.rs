//! Deep and ambiguous statements are answered: at once, and on the 2 MiB of stack of an embedding program's threads.

use bucketline_sql::parse_script;

/// What stands around an expression. Each is read, or was read, more than once by `sqlparser`.
const EXPRESSIONS: &[(&str, &str)] = &[
    ("(", ")"),
    ("NOT (", ")"),
    ("- (", ")"),
    ("CAST(", " AS int)"),
    ("TRY_CAST(", " AS int)"),
    ("CONVERT(", ", int)"),
    ("CONVERT(", ", a, b)"),
    ("CEIL(", ")"),
    ("CEIL(", " TO DAY)"),
    ("FLOOR(", ", 2)"),
    ("FLOOR(", ", a)"),
    ("EXTRACT(YEAR FROM ", ")"),
    ("POSITION(", " IN a)"),
    ("POSITION(a IN ", ")"),
    ("POSITION(", ", a)"),
    ("SUBSTRING(", ", 1, 2)"),
    ("SUBSTRING(", " FROM 1 FOR 2)"),
    ("SUBSTRING(", ", 1, 2, 3)"),
    ("OVERLAY(", " PLACING a FROM 1)"),
    ("OVERLAY(", ", a, 1)"),
    ("TRIM(", ")"),
    ("TRIM(BOTH a FROM ", ")"),
    ("INTERVAL (", ") DAY"),
    ("CASE WHEN ", " THEN 1 END"),
    ("CASE ", " WHEN 1 THEN 1 END"),
    ("CASE WHEN a THEN 1 ELSE ", " END"),
    ("EXISTS (SELECT ", ")"),
    ("(SELECT ", ")"),
    ("a IN (", ")"),
    ("a IN (SELECT ", ")"),
    ("a BETWEEN 1 AND ", ""),
    ("f(", ")"),
    ("f(x => ", ")"),
    ("f(a) OVER (ORDER BY ", ")"),
];

/// The same around a table.
const TABLES: &[(&str, &str)] = &[
    ("(", ")"),
    ("(SELECT * FROM ", ")"),
    ("(a JOIN ", " ON 1)"),
    ("LATERAL (SELECT * FROM ", ")"),
];

/// What is read again and again, or recurses, in ways of its own.
const OTHERS: &[&str] = &[
    "INTERVAL ",
    "ARRAY<",
    "TABLE(a ",
    "EXISTS ((SELECT ",
    "a IN ((SELECT ",
    "a IN (VALUES (",
    "(SELECT * FROM ((SELECT ",
    "(SELECT 1 FROM (((SELECT * FROM ",
    "JSON_TABLE(",
    "{fn f(",
    "a.",
    "x -> ",
    "~",
    "f(DISTINCT ",
];

/// Answers on a small stack: the codes of the errors, one after another.
fn codes(text: String) -> Vec<&'static str> {
    let read = move || {
        let script = parse_script(&text);
        let errors = script.iter().filter_map(|entry| entry.as_ref().err());
        errors.map(|error| error.code().as_str()).collect()
    };
    let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(read);
    thread.unwrap().join().unwrap()
}

fn nested(head: &str, (before, after): (&str, &str), depth: usize, core: &str) -> String {
    format!(
        "{head}{}{core}{}",
        before.repeat(depth),
        after.repeat(depth)
    )
}

#[test]
fn forty_levels_of_anything_are_read() {
    let no_errors: &[&str] = &[];
    for piece in EXPRESSIONS {
        let text = nested("SELECT ", *piece, 40, "a");
        assert_eq!(codes(text), no_errors, "{piece:?}");
    }
    for piece in TABLES {
        let text = nested("SELECT * FROM ", *piece, 40, "t");
        assert_eq!(codes(text), no_errors, "{piece:?}");
    }
}

#[test]
fn a_mistake_within_forty_levels_is_told() {
    for piece in EXPRESSIONS.iter().chain(TABLES) {
        for core in ["a ? ?", ")"] {
            for head in ["SELECT ", "SELECT * FROM "] {
                let found = codes(nested(head, *piece, 40, core));
                assert!(!found.is_empty(), "{piece:?} {core}");
            }
        }
    }
}

#[test]
fn what_is_nested_without_end_is_refused() {
    let unclosed = EXPRESSIONS.iter().chain(TABLES).map(|(before, _)| *before);
    for piece in unclosed.chain(OTHERS.iter().copied()) {
        for head in ["SELECT ", "SELECT * FROM ", "SELECT CAST(a AS "] {
            for length in [12, 40, 127, 2_000] {
                let found = codes(format!("{head}{}", piece.repeat(length)));
                assert!(!found.is_empty(), "{head}{piece} {length}");
            }
        }
    }
    for piece in ["INTERVAL ", "NOT (", "CAST(", "ARRAY<", "(", "((SELECT "] {
        assert_eq!(codes(format!("SELECT {}", piece.repeat(100_000))).len(), 1);
    }
}

#[test]
fn too_deep_is_said_where_it_is_too_deep() {
    for piece in ["CAST(", "NOT (", "(SELECT ", "- (", "INTERVAL ("] {
        let found = codes(format!("SELECT {}", piece.repeat(1_000)));
        assert_eq!(found, ["BL1012"], "{piece}");
    }
}

/// Each comma begins another expression, and only one expression is a deep tree.
#[test]
fn a_long_list_is_no_long_chain() {
    let rows = vec!["(-1, 2 + 3)"; 8_000].join(", ");
    let no_errors: &[&str] = &[];
    assert_eq!(
        codes(format!("INSERT INTO t (a, b) VALUES {rows}")),
        no_errors
    );
    let chain = " AT TIME ZONE 'UTC'".repeat(30_000);
    assert_eq!(codes(format!("SELECT a{chain}")), ["BL1012"]);
}
