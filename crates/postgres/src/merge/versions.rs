//! Versions of rows.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, PrimitiveArray, RecordBatch, UInt32Array,
};
use arrow::compute::take_record_batch;
use arrow::datatypes::TimestampMicrosecondType;
use arrow::row::{OwnedRow, RowConverter, SortField};
use bucketline_destination::{Counts, Error, Place, Result, Version, Versions, code};

use super::{Merge, internal};
use crate::decode::Decoder;
use crate::encode::EPOCH;

type Moments = PrimitiveArray<TimestampMicrosecondType>;

/// A version as it is to be.
struct Placed {
    version: Version,
    /// As it is stored.
    stored: Option<Version>,
    /// The row of the batch that it came with.
    row: Option<usize>,
}

impl Merge<'_> {
    /// Puts versions among those of their rows.
    ///
    /// Where each stands is decided here, one after the other, from what is stored of their rows; then all that follows
    /// is written at once.
    pub(super) async fn add_versions(
        &mut self,
        batch: &RecordBatch,
        versions: Versions,
    ) -> Result<Counts> {
        let mut rows = self.stored_versions(batch).await?;
        let keys = self.row_keys(batch)?;
        let starts = self.starts(batch, versions)?.clone();
        let mut counts = Counts::default();
        let (mut present, mut reopened_rows) = (Vec::new(), Vec::new());
        for (row, key) in keys.iter().enumerate() {
            let placed = rows.entry(key.clone()).or_default();
            let start = starts.value(row);
            let known: Vec<Version> = placed.iter().map(|it| it.version).collect();
            match Place::of(start, &known) {
                Place::Present { reopened } => {
                    present.push(row);
                    if reopened {
                        reopened_rows.push(row);
                        let same = placed.iter_mut().find(|it| it.version.start == start);
                        same.into_iter().for_each(|it| {
                            it.version.active = true;
                            it.version.end = None;
                        });
                    }
                }
                Place::New { closes, end } => {
                    let before = placed
                        .iter_mut()
                        .find(|it| Some(it.version.start) == closes);
                    before.into_iter().for_each(|it| {
                        it.version.active = false;
                        it.version.end = Some(start);
                    });
                    placed.push(Placed {
                        version: Version {
                            start,
                            end,
                            active: end.is_none(),
                        },
                        stored: None,
                        row: Some(row),
                    });
                    counts.inserted += 1;
                }
            }
        }
        let (batch, changed) = self.settled(batch, versions, &keys, &rows)?;
        let page = self.page(&self.layout.written, &batch).await?;
        let updated = self.update_content(&page, versions, &present).await?;
        let updated = present
            .iter()
            .filter(|row| updated.contains(row) || reopened_rows.contains(row));
        counts.updated = updated.count() as u64;
        counts.unchanged = present.len() as u64 - counts.updated;
        self.insert_new(&page, "TRUE").await?;
        self.set_ends(versions, &changed).await?;
        Ok(counts)
    }

    /// Ends the active versions of rows at the starts given.
    pub(super) async fn close_versions(
        &mut self,
        batch: &RecordBatch,
        versions: Versions,
    ) -> Result<Counts> {
        let page = self.page(&self.layout.written, batch).await?;
        let [active, start, end] =
            [versions.active, versions.start, versions.end].map(|place| self.quoted(place));
        let sql = format!(
            "UPDATE {} AS present SET {active} = FALSE, {end} = greatest(present.{start}, page.{})
             FROM {} AS page WHERE {} AND present.{active}",
            self.target.sql(),
            page.column(versions.start),
            page.name,
            self.matches(&page, self.layout.row_key()),
        );
        Ok(Counts {
            deleted: self.execute(&sql, &[]).await?,
            ..Counts::default()
        })
    }

    /// Ends the active versions of rows that are no more, or where they start if that is later.
    pub(super) fn delete_versions_sql(&self, versions: Versions, condition: &str) -> String {
        let [active, start, end] =
            [versions.active, versions.start, versions.end].map(|place| self.quoted(place));
        let now = versions.now.saturating_sub(EPOCH);
        format!(
            "UPDATE {} AS present SET {active} = FALSE,
                {end} = greatest(present.{start}, '2000-01-01 00:00:00Z'::timestamptz
                                 + {now} * '1 microsecond'::interval)
             WHERE {condition} AND present.{active}",
            self.target.sql(),
        )
    }

    /// The versions that are stored of the rows of a batch, by the rows' keys.
    async fn stored_versions(
        &mut self,
        batch: &RecordBatch,
    ) -> Result<HashMap<OwnedRow, Vec<Placed>>> {
        let versions = match self.layout.keeping {
            bucketline_destination::Keeping::Versions(versions) => versions,
            _ => return Ok(HashMap::new()),
        };
        let key = self.layout.row_key().to_vec();
        let keys = batch.project(&self.in_written(&key)).map_err(internal)?;
        let page = self.page(&key, &keys).await?;
        let mut places = key.clone();
        places.extend([versions.start, versions.end, versions.active]);
        let sql = format!(
            "SELECT {} FROM {} AS present
             WHERE EXISTS (SELECT 1 FROM {} AS page WHERE {})",
            self.read_list("present.", &places),
            self.target.sql(),
            page.name,
            self.matches(&page, &key),
        );
        let schema = self.layout.schema().project(&places).map_err(internal)?;
        let mut decoder = Decoder::new(schema.into());
        for row in &self.query(&sql, &[]).await? {
            decoder.push(row)?;
        }
        let found = decoder.finish()?;
        let width = key.len();
        let converted = convert(&found.columns()[..width])?;
        let (starts, ends): (&Moments, &Moments) = (
            found.column(width).as_primitive(),
            found.column(width + 1).as_primitive(),
        );
        let active = found.column(width + 2).as_boolean();
        let mut rows: HashMap<OwnedRow, Vec<Placed>> = HashMap::new();
        for (row, key) in converted.into_iter().enumerate() {
            let version = Version {
                start: starts.value(row),
                end: ends.is_valid(row).then(|| ends.value(row)),
                active: active.is_valid(row) && active.value(row),
            };
            rows.entry(key).or_default().push(Placed {
                version,
                stored: Some(version),
                row: None,
            });
        }
        Ok(rows)
    }

    /// The batch with the ends that its new versions have at last; and the versions that are stored with other ends, by
    /// the row of the batch that has their key.
    #[expect(
        clippy::type_complexity,
        reason = "rows and the versions to be changed"
    )]
    fn settled(
        &self,
        batch: &RecordBatch,
        versions: Versions,
        keys: &[OwnedRow],
        rows: &HashMap<OwnedRow, Vec<Placed>>,
    ) -> Result<(RecordBatch, Option<(RecordBatch, Vec<Version>)>)> {
        let mut active = vec![true; batch.num_rows()];
        let mut ends: Vec<Option<i64>> = vec![None; batch.num_rows()];
        let (mut of_key, mut changed) = (Vec::new(), Vec::new());
        let mut seen: HashMap<&OwnedRow, usize> = HashMap::new();
        for (row, key) in keys.iter().enumerate() {
            seen.entry(key).or_insert(row);
        }
        for (key, placed) in rows {
            for it in placed {
                match (it.row, it.stored) {
                    (Some(row), _) => {
                        active[row] = it.version.active;
                        ends[row] = it.version.end;
                    }
                    (None, Some(stored)) if stored != it.version => {
                        of_key.push(seen.get(key).copied().unwrap_or_default());
                        changed.push(it.version);
                    }
                    _ => {}
                }
            }
        }
        let mut arrays = batch.columns().to_vec();
        let [active_at, end_at] = [versions.active, versions.end].map(|place| {
            self.in_written(&[place])
                .first()
                .copied()
                .unwrap_or_default()
        });
        arrays[active_at] = Arc::new(BooleanArray::from(active));
        let typed = Moments::from(ends).with_data_type(arrays[end_at].data_type().clone());
        arrays[end_at] = Arc::new(typed);
        let settled = RecordBatch::try_new(batch.schema(), arrays).map_err(internal)?;
        if changed.is_empty() {
            return Ok((settled, None));
        }
        let of_key: Vec<u32> = of_key
            .into_iter()
            .map(|row| u32::try_from(row).unwrap_or(u32::MAX))
            .collect();
        let keys = batch
            .project(&self.in_written(self.layout.row_key()))
            .map_err(internal)?;
        let keys = take_record_batch(&keys, &UInt32Array::from(of_key)).map_err(internal)?;
        Ok((settled, Some((keys, changed))))
    }

    /// Updates the versions that are there with the rows of a page that are `present`; gives those that differed.
    async fn update_content(
        &mut self,
        page: &super::Page,
        versions: Versions,
        present: &[usize],
    ) -> Result<Vec<usize>> {
        let values: Vec<usize> = self
            .layout
            .written
            .iter()
            .filter(|place| !self.layout.key.contains(place))
            .filter(|place| **place != versions.active && **place != versions.end)
            .copied()
            .collect();
        if present.is_empty() || values.is_empty() {
            return Ok(Vec::new());
        }
        let sql = format!(
            "UPDATE {} AS present SET {} FROM {} AS page WHERE {} AND {} RETURNING page.row",
            self.target.sql(),
            self.assignments(page, &values),
            page.name,
            self.matches(page, &self.layout.key),
            self.differs(page, &values),
        );
        let rows = self.query(&sql, &[]).await?;
        Ok(rows
            .iter()
            .map(|row| usize::try_from(row.get::<_, i32>(0)).unwrap_or_default())
            .collect())
    }

    /// Gives stored versions other ends.
    async fn set_ends(
        &mut self,
        versions: Versions,
        changed: &Option<(RecordBatch, Vec<Version>)>,
    ) -> Result<()> {
        let Some((keys, changed)) = changed else {
            return Ok(());
        };
        let mut places = self.layout.row_key().to_vec();
        places.extend([versions.start, versions.end, versions.active]);
        let moment = |place: usize, values: Vec<Option<i64>>| -> ArrayRef {
            let data_type = self.layout.columns[place].column_type.data_type();
            Arc::new(Moments::from(values).with_data_type(data_type))
        };
        let mut arrays = keys.columns().to_vec();
        let starts = changed.iter().map(|version| Some(version.start)).collect();
        let ends = changed.iter().map(|version| version.end).collect();
        arrays.push(moment(versions.start, starts));
        arrays.push(moment(versions.end, ends));
        let active: Vec<bool> = changed.iter().map(|version| version.active).collect();
        arrays.push(Arc::new(BooleanArray::from(active)));
        let schema = self.layout.schema().project(&places).map_err(internal)?;
        let batch = RecordBatch::try_new(Arc::new(schema), arrays).map_err(internal)?;
        let page = self.page(&places, &batch).await?;
        let sql = format!(
            "UPDATE {} AS present SET {} FROM {} AS page WHERE {}",
            self.target.sql(),
            self.assignments(&page, &[versions.end, versions.active]),
            page.name,
            self.matches(&page, &self.layout.key),
        );
        self.execute(&sql, &[]).await?;
        Ok(())
    }

    fn row_keys(&self, batch: &RecordBatch) -> Result<Vec<OwnedRow>> {
        let columns = self.in_written(self.layout.row_key());
        let columns: Vec<ArrayRef> = columns
            .iter()
            .map(|index| Arc::clone(batch.column(*index)))
            .collect();
        convert(&columns)
    }

    /// Where the columns at some places stand among the written ones.
    fn in_written(&self, places: &[usize]) -> Vec<usize> {
        let find = |place: &usize| self.layout.written.iter().position(|w| w == place);
        places.iter().filter_map(find).collect()
    }

    fn starts<'b>(&self, batch: &'b RecordBatch, versions: Versions) -> Result<&'b Moments> {
        let index = self.in_written(&[versions.start]).pop();
        let column = index.map(|index| batch.column(index));
        column
            .and_then(|column| column.as_primitive_opt())
            .ok_or_else(|| Error::new(code::DATABASE, "the versions have no start"))
    }
}

fn convert(columns: &[ArrayRef]) -> Result<Vec<OwnedRow>> {
    let fields = columns
        .iter()
        .map(|it| SortField::new(it.data_type().clone()));
    let converter = RowConverter::new(fields.collect()).map_err(internal)?;
    let rows = converter.convert_columns(columns).map_err(internal)?;
    Ok(rows.iter().map(|row| row.owned()).collect())
}
