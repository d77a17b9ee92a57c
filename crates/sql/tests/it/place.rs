//! Places: of statements, of names, of values, of errors.

use bucketline_core::Code;
use bucketline_sql::{
    OptionName, Position, Source, Span, Statement, code, is_unfinished, parse_script,
    parse_statement,
};

fn at(line: u32, column: u32, offset: usize) -> Position {
    Position {
        line,
        column,
        offset,
    }
}

#[test]
fn statements_know_their_places() {
    let text = "-- ä\r\n SELECT 'ü';;\n/* x */ REPLICATE T\n;  \n";
    let script = parse_script(text);
    let spans: Vec<Span> = script
        .iter()
        .map(|item| item.as_ref().unwrap().span)
        .collect();
    assert_eq!(spans.len(), 2);
    assert_eq!((spans[0].start, spans[0].end), (at(2, 2, 8), at(2, 12, 19)));
    assert_eq!(
        (spans[1].start, spans[1].end),
        (at(3, 9, 30), at(3, 20, 41))
    );
    assert_eq!(&text[spans[0].range()], "SELECT 'ü'");
    assert_eq!(&text[spans[1].range()], "REPLICATE T");
}

#[test]
fn a_line_ends_with_cr_lf_or_both() {
    let text =
        "-- c\rSELECT 'a\rb', [c\rd];\r\n-- 'e\n/* f\r */ REPLICATE T\r; -- g\rSELECT FROM\r\rt";
    let script = parse_script(text);
    let spans = script.iter().map(|item| match item {
        Ok(located) => (located.span.start, &text[located.span.range()]),
        Err(error) => (
            error.span().unwrap().start,
            &text[error.span().unwrap().range()],
        ),
    });
    let expected = [
        (at(2, 1, 5), "SELECT 'a\rb', [c\rd]"),
        (at(7, 5, 42), "REPLICATE T"),
        (at(9, 8, 68), "FROM"),
    ];
    assert_eq!(spans.collect::<Vec<_>>(), expected);
    for (offset, _) in text.char_indices() {
        let lines = text[..offset].replace("\r\n", "\n");
        let lines = lines.matches(['\r', '\n']).count();
        let splits = text[offset..].starts_with('\n') && text[..offset].ends_with('\r');
        let line = Position::at(text, offset).line as usize;
        assert_eq!(line, lines + 1 - usize::from(splits), "{offset}");
    }
    // Inside of a literal or a name they are what was written.
    let Statement::Query(query) = &script[0].as_ref().unwrap().statement else {
        panic!("not a query");
    };
    assert_eq!(query.to_string(), "SELECT 'a\rb', [c\rd]");
}

#[test]
fn parts_know_their_places() {
    let text = "REPLICATE [ä].b WITH BatchSize = 50 SELECT Id FROM x.y";
    let Statement::Replicate(replicate) = parse_statement(text).unwrap().statement else {
        panic!("not REPLICATE");
    };
    assert_eq!(&text[replicate.destination.span().range()], "[ä].b");
    let option = replicate.options.get(OptionName::BatchSize).unwrap();
    assert_eq!(&text[option.written.span.range()], "BatchSize");
    assert_eq!(&text[option.value_span.range()], "50");
    let Source::Query(query) = replicate.source else {
        panic!("not a query")
    };
    assert_eq!(&text[query.span().range()], "SELECT Id FROM x.y");
    let tables = query.table_names();
    assert_eq!(&text[tables[0].span().range()], "x.y");
}

#[test]
fn an_early_end_has_a_place() {
    for (text, place) in [
        ("SELECT * FROM", at(1, 14, 13)),
        ("SELECT * FROM \n -- ü", at(1, 14, 13)),
        ("SELECT * FROM ;", at(1, 15, 14)),
        ("SELECT 'ä' FROM\n;", at(2, 1, 17)),
        ("REPLICATE", at(1, 10, 9)),
        ("REPLICATE t WITH", at(1, 17, 16)),
        ("CREATE CONNECTION c WITH (a = 1", at(1, 32, 31)),
        ("EXEC p @a =", at(1, 12, 11)),
    ] {
        let error = parse_statement(text).unwrap_err();
        assert_eq!(
            (error.code(), error.span().unwrap().start),
            (code::UNEXPECTED_END, place),
            "{text}"
        );
    }
}

#[test]
fn an_empty_text_has_no_statement() {
    for text in ["", " \n", ";;", "-- nothing", "/* ; */ ;"] {
        assert!(parse_script(text).is_empty(), "{text}");
        assert!(!is_unfinished(text), "{text}");
        assert_eq!(
            parse_statement(text).unwrap_err().code(),
            code::UNEXPECTED_END
        );
    }
    assert!(parse_statement("SELECT 1; SELECT 2").is_err());
}

#[test]
fn an_error_hides_no_other_statement() {
    let script = parse_script("SELECT 1; SELCT 2; SELECT 3; SELECT FROM WHERE; USE x; SELECT 'a");
    let kinds: Vec<Option<Code>> = script
        .iter()
        .map(|item| item.as_ref().err().map(|error| error.code()))
        .collect();
    assert_eq!(
        kinds,
        [
            None,
            Some(code::UNKNOWN_STATEMENT),
            None,
            Some(code::UNEXPECTED_TOKEN),
            None,
            Some(code::UNTERMINATED),
        ]
    );
}

#[test]
fn unfinished_statements_are_recognised() {
    for text in [
        "SELECT 1",
        "SELECT 1; SELECT",
        "SELECT 'a;",
        "SELECT [a;",
        "SELECT \"a;",
        "SELECT `a;",
        "SELECT 1; /* a",
        "SELECT 1 -- ;",
        "SELECT 1 /* ; */",
    ] {
        assert!(is_unfinished(text), "{text}");
    }
    for text in [
        "SELECT 1;",
        "SELCT;",
        "SELECT ';'; -- x",
        "SELECT 1; /* x */",
    ] {
        assert!(!is_unfinished(text), "{text}");
    }
}

/// Neither reading nor dropping a deep or a long expression overflows a thread's stack.
#[test]
fn deep_and_long_expressions_are_answered() {
    for (before, piece, after) in [
        ("SELECT ", "(", "1"),
        ("SELECT ", "NOT ", "1"),
        ("SELECT ", "- ", "1"),
        ("SELECT ", "f(", "1"),
        ("SELECT ", "CASE WHEN ", "1"),
        ("", "(", "SELECT 1"),
        ("SELECT * FROM ", "(SELECT * FROM ", "t"),
        ("SELECT 1", " + 1", ""),
        ("SELECT * FROM t WHERE a = 1", " OR a = 1", ""),
        ("SELECT 1", " UNION SELECT 1", ""),
        ("REPLICATE t WITH BatchSize = ", "-", "1"),
        ("", "EXPLAIN ", "SELECT 1"),
    ] {
        for length in [10, 70, 2_000, 100_000] {
            let text = format!("{before}{}{after}", piece.repeat(length));
            let script = parse_script(&text);
            assert_eq!(script.len(), 1, "{piece} {length}");
        }
    }
}
