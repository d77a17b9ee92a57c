//! From the queue to the end: how runs are queued, claimed, given back and ended.

use std::collections::HashMap;

use bucketline_app::store::{
    CancelAnswer, Change, Claim, Claimed, Ending, Finished, Limits, QueueAnswer, Retrying,
};
use bucketline_app::{
    Error, Failure, JobId, NewRun, NodeId, Origin, OriginKind, Result, Run, RunId, RunState,
    TaskId, name,
};
use bucketline_core::code;
use chrono::{DateTime, Utc};

use crate::database::{Topic, Transaction, Value, not_found, to_json, values};
use crate::runs::failure_values;
use crate::{audit, counts, definitions, jobs, pages, runs, tries};

/// A row that is to become a run.
pub(crate) struct Row<'a> {
    pub(crate) job: JobId,
    pub(crate) origin: &'a Origin,
    pub(crate) state: RunState,
    pub(crate) reason: Option<&'a str>,
    pub(crate) due: Option<DateTime<Utc>>,
    pub(crate) slots: u32,
    pub(crate) tasks: Option<&'a [TaskId]>,
    pub(crate) key: Option<&'a str>,
    pub(crate) ready_at: DateTime<Utc>,
    pub(crate) at: DateTime<Utc>,
}

/// Adds a run. The job is locked.
pub(crate) async fn add(tx: &mut dyn Transaction, row: &Row<'_>) -> Result<RunId> {
    let sql = "INSERT INTO runs (job_id, source, destination, origin, origin_detail, state, reason, \
               due_at, slots, tasks, run_key, attempt, queued_at, ready_at, ended_at) \
               SELECT id, source, destination, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 1, ?10, ?11, ?12 \
               FROM jobs WHERE id = ?1 RETURNING id";
    let ended = row.state.is_final().then_some(row.at);
    let tasks = row.tasks.map(|tasks| to_json(&tasks)).transpose()?;
    let made = values![
        row.job.0,
        row.origin.kind().word(),
        to_json(row.origin)?,
        row.state.word(),
        row.reason,
        row.due,
        row.slots,
        tasks,
        row.key,
        row.at,
        row.ready_at,
        ended,
    ];
    let made = tx.row(sql, &made).await?;
    let id = made.ok_or_else(|| not_found("job", row.job.0))?.integer()?;
    counts::add(tx, row.job, row.state, row.origin.kind()).await?;
    Ok(RunId(id))
}

/// The job's runs that have not ended: number, and whether a node holds it.
pub(crate) async fn open(tx: &mut dyn Transaction, job: JobId) -> Result<Vec<(RunId, bool)>> {
    let sql = format!(
        "SELECT id, node_id FROM runs{} WHERE job_id = ?1 AND ended_at IS NULL ORDER BY id",
        (tx.dialect().indexed_by)("runs_open")
    );
    let rows = tx.rows(&sql, &values![job.0]).await?;
    let open = rows.into_iter().map(|mut row| {
        let id = RunId(row.integer()?);
        Ok((id, row.optional_integer()?.is_some()))
    });
    open.collect()
}

/// The run, which is there.
pub(crate) async fn existing(tx: &mut dyn Transaction, id: RunId) -> Result<Run> {
    let found = runs::one(tx, id).await?;
    found.ok_or_else(|| not_found("run", id.0))
}

pub(crate) async fn queue(
    tx: &mut dyn Transaction,
    run: &NewRun,
    at: DateTime<Utc>,
) -> Result<QueueAnswer> {
    jobs::lock_existing(tx, run.job).await?;
    if let Some(key) = &run.key
        && let Some(earlier) = runs::with_key(tx, run.job, key).await?
    {
        return Ok(QueueAnswer::Repeated(earlier));
    }
    let open = open(tx, run.job).await?;
    let held = open.iter().find(|(_, is_held)| *is_held);
    if let Some((active, _)) = held.or(open.first()) {
        return Ok(QueueAnswer::Active(existing(tx, *active).await?));
    }
    let id = add_new(tx, run, at).await?;
    Ok(QueueAnswer::Queued(existing(tx, id).await?))
}

