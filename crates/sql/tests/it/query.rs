//! Queries: TOP, names, respelling, function or statement.

use bucketline_sql::{Query, Statement, parse_statement};

fn query(text: &str) -> Query {
    match parse_statement(text).unwrap().statement {
        Statement::Query(query) => query,
        other => panic!("not a query: {other}"),
    }
}

#[test]
fn top_and_a_limit_with_a_comma_become_limit_and_offset() {
    for (text, tree) in [
        (
            "SELECT TOP 5 a FROM t ORDER BY a",
            "SELECT a FROM t ORDER BY a LIMIT 5",
        ),
        ("SELECT TOP (1 + 1) a FROM t", "SELECT a FROM t LIMIT 1 + 1"),
        (
            "SELECT a FROM t LIMIT 10, 5",
            "SELECT a FROM t LIMIT 10 OFFSET 5",
        ),
        (
            "SELECT DISTINCT TOP 5 a FROM t",
            "SELECT DISTINCT a FROM t LIMIT 5",
        ),
        (
            "SELECT TOP 1 a FROM t UNION SELECT TOP 2 b FROM u UNION ALL SELECT c FROM v",
            "(SELECT a FROM t LIMIT 1) UNION (SELECT b FROM u LIMIT 2) UNION ALL SELECT c FROM v",
        ),
        (
            "SELECT * FROM (SELECT TOP 1 a FROM t) AS s WHERE x IN (SELECT TOP 2 y FROM u)",
            "SELECT * FROM (SELECT a FROM t LIMIT 1) AS s WHERE x IN (SELECT y FROM u LIMIT 2)",
        ),
        (
            "WITH c AS (SELECT TOP 1 a FROM t) SELECT TOP 2 * FROM c",
            "WITH c AS (SELECT a FROM t LIMIT 1) SELECT * FROM c LIMIT 2",
        ),
    ] {
        assert_eq!(query(text).ast().to_string(), tree);
    }
}

#[test]
fn tables_are_named_without_ctes_and_functions() {
    for (text, expected) in [
        ("SELECT 1", vec![]),
        (
            "SELECT * FROM a, b.c JOIN [d e].f.g ON TRUE",
            vec!["a", "b.c", "[d e].f.g"],
        ),
        (
            "SELECT * FROM a WHERE x IN (SELECT y FROM b) UNION SELECT * FROM a",
            { vec!["a", "b", "a"] },
        ),
        ("WITH t AS (SELECT * FROM t) SELECT * FROM T", vec!["t"]),
        (
            "WITH RECURSIVE t AS (SELECT * FROM a UNION SELECT * FROM t) SELECT * FROM t",
            vec!["a"],
        ),
        (
            "WITH a AS (SELECT 1), b AS (SELECT * FROM a, c) SELECT * FROM b, x.b",
            vec!["c", "x.b"],
        ),
        (
            "WITH a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a",
            vec!["b"],
        ),
        (
            "SELECT * FROM (WITH t AS (SELECT 1) SELECT * FROM t) AS s, t",
            vec!["t"],
        ),
        (
            "WITH t AS (SELECT 1) SELECT (SELECT MAX(x) FROM t), (SELECT 1 FROM u)",
            vec!["u"],
        ),
        ("SELECT * FROM STRING_SPLIT('a', ',')", vec![]),
    ] {
        let names: Vec<String> = query(text)
            .table_names()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(names, expected, "{text}");
    }
}

#[test]
fn words_are_respelled_and_keywords_stay() {
    let original = query("select ID, upper(title) as T, \"id\" from ISSUES order by id");
    let respelled = original
        .respelled(&mut |word, quoted| match word.to_lowercase().as_str() {
            _ if quoted => None,
            "id" => Some("Id".to_owned()),
            "title" => Some("Title".to_owned()),
            "issues" => Some("Issues".to_owned()),
            "select" => Some("SELECT".to_owned()),
            "order" => Some("Order".to_owned()),
            "t" => Some("odd name".to_owned()),
            _ => None,
        })
        .unwrap();
    assert_eq!(
        respelled.ast().to_string(),
        "SELECT Id, upper(Title) AS \"odd name\", \"id\" FROM Issues ORDER BY Id"
    );
    assert_eq!(
        respelled.to_string(),
        "SELECT Id, upper(Title) as \"odd name\", \"id\" from Issues Order by Id"
    );
    assert_eq!(
        respelled.table_names()[0].span(),
        original.table_names()[0].span()
    );
    assert_eq!(original.respelled(&mut |_, _| None).unwrap(), original);

    let quoted = query("SELECT [ID] AS [ID] FROM t");
    let respelled =
        quoted.respelled(&mut |word, quoted| (quoted && word == "ID").then(|| "Id".to_owned()));
    assert_eq!(
        respelled.unwrap().ast().to_string(),
        "SELECT [Id] AS [ID] FROM t"
    );
}

#[test]
fn replicate_is_a_function_inside_expressions() {
    assert_eq!(
        query("SELECT REPLICATE('a', 3)").to_string(),
        "SELECT REPLICATE('a', 3)"
    );
}

#[test]
fn parameters_are_placeholders() {
    assert_eq!(
        query("SELECT ?, @p FROM t WHERE a = @b").ast().to_string(),
        "SELECT ?, @p FROM t WHERE a = @b"
    );
}
