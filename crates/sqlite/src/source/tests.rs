#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use bucketline_source::{
    Checkpoint, Error, Literal, Observer, Operator, Order, Predicate, Pushdown, ReadContext,
    Reading, ScanRequest, Source, TableSpec,
};
use futures::StreamExt;
use rusqlite::Connection;
use tempfile::TempDir;

use super::{SourceSettings, SqliteSource};

struct Nobody;

impl Observer for Nobody {
    fn note(&self, _: &str) {}
    fn waiting(&self, _: &str, _: std::time::Duration) {}
}

/// A file and a connection that reads it.
struct File {
    folder: TempDir,
    source: SqliteSource,
}

impl File {
    fn new(sql: &str) -> Self {
        Self::with(sql, "", "")
    }

    fn with(sql: &str, cursor: &str, as_text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shop.db");
        Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        let source = SqliteSource::new(SourceSettings {
            path,
            cursor: cursor.to_owned(),
            as_text: as_text.to_owned(),
        });
        Self {
            folder,
            source: source.unwrap(),
        }
    }

    fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("shop.db")
    }

    fn execute(&self, sql: &str) {
        let connection = Connection::open(self.path()).unwrap();
        connection.execute_batch(sql).unwrap();
    }

    async fn table(&self, name: &str) -> Arc<TableSpec> {
        self.source.find_table(name).await.unwrap().unwrap()
    }

    fn request(&self, table: &Arc<TableSpec>) -> ScanRequest {
        ScanRequest {
            table: Arc::clone(table),
            scope: self.source.default_scope(),
            columns: (0..table.columns.len()).collect(),
            predicates: Vec::new(),
            order: None,
            limit: None,
            page_size: None,
        }
    }

    /// The rows of a reading, as texts, and the last checkpoint.
    async fn rows(
        &self,
        request: ScanRequest,
        reading: Reading,
    ) -> Result<(Vec<String>, Option<Checkpoint>), Error> {
        let plan = Arc::new(self.source.plan(request)?);
        let context = ReadContext::new(Arc::new(Nobody));
        let slices = self.source.slices(&plan, &context).await?;
        let mut pages = self
            .source
            .read(Arc::clone(&plan), &slices[0], reading, &context);
        let (mut batches, mut checkpoint, mut ended) = (Vec::new(), None, false);
        while let Some(page) = pages.next().await {
            let page = page?;
            assert!(!ended, "a page after the last one");
            ended = page.end.is_some();
            checkpoint = page.checkpoint.or(checkpoint);
            batches.push(page.rows);
        }
        assert!(ended, "no last page");
        let rows = concat_batches(&plan.schema, &batches).unwrap();
        Ok((texts(&rows), checkpoint))
    }

    async fn scan(&self, table: &str) -> Result<Vec<String>, Error> {
        let request = self.request(&self.table(table).await);
        Ok(self.rows(request, Reading::Scan).await?.0)
    }
}

fn texts(rows: &RecordBatch) -> Vec<String> {
    let options = FormatOptions::default().with_null("NULL");
    let columns = rows.columns().iter();
    let columns: Vec<_> = columns
        .map(|column| ArrayFormatter::try_new(column, &options).unwrap())
        .collect();
    let row = |row| {
        let cells = columns.iter().map(|column| column.value(row).to_string());
        cells.collect::<Vec<_>>().join("|")
    };
    (0..rows.num_rows()).map(row).collect()
}

/// `Id bigint not null key`
fn described(table: &TableSpec) -> Vec<String> {
    let columns = table.columns.iter().enumerate().map(|(index, column)| {
        let null = if column.nullable { "" } else { " not null" };
        let place = table.key.iter().position(|key| *key == index);
        let key = place.map_or(String::new(), |place| format!(" key {}", place + 1));
        format!("{} {}{null}{key}", column.name, column.field().data_type())
    });
    columns.collect()
}

