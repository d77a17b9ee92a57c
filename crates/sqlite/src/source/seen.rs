//! The type of a column, from its declaration and from values that it holds.

use bucketline_destination::{ColumnType, iso8601};
use bucketline_source::spec::{ColumnKind, Plain};
use rusqlite::types::ValueRef;

use crate::physical;

/// Whole numbers up to this are exact as floating-point numbers.
pub(super) const EXACT: u64 = 1 << 53;

/// Digits that a floating-point number holds exactly.
const DIGITS: u8 = 15;

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) kind: ColumnKind,
    /// It holds values of several kinds, all of which are read as texts.
    pub(super) is_mixed: bool,
}

impl Kind {
    pub(super) const MIXED: Self = Self {
        kind: ColumnKind::Text,
        is_mixed: true,
    };

    pub(super) fn pure(kind: ColumnKind) -> Self {
        Self {
            kind,
            is_mixed: false,
        }
    }

    /// The type that the state of a copy names.
    pub(super) fn of(column_type: ColumnType) -> Self {
        let plain = |plain| ColumnKind::Plain(plain);
        Self::pure(match column_type {
            ColumnType::Boolean => ColumnKind::Bool,
            ColumnType::Int => ColumnKind::Int,
            ColumnType::Float => ColumnKind::Float,
            ColumnType::Text => ColumnKind::Text,
            ColumnType::Json => ColumnKind::Json,
            ColumnType::Instant => ColumnKind::Timestamp,
            ColumnType::Binary => plain(Plain::Binary),
            ColumnType::Date => plain(Plain::Date),
            ColumnType::Time => plain(Plain::Time),
            ColumnType::LocalTime => plain(Plain::LocalTime),
            ColumnType::Duration => plain(Plain::Duration),
            ColumnType::Decimal { precision, scale } => plain(Plain::Decimal { precision, scale }),
        })
    }
}

/// What was seen of a column's values.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    null: bool,
    integer: bool,
    real: bool,
    text: bool,
    blob: bool,
    /// A whole number other than 0 and 1.
    beyond_boolean: bool,
    /// A whole number that no floating-point number is.
    beyond_float: bool,
    /// A number that the declared decimal is not.
    beyond_decimal: bool,
    /// A text that is none, by the rules of Unicode.
    broken: bool,
    not_instant: bool,
    /// A text that is not the one that we write of the moment.
    not_fixed: bool,
    not_date: bool,
    not_time: bool,
}

impl Seen {
    /// Takes a value into account; `decimal` is the declared one.
    pub(super) fn see(&mut self, value: ValueRef<'_>, decimal: Option<(u8, i8)>) {
        match value {
            ValueRef::Null => self.null = true,
            ValueRef::Integer(number) => {
                self.integer = true;
                self.beyond_boolean |= !matches!(number, 0 | 1);
                self.beyond_float |= number.unsigned_abs() > EXACT;
                self.beyond_decimal |= !fits(&number.to_string(), decimal);
            }
            ValueRef::Real(number) => {
                self.real = true;
                self.beyond_decimal |= !fits(&number.to_string(), decimal);
            }
            ValueRef::Text(text) => {
                self.text = true;
                let Ok(text) = std::str::from_utf8(text) else {
                    self.broken = true;
                    return;
                };
                let moment = iso8601::parse_instant(text);
                self.not_instant |= moment.is_none();
                let fixed = moment.and_then(iso8601::instant);
                self.not_fixed |= fixed.is_none_or(|fixed| fixed.as_str() != text);
                self.not_date |= iso8601::parse_date(text).is_none();
                self.not_time |= iso8601::parse_time(text).is_none();
            }
            ValueRef::Blob(_) => self.blob = true,
        }
    }

    /// The values may be a key's: none is missing, and two that differ are read as two that differ.
    pub(super) fn may_be_key(&self) -> bool {
        let is_of_two_kinds = self.integer && self.text;
        !(self.null || self.real || self.blob || self.broken || is_of_two_kinds)
    }

    /// All texts are moments as we write them, so that they sort as what they name.
    pub(super) fn is_fixed(&self) -> bool {
        !(self.integer || self.real || self.blob || self.broken || self.not_fixed)
    }

