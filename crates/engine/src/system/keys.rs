//! Keys, references and indexes.

use bucketline_source::TableSpec;
use bucketline_source::spec::Origin;

use super::{Cell, number, text};
use crate::catalog::Connection;
use crate::session::Registered;

/// A table's key, for any kind of connection.
pub(super) struct KeyOf<'a> {
    pub(super) place: [&'a str; 3],
    pub(super) columns: Vec<&'a str>,
}

impl<'a> KeyOf<'a> {
    pub(super) fn of_spec(place: [&'a str; 3], table: &'a TableSpec) -> Self {
        let columns = table.key.iter().map(|&index| &*table.columns[index].name);
        Self {
            place,
            columns: columns.collect(),
        }
    }

    fn name(&self) -> String {
        format!("PK_{}", self.place[2])
    }

    /// Rows of `sys_primarykeys`.
    pub(super) fn primary(&self) -> Vec<Vec<Cell>> {
        let row = |(index, column): (usize, &&str)| {
            let rest = [text(column), number(index + 1), text(&self.name())];
            self.place.map(text).into_iter().chain(rest).collect()
        };
        self.columns.iter().enumerate().map(row).collect()
    }

    /// Rows of `sys_indexes`: a key is the one index that a table is known to have.
    pub(super) fn index(&self) -> Vec<Vec<Cell>> {
        let row = |(index, column): (usize, &&str)| {
            let rest = [
                text(&self.name()),
                text(column),
                Cell::Flag(true),
                Cell::Flag(true),
                Cell::Null,
                text("ASC"),
                number(index + 1),
            ];
            self.place.map(text).into_iter().chain(rest).collect()
        };
        self.columns.iter().enumerate().map(row).collect()
    }

    /// Rows of `sys_keycolumns`.
    pub(super) fn columns(&self) -> Vec<Vec<Cell>> {
        let row = |column: &&str| {
            let key = [
                text(column),
                Cell::Flag(true),
                Cell::Flag(false),
                text(&self.name()),
            ];
            let foreign = std::iter::repeat_n(Cell::Null, 5);
            self.place
                .map(text)
                .into_iter()
                .chain(key)
                .chain(foreign)
                .collect()
        };
        self.columns.iter().map(row).collect()
    }
}

/// The columns of a table that name a row of its parent table, with the parent's columns that they are.
struct Reference<'a> {
    place: [&'a str; 3],
    parent: &'a TableSpec,
    pairs: Vec<(&'a str, &'a str)>,
}

impl<'a> Reference<'a> {
    fn of(place: [&'a str; 3], table: &'a TableSpec) -> Option<Self> {
        let above = table.parent.as_ref()?;
        let parent = &*above.table;
        // What the slice gives to the rows of both.
        let shared = |&&index: &&usize| {
            let column = &table.columns[index];
            let is_same = |&key: &usize| parent.columns[key].name == column.name;
            matches!(column.origin, Origin::Parent(_)) && parent.key.iter().any(is_same)
        };
        let of_slice = table.key.iter().filter(shared).map(|&index| {
            let name = &*table.columns[index].name;
            (name, name)
        });
        let owner = above.owner(table);
        let of_parent = owner
            .iter()
            .map(|&(column, above)| (&*table.columns[column].name, &*parent.columns[above].name));
        let pairs: Vec<_> = of_slice.chain(of_parent).collect();
        (!pairs.is_empty()).then_some(Self {
            place,
            parent,
            pairs,
        })
    }

    /// From the name of the foreign key to the column that is referred to.
    fn target(&self, column: &str) -> [Cell; 5] {
        let [catalog, schema, table] = self.place;
        let parent = &self.parent.name;
        [
            text(&format!("FK_{table}_{parent}")),
            text(catalog),
            text(schema),
            text(parent),
            text(column),
        ]
    }
}

/// Rows of `sys_keycolumns` for the references of a source's table.
pub(super) fn referring_columns(place: [&str; 3], table: &TableSpec) -> Vec<Vec<Cell>> {
    let Some(reference) = Reference::of(place, table) else {
        return Vec::new();
    };
    let row = |(column, above): &(&str, &str)| {
        let is_key = table
            .key
            .iter()
            .any(|&key| table.columns[key].name == *column);
        let own = [
            text(column),
            Cell::Flag(is_key),
            Cell::Flag(true),
            Cell::Null,
        ];
        let target = reference.target(above);
        place
            .map(text)
            .into_iter()
            .chain(own)
            .chain(target)
            .collect()
    };
    reference.pairs.iter().map(row).collect()
}

/// Rows of `sys_foreignkeys`.
pub(super) fn foreign(place: [&str; 3], table: &TableSpec) -> Vec<Vec<Cell>> {
    let Some(reference) = Reference::of(place, table) else {
        return Vec::new();
    };
    let row = |(column, above): &(&str, &str)| {
        let own = [text(column), Cell::Null];
        let target = reference.target(above);
        let place = place.map(text).into_iter();
        place
            .chain(own)
            .chain(target)
            .chain([text("FOREIGNKEY")])
            .collect()
    };
    reference.pairs.iter().map(row).collect()
}

/// The names of the columns by which changes are found, for tools that replicate by such a column.
pub(super) fn change_columns(connections: &[Registered]) -> String {
    let sources = connections
        .iter()
        .filter_map(|registered| match &registered.connection {
            Connection::Source(source) => Some(source),
            Connection::Catalog(_) => None,
        });
    let mut names: Vec<String> = sources
        .flat_map(|source| source.tables().into_owned())
        .filter_map(|table| {
            let cursor = table.cursor.as_ref()?;
            Some(table.columns[cursor.column].name.clone())
        })
        .collect();
    names.sort();
    names.dedup();
    names.join(",")
}
