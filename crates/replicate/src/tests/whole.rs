//! Queries that can only be executed as a whole.

use std::sync::{Arc, Mutex};

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::Field;
use async_trait::async_trait;
use bucketline_destination::{Counts, DELETED, TableName};
use bucketline_source::{ScanPlan, Source};
use futures::{StreamExt, stream};

use super::fake::{Fake, Select, Selection};
use super::{Bench, Voice, statement, with};
use crate::run::{Run, run};
use crate::statement::{Deletes, Statement};
use crate::work::{Batches, RowWork, WholeWork, Work};
use crate::{Error, Mode, Report, Result, ScriptRun, code};

/// Counts by state.
struct Aggregate {
    fake: Fake,
    rows: Mutex<Vec<(&'static str, i64)>>,
    fails: bool,
    fields: Vec<Field>,
    /// `WHERE State = ...`
    state: Option<&'static str>,
}

impl Aggregate {
    fn new(fake: &Fake) -> Self {
        let fields = Self::batch(&[])
            .schema()
            .fields()
            .iter()
            .map(|f| f.as_ref().clone())
            .collect();
        Self {
            fake: fake.clone(),
            rows: Mutex::default(),
            fails: false,
            fields,
            state: None,
        }
    }

    fn batch(rows: &[(&str, i64)]) -> RecordBatch {
        let states: ArrayRef =
            Arc::new(rows.iter().map(|(s, _)| Some(*s)).collect::<StringArray>());
        let counts: ArrayRef = Arc::new(rows.iter().map(|(_, n)| Some(*n)).collect::<Int64Array>());
        RecordBatch::try_from_iter([("State", states), ("Count", counts)]).unwrap()
    }
}

#[async_trait]
impl WholeWork for Aggregate {
    fn why(&self) -> &str {
        "it has an aggregate"
    }

    fn outputs(&self) -> &[Field] {
        &self.fields
    }

    fn key(&self) -> &[usize] {
        &[]
    }

    fn sources(&self) -> Vec<Arc<dyn Source>> {
        vec![Arc::new(self.fake.clone())]
    }

    async fn lists(&self) -> Result<Vec<(Arc<dyn Source>, Arc<ScanPlan>)>> {
        let issues = Selection {
            state: self.state,
            ..Selection::all("Issues")
        };
        let select = Select::new(&self.fake, &issues);
        Ok(vec![(
            Arc::clone(select.source()),
            Arc::clone(select.scan()),
        )])
    }

    fn is_selective(&self) -> bool {
        self.state.is_some()
    }

    fn notes(&self) -> &[String] {
        &[]
    }

    fn text(&self) -> Result<String> {
        Ok("count by state".to_owned())
    }

    async fn execute(&self) -> Result<Batches> {
        let rows = self.rows.lock().unwrap().clone();
        let mut batches = vec![Ok(Self::batch(&rows))];
        if self.fails {
            batches.push(Err(Error::new(code::INCOMPLETE, "the answer stopped")));
        }
        Ok(stream::iter(batches).boxed())
    }

