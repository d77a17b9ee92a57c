//! What tables a file has, and of which types their columns are.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bucketline_source::Operator;
use bucketline_source::spec::{
    ColumnKind, ColumnSpec, Cursor, Filter, Origin, Scopes, SliceKind, TableSpec, Walk,
};
use rusqlite::Connection;

use super::fault::Fault;
use super::key;
use super::seen::{Kind, Seen, declared_decimal};
use super::settings::Choices;
use super::walk::Shape;
use crate::name::{self, quote, quote_all};
use crate::physical::{self, Declared};
use crate::read;

/// Rows at the beginning and at the end of a table that tell the types of its columns.
const SAMPLE: usize = 5_000;

/// Steps of SQLite's machine between two looks at the bound.
const STRIDE: i32 = 100;

/// Strides that a view may take for its sample: about half a second. Counted, so that what is seen does not hang on
/// the speed of the machine.
const STRIDES: u32 = 250_000;

/// The end for a view whose steps are slow by themselves.
const PATIENCE: Duration = Duration::from_secs(10);

/// Rows a page.
const PAGE: usize = 4_096;

const EQUALITY: [Operator; 4] = [Operator::Eq, Operator::NotEq, Operator::In, Operator::NotIn];

const RANGE: [Operator; 4] = [Operator::Lt, Operator::LtEq, Operator::Gt, Operator::GtEq];

/// An open file that is looked into.
pub(super) struct Look<'c> {
    connection: &'c Connection,
    choices: &'c Choices,
    /// Texts are stored as UTF-8, so that SQLite orders them by code points as we do.
    is_utf8: bool,
    bound: Arc<Bound>,
}

/// How far a query may go that may have no end; none if others run.
#[derive(Debug, Default)]
struct Bound(Mutex<Option<(u32, Instant)>>);

impl Bound {
    fn lock(&self) -> MutexGuard<'_, Option<(u32, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Some steps were taken. Whether they are enough.
    fn is_reached(&self) -> bool {
        let mut bound = self.lock();
        let Some((strides, started)) = &mut *bound else {
            return false;
        };
        *strides += 1;
        *strides > STRIDES || started.elapsed() > PATIENCE
    }
}

impl<'c> Look<'c> {
    pub(super) fn new(connection: &'c mut Connection, choices: &'c Choices) -> Result<Self, Fault> {
        let bound = Arc::<Bound>::default();
        let handler = Arc::clone(&bound);
        connection.progress_handler(STRIDE, Some(move || handler.is_reached()))?;
        let encoding: String = connection.query_row("PRAGMA encoding", [], |row| row.get(0))?;
        Ok(Self {
            connection,
            choices,
            is_utf8: encoding == "UTF-8",
            bound,
        })
    }

