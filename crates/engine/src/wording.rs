//! What the planner and the executor say, in the dialect's words: no names of their types, operators and functions.

mod known;

use bucketline_core::Code;
use datafusion::arrow::datatypes::DataType;

use self::known::KNOWN;
use crate::outputs::unmarked;

/// What is said instead of a text of theirs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wording {
    pub(crate) code: Code,
    pub(crate) message: String,
    pub(crate) hint: Option<&'static str>,
}

/// What is known to be said instead of a text of theirs.
pub(crate) fn known_wording(text: &str) -> Option<Wording> {
    KNOWN.iter().find_map(|known| {
        let parts = parts(text, known.marks)?;
        let mut message = known.message.to_owned();
        for (number, part) in parts.iter().enumerate() {
            message = message.replace(&format!("{{{number}}}"), &in_sql(part));
        }
        Some(Wording {
            code: known.code,
            message,
            hint: known.hint,
        })
    })
}

/// A text of theirs as it can be shown, or nothing if it shows what they are made of.
pub(crate) fn shown(text: &str) -> Option<String> {
    const INSIDES: &[&str] = &[
        "{",
        "::",
        "Some(",
        "None",
        "Expr",
        "LogicalPlan",
        "ExecutionPlan",
        "ast node",
        "sqltorel",
        "DataFusion",
        "Arrow",
        "schema",
        "Schema",
        "PhysicalExpr",
        "UDF",
        "udf",
        "Exec",
        "downcast",
    ];
    const PREFIXES: &[&str] = &[
        "Arrow error: ",
        "Cast error: ",
        "Compute error: ",
        "Invalid argument error: ",
        "Parser error: ",
        "Error during planning: ",
        "Execution error: ",
    ];
    let mut text = text.lines().next().unwrap_or_default().trim();
    while let Some(rest) = PREFIXES.iter().find_map(|it| text.strip_prefix(it)) {
        text = rest;
    }
    let text = in_sql(text);
    (!text.is_empty() && !INSIDES.iter().any(|mark| text.contains(mark))).then_some(text)
}

/// The kind of node of the syntax tree that the planner says it does not know.
pub(crate) fn unsupported_node(text: &str) -> Option<&str> {
    let (_, node) = text.split_once("Unsupported ast node ")?;
    let node = node.strip_prefix("in sqltorel: ").unwrap_or(node);
    let end = node.find(|c: char| !c.is_alphanumeric());
    Some(&node[..end.unwrap_or(node.len())]).filter(|name| !name.is_empty())
}

/// A kind of node in words: `AtTimeZone` is AT TIME ZONE.
pub(crate) fn in_words(node: &str) -> String {
    match node {
        "RLike" => return "RLIKE".to_owned(),
        "CompositeAccess" | "CompoundFieldAccess" => return "`.` behind an expression".to_owned(),
        _ => {}
    }
    let mut words = String::new();
    for letter in node.chars() {
        if letter.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(letter.to_uppercase());
    }
    words
}

/// What stands behind each mark, if the text has them all in order.
fn parts<'t>(text: &'t str, marks: &[&str]) -> Option<Vec<&'t str>> {
    let (first, others) = marks.split_first()?;
    let mut rest = text.split_once(first)?.1;
    let mut parts = Vec::with_capacity(marks.len());
    for mark in others {
        let (part, behind) = rest.split_once(mark)?;
        parts.push(part);
        rest = behind;
    }
    parts.push(
        rest.lines()
            .next()
            .unwrap_or_default()
            .trim_end_matches('.'),
    );
    Some(parts)
}

/// The dialect's name of a type.
pub fn type_name(of: &DataType) -> String {
    in_sql(&of.to_string())
}

/// The name of one of their types.
fn sql_type(word: &str) -> Option<&'static str> {
    Some(match word {
        "Utf8" | "LargeUtf8" | "Utf8View" => "VARCHAR",
        "Int8" => "TINYINT",
        "Int16" => "SMALLINT",
        "Int32" | "UInt8" | "UInt16" => "INT",
        "Int64" | "UInt32" | "UInt64" => "BIGINT",
        "Float16" | "Float32" => "REAL",
        "Float64" => "DOUBLE",
        "Boolean" => "BOOLEAN",
        "Date32" | "Date64" => "DATE",
        "Time32" | "Time64" => "TIME",
        "Timestamp" => "TIMESTAMP",
        "Decimal32" | "Decimal64" | "Decimal128" | "Decimal256" => "DECIMAL",
        "Interval" | "Duration" => "INTERVAL",
        "Binary" | "LargeBinary" | "BinaryView" | "FixedSizeBinary" => "VARBINARY",
        "Null" => "NULL",
        "List" | "LargeList" | "FixedSizeList" => "a list",
        "Struct" | "Map" | "Union" => "a record",
        _ => return None,
    })
}