#[tokio::test]
async fn types_are_declared_and_found() {
    for (declared, values, kind, first) in [
        ("INTEGER", "1", "Int64", "1"),
        ("INTEGER", "1, 2.5", "Float64", "1.0"),
        (
            "INTEGER",
            "9007199254740993, 2.5",
            "Utf8",
            "9007199254740993",
        ),
        ("INTEGER", "1, 'x'", "Utf8", "1"),
        ("INTEGER", "NULL", "Int64", "NULL"),
        ("BOOLEAN", "1, 0", "Boolean", "true"),
        ("BOOLEAN", "2", "Int64", "2"),
        ("BOOLEAN", "'true'", "Utf8", "true"),
        ("DOUBLE", "1", "Float64", "1.0"),
        ("DECIMAL(10,2)", "1, 2.5", "Decimal128(10, 2)", "1.00"),
        ("DECIMAL(10,2)", "2.125", "Float64", "2.125"),
        ("DECIMAL(3,2)", "10", "Int64", "10"),
        ("VARCHAR(9)", "1", "Utf8", "1"),
        ("TEXT", "'a', x'ff'", "Utf8", "a"),
        ("BLOB", "x'c0ff'", "Binary", "c0ff"),
        ("JSON", "'[1]'", "Utf8", "[1]"),
        ("UUID", "'a-b'", "Utf8", "a-b"),
        ("", "1", "Int64", "1"),
        ("", "'1'", "Utf8", "1"),
        ("DATE", "'2026-08-10'", "Date32", "2026-08-10"),
        ("DATE", "'2026-08-10', 'soon'", "Utf8", "2026-08-10"),
        ("DATE", "20260810", "Int64", "20260810"),
        ("TIME", "'18:39:55'", "Time64(µs)", "18:39:55"),
        (
            "DATETIME",
            "'2026-08-10 09:00:00'",
            "Timestamp(µs, \"+00:00\")",
            "2026-08-10T09:00:00Z",
        ),
        (
            "TIMESTAMP",
            "'2026-08-10T11:00:00+02:00'",
            "Timestamp(µs, \"+00:00\")",
            "2026-08-10T09:00:00Z",
        ),
        ("TIMESTAMP", "1786352400", "Int64", "1786352400"),
        ("TIMESTAMP", "2460000.5", "Float64", "2460000.5"),
    ] {
        let values = values.replace(", ", "), (");
        let file = File::new(&format!(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, c {declared}); INSERT INTO t (c) VALUES ({values})"
        ));
        let column = &file.table("T").await.columns[1];
        let rows = file.scan("t").await.unwrap();
        let found = (column.field().data_type().to_string(), rows[0].as_str());
        assert_eq!(
            found,
            (kind.to_owned(), &*format!("1|{first}")),
            "{declared}: {values}"
        );
    }
}

#[tokio::test]
async fn a_key_tells_rows_apart() {
    for (sql, expected) in [
        (
            "TABLE t (a INTEGER PRIMARY KEY, b)",
            "a Int64 not null key 1, b Utf8",
        ),
        (
            "TABLE t (a TEXT PRIMARY KEY, b)",
            "a Utf8 not null key 1, b Utf8",
        ),
        (
            "TABLE t (a INT, b INT, PRIMARY KEY (b, a)) WITHOUT ROWID",
            "a Int64 not null key 2, b Int64 not null key 1",
        ),
        ("TABLE t (a TEXT NOT NULL UNIQUE)", "a Utf8 not null key 1"),
        // What may be NULL is no key.
        (
            "TABLE t (a TEXT UNIQUE)",
            "rowid Int64 not null key 1, a Utf8",
        ),
        (
            "TABLE t (a, rowid TEXT)",
            "_rowid_ Int64 not null key 1, a Utf8, rowid Utf8",
        ),
        (
            "TABLE t (rowid, oid, _rowid_)",
            "rowid Utf8, oid Utf8, _rowid_ Utf8",
        ),
        ("VIEW t AS SELECT 1 AS a", "a Int64"),
        // A moment has several spellings.
        (
            "TABLE t (a DATETIME PRIMARY KEY); INSERT INTO t VALUES ('2026-08-10'), ('2026-08-10 00:00')",
            "a Utf8 not null key 1",
        ),
        (
            "TABLE t (a PRIMARY KEY); INSERT INTO t VALUES (1), ('1')",
            "rowid Int64 not null key 1, a Utf8",
        ),
        (
            "TABLE t (a TEXT PRIMARY KEY); INSERT INTO t VALUES (NULL), (NULL)",
            "rowid Int64 not null key 1, a Utf8",
        ),
    ] {
        let file = File::new(&format!("CREATE {sql}"));
        assert_eq!(
            described(&*file.table("t").await).join(", "),
            expected,
            "{sql}"
        );
        file.scan("t").await.unwrap();
    }
}

