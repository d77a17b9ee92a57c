//! Columns that `*` leaves out: the number that SQLite gives each row of a table without a key. They can be named.
//!
//! With them `SELECT DISTINCT *` would leave no double out, and the arms of a UNION would differ in their columns.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    self, ExcludeSelectItem, GroupByExpr, Ident, JoinConstraint, JoinOperator, ObjectName, Select,
    SelectItem, SelectItemQualifiedWildcardKind, SetExpr, SetOperator, SetQuantifier, TableFactor,
    VisitMut, VisitorMut, WildcardAdditionalOptions,
};

/// A table of the query, as it is named there, and its hidden columns.
pub(crate) type Hidden = (Vec<String>, Vec<String>);

/// Leaves hidden columns out of every `*` over their tables.
pub(crate) fn hide(query: &mut ast::Query, tables: &[Hidden]) {
    if tables.iter().any(|(_, columns)| !columns.is_empty()) {
        let _ = VisitMut::visit(query, &mut Hiding { tables });
    }
}

/// Whether each row of a query is one of a table's, so that a copy of it needs what tells the rows apart.
pub(crate) fn is_row_by_row(query: &ast::Query) -> bool {
    fn holds(body: &SetExpr) -> bool {
        match body {
            SetExpr::Select(select) => {
                let is_grouped = match &select.group_by {
                    GroupByExpr::Expressions(keys, _) => !keys.is_empty(),
                    GroupByExpr::All(_) => true,
                };
                let is_one = matches!(select.from.as_slice(), [table] if table.joins.is_empty());
                select.distinct.is_none() && select.having.is_none() && !is_grouped && is_one
            }
            SetExpr::Query(query) => is_row_by_row(query),
            SetExpr::SetOperation {
                op: SetOperator::Union,
                set_quantifier: SetQuantifier::All,
                left,
                right,
            } => holds(left) && holds(right),
            _ => false,
        }
    }
    holds(&query.body)
}

struct Hiding<'a> {
    tables: &'a [Hidden],
}

/// A table in FROM: what `x.*` calls it, if anything, and its hidden columns.
struct Relation<'a> {
    name: Option<ObjectName>,
    hidden: &'a [String],
}

impl<'a> Hiding<'a> {
    fn relation(&self, factor: &TableFactor) -> Relation<'a> {
        let (name, alias) = match factor {
            TableFactor::Table {
                name,
                alias,
                args: None,
                ..
            } => (Some(name), alias),
            TableFactor::Derived { alias, .. } => (None, alias),
            _ => (None, &None),
        };
        let parts = name.map(|name| {
            let parts = name.0.iter().filter_map(|part| part.as_ident());
            parts.map(|ident| ident.value.clone()).collect::<Vec<_>>()
        });
        let mut tables = self.tables.iter();
        let found = tables.find(|(table, _)| Some(table) == parts.as_ref());
        Relation {
            name: match alias {
                Some(alias) => Some(ObjectName::from(vec![alias.name.clone()])),
                None => name.cloned(),
            },
            hidden: found.map_or(&[][..], |(_, columns)| columns.as_slice()),
        }
    }
}

impl VisitorMut for Hiding<'_> {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        let joins = || select.from.iter().flat_map(|table| &table.joins);
        let is_merged = joins().any(|join| merges(&join.join_operator));
        let mut relations = Vec::new();
        for table in &select.from {
            relations.push(self.relation(&table.relation));
            relations.extend(table.joins.iter().map(|join| self.relation(&join.relation)));
        }
        if relations.iter().all(|relation| relation.hidden.is_empty()) {
            return ControlFlow::Continue(());
        }
        let mut projection = Vec::with_capacity(select.projection.len());
        for item in std::mem::take(&mut select.projection) {
            match item {
                SelectItem::Wildcard(options) => match relations.as_slice() {
                    [one] => projection.push(SelectItem::Wildcard(without(options, one.hidden))),
                    several if !is_merged && several.iter().all(|it| it.name.is_some()) => {
                        projection.extend(several.iter().filter_map(|relation| {
                            let name = relation.name.clone()?;
                            let kind = SelectItemQualifiedWildcardKind::ObjectName(name);
                            let options = without(options.clone(), relation.hidden);
                            Some(SelectItem::QualifiedWildcard(kind, options))
                        }));
                    }
                    _ => projection.push(SelectItem::Wildcard(options)),
                },
                SelectItem::QualifiedWildcard(
                    SelectItemQualifiedWildcardKind::ObjectName(name),
                    options,
                ) => {
                    let mut relations = relations.iter();
                    let found = relations.find(|it| it.name.as_ref() == Some(&name));
                    let hidden = found.map_or(&[][..], |relation| relation.hidden);
                    projection.push(SelectItem::QualifiedWildcard(
                        SelectItemQualifiedWildcardKind::ObjectName(name),
                        without(options, hidden),
                    ));
                }
                other => projection.push(other),
            }
        }
        select.projection = projection;
        ControlFlow::Continue(())
    }
}

fn without(mut options: WildcardAdditionalOptions, hidden: &[String]) -> WildcardAdditionalOptions {
    let name = |name: &String| ObjectName::from(vec![Ident::with_quote('"', name)]);
    let names = hidden.iter().map(name);
    if hidden.is_empty() {
    } else if let Some(except) = &mut options.opt_except {
        let names = hidden.iter().map(|name| Ident::with_quote('"', name));
        except.additional_elements.extend(names);
    } else {
        options.opt_exclude = Some(ExcludeSelectItem::Multiple(match options.opt_exclude {
            Some(ExcludeSelectItem::Single(one)) => names.chain([one]).collect(),
            Some(ExcludeSelectItem::Multiple(several)) => names.chain(several).collect(),
            None => names.collect(),
        }));
    }
    options
}

/// Columns of both sides become one.
fn merges(operator: &JoinOperator) -> bool {
    match operator {
        JoinOperator::Join(constraint)
        | JoinOperator::Inner(constraint)
        | JoinOperator::Left(constraint)
        | JoinOperator::LeftOuter(constraint)
        | JoinOperator::Right(constraint)
        | JoinOperator::RightOuter(constraint)
        | JoinOperator::FullOuter(constraint) => {
            matches!(
                constraint,
                JoinConstraint::Using(_) | JoinConstraint::Natural
            )
        }
        _ => false,
    }
}
