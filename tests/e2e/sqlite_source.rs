//! SQLite files as sources: SELECTs and copies are those of the file, whatever happens to it meanwhile.

use std::path::Path;

use bucketline::{ConnectionProperties, Event, Mode, Session};
use fastrand::Rng;
use futures::StreamExt;
use rusqlite::Connection;
use tempfile::TempDir;

use crate::world::{Outcome, run};

/// More rows than a page has, twice.
const MANY: u32 = 9_000;

/// A folder with a file `shop.db` that is read, and the destination `copy.db`.
struct Shop {
    folder: TempDir,
}

impl Shop {
    fn new(sql: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let shop = Self { folder };
        shop.open("shop.db").execute_batch(sql).unwrap();
        shop
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn open(&self, file: &str) -> Connection {
        Connection::open(self.path().join(file)).unwrap()
    }

    /// A session that reads a file and copies into another.
    fn session(&self, source: &str, destination: &str, properties: &str) -> Session {
        let text = format!("Type=SQLite;Data Source={source};{properties}");
        let properties = ConnectionProperties::parse("test", &text).unwrap();
        Session::builder()
            .sqlite(self.path().join(destination))
            .connection("shop", properties.in_folder(self.path()))
            .build()
            .unwrap()
    }

    /// Runs a script that must succeed.
    async fn run(&self, properties: &str, script: &str) -> Outcome {
        let session = self.session("shop.db", "copy.db", properties);
        let outcome = run(&session, script).await;
        assert!(outcome.errors.is_empty(), "{script}: {:?}", outcome.errors);
        assert_eq!(outcome.requests, 0, "{script}");
        outcome
    }

    /// Begins a script, and stops it once some rows are committed.
    async fn kill(&self, properties: &str, script: &str) {
        let session = self.session("shop.db", "copy.db", properties);
        let mut events = session.run(script);
        while let Some(event) = events.next().await {
            if matches!(
                event,
                Event::SliceProgress { read: 1.., .. } | Event::Ended { .. }
            ) {
                return;
            }
        }
    }
}

fn rows(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(sql).unwrap();
    let width = statement.column_count();
    let row = |row: &rusqlite::Row<'_>| {
        let cell = |index| row.get::<_, rusqlite::types::Value>(index);
        let cells: rusqlite::Result<Vec<_>> = (0..width).map(cell).collect();
        Ok(format!("{:?}", cells?))
    };
    let rows = statement.query_map([], row).unwrap();
    rows.collect::<rusqlite::Result<_>>().unwrap()
}

/// Some inserts, updates and deletes, each of which gives its row the highest `at` so far or the next one.
fn change(shop: &Connection, random: &mut Rng, at: &mut i64) {
    let transaction = shop.unchecked_transaction().unwrap();
    for _ in 0..random.u32(1..40) {
        *at += random.i64(0..2);
        let id = random.u32(1..=MANY + 500);
        let sql = match random.u32(0..10) {
            0 => format!("DELETE FROM Items WHERE Id = {id}"),
            // Nothing tells when a row without `at` changed.
            1 => format!(
                "INSERT OR REPLACE INTO Items VALUES ({id}, 'n{}', NULL)",
                random.u8(..)
            ),
            _ => format!(
                "INSERT OR REPLACE INTO Items VALUES ({id}, 'x{}', {at})",
                random.u8(..)
            ),
        };
        transaction.execute(&sql, []).unwrap();
    }
    transaction.commit().unwrap();
}

/// Copies by listing and by a cursor follow a file under random changes and kills.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copies_follow_a_file_that_changes() {
    const LISTED: &str = "REPLICATE Listed SELECT * FROM shop.Items";
    const FOLLOWED: &str =
        "REPLICATE Followed SELECT Id, Name FROM shop.Items WHERE Name LIKE 'x%'";
    let cursor = "Cursor=At";
    for seed in 0..3 {
        let mut random = Rng::with_seed(seed);
        let shop = Shop::new(&format!(
            "PRAGMA journal_mode = {}; CREATE TABLE Items (Id INTEGER PRIMARY KEY, Name TEXT, At INT);
             WITH RECURSIVE i(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM i WHERE n < {MANY})
             INSERT INTO Items SELECT n, 'x' || n, n / 50 FROM i",
            if seed == 1 { "DELETE" } else { "WAL" }
        ));
        let file = shop.open("shop.db");
        let mut at = i64::from(MANY);
        for round in 0..4 {
            // A first load that is killed goes on, although the file changes.
            if round < 2 {
                shop.kill(cursor, FOLLOWED).await;
                change(&file, &mut random, &mut at);
                shop.kill("", LISTED).await;
            }
            shop.run("", LISTED).await;
            let there = rows(&file, "SELECT * FROM Items ORDER BY Id");
            let copied = rows(&shop.open("copy.db"), "SELECT * FROM Listed ORDER BY Id");
            assert!(there == copied, "seed {seed}, round {round}");

            let deletes = if round == 3 {
                " WITH DetectDeletes = KEYS"
            } else {
                ""
            };
            let outcome = shop.run(cursor, &format!("{FOLLOWED}{deletes}")).await;
            assert_eq!(outcome.reports[0].mode, Mode::Incremental);
            if round > 0 && deletes.is_empty() {
                assert!(
                    outcome.reports[0].read < 2_000,
                    "{}",
                    outcome.reports[0].read
                );
            }
            // What is deleted stays in the copy until it is looked for; every other row is as it is there.
            let wanted = "SELECT Id, Name FROM Items WHERE Name LIKE 'x%' ORDER BY Id";
            let there = rows(&file, wanted);
            let copy = shop.open("copy.db");
            copy.execute("ATTACH ?1 AS shop", [shop.path().join("shop.db").to_str()])
                .unwrap();
            let kept = match round {
                3 => "",
                _ => "WHERE Id IN (SELECT Id FROM shop.Items)",
            };
            let copied = rows(
                &copy,
                &format!("SELECT Id, Name FROM Followed {kept} ORDER BY Id"),
            );
            assert!(there == copied, "seed {seed}, round {round}");
            change(&file, &mut random, &mut at);
            if round == 2 {
                // Nothing happens between this run's end and the last one's.
                shop.run(cursor, FOLLOWED).await;
            }
        }
    }
}