#[tokio::test]
async fn tables_of_its_own_are_not_listed_and_broken_views_neither() {
    let file = File::new(
        "CREATE TABLE b (x); CREATE VIEW a AS SELECT * FROM b; CREATE TABLE gone (x);
         CREATE VIEW broken AS SELECT * FROM gone; DROP TABLE gone;
         CREATE TABLE _bucketline_x (x); CREATE TABLE auto (x INTEGER PRIMARY KEY AUTOINCREMENT)",
    );
    let names = async || {
        let tables = file.source.list_tables().await.unwrap();
        let names: Vec<_> = tables.iter().map(|table| table.name.clone()).collect();
        names.join(" ")
    };
    assert_eq!(names().await, "a auto b");
    let error = file.source.find_table("broken").await.unwrap_err();
    assert!(
        error.code() == "BL6105" && error.to_string().contains("gone"),
        "{error}"
    );

    // What somebody else changes is noticed.
    let other = Connection::open(file.path()).unwrap();
    other
        .execute_batch("ALTER TABLE b ADD COLUMN y INT; DROP VIEW broken")
        .unwrap();
    assert_eq!(
        described(&*file.table("b").await),
        ["rowid Int64 not null key 1", "x Utf8", "y Int64"]
    );
}

#[tokio::test]
async fn what_is_no_database_is_said_at_the_first_use() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("text.db");
    std::fs::write(&text, "no database, ".repeat(100)).unwrap();
    for (path, code, words) in [
        (Path::new("absent.db"), "BL6101", "there is no such file"),
        (folder.path(), "BL6101", "it is a folder"),
        (&text, "BL6102", "it is not a SQLite database"),
    ] {
        let source = SqliteSource::new(SourceSettings {
            path: path.to_owned(),
            ..SourceSettings::default()
        });
        let error = source.unwrap().list_tables().await.unwrap_err();
        assert_eq!(error.code(), code);
        assert!(
            error.to_string().contains(words) && error.hint().is_some(),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_value_that_does_not_fit_is_named() {
    let table = "CREATE TABLE t (id INTEGER PRIMARY KEY, n INT);
        WITH RECURSIVE i(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM i WHERE n < 20000)
        INSERT INTO t SELECT n, n FROM i; UPDATE t SET n = 'many' WHERE id = 9000";
    let error = File::new(table).scan("t").await.unwrap_err();
    assert_eq!(error.code(), "BL6103");
    let words = "`t` (id = 9000) holds in `n` the text 'many', which is not of type int";
    assert!(error.to_string().ends_with(words), "{error}");
    assert!(
        error
            .hint()
            .unwrap()
            .contains("add `t.n` to the connection's AsText")
    );

    let rows = File::with(table, "", "T.N").scan("t").await.unwrap();
    assert_eq!((rows.len(), rows[8999].as_str()), (20_000, "9000|many"));
}

#[tokio::test]
async fn cursors_that_cannot_be_are_refused() {
    let sql = "CREATE TABLE t (id INTEGER PRIMARY KEY, at); CREATE TABLE u (x); CREATE VIEW v AS SELECT 1 AS at";
    for (cursor, table, expected) in [
        ("at", "t", Ok(Some("at"))),
        ("at", "u", Ok(None)),
        ("at", "v", Ok(None)),
        ("rowid", "u", Ok(Some("rowid"))),
        ("t=rowid", "t", Ok(Some("id"))),
        ("T = AT, u=rowid", "t", Ok(Some("at"))),
        ("t=when", "t", Err("`t` has no column `when`")),
        ("v=at", "v", Err("nothing tells the rows of `v` apart")),
    ] {
        let file = File::with(sql, cursor, "");
        match (file.source.find_table(table).await, expected) {
            (Ok(found), Ok(expected)) => {
                let table = found.unwrap();
                let column = table
                    .cursor
                    .as_ref()
                    .map(|it| table.columns[it.column].name.as_str());
                assert_eq!(column, expected, "{cursor}");
            }
            (Err(error), Err(expected)) => {
                assert!(
                    error.code() == "BL6104" && error.to_string().contains(expected),
                    "{error}"
                );
            }
            (found, _) => panic!("{cursor}: {found:?}"),
        }
    }
}

/// What is done with conditions, and the SQL that is shown.
#[tokio::test]
async fn conditions_are_handed_to_sqlite_where_they_mean_the_same() {
    let file = File::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, n INT, x REAL, s TEXT COLLATE NOCASE, d NUMERIC, m, at DATETIME);
         INSERT INTO t VALUES (1, 1, 1.5, 'a', 'ten', 1, '2026-08-10 09:00:00'), (2, 2, 2.5, 'B', 'x', 'y', NULL)",
    );
    let table = file.table("t").await;
    let text = |value: &str| Literal::Text(value.to_owned());
    for (column, operator, values, expected) in [
        (
            "id",
            Operator::GtEq,
            vec![Literal::Int(2)],
            Some("\"id\" >= 2"),
        ),
        (
            "n",
            Operator::In,
            vec![Literal::Int(1), Literal::Int(3)],
            Some("\"n\" IN (1, 3)"),
        ),
        ("n", Operator::IsNull, vec![], Some("\"n\" IS NULL")),
        (
            "x",
            Operator::Lt,
            vec![Literal::Float(2.5)],
            Some("\"x\" < 2.5"),
        ),
        ("x", Operator::Eq, vec![Literal::Float(0.0)], None),
        ("x", Operator::Gt, vec![Literal::Float(f64::NAN)], None),
        (
            "s",
            Operator::Eq,
            vec![text("it's")],
            Some("\"s\" COLLATE BINARY = 'it''s'"),
        ),
        (
            "s",
            Operator::Contains,
            vec![text("b")],
            Some("instr(\"s\", 'b') > 0"),
        ),
        (
            "d",
            Operator::Lt,
            vec![text("5")],
            Some("+\"d\" COLLATE BINARY < '5'"),
        ),
        ("m", Operator::Eq, vec![text("1")], None),
        ("m", Operator::IsNotNull, vec![], Some("\"m\" IS NOT NULL")),
        (
            "at",
            Operator::Gt,
            vec![Literal::Timestamp(chrono::DateTime::UNIX_EPOCH)],
            None,
        ),
    ] {
        let mut request = file.request(&table);
        request.columns = vec![0];
        request.predicates = vec![Predicate {
            column: table.column(column).unwrap(),
            operator,
            values,
        }];
        let plan = file.source.plan(request).unwrap();
        let sql = plan.requests[0].to_string();
        match expected {
            Some(expected) => {
                assert_eq!(plan.predicates[0].pushdown, Pushdown::Exact);
                assert_eq!(sql, format!("SELECT \"id\" FROM \"t\" WHERE {expected}"));
            }
            None => {
                assert_eq!(
                    plan.predicates[0].pushdown,
                    Pushdown::Kept,
                    "{column} {operator}"
                );
                assert_eq!(sql, "SELECT \"id\" FROM \"t\"");
            }
        }
    }
}

