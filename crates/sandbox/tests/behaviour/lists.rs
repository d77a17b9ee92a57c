use bucketline_sandbox::{Change, Config, Count, IssueEdit, Kind, Sandbox, WorkspaceConfig};

use crate::client::{encode, get, request, walk};
use crate::sandbox;

const ISSUES: &str = "/repositories/acme/api/issues";
const PULL_REQUESTS: &str = "/repositories/acme/api/pullrequests";
const BRANCHES: &str = "/repositories/acme/api/refs/branches";

#[test]
fn the_envelope() {
    let sandbox = sandbox();
    let first = get(&sandbox, ISSUES).json();
    assert_eq!(first["values"].as_array().unwrap().len(), 10);
    assert_eq!(
        (&first["pagelen"], &first["page"], &first["size"]),
        (&10.into(), &1.into(), &120.into())
    );
    assert_eq!(
        first["next"],
        format!("{}{ISSUES}?page=2", sandbox.base_url())
    );
    assert!(first.get("previous").is_none());

    let pages = walk(&sandbox, &format!("{ISSUES}?pagelen=50&sort=id"));
    assert_eq!(pages.len(), 3);
    let ids: Vec<u64> = pages.iter().flat_map(|page| page.ids()).collect();
    assert_eq!(ids, (1..=120).collect::<Vec<_>>());
    let last = pages[2].json();
    assert!(last.get("next").is_none());
    assert!(
        last["previous"]
            .as_str()
            .unwrap()
            .ends_with("pagelen=50&sort=id&page=2")
    );
    let beyond = get(&sandbox, &format!("{ISSUES}?page=99"));
    assert_eq!(
        (beyond.status, beyond.ids().len(), beyond.next()),
        (200, 0, None)
    );
}

#[test]
fn refusals_of_bad_parameters() {
    let sandbox = sandbox();
    for (path, query, message) in [
        (ISSUES, "pagelen=101", "Invalid pagelen"),
        (ISSUES, "pagelen=0", "Invalid pagelen"),
        (ISSUES, "pagelen=x", "Invalid pagelen"),
        (PULL_REQUESTS, "pagelen=51", "Invalid pagelen"),
        (ISSUES, "page=x", "Invalid page"),
        (ISSUES, "page=0", "Invalid page"),
        (BRANCHES, "q=name~%22v%22&page=1", "Invalid page"),
        (ISSUES, "sort=id,title", "Invalid sort attribute"),
        (ISSUES, "sort=nothing", "Invalid sort attribute"),
        (
            PULL_REQUESTS,
            "q=summary.raw%3D%22x%22",
            "Field \".summary.raw\" does not support filtering",
        ),
        (
            ISSUES,
            "q=reporter.username%3D%22x%22",
            "Field \".reporter.username\" does not support filtering",
        ),
        ("/user/workspaces", "sort=uuid", "Invalid sort attribute"),
    ] {
        let answer = get(&sandbox, &format!("{path}?{query}"));
        assert_eq!(
            (answer.status, answer.message()),
            (400, message.to_owned()),
            "{path}?{query}"
        );
    }
    for query in [
        "q=id%3D",
        "q=title%3D%22a%22b%22",
        "q=(id%3D1",
        "q=id%3D%22x%22",
    ] {
        assert_eq!(
            get(&sandbox, &format!("{ISSUES}?{query}")).status,
            400,
            "{query}"
        );
    }
    for (path, query) in [
        (PULL_REQUESTS, "pagelen=50"),
        (ISSUES, "pagelen=100"),
        (BRANCHES, "pagelen=100"),
    ] {
        assert_eq!(
            get(&sandbox, &format!("{path}?{query}")).status,
            200,
            "{path}?{query}"
        );
    }
}

#[test]
fn a_plus_in_an_offset_must_be_encoded() {
    let sandbox = sandbox();
    for (q, status) in [
        ("updated_on%3E2020-01-01T00:00:00+00:00", 400),
        ("updated_on%3E%222020-01-01T00:00:00+00:00%22", 400),
        ("updated_on%3E2020-01-01T00:00:00%2B00:00", 200),
        ("updated_on%3E%222020-01-01T00:00:00%2B00:00%22", 200),
        ("updated_on+%3E+2020-01-01", 200),
    ] {
        assert_eq!(
            get(&sandbox, &format!("{ISSUES}?q={q}")).status,
            status,
            "{q}"
        );
    }
}

