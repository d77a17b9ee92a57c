//! What a statement says.

use crate::mask::mask_source;
use crate::secret::{MASK, is_sensitive};
use crate::{ConnectionString, DataType, Expression, Ident, Name, Options, Query, Span};

/// A statement and where it stands in its script, semicolon excluded.
#[derive(Debug, Clone)]
pub struct Located {
    /// The statement.
    pub statement: Statement,
    /// From its first to its last token.
    pub span: Span,
}

/// One statement.
///
/// `Display` prints text that parses to an equal statement, secrets included;
/// [`Statement::masked`] and `Debug` hide them. Equality ignores places and the case of names.
#[derive(Debug, Clone, PartialEq)]
pub enum Statement {
    /// `REPLICATE ...`
    Replicate(Replicate),
    /// `CHECKCACHE ...`
    CheckCache(CheckCache),
    /// `CACHE ...`
    Cache(Cache),
    /// `GETDELETED FROM ...`
    GetDeleted(GetDeleted),
    /// `EXEC ...`
    Execute(Execute),
    /// `USE ...`
    Use(Use),
    /// `SET name = value`
    Set(Set),
    /// `SET @name = value`
    SetParameter(SetParameter),
    /// `RESET ALL`: takes back what SET has set.
    ResetAll,
    /// `SHOW ...`
    Show(Show),
    /// `DESCRIBE table`
    Describe(Name),
    /// `EXPLAIN ...`
    Explain(Explain),
    /// A query.
    Query(Query),
    /// `CREATE CONNECTION ...`
    CreateConnection(CreateConnection),
    /// `DROP CONNECTION ...`
    DropConnection(DropConnection),
    /// `TEST CONNECTION name`
    TestConnection(Ident),
    /// `CREATE TABLE ...`
    CreateTable(CreateTable),
    /// `CREATE VIEW ...`
    CreateView(CreateView),
    /// `DROP TABLE ...` or `DROP VIEW ...`
    DropOwn(DropOwn),
    /// `TRUNCATE [TABLE] table`
    Truncate(Name),
    /// `INSERT INTO ...` or `UPSERT INTO ...`
    Insert(Insert),
    /// `UPDATE ...`
    Update(Update),
    /// `DELETE FROM ...`
    Delete(Delete),
}

impl Statement {
    /// The words that it begins with, such as `REPLICATE` or `CREATE CONNECTION`.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Replicate(_) => "REPLICATE",
            Self::CheckCache(_) => "CHECKCACHE",
            Self::Cache(_) => "CACHE",
            Self::GetDeleted(_) => "GETDELETED",
            Self::Execute(_) => "EXEC",
            Self::Use(_) => "USE",
            Self::Set(_) | Self::SetParameter(_) => "SET",
            Self::ResetAll => "RESET",
            Self::Show(_) => "SHOW",
            Self::Describe(_) => "DESCRIBE",
            Self::Explain(_) => "EXPLAIN",
            Self::Query(_) => "SELECT",
            Self::CreateConnection(_) => "CREATE CONNECTION",
            Self::DropConnection(_) => "DROP CONNECTION",
            Self::TestConnection(_) => "TEST CONNECTION",
            Self::CreateTable(_) => "CREATE TABLE",
            Self::CreateView(_) => "CREATE VIEW",
            Self::DropOwn(dropped) => match dropped.kind {
                OwnKind::Table => "DROP TABLE",
                OwnKind::View => "DROP VIEW",
            },
            Self::Truncate(_) => "TRUNCATE",
            Self::Insert(insert) if insert.upsert => "UPSERT",
            Self::Insert(_) => "INSERT",
            Self::Update(_) => "UPDATE",
            Self::Delete(_) => "DELETE",
        }
    }
}

/// What names mean from here on, or what is written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Use {
    /// `USE connection[.schema]`: a name of one or two parts.
    Connection(Name),
    /// `USE DESTINATION connection`
    Destination(Ident),
}

/// `REPLICATE destination [(columns)] [WITH options] [source] [WITH options]`
#[derive(Debug, Clone, PartialEq)]
pub struct Replicate {
    /// `table` or `schema.table` of the destination.
    pub destination: Name,
    /// The columns, if they are declared.
    pub columns: Option<ColumnList>,
    /// The options, from before and after the source.
    pub options: Options,
    /// Where the rows come from.
    pub source: Source,
}

