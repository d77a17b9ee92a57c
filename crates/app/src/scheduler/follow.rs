//! What follows a run: which of a job's steps apply, and that jobs do not follow each other in circles.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::Shared;
use super::patience::patiently;
use crate::name::key;
use crate::store::{JobFilter, PageRequest};
use crate::{
    FollowStep, FollowWhen, Job, JobId, NewRun, Origin, Problem, Result, Run, RunState, Store,
};
use bucketline_core::code;

/// Runs that may follow each other. A chain can be longer than that only if jobs were changed while it ran.
const LONGEST_CHAIN: usize = 100;

/// A job that follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Follow {
    /// Its place in [`Job::after`].
    pub(super) place: usize,
    /// Its name.
    pub(super) job: String,
}

/// Whether something follows when all before it came to `state`.
pub(super) fn applies(when: FollowWhen, state: RunState) -> bool {
    match when {
        FollowWhen::Succeeded => state == RunState::Succeeded,
        FollowWhen::Failed => state != RunState::Succeeded,
        FollowWhen::Ended => true,
    }
}

/// The runs that follow `run`.
pub(super) async fn new_runs(
    shared: &Shared,
    run: &Run,
    follow: &[Follow],
    at: DateTime<Utc>,
) -> Result<Vec<NewRun>> {
    let mut runs = Vec::new();
    for next in follow {
        let Shared { store, clock, .. } = shared;
        let found = patiently(&**clock, "reading a job", || store.job_named(&next.job)).await?;
        let Some(entry) = found else {
            tracing::warn!(job = %run.job_name, follows = %next.job, "there is no such job any more");
            continue;
        };
        if is_behind(shared, run, entry.job.id).await? {
            tracing::warn!(job = %run.job_name, follows = %next.job, "the jobs follow each other in a circle");
            continue;
        }
        runs.push(NewRun {
            job: entry.job.id,
            origin: Origin::Job { run: run.id },
            tasks: None,
            ready_at: at,
            key: Some(format!("after {} at {}", run.id, next.place)),
        });
    }
    Ok(runs)
}

/// Whether a run of `job` led to `run`, or `run` is one.
async fn is_behind(shared: &Shared, run: &Run, job: JobId) -> Result<bool> {
    let mut run = run.clone();
    for _ in 0..LONGEST_CHAIN {
        if run.job == job {
            return Ok(true);
        }
        let Origin::Job { run: before } = run.origin else {
            return Ok(false);
        };
        let Shared { store, clock, .. } = shared;
        match patiently(&**clock, "reading a run", || store.run(before)).await? {
            Some(before) => run = before,
            None => return Ok(false),
        }
    }
    Ok(true)
}

/// What is wrong with the jobs that follow `job`, which is to be saved as number `id` or as a new one: one that does
/// not exist, or one that it follows itself.
///
/// # Errors
/// If the store cannot be used.
pub async fn follow_problems(
    store: &dyn Store,
    job: &Job,
    id: Option<JobId>,
) -> Result<Vec<Problem>> {
    if !job
        .after
        .iter()
        .any(|next| matches!(next.step, FollowStep::Job(_)))
    {
        return Ok(Vec::new());
    }
    let mut jobs: HashMap<String, Job> = HashMap::new();
    let mut page = PageRequest::first(PageRequest::MOST);
    loop {
        let listed = store.jobs(&JobFilter::default(), &page).await?;
        let others = listed
            .items
            .into_iter()
            .filter(|entry| Some(entry.job.id) != id);
        jobs.extend(others.map(|entry| (key(&entry.job.value.name), entry.job.value)));
        let Some(next) = listed.next else { break };
        page = PageRequest::after(next, PageRequest::MOST);
    }
    let mut problems = Vec::new();
    for (place, next) in job.after.iter().enumerate() {
        let FollowStep::Job(name) = &next.step else {
            continue;
        };
        let place = format!("after[{place}].job");
        if key(name) == key(&job.name) {
            // `Job::problems` says so.
            continue;
        }
        if !jobs.contains_key(&key(name)) {
            problems.push(
                Problem::new(
                    place,
                    code::model::BAD_REFERENCE,
                    format!("there is no job `{name}`"),
                )
                .with_hint("create that job first"),
            );
        } else if let Some(path) = path(&jobs, name, &job.name) {
            let circle = format!("{} > {}", job.name, path.join(" > "));
            problems.push(
                Problem::new(
                    place,
                    code::model::BAD_REFERENCE,
                    format!("the jobs would follow each other for ever: {circle}"),
                )
                .with_hint("leave one of them out"),
            );
        }
    }
    Ok(problems)
}

/// The names along the way from one job to another that follows it, both included.
fn path(jobs: &HashMap<String, Job>, from: &str, to: &str) -> Option<Vec<String>> {
    let mut seen = vec![key(from)];
    let mut ways = vec![vec![from.to_owned()]];
    while let Some(way) = ways.pop() {
        let last = way.last()?;
        if key(last) == key(to) {
            return Some(way);
        }
        for next in jobs.get(&key(last)).into_iter().flat_map(|job| &job.after) {
            let FollowStep::Job(name) = &next.step else {
                continue;
            };
            if key(name) == key(to) || !seen.contains(&key(name)) {
                seen.push(key(name));
                ways.push([way.clone(), vec![name.clone()]].concat());
            }
        }
    }
    None
}
