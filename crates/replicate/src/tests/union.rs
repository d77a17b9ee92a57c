//! UNION ALL: the rows of several accounts in one table, each account read by itself.

use std::sync::Arc;

use bucketline_core::Reach;
use bucketline_core::code::{bitbucket, http};
use bucketline_source::Operator;
use bucketline_sql::{Position, Span};

use super::fake::{Fake, ID, Select, Selection, TITLE};
use super::{Bench, killed_after, outcome, statement, with};
use crate::check::{Check, Comparison, Difference, compare};
use crate::declared::{Declared, DeclaredColumn, Rule};
use crate::events::Voice;
use crate::explain::explain;
use crate::forecast::forecast;
use crate::run::{Run, run};
use crate::statement::Statement;
use crate::work::{RowWork, Work};
use crate::{Mode, Outcome, Report, Result, ScriptRun, Unfinished, code};

/// A table that is filled from two accounts.
struct Two {
    prod: Bench,
    dev: Fake,
    queries: Vec<(&'static str, Selection)>,
}

impl Two {
    /// Repository `{a}` of ten rows and `{b}` of two in one account, `{d}` of five in the other.
    fn filled(table: &'static str) -> Self {
        let prod = Bench::filled();
        let dev = Fake::new();
        {
            let mut world = dev.world();
            "{test}".clone_into(&mut world.workspace);
            world.slug = "test";
            for id in 1..=5 {
                world.put("{d}", id, "first", "open");
            }
        }
        let query = |connection, account| Selection {
            connection,
            account: Some(account),
            ..Selection::all(table)
        };
        Self {
            prod,
            dev,
            queries: vec![("prod", query("prod", "one")), ("dev", query("dev", "two"))],
        }
    }

    fn works(&self) -> Vec<Box<dyn RowWork>> {
        let work = |(account, selection): &(&str, Selection)| {
            let fake = match *account {
                "prod" => &self.prod.fake,
                _ => &self.dev,
            };
            Box::new(Select::new(fake, selection)) as Box<dyn RowWork>
        };
        self.queries.iter().map(work).collect()
    }

    async fn run(&self, statement: &Statement) -> Result<Report> {
        Ok(self.try_run(statement).await?)
    }

    async fn try_run(&self, statement: &Statement) -> Result<Report, Unfinished> {
        let script = ScriptRun::default();
        let run_ = Run::new(&script, Voice::new(Arc::new(crate::Silent)));
        let works = self.works();
        run(&run_, Work::Rows(&works), &self.prod.destination, statement).await
    }

    async fn replicate(&self) -> Report {
        self.run(&statement()).await.unwrap()
    }

    async fn check(&self, check: &Check) -> Result<Comparison> {
        let script = ScriptRun::default();
        let run = Run::new(&script, Voice::new(Arc::new(crate::Silent)));
        let (works, statement) = (self.works(), statement());
        let destination = &self.prod.destination;
        let load = destination.open(&statement.table, &script.holder()).await?;
        let status = load.status().clone();
        let work = Work::Rows(&works);
        compare(
            &run,
            work,
            destination,
            &status,
            Some(load),
            &statement,
            check,
        )
        .await
    }

    async fn explain(&self) -> String {
        let script = ScriptRun::default();
        let run = Run::new(&script, Voice::new(Arc::new(crate::Silent)));
        let (works, statement) = (self.works(), statement());
        let lines = explain(
            Work::Rows(&works),
            &self.prod.destination,
            &statement,
            &run.context,
        );
        lines.await.unwrap().join("\n")
    }

    /// What the copy should be, as `account repository id title`.
    fn truth(&self) -> Vec<String> {
        let mut rows = Vec::new();
        for (account, fake) in [("one", &self.prod.fake), ("two", &self.dev)] {
            for (uuid, repository) in &fake.world().repositories {
                let of_it = repository.rows.iter();
                rows.extend(of_it.map(|(id, row)| format!("{account} {uuid} {id} {}", row.title)));
            }
        }
        rows.sort();
        rows
    }

