//! Tables made, and made to fit a plan.
//!
//! SQLite adds columns in place. A type or a key can only be changed by making the table anew around its rows:
//! the statement that made it is taken apart, our columns and the key are put in as they are to be, and all
//! else in it stays: columns that the user added, constraints. Then its indexes and triggers are made again.
//! Views refer to the table by its name and are not touched.

use bucketline_destination::{
    ColumnType, DELETED, Error, Evolution, Layout, Result, StoredColumn, code, convert,
};
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::{ToSql, Value};
use rusqlite::{Connection, TransactionBehavior, params};

use crate::cell::{Cells, declaration};
use crate::decode::one;
use crate::error::Doing;
use crate::name::{self, quote, quote_all};
use crate::physical::{self, Found};

/// The SQL function that converts a stored value from one column type to a wider one.
pub(crate) const CONVERT: &str = "_bucketline_convert";

const DOING: &str = "changing the table";

/// Adds the SQL functions that this module uses.
pub(crate) fn add_functions(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function(CONVERT, 3, flags, converted)
}

fn converted(context: &Context<'_>) -> rusqlite::Result<Value> {
    let failed = |error: Error| rusqlite::Error::UserFunctionError(error.into());
    let from: ColumnType = context.get::<String>(1)?.parse().map_err(failed)?;
    let to: ColumnType = context.get::<String>(2)?.parse().map_err(failed)?;
    let value = context.get_raw(0);
    // What is not of the column's type was put there by hand, and stays as it is.
    let Some(array) = one(value, from) else {
        return Value::try_from(value).map_err(Into::into);
    };
    let array = convert(&array, to).map_err(failed)?;
    let cell = Cells::new(&array, to).get(0).map_err(failed)?;
    match cell.to_sql()? {
        rusqlite::types::ToSqlOutput::Borrowed(value) => Value::try_from(value).map_err(Into::into),
        rusqlite::types::ToSqlOutput::Owned(value) => Ok(value),
        _ => Ok(Value::Null),
    }
}

/// Does work in one transaction in which tables may be made anew: foreign keys of the user's must not see a
/// table go away for a moment, and the names in views and triggers must not follow it. Both can only be
/// switched outside of a transaction.
pub(crate) fn with_tables_unlinked<T>(
    connection: &mut Connection,
    unlinked: bool,
    work: impl FnOnce(&Connection) -> Result<T>,
) -> Result<T> {
    if !unlinked {
        return in_transaction(connection, work);
    }
    let foreign_keys: bool = connection
        .query_row("PRAGMA foreign_keys", [], |row| row.get(0))
        .doing(DOING)?;
    connection
        .execute_batch("PRAGMA foreign_keys = OFF; PRAGMA legacy_alter_table = ON")
        .doing(DOING)?;
    let result = in_transaction(connection, work);
    connection
        .pragma_update(None, "legacy_alter_table", false)
        .doing(DOING)?;
    connection
        .pragma_update(None, "foreign_keys", foreign_keys)
        .doing(DOING)?;
    result
}

/// Does work in one transaction, which is rolled back if it fails.
pub(crate) fn in_transaction<T>(
    connection: &mut Connection,
    work: impl FnOnce(&Connection) -> Result<T>,
) -> Result<T> {
    let doing = match connection.path() {
        Some(path) if !path.is_empty() => format!("writing to SQLite {path}"),
        _ => String::from("writing to SQLite in memory"),
    };
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .doing(&doing)?;
    let result = work(&transaction)?;
    transaction.commit().doing(&doing)?;
    Ok(result)
}

/// Makes a table.
///
/// The key is declared as the primary key of an ordinary table with row ids. `WITHOUT ROWID` would keep the
/// rows in the key's tree: that tree then holds whole rows of dozens of columns, and rows whose keys come in
/// no order are written to it at random places. `examples/insert.rs` measures a load.
pub(crate) fn create(connection: &Connection, name: &str, layout: &Layout) -> Result<()> {
    let mut parts: Vec<String> = layout.columns.iter().map(column_definition).collect();
    parts.extend(key_definition(layout));
    let sql = format!(
        "CREATE TABLE {} (\n  {}\n)",
        quote(name),
        parts.join(",\n  ")
    );
    connection.execute_batch(&sql).doing("creating the table")
}

/// Drops a table of ours.
pub(crate) fn drop_table(connection: &Connection, name: &str) -> Result<()> {
    let sql = format!("DROP TABLE IF EXISTS {}", quote(name));
    connection.execute_batch(&sql).doing("dropping a table")
}

/// Refuses to add a column where the table has one of that name that no load has made.
pub(crate) fn check_added(
    connection: &Connection,
    found: &Found,
    layout: &Layout,
    evolution: &Evolution,
) -> Result<()> {
    let columns = physical::columns(connection, &found.name)?;
    let mut added = evolution.added.iter().map(|place| &layout.columns[*place]);
    let other = added.find_map(|added| {
        let mut columns = columns.iter();
        columns.find(|column| column.name.eq_ignore_ascii_case(&added.name))
    });
    let Some(other) = other else {
        return Ok(());
    };
    let message = format!(
        "the column `{}` is to be added, and the table has one of that name that no load has made",
        other.name
    );
    Err(Error::new(code::NOT_OURS, message)
        .with_hint("give the column another name with AS, or rename or drop the table's"))
}

