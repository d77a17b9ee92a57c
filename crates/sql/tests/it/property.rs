//! Properties of reading, cutting and printing.

use bucketline_sql::{
    ConnectionString, Ident, is_unfinished, nearest, parse_script, parse_statement,
};
use proptest::prelude::*;

/// Fragments from which texts near to the grammar are made.
const FRAGMENTS: &[&str] = &[
    "REPLICATE",
    "CHECKCACHE",
    "CACHE",
    "GETDELETED",
    "EXEC",
    "USE",
    "SET",
    "SHOW",
    "DESCRIBE",
    "EXPLAIN",
    "ANALYZE",
    "SELECT",
    "WITH",
    "AS",
    "FROM",
    "WHERE",
    "UNION",
    "VALUES",
    "CREATE",
    "CONNECTION",
    "DROP",
    "INSERT",
    "INTO",
    "UPDATE",
    "DELETE",
    "TOP",
    "LIMIT",
    "ORDER",
    "BY",
    "AGAINST",
    "SKIP",
    "START",
    "END",
    "REPAIR",
    "PRIMARY",
    "KEY",
    "TRUNCATE",
    "SCHEMA",
    "ONLY",
    "Issues",
    "Id",
    "DropTable",
    "BatchSize",
    "Token",
    "int",
    "LIKE",
    "TABLES",
    "(",
    ")",
    ",",
    ".",
    "=",
    ";",
    "*",
    "@",
    "?",
    "-",
    "+",
    "'text'",
    "'it''s'",
    "[a b]",
    "\"c\"",
    "`d`",
    "17",
    "1.5",
    "'",
    "[",
    "/*",
    "*/",
    "--",
    "\n",
    "#",
    "$",
    "$$",
    "{",
    "\\",
    "ä",
    "X'0'",
    "N'n'",
    ":",
    "::",
    "||",
    "->",
    "0x1F",
    "1e5",
    "CASE",
    "WHEN",
    "NOT",
    "IN",
    "EXISTS",
    "INTERVAL",
    "CAST",
];

proptest! {
    #[test]
    fn any_text_is_answered(text in any::<String>()) {
        answered(&text)?;
    }

    #[test]
    fn any_mixture_is_answered(
        parts in prop::collection::vec(
            (prop::sample::select(FRAGMENTS), prop::sample::select(vec!["", " "])), 0..25),
    ) {
        let text: String = parts.iter().flat_map(|(part, blank)| [*part, *blank]).collect();
        answered(&text)?;
    }

    #[test]
    fn made_statements_round_trip(text in statement()) {
        let first = parse_statement(&text);
        prop_assert!(first.is_ok(), "{}: {:?}", text, first);
        crate::round_trip(&text);
    }

    /// Statements whose every gap holds comments, and whose strings and names hold semicolons.
    #[test]
    fn scripts_are_cut_at_their_semicolons(
        statements in prop::collection::vec(
            prop::collection::vec((token(), gap()), 1..6), 0..6),
        before in gap(),
        terminated in any::<bool>(),
    ) {
        let mut text = before.clone();
        let mut expected = Vec::new();
        for (index, parts) in statements.iter().enumerate() {
            let start = text.len();
            text.push_str("SELECT ");
            let mut end = start;
            for (number, (token, gap)) in parts.iter().enumerate() {
                text.push_str(if number == 0 { "" } else { ", " });
                text.push_str(token);
                end = text.len();
                text.push_str(gap);
            }
            expected.push(start..end);
            if terminated || index + 1 < statements.len() {
                text.push(';');
            }
            text.push_str(&before);
        }
        let script = parse_script(&text);
        let mut found = Vec::new();
        for item in script {
            prop_assert!(item.is_ok(), "{}: {:?}", text, item);
            found.push(item.unwrap().span.range());
        }
        prop_assert_eq!(&found, &expected, "{}", text);
        prop_assert_eq!(is_unfinished(&text), !terminated && !statements.is_empty());
    }

    #[test]
    fn connection_strings_round_trip(
        values in prop::collection::vec("(?s).{0,12}", 0..6),
    ) {
        let string: ConnectionString = values
            .into_iter()
            .enumerate()
            .map(|(index, value)| (format!("Name {index}"), value))
            .collect();
        prop_assert_eq!(ConnectionString::parse(&string.to_string()).unwrap(), string);
    }

    #[test]
    fn any_connection_string_is_answered(text in "(=|;|'|\"|a|ä| |jdbc:bitbucket:){0,12}") {
        match ConnectionString::parse(&text) {
            Ok(string) => {
                prop_assert_eq!(ConnectionString::parse(&string.to_string()).unwrap(), string);
            }
            Err(error) => {
                prop_assert!(text.get(error.span().unwrap().range()).is_some());
            }
        }
    }

    #[test]
    fn names_print_as_they_parse(text in "(?s).{1,12}") {
        let printed = Ident::new(text.clone()).to_string();
        let located = parse_statement(&format!("REPLICATE {printed}"));
        prop_assert!(located.is_ok(), "{}: {:?}", printed, located);
        prop_assert_eq!(located.unwrap().statement.to_string(), format!("REPLICATE {printed}"));
    }

    #[test]
    fn the_nearest_word_is_itself(word in "[A-Za-z]{1,12}") {
        prop_assert_eq!(nearest(&word, ["ZZZZZZZZZZZZZZ", word.as_str()]), Some(word.as_str()));
    }
}

