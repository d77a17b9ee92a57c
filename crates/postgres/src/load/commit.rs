//! What was written for a slice, with its checkpoint.

use std::sync::Arc;

use async_trait::async_trait;
use bucketline_destination::{Counts, Result, TableName, Uncommitted};
use serde_json::Value;

use super::Begun;
use crate::session::{Connected, Work};
use crate::state;

pub(super) struct Commit {
    pub(super) table: TableName,
    pub(super) begun: Arc<Begun>,
    pub(super) slice: String,
    pub(super) work: Uncommitted,
    pub(super) checkpoint: Option<Value>,
}

#[async_trait]
impl Work for Commit {
    type Outcome = Counts;

    async fn run(&self, at: &mut Connected) -> Result<Counts> {
        let mut counts = Counts::default();
        let mut merge = self.begun.merge(at, &self.table);
        for change in &self.work.changes {
            counts += merge.change(change).await?;
        }
        let (id, staged) = (self.begun.id, self.begun.staging.is_some());
        if self.work.forget {
            state::save_checkpoint(at, id, staged, &self.slice, None).await?;
        }
        if let Some(checkpoint) = &self.checkpoint {
            state::save_checkpoint(at, id, staged, &self.slice, Some(checkpoint)).await?;
        }
        Ok(counts)
    }

    fn more_rows(&self, counts: &Counts) -> i64 {
        if self.begun.staging.is_some() {
            return 0;
        }
        let (more, less) = self.begun.layout.keeping.rows(counts);
        i64::try_from(more).unwrap_or(i64::MAX) - i64::try_from(less).unwrap_or(i64::MAX)
    }
}
