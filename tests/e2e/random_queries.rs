//! Random queries, answered by the engine and by SQLite: the rows have to be the same.
//!
//! `BUCKETLINE_RANDOM_QUERIES=20000` tries so many rather than a few, and `BUCKETLINE_RANDOM_SEED` others. A query
//! that is answered otherwise is made smaller before it is shown.

mod choices;
mod expression;
mod grammar;

use std::collections::BTreeMap;

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::DataType;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use bucketline::{ConnectionProperties, Event, Session};
use fastrand::Rng;
use futures::StreamExt;
use rusqlite::types::ValueRef;
use tempfile::TempDir;

use self::grammar::{Query, TABLES, Theme, query};

/// So many queries read the same rows.
const PER_DATABASE: u64 = 250;

type Rows = Vec<Vec<String>>;

/// The same tables in a file that is a source, and in the destination.
struct Databases {
    session: Session,
    sqlite: rusqlite::Connection,
    _folder: TempDir,
}

impl Databases {
    fn new(seed: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut random = Rng::with_seed(seed);
        let mut sql = TABLES.to_owned();
        for (table, columns, rows) in [
            ("t1", "iibsrf", 8),
            ("t2", "xibsrf", 7),
            ("t3", "iis", 5),
            ("t5", "iIIS", 5),
        ] {
            for id in 1..=random.u8(1..=rows) {
                let cells = columns.chars().enumerate();
                let cells: Vec<_> = cells
                    .map(|(place, kind)| match (place, kind) {
                        (0, 'i') => (id + id / 4).to_string(),
                        (_, kind) => cell(&mut random, kind),
                    })
                    .collect();
                sql.push_str(&format!(
                    "INSERT INTO {table} VALUES ({});",
                    cells.join(", ")
                ));
            }
        }
        for file in ["shop.db", "copy.db"] {
            let file = rusqlite::Connection::open(folder.path().join(file)).unwrap();
            file.execute_batch(&sql).unwrap();
        }
        let shop = ConnectionProperties::parse("test", "Type=SQLite;Data Source=shop.db").unwrap();
        let session = Session::builder()
            .sqlite(folder.path().join("copy.db"))
            .connection("shop", shop.in_folder(folder.path()))
            .build()
            .unwrap();
        let sqlite = rusqlite::Connection::open_in_memory().unwrap();
        sqlite
            .execute_batch("PRAGMA case_sensitive_like = ON")
            .unwrap();
        sqlite.execute_batch(&sql).unwrap();
        Self {
            session,
            sqlite,
            _folder: folder,
        }
    }

    async fn ours(&self, query: &Query) -> Result<Rows, String> {
        let mut rows = Vec::new();
        let mut failure = None;
        let mut events = self.session.run(&query.ours);
        while let Some(event) = events.next().await {
            match event {
                Event::Rows(batch) => rows.extend(texts(&batch)),
                Event::Failed(error) => failure = Some(format!("{} {error}", error.code())),
                _ => {}
            }
        }
        match failure {
            Some(failure) => Err(failure),
            None => Ok(in_order(rows, query)),
        }
    }

    fn theirs(&self, query: &Query) -> Rows {
        let found = self
            .sqlite
            .prepare(&query.theirs)
            .and_then(|mut statement| {
                let width = statement.column_count();
                let rows = statement.query_map([], |row| {
                    (0..width)
                        .map(|index| Ok(value(row.get_ref(index)?)))
                        .collect()
                })?;
                rows.collect()
            });
        match found {
            Ok(rows) => in_order(rows, query),
            Err(error) => panic!("SQLite cannot read a query: {error}\n{}", query.theirs),
        }
    }

    async fn differ(&self, query: &Query) -> bool {
        self.ours(query)
            .await
            .is_ok_and(|rows| rows != self.theirs(query))
    }
}

/// Few different values, so that there are doubles and matches.
fn cell(random: &mut Rng, kind: char) -> String {
    if kind.is_lowercase() && random.u8(..5) == 0 {
        return "NULL".to_owned();
    }
    match kind.to_ascii_lowercase() {
        's' => format!(
            "'{}'",
            random.choice(["a", "b", "B", "ab", "ba", ""]).unwrap()
        ),
        'r' => format!("{:?}", f64::from(random.i8(-3..6)) / 2.0),
        'f' => random.u8(..2).to_string(),
        _ => random.i8(-1..5).to_string(),
    }
}

fn in_order(mut rows: Rows, query: &Query) -> Rows {
    if !query.is_ordered {
        rows.sort();
    }
    rows
}

