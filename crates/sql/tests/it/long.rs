//! Long texts: places stay right, and nothing takes a time or a memory that grows faster than the text.

use std::fmt::Write as _;

use bucketline_sql::{ConnectionString, parse_script};

#[test]
fn places_behind_long_gaps_and_many_statements_are_right() {
    let before = [
        " \n".repeat(100_000),
        format!("/* {} ü */\n", "x".repeat(100_000)),
        "-- ü 'x'\n".repeat(10_000),
        "SELECT 'ü  ''x', [a  ]]b], \"c  \" FROM t WHERE a=1;\n".repeat(500),
        "SELECT(1),(2),1e+5+1-2;".repeat(1_000),
        ";".repeat(1_000_000),
    ];
    for before in before {
        let text = format!("{before}SELECT Id\nFORM t");
        let script = parse_script(&text);
        let (last, others) = script.split_last().unwrap();
        assert!(others.iter().all(Result::is_ok));
        let span = last.as_ref().unwrap_err().span().unwrap();
        assert_eq!(&text[span.range()], "t");
        let lines = before.matches('\n').count();
        assert_eq!(usize::try_from(span.start.line).unwrap(), lines + 2);
        assert_eq!(span.start.column, 6);
    }
}

/// A text is read in pieces; one long statement must come out as if it was read at once.
#[test]
fn a_long_statement_prints_as_it_was_written() {
    let mut text = String::from("SELECT 1");
    for number in 0..2_000 {
        write!(
            text,
            ",'a  {number}'+b{number}.c/2-1e-{number},[x y{number}]*-.5"
        )
        .unwrap();
    }
    let script = parse_script(&text);
    assert_eq!(script[0].as_ref().unwrap().statement.to_string(), text);
}

#[test]
fn what_would_take_too_much_memory_is_refused() {
    let numbers = vec!["1"; 300_000].join(",");
    for text in [
        "(".repeat(3_000_000),
        format!("SELECT {numbers}"),
        format!("SELECT {}", numbers.replace(',', "+")),
        format!("SELECT 1{}", ",(SELECT 1)".repeat(6_000)),
        format!("SELECT '{}'", "x".repeat(2_000_000)),
        format!("SELECT '{}", "x".repeat(2_000_000)),
        format!("SELECT 'a', /* {}", "x".repeat(2_000_000)),
        format!(
            "SELECT {}",
            vec![format!("'{}'", "x".repeat(1_000)); 1_100].join(",")
        ),
    ] {
        let script = parse_script(&format!("SELECT 1;{text}"));
        assert!(script[0].is_ok());
        assert_eq!(script[1].as_ref().unwrap_err().code(), "BL1012");
    }
}

/// Each took a time that grows with the square of its length.
#[test]
fn long_lists_are_read() {
    let list = |item: &dyn Fn(usize) -> String| -> String {
        let items: Vec<String> = (0..15_000).map(item).collect();
        items.join(", ")
    };
    for text in [
        format!(
            "CREATE CONNECTION c WITH ({})",
            list(&|n| format!("a{n}=1"))
        ),
        format!("UPDATE t SET {}", list(&|n| format!("a{n} = 1"))),
        format!("EXEC p {}", list(&|n| format!("@a{n}=1"))),
        format!("REPLICATE t ({}) SELECT 1", list(&|n| format!("a{n} int"))),
        "SELECT 1 INTO csv://a.csv;".repeat(5_000),
        format!("SELECT {}1", "'{env:' + ".repeat(9_000)),
    ] {
        let failed = parse_script(&text).into_iter().find_map(Result::err);
        assert!(failed.is_none(), "{failed:?}");
    }
    assert!(parse_script(&"{env:".repeat(60_000))[0].is_err());
    assert!(parse_script(&"/*".repeat(500_000))[0].is_err());
    let properties = list(&|n| format!("a{n}=1")).replace(", ", ";");
    assert_eq!(
        ConnectionString::parse(&properties).unwrap().iter().count(),
        15_000
    );
}
