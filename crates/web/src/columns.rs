//! The columns of a task's statement: what they are, and the statement with a change of them.

use axum::Json;
use bucketline_app::columns::{Edit, OutputColumn, edit, shape};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::problem::{Answer, ProblemDetails, Refused};
use crate::request::Body;

/// A statement, and what is to change in it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ColumnsRequest {
    /// The text.
    statement: String,
    /// What is to change; nothing, if absent.
    #[serde(default)]
    change: Option<Change>,
    /// The names of the source's columns. A change of a statement that takes all of them needs them.
    #[serde(default)]
    available: Vec<String>,
}

/// A change of the output columns. Columns are named as the destination has them.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Change {
    /// These columns and no others.
    Choose {
        /// In the order of those that are new.
        columns: Vec<String>,
    },
    /// A column gets another name.
    Rename {
        /// The column.
        column: String,
        /// Its new name.
        name: String,
    },
    /// A column is made by an expression: one of this name if there is one, else a new one at the end.
    Compute {
        /// The column.
        name: String,
        /// SQL over the columns of the source.
        expression: String,
    },
    /// A column goes.
    Remove {
        /// The column.
        column: String,
    },
    /// Only rows that fit a condition; all rows, if there is none.
    Filter {
        /// SQL over the columns of the source.
        #[serde(default)]
        condition: Option<String>,
    },
}

/// A statement and its columns.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Columns {
    /// The statement, changed. Comments and layout elsewhere are as they were.
    statement: String,
    /// Its output columns; absent if it takes all of its table without a SELECT.
    #[serde(skip_serializing_if = "Option::is_none")]
    columns: Option<Vec<ColumnView>>,
    /// The condition that filters the rows, as it is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    filter: Option<String>,
}

/// An item of the SELECT list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ColumnView {
    /// What the destination's column is called; absent for `*`, and for an expression without an alias.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// What it is made from, as it is written.
    expression: String,
    /// Whether that is a column of the source.
    is_plain: bool,
    /// Whether it stands for all columns of a table.
    is_star: bool,
}

impl From<OutputColumn> for ColumnView {
    fn from(column: OutputColumn) -> Self {
        let OutputColumn {
            name,
            expression,
            is_plain,
            is_star,
        } = column;
        Self {
            name,
            expression,
            is_plain,
            is_star,
        }
    }
}

impl From<Change> for Edit {
    fn from(change: Change) -> Self {
        match change {
            Change::Choose { columns } => Self::Choose(columns),
            Change::Rename { column, name } => Self::Rename { column, name },
            Change::Compute { name, expression } => Self::Compute { name, expression },
            Change::Remove { column } => Self::Remove(column),
            Change::Filter { condition } => Self::Filter(condition),
        }
    }
}

/// Read the columns of a statement, and change them
///
/// Choose, rename, compute, remove, filter. Nothing is saved: the answer has the changed text.
#[utoipa::path(post, path = "/api/v1/statements/columns", tag = "statements", request_body = ColumnsRequest,
    responses((status = 200, body = Columns), ProblemDetails))]
pub(crate) async fn columns(Body(request): Body<ColumnsRequest>) -> Answer<Json<Columns>> {
    let ColumnsRequest {
        statement,
        change,
        available,
    } = request;
    let changed = match change {
        Some(change) => edit(&statement, &change.into(), &available),
        None => Ok(statement),
    };
    let read = changed.and_then(|statement| Ok((shape(&statement)?, statement)));
    let (shape, statement) =
        read.map_err(|problem| Refused::wrong("the statement", vec![*problem]))?;
    let columns = shape.columns;
    Ok(Json(Columns {
        statement,
        columns: columns.map(|columns| columns.into_iter().map(ColumnView::from).collect()),
        filter: shape.filter,
    }))
}