/// Makes a table fit a layout. `found` is what is there now.
pub(crate) fn evolve(
    connection: &Connection,
    found: &Found,
    folded: &str,
    layout: &Layout,
    evolution: &Evolution,
) -> Result<()> {
    let table = quote(&found.name);
    let execute = |sql: &str| connection.execute_batch(sql).doing(DOING);
    if evolution.rekeyed {
        execute(&format!("DELETE FROM {table}"))?;
    }
    check_added(connection, found, layout, evolution)?;
    for place in &evolution.added {
        let column = &layout.columns[*place];
        // A column that is part of a new key gets its NOT NULL below.
        let plain = StoredColumn {
            key: false,
            ..column.clone()
        };
        execute(&format!(
            "ALTER TABLE {table} ADD COLUMN {}",
            column_definition(&plain)
        ))?;
    }
    if evolution.rekeyed || !evolution.widened.is_empty() {
        let found = physical::find(connection, &found.name)?.unwrap_or_else(|| found.clone());
        rebuild(connection, &found, folded, layout, evolution)?;
    }
    if !evolution.retired.is_empty() {
        let names = || {
            evolution
                .retired
                .iter()
                .map(|place| quote(&layout.columns[*place].name))
        };
        let set: Vec<String> = names().map(|name| format!("{name} = NULL")).collect();
        let holds: Vec<String> = names().map(|name| format!("{name} IS NOT NULL")).collect();
        let (set, holds) = (set.join(", "), holds.join(" OR "));
        execute(&format!("UPDATE {table} SET {set} WHERE {holds}"))?;
    }
    Ok(())
}

fn rebuild(
    connection: &Connection,
    found: &Found,
    folded: &str,
    layout: &Layout,
    evolution: &Evolution,
) -> Result<()> {
    let interim = name::rebuilt(folded);
    let statement = Statement::parse(&found.sql).ok_or_else(|| {
        let message = format!(
            "the statement that made {} cannot be understood",
            found.name
        );
        Error::new(code::UNSUPPORTED, message)
            .with_hint("replace the table with DropTable = TRUE, or load into another one")
    })?;
    let attached: Vec<String> = connection
        .prepare(
            "SELECT sql FROM sqlite_master
             WHERE tbl_name = ?1 COLLATE NOCASE AND type IN ('index', 'trigger') AND sql IS NOT NULL",
        )
        .and_then(|mut query| query.query_map(params![found.name], |row| row.get(0))?.collect())
        .doing(DOING)?;
    connection
        .execute_batch(&statement.with(&interim, layout))
        .doing(DOING)?;
    let columns = physical::columns(connection, &found.name)?;
    let names: Vec<&str> = columns
        .iter()
        .filter(|c| !c.generated)
        .map(|c| c.name.as_str())
        .collect();
    let values: Vec<String> = names
        .iter()
        .map(|name| {
            let widened = evolution.widened.iter().find_map(|(place, from)| {
                let column = &layout.columns[*place];
                column
                    .name
                    .eq_ignore_ascii_case(name)
                    .then_some((from, column.column_type))
            });
            match widened {
                Some((from, to)) => format!("{CONVERT}({}, '{from}', '{to}')", quote(name)),
                None => quote(name),
            }
        })
        .collect();
    let (table, interim) = (quote(&found.name), quote(&interim));
    let (names, values) = (quote_all(names.iter().copied()), values.join(", "));
    let sql = format!(
        "INSERT INTO {interim} ({names}) SELECT {values} FROM {table};
         DROP TABLE {table};
         ALTER TABLE {interim} RENAME TO {table};"
    );
    connection.execute_batch(&sql).doing(DOING)?;
    for sql in attached {
        connection
            .execute_batch(&sql)
            .doing("making an index or trigger again")?;
    }
    Ok(())
}

fn column_definition(column: &StoredColumn) -> String {
    let constraint = if column.key {
        " NOT NULL"
    } else if column.name == DELETED {
        " NOT NULL DEFAULT FALSE"
    } else {
        ""
    };
    format!(
        "{} {}{constraint}",
        quote(&column.name),
        declaration(column.column_type)
    )
}

fn key_definition(layout: &Layout) -> Option<String> {
    let key = layout
        .key
        .iter()
        .map(|place| layout.columns[*place].name.as_str());
    (!layout.key.is_empty()).then(|| format!("PRIMARY KEY ({})", quote_all(key)))
}

/// A CREATE TABLE statement taken apart.
#[derive(Debug, PartialEq, Eq)]
struct Statement<'a> {
    /// Columns and constraints.
    parts: Vec<&'a str>,
    /// What follows the closing parenthesis.
    tail: &'a str,
}