    async fn explain(&self) -> Result<Vec<String>> {
        Ok(Vec::new())
    }
}

async fn replicate(bench: &Bench, work: &Aggregate) -> Result<Report> {
    replicate_as(bench, work, &statement()).await
}

async fn replicate_as(bench: &Bench, work: &Aggregate, statement: &Statement) -> Result<Report> {
    let script = ScriptRun::default();
    let run_ = Run::new(&script, Voice::new(Arc::new(crate::Silent)));
    Ok(run(&run_, Work::Whole(work), &bench.destination, statement).await?)
}

/// Keyed by `State`, with this option.
fn keyed(option: &str) -> Statement {
    let text = format!(
        "REPLICATE Copy (State text, Count int, PRIMARY KEY (State)) WITH {option} SELECT 1, 2"
    );
    read(&text)
}

fn read(text: &str) -> Statement {
    match bucketline_sql::parse_statement(text).unwrap().statement {
        bucketline_sql::Statement::Replicate(statement) => Statement::read(&statement).unwrap(),
        other => panic!("{other:?} is no REPLICATE"),
    }
}

#[tokio::test]
async fn what_a_result_lacks_is_marked_or_stays_as_the_statement_says() {
    for (option, left) in [
        ("DeleteOption = HardDelete", vec!["merged 4"]),
        ("SkipDeleted", vec!["merged 4", "open 3"]),
        ("DeleteOption = SoftDelete", vec!["merged 4", "open 3"]),
    ] {
        let bench = Bench::new();
        let work = Aggregate::new(&bench.fake);
        *work.rows.lock().unwrap() = vec![("open", 3), ("merged", 4)];
        replicate_as(&bench, &work, &keyed(option)).await.unwrap();
        work.rows.lock().unwrap().remove(0);
        let report = replicate_as(&bench, &work, &keyed(option)).await.unwrap();
        assert_eq!(bench.rows(&["State", "Count"]).await, left, "{option}");
        assert_eq!(report.counts.deleted, u64::from(option != "SkipDeleted"));
        if option.contains("Soft") {
            let marks = bench.rows(&[DELETED, "State"]).await;
            assert_eq!(marks, ["false merged", "true open"]);
        }
    }
}

#[tokio::test]
async fn texts_are_cut_to_their_declared_lengths_if_that_is_said() {
    let bench = Bench::new();
    let work = Aggregate::new(&bench.fake);
    *work.rows.lock().unwrap() = vec![("öpen", 3)];
    let declares = |option: &str| {
        read(&format!(
            "REPLICATE Copy (State varchar(3) NOT NULL PRIMARY KEY, Count int) {option} SELECT 1, 2"
        ))
    };
    let error = replicate_as(&bench, &work, &declares(""))
        .await
        .unwrap_err();
    assert_eq!(error.code(), "BL7008");
    assert_eq!(
        error.to_string(),
        "column `State` of row {State: öpen}: 'öpen' has 4 characters, and varchar(3) takes 3"
    );
    let cuts = declares("WITH AutoTruncateStrings");
    replicate_as(&bench, &work, &cuts).await.unwrap();
    assert_eq!(bench.rows(&["State"]).await, ["öpe"]);
}

#[tokio::test]
async fn without_a_key_deleted_rows_cannot_be_kept() {
    let bench = Bench::new();
    let work = Aggregate::new(&bench.fake);
    let soft = with(|options| options.deletes = Deletes::Mark);
    let history = with(|options| options.history = true);
    for statement in [soft, history] {
        let error = replicate_as(&bench, &work, &statement).await.unwrap_err();
        assert_eq!(error.code(), "BL7014");
    }
    let skip = with(|options| options.deletes = Deletes::Skip);
    let report = replicate_as(&bench, &work, &skip).await.unwrap();
    assert!(report.notes[0].contains("no effect"), "{:?}", report.notes);
}

#[tokio::test]
async fn a_result_replaces_the_one_before() {
    let bench = Bench::new();
    let mut work = Aggregate::new(&bench.fake);
    *work.rows.lock().unwrap() = vec![("open", 3), ("merged", 4)];
    let report = replicate(&bench, &work).await.unwrap();
    assert_eq!((report.mode, report.read), (Mode::Replace, 2));
    assert_eq!(report.counts.inserted, 2);

    work.fails = true;
    *work.rows.lock().unwrap() = vec![("open", 9)];
    replicate(&bench, &work).await.unwrap_err();
    assert_eq!(rows(&bench).await, 2, "a failed query leaves the old rows");

    work.fails = false;
    let report = replicate(&bench, &work).await.unwrap();
    assert_eq!(
        report.counts,
        Counts {
            inserted: 1,
            deleted: 2,
            ..Counts::default()
        }
    );
    assert_eq!(rows(&bench).await, 1);
}

#[tokio::test]
async fn an_empty_result_is_believed_if_the_lists_have_rows() {
    let bench = Bench::filled();
    let mut work = Aggregate::new(&bench.fake);
    *work.rows.lock().unwrap() = vec![("open", 3)];
    replicate(&bench, &work).await.unwrap();

    work.rows.lock().unwrap().clear();
    let report = replicate(&bench, &work).await.unwrap();
    assert_eq!(
        rows(&bench).await,
        1,
        "nothing leaves rows out, so they were hidden"
    );
    assert!(report.notes[0].contains("they stay"), "{:?}", report.notes);

    work.state = Some("wontfix");
    for repository in ["{a}", "{b}"] {
        bench.fake.world().repository(repository).hidden = true;
    }
    replicate(&bench, &work).await.unwrap();
    assert_eq!(rows(&bench).await, 1, "the lists are empty, too");

    bench.fake.world().repository("{b}").hidden = false;
    let report = replicate(&bench, &work).await.unwrap();
    assert_eq!((rows(&bench).await, report.counts.deleted), (0, 1));
    assert!(report.notes.is_empty(), "{:?}", report.notes);
}

async fn rows(bench: &Bench) -> usize {
    use futures::TryStreamExt;
    let query = bucketline_destination::Query {
        table: TableName::bare("Copy"),
        columns: vec!["State".to_owned()],
        conditions: Vec::new(),
        limit: None,
    };
    let batches: Vec<RecordBatch> = bench
        .destination
        .read(&query)
        .await
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    batches.iter().map(RecordBatch::num_rows).sum()
}