#[test]
fn q_and_sort_agree_with_the_rows_themselves() {
    let sandbox = sandbox();
    let truth = sandbox.snapshot(Kind::Issues, "acme");
    let rows: Vec<_> = truth
        .iter()
        .filter(|row| row.repository.as_deref() == Some("api"))
        .map(|row| &row.value)
        .collect();
    let pick = |keep: &dyn Fn(&serde_json::Value) -> bool| {
        rows.iter()
            .filter(|row| keep(row))
            .map(|row| row["id"].as_u64().unwrap())
            .collect::<Vec<_>>()
    };
    let pivot = rows[40]["updated_on"].as_str().unwrap().to_owned();
    type Keep<'a> = Box<dyn Fn(&serde_json::Value) -> bool + 'a>;
    let cases: Vec<(String, Keep<'_>)> = vec![
        (
            "id > 100".to_owned(),
            Box::new(|row| row["id"].as_u64() > Some(100)),
        ),
        (
            "assignee = null".to_owned(),
            Box::new(|row| row["assignee"].is_null()),
        ),
        (
            format!("updated_on = {pivot}"),
            Box::new(|row| row["updated_on"] == pivot.as_str()),
        ),
        (
            format!("updated_on >= {pivot} AND id < 60"),
            Box::new(|row| {
                row["updated_on"].as_str() >= Some(&pivot) && row["id"].as_u64() < Some(60)
            }),
        ),
        (
            format!("updated_on < {pivot} AND state IN (\"open\", \"new\")"),
            Box::new(|row| {
                row["updated_on"].as_str() < Some(&pivot)
                    && (row["state"] == "open" || row["state"] == "new")
            }),
        ),
        (
            "kind = \"bug\" OR priority >= \"critical\"".to_owned(),
            Box::new(|row| {
                row["kind"] == "bug"
                    || row["priority"] == "critical"
                    || row["priority"] == "blocker"
            }),
        ),
        (
            "reporter.nickname != \"user3\"".to_owned(),
            Box::new(|row| row["reporter"]["nickname"] != "user3"),
        ),
        (
            "component = \"UI\"".to_owned(),
            Box::new(|row| row["component"]["name"] == "UI"),
        ),
    ];
    for (q, keep) in &cases {
        let expected = pick(keep);
        let answer = get(
            &sandbox,
            &format!("{ISSUES}?pagelen=100&sort=id&q={}", encode(q)),
        );
        assert_eq!(answer.json()["size"], expected.len(), "{q}");
        assert_eq!(
            answer.ids(),
            expected.into_iter().take(100).collect::<Vec<_>>(),
            "{q}"
        );
    }
    for (sort, pointer) in [
        ("updated_on", "/updated_on"),
        ("created_on", "/created_on"),
        ("title", "/title"),
        ("votes", "/votes"),
    ] {
        for descending in [false, true] {
            let sign = if descending { "-" } else { "" };
            let page = get(&sandbox, &format!("{ISSUES}?pagelen=100&sort={sign}{sort}"));
            let mut values = page.column(pointer);
            if descending {
                values.reverse();
            }
            let ordered = values.windows(2).all(|pair| match (&pair[0], &pair[1]) {
                (serde_json::Value::Number(a), serde_json::Value::Number(b)) => {
                    a.as_u64() <= b.as_u64()
                }
                (a, b) => a.as_str() <= b.as_str(),
            });
            assert!(ordered, "sort={sign}{sort}: {values:?}");
        }
    }
}

