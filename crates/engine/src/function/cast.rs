//! Casts that have a name of their own. The planner names a cast by what it casts, so that `MAX(a)` and
//! `MAX(CAST(a AS VARCHAR))` would be two columns of one name.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::DataFusionError;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments,
    GroupByExpr, Ident, ObjectName, Query, SetExpr, Visit, VisitMut, Visitor, VisitorMut,
};

/// No query can have typed it without quotes.
const NAME: &str = "#cast";

/// Gives each cast of a query a name of its own; whether there are any.
pub(crate) fn name_casts(query: &mut Query) -> bool {
    let mut naming = Naming { found: false };
    let _ = VisitMut::visit(query, &mut naming);
    naming.found
}

/// Whether a query groups by a value and by a cast of it. The planner takes that, and the optimizer does not.
pub(crate) fn groups_by_cast(query: &Query) -> bool {
    Visit::visit(query, &mut Grouping).is_break()
}

struct Grouping;

impl Visitor for Grouping {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let SetExpr::Select(select) = query.body.as_ref() else {
            return ControlFlow::Continue(());
        };
        let GroupByExpr::Expressions(keys, _) = &select.group_by else {
            return ControlFlow::Continue(());
        };
        let mut seen = HashSet::new();
        match keys.iter().all(|key| seen.insert(without_casts(key))) {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        }
    }
}

fn without_casts(mut expr: &Expr) -> &Expr {
    while let Expr::Cast { expr: inner, .. } = expr {
        expr = inner;
    }
    expr
}

struct Naming {
    found: bool,
}

impl VisitorMut for Naming {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if matches!(expr, Expr::Cast { .. }) {
            self.found = true;
            let cast = FunctionArg::Unnamed(FunctionArgExpr::Expr(expr.clone()));
            *expr = Expr::Function(Function {
                name: ObjectName::from(vec![Ident::with_quote('"', NAME)]),
                uses_odbc_syntax: false,
                parameters: FunctionArguments::None,
                args: FunctionArguments::List(FunctionArgumentList {
                    duplicate_treatment: None,
                    args: vec![cast],
                    clauses: Vec::new(),
                }),
                filter: None,
                null_treatment: None,
                over: None,
                within_group: Vec::new(),
            });
        }
        ControlFlow::Continue(())
    }
}

/// Gives its argument.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct NamedCast {
    signature: Signature,
}

impl NamedCast {
    pub(super) fn new() -> Self {
        Self {
            signature: Signature::any(1, Volatility::Immutable),
        }
    }
}

impl ScalarUDFImpl for NamedCast {
    fn name(&self) -> &'static str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType, DataFusionError> {
        Ok(types[0].clone())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef, DataFusionError> {
        Ok(Arc::clone(&args.arg_fields[0]))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue, DataFusionError> {
        Ok(args.args[0].clone())
    }
}
