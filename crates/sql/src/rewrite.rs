//! What the syntax tree of a query goes through before anyone sees it: TOP becomes LIMIT, `LIMIT n, m`
//! becomes `LIMIT n OFFSET m`, and what `sqlparser` lets pass but no query may contain is refused.

use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, LimitClause, Offset, OffsetRows, Query, Select, SetExpr, Spanned, TableFactor, Top,
    TopQuantity, Value, VisitMut, VisitorMut,
};
use sqlparser::tokenizer::Span;

/// Why a query is refused, and at which stretch of the tree.
pub(crate) struct Refusal {
    pub(crate) message: &'static str,
    pub(crate) hint: &'static str,
    pub(crate) at: Span,
}

pub(crate) fn rewrite(query: &mut Query) -> Result<(), Refusal> {
    match query.visit(&mut Rewriter) {
        ControlFlow::Break(refusal) => Err(refusal),
        ControlFlow::Continue(()) => Ok(()),
    }
}

struct Rewriter;

impl VisitorMut for Rewriter {
    type Break = Refusal;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Refusal> {
        if let Some(ignored) = ignored_of_query(query) {
            return ControlFlow::Break(ignored);
        }
        query.limit_clause = query.limit_clause.take().map(number_first);
        let outcome = match query.body.as_mut() {
            SetExpr::Select(select) => match select.top.take() {
                Some(_) if query.limit_clause.is_some() || query.fetch.is_some() => Err(Refusal {
                    message: "TOP and LIMIT in one query",
                    hint: "keep one of them",
                    at: select.select_token.0.span,
                }),
                Some(top) => limit(top, select).map(|clause| query.limit_clause = Some(clause)),
                None => Ok(()),
            },
            SetExpr::SetOperation { left, right, .. } => {
                limit_arm(left).and_then(|()| limit_arm(right))
            }
            SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) => {
                Err(Refusal {
                    message: "a query cannot change data",
                    hint: "write a SELECT here",
                    at: query.body.span(),
                })
            }
            _ => Ok(()),
        };
        outcome.map_or_else(ControlFlow::Break, ControlFlow::Continue)
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Refusal> {
        match ignored_of_table(factor) {
            Some(message) => ControlFlow::Break(Refusal {
                message,
                hint: "leave it out",
                at: factor.span(),
            }),
            None => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Refusal> {
        let ignored = [
            (!select.connect_by.is_empty(), "CONNECT BY is not supported"),
            (select.prewhere.is_some(), "PREWHERE is not supported"),
            (
                select.exclude.is_some(),
                "EXCLUDE behind the columns is not supported",
            ),
        ];
        if let Some((_, message)) = ignored.into_iter().find(|(is_there, _)| *is_there) {
            return ControlFlow::Break(Refusal {
                message,
                hint: "leave it out",
                at: select.select_token.0.span,
            });
        }
        match &select.into {
            Some(_) => ControlFlow::Break(Refusal {
                message: "SELECT INTO a table is not supported",
                hint: "REPLICATE or CACHE writes a query's rows into a table, INTO csv://file into a file",
                at: select.select_token.0.span,
            }),
            None => ControlFlow::Continue(()),
        }
    }
}

/// What the parser reads of a query and no planner would heed.
fn ignored_of_query(query: &Query) -> Option<Refusal> {
    let message = match query {
        Query { locks, .. } if !locks.is_empty() => "FOR UPDATE and FOR SHARE are not supported",
        Query {
            for_clause: Some(_),
            ..
        } => "FOR XML and FOR JSON are not supported",
        Query {
            settings: Some(_), ..
        } => "SETTINGS is not supported",
        Query {
            format_clause: Some(_),
            ..
        } => "FORMAT is not supported",
        _ => return None,
    };
    let hint = match query.locks.is_empty() {
        true => "leave it out; `--format` chooses how rows are printed",
        false => "leave it out: a query locks nothing",
    };
    let at = query.body.span();
    Some(Refusal { message, hint, at })
}

/// The same of a table in FROM.
fn ignored_of_table(factor: &TableFactor) -> Option<&'static str> {
    let TableFactor::Table {
        with_hints,
        version,
        with_ordinality,
        partitions,
        json_path,
        sample,
        index_hints,
        ..
    } = factor
    else {
        return None;
    };
    let ignored = [
        (sample.is_some(), "TABLESAMPLE is not supported"),
        (version.is_some(), "versions of a table are not supported"),
        (*with_ordinality, "WITH ORDINALITY is not supported"),
        (
            !partitions.is_empty(),
            "PARTITION behind a table is not supported",
        ),
        (
            json_path.is_some(),
            "a path behind a table is not supported",
        ),
        (
            !with_hints.is_empty() || !index_hints.is_empty(),
            "hints behind a table are not supported",
        ),
    ];
    let mut ignored = ignored.into_iter().filter(|(is_there, _)| *is_there);
    ignored.next().map(|(_, message)| message)
}

/// `LIMIT n, m`: n rows behind the first m. `sqlparser` reads it the other way round, as MySQL does.
fn number_first(clause: LimitClause) -> LimitClause {
    match clause {
        LimitClause::OffsetCommaLimit {
            offset: number,
            limit: skipped,
        } => LimitClause::LimitOffset {
            limit: Some(number),
            offset: Some(Offset {
                value: skipped,
                rows: OffsetRows::None,
            }),
            limit_by: Vec::new(),
        },
        other => other,
    }
}

/// An arm of UNION and the like: there TOP limits the arm alone, which needs a query of its own.
fn limit_arm(arm: &mut Box<SetExpr>) -> Result<(), Refusal> {
    match arm.as_mut() {
        SetExpr::SetOperation { left, right, .. } => {
            limit_arm(left)?;
            limit_arm(right)
        }
        SetExpr::Select(select) => {
            let Some(top) = select.top.take() else {
                return Ok(());
            };
            let limit_clause = Some(limit(top, select)?);
            let body = std::mem::replace(arm, Box::new(SetExpr::Values(no_values())));
            **arm = SetExpr::Query(Box::new(Query {
                with: None,
                body,
                order_by: None,
                limit_clause,
                fetch: None,
                locks: Vec::new(),
                for_clause: None,
                settings: None,
                format_clause: None,
                pipe_operators: Vec::new(),
            }));
            Ok(())
        }
        _ => Ok(()),
    }
}

fn no_values() -> sqlparser::ast::Values {
    sqlparser::ast::Values {
        explicit_row: false,
        value_keyword: false,
        rows: Vec::new(),
    }
}

fn limit(top: Top, select: &Select) -> Result<LimitClause, Refusal> {
    let at = select.select_token.0.span;
    let refuse = |message| Refusal {
        message,
        hint: "give a number of rows: `TOP 10`",
        at,
    };
    if top.percent {
        return Err(refuse("TOP ... PERCENT is not supported"));
    }
    if top.with_ties {
        return Err(refuse("TOP ... WITH TIES is not supported"));
    }
    let limit = match top.quantity {
        Some(TopQuantity::Constant(rows)) => {
            Expr::Value(Value::Number(rows.to_string(), false).with_span(at))
        }
        Some(TopQuantity::Expr(rows)) => rows,
        None => return Err(refuse("TOP without a number")),
    };
    Ok(LimitClause::LimitOffset {
        limit: Some(limit),
        offset: None,
        limit_by: Vec::new(),
    })
}
