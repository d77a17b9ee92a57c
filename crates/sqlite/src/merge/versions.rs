//! Versions of rows.

use arrow::array::{AsArray, PrimitiveArray, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;
use bucketline_destination::{Counts, Error, Place, Result, Version, Versions, code, iso8601};
use rusqlite::CachedStatement;

use super::{Merge, Written};
use crate::cell::{Cells, bind};
use crate::name::quote;

impl Merge<'_> {
    /// Puts versions among those of their rows.
    pub(super) fn add_versions(&self, batch: &RecordBatch, versions: Versions) -> Result<Counts> {
        let types = self.written_types();
        let cells = Cells::of(batch, &types);
        let row_key = self.in_written(self.layout.row_key());
        let starts = self.starts(batch, versions)?;
        let [active, start, end] =
            [versions.active, versions.start, versions.end].map(|place| self.quoted(place));
        let mut find = self.prepare(&format!(
            "SELECT {start}, {end}, {active} FROM {} WHERE {}",
            quote(self.target),
            self.matches(self.layout.row_key(), 1)
        ))?;
        let mut insert = self.prepare(&self.insert_sql(true))?;
        let mut counts = Counts::default();
        for row in 0..batch.num_rows() {
            bind(&mut find, row_key.iter().map(|index| &cells[*index]), row)?;
            match Place::of(starts.value(row), &self.stored(&mut find)?) {
                Place::Present { reopened } => {
                    match self.update_version(batch, versions, reopened, row)? {
                        Some(Written::Updated) => counts.updated += 1,
                        _ => counts.unchanged += 1,
                    }
                }
                Place::New { closes, end } => {
                    let key = || row_key.iter().map(|index| &cells[*index]);
                    if let Some(closes) = closes {
                        self.set_end(versions, key(), row, closes, starts.value(row))?;
                    }
                    if self.insert_row(&mut insert, &cells, row)? {
                        counts.inserted += 1;
                    }
                    if let Some(end) = end {
                        self.set_end(versions, key(), row, starts.value(row), end)?;
                    }
                }
            }
        }
        Ok(counts)
    }

    /// Ends the active versions of rows at the starts given.
    pub(super) fn close_versions(&self, batch: &RecordBatch, versions: Versions) -> Result<Counts> {
        let types = self.written_types();
        let cells = Cells::of(batch, &types);
        let key = self.layout.row_key();
        let end = format!("?{}", key.len() + 1);
        let mut close = self.prepare(&self.close_sql(versions, &end, &self.matches(key, 1)))?;
        let mut bound = self.in_written(key);
        bound.extend(self.in_written(&[versions.start]));
        let mut counts = Counts::default();
        for row in 0..batch.num_rows() {
            bind(&mut close, bound.iter().map(|index| &cells[*index]), row)?;
            counts.deleted += close.raw_execute().map_err(|error| self.failed(error))? as u64;
        }
        Ok(counts)
    }

    /// Ends the active versions of rows that are no more.
    pub(super) fn delete_versions_sql(&self, versions: Versions, condition: &str) -> String {
        let now = iso8601::instant(versions.now);
        let now = now.as_ref().map_or("", iso8601::Fixed::as_str);
        self.close_sql(versions, &format!("'{now}'"), condition)
    }

    /// Ends active versions at a moment given as SQL, or where they start if that is later.
    fn close_sql(&self, versions: Versions, end: &str, condition: &str) -> String {
        let [active, start, ended] =
            [versions.active, versions.start, versions.end].map(|place| self.quoted(place));
        format!(
            "UPDATE {} SET {active} = FALSE, {ended} = max({start}, {end})
             WHERE {condition} AND {active}",
            quote(self.target)
        )
    }

    /// Updates a version that is there. One that is not in force again keeps its end.
    fn update_version(
        &self,
        batch: &RecordBatch,
        versions: Versions,
        reopened: bool,
        row: usize,
    ) -> Result<Option<Written>> {
        let mut places = self.layout.written.clone();
        if !reopened {
            places.retain(|place| *place != versions.active && *place != versions.end);
        }
        let part = batch
            .slice(row, 1)
            .project(&self.in_written(&places))
            .map_err(|error| Error::new(code::DATABASE, error.to_string()))?;
        let types = self.types(&places);
        let cells = Cells::of(&part, &types);
        let in_places = |place: &usize| places.iter().position(|other| other == place);
        let key: Vec<usize> = self.layout.key.iter().filter_map(in_places).collect();
        let mut find = self.prepare(&self.find_sql(&places))?;
        let mut update = self.prepare(&self.update_sql(&places))?;
        self.update_row(&mut find, &mut update, &cells, &key, 0)
    }

    /// Ends the version with a start, as one that is not in force.
    fn set_end<'a, 'c: 'a>(
        &self,
        versions: Versions,
        key: impl Iterator<Item = &'a Cells<'c>>,
        row: usize,
        start: i64,
        end: i64,
    ) -> Result<()> {
        let [active, start_name, end_name] =
            [versions.active, versions.start, versions.end].map(|place| self.quoted(place));
        let next = self.layout.row_key().len() + 1;
        let sql = format!(
            "UPDATE {} SET {active} = FALSE, {end_name} = ?{} WHERE {} AND {start_name} = ?{next}",
            quote(self.target),
            next + 1,
            self.matches(self.layout.row_key(), 1),
        );
        let mut update = self.prepare(&sql)?;
        bind(&mut update, key, row)?;
        for (index, moment) in [(next, start), (next + 1, end)] {
            let text = iso8601::instant(moment);
            update
                .raw_bind_parameter(index, text.as_ref().map(iso8601::Fixed::as_str))
                .map_err(|error| self.failed(error))?;
        }
        update.raw_execute().map_err(|error| self.failed(error))?;
        Ok(())
    }

    /// The versions that a statement of start, end and active finds.
    fn stored(&self, find: &mut CachedStatement<'_>) -> Result<Vec<Version>> {
        let mut rows = find.raw_query();
        let mut stored = Vec::new();
        while let Some(row) = rows.next().map_err(|error| self.failed(error))? {
            let moment = |index| -> rusqlite::Result<Option<i64>> {
                let text: Option<String> = row.get(index)?;
                Ok(text.as_deref().and_then(iso8601::parse_instant))
            };
            let version = || -> rusqlite::Result<_> {
                let (start, end, active) = (moment(0)?, moment(1)?, row.get(2)?);
                Ok(start.map(|start| Version { start, end, active }))
            };
            stored.extend(version().map_err(|error| self.failed(error))?);
        }
        Ok(stored)
    }

    fn starts<'b>(
        &self,
        batch: &'b RecordBatch,
        versions: Versions,
    ) -> Result<&'b PrimitiveArray<TimestampMicrosecondType>> {
        let index = self.in_written(&[versions.start]).pop();
        let column = index.map(|index| batch.column(index));
        column
            .and_then(|column| column.as_primitive_opt())
            .ok_or_else(|| Error::new(code::DATABASE, "the versions have no start"))
    }
}
