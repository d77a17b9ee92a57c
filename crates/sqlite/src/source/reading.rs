//! Reading the rows of a table, page by page.

use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use bucketline_core::code::sqlite as code;
use bucketline_destination::ColumnType;
use bucketline_source::spec::{ColumnKind, Origin, Plain};
use bucketline_source::{
    Checkpoint, End, Error, Operator, Page, PageStream, Reading, Result, ScanPlan, ValuePosition,
};
use futures::StreamExt;
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, OptionalExtension, Row};

use super::change_order::{self, ChangeOrder};
use super::fault::Fault;
use super::query::{Sql, name};
use super::seen::{EXACT, fits};
use super::walk::Shape;
use super::{file, plan, position};
use crate::decode::{self, Decoder, shown, text_of};
use crate::name::quote;
use crate::stream::{self, Giver};

/// The pages of a table. A thread reads them, a few ahead, and stops when the stream is dropped.
pub(super) fn read(path: PathBuf, plan: Arc<ScanPlan>, reading: Reading) -> Result<PageStream> {
    let pages = stream::from_thread(move |giver| {
        let read = file::open(&path).and_then(|connection| {
            giver.interrupts(&connection);
            change_order::add_function(&connection)?;
            Rows::new(&connection, &plan, &reading, giver)?.read()
        });
        match read {
            Ok(()) | Err(Fault::Stopped) => Ok(()),
            Err(fault) => Err(fault.about(&path)),
        }
    });
    let pages = pages.map_err(|error| Error::new(code::UNREADABLE, error.to_string()))?;
    Ok(pages.boxed())
}

/// A table being read.
struct Rows<'r> {
    connection: &'r Connection,
    plan: &'r ScanPlan,
    reading: &'r Reading,
    /// The columns that tell rows apart, as SQL; empty if they can only be read from the first to the last.
    walk: Vec<String>,
    decoder: Decoder,
    giver: &'r Giver<Page, Error>,
}

/// Rows of a page, and where the last one stands.
struct Read {
    rows: RecordBatch,
    last: Vec<Value>,
}

impl<'r> Rows<'r> {
    fn new(
        connection: &'r Connection,
        plan: &'r ScanPlan,
        reading: &'r Reading,
        giver: &'r Giver<Page, Error>,
    ) -> Result<Self, Fault> {
        let table = &plan.request.table.path;
        let shape = Shape::find(connection, table)?
            .ok_or_else(|| Fault::Refused(format!("there is no table `{table}` any more")))?;
        Ok(Self {
            connection,
            plan,
            reading,
            walk: shape.walk.iter().map(|column| quote(column)).collect(),
            decoder: Decoder::new(Arc::clone(&plan.schema)),
            giver,
        })
    }

    fn read(&mut self) -> Result<(), Fault> {
        let is_scan = *self.reading == Reading::Scan;
        let in_order = is_scan && (self.plan.ordered || self.plan.limited);
        match self.reading {
            Reading::Changes(checkpoint) => self.changes(checkpoint),
            Reading::Scan if self.plan.request.columns.is_empty() => self.count(),
            Reading::Scan | Reading::Listing if in_order || self.walk.is_empty() => self.at_once(),
            Reading::Scan | Reading::Listing => {
                // Where a reader would keep a writer out, each page is a transaction of its own.
                if file::has_snapshots(self.connection)? {
                    self.connection.execute_batch("BEGIN")?;
                }
                self.walked()
            }
        }
    }

    /// How many rows there are.
    fn count(&self) -> Result<(), Fault> {
        let mut sql = Sql::select(&["1".to_owned()], &self.plan.request.table);
        plan::filter(&mut sql, self.plan, self.reading);
        if let Some(limit) = self.plan.request.limit.filter(|_| self.plan.limited) {
            sql.limit(limit);
        }
        let text = format!("SELECT count(*) FROM ({})", sql.text);
        let values = rusqlite::params_from_iter(&sql.values);
        let rows: i64 = self.connection.query_row(&text, values, |row| row.get(0))?;
        let rows = usize::try_from(rows).unwrap_or(0);
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let schema = Arc::clone(&self.plan.schema);
        let batch = RecordBatch::try_new_with_options(schema, Vec::new(), &options);
        let batch = batch.map_err(|error| Fault::Refused(error.to_string()))?;
        self.give(batch, None, true)
    }

