//! What the syntax tree of a query goes through before it is planned: calls of functions are checked, those that
//! give 1 or 0 become conditions where one is wanted, and APPLY becomes a relation that is planned by itself.

use std::fmt::Debug;
use std::ops::ControlFlow;

use bucketline_sql::{Query, Span};
use datafusion::sql::sqlparser::ast::{
    self, BinaryOperator, CastKind, DataType as SqlType, DuplicateTreatment, ExactNumberInfo, Expr,
    Function as Call, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, Join, JoinConstraint,
    JoinOperator, ObjectName, OrderByKind, Select, SelectItem, SetExpr, Spanned, Statement,
    TableFactor, TableWithJoins, UnaryOperator, Value, Visit, VisitMut, Visitor, VisitorMut,
};
use datafusion::sql::sqlparser::tokenizer::Span as Stretch;

use crate::bounds::{joins, within_bounds};
use crate::function::{self, Function};
use crate::synonym::{limit_by_fetch, plain};
use crate::types;
use crate::window::extend_windows;
use crate::{Error, Result, code};

/// The statement of a query as the planner takes it; `query` knows the places of its tree.
pub(crate) fn prepared(mut tree: ast::Query, query: &Query) -> Result<Statement> {
    match VisitMut::visit(&mut tree, &mut Preparation::default()) {
        ControlFlow::Continue(()) => Ok(Statement::Query(Box::new(tree))),
        ControlFlow::Break((error, at)) => Err(error.at(query.locate(at))),
    }
}

/// Where a query first calls a function.
pub(crate) fn place_of_call(query: &Query, function: &'static Function) -> Option<Span> {
    let mut search = Search { function };
    match query.ast().visit(&mut search) {
        ControlFlow::Break(at) => Some(query.locate(at)),
        ControlFlow::Continue(()) => None,
    }
}

/// Where a query first has an expression, or something in FROM, of a kind that is named as the syntax tree names it.
pub(crate) fn place_of_node(query: &Query, kind: &str) -> Option<Span> {
    struct Finder<'a>(&'a str);
    impl Finder<'_> {
        fn compare(&self, node: &(impl Debug + Spanned)) -> ControlFlow<Stretch> {
            let shown = format!("{node:?}");
            let ends = |rest: &str| !rest.starts_with(char::is_alphanumeric);
            match shown.strip_prefix(self.0).is_some_and(ends) {
                true => ControlFlow::Break(node.span()),
                false => ControlFlow::Continue(()),
            }
        }
    }
    impl Visitor for Finder<'_> {
        type Break = Stretch;

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Stretch> {
            self.compare(expr)
        }

        fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<Stretch> {
            self.compare(factor)
        }
    }
    match query.ast().visit(&mut Finder(kind)) {
        ControlFlow::Break(at) => Some(query.locate(at)),
        ControlFlow::Continue(()) => None,
    }
}

/// Whether a query has a function of the dialect in FROM.
pub(crate) fn has_table_function(query: &Query) -> bool {
    struct Finder;
    impl Visitor for Finder {
        type Break = ();

        fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
            match factor {
                TableFactor::Table {
                    name,
                    args: Some(_),
                    ..
                } if declared(name).is_some() => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        }
    }
    query.ast().visit(&mut Finder).is_break()
}

struct Search {
    function: &'static Function,
}

impl Search {
    fn compare(&self, name: &ObjectName) -> ControlFlow<Stretch> {
        match declared(name) {
            Some(function) if function == self.function => ControlFlow::Break(name.span()),
            _ => ControlFlow::Continue(()),
        }
    }
}