#[test]
fn a_keyset_walk_finds_every_row_once() {
    let workspace = WorkspaceConfig {
        same_updated_on: 250,
        ..WorkspaceConfig::new("acme").issues(Count::PerRepository(600))
    };
    let sandbox = Sandbox::start_blocking(Config::single(workspace)).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    let (mut from, mut requests) = ("2000-01-01".to_owned(), 0);
    loop {
        let q = encode(&format!("updated_on >= {from}"));
        let page = get(
            &sandbox,
            &format!("{ISSUES}?pagelen=100&sort=updated_on&q={q}"),
        );
        requests += 1;
        let times = page.column("/updated_on");
        seen.extend(page.ids());
        let last = times.last().unwrap().as_str().unwrap().to_owned();
        if page.next().is_none() {
            break;
        }
        if times.first() == times.last() {
            for page in walk(
                &sandbox,
                &format!(
                    "{ISSUES}?pagelen=100&sort=id&q={}",
                    encode(&format!("updated_on = {last}"))
                ),
            ) {
                requests += 1;
                seen.extend(page.ids());
            }
            let q = encode(&format!("updated_on > {last}"));
            seen.extend(
                walk(
                    &sandbox,
                    &format!("{ISSUES}?sort=updated_on&pagelen=100&q={q}"),
                )
                .iter()
                .flat_map(|page| page.ids()),
            );
            break;
        }
        from = last;
    }
    assert_eq!(seen.len(), 600);
    assert!(requests < 20, "{requests}");
}

#[test]
fn ties_come_in_no_useful_order() {
    let workspace = WorkspaceConfig {
        same_updated_on: 100,
        ..WorkspaceConfig::new("acme")
    };
    let sandbox = Sandbox::start_blocking(Config::single(workspace)).unwrap();
    let page = get(&sandbox, &format!("{ISSUES}?pagelen=100&sort=-updated_on"));
    let ids = page.ids();
    assert!(!ids.is_sorted() && !ids.iter().rev().is_sorted());
}

#[test]
fn lists_by_page_number_shift_while_they_are_read() {
    let sandbox = sandbox();
    let first = get(&sandbox, &format!("{ISSUES}?pagelen=50")).ids();
    sandbox
        .apply(Change::UpdateIssue {
            repository: "acme/api".to_owned(),
            id: first[3] as u32,
            edit: IssueEdit::default(),
        })
        .unwrap();
    let again = get(&sandbox, &format!("{ISSUES}?pagelen=50")).ids();
    assert_ne!(first, again);
    let second = get(&sandbox, &format!("{ISSUES}?pagelen=50&page=2")).ids();
    let missed = again.iter().filter(|id| !first.contains(id)).count();
    assert_eq!(missed, 1, "one row moved to a page that was read already");
    assert!(second.iter().all(|id| !again.contains(id)));
}

#[test]
fn partial_responses() {
    let sandbox = sandbox();
    let only = get(&sandbox, &format!("{ISSUES}?fields=values.id")).json();
    assert_eq!(
        only.as_object().unwrap().keys().collect::<Vec<_>>(),
        ["values"]
    );
    assert_eq!(only["values"][0].as_object().unwrap().len(), 1);
    let with_next = get(&sandbox, &format!("{ISSUES}?fields=next,values.id"));
    assert!(with_next.next().is_some());
    assert!(
        with_next
            .next()
            .unwrap()
            .contains("fields=next%2Cvalues.id")
    );
    let without = get(&sandbox, &format!("{ISSUES}?fields=-values.links,-nothing")).json();
    assert!(
        without["values"][0].get("links").is_none() && without["values"][0]["title"].is_string()
    );
    let one = get(&sandbox, "/repositories/acme/api?fields=-links.*,owner").json();
    assert_eq!(
        one.as_object().unwrap().keys().collect::<Vec<_>>(),
        ["owner"]
    );
}

