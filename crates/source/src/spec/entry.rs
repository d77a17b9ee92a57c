//! Reading one TOML table attribute by attribute, gathering mistakes instead of stopping at them.

use std::cell::RefCell;
use std::collections::HashSet;
use std::time::Duration;

use toml::{Table, Value};

/// The mistakes found so far.
#[derive(Debug, Default)]
pub(super) struct Mistakes(RefCell<Vec<String>>);

impl Mistakes {
    pub(super) fn add(&self, place: &str, what: &str) {
        self.0.borrow_mut().push(format!("{place}: {what}"));
    }

    pub(super) fn lines(&self) -> Vec<String> {
        self.0.borrow().clone()
    }
}

/// One TOML table being read; what nobody asked for is a mistake of [`Entry::finish`].
#[derive(Debug)]
pub(super) struct Entry<'a> {
    table: &'a Table,
    place: String,
    asked: HashSet<&'static str>,
    mistakes: &'a Mistakes,
}

impl<'a> Entry<'a> {
    pub(super) fn new(table: &'a Table, place: String, mistakes: &'a Mistakes) -> Self {
        Self {
            table,
            place,
            asked: HashSet::new(),
            mistakes,
        }
    }

    /// The same entry under another name.
    pub(super) fn at(mut self, place: String) -> Self {
        self.place = place;
        self
    }

    /// The same entry, read anew, named inside its place.
    pub(super) fn within(&self, place: &str) -> Self {
        Self::new(
            self.table,
            format!("{}, {place}", self.place),
            self.mistakes,
        )
    }

    /// Another table in the place of this one.
    pub(super) fn instead<'b>(&self, table: &'b Table) -> Entry<'b>
    where
        'a: 'b,
    {
        Entry::new(table, self.place.clone(), self.mistakes)
    }

    pub(super) fn attributes(&self) -> &'a Table {
        self.table
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.table.contains_key(name)
    }

    pub(super) fn mistake(&self, what: &str) {
        self.mistakes.add(&self.place, what);
    }

    /// A text without asking for it.
    pub(super) fn peek(&self, name: &str) -> Option<&'a str> {
        self.table.get(name).and_then(Value::as_str)
    }

    fn get(&mut self, name: &'static str) -> Option<&'a Value> {
        self.asked.insert(name);
        self.table.get(name)
    }

    fn read<T>(
        &mut self,
        name: &'static str,
        what: &str,
        convert: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Option<T> {
        let value = self.get(name)?;
        let read = convert(value);
        if read.is_none() {
            self.mistake(&format!("`{name}` must be {what}, not {}", article(value)));
        }
        read
    }

    pub(super) fn text(&mut self, name: &'static str) -> Option<String> {
        self.read(name, "a text", |value| value.as_str().map(str::to_owned))
    }

    /// A text that must be there and must say something.
    pub(super) fn required_text(&mut self, name: &'static str) -> Option<String> {
        if !self.table.contains_key(name) {
            self.asked.insert(name);
            self.mistake(&format!("`{name}` is missing"));
            return None;
        }
        let text = self.text(name)?;
        if text.trim().is_empty() {
            self.mistake(&format!("`{name}` is empty"));
        }
        Some(text)
    }

    pub(super) fn required_choice<T: Copy>(
        &mut self,
        name: &'static str,
        choices: &[(&str, T)],
    ) -> Option<T> {
        let word = self.required_text(name)?;
        let found = choices
            .iter()
            .find(|(choice, _)| *choice == word)
            .map(|(_, value)| *value);
        if found.is_none() {
            let allowed: Vec<_> = choices.iter().map(|(choice, _)| *choice).collect();
            self.mistake(&format!(
                "`{name}`: `{word}` is not allowed; allowed: {}",
                allowed.join(", ")
            ));
        }
        found
    }

    /// A boolean that is false if absent.
    pub(super) fn flag(&mut self, name: &'static str) -> bool {
        self.flag_or(name, false)
    }

    pub(super) fn flag_or(&mut self, name: &'static str, absent: bool) -> bool {
        self.read(name, "true or false", Value::as_bool)
            .unwrap_or(absent)
    }

    pub(super) fn integer(&mut self, name: &'static str) -> Option<i64> {
        self.read(name, "a whole number", Value::as_integer)
    }

    /// A number and a unit, such as `10m`.
    pub(super) fn duration(&mut self, name: &'static str) -> Option<Duration> {
        let text = self.required_text(name)?;
        let span = duration(&text);
        if span.is_none() {
            self.mistake(&format!(
                "`{name}` must be a whole number and s, m, h or d, such as \"10m\""
            ));
        }
        span
    }

    /// A list; empty if absent.
    pub(super) fn list(&mut self, name: &'static str) -> &'a [Value] {
        self.read(name, "a list", Value::as_array)
            .map_or(&[], Vec::as_slice)
    }

    /// All members of a table whose names are data.
    pub(super) fn members(&self) -> impl Iterator<Item = (&'a String, &'a Value)> {
        self.table.iter()
    }

    /// One text or a list of texts.
    pub(super) fn texts(&mut self, name: &'static str) -> Option<Vec<String>> {
        self.read(name, "a text or a list of texts", |value| match value {
            Value::String(text) => Some(vec![text.clone()]),
            Value::Array(items) => items
                .iter()
                .map(|item| item.as_str().map(str::to_owned))
                .collect(),
            _ => None,
        })
    }

    /// A nested table as it is.
    pub(super) fn table(&mut self, name: &'static str) -> Option<&'a Table> {
        self.read(name, "a table", Value::as_table)
    }

    /// A nested table, placed inside this one.
    pub(super) fn entry(&mut self, name: &'static str) -> Option<Entry<'a>> {
        let table = self.table(name)?;
        Some(Entry::new(
            table,
            format!("{}, {name}", self.place),
            self.mistakes,
        ))
    }

    /// A list of tables, each in this one's place.
    pub(super) fn entries(&mut self, name: &'static str) -> Vec<Entry<'a>> {
        let tables = self.read(name, "a list of tables", |value| {
            value
                .as_array()?
                .iter()
                .map(Value::as_table)
                .collect::<Option<Vec<_>>>()
        });
        let tables = tables.unwrap_or_default().into_iter();
        tables
            .map(|table| Entry::new(table, self.place.clone(), self.mistakes))
            .collect()
    }

    /// Reports the attributes that nobody asked for.
    pub(super) fn finish(&mut self) {
        for name in self
            .table
            .keys()
            .filter(|name| !self.asked.contains(name.as_str()))
        {
            let mut known: Vec<_> = self.asked.iter().copied().collect();
            known.sort_unstable();
            self.mistake(&format!(
                "`{name}` is unknown; allowed: {}",
                known.join(", ")
            ));
        }
    }
}

fn duration(text: &str) -> Option<Duration> {
    let unit = text.chars().last()?;
    let count: u64 = text.strip_suffix(unit)?.parse().ok()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 60 * 60,
        'd' => 24 * 60 * 60,
        _ => return None,
    };
    Some(Duration::from_secs(count.checked_mul(seconds)?))
}

fn article(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "a text",
        Value::Integer(_) => "a whole number",
        Value::Float(_) => "a number",
        Value::Boolean(_) => "true or false",
        Value::Datetime(_) => "a date",
        Value::Array(_) => "a list",
        Value::Table(_) => "a table",
    }
}
