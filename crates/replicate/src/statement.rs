//! The statement as the executor needs it: target, declared columns, options.

use bucketline_destination::{Exact, TableName};
use bucketline_engine::DEFAULT_DESTINATION;
use bucketline_sql as sql;
use chrono::{DateTime, NaiveDateTime, Utc};
use sql::{OptionName, OptionValue, ReplicateOption};

use crate::declared::Declared;
use crate::{Error, Result, code};

/// A REPLICATE statement.
#[derive(Debug, Clone)]
pub(crate) struct Statement {
    /// The destination's table.
    pub(crate) table: TableName,
    /// The statement's text without secrets.
    pub(crate) text: String,
    /// The declared columns.
    pub(crate) declared: Option<Declared>,
    /// Its options.
    pub(crate) options: Options,
}

/// The options that are carried out.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) drop_table: bool,
    pub(crate) truncate_table: bool,
    pub(crate) alter_schema: bool,
    pub(crate) batch_size: Option<usize>,
    pub(crate) start: Option<DateTime<Utc>>,
    pub(crate) drop_missing: bool,
    pub(crate) deletes: Deletes,
    pub(crate) history: bool,
    pub(crate) adopt: bool,
    pub(crate) detect_deletes: bool,
    /// The first of these that is there is to tell what has changed.
    pub(crate) check_columns: Vec<String>,
    /// The first load is to be read in windows of time.
    pub(crate) windows: bool,
}

/// What becomes of a row that the source has deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deletes {
    /// It leaves the table.
    Remove,
    /// It stays, marked.
    Mark,
    /// It stays as it is.
    Skip,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            drop_table: false,
            truncate_table: false,
            alter_schema: true,
            batch_size: None,
            start: None,
            drop_missing: false,
            deletes: Deletes::Remove,
            history: false,
            adopt: false,
            detect_deletes: false,
            check_columns: Vec::new(),
            windows: false,
        }
    }
}

impl Statement {
    /// Reads a parsed statement.
    ///
    /// # Errors
    /// [`code::UNSUPPORTED`](crate::code::UNSUPPORTED) for an option that cannot be carried out,
    /// [`code::COLUMNS`](crate::code::COLUMNS) for a declared type without a counterpart.
    pub(crate) fn read(statement: &sql::Replicate) -> Result<Self> {
        let table = target(&statement.destination, &statement.options);
        let by_name = !matches!(statement.source, sql::Source::Query(_));
        let cuts = statement.options.flag(OptionName::AutoTruncateStrings) == Some(true);
        let declared = statement
            .columns
            .as_ref()
            .map(|list| Declared::read(list, by_name, cuts));
        Ok(Self {
            table,
            text: sql::Statement::Replicate(statement.clone()).masked(),
            declared: declared.transpose()?,
            options: Options::read(&statement.options)?,
        })
    }
}

/// The destination's table of a name, as it is written behind `TableNamePrefix`; `CacheSchema` is for a name without a
/// schema.
pub(crate) fn target(name: &sql::Name, options: &sql::Options) -> TableName {
    let schema = name.qualifier().last();
    let schema = schema.filter(|schema| !schema.is(DEFAULT_DESTINATION));
    let prefix = options.text(OptionName::TableNamePrefix);
    TableName {
        schema: schema
            .map(|schema| schema.text.as_str())
            .or(options.text(OptionName::CacheSchema))
            .map(str::to_owned),
        name: format!("{}{}", prefix.unwrap_or_default(), name.last().text),
        exact: Exact {
            schema: schema.is_some_and(|schema| schema.exact),
            name: name.last().exact,
        },
    }
}