/// Rows without a value stand where the query wants them, in SQLite as in the engine.
#[tokio::test]
async fn the_first_rows_are_those_of_the_wanted_order() {
    let file = File::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, i INT, s TEXT COLLATE NOCASE);
         INSERT INTO t VALUES (1, 1, 'b'), (2, NULL, NULL), (3, 3, 'B'), (4, 2, 'a')",
    );
    let table = file.table("t").await;
    for (column, descending, nulls_first, expected) in [
        ("i", false, true, ["NULL", "1"]),
        ("i", false, false, ["1", "2"]),
        ("i", true, true, ["NULL", "3"]),
        ("i", true, false, ["3", "2"]),
        ("s", false, true, ["NULL", "B"]),
        ("s", true, false, ["b", "a"]),
    ] {
        let column = table.column(column).unwrap();
        let request = ScanRequest {
            columns: vec![column],
            order: Some(Order {
                column,
                descending,
                nulls_first,
            }),
            limit: Some(2),
            ..file.request(&table)
        };
        let plan = file.source.plan(request.clone()).unwrap();
        assert!(plan.ordered && plan.limited);
        let rows = file.rows(request, Reading::Scan).await.unwrap().0;
        assert_eq!(rows, expected, "{descending} {nulls_first}");
    }
}

/// A value of another type, far from both ends of a table, is reported even if SQLite would not find that it matches.
#[tokio::test]
async fn a_condition_hides_no_value_of_another_type() {
    let file = File::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, n INT, s TEXT, b BOOLEAN, x REAL);
         WITH RECURSIVE i(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM i WHERE n < 12000)
         INSERT INTO t SELECT n, n, 'a', 1, 1.5 FROM i;
         UPDATE t SET n = 'many', s = x'00', b = 7, x = 'x' WHERE id = 6000",
    );
    let table = file.table("t").await;
    for (column, operator, value) in [
        ("n", Operator::Lt, Literal::Int(5)),
        ("s", Operator::Eq, Literal::Text("b".to_owned())),
        ("s", Operator::Contains, Literal::Text("b".to_owned())),
        ("b", Operator::Eq, Literal::Bool(false)),
        ("x", Operator::Lt, Literal::Float(1.0)),
    ] {
        let column = table.column(column).unwrap();
        let request = ScanRequest {
            columns: vec![0, column],
            predicates: vec![Predicate {
                column,
                operator,
                values: vec![value],
            }],
            ..file.request(&table)
        };
        let plan = file.source.plan(request.clone()).unwrap();
        assert_eq!(plan.predicates[0].pushdown, Pushdown::Narrowing);
        let error = file.rows(request, Reading::Scan).await.unwrap_err();
        assert!(error.to_string().contains("(id = 6000)"), "{error}");
    }
    // The number of the row is always one.
    let mut request = file.request(&table);
    request.columns = vec![0];
    request.predicates = vec![Predicate {
        column: 0,
        operator: Operator::Lt,
        values: vec![Literal::Int(3)],
    }];
    let plan = file.source.plan(request).unwrap();
    assert_eq!(plan.predicates[0].pushdown, Pushdown::Exact);
}