    async fn copy(&self) -> Vec<String> {
        self.prod
            .rows(&["Account", "RepositoryUUID", "Id", "Title"])
            .await
    }

    fn row_requests(&self) -> (usize, usize) {
        let dev = std::mem::take(&mut self.dev.world().row_requests);
        (self.prod.row_requests(), dev)
    }
}

#[tokio::test]
async fn each_account_is_read_by_what_changed_in_it() {
    let two = Two::filled("Issues");
    let report = two.replicate().await;
    assert_eq!(report.mode, Mode::Incremental);
    assert_eq!(two.copy().await, two.truth());

    two.row_requests();
    two.dev.world().put("{d}", 3, "second", "open");
    two.prod.put("{c}", 1, "late", "open");
    let report = two.replicate().await;
    assert_eq!((report.counts.inserted, report.counts.updated), (1, 1));
    assert_eq!(two.row_requests(), (3, 1), "one a slice");
    assert_eq!(two.copy().await, two.truth());
}

#[tokio::test]
async fn what_a_listing_of_one_account_lacks_leaves_and_the_others_rows_stay() {
    let mut two = Two::filled("Branches");
    // Their names alone tell no account: the constant does.
    for (_, selection) in &mut two.queries {
        selection.columns = vec![ID, TITLE];
        selection.slices = Some((Operator::Eq, "slug-{a}"));
    }
    for id in 1..=3 {
        two.dev.world().put("{a}", id, "theirs", "open");
    }
    let report = two.replicate().await;
    assert_eq!((report.mode, report.counts.inserted), (Mode::Listing, 13));

    two.prod.fake.world().remove("{a}", 2);
    two.dev.world().remove("{a}", 3);
    let report = two.replicate().await;
    assert_eq!(report.counts.deleted, 2);
    let rows = two.prod.rows(&["Account", "Id", "Title"]).await;
    assert!(rows.contains(&"two 2 theirs".to_owned()), "{rows:?}");
    assert!(rows.contains(&"one 3 first".to_owned()), "{rows:?}");
    assert_eq!(rows.len(), 11);
}

#[tokio::test]
async fn one_account_fails_alone() {
    let two = Two::filled("Issues");
    two.replicate().await;
    two.prod.put("{a}", 1, "second", "open");
    two.dev.world().put("{d}", 1, "unseen", "open");
    let copied = |title: &str| format!("two {{d}} 1 {title}");

    // Its list is refused, then its rows, in a way that each of its slices would meet.
    two.dev.world().refuses = Some(http::UNAUTHORIZED);
    let Unfinished { error, report } = two.try_run(&statement()).await.unwrap_err();
    assert_eq!(error.code(), code::PARTIAL);
    assert!(error.is_partial());
    let report = report.unwrap();
    assert!(matches!(
        outcome(&report, "test/slug-{d}"),
        Outcome::Failed(_)
    ));
    assert_eq!(report.counts.updated, 1);
    assert!(two.copy().await.contains(&copied("first")));

    two.dev.world().refuses = None;
    two.prod.put("{a}", 2, "third", "open");
    two.dev.world().repository("{d}").fault = Some(bitbucket::MISSING_SCOPE);
    let Unfinished { error, report } = two.try_run(&statement()).await.unwrap_err();
    assert_eq!(error.code(), code::PARTIAL);
    assert_eq!(report.unwrap().counts.updated, 1);

    // If both fail, nothing was done.
    two.prod.fake.world().refuses = Some(http::UNAUTHORIZED);
    let error = two.run(&statement()).await.unwrap_err();
    assert_eq!(error.code(), code::ALL_FAILED);
    assert!(error.reach() == Reach::Statement && !error.is_partial());
    two.prod.fake.world().refuses = None;

    two.dev.world().repository("{d}").fault = None;
    let report = two.replicate().await;
    assert_eq!(report.counts.updated, 1);
    assert_eq!(two.copy().await, two.truth());
}

#[tokio::test]
async fn an_account_that_never_answered_has_the_statement_fail() {
    let two = Two::filled("Issues");
    two.dev.world().refuses = Some(http::UNAUTHORIZED);
    let error = two.run(&statement()).await.unwrap_err();
    assert_eq!(error.code(), http::UNAUTHORIZED);
    assert_eq!(two.copy().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_query_that_joins_or_leaves_the_statement_has_the_table_loaded_anew() {
    let mut two = Two::filled("Issues");
    let dev = two.queries.pop().unwrap();
    two.replicate().await;
    two.queries.push(dev);
    two.replicate().await;
    assert_eq!(two.copy().await, two.truth());

    two.queries.remove(0);
    two.replicate().await;
    let rows = two.copy().await;
    assert!(rows.len() == 5 && rows.iter().all(|row| row.starts_with("two {d}")));
}

#[tokio::test]
async fn another_workspace_is_still_refused() {
    let mut two = Two::filled("Issues");
    let dev = two.queries.pop().unwrap();
    two.replicate().await;
    two.queries = vec![dev];
    let error = two.run(&statement()).await.unwrap_err();
    assert_eq!(error.code(), code::OTHER_WORKSPACE);
}

#[tokio::test]
async fn connections_that_change_places_are_refused() {
    let mut two = Two::filled("Issues");
    two.replicate().await;
    // Each name now means the other workspace.
    two.queries[0].0 = "dev";
    two.queries[1].0 = "prod";
    let error = two.run(&statement()).await.unwrap_err();
    assert_eq!(error.code(), code::NAME_MOVED);
    assert!(
        error.to_string().starts_with("dev meant another object"),
        "{error}"
    );
}

#[tokio::test]
async fn a_repository_that_moves_to_the_other_workspace_is_read_anew_there() {
    let two = Two::filled("Issues");
    two.replicate().await;
    let moved = two.prod.fake.world().repositories.remove("{b}").unwrap();
    two.dev.world().repositories.insert("{b}".to_owned(), moved);
    two.replicate().await;
    assert_eq!(two.copy().await, two.truth());
}

#[tokio::test]
async fn two_names_of_one_workspace_are_told() {
    let mut two = Two::filled("Issues");
    two.queries[1].0 = "prod";
    let error = two.run(&statement()).await.unwrap_err();
    assert_eq!(error.code(), code::OVERLAP);
    assert_eq!(two.copy().await, Vec::<String>::new());
}

#[tokio::test]
async fn queries_of_one_workspace_need_repositories_or_constants_of_their_own() {
    let mut two = Two::filled("Issues");
    for (place, (account, selection)) in two.queries.iter_mut().enumerate() {
        *account = "prod";
        selection.connection = "prod";
        selection.account = None;
        selection.state = [Some("open"), Some("closed")][place];
    }
    two.prod.put("{a}", 11, "first", "closed");
    let report = two.replicate().await;
    assert_eq!((report.mode, report.counts.inserted), (Mode::Replace, 13));
    assert!(
        report
            .why
            .starts_with("two of the queries that it unites read the workspace of prod"),
        "{}",
        report.why
    );

    for (place, (_, selection)) in two.queries.iter_mut().enumerate() {
        selection.slices = Some((Operator::Eq, ["slug-{a}", "slug-{b}"][place]));
    }
    let report = two.replicate().await;
    assert_eq!(report.mode, Mode::Incremental);

    for (place, (_, selection)) in two.queries.iter_mut().enumerate() {
        selection.slices = None;
        selection.account = Some(["open", "closed"][place]);
    }
    let report = two.replicate().await;
    assert_eq!(report.mode, Mode::Incremental);
    two.prod.put("{a}", 5, "first", "closed");
    two.replicate().await;
    let rows = two.prod.rows(&["Account", "RepositoryUUID", "Id"]).await;
    assert!(rows.contains(&"closed {a} 5".to_owned()));
    assert!(!rows.contains(&"open {a} 5".to_owned()));
    assert_eq!(rows.len(), 13);
}

#[tokio::test]
async fn a_declared_key_without_what_tells_the_queries_apart_is_no_key_to_merge_by() {
    let mut two = Two::filled("Issues");
    for (_, selection) in &mut two.queries {
        selection.columns = vec![ID];
        selection.slices = Some((Operator::Eq, "slug-{a}"));
    }
    two.dev.world().put("{a}", 99, "theirs", "open");
    let column = |name: &str, data_type| DeclaredColumn {
        name: name.to_owned(),
        data_type: Some(data_type),
        rule: Rule::default(),
    };
    let declared = |key: &[&str]| Statement {
        declared: Some(Declared {
            columns: vec![
                column("Id", arrow::datatypes::DataType::Int64),
                column("Account", arrow::datatypes::DataType::Utf8),
            ],
            key: key.iter().map(|name| (*name).to_owned()).collect(),
            by_name: false,
            span: Span::point(Position::START),
        }),
        ..statement()
    };
    let report = two.run(&declared(&["Id"])).await.unwrap();
    assert_eq!(report.mode, Mode::Replace);
    assert!(report.why.contains("lacks Account"), "{}", report.why);
    let report = two.run(&declared(&["Id", "Account"])).await.unwrap();
    assert_eq!(report.mode, Mode::Incremental);
}

#[tokio::test]
async fn a_killed_first_load_goes_on_in_each_account() {
    let two = Two::filled("Issues");
    let mut runs = 0;
    while !killed_after(6, two.run(&statement())).await {
        runs += 1;
        assert!(runs < 40, "it never ends");
    }
    assert!(runs > 0, "it was never killed");
    assert_eq!(two.copy().await, two.truth());
}

#[tokio::test]
async fn what_differs_is_found_in_each_account() {
    let two = Two::filled("Issues");
    two.replicate().await;
    two.prod.fake.world().remove("{a}", 2);
    two.dev.world().put("{d}", 4, "second", "open");
    let check = Check {
        repair: true,
        ..Check::default()
    };
    let found = two.check(&check).await.unwrap();
    assert_eq!(
        found.findings,
        [
            ("RepositoryUUID={d}, Id=4".to_owned(), Difference::Modified),
            ("RepositoryUUID={a}, Id=2".to_owned(), Difference::Deleted),
        ]
    );
    assert_eq!(two.copy().await, two.truth());
}

#[tokio::test]
async fn versions_of_each_account_are_kept() {
    let two = Two::filled("Issues");
    let history = with(|options| options.history = true);
    two.run(&history).await.unwrap();
    two.dev.world().put("{d}", 4, "second", "open");
    two.run(&history).await.unwrap();
    let titles = two
        .prod
        .rows(&["RepositoryUUID", "Id", "Title", "_cdatasync_active"])
        .await;
    assert!(
        titles.contains(&"{d} 4 first false".to_owned()),
        "{titles:?}"
    );
    assert!(titles.contains(&"{d} 4 second true".to_owned()));
    assert_eq!(titles.len(), 18);
}

#[tokio::test]
async fn explain_tells_of_each_query_and_of_all() {
    let two = Two::filled("Issues");
    let text = two.explain().await;
    assert!(
        text.contains("query 1 of 2: prod.Information.Issues"),
        "{text}"
    );
    assert!(
        text.contains("query 2 of 2: dev.Information.Issues"),
        "{text}"
    );
    assert!(
        text.contains("requests of all queries: at least 2"),
        "{text}"
    );
    two.replicate().await;
    let text = two.explain().await;
    assert!(text.contains("slices: 2 in the last run"), "{text}");
    assert!(text.contains("slices: 1 in the last run"), "{text}");
}

#[tokio::test]
async fn a_look_ahead_counts_each_account_by_itself() {
    let two = Two::filled("Issues");
    two.replicate().await;
    let script = ScriptRun::default();
    let context = Run::new(&script, Voice::new(Arc::new(crate::Silent))).context;
    let (works, statement) = (two.works(), statement());
    let destination = &two.prod.destination;
    let ahead = forecast(Work::Rows(&works), destination, &statement, &context);
    let ahead = ahead.await.unwrap();
    assert!(ahead.refusal.is_none());
    let slices: Vec<_> = ahead.reads.iter().map(|read| read.slices).collect();
    assert_eq!(slices, [Some(2), Some(1)]);
}