impl Options {
    fn read(given: &sql::Options) -> Result<Self> {
        let mut options = Self::default();
        let mut skips = false;
        for option in given.iter() {
            let flag = option.value == OptionValue::Bool(true);
            match (option.name, &option.value) {
                (OptionName::DropTable, _) => options.drop_table = flag,
                (OptionName::TruncateTable, _) => options.truncate_table = flag,
                (OptionName::AlterSchema, _) => options.alter_schema = flag,
                // The declared columns have the lengths.
                (OptionName::AutoTruncateStrings, _) => {}
                (OptionName::IncrementalCheckColumns, OptionValue::List(columns)) => {
                    options.check_columns.clone_from(columns);
                }
                (OptionName::ReplicateInterval | OptionName::ReplicateIntervalUnit, _) => {
                    options.windows = true;
                }
                (OptionName::DropMissingRepositories, _) => options.drop_missing = flag,
                (OptionName::EnableHistoryMode, _) => options.history = flag,
                (OptionName::SkipDeleted, _) => skips = flag,
                (OptionName::AdoptTable, _) => options.adopt = flag,
                (OptionName::DetectDeletes, OptionValue::Choice(word)) => {
                    options.detect_deletes = *word == "KEYS";
                }
                (OptionName::DeleteOption, OptionValue::Choice(word)) => {
                    options.deletes = match *word {
                        "SoftDelete" => Deletes::Mark,
                        "Skip" => Deletes::Skip,
                        _ => Deletes::Remove,
                    };
                }
                (OptionName::BatchSize, OptionValue::Int(rows)) => {
                    options.batch_size = usize::try_from(*rows).ok().filter(|rows| *rows > 0);
                }
                (OptionName::ReplicateStartDate, OptionValue::DateTime(text)) => {
                    options.start = Some(instant(text).ok_or_else(|| unsupported(option))?);
                }
                (OptionName::ReplicateStartDate, OptionValue::Int(_)) => {
                    return Err(no_date(option));
                }
                // The first two are in the table's name; who runs the statement carries out the others.
                (
                    OptionName::CacheSchema
                    | OptionName::TableNamePrefix
                    | OptionName::CommandTimeout
                    | OptionName::ContinueOnError
                    | OptionName::LostValues,
                    _,
                ) => {}
                (OptionName::UseGmtDateTime, OptionValue::Bool(false)) => {
                    return Err(local_times(option));
                }
                _ if changes_nothing(option) => {}
                _ => return Err(unsupported(option)),
            }
        }
        if skips {
            options.deletes = Deletes::Skip;
        }
        if options.history && options.deletes == Deletes::Mark {
            // Versions tell it already.
            options.deletes = Deletes::Remove;
        }
        Ok(options)
    }
}

/// A value that asks for what happens anyway.
fn changes_nothing(option: &ReplicateOption) -> bool {
    match option.name {
        OptionName::UseGmtDateTime => option.value == OptionValue::Bool(true),
        _ => false,
    }
}

fn unsupported(option: &ReplicateOption) -> Error {
    Error::new(
        code::UNSUPPORTED,
        format!("the option {option} is understood, but it cannot be carried out yet"),
    )
    .with_hint("leave it out; SHOW OPTIONS lists all that there are")
    .at(option.written.span.to(option.value_span))
}

fn no_date(option: &ReplicateOption) -> Error {
    Error::new(
        code::UNSUPPORTED,
        format!("{option}: a number names no moment from which rows could be read"),
    )
    .with_hint("write 'yyyy-mm-dd' or 'yyyy-mm-dd hh:mm:ss'; without it all rows are read")
    .at(option.written.span.to(option.value_span))
}

fn local_times(option: &ReplicateOption) -> Error {
    Error::new(
        code::UNSUPPORTED,
        "times are always written in GMT: an hour of local time comes twice each autumn, so the rows of that hour \
         could not be told apart by when they changed",
    )
    .with_hint("leave UseGmtDateTime out, and convert times in the queries that read the copy")
    .at(option.written.span.to(option.value_span))
}

/// `yyyy-mm-ddThh:mm:ss[.fff]` in GMT.
fn instant(text: &str) -> Option<DateTime<Utc>> {
    NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f")
        .ok()
        .map(|time| time.and_utc())
}
