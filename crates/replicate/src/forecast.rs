//! What a REPLICATE would do, in figures.

use std::sync::Arc;

use bucketline_destination::{Destination, TableName};
use bucketline_source::{ReadContext, ScanPlan, Source};

use crate::arms::Arm;
use crate::explain::{WHOLE, load_in_words, reading};
use crate::prepare::prepare;
use crate::run::owners;
use crate::standing::{Approach, Standing};
use crate::statement::Statement;
use crate::work::Work;
use crate::{Error, Mode, Result};

/// What a REPLICATE would do.
#[derive(Debug)]
pub struct Forecast {
    /// The destination's table.
    pub table: TableName,
    /// How it would be kept up to date.
    pub mode: Mode,
    /// How the rows would get into it.
    pub load: String,
    /// Why it would be refused, if so.
    pub refusal: Option<Error>,
    /// What would be read.
    pub reads: Vec<Read>,
}

/// What would be read of one table.
#[derive(Debug)]
pub struct Read {
    /// The source.
    pub source: Arc<dyn Source>,
    /// How it is read.
    pub plan: Arc<ScanPlan>,
    /// The slices that the last run found, if there was one.
    pub slices: Option<usize>,
    /// The requests of a full load, where one is needed and the last run tells how many rows there are.
    pub reload: Option<u64>,
}

impl Read {
    /// By a statement of which nothing is known of an earlier run.
    pub fn new((source, plan): (Arc<dyn Source>, Arc<ScanPlan>)) -> Self {
        Self {
            source,
            plan,
            slices: None,
            reload: None,
        }
    }
}

/// Looks ahead. Makes no request but look-ups of names, and writes nothing.
pub(crate) async fn forecast(
    work: Work<'_>,
    destination: &Arc<dyn Destination>,
    statement: &Statement,
    context: &ReadContext,
) -> Result<Forecast> {
    let prepared = prepare(work, statement)?;
    let table = &statement.table;
    let status = destination.inspect(table).await?;
    let (standing, refused) = match Standing::read(statement, &status) {
        Ok(standing) => (standing, None),
        Err(error) => (Standing::default(), Some(error)),
    };
    let (mut owned, mut fits) = (Ok(()), Ok(()));
    if standing.exists {
        owned = standing.check_owner(table, &owners(work, context).await?);
        fits = standing.check_schema(&prepared, statement, &status);
    }
    // The record of a table that is empty or gone counts as well.
    let history = standing.check_history(&prepared, statement);
    let refusal = refused.or(owned.and(history).and(fits).err());
    let (load, reads) = match work {
        Work::Rows(works) => {
            let arms = prepared.arms(works);
            let approach = standing.approach(&prepared, statement);
            let read = |arm: &Arm<'_>| {
                let reading = reading(&prepared, standing.slices_of(arm.number), &approach);
                let plan = arm.work.source().explain(arm.rows.scan.plan(), &reading);
                let known = standing.slices_of(arm.number).count();
                let reload = match approach {
                    Approach::Reload { .. } => standing.reload_requests(arm.number, &plan),
                    Approach::Merge => None,
                };
                Read {
                    source: Arc::clone(arm.work.source()),
                    plan: Arc::new(plan),
                    slices: (known > 0).then_some(known),
                    reload,
                }
            };
            let load = load_in_words(&prepared, &standing, &approach, &arms);
            (load, arms.iter().map(read).collect())
        }
        Work::Whole(work) => {
            let lists = work.lists().await?;
            (WHOLE.to_owned(), lists.into_iter().map(Read::new).collect())
        }
    };
    Ok(Forecast {
        table: table.clone(),
        mode: prepared.mode,
        load,
        refusal,
        reads,
    })
}