async fn add_new(tx: &mut dyn Transaction, run: &NewRun, at: DateTime<Utc>) -> Result<RunId> {
    let row = Row {
        job: run.job,
        origin: &run.origin,
        state: RunState::Queued,
        reason: None,
        due: None,
        slots: 0,
        tasks: run.tasks.as_deref(),
        key: run.key.as_deref(),
        ready_at: run.ready_at,
        at,
    };
    add(tx, &row).await
}

/// A run that could be claimed.
struct Candidate {
    id: RunId,
    job: JobId,
    source: String,
    destination: String,
    state: RunState,
    reason: Option<String>,
    origin: OriginKind,
    attempt: u32,
}

pub(crate) async fn claim(
    tx: &mut dyn Transaction,
    node: NodeId,
    limits: &Limits,
    at: DateTime<Utc>,
) -> Result<Option<Claimed>> {
    tx.alone(Topic::Claims).await?;
    let sql = format!(
        "SELECT name FROM nodes WHERE id = ?1{}",
        tx.dialect().for_update
    );
    let Some(mut row) = tx.row(&sql, &values![node.0]).await? else {
        return Err(fenced_node(node));
    };
    let node_name = row.text()?;
    let room = Room::left(tx, node, limits).await?;
    for candidate in candidates(tx, at).await? {
        match room.refusal(&candidate) {
            Some(reason) => {
                let told = candidate.reason.as_ref() == Some(&reason);
                if candidate.state != RunState::Waiting || !told {
                    wait(tx, &candidate, &reason).await?;
                }
            }
            None => {
                let claim = Claim {
                    run: candidate.id,
                    node,
                    attempt: candidate.attempt,
                };
                take(tx, &candidate, node, &node_name, at).await?;
                return Ok(Some(Claimed {
                    claim,
                    run: existing(tx, candidate.id).await?,
                    job: jobs::stored_job(tx, candidate.job).await?,
                }));
            }
        }
    }
    Ok(None)
}

/// Runs that may start as far as their job and the time go, the one that has been ready longest first. Their jobs are
/// locked; those of jobs that others have locked are left out. One that was queued in the future was so before the clock
/// was set back.
async fn candidates(tx: &mut dyn Transaction, at: DateTime<Utc>) -> Result<Vec<Candidate>> {
    let sql = format!(
        "SELECT r.id, r.job_id, r.source, r.destination, r.state, r.reason, r.origin, r.attempt \
         FROM runs r{} JOIN jobs j ON j.id = r.job_id \
         WHERE r.ended_at IS NULL AND r.node_id IS NULL AND (r.ready_at <= ?1 OR r.queued_at > ?1) \
         AND NOT EXISTS (SELECT 1 FROM runs h WHERE h.job_id = r.job_id AND h.node_id IS NOT NULL) \
         ORDER BY r.ready_at, r.id{}",
        (tx.dialect().indexed_by)("runs_open"),
        tx.dialect().skip_locked
    );
    let rows = tx.rows(&sql, &values![at]).await?;
    let candidates = rows.into_iter().map(|mut row| {
        Ok(Candidate {
            id: RunId(row.integer()?),
            job: JobId(row.integer()?),
            source: row.text()?,
            destination: row.text()?,
            state: row.word()?,
            reason: row.optional_text()?,
            origin: row.word()?,
            attempt: row.number()?,
        })
    });
    candidates.collect()
}

/// How much room the limits leave.
struct Room<'a> {
    limits: &'a Limits,
    held: u32,
    held_by_node: u32,
    sources: HashMap<String, u32>,
    destinations: HashMap<String, u32>,
}

