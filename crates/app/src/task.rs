//! One statement of a job.

use bucketline_core::code;
use bucketline_sql::{Located, OptionName, Options, Parameters, Statement, parse_script_with};
use serde::{Deserialize, Serialize};

use crate::{Problem, TaskId};

/// Bytes that a statement may have.
const LONGEST: usize = 256 << 10;

/// One REPLICATE, CHECKCACHE or CACHE statement. Its text is the only representation: what pages and programs change
/// in it, they change in the text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// Given by the store; a task without is a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<TaskId>,
    /// The statement, comments included; a semicolon at its end is allowed.
    pub statement: String,
    /// Whether runs of the whole job carry it out.
    #[serde(default = "yes")]
    pub enabled: bool,
}

fn yes() -> bool {
    true
}

impl Task {
    /// A new task.
    pub fn new(statement: impl Into<String>) -> Self {
        Self {
            id: None,
            statement: statement.into(),
            enabled: true,
        }
    }

    /// What the statement says.
    ///
    /// # Errors
    /// If the text is not one statement that a task can have. The problem is of the field `statement`.
    pub fn parse(&self) -> Result<Statement, Box<Problem>> {
        self.parse_located().map(|located| located.statement)
    }

    /// The same, with its place in the text: semicolon and comments around it excluded.
    pub(crate) fn parse_located(&self) -> Result<Located, Box<Problem>> {
        task_statement(&self.statement)
    }

    /// The destination's table as the statement names it, prefix and schema apart; `None` if it does not parse.
    pub fn table(&self) -> Option<String> {
        Some(match self.parse().ok()? {
            Statement::Replicate(replicate) => replicate.destination.to_string(),
            Statement::CheckCache(check) => check.table.to_string(),
            Statement::Cache(cache) => match (cache.table, cache.query.table_names().as_slice()) {
                (Some(table), _) => table.to_string(),
                (None, [only]) => only.to_string(),
                _ => return None,
            },
            _ => return None,
        })
    }
}

/// Reads the one statement of a task.
fn task_statement(text: &str) -> Result<Located, Box<Problem>> {
    let problem = |code, message: &str| Problem::new("statement", code, message);
    let of_sql = |error| Box::new(Problem::of("statement", &error));
    if text.len() > LONGEST {
        let longer = problem(
            code::model::OUT_OF_RANGE,
            "the statement is longer than 256 KiB",
        );
        return Err(Box::new(longer));
    }
    let mut script = parse_script_with(text, &Parameters::new()).into_iter();
    let Some(first) = script.next() else {
        let none = problem(code::model::NOT_ONE_STATEMENT, "there is no statement")
            .with_hint("a task is one statement, such as `REPLICATE Issues`");
        return Err(Box::new(none));
    };
    let first = first.map_err(of_sql)?;
    if let Some(second) = script.next() {
        let span = match second {
            Ok(second) => Some(second.span),
            Err(error) => error.span(),
        };
        let mut another = problem(
            code::model::NOT_ONE_STATEMENT,
            "a task is one statement, and here another begins",
        )
        .with_hint("make it a task of its own");
        another.span = span;
        return Err(Box::new(another));
    }
    match first.statement {
        Statement::Replicate(_) | Statement::CheckCache(_) | Statement::Cache(_) => Ok(first),
        other => {
            let message = format!("{} cannot be a task", other.verb());
            let other = problem(code::model::NO_TASK_STATEMENT, &message)
                .with_hint("a task is a REPLICATE, CHECKCACHE or CACHE statement")
                .at(first.span);
            Err(Box::new(other))
        }
    }
}

/// The table that a REPLICATE writes, as far as its own options and those of the job say: two that agree in this
/// write the same table.
pub(crate) fn written_table(statement: &Statement, defaults: &Options) -> Option<String> {
    let Statement::Replicate(replicate) = statement else {
        return None;
    };
    let text = |name| {
        let own = replicate.options.text(name);
        own.or_else(|| defaults.text(name)).unwrap_or_default()
    };
    let table = &replicate.destination;
    let schema = match table.qualifier() {
        [schema, ..] => schema.text.as_str(),
        [] => text(OptionName::CacheSchema),
    };
    let prefix = text(OptionName::TableNamePrefix);
    Some(format!("{schema}.{prefix}{}", table.last().text).to_lowercase())
}
