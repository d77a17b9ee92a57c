//! Edits of a statement's output columns.

use std::ops::Range;

use bucketline_core::{Code, code};
use bucketline_sql::{Ident, Name, Source, Statement};

use super::shape::{Item, Parsed, Select, refused};
use crate::Problem;

/// A change of the output columns. Columns are named as the destination has them, the case of letters apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// These columns and no others. Those that are there keep their order and their expressions; the rest come behind them.
    Choose(Vec<String>),
    /// A column gets another name.
    Rename {
        /// The column.
        column: String,
        /// Its new name.
        name: String,
    },
    /// A column is made by an expression: one of this name if there is one, else a new one at the end.
    Compute {
        /// The column.
        name: String,
        /// SQL over the columns of the source.
        expression: String,
    },
    /// A column goes.
    Remove(String),
    /// Only rows that fit a condition; all rows, if there is none.
    Filter(Option<String>),
}

/// The statement's text with a change of its columns. `available` are the columns of the source; they are needed where the
/// statement names none.
///
/// # Errors
/// If the text is not a task's statement, the change cannot be made in it, or the new text would say something else than
/// what is wanted.
pub fn edit(text: &str, edit: &Edit, available: &[String]) -> Result<String, Box<Problem>> {
    let mut editor = Editor {
        text: text.to_owned(),
        available,
    };
    match edit {
        Edit::Choose(names) => editor.choose(names)?,
        Edit::Rename { column, name } => editor.rename(column, name)?,
        Edit::Compute { name, expression } => editor.compute(name, expression)?,
        Edit::Remove(column) => editor.remove(column)?,
        Edit::Filter(condition) => editor.filter(condition.as_deref())?,
    }
    Ok(editor.text)
}

fn problem(place: &str, code: Code, message: String) -> Box<Problem> {
    Box::new(Problem::new(place, code, message))
}

fn same(one: &str, other: &str) -> bool {
    crate::name::key(one) == crate::name::key(other)
}

struct Editor<'a> {
    text: String,
    available: &'a [String],
}

