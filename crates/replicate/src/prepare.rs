//! From a statement to the way it is replicated. Pure: no I/O here.

use std::collections::HashSet;
use std::sync::Arc;

use bucketline_destination::{Column, ColumnType, RowFilter, Scalar as Value};
use bucketline_source::spec::{ColumnKind, Origin, Parent, Strategy, TableSpec};
use bucketline_source::{ScanPlan, ScanRequest, Slice};

use crate::arms::{self, Apart, Arm};
use crate::columns::{KeyPart, Layout};
use crate::fingerprint::Fingerprint;
use crate::owners::OwnerColumns;
use crate::scan::Scan;
use crate::statement::{Deletes, Statement};
use crate::work::{RowWork, WholeWork, Work};
use crate::{Error, Mode, Result, code};

/// A statement, ready to run.
#[derive(Debug, Clone)]
pub(crate) struct Prepared {
    /// How the table is kept up to date.
    pub(crate) mode: Mode,
    /// Why so, a sentence.
    pub(crate) why: String,
    /// The table's columns.
    pub(crate) layout: Layout,
    /// One line about the table.
    pub(crate) doc: Option<String>,
    /// What makes a later statement another one.
    pub(crate) fingerprint: Fingerprint,
    /// What the user should know beforehand.
    pub(crate) notes: Vec<String>,
    /// The columns that say when a row changed, which people look for.
    pub(crate) indexes: Vec<String>,
    /// The column that versions start by, if they are kept.
    pub(crate) history: Option<String>,
    /// How each query of a row-by-row statement is read.
    pub(crate) rows: Vec<Rows>,
}

impl Prepared {
    /// The queries of a row-by-row statement.
    pub(crate) fn arms<'a>(&'a self, works: &'a [Box<dyn RowWork>]) -> Vec<Arm<'a>> {
        let arms = works.iter().zip(&self.rows).enumerate();
        arms.map(|(number, (work, rows))| Arm {
            number,
            work: work.as_ref(),
            rows,
        })
        .collect()
    }
}

/// How a query is read row by row.
#[derive(Debug, Clone)]
pub(crate) struct Rows {
    /// The scan.
    pub(crate) scan: Scan,
    /// Where the table's key comes from for rows that leave.
    pub(crate) key: Vec<KeyPart>,
    /// The table's columns by which the rows of a slice are found, and what they have in them; none if all rows
    /// are of one slice.
    place: Vec<(String, Place)>,
    /// What tells its slices from those of another query that reads the same ones.
    suffix: Option<String>,
    /// The columns that name the parent of a row, in a table that hangs on another one.
    pub(crate) owner: OwnerColumns,
    /// How all keys are read, to find out what the source has deleted; the columns are those of [`RowWork::key`].
    pub(crate) sweep: Option<Arc<ScanPlan>>,
}

/// What the rows of a slice have in a column.
#[derive(Debug, Clone)]
enum Place {
    /// The slice's parent of this index.
    Parent(usize),
    /// The same in all slices of the query.
    Constant(String),
}

impl Rows {
    /// The rows of a slice in the destination's table.
    pub(crate) fn of_slice(&self, parents: &[Option<String>]) -> RowFilter {
        let values = self.place(parents).into_iter();
        let conditions = self.place_columns().zip(values).map(|(column, value)| {
            let value = value.map_or(Value::Null, Value::Text);
            (column.to_owned(), value)
        });
        RowFilter(conditions.collect())
    }

    /// The columns by which the rows of a slice are found.
    pub(crate) fn place_columns(&self) -> impl Iterator<Item = &str> {
        self.place.iter().map(|(column, _)| column.as_str())
    }

    /// What the rows of a slice have in them.
    pub(crate) fn place(&self, parents: &[Option<String>]) -> Vec<Option<String>> {
        let places = self.place.iter().map(|(_, place)| match place {
            Place::Parent(index) => parents.get(*index).cloned().flatten(),
            Place::Constant(value) => Some(value.clone()),
        });
        places.collect()
    }

    /// The name of a slice in the destination's state.
    pub(crate) fn id(&self, slice: &Slice) -> String {
        match &self.suffix {
            Some(suffix) => format!("{}#{suffix}", slice.id),
            None => slice.id.to_string(),
        }
    }
}

/// Lays out the columns, finds the key and decides the mode.
pub(crate) fn prepare(work: Work<'_>, statement: &Statement) -> Result<Prepared> {
    match work {
        Work::Rows(works) => prepare_rows(works, statement),
        Work::Whole(work) => prepare_whole(work, statement),
    }
}