impl Visitor for Search {
    type Break = Stretch;

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Stretch> {
        let name = match expr {
            Expr::Function(call) => return self.compare(&call.name),
            Expr::Substring { .. } => "substring",
            Expr::Ceil { .. } => "ceiling",
            Expr::Floor { .. } => "floor",
            _ => return ControlFlow::Continue(()),
        };
        match self.function.is_named(name) {
            true => ControlFlow::Break(expr.span()),
            false => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<Stretch> {
        match factor {
            TableFactor::Table {
                name,
                args: Some(_),
                ..
            } => self.compare(name),
            _ => ControlFlow::Continue(()),
        }
    }
}

/// The function of the dialect that a name of one part means.
fn declared(name: &ObjectName) -> Option<&'static Function> {
    match name.0.as_slice() {
        [part] => function::find(&part.as_ident()?.value),
        _ => None,
    }
}

/// What is done to a syntax tree.
#[derive(Default)]
struct Preparation {
    /// How many tables were joined so far.
    joins: usize,
}

/// Why a query is refused, and at which stretch of the tree.
pub(crate) type Refusal = (Error, Stretch);

impl VisitorMut for Preparation {
    type Break = Refusal;

    fn pre_visit_query(&mut self, query: &mut ast::Query) -> ControlFlow<Refusal> {
        order_by_place(query);
        limit_by_fetch(query)
    }