#[tokio::test]
async fn a_text_that_is_not_utf8_is_refused_by_row_and_column() {
    for as_text in ["", "t.s"] {
        let sql = "CREATE TABLE t (id INTEGER PRIMARY KEY, s TEXT);
            INSERT INTO t VALUES (1, 'caf'), (2, CAST(x'636166e9' AS TEXT))";
        let file = File::with(sql, "", as_text);
        let error = file.scan("t").await.unwrap_err();
        assert_eq!(error.code(), "BL6103");
        let words = "`t` (id = 2) holds in `s` a text that is not UTF-8, x'636166e9'";
        assert!(error.to_string().ends_with(words), "{error}");
        assert_eq!(
            error.hint(),
            Some("correct the value, or select the columns without `s`")
        );
        let table = file.table("t").await;
        let request = ScanRequest {
            columns: vec![0],
            ..file.request(&table)
        };
        let rows = file.rows(request, Reading::Scan).await.unwrap().0;
        assert_eq!(rows, ["1", "2"]);
    }
}

/// Whatever the spelling, the rows that come are those of a later moment.
#[tokio::test]
async fn a_cursor_compares_moments_not_their_spellings() {
    for (before, after) in [
        ("2024-06-01T10:00:00Z", "2024-06-01 12:00:00"),
        ("2024-06-01 10:00:00", "2024-06-01T09:30:00-01:00"),
        ("2024-06-01T10:00:00+02:00", "2024-06-01T09:00:00+00:00"),
        ("2024-06-01T10:00:00Z", "2024-06-01T10:00:00.5Z"),
        ("2024-06-01T23:00:00Z", "2024-06-02"),
        ("9", "10"),
    ] {
        let file = File::with(
            &format!(
                "CREATE TABLE t (id INTEGER PRIMARY KEY, at TEXT); INSERT INTO t VALUES (1, '{before}')"
            ),
            "at",
            "",
        );
        let request = file.request(&file.table("t").await);
        let first = Reading::Changes(Checkpoint::default());
        let (_, checkpoint) = file.rows(request.clone(), first).await.unwrap();
        file.execute(&format!("INSERT INTO t VALUES (2, '{after}')"));
        let next = Reading::Changes(checkpoint.unwrap());
        let (rows, checkpoint) = file.rows(request.clone(), next).await.unwrap();
        let both = [format!("1|{before}"), format!("2|{after}")];
        assert_eq!(rows, both, "{before}, {after}");
        let last = Reading::Changes(checkpoint.unwrap());
        assert_eq!(file.rows(request, last).await.unwrap().0, both[1..]);
    }
}

