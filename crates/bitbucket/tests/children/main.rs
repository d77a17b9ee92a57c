//! Tables whose rows hang on others, against a service in memory: which requests are made, what is given out.
#![allow(clippy::unwrap_used)]

mod service;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow::array::{Array as _, AsArray as _, RecordBatch};
use arrow::datatypes::Int64Type;
use bucketline_bitbucket::{Bitbucket, Settings};
use bucketline_rest::{Credential, SecretString, Url};
use bucketline_source::{
    Checkpoint, End, Error, Literal, Observer, Operator, Page, Predicate, ReadContext, Reading,
    ScanRequest, Slice, SliceId, Source,
};
use futures::StreamExt as _;

use service::Service;

#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl Observer for Notes {
    fn note(&self, text: &str) {
        self.0.lock().unwrap().push(text.to_owned());
    }
    fn waiting(&self, _: &str, _: Duration) {}
}

/// A connection to a service, and what a copy of a table holds: the rows' ids by parent.
struct Bench {
    service: Service,
    source: Bitbucket,
    notes: Arc<Notes>,
    table: &'static str,
    predicates: Vec<(&'static str, Operator, Literal)>,
    copy: BTreeMap<i64, Vec<String>>,
    checkpoint: Checkpoint,
}

impl Bench {
    async fn new(table: &'static str) -> Self {
        let service = Service::start().await;
        let password = SecretString::from("token");
        let credential = Credential::Basic {
            user: "user1@acme.example".into(),
            password,
        };
        let mut settings = Settings::new(Url::parse(&service.base_url()).unwrap(), credential);
        settings.workspace = Some("acme".into());
        settings.client.backoff = Duration::ZERO;
        settings.client.requests_per_hour = None;
        Self {
            service,
            source: Bitbucket::new(settings).unwrap(),
            notes: Arc::default(),
            table,
            predicates: Vec::new(),
            copy: BTreeMap::new(),
            checkpoint: Checkpoint::default(),
        }
    }

    /// The pages of a reading until it ends, fails, or has given so many.
    async fn pages(&self, reading: Reading, at_most: usize) -> Vec<Result<Page, Error>> {
        let tables = self.source.tables();
        let table = tables
            .iter()
            .find(|table| table.name == self.table)
            .unwrap();
        let predicates = self
            .predicates
            .iter()
            .map(|(name, operator, value)| Predicate {
                column: table.column(name).unwrap(),
                operator: *operator,
                values: vec![value.clone()],
            });
        let request = ScanRequest {
            table: table.clone(),
            scope: self.source.default_scope(),
            columns: (0..table.columns.len()).collect(),
            predicates: predicates.collect(),
            order: None,
            limit: None,
            page_size: None,
        };
        let plan = Arc::new(self.source.plan(request).unwrap());
        let slice = Slice {
            id: SliceId("{a}".to_owned()),
            label: "acme/api".to_owned(),
            parents: ["acme", "api", "{a}"]
                .map(|value| Some(value.to_owned()))
                .into(),
            proof: None,
        };
        let context = ReadContext::new(self.notes.clone());
        let pages = self.source.read(plan, &slice, reading, &context);
        pages.take(at_most).collect().await
    }

    /// Follows the changes as a copy does, and stops after so many pages.
    async fn follow(&mut self, at_most: usize) -> Option<Error> {
        let reading = Reading::Changes(self.checkpoint.clone());
        for page in self.pages(reading, at_most).await {
            let page = match page {
                Ok(page) => page,
                Err(error) => return Some(error),
            };
            for owner in &page.owners {
                let [(_, Literal::Int(id))] = owner.0[..] else {
                    panic!("{owner:?}")
                };
                self.copy.insert(id, Vec::new());
            }
            for (parent, id) in ids(&page.rows, self.table) {
                self.copy.get_mut(&parent).unwrap().push(id);
            }
            let json = serde_json::to_string(&page.checkpoint.unwrap()).unwrap();
            self.checkpoint = serde_json::from_str(&json).unwrap();
        }
        None
    }

