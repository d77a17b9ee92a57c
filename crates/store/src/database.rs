//! What the operations see of either database.

use std::fmt::Debug;
use std::str::FromStr;

use async_trait::async_trait;
use bucketline_app::store::TokenGuard;
use bucketline_app::{Error, NodeId, Result};
use bucketline_core::code;
use chrono::{DateTime, Utc};
use futures::future::BoxFuture;

/// What is done in one transaction. It may be started again if the connection broke before anything was done.
pub(crate) type Work<T> =
    Box<dyn for<'t> FnOnce(&'t mut dyn Transaction) -> BoxFuture<'t, Result<T>> + Send>;

/// Whether a transaction writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// It sees one state of the database.
    Read,
    /// It writes.
    Write,
}

/// A database with our schema.
pub(crate) trait Database: Debug + Send + Sync + 'static {
    /// Carries out a transaction, which is committed if it succeeds.
    fn transact<T: Send + 'static>(
        &self,
        mode: Mode,
        work: Work<T>,
    ) -> impl Future<Output = Result<T>> + Send;

    /// See [`Store::now`](bucketline_app::Store::now).
    fn now(&self) -> impl Future<Output = Result<DateTime<Utc>>> + Send;

    /// See [`Store::is_shared`](bucketline_app::Store::is_shared).
    fn is_shared(&self) -> bool;

    /// See [`Store::lead`](bucketline_app::Store::lead).
    fn lead(&self, node: NodeId) -> impl Future<Output = Result<bool>> + Send;

    /// Whoever else led has gone.
    fn lead_alone(&self, _node: NodeId) -> impl Future<Output = ()> + Send {
        async {}
    }

    /// See [`Store::lock_tokens`](bucketline_app::Store::lock_tokens).
    fn lock_tokens(
        &self,
        sign_in: &str,
    ) -> impl Future<Output = Result<Box<dyn TokenGuard>>> + Send;

    /// The node leads no longer, if it did.
    fn stop_leading(&self, node: NodeId) -> impl Future<Output = ()> + Send;
}

/// A transaction of either database. Parameters are written `?1`, `?2`, ...
#[async_trait]
pub(crate) trait Transaction: Send {
    /// How the database differs.
    fn dialect(&self) -> &'static Dialect;

    /// Carries out a statement. Returns the number of rows that it changed.
    async fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64>;

    /// The rows of a statement.
    async fn rows(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>>;

    /// Waits until no other transaction has asked the same, and keeps others waiting until this one ends.
    async fn alone(&mut self, topic: Topic) -> Result<()>;
}

impl dyn Transaction + '_ {
    /// The first row, if there is one.
    pub(crate) async fn row(&mut self, sql: &str, values: &[Value]) -> Result<Option<Row>> {
        Ok(self.rows(sql, values).await?.into_iter().next())
    }

    /// The number in the first column of the first row; 0 if there is none.
    pub(crate) async fn number(&mut self, sql: &str, values: &[Value]) -> Result<u64> {
        match self.row(sql, values).await? {
            Some(mut row) => Ok(row.optional_number()?.unwrap_or(0)),
            None => Ok(0),
        }
    }
}

/// What is done by one transaction at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Topic {
    /// Connections and jobs are changed.
    Definitions = 1,
    /// Runs are claimed.
    Claims = 2,
    /// Nodes are given up.
    Nodes = 3,
    /// Runs are queued by the end of another one.
    Following = 4,
}

/// How the databases differ within a statement.
#[derive(Debug)]
pub(crate) struct Dialect {
    /// Behind a SELECT: keeps others from changing its rows until the transaction ends.
    pub(crate) for_update: &'static str,
    /// Behind a SELECT of jobs called `j`: the same, leaving out rows that others keep.
    pub(crate) skip_locked: &'static str,
    /// The time of the database's clock.
    pub(crate) clock: &'static str,
    /// Compares a text with a pattern, the case of letters apart.
    pub(crate) like: &'static str,
    /// Behind the table's name in FROM, with the name of an index: the index that has to be used.
    pub(crate) indexed_by: fn(&str) -> String,
}

/// A value of a statement or of a row. Truth is 1 or 0; times are microseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Null,
    Integer(i64),
    Text(String),
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Integer(number.into())
    }
}

