//! What is replicated into, and how another program reads it.
//!
//! It is a SQLite file, or, if the variable `BUCKETLINE_TEST_DESTINATION` is `postgres`, a database of a private
//! PostgreSQL server: what is promised of one destination is promised of each.

use std::path::{Path, PathBuf};

use bucketline::DestinationSetting;
use bucketline_private_postgres::Server;
use chrono::{DateTime, Utc};
use rusqlite::types::ValueRef;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

const VARIABLE: &str = "BUCKETLINE_TEST_DESTINATION";

/// A row as texts.
pub(crate) type Row = Vec<Option<String>>;

pub(crate) enum Store {
    File(PathBuf),
    Database {
        url: String,
        /// Ends with the test.
        _server: Box<Server>,
    },
}

impl Store {
    /// An empty one; a file is made in `folder` when it is first written to.
    pub(crate) fn new(folder: &Path) -> Self {
        match std::env::var(VARIABLE).as_deref() {
            Err(_) | Ok("sqlite") => Self::File(folder.join("copy.db")),
            Ok("postgres") => Self::on(Server::start().unwrap()),
            Ok(other) => panic!("{VARIABLE} is `{other}`, neither sqlite nor postgres"),
        }
    }

    /// An empty database; none where PostgreSQL is not installed, which is told then.
    pub(crate) fn database() -> Option<Self> {
        Server::for_test().map(Self::on)
    }

    fn on(server: Server) -> Self {
        Self::Database {
            url: server.create_database().unwrap(),
            _server: Box::new(server),
        }
    }

    /// What kind it is, as `.slt` files name it: `onlyif sqlite`, `skipif postgres`.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::File(_) => "sqlite",
            Self::Database { .. } => "postgres",
        }
    }

    /// As `--destination` takes it.
    pub(crate) fn address(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Database { url, .. } => url.clone(),
        }
    }

    pub(crate) fn setting(&self) -> DestinationSetting {
        DestinationSetting::parse("test", &self.address(), |_| false).unwrap()
    }

    /// What another program reads, or changes. A name in double quotes is that of a table or column in the spelling
    /// of our statements; values are written as SQLite has them.
    pub(crate) fn rows(&self, sql: &str) -> Result<Vec<Row>, String> {
        match self {
            Self::File(path) => from_file(path, sql).map_err(|error| error.to_string()),
            Self::Database { url, .. } => {
                let sql = folded(sql);
                // A test may have a runtime, in which no other one can be waited for.
                let reading = || {
                    let runtime = tokio::runtime::Builder::new_current_thread()
                        .enable_all()
                        .build()
                        .unwrap();
                    runtime.block_on(from_database(url, &sql))
                };
                std::thread::scope(|scope| scope.spawn(reading).join().unwrap())
                    .map_err(|error| error.to_string())
            }
        }
    }
}

/// The rows that a query gives of a SQLite file; none of a statement.
pub(crate) fn from_file(path: &Path, sql: &str) -> rusqlite::Result<Vec<Row>> {
    let connection = rusqlite::Connection::open(path)?;
    let mut statement = connection.prepare(sql)?;
    let width = statement.column_count();
    if width == 0 {
        statement.execute([])?;
        return Ok(Vec::new());
    }
    let rows = statement.query_map([], |row| {
        (0..width)
            .map(|index| Ok(text(row.get_ref(index)?)))
            .collect()
    })?;
    rows.collect()
}

fn text(value: ValueRef<'_>) -> Option<String> {
    match value {
        ValueRef::Null => None,
        ValueRef::Integer(number) => Some(number.to_string()),
        ValueRef::Real(number) => Some(number.to_string()),
        ValueRef::Text(text) => Some(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => Some(format!("{} bytes", bytes.len())),
    }
}

/// A PostgreSQL destination has names in small letters, and schemas: `"PROD.Issues"` is `"prod"."issues"` there.
pub(crate) fn folded(sql: &str) -> String {
    let mut folded = String::new();
    for (index, part) in sql.split('"').enumerate() {
        match index % 2 {
            0 => folded.push_str(part),
            _ => folded.push_str(&format!(
                "\"{}\"",
                part.to_lowercase().replace('.', "\".\"")
            )),
        }
    }
    folded
}

async fn from_database(url: &str, sql: &str) -> Result<Vec<Row>, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    client.batch_execute("SET timezone = 'UTC'").await?;
    from_client(&client, sql).await
}

/// The same from a session whose zone is UTC.
pub(crate) async fn from_client(
    client: &Client,
    sql: &str,
) -> Result<Vec<Row>, tokio_postgres::Error> {
    let statement = client.prepare(sql).await?;
    let types: Vec<Type> = statement
        .columns()
        .iter()
        .map(|column| column.type_().clone())
        .collect();
    let mut rows = Vec::new();
    for message in client.simple_query(sql).await? {
        if let SimpleQueryMessage::Row(row) = message {
            let cells = types.iter().enumerate();
            rows.push(
                cells
                    .map(|(index, kind)| row.get(index).map(|text| as_sqlite_has_it(kind, text)))
                    .collect(),
            );
        }
    }
    Ok(rows)
}

fn as_sqlite_has_it(kind: &Type, text: &str) -> String {
    match *kind {
        Type::BOOL => if text == "t" { "1" } else { "0" }.to_owned(),
        Type::TIMESTAMPTZ => {
            let moment = DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f%#z").unwrap();
            let moment = moment.with_timezone(&Utc);
            moment.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
        }
        // SQLite has a number there.
        Type::NUMERIC if text.contains('.') => {
            let digits = text.trim_end_matches('0');
            digits.trim_end_matches('.').to_owned()
        }
        Type::BYTEA => format!("{} bytes", text.len() / 2 - 1),
        _ => text.to_owned(),
    }
}
