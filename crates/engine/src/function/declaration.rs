//! What a function says of itself.

use std::fmt;
use std::hash::{Hash, Hasher};

use datafusion::sql::sqlparser::ast::DataType as SqlType;

use super::call::Compute;
use super::clock::Reading;
use super::relative::Days;
use super::table::TableFunction;

/// A function of the dialect.
#[derive(Debug)]
pub struct Function {
    /// Its name, in lower case as the planner looks it up.
    pub name: &'static str,
    /// Other names of it.
    pub aliases: &'static [&'static str],
    /// Its arguments, in order.
    pub arguments: &'static [Argument],
    /// What it gives, in one line.
    pub description: &'static str,
    /// Where it differs from CData's, or settles what that leaves open, and why.
    pub note: Option<&'static str>,
    /// Whether it has a result of its own where an argument is NULL.
    pub(super) takes_null: bool,
    pub(super) body: Body,
}

/// An argument of a function.
#[derive(Debug, Clone, Copy)]
pub struct Argument {
    /// Its name, for people.
    pub name: &'static str,
    /// Whether it has to be given.
    pub need: Need,
    pub(super) kind: Kind,
}

/// Whether an argument has to be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Once.
    Required,
    /// Once or not at all.
    Optional,
    /// Any number of times, at least once.
    Repeated,
    /// Once or not at all, behind the parentheses.
    Behind,
}

/// What an argument is taken as; what is of another type is cast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Int,
    Float,
    /// A whole number stays one, and a decimal.
    Number,
    /// A timestamp, a date, or the text of one.
    Moment,
    Any,
}

