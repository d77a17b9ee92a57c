//! The contract of a source.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use futures::stream::BoxStream;

use crate::{Loss, Page, Reading, Result, Scan, ScanPlan, ScanRequest, Slice, TableSpec};

/// What a schema of a source means: a part of its data.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Scope {
    /// The kind of scope.
    pub kind: ScopeKind,
    /// The schema's name as the source spells it.
    pub name: String,
    /// The stable identity of what it names; `None` for the whole.
    pub uuid: Option<String>,
}

/// The kinds of scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ScopeKind {
    /// Everything the connection covers.
    Whole,
    /// One project.
    Project,
    /// One repository.
    Repository,
}

/// Whose data a connection reads. Compared between runs, never shown with a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The service's origin, such as `https://api.bitbucket.org`.
    pub origin: String,
    /// UUID of the workspace; `None` if the connection names none.
    pub workspace: Option<String>,
    /// A fingerprint of the credential's identity and scopes, not of its secret.
    pub credential: String,
}

/// Hears what a source has to say while it works. Each call returns at once.
pub trait Observer: Send + Sync {
    /// A note for the user: what was skipped, assumed or announced. Notes repeat; the hearer folds them.
    fn note(&self, text: &str);
    /// Values could not be kept as the source has them. Told for each answer; the hearer adds them up.
    fn lost(&self, loss: Loss, values: u64) {
        self.note(&loss.of(values));
    }
    /// A wait longer than a moment began, for the reason given.
    fn waiting(&self, reason: &str, duration: Duration);
}

/// What a caller hands to every operation that may make requests.
#[derive(Clone)]
pub struct ReadContext {
    /// Its own counter, then those of the contexts that it is a part of.
    counters: Vec<Arc<AtomicU64>>,
    observer: Arc<dyn Observer>,
    scan: Scan,
    /// The end of the pause that the observer was told of last.
    paused: Arc<Mutex<Option<SystemTime>>>,
    /// What was told once.
    told: Arc<Mutex<HashSet<String>>>,
}

impl fmt::Debug for ReadContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadContext")
            .field("requests", &self.requests())
            .finish_non_exhaustive()
    }
}

impl ReadContext {
    /// A context whose counter starts at zero.
    pub fn new(observer: Arc<dyn Observer>) -> Self {
        Self {
            counters: vec![Arc::default()],
            observer,
            scan: Scan::default(),
            paused: Arc::default(),
            told: Arc::default(),
        }
    }

    /// The same as a part of a script, which shares what it finds out.
    #[must_use]
    pub fn within(mut self, scan: &Scan) -> Self {
        self.scan = scan.clone();
        self
    }

    /// A context for a part of the work: its counter starts at zero, and what it counts counts here as well.
    #[must_use]
    pub fn part(&self) -> Self {
        let own = [Arc::default()].into_iter();
        Self {
            counters: own.chain(self.counters.iter().cloned()).collect(),
            observer: Arc::clone(&self.observer),
            scan: self.scan.clone(),
            paused: Arc::clone(&self.paused),
            told: Arc::clone(&self.told),
        }
    }

    /// Counts one request that was sent, a repeated one as well.
    pub fn count_request(&self) {
        for counter in &self.counters {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Requests sent so far under this context and its parts.
    pub fn requests(&self) -> u64 {
        self.counters[0].load(Ordering::Relaxed)
    }

    /// Who hears notes.
    pub fn observer(&self) -> &dyn Observer {
        self.observer.as_ref()
    }

    /// What the script has found out so far.
    pub fn scan(&self) -> &Scan {
        &self.scan
    }

    /// A note that is told once in the statement for all that have the same `key`.
    pub fn note_once(&self, key: &str, text: &str) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.insert(key.to_owned()) {
            drop(told);
            self.observer.note(text);
        }
    }

    /// A request waits. Those of one statement that wait for the same pause are told as one.
    pub fn waiting(&self, reason: &str, until: SystemTime, wait: Duration) {
        let mut paused = self.paused.lock().unwrap_or_else(PoisonError::into_inner);
        // Requests under way together learn of one pause with slightly different ends.
        let is_known = paused.is_some_and(|before| {
            let apart = until.duration_since(before);
            apart.unwrap_or_else(|error| error.duration()) < Duration::from_secs(1)
        });
        if !is_known {
            *paused = Some(until);
            drop(paused);
            self.observer.waiting(reason, wait);
        }
    }
}

/// The pages of one slice. Nothing is requested before it is polled; dropping it stops at once.
pub type PageStream = BoxStream<'static, Result<Page>>;

/// A place that rows come from.
#[async_trait]
pub trait Source: Send + Sync + fmt::Debug + 'static {
    /// Its tables, as far as they are known. No I/O.
    fn tables(&self) -> Cow<'_, [Arc<TableSpec>]>;

