//! A view's query in the destination's own SQL: its names as the destination spells them, the rest as it was written.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use bucketline_destination::{Destination, TableName};
use bucketline_engine::Session;
use bucketline_source::ReadContext;
use bucketline_sql as sql;
use sql::sqlparser::ast::{
    Expr, Ident, JoinConstraint, ObjectName, ObjectNamePart, Query, Select, SelectItem,
    SelectItemQualifiedWildcardKind, TableAlias, TableFactor, Value, VisitMut, VisitorMut,
};

use crate::catalog::DestinationTable;
use crate::{Error, Result, code};

/// The query as text for the destination.
pub(super) async fn render(
    session: &Session,
    destination: &Arc<dyn Destination>,
    query: &sql::Query,
    context: &ReadContext,
) -> Result<String> {
    // A column that is not there is a text to SQLite.
    session.explain(query, context).await?;
    let mut tables = HashMap::new();
    for name in query.table_names() {
        let provider = session.table(&name, context).await?;
        let found = provider
            .downcast_ref::<DestinationTable>()
            .filter(|found| found.destination.label() == destination.label());
        let Some(found) = found else {
            let message = format!("a view shows tables of the destination, and {name} is none");
            return Err(Error::new(code::UNSUPPORTED, message)
                .with_hint("REPLICATE it first, and name the copy: destination.table")
                .at(name.span()));
        };
        tables.insert(key(&name.texts()), found.name.clone());
    }
    let mut ast = query.ast().clone();
    let mut rendering = Rendering {
        destination: destination.as_ref(),
        tables,
        own: HashSet::new(),
    };
    let _ = VisitMut::visit(&mut ast, &mut rendering);
    Ok(ast.to_string())
}

fn key(parts: &[&str]) -> String {
    parts.join("\u{0}").to_lowercase()
}

struct Rendering<'a> {
    destination: &'a dyn Destination,
    /// What each name means in the destination.
    tables: HashMap<String, TableName>,
    /// The names of the query's own tables.
    own: HashSet<String>,
}

impl Rendering<'_> {
    fn column(&self, ident: &mut Ident) {
        ident.value = self.destination.column_name(&ident.value);
        ident.quote_style = Some('"');
    }

    fn alias(&self, alias: &mut TableAlias) {
        self.column(&mut alias.name);
        alias
            .columns
            .iter_mut()
            .for_each(|column| self.column(&mut column.name));
    }

    fn object(&self, name: &mut ObjectName) {
        // A table is called by its last name, which is the one that its alias has.
        let last = name.0.pop();
        name.0 = last.into_iter().collect();
        for part in &mut name.0 {
            if let ObjectNamePart::Identifier(ident) = part {
                self.column(ident);
            }
        }
    }

    fn table(&self, factor: &mut TableFactor) {
        match factor {
            TableFactor::Table { name, alias, .. } => {
                let parts: Vec<&str> = name
                    .0
                    .iter()
                    .filter_map(|part| Some(part.as_ident()?.value.as_str()))
                    .collect();
                let called = parts.last().map(|part| (*part).to_owned());
                let is_own =
                    matches!(parts.as_slice(), [one] if self.own.contains(&one.to_lowercase()));
                match self.tables.get(&key(&parts)).filter(|_| !is_own) {
                    Some(found) => {
                        let schema = found.schema.iter();
                        let parts = schema.chain(std::iter::once(&found.name));
                        let ident = |text: &String| Ident::with_quote('"', text);
                        *name = ObjectName::from(parts.map(ident).collect::<Vec<_>>());
                        if alias.is_none()
                            && let Some(called) = called
                        {
                            *alias = Some(TableAlias {
                                explicit: true,
                                name: Ident::new(called),
                                columns: Vec::new(),
                                at: None,
                            });
                        }
                    }
                    None => self.object(name),
                }
                if let Some(alias) = alias {
                    self.alias(alias);
                }
            }
            TableFactor::Derived {
                alias: Some(alias), ..
            }
            | TableFactor::NestedJoin {
                alias: Some(alias), ..
            } => self.alias(alias),
            _ => {}
        }
    }
}

impl VisitorMut for Rendering<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        if let Some(with) = &mut query.with {
            for cte in &mut with.cte_tables {
                self.own.insert(cte.alias.name.value.to_lowercase());
                self.alias(&mut cte.alias);
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        for item in &mut select.projection {
            match item {
                SelectItem::ExprWithAlias { alias, .. } => self.column(alias),
                SelectItem::QualifiedWildcard(
                    SelectItemQualifiedWildcardKind::ObjectName(name),
                    _,
                ) => self.object(name),
                _ => {}
            }
        }
        for table in &mut select.from {
            for join in &mut table.joins {
                if let Some(JoinConstraint::Using(names)) = constraint(&mut join.join_operator) {
                    names.iter_mut().for_each(|name| self.object(name));
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        self.table(factor);
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::Identifier(ident) => self.column(ident),
            Expr::CompoundIdentifier(parts) => {
                let from = parts.len().saturating_sub(2);
                parts.drain(..from);
                parts.iter_mut().for_each(|part| self.column(part));
            }
            Expr::Value(value) => {
                if let Value::NationalStringLiteral(text) = &mut value.value {
                    value.value = Value::SingleQuotedString(std::mem::take(text));
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

fn constraint(operator: &mut sql::sqlparser::ast::JoinOperator) -> Option<&mut JoinConstraint> {
    use sql::sqlparser::ast::JoinOperator as Op;
    match operator {
        Op::Join(constraint)
        | Op::Inner(constraint)
        | Op::Left(constraint)
        | Op::LeftOuter(constraint)
        | Op::Right(constraint)
        | Op::RightOuter(constraint)
        | Op::FullOuter(constraint) => Some(constraint),
        _ => None,
    }
}
