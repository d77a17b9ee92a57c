//! What stands in FROM, and the columns that it has.

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, JoinConstraint, JoinOperator, ObjectName, SelectItem,
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

/// What stands in FROM.
pub(super) struct Relation {
    /// What its columns may be qualified by; empty if by nothing.
    pub(super) name: Vec<Ident>,
    pub(super) columns: Columns,
}

impl Relation {
    fn is_named(&self, name: &[Ident]) -> bool {
        let texts = |idents: &[Ident]| idents.iter().map(|it| it.value.clone()).collect();
        let (own, wanted): (Vec<_>, Vec<_>) = (texts(&self.name), texts(name));
        own.ends_with(&wanted)
    }

    fn find(&self, name: &str) -> Option<&Column> {
        self.columns.iter().flatten().find(|it| it.name == name)
    }
}

/// The relations of a FROM.
#[derive(Default)]
pub(super) struct FromClause {
    pub(super) relations: Vec<Relation>,
    /// `*` is not all of their columns: a join merges some, or leaves some out.
    pub(super) is_merged: bool,
}

impl FromClause {
    pub(super) fn relation(&self, name: &[Ident]) -> Option<&Relation> {
        self.relations.iter().find(|it| it.is_named(name))
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
    pub(super) fn expanded(&self, item: &SelectItem) -> Option<Vec<SelectItem>> {
        let relations: Vec<&Relation> = match item {
            SelectItem::Wildcard(options) if is_plain(options) && !self.is_merged => {
                self.relations.iter().collect()
            }
            SelectItem::QualifiedWildcard(Qualified::ObjectName(name), options)
                if is_plain(options) =>
            {
                vec![self.relation(&parts(name))?]
            }
            _ => return None,
        };
        let columns = relations.iter().flat_map(|relation| {
            relation.columns.iter().map(|column| {
                let name = Ident::with_quote('"', column.as_ref()?.name.as_str());
                Some(SelectItem::UnnamedExpr(match relation.name.as_slice() {
                    [] => Expr::Identifier(name),
                    qualifier => Expr::CompoundIdentifier([qualifier, &[name]].concat()),
                }))
            })
        });
        columns.collect()
    }
}

pub(super) fn is_plain(options: &WildcardAdditionalOptions) -> bool {
    let WildcardAdditionalOptions {
        wildcard_token: _,
        opt_ilike,
        opt_exclude,
        opt_except,
        opt_replace,
        opt_rename,
        opt_alias,
    } = options;
    opt_ilike.is_none()
        && opt_exclude.is_none()
        && opt_except.is_none()
        && opt_replace.is_none()
        && opt_rename.is_none()
        && opt_alias.is_none()
}

/// Whether a join gives fewer columns than its two sides have.
pub(super) fn is_merging(operator: &JoinOperator) -> bool {
    match operator {
        JoinOperator::Join(constraint)
        | JoinOperator::Inner(constraint)
        | JoinOperator::Left(constraint)
        | JoinOperator::LeftOuter(constraint)
        | JoinOperator::Right(constraint)
        | JoinOperator::RightOuter(constraint)
        | JoinOperator::FullOuter(constraint)
        | JoinOperator::CrossJoin(constraint) => matches!(
            constraint,
            JoinConstraint::Using(_) | JoinConstraint::Natural
        ),
        JoinOperator::CrossApply | JoinOperator::OuterApply => false,
        _ => true,
    }
}

pub(super) fn parts(name: &ObjectName) -> Vec<Ident> {
    let parts = name.0.iter().filter_map(|part| part.as_ident());
    parts.cloned().collect()
}
