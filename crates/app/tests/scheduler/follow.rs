//! What follows a run.

use bucketline_app::scheduler::follow_problems;
use bucketline_app::{FollowStep, FollowUp, FollowWhen, Kind, Origin, RunState, Step};
use chrono::TimeDelta;

use crate::world::{Script, World, job};

fn after(when: FollowWhen, step: FollowStep) -> FollowUp {
    FollowUp { when, step }
}

fn sql(text: &str) -> FollowStep {
    FollowStep::Sql(text.to_owned())
}

fn hook(text: &str) -> FollowStep {
    FollowStep::Webhook(text.to_owned())
}

fn next(name: &str) -> FollowStep {
    FollowStep::Job(name.to_owned())
}

#[tokio::test]
async fn sql_a_webhook_and_another_job_follow_in_their_order() {
    let mut world = World::new("2026-01-01T00:00:00Z").await;
    let second = world.job("second", None, &["REPLICATE B"]).await;
    let mut first = job("first", None, &["REPLICATE A"]);
    first.after = vec![
        after(FollowWhen::Succeeded, sql("CREATE VIEW v AS SELECT 1")),
        after(FollowWhen::Failed, hook("https://bad.example")),
        after(FollowWhen::Ended, hook("https://any.example")),
        after(FollowWhen::Succeeded, next("second")),
    ];
    let first = world.add(&first).await.job.id;
    world.start();
    world.queue(first).await;
    world.run_for(TimeDelta::minutes(5)).await;
    assert_eq!(
        world.runner.carried(),
        [
            "REPLICATE A",
            "CREATE VIEW v AS SELECT 1",
            "https://any.example",
            "REPLICATE B"
        ]
    );
    let run = &world.runs(first).await[0];
    let steps = world.store.task_runs(run.id).await.unwrap();
    assert_eq!(steps[1].step, Step::After { place: 0 });
    let followed = &world.runs(second).await[0];
    assert_eq!(
        (followed.state, &followed.origin),
        (RunState::Succeeded, &Origin::Job { run: run.id })
    );
}

#[tokio::test]
async fn a_step_for_success_needs_that_all_before_it_succeeded() {
    let mut world = World::new("2026-01-01T00:00:00Z").await;
    let second = world.job("second", None, &["REPLICATE B"]).await;
    let mut first = job("first", None, &["REPLICATE A"]);
    first.after = vec![
        after(FollowWhen::Succeeded, sql("CREATE VIEW v AS SELECT 1")),
        after(FollowWhen::Succeeded, next("second")),
        after(FollowWhen::Failed, hook("https://bad.example")),
    ];
    let first = world.add(&first).await.job.id;
    world.runner.tell(
        "CREATE VIEW v AS SELECT 1",
        [Script::fails_in(1, Kind::Statement)],
    );
    world.start();
    world.queue(first).await;
    world.run_for(TimeDelta::minutes(5)).await;
    assert_eq!(
        world.runner.carried()[1..],
        ["CREATE VIEW v AS SELECT 1", "https://bad.example"]
    );
    assert_eq!(world.states(first).await, [RunState::Partial]);
    assert!(world.runs(second).await.is_empty());
}

#[tokio::test]
async fn what_follows_a_failure_waits_until_the_retries_are_used_up() {
    let mut world = World::new("2026-01-01T00:00:00Z").await;
    let mut first = job("first", None, &["REPLICATE A"]);
    first.after = vec![after(FollowWhen::Failed, hook("https://bad.example"))];
    let first = world.add(&first).await.job.id;
    world
        .runner
        .tell("REPLICATE A", [Script::fails_in(1, Kind::Transient)]);
    world.start();
    world.queue(first).await;
    world.run_for(TimeDelta::hours(1)).await;
    let carried = world.runner.carried();
    assert_eq!(carried[..4], ["REPLICATE A"; 4]);
    assert_eq!(carried[4..], ["https://bad.example"]);
    assert_eq!(world.states(first).await, [RunState::Failed]);
}

#[tokio::test]
async fn a_follow_up_that_fails_for_now_is_tried_again_alone() {
    let mut world = World::new("2026-01-01T00:00:00Z").await;
    let mut first = job("first", None, &["REPLICATE A"]);
    first.after = vec![
        after(FollowWhen::Ended, hook("https://one.example")),
        after(FollowWhen::Succeeded, sql("CREATE VIEW v AS SELECT 1")),
    ];
    let first = world.add(&first).await.job.id;
    world.runner.tell(
        "CREATE VIEW v AS SELECT 1",
        [Script::fails_in(1, Kind::Transient), Script::succeeds_in(1)],
    );
    world.start();
    world.queue(first).await;
    world.run_for(TimeDelta::hours(1)).await;
    let view = "CREATE VIEW v AS SELECT 1";
    assert_eq!(
        world.runner.carried(),
        ["REPLICATE A", "https://one.example", view, view]
    );
    assert_eq!(world.states(first).await, [RunState::Succeeded]);
}

#[tokio::test]
async fn jobs_that_would_follow_each_other_for_ever_are_refused() {
    let world = World::new("2026-01-01T00:00:00Z").await;
    let follows = |name: &str, names: &[&str]| {
        let mut job = job(name, None, &["REPLICATE A"]);
        job.after = names
            .iter()
            .map(|name| after(FollowWhen::Ended, next(name)))
            .collect();
        job
    };
    let a = world.add(&follows("a", &[])).await.job.id;
    world.add(&follows("b", &["a"])).await;
    world.add(&follows("c", &["b"])).await;
    let told = |problems: Vec<bucketline_app::Problem>| {
        problems
            .iter()
            .map(|problem| format!("{} {problem}", problem.code))
            .collect::<Vec<_>>()
    };
    let problems = follow_problems(&*world.store, &follows("a", &["C"]), Some(a))
        .await
        .unwrap();
    assert_eq!(
        told(problems),
        ["BL0008 after[0].job: the jobs would follow each other for ever: a > C > b > a"]
    );
    let problems = follow_problems(&*world.store, &follows("d", &["a", "nobody"]), None)
        .await
        .unwrap();
    assert_eq!(
        told(problems),
        ["BL0008 after[1].job: there is no job `nobody`"]
    );
}

#[tokio::test]
async fn a_circle_that_was_made_while_it_ran_ends_after_one_turn() {
    let mut world = World::new("2026-01-01T00:00:00Z").await;
    let a = world.add(&job("a", None, &["REPLICATE A"])).await;
    let mut b = job("b", None, &["REPLICATE B"]);
    b.after = vec![after(FollowWhen::Ended, next("a"))];
    let b = world.add(&b).await.job.id;
    let mut changed = a.job.value.clone();
    changed.after = vec![after(FollowWhen::Ended, next("b"))];
    world
        .store
        .replace_job(a.job.id, &changed, a.job.revision, &world.change())
        .await
        .unwrap();
    world.start();
    world.queue(a.job.id).await;
    world.run_for(TimeDelta::hours(1)).await;
    assert_eq!(
        (world.runs(a.job.id).await.len(), world.runs(b).await.len()),
        (1, 1)
    );
}