/// Where REPLICATE takes its rows from.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// Nothing was said: the source's table named like the last part of the destination.
    SameName,
    /// That table.
    Table(Name),
    /// That query.
    Query(Box<Query>),
}

/// `(name type, ..., PRIMARY KEY (name, ...))`
#[derive(Debug, Clone)]
pub struct ColumnList {
    /// At least one, no name twice.
    pub columns: Vec<Column>,
    /// Names of declared columns, whether PRIMARY KEY stands behind one or at the end; empty without.
    pub primary_key: Vec<Ident>,
    /// From parenthesis to parenthesis.
    pub span: Span,
}

impl PartialEq for ColumnList {
    fn eq(&self, other: &Self) -> bool {
        self.columns == other.columns && self.primary_key == other.primary_key
    }
}

/// A declared column.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Its name.
    pub name: Ident,
    /// Its type.
    pub data_type: DataType,
    /// NOT NULL stands behind it.
    pub not_null: bool,
}

/// `CHECKCACHE table [AGAINST ...] [WITH REPAIR] [SKIP ...] [START ...] [END ...]`
#[derive(Debug, Clone, PartialEq)]
pub struct CheckCache {
    /// The table of the destination that is checked.
    pub table: Name,
    /// What it is held against, if not what filled it.
    pub against: Option<Against>,
    /// Whether differences are applied.
    pub repair: bool,
    /// What is left out of the check.
    pub skip: Option<SkipCheck>,
    /// Lower bound of the change column: a literal or a function call.
    pub start: Option<Expression>,
    /// Upper bound of the change column: a literal or a function call.
    pub end: Option<Expression>,
}

/// What CHECKCACHE compares with.
#[derive(Debug, Clone, PartialEq)]
pub enum Against {
    /// A table.
    Table(Name),
    /// A query.
    Query(Box<Query>),
}

/// What CHECKCACHE leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SkipCheck {
    /// Values of rows that both sides have are not compared.
    Modified,
    /// Rows that the source no longer has are left alone.
    Deleted,
}

/// `CACHE [table] [mode] query`
#[derive(Debug, Clone, PartialEq)]
pub struct Cache {
    /// The table written, if not the one read.
    pub table: Option<Name>,
    /// How it is written, if not by key.
    pub mode: Option<CacheMode>,
    /// The rows.
    pub query: Box<Query>,
}

/// How CACHE writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheMode {
    /// Empty the table first.
    Truncate,
    /// Commit each row, skipping bad ones.
    Autocommit,
    /// Create the table only.
    SchemaOnly,
    /// Drop the table first.
    DropExisting,
    /// Add and drop columns to match.
    AlterSchema,
}

/// `GETDELETED FROM table WHERE condition`
#[derive(Debug, Clone, PartialEq)]
pub struct GetDeleted {
    /// The source's table.
    pub table: Name,
    /// A condition on a datetime.
    pub condition: Expression,
}

/// `EXEC procedure [@name = expression, ...]`
#[derive(Debug, Clone, PartialEq)]
pub struct Execute {
    /// The procedure.
    pub procedure: Name,
    /// Its arguments; no name twice.
    pub arguments: Vec<Argument>,
}

/// A named argument. `Debug` hides the value if the name is a secret's.
#[derive(Clone, PartialEq)]
pub struct Argument {
    /// Its name, without `@`.
    pub name: Ident,
    /// Its value.
    pub value: Expression,
}

impl std::fmt::Debug for Argument {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("Argument");
        shown.field("name", &self.name);
        if is_sensitive(&self.name.text) {
            shown.field("value", &MASK).finish()
        } else {
            shown.field("value", &self.value).finish()
        }
    }
}

/// `SET name = value`. `Debug` hides the value if the name is a secret's.
#[derive(Clone)]
pub struct Set {
    /// The setting.
    pub name: Name,
    /// Its value.
    pub value: Value,
    /// Where the value stands.
    pub value_span: Span,
}

/// `SET @name = value`: what a parameter is from here on. `Debug` hides the value if the name is a secret's.
#[derive(Clone, PartialEq)]
pub struct SetParameter {
    /// The parameter, without its sign.
    pub name: Ident,
    /// Its value.
    pub value: Given,
}

