//! What a task's statement says about its output columns.

use bucketline_core::code;
use bucketline_sql::sqlparser::ast::{Expr, SelectItem, SetExpr};
use bucketline_sql::{Against, Located, Outline, OutlineItem, Query, Source, Statement};

use crate::{Problem, Task};

/// The columns of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// In their order; `None` if the statement takes all columns of its table without a SELECT.
    pub columns: Option<Vec<OutputColumn>>,
    /// The condition that filters the rows, as it is written.
    pub filter: Option<String>,
}

/// An item of the SELECT list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputColumn {
    /// What the destination's column is called; `None` for `*`, and for an expression without an alias.
    pub name: Option<String>,
    /// What it is made from, as it is written: a column, an expression, or `*`.
    pub expression: String,
    /// Whether that is a column of the source.
    pub is_plain: bool,
    /// Whether it stands for all columns of a table.
    pub is_star: bool,
}

/// Reads the columns of a statement.
///
/// # Errors
/// If the text is not a task's statement, or its columns cannot be told: it is a UNION, say.
pub fn shape(text: &str) -> Result<Shape, Box<Problem>> {
    let parsed = Parsed::read(text)?;
    let Some(select) = parsed.select()? else {
        return Ok(Shape {
            columns: None,
            filter: None,
        });
    };
    let columns = select.items.iter().map(|item| OutputColumn {
        name: item.name.clone(),
        expression: text[item.place.expression.range()].to_owned(),
        is_plain: item.column.is_some(),
        is_star: item.is_star,
    });
    let condition = select.outline.condition;
    Ok(Shape {
        columns: Some(columns.collect()),
        filter: condition.map(|condition| text[condition.range()].to_owned()),
    })
}

/// A task's statement.
pub(super) struct Parsed {
    pub(super) located: Located,
}

/// The SELECT of a statement.
pub(super) struct Select {
    pub(super) outline: Outline,
    pub(super) items: Vec<Item>,
}

/// An item of its list.
pub(super) struct Item {
    pub(super) place: OutlineItem,
    /// What the destination's column is called.
    pub(super) name: Option<String>,
    /// The last part of the column's name, if the expression is one.
    pub(super) column: Option<String>,
    pub(super) is_star: bool,
}

impl Parsed {
    pub(super) fn read(text: &str) -> Result<Self, Box<Problem>> {
        let located = Task::new(text).parse_located()?;
        Ok(Self { located })
    }

    /// The query that gives the rows, if there is one.
    pub(super) fn query(&self) -> Result<Option<&Query>, Box<Problem>> {
        match &self.located.statement {
            Statement::Replicate(replicate) => Ok(match &replicate.source {
                Source::Query(query) => Some(query),
                Source::SameName | Source::Table(_) => None,
            }),
            Statement::Cache(cache) => Ok(Some(&cache.query)),
            Statement::CheckCache(check) => match &check.against {
                Some(Against::Query(query)) => Ok(Some(query)),
                Some(Against::Table(_)) | None => {
                    Err(refused("CHECKCACHE compares all columns of its table"))
                }
            },
            other => Err(refused(&format!("{} has no columns", other.verb()))),
        }
    }

    /// The SELECT that gives the rows, if there is one.
    pub(super) fn select(&self) -> Result<Option<Select>, Box<Problem>> {
        let Some(query) = self.query()? else {
            return Ok(None);
        };
        let outline = query.outline().zip(list(query));
        let Some((outline, projection)) = outline else {
            return Err(refused(
                "only the columns of a simple SELECT can be edited one by one",
            ));
        };
        let items = projection.iter().zip(&outline.items);
        let items = items.map(|(item, place)| read_item(item, place)).collect();
        Ok(Some(Select { outline, items }))
    }
}

/// What cannot be done to the columns.
pub(super) fn refused(message: &str) -> Box<Problem> {
    let problem = Problem::new("statement", code::model::COLUMNS, message);
    Box::new(problem.with_hint("edit the text of the statement"))
}

fn list(query: &Query) -> Option<&[SelectItem]> {
    match query.ast().body.as_ref() {
        SetExpr::Select(select) => Some(&select.projection),
        _ => None,
    }
}

fn read_item(item: &SelectItem, place: &OutlineItem) -> Item {
    let column = |expression: &Expr| match expression {
        Expr::Identifier(name) => Some(name.value.clone()),
        Expr::CompoundIdentifier(parts) => parts.last().map(|name| name.value.clone()),
        _ => None,
    };
    let (name, column) = match item {
        SelectItem::UnnamedExpr(expression) => (column(expression), column(expression)),
        SelectItem::ExprWithAlias { expr, alias } => (Some(alias.value.clone()), column(expr)),
        _ => (None, None),
    };
    let is_star = matches!(
        item,
        SelectItem::QualifiedWildcard(..) | SelectItem::Wildcard(_)
    );
    Item {
        place: place.clone(),
        name,
        column,
        is_star,
    }
}