/// The values that cells and conditions are made from, for each column.
const VALUES: [(&str, &[&str], &[&str]); 8] = [
    (
        "I",
        &["-1", "0", "5", "9007199254740993"],
        &["0", "5", "9007199254740993"],
    ),
    (
        "R",
        &["0.0", "-0.0", "1.5", "3", "1e300", "9e999", "-2.25"],
        &["0.0", "1.5", "3.0", "1e300"],
    ),
    (
        "T",
        &["''", "'a'", "'A'", "'ß'", "'10'", "'9'", "'it''s'", "' a'"],
        &["'a'", "'A'", "'10'", "''", "'ß'"],
    ),
    (
        "N",
        &["'a'", "'A'", "'b'", "'B '", "'b'"],
        &["'a'", "'B'", "'b'"],
    ),
    (
        "D",
        &["'ten'", "'x'", "'a'"],
        &["'5'", "'ten'", "'500'", "'x'"],
    ),
    ("B", &["0", "1"], &["TRUE", "FALSE"]),
    (
        "M",
        &["1", "'1'", "1.5", "x'61'", "'a'", "'61'"],
        &["'1'", "'a'", "'61'", "'1.5'"],
    ),
    (
        "W",
        &[
            "'2026-08-10 09:00:00'",
            "'2026-08-10T11:00:00+02:00'",
            "'2026-08-11'",
        ],
        &["'2026-08-10T09:00:00Z'"],
    ),
];

fn condition(random: &mut Rng, depth: u32) -> String {
    if depth > 0 && random.bool() {
        let word = random.choice(["AND", "AND", "OR"]).unwrap();
        let [left, right] = [condition(random, depth - 1), condition(random, depth - 1)];
        let not = if random.u32(0..5) == 0 { "NOT " } else { "" };
        return format!("{not}({left} {word} {right})");
    }
    let (column, _, literals) = VALUES[random.usize(..VALUES.len())];
    let value = *random.choice(literals).unwrap();
    let other = *random.choice(literals).unwrap();
    match random.u32(0..10) {
        0 => format!("{column} IS NULL"),
        1 => format!("{column} IS NOT NULL"),
        2 => format!("{column} IN ({value}, {other})"),
        3 => format!("{column} NOT IN ({value}, {other})"),
        4 if value.starts_with('\'') && column != "W" => {
            format!("{column} LIKE '%{}%'", value.trim_matches('\''))
        }
        _ if column == "B" => format!("B = {value}"),
        _ => {
            let operator = random.choice(["=", "<>", "<", "<=", ">", ">="]).unwrap();
            format!("{column} {operator} {value}")
        }
    }
}

