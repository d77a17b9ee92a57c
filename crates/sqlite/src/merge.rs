//! Changes applied to a table.

mod versions;

use arrow::array::RecordBatch;
use bucketline_destination::{
    Change, ColumnType, Counts, Error, Keeping, Layout, Result, RowFilter, Scalar, TableName,
    describe_row, fault,
};
use rusqlite::{CachedStatement, Connection};

use crate::cell::{Cells, bind};
use crate::decode::Decoder;
use crate::error::failed;
use crate::name::{quote, quote_all};

/// A table that changes are applied to, within the caller's transaction.
pub(crate) struct Merge<'a> {
    pub(crate) connection: &'a Connection,
    /// The table's name for messages.
    pub(crate) table: &'a TableName,
    /// The name in the file of what is written to: the table or its staging.
    pub(crate) target: &'a str,
    pub(crate) layout: &'a Layout,
}

/// What writing a row did.
enum Written {
    Inserted,
    Updated,
    Unchanged,
}

impl Merge<'_> {
    /// Applies a change that [`Layout::prepare`] has made ready.
    pub(crate) fn change(&self, change: &Change) -> Result<Counts> {
        match change {
            Change::Upsert(batch) if self.layout.key.is_empty() => self.append(batch),
            Change::Upsert(batch) => match self.layout.keeping {
                Keeping::Versions(versions) => self.add_versions(batch, versions),
                Keeping::Nothing | Keeping::Deleted(_) => self.upsert(batch),
            },
            Change::Insert(batch) => self.append(batch),
            Change::Delete(batch) => self.delete(batch),
            Change::DeleteWhere(filter) => self.delete_where(filter),
            Change::Leave(batch) => match self.layout.keeping {
                Keeping::Versions(versions) => self.close_versions(batch, versions),
                Keeping::Deleted(deleted) => self.mark(batch, deleted),
                // Made a delete when it was prepared.
                Keeping::Nothing => Ok(Counts::default()),
            },
            Change::Assign { rows, set } => self.assign(rows, set),
        }
    }

    /// Inserts, updates or leaves each row.
    ///
    /// Two ways lead to the same end. A row that is probably new is inserted at once, which does nothing if
    /// its key is there; a row that is probably there is looked up and compared first, so that what is equal
    /// costs no writing and starts no trigger. Each row is expected to be as the one before it was; where the
    /// user has triggers, every row is looked up first, for an insert that does nothing starts them, too.
    fn upsert(&self, batch: &RecordBatch) -> Result<Counts> {
        let types = self.written_types();
        let cells = Cells::of(batch, &types);
        let key: Vec<usize> = self.key_in_written();
        let mut insert = self.prepare(&self.insert_sql(true))?;
        // Only prepared when a row is met that is there.
        let mut present = None;
        let mut counts = Counts::default();
        let has_triggers = self.has_triggers()?;
        let mut expect_new = !has_triggers;
        for row in 0..batch.num_rows() {
            let mut written = None;
            if expect_new && self.insert_row(&mut insert, &cells, row)? {
                written = Some(Written::Inserted);
            }
            if written.is_none() {
                let (find, update) = match &mut present {
                    Some(statements) => statements,
                    none => none.insert((
                        self.prepare(&self.find_sql(&self.layout.written))?,
                        self.prepare(&self.update_sql(&self.layout.written))?,
                    )),
                };
                written = self.update_row(find, update, &cells, &key, row)?;
            }
            if written.is_none() && !expect_new && self.insert_row(&mut insert, &cells, row)? {
                written = Some(Written::Inserted);
            }
            expect_new = !has_triggers && matches!(written, Some(Written::Inserted));
            match written {
                Some(Written::Inserted) => counts.inserted += 1,
                Some(Written::Updated) => counts.updated += 1,
                Some(Written::Unchanged) => counts.unchanged += 1,
                // A trigger of the user's keeps the row out.
                None => {}
            }
        }
        Ok(counts)
    }

    fn has_triggers(&self) -> Result<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM sqlite_master
                   WHERE type = 'trigger' AND tbl_name = ?1 COLLATE NOCASE)";
        let mut query = self.prepare(sql)?;
        query
            .query_row([self.target], |row| row.get(0))
            .map_err(|error| self.failed(error))
    }

    /// Inserts rows that must be new.
    fn append(&self, batch: &RecordBatch) -> Result<Counts> {
        let types = self.written_types();
        let cells = Cells::of(batch, &types);
        let keyed = !self.layout.key.is_empty();
        let mut insert = self.prepare(&self.insert_sql(keyed))?;
        let mut counts = Counts::default();
        for row in 0..batch.num_rows() {
            if self.insert_row(&mut insert, &cells, row)? {
                counts.inserted += 1;
            } else if let Some(present) = self.present(&cells, row)? {
                let (first, second) = (describe_row(&present, 0), describe_row(batch, row));
                let key = self.layout.key_names();
                return Err(fault::duplicate_key(self.table, &key, &first, &second));
            }
        }
        Ok(counts)
    }

    fn insert_row(
        &self,
        insert: &mut CachedStatement<'_>,
        cells: &[Cells<'_>],
        row: usize,
    ) -> Result<bool> {
        bind(insert, cells, row)?;
        Ok(insert.raw_execute().map_err(|error| self.failed(error))? > 0)
    }

    /// Updates a row if it differs; `None` if it is not there.
    fn update_row(
        &self,
        find: &mut CachedStatement<'_>,
        update: &mut CachedStatement<'_>,
        cells: &[Cells<'_>],
        key: &[usize],
        row: usize,
    ) -> Result<Option<Written>> {
        bind(find, key.iter().map(|index| &cells[*index]), row)?;
        let mut rows = find.raw_query();
        let Some(present) = rows.next().map_err(|error| self.failed(error))? else {
            return Ok(None);
        };
        let mut equal = true;
        for (index, cells) in cells.iter().enumerate() {
            let stored = present.get_ref(index).map_err(|error| self.failed(error))?;
            if !cells.get(row)?.equals(stored) {
                equal = false;
                break;
            }
        }
        drop(rows);
        if equal {
            return Ok(Some(Written::Unchanged));
        }
        bind(update, cells, row)?;
        update.raw_execute().map_err(|error| self.failed(error))?;
        Ok(Some(Written::Updated))
    }

    /// The stored row of a key, in the written columns.
    fn present(&self, cells: &[Cells<'_>], row: usize) -> Result<Option<RecordBatch>> {
        let key = self.key_in_written();
        let mut find = self.prepare(&self.find_sql(&self.layout.written))?;
        bind(&mut find, key.iter().map(|index| &cells[*index]), row)?;
        let schema = self.layout.schema();
        let written = schema.project(&self.layout.written).map_err(|error| {
            Error::new(bucketline_destination::code::DATABASE, error.to_string())
        })?;
        let mut decoder = Decoder::new(written.into());
        let mut rows = find.raw_query();
        match rows.next().map_err(|error| self.failed(error))? {
            Some(row) => decoder.push(row)?,
            None => return Ok(None),
        }
        decoder.finish().map(Some)
    }

    fn delete(&self, batch: &RecordBatch) -> Result<Counts> {
        let key = self.layout.row_key();
        let types = self.types(key);
        let cells = Cells::of(batch, &types);
        let condition = self.matches(key, 1);
        let mut delete = self.prepare(&self.delete_sql(&condition))?;
        let mut counts = Counts::default();
        for row in 0..batch.num_rows() {
            bind(&mut delete, &cells, row)?;
            counts.deleted += delete.raw_execute().map_err(|error| self.failed(error))? as u64;
        }
        Ok(counts)
    }

    fn delete_where(&self, filter: &RowFilter) -> Result<Counts> {
        let (condition, values) = self.condition(filter, 1)?;
        let deleted = self.execute(&self.delete_sql(&condition), &values)?;
        Ok(Counts {
            deleted,
            ..Counts::default()
        })
    }

    /// Lets the rows go that meet a condition and have not left.
    fn delete_sql(&self, condition: &str) -> String {
        let target = quote(self.target);
        match self.layout.keeping {
            Keeping::Nothing => format!("DELETE FROM {target} WHERE {condition}"),
            Keeping::Deleted(deleted) => {
                let deleted = self.quoted(deleted);
                format!("UPDATE {target} SET {deleted} = TRUE WHERE {condition} AND NOT {deleted}")
            }
            Keeping::Versions(versions) => self.delete_versions_sql(versions, condition),
        }
    }

    /// Marks rows that are there as those that left, with the values they have now.
    fn mark(&self, batch: &RecordBatch, deleted: usize) -> Result<Counts> {
        let types = self.written_types();
        let cells = Cells::of(batch, &types);
        let key = self.key_in_written();
        let mut had_left = self.prepare(&self.find_sql(&[deleted]))?;
        let mut find = self.prepare(&self.find_sql(&self.layout.written))?;
        let mut update = self.prepare(&self.update_sql(&self.layout.written))?;
        let mut counts = Counts::default();
        for row in 0..batch.num_rows() {
            bind(&mut had_left, key.iter().map(|index| &cells[*index]), row)?;
            let mut found = had_left.raw_query();
            let Some(present) = found.next().map_err(|error| self.failed(error))? else {
                continue;
            };
            let had_left: bool = present.get(0).map_err(|error| self.failed(error))?;
            drop(found);
            let written = self.update_row(&mut find, &mut update, &cells, &key, row)?;
            match written {
                Some(Written::Updated) if had_left => counts.updated += 1,
                Some(Written::Updated) => counts.deleted += 1,
                _ => {}
            }
        }
        Ok(counts)
    }

    fn assign(&self, rows: &RowFilter, set: &[(String, Scalar)]) -> Result<Counts> {
        if set.is_empty() {
            return Ok(Counts::default());
        }
        let mut values = self.layout.constants(set)?;
        let column = |place: usize| quote(&self.layout.columns[place].name);
        let numbered = || {
            values
                .iter()
                .enumerate()
                .map(|(i, (place, _))| (i + 1, column(*place)))
        };
        let assigned: Vec<String> = numbered()
            .map(|(n, name)| format!("{name} = ?{n}"))
            .collect();
        let differs: Vec<String> = numbered()
            .map(|(n, name)| format!("{name} IS NOT ?{n}"))
            .collect();
        let (condition, more) = self.condition(rows, values.len() + 1)?;
        let sql = format!(
            "UPDATE {} SET {} WHERE {condition} AND ({})",
            quote(self.target),
            assigned.join(", "),
            differs.join(" OR ")
        );
        values.extend(more);
        let updated = self.execute(&sql, &values)?;
        Ok(Counts {
            updated,
            ..Counts::default()
        })
    }

    /// The key columns of the rows that match and have not left.
    pub(crate) fn keys(&self, filter: &RowFilter) -> Result<Vec<RecordBatch>> {
        const BATCH: usize = 8192;
        let (mut condition, values) = self.condition(filter, 1)?;
        match self.layout.keeping {
            Keeping::Nothing => {}
            Keeping::Deleted(deleted) => {
                condition.push_str(&format!(" AND NOT {}", self.quoted(deleted)));
            }
            Keeping::Versions(versions) => {
                condition.push_str(&format!(" AND {}", self.quoted(versions.active)));
            }
        }
        let sql = format!(
            "SELECT {} FROM {} WHERE {condition}",
            self.quoted_all(self.layout.row_key()),
            quote(self.target)
        );
        let mut query = self.prepare(&sql)?;
        self.bind_constants(&mut query, &values)?;
        let mut decoder = Decoder::new(self.layout.key_schema());
        let mut batches = Vec::new();
        let mut rows = query.raw_query();
        while let Some(row) = rows.next().map_err(|error| self.failed(error))? {
            decoder.push(row)?;
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
        let values = self.layout.filter(filter)?;
        let parts: Vec<String> = values
            .iter()
            .enumerate()
            .map(|(i, (place, _))| {
                format!(
                    "{} IS ?{}",
                    quote(&self.layout.columns[*place].name),
                    first + i
                )
            })
            .collect();
        let sql = if parts.is_empty() {
            String::from("TRUE")
        } else {
            parts.join(" AND ")
        };
        Ok((sql, values))
    }

    fn execute(&self, sql: &str, values: &[Constant]) -> Result<u64> {
        let mut statement = self.prepare(sql)?;
        self.bind_constants(&mut statement, values)?;
        Ok(statement
            .raw_execute()
            .map_err(|error| self.failed(error))? as u64)
    }

    fn bind_constants(
        &self,
        statement: &mut CachedStatement<'_>,
        values: &[Constant],
    ) -> Result<()> {
        let cells: Vec<Cells<'_>> = values
            .iter()
            .map(|(place, array)| Cells::new(array, self.layout.columns[*place].column_type))
            .collect();
        bind(statement, &cells, 0)
    }

    fn prepare(&self, sql: &str) -> Result<CachedStatement<'_>> {
        self.connection
            .prepare_cached(sql)
            .map_err(|error| self.failed(error))
    }

    fn failed(&self, error: rusqlite::Error) -> Error {
        let text = error.to_string();
        if text.contains("no such table") {
            return fault::vanished(self.table).with_source(error);
        }
        failed(&format!("writing to {}", self.table), error)
    }

    fn written_types(&self) -> Vec<ColumnType> {
        self.types(&self.layout.written)
    }

    /// The types of the columns at some places.
    fn types(&self, places: &[usize]) -> Vec<ColumnType> {
        let column_type = |place: &usize| self.layout.columns[*place].column_type;
        places.iter().map(column_type).collect()
    }

    /// Where the key columns stand among the written ones.
    fn key_in_written(&self) -> Vec<usize> {
        self.in_written(&self.layout.key)
    }

    /// Where the columns at some places stand among the written ones.
    fn in_written(&self, places: &[usize]) -> Vec<usize> {
        let find = |place: &usize| self.layout.written.iter().position(|w| w == place);
        places.iter().filter_map(find).collect()
    }

    /// The name of the column at a place, as SQL.
    fn quoted(&self, place: usize) -> String {
        quote(&self.layout.columns[place].name)
    }

    fn quoted_all(&self, places: &[usize]) -> String {
        let name = |place: &usize| self.layout.columns[*place].name.as_str();
        quote_all(places.iter().map(name))
    }

    fn insert_sql(&self, keyed: bool) -> String {
        let parameters = vec!["?"; self.layout.written.len()].join(", ");
        let target = quote(self.target);
        let names = self.quoted_all(&self.layout.written);
        let mut sql = format!("INSERT INTO {target} ({names}) VALUES ({parameters})");
        if keyed {
            let key = self.quoted_all(&self.layout.key);
            sql.push_str(&format!(" ON CONFLICT ({key}) DO NOTHING"));
        }
        sql
    }

    /// The columns at some places, of the row of a key.
    fn find_sql(&self, places: &[usize]) -> String {
        format!(
            "SELECT {} FROM {} WHERE {}",
            self.quoted_all(places),
            quote(self.target),
            self.matches(&self.layout.key, 1)
        )
    }

    /// Parameters are the columns at the places, the key's among them, in their order.
    fn update_sql(&self, places: &[usize]) -> String {
        let numbered = || places.iter().enumerate();
        let part = |(i, place): (usize, &usize)| format!("{} = ?{}", self.quoted(*place), i + 1);
        let is_key = |(_, place): &(usize, &usize)| self.layout.key.contains(place);
        let mut set: Vec<String> = numbered().filter(|it| !is_key(it)).map(part).collect();
        let matches: Vec<String> = numbered().filter(is_key).map(part).collect();
        if set.is_empty() {
            set.clone_from(&matches);
        }
        let (set, matches) = (set.join(", "), matches.join(" AND "));
        format!("UPDATE {} SET {set} WHERE {matches}", quote(self.target))
    }

    /// The columns at some places equal parameters from `first` on.
    fn matches(&self, places: &[usize], first: usize) -> String {
        let part =
            |(i, place): (usize, &usize)| format!("{} = ?{}", self.quoted(*place), first + i);
        places
            .iter()
            .enumerate()
            .map(part)
            .collect::<Vec<_>>()
            .join(" AND ")
    }
}

/// A column's place and one value of it.
type Constant = (usize, arrow::array::ArrayRef);
