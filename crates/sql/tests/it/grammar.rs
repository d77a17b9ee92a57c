//! Every file below `grammar/`: examples parse and print, mistakes get the expected errors.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use bucketline_sql::{Error, Located, REPLICATE_OPTIONS, parse_script};

use crate::{prints, round_trip};

fn scripts(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../grammar")
        .join(folder);
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "sql"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no scripts in {}", folder.display());
    files
}

#[test]
fn examples_parse_and_print() {
    for file in scripts("examples") {
        let text = fs::read_to_string(&file).unwrap();
        let script = parse_script(&text);
        // One statement for each line that ends in a semicolon, but for the empty one.
        let ends = text
            .lines()
            .filter(|line| line.ends_with(';') && !line.contains("--"))
            .count();
        let empty = text.lines().filter(|line| *line == ";").count();
        assert!(
            script.len() >= ends - empty,
            "{}: {}",
            file.display(),
            script.len()
        );
        for located in script {
            let located = located.unwrap_or_else(|error| {
                panic!(
                    "{}:{}: {error}",
                    file.display(),
                    error.span().unwrap().start
                )
            });
            let source = &text[located.span.range()];
            assert_eq!(round_trip(source), located.statement);
            bucketline_sql::parse_statement(&located.statement.masked()).unwrap();
        }
    }
}

/// What is expected of `invalid/x.sql` stands in `invalid/x.txt`. With `UPDATE_EXPECTED=1` in the
/// environment the test writes these files instead of comparing.
#[test]
fn mistakes_are_explained() {
    for file in scripts("invalid") {
        let text = fs::read_to_string(&file).unwrap();
        let mut found = String::new();
        for outcome in parse_script(&text) {
            explain(&mut found, &text, &outcome);
        }
        assert!(found.contains("BL1"), "{} has no mistake", file.display());
        assert!(
            !found.contains("planted-secret"),
            "{}: {found}",
            file.display()
        );
        let expected_file = file.with_extension("txt");
        if std::env::var_os("UPDATE_EXPECTED").is_some() {
            fs::write(&expected_file, &found).unwrap();
        }
        let expected = fs::read_to_string(&expected_file).unwrap_or_default();
        assert!(
            found == expected,
            "{}: found\n{found}\nexpected\n{expected}",
            file.display()
        );
    }
}

fn explain(out: &mut String, text: &str, outcome: &Result<Located, Error>) {
    match outcome {
        Ok(located) => {
            writeln!(
                out,
                "{} fine: {}\n",
                located.span,
                located.statement.masked()
            )
            .unwrap();
        }
        Err(error) => {
            let span = error.span().unwrap();
            let masked = bucketline_sql::mask_source(text);
            let line = masked
                .lines()
                .nth(span.start.line as usize - 1)
                .unwrap_or_default();
            let passed = bucketline_sql::mask_source(&text[..span.start.offset]);
            let column = passed
                .rsplit('\n')
                .next()
                .unwrap_or_default()
                .chars()
                .count();
            let width = (span.end.offset - span.start.offset).clamp(1, 40);
            let caret = " ".repeat(column) + &"^".repeat(width);
            writeln!(out, "{line}\n{caret}\n{} {span} {error}", error.code()).unwrap();
            if let Some(hint) = error.hint() {
                writeln!(out, "hint: {hint}").unwrap();
            }
            out.push('\n');
        }
    }
}

#[test]
fn prints_canonically() {
    for (text, canonical) in [
        ("replicate   Issues ;", "REPLICATE Issues"),
        (
            "replicate \"a b\".`c` with droptable",
            "REPLICATE \"a b\".[c] WITH DropTable = TRUE",
        ),
        (
            "replicate T (id INT,primary key(ID)) select id /* x */ from U with batchsize='5'",
            "REPLICATE T (id INT, PRIMARY KEY (ID)) WITH BatchSize = 5 select id from U",
        ),
        (
            "REPLICATE t WITH ReplicateStartValue='2024-01-31', DetectDeletes=keys",
            "REPLICATE t WITH ReplicateStartDate = '2024-01-31T00:00:00', DetectDeletes = KEYS",
        ),
        (
            "REPLICATE t WITH IncrementalCheckColumns=' a,b '",
            "REPLICATE t WITH IncrementalCheckColumns = 'a, b'",
        ),
        ("checkcache t end '2' skip deleted with repair", {
            "CHECKCACHE t WITH REPAIR SKIP DELETED END '2'"
        }),
        (
            "cache t schema only select 1",
            "CACHE t WITH SCHEMA ONLY select 1",
        ),
        ("execute p a=1,@b = 'x'", "EXEC p @a = 1, @b = 'x'"),
        ("desc t", "DESCRIBE t"),
        ("show tables in a like 'x'", "SHOW TABLES FROM a LIKE 'x'"),
        (
            "create connection c from 'jdbc:bitbucket:a = 1 ;; b=\"x;y\"'",
            "CREATE CONNECTION c FROM 'a=1;b=\"x;y\"'",
        ),
        ("select\n1 -- one\n, 'it''s'", "select 1 , 'it''s'"),
        ("explain  analyze select 1", "EXPLAIN ANALYZE select 1"),
    ] {
        prints(text, canonical);
    }
}

#[test]
fn the_grammar_lists_the_options() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../grammar/bucketline.ebnf");
    let grammar = fs::read_to_string(file).unwrap();
    for spec in REPLICATE_OPTIONS {
        assert!(std::ptr::eq(spec.name.spec(), spec));
        let aliases: Vec<&str> = grammar
            .lines()
            .filter_map(|line| line.trim().strip_prefix(spec.text))
            .filter(|rest| rest.starts_with(' '))
            .collect();
        assert_eq!(aliases.len(), 1, "{} in the grammar", spec.text);
        for alias in spec.aliases {
            assert!(
                aliases[0].contains(&format!("({alias})")),
                "{alias} in the grammar"
            );
        }
    }
}