fn texts(batch: &RecordBatch) -> Rows {
    let options = FormatOptions::default().with_null("NULL");
    let mut rows = vec![Vec::new(); batch.num_rows()];
    for column in batch.columns() {
        let formatter = ArrayFormatter::try_new(column.as_ref(), &options).unwrap();
        for (index, row) in rows.iter_mut().enumerate() {
            let text = formatter.value(index).to_string();
            row.push(match column.data_type() {
                // SQLite has no truth values but 1 and 0.
                DataType::Boolean if text == "true" => "1".to_owned(),
                DataType::Boolean if text == "false" => "0".to_owned(),
                DataType::Float64 if column.is_valid(index) => real(text.parse().unwrap()),
                DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
                    if column.is_valid(index) =>
                {
                    format!("'{text}'")
                }
                _ => text,
            });
        }
    }
    rows
}

fn value(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => real(number),
        ValueRef::Text(text) => format!("'{}'", String::from_utf8_lossy(text)),
        ValueRef::Blob(_) => "a blob".to_owned(),
    }
}

fn real(number: f64) -> String {
    // Minus zero is zero.
    format!("{:?}", number + 0.0)
}

/// What became of some queries.
#[derive(Default)]
struct Tally {
    queries: u64,
    /// Rows that both sides gave.
    rows: usize,
    /// Why some were refused: how many, and one of them.
    refused: BTreeMap<String, (u64, String)>,
    wrong: Vec<String>,
}

impl Tally {
    async fn of(theme: Theme, seeds: std::ops::Range<u64>) -> Self {
        let mut tally = Self::default();
        let mut databases = None;
        for seed in seeds {
            if databases.is_none() || seed % PER_DATABASE == 0 {
                databases = Some(Databases::new(seed / PER_DATABASE));
            }
            let Some(databases) = &databases else {
                continue;
            };
            let numbers = choices::random(seed);
            let made = query(&numbers, theme);
            tally.queries += 1;
            match databases.ours(&made).await {
                Err(why) => {
                    let why = why.lines().next().unwrap_or_default().to_owned();
                    let count = tally.refused.entry(why).or_insert((0, made.ours));
                    count.0 += 1;
                }
                Ok(rows) if rows == databases.theirs(&made) => tally.rows += rows.len(),
                Ok(_) => {
                    let fails =
                        async |numbers: &[u32]| databases.differ(&query(numbers, theme)).await;
                    let numbers = choices::reduced(numbers, fails).await;
                    let made = query(&numbers, theme);
                    tally.wrong.push(format!(
                        "seed {seed}\n  {}\n  SQLite: {}\n  ours:   {:?}\n  SQLite: {:?}",
                        made.ours,
                        made.theirs,
                        databases.ours(&made).await,
                        databases.theirs(&made)
                    ));
                    eprintln!("{}", tally.wrong.last().unwrap());
                    if tally.wrong.len() >= 25 {
                        break;
                    }
                }
            }
        }
        tally
    }

    fn report(&self) -> String {
        let mut text = format!("{} queries, {} rows", self.queries, self.rows);
        for (why, (count, example)) in &self.refused {
            text.push_str(&format!("\n{count} times {why}\n    {example}"));
        }
        text
    }
}

/// The seeds of a test: `few` of them unless the environment says otherwise.
fn seeds(few: u64) -> std::ops::Range<u64> {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let first = number("BUCKETLINE_RANDOM_SEED").unwrap_or(0);
    first..first + number("BUCKETLINE_RANDOM_QUERIES").unwrap_or(few)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_joins_answer_as_sqlite_does() {
    let tally = Tally::of(Theme::Joins, seeds(200)).await;
    eprintln!("{}", tally.report());
    assert!(tally.wrong.is_empty(), "{}", tally.wrong.join("\n"));
    assert!(tally.refused.is_empty(), "{}", tally.report());
}

/// 12320: a join on a product that is minus zero.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queries_that_once_were_answered_otherwise_are_answered_as_sqlite_does() {
    for seed in [12_320] {
        let tally = Tally::of(Theme::All, seed..seed + 1).await;
        assert!(tally.wrong.is_empty(), "{}", tally.wrong.join("\n"));
        assert!(tally.refused.is_empty(), "{}", tally.report());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_queries_answer_as_sqlite_does() {
    let tally = Tally::of(Theme::All, seeds(250)).await;
    eprintln!("{}", tally.report());
    assert!(tally.wrong.is_empty(), "{}", tally.wrong.join("\n"));
    // Few are refused, and those for a reason.
    let is_told = |why: &String| why.starts_with("BL5007 ");
    assert!(tally.refused.keys().all(is_told), "{}", tally.report());
    let refused: u64 = tally.refused.values().map(|(count, _)| count).sum();
    assert!(refused * 25 <= tally.queries, "{}", tally.report());
}
