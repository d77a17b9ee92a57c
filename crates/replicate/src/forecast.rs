//! What a REPLICATE would do, in figures.

use std::sync::Arc;

use bucketline_destination::{Destination, TableName};
use bucketline_source::{ReadContext, ScanPlan, Source};

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
    pub reads: Vec<(Arc<dyn Source>, Arc<ScanPlan>)>,
    /// The slices that the last run found, if there was one.
    pub slices: Option<usize>,
    /// The requests of a full load, where one is needed and the last run tells how many rows there are.
    pub reload: Option<u64>,
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
    let slices = (!standing.slices.is_empty()).then_some(standing.slices.len());
    let mut reload = None;
    let (load, reads) = match (work, &prepared.rows) {
        (Work::Rows(work), Some(rows)) => {
            let approach = standing.approach(&prepared, statement);
            let reading = reading(&prepared, &standing.slices, &approach);
            let plan = work.source().explain(rows.scan.plan(), &reading);
            if let Approach::Reload { .. } = approach {
                reload = standing.reload_requests(&plan);
            }
            let load = load_in_words(&prepared, &standing, &approach, rows);
            (load, vec![(Arc::clone(work.source()), Arc::new(plan))])
        }
        (Work::Whole(work), _) => (WHOLE.to_owned(), work.lists().await?),
        (Work::Rows(_), None) => unreachable!("a row-by-row statement is prepared as one"),
    };
    Ok(Forecast {
        table: table.clone(),
        mode: prepared.mode,
        load,
        refusal,
        reads,
        slices,
        reload,
    })
}
