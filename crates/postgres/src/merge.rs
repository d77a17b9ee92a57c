//! Changes applied to a table.
//!
//! Rows come by COPY into a temporary table, and from there into the table by statements over all of them: first those
//! whose key is not there, then those that differ. What is equal is not touched, so that it leaves no dead rows.

mod page;
mod versions;

use arrow::array::RecordBatch;
use bucketline_destination::{
    Change, ColumnType, Counts, Error, Keeping, Layout, Result, RowFilter, Scalar, TableName, code,
    describe_row, fault,
};
use futures::TryStreamExt;
use tokio_postgres::Statement;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;

use crate::connection::{Doing, failed, refusal};
use crate::decode::Decoder;
use crate::encode::{Parameter, sql_type};
use crate::name::{Located, quote};
use crate::physical::{quote_all, read_as};
use crate::session::Connected;

use self::page::Page;
pub(crate) use self::page::send;

/// A table that changes are applied to, within the caller's transaction.
pub(crate) struct Merge<'a> {
    pub(crate) at: &'a mut Connected,
    /// The table's name for messages.
    pub(crate) table: &'a TableName,
    /// What is written to: the table or its staging.
    pub(crate) target: &'a Located,
    pub(crate) layout: &'a Layout,
    /// The names of the layout's columns there.
    pub(crate) names: &'a [String],
    /// At most so many rows in a statement.
    pub(crate) batch_size: usize,
}

