//! What the program can do and is.

use super::{Cell, text};
use crate::function::{Family, Function};

/// Rows of `sys_sqlinfo`. `change_columns` are those by which changes are found.
pub(super) fn abilities(change_columns: &str) -> Vec<Vec<Cell>> {
    let scalars = |families: &[Family]| {
        let functions = families.iter().flat_map(|family| family.functions());
        names(functions)
    };
    let windows = Family::Window.functions().iter();
    let aggregates = names(windows.filter(|function| function.is_aggregate()));
    let operators = "=,>,<,>=,<=,<>,!=,LIKE,NOT LIKE,IN,NOT IN,IS NULL,IS NOT NULL,BETWEEN,AND,OR";
    let rows = [
        ("AGGREGATE_FUNCTIONS", aggregates),
        ("COUNT", "YES".to_owned()),
        ("IDENTIFIER_QUOTE_OPEN_CHAR", "[".to_owned()),
        ("IDENTIFIER_QUOTE_CLOSE_CHAR", "]".to_owned()),
        ("SUPPORTED_OPERATORS", operators.to_owned()),
        ("GROUP_BY", "NO_RELATION".to_owned()),
        ("OJ_CAPABILITIES", "LEFT,RIGHT,FULL".to_owned()),
        ("OUTER_JOINS", "YES".to_owned()),
        (
            "SUBQUERIES",
            "COMPARISON,EXISTS,IN,CORRELATED_SUBQUERIES,QUANTIFIED".to_owned(),
        ),
        (
            "STRING_FUNCTIONS",
            scalars(&[Family::String, Family::Document]),
        ),
        ("NUMERIC_FUNCTIONS", scalars(&[Family::Math])),
        (
            "TIMEDATE_FUNCTIONS",
            scalars(&[Family::Date, Family::RelativeDate]),
        ),
        ("REPLICATION_SKIP_TABLES", String::new()),
        ("REPLICATION_TIMECHECK_COLUMNS", change_columns.to_owned()),
    ];
    rows.map(|(name, value)| vec![text(name), text(&value)])
        .into()
}

/// The names of functions, other names included.
fn names(functions: impl Iterator<Item = &'static Function>) -> String {
    let names =
        functions.flat_map(|function| std::iter::once(&function.name).chain(function.aliases));
    let mut names: Vec<String> = names.map(|name| name.to_uppercase()).collect();
    names.sort();
    names.join(",")
}

/// The row of `sys_information` for a connection.
pub(super) fn information(connection: &str) -> Vec<Cell> {
    let known = ["Bucketline", env!("CARGO_PKG_VERSION"), connection].map(text);
    known
        .into_iter()
        .chain([Cell::Null, Cell::Null, Cell::Null, Cell::Null])
        .collect()
}