impl<'a> Room<'a> {
    async fn left(tx: &mut dyn Transaction, node: NodeId, limits: &'a Limits) -> Result<Self> {
        let mut room = Self {
            limits,
            held: 0,
            held_by_node: 0,
            sources: HashMap::new(),
            destinations: HashMap::new(),
        };
        let sql = "SELECT node_id, source, destination FROM runs WHERE node_id IS NOT NULL";
        for mut row in tx.rows(sql, &[]).await? {
            room.held += 1;
            room.held_by_node += u32::from(row.integer()? == node.0);
            *room.sources.entry(name::key(&row.text()?)).or_default() += 1;
            *room
                .destinations
                .entry(name::key(&row.text()?))
                .or_default() += 1;
        }
        Ok(room)
    }

    /// The limit that keeps a run back, if there is one.
    fn refusal(&self, run: &Candidate) -> Option<String> {
        let is_full = |limit: Option<u32>, held: u32| limit.filter(|limit| held >= *limit);
        let of = |limits: &std::collections::BTreeMap<String, u32>, connection: &str| {
            let key = name::key(connection);
            let mut limits = limits.iter();
            let found = limits.find(|(name, _)| name::key(name) == key);
            found.map(|(_, limit)| *limit)
        };
        let held = |of: &HashMap<String, u32>, connection: &str| {
            of.get(&name::key(connection)).copied().unwrap_or(0)
        };
        if let Some(limit) = is_full(self.limits.application, self.held) {
            return Some(format!(
                "the application's limit of {} is reached",
                runs_of(limit)
            ));
        }
        if let Some(limit) = is_full(self.limits.node, self.held_by_node) {
            return Some(format!(
                "the limit of {} for one machine is reached",
                runs_of(limit)
            ));
        }
        let source = of(&self.limits.sources, &run.source);
        if let Some(limit) = is_full(source, held(&self.sources, &run.source)) {
            let runs = runs_of(limit);
            return Some(format!(
                "the limit of {runs} for the source `{}` is reached",
                run.source
            ));
        }
        let destination = of(&self.limits.destinations, &run.destination);
        let limit = is_full(destination, held(&self.destinations, &run.destination))?;
        let runs = runs_of(limit);
        Some(format!(
            "the limit of {runs} for the destination `{}` is reached",
            run.destination
        ))
    }
}

fn runs_of(limit: u32) -> String {
    match limit {
        1 => "1 run".to_owned(),
        limit => format!("{limit} runs"),
    }
}

async fn wait(tx: &mut dyn Transaction, run: &Candidate, reason: &str) -> Result<()> {
    let sql = "UPDATE runs SET state = 'waiting', reason = ?2 WHERE id = ?1";
    tx.execute(sql, &values![run.id.0, reason]).await?;
    counts::remove(tx, run.job, run.state, run.origin).await?;
    counts::add(tx, run.job, RunState::Waiting, run.origin).await
}

async fn take(
    tx: &mut dyn Transaction,
    run: &Candidate,
    node: NodeId,
    node_name: &str,
    at: DateTime<Utc>,
) -> Result<()> {
    let sql = "UPDATE runs SET state = 'running', reason = NULL, node_id = ?2, node_name = ?3, \
               started_at = coalesce(started_at, ?4) WHERE id = ?1";
    tx.execute(sql, &values![run.id.0, node.0, node_name, at])
        .await?;
    counts::remove(tx, run.job, run.state, run.origin).await?;
    counts::add(tx, run.job, RunState::Running, run.origin).await
}

fn fenced_node(node: NodeId) -> Error {
    let message = format!("node {node} was silent too long and has been given up");
    Error::new(code::store::FENCED, message)
}

/// A run that is held by a claim: what is needed to change its state. Its job is locked.
pub(crate) struct Held {
    job: JobId,
    state: RunState,
    origin: OriginKind,
    cancel_asked: bool,
    interruptions: u32,
}