/// What SQLite is asked changes no result: beneath a limit that no table reaches, all conditions are evaluated here.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_sqlite_answers_is_what_would_be_found_here() {
    let mut random = Rng::with_seed(7);
    let shop = Shop::new(
        "CREATE TABLE Odd (Id INTEGER PRIMARY KEY, I INT, R REAL, T TEXT, N TEXT COLLATE NOCASE, D NUMERIC, B BOOLEAN, M, W DATETIME)",
    );
    let file = shop.open("shop.db");
    for _ in 0..200 {
        let cell = |(_, values, _): (_, &[&'static str], _)| match random.u32(0..6) {
            0 => "NULL",
            _ => random.choice(values.iter().copied()).unwrap(),
        };
        let cells = VALUES.map(cell).join(", ");
        file.execute(&format!("INSERT INTO Odd VALUES (NULL, {cells})"), [])
            .unwrap();
    }
    let session = shop.session("shop.db", "copy.db", "");
    let select = async |sql: &str| {
        let mut found = Vec::new();
        let mut events = session.run(sql);
        while let Some(event) = events.next().await {
            match event {
                Event::Rows(batch) => {
                    let columns = batch.columns().iter();
                    let columns: Vec<_> = columns
                        .map(|column| {
                            arrow::util::display::ArrayFormatter::try_new(
                                column,
                                &Default::default(),
                            )
                            .unwrap()
                        })
                        .collect();
                    found.extend((0..batch.num_rows()).map(|row| {
                        let cells = columns.iter().map(|column| column.value(row).to_string());
                        cells.collect::<Vec<_>>().join("|")
                    }));
                }
                Event::Failed(error) => panic!("{sql}: {error}"),
                _ => {}
            }
        }
        found
    };
    let (mut found, mut pushed) = (0, 0);
    for _ in 0..80 {
        let condition = condition(&mut random, 2);
        let (column, ..) = VALUES[random.usize(..VALUES.len())];
        let direction = random.choice(["ASC", "DESC"]).unwrap();
        let tail = match random.u32(0..3) {
            0 => "Id FROM {} WHERE {?} ORDER BY Id".to_owned(),
            1 => format!("{column} FROM {{}} WHERE {{?}} ORDER BY {column} {direction} LIMIT 7"),
            _ => "count(*) FROM {} WHERE {?}".to_owned(),
        };
        let tail = tail.replace("{?}", &condition);
        let here = tail.replace("{}", "(SELECT * FROM shop.Odd LIMIT 1000000) t");
        let there = format!("SELECT {}", tail.replace("{}", "shop.Odd"));
        let rows = select(&there).await;
        assert_eq!(rows, select(&format!("SELECT {here}")).await, "{there}");
        found += rows.len();
        let plan = select(&format!("EXPLAIN {there}")).await.join("\n");
        pushed += u32::from(plan.contains("filtered by SQLite"));
    }
    assert!(
        found > 150 && pushed > 25,
        "{found} rows, {pushed} conditions"
    );
}

/// A copy is copied with its exact types.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_of_a_copy_has_the_same_types() {
    let shop =
        Shop::new("CREATE TABLE Items (Id INTEGER PRIMARY KEY); INSERT INTO Items VALUES (1)");
    let columns = "Id, CAST(NULL AS TIMESTAMP) AS t, CAST('2026-08-10' AS DATE) AS d, CAST(1 AS DECIMAL(30, 4)) AS n, \
                   TRUE AS b, CAST(2 AS DOUBLE) AS f, CAST('12:00:00' AS TIME) AS h, 'x' AS s, NULL AS z";
    shop.run(
        "",
        &format!("REPLICATE One SELECT {columns} FROM shop.Items"),
    )
    .await;
    let second = shop.session("copy.db", "second.db", "");
    let copied = run(&second, "REPLICATE One SELECT * FROM shop.One").await;
    assert!(copied.errors.is_empty(), "{:?}", copied.errors);
    let schema = async |table: &str| {
        let mut events = second.run(&format!("SELECT * FROM {table}"));
        let (mut fields, mut cells) = (Vec::new(), Vec::new());
        while let Some(event) = events.next().await {
            match event {
                Event::Columns(schema) => {
                    let field = |field: &std::sync::Arc<arrow::datatypes::Field>| {
                        format!("{} {}", field.name(), field.data_type())
                    };
                    fields = schema.fields().iter().map(field).collect();
                }
                Event::Rows(batch) => cells.push(batch),
                Event::Failed(error) => panic!("{error}"),
                _ => {}
            }
        }
        (fields, format!("{cells:?}"))
    };
    let first = schema("shop.One").await;
    assert_eq!(first.0.len(), 9);
    assert!(
        first.0.contains(&"n Decimal128(30, 4)".to_owned()),
        "{:?}",
        first.0
    );
    assert_eq!(first, schema("destination.One").await);
}

/// A table is copied within its own file, and the table itself is nobody's copy.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn source_and_destination_may_be_one_file() {
    let shop = Shop::new(&format!(
        "CREATE TABLE Items (Id INTEGER PRIMARY KEY, Name TEXT);
         WITH RECURSIVE i(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM i WHERE n < {MANY})
         INSERT INTO Items SELECT n, 'x' || n FROM i"
    ));
    let session = shop.session("shop.db", "shop.db", "");
    let copy = "REPLICATE Copy SELECT * FROM shop.Items";
    let outcome = run(&session, copy).await;
    assert!(outcome.errors.is_empty(), "{:?}", outcome.errors);
    let file = shop.open("shop.db");
    file.execute_batch("DELETE FROM Items WHERE Id % 2; UPDATE Items SET Name = 'y' WHERE Id = 2")
        .unwrap();
    let outcome = run(&session, copy).await;
    let counts = outcome.reports[0].counts;
    assert_eq!((counts.updated, counts.deleted), (1, u64::from(MANY) / 2));
    assert!(rows(&file, "SELECT * FROM Items") == rows(&file, "SELECT * FROM Copy ORDER BY Id"));

    let refused = run(&session, "REPLICATE Items SELECT * FROM shop.Items").await;
    assert_eq!(refused.errors[0].code(), "BL7001");
}
