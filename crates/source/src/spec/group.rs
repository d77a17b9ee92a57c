//! Groups of columns: what several tables, or several objects in a row, have alike.
//!
//! A file may define groups; those of all files are known to all tables:
//!
//! ```toml
//! [[group]]
//! name = "account"
//! columns = [
//!   { name = "UUID", type = "text", at = "uuid", doc = "UUID of {of}." },
//!   { name = "Username", type = "text", at = "username", doc = "User name of {of}." },
//! ]
//! ```
//!
//! Among the columns of a table these stand for several:
//!
//! ```toml
//! { group = "account", prefix = "Author", at = "author", of = "the author", with = { UUID = { immutable = true } }, without = ["Username"] },
//! { links = ["self", "html", "commits"] },
//! ```
//!
//! `with` adds attributes to columns of the group. Each link becomes a column such as
//! `LinksSelfHref`; `prefix`, `at` and `of` say whose links they are, if not the row's.

use std::collections::HashMap;

use toml::{Table, Value};

use super::entry::Entry;

/// The groups by their names.
#[derive(Debug, Default)]
pub(super) struct Groups<'a>(HashMap<String, Vec<Entry<'a>>>);

impl<'a> Groups<'a> {
    /// Takes in the groups of a file.
    pub(super) fn read(&mut self, file: &mut Entry<'a>) {
        for entry in file.entries("group") {
            let place = format!("group {}", entry.peek("name").unwrap_or("?"));
            let mut entry = entry.at(place);
            let name = entry.required_text("name");
            let columns = entry.entries("columns");
            if columns.is_empty() {
                entry.mistake("it has no columns");
            }
            entry.finish();
            let Some(name) = name else { continue };
            if self.0.insert(name, columns).is_some() {
                entry.mistake("its name is taken by an earlier group");
            }
        }
    }

    /// The columns that an entry of a table's columns stands for, if it stands for several.
    pub(super) fn expand(&self, entry: &Entry<'_>) -> Option<Vec<Table>> {
        if let Some(name) = entry.peek("group") {
            let entry = entry.within(&format!("group {name}"));
            Some(self.members(entry).unwrap_or_default())
        } else if entry.has("links") {
            Some(links(entry.within("links")))
        } else {
            None
        }
    }

    fn members(&self, mut entry: Entry<'_>) -> Option<Vec<Table>> {
        let name = entry.required_text("group");
        let prefix = entry.required_text("prefix");
        let at = entry.required_text("at");
        let of = entry.required_text("of");
        let with = entry.table("with").cloned().unwrap_or_default();
        let without = entry.texts("without").unwrap_or_default();
        entry.finish();
        let name = name?;
        let Some(group) = self.0.get(&name) else {
            entry.mistake("there is no such group");
            return None;
        };
        let is_member =
            |name: &String| group.iter().any(|column| column.peek("name") == Some(name));
        for name in with.keys().chain(&without).filter(|name| !is_member(name)) {
            entry.mistake(&format!("it has no column `{name}`"));
        }
        let (prefix, at, of) = (prefix?, at?, of?);
        let members = group.iter().filter_map(|column| {
            let text = |attribute| column.peek(attribute).unwrap_or_default();
            let name = text("name");
            if without.iter().any(|other| other == name) {
                return None;
            }
            let mut member = column.attributes().clone();
            if let Some(more) = with.get(name).and_then(Value::as_table) {
                member.extend(more.clone());
            }
            let path = format!("{at}.{}", text("at"));
            member.insert("name".to_owned(), format!("{prefix}{name}").into());
            member.insert("at".to_owned(), path.into());
            member.insert("doc".to_owned(), text("doc").replace("{of}", &of).into());
            Some(member)
        });
        Some(members.collect())
    }
}

fn links(mut entry: Entry<'_>) -> Vec<Table> {
    let names = entry.texts("links").unwrap_or_default();
    let prefix = entry.text("prefix").unwrap_or_default();
    let at = entry.text("at");
    let of = entry.text("of");
    entry.finish();
    let column = |name: &String| {
        let doc = match name.as_str() {
            "self" => "API address".to_owned(),
            "html" => "Web page".to_owned(),
            "avatar" => "Picture".to_owned(),
            other => format!("API address of: {other}"),
        };
        let of = of.as_ref().map_or(String::new(), |of| format!(" of {of}"));
        let place = at.as_ref().map_or(String::new(), |at| format!("{at}."));
        let attributes = [
            ("name", format!("{prefix}Links{}Href", camel_case(name))),
            ("type", "text".to_owned()),
            ("at", format!("{place}links.{name}.href")),
            ("doc", format!("{doc}{of}.")),
        ];
        let attributes = attributes.into_iter();
        attributes
            .map(|(name, value)| (name.to_owned(), Value::from(value)))
            .collect()
    };
    names.iter().map(column).collect()
}

/// `request-changes` as `RequestChanges`.
fn camel_case(name: &str) -> String {
    let words = name.split('-').map(|word| {
        let mut letters = word.chars();
        let first = letters.next().map(|first| first.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    });
    words.collect()
}
