//! The outputs of a query: names that are each the only one of their SELECT, for the planner, and headings as they
//! were written, for people.
//!
//! An output that shares its name with another gets a mark behind it ([`MARK`]), which no one can write, so a query
//! around it that names it finds nothing rather than one of several.

mod from_clause;
mod heading;
mod merged;
mod scope;

use std::collections::{HashMap, HashSet};

use bucketline_sql::Query;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::sql::sqlparser::ast::{
    self, Expr, Ident, Join, JoinOperator, OrderByKind, Select, SelectItem, SetExpr, Spanned,
    TableAlias, TableFactor, TableWithJoins, Value,
};

use self::from_clause::{Column, Columns, FromClause, Relation, Visible, item, parts};
use self::heading::MARK;
pub(crate) use self::heading::{Headings, unmarked};
use self::scope::{Ctes, Scope};
use crate::{Error, Result, code};

/// A table of the query by the parts of its name, and its columns.
pub(crate) type NamedTable = (Vec<String>, SchemaRef);

/// Gives every output of every SELECT in `query` a name of its own, and tells the headings of its result. `written`
/// is what the user wrote; `tables` are those that it names.
pub(crate) fn name_outputs(
    query: &mut ast::Query,
    written: &Query,
    tables: &[NamedTable],
) -> Result<Headings> {
    let namer = Namer { written, tables };
    let ctes = Ctes::new();
    namer.query(query, Scope::of(&ctes)).map(Headings)
}

struct Namer<'a> {
    written: &'a Query,
    tables: &'a [NamedTable],
}