#[test]
fn pull_request_lists() {
    let sandbox = sandbox();
    let truth = sandbox.snapshot(Kind::PullRequests, "acme");
    let of = |states: &[&str]| {
        let here = |row: &&bucketline_sandbox::Snapshot| row.repository.as_deref() == Some("api");
        let matching = |row: &bucketline_sandbox::Snapshot| {
            states.is_empty() || states.contains(&row.value["state"].as_str().unwrap())
        };
        truth
            .iter()
            .filter(here)
            .filter(|row| matching(row))
            .count()
    };
    let size =
        |query: &str| get(&sandbox, &format!("{PULL_REQUESTS}?{query}")).json()["size"].clone();
    assert_eq!(size(""), of(&["OPEN"]));
    assert_eq!(size("state=MERGED"), of(&["MERGED"]));
    assert_eq!(
        size("state=MERGED&state=DECLINED"),
        of(&["MERGED", "DECLINED"])
    );
    assert_eq!(
        size("state=OPEN&state=MERGED&state=DECLINED&state=SUPERSEDED&sort=updated_on"),
        60
    );
    assert!(of(&["OPEN"]) > 0 && of(&["SUPERSEDED"]) > 0);

    let hidden = ["reviewers", "participants", "rendered"];
    let row = get(&sandbox, PULL_REQUESTS).json()["values"][0].clone();
    let one = get(&sandbox, &format!("{PULL_REQUESTS}/{}", row["id"])).json();
    let asked = get(
        &sandbox,
        &format!("{PULL_REQUESTS}?fields=%2Bvalues.participants,%2Bvalues.reviewers"),
    )
    .json();
    let not_asked = get(
        &sandbox,
        &format!("{PULL_REQUESTS}?fields=+values.participants"),
    )
    .json();
    for name in hidden {
        assert!(row.get(name).is_none(), "{name} in a row");
        assert!(one.get(name).is_some(), "{name} in the object");
        assert_eq!(asked["values"][0].get(name).is_some(), name != "rendered");
        assert!(
            not_asked["values"][0].get(name).is_none(),
            "an unencoded plus asks for nothing"
        );
    }
    let q = encode("reviewers.nickname = \"user1\"");
    let filtered = get(
        &sandbox,
        &format!("{PULL_REQUESTS}?q={q}&fields=values.reviewers.nickname"),
    );
    assert!(
        filtered
            .column("/reviewers")
            .iter()
            .all(|people| people.to_string().contains("\"user1\""))
    );
    for hash in ["/source/commit/hash", "/destination/commit/hash"] {
        assert_eq!(row.pointer(hash).unwrap().as_str().unwrap().len(), 12);
    }
    let missing = get(&sandbox, &format!("{PULL_REQUESTS}/99999"));
    assert_eq!((missing.status, missing.text()), (404, "Not Found"));
}

#[test]
fn sorting_all_states_of_a_large_repository_answers_500() {
    let config = Config {
        big_repository: 50,
        ..Config::default()
    };
    let sandbox = Sandbox::start_blocking(config).unwrap();
    let all = "state=OPEN&state=MERGED&state=DECLINED&state=SUPERSEDED";
    for (query, status) in [
        (format!("{all}&sort=updated_on"), 500),
        (format!("{all}&sort=id&q=id%3E1"), 500),
        (all.to_owned(), 200),
        ("state=OPEN&sort=updated_on".to_owned(), 200),
        ("sort=-id".to_owned(), 200),
    ] {
        assert_eq!(
            get(&sandbox, &format!("{PULL_REQUESTS}?{query}")).status,
            status,
            "{query}"
        );
    }
}

#[test]
fn the_old_report_of_ignored_states_can_be_played() {
    let size = |q_ignores_state| {
        let config = Config {
            q_ignores_state,
            ..Config::default()
        };
        let sandbox = Sandbox::start_blocking(config).unwrap();
        [
            "q=id%3E0",
            "q=id%3E0&state=OPEN",
            "q=id%3E0+AND+state=%22OPEN%22&state=OPEN",
        ]
        .map(|query| get(&sandbox, &format!("{PULL_REQUESTS}?{query}")).json()["size"].clone())
    };
    let (now, then) = (size(false), size(true));
    assert!(now[0] != 60 && now[0] == now[1] && now[1] == now[2]);
    assert!(then[0] == 60 && then[1] == 60 && then[2] == now[2]);
}

