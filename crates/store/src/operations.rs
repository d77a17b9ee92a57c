//! The operations of the trait, each a transaction of either database.

use async_trait::async_trait;
use bucketline_app::people::{
    Account, AccountEntry, Accounts, ApiToken, AuditEntry, AuditFilter, CredentialHash,
    NewApiToken, NewAuditEntry, NewSession, Session, SignedIn,
};
use bucketline_app::store::{
    Beat, BudgetChange, CancelAnswer, Change, Claim, Claimed, ConnectionFilter, Ending,
    EventFilter, Finished, JobFilter, Limits, NewNode, Node, Page, PageRequest, PruneRequest,
    Pruned, QueueAnswer, Reclaimed, Retrying, RunFilter, Silence, SlotFilter, TokenGuard,
};
use bucketline_app::vault::{Resealed, Revealed, SecretsState};
use bucketline_app::{
    AccountId, Connection, ConnectionEntry, ConnectionId, ConnectionTest, DueSlots, Event, Job,
    JobEntry, JobId, NewEvent, NewRun, NewTaskRun, NodeId, Pause, Result, Revision, Run, RunId,
    SliceResult, Slot, Store, TakenSlots, Task, TaskEnding, TaskRun, TaskRunId, TokenId, Vault,
};
use chrono::{DateTime, Utc};

use crate::database::{Database, Mode};
use crate::secrets::Sealing;
use crate::{
    accounts, audit, budgets, connections, definitions, events, jobs, nodes, prune, queue, runs,
    secrets, sessions, slots, tries,
};

/// One transaction: in `mode`, with copies of the arguments in brackets.
macro_rules! transaction {
    ($database:expr, $mode:ident, [$($argument:ident),*], |$tx:ident| $work:expr) => {{
        $(let $argument = $argument.clone();)*
        $database
            .transact(Mode::$mode, Box::new(move |$tx| Box::pin(async move { $work.await })))
            .await
    }};
}

/// One transaction that changes connections or jobs.
macro_rules! definition {
    ($database:expr, [$($argument:ident),*], |$tx:ident| $work:expr) => {
        transaction!($database, Write, [$($argument),*], |$tx| async move {
            let done = $work.await?;
            definitions::changed($tx).await?;
            Ok(done)
        })
    };
}

/// What keeps the application in a database.
#[derive(Debug)]
pub(crate) struct Operations<D> {
    pub(crate) database: D,
    sealing: Sealing,
}

impl<D: Database> Operations<D> {
    pub(crate) fn new(database: D, vault: &Vault) -> Self {
        let sealing = Sealing {
            vault: vault.clone(),
            is_shared: database.is_shared(),
        };
        Self { database, sealing }
    }
}

#[async_trait]
impl<D: Database> Store for Operations<D> {
    async fn now(&self) -> Result<DateTime<Utc>> {
        self.database.now().await
    }

    fn is_shared(&self) -> bool {
        self.database.is_shared()
    }

    async fn check(&self) -> Result<()> {
        transaction!(self.database, Write, [], |tx| definitions::touch_nothing(
            tx
        ))
    }

    async fn generation(&self) -> Result<u64> {
        transaction!(self.database, Read, [], |tx| definitions::generation(tx))
    }

    async fn connections(
        &self,
        filter: &ConnectionFilter,
        page: &PageRequest,
    ) -> Result<Page<ConnectionEntry>> {
        let sealing = &self.sealing;
        transaction!(self.database, Read, [sealing, filter, page], |tx| {
            connections::list(tx, &sealing, &filter, &page)
        })
    }

    async fn connection(&self, name: &str) -> Result<Option<ConnectionEntry>> {
        let (name, sealing) = (name.to_owned(), &self.sealing);
        transaction!(self.database, Read, [sealing], |tx| connections::named(
            tx, &sealing, &name
        ))
    }

    async fn create_connection(
        &self,
        connection: &Connection,
        change: &Change,
    ) -> Result<ConnectionEntry> {
        let sealing = &self.sealing;
        definition!(self.database, [sealing, connection, change], |tx| {
            connections::create(tx, &sealing, &connection, &change)
        })
    }

    async fn replace_connection(
        &self,
        id: ConnectionId,
        connection: &Connection,
        revision: Revision,
        change: &Change,
    ) -> Result<ConnectionEntry> {
        let sealing = &self.sealing;
        definition!(self.database, [sealing, connection, change], |tx| {
            connections::replace(tx, &sealing, id, &connection, revision, &change)
        })
    }

    async fn delete_connection(
        &self,
        id: ConnectionId,
        revision: Revision,
        change: &Change,
    ) -> Result<()> {
        let sealing = &self.sealing;
        definition!(self.database, [sealing, change], |tx| {
            connections::delete(tx, &sealing, id, revision, &change)
        })
    }