    /// The names of all tables and views.
    pub(super) fn names(&self) -> Result<Vec<String>, Fault> {
        let mut names: Vec<String> = self
            .connection
            .prepare(
                "SELECT name FROM pragma_table_list
                 WHERE schema = 'main' AND type IN ('table', 'view', 'virtual') ORDER BY name",
            )?
            .query_map([], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        names.retain(|name| !name::is_internal(name));
        Ok(names)
    }

    /// A table or view.
    pub(super) fn table(&self, name: &str) -> Result<Option<TableSpec>, Fault> {
        if name::is_internal(name) {
            return Ok(None);
        }
        let Some(shape) = Shape::find(self.connection, name)? else {
            return Ok(None);
        };
        let columns = physical::columns(self.connection, &shape.name)?;
        let state = match physical::find(self.connection, &shape.name)? {
            Some(found) => read::own_state(self.connection, &found)?,
            None => None,
        };
        let known = |column: &Declared| {
            let fields = state.as_ref()?.columns.fields();
            let mut fields = fields.iter();
            let field = fields.find(|it| it.name().eq_ignore_ascii_case(&column.name))?;
            Some(Kind::of(bucketline_destination::ColumnType::of(field)))
        };
        let (seen, is_whole) = self.seen(&shape, &columns)?;
        let candidates = key::candidates(self.connection, &shape.name, &columns)?;
        let key = candidates.into_iter().find(|candidate| {
            let mut parts = candidate.iter();
            parts.all(|&index| known(&columns[index]).is_some() || seen[index].may_be_key())
        });
        let described = Described {
            look: self,
            key: key.unwrap_or_default(),
            is_ours: state.is_some(),
            is_whole,
            kinds: columns.iter().map(known).collect(),
            shape,
            columns,
            seen,
        };
        described.spec().map(Some)
    }

    /// What the first and the last rows hold, and whether these are all rows.
    fn seen(&self, shape: &Shape, columns: &[Declared]) -> Result<(Vec<Seen>, bool), Fault> {
        let mut seen = vec![Seen::default(); columns.len()];
        let decimals: Vec<_> = columns
            .iter()
            .map(|column| declared_decimal(&column.declared))
            .collect();
        let list = quote_all(columns.iter().map(|column| column.name.as_str()));
        let from = format!("SELECT {list} FROM {}", quote(&shape.name));
        let descending: Vec<_> = shape
            .walk
            .iter()
            .map(|column| format!("{} DESC", quote(column)))
            .collect();
        let orders = match descending.is_empty() {
            true => vec![String::new()],
            false => vec![
                String::new(),
                format!(" ORDER BY {}", descending.join(", ")),
            ],
        };
        for order in orders {
            let sql = format!("{from}{order} LIMIT {SAMPLE}");
            let count = match shape.kind == "table" {
                true => self.sample(&sql, &decimals, &mut seen)?,
                false => self.bounded(|| self.sample(&sql, &decimals, &mut seen))?,
            };
            if count < SAMPLE {
                return Ok((seen, true));
            }
        }
        Ok((seen, false))
    }

    /// Sees the values of a query's rows; how many rows there were.
    fn sample(
        &self,
        sql: &str,
        decimals: &[Option<(u8, i8)>],
        seen: &mut [Seen],
    ) -> rusqlite::Result<usize> {
        let mut query = self.connection.prepare(sql)?;
        let (mut rows, mut count) = (query.query([])?, 0);
        while let Some(row) = rows.next()? {
            count += 1;
            for (index, seen) in seen.iter_mut().enumerate() {
                seen.see(row.get_ref(index)?, decimals[index]);
            }
        }
        Ok(count)
    }

    /// Samples a view, which may compute for ever before its next row: what was seen until it is given up counts.
    fn bounded(&self, sample: impl FnOnce() -> rusqlite::Result<usize>) -> rusqlite::Result<usize> {
        *self.bound.lock() = Some((0, Instant::now()));
        let sampled = sample();
        *self.bound.lock() = None;
        match sampled {
            Err(error)
                if error.sqlite_error_code() == Some(rusqlite::ErrorCode::OperationInterrupted) =>
            {
                Ok(0)
            }
            sampled => sampled,
        }
    }
}

/// A table while its description is made.
struct Described<'l> {
    look: &'l Look<'l>,
    shape: Shape,
    columns: Vec<Declared>,
    seen: Vec<Seen>,
    /// The types that the state of a copy names.
    kinds: Vec<Option<Kind>>,
    /// Indices of the declared key's columns; empty if the rowid is the key, or nothing is.
    key: Vec<usize>,
    is_ours: bool,
    /// All rows were seen, so that no value is of another type than its column.
    is_whole: bool,
}

/// A column by which changes are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ChosenCursor {
    Rowid,
    Column(usize),
}