#[test]
fn branch_lists() {
    let config = Config::single(WorkspaceConfig::new("acme").branches(9));
    let sandbox = Sandbox::start_blocking(config).unwrap();
    let plain = get(&sandbox, BRANCHES);
    assert!(
        plain
            .column("/name")
            .iter()
            .map(|name| name.as_str().unwrap())
            .is_sorted()
    );
    let natural = get(&sandbox, &format!("{BRANCHES}?sort=name")).column("/name");
    let at = |name: &str| natural.iter().position(|other| other == name).unwrap();
    assert!(at("v9") < at("v10") && at("release/9.1") < at("release/10.0"));
    assert_eq!(plain.json()["size"], 9);

    let filtered = walk(
        &sandbox,
        &format!("{BRANCHES}?pagelen=2&q={}", encode("name ~ \"v\"")),
    );
    let names: Vec<_> = filtered
        .iter()
        .flat_map(|page| page.column("/name"))
        .collect();
    assert_eq!(names, ["develop", "v10", "v11", "v9"]);
    let first = filtered[0].json();
    assert!(first.get("size").is_none() && first.get("page").is_none());
    let token = filtered[0]
        .next()
        .unwrap()
        .split("page=")
        .last()
        .unwrap()
        .to_owned();
    assert!(token.parse::<u64>().is_err(), "{token}");

    for path in ["/release%2F9.1", "/release/9.1", "/bugfix/gr%C3%B6%C3%9Fe"] {
        let one = get(&sandbox, &format!("{BRANCHES}{path}"));
        assert_eq!(
            (one.status, one.json()["type"].clone()),
            (200, "branch".into()),
            "{path}"
        );
        assert_eq!(one.json()["target"]["hash"].as_str().unwrap().len(), 40);
    }
    assert_eq!(get(&sandbox, &format!("{BRANCHES}/none")).status, 404);
}

#[test]
fn addresses_of_a_repository() {
    let sandbox = sandbox();
    let repository = get(&sandbox, "/repositories/acme/api").json();
    let uuid = encode(repository["uuid"].as_str().unwrap());
    let workspace = encode(repository["workspace"]["uuid"].as_str().unwrap());
    for path in [
        format!("/repositories/acme/{uuid}"),
        format!("/repositories/{workspace}/{uuid}"),
        format!("/repositories/{workspace}/api"),
        format!("/repositories/%7B%7D/{uuid}"),
        "/repositories/acme/api/".to_owned(),
    ] {
        assert_eq!(
            get(&sandbox, &path).json()["uuid"],
            repository["uuid"],
            "{path}"
        );
    }
    assert_eq!(get(&sandbox, "/repositories/%7B%7D/api").status, 404);
    assert_eq!(
        get(&sandbox, &format!("/repositories/globex/{uuid}")).status,
        404
    );
    let next = get(&sandbox, "/repositories/acme?pagelen=2")
        .next()
        .unwrap();
    assert!(next.contains(&workspace.replace("%2D", "-")), "{next}");
}

#[test]
fn workspaces_and_projects() {
    let sandbox = sandbox();
    let mine = get(&sandbox, "/user/workspaces").json();
    assert_eq!(mine["values"][0]["type"], "workspace_access");
    assert_eq!(mine["values"][0]["workspace"]["slug"], "acme");
    assert!(mine["values"][0]["workspace"].get("name").is_none());
    for (query, size) in [
        ("administrator=true", 1),
        ("administrator=false", 0),
        ("q=slug%3D%22acme%22&sort=slug", 1),
        ("q=slug%3D%22other%22", 0),
    ] {
        assert_eq!(
            get(&sandbox, &format!("/user/workspaces?{query}")).json()["size"],
            size,
            "{query}"
        );
    }
    let permission = get(&sandbox, "/user/workspaces/acme/permission").json();
    assert_eq!(permission["permission"], "owner");
    assert_eq!(
        get(&sandbox, "/user/workspaces/globex/permission").status,
        403
    );
    assert_eq!(get(&sandbox, "/workspaces/acme").json()["name"], "Acme");
    let projects = get(&sandbox, "/workspaces/acme/projects?sort=-key");
    assert_eq!(projects.column("/key"), ["WEB", "OPS", "API"]);
    assert_eq!(
        get(&sandbox, "/workspaces/acme/projects/WEB").json()["name"],
        "Web"
    );
    assert_eq!(get(&sandbox, "/workspaces/acme/projects/NO").status, 404);
    assert_eq!(get(&sandbox, "/user").json()["display_name"], "User 1");
    for (role, size) in [
        ("member", 5),
        ("contributor", 5),
        ("admin", 5),
        ("owner", 5),
    ] {
        assert_eq!(
            get(&sandbox, &format!("/repositories/acme?role={role}")).json()["size"],
            size
        );
    }
    assert_eq!(get(&sandbox, "/repositories/acme?role=king").status, 400);
}

