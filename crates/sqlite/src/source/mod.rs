//! Any SQLite file as a source.
//!
//! The file may be another program's, may be written to at the same time, and may be made to do harm. It is opened
//! read-only and its schema is not trusted (see [`file`]). Its tables are described from what it says of itself and
//! from what the first and last rows hold (see [`look`]); nothing is looked at before it is needed.

mod change_order;
mod fault;
mod file;
mod key;
mod look;
mod plan;
mod position;
mod query;
mod reading;
mod seen;
mod settings;
#[cfg(test)]
mod tests;
mod walk;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bucketline_source::{
    Identity, PageStream, ReadContext, Reading, Result, ScanPlan, ScanRequest, Scope, ScopeKind,
    Slice, SliceId, Source, TableSpec,
};
use futures::{StreamExt, stream};
use rusqlite::Connection;

pub use self::settings::SourceSettings;

use self::fault::Fault;
use self::file::Stamp;
use self::look::Look;
use self::settings::Choices;

/// The schema that a file's tables are in, as SQLite calls it.
const MAIN: &str = "main";

/// Tables of a file that are read at a time; each has a thread.
const CONCURRENCY: usize = 4;

/// A connection to a SQLite file that is read.
#[derive(Debug)]
pub struct SqliteSource {
    choices: Arc<Choices>,
    known: Arc<Mutex<Known>>,
}

/// The tables that were looked at.
#[derive(Debug, Default)]
struct Known {
    /// Moves when somebody writes to the file: rows may hold other types of values then.
    stamp: Option<Stamp>,
    /// What SQLite counts up when somebody changes the schema.
    schema_version: i64,
    /// By folded name.
    tables: BTreeMap<String, Arc<TableSpec>>,
}

impl SqliteSource {
    /// A connection; the file is not looked for yet.
    ///
    /// # Errors
    /// `Configuration` if a setting cannot be understood.
    pub fn new(settings: SourceSettings) -> Result<Self> {
        Ok(Self {
            choices: Arc::new(Choices::parse(settings)?),
            known: Arc::default(),
        })
    }

    /// Looks into the file, on a thread that may wait.
    async fn look<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Look<'_>, &mut Known) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T> {
        let (choices, known) = (Arc::clone(&self.choices), Arc::clone(&self.known));
        let looked = tokio::task::spawn_blocking(move || {
            let mut connection = file::open(&choices.path)?;
            let mut known = lock(&known);
            known.renew(&connection, &choices.path)?;
            let look = Look::new(&mut connection, &choices)?;
            work(&look, &mut known)
        });
        let looked = looked.await.map_err(Fault::broken_off);
        let path = &self.choices.path;
        looked.flatten().map_err(|fault| fault.about(path))
    }
}

impl Known {
    /// Forgets what may have changed.
    fn renew(&mut self, connection: &Connection, path: &Path) -> Result<(), Fault> {
        let version = connection.query_row("PRAGMA schema_version", [], |row| row.get(0))?;
        let stamp = Stamp::of(path);
        if stamp.is_none() || self.stamp != stamp || self.schema_version != version {
            self.tables.clear();
        }
        (self.stamp, self.schema_version) = (stamp, version);
        Ok(())
    }

    /// A table as it is known, or as it is found.
    fn table(&mut self, look: &Look<'_>, name: &str) -> Result<Option<Arc<TableSpec>>, Fault> {
        let folded = name.to_ascii_lowercase();
        if let Some(table) = self.tables.get(&folded) {
            return Ok(Some(Arc::clone(table)));
        }
        let Some(table) = look.table(name)?.map(Arc::new) else {
            return Ok(None);
        };
        self.tables.insert(folded, Arc::clone(&table));
        Ok(Some(table))
    }
}

fn lock(known: &Mutex<Known>) -> MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a file is called among its like.
fn label(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}

#[async_trait]
impl Source for SqliteSource {
    fn tables(&self) -> Cow<'_, [Arc<TableSpec>]> {
        Cow::Owned(lock(&self.known).tables.values().cloned().collect())
    }

    async fn list_tables(&self) -> Result<Vec<Arc<TableSpec>>> {
        self.look(|look, known| {
            let mut tables = Vec::new();
            for name in look.names()? {
                // A view of a table that is gone cannot be read, so it is not listed.
                match known.table(look, &name) {
                    Err(Fault::Refused(_)) => {}
                    found => tables.extend(found?),
                }
            }
            Ok(tables)
        })
        .await
    }

    async fn find_table(&self, name: &str) -> Result<Option<Arc<TableSpec>>> {
        let name = name.to_owned();
        self.look(move |look, known| known.table(look, &name)).await
    }

    fn default_scope(&self) -> Scope {
        Scope {
            kind: ScopeKind::Whole,
            name: MAIN.to_owned(),
            uuid: None,
        }
    }

    fn address(&self) -> Option<String> {
        Some(self.choices.path.display().to_string())
    }

    fn concurrency(&self) -> usize {
        CONCURRENCY
    }

    async fn scopes(&self, _: &ReadContext) -> Result<Vec<Scope>> {
        Ok(vec![self.default_scope()])
    }

    async fn find_scopes(&self, name: &str, exact: bool, _: &ReadContext) -> Result<Vec<Scope>> {
        let is_main = name == MAIN || !exact && name.eq_ignore_ascii_case(MAIN);
        Ok(is_main.then(|| self.default_scope()).into_iter().collect())
    }

    fn plan(&self, request: ScanRequest) -> Result<ScanPlan> {
        plan::plan(request)
    }

    fn explain(&self, plan: &ScanPlan, reading: &Reading) -> ScanPlan {
        plan::carried_out(plan, reading)
    }

    async fn slices(&self, _: &ScanPlan, _: &ReadContext) -> Result<Vec<Slice>> {
        Ok(vec![Slice {
            id: SliceId(MAIN.to_owned()),
            label: label(&self.choices.path),
            parents: Vec::new(),
            proof: None,
        }])
    }

    fn read(
        &self,
        plan: Arc<ScanPlan>,
        _: &Slice,
        reading: Reading,
        _: &ReadContext,
    ) -> PageStream {
        let path = self.choices.path.clone();
        let started = async move {
            match reading::read(path, plan, reading) {
                Ok(pages) => pages,
                Err(error) => stream::iter([Err(error)]).boxed(),
            }
        };
        stream::once(started).flatten().boxed()
    }

    /// A file is whose it is by its place.
    async fn identity(&self, _: &ReadContext) -> Result<Identity> {
        let path = &self.choices.path;
        let place = std::fs::canonicalize(path).unwrap_or_else(|_| path.clone());
        Ok(Identity {
            origin: format!("sqlite:{}", place.display()),
            workspace: None,
            credential: String::new(),
        })
    }
}
