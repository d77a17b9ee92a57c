//! Random histories: whatever happens between and during runs, the copy ends equal to the source.

use std::collections::{BTreeMap, BTreeSet};

use bucketline_destination::DELETED;
use proptest::prelude::*;

use super::checking::check;
use super::fake::Selection;
use super::{Bench, killed_after, with};
use crate::check::Check;
use crate::statement::{Deletes, Statement};

#[derive(Debug, Clone)]
enum Step {
    Put {
        repository: usize,
        id: i64,
        open: bool,
    },
    Remove {
        repository: usize,
        id: i64,
    },
    Rename {
        repository: usize,
    },
    /// A run, dropped after so many polls.
    Killed(usize),
    /// A run during which rows change.
    Run {
        repository: usize,
        ids: Vec<i64>,
        open: bool,
    },
}

const REPOSITORIES: [&str; 3] = ["{a}", "{b}", "{c}"];

fn state(open: bool) -> &'static str {
    if open { "open" } else { "merged" }
}

fn step() -> impl Strategy<Value = Step> {
    let repository = 0..REPOSITORIES.len();
    prop_oneof![
        6 => (repository.clone(), 1..12_i64, any::<bool>())
            .prop_map(|(repository, id, open)| Step::Put { repository, id, open }),
        2 => (repository.clone(), 1..12_i64).prop_map(|(repository, id)| Step::Remove { repository, id }),
        1 => repository.clone().prop_map(|repository| Step::Rename { repository }),
        3 => (1..40_usize).prop_map(Step::Killed),
        2 => (repository, prop::collection::vec(1..12_i64, 0..6), any::<bool>())
            .prop_map(|(repository, ids, open)| Step::Run { repository, ids, open }),
    ]
}

/// What the copy is to be in the end.
#[derive(Clone, Copy)]
enum Kept {
    /// The rows there are.
    Rows,
    /// Those that left, too, marked.
    Marked,
    /// All versions.
    Versions,
    /// The rows there are, once CHECKCACHE has mended what no cursor showed.
    Repaired,
}

impl Kept {
    fn statement(self, sweeps: bool) -> Statement {
        with(|options| {
            options.history = matches!(self, Self::Versions);
            options.detect_deletes = sweeps;
            if matches!(self, Self::Marked) {
                options.deletes = Deletes::Mark;
            }
        })
    }
}

/// Plays a history; `deletes` says whether rows are deleted, which a cursor alone does not see.
async fn play(
    selection: &Selection,
    kept: Kept,
    deletes: bool,
    steps: &[Step],
) -> Result<(), TestCaseError> {
    let bench = Bench::new();
    let sweeps = deletes && selection.table == "Issues" && !matches!(kept, Kept::Repaired);
    let statement = kept.statement(sweeps);
    // What was once in the copy.
    let mut marked = BTreeSet::new();
    let mut versions = BTreeSet::new();
    bench.fake.world().page_size = 2;
    // An empty list is not believed, so each repository keeps a row.
    for repository in REPOSITORIES {
        bench.put(repository, 100, "kept", "open");
    }
    let mut renames = 0;
    for step in steps {
        match step {
            Step::Put {
                repository,
                id,
                open,
            } => {
                bench.put(
                    REPOSITORIES[*repository],
                    *id,
                    &format!("at {id}"),
                    state(*open),
                );
                let mut world = bench.fake.world();
                let clock = world.clock;
                let row = world
                    .repository(REPOSITORIES[*repository])
                    .rows
                    .get_mut(id)
                    .unwrap();
                row.title = format!("at {clock}");
            }
            Step::Remove { .. } if !deletes => {}
            Step::Remove { repository, id } => {
                bench.fake.world().remove(REPOSITORIES[*repository], *id);
            }
            Step::Rename { repository } => {
                renames += 1;
                let mut world = bench.fake.world();
                world.repository(REPOSITORIES[*repository]).slug = format!("renamed-{renames}");
            }
            Step::Killed(polls) => {
                killed_after(*polls, bench.run(selection, &statement)).await;
            }
            Step::Run {
                repository,
                ids,
                open,
            } => {
                let (uuid, open) = (REPOSITORIES[*repository], *open);
                let mut ids = ids.clone();
                bench.fake.world().before_page = Some(Box::new(move |world| {
                    if let Some(id) = ids.pop() {
                        world.put(uuid, id, "during", state(open));
                    }
                }));
                bench
                    .run(selection, &statement)
                    .await
                    .map_err(|e| TestCaseError::fail(e.to_string()))?;
                bench.fake.world().before_page = None;
            }
        }
        match kept {
            Kept::Rows | Kept::Repaired => {}
            Kept::Marked => marked.extend(bench.rows(&["RepositoryUUID", "Id"]).await),
            Kept::Versions => {
                let there = bench.versions().await.into_iter();
                versions.extend(there.map(|it| (it.uuid, it.id, it.start)));
            }
        }
    }
    for _ in 0..2 {
        bench
            .run(selection, &statement)
            .await
            .map_err(|e| TestCaseError::fail(e.to_string()))?;
    }
    let truth = bench.truth(selection.state);
    match kept {
        Kept::Rows => prop_assert_eq!(bench.copy().await, truth),
        Kept::Repaired => {
            let repair = Check {
                repair: true,
                ..Check::default()
            };
            let mended = check(&bench, selection, &statement, &repair).await;
            mended.map_err(|e| TestCaseError::fail(e.to_string()))?;
            prop_assert_eq!(bench.copy().await, truth);
            let again = check(&bench, selection, &statement, &repair).await;
            let again = again.map_err(|e| TestCaseError::fail(e.to_string()))?;
            prop_assert!(again.findings.is_empty());
        }
        Kept::Marked => {
            let rows = bench
                .rows(&[DELETED, "RepositoryUUID", "Id", "Title"])
                .await;
            let present = rows.iter().filter_map(|row| row.strip_prefix("false "));
            let expected = truth
                .iter()
                .map(|((uuid, id), title)| format!("{uuid} {id} {title}"));
            let (present, expected): (BTreeSet<_>, BTreeSet<_>) =
                (present.map(str::to_owned).collect(), expected.collect());
            prop_assert_eq!(present, expected);
            let all = bench.rows(&["RepositoryUUID", "Id"]).await;
            prop_assert!(marked.iter().all(|row| all.contains(row)), "a row was lost");
            return Ok(());
        }
        Kept::Versions => {
            let there = bench.versions().await;
            let active = there.iter().filter(|it| it.active);
            let active: BTreeMap<_, _> = active
                .map(|it| ((it.uuid.clone(), it.id), it.title.clone()))
                .collect();
            prop_assert_eq!(active, truth);
            for version in &there {
                prop_assert_eq!(version.active, version.end.is_none());
            }
            for pair in there.windows(2) {
                if (&pair[0].uuid, pair[0].id) == (&pair[1].uuid, pair[1].id) {
                    prop_assert!(
                        pair[0].end.is_some_and(|end| end <= pair[1].start),
                        "{pair:?}"
                    );
                }
            }
            let there: BTreeSet<_> = there
                .into_iter()
                .map(|it| (it.uuid, it.id, it.start))
                .collect();
            prop_assert!(versions.is_subset(&there), "a version was lost");
            return Ok(());
        }
    }
    let names = bench.column("Repository").await;
    for ((uuid, _), name) in names {
        let slug = bench.fake.world().repository(&uuid).slug.clone();
        prop_assert_eq!(name, slug);
    }
    if selection.label {
        for ((uuid, id), label) in bench.column("Label").await {
            prop_assert_eq!(
                label,
                format!("{}#{id}", bench.fake.world().repository(&uuid).slug)
            );
        }
    }
    Ok(())
}