    async fn reveal(&self, name: &str) -> Result<Option<Revealed>> {
        let (name, sealing) = (name.to_owned(), &self.sealing);
        transaction!(self.database, Read, [sealing], |tx| connections::reveal(
            tx, &sealing, &name
        ))
    }

    async fn secrets_state(&self) -> Result<SecretsState> {
        let sealing = &self.sealing;
        transaction!(self.database, Read, [sealing], |tx| {
            connections::secrets_state(tx, &sealing)
        })
    }

    async fn reseal(&self, change: &Change) -> Result<Resealed> {
        let sealing = &self.sealing;
        definition!(self.database, [sealing, change], |tx| secrets::reseal(
            tx, &sealing, &change
        ))
    }

    async fn note_test(
        &self,
        id: ConnectionId,
        revision: Revision,
        test: &ConnectionTest,
    ) -> Result<()> {
        transaction!(self.database, Write, [test], |tx| connections::note_test(
            tx, id, revision, &test
        ))
    }

    async fn jobs(&self, filter: &JobFilter, page: &PageRequest) -> Result<Page<JobEntry>> {
        transaction!(self.database, Read, [filter, page], |tx| jobs::list(
            tx, &filter, &page
        ))
    }

    async fn job(&self, id: JobId) -> Result<Option<JobEntry>> {
        transaction!(self.database, Read, [], |tx| jobs::numbered(tx, id))
    }

    async fn job_named(&self, name: &str) -> Result<Option<JobEntry>> {
        let name = name.to_owned();
        transaction!(self.database, Read, [], |tx| jobs::named(tx, &name))
    }

    async fn create_job(&self, job: &Job, change: &Change) -> Result<JobEntry> {
        definition!(self.database, [job, change], |tx| jobs::create(
            tx, &job, &change
        ))
    }

    async fn replace_job(
        &self,
        id: JobId,
        job: &Job,
        revision: Revision,
        change: &Change,
    ) -> Result<JobEntry> {
        definition!(self.database, [job, change], |tx| jobs::replace(
            tx, id, &job, revision, &change
        ))
    }

    async fn append_tasks(&self, id: JobId, tasks: &[Task], change: &Change) -> Result<Vec<Task>> {
        let tasks = tasks.to_vec();
        definition!(self.database, [change], |tx| jobs::append_tasks(
            tx, id, &tasks, &change
        ))
    }

    async fn delete_job(&self, id: JobId, revision: Revision, change: &Change) -> Result<()> {
        definition!(self.database, [change], |tx| jobs::delete(
            tx, id, revision, &change
        ))
    }

    async fn pause_job(
        &self,
        id: JobId,
        pause: Option<&Pause>,
        change: &Change,
    ) -> Result<JobEntry> {
        let pause = pause.cloned();
        definition!(self.database, [change], |tx| jobs::pause(
            tx,
            id,
            pause.as_ref(),
            &change
        ))
    }

    async fn take_slots(&self, slots: &DueSlots) -> Result<TakenSlots> {
        transaction!(self.database, Write, [slots], |tx| slots::take(tx, &slots))
    }

    async fn slots(&self, filter: &SlotFilter, page: &PageRequest) -> Result<Page<Slot>> {
        transaction!(self.database, Read, [filter, page], |tx| slots::list(
            tx, &filter, &page
        ))
    }

    async fn queue_run(&self, run: &NewRun, at: DateTime<Utc>) -> Result<QueueAnswer> {
        transaction!(self.database, Write, [run], |tx| queue::queue(tx, &run, at))
    }

    async fn claim_run(
        &self,
        node: NodeId,
        limits: &Limits,
        at: DateTime<Utc>,
    ) -> Result<Option<Claimed>> {
        transaction!(self.database, Write, [limits], |tx| queue::claim(
            tx, node, &limits, at
        ))
    }

    async fn set_waiting(&self, claim: &Claim, reason: Option<&str>) -> Result<()> {
        let reason = reason.map(str::to_owned);
        transaction!(self.database, Write, [claim], |tx| queue::set_waiting(
            tx,
            &claim,
            reason.as_deref()
        ))
    }

    async fn begin_task(&self, claim: &Claim, task: &NewTaskRun) -> Result<TaskRunId> {
        transaction!(self.database, Write, [claim, task], |tx| tries::begin(
            tx, &claim, &task
        ))
    }