    /// Its tables, looked for where only looking tells.
    async fn list_tables(&self) -> Result<Vec<Arc<TableSpec>>> {
        Ok(self.tables().into_owned())
    }

    /// The table of a name, compared without regard to case; looked for where only looking tells.
    async fn find_table(&self, name: &str) -> Result<Option<Arc<TableSpec>>> {
        let tables = self.tables();
        let mut tables = tables.iter();
        let found = tables.find(|table| table.name.eq_ignore_ascii_case(name));
        Ok(found.cloned())
    }

    /// The scope that names without a schema mean (`Information`).
    fn default_scope(&self) -> Scope;

    /// The schema that such names mean instead, where the connection says so.
    fn schema(&self) -> Option<&str> {
        None
    }

    /// The address that the paths of requests are under, for people, if there is one.
    fn address(&self) -> Option<String> {
        None
    }

    /// How many requests are made at a time, at most; more slices than that are not read at once.
    fn concurrency(&self) -> usize;

    /// Every scope, the default first; lists projects and repositories.
    async fn scopes(&self, context: &ReadContext) -> Result<Vec<Scope>>;

    /// The scopes that were listed already, the default first. No I/O.
    fn known_scopes(&self) -> Vec<Scope> {
        vec![self.default_scope()]
    }

    /// The scopes a schema name means, compared without regard to case when `exact` is false: none,
    /// one, or several (a project `API` and a repository `api`). Costs look-ups of single names.
    async fn find_scopes(
        &self,
        name: &str,
        exact: bool,
        context: &ReadContext,
    ) -> Result<Vec<Scope>>;

    /// Turns a request into a plan. Pure.
    ///
    /// # Errors
    /// If the connection lacks what the table needs (no workspace), or the request is malformed.
    fn plan(&self, request: ScanRequest) -> Result<ScanPlan>;

    /// The plan as it is carried out in this way, for people: its requests, and what becomes of each
    /// predicate. Pure.
    fn explain(&self, plan: &ScanPlan, reading: &Reading) -> ScanPlan {
        let _ = reading;
        plan.clone()
    }

    /// The slices of a plan, in a stable order, without doubles. What has to be listed for them is listed once in a
    /// [scan](ReadContext::scan).
    async fn slices(&self, plan: &ScanPlan, context: &ReadContext) -> Result<Vec<Slice>>;

    /// Reads one slice of a plan. In [`Reading::Changes`] and [`Reading::Listing`] the plan's order and
    /// limit are not used.
    fn read(
        &self,
        plan: Arc<ScanPlan>,
        slice: &Slice,
        reading: Reading,
        context: &ReadContext,
    ) -> PageStream;

    /// Whose data this is; may cost one look-up, remembered afterwards.
    async fn identity(&self, context: &ReadContext) -> Result<Identity>;
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[derive(Default)]
    struct Waits(Mutex<Vec<Duration>>);

    impl Observer for Waits {
        fn note(&self, _: &str) {}
        fn waiting(&self, _: &str, duration: Duration) {
            let mut waits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            waits.push(duration);
        }
    }

    #[test]
    fn what_a_part_counts_counts_in_every_whole() {
        let whole = ReadContext::new(Arc::new(Waits::default()));
        let part = whole.part();
        let inner = part.part();
        inner.count_request();
        part.count_request();
        let counted = [&whole, &part, &inner].map(ReadContext::requests);
        assert_eq!(counted, [2, 2, 1]);
    }

    #[test]
    fn a_statement_is_told_once_of_a_pause_that_several_of_its_requests_meet() {
        let [one, other] = [(); 2].map(|()| Arc::new(Waits::default()));
        let statement = ReadContext::new(one.clone());
        let (end, wait) = (
            UNIX_EPOCH + Duration::from_secs(100),
            Duration::from_secs(9),
        );
        let later = end + Duration::from_secs(60);
        for context in [&statement, &statement.part()] {
            context.waiting("pause", end, wait);
            context.waiting("pause", end + Duration::from_millis(300), wait);
        }
        ReadContext::new(other.clone()).waiting("pause", end, wait);
        statement.waiting("pause", later, wait);
        let told = |waits: &Waits| waits.0.lock().unwrap_or_else(PoisonError::into_inner).len();
        assert_eq!((told(&one), told(&other)), (2, 1));
    }
}
