//! Every table of Bitbucket, replicated and held against what the sandbox has.

use std::collections::{BTreeMap, BTreeSet};

use bucketline_bitbucket::tables;
use bucketline_sandbox::{Change, Count};
use bucketline_source::TableSpec;
use bucketline_source::spec::{ChildRows, ParentTable, Revisit, SliceKind, Strategy};
use chrono::{DateTime, TimeDelta, Utc};

use crate::changes::Changes;
use crate::truth::{self, Row, Rows};
use crate::world::{Outcome, World, one, run};

/// A workspace that has something for every table.
async fn world() -> World {
    let mut config = one(|it| {
        it.repositories(3)
            .issues(Count::PerRepository(8))
            .pull_requests(Count::PerRepository(8))
            .branches(4)
    });
    for workspace in &mut config.workspaces {
        workspace.pipelines = 6;
    }
    World::start(config).await
}

/// The condition of a table that a statement must bound.
fn bound(world: &World, table: &TableSpec) -> Option<String> {
    table.parent.as_ref().filter(|parent| parent.bounded)?;
    Some(match table.name.as_str() {
        "CommitStatuses" | "CommitComments" | "CommitReports" | "ReportAnnotations"
        | "Diffstat" => "CommitDate >= '2000-01-01'".to_owned(),
        // The sandbox tells the trees of the main branches' tips alone.
        "SourceFiles" => {
            let tips = commits(table, &truth::rows(&world.sandbox, "acme", table));
            let tips: Vec<_> = tips.iter().map(|tip| format!("'{tip}'")).collect();
            format!("CommitHash IN ({})", tips.join(", "))
        }
        name => panic!("{name} must be bounded, and nothing says how"),
    })
}

/// The commits that the rows of a table hang on.
fn commits(table: &TableSpec, rows: &Rows) -> BTreeSet<String> {
    let hash = table.column("CommitHash").unwrap();
    rows.values().filter_map(|row| row[hash].clone()).collect()
}

/// The statement that replicates a table whole.
fn statement(world: &World, table: &TableSpec) -> String {
    match bound(world, table) {
        Some(bound) => format!("REPLICATE {0} SELECT * FROM {0} WHERE {bound};", table.name),
        None => format!("REPLICATE {};", table.name),
    }
}

/// Replicates a table as a process of its own would.
async fn replicate(world: &World, statement: &str) -> Outcome {
    let outcome = run(&world.session(&["acme"]), statement).await;
    assert!(
        outcome.errors.is_empty(),
        "{statement}: {:?}",
        outcome.errors
    );
    outcome
}

fn assert_equal(world: &World, when: &str) {
    let mut wrong = Vec::new();
    for table in tables() {
        let truth = truth::rows(&world.sandbox, "acme", table);
        let copy = truth::copy(world, table, &table.name);
        let differences = truth::differences(table, &copy, &truth);
        wrong.extend(differences.into_iter().take(5));
    }
    assert!(wrong.is_empty(), "{when}:\n{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_table_is_what_the_source_holds() {
    let world = world().await;
    let statements: BTreeMap<_, _> = tables()
        .iter()
        .map(|table| (&table.name, statement(&world, table)))
        .collect();
    for statement in statements.values() {
        replicate(&world, statement).await;
    }
    assert_equal(&world, "after the first run");

    let mut dear = Vec::new();
    for table in tables() {
        let outcome = replicate(&world, &statements[&table.name]).await;
        let counts = &outcome.reports[0].counts;
        let written = counts.inserted + counts.updated + counts.deleted;
        assert_eq!(written, 0, "{}: nothing had changed", table.name);
        let (made, said) = (outcome.requests, Unchanged(&world).run(table));
        if made != said {
            dear.push(format!(
                "{}: {made} requests, and its page says {said}",
                table.name
            ));
        }
    }
    assert!(dear.is_empty(), "{}", dear.join("\n"));
}

/// What a run that finds nothing new costs, by the rules on the tables' pages.
struct Unchanged<'w>(&'w World);

impl Unchanged<'_> {
    fn run(&self, table: &TableSpec) -> u64 {
        // The repositories' list, or the workspace that the copy belongs to.
        1 + match table.name.as_str() {
            // Its details are those of each workspace.
            "Workspaces" => 2,
            _ if table.unchanged_by_proof => 0,
            _ => self.lists(table),
        }
    }

    /// The requests of the lists of a table, and of those that it hangs on.
    fn lists(&self, table: &TableSpec) -> u64 {
        let Some(parent) = &table.parent else {
            let read = self.read(table, None);
            let pages = |rows: usize| rows.div_ceil(table.page_size).max(1) as u64;
            return self
                .slices(table)
                .iter()
                .map(|slice| {
                    pages(
                        read.iter()
                            .filter(|row| slice_of(table, row) == *slice)
                            .count(),
                    )
                })
                .sum();
        };
        let again = parent.also.iter().count() * self.slices(table).len();
        let visited = match table.name.as_str() {
            "SourceFiles" => commits(table, &truth::rows(&self.0.sandbox, "acme", table)).len(),
            _ => self.visited(parent),
        };
        let each = match (&parent.rows, table.name.as_str()) {
            (ChildRows::Nested { .. }, _) => 0,
            // The address leads to another one.
            (_, "PullRequestDiffstat") => 2,
            _ => 1,
        };
        self.lists(&parent.table) + again as u64 + visited as u64 * each
    }

    fn slices(&self, table: &TableSpec) -> Vec<String> {
        match table.slice {
            SliceKind::Account | SliceKind::Workspace => vec![String::new()],
            SliceKind::Repository => {
                let repositories = tables()
                    .iter()
                    .find(|it| it.name == "Repositories")
                    .unwrap();
                let rows = truth::rows(&self.0.sandbox, "acme", repositories);
                rows.into_keys().collect()
            }
        }
    }

    fn visited(&self, parent: &ParentTable) -> usize {
        self.read(&parent.table, parent.also.as_ref()).len()
    }

    /// The rows that are read again though nothing changed.
    fn read(&self, table: &TableSpec, also: Option<&Revisit>) -> Vec<Row> {
        let mut rows: Vec<Row> = truth::rows(&self.0.sandbox, "acme", table)
            .into_values()
            .collect();
        let (column, look_back) = match table.strategy() {
            Strategy::Cursor(cursor) => (cursor.column, cursor.look_back),
            Strategy::Feed(feed) => (feed.column, feed.look_back),
            _ => return rows,
        };
        let look_back = also.map_or(look_back, |also| look_back.max(also.within));
        let time = |row: &Row| -> DateTime<Utc> { row[column].as_ref().unwrap().parse().unwrap() };
        let mut marks: BTreeMap<String, DateTime<Utc>> = BTreeMap::new();
        for row in &rows {
            let mark = marks.entry(slice_of(table, row)).or_insert(time(row));
            *mark = time(row).max(*mark);
        }
        let look_back = TimeDelta::from_std(look_back).unwrap();
        let lasting = |row: &Row| {
            also.is_some_and(|also| {
                let value = row[also.column].clone().unwrap_or_default();
                also.values.contains(&value)
            })
        };
        rows.retain(|row| time(row) >= marks[&slice_of(table, row)] - look_back || lasting(row));
        rows
    }
}

fn slice_of(table: &TableSpec, row: &Row) -> String {
    let uuid = table
        .column("RepositoryUUID")
        .filter(|_| table.slice == SliceKind::Repository);
    uuid.and_then(|column| row[column].clone())
        .unwrap_or_default()
}
