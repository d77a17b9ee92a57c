use bucketline_sandbox::{
    Applied, Change, Clock, Config, IssueEdit, Kind, PullRequestEdit, Sandbox,
};
use serde_json::Value;

use crate::client::{encode, get, get_as};
use crate::sandbox;

const API: &str = "/repositories/acme/api";

fn repository() -> String {
    "acme/api".to_owned()
}

fn apply(sandbox: &Sandbox, change: Change) -> Applied {
    sandbox.apply(change).unwrap()
}

fn updated(sandbox: &Sandbox) -> Value {
    get(sandbox, API).json()["updated_on"].clone()
}

#[test]
fn issues_are_added_edited_and_deleted() {
    let sandbox = sandbox();
    let before = updated(&sandbox);
    let edit = IssueEdit {
        title: Some("Fresh".to_owned()),
        assignee: Some(0),
        ..IssueEdit::default()
    };
    let id = apply(
        &sandbox,
        Change::AddIssue {
            repository: repository(),
            edit,
        },
    )
    .id
    .unwrap();
    assert_eq!(id, 121);
    let added = get(&sandbox, &format!("{API}/issues/{id}")).json();
    assert_eq!(
        (&added["title"], &added["state"], &added["assignee"]),
        (&"Fresh".into(), &"new".into(), &Value::Null)
    );
    assert_eq!(added["created_on"], added["updated_on"]);

    let old = get(&sandbox, &format!("{API}/issues/5")).json();
    let edit = IssueEdit {
        state: Some("closed".to_owned()),
        ..IssueEdit::default()
    };
    apply(
        &sandbox,
        Change::UpdateIssue {
            repository: repository(),
            id: 5,
            edit,
        },
    );
    let new = get(&sandbox, &format!("{API}/issues/5")).json();
    assert_eq!(new["state"], "closed");
    assert_eq!(
        (&new["title"], &new["created_on"]),
        (&old["title"], &old["created_on"])
    );
    let since = encode(&format!(
        "updated_on > {}",
        added["updated_on"].as_str().unwrap()
    ));
    assert_eq!(get(&sandbox, &format!("{API}/issues?q={since}")).ids(), [5]);

    apply(
        &sandbox,
        Change::DeleteIssue {
            repository: repository(),
            id: 5,
        },
    );
    assert_eq!(get(&sandbox, &format!("{API}/issues/5")).status, 404);
    assert_eq!(get(&sandbox, &format!("{API}/issues")).json()["size"], 120);
    assert!(
        sandbox
            .apply(Change::DeleteIssue {
                repository: repository(),
                id: 5
            })
            .is_err()
    );
    assert_eq!(
        updated(&sandbox),
        before,
        "issues do not touch the repository"
    );
}

#[test]
fn pull_requests_are_edited_merged_and_declined() {
    let sandbox = sandbox();
    let before = updated(&sandbox);
    let open = get(&sandbox, &format!("{API}/pullrequests")).ids();
    let (edited, merged, declined) = (open[0] as u32, open[1] as u32, open[2] as u32);
    let edit = PullRequestEdit {
        comment_count: Some(77),
        ..PullRequestEdit::default()
    };
    apply(
        &sandbox,
        Change::UpdatePullRequest {
            repository: repository(),
            id: edited,
            edit,
        },
    );
    assert_eq!(
        get(&sandbox, &format!("{API}/pullrequests/{edited}")).json()["comment_count"],
        77
    );
    let reason = "no".to_owned();
    apply(
        &sandbox,
        Change::DeclinePullRequest {
            repository: repository(),
            id: declined,
            reason,
        },
    );
    assert_eq!(
        updated(&sandbox),
        before,
        "pull request edits do not touch the repository"
    );

    let tip = get(&sandbox, &format!("{API}/refs/branches/main")).json()["target"]["hash"].clone();
    apply(
        &sandbox,
        Change::MergePullRequest {
            repository: repository(),
            id: merged,
        },
    );
    let row = get(&sandbox, &format!("{API}/pullrequests/{merged}")).json();
    assert_eq!(row["state"], "MERGED");
    let new_tip = get(&sandbox, &format!("{API}/refs/branches/main")).json()["target"].clone();
    assert_ne!(new_tip["hash"], tip);
    assert_eq!(new_tip["parents"][0]["hash"], tip);
    assert!(
        new_tip["hash"]
            .as_str()
            .unwrap()
            .starts_with(row["merge_commit"]["hash"].as_str().unwrap())
    );
    assert_ne!(updated(&sandbox), before, "a merge is commit activity");
    assert!(
        sandbox
            .apply(Change::MergePullRequest {
                repository: repository(),
                id: merged
            })
            .is_err()
    );
    let left = get(&sandbox, &format!("{API}/pullrequests?pagelen=50")).ids();
    assert_eq!(
        left.len() as u64,
        get(&sandbox, &format!("{API}/pullrequests")).json()["size"]
            .as_u64()
            .unwrap()
    );
    assert!(!left.contains(&u64::from(merged)) && !left.contains(&u64::from(declined)));

    let id = apply(
        &sandbox,
        Change::AddPullRequest {
            repository: repository(),
            edit: PullRequestEdit::default(),
        },
    )
    .id;
    let added = get(&sandbox, &format!("{API}/pullrequests/{}", id.unwrap())).json();
    assert_eq!(
        (&added["state"], &added["merge_commit"]),
        (&"OPEN".into(), &Value::Null)
    );
}