/// Checks a claim and locks the run's job.
pub(crate) async fn hold(tx: &mut dyn Transaction, claim: &Claim) -> Result<Held> {
    let sql = "SELECT job_id FROM runs WHERE id = ?1";
    let row = tx.row(sql, &values![claim.run.0]).await?;
    let mut row = row.ok_or_else(|| not_found("run", claim.run.0))?;
    jobs::lock(tx, JobId(row.integer()?)).await?;
    let sql = format!(
        "SELECT job_id, state, origin, cancel_asked, interruptions FROM runs \
         WHERE id = ?1 AND node_id = ?2 AND attempt = ?3{}",
        tx.dialect().for_update
    );
    let row = tx
        .row(&sql, &values![claim.run.0, claim.node.0, claim.attempt])
        .await?;
    let Some(mut row) = row else {
        let message = format!("run {} is no longer held by node {}", claim.run, claim.node);
        return Err(Error::new(code::store::FENCED, message));
    };
    Ok(Held {
        job: JobId(row.integer()?),
        state: row.word()?,
        origin: row.word()?,
        cancel_asked: row.truth()?,
        interruptions: row.number()?,
    })
}

impl Held {
    async fn count(&self, tx: &mut dyn Transaction, state: RunState) -> Result<()> {
        counts::remove(tx, self.job, self.state, self.origin).await?;
        counts::add(tx, self.job, state, self.origin).await
    }
}

pub(crate) async fn set_waiting(
    tx: &mut dyn Transaction,
    claim: &Claim,
    reason: Option<&str>,
) -> Result<()> {
    let held = hold(tx, claim).await?;
    let state = match reason {
        Some(_) => RunState::Waiting,
        None => RunState::Running,
    };
    let sql = "UPDATE runs SET state = ?2, reason = ?3 WHERE id = ?1";
    tx.execute(sql, &values![claim.run.0, state.word(), reason])
        .await?;
    held.count(tx, state).await
}

pub(crate) async fn finish(
    tx: &mut dyn Transaction,
    claim: &Claim,
    ending: &Ending,
) -> Result<Finished> {
    if !ending.queue.is_empty() {
        tx.alone(Topic::Following).await?;
    }
    let held = hold(tx, claim).await?;
    let end = End {
        run: claim.run,
        state: ending.state,
        failure: ending.failure.as_ref(),
        reason: ending.reason.as_deref(),
        at: ending.at,
    };
    let (failures, paused) = end_held(tx, &held, &end).await?;
    let mut queued = Vec::new();
    for run in &ending.queue {
        if jobs::lock(tx, run.job).await? && open(tx, run.job).await?.is_empty() {
            queued.push(add_new(tx, run, ending.at).await?);
        }
    }
    if paused {
        definitions::changed(tx).await?;
    }
    Ok(Finished {
        run: existing(tx, claim.run).await?,
        failures,
        paused,
        queued,
    })
}

/// How a held run ends.
struct End<'a> {
    run: RunId,
    state: RunState,
    failure: Option<&'a Failure>,
    reason: Option<&'a str>,
    at: DateTime<Utc>,
}