    /// All rows by one statement.
    fn at_once(&mut self) -> Result<(), Fault> {
        let mut sql = self.select(&[]);
        if let Some(order) = self.plan.request.order.filter(|_| self.plan.ordered) {
            sql.order(&self.plan.request.table, order);
        }
        if let Some(limit) = self.plan.request.limit.filter(|_| self.plan.limited) {
            sql.limit(limit);
        }
        let mut statement = self.connection.prepare(&sql.text)?;
        let mut rows = statement.query(rusqlite::params_from_iter(&sql.values))?;
        while let Some(row) = rows.next()? {
            self.take(row)?;
            if self.decoder.rows() == self.plan.page_size {
                let batch = self.decoder.finish()?;
                self.give(batch, None, false)?;
            }
        }
        let batch = self.decoder.finish()?;
        self.give(batch, None, true)
    }

    /// All rows, by what tells them apart.
    fn walked(&mut self) -> Result<(), Fault> {
        let walk = self.walk.clone();
        let mut last = Vec::new();
        loop {
            let mut sql = self.select(&walk);
            if !last.is_empty() {
                sql.bound(&walk, ">", std::mem::take(&mut last));
            }
            sql.page(&walk, self.plan.page_size);
            let read = self.page(&sql)?;
            let is_last = read.rows.num_rows() < self.plan.page_size;
            self.give(read.rows, None, is_last)?;
            if is_last {
                return Ok(());
            }
            last = read.last;
        }
    }

    /// What changed since the checkpoint, in the order of the change column, up to its highest value of now. What
    /// changes meanwhile gets that value or a higher one, and comes in the next walk, which begins there.
    fn changes(&mut self, checkpoint: &Checkpoint) -> Result<(), Fault> {
        let table = Arc::clone(&self.plan.request.table);
        let Some(cursor) = &table.cursor else {
            return Err(Fault::Refused(format!(
                "{} has no change column",
                table.name
            )));
        };
        let column = name(&table.columns[cursor.column]);
        let mut walk = checkpoint.values.as_deref().cloned().unwrap_or_default();
        let kept = walk
            .mark
            .iter()
            .chain(&walk.until)
            .chain(walk.after.first());
        let kept: Vec<Value> = kept.map(stored).collect::<Result<_, _>>()?;
        let spelled = match &table.columns[cursor.column].origin {
            Origin::Row(path) => path.concat(),
            _ => table.columns[cursor.column].name.clone(),
        };
        let compared = ChangeOrder::find(self.connection, &table.path, &spelled, &kept)?;
        let kept = |value: &serde_json::Value| stored(value).map(|value| compared.value(value));
        let checkpoint = |walk: &ValuePosition| Checkpoint {
            values: Some(Box::new(walk.clone())),
            ..checkpoint.clone()
        };
        let by = compared.sql(&column);
        let mut outputs = vec![column.clone()];
        outputs.extend(self.walk.iter().filter(|it| **it != column).cloned());
        let mut order = outputs.clone();
        order[0].clone_from(&by);
        if cursor.nullable {
            self.without_cursor(&column, &checkpoint(&walk))?;
        }
        // A walk that was broken off ends where it was to end, and another one brings what changed since.
        let mut is_resumed = walk.until.is_some();
        if !is_resumed {
            walk.until = self.highest(&column, &by)?;
        }
        while let Some(until) = &walk.until {
            let mut sql = self.select(&outputs);
            let mut after: Vec<_> = walk.after.iter().map(stored).collect::<Result<_, _>>()?;
            if let Some(first) = after.first_mut() {
                *first = compared.value(std::mem::replace(first, Value::Null));
                sql.bound(&order, ">", after);
            } else if let Some(mark) = &walk.mark {
                sql.bound(std::slice::from_ref(&by), ">=", vec![kept(mark)?]);
            }
            sql.bound(std::slice::from_ref(&by), "<=", vec![kept(until)?]);
            sql.page(&order, self.plan.page_size);
            let read = self.page(&sql)?;
            let is_walked = read.rows.num_rows() < self.plan.page_size;
            if is_walked {
                walk.is_loaded = true;
                walk.mark = walk.until.take();
            }
            walk.after = read.last.iter().map(position::to_json).collect();
            let is_last = is_walked && !is_resumed;
            self.give(read.rows, Some(checkpoint(&walk)), is_last)?;
            if is_last {
                return Ok(());
            }
            if is_walked {
                is_resumed = false;
                walk.until = self.highest(&column, &by)?;
            }
        }
        walk.is_loaded = true;
        let rows = self.decoder.finish()?;
        self.give(rows, Some(checkpoint(&walk)), true)
    }