#[tokio::test]
async fn a_cursor_of_several_kinds_of_values_is_refused() {
    for (declared, values, words) in [
        (
            "",
            "1717236000), ('2024-06-01 12:00:00'",
            "holds both 1717236000 and the text '2024-06-01 12:00:00', which have no common order",
        ),
        ("", "'2024-06-01'), ('soon'", "the text 'soon'"),
        ("", "1), (x'00'", "the bytes x'00'"),
        ("DATETIME", "1717236000), (1717236000123", "1717236000123"),
        (
            "TEXT",
            "'01.06.2024'), ('02.05.2024'",
            "do not sort as the moments that they name",
        ),
        (
            "DATE",
            "'June 1st'), ('June 2nd'",
            "do not sort as the moments that they name",
        ),
    ] {
        let sql = format!(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, at {declared}); INSERT INTO t (at) VALUES ({values})"
        );
        let file = File::with(&sql, "at", "");
        let request = file.request(&file.table("t").await);
        let changes = Reading::Changes(Checkpoint::default());
        let error = file.rows(request, changes).await.unwrap_err();
        assert_eq!(error.code(), "BL6104");
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[tokio::test]
async fn changes_come_in_the_order_of_the_cursor() {
    let file = File::with("CREATE TABLE t (id INTEGER PRIMARY KEY, at INT)", "at", "");
    let table = file.table("t").await;
    let request = ScanRequest {
        page_size: Some(2),
        ..file.request(&table)
    };
    let mut checkpoint = Checkpoint::default();
    for (sql, expected) in [
        ("", vec![]),
        (
            "INSERT INTO t VALUES (1, 5), (2, 7), (3, NULL), (4, 6)",
            vec!["3|NULL", "1|5", "4|6", "2|7"],
        ),
        // Rows of the highest value are read again, since others may have got it after them.
        ("INSERT INTO t VALUES (0, 7)", vec!["3|NULL", "0|7", "2|7"]),
        (
            "UPDATE t SET at = 8 WHERE id = 1; DELETE FROM t WHERE id IN (0, 3)",
            vec!["2|7", "1|8"],
        ),
        ("", vec!["1|8"]),
    ] {
        file.execute(sql);
        let changes = Reading::Changes(checkpoint.clone());
        let (rows, last) = file.rows(request.clone(), changes).await.unwrap();
        assert_eq!(rows, expected, "{sql}");
        checkpoint = last.unwrap();
        assert!(checkpoint.is_loaded() && !checkpoint.is_walking());
    }
}

/// A walk that stops after each page and goes on from its checkpoint, while a writer changes rows, misses nothing.
#[tokio::test]
async fn a_walk_that_is_broken_off_goes_on() {
    let file = File::with(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, at INT);
         WITH RECURSIVE i(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM i WHERE n < 50)
         INSERT INTO t SELECT n, n % 7 FROM i",
        "at",
        "",
    );
    let table = file.table("t").await;
    let plan = ScanRequest {
        page_size: Some(4),
        ..file.request(&table)
    };
    let plan = Arc::new(file.source.plan(plan).unwrap());
    let context = ReadContext::new(Arc::new(Nobody));
    let slice = file.source.slices(&plan, &context).await.unwrap().remove(0);
    let mut copy = std::collections::BTreeMap::new();
    let mut checkpoint = Checkpoint::default();
    for step in 0..60_u32 {
        let changes = Reading::Changes(checkpoint.clone());
        let mut pages = file
            .source
            .read(Arc::clone(&plan), &slice, changes, &context);
        let page = pages.next().await.unwrap().unwrap();
        drop(pages);
        for row in texts(&page.rows) {
            let (id, at) = row.split_once('|').unwrap();
            copy.insert(id.to_owned(), at.to_owned());
        }
        checkpoint = page.checkpoint.unwrap();
        if step < 10 {
            let id = step * 5 + 1;
            file.execute(&format!(
                "UPDATE t SET at = (SELECT max(at) FROM t) WHERE id = {id}"
            ));
        }
    }
    let there = file.scan("t").await.unwrap();
    let copied: Vec<_> = (1..=50)
        .map(|id| format!("{id}|{}", copy[&id.to_string()]))
        .collect();
    assert_eq!(copied, there);
}

