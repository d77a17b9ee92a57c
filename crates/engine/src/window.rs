//! Windows that extend one of the WINDOW clause: `OVER (w ORDER BY n)`. The planner knows `OVER w` alone.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Function as Call, Ident, NamedWindowDefinition, NamedWindowExpr, Query, SetExpr,
    VisitMut, VisitorMut, WindowSpec, WindowType,
};

use crate::dialect::Refusal;
use crate::{Error, code};

/// Writes what a window takes from a named one into it. Sub-queries have none that are open any more.
pub(crate) fn extend_windows(query: &mut Query) -> ControlFlow<Refusal> {
    let SetExpr::Select(select) = query.body.as_mut() else {
        return ControlFlow::Continue(());
    };
    let mut named = Named::default();
    for NamedWindowDefinition(name, window) in &mut select.named_window {
        let spec = match window {
            NamedWindowExpr::NamedWindow(other) => named.find(other)?.clone(),
            NamedWindowExpr::WindowSpec(spec) => {
                named.extend(spec)?;
                spec.clone()
            }
        };
        *window = NamedWindowExpr::WindowSpec(spec.clone());
        named.0.push((name.clone(), spec));
    }
    VisitMut::visit(select, &mut named)?;
    match &mut query.order_by {
        Some(order) => VisitMut::visit(order, &mut named),
        None => ControlFlow::Continue(()),
    }
}

/// The windows of a WINDOW clause, of which a later one may extend an earlier one.
#[derive(Default)]
struct Named(Vec<(Ident, WindowSpec)>);

impl Named {
    fn find(&self, name: &Ident) -> ControlFlow<Refusal, &WindowSpec> {
        let is_meant = |known: &Ident| known.value.eq_ignore_ascii_case(&name.value);
        match self.0.iter().find(|(known, _)| is_meant(known)) {
            Some((_, spec)) => ControlFlow::Continue(spec),
            None => refused(name, format!("there is no window {}", name.value)),
        }
    }

    fn extend(&self, spec: &mut WindowSpec) -> ControlFlow<Refusal> {
        let Some(name) = spec.window_name.take() else {
            return ControlFlow::Continue(());
        };
        let base = self.find(&name)?;
        let message = if !spec.partition_by.is_empty() {
            "a window that extends another has no PARTITION BY of its own"
        } else if !spec.order_by.is_empty() && !base.order_by.is_empty() {
            "a window that extends another with ORDER BY has none of its own"
        } else if base.window_frame.is_some() {
            "a window with a frame cannot be extended"
        } else {
            spec.partition_by.clone_from(&base.partition_by);
            if spec.order_by.is_empty() {
                spec.order_by.clone_from(&base.order_by);
            }
            return ControlFlow::Continue(());
        };
        refused(&name, message.to_owned())
    }
}

fn refused<T>(name: &Ident, message: String) -> ControlFlow<Refusal, T> {
    let error = Error::new(code::INVALID, message)
        .with_hint("write the whole window behind OVER, in parentheses");
    ControlFlow::Break((error, name.span))
}

impl VisitorMut for Named {
    type Break = Refusal;

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Refusal> {
        match expr {
            Expr::Function(Call {
                over: Some(WindowType::WindowSpec(spec)),
                ..
            }) => self.extend(spec),
            _ => ControlFlow::Continue(()),
        }
    }
}
