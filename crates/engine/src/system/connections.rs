//! What is known of connections beside their tables.

use super::{Cell, NO_SCHEMA, SqlType, number, text};
use crate::catalog::Connection;
use crate::facts::{ParameterFact, PropertyFact};
use crate::session::Registered;

/// How a procedure's parameter stands to it, in the terms of JDBC.
const INPUT: i32 = 1;
const OUTPUT: i32 = 4;

/// The connection and the schema that its procedures are listed in.
fn place(registered: &Registered) -> [Cell; 2] {
    let schema = match &registered.connection {
        Connection::Source(source) => source.default_scope().name,
        Connection::Catalog(_) => NO_SCHEMA.to_owned(),
    };
    [text(&registered.name), text(&schema)]
}

pub(super) fn procedures(registered: &Registered) -> Vec<Vec<Cell>> {
    let procedures = registered.facts.procedures.iter();
    let row = |procedure: &crate::facts::ProcedureFact| {
        let rest = [text(&procedure.name), text(&procedure.doc), text("SYSTEM")];
        place(registered).into_iter().chain(rest).collect()
    };
    procedures.map(row).collect()
}

pub(super) fn parameters(registered: &Registered) -> Vec<Vec<Cell>> {
    let mut rows = Vec::new();
    for procedure in &registered.facts.procedures {
        for (index, parameter) in procedure.parameters.iter().enumerate() {
            let rest = parameter_cells(&procedure.name, parameter, index + 1);
            rows.push(place(registered).into_iter().chain(rest).collect());
        }
    }
    rows
}

fn parameter_cells(procedure: &str, parameter: &ParameterFact, ordinal: usize) -> Vec<Cell> {
    let ParameterFact {
        name,
        doc,
        is_output,
        is_number,
        is_required,
        values,
    } = parameter;
    let kind = if *is_number {
        SqlType::BIGINT
    } else {
        SqlType::VARCHAR
    };
    let values = match values.is_empty() {
        true => Cell::Null,
        false => text(&values.join(",")),
    };
    vec![
        text(procedure),
        text(name),
        Cell::Number(if *is_output { OUTPUT } else { INPUT }),
        text(kind.name),
        Cell::Number(kind.code),
        kind.length.map_or(Cell::Null, Cell::Number),
        kind.precision.map_or(Cell::Null, Cell::Number),
        kind.precision.map_or(Cell::Null, |_| Cell::Number(0)),
        Cell::Flag(!is_required),
        Cell::Flag(*is_required),
        Cell::Flag(false),
        text(doc),
        number(ordinal),
        values,
        Cell::Flag(false),
        Cell::Flag(false),
        Cell::Null,
    ]
}

pub(super) fn properties(registered: &Registered) -> Vec<Vec<Cell>> {
    let properties = registered.facts.properties.iter().enumerate();
    let row = |(index, property): (usize, &PropertyFact)| {
        let PropertyFact {
            name,
            doc,
            value,
            is_secret,
        } = property;
        vec![
            text(&registered.name),
            text(name),
            text(doc),
            text("String"),
            Cell::Null,
            Cell::Null,
            value.as_deref().map_or(Cell::Null, text),
            Cell::Flag(false),
            Cell::Null,
            text("NO"),
            text(if *is_secret { "PASSWORD" } else { "NONE" }),
            text(name),
            number(index + 1),
            Cell::Null,
            Cell::Null,
            Cell::Flag(true),
            Cell::Null,
        ]
    };
    properties.map(row).collect()
}

pub(super) fn written(registered: &Registered) -> Option<Vec<Cell>> {
    let written = registered.facts.written.as_ref()?;
    Some(vec![
        text(&written.number.to_string()),
        Cell::Null,
        text(&written.operation),
        text(&written.message),
    ])
}
