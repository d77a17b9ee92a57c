//! Commits, tags and files.

use bucketline_sandbox::{Change, Index, Kind, Sandbox};
use serde_json::{Value, json};

use crate::client::{access_token, api_token, get, get_as, request, walk};
use crate::sandbox;

const API: &str = "/repositories/acme/api";
const COMMITS: &str = "/repositories/acme/api/commits";

fn repository() -> String {
    "acme/api".to_owned()
}

fn push(sandbox: &Sandbox, branch: &str) {
    let branch = branch.to_owned();
    let change = Change::Push {
        repository: repository(),
        branch,
    };
    sandbox.apply(change).unwrap();
}

fn tip(sandbox: &Sandbox, branch: &str) -> String {
    let row = get(sandbox, &format!("{API}/refs/branches/{branch}")).json();
    row["target"]["hash"].as_str().unwrap().to_owned()
}

fn hashes(sandbox: &Sandbox, query: &str) -> Vec<String> {
    let pages = walk(sandbox, &format!("{COMMITS}{query}"));
    let hashes = pages.iter().flat_map(|page| page.column("/hash"));
    hashes
        .map(|hash| hash.as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn commits_come_newest_first_and_children_before_parents() {
    let sandbox = sandbox();
    for _ in 0..3 {
        push(&sandbox, "main");
    }
    let pages = walk(&sandbox, &format!("{COMMITS}?pagelen=50"));
    assert!(pages.len() > 2);
    assert!(pages.iter().all(|page| page.json().get("size").is_none()));
    let rows: Vec<Value> = pages
        .iter()
        .flat_map(|page| page.json()["values"].as_array().unwrap().clone())
        .collect();
    let at = |hash: &Value| rows.iter().position(|row| row["hash"] == *hash);
    for (place, row) in rows.iter().enumerate() {
        for parent in row["parents"].as_array().unwrap() {
            assert!(at(&parent["hash"]).unwrap() > place);
        }
    }
    assert_eq!(rows[0]["hash"], tip(&sandbox, "main"));
    let snapshot = sandbox.snapshot(Kind::Commits, "acme");
    let known = snapshot
        .iter()
        .filter(|row| row.repository.as_deref() == Some("api"));
    assert_eq!(known.count(), rows.len());

    let future = format!("{COMMITS}?q=date%3E2099-01-01");
    assert_eq!(get(&sandbox, &future).column("").len(), 10, "q is ignored");
    let readme = hashes(&sandbox, "?pagelen=100&path=README.md").len();
    assert!(readme > 0 && readme < rows.len());
}

#[test]
fn what_is_new_is_what_new_heads_include_and_known_ones_exclude() {
    let sandbox = sandbox();
    let before = tip(&sandbox, "main");
    let known = hashes(&sandbox, "?pagelen=100");
    push(&sandbox, "main");
    push(&sandbox, "fresh");
    push(&sandbox, "main");
    let heads = [tip(&sandbox, "main"), tip(&sandbox, "fresh")];
    let query = format!(
        "?include={}&include={}&exclude={before}",
        heads[0], heads[1]
    );
    let new = hashes(&sandbox, &query);
    assert_eq!(new.len(), 3);
    assert!(new.iter().all(|hash| !known.contains(hash)));
    assert_eq!(hashes(&sandbox, "?pagelen=100").len(), known.len() + 3);

    let form = query.trim_start_matches('?');
    let authorization = api_token("acme");
    let headers = [
        ("authorization", authorization.as_str()),
        ("content-type", "application/x-www-form-urlencoded"),
    ];
    let path = format!("/2.0{COMMITS}");
    let posted = request(&sandbox, "POST", &path, &headers, form).unwrap();
    assert_eq!(
        posted.column("/hash"),
        get(&sandbox, &format!("{COMMITS}{query}")).column("/hash")
    );
    assert_eq!(hashes(&sandbox, "/fresh?exclude=main"), [heads[1].clone()]);
}

#[test]
fn a_rewritten_tip_vanishes_by_name() {
    let sandbox = sandbox();
    push(&sandbox, "develop");
    let vanished = tip(&sandbox, "develop");
    sandbox
        .apply(Change::ForcePush {
            repository: repository(),
            branch: "develop".to_owned(),
        })
        .unwrap();
    assert_ne!(tip(&sandbox, "develop"), vanished);
    for path in [
        format!("{COMMITS}?exclude={vanished}"),
        format!("{COMMITS}?include={vanished}"),
        format!("{API}/commit/{vanished}"),
        format!("{API}/diffstat/{vanished}"),
    ] {
        let answer = get(&sandbox, &path);
        assert_eq!(
            (answer.status, answer.message().as_str()),
            (404, "Commit not found")
        );
        assert_eq!(answer.json()["error"]["data"]["shas"], json!([vanished]));
    }
}

#[test]
fn tags_sort_naturally_if_asked_and_leave_the_repository_alone() {
    let sandbox = sandbox();
    let updated = || get(&sandbox, API).json()["updated_on"].clone();
    let before = updated();
    sandbox
        .apply(Change::AddTag {
            repository: repository(),
            name: "v8".to_owned(),
            branch: "main".to_owned(),
            message: Some("Eight".to_owned()),
        })
        .unwrap();
    let names = |query: &str| get(&sandbox, &format!("{API}/refs/tags{query}")).column("/name");
    assert_eq!(names(""), ["release-2026.1", "v10", "v11", "v8", "v9"]);
    assert_eq!(
        names("?sort=name"),
        ["release-2026.1", "v8", "v9", "v10", "v11"]
    );
    assert_eq!(names("?q=message~%22eight%22"), ["v8"]);
    let tags = |query: &str| get(&sandbox, &format!("{API}/refs/tags?{query}"));
    assert_eq!(tags("").json()["size"], 5);
    assert!(tags("q=name~%22v%22").json().get("size").is_none());
    assert_eq!(tags("q=name~%22v%22&page=1").message(), "Invalid page");
    let tag = get(&sandbox, &format!("{API}/refs/tags/v8")).json();
    assert_eq!(tag["target"]["hash"], tip(&sandbox, "main"));
    sandbox
        .apply(Change::DeleteTag {
            repository: repository(),
            name: "v8".to_owned(),
        })
        .unwrap();
    assert_eq!(get(&sandbox, &format!("{API}/refs/tags/v8")).status, 404);
    assert_eq!(updated(), before);
}

#[test]
fn the_index_of_pull_requests_may_be_building_or_missing() {
    let sandbox = sandbox();
    let merged = get(
        &sandbox,
        &format!("{API}/pullrequests?state=MERGED&pagelen=1"),
    )
    .json();
    let merged = &merged["values"][0];
    let commit = merged["source"]["commit"]["hash"].as_str().unwrap();
    let path = format!("{API}/commit/{commit}/pullrequests");
    let set = |index| {
        let change = Change::SetPullRequestIndex {
            repository: repository(),
            index,
        };
        sandbox.apply(change).unwrap();
        get(&sandbox, &path)
    };
    let ready = set(Index::Ready);
    assert_eq!(
        (ready.status, ready.column("/id")),
        (200, vec![merged["id"].clone()])
    );
    assert_eq!(ready.json()["pagelen"], 30);
    let building = set(Index::Building);
    assert_eq!((building.status, building.column("/id").len()), (202, 0));
    assert_eq!(set(Index::Missing).status, 404);
}

#[test]
fn files_are_found_below_a_commit() {
    let sandbox = sandbox();
    assert_eq!(
        get(&sandbox, &format!("{API}/src/main")).status,
        404,
        "no slash"
    );
    let root = get(&sandbox, &format!("{API}/src/main/"));
    assert_eq!(root.column("/path"), ["README.md", "docs", "src", "tests"]);
    assert!(root.json().get("size").is_none());
    let directory = get(&sandbox, &format!("{API}/src/main/src/"));
    assert_eq!(
        directory.column("/path"),
        ["src/api", "src/lib.rs", "src/main.rs"]
    );
    let deep = get(
        &sandbox,
        &format!("{API}/src/main/?max_depth=9&pagelen=100&q=size%3E0"),
    );
    assert_eq!(deep.column("/path").len(), 8);
    let meta = get(&sandbox, &format!("{API}/src/main/README.md?format=meta")).json();
    let file = get(&sandbox, &format!("{API}/src/main/README.md"));
    assert_eq!(meta["size"], file.body.len());
    let missing = get(&sandbox, &format!("{API}/src/main/none"));
    assert_eq!(missing.message(), "No such file or directory: none");
    assert_eq!(
        get(&sandbox, &format!("{API}/src/release%2F9.1/")).status,
        404
    );
    let hash = tip(&sandbox, "release/9.1");
    assert_eq!(get(&sandbox, &format!("{API}/src/{hash}/")).status, 200);
    let token = access_token("acme");
    let path = format!("/2.0{API}/src/main/");
    assert_eq!(get_as(&sandbox, Some(&token), &path).status, 200);
}