#[test]
fn branches_come_move_and_go() {
    let sandbox = sandbox();
    let branch = || "topic/new".to_owned();
    let mut times = vec![updated(&sandbox)];
    apply(
        &sandbox,
        Change::Push {
            repository: repository(),
            branch: branch(),
        },
    );
    times.push(updated(&sandbox));
    let first =
        get(&sandbox, &format!("{API}/refs/branches/topic/new")).json()["target"]["hash"].clone();
    apply(
        &sandbox,
        Change::Push {
            repository: repository(),
            branch: branch(),
        },
    );
    times.push(updated(&sandbox));
    let second = get(&sandbox, &format!("{API}/refs/branches/topic/new")).json()["target"].clone();
    assert_eq!(second["parents"][0]["hash"], first);
    apply(
        &sandbox,
        Change::DeleteBranch {
            repository: repository(),
            branch: branch(),
        },
    );
    times.push(updated(&sandbox));
    assert_eq!(
        get(&sandbox, &format!("{API}/refs/branches/topic/new")).status,
        404
    );
    assert!(
        times
            .windows(2)
            .all(|pair| pair[0].as_str() < pair[1].as_str()),
        "{times:?}"
    );
}

#[test]
fn repositories_are_renamed_moved_hidden_and_deleted() {
    let sandbox = sandbox();
    let uuid = get(&sandbox, API).json()["uuid"].clone();
    let by_uuid = format!("/repositories/%7B%7D/{}", encode(uuid.as_str().unwrap()));
    apply(
        &sandbox,
        Change::RenameRepository {
            repository: repository(),
            slug: "core".to_owned(),
        },
    );
    for rest in ["", "?fields=uuid", "/issues?page=2"] {
        let moved = get(&sandbox, &format!("{API}{rest}"));
        assert_eq!(moved.status, 301, "{rest}");
        let location = format!("{}/repositories/acme/core{rest}", sandbox.base_url());
        assert_eq!(moved.header("location"), Some(location.as_str()));
        assert_eq!(get(&sandbox, &location).status, 200);
    }
    let renamed = get(&sandbox, "/repositories/acme/core").json();
    assert_eq!(
        (&renamed["uuid"], &renamed["full_name"]),
        (&uuid, &"acme/core".into())
    );
    let issue = get(&sandbox, "/repositories/acme/core/issues/1").json();
    assert_eq!(issue["repository"]["full_name"], "acme/core");

    let core = || "acme/core".to_owned();
    apply(
        &sandbox,
        Change::MoveRepository {
            repository: core(),
            project: "OPS".to_owned(),
        },
    );
    assert_eq!(
        get(&sandbox, "/repositories/acme/core").json()["project"]["key"],
        "OPS"
    );
    apply(&sandbox, Change::HideRepository { repository: core() });
    assert_eq!(get(&sandbox, "/repositories/acme/core").status, 404);
    assert_eq!(get(&sandbox, &by_uuid).status, 404);
    assert_eq!(get(&sandbox, "/repositories/acme").json()["size"], 4);
    apply(&sandbox, Change::ShowRepository { repository: core() });
    assert_eq!(get(&sandbox, "/repositories/acme").json()["size"], 5);

    let transfer = |slug: &str| Change::TransferRepository {
        repository: format!("acme/{slug}"),
        workspace: "globex".to_owned(),
    };
    assert!(
        sandbox.apply(transfer("tools")).is_err(),
        "globex has a repository of that name"
    );
    let slug = "tools-moved".to_owned();
    apply(
        &sandbox,
        Change::RenameRepository {
            repository: "acme/tools".to_owned(),
            slug,
        },
    );
    apply(&sandbox, transfer("tools-moved"));
    assert_eq!(get(&sandbox, "/repositories/acme/tools-moved").status, 404);
    assert_eq!(get(&sandbox, "/repositories/acme/tools").status, 404);
    let there = get_as(
        &sandbox,
        Some(&crate::client::api_token("globex")),
        "/2.0/repositories/globex/tools-moved",
    );
    assert_eq!(there.status, 200);
    apply(&sandbox, Change::DeleteRepository { repository: core() });
    assert_eq!(get(&sandbox, "/repositories/acme/core").status, 404);
    let add = Change::AddRepository {
        workspace: "acme".to_owned(),
        slug: "api".to_owned(),
        project: None,
        issues: 3,
        pull_requests: 2,
        branches: 1,
    };
    apply(&sandbox, add);
    let fresh = get(&sandbox, API).json();
    assert_ne!(fresh["uuid"], uuid, "another repository under an old name");
    assert_eq!(get(&sandbox, &format!("{API}/issues")).json()["size"], 3);
    assert_eq!(sandbox.snapshot(Kind::Repositories, "acme").len(), 4);
}