impl<'a> Statement<'a> {
    fn parse(sql: &'a str) -> Option<Self> {
        let mut depth = 0_usize;
        let mut start = 0;
        let mut parts = Vec::new();
        for (at, token) in (Scanner { sql, at: 0 }) {
            match token {
                "(" => {
                    depth += 1;
                    if depth == 1 {
                        start = at + 1;
                    }
                }
                ")" => {
                    depth = depth.checked_sub(1)?;
                    if depth == 0 {
                        parts.push(sql[start..at].trim());
                        return Some(Self {
                            parts,
                            tail: sql[at + 1..].trim(),
                        });
                    }
                }
                "," if depth == 1 => {
                    parts.push(sql[start..at].trim());
                    start = at + 1;
                }
                _ => {}
            }
        }
        None
    }

    /// The statement for a table of another name, with our columns and key as the layout says.
    fn with(&self, name: &str, layout: &Layout) -> String {
        let mut columns: Vec<String> = Vec::new();
        let mut constraints: Vec<String> = Vec::new();
        for part in &self.parts {
            let mut tokens = Scanner { sql: part, at: 0 };
            let first = tokens.next().map_or("", |(_, token)| token);
            let bare = unquote(first);
            let ours = layout
                .columns
                .iter()
                .find(|c| c.name.eq_ignore_ascii_case(&bare));
            let is = |word: &str| first.eq_ignore_ascii_case(word);
            if is("PRIMARY") {
                continue;
            } else if ["CONSTRAINT", "UNIQUE", "CHECK", "FOREIGN"]
                .into_iter()
                .any(is)
            {
                constraints.push((*part).to_owned());
            } else if let Some(column) = ours {
                columns.push(column_definition(column));
            } else {
                columns.push((*part).to_owned());
            }
        }
        columns.extend(key_definition(layout));
        columns.extend(constraints);
        let (columns, tail) = (columns.join(",\n  "), self.tail);
        format!("CREATE TABLE {} (\n  {columns}\n) {tail}", quote(name))
            .trim_end()
            .to_owned()
    }
}

/// Walks over the words, quoted texts and signs of a statement; comments and blanks are left out.
struct Scanner<'a> {
    sql: &'a str,
    at: usize,
}

impl<'a> Iterator for Scanner<'a> {
    type Item = (usize, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let rest = &self.sql[self.at..];
            let first = rest.chars().next()?;
            let skipped = if first.is_whitespace() {
                first.len_utf8()
            } else if rest.starts_with("--") {
                rest.find('\n').map_or(rest.len(), |end| end + 1)
            } else if rest.starts_with("/*") {
                rest.find("*/").map_or(rest.len(), |end| end + 2)
            } else {
                let length = token_length(rest, first);
                let token = (self.at, &rest[..length]);
                self.at += length;
                return Some(token);
            };
            self.at += skipped;
        }
    }
}

fn token_length(rest: &str, first: char) -> usize {
    let word = |c: char| c.is_alphanumeric() || c == '_' || c == '$' || !c.is_ascii();
    match first {
        '[' => rest.find(']').map_or(rest.len(), |end| end + 1),
        '"' | '\'' | '`' => {
            let mut at = 1;
            while let Some(end) = rest[at..].find(first) {
                at += end + 1;
                if !rest[at..].starts_with(first) {
                    return at;
                }
                at += 1;
            }
            rest.len()
        }
        c if word(c) => rest.find(|c| !word(c)).unwrap_or(rest.len()),
        c => c.len_utf8(),
    }
}

fn unquote(token: &str) -> String {
    let inner = || {
        token
            .get(1..token.len().saturating_sub(1))
            .unwrap_or_default()
    };
    match token.chars().next() {
        Some('[') => inner().to_owned(),
        Some(quote @ ('"' | '\'' | '`')) => {
            inner().replace(&format!("{quote}{quote}"), &quote.to_string())
        }
        _ => token.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use bucketline_destination::Keeping;

    use super::*;

    #[test]
    fn statements_are_taken_apart_and_put_together() {
        let sql = r#"CREATE TABLE "a(b" ("Id" INTEGER NOT NULL, "x,y" TEXT /* , */, note TEXT DEFAULT 'a,'')',
            [mine] DECIMAL(5,2) CHECK (mine > 0), PRIMARY KEY ("Id"), CHECK (note <> ')')) STRICT"#;
        let statement = Statement::parse(sql).expect("a statement");
        assert_eq!(statement.parts.len(), 6);
        assert_eq!(statement.tail, "STRICT");
        let column = |name: &str, column_type, key| StoredColumn {
            name: name.into(),
            column_type,
            key,
        };
        let layout = Layout {
            columns: vec![
                column("Id", ColumnType::Text, true),
                column("x,y", ColumnType::Float, true),
            ],
            written: vec![0, 1],
            planned: 2,
            key: vec![0, 1],
            keeping: Keeping::Nothing,
        };
        let expected = "CREATE TABLE \"new\" (\n  \"Id\" TEXT NOT NULL,\n  \"x,y\" REAL NOT NULL,\n  \
            note TEXT DEFAULT 'a,'')',\n  [mine] DECIMAL(5,2) CHECK (mine > 0),\n  \
            PRIMARY KEY (\"Id\", \"x,y\"),\n  CHECK (note <> ')')\n) STRICT";
        assert_eq!(statement.with("new", &layout), expected);
    }
}