fn prepare_whole(work: &dyn WholeWork, statement: &Statement) -> Result<Prepared> {
    let columns: Vec<_> = work
        .outputs()
        .iter()
        .map(|field| Column {
            field: field.clone(),
            doc: None,
        })
        .collect();
    let layout = Layout::new(&columns, statement.declared.as_ref(), work.key(), &[])?;
    let fingerprint = Fingerprint::of_whole(work, &layout)?;
    let mut notes = work.notes().to_vec();
    if statement.options.history {
        return Err(no_history(work.why()));
    }
    notes.extend(check_deletes(statement, &layout)?);
    if statement.options.start.is_some() {
        notes
            .push("ReplicateStartDate has no effect: the result is computed as a whole".to_owned());
    }
    let why = format!("{}, so the result replaces the one before", work.why());
    Ok(Prepared {
        mode: Mode::Replace,
        why,
        layout,
        doc: None,
        fingerprint,
        notes,
        indexes: Vec::new(),
        history: None,
        rows: Vec::new(),
    })
}

fn prepare_rows(works: &[Box<dyn RowWork>], statement: &Statement) -> Result<Prepared> {
    let apart = Apart::of(works);
    let source_key = match (&apart, works) {
        (Ok(apart), [first, ..]) => apart.key(first.key()),
        _ => Vec::new(),
    };
    let layout = Layout::new(
        &arms::columns(works),
        statement.declared.as_ref(),
        &source_key,
        &works
            .iter()
            .flat_map(|work| work.table().aliases())
            .collect::<Vec<_>>(),
    )?;
    let keys = apart.as_ref().map_err(Clone::clone).and_then(|apart| {
        let parts = works
            .iter()
            .map(|work| key_parts(work.as_ref(), &layout, *apart));
        parts.collect::<Result<Vec<_>, String>>()
    });
    let merged = match &keys {
        Ok(_) => modes(works, &layout.key_names().join(", ")),
        Err(why) => Err(why.clone()),
    };
    let (mode, why) = merged.unwrap_or_else(|why| {
        let why = format!("{why}, so the result replaces the one before");
        (Mode::Replace, why)
    });

    let mut notes = Vec::new();
    notes.extend(check_deletes(statement, &layout)?);
    if statement.options.windows {
        notes.push(
            "ReplicateInterval has no effect: a first load that is interrupted goes on where it was, page by page"
                .to_owned(),
        );
    }
    let history = match statement.options.history {
        true if mode == Mode::Replace => return Err(no_history(&why)),
        true => Some(change_column(works, &layout).map_err(|why| no_history(&why))?),
        false => None,
    };
    let mut rows = Vec::with_capacity(works.len());
    let mut starts = Vec::with_capacity(works.len());
    for (number, work) in works.iter().enumerate() {
        let work = work.as_ref();
        notes.extend_from_slice(work.notes());
        notes.extend(check_columns(work.table(), statement)?);
        let table = work.table();
        let starts_late = mode == Mode::Incremental && has_dated_cursor(table);
        let start = statement.options.start.filter(|_| starts_late);
        if statement.options.start.is_some() && !starts_late {
            let why = match (mode, &table.cursor) {
                (Mode::Incremental, Some(_)) => {
                    &format!("the change column of {} has no dates", table.name)
                }
                _ => &why,
            };
            notes.push(format!("ReplicateStartDate has no effect: {why}"));
        }
        let (sweep, note) = sweep(work, statement, mode, &why)?;
        notes.extend(note);
        let constant = match &apart {
            Ok(apart) => apart.constant(),
            Err(_) => None,
        };
        let constant = constant.and_then(|output| {
            let column = &layout.columns[layout.column_of(output)?];
            let value = work.outputs()[output].constant.clone()?;
            Some((column.field.name().clone(), value))
        });
        let suffix = match &apart {
            Ok(_) => constant.as_ref().map(|(_, value)| value.clone()),
            Err(_) => Some(number.to_string()),
        };
        let slice = slice_column(work, &layout).map(|(name, parent)| (name, Place::Parent(parent)));
        let constant = constant.map(|(name, value)| (name, Place::Constant(value)));
        rows.push(Rows {
            scan: Scan::new(work, start)?,
            key: keys
                .as_ref()
                .map_or_else(|_| Vec::new(), |keys| keys[number].clone()),
            place: slice.into_iter().chain(constant).collect(),
            suffix,
            owner: OwnerColumns::new(work, &layout),
            sweep,
        });
        starts.push(start);
    }
    // Said once, of however many queries.
    let mut said = HashSet::new();
    notes.retain(|note| said.insert(note.clone()));
    let fingerprint = Fingerprint::of_rows(works, &layout, mode, &starts);
    let changes = works.iter().filter(|_| mode == Mode::Incremental);
    let mut indexes: Vec<String> = changes
        .filter_map(|work| change_column_of(work.as_ref(), &layout).ok())
        .collect();
    indexes.dedup();
    let mut docs = works.iter().map(|work| &work.table().doc);
    let doc = docs.next().filter(|first| docs.all(|doc| doc == *first));
    Ok(Prepared {
        mode,
        why,
        doc: doc.cloned(),
        layout,
        fingerprint,
        notes,
        indexes,
        history,
        rows,
    })
}

