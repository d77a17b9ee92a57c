//! Random histories: whatever happens at the source and on the way, the copy ends as the source is.

use bucketline_sandbox::{
    Change, Count, Fault, FaultKind, IssueEdit, PullRequestEdit, RetryAfter, Sandbox,
};

use crate::world::{World, one};

const TABLES: &str = "REPLICATE Issues; REPLICATE PullRequests; REPLICATE Branches; \
     REPLICATE Open SELECT * FROM PullRequests WHERE State = 'OPEN'; REPLICATE Repositories; REPLICATE Projects;";

/// One random change. Issues are not deleted: that an incremental copy cannot see it is a stated blind spot.
fn change(random: &mut fastrand::Rng, sandbox: &Sandbox, added: &mut u32) {
    let repository = format!("acme/{}", random.choice(["api", "web", "tools"]).unwrap());
    let id = random.u32(1..=30);
    let title = Some(format!("Title {}", random.u32(..)));
    let change = match random.u32(0..11) {
        0 | 1 => Change::UpdateIssue {
            repository,
            id,
            edit: IssueEdit {
                title,
                ..IssueEdit::default()
            },
        },
        2 => Change::AddIssue {
            repository,
            edit: IssueEdit {
                title,
                ..IssueEdit::default()
            },
        },
        3 => Change::UpdatePullRequest {
            repository,
            id,
            edit: PullRequestEdit {
                title,
                ..PullRequestEdit::default()
            },
        },
        4 => Change::AddPullRequest {
            repository,
            edit: PullRequestEdit {
                title,
                ..PullRequestEdit::default()
            },
        },
        5 => Change::MergePullRequest { repository, id },
        6 => Change::DeclinePullRequest {
            repository,
            id,
            reason: String::new(),
        },
        7 => Change::Push {
            repository,
            branch: format!("topic-{}", random.u32(0..6)),
        },
        8 => Change::DeleteBranch {
            repository,
            branch: format!("topic-{}", random.u32(0..6)),
        },
        9 => {
            *added += 1;
            Change::AddRepository {
                workspace: "acme".into(),
                slug: format!("new-{added}"),
                project: None,
                issues: 3,
                pull_requests: 3,
                branches: 2,
            }
        }
        _ => Change::UpdateProject {
            workspace: "acme".into(),
            key: "API".into(),
            name: None,
            new_key: None,
            description: title,
        },
    };
    // A change of what is not there (a merged pull request merged again) is refused, as it would be.
    drop(sandbox.apply(change));
    sandbox
        .apply(Change::AdvanceClock {
            seconds: f64::from(random.u32(1..90)),
        })
        .unwrap();
}

fn fault(random: &mut fastrand::Rng) -> Fault {
    let path = random
        .choice([
            "*/issues",
            "*/pullrequests",
            "*/refs/branches",
            "/2.0/repositories/*",
        ])
        .unwrap();
    let kind = match random.u32(0..7) {
        0 => FaultKind::ServerError { status: 503 },
        1 => FaultKind::CutBody,
        2 => FaultKind::Reset,
        3 => FaultKind::TooManyRequests {
            retry_after: Some(RetryAfter::Seconds(0)),
        },
        4 => FaultKind::NotFound,
        5 => FaultKind::Forbidden,
        _ => FaultKind::WrongJson,
    };
    Fault::once(path, kind).after(random.u32(0..6))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_copy_ends_as_the_source_is() {
    let seeds = std::env::var("HISTORIES")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(6);
    for seed in 0..seeds {
        let mut random = fastrand::Rng::with_seed(seed);
        let world = World::start(one(|it| {
            it.repositories(3)
                .trackers_off(0)
                .issues(Count::PerRepository(30))
                .pull_requests(Count::PerRepository(30))
                .branches(4)
        }))
        .await;
        let mut added = 0;
        for _ in 0..4 {
            for _ in 0..random.u32(0..10) {
                change(&mut random, &world.sandbox, &mut added);
            }
            if random.bool() {
                world.sandbox.fault(fault(&mut random));
            }
            // A statement may fail under a fault; nothing may be lost by it.
            world.run(TABLES).await;
            world.sandbox.clear_faults();
        }
        for _ in 0..2 {
            let outcome = world.run(TABLES).await;
            assert!(
                outcome.errors.is_empty(),
                "seed {seed}: {:?}",
                outcome.errors
            );
        }
        eprintln!(
            "history {seed}: {} requests",
            world.sandbox.requests().len()
        );
        world.assert_issues("Issues", "acme");
        world.assert_pull_requests("PullRequests", "acme", None);
        world.assert_pull_requests("Open", "acme", Some("OPEN"));
        world.assert_branches("Branches", "acme");
    }
}
