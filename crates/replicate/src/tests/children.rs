//! Rows that hang on others: what of a parent's rows is gone leaves, and nothing else.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use arrow::array::{AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{Int64Type, Schema};
use async_trait::async_trait;
use bucketline_destination::memory::MemoryDestination;
use bucketline_destination::{Destination, Query, TableName};
use bucketline_source::spec::{self, TableSpec};
use bucketline_source::{
    Checkpoint, End, Estimate, Identity, Literal, Owner, Page, PageStream, ReadContext, Reading,
    Result, ScanPlan, ScanRequest, Scope, ScopeKind, Slice, SliceChoice, SliceId, Source, Visits,
};
use futures::{TryStreamExt, stream};

use super::fake::instant;
use super::statement;
use crate::events::Voice;
use crate::run::{Run, run};
use crate::statement::Statement;
use crate::work::{Applied, Output, RowWork, Work};
use crate::{Mode, Report, RunOptions, ScriptRun};

const TABLES: &str = r#"
[[table]]
name = "Things"
doc = "Things."
path = "/{workspace}/{repository}/things"
slice = "repository"
key = ["RepositoryUUID", "Id"]
cursor = { column = "UpdatedOn", tie = "Id", look_back = "1m" }
walk = { column = "Id", unique = true }
page_size = 100
scopes = { token = "t", oauth = "o" }
columns = [
  { name = "Id", type = "int", at = "id", required = true, immutable = true, sort = true, exact = "range", doc = "d" },
  { name = "UpdatedOn", type = "timestamp", at = "updated_on", required = true, sort = true, exact = "range", doc = "d" },
]

[[table]]
name = "Boxes"
doc = "Boxes, which do not tell when they change."
path = "/{workspace}/{repository}/boxes"
slice = "repository"
key = ["RepositoryUUID", "Id"]
walk = { pages = true }
page_size = 100
scopes = { token = "t", oauth = "o" }
columns = [{ name = "Id", type = "int", at = "id", required = true, doc = "d" }]

[[table]]
name = "Notes"
doc = "Notes on things."
path = "/{workspace}/{repository}/things/{thing}/notes"
slice = "repository"
parent = { table = "Things", bind = { thing = "Id" } }
key = ["RepositoryUUID", "ParentId", "Name"]
walk = { pages = true }
page_size = 100
scopes = { token = "t", oauth = "o" }
columns = [
  { name = "ParentId", up = "Id" },
  { name = "Name", type = "text", at = "name", required = true, doc = "d" },
]

[[table]]
name = "Labels"
doc = "Labels of boxes."
path = "/{workspace}/{repository}/boxes/{box}/labels"
slice = "repository"
parent = { table = "Boxes", bind = { box = "Id" } }
key = ["RepositoryUUID", "ParentId", "Name"]
walk = { pages = true }
page_size = 100
scopes = { token = "t", oauth = "o" }
columns = [
  { name = "ParentId", up = "Id" },
  { name = "Name", type = "text", at = "name", required = true, doc = "d" },
]
"#;

/// One page: parents with their rows; `None` for one whose rows could not be read.
type Answer = Vec<(i64, Option<Vec<&'static str>>)>;

/// A source that answers the next reading with these pages.
#[derive(Clone)]
struct Script {
    tables: Arc<Vec<Arc<TableSpec>>>,
    pages: Arc<Mutex<Vec<Answer>>>,
}

impl std::fmt::Debug for Script {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Script")
    }
}

const UUID: usize = 2;
const PARENT: usize = 3;
const NAME: usize = 4;