/// The text with the dialect's names of types, and literals as the dialect writes them: `Utf8("a")` is `'a'`,
/// `Timestamp(µs, "UTC")` is TIMESTAMP.
pub(crate) fn in_sql(text: &str) -> String {
    let text = unmarked(text);
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut told = String::new();
    let mut rest = text.as_ref();
    while let Some(start) = rest.find(is_word) {
        let (before, from) = rest.split_at(start);
        told.push_str(before);
        let (word, behind) = from.split_at(from.find(|c| !is_word(c)).unwrap_or(from.len()));
        rest = behind;
        let Some(name) = sql_type(word) else {
            told.push_str(word);
            continue;
        };
        match in_parentheses(behind) {
            None => told.push_str(name),
            Some((inner, behind)) => {
                told.push_str(&parametrised(name, inner));
                rest = behind;
            }
        }
    }
    told.push_str(rest);
    told
}

/// A type with what its parentheses hold: digits of a DECIMAL, or a literal.
fn parametrised(name: &str, inner: &str) -> String {
    let text = inner.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
    match (name, text) {
        ("VARCHAR", Some(text)) => format!("'{text}'"),
        ("DATE", Some(text)) => format!("'{text}'"),
        ("DECIMAL", _) if !inner.starts_with("Some") => format!("DECIMAL({inner})"),
        ("TINYINT" | "SMALLINT" | "INT" | "BIGINT" | "REAL" | "DOUBLE" | "BOOLEAN", _) => {
            inner.to_owned()
        }
        _ if inner == "NULL" => inner.to_owned(),
        _ => name.to_owned(),
    }
}

/// What the parentheses at the start of a text hold, and what stands behind them.
fn in_parentheses(text: &str) -> Option<(&str, &str)> {
    let mut depth = 0;
    let mut quoted = false;
    for (at, character) in text.char_indices() {
        match character {
            '"' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth -= 1,
            _ => {}
        }
        match depth {
            _ if at == 0 && character != '(' => return None,
            0 => return Some((&text[1..at], &text[at + 1..])),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{in_sql, known_wording, shown};

    #[test]
    fn types_and_literals_are_written_in_sql() {
        for (text, expected) in [
            ("Utf8 + List(Utf8)", "VARCHAR + a list"),
            ("Utf8(\"it's (a)\") = Int64(1)", "'it's (a)' = 1"),
            ("CAST(t.id AS Utf8View)", "CAST(t.id AS VARCHAR)"),
            ("Timestamp(µs, \"UTC\") - Date32", "TIMESTAMP - DATE"),
            ("Decimal128(10, 2)", "DECIMAL(10, 2)"),
            ("Boolean(NULL), Null", "NULL, NULL"),
            ("a\u{1f}12 and Utf8", "a and VARCHAR"),
            ("Interval(MonthDayNano)", "INTERVAL"),
            ("Utf8(", "VARCHAR("),
        ] {
            assert_eq!(in_sql(text), expected);
        }
    }

    #[test]
    fn what_is_known_is_said_in_our_words() {
        let said = |text: &str| known_wording(text).map(|wording| wording.message);
        assert_eq!(
            said("Cannot cast string 'a b' to value of Int64 type").as_deref(),
            Some("the text 'a b' cannot be cast to BIGINT")
        );
        assert_eq!(
            said("Cannot coerce arithmetic expression Boolean + Utf8 to valid types").as_deref(),
            Some("BOOLEAN + VARCHAR: these types cannot be computed with")
        );
        assert_eq!(said("something new"), None);
    }

    #[test]
    fn what_shows_their_insides_is_not_shown() {
        for text in [
            "RLike { negated: false }",
            "OuterReferenceColumn(Field { name: \"a\" }, Column { relation: None })",
            "x is not an ExecutionPlan",
            "",
        ] {
            assert_eq!(shown(text), None, "{text}");
        }
        assert_eq!(shown("x is Utf8\nmore").as_deref(), Some("x is VARCHAR"));
    }
}