    /// The rows whose change column is NULL: nothing tells which of them changed, so all are read on each run.
    fn without_cursor(&mut self, column: &str, checkpoint: &Checkpoint) -> Result<(), Fault> {
        let walk = self.walk.clone();
        let mut last = Vec::new();
        loop {
            let mut sql = self.select(&walk);
            sql.null(column, true);
            if !last.is_empty() {
                sql.bound(&walk, ">", std::mem::take(&mut last));
            }
            sql.page(&walk, self.plan.page_size);
            let read = self.page(&sql)?;
            let rows = read.rows.num_rows();
            if rows > 0 {
                self.give(read.rows, Some(checkpoint.clone()), false)?;
            }
            if rows < self.plan.page_size {
                return Ok(());
            }
            last = read.last;
        }
    }

    /// The highest value of the change column, compared as said, as a checkpoint keeps it; `None` if there is none.
    fn highest(&self, column: &str, by: &str) -> Result<Option<serde_json::Value>, Fault> {
        let outputs = [column.to_owned()];
        let mut sql = Sql::select(&outputs, &self.plan.request.table);
        sql.null(column, false);
        sql.page(&[format!("{by} DESC")], 1);
        let value: Option<Value> = self
            .connection
            .query_row(&sql.text, [], |row| row.get(0))
            .optional()?;
        Ok(value.as_ref().map(position::to_json))
    }

    /// A statement for the asked-for columns, then the ones given, with the conditions.
    fn select(&self, also: &[String]) -> Sql {
        let mut outputs = plan::outputs(self.plan);
        outputs.extend_from_slice(also);
        let mut sql = Sql::select(&outputs, &self.plan.request.table);
        plan::filter(&mut sql, self.plan, self.reading);
        sql
    }

    /// The rows of one statement.
    fn page(&mut self, sql: &Sql) -> Result<Read, Fault> {
        let connection = self.connection;
        let mut statement = connection.prepare_cached(&sql.text)?;
        let width = statement.column_count();
        let mut rows = statement.query(rusqlite::params_from_iter(&sql.values))?;
        let own = self.plan.request.columns.len();
        let mut last = Vec::new();
        while let Some(row) = rows.next()? {
            self.take(row)?;
            if self.decoder.rows() == self.plan.page_size {
                let values = (own..width).map(|index| row.get(index));
                last = values.collect::<rusqlite::Result<_>>()?;
            }
        }
        drop(rows);
        Ok(Read {
            rows: self.decoder.finish()?,
            last,
        })
    }