/// Whatever the text, places lie in it, and what parses round-trips.
fn answered(text: &str) -> Result<(), TestCaseError> {
    is_unfinished(text);
    let mut last = 0;
    for item in parse_script(text) {
        let span = match &item {
            Ok(located) => located.span,
            Err(error) => error.span().unwrap(),
        };
        prop_assert!(text.get(span.range()).is_some(), "{:?} of {:?}", span, text);
        prop_assert!(span.start.offset >= last, "{:?} of {:?}", span, text);
        last = span.start.offset;
        let passed = text[..span.start.offset].replace("\r\n", "\n");
        let line = passed.matches(['\n', '\r']).count() + 1;
        let column = passed
            .rsplit(['\n', '\r'])
            .next()
            .unwrap_or_default()
            .chars()
            .count()
            + 1;
        prop_assert_eq!(
            (span.start.line as usize, span.start.column as usize),
            (line, column)
        );
        if let Ok(located) = item {
            crate::round_trip(&text[located.span.range()]);
        }
    }
    Ok(())
}

/// One expression of a SELECT list; semicolons in it are not the end.
fn token() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z;\n\\[\\]\"/* -]{0,8}".prop_map(|text| format!("'{text}'")),
        "[a-z;'\" /*-]{1,8}".prop_map(|text| format!("[{text}]")),
        "[a-z;' /*-]{1,8}".prop_map(|text| format!("\"{text}\"")),
        "[a-z;'\" /*-]{1,8}".prop_map(|text| format!("`{text}`")),
        Just("'it''s;'".to_owned()),
        Just("17".to_owned()),
        Just("f(x, ';')".to_owned()),
    ]
}

/// Blanks and comments; semicolons in them are not the end.
fn gap() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(" ".to_owned()),
        Just("\n\t\r\n".to_owned()),
        "[a-z;'\"\\[ ]{0,8}".prop_map(|text| format!(" -- {text}\n")),
        "[a-z;'\"\\[\n ]{0,8}".prop_map(|text| format!(" /* {text} */ ")),
        Just(" /* a /* nested; */ b; */ ".to_owned()),
    ]
}

fn name() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        "[A-Z][a-z]{1,5}17".prop_map(|text| text),
        "(?s).{1,8}".prop_map(|text| Ident::new(text).to_string()),
    ];
    prop::collection::vec(part, 1..3).prop_map(|parts| parts.join("."))
}

fn literal() -> impl Strategy<Value = String> {
    prop_oneof![
        "(?s).{0,8}".prop_map(|text| format!("'{}'", text.replace('\'', "''"))),
        (0u32..1000).prop_map(|number| number.to_string()),
        Just("TRUE".to_owned()),
    ]
}

fn select() -> impl Strategy<Value = String> {
    (name(), literal(), name(), 0u32..4).prop_map(|(table, literal, column, shape)| match shape {
        0 => format!("SELECT * FROM {table} WHERE {column} = {literal}"),
        1 => format!("SELECT TOP 3 {column} FROM {table} ORDER BY 1"),
        2 => format!("WITH x AS (SELECT {literal} AS y) SELECT y FROM x, {table}"),
        _ => format!("(SELECT {literal} FROM {table}) UNION ALL (VALUES ({literal}))"),
    })
}

fn options() -> impl Strategy<Value = String> {
    let option = prop::sample::subsequence(
        vec![
            "DropTable",
            "truncatetable = false",
            "BatchSize=17",
            "ReplicateStartDate='2024-02-29'",
            "DetectDeletes = none",
            "IncrementalCheckColumns = 'a, b'",
            "TableNamePrefix = 'it''s'",
        ],
        0..4,
    );
    option.prop_map(|options| match options.len() {
        0 => String::new(),
        _ => format!("WITH {}", options.join(" , ")),
    })
}

fn statement() -> impl Strategy<Value = String> {
    let source = prop_oneof![Just(String::new()), name(), select()];
    let columns = prop_oneof![
        Just(""),
        Just("(Id int)"),
        Just("(Id int, [a]]b] decimal(10,2), PRIMARY KEY ([a]]b], Id))"),
    ];
    prop_oneof![
        (name(), columns, options(), source.clone(), any::<bool>()).prop_map(
            |(name, columns, options, source, first)| match first {
                true => format!("REPLICATE {name} {columns} {options} {source}"),
                false => format!("REPLICATE {name} {columns} {source} {options}"),
            }
        ),
        select(),
        (name(), select()).prop_map(|(name, query)| format!("CACHE {name} TRUNCATE {query}")),
        (name(), select()).prop_map(|(name, query)| {
            format!("CHECKCACHE {name} AGAINST ({query}) WITH REPAIR START '2024-01-01'")
        }),
        (name(), literal()).prop_map(|(name, value)| format!("EXEC {name} @a = {value}, b = 1")),
        (name(), literal()).prop_map(|(name, value)| format!("SET {name} = {value}")),
        literal().prop_map(|value| format!("SET @a = {value}")),
        ("c[0-9]{0,3}", literal(), literal()).prop_map(|(name, a, b)| {
            format!("CREATE CONNECTION {name} TYPE sqlite WITH (a = {a}, [b c] = {b})")
        }),
        select().prop_map(|query| format!("EXPLAIN {query}")),
    ]
}