    fn asked(&self) -> Vec<String> {
        self.service.take_requests()
    }

    fn truth(&self) -> BTreeMap<i64, Vec<String>> {
        self.service
            .world()
            .pulls
            .iter()
            .map(|(id, pull)| (*id, pull.comments.keys().map(ToString::to_string).collect()))
            .collect()
    }
}

/// The rows as parent and id.
fn ids(rows: &RecordBatch, table: &str) -> Vec<(i64, String)> {
    let parents = rows
        .column_by_name("PullRequestId")
        .unwrap()
        .as_primitive::<Int64Type>();
    let name = match table {
        "PullRequestReviewers" => "UUID",
        "PullRequestStatuses" => "Key",
        "PullRequestCommits" => "Hash",
        "PullRequestDiffstat" => "Path",
        _ => "Id",
    };
    let column = rows.column_by_name(name).unwrap();
    let id = |row: usize| match column.as_primitive_opt::<Int64Type>() {
        Some(numbers) => numbers.value(row).to_string(),
        None => column.as_string::<i32>().value(row).to_owned(),
    };
    assert_eq!(column.null_count(), 0);
    (0..rows.num_rows())
        .map(|row| (parents.value(row), id(row)))
        .collect()
}

/// The texts of a column on some pages.
fn texts(pages: &[Result<Page, Error>], name: &str) -> Vec<String> {
    let mut texts = Vec::new();
    for page in pages {
        let rows = &page.as_ref().unwrap().rows;
        let column = rows.column_by_name(name).unwrap().as_string::<i32>();
        texts.extend(column.iter().flatten().map(str::to_owned));
    }
    texts
}

fn last_checkpoint(pages: &[Result<Page, Error>]) -> Checkpoint {
    let last = pages.last().unwrap().as_ref().unwrap();
    assert!(last.end.is_some());
    last.checkpoint.clone().unwrap()
}

#[tokio::test]
async fn pipelines_are_read_back_to_what_is_known_and_unfinished_ones_again() {
    let mut bench = Bench::new("Pipelines").await;
    let hour = 3_600;
    let set = |bench: &Bench, number: i64, state| {
        let pipeline = service::Pipeline { state, steps: 1 };
        let mut world = bench.service.world();
        world.pipelines.insert(number * 2 * hour, pipeline);
    };
    for number in 1..=8 {
        set(&bench, number, "COMPLETED");
    }
    set(&bench, 5, "IN_PROGRESS");
    bench.service.world().clock = 17 * hour;
    let follow = |checkpoint| bench.pages(Reading::Changes(checkpoint), usize::MAX);
    let first = follow(Checkpoint::default()).await;
    let all: Vec<_> = (1..=8)
        .rev()
        .map(|number| format!("{{{}}}", number * 2 * hour))
        .collect();
    assert_eq!(texts(&first, "UUID"), all, "newest first on every page");
    assert_eq!(bench.asked().len(), 3);

    let second = follow(last_checkpoint(&first)).await;
    assert_eq!(
        texts(&second, "UUID"),
        all[..4],
        "down to the unfinished one"
    );
    set(&bench, 5, "COMPLETED");
    let third = follow(last_checkpoint(&second)).await;
    let is_completed = |state: &String| state == "COMPLETED";
    assert!(texts(&third, "StateName").iter().all(is_completed));
    bench.asked();
    let fourth = follow(last_checkpoint(&third)).await;
    assert_eq!(bench.asked().len(), 1);
    assert_eq!(texts(&fourth, "UUID"), all[..1]);

    // A scan ends where its condition does, and an hour later.
    bench.predicates = vec![(
        "CreatedOn",
        Operator::GtEq,
        Literal::Timestamp(service::instant(12 * hour)),
    )];
    let scan = bench.pages(Reading::Scan, usize::MAX).await;
    assert_eq!(texts(&scan, "UUID"), all[..6]);
    assert_eq!(bench.asked().len(), 2);
    bench.predicates.clear();

    // Steps are read for the pipelines that such a walk gives out.
    bench.table = "PipelineSteps";
    let follow = |pages| bench.pages(Reading::Changes(Checkpoint::default()), pages);
    assert_eq!(texts(&follow(usize::MAX).await, "UUID").len(), 8);
    // After a kill only the steps of pipelines that were not committed are asked for.
    let some = follow(5).await;
    bench.asked();
    let last = some.last().unwrap().as_ref().unwrap();
    let reading = Reading::Changes(last.checkpoint.clone().unwrap());
    let rest = bench.pages(reading, usize::MAX).await;
    let asked = bench.asked();
    let lists = asked.iter().filter(|it| it.contains("steps")).count();
    // The one at the boundary of what was committed comes once more.
    assert_eq!((texts(&rest, "UUID").len(), lists), (4, 4), "{asked:?}");
}

#[tokio::test]
async fn commits_are_those_that_branches_reached_since() {
    let bench = Bench::new("Commits").await;
    {
        let mut world = bench.service.world();
        world.commits = [("c1", None), ("c2", Some("c1")), ("c3", Some("c2"))].into();
        world.branches = [("main", "c3"), ("old", "c2")].into();
    }
    let follow = |checkpoint| bench.pages(Reading::Changes(checkpoint), usize::MAX);
    let first = follow(Checkpoint::default()).await;
    assert_eq!(texts(&first, "Hash"), ["c1", "c2", "c3"]);
    assert_eq!(bench.asked().len(), 2);
    let checkpoint = last_checkpoint(&first);
    assert!(checkpoint.mark.is_some());

    let second = follow(checkpoint.clone()).await;
    assert_eq!(texts(&second, "Hash").len(), 0);
    assert_eq!(bench.asked().len(), 1);

    // A forced push: what main was is gone, and vanished.
    {
        let mut world = bench.service.world();
        world.commits.remove("c3");
        world.commits.insert("c4", Some("c2"));
        world.branches.insert("main", "c4");
    }
    let third = follow(checkpoint).await;
    assert_eq!(texts(&third, "Hash"), ["c4"]);
    let asked = bench.asked();
    let [_, refused, given] = &asked[..] else {
        panic!("{asked:?}")
    };
    assert!(refused.contains("exclude=c3"), "{refused}");
    assert!(given.contains("include=c4&exclude=c2"), "{given}");
}

#[tokio::test]
async fn only_parents_that_changed_are_visited() {
    let mut bench = Bench::new("PullRequestComments").await;
    for id in 1..=5 {
        bench.service.world().comment(id, id * 10);
    }
    assert!(bench.follow(usize::MAX).await.is_none());
    assert_eq!(bench.copy, bench.truth());
    assert_eq!(bench.asked().len(), 1 + 5);

    bench.service.world().comment(2, 21);
    bench
        .service
        .world()
        .pulls
        .get_mut(&4)
        .unwrap()
        .comments
        .clear();
    bench.service.world().touch(4);
    bench.follow(usize::MAX).await;
    assert_eq!(bench.copy, bench.truth());
    let visited: Vec<_> = bench
        .asked()
        .into_iter()
        .filter(|it| it.contains("comments"))
        .collect();
    // The look-back covers the newest of the mark's hour as well: all of them changed in it.
    assert!(
        visited.iter().any(|it| it.contains("/2/")) && visited.iter().any(|it| it.contains("/4/"))
    );

    bench.service.world().clock += 10_000;
    bench.service.world().comment(3, 31);
    bench.follow(usize::MAX).await;
    bench.asked();
    bench.service.world().comment(3, 32);
    bench.follow(usize::MAX).await;
    assert_eq!(bench.copy, bench.truth());
    let asked = bench.asked();
    assert_eq!(asked.len(), 2, "{asked:?}");
}

#[tokio::test]
async fn after_a_kill_between_parents_the_rest_is_visited_and_the_mark_is_the_first_ones() {
    for pages in 1..8 {
        let mut bench = Bench::new("PullRequestComments").await;
        for id in 1..=6 {
            bench.service.world().comment(id, id * 10);
        }
        bench.follow(pages).await;
        let before = bench.asked().len();
        // Read already, and changed since.
        bench.service.world().comment(1, 11);
        assert!(bench.follow(usize::MAX).await.is_none());
        bench.follow(usize::MAX).await;
        assert_eq!(bench.copy, bench.truth(), "after {pages} pages");
        assert!(bench.checkpoint.walk.is_none() && bench.checkpoint.visits == Default::default());
        let lists = bench
            .asked()
            .iter()
            .filter(|it| it.contains("comments"))
            .count();
        assert!(before >= pages.min(6), "{before}");
        assert!(lists >= 6 - pages.min(6), "{lists}");
    }
}

#[tokio::test]
async fn a_parent_whose_list_cannot_be_read_keeps_its_rows_and_the_others_go_on() {
    for (table, status) in [
        ("PullRequestComments", 403),
        ("PullRequestComments", 404),
        // Branches without common history, and a diff that takes too long.
        ("PullRequestDiffstat", 400),
        ("PullRequestDiffstat", 555),
    ] {
        let mut bench = Bench::new(table).await;
        for id in 1..=3 {
            bench.service.world().comment(id, id * 10);
        }
        bench.follow(usize::MAX).await;
        bench.service.world().comment(1, 11);
        bench.service.world().comment(3, 31);
        bench.service.world().pulls.get_mut(&1).unwrap().fault = Some(status);
        let mut expected = bench.truth();
        expected.insert(1, vec!["10".to_owned()]);
        assert!(bench.follow(usize::MAX).await.is_none());
        assert_eq!(bench.copy, expected);
        let notes = bench.notes.0.lock().unwrap().clone();
        assert!(
            notes
                .iter()
                .any(|it| it.contains("acme/api (PullRequests 1)")
                    && it.ends_with("its rows stay as they are")),
            "{notes:?}"
        );
    }
    // A result that is put together must have them all, but for a parent that it leaves out.
    let mut bench = Bench::new("PullRequestDiffstat").await;
    for id in 1..=3 {
        bench.service.world().comment(id, id * 10);
    }
    bench.service.world().pulls.get_mut(&2).unwrap().fault = Some(555);
    let failed = bench.pages(Reading::Scan, usize::MAX).await;
    let error = failed.into_iter().find_map(Result::err).unwrap();
    assert!(error.to_string().contains("PullRequests 2"), "{error}");
    let hint = error.hint().unwrap();
    assert!(hint.contains("PullRequestId <> 2"), "{hint}");
    bench.predicates = vec![("PullRequestId", Operator::NotEq, Literal::Int(2))];
    let pages = bench.pages(Reading::Scan, usize::MAX).await;
    assert_eq!(texts(&pages, "Path"), ["10", "30"]);
    // A failure that may pass is none of the parent's.
    let mut bench = Bench::new("PullRequestComments").await;
    bench.service.world().comment(1, 10);
    bench.service.world().pulls.get_mut(&1).unwrap().fault = Some(503);
    assert!(bench.follow(usize::MAX).await.is_some());
}

/// The commits of a pull request are listed no more once its source branch is gone.
#[tokio::test]
async fn an_empty_list_that_says_nothing_deletes_nothing() {
    let mut bench = Bench::new("PullRequestCommits").await;
    for id in 1..=2 {
        bench.service.world().comment(id, id * 10);
    }
    bench.follow(usize::MAX).await;
    let expected = bench.truth();
    let clear = |bench: &Bench| {
        let mut world = bench.service.world();
        world.pulls.get_mut(&1).unwrap().comments.clear();
        world.touch(1);
    };
    clear(&bench);
    bench.follow(usize::MAX).await;
    assert_eq!(bench.copy, expected);
    // Comments that are listed no more are gone.
    let mut bench = Bench::new("PullRequestComments").await;
    bench.service.world().comment(1, 10);
    bench.follow(usize::MAX).await;
    clear(&bench);
    bench.follow(usize::MAX).await;
    assert_eq!(bench.copy[&1], Vec::<String>::new());
}

#[tokio::test]
async fn members_of_the_parents_rows_cost_no_request() {
    let mut bench = Bench::new("PullRequestReviewers").await;
    for id in 1..=3 {
        bench.service.world().touch(id);
        bench.service.world().pulls.get_mut(&id).unwrap().reviewers =
            vec![format!("{{u{id}}}"), "{u9}".to_owned()];
    }
    bench.follow(usize::MAX).await;
    assert_eq!(bench.copy[&2], ["{u2}", "{u9}"]);
    assert_eq!(bench.asked().len(), 1);
    bench
        .service
        .world()
        .pulls
        .get_mut(&2)
        .unwrap()
        .reviewers
        .pop();
    bench.service.world().touch(2);
    bench.follow(usize::MAX).await;
    assert_eq!(bench.copy[&2], ["{u2}"]);
}

#[tokio::test]
async fn parents_that_conditions_name_or_exclude_are_not_asked_about() {
    let mut bench = Bench::new("PullRequestComments").await;
    for id in 1..=4 {
        bench.service.world().comment(id, id * 10);
    }
    bench.service.world().pulls.get_mut(&3).unwrap().state = "MERGED";
    bench.predicates = vec![(
        "PullRequestState",
        Operator::Eq,
        Literal::Text("MERGED".into()),
    )];
    let pages = bench.pages(Reading::Scan, usize::MAX).await;
    let found: Vec<_> = pages
        .into_iter()
        .flat_map(|page| ids(&page.unwrap().rows, bench.table))
        .collect();
    assert_eq!(found, [(3, "30".to_owned())]);
    assert_eq!(bench.asked().len(), 2);

    // A parent that left the condition is visited without a request, and its rows leave.
    bench.predicates = vec![(
        "PullRequestState",
        Operator::Eq,
        Literal::Text("OPEN".into()),
    )];
    bench.follow(usize::MAX).await;
    assert_eq!(bench.copy.keys().copied().collect::<Vec<_>>(), [1, 2, 4]);
    bench.service.world().pulls.get_mut(&2).unwrap().state = "DECLINED";
    bench.service.world().touch(2);
    bench.asked();
    bench.follow(usize::MAX).await;
    assert_eq!(bench.copy[&2], Vec::<String>::new());
    let asked = bench.asked();
    assert!(
        asked.iter().all(|it| !it.contains("/2/comments")),
        "{asked:?}"
    );
}

#[tokio::test]
async fn open_parents_are_visited_on_each_run() {
    let mut bench = Bench::new("PullRequestStatuses").await;
    for id in 1..=4 {
        bench.service.world().touch(id);
    }
    bench.service.world().pulls.get_mut(&2).unwrap().state = "MERGED";
    bench.follow(usize::MAX).await;
    bench.service.world().clock += 30 * 24 * 60 * 60;
    bench.service.world().touch(3);
    bench.follow(usize::MAX).await;
    bench.asked();
    bench.follow(usize::MAX).await;
    let asked = bench.asked();
    let visited = |id: i64| {
        asked
            .iter()
            .filter(|it| it.contains(&format!("/{id}/statuses")))
            .count()
    };
    assert_eq!([1, 2, 3, 4].map(visited), [1, 0, 1, 1], "{asked:?}");
    assert_eq!(bench.checkpoint.visits, Default::default());
    // Killed among them, the rest is visited.
    let mut pages = 0;
    loop {
        pages += 1;
        let ended =
            bench.follow(1).await.is_none() && bench.checkpoint.visits == Default::default();
        if ended {
            break;
        }
        assert!(pages < 20);
    }
    let end = bench
        .pages(Reading::Changes(bench.checkpoint.clone()), usize::MAX)
        .await;
    assert!(matches!(
        end.last(),
        Some(Ok(Page {
            end: Some(End::Complete { .. }),
            ..
        }))
    ));
}