impl From<u64> for Value {
    /// No count comes near to the limit.
    fn from(number: u64) -> Self {
        Self::Integer(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Integer(truth.into())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<DateTime<Utc>> for Value {
    fn from(time: DateTime<Utc>) -> Self {
        Self::Integer(time.timestamp_micros())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// The values of a statement, from whatever can be one.
macro_rules! values {
    ($($value:expr),* $(,)?) => {
        [$($crate::database::Value::from($value)),*]
    };
}

pub(crate) use values;

/// A row, whose values are taken in the order in which they were selected.
#[derive(Debug)]
pub(crate) struct Row(std::vec::IntoIter<Value>);

impl Row {
    pub(crate) fn new(values: Vec<Value>) -> Self {
        Self(values.into_iter())
    }

    fn next(&mut self) -> Result<Value> {
        self.0.next().ok_or_else(|| unexpected("a column"))
    }

    pub(crate) fn optional_integer(&mut self) -> Result<Option<i64>> {
        match self.next()? {
            Value::Null => Ok(None),
            Value::Integer(number) => Ok(Some(number)),
            Value::Text(_) => Err(unexpected("a number")),
        }
    }

    pub(crate) fn integer(&mut self) -> Result<i64> {
        self.optional_integer()?
            .ok_or_else(|| unexpected("a number"))
    }

    pub(crate) fn optional_number<N: TryFrom<i64>>(&mut self) -> Result<Option<N>> {
        let number = self.optional_integer()?;
        let number = number.map(|number| N::try_from(number).map_err(|_| unexpected("a count")));
        number.transpose()
    }

    pub(crate) fn number<N: TryFrom<i64>>(&mut self) -> Result<N> {
        self.optional_number()?.ok_or_else(|| unexpected("a count"))
    }

    pub(crate) fn truth(&mut self) -> Result<bool> {
        Ok(self.integer()? != 0)
    }

    pub(crate) fn optional_text(&mut self) -> Result<Option<String>> {
        match self.next()? {
            Value::Null => Ok(None),
            Value::Text(text) => Ok(Some(text)),
            Value::Integer(_) => Err(unexpected("a text")),
        }
    }

    pub(crate) fn text(&mut self) -> Result<String> {
        self.optional_text()?.ok_or_else(|| unexpected("a text"))
    }

    pub(crate) fn optional_time(&mut self) -> Result<Option<DateTime<Utc>>> {
        let time = self.optional_integer()?;
        let time = time.map(|micros| {
            DateTime::from_timestamp_micros(micros).ok_or_else(|| unexpected("a time"))
        });
        time.transpose()
    }

    pub(crate) fn time(&mut self) -> Result<DateTime<Utc>> {
        self.optional_time()?.ok_or_else(|| unexpected("a time"))
    }

    pub(crate) fn word<W: FromStr>(&mut self) -> Result<W> {
        let text = self.text()?;
        text.parse().map_err(|_| unexpected("a known word"))
    }

    pub(crate) fn optional_json<J: serde::de::DeserializeOwned>(&mut self) -> Result<Option<J>> {
        let text = self.optional_text()?;
        text.map(|text| of_json(&text)).transpose()
    }

    pub(crate) fn json<J: serde::de::DeserializeOwned>(&mut self) -> Result<J> {
        of_json(&self.text()?)
    }
}

pub(crate) fn of_json<J: serde::de::DeserializeOwned>(text: &str) -> Result<J> {
    serde_json::from_str(text)
        .map_err(|error| unexpected("what this version reads").with_source(error))
}

/// # Errors
/// Never, for what the model consists of.
pub(crate) fn to_json<J: serde::Serialize>(value: &J) -> Result<String> {
    serde_json::to_string(value).map_err(|error| {
        Error::new(code::store::DEFECT, "a value cannot be written as JSON").with_source(error)
    })
}

fn unexpected(what: &str) -> Error {
    let message = format!("the store holds something else where {what} belongs");
    Error::new(code::store::DAMAGED, message)
        .with_hint("restore a copy, or run the version of the program that wrote it")
}

/// There is no such thing.
pub(crate) fn not_found(what: &str, number: i64) -> Error {
    Error::new(
        code::store::NOT_FOUND,
        format!("there is no {what} {number}"),
    )
}
