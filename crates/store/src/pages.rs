//! Pages of lists, and the conditions that filter them.

use std::fmt;

use bucketline_app::Result;
use bucketline_app::store::{Count, Cursor, Page, PageRequest};

use crate::database::{Transaction, Value};

/// Conditions that all hold, and their values.
#[derive(Debug, Clone, Default)]
pub(crate) struct Conditions {
    parts: Vec<String>,
    values: Vec<Value>,
}

impl Conditions {
    /// Adds a condition, in which each `?` stands for the next of `values`.
    pub(crate) fn add<V: Into<Value>>(
        &mut self,
        condition: &str,
        values: impl IntoIterator<Item = V>,
    ) {
        let mut pieces = condition.split('?');
        let mut numbered = pieces.next().unwrap_or_default().to_owned();
        for (piece, value) in pieces.zip(values) {
            self.values.push(value.into());
            numbered.push_str(&format!("?{}{piece}", self.values.len()));
        }
        self.parts.push(numbered);
    }

    /// Adds that `column` is one of `words`; nothing if there are none.
    pub(crate) fn add_one_of(&mut self, column: &str, words: &[&str]) {
        if !words.is_empty() {
            let places = vec!["?"; words.len()].join(", ");
            self.add(&format!("{column} IN ({places})"), words.iter().copied());
        }
    }

    /// The values of all conditions.
    pub(crate) fn values(&self) -> &[Value] {
        &self.values
    }

    /// The number of rows of `from` that fit.
    pub(crate) async fn count(&self, tx: &mut dyn Transaction, from: &str) -> Result<Count> {
        let sql = format!("SELECT count(*) FROM {from} {self}");
        Ok(Count::Exactly(tx.number(&sql, &self.values).await?))
    }
}

/// `WHERE ... AND ...`, or nothing.
impl fmt::Display for Conditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, part) in self.parts.iter().enumerate() {
            let word = if index == 0 { "WHERE" } else { " AND" };
            write!(f, "{word} {part}")?;
        }
        Ok(())
    }
}

/// A page of items, of which one more than wanted was looked for.
pub(crate) fn page<T>(
    list: &'static str,
    mut items: Vec<T>,
    request: &PageRequest,
    total: Count,
    keys: impl Fn(&T) -> Vec<String>,
) -> Page<T> {
    let size = request.size() as usize;
    let has_more = items.len() > size;
    items.truncate(size);
    let last = items.last().filter(|_| has_more);
    Page {
        next: last.map(|last| Cursor::new(list, keys(last))),
        items,
        total,
    }
}

/// Numbers as the inside of `IN (...)`.
pub(crate) fn listed(numbers: impl IntoIterator<Item = i64>) -> String {
    let texts: Vec<String> = numbers
        .into_iter()
        .map(|number| number.to_string())
        .collect();
    match texts.is_empty() {
        true => "NULL".to_owned(),
        false => texts.join(", "),
    }
}
