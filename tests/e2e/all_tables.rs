//! Every table of Bitbucket, replicated and held against what the sandbox has.

use std::collections::BTreeMap;

use bucketline_bitbucket::tables;
use bucketline_sandbox::{Change, Count};
use bucketline_source::TableSpec;
use bucketline_source::spec::{ChildRows, Revisit, SliceKind, Strategy};
use chrono::{DateTime, TimeDelta, Utc};

use crate::blind_spots::surprises;
use crate::changes::Changes;
use crate::pushdown::rows;
use crate::truth::{self, Row};
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

/// Before all commits.
const SINCE: &str = "2000-01-01";

/// The tables that a statement must bound.
const BOUNDED: [&str; 6] = [
    "CommitStatuses",
    "CommitComments",
    "CommitReports",
    "ReportAnnotations",
    "Diffstat",
    "SourceFiles",
];

/// The statement that replicates a table, what hangs on commits of these days and later ones.
pub(crate) fn statement(table: &TableSpec, since: &str) -> String {
    let bounded = table.parent.as_ref().is_some_and(|parent| parent.bounded);
    assert_eq!(
        bounded,
        BOUNDED.contains(&table.name.as_str()),
        "{}",
        table.name
    );
    if bounded {
        format!(
            "REPLICATE {0} SELECT * FROM {0} WHERE CommitDate >= '{since}';",
            table.name
        )
    } else {
        format!("REPLICATE {};", table.name)
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
        wrong.extend(differences.iter().take(5).map(|one| one.of(table)));
    }
    assert!(wrong.is_empty(), "{when}:\n{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_table_is_what_the_source_holds() {
    let world = world().await;
    let statements: BTreeMap<_, _> = tables()
        .iter()
        .map(|table| (&table.name, statement(table, SINCE)))
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

    let mut changes = Changes::new(1, &world.sandbox);
    changes.each_kind();
    changes.settle();
    for statement in statements.values() {
        replicate(&world, statement).await;
    }
    let surprises: Vec<_> = tables()
        .iter()
        .flat_map(|table| surprises(&world, table, SINCE, &changes.reruns))
        .collect();
    assert!(surprises.is_empty(), "{}", surprises.join("\n"));
}

/// Columns for which the sandbox has no value, by how their names begin.
const WITHOUT_VALUE: [&[(&str, &str)]; 4] = [
    // The schemas have them, and no change makes the sandbox need them.
    &[
        ("Workspaces", "Administrator"),
        ("IssueComments", "Deleted"),
        ("IssueComments", "ParentId"),
        ("IssueChanges", "Name"),
        ("SnippetComments", "ParentId"),
        ("Repositories", "Parent"),
        ("PullRequests", "DestinationBranchMergeStrategies"),
        ("PullRequests", "DestinationBranchDefaultMergeStrategy"),
        ("Branches", "TargetParticipants"),
        ("PullRequestComments", "InlineFrom"),
        ("PullRequestComments", "InlineStart"),
        ("CommitComments", "InlineFrom"),
        ("CommitComments", "InlineStart"),
        ("PullRequestDiffstat", "OldAttributes"),
        ("PullRequestDiffstat", "NewAttributes"),
        ("Diffstat", "OldAttributes"),
        ("Diffstat", "NewAttributes"),
        ("Pipelines", "StateResultError"),
        ("PipelineSteps", "StateResultError"),
        ("Deployments", "StateTriggerUrl"),
        ("PipelineSchedules", "TargetCommitHash"),
        ("BranchingModel", "ProductionBranch"),
        ("EffectiveBranchingModel", "ProductionBranch"),
        ("BranchingModelSettings", "DevelopmentName"),
        ("BranchRestrictions", "BranchType"),
        ("DeployKeys", "Owner"),
        ("Downloads", "UserUsername"),
        ("DefaultReviewers", "CreatedOn"),
        ("Users", "CreatedOn"),
        ("Watchers", "CreatedOn"),
        ("WorkspaceMembers", "LastAccessed"),
        ("WorkspacePermissions", "LastAccessed"),
        ("Forks", "Project"),
        ("Forks", "ForkWorkspaceUUID"),
        ("Forks", "Owner"),
        ("Projects", "OwnerLinksMembersHref"),
        ("Projects", "OwnerLinksProjectsHref"),
        ("Projects", "OwnerLinksRepositoriesHref"),
    ],
    // No schema has them.
    &[
        ("Repositories", "EnforcedSignedCommits"),
        ("PullRequestStatuses", "UUID"),
        ("CommitStatuses", "UUID"),
        ("SourceFiles", "Mimetype"),
        ("PullRequestActivity", "UpdateChanges"),
        ("Pipelines", "TriggerName"),
        ("PipelineSteps", "Name"),
        ("Webhooks", "LinksSelfHref"),
        ("WorkspaceWebhooks", "LinksSelfHref"),
        ("Snippets", "LinksHtmlHref"),
    ],
    // A workspace that owns something has none.
    &[
        ("Projects", "OwnerNickname"),
        ("Projects", "OwnerAccountId"),
        ("Repositories", "OwnerNickname"),
        ("Repositories", "OwnerAccountId"),
        ("Snippets", "OwnerNickname"),
        ("Snippets", "OwnerAccountId"),
        ("Projects", "OwnerKind"),
        ("Projects", "OwnerAiAgent"),
        ("Projects", "OwnerAccountStatus"),
        ("Repositories", "OwnerKind"),
        ("Repositories", "OwnerAiAgent"),
        ("Repositories", "OwnerAccountStatus"),
        ("Snippets", "OwnerKind"),
        ("Snippets", "OwnerAiAgent"),
        ("Snippets", "OwnerAccountStatus"),
    ],
    // Only apps have a kind, and these are people in the sandbox. Nothing stops its pipelines.
    &[
        ("Branches", "TargetAuthorUserKind"),
        ("Branches", "TargetCommitterUserKind"),
        ("PullRequestTasks", "CreatorKind"),
        ("Pipelines", "StateResultTerminator"),
        ("PipelineSteps", "StateStageName"),
        ("PipelineSteps", "StateResultTerminator"),
        ("DefaultReviewers", "Kind"),
        ("Tags", "TaggerUserKind"),
        ("EffectiveDefaultReviewers", "UserKind"),
        ("WorkspaceMembers", "UserKind"),
        ("ProjectUserPermissions", "UserKind"),
        ("Users", "Kind"),
        ("WorkspacePermissions", "UserKind"),
        ("RepositoryPermissions", "UserKind"),
        ("ProjectDefaultReviewers", "UserKind"),
        ("RepositoryUserPermissions", "UserKind"),
        ("Watchers", "Kind"),
        ("Snippets", "CreatorKind"),
        ("SnippetCommits", "AuthorUserKind"),
        ("SnippetCommits", "CommitterUserKind"),
    ],
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_column_has_a_value_somewhere() {
    let world = world().await;
    let mut open = Vec::new();
    for table in tables() {
        let rows = truth::rows(&world.sandbox, "acme", table);
        assert!(
            !rows.is_empty(),
            "the sandbox has nothing for {}",
            table.name
        );
        for (index, column) in table.columns.iter().enumerate() {
            let mut without = WITHOUT_VALUE.iter().copied().flatten();
            let never =
                without.any(|(of, start)| *of == table.name && column.name.starts_with(start));
            if never != rows.values().all(|row| row[index].is_none()) {
                open.push(format!("{}.{}", table.name, column.name));
            }
        }
    }
    assert!(open.is_empty(), "{}", open.join("\n"));
}

/// The token's scopes that reading a table takes: its own, and those of what it is found by.
fn scopes(table: &TableSpec) -> Vec<String> {
    let mut scopes = vec![table.scopes.token.clone()];
    scopes.extend(match table.slice {
        SliceKind::Repository => vec!["read:repository:bitbucket".to_owned()],
        SliceKind::Workspace | SliceKind::Account => vec!["read:workspace:bitbucket".to_owned()],
    });
    let above = table.parent.as_ref().map(|parent| &parent.table);
    scopes.extend(above.map(|above| self::scopes(above)).into_iter().flatten());
    scopes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_scopes_on_its_page_are_enough_to_read_a_table_and_none_can_be_missed() {
    let world = world().await;
    let set = |scopes: &[String]| {
        world
            .sandbox
            .apply(Change::SetScopes {
                credential: "acme-api-token".to_owned(),
                scopes: scopes.to_vec(),
            })
            .unwrap();
    };
    for table in tables() {
        // One commit is as good as many.
        let statement = statement(table, "2030-01-01").replace("REPLICATE", "SELECT * FROM");
        let needed = scopes(table);
        set(&needed);
        let session = world.session(&["acme"]);
        let statement = match statement.split_once("WHERE") {
            Some((_, bound)) => format!("SELECT COUNT(*) FROM {} WHERE {bound}", table.name),
            None => format!("SELECT COUNT(*) FROM {};", table.name),
        };
        let outcome = run(&session, &statement).await;
        assert!(
            outcome.errors.is_empty(),
            "{} {needed:?}: {:?}",
            table.name,
            outcome.errors
        );
        for scope in &needed {
            let mut others = needed.clone();
            others.retain(|other| other != scope);
            set(&others);
            let session = world.session(&["acme"]);
            let outcome = run(&session, &statement).await;
            assert!(!outcome.errors.is_empty(), "{} without {scope}", table.name);
        }
    }
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
        let visited = self.read(&parent.table, parent.also.as_ref()).len();
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_is_named_has_its_rows() {
    let world = world().await;
    let session = world.session(&["acme"]);
    for table in tables()
        .iter()
        .filter(|table| BOUNDED.contains(&table.name.as_str()))
    {
        let truth = truth::rows(&world.sandbox, "acme", table);
        let (repository, hash) = (
            table.column("Repository").unwrap(),
            table.column("CommitHash").unwrap(),
        );
        let commit = truth.values().next().unwrap();
        let name = |column: usize| commit[column].clone().unwrap();
        let expected = truth
            .values()
            .filter(|row| row[hash] == commit[hash])
            .count();
        for columns in ["COUNT(CommitHash)", "COUNT(CommitDate)"] {
            let query = format!(
                "SELECT {columns} FROM {} WHERE Repository = '{}' AND CommitHash = '{}'",
                table.name,
                name(repository),
                name(hash)
            );
            let found = rows(&session, &query).await;
            assert_eq!(found, [format!("| {expected} |")], "{query}");
        }
    }
}