    async fn record_slices(
        &self,
        claim: &Claim,
        task: TaskRunId,
        slices: &[SliceResult],
    ) -> Result<()> {
        let slices = slices.to_vec();
        transaction!(self.database, Write, [claim], |tx| tries::record(
            tx, &claim, task, &slices
        ))
    }

    async fn end_task(&self, claim: &Claim, task: TaskRunId, ending: &TaskEnding) -> Result<()> {
        transaction!(self.database, Write, [claim, ending], |tx| tries::end(
            tx, &claim, task, &ending
        ))
    }

    async fn finish_run(&self, claim: &Claim, ending: &Ending) -> Result<Finished> {
        transaction!(self.database, Write, [claim, ending], |tx| queue::finish(
            tx, &claim, &ending
        ))
    }

    async fn retry_run(&self, claim: &Claim, retrying: &Retrying) -> Result<Run> {
        transaction!(self.database, Write, [claim, retrying], |tx| queue::retry(
            tx, &claim, &retrying
        ))
    }

    async fn release_run(&self, claim: &Claim, at: DateTime<Utc>) -> Result<()> {
        transaction!(self.database, Write, [claim], |tx| queue::release(
            tx, &claim, at
        ))
    }

    async fn cancel_run(&self, id: RunId, change: &Change) -> Result<CancelAnswer> {
        transaction!(self.database, Write, [change], |tx| queue::cancel(
            tx, id, &change
        ))
    }

    async fn run(&self, id: RunId) -> Result<Option<Run>> {
        transaction!(self.database, Read, [], |tx| runs::one(tx, id))
    }

    async fn runs(&self, filter: &RunFilter, page: &PageRequest) -> Result<Page<Run>> {
        transaction!(self.database, Read, [filter, page], |tx| runs::list(
            tx, &filter, &page
        ))
    }

    async fn task_runs(&self, run: RunId) -> Result<Vec<TaskRun>> {
        transaction!(self.database, Read, [], |tx| tries::of_run(tx, run))
    }

    async fn last_task_runs(&self, job: JobId) -> Result<Vec<TaskRun>> {
        transaction!(self.database, Read, [], |tx| tries::last_of_job(tx, job))
    }

    async fn slices(&self, task: TaskRunId) -> Result<Vec<SliceResult>> {
        transaction!(self.database, Read, [], |tx| tries::slices(tx, task))
    }

    async fn append_events(&self, run: RunId, events: &[NewEvent], cap: u32) -> Result<u64> {
        let events = events.to_vec();
        transaction!(self.database, Write, [], |tx| events::append(
            tx, run, &events, cap
        ))
    }

    async fn events(&self, run: RunId, filter: &EventFilter) -> Result<Vec<Event>> {
        transaction!(self.database, Read, [filter], |tx| events::list(
            tx, run, &filter
        ))
    }

    async fn join(&self, node: &NewNode, at: DateTime<Utc>) -> Result<NodeId> {
        transaction!(self.database, Write, [node], |tx| nodes::join(
            tx, &node, at
        ))
    }

    async fn beat(&self, node: NodeId, at: DateTime<Utc>) -> Result<Beat> {
        transaction!(self.database, Write, [], |tx| nodes::beat(tx, node, at))
    }

    async fn leave(&self, node: NodeId, at: DateTime<Utc>) -> Result<()> {
        self.database.stop_leading(node).await;
        transaction!(self.database, Write, [], |tx| nodes::leave(tx, node, at))
    }

    async fn nodes(&self) -> Result<Vec<Node>> {
        transaction!(self.database, Read, [], |tx| nodes::list(tx))
    }

    async fn lead(&self, node: NodeId) -> Result<bool> {
        self.database.lead(node).await
    }

    async fn reclaim(&self, silence: &Silence, at: DateTime<Utc>) -> Result<Vec<Reclaimed>> {
        let is_shared = self.database.is_shared();
        let but = silence.but;
        let reclaimed = transaction!(self.database, Write, [silence], |tx| nodes::reclaim(
            tx, is_shared, &silence, at
        ))?;
        if !is_shared {
            self.database.lead_alone(but).await;
        }
        Ok(reclaimed)
    }

    async fn change_budget(&self, holder: &str, change: BudgetChange) -> Result<()> {
        let holder = holder.to_owned();
        transaction!(self.database, Write, [], |tx| budgets::change(
            tx, &holder, change
        ))
    }

    async fn lock_tokens(&self, sign_in: &str) -> Result<Box<dyn TokenGuard>> {
        self.database.lock_tokens(sign_in).await
    }

    async fn prune(&self, request: &PruneRequest, at: DateTime<Utc>) -> Result<Pruned> {
        transaction!(self.database, Write, [request], |tx| prune::prune(
            tx, &request, at
        ))
    }
}