#[test]
fn projects_trackers_users_and_credentials() {
    let sandbox = sandbox();
    let acme = || "acme".to_owned();
    apply(
        &sandbox,
        Change::AddProject {
            workspace: acme(),
            key: "NEW".to_owned(),
            name: "New".to_owned(),
        },
    );
    apply(
        &sandbox,
        Change::UpdateProject {
            workspace: acme(),
            key: "NEW".to_owned(),
            name: Some("Newer".to_owned()),
            new_key: Some("NEWER".to_owned()),
            description: None,
        },
    );
    assert_eq!(
        get(&sandbox, "/workspaces/acme/projects/NEWER").json()["name"],
        "Newer"
    );
    apply(
        &sandbox,
        Change::DeleteProject {
            workspace: acme(),
            key: "NEWER".to_owned(),
        },
    );
    assert_eq!(get(&sandbox, "/workspaces/acme/projects").json()["size"], 3);
    assert!(
        sandbox
            .apply(Change::DeleteProject {
                workspace: acme(),
                key: "API".to_owned()
            })
            .is_err()
    );

    apply(
        &sandbox,
        Change::SetTracker {
            repository: repository(),
            on: false,
        },
    );
    assert_eq!(
        get(&sandbox, &format!("{API}/issues")).message(),
        "Repository has no issue tracker."
    );
    apply(
        &sandbox,
        Change::SetTracker {
            repository: repository(),
            on: true,
        },
    );

    let q = encode("reporter.nickname = \"user2\"");
    assert_ne!(
        get(&sandbox, &format!("{API}/issues?q={q}")).json()["size"],
        0
    );
    apply(
        &sandbox,
        Change::DeleteUser {
            workspace: acme(),
            user: 2,
        },
    );
    assert_eq!(
        get(&sandbox, &format!("{API}/issues?q={q}")).json()["size"],
        0
    );

    apply(
        &sandbox,
        Change::RevokeCredential {
            credential: "acme-api-token".to_owned(),
        },
    );
    assert_eq!(get(&sandbox, API).status, 401);
}

#[test]
fn hooks_change_the_world_behind_the_reader() {
    let sandbox = sandbox();
    let change = Change::UpdateIssue {
        repository: repository(),
        id: 1,
        edit: IssueEdit::default(),
    };
    sandbox.on_page("*/api/issues", 2, [change]);
    let list = format!("{API}/issues?sort=id&pagelen=100");
    let before = get(&sandbox, &list).column("/updated_on")[0].clone();
    assert_eq!(
        get(&sandbox, &list).column("/updated_on")[0],
        before,
        "page 2 still shows the old state"
    );
    assert_ne!(get(&sandbox, &list).column("/updated_on")[0], before);
}