impl Described<'_> {
    fn spec(self) -> Result<TableSpec, Fault> {
        let cursor = self.cursor()?;
        let rowid = self
            .shape
            .rowid
            .filter(|_| self.key.is_empty() || cursor == Some(ChosenCursor::Rowid));
        let mut columns = Vec::with_capacity(self.columns.len() + 1);
        columns.extend(rowid.map(|name| self.rowid_column(name)));
        let own = columns.len();
        columns.extend((0..self.columns.len()).map(|index| self.column(index)));
        let key = match (self.key.as_slice(), rowid) {
            ([], Some(_)) => vec![0],
            (key, _) => key.iter().map(|index| index + own).collect(),
        };
        let cursor = cursor.zip(key.first()).map(|(cursor, &tie)| {
            let column = match cursor {
                ChosenCursor::Rowid => 0,
                ChosenCursor::Column(index) => index + own,
            };
            Cursor {
                column,
                look_back: Duration::ZERO,
                nullable: columns[column].nullable,
                tie,
            }
        });
        let kind = match self.shape.kind.as_str() {
            "virtual" => "virtual table",
            kind => kind,
        };
        Ok(TableSpec {
            doc: format!("A {kind} of the file."),
            path: self.shape.name.clone(),
            rows: kind.to_owned(),
            slice: SliceKind::Account,
            walk: match key.as_slice() {
                [] => Walk::Pages {
                    sort: None,
                    stable: true,
                    numbered: false,
                },
                key => Walk::Keyset {
                    column: key[0],
                    unique: key.len() == 1,
                },
            },
            blind_spots: self.blind_spots(&key, cursor.as_ref(), &columns)?,
            key,
            cursor,
            parent: None,
            feed: None,
            heads: None,
            page_size: PAGE,
            columns,
            parameter: None,
            parameters: Vec::new(),
            whole_objects: false,
            deleted: None,
            absent: None,
            scopes: Scopes::default(),
            removed: None,
            unchanged_by_proof: false,
            reader: None,
            name: self.shape.name,
        })
    }

    /// The cursor that the connection names for this table, if it can be one.
    fn cursor(&self) -> Result<Option<ChosenCursor>, Fault> {
        let table = &self.shape.name;
        let Some((name, is_named)) = self.look.choices.cursor(table) else {
            return Ok(None);
        };
        let mut columns = self.columns.iter();
        let found = columns.position(|column| column.name.eq_ignore_ascii_case(name));
        let alias = key::rowid_column(&self.columns);
        let chosen = match found {
            Some(index) => Some(ChosenCursor::Column(index)),
            None if !self.shape.is_rowid(name) => None,
            None => Some(alias.map_or(ChosenCursor::Rowid, ChosenCursor::Column)),
        };
        match chosen {
            None if is_named => Err(Fault::Cursor(
                format!("`{table}` has no column `{name}`"),
                "DESCRIBE lists the columns; `rowid` is for tables that have one",
            )),
            Some(_) if self.shape.walk.is_empty() => {
                if !is_named {
                    return Ok(None);
                }
                Err(Fault::Cursor(
                    format!(
                        "nothing tells the rows of `{table}` apart, so that changes cannot be walked"
                    ),
                    "leave it out; the table is then read whole",
                ))
            }
            chosen => Ok(chosen),
        }
    }

    fn rowid_column(&self, name: &str) -> ColumnSpec {
        let mut exact = vec![Operator::IsNull, Operator::IsNotNull];
        exact.extend(EQUALITY.into_iter().chain(RANGE));
        ColumnSpec {
            name: name.to_owned(),
            doc: "The number that SQLite gives the row.".to_owned(),
            kind: ColumnKind::Int,
            origin: Origin::Row(vec![name.to_owned()]),
            nullable: false,
            required: true,
            immutable: true,
            filter: Filter {
                field: quote(name),
                null_field: quote(name),
                exact,
                ..Filter::default()
            },
            sort: true,
            extra: false,
            otherwise: None,
            aliases: Vec::new(),
            hidden: true,
        }
    }

    fn column(&self, index: usize) -> ColumnSpec {
        let column = &self.columns[index];
        let is_key = self.key.contains(&index);
        let seen = &self.seen[index];
        let choices = self.look.choices;
        let Kind { kind, is_mixed } = match self.kinds[index] {
            Some(known) => known,
            None if is_key => seen.key_kind(&column.declared),
            None if choices.is_as_text(&self.shape.name, &column.name) => Kind::MIXED,
            None => seen.kind(&column.declared),
        };
        let quoted = quote(&column.name);
        let is_text = kind == ColumnKind::Text && !is_mixed;
        // Texts that are stored as we write them compare as the moments that they name.
        let is_instant = kind == ColumnKind::Timestamp && self.is_ours;
        let mut compared = Vec::new();
        if is_text || is_instant || matches!(kind, ColumnKind::Int | ColumnKind::Float) {
            compared.extend(EQUALITY);
            if !is_text || self.look.is_utf8 {
                compared.extend(RANGE);
            }
        }
        if is_text {
            compared.push(Operator::Contains);
        }
        if kind == ColumnKind::Bool {
            compared.extend(EQUALITY);
        }
        let is_sure = match kind {
            ColumnKind::Timestamp => self.is_whole && seen.is_fixed(),
            _ => self.is_whole || key::rowid_column(&self.columns) == Some(index),
        };
        let mut exact = vec![Operator::IsNull, Operator::IsNotNull];
        let mut narrowing = Vec::new();
        match is_sure {
            true => exact.extend(compared),
            false => narrowing.extend(compared),
        }
        // A column of numbers turns a text that looks like one into it before it compares; a plus keeps it from that.
        let plus = match is_text && turns_texts_into_numbers(&column.declared) {
            true => "+",
            false => "",
        };
        let field = match is_text || is_instant {
            true => format!("{plus}{quoted} COLLATE BINARY"),
            false => quoted.clone(),
        };
        ColumnSpec {
            name: column.name.clone(),
            doc: match column.declared.as_str() {
                "" => "Declared without a type.".to_owned(),
                declared => format!("Declared as {declared}."),
            },
            kind,
            origin: Origin::Row(vec![column.name.clone()]),
            nullable: !(column.not_null || is_key),
            required: column.not_null || is_key,
            immutable: is_key,
            sort: match kind {
                ColumnKind::Int | ColumnKind::Bool => true,
                ColumnKind::Text => is_text && self.look.is_utf8,
                _ => is_instant && is_sure,
            },
            filter: Filter {
                field,
                null_field: quoted,
                exact,
                narrowing,
                ..Filter::default()
            },
            extra: false,
            otherwise: None,
            aliases: Vec::new(),
            hidden: false,
        }
    }

    /// What a copy does not see.
    fn blind_spots(
        &self,
        key: &[usize],
        cursor: Option<&Cursor>,
        columns: &[ColumnSpec],
    ) -> Result<Vec<String>, Fault> {
        let Some(cursor) = cursor else {
            let has_no_key = key.is_empty();
            let said = "Nothing tells its rows apart, so a copy is replaced as a whole.";
            return Ok(has_no_key.then(|| said.to_owned()).into_iter().collect());
        };
        let name = &columns[cursor.column].name;
        let is_rowid = self.shape.is_rowid(name)
            || key::rowid_column(&self.columns)
                .is_some_and(|index| self.columns[index].name == *name);
        let mut spots = match is_rowid {
            true => vec![
                format!(
                    "Rows that change are not seen, only new ones, which have a higher {name}."
                ),
                format!(
                    "A {name} that was freed and is given again is not seen unless it is the highest; AUTOINCREMENT prevents that."
                ),
            ],
            false => vec![
                format!(
                    "A row that changes is seen if its {name} grows, to the highest there is or beyond."
                ),
                format!(
                    "A row that is committed after one with a higher {name} was read is not seen."
                ),
            ],
        };
        spots.push("Deleted rows are not seen but by DetectDeletes = KEYS.".to_owned());
        if !is_rowid && !key::is_indexed(self.look.connection, &self.shape.name, name)? {
            spots.push(format!(
                "No index begins with {name}, so that every page looks through the whole table."
            ));
        }
        Ok(spots)
    }
}

/// By SQLite's rules of affinity, a column that is declared so compares texts as numbers.
fn turns_texts_into_numbers(declared: &str) -> bool {
    let has = |part: &str| declared.contains(part);
    let is_text = has("CHAR") || has("CLOB") || has("TEXT");
    let has_none = declared.is_empty() || has("BLOB");
    has("INT") || !is_text && !has_none
}