#[async_trait]
impl Source for Script {
    fn tables(&self) -> Cow<'_, [Arc<TableSpec>]> {
        Cow::Borrowed(&self.tables)
    }

    fn default_scope(&self) -> Scope {
        Scope {
            kind: ScopeKind::Whole,
            name: "Information".to_owned(),
            uuid: None,
        }
    }

    fn concurrency(&self) -> usize {
        1
    }

    async fn scopes(&self, _: &ReadContext) -> Result<Vec<Scope>> {
        Ok(vec![self.default_scope()])
    }

    async fn find_scopes(&self, _: &str, _: bool, _: &ReadContext) -> Result<Vec<Scope>> {
        Ok(Vec::new())
    }

    fn plan(&self, request: ScanRequest) -> Result<ScanPlan> {
        let fields: Vec<_> = request
            .columns
            .iter()
            .map(|&column| request.table.columns[column].field())
            .collect();
        Ok(ScanPlan {
            schema: Arc::new(Schema::new(fields)),
            predicates: Vec::new(),
            hidden: None,
            slices: SliceChoice::Listed,
            parent: None,
            ordered: false,
            limited: false,
            page_size: 100,
            answers: "the API",
            requests: Vec::new(),
            estimate: Estimate::AtLeast(1),
            notes: Vec::new(),
            request,
        })
    }

    async fn slices(&self, _: &ScanPlan, _: &ReadContext) -> Result<Vec<Slice>> {
        let slice = |uuid: &str| Slice {
            id: SliceId(uuid.to_owned()),
            label: uuid.to_owned(),
            parents: ["acme", "api", uuid]
                .map(|value| Some(value.to_owned()))
                .into(),
            proof: None,
        };
        Ok(vec![slice("{a}"), slice("{b}")])
    }

    fn read(
        &self,
        plan: Arc<ScanPlan>,
        slice: &Slice,
        reading: Reading,
        _: &ReadContext,
    ) -> PageStream {
        let answers = self.pages.lock().unwrap().clone();
        let last = answers.len();
        let uuid = slice.id.0.clone();
        let pages = answers.into_iter().enumerate().map(move |(index, answer)| {
            let ended = index + 1 == last;
            let rows: Vec<(i64, &str)> = answer
                .iter()
                .flat_map(|(parent, names)| names.iter().flatten().map(|name| (*parent, *name)))
                .collect();
            let owner = |(parent, _): &(i64, _)| Owner(vec![(PARENT, Literal::Int(*parent))]);
            let read = answer
                .iter()
                .filter(|(_, names)| names.is_some())
                .map(owner);
            let unread = answer
                .iter()
                .filter(|(_, names)| names.is_none())
                .map(owner);
            let mut checkpoint = Checkpoint::default();
            if ended {
                checkpoint.mark = Some(instant(1));
            } else {
                checkpoint.visits = Visits {
                    done: vec![index.to_string()],
                    ..Visits::default()
                };
            }
            let changes = matches!(reading, Reading::Changes(_));
            Ok(Page {
                rows: batch(&plan, &uuid, &rows),
                checkpoint: changes.then_some(checkpoint),
                owners: if changes { read.collect() } else { Vec::new() },
                unread: unread.collect(),
                end: ended.then_some(End::Complete { unstable_pages: 0 }),
            })
        });
        Box::pin(stream::iter(pages))
    }

    async fn identity(&self, _: &ReadContext) -> Result<Identity> {
        Ok(Identity {
            origin: "https://api.example.org".to_owned(),
            workspace: Some("{acme}".to_owned()),
            credential: "token".to_owned(),
        })
    }
}

fn batch(plan: &ScanPlan, uuid: &str, rows: &[(i64, &str)]) -> RecordBatch {
    let column = |column: &usize| -> arrow::array::ArrayRef {
        match *column {
            PARENT => Arc::new(
                rows.iter()
                    .map(|(parent, _)| Some(*parent))
                    .collect::<Int64Array>(),
            ),
            NAME => Arc::new(
                rows.iter()
                    .map(|(_, name)| Some(*name))
                    .collect::<StringArray>(),
            ),
            _ => Arc::new(StringArray::from(vec![uuid; rows.len()])),
        }
    };
    let columns = plan.request.columns.iter().map(column).collect();
    RecordBatch::try_new(Arc::clone(&plan.schema), columns).unwrap()
}

