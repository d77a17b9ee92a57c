//! Tables whose rows hang on those of another table: comments on pull requests, members of a list.
//!
//! ```toml
//! parent = { table = "PullRequests", bind = { pull_request = "Id" } }    # a list of its own per parent
//! parent = { table = "PullRequests", nested = "participants" }           # a member of the parent's rows
//! ```

use std::sync::Arc;
use std::time::Duration;

use super::entry::Entry;
use super::{ColumnKind, Origin, TableSpec, Walk};
use crate::{ColumnSpec, Operator};

/// The table that another one's rows hang on, in the same slice.
#[derive(Debug, Clone, PartialEq)]
pub struct ParentTable {
    /// The table.
    pub table: Arc<TableSpec>,
    /// Where the rows of one parent are.
    pub rows: ChildRows,
    /// Statuses of an answer that mean that a parent has no rows.
    pub absent: Vec<u16>,
    /// Statuses of an answer, beside 403, 404 and 410, after which a parent's rows stay as they were and the
    /// next parent is read.
    pub unreadable: Vec<u16>,
    /// Parents that are visited on each run, changed or not.
    pub also: Option<Revisit>,
    /// An empty list says nothing of a parent's rows.
    pub empty_is_unknown: bool,
    /// The child's column that is never later than the parent's last change by more than the look-back of its cursor.
    pub moved_by: Option<String>,
    /// There are so many parents that a statement must say which it means. All of those are visited on each run.
    pub bounded: bool,
}

/// Where the rows of one parent are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChildRows {
    /// In a list of its own.
    Listed {
        /// The placeholders of the path and the parent's columns that fill them.
        bind: Vec<(String, usize)>,
    },
    /// In the parent's rows themselves.
    Nested {
        /// Index of the parent's JSON column that holds them.
        column: usize,
    },
}

/// Parents that are visited on each run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revisit {
    /// Index of the parent's column that says so.
    pub column: usize,
    /// The values for which a parent is visited.
    pub values: Vec<String>,
    /// Parents that changed so lately are visited as well.
    pub within: Duration,
}

impl ParentTable {
    /// The columns of the child that name the parent of a row, with the parent's columns that they are.
    pub fn owner(&self, child: &TableSpec) -> Vec<(usize, usize)> {
        let up = |column: usize| match child.columns[column].origin {
            Origin::Up(above) => Some((column, above)),
            _ => None,
        };
        child.key.iter().copied().filter_map(up).collect()
    }
}

/// Reads `parent`; the tables before this one are those that it may name.
pub(super) fn parent(mut entry: Entry<'_>, known: &[Arc<TableSpec>]) -> Option<ParentTable> {
    let name = entry.required_text("table");
    let table = name.as_ref().and_then(|name| {
        let found = known.iter().find(|table| table.name == *name);
        if found.is_none() {
            entry.mistake(&format!("there is no table `{name}` before it"));
        }
        found.cloned()
    });
    let bind = entry.entry("bind");
    let nested = entry.text("nested");
    let absent = statuses(&mut entry, "absent");
    let unreadable = statuses(&mut entry, "unreadable");
    let also = entry.entry("also");
    let empty_is_unknown = entry.flag("empty_is_unknown");
    let moved_by = entry.text("moved_by");
    let bounded = entry.flag("bounded");
    entry.finish();
    let table = table?;
    let rows = match (bind, nested) {
        (Some(bind), None) => Some(ChildRows::Listed {
            bind: bound(&bind, &table),
        }),
        (None, Some(member)) => {
            let holds = |column: &ColumnSpec| {
                column.kind == ColumnKind::Json
                    && matches!(&column.origin, Origin::Row(path) if path.join(".") == member)
            };
            let column = table.columns.iter().position(holds);
            if column.is_none() {
                entry.mistake(&format!(
                    "nested: {} has no json column at `{member}`",
                    table.name
                ));
            }
            column.map(|column| ChildRows::Nested { column })
        }
        _ => {
            entry.mistake("either `bind` or `nested`");
            None
        }
    };
    let also = also.and_then(|also| revisit(also, &table));
    Some(ParentTable {
        table,
        rows: rows?,
        absent,
        unreadable,
        also,
        empty_is_unknown,
        moved_by,
        bounded,
    })
}

fn bound(bind: &Entry<'_>, table: &TableSpec) -> Vec<(String, usize)> {
    let mut bound = Vec::new();
    for (placeholder, value) in bind.members() {
        let column = value
            .as_str()
            .and_then(|name| table.columns.iter().position(|known| known.name == name));
        match column {
            Some(column) if !table.columns[column].required => bind.mistake(&format!(
                "{} may be NULL, so it cannot stand in an address",
                table.columns[column].name
            )),
            Some(column) => bound.push((placeholder.clone(), column)),
            None => bind.mistake(&format!(
                "`{placeholder}` must name a column of {}",
                table.name
            )),
        }
    }
    bound
}