/// How a function is carried out.
#[derive(Debug, Clone, Copy)]
pub(super) enum Body {
    /// Row by row, from its arguments alone.
    Computed(Compute),
    /// From the time at which the query began.
    Clock(Reading),
    /// As two bounds, in the comparison that it stands in.
    Relative(Days),
    /// By DataFusion's function of that name.
    Planner(&'static str),
    /// By DataFusion's aggregate of that name.
    Aggregate(&'static str),
    /// By DataFusion's window function of that name.
    Window(&'static str),
    /// By the grammar of expressions.
    Syntax,
    /// In FROM.
    Table(TableFunction),
}

impl Argument {
    const fn new(name: &'static str, kind: Kind) -> Self {
        Self {
            name,
            need: Need::Required,
            kind,
        }
    }

    /// It may be left out.
    pub(super) const fn optional(mut self) -> Self {
        self.need = Need::Optional;
        self
    }

    /// It may stand behind the parentheses.
    pub(super) const fn behind(mut self) -> Self {
        self.need = Need::Behind;
        self
    }

    /// It may be given several times.
    pub(super) const fn repeated(mut self) -> Self {
        self.need = Need::Repeated;
        self
    }
}

pub(super) const fn text(name: &'static str) -> Argument {
    Argument::new(name, Kind::Text)
}

pub(super) const fn int(name: &'static str) -> Argument {
    Argument::new(name, Kind::Int)
}

pub(super) const fn float(name: &'static str) -> Argument {
    Argument::new(name, Kind::Float)
}

pub(super) const fn number(name: &'static str) -> Argument {
    Argument::new(name, Kind::Number)
}

pub(super) const fn moment(name: &'static str) -> Argument {
    Argument::new(name, Kind::Moment)
}

pub(super) const fn any(name: &'static str) -> Argument {
    Argument::new(name, Kind::Any)
}

/// A function that is carried out by `body`.
pub(super) const fn function(
    name: &'static str,
    arguments: &'static [Argument],
    body: Body,
    description: &'static str,
) -> Function {
    Function {
        name,
        aliases: &[],
        arguments,
        description,
        note: None,
        takes_null: false,
        body,
    }
}

/// A function that is computed row by row.
pub(super) const fn computed(
    name: &'static str,
    arguments: &'static [Argument],
    compute: Compute,
    description: &'static str,
) -> Function {
    function(name, arguments, Body::Computed(compute), description)
}

/// A function that DataFusion has under another name.
pub(super) const fn planner(
    name: &'static str,
    arguments: &'static [Argument],
    planner: &'static str,
    description: &'static str,
) -> Function {
    function(name, arguments, Body::Planner(planner), description)
}

impl Function {
    /// Whether it makes one value of several rows.
    pub(crate) fn is_aggregate(&self) -> bool {
        matches!(self.body, Body::Aggregate(_))
    }

    pub(super) const fn or(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    pub(super) const fn taking_null(mut self) -> Self {
        self.takes_null = true;
        self
    }

    pub(super) const fn noting(mut self, note: &'static str) -> Self {
        self.note = Some(note);
        self
    }

    /// Whether that is its name or an alias, case apart.
    pub fn is_named(&self, name: &str) -> bool {
        self.names().any(|own| own.eq_ignore_ascii_case(name))
    }

    /// Its name, then its aliases.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.name).chain(self.aliases.iter().copied())
    }

    /// Whether so many arguments can be given.
    pub(crate) fn takes(&self, count: usize) -> bool {
        let required = self
            .arguments
            .iter()
            .filter(|argument| matches!(argument.need, Need::Required | Need::Repeated));
        let repeats = self
            .arguments
            .iter()
            .any(|argument| argument.need == Need::Repeated);
        count >= required.count() && (repeats || count <= self.arguments.len())
    }

    /// The argument that stands at a place.
    pub(super) fn argument(&self, index: usize) -> Option<&Argument> {
        let last = self
            .arguments
            .last()
            .filter(|last| last.need == Need::Repeated);
        self.arguments.get(index).or(last)
    }

    /// The type that an argument has to be cast to, because DataFusion takes that one alone.
    pub(crate) fn cast(&self, index: usize) -> Option<SqlType> {
        let Body::Planner(_) = self.body else {
            return None;
        };
        match self.argument(index)?.kind {
            Kind::Text => Some(SqlType::Varchar(None)),
            Kind::Int => Some(SqlType::BigInt(None)),
            Kind::Float | Kind::Number | Kind::Moment | Kind::Any => None,
        }
    }

    /// Whether its 1 or 0 may stand where a condition is wanted.
    pub(crate) fn is_predicate(&self) -> bool {
        matches!(self.name, "contains" | "startswith" | "endswith" | "isdate")
    }

    /// What the planner calls it.
    pub(crate) fn planned_name(&self) -> &'static str {
        match self.body {
            Body::Planner(name) | Body::Aggregate(name) | Body::Window(name) => name,
            _ => self.name,
        }
    }

    /// Whether it is computed over a window alone.
    pub(crate) fn is_window(&self) -> bool {
        matches!(self.body, Body::Window(_))
    }

    /// Whether it stands in FROM.
    pub(crate) fn is_table(&self) -> bool {
        matches!(self.body, Body::Table(_))
    }

    /// Whether the parser checks its arguments.
    pub(crate) fn is_syntax(&self) -> bool {
        matches!(self.body, Body::Syntax)
    }
}

// A function is what it is named for.
impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Function {}

impl Hash for Function {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

/// The way it is written: `CHARINDEX(find, in[, start])`.
impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.name.to_uppercase())?;
        let mut open = 0;
        let within = |argument: &&Argument| argument.need != Need::Behind;
        for (index, argument) in self.arguments.iter().filter(within).enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            if argument.need == Need::Optional {
                open += 1;
                write!(f, "[{comma}{}", argument.name)?;
                continue;
            }
            write!(f, "{}{comma}{}", "]".repeat(open), argument.name)?;
            open = 0;
            if argument.need == Need::Repeated {
                f.write_str(", ...")?;
            }
        }
        write!(f, "{})", "]".repeat(open))?;
        let mut behind = self.arguments.iter().filter(|argument| !within(argument));
        behind.try_for_each(|argument| write!(f, " [{}]", argument.name))
    }
}