/// A reader keeps no writer out, whatever the journal, and sees one state of the file where that can be.
#[tokio::test]
async fn a_writer_is_not_kept_out() {
    for (mode, rows) in [("WAL", 3), ("DELETE", 4)] {
        let file = File::new(&format!(
            "PRAGMA journal_mode = {mode}; CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1), (2), (3)"
        ));
        let request = ScanRequest {
            page_size: Some(1),
            ..file.request(&file.table("t").await)
        };
        let plan = Arc::new(file.source.plan(request).unwrap());
        let context = ReadContext::new(Arc::new(Nobody));
        let slice = file.source.slices(&plan, &context).await.unwrap().remove(0);
        // With one page taken and those ahead waiting for room, the thread stands in the middle of the table.
        let mut pages = file.source.read(plan, &slice, Reading::Listing, &context);
        let mut read = pages.next().await.unwrap().unwrap().rows.num_rows();
        let writer = Connection::open(file.path()).unwrap();
        writer
            .busy_timeout(std::time::Duration::from_secs(5))
            .unwrap();
        writer.execute("INSERT INTO t VALUES (9)", []).unwrap();
        while let Some(page) = pages.next().await {
            read += page.unwrap().rows.num_rows();
        }
        assert!(
            read == rows || mode == "DELETE" && read == 3,
            "{mode}: {read}"
        );
    }
}