#[test]
fn gzip_and_conditional_requests() {
    use std::io::Read;
    let sandbox = sandbox();
    let authorization = crate::client::api_token("acme");
    let path = format!("/2.0{ISSUES}?sort=id");
    let send = |headers: &[(&str, &str)], path: &str| {
        let mut all = vec![("authorization", authorization.as_str())];
        all.extend_from_slice(headers);
        request(&sandbox, "GET", path, &all, "").unwrap()
    };
    let plain = send(&[], &path);
    let packed = send(&[("accept-encoding", "gzip, br")], &path);
    assert_eq!(plain.header("content-encoding"), None);
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    let mut text = String::new();
    flate2::read::GzDecoder::new(packed.body.as_slice())
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(text, plain.text());

    let branch = format!("/2.0{BRANCHES}/main");
    let etag = send(&[], &branch).header("etag").unwrap().to_owned();
    assert_eq!(send(&[("if-none-match", &etag)], &branch).status, 304);
    assert_eq!(
        request(&sandbox, "POST", &path, &[], "").unwrap().status,
        405
    );
}

#[test]
fn the_same_seed_gives_the_same_data() {
    let rows = |seed| {
        let sandbox = Sandbox::start_blocking(Config {
            seed,
            ..Config::default()
        })
        .unwrap();
        let mut text = String::new();
        for kind in [
            Kind::Projects,
            Kind::Repositories,
            Kind::Issues,
            Kind::PullRequests,
            Kind::Branches,
        ] {
            text.push_str(&serde_json::to_string(&sandbox.snapshot(kind, "acme")).unwrap());
        }
        text.replace(sandbox.origin(), "")
    };
    let five = rows(5);
    assert!(five == rows(5));
    assert!(five != rows(6));
    assert!(five.contains("\\r\\n"), "some texts have CRLF line ends");
    assert!(
        five.contains("\"repository\":null"),
        "some pull requests come from deleted forks"
    );
    assert!(
        five.contains("\"reporter\":null"),
        "some accounts are deleted"
    );
}

#[test]
fn head_is_answered_like_get_without_a_body() {
    let sandbox = sandbox();
    let authorization = crate::client::api_token("acme");
    let path = format!("/2.0{ISSUES}");
    let send = |method| {
        request(
            &sandbox,
            method,
            &path,
            &[("authorization", &authorization)],
            "",
        )
        .unwrap()
    };
    let (head, get) = (send("HEAD"), send("GET"));
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), get.header("content-length"));
    assert_eq!(head.header("etag"), get.header("etag"));
}

#[test]
fn a_search_by_anything_finds_what_a_scan_finds_after_changes() {
    let sandbox = sandbox();
    let edit = IssueEdit {
        title: Some("Needle (1)".to_owned()),
        ..IssueEdit::default()
    };
    for id in [90, 3, 40] {
        let repository = "acme/api".to_owned();
        sandbox
            .apply(Change::UpdateIssue {
                repository,
                id,
                edit: edit.clone(),
            })
            .unwrap();
    }
    let q = encode("title ~ \"NEEDLE\"");
    let ids = |sort: &str| get(&sandbox, &format!("{ISSUES}?q={q}{sort}")).ids();
    assert_eq!(ids(""), [90, 3, 40], "as they lie");
    assert_eq!(ids("&sort=id"), [3, 40, 90]);
    assert_eq!(ids("&sort=-updated_on"), [40, 3, 90]);
}