/// Ends a held run. Returns the job's failures in a row, and whether this paused its schedule.
async fn end_held(tx: &mut dyn Transaction, held: &Held, end: &End<'_>) -> Result<(u32, bool)> {
    if !matches!(
        end.state,
        RunState::Succeeded | RunState::Partial | RunState::Failed | RunState::Cancelled
    ) {
        let message = format!("a run cannot end in the state {}", end.state);
        return Err(Error::new(code::store::WRONG_STATE, message));
    }
    tries::end_open(tx, end.run, end.state, end.at).await?;
    let mut row = values![end.run.0, end.state.word(), end.reason, end.at].to_vec();
    row.extend(failure_values(end.failure));
    let sql = "UPDATE runs SET state = ?2, reason = ?3, ended_at = ?4, node_id = NULL, \
               failure_code = ?5, failure_kind = ?6, failure_message = ?7, failure_hint = ?8 WHERE id = ?1";
    tx.execute(sql, &row).await?;
    held.count(tx, end.state).await?;
    let succeeded = end.state == RunState::Succeeded;
    let added = match end.state {
        RunState::Succeeded => "0",
        RunState::Cancelled => "failures",
        _ => "failures + 1",
    };
    let sql = format!(
        "UPDATE jobs SET last_run = ?2, last_state = ?3, failures = {added}, \
         last_success = CASE WHEN ?4 = 1 THEN ?2 ELSE last_success END WHERE id = ?1 \
         RETURNING failures, pause_after, paused_at, scheduled"
    );
    let row = values![
        held.job.0,
        end.run.0,
        end.state.word(),
        i64::from(succeeded)
    ];
    let row = tx.row(&sql, &row).await?;
    let mut row = row.ok_or_else(|| not_found("job", held.job.0))?;
    let (failures, pause_after): (u32, u32) = (row.number()?, row.number()?);
    let runs_by_itself = row.optional_time()?.is_none() && row.truth()?;
    let has_failed = matches!(end.state, RunState::Failed | RunState::Partial);
    let pauses = has_failed && runs_by_itself && pause_after > 0 && failures >= pause_after;
    if pauses {
        let why = format!("{} in a row did not succeed", runs_of(failures));
        let sql = "UPDATE jobs SET paused_at = ?2, paused_why = ?3 WHERE id = ?1";
        tx.execute(sql, &values![held.job.0, end.at, why]).await?;
    }
    Ok((failures, pauses))
}

/// Puts a held run back into the queue.
async fn give_back(
    tx: &mut dyn Transaction,
    run: RunId,
    held: &Held,
    state: RunState,
    set: &str,
    mut row: Vec<Value>,
    at: DateTime<Utc>,
) -> Result<()> {
    tries::end_open(tx, run, RunState::Cancelled, at).await?;
    let sql = format!(
        "UPDATE runs SET state = ?2, node_id = NULL, attempt = attempt + 1{set} WHERE id = ?1"
    );
    let mut all = values![run.0, state.word()].to_vec();
    all.append(&mut row);
    tx.execute(&sql, &all).await?;
    held.count(tx, state).await
}

pub(crate) async fn retry(
    tx: &mut dyn Transaction,
    claim: &Claim,
    retrying: &Retrying,
) -> Result<Run> {
    let held = hold(tx, claim).await?;
    let mut row = values![&retrying.reason, retrying.ready_at].to_vec();
    row.extend(failure_values(retrying.failure.as_ref()));
    let set = ", reason = ?3, ready_at = ?4, failure_code = ?5, failure_kind = ?6, failure_message = ?7, failure_hint = ?8";
    let state = RunState::Waiting;
    give_back(tx, claim.run, &held, state, set, row, retrying.at).await?;
    existing(tx, claim.run).await
}

pub(crate) async fn release(
    tx: &mut dyn Transaction,
    claim: &Claim,
    at: DateTime<Utc>,
) -> Result<()> {
    let held = hold(tx, claim).await?;
    if held.cancel_asked {
        return end_cancelled(tx, claim.run, &held, at).await;
    }
    let state = RunState::Queued;
    give_back(
        tx,
        claim.run,
        &held,
        state,
        ", reason = NULL",
        Vec::new(),
        at,
    )
    .await
}

async fn end_cancelled(
    tx: &mut dyn Transaction,
    run: RunId,
    held: &Held,
    at: DateTime<Utc>,
) -> Result<()> {
    let end = End {
        run,
        state: RunState::Cancelled,
        failure: None,
        reason: None,
        at,
    };
    end_held(tx, held, &end).await?;
    Ok(())
}

