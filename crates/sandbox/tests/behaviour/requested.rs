//! What is below pull requests.

use bucketline_sandbox::{Applied, Change, Kind, Sandbox};
use serde_json::Value;

use crate::client::{get, walk};
use crate::sandbox;

const API: &str = "/repositories/acme/api";

fn open(sandbox: &Sandbox) -> u32 {
    get(sandbox, &format!("{API}/pullrequests")).ids()[0] as u32
}

fn pull_request(sandbox: &Sandbox, id: u32) -> Value {
    get(sandbox, &format!("{API}/pullrequests/{id}")).json()
}

fn add(sandbox: &Sandbox, kind: Kind, parent: &str) -> Applied {
    let parent = parent.to_owned();
    sandbox.apply(Change::Add { kind, parent }).unwrap()
}

#[test]
fn comments_move_their_pull_request_and_stay_when_they_are_deleted() {
    let sandbox = sandbox();
    let id = open(&sandbox);
    let parent = format!("acme/api/pullrequests/{id}");
    let path = format!("{API}/pullrequests/{id}/comments?pagelen=100");
    let before = pull_request(&sandbox, id);
    let rows = get(&sandbox, &path).column("/deleted");
    let living = rows.iter().filter(|deleted| **deleted == false).count();
    assert_eq!(before["comment_count"], living);

    let number = add(&sandbox, Kind::PullRequestComments, &parent)
        .id
        .unwrap();
    let posted = pull_request(&sandbox, id);
    assert!(posted["updated_on"].as_str() > before["updated_on"].as_str());
    assert_eq!(posted["comment_count"], living + 1);
    let list = get(&sandbox, &path);
    let comment = list.json()["values"]
        .as_array()
        .unwrap()
        .last()
        .unwrap()
        .clone();
    assert_eq!(list.column("/id").len(), rows.len() + 1);
    assert_eq!(comment["pullrequest"]["id"], id);

    let kind = Kind::PullRequestComments;
    sandbox
        .apply(Change::Edit {
            kind,
            parent: parent.clone(),
            number,
        })
        .unwrap();
    let edited = pull_request(&sandbox, id);
    assert!(edited["updated_on"].as_str() > posted["updated_on"].as_str());
    let one = format!("{API}/pullrequests/{id}/comments/{}", comment["id"]);
    let row = get(&sandbox, &one).json();
    assert_eq!(row["created_on"], comment["created_on"]);
    assert_ne!(row["updated_on"], comment["updated_on"]);

    sandbox
        .apply(Change::Delete {
            kind,
            parent,
            number,
        })
        .unwrap();
    let deleted = pull_request(&sandbox, id);
    assert!(deleted["updated_on"].as_str() > edited["updated_on"].as_str());
    assert_eq!(deleted["comment_count"], living);
    assert_eq!(get(&sandbox, &path).column("/id").len(), rows.len() + 1);
    assert_eq!(get(&sandbox, &one).json()["deleted"], true);
}

#[test]
fn approvals_and_build_statuses_leave_the_pull_request_alone() {
    let sandbox = sandbox();
    let id = open(&sandbox);
    let before = pull_request(&sandbox, id)["updated_on"].clone();
    let user = 7;
    sandbox
        .apply(Change::ApprovePullRequest {
            repository: "acme/api".to_owned(),
            id,
            user,
            approved: true,
        })
        .unwrap();
    let source = pull_request(&sandbox, id)["source"]["commit"]["hash"].clone();
    let source = source.as_str().unwrap();
    assert_eq!(source.len(), 12);
    let statuses = format!("{API}/pullrequests/{id}/statuses?pagelen=100");
    let count = get(&sandbox, &statuses).column("/key").len();
    add(
        &sandbox,
        Kind::CommitStatuses,
        &format!("acme/api/commit/{source}"),
    );
    assert_eq!(get(&sandbox, &statuses).column("/key").len(), count + 1);

    let after = pull_request(&sandbox, id);
    assert_eq!(after["updated_on"], before);
    let participants = after["participants"].as_array().unwrap();
    let approves = |one: &&Value| one["user"]["display_name"] == "User 7";
    assert_eq!(
        participants.iter().find(approves).unwrap()["approved"],
        true
    );
    for path in [
        format!("{API}/pullrequests/{id}/activity"),
        format!("{API}/pullrequests/activity"),
    ] {
        let newest = get(&sandbox, &path).json()["values"][0].clone();
        assert_eq!(
            newest["approval"]["user"]["display_name"], "User 7",
            "{path}"
        );
        assert_eq!(newest["pull_request"]["id"], id);
    }
}