#[async_trait]
impl<D: Database> Accounts for Operations<D> {
    async fn accounts(&self) -> Result<Vec<AccountEntry>> {
        transaction!(self.database, Read, [], |tx| accounts::list(tx))
    }

    async fn has_accounts(&self) -> Result<bool> {
        transaction!(self.database, Read, [], |tx| accounts::has_any(tx))
    }

    async fn account(&self, id: AccountId) -> Result<Option<AccountEntry>> {
        transaction!(self.database, Read, [], |tx| accounts::numbered(tx, id))
    }

    async fn account_named(&self, name: &str) -> Result<Option<(AccountEntry, Option<String>)>> {
        let name = name.to_owned();
        transaction!(self.database, Read, [], |tx| accounts::named(tx, &name))
    }

    async fn create_account(
        &self,
        account: &Account,
        password: Option<&str>,
        is_first: bool,
        change: &Change,
    ) -> Result<AccountEntry> {
        let password = password.map(str::to_owned);
        transaction!(self.database, Write, [account, change], |tx| {
            accounts::create(tx, &account, password.as_deref(), is_first, &change)
        })
    }

    async fn replace_account(
        &self,
        id: AccountId,
        account: &Account,
        revision: Revision,
        change: &Change,
    ) -> Result<AccountEntry> {
        transaction!(self.database, Write, [account, change], |tx| {
            accounts::replace(tx, id, &account, revision, &change)
        })
    }

    async fn set_password(
        &self,
        id: AccountId,
        password: &str,
        but: Option<&CredentialHash>,
        change: &Change,
    ) -> Result<()> {
        let (password, but) = (password.to_owned(), but.cloned());
        transaction!(self.database, Write, [change], |tx| {
            accounts::set_password(tx, id, &password, but.as_ref(), &change)
        })
    }

    async fn delete_account(
        &self,
        id: AccountId,
        revision: Revision,
        change: &Change,
    ) -> Result<()> {
        transaction!(self.database, Write, [change], |tx| accounts::delete(
            tx, id, revision, &change
        ))
    }

    async fn begin_session(&self, session: &NewSession, change: &Change) -> Result<()> {
        transaction!(self.database, Write, [session, change], |tx| {
            sessions::begin(tx, &session, &change)
        })
    }

    async fn session(&self, hash: &CredentialHash) -> Result<Option<(Session, SignedIn)>> {
        transaction!(self.database, Read, [hash], |tx| sessions::one(tx, &hash))
    }

    async fn sessions(&self, account: AccountId) -> Result<Vec<Session>> {
        transaction!(self.database, Read, [], |tx| sessions::of(tx, account))
    }

    async fn note_session(&self, hash: &CredentialHash, at: DateTime<Utc>) -> Result<()> {
        transaction!(self.database, Write, [hash], |tx| sessions::note(
            tx, &hash, at
        ))
    }

    async fn end_session(&self, hash: &CredentialHash, change: &Change) -> Result<()> {
        transaction!(self.database, Write, [hash, change], |tx| sessions::end(
            tx, &hash, &change
        ))
    }

    async fn create_token(&self, token: &NewApiToken, change: &Change) -> Result<ApiToken> {
        transaction!(self.database, Write, [token, change], |tx| {
            sessions::create_token(tx, &token, &change)
        })
    }

    async fn token(&self, hash: &CredentialHash) -> Result<Option<(ApiToken, SignedIn)>> {
        transaction!(self.database, Read, [hash], |tx| sessions::one_token(
            tx, &hash
        ))
    }

    async fn tokens(&self, account: Option<AccountId>) -> Result<Vec<ApiToken>> {
        transaction!(self.database, Read, [], |tx| sessions::tokens(tx, account))
    }

    async fn note_token(&self, id: TokenId, at: DateTime<Utc>) -> Result<()> {
        transaction!(self.database, Write, [], |tx| sessions::note_token(
            tx, id, at
        ))
    }

    async fn delete_token(
        &self,
        id: TokenId,
        account: Option<AccountId>,
        change: &Change,
    ) -> Result<()> {
        transaction!(self.database, Write, [change], |tx| {
            sessions::delete_token(tx, id, account, &change)
        })
    }

    async fn audit(&self, entry: &NewAuditEntry, change: &Change) -> Result<()> {
        transaction!(self.database, Write, [entry, change], |tx| audit::add(
            tx, &entry, &change
        ))
    }

    async fn audit_entries(
        &self,
        filter: &AuditFilter,
        page: &PageRequest,
    ) -> Result<Page<AuditEntry>> {
        transaction!(self.database, Read, [filter, page], |tx| audit::list(
            tx, &filter, &page
        ))
    }
}