impl Namer<'_> {
    fn query(&self, query: &mut ast::Query, scope: Scope<'_>) -> Result<Columns> {
        let mut ctes = scope.ctes.clone();
        if let Some(with) = &mut query.with {
            for cte in &mut with.cte_tables {
                let name = cte.alias.name.value.clone();
                let mut seen = ctes.clone();
                if with.recursive {
                    let columns = self.renamed(vec![None], &cte.alias);
                    seen.push((name.clone(), columns));
                }
                let columns = self.query(&mut cte.query, scope.with_ctes(&seen))?;
                ctes.push((name, self.renamed(columns, &cte.alias)));
            }
        }
        let scope = scope.with_ctes(&ctes);
        let (columns, from) = self.body(&mut query.body, scope)?;
        if let Some(order) = &mut query.order_by
            && let OrderByKind::Expressions(keys) = &mut order.kind
        {
            let around = scope.around(&from);
            for key in keys {
                let is_output = |name: &Ident| {
                    let mut named = columns.iter().flatten();
                    named.any(|it| unmarked(&it.name) == name.value.as_str())
                };
                match &key.expr {
                    Expr::Identifier(name) if is_output(name) => {}
                    _ => self.expressions(&mut key.expr, scope.within(&around))?,
                }
                self.order_by_one(&mut key.expr, &columns, &query.body, &from)?;
            }
        }
        self.expressions(&mut query.limit_clause, scope)?;
        Ok(columns)
    }

    fn body(&self, body: &mut SetExpr, scope: Scope<'_>) -> Result<(Columns, FromClause)> {
        Ok(match body {
            SetExpr::Select(select) => self.select(select, scope)?,
            SetExpr::Query(query) => (self.query(query, scope)?, FromClause::default()),
            SetExpr::SetOperation { left, right, .. } => {
                let (columns, _) = self.body(left, scope)?;
                self.body(right, scope)?;
                (columns, FromClause::default())
            }
            SetExpr::Values(values) => {
                self.expressions(values, scope)?;
                let width = values.rows.first().map_or(0, |row| row.content.len());
                let columns = (1..=width).map(|number| {
                    let name = format!("column{number}");
                    Some(Column {
                        heading: name.clone(),
                        name,
                    })
                });
                (columns.collect(), FromClause::default())
            }
            _ => (vec![None], FromClause::default()),
        })
    }

    /// ORDER BY the name of several outputs is by their place, if they are all the same.
    fn order_by_one(
        &self,
        key: &mut Expr,
        columns: &Columns,
        body: &SetExpr,
        from: &FromClause,
    ) -> Result<()> {
        let Expr::Identifier(name) = key else {
            return Ok(());
        };
        let is_it = |column: &Column| {
            column.name.contains(MARK) && unmarked(&column.name) == name.value.as_str()
        };
        let is_it = |(place, column): (usize, &Option<Column>)| {
            column.as_ref().is_some_and(is_it).then_some(place)
        };
        let places: Vec<usize> = columns.iter().enumerate().filter_map(is_it).collect();
        let Some(first) = places.first() else {
            return Ok(());
        };
        let output = |place: usize| match body {
            SetExpr::Select(select) if select.projection.len() == columns.len() => {
                match &select.projection[place] {
                    SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => {
                        Some(expr)
                    }
                    _ => None,
                }
            }
            _ => None,
        };
        let same = |place: &usize| match (output(*first), output(*place)) {
            (Some(one), Some(other)) => one == other || from.are_one_column(one, other),
            _ => false,
        };
        if places.iter().all(same) {
            let place = Value::Number((first + 1).to_string(), false);
            *key = Expr::Value(place.into());
            return Ok(());
        }
        let message = format!("several outputs are named {}", name.value);
        Err(Error::new(code::AMBIGUOUS_NAME, message)
            .with_hint("give them names of their own with AS, or order by their places: ORDER BY 1")
            .at(self.written.locate(name.span)))
    }

    fn select(&self, select: &mut Select, outer: Scope<'_>) -> Result<(Columns, FromClause)> {
        let mut from = FromClause::default();
        let joins = select.from.iter().map(|table| table.joins.len());
        let is_one = select.from.len() + joins.sum::<usize>() == 1;
        for table in &mut select.from {
            self.table(table, outer, &mut from, is_one)?;
        }
        let around = outer.around(&from);
        let scope = outer.within(&around);
        for item in &mut select.projection {
            self.merged_item(item, scope);
        }
        self.expressions(&mut select.projection, scope)?;
        self.expressions(&mut select.group_by, scope)?;
        self.expressions(&mut select.named_window, scope)?;
        for condition in [
            &mut select.selection,
            &mut select.having,
            &mut select.qualify,
        ] {
            self.expressions(condition, scope)?;
        }
        let columns = self.outputs(select, &from);
        Ok((columns, from))
    }

    fn outputs(&self, select: &mut Select, from: &FromClause) -> Columns {
        let written = self.written.items_at(select.select_token.0.span);
        let written = Some(written).filter(|it| it.len() == select.projection.len());
        let outputs: Vec<Columns> = select
            .projection
            .iter_mut()
            .enumerate()
            .map(|(place, item)| {
                let text = written.as_ref().map(|texts| texts[place].as_str());
                self.name_item(item, text, from)
            })
            .collect();

        let mut counts: HashMap<String, usize> = HashMap::new();
        for column in outputs.iter().flatten().flatten() {
            *counts.entry(column.name.clone()).or_default() += 1;
        }
        let is_doubled = |column: &Column| counts[&column.name] > 1;
        let merges = from.has_merged();
        if !merges && !outputs.iter().flatten().flatten().any(is_doubled) {
            return outputs.into_iter().flatten().collect();
        }
        let mut taken: HashSet<String> = counts.keys().cloned().collect();
        let mut columns = Columns::new();
        let items = std::mem::take(&mut select.projection);
        for (one, outputs) in items.into_iter().zip(outputs) {
            let items: Vec<SelectItem> = match from.wildcard(&one) {
                Some(visible) if merges || outputs.iter().flatten().any(is_doubled) => {
                    visible.into_iter().map(item).collect()
                }
                _ => vec![one],
            };
            if items.len() != outputs.len() {
                columns.extend(outputs);
                select.projection.extend(items);
                continue;
            }
            for (item, output) in items.into_iter().zip(outputs) {
                let (item, output) = match output {
                    Some(column) if is_doubled(&column) => {
                        let name = marked(&column.name, &mut taken);
                        (aliased(item, &name), Some(Column { name, ..column }))
                    }
                    output => (item, output),
                };
                columns.push(output);
                select.projection.push(item);
            }
        }
        columns
    }

    /// A column that a join made of two keeps its name where it is an output.
    fn merged_item(&self, item: &mut SelectItem, scope: Scope<'_>) {
        if let SelectItem::UnnamedExpr(Expr::Identifier(name)) = &*item
            && let Some(expr) = scope.merged(&name.value)
        {
            let alias = Ident::with_quote('"', name.value.as_str());
            *item = SelectItem::ExprWithAlias {
                expr: expr.clone(),
                alias,
            };
        }
    }

    /// The outputs of an item. An expression without a name gets its text as one.
    fn name_item(&self, item: &mut SelectItem, text: Option<&str>, from: &FromClause) -> Columns {
        let column = match item {
            SelectItem::UnnamedExpr(Expr::Identifier(name)) => from.column(&[], name),
            SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => match parts.split_last() {
                Some((name, qualifier)) => from.column(qualifier, name),
                None => return vec![None],
            },
            SelectItem::UnnamedExpr(expr) => {
                let text = text.map_or_else(|| expr.to_string(), str::to_owned);
                *item = aliased(item.clone(), &text);
                Column {
                    name: text.clone(),
                    heading: text,
                }
            }
            SelectItem::ExprWithAlias { alias, .. } => self.named(alias),
            wildcard @ (SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..)) => {
                return match from.wildcard(wildcard) {
                    Some(visible) => visible.into_iter().map(|it| Some(it.column)).collect(),
                    None => vec![None],
                };
            }
            _ => return vec![None],
        };
        vec![Some(column)]
    }

    /// A column with a name that the query gives it.
    fn named(&self, alias: &Ident) -> Column {
        let heading = self.written.name_at(alias.span).unwrap_or(&alias.value);
        Column {
            name: alias.value.clone(),
            heading: heading.to_owned(),
        }
    }

    /// The columns of a relation under the names that stand behind its alias, if any do.
    fn renamed(&self, mut columns: Columns, alias: &TableAlias) -> Columns {
        let names = &alias.columns;
        if names.is_empty() {
            return columns;
        }
        let names = names.iter().map(|column| Some(self.named(&column.name)));
        if columns.iter().any(Option::is_none) {
            return names.collect();
        }
        let renamed = columns.iter_mut().zip(names);
        renamed.for_each(|(column, name)| *column = name);
        columns
    }

    /// Adds what is joined to a FROM. `is_one` says that it is all that stands there.
    fn table(
        &self,
        table: &mut TableWithJoins,
        outer: Scope<'_>,
        from: &mut FromClause,
        is_one: bool,
    ) -> Result<()> {
        let before = from.visible.take();
        let joined = self.joined(table, outer, from, is_one)?;
        from.visible = both(before, joined);
        Ok(())
    }

    /// The columns of tables that are joined.
    fn joined(
        &self,
        table: &mut TableWithJoins,
        outer: Scope<'_>,
        from: &mut FromClause,
        is_one: bool,
    ) -> Result<Option<Vec<Visible>>> {
        let mut columns = self.factor(&mut table.relation, outer, from, is_one)?;
        for Join {
            relation,
            join_operator,
            ..
        } in &mut table.joins
        {
            from.visible.clone_from(&columns);
            let is_applied = matches!(
                join_operator,
                JoinOperator::CrossApply | JoinOperator::OuterApply
            );
            let right = match is_applied {
                true => {
                    let left = from.clone();
                    let around = outer.around(&left);
                    self.factor(relation, outer.within(&around), from, is_one)?
                }
                false => self.factor(relation, outer, from, is_one)?,
            };
            columns = match (merged::columns(join_operator), columns, right) {
                (merged::Columns::All, columns, right) => both(columns, right),
                (merged::Columns::Merging(merging), Some(columns), Some(right)) => {
                    let written = merging.write_out(columns, right);
                    Some(written.map_err(|(error, name)| {
                        let place = name.map(|name| name.span);
                        error.at(place.map_or(self.written.span(), |it| self.written.locate(it)))
                    })?)
                }
                _ => None,
            };
            from.visible.clone_from(&columns);
            let around = outer.around(from);
            self.expressions(join_operator, outer.within(&around))?;
        }
        Ok(columns)
    }

    fn factor(
        &self,
        factor: &mut TableFactor,
        scope: Scope<'_>,
        from: &mut FromClause,
        is_one: bool,
    ) -> Result<Option<Vec<Visible>>> {
        let (name, columns, alias) = match factor {
            TableFactor::Table {
                name,
                alias,
                args: None,
                ..
            } => {
                let parts = parts(name);
                let columns = self.columns_of(&parts, scope.ctes);
                (parts, columns, alias)
            }
            TableFactor::Derived {
                subquery, alias, ..
            } => {
                let columns = self.query(subquery, scope)?;
                if alias.is_none() && !is_one {
                    *alias = Some(unnamed(from.relations.len()));
                }
                (Vec::new(), columns, alias)
            }
            TableFactor::NestedJoin {
                table_with_joins,
                alias: None,
            } => return self.joined(table_with_joins, scope, from, is_one),
            TableFactor::NestedJoin {
                table_with_joins,
                alias,
            } => {
                self.joined(table_with_joins, scope, &mut FromClause::default(), false)?;
                (Vec::new(), vec![None], alias)
            }
            TableFactor::Table { alias, .. }
            | TableFactor::TableFunction { alias, .. }
            | TableFactor::Function { alias, .. }
            | TableFactor::UNNEST { alias, .. } => (Vec::new(), vec![None], alias),
            _ => (Vec::new(), vec![None], &mut None),
        };
        let relation = match alias {
            Some(alias) => Relation {
                name: vec![alias.name.clone()],
                columns: self.renamed(columns, alias),
            },
            None => Relation { name, columns },
        };
        let visible = relation.visible();
        from.relations.push(relation);
        Ok(visible)
    }

    fn columns_of(&self, name: &[Ident], ctes: &Ctes) -> Columns {
        if let [name] = name {
            let is_it = |(cte, _): &&(String, Columns)| cte.eq_ignore_ascii_case(&name.value);
            if let Some((_, columns)) = ctes.iter().rev().find(is_it) {
                return columns.clone();
            }
        }
        let is_it = |(table, _): &&NamedTable| table.iter().eq(name.iter().map(|it| &it.value));
        let Some((_, schema)) = self.tables.iter().find(is_it) else {
            return vec![None];
        };
        let column = |name: &String| {
            Some(Column {
                name: name.clone(),
                heading: name.clone(),
            })
        };
        schema.fields().iter().map(|it| column(it.name())).collect()
    }
}

/// The columns of two sides, if those of both are known.
fn both(left: Option<Vec<Visible>>, right: Option<Vec<Visible>>) -> Option<Vec<Visible>> {
    let mut columns = left?;
    columns.extend(right?);
    Some(columns)
}

/// An alias of what has none, of the relation at that place of a FROM.
fn unnamed(place: usize) -> TableAlias {
    TableAlias {
        explicit: true,
        name: Ident::with_quote('"', format!("{MARK}{place}")),
        columns: Vec::new(),
        at: None,
    }
}

/// The name with a number that makes it the only one.
fn marked(name: &str, taken: &mut HashSet<String>) -> String {
    let plain = unmarked(name);
    let mut names = (1_usize..).map(|number| format!("{plain}{MARK}{number}"));
    let free = names.find(|name| !taken.contains(name));
    let free = free.unwrap_or_default();
    taken.insert(free.clone());
    free
}

fn aliased(item: SelectItem, name: &str) -> SelectItem {
    match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => {
            let mut alias = Ident::with_quote('"', name);
            alias.span = expr.span();
            SelectItem::ExprWithAlias { expr, alias }
        }
        other => other,
    }
}
