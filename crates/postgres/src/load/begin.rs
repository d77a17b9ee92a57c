//! The beginning of a load.

use async_trait::async_trait;
use bucketline_destination::{Layout, LoadPlan, Physical, Result, TableName, Target};

use super::Begun;
use crate::evolve;
use crate::name::{Located, check_column, fold};
use crate::physical::{self, stored_names};
use crate::session::{Connected, Work};
use crate::state::{self, Remembered};

/// Makes what is missing, and remembers the plan.
pub(super) struct Begin {
    pub(super) table: TableName,
    pub(super) located: Located,
    pub(super) plan: LoadPlan,
}

#[async_trait]
impl Work for Begin {
    type Outcome = Begun;

    async fn run(&self, at: &mut Connected) -> Result<Begun> {
        let (client, located, plan) = (&*at.client, &self.located, &self.plan);
        for column in &plan.columns {
            check_column(column.field.name())?;
        }
        let name = located.sql();
        let status = physical::status(client, located).await?;
        let (layout, evolution) = status.meet(&self.table, plan)?;
        let staged = plan.target != Target::Table;
        let fresh = status.physical == Physical::Absent;
        let found = physical::find(client, located).await?;
        let present = match &found {
            Some(found) => physical::columns(client, found.oid).await?,
            None => Vec::new(),
        };
        let names = stored_names(layout.columns.iter().map(|it| it.name.as_str()), &present);
        if let (Some(found), false) = (&found, staged) {
            let table = (located, found.oid);
            evolve::evolve(client, table, &layout, &names, &evolution).await?;
            let added = |place: usize| evolution.added.contains(&place);
            evolve::comment(client, located, &layout, &names, plan, added).await?;
        }
        if fresh {
            evolve::create_schema(client, &located.schema).await?;
            evolve::make(client, located, &layout, &names, plan).await?;
        }
        let remembered = state::read_table(client, &name).await?;
        let id = match &remembered {
            Some(remembered) if staged && !fresh => remembered.id,
            // Until what is staged is applied, a table that is taken over is not ours.
            None if staged && !fresh => {
                state::save(client, &name, &state::ADOPTING, &layout).await?
            }
            _ => state::save(client, &name, &plan.record, &layout).await?,
        };
        if fresh || status.is_void() {
            state::set_rows(client, &name, 0).await?;
            state::forget_all(client, id, false).await?;
        } else if plan.forget_checkpoints && !staged {
            state::forget_all(client, id, false).await?;
        }
        let staging = self.begin_staging(at, id, remembered).await?;
        if let (Some(found), true) = (&found, staged) {
            let recreates = plan.target == Target::Recreate;
            let table = (located, found.oid);
            evolve::check(&at.client, table, &layout, &names, &evolution, recreates).await?;
        }
        // What was prepared for the table as it was means nothing any more.
        at.forget_statements();
        let (target, target_names) = match &staging {
            Some(staging) => (Located::staging(id), staging_names(staging)),
            None => (located.clone(), names.clone()),
        };
        Ok(Begun {
            plan: self.plan.clone(),
            id,
            layout,
            names,
            evolution,
            staging,
            target,
            target_names,
        })
    }
}

/// The names of the columns of a staging.
pub(super) fn staging_names(layout: &Layout) -> Vec<String> {
    layout
        .columns
        .iter()
        .map(|column| fold(&column.name))
        .collect()
}

impl Begin {
    /// Goes on with the staging, or removes it and makes another, as the plan wants.
    async fn begin_staging(
        &self,
        at: &mut Connected,
        id: i64,
        remembered: Option<Remembered>,
    ) -> Result<Option<Layout>> {
        let (client, plan) = (&*at.client, &self.plan);
        let table = Located::staging(id);
        let staged = plan.target != Target::Table;
        let found = physical::find(client, &table).await?;
        if staged && plan.resumes {
            let layout = remembered.and_then(|remembered| remembered.staging);
            let layout = layout.filter(|_| found.is_some());
            let layout = Layout::resume(&self.table, layout.as_ref(), plan)?;
            state::save_staged_record(client, id, &plan.record).await?;
            return Ok(Some(layout));
        }
        if found.is_some() {
            evolve::drop_table(client, &table).await?;
        }
        if staged {
            let wanted = Layout::of(plan)?;
            evolve::create(client, &table, &wanted, &staging_names(&wanted)).await?;
            state::save_staging(client, id, Some((&plan.record, &wanted))).await?;
            return Ok(Some(wanted));
        }
        state::save_staging(client, id, None).await?;
        Ok(None)
    }
}
