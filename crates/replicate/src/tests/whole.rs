//! Queries that can only be executed as a whole.

use std::sync::{Arc, Mutex};

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::Field;
use async_trait::async_trait;
use bucketline_destination::{Counts, TableName};
use bucketline_source::{ScanPlan, Source};
use futures::{StreamExt, stream};

use super::fake::{Fake, Select, Selection};
use super::{Bench, Voice, statement};
use crate::run::{Run, run};
use crate::work::{Batches, RowWork, WholeWork, Work};
use crate::{Error, ErrorKind, Mode, Report, Result, ScriptRun};

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
            batches.push(Err(Error::new(ErrorKind::Incomplete, "the answer stopped")));
        }
        Ok(stream::iter(batches).boxed())
    }

    async fn explain(&self) -> Result<Vec<String>> {
        Ok(Vec::new())
    }
}

async fn replicate(bench: &Bench, work: &Aggregate) -> Result<Report> {
    let script = ScriptRun::default();
    let run_ = Run::new(&script, Voice::new(Arc::new(crate::Silent)));
    run(&run_, Work::Whole(work), &bench.destination, &statement()).await
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
