//! The outputs of a query: names that are each the only one of their SELECT, for the planner, and headings as they
//! were written, for people.
//!
//! An output that shares its name with another gets a mark behind it ([`MARK`]), which no one can write, so a query
//! around it that names it finds nothing rather than one of several.

mod from_clause;
mod heading;

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use bucketline_sql::Query;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::sql::sqlparser::ast::{
    self, Expr, Ident, Join, OrderByKind, Select, SelectItem,
    SelectItemQualifiedWildcardKind as Qualified, SetExpr, Spanned, TableAlias, TableFactor,
    TableWithJoins, Value, VisitMut, VisitorMut,
};

use self::from_clause::{Column, Columns, FromClause, Relation, is_merging, is_plain, parts};
use self::heading::MARK;
pub(crate) use self::heading::{Headings, unmarked};
use crate::{Error, ErrorKind, Result};

/// A table of the query by the parts of its name, and its columns.
pub(crate) type NamedTable = (Vec<String>, SchemaRef);

/// The CTEs that a query sees, the innermost last.
type Ctes = Vec<(String, Columns)>;

/// Gives every output of every SELECT in `query` a name of its own, and tells the headings of its result. `written`
/// is what the user wrote; `tables` are those that it names.
pub(crate) fn name_outputs(
    query: &mut ast::Query,
    written: &Query,
    tables: &[NamedTable],
) -> Result<Headings> {
    let namer = Namer { written, tables };
    namer.query(query, &Ctes::new()).map(Headings)
}

struct Namer<'a> {
    written: &'a Query,
    tables: &'a [NamedTable],
}

impl Namer<'_> {
    fn query(&self, query: &mut ast::Query, outer: &Ctes) -> Result<Columns> {
        let mut ctes = outer.clone();
        if let Some(with) = &mut query.with {
            for cte in &mut with.cte_tables {
                let name = cte.alias.name.value.clone();
                let mut seen = ctes.clone();
                if with.recursive {
                    let columns = self.renamed(vec![None], &cte.alias);
                    seen.push((name.clone(), columns));
                }
                let columns = self.query(&mut cte.query, &seen)?;
                ctes.push((name, self.renamed(columns, &cte.alias)));
            }
        }
        let (columns, from) = self.body(&mut query.body, &ctes)?;
        if let Some(order) = &mut query.order_by {
            self.subqueries(order, &ctes)?;
            if let OrderByKind::Expressions(keys) = &mut order.kind {
                for key in keys {
                    self.order_by_one(&mut key.expr, &columns, &query.body, &from)?;
                }
            }
        }
        self.subqueries(&mut query.limit_clause, &ctes)?;
        Ok(columns)
    }

    fn body(&self, body: &mut SetExpr, ctes: &Ctes) -> Result<(Columns, FromClause)> {
        Ok(match body {
            SetExpr::Select(select) => self.select(select, ctes)?,
            SetExpr::Query(query) => (self.query(query, ctes)?, FromClause::default()),
            SetExpr::SetOperation { left, right, .. } => {
                let (columns, _) = self.body(left, ctes)?;
                self.body(right, ctes)?;
                (columns, FromClause::default())
            }
            SetExpr::Values(values) => {
                self.subqueries(values, ctes)?;
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
        Err(Error::new(ErrorKind::AmbiguousName, message)
            .with_hint("give them names of their own with AS, or order by their places: ORDER BY 1")
            .at(self.written.locate(name.span)))
    }

    fn select(&self, select: &mut Select, ctes: &Ctes) -> Result<(Columns, FromClause)> {
        let mut from = FromClause::default();
        for table in &mut select.from {
            self.table(table, ctes, &mut from)?;
        }
        self.subqueries(&mut select.projection, ctes)?;
        self.subqueries(&mut select.group_by, ctes)?;
        self.subqueries(&mut select.named_window, ctes)?;
        for condition in [
            &mut select.selection,
            &mut select.having,
            &mut select.qualify,
        ] {
            self.subqueries(condition, ctes)?;
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
        if !outputs.iter().flatten().flatten().any(is_doubled) {
            return outputs.into_iter().flatten().collect();
        }
        let mut taken: HashSet<String> = counts.keys().cloned().collect();
        let mut columns = Columns::new();
        let items = std::mem::take(&mut select.projection);
        for (item, outputs) in items.into_iter().zip(outputs) {
            let items = match from.expanded(&item) {
                Some(items) if outputs.iter().flatten().any(is_doubled) => items,
                _ => vec![item],
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
            SelectItem::Wildcard(options) if is_plain(options) && !from.is_merged => {
                let columns = from.relations.iter().flat_map(|it| it.columns.clone());
                return columns.collect();
            }
            SelectItem::QualifiedWildcard(Qualified::ObjectName(name), options)
                if is_plain(options) =>
            {
                return match from.relation(&parts(name)) {
                    Some(relation) => relation.columns.clone(),
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

    fn table(&self, table: &mut TableWithJoins, ctes: &Ctes, from: &mut FromClause) -> Result<()> {
        self.factor(&mut table.relation, ctes, from)?;
        for Join {
            relation,
            join_operator,
            ..
        } in &mut table.joins
        {
            self.factor(relation, ctes, from)?;
            self.subqueries(join_operator, ctes)?;
            from.is_merged |= is_merging(join_operator);
        }
        Ok(())
    }

    fn factor(&self, factor: &mut TableFactor, ctes: &Ctes, from: &mut FromClause) -> Result<()> {
        let (name, columns, alias) = match factor {
            TableFactor::Table {
                name,
                alias,
                args: None,
                ..
            } => {
                let parts = parts(name);
                let columns = self.columns_of(&parts, ctes);
                (parts, columns, alias)
            }
            TableFactor::Derived {
                subquery, alias, ..
            } => (Vec::new(), self.query(subquery, ctes)?, alias),
            TableFactor::NestedJoin {
                table_with_joins,
                alias: None,
            } => return self.table(table_with_joins, ctes, from),
            TableFactor::NestedJoin {
                table_with_joins,
                alias,
            } => {
                self.table(table_with_joins, ctes, &mut FromClause::default())?;
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
        from.relations.push(relation);
        Ok(())
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

    /// The same for the queries inside of expressions.
    fn subqueries(&self, part: &mut impl VisitMut, ctes: &Ctes) -> Result<()> {
        let mut visitor = Subqueries {
            namer: self,
            ctes,
            depth: 0,
        };
        match part.visit(&mut visitor) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(error) => Err(error),
        }
    }
}

/// Finds the outermost queries of a part of the tree.
struct Subqueries<'a> {
    namer: &'a Namer<'a>,
    ctes: &'a Ctes,
    depth: usize,
}

impl VisitorMut for Subqueries<'_> {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &mut ast::Query) -> ControlFlow<Error> {
        self.depth += 1;
        if self.depth == 1
            && let Err(error) = self.namer.query(query, self.ctes)
        {
            return ControlFlow::Break(error);
        }
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut ast::Query) -> ControlFlow<Error> {
        self.depth -= 1;
        ControlFlow::Continue(())
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