/// `SELECT RepositoryUUID, ParentId, Name`, the names that start with `x` left out.
struct Select {
    source: Arc<dyn Source>,
    scan: Arc<ScanPlan>,
    outputs: Vec<Output>,
}

impl RowWork for Select {
    fn connection(&self) -> &str {
        "acme"
    }

    fn source(&self) -> &Arc<dyn Source> {
        &self.source
    }
    fn scan(&self) -> &Arc<ScanPlan> {
        &self.scan
    }
    fn outputs(&self) -> &[Output] {
        &self.outputs
    }
    fn key(&self) -> &[usize] {
        &[0, 1, 2]
    }
    fn condition(&self) -> Option<&str> {
        None
    }
    fn condition_reads(&self) -> &[usize] {
        &[NAME]
    }
    fn slice_column(&self) -> Option<usize> {
        Some(0)
    }
    fn notes(&self) -> &[String] {
        &[]
    }
    fn apply(&self, rows: &RecordBatch, _whole: bool) -> crate::Result<Applied> {
        let names = rows.column(2).as_string::<i32>();
        let keep: arrow::array::BooleanArray = names
            .iter()
            .map(|name| name.map(|name| !name.starts_with('x')))
            .collect();
        let others = arrow::compute::not(&keep).unwrap();
        Ok(Applied {
            matching: arrow::compute::filter_record_batch(rows, &keep).unwrap(),
            leaving: arrow::compute::filter_record_batch(rows, &others).unwrap(),
        })
    }
}

struct Bench {
    script: Script,
    destination: Arc<dyn Destination>,
}

impl Bench {
    fn new() -> Self {
        let tables =
            spec::load(&[("things.toml", TABLES)]).unwrap_or_else(|error| panic!("{error}"));
        Self {
            script: Script {
                tables: Arc::new(tables.into_iter().map(Arc::new).collect()),
                pages: Arc::default(),
            },
            destination: Arc::new(MemoryDestination::new()),
        }
    }

    /// Replicates a table whose slices answer with these pages.
    async fn replicate(&self, name: &str, pages: Vec<Answer>) -> Report {
        self.run(name, pages, &statement()).await
    }

    async fn run(&self, name: &str, pages: Vec<Answer>, statement: &Statement) -> Report {
        *self.script.pages.lock().unwrap() = pages;
        let table = self
            .script
            .tables
            .iter()
            .find(|table| table.name == name)
            .unwrap();
        let request = ScanRequest {
            table: Arc::clone(table),
            scope: self.script.default_scope(),
            columns: vec![UUID, PARENT, NAME],
            predicates: Vec::new(),
            order: None,
            limit: None,
            page_size: None,
        };
        let plain = |&column: &usize| Output {
            field: table.columns[column].field(),
            expression: table.columns[column].name.clone(),
            plain: Some(column),
            reads: vec![column],
            constant: None,
            doc: None,
        };
        let select = Select {
            outputs: request.columns.iter().map(plain).collect(),
            scan: Arc::new(self.script.plan(request).unwrap()),
            source: Arc::new(self.script.clone()),
        };
        let works: [Box<dyn RowWork>; 1] = [Box::new(select)];
        let script = ScriptRun::new(RunOptions::default());
        let run_ = Run::new(&script, Voice::new(Arc::new(crate::Silent)));
        run(&run_, Work::Rows(&works), &self.destination, statement)
            .await
            .unwrap()
    }

    /// The copy as `parent name`, each in both slices.
    async fn copy(&self) -> Vec<String> {
        let query = Query {
            table: TableName::bare("Copy"),
            columns: ["RepositoryUUID", "ParentId", "Name"]
                .map(str::to_owned)
                .into(),
            conditions: Vec::new(),
            limit: None,
        };
        let batches: Vec<RecordBatch> = self
            .destination
            .read(&query)
            .await
            .unwrap()
            .try_collect()
            .await
            .unwrap();
        let mut slices = [BTreeSet::new(), BTreeSet::new()];
        for batch in batches {
            let parents = batch.column(1).as_primitive::<Int64Type>();
            for row in 0..batch.num_rows() {
                let slice = usize::from(batch.column(0).as_string::<i32>().value(row) == "{b}");
                let name = batch.column(2).as_string::<i32>().value(row);
                slices[slice].insert(format!("{} {name}", parents.value(row)));
            }
        }
        assert_eq!(slices[0], slices[1]);
        slices[0].iter().cloned().collect()
    }
}

