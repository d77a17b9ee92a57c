//! What stands in FROM, and the columns that it has.

use datafusion::sql::sqlparser::ast::{
    ExceptSelectItem, ExcludeSelectItem, Expr, Ident, ObjectName, SelectItem,
    SelectItemQualifiedWildcardKind as Qualified, WildcardAdditionalOptions,
};

/// A column of a relation.
#[derive(Debug, Clone)]
pub(super) struct Column {
    /// What the planner calls it.
    pub(super) name: String,
    /// What it is called as a column of the result.
    pub(super) heading: String,
}

/// Columns in their order; `None` stands for any number of columns that are not known.
pub(super) type Columns = Vec<Option<Column>>;

/// A column that `*` gives.
#[derive(Clone)]
pub(super) struct Visible {
    pub(super) column: Column,
    /// How it is read.
    pub(super) expr: Expr,
    /// A join made it of two columns, and its name alone means this.
    pub(super) is_merged: bool,
}

/// What stands in FROM.
#[derive(Clone)]
pub(super) struct Relation {
    /// What its columns may be qualified by; empty if by nothing.
    pub(super) name: Vec<Ident>,
    pub(super) columns: Columns,
}

impl Relation {
    pub(super) fn is_named(&self, name: &[Ident]) -> bool {
        let texts = |idents: &[Ident]| idents.iter().map(|it| it.value.clone()).collect();
        let (own, wanted): (Vec<_>, Vec<_>) = (texts(&self.name), texts(name));
        own.ends_with(&wanted)
    }

    fn find(&self, name: &str) -> Option<&Column> {
        self.columns.iter().flatten().find(|it| it.name == name)
    }

    /// Its columns, if they are known.
    pub(super) fn visible(&self) -> Option<Vec<Visible>> {
        let visible = self.columns.iter().map(|column| {
            let column = column.as_ref()?;
            let name = Ident::with_quote('"', column.name.as_str());
            Some(Visible {
                column: column.clone(),
                expr: match self.name.as_slice() {
                    [] => Expr::Identifier(name),
                    qualifier => Expr::CompoundIdentifier([qualifier, &[name]].concat()),
                },
                is_merged: false,
            })
        });
        visible.collect()
    }
}

/// What a name without a qualifier means in a FROM.
pub(super) enum Meaning<'a> {
    /// A column that a join made of two.
    Merged(&'a Expr),
    /// A column of a relation, perhaps.
    Column,
    /// Nothing.
    Absent,
}

/// The relations of a FROM.
#[derive(Clone)]
pub(super) struct FromClause {
    pub(super) relations: Vec<Relation>,
    /// What `*` gives, if that is known.
    pub(super) visible: Option<Vec<Visible>>,
}

impl Default for FromClause {
    fn default() -> Self {
        Self {
            relations: Vec::new(),
            visible: Some(Vec::new()),
        }
    }
}

impl FromClause {
    pub(super) fn relation(&self, name: &[Ident]) -> Option<&Relation> {
        self.relations.iter().find(|it| it.is_named(name))
    }

    pub(super) fn meaning(&self, name: &str) -> Meaning<'_> {
        let visible = self.visible.iter().flatten();
        let mut found = visible.filter(|it| it.column.name == name);
        match (found.next(), found.next()) {
            (Some(one), None) if one.is_merged => return Meaning::Merged(&one.expr),
            (Some(_), _) => return Meaning::Column,
            (None, _) => {}
        }
        let is_there = |it: &Relation| it.find(name).is_some();
        match self.visible.is_none() || self.relations.iter().any(is_there) {
            true => Meaning::Column,
            false => Meaning::Absent,
        }
    }

    pub(super) fn has_merged(&self) -> bool {
        let mut visible = self.visible.iter().flatten();
        visible.any(|column| column.is_merged)
    }

    /// What a column of that name is called.
    pub(super) fn column(&self, qualifier: &[Ident], name: &Ident) -> Column {
        let relations = self.relations.iter().filter(|it| it.is_named(qualifier));
        let found = relations.filter_map(|it| it.find(&name.value)).next();
        let unknown = || Column {
            name: name.value.clone(),
            heading: name.value.clone(),
        };
        found.cloned().unwrap_or_else(unknown)
    }

    /// Whether two names mean one column of one relation.
    pub(super) fn are_one_column(&self, one: &Expr, other: &Expr) -> bool {
        let place = |expr: &Expr| {
            let (qualifier, name) = match expr {
                Expr::Identifier(name) => (&[][..], name),
                Expr::CompoundIdentifier(parts) => {
                    let (name, qualifier) = parts.split_last()?;
                    (qualifier, name)
                }
                _ => return None,
            };
            let has_it = |(_, it): &(usize, &Relation)| {
                it.is_named(qualifier) && it.find(&name.value).is_some()
            };
            let mut found = self.relations.iter().enumerate().filter(has_it);
            match (found.next(), found.next()) {
                (Some((place, _)), None) => Some((place, name.value.clone())),
                _ => None,
            }
        };
        place(one).is_some_and(|it| place(other) == Some(it))
    }

    /// The columns that a wildcard stands for, if they are known.
    pub(super) fn wildcard(&self, item: &SelectItem) -> Option<Vec<Visible>> {
        let (mut visible, options) = match item {
            SelectItem::Wildcard(options) => (self.visible.clone()?, options),
            SelectItem::QualifiedWildcard(Qualified::ObjectName(name), options) => {
                (self.relation(&parts(name))?.visible()?, options)
            }
            _ => return None,
        };
        let left_out = left_out(options)?;
        visible.retain(|it| !left_out.contains(&it.column.name));
        Some(visible)
    }
}

/// A column as an item of SELECT.
pub(super) fn item(column: Visible) -> SelectItem {
    match column.expr {
        expr @ (Expr::Identifier(_) | Expr::CompoundIdentifier(_)) => SelectItem::UnnamedExpr(expr),
        expr => SelectItem::ExprWithAlias {
            expr,
            alias: Ident::with_quote('"', column.column.name),
        },
    }
}

/// The names that a wildcard leaves out, if that is all that stands behind it.
fn left_out(options: &WildcardAdditionalOptions) -> Option<Vec<String>> {
    let WildcardAdditionalOptions {
        wildcard_token: _,
        opt_ilike: None,
        opt_exclude,
        opt_except,
        opt_replace: None,
        opt_rename: None,
        opt_alias: None,
    } = options
    else {
        return None;
    };
    let mut names: Vec<String> = Vec::new();
    let last = |name: &ObjectName| parts(name).pop().map(|it| it.value);
    match opt_exclude {
        Some(ExcludeSelectItem::Single(name)) => names.extend(last(name)),
        Some(ExcludeSelectItem::Multiple(several)) => names.extend(several.iter().filter_map(last)),
        None => {}
    }
    if let Some(ExceptSelectItem {
        first_element,
        additional_elements,
    }) = opt_except
    {
        let several = std::iter::once(first_element).chain(additional_elements);
        names.extend(several.map(|it| it.value.clone()));
    }
    Some(names)
}

pub(super) fn parts(name: &ObjectName) -> Vec<Ident> {
    let parts = name.0.iter().filter_map(|part| part.as_ident());
    parts.cloned().collect()
}
