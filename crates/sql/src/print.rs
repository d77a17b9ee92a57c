//! Statements back to text.

use std::fmt::{self, Display, Write};

use crate::secret::{MASK, is_sensitive};
use crate::{
    Against, CacheMode, ColumnList, ConnectionSettings, CreateConnection, Expression, Given, Ident,
    Insert, Options, Query, Replicate, ShowKind, SkipCheck, Source, Statement, TableContent, Use,
    Value, mask_source,
};

impl Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Printer {
            out: f,
            secrets_shown: true,
        }
        .statement(self)
    }
}

impl Statement {
    /// As `Display`, but with `'***'` for the values of sensitive properties and arguments, and for
    /// literals that a query compares with sensitive columns.
    pub fn masked(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = Printer {
            out: &mut text,
            secrets_shown: false,
        }
        .statement(self);
        text
    }
}

impl Statement {
    /// Whether the statement is the masked form of one that holds a secret.
    pub fn has_mask(&self) -> bool {
        self.to_string().contains(&quoted(MASK))
    }
}

struct Printer<'w> {
    out: &'w mut dyn Write,
    secrets_shown: bool,
}

impl Printer<'_> {
    fn statement(&mut self, statement: &Statement) -> fmt::Result {
        match statement {
            Statement::Replicate(replicate) => self.replicate(replicate),
            Statement::CheckCache(check) => {
                write!(self.out, "CHECKCACHE {}", check.table)?;
                match &check.against {
                    Some(Against::Table(name)) => write!(self.out, " AGAINST {name}")?,
                    Some(Against::Query(query)) => {
                        self.out.write_str(" AGAINST (")?;
                        self.query(query)?;
                        self.out.write_str(")")?;
                    }
                    None => {}
                }
                self.out
                    .write_str(if check.repair { " WITH REPAIR" } else { "" })?;
                self.out.write_str(match check.skip {
                    Some(SkipCheck::Modified) => " SKIP MODIFIED",
                    Some(SkipCheck::Deleted) => " SKIP DELETED",
                    None => "",
                })?;
                self.clause("START", check.start.as_ref())?;
                self.clause("END", check.end.as_ref())
            }
            Statement::Cache(cache) => {
                self.out.write_str("CACHE ")?;
                if let Some(table) = &cache.table {
                    write!(self.out, "{table} ")?;
                }
                self.out.write_str(match cache.mode {
                    Some(CacheMode::Truncate) => "WITH TRUNCATE ",
                    Some(CacheMode::Autocommit) => "WITH AUTOCOMMIT ",
                    Some(CacheMode::SchemaOnly) => "WITH SCHEMA ONLY ",
                    Some(CacheMode::DropExisting) => "WITH DROP EXISTING ",
                    Some(CacheMode::AlterSchema) => "WITH ALTER SCHEMA ",
                    None => "",
                })?;
                self.query(&cache.query)
            }
            Statement::GetDeleted(deleted) => {
                write!(self.out, "GETDELETED FROM {}", deleted.table)?;
                self.clause("WHERE", Some(&deleted.condition))
            }
            Statement::Execute(execute) => {
                write!(self.out, "EXEC {}", execute.procedure)?;
                self.separated(&execute.arguments, " ", |printer, argument| {
                    write!(printer.out, "@{} = ", argument.name)?;
                    printer.expression(&argument.name, &argument.value)
                })
            }
            Statement::Use(Use::Connection(name)) => write!(self.out, "USE {name}"),
            Statement::Use(Use::Destination(name)) => write!(self.out, "USE DESTINATION {name}"),
            Statement::Set(set) => {
                write!(self.out, "SET {} = ", set.name)?;
                self.value(&set.name.last().text, &set.value)
            }
            Statement::SetParameter(set) => {
                write!(self.out, "SET @{} = ", set.name)?;
                match &set.value {
                    Given::Value(value) => self.value(&set.name.text, value),
                    Given::Expression(expression) => self.expression(&set.name, expression),
                }
            }
            Statement::ResetAll => self.out.write_str("RESET ALL"),
            Statement::Show(show) => {
                write!(self.out, "SHOW {}", show.what)?;
                if let Some(from) = &show.from {
                    write!(self.out, " FROM {from}")?;
                }
                match &show.like {
                    Some(pattern) => write!(self.out, " LIKE {}", quoted(pattern)),
                    None => Ok(()),
                }
            }
            Statement::Describe(name) => write!(self.out, "DESCRIBE {name}"),
            Statement::Explain(explain) => {
                self.out.write_str(if explain.analyze {
                    "EXPLAIN ANALYZE "
                } else {
                    "EXPLAIN "
                })?;
                self.statement(&explain.statement)
            }
            Statement::Query(query) => self.query(query),
            Statement::CreateConnection(create) => self.create_connection(create),
            Statement::DropConnection(drop) => {
                let if_exists = if drop.if_exists { "IF EXISTS " } else { "" };
                write!(self.out, "DROP CONNECTION {if_exists}{}", drop.name)
            }
            Statement::TestConnection(name) => write!(self.out, "TEST CONNECTION {name}"),
            Statement::CreateTable(create) => {
                let if_absent = if create.if_absent {
                    "IF NOT EXISTS "
                } else {
                    ""
                };
                write!(self.out, "CREATE TABLE {if_absent}{} ", create.table)?;
                match &create.content {
                    TableContent::Columns(columns) => write!(self.out, "{columns}"),
                    TableContent::Query(query) => {
                        self.out.write_str("AS ")?;
                        self.query(query)
                    }
                }
            }
            Statement::CreateView(create) => {
                let or_replace = if create.or_replace { "OR REPLACE " } else { "" };
                write!(self.out, "CREATE {or_replace}VIEW {} AS ", create.view)?;
                self.query(&create.query)
            }
            Statement::DropOwn(dropped) => {
                let if_exists = if dropped.if_exists { "IF EXISTS " } else { "" };
                write!(self.out, "{} {if_exists}{}", statement.verb(), dropped.name)
            }
            Statement::Truncate(table) => write!(self.out, "TRUNCATE TABLE {table}"),
            Statement::Insert(insert) => self.insert(insert),
            Statement::Update(update) => {
                write!(self.out, "UPDATE {} SET", update.table)?;
                self.separated(&update.assignments, " ", |printer, (name, value)| {
                    write!(printer.out, "{name} = ")?;
                    printer.expression(name, value)
                })?;
                self.clause("WHERE", update.condition.as_ref())
            }
            Statement::Delete(delete) => {
                write!(self.out, "DELETE FROM {}", delete.table)?;
                self.clause("WHERE", delete.condition.as_ref())
            }
        }
    }

    fn replicate(&mut self, replicate: &Replicate) -> fmt::Result {
        write!(self.out, "REPLICATE {}", replicate.destination)?;
        if let Some(columns) = &replicate.columns {
            write!(self.out, " {columns}")?;
        }
        if !replicate.options.is_empty() {
            write!(self.out, " WITH {}", replicate.options)?;
        }
        match &replicate.source {
            Source::SameName => Ok(()),
            Source::Table(name) => write!(self.out, " {name}"),
            Source::Query(query) => {
                self.out.write_str(" ")?;
                self.query(query)
            }
        }
    }

    fn create_connection(&mut self, create: &CreateConnection) -> fmt::Result {
        let or_replace = if create.or_replace { "OR REPLACE " } else { "" };
        write!(self.out, "CREATE {or_replace}CONNECTION {}", create.name)?;
        if let Some(kind) = &create.kind {
            write!(self.out, " TYPE {kind}")?;
        }
        match &create.settings {
            ConnectionSettings::Properties(properties) => {
                self.out.write_str(" WITH (")?;
                self.separated(properties, "", |printer, property| {
                    write!(printer.out, "{} = ", property.name)?;
                    printer.value(&property.name.text, &property.value)
                })?;
                self.out.write_str(")")
            }
            ConnectionSettings::Text(string) if self.secrets_shown => {
                write!(self.out, " FROM {}", quoted(&string.to_string()))
            }
            ConnectionSettings::Text(string) => {
                write!(self.out, " FROM {}", quoted(&string.masked()))
            }
        }
    }

    fn insert(&mut self, insert: &Insert) -> fmt::Result {
        let verb = if insert.upsert { "UPSERT" } else { "INSERT" };
        write!(self.out, "{verb} INTO {} ", insert.table)?;
        if !insert.columns.is_empty() {
            self.out.write_str("(")?;
            self.separated(&insert.columns, "", |printer, name| {
                write!(printer.out, "{name}")
            })?;
            self.out.write_str(") ")?;
        }
        if !self.secrets_shown && insert.hides_values() {
            let columns = "INSERT INTO t (password) ";
            let masked = mask_source(&format!("{columns}{}", insert.query));
            return self
                .out
                .write_str(masked.strip_prefix(columns).unwrap_or(MASK));
        }
        self.query(&insert.query)
    }

    fn query(&mut self, query: &Query) -> fmt::Result {
        match self.secrets_shown {
            true => write!(self.out, "{query}"),
            false => self.out.write_str(&query.masked()),
        }
    }

    /// Prints ` WORD expression`, or nothing.
    fn clause(&mut self, word: &str, expression: Option<&Expression>) -> fmt::Result {
        match expression {
            Some(expression) if self.secrets_shown => write!(self.out, " {word} {expression}"),
            Some(expression) => write!(self.out, " {word} {}", expression.masked()),
            None => Ok(()),
        }
    }

    /// Prints `first` and the items with commas between them, or nothing if there are none.
    fn separated<T>(
        &mut self,
        items: &[T],
        first: &str,
        mut item: impl FnMut(&mut Self, &T) -> fmt::Result,
    ) -> fmt::Result {
        for (index, each) in items.iter().enumerate() {
            self.out.write_str(if index == 0 { first } else { ", " })?;
            item(self, each)?;
        }
        Ok(())
    }

    fn value(&mut self, name: &str, value: &Value) -> fmt::Result {
        match value {
            _ if !self.secrets_shown && is_sensitive(name) => write!(self.out, "'{MASK}'"),
            Value::Text(text) if !self.secrets_shown => {
                self.out.write_str(&mask_source(&quoted(text)))
            }
            value => write!(self.out, "{value}"),
        }
    }

    fn expression(&mut self, name: &Ident, value: &Expression) -> fmt::Result {
        if self.secrets_shown {
            write!(self.out, "{value}")
        } else if is_sensitive(&name.text) {
            write!(self.out, "'{MASK}'")
        } else {
            self.out.write_str(&value.masked())
        }
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

impl Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("NULL"),
            Self::Bool(true) => f.write_str("TRUE"),
            Self::Bool(false) => f.write_str("FALSE"),
            Self::Number(text) | Self::Word(text) => f.write_str(text),
            Self::Text(text) => f.write_str(&quoted(text)),
        }
    }
}

impl Display for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, option) in self.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{option}")?;
        }
        Ok(())
    }
}

impl Display for ColumnList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(")?;
        for (index, column) in self.columns.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{} {}", column.name, column.data_type)?;
            if column.not_null {
                f.write_str(" NOT NULL")?;
            }
        }
        for (index, name) in self.primary_key.iter().enumerate() {
            let before = if index == 0 { ", PRIMARY KEY (" } else { ", " };
            write!(f, "{before}{name}")?;
        }
        f.write_str(if self.primary_key.is_empty() {
            ")"
        } else {
            "))"
        })
    }
}

impl Display for ShowKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = Self::ALL
            .iter()
            .find(|(_, kind)| kind == self)
            .map(|(word, _)| *word);
        f.write_str(word.unwrap_or_default())
    }
}