#[test]
fn the_clock_can_stand_and_be_moved() {
    let at = "2026-05-01T00:00:00Z".parse().unwrap();
    let sandbox = Sandbox::start_blocking(Config {
        clock: Clock::Frozen(at),
        ..Config::default()
    })
    .unwrap();
    assert_eq!(sandbox.now(), at);
    apply(&sandbox, Change::AdvanceClock { seconds: 90.5 });
    assert_eq!(sandbox.now().to_rfc3339(), "2026-05-01T00:01:30.500+00:00");
    assert_eq!(
        get(&sandbox, API).header("date"),
        Some("Fri, 01 May 2026 00:01:30 GMT")
    );
}

#[test]
fn a_renamed_workspace_is_at_its_new_slug() {
    let sandbox = sandbox();
    let uuid = apply(
        &sandbox,
        Change::RenameWorkspace {
            workspace: "acme".to_owned(),
            slug: "Acme-Two".to_owned(),
        },
    )
    .uuid
    .unwrap();
    assert_eq!(get(&sandbox, "/workspaces/acme").status, 404);
    assert_eq!(get(&sandbox, API).status, 404);
    let workspace = get(&sandbox, "/workspaces/acme-two").json();
    assert_eq!(workspace["uuid"], *uuid);
    let api = get(&sandbox, "/repositories/acme-two/api").json();
    assert_eq!(api["full_name"], "acme-two/api");
    assert_eq!(api["workspace"]["slug"], "acme-two");
    assert_eq!(api["owner"]["username"], "acme-two");
    let taken = Change::RenameWorkspace {
        workspace: "acme-two".to_owned(),
        slug: "globex".to_owned(),
    };
    assert!(sandbox.apply(taken).is_err());
}

#[test]
fn an_approval_leaves_the_time_of_change_alone() {
    let sandbox = sandbox();
    let path = format!("{API}/pullrequests/3");
    let before = get(&sandbox, &path).json();
    let approve = Change::ApprovePullRequest {
        repository: repository(),
        id: 3,
        user: 2,
        approved: true,
    };
    apply(&sandbox, approve);
    let after = get(&sandbox, &path).json();
    assert_eq!(after["updated_on"], before["updated_on"]);
    let participants = after["participants"].as_array().unwrap();
    let own = participants
        .iter()
        .find(|one| one["user"]["display_name"] == "User 2")
        .unwrap();
    assert_eq!(own["approved"], true);
}

#[test]
fn projects_have_keys_of_their_own() {
    let sandbox = sandbox();
    let workspace = || "acme".to_owned();
    let add = Change::AddProject {
        workspace: workspace(),
        key: "API".to_owned(),
        name: "Again".to_owned(),
    };
    assert!(sandbox.apply(add).is_err());
    let rekey = |new_key: &str| Change::UpdateProject {
        workspace: workspace(),
        key: "API".to_owned(),
        name: None,
        new_key: Some(new_key.to_owned()),
        description: None,
    };
    assert!(sandbox.apply(rekey("WEB")).is_err());
    assert!(sandbox.apply(rekey("API")).is_ok());
    let project = get(&sandbox, "/workspaces/acme/projects/API").json();
    let uuid = project["uuid"].as_str().unwrap();
    let by_uuid = format!("/workspaces/acme/projects/{}", encode(uuid));
    assert_eq!(get(&sandbox, &by_uuid).status, 404, "the path takes a key");
}

#[test]
fn accounts_are_of_several_kinds_and_leave_in_two_ways() {
    let sandbox = sandbox();
    let kinds = || -> Vec<Value> {
        let list = format!("{API}/issues?pagelen=100&sort=id");
        get(&sandbox, &list).column("/reporter/type")
    };
    for kind in ["user", "team", "app_user"] {
        assert!(kinds().contains(&kind.into()), "{kind}");
    }
    for user in 1..=20 {
        let workspace = "acme".to_owned();
        apply(&sandbox, Change::DeleteUser { workspace, user });
    }
    let rows = sandbox.snapshot(Kind::Issues, "acme");
    assert!(rows.iter().any(|row| row.value.get("reporter").is_none()));
    assert!(
        rows.iter()
            .any(|row| row.value.get("reporter") == Some(&Value::Null))
    );
}