/// What SET gives a parameter.
#[derive(Debug, Clone, PartialEq)]
pub enum Given {
    /// A literal; never a [`Value::Word`].
    Value(Value),
    /// What is computed when the statement is run.
    Expression(Expression),
}

/// A value in SET or CREATE CONNECTION.
///
/// Not shown by the `Debug` of what holds it where the name is a secret's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// NULL.
    Null,
    /// TRUE or FALSE.
    Bool(bool),
    /// A number as written, sign included.
    Number(String),
    /// A string.
    Text(String),
    /// A word without quotes, such as an enumeration's.
    Word(String),
}

impl Value {
    /// The value as the text of a connection property: NULL is empty, truth is `true` or `false`.
    pub fn to_text(&self) -> String {
        match self {
            Self::Null => String::new(),
            Self::Bool(value) => value.to_string(),
            Self::Number(text) | Self::Text(text) | Self::Word(text) => text.clone(),
        }
    }
}

/// `SHOW what [FROM name] [LIKE 'pattern']`
#[derive(Debug, Clone, PartialEq)]
pub struct Show {
    /// What is listed.
    pub what: ShowKind,
    /// Where from: a connection, a scope, a table.
    pub from: Option<Name>,
    /// Only names that match.
    pub like: Option<String>,
}

/// What SHOW lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShowKind {
    /// The session's connections.
    Connections,
    /// A connection's schemas.
    Schemas,
    /// A schema's tables.
    Tables,
    /// A table's columns.
    Columns,
    /// A connection's stored procedures.
    Procedures,
    /// The functions.
    Functions,
    /// The options of statements, and their values.
    Options,
    /// The connections' request budgets.
    Budget,
}

impl ShowKind {
    /// All of them, with the words that name them.
    pub const ALL: &[(&'static str, Self)] = &[
        ("CONNECTIONS", Self::Connections),
        ("SCHEMAS", Self::Schemas),
        ("TABLES", Self::Tables),
        ("COLUMNS", Self::Columns),
        ("PROCEDURES", Self::Procedures),
        ("FUNCTIONS", Self::Functions),
        ("OPTIONS", Self::Options),
        ("BUDGET", Self::Budget),
    ];

    /// The word that names it.
    pub fn word(self) -> &'static str {
        let mut all = Self::ALL.iter();
        let found = all.find(|(_, kind)| *kind == self);
        found.map_or("", |(word, _)| word)
    }
}

/// `EXPLAIN [ANALYZE] statement`
#[derive(Debug, Clone, PartialEq)]
pub struct Explain {
    /// Whether the statement is executed and measured, too.
    pub analyze: bool,
    /// What is explained; never another EXPLAIN.
    pub statement: Box<Statement>,
}

/// `CREATE TABLE [IF NOT EXISTS] table (columns)` or `... AS query`
#[derive(Debug, Clone, PartialEq)]
pub struct CreateTable {
    /// `table` or `schema.table` of the destination.
    pub table: Name,
    /// Nothing happens if there is one of that name.
    pub if_absent: bool,
    /// Its columns, or what it is made from.
    pub content: TableContent,
}

/// What a new table has.
#[derive(Debug, Clone, PartialEq)]
pub enum TableContent {
    /// These columns, and no rows.
    Columns(ColumnList),
    /// The columns and rows of a query.
    Query(Box<Query>),
}

/// `CREATE [OR REPLACE] VIEW view AS query`
#[derive(Debug, Clone, PartialEq)]
pub struct CreateView {
    /// `view` or `schema.view` of the destination.
    pub view: Name,
    /// One of that name is replaced.
    pub or_replace: bool,
    /// What it shows.
    pub query: Box<Query>,
}

/// `DROP TABLE [IF EXISTS] table`, and of a view.
#[derive(Debug, Clone, PartialEq)]
pub struct DropOwn {
    /// What is dropped.
    pub kind: OwnKind,
    /// Nothing happens if there is none.
    pub if_exists: bool,
    /// Its name.
    pub name: Name,
}

/// What CREATE makes and DROP drops in a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnKind {
    /// A table.
    Table,
    /// A view.
    View,
}

