//! The copy of an episode as another program finds it behind a kill.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio_postgres::NoTls;

use super::source::table;
use crate::store::{self, from_file};
use crate::truth::{self, Row, Rows};

/// A table of the copy.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Copied {
    /// Its name, and that of the source's table.
    pub(crate) name: &'static str,
    pub(crate) of: &'static str,
    /// Whether all versions of a row are kept.
    pub(crate) versions: bool,
}

/// A version of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Version {
    pub(crate) key: String,
    pub(crate) start: String,
    pub(crate) end: Option<String>,
    pub(crate) is_active: bool,
    pub(crate) row: Row,
}

/// What a copy holds.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Held {
    /// The rows of the tables that are there; of those with versions the active ones.
    pub(crate) rows: BTreeMap<&'static str, Rows>,
    /// Versions by key and start.
    pub(crate) versions: BTreeMap<&'static str, Vec<Version>>,
    /// The names of all tables, in small letters.
    pub(crate) names: BTreeSet<String>,
    /// Rows of a table that statements of the user's own made, and are not copied.
    pub(crate) own: BTreeMap<&'static str, Vec<Row>>,
}

/// Where a copy is.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    File(PathBuf),
    Database(String),
}

/// What reads a copy at one moment.
enum Reader {
    File(PathBuf),
    Database(Box<(tokio::runtime::Runtime, tokio_postgres::Client)>),
}

impl Place {
    /// What `--destination` takes.
    pub(crate) fn address(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Database(url) => url.clone(),
        }
    }

    /// What the copy holds, or what is wrong with it.
    pub(crate) fn read(
        &self,
        tables: &[Copied],
        own: &[&'static str],
        scratch: &Path,
    ) -> Result<Held, String> {
        let reader = self.open(scratch)?;
        let mut held = Held {
            names: reader.names()?,
            ..Held::default()
        };
        for copied in tables {
            if held.names.contains(&copied.name.to_lowercase()) {
                reader.table(copied, &mut held)?;
            }
        }
        for name in own {
            if held.names.contains(&name.to_lowercase()) {
                let rows = reader.rows(&format!("SELECT * FROM \"{name}\" ORDER BY 1"))?;
                held.own.insert(name, rows);
            }
        }
        Ok(held)
    }

    /// A SQLite file is read from a duplicate of it and its logs, so that the program itself has to recover it. A
    /// server is waited for until it has ended the sessions of the killed program.
    fn open(&self, scratch: &Path) -> Result<Reader, String> {
        match self {
            Self::File(path) => {
                let duplicate = scratch.join("duplicate.db");
                for suffix in ["", "-wal", "-journal", "-shm"] {
                    let name = |path: &Path| format!("{}{suffix}", path.display());
                    let _ = std::fs::remove_file(name(&duplicate));
                    if suffix != "-shm" && Path::new(&name(path)).exists() {
                        std::fs::copy(name(path), name(&duplicate)).map_err(|e| e.to_string())?;
                    }
                }
                let reader = Reader::File(duplicate);
                let verdict = reader.rows("PRAGMA integrity_check")?;
                match verdict.as_slice() {
                    [row] if row[0].as_deref() == Some("ok") => Ok(reader),
                    _ => Err(format!("the file is damaged: {verdict:?}")),
                }
            }
            Self::Database(url) => {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .unwrap();
                let connected = runtime.block_on(async {
                    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
                    tokio::spawn(connection);
                    client.batch_execute("SET timezone = 'UTC'").await?;
                    Ok::<_, tokio_postgres::Error>(client)
                });
                let client = connected.map_err(|error| format!("cannot connect: {error}"))?;
                let reader = Reader::Database(Box::new((runtime, client)));
                reader.wait_until_alone()?;
                Ok(reader)
            }
        }
    }

    /// Changes the copy as another program would.
    pub(crate) fn execute(&self, sql: &str) -> Result<(), String> {
        match self {
            Self::File(path) => from_file(path, sql)
                .map(drop)
                .map_err(|error| error.to_string()),
            Self::Database(_) => {
                let Reader::Database(session) = self.open(Path::new(""))? else {
                    unreachable!("a database has a session");
                };
                let (runtime, client) = *session;
                let sql = store::folded(sql);
                runtime
                    .block_on(client.batch_execute(&sql))
                    .map_err(|error| error.to_string())
            }
        }
    }
}

/// How long a server may take to notice that a client is gone.
const PATIENCE: Duration = Duration::from_secs(30);

impl Reader {
    fn rows(&self, sql: &str) -> Result<Vec<Row>, String> {
        match self {
            Self::File(path) => from_file(path, sql).map_err(|error| format!("{sql}: {error}")),
            Self::Database(session) => {
                let (runtime, client) = session.as_ref();
                runtime
                    .block_on(store::from_client(client, &store::folded(sql)))
                    .map_err(|error| format!("{sql}: {error}"))
            }
        }
    }

    fn wait_until_alone(&self) -> Result<(), String> {
        let others = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() \
                      AND backend_type = 'client backend' AND pid <> pg_backend_pid()";
        let end = Instant::now() + PATIENCE;
        while !self.rows(others)?.is_empty() {
            if Instant::now() > end {
                return Err("the killed program's session does not end".to_owned());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }

    fn names(&self) -> Result<BTreeSet<String>, String> {
        let sql = match self {
            Self::File(_) => "SELECT name FROM sqlite_master WHERE type = 'table'",
            Self::Database(_) => {
                // A server that crashed keeps the temporary tables of its sessions until it reuses their schema.
                "SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relpersistence <> 't' \
                 AND relnamespace::regnamespace::text \
                 NOT IN ('pg_catalog', 'information_schema', 'pg_toast')"
            }
        };
        let rows = self.rows(sql)?;
        let names = rows.into_iter().filter_map(|mut row| row.remove(0));
        Ok(names.map(|name| name.to_lowercase()).collect())
    }

    fn table(&self, copied: &Copied, held: &mut Held) -> Result<(), String> {
        let spec = table(copied.of);
        let mut columns = truth::columns(spec);
        if copied.versions {
            columns += ", \"_cdatasync_start\", \"_cdatasync_end\", \"_cdatasync_active\"";
        }
        let records = self.rows(&format!("SELECT {columns} FROM \"{}\"", copied.name))?;
        let mut rows = Rows::new();
        let mut versions = Vec::new();
        for mut record in records {
            let kept = record.split_off(spec.columns.len());
            let row = truth::copied(spec, record);
            let key = truth::key(spec, &row);
            let is_active = kept
                .last()
                .is_none_or(|active| active.as_deref() == Some("1"));
            if let [start, end, _] = kept.as_slice() {
                versions.push(Version {
                    key: key.clone(),
                    start: start.clone().unwrap_or_default(),
                    end: end.clone(),
                    is_active,
                    row: row.clone(),
                });
            }
            if is_active && rows.insert(key.clone(), row).is_some() {
                return Err(format!("{} holds {key} twice", copied.name));
            }
        }
        versions.sort_by(|a, b| (&a.key, &a.start).cmp(&(&b.key, &b.start)));
        held.rows.insert(copied.name, rows);
        if copied.versions {
            held.versions.insert(copied.name, versions);
        }
        Ok(())
    }
}
