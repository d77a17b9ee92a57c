//! The options of REPLICATE ... WITH: which there are, and what was given.

use std::fmt;

use crate::error::duplicate;
use crate::{Error, Ident, Span, Value};

/// What an option takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueKind {
    /// TRUE or FALSE; the bare name means TRUE.
    Bool,
    /// A whole number, not negative.
    Int,
    /// Any text.
    Text,
    /// `yyyy-mm-dd`, with a time or without, or a whole number.
    Start,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Texts separated by commas.
    List,
}

impl fmt::Display for ValueKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool => f.write_str("TRUE or FALSE"),
            Self::Int => f.write_str("a whole number that is not negative"),
            Self::Text => f.write_str("a text"),
            Self::Start => f.write_str("'yyyy-mm-dd', 'yyyy-mm-dd hh:mm:ss' or a whole number"),
            Self::Choice(words) => write!(f, "one of {}", words.join(", ")),
            Self::List => f.write_str("a text: names separated by commas"),
        }
    }
}

/// An option that exists.
#[derive(Debug, PartialEq, Eq)]
pub struct OptionSpec {
    /// Which one it is.
    pub name: OptionName,
    /// How it is spelled.
    pub text: &'static str,
    /// Other spellings that are accepted.
    pub aliases: &'static [&'static str],
    /// What it takes.
    pub kind: ValueKind,
    /// Its value where none is given, if that is one that could be given.
    pub default: Option<&'static str>,
    /// What it does, in one line.
    pub doc: &'static str,
}

macro_rules! options {
    ($($name:ident $(| $alias:literal)* : $kind:expr, $default:expr, $doc:literal;)*) => {
        /// The options by name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum OptionName {
            $(#[doc = $doc] $name,)*
        }

        /// Every option of REPLICATE.
        pub static REPLICATE_OPTIONS: &[OptionSpec] = &[$(OptionSpec {
            name: OptionName::$name,
            text: stringify!($name),
            aliases: &[$($alias),*],
            kind: $kind,
            default: $default,
            doc: $doc,
        }),*];
    };
}

options! {
    DropTable: ValueKind::Bool, Some("FALSE"),
        "Load everything, then drop the destination table and create it anew.";
    TruncateTable | "TruncateTableData": ValueKind::Bool, Some("FALSE"),
        "Load everything, then replace all rows of the destination table.";
    AlterSchema: ValueKind::Bool, Some("TRUE"),
        "Add new source columns to the destination table and widen types.";
    AutoTruncateStrings: ValueKind::Bool, Some("FALSE"),
        "Cut strings that are too long for their column instead of failing.";
    SkipDeleted: ValueKind::Bool, Some("FALSE"),
        "Leave rows in the copy that the source has deleted.";
    ContinueOnError: ValueKind::Bool, None,
        "Go on with the script after a failed statement; FALSE also stops it where only some repositories failed.";
    LostValues: ValueKind::Choice(&["NOTE", "FAIL"]), Some("NOTE"),
        "What becomes of a statement that read values which their columns cannot hold: a note, or a failure at its end.";
    BatchSize: ValueKind::Int, None,
        "Rows written in one batch.";
    CommandTimeout: ValueKind::Int, None,
        "Seconds after which a statement is cancelled; 0 is never.";
    ReplicateStartDate | "ReplicateStartValue": ValueKind::Start, None,
        "Where the first load begins: a date, or a number for numeric cursors.";
    ReplicateInterval: ValueKind::Int, None,
        "Width of a window of the first load, in ReplicateIntervalUnit.";
    ReplicateIntervalUnit:
        ValueKind::Choice(&["minutes", "hours", "days", "weeks", "months", "years"]), None,
        "Unit of ReplicateInterval.";
    IncrementalCheckColumns | "ReplicateTimeCheckColumns": ValueKind::List, None,
        "Columns of which the first one present tells what has changed.";
    TableNamePrefix: ValueKind::Text, None,
        "Put before the destination table's name.";
    CacheSchema: ValueKind::Text, None,
        "Schema of the destination table.";
    UseGmtDateTime: ValueKind::Bool, Some("TRUE"),
        "Write times in GMT.";
    EnableHistoryMode: ValueKind::Bool, Some("FALSE"),
        "Keep every version of a row.";
    DeleteOption: ValueKind::Choice(&["HardDelete", "SoftDelete", "Skip"]), Some("HardDelete"),
        "What happens to a row that the source has deleted.";
    OtherCacheOptions: ValueKind::List, None,
        "Further options of this table, as `name=value` pairs.";
    DropMissingRepositories: ValueKind::Bool, Some("FALSE"),
        "Remove the rows of repositories that are gone.";
    AdoptTable: ValueKind::Bool, Some("FALSE"),
        "Take over an existing table whose columns and key fit.";
    DetectDeletes: ValueKind::Choice(&["KEYS", "NONE"]), Some("NONE"),
        "How deletes are found that the source does not report: read all keys, or not at all.";
}

impl OptionName {
    /// The option's entry in [`REPLICATE_OPTIONS`].
    pub fn spec(self) -> &'static OptionSpec {
        // The table is made from the same list as the names, in the same order.
        &REPLICATE_OPTIONS[self as usize]
    }
}