impl Merge<'_> {
    /// Applies a change that [`Layout::prepare`] has made ready.
    pub(crate) async fn change(&mut self, change: &Change) -> Result<Counts> {
        match change {
            Change::Upsert(batch)
            | Change::Insert(batch)
            | Change::Delete(batch)
            | Change::Leave(batch)
                if batch.num_rows() > self.batch_size =>
            {
                let mut counts = Counts::default();
                let mut from = 0;
                while from < batch.num_rows() {
                    let rows = self.batch_size.min(batch.num_rows() - from);
                    let part = batch.slice(from, rows);
                    counts += self.part(&with_rows(change, part)).await?;
                    from += rows;
                }
                Ok(counts)
            }
            change => self.part(change).await,
        }
    }

    async fn part(&mut self, change: &Change) -> Result<Counts> {
        match change {
            Change::Upsert(batch) if self.layout.key.is_empty() => self.append(batch).await,
            Change::Upsert(batch) => match self.layout.keeping {
                Keeping::Versions(versions) => self.add_versions(batch, versions).await,
                Keeping::Nothing | Keeping::Deleted(_) => self.upsert(batch).await,
            },
            Change::Insert(batch) => self.append(batch).await,
            Change::Delete(batch) => self.delete(batch).await,
            Change::DeleteWhere(filter) => self.delete_where(filter).await,
            Change::Leave(batch) => match self.layout.keeping {
                Keeping::Versions(versions) => self.close_versions(batch, versions).await,
                Keeping::Deleted(deleted) => self.mark(batch, deleted).await,
                // Made a delete when it was prepared.
                Keeping::Nothing => Ok(Counts::default()),
            },
            Change::Assign { rows, set } => self.assign(rows, set).await,
        }
    }

    /// Inserts rows whose key is not there, updates those that differ.
    async fn upsert(&mut self, batch: &RecordBatch) -> Result<Counts> {
        let rows = batch.num_rows() as u64;
        let page = self.page(&self.layout.written, batch).await?;
        let inserted = self.insert_new(&page, "TRUE").await?;
        let updated = match rows - inserted {
            0 => 0,
            _ => {
                self.update_differing(&page, &self.layout.written, "TRUE")
                    .await?
            }
        };
        Ok(Counts {
            inserted,
            updated,
            unchanged: rows.saturating_sub(inserted + updated),
            deleted: 0,
        })
    }

    /// Inserts the rows of a page that are chosen and whose key is not there.
    async fn insert_new(&mut self, page: &Page, chosen: &str) -> Result<u64> {
        let sql = format!(
            "INSERT INTO {0} ({1}) SELECT {2} FROM {3} AS page
             WHERE {chosen} AND NOT EXISTS (SELECT 1 FROM {0} AS present WHERE {4})",
            self.target.sql(),
            self.quoted_all(&page.places),
            page.columns(&page.places),
            page.name,
            self.matches(page, &self.layout.key),
        );
        self.execute(&sql, &[]).await
    }

    /// Updates columns of the rows that are there and differ in them from the chosen rows of a page.
    async fn update_differing(
        &mut self,
        page: &Page,
        places: &[usize],
        chosen: &str,
    ) -> Result<u64> {
        let values: Vec<usize> = places
            .iter()
            .filter(|place| !self.layout.key.contains(place))
            .copied()
            .collect();
        if values.is_empty() {
            return Ok(0);
        }
        let sql = format!(
            "UPDATE {} AS present SET {} FROM {} AS page WHERE {chosen} AND {} AND {}",
            self.target.sql(),
            self.assignments(page, &values),
            page.name,
            self.matches(page, &self.layout.key),
            self.differs(page, &values),
        );
        self.execute(&sql, &[]).await
    }

    /// Inserts rows that must be new.
    async fn append(&mut self, batch: &RecordBatch) -> Result<Counts> {
        let page = self.page(&self.layout.written, batch).await?;
        if !self.layout.key.is_empty() {
            self.refuse_doubles(&page, batch).await?;
        }
        let sql = format!(
            "INSERT INTO {} ({}) SELECT {} FROM {} AS page",
            self.target.sql(),
            self.quoted_all(&page.places),
            page.columns(&page.places),
            page.name,
        );
        Ok(Counts {
            inserted: self.execute(&sql, &[]).await?,
            ..Counts::default()
        })
    }

    /// Fails, naming both rows, if a key of a page is there already or is twice in the page.
    async fn refuse_doubles(&mut self, page: &Page, batch: &RecordBatch) -> Result<()> {
        let key = page.columns(&self.layout.key);
        let sql = format!(
            "SELECT min(row), max(row) FROM {} AS page GROUP BY {key} HAVING count(*) > 1 LIMIT 1",
            page.name
        );
        let twice = self.query(&sql, &[]).await?;
        let (first, second) = match twice.first() {
            Some(row) => {
                let at = |index| usize::try_from(row.get::<_, i32>(index)).unwrap_or(0);
                (describe_row(batch, at(0)), describe_row(batch, at(1)))
            }
            None => {
                let present = self.read_list("present.", &self.layout.written);
                let sql = format!(
                    "SELECT {present}, page.row FROM {} AS present JOIN {} AS page ON {} LIMIT 1",
                    self.target.sql(),
                    page.name,
                    self.matches(page, &self.layout.key),
                );
                let there = self.query(&sql, &[]).await?;
                let Some(row) = there.first() else {
                    return Ok(());
                };
                let schema = self.layout.schema().project(&self.layout.written);
                let schema = schema.map_err(internal)?;
                let at: i32 = row.get(schema.fields().len());
                let mut decoder = Decoder::new(schema.into());
                decoder.push(row)?;
                let at = usize::try_from(at).unwrap_or(0);
                (describe_row(&decoder.finish()?, 0), describe_row(batch, at))
            }
        };
        let key = self.layout.key_names();
        Err(fault::duplicate_key(self.table, &key, &first, &second))
    }

    async fn delete(&mut self, batch: &RecordBatch) -> Result<Counts> {
        let key = self.layout.row_key().to_vec();
        let page = self.page(&key, batch).await?;
        let condition = format!(
            "EXISTS (SELECT 1 FROM {} AS page WHERE {})",
            page.name,
            self.matches(&page, &key)
        );
        let sql = match self.layout.keeping {
            // The rows are found from the page, not the other way round.
            Keeping::Nothing => format!(
                "DELETE FROM {} AS present USING {} AS page WHERE {}",
                self.target.sql(),
                page.name,
                self.matches(&page, &key)
            ),
            Keeping::Deleted(_) | Keeping::Versions(_) => self.leave_sql(&condition),
        };
        Ok(Counts {
            deleted: self.execute(&sql, &[]).await?,
            ..Counts::default()
        })
    }

    async fn delete_where(&mut self, filter: &RowFilter) -> Result<Counts> {
        let (condition, values) = self.condition(filter, 1)?;
        let sql = self.leave_sql(&condition);
        Ok(Counts {
            deleted: self.execute(&sql, &values).await?,
            ..Counts::default()
        })
    }

    /// Lets the rows go that meet a condition and have not left.
    fn leave_sql(&self, condition: &str) -> String {
        let target = self.target.sql();
        match self.layout.keeping {
            Keeping::Nothing => format!("DELETE FROM {target} AS present WHERE {condition}"),
            Keeping::Deleted(deleted) => {
                let deleted = self.quoted(deleted);
                format!(
                    "UPDATE {target} AS present SET {deleted} = TRUE
                     WHERE {condition} AND NOT present.{deleted}"
                )
            }
            Keeping::Versions(versions) => self.delete_versions_sql(versions, condition),
        }
    }

    /// Marks rows that are there as those that left, with the values they have now.
    async fn mark(&mut self, batch: &RecordBatch, deleted: usize) -> Result<Counts> {
        let page = self.page(&self.layout.written, batch).await?;
        let sql = format!(
            "SELECT count(*) FROM {} AS present JOIN {} AS page ON {} WHERE NOT present.{}",
            self.target.sql(),
            page.name,
            self.matches(&page, &self.layout.key),
            self.quoted(deleted),
        );
        let rows = self.query(&sql, &[]).await?;
        let leaving = rows
            .first()
            .map_or(0, |row| row.get::<_, i64>(0))
            .unsigned_abs();
        let written = self
            .update_differing(&page, &self.layout.written, "TRUE")
            .await?;
        Ok(Counts {
            updated: written.saturating_sub(leaving),
            deleted: leaving,
            ..Counts::default()
        })
    }

    async fn assign(&mut self, rows: &RowFilter, set: &[(String, Scalar)]) -> Result<Counts> {
        if set.is_empty() {
            return Ok(Counts::default());
        }
        let mut values = self.parameters(self.layout.constants(set)?);
        let assigned: Vec<(String, String)> = values
            .iter()
            .enumerate()
            .map(|(index, (place, value))| (self.quoted(*place), parameter(index + 1, value)))
            .collect();
        let set: Vec<String> = assigned
            .iter()
            .map(|(name, value)| format!("{name} = {value}"))
            .collect();
        let differs: Vec<String> = assigned
            .iter()
            .map(|(name, value)| format!("present.{name} IS DISTINCT FROM {value}"))
            .collect();
        let (condition, more) = self.condition(rows, values.len() + 1)?;
        let sql = format!(
            "UPDATE {} AS present SET {} WHERE {condition} AND ({})",
            self.target.sql(),
            set.join(", "),
            differs.join(" OR ")
        );
        values.extend(more);
        Ok(Counts {
            updated: self.execute(&sql, &values).await?,
            ..Counts::default()
        })
    }

    /// The key columns of the rows that match and have not left.
    pub(crate) async fn keys(&mut self, filter: &RowFilter) -> Result<Vec<RecordBatch>> {
        const BATCH: usize = 8192;
        let (mut condition, values) = self.condition(filter, 1)?;
        match self.layout.keeping {
            Keeping::Nothing => {}
            Keeping::Deleted(deleted) => {
                condition.push_str(&format!(" AND NOT present.{}", self.quoted(deleted)));
            }
            Keeping::Versions(versions) => {
                condition.push_str(&format!(" AND present.{}", self.quoted(versions.active)));
            }
        }
        let sql = format!(
            "SELECT {} FROM {} AS present WHERE {condition}",
            self.read_list("present.", self.layout.row_key()),
            self.target.sql(),
        );
        let mut decoder = Decoder::new(self.layout.key_schema());
        let mut batches = Vec::new();
        let doing = format!("reading {}", self.table);
        let statement = self.prepared(&sql, &doing).await?;
        let rows = self
            .at
            .client
            .query_raw(&statement, values.iter().map(|(_, value)| value))
            .await
            .map_err(|error| self.vanished(failed(&doing, error)))?;
        let mut rows = std::pin::pin!(rows);
        while let Some(row) = rows.try_next().await.doing(&doing)? {
            decoder.push(&row)?;
            if decoder.rows() == BATCH {
                batches.push(decoder.finish()?);
            }
        }
        if decoder.rows() > 0 {
            batches.push(decoder.finish()?);
        }
        Ok(batches)
    }

    /// A filter as SQL, with parameters from `first` on, and their values.
    fn condition(&self, filter: &RowFilter, first: usize) -> Result<(String, Vec<Constant>)> {
        let mut parts = Vec::new();
        let mut values = Vec::new();
        for (place, value) in self.parameters(self.layout.filter(filter)?) {
            let name = self.quoted(place);
            if value.array.null_count() > 0 {
                parts.push(format!("present.{name} IS NULL"));
            } else {
                let value_sql = parameter(first + values.len(), &value);
                parts.push(format!("present.{name} = {value_sql}"));
                values.push((place, value));
            }
        }
        let sql = match parts.is_empty() {
            true => String::from("TRUE"),
            false => parts.join(" AND "),
        };
        Ok((sql, values))
    }

    fn parameters(&self, values: Vec<(usize, arrow::array::ArrayRef)>) -> Vec<Constant> {
        let parameter = |(place, array): (usize, arrow::array::ArrayRef)| {
            let column_type = self.layout.columns[place].column_type;
            (place, Parameter { array, column_type })
        };
        values.into_iter().map(parameter).collect()
    }

    async fn prepared(&mut self, sql: &str, doing: &str) -> Result<Statement> {
        let statement = self.at.prepared(sql, doing).await;
        statement.map_err(|error| self.vanished(error))
    }

    async fn execute(&mut self, sql: &str, values: &[Constant]) -> Result<u64> {
        let doing = format!("writing to {}", self.table);
        let statement = self.prepared(sql, &doing).await?;
        let values: Vec<&(dyn ToSql + Sync)> = values
            .iter()
            .map(|(_, value)| value as &(dyn ToSql + Sync))
            .collect();
        let executed = self.at.client.execute(&statement, &values).await;
        executed.map_err(|error| self.vanished(failed(&doing, error)))
    }

    async fn query(&mut self, sql: &str, values: &[Constant]) -> Result<Vec<tokio_postgres::Row>> {
        let doing = format!("reading {}", self.table);
        let statement = self.prepared(sql, &doing).await?;
        let values: Vec<&(dyn ToSql + Sync)> = values
            .iter()
            .map(|(_, value)| value as &(dyn ToSql + Sync))
            .collect();
        let queried = self.at.client.query(&statement, &values).await;
        queried.map_err(|error| self.vanished(failed(&doing, error)))
    }

    /// Says so if what fails does since the table is not there any more. What a trigger's function misses is another.
    fn vanished(&self, error: Error) -> Error {
        let is_gone = refusal(&error).is_some_and(|told| {
            *told.code() == SqlState::UNDEFINED_TABLE && told.where_().is_none()
        });
        match is_gone {
            true => fault::vanished(self.table).with_source(error),
            false => error,
        }
    }

    /// The key columns at some places are equal in the table and a page.
    fn matches(&self, page: &Page, places: &[usize]) -> String {
        let part = |place: &usize| {
            format!(
                "present.{} = page.{}",
                self.quoted(*place),
                page.column(*place)
            )
        };
        places.iter().map(part).collect::<Vec<_>>().join(" AND ")
    }

    fn differs(&self, page: &Page, places: &[usize]) -> String {
        let present: Vec<String> = places
            .iter()
            .map(|place| format!("present.{}", self.quoted(*place)))
            .collect();
        format!(
            "ROW({}) IS DISTINCT FROM ROW({})",
            present.join(", "),
            page.columns(places)
        )
    }

    fn assignments(&self, page: &Page, places: &[usize]) -> String {
        let part =
            |place: &usize| format!("{} = page.{}", self.quoted(*place), page.column(*place));
        places.iter().map(part).collect::<Vec<_>>().join(", ")
    }

    /// The columns at some places, cast to what they are read as.
    fn read_list(&self, prefix: &str, places: &[usize]) -> String {
        let part = |place: &usize| {
            let column_type = self.layout.columns[*place].column_type;
            let sql = format!("{prefix}{}", self.quoted(*place));
            read_as(&sql, column_type, &sql_type(column_type))
        };
        places.iter().map(part).collect::<Vec<_>>().join(", ")
    }

    /// The name of the column at a place, as SQL.
    fn quoted(&self, place: usize) -> String {
        quote(&self.names[place])
    }

    fn quoted_all(&self, places: &[usize]) -> String {
        quote_all(places.iter().map(|place| &self.names[*place]))
    }

    /// The types of the columns at some places.
    fn types(&self, places: &[usize]) -> Vec<ColumnType> {
        let column_type = |place: &usize| self.layout.columns[*place].column_type;
        places.iter().map(column_type).collect()
    }
}

/// A column's place and one value of it.
type Constant = (usize, Parameter);

fn parameter(number: usize, value: &Parameter) -> String {
    format!("${number}::{}", sql_type(value.column_type))
}

/// The change of other rows.
pub(crate) fn with_rows(change: &Change, rows: RecordBatch) -> Change {
    match change {
        Change::Upsert(_) => Change::Upsert(rows),
        Change::Insert(_) => Change::Insert(rows),
        Change::Delete(_) => Change::Delete(rows),
        Change::Leave(_) => Change::Leave(rows),
        other => other.clone(),
    }
}

fn internal(error: arrow::error::ArrowError) -> Error {
    Error::new(code::DATABASE, error.to_string()).with_source(error)
}
