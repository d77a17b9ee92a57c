//! What a statement loads, in short: if it changes, the table is loaded whole again.

use std::collections::BTreeMap;

use bucketline_source::spec::{Origin, SliceKind};
use bucketline_source::{ScopeKind, TableSpec};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::columns::Layout;
use crate::work::{RowWork, WholeWork};
use crate::{Mode, Result};

/// The fingerprint of a statement: of its rows, and of each of its columns. A column that is no
/// longer selected changes nothing in the others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fingerprint {
    /// Table, scope, slice, key, cursor, conditions, start date, mode.
    rows: String,
    /// Pointer, type and expression of each output column, by folded name.
    columns: BTreeMap<String, String>,
}

/// How a statement differs from the one that filled the table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Difference {
    /// It wants other rows, or identifies or tracks them otherwise.
    pub(crate) rows: bool,
    /// Columns that are new.
    pub(crate) added: Vec<String>,
    /// Columns that are computed in another way.
    pub(crate) changed: Vec<String>,
    /// Columns that are no longer selected.
    pub(crate) dropped: Vec<String>,
}

impl Difference {
    /// Why the table must be loaded whole again, if it must.
    pub(crate) fn reason(&self) -> Option<String> {
        let list = |names: &[String], one: &str, many: &str| {
            (!names.is_empty()).then(|| match names {
                [name] => format!("{name} {one}"),
                _ => format!("{} {many}", enumerated(names)),
            })
        };
        let rows = self
            .rows
            .then(|| "the statement asks for other rows than before".to_owned());
        let added = list(&self.added, "is a new column", "are new columns");
        let changed = list(
            &self.changed,
            "is computed otherwise",
            "are computed otherwise",
        );
        let reasons: Vec<_> = [rows, added, changed].into_iter().flatten().collect();
        (!reasons.is_empty()).then(|| reasons.join("; "))
    }
}

impl Fingerprint {
    /// The fingerprint of a statement that is read row by row, each of its queries from its start on where one has
    /// an effect.
    pub(crate) fn of_rows(
        works: &[Box<dyn RowWork>],
        layout: &Layout,
        mode: Mode,
        starts: &[Option<DateTime<Utc>>],
    ) -> Self {
        let rows = works.iter().zip(starts).map(|(work, start)| {
            let work = work.as_ref();
            let request = &work.scan().request;
            let table = work.table();
            json!({
                "table": table.name,
                "path": table.path,
                "scope": [scope_word(request.scope.kind), request.scope.name.to_lowercase()],
                "slice": slice_word(table.slice),
                "key": folded(&layout.key_names()),
                "cursor": table.cursor.as_ref().map(|cursor| pointer(table, cursor.column)),
                "condition": work.condition(),
                "hidden": work.scan().hidden.map(|column| pointer(table, column)),
                "start": start.map(|start| start.to_rfc3339()),
                "mode": mode,
            })
        });
        let how = |work: &dyn RowWork, pick: usize| {
            let (output, table) = (&work.outputs()[pick], work.table());
            let reads: Vec<_> = output
                .reads
                .iter()
                .map(|&read| pointer(table, read))
                .collect();
            json!({ "expression": output.expression, "reads": reads })
        };
        let columns =
            layout
                .columns
                .iter()
                .zip(&layout.picks)
                .enumerate()
                .map(|(index, (column, &pick))| {
                    let all = works.iter().map(|work| how(work.as_ref(), pick));
                    (&column.field, cut(of_all(all.collect()), layout.cut(index)))
                });
        Self::new(of_all(rows.collect()), columns)
    }

    /// The fingerprint of a statement that is executed as a whole.
    pub(crate) fn of_whole(work: &dyn WholeWork, layout: &Layout) -> Result<Self> {
        let rows = json!({
            "query": work.text()?,
            "key": folded(&layout.key_names()),
            "mode": Mode::Replace,
        });
        let columns = layout
            .columns
            .iter()
            .zip(&layout.picks)
            .enumerate()
            .map(|(index, (column, pick))| (&column.field, cut(json!(pick), layout.cut(index))));
        Ok(Self::new(rows, columns))
    }

