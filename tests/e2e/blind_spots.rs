//! What copies need not show, as the tables' pages say it.

use std::collections::BTreeSet;

use bucketline_sandbox::Change;
use bucketline_source::TableSpec;
use bucketline_source::spec::{SliceKind, Strategy};
use chrono::{DateTime, TimeDelta, Utc};

use crate::truth::{self, Difference, Row, Rows, What};
use crate::world::{World, small};

/// A sentence among a table's blind spots, and the differences that it stands for.
struct BlindSpot {
    table: &'static str,
    says: &'static str,
    excuses: fn(&View<'_>, &Difference) -> bool,
}

const BLIND_SPOTS: [BlindSpot; 5] = [
    BlindSpot {
        table: "PullRequestActivity",
        says: "An entry stays as it was read: a comment that is edited or deleted, or a new title, is not seen.",
        excuses: |view, difference| {
            let value = |name| difference.row[view.table.column(name).unwrap()].as_deref();
            match difference.what {
                What::Differs(column) => {
                    let column = &view.table.columns[column].name;
                    column.starts_with("Comment") || column == "PullRequestTitle"
                }
                // A deleted comment has lost its author, whom it is known by.
                What::Lacks => {
                    value("CommentDeleted") == Some("1") && value("ActorUUID") == Some("")
                }
                What::Leftover => false,
            }
        },
    },
    BlindSpot {
        table: "Pipelines",
        says: "A finished pipeline is not read again: steps of it that are run once more are not seen.",
        excuses: |view, difference| view.is_rerun(&difference.row, "UUID"),
    },
    BlindSpot {
        table: "PipelineSteps",
        says: "A finished pipeline is not visited again: steps of it that are run once more are not seen.",
        excuses: |view, difference| view.is_rerun(&difference.row, "PipelineUUID"),
    },
    BlindSpot {
        table: "PullRequestStatuses",
        says: "A build result that comes more than a week after its pull request was closed is not seen.",
        excuses: |view, difference| {
            let request = view.above(&difference.row);
            request.is_some_and(|request| {
                let column = |name| view.parent().column(name).unwrap();
                let state = request[column("State")].as_deref();
                let moved: DateTime<Utc> = request[column("UpdatedOn")]
                    .as_ref()
                    .unwrap()
                    .parse()
                    .unwrap();
                state != Some("OPEN") && moved < view.world.sandbox.now() - TimeDelta::weeks(1)
            })
        },
    },
    BlindSpot {
        table: "PullRequestCommits",
        says: "Bitbucket lists no commits once the source branch is gone: those of a pull request whose branch went before its first visit are never seen, and the others stay.",
        excuses: |_, difference| difference.what == What::Leftover,
    },
];

/// A table, and what the source has of it and of its parents.
struct View<'v> {
    world: &'v World,
    table: &'v TableSpec,
    truth: Rows,
    /// The rows of the table that it hangs on.
    parents: Rows,
    /// UUIDs of the pipelines of which something was run once more.
    reruns: &'v BTreeSet<String>,
}

impl View<'_> {
    fn parent(&self) -> &TableSpec {
        &self.table.parent.as_ref().unwrap().table
    }

    fn is_rerun(&self, row: &Row, column: &str) -> bool {
        let uuid = &row[self.table.column(column).unwrap()];
        uuid.as_ref().is_some_and(|uuid| self.reruns.contains(uuid))
    }

    /// The row that a row hangs on, if the source has it.
    fn above(&self, row: &Row) -> Option<&Row> {
        let parent = self.table.parent.as_ref()?;
        let mut named = parent.owner(self.table);
        let slice = |table: &TableSpec| table.column("RepositoryUUID");
        named.extend(slice(self.table).zip(slice(&parent.table)));
        self.parents
            .values()
            .find(|above| named.iter().all(|(own, of)| row[*own] == above[*of]))
    }

    /// Whether the source has no row beside one, in the same list of repositories or workspaces.
    fn is_empty_beside(&self, row: &Row) -> bool {
        let slice = self.table.column("RepositoryUUID");
        let slice = slice.filter(|_| self.table.slice == SliceKind::Repository);
        let beside = |other: &Row| slice.is_none_or(|column| other[column] == row[column]);
        !self.truth.values().any(beside)
    }

    /// Whether the table's page says that such a difference may be.
    fn excuses(&self, difference: &Difference) -> bool {
        let leftover = difference.what == What::Leftover;
        let stays = match self.table.strategy() {
            Strategy::Cursor(_) | Strategy::Feed(_) | Strategy::Heads(_) => true,
            Strategy::Parent(_) => self.above(&difference.row).is_none(),
            // An empty list is not believed.
            Strategy::Whole => self.is_empty_beside(&difference.row),
        };
        (leftover && stays)
            || BLIND_SPOTS
                .iter()
                .filter(|spot| spot.table == self.table.name)
                .any(|spot| (spot.excuses)(self, difference))
    }
}

/// How the copy of a table differs from the source, but for what its page says, a line for each. What hangs on
/// commits is there for those since a day.
pub(crate) fn surprises(
    world: &World,
    table: &TableSpec,
    since: &str,
    reruns: &BTreeSet<String>,
) -> Vec<String> {
    let parents = match &table.parent {
        Some(parent) => truth::rows(&world.sandbox, "acme", &parent.table),
        None => Rows::new(),
    };
    let mut truth = truth::rows(&world.sandbox, "acme", table);
    if let Some(date) = table.column("CommitDate") {
        truth.retain(|_, row| row[date].as_deref() >= Some(since));
    }
    let view = View {
        world,
        table,
        truth,
        parents,
        reruns,
    };
    let copy = truth::copy(world, table, &table.name);
    let differences = truth::differences(table, &copy, &view.truth);
    let open = differences.iter().filter(|one| !view.excuses(one));
    open.map(|one| one.of(table)).collect()
}

#[test]
fn the_blind_spots_are_those_of_the_pages() {
    for spot in &BLIND_SPOTS {
        let table = bucketline_bitbucket::tables()
            .iter()
            .find(|table| table.name == spot.table)
            .unwrap();
        let said = table
            .blind_spots
            .iter()
            .any(|sentence| sentence == spot.says);
        assert!(said, "{} does not say: {}", spot.table, spot.says);
    }
}

/// As the tables' index says it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rename_shows_in_the_repository_of_all_rows_and_elsewhere_where_a_row_is_read_anew() {
    let world = World::start(small()).await;
    let rows = |condition: &str| {
        world.number(&format!(
            "SELECT COUNT(*) FROM PullRequests WHERE {condition}"
        ))
    };
    world.replicate("REPLICATE PullRequests").await;
    let before = rows("Repository = 'api'");
    assert!(before > 0);
    let renamed = Change::RenameRepository {
        repository: "acme/api".to_owned(),
        slug: "interface".to_owned(),
    };
    world.sandbox.apply(renamed).unwrap();
    world.replicate("REPLICATE PullRequests").await;
    assert_eq!(rows("Repository = 'api'"), 0);
    assert_eq!(rows("Repository = 'interface'"), before);
    assert!(rows("DestinationRepositoryFullName = 'acme/api'") > 0);
    world
        .replicate("REPLICATE PullRequests WITH TruncateTable")
        .await;
    assert_eq!(rows("DestinationRepositoryFullName = 'acme/api'"), 0);
    assert_eq!(
        rows("DestinationRepositoryFullName = 'acme/interface'"),
        before
    );
}