    fn post_visit_query(&mut self, query: &mut ast::Query) -> ControlFlow<Refusal> {
        extend_windows(query)
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Refusal> {
        self.joins += joins(select);
        within_bounds(select, self.joins)?;
        let conditions = [
            &mut select.selection,
            &mut select.having,
            &mut select.qualify,
        ];
        conditions.into_iter().flatten().for_each(as_condition);
        for table in &mut select.from {
            nest_applies(table)?;
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Refusal> {
        match factor {
            TableFactor::NestedJoin {
                table_with_joins, ..
            } if !is_applied(table_with_joins) => nest_applies(table_with_joins),
            _ => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Refusal> {
        plain(expr)?;
        match expr {
            Expr::Function(call) => {
                if let Some(condition) = &mut call.filter {
                    as_condition(condition);
                }
                count_rows(call);
                checked(call)?;
                cast_arguments(call);
                rename(call);
            }
            Expr::UnaryOp {
                op: UnaryOperator::Minus,
                expr: operand,
            } => {
                // The planner reads no sign before a negative number.
                if let Expr::UnaryOp {
                    op: UnaryOperator::Minus,
                    expr: inner,
                } = operand.as_ref()
                    && matches!(inner.as_ref(), Expr::Value(_))
                {
                    *expr = Expr::Nested(inner.clone());
                    return ControlFlow::Continue(());
                }
                // A parameter may be negative.
                if let Expr::Value(value) = operand.as_ref()
                    && let Value::Number(digits, _) = &value.value
                    && let Some(positive) = digits.strip_prefix('-')
                {
                    let positive = Value::Number(positive.to_owned(), false);
                    *expr = Expr::Value(positive.with_span(value.span));
                    return ControlFlow::Continue(());
                }
                // The least whole number has no positive counterpart.
                if let Expr::Value(value) = operand.as_ref()
                    && let Value::Number(digits, _) = &value.value
                    && format!("-{digits}").parse() == Ok(i64::MIN)
                {
                    let least = Value::Number(i64::MIN.to_string(), false);
                    *expr = Expr::Value(least.with_span(value.span));
                }
            }
            Expr::Value(value) if let Value::Number(digits, _) = &value.value => {
                match decimal_of(digits) {
                    Ok(Some(decimal)) => *expr = decimal,
                    Ok(None) => {}
                    Err(error) => return ControlFlow::Break((error, value.span)),
                }
            }
            Expr::Value(value) => {
                // A text is Unicode with and without N before it; the planner knows the one without.
                if let Value::NationalStringLiteral(text) = &mut value.value {
                    value.value = Value::SingleQuotedString(std::mem::take(text));
                }
            }
            Expr::Cast { data_type, .. } => {
                if let Some(length) = types::cast_length(data_type) {
                    shorten(expr, length);
                }
            }
            Expr::Trim { expr, .. } => cast(expr, SqlType::Varchar(None)),
            Expr::Position { expr, r#in } => {
                [expr, r#in]
                    .into_iter()
                    .for_each(|text| cast(text, SqlType::Varchar(None)));
            }
            Expr::Substring {
                expr,
                substring_from,
                substring_for,
                ..
            } => {
                cast(expr, SqlType::Varchar(None));
                let numbers = [substring_from, substring_for].into_iter().flatten();
                numbers.for_each(|number| cast(number, SqlType::BigInt(None)));
            }
            Expr::BinaryOp {
                left,
                op: BinaryOperator::And | BinaryOperator::Or,
                right,
            } => [left, right]
                .into_iter()
                .for_each(|side| as_condition(side)),
            Expr::UnaryOp {
                op: UnaryOperator::Not,
                expr,
            } => as_condition(expr),
            Expr::Case {
                operand: None,
                conditions,
                ..
            } => conditions
                .iter_mut()
                .for_each(|when| as_condition(&mut when.condition)),
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Refusal> {
        // The places of rows are unsigned to the planner, which negates none of those and divides them as decimals.
        if let Expr::Function(call) = expr
            && call.over.is_some()
            && ["row_number", "rank", "dense_rank", "ntile"]
                .iter()
                .any(|name| call.name.to_string().eq_ignore_ascii_case(name))
        {
            cast(expr, SqlType::BigInt(None));
        }
        ControlFlow::Continue(())
    }
}

/// A number with more digits than a float keeps, as a decimal that has them all.
fn decimal_of(digits: &str) -> Result<Option<Expr>> {
    // So many a float always keeps, and a decimal can have.
    const KEPT: usize = 15;
    const MOST: usize = 38;
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all = format!("{whole}{fraction}");
    let significant = all.trim_start_matches('0').len();
    if digits.parse::<i64>().is_ok()
        || !all.bytes().all(|byte| byte.is_ascii_digit())
        || (digits.contains('.') && significant <= KEPT)
    {
        return Ok(None);
    }
    let precision = significant.max(fraction.len());
    if precision > MOST {
        // Digits behind the point may be left off, those before it not.
        return match whole.trim_start_matches('0').len() {
            0..=KEPT => Ok(None),
            _ => Err(Error::new(
                code::INVALID,
                format!("a number of {significant} digits is too long: {MOST} are the most"),
            )),
        };
    }
    let mut decimal = Expr::Value(Value::SingleQuotedString(digits.to_owned()).into());
    let kind = ExactNumberInfo::PrecisionAndScale(precision as u64, fraction.len() as i64);
    cast(&mut decimal, SqlType::Decimal(kind));
    Ok(Some(decimal))
}

/// Where rows are DISTINCT, ORDER BY an expression that is an output is by that output's place: the planner would look
/// for the columns of the expression among the outputs.
fn order_by_place(query: &mut ast::Query) {
    let (SetExpr::Select(select), Some(order)) = (query.body.as_ref(), &mut query.order_by) else {
        return;
    };
    let (Some(_), OrderByKind::Expressions(keys)) = (&select.distinct, &mut order.kind) else {
        return;
    };
    for key in keys {
        let place = select.projection.iter().position(|item| match item {
            SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => {
                *expr == key.expr
            }
            // What a wildcard stands for is not known yet.
            _ => true,
        });
        if let Some(place) = place
            && !matches!(
                key.expr,
                Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::Value(_)
            )
            && let SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. } =
                select.projection[place]
        {
            key.expr = Expr::Value(Value::Number((place + 1).to_string(), false).into());
        }
    }
}

/// Functions of CData's drivers that are left out, and why.
const LEFT_OUT: &[(&str, &str)] = &[
    (
        "FILESIZE",
        "it would read files of the machine that runs the query",
    ),
    (
        "FILEMODIFIEDTIME",
        "it would read files of the machine that runs the query",
    ),
    (
        "SCOPE_IDENTITY",
        "nothing is inserted: Bitbucket is only read",
    ),
];

/// Refuses a call with too few or too many arguments, and functions that are left out.
fn checked(call: &Call) -> ControlFlow<Refusal> {
    let Some(function) = declared(&call.name) else {
        let name = call.name.to_string();
        let left_out = LEFT_OUT
            .iter()
            .find(|(other, _)| name.eq_ignore_ascii_case(other));
        return match left_out {
            Some((name, why)) => {
                let error = Error::new(code::UNSUPPORTED, format!("{name} is left out"));
                ControlFlow::Break((error.with_hint(*why), call.name.span()))
            }
            None => ControlFlow::Continue(()),
        };
    };
    if let FunctionArguments::List(list) = &call.args
        && list.duplicate_treatment == Some(DuplicateTreatment::Distinct)
        && let [FunctionArg::Unnamed(FunctionArgExpr::Wildcard)] = list.args.as_slice()
    {
        let message = format!(
            "{} counts DISTINCT values, not rows",
            function.name.to_uppercase()
        );
        let error = Error::new(code::ARGUMENT, message)
            .with_hint("SELECT COUNT(*) FROM (SELECT DISTINCT ... ) t counts different rows");
        return ControlFlow::Break((error, call.name.span()));
    }
    let given = match &call.args {
        FunctionArguments::None => 0,
        FunctionArguments::List(list) => list.args.len(),
        FunctionArguments::Subquery(_) => 1,
    };
    if function.is_table() {
        let message = format!("{} stands in FROM", function.name.to_uppercase());
        let error = Error::new(code::ARGUMENT, message)
            .with_hint(format!("FROM table CROSS APPLY {function}"));
        return ControlFlow::Break((error, call.name.span()));
    }
    if function.is_syntax() || function.takes(given) {
        return ControlFlow::Continue(());
    }
    let plural = if given == 1 { "argument" } else { "arguments" };
    let message = format!(
        "{} cannot take {given} {plural}",
        function.name.to_uppercase()
    );
    let error = Error::new(code::ARGUMENT, message).with_hint(format!("it is written {function}"));
    ControlFlow::Break((error, call.name.span()))
}

/// `COUNT()`, as CData writes it with OVER, counts rows.
fn count_rows(call: &mut Call) {
    let name = call.name.to_string();
    let counts = ["COUNT", "COUNT_BIG"]
        .iter()
        .any(|it| name.eq_ignore_ascii_case(it));
    if let FunctionArguments::List(list) = &mut call.args
        && counts
        && list.args.is_empty()
    {
        list.args
            .push(FunctionArg::Unnamed(FunctionArgExpr::Wildcard));
    }
}

/// Calls a function by the planner's name for it: by another one the planner makes an alias of it, which it then
/// takes for another expression.
fn rename(call: &mut Call) {
    if let Some(function) = declared(&call.name) {
        let at = call.name.span();
        call.name = Ident::with_span(at, function.planned_name()).into();
    }
}

/// Numbers are texts, and texts numbers, where a function of DataFusion's is less generous than ours.
fn cast_arguments(call: &mut Call) {
    let (Some(function), FunctionArguments::List(list)) = (declared(&call.name), &mut call.args)
    else {
        return;
    };
    for (index, argument) in list.args.iter_mut().enumerate() {
        if let (Some(wanted), FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))) =
            (function.cast(index), argument)
        {
            cast(argument, wanted);
        }
    }
}

fn cast(expr: &mut Expr, wanted: SqlType) {
    let operand = std::mem::replace(expr, Expr::Value(Value::Null.into()));
    *expr = Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(operand),
        data_type: wanted,
        array: false,
        format: None,
    };
}

/// A text cut to its first characters: the planner does not look at the length of a type.
fn shorten(expr: &mut Expr, length: u64) {
    let mut text = std::mem::replace(expr, Expr::Value(Value::Null.into()));
    if let Expr::Cast { data_type, .. } = &mut text {
        *data_type = SqlType::Varchar(None);
    }
    *expr = Expr::Substring {
        expr: Box::new(text),
        substring_from: Some(Box::new(Expr::Value(
            Value::Number("1".into(), false).into(),
        ))),
        substring_for: Some(Box::new(Expr::Value(
            Value::Number(length.to_string(), false).into(),
        ))),
        special: false,
        shorthand: false,
    };
}

/// `CONTAINS(a, b)` as the condition `CONTAINS(a, b) = 1`.
fn as_condition(expr: &mut Expr) {
    match expr {
        Expr::Nested(inner) => as_condition(inner),
        Expr::Value(value) => {
            if let Value::Number(number, _) = &value.value {
                let truth = number.parse::<f64>().is_ok_and(|number| number != 0.0);
                value.value = Value::Boolean(truth);
            }
        }
        Expr::Function(call) if declared(&call.name).is_some_and(Function::is_predicate) => {
            let call = std::mem::replace(expr, Expr::Value(Value::Null.into()));
            *expr = Expr::BinaryOp {
                left: Box::new(call),
                op: BinaryOperator::Eq,
                right: Box::new(Expr::Value(Value::Number("1".into(), false).into())),
            };
        }
        _ => {}
    }
}

/// Puts each APPLY of a function and what stands before it into parentheses of their own; a subquery that is applied
/// is a lateral join.
fn nest_applies(table: &mut TableWithJoins) -> ControlFlow<Refusal> {
    for join in std::mem::take(&mut table.joins) {
        let Join {
            mut relation,
            global,
            join_operator,
        } = join;
        let outer = match &join_operator {
            JoinOperator::CrossApply => false,
            JoinOperator::OuterApply => true,
            _ => {
                let mut join_operator = join_operator;
                if let Some(JoinConstraint::On(condition)) = constraint(&mut join_operator) {
                    as_condition(condition);
                }
                table.joins.push(Join {
                    relation,
                    global,
                    join_operator,
                });
                continue;
            }
        };
        match &mut relation {
            TableFactor::Table { args: Some(_), .. } => {
                let before = TableWithJoins {
                    relation: table.relation.clone(),
                    joins: std::mem::take(&mut table.joins),
                };
                let left = match before.joins.as_slice() {
                    [] => before.relation,
                    _ => nested(before),
                };
                table.relation = nested(TableWithJoins {
                    relation: left,
                    joins: vec![Join {
                        relation,
                        global,
                        join_operator,
                    }],
                });
            }
            TableFactor::Derived { lateral, .. } => {
                *lateral = true;
                let on_all = || JoinConstraint::On(Expr::Value(Value::Boolean(true).into()));
                let join_operator = match outer {
                    true => JoinOperator::LeftOuter(on_all()),
                    false => JoinOperator::CrossJoin(JoinConstraint::None),
                };
                table.joins.push(Join {
                    relation,
                    global,
                    join_operator,
                });
            }
            other => {
                let error = Error::new(code::UNSUPPORTED, "a table cannot be applied to each row")
                    .with_hint("APPLY takes STRING_SPLIT, JSONTABLE, XMLTABLE or a subquery; JOIN takes tables");
                return ControlFlow::Break((error, other.span()));
            }
        }
    }
    ControlFlow::Continue(())
}

/// Whether it is one function that is applied, as the planner takes it.
fn is_applied(tables: &TableWithJoins) -> bool {
    let [join] = tables.joins.as_slice() else {
        return false;
    };
    let applied = matches!(
        join.join_operator,
        JoinOperator::CrossApply | JoinOperator::OuterApply
    );
    applied && matches!(join.relation, TableFactor::Table { args: Some(_), .. })
}

fn nested(tables: TableWithJoins) -> TableFactor {
    TableFactor::NestedJoin {
        table_with_joins: Box::new(tables),
        alias: None,
    }
}

fn constraint(operator: &mut JoinOperator) -> Option<&mut JoinConstraint> {
    match operator {
        JoinOperator::Join(constraint)
        | JoinOperator::Inner(constraint)
        | JoinOperator::Left(constraint)
        | JoinOperator::LeftOuter(constraint)
        | JoinOperator::Right(constraint)
        | JoinOperator::RightOuter(constraint)
        | JoinOperator::FullOuter(constraint) => Some(constraint),
        _ => None,
    }
}
