//! Standard SELECTs over the same rows, in our engine and in SQLite: the answers have to be the same.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use bucketline::{Event, Session};
use futures::StreamExt;
use rusqlite::types::ValueRef;

use crate::world::{World, small};

/// The tables that the queries read, copied from the sandbox.
const TABLES: &str =
    "REPLICATE Repositories; REPLICATE PullRequests; REPLICATE Issues; REPLICATE Branches;";

/// Each fixes its order, where it has several rows. `{d}` stands for what qualifies a table: in our engine they are
/// the destination's.
const QUERIES: &[&str] = &[
    "SELECT COUNT(*) FROM {d}Issues",
    "SELECT COUNT(*), COUNT(AssigneeUUID), COUNT(DISTINCT State) FROM {d}Issues",
    "SELECT Id, Title FROM {d}Issues WHERE Repository = 'api' ORDER BY Id",
    "SELECT DISTINCT State FROM {d}Issues ORDER BY State",
    "SELECT DISTINCT UPPER(State), LENGTH(State) FROM {d}Issues ORDER BY LENGTH(State) DESC, UPPER(State)",
    "SELECT DISTINCT Id % 3 FROM {d}Issues ORDER BY Id % 3",
    "SELECT State, COUNT(*) FROM {d}PullRequests GROUP BY State ORDER BY State",
    "SELECT State, COUNT(*) FROM {d}Issues GROUP BY State HAVING COUNT(*) > 5 ORDER BY COUNT(*) DESC, State",
    "SELECT Repository, MIN(Id), MAX(Id), SUM(Id) FROM {d}Issues GROUP BY Repository ORDER BY Repository",
    "SELECT Repository, AVG(Id) FROM {d}PullRequests GROUP BY Repository ORDER BY Repository",
    "SELECT Id FROM {d}Issues WHERE Repository = 'web' AND Id BETWEEN 5 AND 9 ORDER BY Id DESC",
    "SELECT Id FROM {d}Issues WHERE Id IN (1, 3, 99) AND Repository <> 'web' ORDER BY Id",
    "SELECT Id FROM {d}Issues WHERE Id NOT IN (1, 3) AND Id < 6 AND Repository = 'api' ORDER BY Id",
    "SELECT Repository, Id FROM {d}Issues WHERE Title LIKE '%list%' ORDER BY Repository, Id",
    "SELECT Repository, Id FROM {d}Issues WHERE Title NOT LIKE '%e%' ORDER BY Repository, Id",
    "SELECT Repository, Id FROM {d}Issues WHERE AssigneeUUID IS NULL ORDER BY Repository, Id",
    "SELECT Repository, Id FROM {d}Issues WHERE AssigneeUUID IS NOT NULL AND (State = 'open' OR State = 'new') ORDER BY Repository, Id",
    "SELECT Repository, Id FROM {d}Issues WHERE NOT (State = 'open' OR Id > 3) ORDER BY Repository, Id",
    "SELECT Id FROM {d}Issues WHERE Repository = 'api' ORDER BY Id LIMIT 3",
    "SELECT Id FROM {d}Issues WHERE Repository = 'api' ORDER BY Id LIMIT 3 OFFSET 4",
    "SELECT Repository, Id, Title FROM {d}Issues ORDER BY Title, Repository, Id LIMIT 10",
    "SELECT Repository, Id FROM {d}Issues ORDER BY AssigneeUUID NULLS FIRST, Repository, Id LIMIT 10",
    "SELECT Repository, Id FROM {d}Issues ORDER BY AssigneeUUID DESC NULLS LAST, Repository, Id LIMIT 10",
    "SELECT r.Slug, i.Id FROM {d}Repositories r JOIN {d}Issues i ON i.RepositoryUUID = r.UUID WHERE i.Id < 3 ORDER BY r.Slug, i.Id",
    "SELECT r.Slug, i.Id FROM {d}Repositories r LEFT JOIN {d}Issues i ON i.RepositoryUUID = r.UUID AND i.Id < 3 ORDER BY r.Slug, i.Id",
    "SELECT r.Slug, COUNT(i.Id) FROM {d}Repositories r LEFT JOIN {d}Issues i ON i.RepositoryUUID = r.UUID GROUP BY r.Slug ORDER BY r.Slug",
    "SELECT a.Id, b.Id FROM {d}Issues a JOIN {d}Issues b ON a.Id + 1 = b.Id AND a.Repository = b.Repository WHERE a.Repository = 'api' AND a.Id < 4 ORDER BY a.Id",
    "SELECT COUNT(*) FROM {d}Repositories a, {d}Repositories b WHERE a.Slug < b.Slug",
    "SELECT COUNT(*) FROM {d}Repositories CROSS JOIN {d}Repositories AS other",
    "SELECT Slug FROM {d}Repositories r WHERE EXISTS (SELECT 1 FROM {d}Issues i WHERE i.RepositoryUUID = r.UUID) ORDER BY Slug",
    "SELECT Slug FROM {d}Repositories r WHERE NOT EXISTS (SELECT 1 FROM {d}Issues i WHERE i.RepositoryUUID = r.UUID) ORDER BY Slug",
    "SELECT Slug FROM {d}Repositories WHERE UUID IN (SELECT RepositoryUUID FROM {d}Issues WHERE State = 'wontfix') ORDER BY Slug",
    "SELECT Repository, Id FROM {d}Issues WHERE Id = (SELECT MAX(Id) FROM {d}Issues) ORDER BY Repository",
    "SELECT State FROM {d}Issues UNION SELECT State FROM {d}PullRequests ORDER BY State",
    "SELECT COUNT(*) FROM (SELECT State FROM {d}Issues UNION ALL SELECT State FROM {d}PullRequests) t",
    "SELECT Id FROM {d}Issues INTERSECT SELECT Id FROM {d}PullRequests ORDER BY Id",
    "SELECT Id FROM {d}Issues EXCEPT SELECT Id FROM {d}PullRequests ORDER BY Id",
    "WITH c AS (SELECT Repository, COUNT(*) AS n FROM {d}PullRequests GROUP BY Repository) SELECT Repository, n FROM c WHERE n > 1 ORDER BY Repository",
    "SELECT t.Repository, t.n FROM (SELECT Repository, COUNT(*) AS n FROM {d}Branches GROUP BY Repository) t ORDER BY t.Repository",
    "SELECT Repository, Id, ROW_NUMBER() OVER (PARTITION BY Repository ORDER BY Id DESC) FROM {d}Issues WHERE Id > 22 ORDER BY Repository, Id",
    "SELECT State, Id, RANK() OVER (ORDER BY State) FROM {d}PullRequests WHERE Repository = 'api' ORDER BY Id",
    "SELECT State, Id, DENSE_RANK() OVER (ORDER BY State) FROM {d}PullRequests WHERE Repository = 'api' ORDER BY Id",
    "SELECT Id, SUM(Id) OVER (ORDER BY Id) FROM {d}Issues WHERE Repository = 'api' ORDER BY Id",
    "SELECT Id, COUNT(*) OVER (PARTITION BY State) FROM {d}Issues WHERE Repository = 'api' ORDER BY Id",
    "SELECT Id, NTILE(4) OVER (ORDER BY Id) FROM {d}Issues WHERE Repository = 'api' ORDER BY Id",
    "SELECT Id, LAG(Id) OVER (ORDER BY Id), LEAD(Id) OVER (ORDER BY Id) FROM {d}Issues WHERE Repository = 'api' ORDER BY Id",
    "SELECT Id, CASE State WHEN 'open' THEN 'yes' WHEN 'new' THEN 'soon' ELSE 'no' END FROM {d}Issues WHERE Repository = 'api' ORDER BY Id",
    "SELECT Id, CASE WHEN Id < 5 THEN 'low' WHEN Id < 10 THEN 'middle' END FROM {d}Issues WHERE Repository = 'api' ORDER BY Id",
    "SELECT Id, COALESCE(AssigneeUUID, 'nobody') FROM {d}Issues WHERE Repository = 'api' ORDER BY Id",
    "SELECT Id, NULLIF(State, 'open') FROM {d}Issues WHERE Repository = 'api' ORDER BY Id",
    "SELECT UPPER(State), LOWER(State), LENGTH(Title) FROM {d}Issues WHERE Repository = 'web' ORDER BY Id",
    "SELECT REPLACE(Title, 'e', '-'), TRIM(Title), SUBSTR(Title, 2, 5) FROM {d}Issues WHERE Repository = 'web' ORDER BY Id",
    "SELECT Id * 2 + 1, Id - 3, Id / 2, Id % 3, -Id FROM {d}Issues WHERE Repository = 'api' ORDER BY Id",
    "SELECT ABS(3 - Id), ROUND(Id / 4.0, 1) FROM {d}Issues WHERE Repository = 'api' ORDER BY Id",
    "SELECT CAST(Id AS VARCHAR) || '-' || Repository FROM {d}Issues WHERE Id < 3 ORDER BY Repository, Id",
    "SELECT SUM(CASE WHEN State = 'open' THEN 1 ELSE 0 END), SUM(Id) FROM {d}Issues",
    "SELECT MIN(Title), MAX(Title) FROM {d}Issues",
    "SELECT COUNT(*), SUM(Id), MIN(Id) FROM {d}Issues WHERE Id > 1000",
    "SELECT Repository FROM {d}Issues GROUP BY Repository ORDER BY MAX(Id) DESC, Repository",
    "SELECT 1 + 2 * 3, 'a' || 'b', NULL IS NULL, 7 / 2, 7 / 2.0",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn standard_queries_answer_as_sqlite_does() {
    let world = World::start(small()).await;
    world.replicate(TABLES).await;
    let session = world.session(&["acme"]);
    let connection = rusqlite::Connection::open(world.file()).unwrap();
    connection
        .execute_batch("PRAGMA case_sensitive_like = ON")
        .unwrap();
    let mut differences = Vec::new();
    for query in QUERIES {
        let ours = ours(&session, &query.replace("{d}", "destination.")).await;
        let theirs = theirs(&connection, &query.replace("{d}", ""));
        if ours != theirs {
            differences.push(format!("{query}\n  ours:   {ours:?}\n  SQLite: {theirs:?}"));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

async fn ours(session: &Session, query: &str) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    let mut events = session.run(query);
    while let Some(event) = events.next().await {
        match event {
            Event::Rows(batch) => rows.extend(texts(&batch)),
            Event::Failed(error) => panic!("{query}: {error}"),
            _ => {}
        }
    }
    rows
}

fn texts(batch: &RecordBatch) -> Vec<Vec<String>> {
    let options = FormatOptions::default().with_null("NULL");
    let columns = batch.columns().iter().map(Arc::as_ref);
    let columns: Vec<_> = columns
        .map(|column| ArrayFormatter::try_new(column, &options).unwrap())
        .collect();
    let row = |row| {
        columns
            .iter()
            .map(|column| alike(&column.value(row).to_string()))
            .collect()
    };
    (0..batch.num_rows()).map(row).collect()
}

fn theirs(connection: &rusqlite::Connection, query: &str) -> Vec<Vec<String>> {
    let mut statement = connection.prepare(query).unwrap();
    let width = statement.column_count();
    let mut found = statement.query([]).unwrap();
    let mut rows = Vec::new();
    while let Some(row) = found.next().unwrap() {
        let cell = |index| match row.get_ref(index).unwrap() {
            ValueRef::Null => "NULL".to_owned(),
            ValueRef::Integer(number) => number.to_string(),
            ValueRef::Real(number) => alike(&format!("{number:?}")),
            ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
            ValueRef::Blob(_) => "a blob".to_owned(),
        };
        rows.push((0..width).map(cell).collect());
    }
    rows
}

/// SQLite has no truth values but 1 and 0.
fn alike(text: &str) -> String {
    match text {
        "true" => "1".to_owned(),
        "false" => "0".to_owned(),
        _ => text.to_owned(),
    }
}