/// `CREATE [OR REPLACE] CONNECTION name [TYPE type] (WITH (...) | FROM 'connection string')`
#[derive(Debug, Clone, PartialEq)]
pub struct CreateConnection {
    /// Its name.
    pub name: Ident,
    /// Whether one of that name may exist, and is replaced.
    pub or_replace: bool,
    /// The kind of source or destination, if said.
    pub kind: Option<Ident>,
    /// Its properties.
    pub settings: ConnectionSettings,
}

/// The properties of a connection, in either spelling.
#[derive(Debug, Clone, PartialEq)]
pub enum ConnectionSettings {
    /// `WITH (name = value, ...)`; no name twice.
    Properties(Vec<Property>),
    /// `FROM 'name=value;...'`
    Text(ConnectionString),
}

impl ConnectionSettings {
    /// Names and values as texts, in the order written.
    pub fn pairs(&self) -> Vec<(&str, String)> {
        match self {
            Self::Properties(properties) => properties
                .iter()
                .map(|property| (property.name.text.as_str(), property.value.to_text()))
                .collect(),
            Self::Text(string) => string
                .iter()
                .map(|(name, value)| (name, value.to_owned()))
                .collect(),
        }
    }
}

/// A connection property. `Debug` hides the value if the name is a secret's.
#[derive(Clone)]
pub struct Property {
    /// Its name.
    pub name: Ident,
    /// Its value.
    pub value: Value,
    /// Where the value stands.
    pub value_span: Span,
}

impl PartialEq for Property {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.value == other.value
    }
}

impl PartialEq for Set {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.value == other.value
    }
}

fn debug_value(name: &str, value: &Value) -> Value {
    match value {
        _ if is_sensitive(name) => Value::Text(MASK.to_owned()),
        Value::Text(text) => Value::Text(mask_source(text)),
        other => other.clone(),
    }
}

impl std::fmt::Debug for Property {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Property")
            .field("name", &self.name)
            .field("value", &debug_value(&self.name.text, &self.value))
            .finish()
    }
}

impl std::fmt::Debug for Set {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Set")
            .field("name", &self.name)
            .field("value", &debug_value(&self.name.last().text, &self.value))
            .finish()
    }
}

impl std::fmt::Debug for SetParameter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let value: &dyn std::fmt::Debug = match is_sensitive(&self.name.text) {
            true => &MASK,
            false => &self.value,
        };
        f.debug_struct("SetParameter")
            .field("name", &self.name)
            .field("value", value)
            .finish()
    }
}

/// `DROP CONNECTION [IF EXISTS] name`
#[derive(Debug, Clone, PartialEq)]
pub struct DropConnection {
    /// Its name.
    pub name: Ident,
    /// Whether there may be none of that name.
    pub if_exists: bool,
}

/// `INSERT INTO table [(columns)] query` or the same with UPSERT
#[derive(Clone, PartialEq)]
pub struct Insert {
    /// Whether it was UPSERT.
    pub upsert: bool,
    /// The table written.
    pub table: Name,
    /// The columns; empty if not said.
    pub columns: Vec<Ident>,
    /// VALUES or a SELECT.
    pub query: Box<Query>,
}

/// `UPDATE table SET name = expression, ... [WHERE condition]`
#[derive(Debug, Clone, PartialEq)]
pub struct Update {
    /// The table written.
    pub table: Name,
    /// What is set.
    pub assignments: Vec<(Ident, Expression)>,
    /// Which rows; all without it.
    pub condition: Option<Expression>,
}

/// `DELETE FROM table [WHERE condition]`
#[derive(Debug, Clone, PartialEq)]
pub struct Delete {
    /// The table written.
    pub table: Name,
    /// Which rows; all without it.
    pub condition: Option<Expression>,
}

// The query's values go to columns that may be sensitive.
impl std::fmt::Debug for Insert {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let query: &dyn std::fmt::Debug = match self.hides_values() {
            true => &MASK,
            false => &self.query,
        };
        f.debug_struct("Insert")
            .field("upsert", &self.upsert)
            .field("table", &self.table)
            .field("columns", &self.columns)
            .field("query", query)
            .finish()
    }
}

impl Insert {
    /// Whether one of the columns is sensitive.
    pub(crate) fn hides_values(&self) -> bool {
        self.columns.iter().any(|name| is_sensitive(&name.text))
    }
}
