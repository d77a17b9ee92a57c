//! The options of REPLICATE ... WITH: which there are, and what was given.

use std::fmt;

use crate::{Ident, Span};

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
    /// What it does, in one line.
    pub doc: &'static str,
}

macro_rules! options {
    ($($name:ident $(| $alias:literal)* : $kind:expr, $doc:literal;)*) => {
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
            doc: $doc,
        }),*];
    };
}

options! {
    DropTable: ValueKind::Bool,
        "Load everything, then drop the destination table and create it anew.";
    TruncateTable | "TruncateTableData": ValueKind::Bool,
        "Load everything, then replace all rows of the destination table.";
    AlterSchema: ValueKind::Bool,
        "Add new source columns to the destination table and widen types.";
    AutoTruncateStrings: ValueKind::Bool,
        "Cut strings that are too long for their column instead of failing.";
    SkipDeleted: ValueKind::Bool,
        "Leave rows in the copy that the source has deleted.";
    ContinueOnError: ValueKind::Bool,
        "Go on with other statements after this one has failed.";
    BatchSize: ValueKind::Int,
        "Rows written in one batch.";
    CommandTimeout: ValueKind::Int,
        "Seconds after which a query is given up.";
    ReplicateStartDate | "ReplicateStartValue": ValueKind::Start,
        "Where the first load begins: a date, or a number for numeric cursors.";
    ReplicateInterval: ValueKind::Int,
        "Width of a window of the first load, in ReplicateIntervalUnit.";
    ReplicateIntervalUnit:
        ValueKind::Choice(&["minutes", "hours", "days", "weeks", "months", "years"]),
        "Unit of ReplicateInterval.";
    IncrementalCheckColumns | "ReplicateTimeCheckColumns": ValueKind::List,
        "Columns of which the first one present tells what has changed.";
    TableNamePrefix: ValueKind::Text,
        "Put before the destination table's name.";
    CacheSchema: ValueKind::Text,
        "Schema of the destination table.";
    UseGmtDateTime: ValueKind::Bool,
        "Write times in GMT.";
    EnableHistoryMode: ValueKind::Bool,
        "Keep every version of a row.";
    DeleteOption: ValueKind::Choice(&["HardDelete", "SoftDelete", "Skip"]),
        "What happens to a row that the source has deleted.";
    OtherCacheOptions: ValueKind::List,
        "Further options of this table, as `name=value` pairs.";
    DropMissingRepositories: ValueKind::Bool,
        "Remove the rows of repositories that are gone.";
    AdoptTable: ValueKind::Bool,
        "Take over an existing table whose columns and key fit.";
    DetectDeletes: ValueKind::Choice(&["KEYS", "NONE"]),
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