#[tokio::test]
async fn what_was_not_read_stays_through_a_new_load() {
    let truncates: fn(&mut Statement) = |it| it.options.truncate_table = true;
    let drops: fn(&mut Statement) = |it| it.options.drop_table = true;
    for (name, mode) in [("Notes", Mode::Incremental), ("Labels", Mode::Listing)] {
        for option in [truncates, drops] {
            let bench = Bench::new();
            bench
                .replicate(
                    name,
                    vec![
                        vec![(1, Some(vec!["a", "b"]))],
                        vec![(2, Some(vec!["c"])), (3, Some(vec!["d"]))],
                    ],
                )
                .await;
            let mut statement = statement();
            option(&mut statement);
            let pages = vec![
                vec![(1, Some(vec!["b"])), (2, None)],
                vec![(3, Some(vec!["e"]))],
            ];
            let report = bench.run(name, pages, &statement).await;
            assert_eq!(report.mode, mode);
            assert_eq!(bench.copy().await, ["1 b", "2 c", "3 e"], "{name}");
            // Once it is read again, what is gone leaves.
            let pages = vec![
                vec![(1, Some(vec!["b"])), (2, Some(vec!["f"]))],
                vec![(3, Some(vec!["e"]))],
            ];
            bench.replicate(name, pages).await;
            assert_eq!(bench.copy().await, ["1 b", "2 f", "3 e"], "{name}");
        }
    }
}

#[tokio::test]
async fn what_a_parent_lacks_leaves_and_what_was_not_read_stays() {
    let bench = Bench::new();
    let report = bench
        .replicate(
            "Notes",
            vec![
                vec![(1, Some(vec!["a", "b"]))],
                vec![(2, Some(vec!["c"])), (3, Some(vec!["d", "x"]))],
            ],
        )
        .await;
    assert_eq!(report.mode, Mode::Incremental);
    assert!(
        report
            .why
            .contains("read again for each row of Things that changed"),
        "{}",
        report.why
    );
    assert_eq!(bench.copy().await, ["1 a", "1 b", "2 c", "3 d"]);

    // The first parent's row `a` is gone, the second's list could not be read, the third's is empty.
    let report = bench
        .replicate(
            "Notes",
            vec![
                vec![(1, Some(vec!["b"])), (2, None)],
                vec![(3, Some(vec![]))],
            ],
        )
        .await;
    assert_eq!(report.counts.deleted, 2 * 2);
    assert_eq!(bench.copy().await, ["1 b", "2 c"]);

    // A row that stops matching leaves with the same look.
    bench
        .replicate("Notes", vec![vec![(2, Some(vec!["c", "e"]))]])
        .await;
    bench
        .replicate("Notes", vec![vec![(2, Some(vec!["x", "e"]))]])
        .await;
    assert_eq!(bench.copy().await, ["1 b", "2 e"]);
}

#[tokio::test]
async fn a_listing_keeps_the_rows_of_parents_that_could_not_be_read() {
    let bench = Bench::new();
    let all = vec![vec![
        (1, Some(vec!["a", "b"])),
        (2, Some(vec!["c"])),
        (3, Some(vec!["d"])),
    ]];
    assert_eq!(bench.replicate("Labels", all).await.mode, Mode::Listing);
    let later = vec![vec![(1, Some(vec!["b"]))], vec![(2, None)]];
    bench.replicate("Labels", later).await;
    assert_eq!(bench.copy().await, ["1 b", "2 c"]);
}