pub(super) fn statuses(entry: &mut Entry<'_>, name: &'static str) -> Vec<u16> {
    let listed = entry.list(name);
    let mut statuses = Vec::new();
    for value in listed {
        match value
            .as_integer()
            .and_then(|status| u16::try_from(status).ok())
        {
            Some(status @ 400..=599) => statuses.push(status),
            _ => entry.mistake(&format!("`{name}` must list HTTP statuses from 400 to 599")),
        }
    }
    statuses
}

fn revisit(mut entry: Entry<'_>, table: &TableSpec) -> Option<Revisit> {
    let name = entry.required_text("column");
    let column = name.as_ref().and_then(|name| {
        let found = table.columns.iter().position(|known| known.name == *name);
        if found.is_none() {
            entry.mistake(&format!("{} has no column `{name}`", table.name));
        }
        found
    });
    let values = entry.texts("values").unwrap_or_default();
    let within = entry.duration("within");
    entry.finish();
    if values.is_empty() {
        entry.mistake("`values` must list the column's values");
    }
    let column = column?;
    if !table.columns[column].filter.exact.contains(&Operator::In) {
        entry.mistake(&format!(
            "`{}` needs the exact operator IN",
            table.columns[column].name
        ));
    }
    if table.cursor.is_none() || !matches!(table.walk, Walk::Keyset { unique: true, .. }) {
        entry.mistake(&format!(
            "{} must have a cursor and a unique walk",
            table.name
        ));
    }
    Some(Revisit {
        column,
        values,
        within: within?,
    })
}

/// Checks what only the whole child shows.
pub(super) fn check(entry: &Entry<'_>, parent: &ParentTable, child: &TableSpec) {
    let table = &parent.table;
    if table.slice != child.slice {
        entry.mistake(&format!("`slice` must be that of {}", table.name));
    }
    if child.cursor.is_some() {
        entry.mistake("`cursor`: a table with a parent is read by the parent's changes");
    }
    if let Some(name) = &parent.moved_by {
        let is_moment = |column: usize| child.columns[column].kind == ColumnKind::Timestamp;
        if !child.column(name).is_some_and(is_moment) || table.cursor.is_none() {
            entry.mistake(&format!(
                "parent, moved_by: `{name}` must be a timestamp, and {} must have a cursor",
                table.name
            ));
        }
    }
    let owner = parent.owner(child);
    let key = table.key.iter().copied();
    for column in key.filter(|column| !matches!(table.columns[*column].origin, Origin::Parent(_))) {
        if owner.iter().all(|(_, above)| *above != column) {
            entry.mistake(&format!(
                "key: it must contain the parent's key column {} (`up`)",
                table.columns[column].name
            ));
        }
    }
}

/// The placeholders of a path that neither the workspace nor the repository fills.
pub(super) fn check_placeholders(entry: &Entry<'_>, path: &str, parent: Option<&ParentTable>) {
    let bind: &[(String, usize)] = match parent.map(|parent| &parent.rows) {
        Some(ChildRows::Listed { bind }) => bind,
        Some(ChildRows::Nested { .. }) | None => &[],
    };
    let placeholders = path
        .split('{')
        .skip(1)
        .filter_map(|rest| rest.split_once('}').map(|(name, _)| name));
    for name in placeholders.filter(|name| !matches!(*name, "workspace" | "repository")) {
        if bind.iter().all(|(bound, _)| bound != name) {
            entry.mistake(&format!("`path`: nothing is bound to {{{name}}}"));
        }
    }
    for (name, _) in bind {
        if !path.contains(&format!("{{{name}}}")) {
            entry.mistake(&format!("`path` must contain {{{name}}}"));
        }
    }
}

/// A column that is one of the parent's: type, doc and nullability are the parent's unless said otherwise.
pub(super) fn up(
    entry: &mut Entry<'_>,
    above: &str,
    parent: Option<&ParentTable>,
) -> Option<ColumnSpec> {
    let name = entry.required_text("name");
    let doc = entry.text("doc");
    entry.finish();
    let Some(parent) = parent else {
        entry.mistake("`up`: the table has no parent");
        return None;
    };
    let table = &parent.table;
    let Some(index) = table.columns.iter().position(|known| known.name == above) else {
        entry.mistake(&format!("`up`: {} has no column `{above}`", table.name));
        return None;
    };
    let column = &table.columns[index];
    if matches!(column.origin, Origin::Parent(_)) {
        entry.mistake(&format!("`up`: the slice gives `{above}` already"));
    }
    Some(ColumnSpec {
        name: name?,
        doc: doc.unwrap_or_else(|| column.doc.clone()),
        kind: column.kind,
        origin: Origin::Up(index),
        nullable: column.nullable,
        required: column.required,
        immutable: column.immutable,
        filter: super::Filter::default(),
        sort: false,
        extra: false,
        otherwise: None,
        aliases: Vec::new(),
        hidden: false,
    })
}