impl Editor<'_> {
    fn replace(&mut self, range: Range<usize>, text: &str) {
        self.text.replace_range(range, text);
    }

    /// The SELECT, which is added if the statement takes its table as it is.
    fn select(&mut self) -> Result<Select, Box<Problem>> {
        let parsed = Parsed::read(&self.text)?;
        if let Some(select) = parsed.select()? {
            return Ok(select);
        }
        self.add_select(&parsed, "*")?;
        match Parsed::read(&self.text)?.select()? {
            Some(select) => Ok(select),
            None => Err(refused("the statement cannot get a SELECT")),
        }
    }

    /// `REPLICATE x [table]` becomes `REPLICATE x SELECT ... FROM table`.
    fn add_select(&mut self, parsed: &Parsed, list: &str) -> Result<(), Box<Problem>> {
        let Statement::Replicate(replicate) = &parsed.located.statement else {
            return Err(refused("the statement cannot get a SELECT"));
        };
        match &replicate.source {
            Source::Table(table) => {
                let written = &self.text[table.span().range()];
                let select = format!("SELECT {list} FROM {written}");
                self.replace(table.span().range(), &select);
            }
            Source::SameName => {
                let table = Name {
                    parts: vec![replicate.destination.last().clone()],
                };
                let end = parsed.located.span.end.offset;
                self.replace(end..end, &format!(" SELECT {list} FROM {table}"));
            }
            Source::Query(_) => {}
        }
        Ok(())
    }

    /// The same, each column of the source being an item of its own.
    fn listed(&mut self) -> Result<Select, Box<Problem>> {
        let select = self.select()?;
        let stars: Vec<_> = select.items.iter().filter(|item| item.is_star).collect();
        let [star] = stars.as_slice() else {
            return match stars.is_empty() {
                true => Ok(select),
                false => Err(refused("the list has several stars")),
            };
        };
        let range = star.place.span.range();
        if self.text[range.clone()] != *"*" {
            return Err(refused(
                "the list has a star of one table, or with exceptions",
            ));
        }
        if self.available.is_empty() {
            let message = "the columns of the source are not known".to_owned();
            let problem = Problem::new("columns", code::model::UNKNOWN_COLUMN, message);
            return Err(Box::new(problem.with_hint(
                "test the source first, or list the columns in the statement",
            )));
        }
        let written: Vec<_> = self
            .available
            .iter()
            .map(|name| Ident::new(name).to_string())
            .collect();
        self.replace(range, &written.join(", "));
        match Parsed::read(&self.text)?.select()? {
            Some(select) => Ok(select),
            None => Err(refused("the statement has no SELECT")),
        }
    }

    fn find(items: &[Item], name: &str) -> Option<usize> {
        items
            .iter()
            .position(|item| item.name.as_deref().is_some_and(|known| same(known, name)))
    }

    fn existing(items: &[Item], name: &str) -> Result<usize, Box<Problem>> {
        Self::find(items, name).ok_or_else(|| {
            let known = items.iter().filter_map(|item| item.name.as_deref());
            let mut problem = Problem::new(
                "columns",
                code::model::UNKNOWN_COLUMN,
                format!("there is no column `{name}`"),
            );
            if let Some(meant) = bucketline_sql::nearest(name, known) {
                problem = problem.with_hint(format!("did you mean `{meant}`?"));
            }
            Box::new(problem)
        })
    }

    fn refuse_declared(&self) -> Result<(), Box<Problem>> {
        match &Parsed::read(&self.text)?.located.statement {
            Statement::Replicate(replicate) if replicate.columns.is_some() => {
                Err(refused("the statement declares its columns"))
            }
            _ => Ok(()),
        }
    }

    fn choose(&mut self, names: &[String]) -> Result<(), Box<Problem>> {
        self.refuse_declared()?;
        for (index, name) in names.iter().enumerate() {
            if names[..index].iter().any(|other| same(other, name)) {
                let message = format!("the column `{name}` is given twice");
                return Err(problem("columns", code::model::GIVEN_TWICE, message));
            }
        }
        if names.is_empty() {
            let message = "at least one column is needed".to_owned();
            return Err(problem("columns", code::model::UNKNOWN_COLUMN, message));
        }
        let items = self.listed()?.items;
        for name in names {
            if Self::find(&items, name).is_none() {
                self.add(name)?;
            }
        }
        let unwanted = items.iter().filter_map(|item| item.name.clone());
        for name in unwanted.filter(|name| !names.iter().any(|wanted| same(wanted, name))) {
            self.remove(&name)?;
        }
        let items = self.select()?.items;
        let left = items.iter().filter(|item| item.name.is_none()).count();
        match items.len() - left == names.len() && left == 0 {
            true => Ok(()),
            false => Err(refused("a column without a name is among them")),
        }
    }

    /// Adds a column of the source.
    fn add(&mut self, name: &str) -> Result<(), Box<Problem>> {
        let known = self.available.iter().find(|known| same(known, name));
        if known.is_none() && !self.available.is_empty() {
            let names = self.available.iter().map(String::as_str);
            let mut problem = Problem::new(
                "columns",
                code::model::UNKNOWN_COLUMN,
                format!("the source has no column `{name}`"),
            );
            if let Some(meant) = bucketline_sql::nearest(name, names) {
                problem = problem.with_hint(format!("did you mean `{meant}`?"));
            }
            return Err(Box::new(problem));
        }
        let written = Ident::new(known.map_or(name, String::as_str)).to_string();
        self.append(&written)
    }

    fn append(&mut self, item: &str) -> Result<(), Box<Problem>> {
        let items = self.select()?.items;
        let count = items.len();
        let end = items.last().map_or(0, |item| item.place.span.end.offset);
        self.replace(end..end, &format!(", {item}"));
        self.must_have(count + 1)
    }

    /// Checks that the text has as many items as were wanted: an expression may hold a comma, or a comment without end.
    fn must_have(&self, count: usize) -> Result<(), Box<Problem>> {
        let found = Parsed::read(&self.text)?.select()?;
        match found.is_some_and(|found| found.items.len() == count) {
            true => Ok(()),
            false => {
                let message = "this is not one expression".to_owned();
                Err(problem(
                    "expression",
                    code::model::NOT_ONE_EXPRESSION,
                    message,
                ))
            }
        }
    }

    fn remove(&mut self, column: &str) -> Result<(), Box<Problem>> {
        self.refuse_declared()?;
        let select = self.listed()?;
        let index = Self::existing(&select.items, column)?;
        let place = |index: usize| select.items[index].place.span.range();
        let is_last = index + 1 == select.items.len();
        if is_last && index == 0 {
            let message = "at least one column is needed".to_owned();
            return Err(problem("columns", code::model::UNKNOWN_COLUMN, message));
        }
        if !is_last {
            // What was said of it between it and the next one goes with it.
            let (start, end) = (place(index).start, place(index + 1).start);
            self.replace(start..end, "");
            return Ok(());
        }
        let comma = select.outline.commas[index - 1].range();
        let between = &self.text[comma.end..place(index).start];
        if between.trim().is_empty() {
            self.replace(comma.start..place(index).end, "");
        } else {
            // What is said there may be about the one before.
            self.replace(place(index), "");
            self.replace(comma, "");
        }
        Ok(())
    }

    fn rename(&mut self, column: &str, name: &str) -> Result<(), Box<Problem>> {
        self.refuse_declared()?;
        if let Some(problem) = crate::name::problem("name", name) {
            return Err(Box::new(problem));
        }
        let items = self.listed()?.items;
        let index = Self::existing(&items, column)?;
        if Self::find(&items, name).is_some_and(|other| other != index) {
            let message = format!("there is a column `{name}` already");
            return Err(problem("name", code::model::GIVEN_TWICE, message));
        }
        let item = &items[index];
        let written = Ident::new(name).to_string();
        let end = item.place.expression.end.offset;
        match item.place.alias {
            // The name of the column itself needs no alias.
            Some(_) if item.column.as_deref() == Some(name) => {
                self.replace(end..item.place.span.end.offset, "");
            }
            Some(alias) => self.replace(alias.range(), &written),
            None if item.column.as_deref() == Some(name) => {}
            None => self.replace(end..end, &format!(" AS {written}")),
        }
        self.must_have(items.len())
    }

    fn compute(&mut self, name: &str, expression: &str) -> Result<(), Box<Problem>> {
        self.refuse_declared()?;
        if let Some(problem) = crate::name::problem("name", name) {
            return Err(Box::new(problem));
        }
        let expression = expression.trim();
        check_expression(expression)?;
        let items = self.select()?.items;
        let written = Ident::new(name).to_string();
        let Some(index) = Self::find(&items, name) else {
            return self.append(&format!("{expression} AS {written}"));
        };
        let place = &items[index].place;
        let text = match place.alias {
            Some(_) => expression.to_owned(),
            None => format!("{expression} AS {written}"),
        };
        self.replace(place.expression.range(), &text);
        self.must_have(items.len())
    }

    fn filter(&mut self, condition: Option<&str>) -> Result<(), Box<Problem>> {
        let parsed = Parsed::read(&self.text)?;
        if condition.is_none() && parsed.query()?.is_none() {
            return Ok(());
        }
        let select = self.select()?;
        let (filter, found) = (select.outline.filter, select.outline.condition);
        let place = select.outline.filter_place.offset;
        match (condition.map(str::trim), filter.zip(found)) {
            (None, None) => {}
            // The blanks before it go, too; a comment there stays.
            (None, Some((filter, found))) => {
                let kept = self.text[..filter.start.offset].trim_end().len();
                let start = if kept == place {
                    kept
                } else {
                    filter.start.offset
                };
                self.replace(start..found.end.offset, "");
            }
            (Some(wanted), found) => {
                check_expression(wanted)?;
                match found {
                    Some((_, found)) => self.replace(found.range(), wanted),
                    None => self.replace(place..place, &format!(" WHERE {wanted}")),
                }
                let shape = super::shape(&self.text)?;
                if shape.filter.as_deref() != Some(wanted) {
                    let message = "this is not one condition".to_owned();
                    return Err(problem(
                        "condition",
                        code::model::NOT_ONE_EXPRESSION,
                        message,
                    ));
                }
            }
        }
        Ok(())
    }
}

/// Checks that a text is one expression by itself. A comment at its end would swallow what comes behind it.
fn check_expression(text: &str) -> Result<(), Box<Problem>> {
    let probe = format!("SELECT ({text}\n)");
    let parsed = bucketline_sql::parse_statement(&probe);
    let located = parsed.map_err(|error| {
        // The place is in the probe, where the text begins at column 9.
        let problem = Problem::of("expression", &error);
        Box::new(Problem {
            span: None,
            ..problem
        })
    })?;
    let is_one = match &located.statement {
        Statement::Query(query) => query.outline().is_some_and(|outline| {
            let [item] = outline.items.as_slice() else {
                return false;
            };
            item.expression == item.span && item.span.range() == (7..probe.len())
        }),
        _ => false,
    };
    let ends_in_comment = bucketline_sql::parse_statement(&format!("SELECT ({text})")).is_err();
    match is_one && !ends_in_comment {
        true => Ok(()),
        false => Err(problem(
            "expression",
            code::model::NOT_ONE_EXPRESSION,
            "this is not one expression".to_owned(),
        )),
    }
}
