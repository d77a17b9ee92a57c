//! Pushing work to the API never changes a result: random queries of a source's table and of its copy, which is
//! computed here alone, give the same rows.

use std::collections::BTreeMap;

use bucketline::{Event, Session};
use bucketline_bitbucket::tables;
use bucketline_sandbox::Count;
use bucketline_source::spec::{ColumnKind, Origin};
use bucketline_source::{ColumnSpec, Operator, TableSpec};
use futures::StreamExt;

use crate::all_tables::statement;
use crate::world::{World, one, run, small};

/// A column and constants to compare it with, as SQL.
type Subject = (&'static str, &'static [&'static str]);

const ISSUES: &[Subject] = &[
    ("Id", &["3", "11", "20", "24", "99"]),
    ("Repository", &["'api'", "'web'", "'tools'", "'nowhere'"]),
    (
        "State",
        &["'new'", "'open'", "'resolved'", "'closed'", "'no such'"],
    ),
    ("Kind", &["'bug'", "'task'", "'proposal'"]),
    ("Priority", &["'major'", "'minor'"]),
    (
        "Title",
        &[
            "'Address form rounds 0.5 down'",
            "'zzz'",
            "'a \"quoted\" \\ one'",
        ],
    ),
    ("AssigneeDisplayName", &["'User 1'", "'User 2'"]),
    (
        "UpdatedOn",
        &["'2026-01-01'", "'2026-06-15T12:00:00Z'", "'2030-01-01'"],
    ),
    ("CreatedOn", &["'2025-01-01'", "'2026-03-01'"]),
    ("Votes", &["0", "2"]),
];

const PULL_REQUESTS: &[Subject] = &[
    ("Id", &["2", "7", "12"]),
    ("Repository", &["'api'", "'web'", "'tools'"]),
    (
        "State",
        &[
            "'OPEN'",
            "'MERGED'",
            "'DECLINED'",
            "'SUPERSEDED'",
            "'OTHER'",
        ],
    ),
    ("AuthorDisplayName", &["'User 3'", "'User 4'"]),
    ("UpdatedOn", &["'2026-01-01'", "'2026-07-01'"]),
    ("DestinationBranchName", &["'main'", "'develop'"]),
];

fn condition(random: &mut fastrand::Rng, subjects: &[Subject]) -> String {
    let (column, values) = random.choice(subjects).copied().unwrap();
    let value = || random.choice(values).copied().unwrap();
    let text = values[0].starts_with('\'') && !column.ends_with("On");
    let mut value = value;
    let (one, two) = (value(), value());
    match random.u32(0..10) {
        0 => format!("{column} = {one}"),
        1 => format!("{column} <> {one}"),
        2 => format!("{column} < {one}"),
        3 => format!("{column} >= {one}"),
        4 => format!("{column} IN ({one}, {two})"),
        5 => format!("{column} NOT IN ({one}, {two})"),
        6 => format!("{column} IS NULL"),
        7 => format!("{column} IS NOT NULL"),
        8 if text => format!("{column} LIKE '%e%'"),
        _ => format!("{column} BETWEEN {one} AND {two}"),
    }
}

fn conditions(random: &mut fastrand::Rng, subjects: &[Subject]) -> String {
    let parts: Vec<String> = (0..random.usize(1..4))
        .map(|_| match random.u32(0..5) {
            0 => format!(
                "({} OR {})",
                condition(random, subjects),
                condition(random, subjects)
            ),
            1 => format!("NOT ({})", condition(random, subjects)),
            _ => condition(random, subjects),
        })
        .collect();
    parts.join(" AND ")
}

/// The rows that a query gives, as text.
pub(crate) async fn rows(session: &Session, sql: &str) -> Vec<String> {
    let mut events = session.run(sql);
    let mut rows = Vec::new();
    while let Some(event) = events.next().await {
        match event {
            Event::Rows(batch) => {
                let text = arrow::util::pretty::pretty_format_batches(&[batch])
                    .unwrap()
                    .to_string();
                let lines = text.lines().skip(3).filter(|line| line.starts_with('|'));
                rows.extend(
                    lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")),
                );
            }
            Event::Failed(error) => panic!("{sql}: {error}"),
            _ => {}
        }
    }
    rows
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pushdown_changes_no_result() {
    let world = World::start(small()).await;
    world
        .replicate("REPLICATE Issues; REPLICATE PullRequests; REPLICATE Repositories;")
        .await;
    let session = world.session(&["acme"]);
    let cases = std::env::var("CASES")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(120);
    let mut found = 0;
    for seed in 0..cases {
        let mut random = fastrand::Rng::with_seed(seed);
        let (table, subjects) = if random.bool() {
            ("Issues", ISSUES)
        } else {
            ("PullRequests", PULL_REQUESTS)
        };
        let condition = conditions(&mut random, subjects);
        // Ties are broken by the key, but for a limit that the API could take upon itself.
        let (order, limit) = match random.u32(0..4) {
            0 => ("UpdatedOn DESC", format!("LIMIT {}", random.u32(1..8))),
            1 => ("Id", format!("LIMIT {}", random.u32(1..8))),
            _ => ("RepositoryUUID, Id", String::new()),
        };
        // Which of several rows with one place a limit takes is open: then only the places are compared.
        let columns = match order {
            "UpdatedOn DESC" => "UpdatedOn",
            "Id" => "Id",
            _ => "RepositoryUUID, Id, Title, State",
        };
        let (inner, outer) = (random.u32(3..12), random.u32(1..6));
        let shape = random.u32(0..6);
        let select = |from: &str| match shape {
            // A limit of a limit: the inner one decides which rows there are.
            0 => format!(
                "SELECT UpdatedOn FROM (SELECT * FROM {from}.{table} WHERE Repository = 'api' AND {condition} \
                 ORDER BY Id LIMIT {inner}) t ORDER BY UpdatedOn DESC LIMIT {outer}"
            ),
            1 => format!(
                "SELECT t.RepositoryUUID, t.Id FROM (SELECT * FROM {from}.{table} WHERE {condition}) t \
                 JOIN {from}.Repositories r ON r.UUID = t.RepositoryUUID WHERE r.Slug <> 'tools' ORDER BY 1, 2"
            ),
            _ => format!(
                "SELECT {columns} FROM {from}.{table} WHERE {condition} ORDER BY {order} {limit}"
            ),
        };
        let source = rows(&session, &select("acme")).await;
        let copy = rows(&session, &select("destination")).await;
        assert_eq!(source, copy, "seed {seed}: {}", select("acme"));
        found += source.len();
    }
    assert!(
        found > 0,
        "no query found a row: the test would not notice anything"
    );
}

/// A condition on a column that the API can filter by.
struct Filter {
    column: String,
    operator: Operator,
    /// The API's answer is exactly what is asked for.
    exact: bool,
    sql: String,
}

/// The column that is filtered: the parent's, for one that comes from there.
fn filtered<'t>(table: &'t TableSpec, column: &'t ColumnSpec) -> &'t ColumnSpec {
    match (&column.origin, &table.parent) {
        (Origin::Up(above), Some(parent)) => filtered(&parent.table, &parent.table.columns[*above]),
        _ => column,
    }
}

fn literal(kind: ColumnKind, text: &str) -> String {
    match kind {
        ColumnKind::Int | ColumnKind::Float => text.to_owned(),
        ColumnKind::Bool => (text == "1").to_string(),
        ColumnKind::Text | ColumnKind::Timestamp | ColumnKind::Json | ColumnKind::Plain(_) => {
            format!("'{}'", text.replace('\'', "''"))
        }
    }
}

/// Every operator on every column of a table that the API can filter by, with values that rows have and others.
fn filters(table: &TableSpec, values: &BTreeMap<&str, Vec<String>>) -> Vec<Filter> {
    let mut filters = Vec::new();
    for column in &table.columns {
        let spec = filtered(table, column);
        let (name, filter) = (&column.name, &spec.filter);
        let stranger = match spec.kind {
            ColumnKind::Int | ColumnKind::Float => "424242",
            ColumnKind::Bool => "0",
            ColumnKind::Timestamp => "2001-02-03T04:05:06Z",
            ColumnKind::Text | ColumnKind::Json | ColumnKind::Plain(_) => "Nobody's 50% _",
        };
        let known = &values[name.as_str()];
        let some = [known.first(), known.get(known.len() / 2)];
        let mut words: Vec<String> = some.into_iter().flatten().cloned().collect();
        // The service's texts may be equal where SQL's are not.
        words.extend(words.first().map(|word| word.to_uppercase()));
        words.push(stranger.to_owned());
        for operator in filter.exact.iter().chain(&filter.narrowing).copied() {
            let refuses_null = matches!(operator, Operator::NotEq | Operator::NotIn);
            let exact = filter.exact.contains(&operator) && (spec.required || !refuses_null);
            let literals: Vec<String> = words
                .iter()
                .filter(|word| filter.values.is_empty() || filter.values.contains(word))
                .map(|word| literal(spec.kind, word))
                .collect();
            let conditions = match operator {
                Operator::IsNull | Operator::IsNotNull => vec![format!("[{name}] {operator}")],
                Operator::In | Operator::NotIn => {
                    vec![format!("[{name}] {operator} ({})", literals.join(", "))]
                }
                Operator::Contains => words
                    .iter()
                    .map(|word| word.chars().filter(|c| c.is_alphanumeric()).take(3))
                    .map(Iterator::collect::<String>)
                    .filter(|part| !part.is_empty())
                    .map(|part| format!("[{name}] LIKE '%{part}%'"))
                    .collect(),
                _ => literals
                    .iter()
                    .map(|value| format!("[{name}] {operator} {value}"))
                    .collect(),
            };
            filters.extend(conditions.into_iter().map(|sql| Filter {
                column: name.clone(),
                operator,
                exact,
                sql,
            }));
        }
    }
    filters
}

/// The values of the columns that the API can filter or sort by, lowest first.
fn values<'t>(world: &World, table: &'t TableSpec) -> BTreeMap<&'t str, Vec<String>> {
    let rows = crate::truth::rows(&world.sandbox, "acme", table);
    let columns = table.columns.iter().enumerate();
    columns
        .map(|(index, column)| {
            let mut values: Vec<_> = rows.values().filter_map(|row| row[index].clone()).collect();
            values.sort();
            values.dedup();
            (column.name.as_str(), values)
        })
        .collect()
}

/// What narrows a table without the API's filters, so that a query is cheap.
fn within(world: &World, table: &TableSpec) -> Option<String> {
    table.column("Repository")?;
    let mut within = "Repository = 'api'".to_owned();
    if table.parent.as_ref().is_some_and(|parent| parent.bounded) {
        let rows = crate::truth::rows(&world.sandbox, "acme", table);
        let (repository, hash) = (table.column("Repository")?, table.column("CommitHash")?);
        let mut hashes: Vec<_> = rows
            .values()
            .filter(|row| row[repository].as_deref() == Some("api"))
            .filter_map(|row| row[hash].clone())
            .collect();
        hashes.dedup();
        let hashes: Vec<_> = hashes
            .iter()
            .take(3)
            .map(|hash| format!("'{hash}'"))
            .collect();
        within += &format!(" AND CommitHash IN ({})", hashes.join(", "));
    }
    Some(within)
}

async fn everything() -> World {
    World::start(one(|it| {
        it.repositories(2)
            .trackers_off(0)
            .issues(Count::PerRepository(6))
            .pull_requests(Count::PerRepository(5))
            .branches(6)
    }))
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_filter_and_order_of_each_table_changes_no_result() {
    let world = everything().await;
    let session = world.session(&["acme"]);
    let mut found = 0;
    for table in tables() {
        let filters = filters(table, &values(&world, table));
        let orders: Vec<_> = table.columns.iter().filter(|column| column.sort).collect();
        if filters.is_empty() && orders.is_empty() {
            continue;
        }
        let outcome = run(&session, &statement(table, "2000-01-01")).await;
        assert!(
            outcome.errors.is_empty(),
            "{}: {:?}",
            table.name,
            outcome.errors
        );
        let key = table
            .key
            .iter()
            .map(|key| format!("[{}]", table.columns[*key].name));
        let key = key.collect::<Vec<_>>().join(", ");
        let within = within(&world, table);
        let name = &table.name;
        let mut queries: Vec<String> = filters
            .iter()
            .map(|filter| {
                let within = within.iter().map(|within| format!(" AND {within}"));
                let within: String = within.collect();
                format!(
                    "SELECT {key} FROM {{}}.{name} WHERE {}{within} ORDER BY {key}",
                    filter.sql
                )
            })
            .collect();
        let only: String = within
            .iter()
            .map(|within| format!(" WHERE {within}"))
            .collect();
        for column in orders {
            for direction in ["", " DESC"] {
                queries.push(format!(
                    "SELECT [{0}] FROM {{}}.{name}{only} ORDER BY [{0}]{direction} LIMIT 3",
                    column.name
                ));
            }
        }
        for query in queries {
            let source = rows(&session, &query.replace("{}", "acme")).await;
            let copy = rows(&session, &query.replace("{}", "destination")).await;
            assert_eq!(source, copy, "{query}");
            found += source.len();
        }
    }
    assert!(found > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn explain_shows_each_filter_of_each_table() {
    let world = everything().await;
    let session = world.session(&["acme"]);
    for table in tables() {
        let mut filters = filters(table, &values(&world, table));
        filters.dedup_by_key(|filter| (filter.column.clone(), filter.operator));
        for filter in filters {
            let query = format!(
                "EXPLAIN SELECT COUNT(*) FROM acme.{} WHERE {}",
                table.name, filter.sql
            );
            let lines = rows(&session, &query).await;
            let label = if filter.exact {
                "filtered by the API:"
            } else {
                "narrowed by the API, decided here:"
            };
            let shown = lines
                .iter()
                .any(|line| line.contains(label) && line.contains(&filter.column));
            assert!(
                shown,
                "{query} ({}):\n{}",
                filter.operator,
                lines.join("\n")
            );
        }
    }
}