impl OptionSpec {
    /// The option called `text`, by its name or an alias, case apart.
    pub fn find(text: &str) -> Option<&'static Self> {
        REPLICATE_OPTIONS.iter().find(|spec| {
            std::iter::once(&spec.text)
                .chain(spec.aliases)
                .any(|known| known.eq_ignore_ascii_case(text))
        })
    }
}

/// An option's value, checked against its [`ValueKind`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OptionValue {
    /// Of [`ValueKind::Bool`].
    Bool(bool),
    /// Of [`ValueKind::Int`], or a number as [`ValueKind::Start`].
    Int(i64),
    /// Of [`ValueKind::Text`].
    Text(String),
    /// A date as [`ValueKind::Start`], in the form `yyyy-mm-ddThh:mm:ss[.fff]`; in GMT unless the
    /// consumer says otherwise.
    DateTime(String),
    /// Of [`ValueKind::Choice`], in the table's spelling.
    Choice(&'static str),
    /// Of [`ValueKind::List`]: not empty, blanks around the entries removed.
    List(Vec<String>),
}

impl fmt::Display for OptionValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
        match self {
            Self::Bool(true) => f.write_str("TRUE"),
            Self::Bool(false) => f.write_str("FALSE"),
            Self::Int(number) => write!(f, "{number}"),
            Self::Text(text) | Self::DateTime(text) => f.write_str(&quoted(text)),
            Self::Choice(word) => f.write_str(word),
            Self::List(entries) => f.write_str(&quoted(&entries.join(", "))),
        }
    }
}

/// One option of a statement.
#[derive(Debug, Clone)]
pub struct ReplicateOption {
    /// Which one.
    pub name: OptionName,
    /// As it was written, possibly an alias.
    pub written: Ident,
    /// Its value.
    pub value: OptionValue,
    /// Where the value stands; the name's place if only that was written.
    pub value_span: Span,
}

impl PartialEq for ReplicateOption {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.value == other.value
    }
}

impl fmt::Display for ReplicateOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}", self.name.spec().text, self.value)
    }
}

/// The options of a statement: each at most once, in the order written.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Options(pub(crate) Vec<ReplicateOption>);

impl Options {
    /// Gives an option a value, in the place of the one that it may have.
    pub fn set(&mut self, option: ReplicateOption) {
        self.unset(option.name);
        self.0.push(option);
    }

    /// Takes an option away.
    pub fn unset(&mut self, name: OptionName) {
        self.0.retain(|option| option.name != name);
    }

    /// These, and those of `others` that are not among them. What is taken from `others` stands at `place`: their
    /// own is in another text.
    #[must_use]
    pub fn or(mut self, others: &Self, place: Span) -> Self {
        for other in others.iter() {
            if self.get(other.name).is_none() {
                let mut option = other.clone();
                option.written.span = place;
                option.value_span = place;
                self.0.push(option);
            }
        }
        self
    }

    /// These, `OtherCacheOptions` replaced by the options that it lists; one that is given by itself counts before
    /// its entry there.
    ///
    /// # Errors
    /// If an entry is not `name=value`, or names no option, or has a value of the wrong kind.
    pub fn expanded(mut self) -> Result<Self, Error> {
        let Some(listed) = self.get(OptionName::OtherCacheOptions).cloned() else {
            return Ok(self);
        };
        self.unset(OptionName::OtherCacheOptions);
        let place = listed.value_span;
        let mut others = Self::default();
        let OptionValue::List(entries) = &listed.value else {
            return Ok(self);
        };
        for entry in entries {
            let (name, value) = entry.split_once('=').unwrap_or((entry, "TRUE"));
            let mut written = Ident::new(name.trim());
            written.span = place;
            let value = Value::Text(value.trim().to_owned());
            let option = ReplicateOption::read(written, &value, place)?;
            if option.name == OptionName::OtherCacheOptions || others.get(option.name).is_some() {
                return Err(duplicate("option", &option.written));
            }
            others.set(option);
        }
        Ok(self.or(&others, place))
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &ReplicateOption> {
        self.0.iter()
    }

    /// Whether none was given.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The one called `name`, if given.
    pub fn get(&self, name: OptionName) -> Option<&ReplicateOption> {
        self.0.iter().find(|option| option.name == name)
    }

    /// The value of a yes-or-no option, if given.
    pub fn flag(&self, name: OptionName) -> Option<bool> {
        match self.get(name)?.value {
            OptionValue::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// The value of a numeric option, if given.
    pub fn int(&self, name: OptionName) -> Option<i64> {
        match self.get(name)?.value {
            OptionValue::Int(value) => Some(value),
            _ => None,
        }
    }

    /// The value of an option that takes a text, a date or a word, if given.
    pub fn text(&self, name: OptionName) -> Option<&str> {
        match &self.get(name)?.value {
            OptionValue::Text(text) | OptionValue::DateTime(text) => Some(text),
            OptionValue::Choice(word) => Some(word),
            _ => None,
        }
    }

    /// The entries of a list option; empty if not given.
    pub fn list(&self, name: OptionName) -> &[String] {
        match self.get(name).map(|option| &option.value) {
            Some(OptionValue::List(entries)) => entries,
            _ => &[],
        }
    }
}
