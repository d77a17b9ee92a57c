//! Names with marks, and what people see instead.

use std::borrow::Cow;

use datafusion::arrow::datatypes::Schema;

use super::from_clause::Column;

/// Stands between a name and the number that tells it from its like.
pub(super) const MARK: char = '\u{1f}';

/// A text of the planner's without the marks of its names.
pub(crate) fn unmarked(text: &str) -> Cow<'_, str> {
    if !text.contains(MARK) {
        return Cow::Borrowed(text);
    }
    let mut parts = text.split(MARK);
    let mut plain = parts.next().unwrap_or_default().to_owned();
    parts.for_each(|part| plain.push_str(part.trim_start_matches(|c: char| c.is_ascii_digit())));
    Cow::Owned(plain)
}

/// What the columns of a query's result are called.
#[derive(Debug, Clone, Default)]
pub(crate) struct Headings(pub(super) Vec<Option<Column>>);

impl Headings {
    /// The headings of a plan's columns: its own names where they are not known better.
    pub(crate) fn over(&self, schema: &Schema) -> Vec<String> {
        let mut headings: Vec<String> = schema
            .fields()
            .iter()
            .map(|field| unmarked(field.name()).into_owned())
            .collect();
        let known = |column: &&Option<Column>| column.is_some();
        let before: Vec<_> = self.0.iter().take_while(known).flatten().collect();
        let is_whole = before.len() == self.0.len();
        // Behind columns of which it is not known how many they are, they are counted from the end.
        let behind = self.0.iter().rev().take_while(known).flatten();
        let behind: Vec<_> = behind.take(if is_whole { 0 } else { usize::MAX }).collect();
        let named = before.len() + behind.len();
        if named > headings.len() || (is_whole && named != headings.len()) {
            return headings;
        }
        let ends = headings.iter_mut().rev().zip(behind);
        ends.for_each(|(heading, column)| heading.clone_from(&column.heading));
        let starts = headings.iter_mut().zip(before);
        starts.for_each(|(heading, column)| heading.clone_from(&column.heading));
        headings
    }
}