#[test]
fn the_feed_is_newest_first_and_hears_no_q() {
    let sandbox = sandbox();
    let path = format!("{API}/pullrequests/activity");
    let pages = walk(&sandbox, &format!("{path}?pagelen=50"));
    let dates: Vec<String> = pages
        .iter()
        .flat_map(|page| page.json()["values"].as_array().unwrap().clone())
        .map(|event| {
            let when = ["/update/date", "/approval/date", "/comment/created_on"];
            let date = when.iter().find_map(|pointer| event.pointer(pointer));
            date.unwrap().as_str().unwrap().to_owned()
        })
        .collect();
    assert!(dates.is_sorted_by(|a, b| a >= b));
    assert!(pages.iter().all(|page| page.json().get("size").is_none()));
    let future = format!("{path}?pagelen=50&q=created_on%3E2099-01-01");
    assert_eq!(get(&sandbox, &future).column("").len(), 50);
    assert_eq!(
        get(&sandbox, &format!("{path}?pagelen=51")).message(),
        "Invalid pagelen"
    );
    let each = get(
        &sandbox,
        &format!("{API}/pullrequests/1/activity?pagelen=51"),
    );
    assert_eq!(each.message(), "Invalid pagelen");
    assert_eq!(
        sandbox
            .snapshot(Kind::PullRequestActivity, "acme")
            .iter()
            .filter(|row| row.repository.as_deref() == Some("api"))
            .count(),
        dates.len()
    );
}

#[test]
fn the_feed_keeps_what_a_pull_request_said() {
    let sandbox = sandbox();
    let id = open(&sandbox);
    let opened = pull_request(&sandbox, id)["title"].clone();
    let edit = bucketline_sandbox::PullRequestEdit {
        title: Some("Another".to_owned()),
        ..Default::default()
    };
    sandbox
        .apply(Change::UpdatePullRequest {
            repository: "acme/api".to_owned(),
            id,
            edit,
        })
        .unwrap();
    let path = format!("{API}/pullrequests/{id}/activity?pagelen=50");
    let mut titles = get(&sandbox, &path).column("/update/title");
    titles.retain(|title| !title.is_null());
    assert_eq!(titles, [Value::from("Another"), opened]);
}

#[test]
fn commits_are_listed_while_the_source_branch_is_there() {
    let sandbox = sandbox();
    let id = open(&sandbox);
    let path = format!("{API}/pullrequests/{id}/commits");
    let commits = get(&sandbox, &path);
    assert!(!commits.column("/hash").is_empty());
    assert!(commits.json().get("size").is_none());
    assert_eq!(
        get(&sandbox, &format!("{path}?page=1")).message(),
        "Invalid page"
    );
    let tip = pull_request(&sandbox, id)["source"]["commit"]["hash"].clone();
    let newest = commits.column("/hash")[0].clone();
    assert!(newest.as_str().unwrap().starts_with(tip.as_str().unwrap()));

    let branch = pull_request(&sandbox, id)["source"]["branch"]["name"].clone();
    sandbox
        .apply(Change::DeleteBranch {
            repository: "acme/api".to_owned(),
            branch: branch.as_str().unwrap().to_owned(),
        })
        .unwrap();
    assert_eq!(get(&sandbox, &path).json()["values"], serde_json::json!([]));
}

#[test]
fn short_hashes_of_pull_requests_lead_to_commits() {
    let sandbox = sandbox();
    let merged = get(
        &sandbox,
        &format!("{API}/pullrequests?state=MERGED&pagelen=5"),
    );
    for pointer in [
        "/source/commit/hash",
        "/destination/commit/hash",
        "/merge_commit/hash",
    ] {
        for short in merged.column(pointer) {
            let short = short.as_str().unwrap().to_owned();
            let whole = get(&sandbox, &format!("{API}/commit/{short}")).json()["hash"].clone();
            assert!(whole.as_str().unwrap().starts_with(&short), "{pointer}");
        }
    }
    // A merge has the source as its second parent.
    let first = &merged.json()["values"][0];
    let merge = first["merge_commit"]["hash"].as_str().unwrap();
    let merge = get(&sandbox, &format!("{API}/commit/{merge}")).json();
    let source = merge["parents"][1]["hash"].as_str().unwrap();
    assert!(source.starts_with(first["source"]["commit"]["hash"].as_str().unwrap()));
}

#[test]
fn differences_of_pull_requests_are_those_of_the_repository() {
    let sandbox = sandbox();
    let id = open(&sandbox);
    let answer = get(&sandbox, &format!("{API}/pullrequests/{id}/diffstat"));
    assert_eq!(answer.status, 302);
    let location = answer.header("location").unwrap().to_owned();
    let files = get(&sandbox, &location);
    assert_eq!((files.status, &files.json()["pagelen"]), (200, &500.into()));
    assert_eq!(get(&sandbox, &location).json(), files.json());

    let slow = |on| Change::SetDiffsTimeOut {
        repository: "acme/api".to_owned(),
        on,
    };
    sandbox.apply(slow(true)).unwrap();
    assert_eq!(get(&sandbox, &location).status, 555);
    let deep = format!("{API}/src/main/?max_depth=3");
    assert_eq!(get(&sandbox, &deep).status, 555);
    assert_eq!(get(&sandbox, &format!("{API}/src/main/")).status, 200);
    sandbox.apply(slow(false)).unwrap();
    assert_eq!(get(&sandbox, &deep).status, 200);
}