/// How all keys of a query are read, if the statement wants that; with a note where it has no effect.
fn sweep(
    work: &dyn RowWork,
    statement: &Statement,
    mode: Mode,
    why: &str,
) -> Result<(Option<Arc<ScanPlan>>, Option<String>)> {
    if !statement.options.detect_deletes {
        return Ok((None, None));
    }
    let why = match (mode, work.table().strategy()) {
        (Mode::Incremental, Strategy::Cursor(_)) => {
            if statement.options.deletes != Deletes::Skip {
                return Ok((Some(keys_plan(work)?), None));
            }
            "deletes are skipped"
        }
        _ => why,
    };
    let note = format!("DetectDeletes has no effect: {why}");
    Ok((None, Some(note)))
}

/// Whether changes are found by a column of moments.
fn has_dated_cursor(table: &TableSpec) -> bool {
    let cursor = table.cursor.as_ref();
    cursor.is_some_and(|cursor| table.columns[cursor.column].kind == ColumnKind::Timestamp)
}

/// Whether what the statement wants of deleted rows can be done; with a note where it has no effect.
fn check_deletes(statement: &Statement, layout: &Layout) -> Result<Option<String>> {
    if !layout.key.is_empty() {
        return Ok(None);
    }
    match statement.options.deletes {
        Deletes::Remove => Ok(None),
        Deletes::Mark => Err(Error::new(
            code::RETENTION,
            format!(
                "{}: deleted rows cannot be marked, because without a key its rows are only replaced as a whole",
                statement.table
            ),
        )
        .with_hint("select the key of the source, or declare a PRIMARY KEY; or leave DeleteOption out")),
        Deletes::Skip => Ok(Some(
            "skipping deletes has no effect: without a key all rows are replaced".to_owned(),
        )),
    }
}

/// Whether the change column that the statement names is the one by which changes can be found; with a note where none
/// can.
fn check_columns(table: &TableSpec, statement: &Statement) -> Result<Option<String>> {
    let mut named = statement.options.check_columns.iter();
    let Some(named) = named.find_map(|name| table.column(name)) else {
        let none_is_there = !statement.options.check_columns.is_empty();
        return Ok(none_is_there.then(|| {
            let name = &table.name;
            format!("IncrementalCheckColumns has no effect: {name} has none of these columns")
        }));
    };
    let usable = match table.strategy() {
        Strategy::Cursor(cursor) => cursor.column,
        Strategy::Feed(feed) => feed.column,
        Strategy::Parent(_) | Strategy::Heads(_) | Strategy::Whole => {
            return Ok(Some(format!(
                "IncrementalCheckColumns has no effect: the changes of {} are not found by a column",
                table.name
            )));
        }
    };
    if usable == named {
        return Ok(None);
    }
    let name = |column: usize| &table.columns[column].name;
    Err(Error::new(
        code::UNSUPPORTED,
        format!(
            "IncrementalCheckColumns: what has changed in {} cannot be told by {}",
            table.name,
            name(named)
        ),
    )
    .with_hint(format!("name {}, or leave the option out", name(usable))))
}

fn no_history(why: &str) -> Error {
    Error::new(
        code::RETENTION,
        format!("EnableHistoryMode needs a change column and a key, by which versions are told apart: {why}"),
    )
    .with_hint("leave EnableHistoryMode out, or select one table with its key and its change column")
}

/// The column that has the change column of each query as it is; or why there is none.
pub(crate) fn change_column(works: &[Box<dyn RowWork>], layout: &Layout) -> Result<String, String> {
    let mut columns = works
        .iter()
        .map(|work| change_column_of(work.as_ref(), layout));
    let first = columns
        .next()
        .unwrap_or_else(|| Err("nothing is read".to_owned()))?;
    for column in columns {
        if column? != first {
            return Err("the queries that it unites have other change columns".to_owned());
        }
    }
    Ok(first)
}

fn change_column_of(work: &dyn RowWork, layout: &Layout) -> Result<String, String> {
    let table = work.table();
    let Some(cursor) = table.cursor.as_ref().filter(|cursor| !cursor.nullable) else {
        return Err(format!("{} has no change column", table.name));
    };
    let columns = layout.columns.iter().zip(&layout.picks);
    let found = columns
        .filter(|(column, _)| ColumnType::of(&column.field) == ColumnType::Instant)
        .find(|(_, pick)| work.outputs()[**pick].plain == Some(cursor.column));
    found
        .map(|(column, _)| column.field.name().clone())
        .ok_or_else(|| {
            let name = &table.columns[cursor.column].name;
            format!("{name} is not selected as it is")
        })
}