    /// The type of a key column: dates stay texts, since one day has several spellings.
    pub(super) fn key_kind(&self, declared: &str) -> Kind {
        Kind::pure(match (self.integer, self.text) {
            (true, _) => ColumnKind::Int,
            (_, true) => ColumnKind::Text,
            _ if physical::declared_type(declared) == Some(ColumnType::Int) => ColumnKind::Int,
            _ => ColumnKind::Text,
        })
    }

    /// The type as declared if all values are of it, else what they are, else text.
    pub(super) fn kind(&self, declared: &str) -> Kind {
        let declared_kind = declared_kind(declared);
        let as_declared = |kind| declared_kind.filter(|declared| *declared == kind);
        let decimal = declared_kind
            .filter(|kind| matches!(kind, ColumnKind::Plain(Plain::Decimal { .. })))
            .filter(|_| !self.beyond_decimal);
        Kind::pure(match (self.integer, self.real, self.text, self.blob) {
            (false, false, false, false) => declared_kind.unwrap_or(ColumnKind::Text),
            (true, false, false, false) => {
                let boolean = as_declared(ColumnKind::Bool).filter(|_| !self.beyond_boolean);
                let float = as_declared(ColumnKind::Float).filter(|_| !self.beyond_float);
                boolean.or(float).or(decimal).unwrap_or(ColumnKind::Int)
            }
            (integer, true, false, false) if !(integer && self.beyond_float) => {
                decimal.unwrap_or(ColumnKind::Float)
            }
            (false, false, true, false) if !self.broken => self.text_kind(declared_kind),
            (false, false, false, true) => ColumnKind::Plain(Plain::Binary),
            _ => return Kind::MIXED,
        })
    }

    fn text_kind(&self, declared: Option<ColumnKind>) -> ColumnKind {
        let date = ColumnKind::Plain(Plain::Date);
        let time = ColumnKind::Plain(Plain::Time);
        match declared {
            Some(ColumnKind::Json) => ColumnKind::Json,
            Some(kind) if kind == date && !self.not_date => date,
            Some(kind) if kind == time && !self.not_time => time,
            Some(kind) if (kind == date || kind == ColumnKind::Timestamp) && !self.not_instant => {
                ColumnKind::Timestamp
            }
            _ => ColumnKind::Text,
        }
    }
}

/// The type that a declared type stands for, in upper case.
fn declared_kind(declared: &str) -> Option<ColumnKind> {
    if let Some((precision, scale)) = declared_decimal(declared) {
        return Some(ColumnKind::Plain(Plain::Decimal { precision, scale }));
    }
    // DATE and TIME alone are what they say, and DATETIME is both.
    match physical::declared_type(declared)? {
        ColumnType::Text if declared.contains("CHAR") || declared.contains("TEXT") => {
            Some(ColumnKind::Text)
        }
        ColumnType::Text if declared.contains("DATETIME") || declared.contains("TIMESTAMP") => {
            Some(ColumnKind::Timestamp)
        }
        ColumnType::Text if declared.contains("DATE") => Some(ColumnKind::Plain(Plain::Date)),
        ColumnType::Text if declared.contains("TIME") => Some(ColumnKind::Plain(Plain::Time)),
        other => Some(Kind::of(other).kind),
    }
}

/// `(10, 2)` of `DECIMAL(10,2)` and `NUMERIC(10, 2)`, if SQLite keeps such numbers exactly.
pub(super) fn declared_decimal(declared: &str) -> Option<(u8, i8)> {
    let digits = ["DECIMAL", "NUMERIC"]
        .iter()
        .find_map(|word| declared.strip_prefix(word))?;
    let digits = digits.trim().strip_prefix('(')?.strip_suffix(')')?;
    let (precision, scale) = digits.split_once(',').unwrap_or((digits, "0"));
    let precision: u8 = precision.trim().parse().ok()?;
    let scale: u8 = scale.trim().parse().ok()?;
    let sound = (1..=DIGITS).contains(&precision) && scale <= precision;
    sound.then_some((precision, i8::try_from(scale).ok()?))
}

/// A number, written out, has no more digits than the decimal.
pub(super) fn fits(number: &str, decimal: Option<(u8, i8)>) -> bool {
    let Some((precision, scale)) = decimal else {
        return true;
    };
    let digits = number.trim_start_matches('-');
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let (precision, scale) = (usize::from(precision), usize::try_from(scale).unwrap_or(0));
    let is_plain = digits
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    is_plain
        && fraction.trim_end_matches('0').len() <= scale
        && whole.trim_start_matches('0').len() <= precision - scale
}
