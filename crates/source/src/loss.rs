//! Values that could not be kept as the source has them.

use std::collections::BTreeMap;
use std::fmt;

use crate::figures::counted;

/// What was lost of values, and why: the same for all that it is counted of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Loss {
    /// What they are values of, and where: `Webhooks of acme/api`.
    pub subject: String,
    /// How.
    pub how: Lost,
}

/// How values were lost.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lost {
    /// They are of another type than their column, and were read as NULL.
    Type {
        /// Where in the row, member by member.
        path: String,
        /// What the column takes.
        expected: &'static str,
        /// What was there.
        found: &'static str,
    },
    /// Halves of surrogate pairs, which are no characters; U+FFFD stands in their place.
    Halves,
    /// Bytes that are not UTF-8; U+FFFD stands in their place.
    Foreign,
    /// Rows without what tells them apart, which were left out.
    Keyless {
        /// The list that they are in.
        list: String,
        /// The member that they lack.
        key: &'static str,
    },
}

/// Losses and of how many values each is; they add up over all answers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Losses(BTreeMap<Loss, u64>);

impl Losses {
    /// Counts a loss of some values.
    pub fn add(&mut self, loss: Loss, values: u64) {
        *self.0.entry(loss).or_default() += values;
    }

    /// Values lost in all.
    pub fn values(&self) -> u64 {
        self.0.values().sum()
    }

    /// A line for each loss.
    pub fn notes(&self) -> impl Iterator<Item = String> + '_ {
        self.0.iter().map(|(loss, values)| loss.of(*values))
    }
}

impl Loss {
    /// The loss of so many values, for people.
    pub fn of(&self, values: u64) -> String {
        let Self { subject, how } = self;
        match how {
            Lost::Type { .. } => {
                format!(
                    "{subject}: {how}; {} read as NULL",
                    counted(values, "value")
                )
            }
            Lost::Halves | Lost::Foreign => format!(
                "{subject}: {how}; {} read as U+FFFD",
                counted(values, "character")
            ),
            Lost::Keyless { .. } => {
                let rows = counted(values, "row");
                format!("{subject}: {how}; {rows} left out, and no row of a copy is deleted")
            }
        }
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Type {
                path,
                expected,
                found,
            } => write!(f, "`{path}`: expected {expected}, found {found}"),
            Self::Halves => f.write_str("half a surrogate pair is no character"),
            Self::Foreign => f.write_str("bytes that are not UTF-8 are no character"),
            Self::Keyless { list, key } => write!(f, "`{list}` has entries without `{key}`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Loss, Losses, Lost};

    #[test]
    fn losses_of_one_kind_add_up() {
        let loss = |how| Loss {
            subject: "Webhooks of acme/api".to_owned(),
            how,
        };
        let flag = || {
            loss(Lost::Type {
                path: "active".to_owned(),
                expected: "true or false",
                found: "a text",
            })
        };
        let mut losses = Losses::default();
        losses.add(flag(), 1);
        losses.add(loss(Lost::Halves), 2);
        losses.add(flag(), 1_999);
        assert_eq!(losses.values(), 2_002);
        assert_eq!(
            losses.notes().collect::<Vec<_>>(),
            [
                "Webhooks of acme/api: `active`: expected true or false, found a text; 2,000 values read as NULL",
                "Webhooks of acme/api: half a surrogate pair is no character; 2 characters read as U+FFFD",
            ]
        );
    }
}