/// What becomes of the run of a node that was given up: it is queued again, or fails after too many interruptions, or is
/// cancelled if that was asked for.
pub(crate) async fn interrupt(
    tx: &mut dyn Transaction,
    claim: &Claim,
    most: u32,
    failure: &Failure,
    at: DateTime<Utc>,
) -> Result<(JobId, RunState)> {
    let held = hold(tx, claim).await?;
    let state = if held.cancel_asked {
        end_cancelled(tx, claim.run, &held, at).await?;
        RunState::Cancelled
    } else if held.interruptions >= most {
        let end = End {
            run: claim.run,
            state: RunState::Failed,
            failure: Some(failure),
            reason: None,
            at,
        };
        end_held(tx, &held, &end).await?;
        RunState::Failed
    } else {
        let set = ", reason = NULL, interruptions = interruptions + 1";
        let state = RunState::Queued;
        give_back(tx, claim.run, &held, state, set, Vec::new(), at).await?;
        state
    };
    Ok((held.job, state))
}

pub(crate) async fn cancel(
    tx: &mut dyn Transaction,
    id: RunId,
    change: &Change,
) -> Result<CancelAnswer> {
    let job = existing(tx, id).await?.job;
    jobs::lock(tx, job).await?;
    let sql = format!(
        "SELECT state, origin, node_id FROM runs WHERE id = ?1{}",
        tx.dialect().for_update
    );
    let row = tx.row(&sql, &values![id.0]).await?;
    let mut row = row.ok_or_else(|| not_found("run", id.0))?;
    let (state, origin): (RunState, OriginKind) = (row.word()?, row.word()?);
    let is_held = row.optional_integer()?.is_some();
    if state.is_final() {
        return Ok(CancelAnswer::Over(state));
    }
    let reason = format!("cancelled by {}", change.by);
    audit::note::<()>(tx, change, "run.cancel", &id.to_string(), [None, None]).await?;
    if is_held {
        let sql = "UPDATE runs SET cancel_asked = TRUE, reason = ?2 WHERE id = ?1";
        tx.execute(sql, &values![id.0, reason]).await?;
        return Ok(CancelAnswer::Asked);
    }
    end_unheld(tx, job, id, state, origin, &reason, change.at).await?;
    Ok(CancelAnswer::Cancelled)
}

/// Cancels a run that has not been claimed.
async fn end_unheld(
    tx: &mut dyn Transaction,
    job: JobId,
    id: RunId,
    state: RunState,
    origin: OriginKind,
    reason: &str,
    at: DateTime<Utc>,
) -> Result<()> {
    let sql = "UPDATE runs SET state = 'cancelled', reason = ?2, ended_at = ?3 WHERE id = ?1";
    tx.execute(sql, &values![id.0, reason, at]).await?;
    counts::remove(tx, job, state, origin).await?;
    counts::add(tx, job, RunState::Cancelled, origin).await
}

/// Cancels what is queued of a job. The job is locked.
pub(crate) async fn cancel_queued(
    tx: &mut dyn Transaction,
    job: JobId,
    reason: &str,
    change: &Change,
) -> Result<()> {
    let sql = "SELECT id, state, origin FROM runs \
               WHERE job_id = ?1 AND ended_at IS NULL AND node_id IS NULL";
    for mut row in tx.rows(sql, &values![job.0]).await? {
        let (id, state, origin) = (RunId(row.integer()?), row.word()?, row.word()?);
        end_unheld(tx, job, id, state, origin, reason, change.at).await?;
    }
    Ok(())
}

/// The runs that a node holds.
pub(crate) async fn held_by(tx: &mut dyn Transaction, nodes: &[NodeId]) -> Result<Vec<Claim>> {
    let nodes = pages::listed(nodes.iter().map(|node| node.0));
    let sql =
        format!("SELECT id, node_id, attempt FROM runs WHERE node_id IN ({nodes}) ORDER BY id");
    let rows = tx.rows(&sql, &[]).await?;
    let claims = rows.into_iter().map(|mut row| {
        Ok(Claim {
            run: RunId(row.integer()?),
            node: NodeId(row.integer()?),
            attempt: row.number()?,
        })
    });
    claims.collect()
}