/// How the rows of all queries can be merged by their key, and why; or why they cannot.
fn modes(works: &[Box<dyn RowWork>], key: &str) -> Result<(Mode, String), String> {
    let mut modes = Vec::with_capacity(works.len());
    let mut reasons: Vec<String> = Vec::new();
    for work in works {
        let (mode, why) = mode(work.table(), key);
        modes.push(mode);
        if !reasons.contains(&why) {
            reasons.push(why);
        }
    }
    modes.dedup();
    match modes.as_slice() {
        [mode] if works.len() > 1 => {
            let why = reasons.join("; ");
            Ok((
                *mode,
                format!("each of {} queries by itself: {why}", works.len()),
            ))
        }
        [mode] => Ok((*mode, reasons.join("; "))),
        _ => Err("the queries that it unites are not kept up to date in the same way".to_owned()),
    }
}

/// The plan by which the keys of all rows are read, whether they match or not: rows that do not are not in the copy.
pub(crate) fn keys_plan(work: &dyn RowWork) -> Result<Arc<ScanPlan>> {
    let scan = work.scan();
    let request = &scan.request;
    let key = work
        .key()
        .iter()
        .map(|&output| work.outputs()[output].plain);
    let chosen = request.predicates.iter().zip(&scan.predicates);
    let request = ScanRequest {
        columns: key.flatten().collect(),
        predicates: chosen
            .filter(|(_, planned)| planned.chooses_slices)
            .map(|(predicate, _)| predicate.clone())
            .collect(),
        ..request.clone()
    };
    Ok(Arc::new(work.source().plan(request)?))
}

/// How a table whose rows can be merged by their key is kept up to date, and why.
fn mode(table: &TableSpec, key: &str) -> (Mode, String) {
    let name = &table.name;
    let why = match table.strategy() {
        Strategy::Cursor(cursor) => {
            let cursor = &table.columns[cursor.column].name;
            format!("{name} has the change column {cursor}, rows are merged by {key}")
        }
        Strategy::Parent(parent) => {
            let parent = &parent.table.name;
            format!(
                "{name} is read again for each row of {parent} that changed, rows are merged by {key}"
            )
        }
        Strategy::Feed(feed) => {
            let column = &table.columns[feed.column].name;
            format!(
                "{name} comes newest first by {column} and is read up to what is known, rows are merged by {key}"
            )
        }
        Strategy::Heads(heads) => {
            let branches = &heads.table.name;
            format!(
                "{name} is read from the heads in {branches} back to those known before, rows are merged by {key}"
            )
        }
        Strategy::Whole => {
            let why = format!("{name} has no change column: it is read whole and merged by {key}");
            return (Mode::Listing, why);
        }
    };
    (Mode::Incremental, why)
}

/// Where the table's key columns come from; or why rows cannot be merged by them.
fn key_parts(work: &dyn RowWork, layout: &Layout, apart: Apart) -> Result<Vec<KeyPart>, String> {
    let source_key = work.key();
    let needed = apart.key(source_key);
    let parents: Vec<_> = work.table().parents().collect();
    if source_key.is_empty() {
        return Err("it reads a single row".to_owned());
    }
    let outputs: Vec<_> = layout
        .key
        .iter()
        .map(|&column| layout.picks[column])
        .collect();
    if let Some(missing) = needed.iter().find(|output| !outputs.contains(output)) {
        let name = work.outputs()[*missing].field.name();
        return Err(format!(
            "the key of the table lacks {name}, which tells its rows apart"
        ));
    }
    if work.slice_column().is_none() && !work.is_one_slice() {
        return Err("the column that tells its repositories apart is not selected".to_owned());
    }
    let part = |output: &usize| {
        if let Some(index) = source_key.iter().position(|key| key == output) {
            return Ok(KeyPart::Source(index));
        }
        let output = &work.outputs()[*output];
        if let Some(constant) = &output.constant {
            return Ok(KeyPart::Constant(constant.clone()));
        }
        let uuid = output.plain.filter(|&column| {
            work.table().columns[column].origin == Origin::Parent(Parent::RepositoryUuid)
        });
        uuid.and_then(|column| parents.iter().position(|parent| *parent == column))
            .map(KeyPart::Parent)
            .ok_or_else(|| {
                let name = output.field.name();
                format!("{name} in the declared key is not part of the source's key, so it may change in a row")
            })
    };
    outputs.iter().map(part).collect()
}

fn slice_column(work: &dyn RowWork, layout: &Layout) -> Option<(String, usize)> {
    let output = work.slice_column()?;
    let column = layout.column_of(output)?;
    let plain = work.outputs()[output].plain?;
    let parent = work.table().parents().position(|parent| parent == plain)?;
    Some((layout.columns[column].field.name().clone(), parent))
}