    /// Adds a row to the page.
    fn take(&mut self, row: &Row<'_>) -> Result<(), Fault> {
        let request = &self.plan.request;
        for (place, &index) in request.columns.iter().enumerate() {
            let column = &request.table.columns[index];
            let value = row.get_ref(place)?;
            let is_compared = |operators: &[Operator]| operators.contains(&Operator::Eq);
            let is_mixed =
                !is_compared(&column.filter.exact) && !is_compared(&column.filter.narrowing);
            let is_well = match value {
                ValueRef::Null => column.nullable,
                value => holds(column.kind, is_mixed, value),
            };
            if !is_well {
                return Err(self.misfit(row, place));
            }
        }
        // What is left is a text that is to be a date or a time.
        if self.decoder.push(row).is_ok() {
            return Ok(());
        }
        let is_misfit = |&place: &usize| {
            let column_type = ColumnType::of(self.plan.schema.field(place));
            let value = row.get_ref(place);
            value.is_ok_and(|value| decode::one(value, column_type).is_none())
        };
        let place = (0..request.columns.len()).find(is_misfit);
        Err(self.misfit(row, place.unwrap_or(0)))
    }

    /// A value that is not of its column's type.
    fn misfit(&self, row: &Row<'_>, place: usize) -> Fault {
        let request = &self.plan.request;
        let table = &request.table;
        let value = |place: usize| row.get_ref(place).unwrap_or(ValueRef::Null);
        let named = table.key.iter().filter_map(|key| {
            let place = request.columns.iter().position(|column| column == key)?;
            Some(format!(
                "{} = {}",
                table.columns[*key].name,
                shown(value(place))
            ))
        });
        let named: Vec<_> = named.collect();
        let row = match named.is_empty() {
            true => String::new(),
            false => format!(" ({})", named.join(", ")),
        };
        let column = table.columns[request.columns[place]].name.clone();
        if let ValueRef::Text(text) = value(place)
            && std::str::from_utf8(text).is_err()
        {
            return Fault::NotUtf8 {
                table: table.name.clone(),
                row,
                column,
                value: shown(value(place)),
            };
        }
        Fault::Value {
            table: table.name.clone(),
            row,
            column,
            value: shown(value(place)),
            expected: ColumnType::of(self.plan.schema.field(place)).to_string(),
        }
    }

    fn give(
        &self,
        rows: RecordBatch,
        checkpoint: Option<Checkpoint>,
        is_last: bool,
    ) -> Result<(), Fault> {
        let end = is_last.then_some(End::Complete { unstable_pages: 0 });
        match self.giver.give(Page::new(rows, checkpoint, end)) {
            true => Ok(()),
            false => Err(Fault::Stopped),
        }
    }
}

/// A column of this type may hold the value, as far as that does not take decoding it.
fn holds(kind: ColumnKind, is_mixed: bool, value: ValueRef<'_>) -> bool {
    match (kind, value) {
        (ColumnKind::Text, _) if is_mixed => true,
        (ColumnKind::Text | ColumnKind::Json, ValueRef::Text(text)) => {
            std::str::from_utf8(text).is_ok()
        }
        (ColumnKind::Bool, ValueRef::Integer(number)) => matches!(number, 0 | 1),
        (ColumnKind::Int, ValueRef::Integer(_)) | (ColumnKind::Float, ValueRef::Real(_)) => true,
        (ColumnKind::Float, ValueRef::Integer(number)) => number.unsigned_abs() <= EXACT,
        (ColumnKind::Plain(Plain::Binary), ValueRef::Blob(_)) => true,
        (ColumnKind::Plain(Plain::Decimal { precision, scale }), value) => match value {
            ValueRef::Blob(_) => false,
            value => fits(&text_of(value), Some((precision, scale))),
        },
        (ColumnKind::Timestamp, ValueRef::Text(_)) => true,
        (ColumnKind::Plain(Plain::Date | Plain::Time | Plain::LocalTime), ValueRef::Text(_))
        | (ColumnKind::Plain(Plain::Duration), ValueRef::Integer(_)) => true,
        _ => false,
    }
}

/// A value of a checkpoint.
fn stored(value: &serde_json::Value) -> Result<Value, Fault> {
    let damaged = || Fault::Refused(format!("the checkpoint holds {value}, which is no value"));
    position::from_json(value).ok_or_else(damaged)
}