fn run(selection: &Selection, deletes: bool, steps: &[Step]) -> Result<(), TestCaseError> {
    run_kept(selection, Kept::Rows, deletes, steps)
}

fn run_kept(
    selection: &Selection,
    kept: Kept,
    deletes: bool,
    steps: &[Step],
) -> Result<(), TestCaseError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(play(selection, kept, deletes, steps))
}

proptest! {
    // Each case is some forty steps, many of them runs.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn incremental(steps in prop::collection::vec(step(), 1..40)) {
        run(&Selection::all("Issues"), false, &steps)?;
    }

    #[test]
    fn incremental_with_a_condition(steps in prop::collection::vec(step(), 1..40)) {
        let open = Selection { state: Some("open"), ..Selection::all("Issues") };
        run(&open, false, &steps)?;
    }

    #[test]
    fn incremental_with_a_condition_evaluated_here(steps in prop::collection::vec(step(), 1..40)) {
        let open = Selection { state: Some("open"), kept: true, ..Selection::all("Issues") };
        run(&open, false, &steps)?;
    }

    #[test]
    fn incremental_with_a_proof(steps in prop::collection::vec(step(), 1..40)) {
        run(&Selection::all("Commits"), false, &steps)?;
    }

    #[test]
    fn incremental_with_an_expression(steps in prop::collection::vec(step(), 1..40)) {
        let open = Selection { label: true, state: Some("open"), ..Selection::all("Issues") };
        run(&open, false, &steps)?;
    }

    #[test]
    fn incremental_with_a_sweep(steps in prop::collection::vec(step(), 1..40)) {
        run(&Selection::all("Issues"), true, &steps)?;
    }

    #[test]
    fn incremental_and_repaired(steps in prop::collection::vec(step(), 1..40)) {
        let open = Selection { state: Some("open"), ..Selection::all("Issues") };
        run_kept(&open, Kept::Repaired, true, &steps)?;
    }

    #[test]
    fn marked_with_a_sweep(steps in prop::collection::vec(step(), 1..40)) {
        let open = Selection { state: Some("open"), ..Selection::all("Issues") };
        run_kept(&open, Kept::Marked, true, &steps)?;
    }

    #[test]
    fn marked_listing(steps in prop::collection::vec(step(), 1..40)) {
        let open = Selection { state: Some("open"), ..Selection::all("Branches") };
        run_kept(&open, Kept::Marked, true, &steps)?;
    }

    #[test]
    fn versions(steps in prop::collection::vec(step(), 1..40)) {
        let open = Selection { state: Some("open"), ..Selection::all("Issues") };
        run_kept(&open, Kept::Versions, false, &steps)?;
    }

    #[test]
    fn versions_with_a_sweep(steps in prop::collection::vec(step(), 1..40)) {
        run_kept(&Selection::all("Issues"), Kept::Versions, true, &steps)?;
    }

    #[test]
    fn listing(steps in prop::collection::vec(step(), 1..40)) {
        run(&Selection::all("Branches"), true, &steps)?;
    }

    #[test]
    fn listing_with_a_condition(steps in prop::collection::vec(step(), 1..40)) {
        let open = Selection { state: Some("open"), ..Selection::all("Branches") };
        run(&open, true, &steps)?;
    }
}