    fn new<'a>(
        rows: Value,
        columns: impl Iterator<Item = (&'a arrow::datatypes::Field, Value)>,
    ) -> Self {
        let columns = columns.map(|(field, how)| {
            let json = field.metadata().get(bucketline_source::spec::LOGICAL_TYPE);
            let whole =
                json!({ "type": field.data_type().to_string(), "logical": json, "how": how });
            (field.name().to_lowercase(), hash(&whole))
        });
        Self {
            rows: hash(&rows),
            columns: columns.collect(),
        }
    }

    /// One text for all of it.
    pub(crate) fn digest(&self) -> String {
        hash(&json!(self))
    }

    /// How this one differs from what filled the table.
    pub(crate) fn differs_from(&self, before: &Self) -> Difference {
        let mut difference = Difference {
            rows: self.rows != before.rows,
            ..Difference::default()
        };
        for (name, how) in &self.columns {
            match before.columns.get(name) {
                None => difference.added.push(name.clone()),
                Some(other) if other != how => difference.changed.push(name.clone()),
                Some(_) => {}
            }
        }
        let dropped = before
            .columns
            .keys()
            .filter(|name| !self.columns.contains_key(*name));
        difference.dropped = dropped.cloned().collect();
        difference
    }
}

/// The first few of some names, and how many more there are.
pub(crate) fn enumerated(names: &[String]) -> String {
    const SHOWN: usize = 6;
    match names.len().checked_sub(SHOWN) {
        None | Some(0) => names.join(", "),
        Some(more) => format!("{} and {more} more", names[..SHOWN].join(", ")),
    }
}

fn folded(names: &[String]) -> Vec<String> {
    names.iter().map(|name| name.to_lowercase()).collect()
}

/// What the queries of a statement are: of a single one, that one.
fn of_all(mut queries: Vec<Value>) -> Value {
    match queries.len() {
        1 => queries.remove(0),
        _ => Value::Array(queries),
    }
}

/// Where a column's texts are cut, they are others than those of another length.
fn cut(how: Value, length: Option<u64>) -> Value {
    match length {
        Some(length) => json!({ "how": how, "length": length }),
        None => how,
    }
}

/// Where a table column's value comes from, and its type.
fn pointer(table: &TableSpec, column: usize) -> Value {
    let column = &table.columns[column];
    let origin = match &column.origin {
        Origin::Parent(_) => column.name.to_lowercase(),
        Origin::Row(path) => format!("/{}", path.join("/")),
        Origin::First(paths) => {
            let paths: Vec<_> = paths
                .iter()
                .map(|path| format!("/{}", path.join("/")))
                .collect();
            paths.join(" ")
        }
        Origin::Member(members) => format!("name of {}", members.join(" ")),
        Origin::Up(above) => {
            let parent = table.parent.as_ref();
            return parent.map_or(Value::Null, |parent| {
                json!([parent.table.name, pointer(&parent.table, *above)])
            });
        }
    };
    json!([origin, column.kind.data_type().to_string()])
}

// Words of their own: what is stored must not change when a name in the program does.

fn scope_word(kind: ScopeKind) -> &'static str {
    match kind {
        ScopeKind::Whole => "whole",
        ScopeKind::Project => "project",
        ScopeKind::Repository => "repository",
    }
}

fn slice_word(kind: SliceKind) -> &'static str {
    match kind {
        SliceKind::Account => "account",
        SliceKind::Workspace => "workspace",
        SliceKind::Repository => "repository",
    }
}

/// The first 16 bytes of the SHA-256 of a JSON text, in hexadecimal digits.
fn hash(value: &Value) -> String {
    let digest = Sha256::digest(value.to_string().as_bytes());
    digest[..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
