//! What the service does when it does not do what was expected.

use bucketline_core::{Kind as ErrorKind, Reach};
use bucketline_sandbox::{
    Change, Config, Count, Credential as SandboxCredential, Fault, FaultKind, Kind, Sandbox,
    WorkspaceConfig,
};
use bucketline_source::{Checkpoint, End, Order, Reading, Source as _};

use super::{basic, column, connect, connect_to, equal, keyed, sandbox, sorted, texts, there};
use bucketline_rest::{Credential, SecretString};

/// A pull request that is merged while the states are read one by one comes once.
#[tokio::test(flavor = "multi_thread")]
async fn a_merged_pull_request_comes_once() {
    let mut workspace = WorkspaceConfig::new("acme");
    workspace.repositories = 1;
    workspace.pull_requests = Count::PerRepository(260);
    let config = Config {
        big_repository: 100,
        requests_per_hour: None,
        ..Config::single(workspace)
    };
    let sandbox = Sandbox::start(config).await.unwrap();
    let client = connect(&sandbox, basic());
    let rows = sandbox.snapshot(Kind::PullRequests, "acme");
    let mut open = rows
        .iter()
        .filter(|row| row.value["state"] == "OPEN")
        .map(|row| row.value["id"].as_u64().unwrap());
    let merge = |id: u64| Change::MergePullRequest {
        repository: "acme/api".into(),
        id: u32::try_from(id).unwrap(),
    };
    let request = client.request("PullRequests", &["RepositoryUUID", "Id", "State"]);
    let plan = client.plan(request.clone());
    let slice = client.slices(&plan).await.remove(0);
    for reading in [Reading::Scan, Reading::Listing] {
        sandbox.on_page("*/pullrequests", 1, [merge(open.next().unwrap())]);
        let (rows, ..) = client.read(&plan, &slice, reading).await.unwrap();
        assert_eq!(
            keyed(&rows, "Id"),
            there(&sandbox, Kind::PullRequests, "id")
        );
    }
    let mut ordered = request;
    ordered.order = Some(Order {
        column: column(&ordered.table, "UpdatedOn"),
        descending: true,
        nulls_first: true,
    });
    ordered.limit = Some(30);
    sandbox.on_page("*/pullrequests", 1, [merge(open.next().unwrap())]);
    let ids = sorted(texts(&client.scan(ordered).await.unwrap(), "Id"));
    let mut once = ids.clone();
    once.dedup();
    assert_eq!((ids.len(), &ids), (30, &once));
}

/// The service refuses values that an enumeration lacks; in SQL they equal none.
#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_the_service_does_not_know_is_compared_here() {
    let sandbox = sandbox(|_| {}).await;
    let client = connect(&sandbox, basic());
    for (table, name, value) in [
        ("Issues", "Priority", "Major"),
        ("Issues", "State", "done"),
        ("Issues", "Kind", "Bug"),
        ("PullRequests", "State", "open"),
    ] {
        let mut request = client.request(table, &["Id"]);
        request.predicates = vec![equal(&request.table, name, value)];
        let rows = client.scan(request).await;
        assert!(rows.is_ok(), "{name} = {value}: {rows:?}");
    }
}

/// The same name, read with and without a look-up.
#[tokio::test(flavor = "multi_thread")]
async fn an_absent_repository_is_a_note_under_every_limit() {
    let sandbox = sandbox(|_| {}).await;
    sandbox
        .apply(Change::RenameRepository {
            repository: "acme/web".into(),
            slug: "site".into(),
        })
        .unwrap();
    for (name, note) in [
        (
            "nope",
            "there is no repository acme/nope, or this credential",
        ),
        ("web", "there is no repository acme/web any more"),
    ] {
        for limit in [Some(5), Some(500), None] {
            let client = connect(&sandbox, basic());
            let mut request = client.request("Issues", &["Repository", "Id"]);
            request.predicates = vec![equal(&request.table, "Repository", name)];
            request.limit = limit;
            let rows = client.scan(request).await.unwrap();
            assert_eq!(texts(&rows, "Id"), Vec::<String>::new(), "{name} {limit:?}");
            let said = client.notes.said();
            assert!(said.iter().any(|said| said.starts_with(note)), "{said:?}");
        }
    }
    let client = connect(&sandbox, basic());
    let mut request = client.request("Issues", &["Repository", "Id"]);
    request.predicates = vec![equal(&request.table, "Repository", "site")];
    request.limit = Some(5);
    assert_eq!(texts(&client.scan(request).await.unwrap(), "Id").len(), 5);
}

/// Pages are shortened as the service demands, once a table, and a limit is still met.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_too_long_is_asked_for_again() {
    let sandbox = sandbox(|workspace| {
        workspace.repositories = 2;
        workspace.trackers_off = Some(0);
        workspace.issues = Count::PerRepository(130);
    })
    .await;
    sandbox.fault(Fault::always(
        "*/issues",
        FaultKind::MaxPagelen { rows: 20 },
    ));
    let client = connect(&sandbox, basic());
    let mut request = client.request("Issues", &["Title"]);
    request.predicates = vec![equal(&request.table, "Repository", "api")];
    request.limit = Some(80);
    let rows = client.scan(request).await.unwrap();
    assert_eq!(texts(&rows, "Title").len(), 80);
    assert_eq!(
        sandbox.count("*/issues"),
        2 + 8,
        "80, 50, then 10 at a time"
    );
    let rows = client
        .scan(client.request("Issues", &["RepositoryUUID", "Id"]))
        .await
        .unwrap();
    assert_eq!(keyed(&rows, "Id"), there(&sandbox, Kind::Issues, "id"));
    assert_eq!(sandbox.count("*/issues"), 10 + 26, "none is refused again");

    let client = connect(&sandbox, basic());
    let plan = client.plan(client.request("Issues", &["RepositoryUUID", "Id"]));
    let slice = client.slices(&plan).await.remove(0);
    let reading = Reading::Changes(Checkpoint::default());
    let (rows, ..) = client.read(&plan, &slice, reading).await.unwrap();
    assert_eq!(texts(&rows, "Id").len(), 130);
}

/// Bitbucket answers an empty list to whoever may see nothing.
#[tokio::test(flavor = "multi_thread")]
async fn an_empty_workspace_is_doubted() {
    let sandbox_of_five = sandbox(|_| {}).await;
    let client = connect(&sandbox_of_five, Credential::Anonymous);
    for table in ["Branches", "Repositories"] {
        let error = client.scan(client.request(table, &[])).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{table}: {error}");
    }
    let empty = sandbox(|workspace| workspace.repositories = 0).await;
    for table in ["Branches", "Repositories"] {
        let client = connect(&empty, basic());
        assert_eq!(
            client
                .scan(client.request(table, &[]))
                .await
                .unwrap()
                .len()
                .min(1),
            usize::from(table == "Repositories")
        );
        let said = client.notes.said();
        assert_eq!(
            said,
            ["the workspace acme has no repository that this credential can see"]
        );
        assert_eq!(client.context.requests(), 2, "{table}");
    }
}

/// A whole reading of the repositories is their listing as well.
#[tokio::test(flavor = "multi_thread")]
async fn the_repositories_are_listed_once_a_script() {
    let sandbox = sandbox(|workspace| workspace.repositories = 130).await;
    let client = connect(&sandbox, basic());
    let plan = client.plan(client.request("Repositories", &["*"]));
    let slice = client.slices(&plan).await.remove(0);
    client.read(&plan, &slice, Reading::Listing).await.unwrap();
    let before = client.context.requests();
    let slices = client
        .slices(&client.plan(client.request("Issues", &["Id"])))
        .await;
    assert_eq!(slices.len(), 130);
    assert_eq!(client.context.requests(), before);
    client.next_script();
    client
        .slices(&client.plan(client.request("Issues", &["Id"])))
        .await;
    assert_eq!(client.context.requests(), before + 2);
}

/// Only a removal of the operation itself is the same for every repository.
#[tokio::test(flavor = "multi_thread")]
async fn a_410_of_one_repository_is_its_own() {
    let sandbox = sandbox(|_| {}).await;
    let client = connect(&sandbox, basic());
    let plan = client.plan(client.request("Issues", &["Id"]));
    let slice = client.slices(&plan).await.remove(0);
    let failure = async |kind: FaultKind| {
        sandbox.fault(Fault::once("*/issues", kind));
        client.read(&plan, &slice, Reading::Scan).await.unwrap_err()
    };
    let message = |message: &str| FaultKind::GoneBecause {
        message: message.to_owned(),
    };
    let error = failure(message("This workspace has been deleted")).await;
    assert_eq!(
        (error.code().as_str(), error.reach() != Reach::Slice),
        ("BL4014", false)
    );
    let error = failure(message("CHANGE-2770 - Functionality has been deprecated")).await;
    assert_eq!(
        (error.code().as_str(), error.reach() != Reach::Slice),
        ("BL4013", true)
    );
    assert_eq!(
        error.to_string(),
        "Bitbucket Cloud removed Issues (CHANGE-2770)"
    );
    let error = failure(FaultKind::Gone).await;
    assert!(error.to_string().contains("2026-08-20"), "{error}");
}

/// Details that one workspace refuses leave its row, and those of the others.
#[tokio::test(flavor = "multi_thread")]
async fn a_workspace_without_details_keeps_its_row() {
    let config = Config {
        credentials: vec![SandboxCredential {
            workspaces: vec!["acme".into(), "globex".into()],
            ..SandboxCredential::api_token("acme")
        }],
        ..Config::default()
    };
    let sandbox = Sandbox::start(config).await.unwrap();
    let client = connect(&sandbox, basic());
    sandbox.fault(Fault::once("*/workspaces/%7B*", FaultKind::Forbidden));
    let rows = client
        .scan(client.request("Workspaces", &["Slug", "Name"]))
        .await
        .unwrap();
    assert_eq!(sorted(texts(&rows, "Slug")), ["acme", "globex"]);
    let names = texts(&rows, "Name");
    assert_eq!(names.iter().filter(|name| *name == "NULL").count(), 1);
    assert!(client.notes.said()[0].starts_with("Workspaces shows what the list says of"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_echoed_secret_is_in_no_message() {
    let sandbox = sandbox(|_| {}).await;
    let secret = "sandbox-access-token-acme";
    let client = connect(&sandbox, Credential::Bearer(SecretString::from(secret)));
    let body = |body: String| FaultKind::Body { body };
    let cases = [
        (
            "Branches",
            "*/branches",
            body(format!(
                r#"{{"values": [{{"name": {{"a": "{secret}"}}}}]}}"#
            )),
            "BL2011",
        ),
        (
            "Branches",
            "*/branches",
            body(format!(r#"{{"values": ["{secret}"#)),
            "BL2010",
        ),
        (
            "Branches",
            "/2.0/repositories/acme",
            body(format!(r#"{{"values": ["{secret}"#)),
            "BL2010",
        ),
        (
            "Workspaces",
            "/2.0/workspaces/acme",
            body(format!(r#""{secret}""#)),
            "BL4020",
        ),
    ];
    for (table, path, kind, code) in cases {
        client.next_script();
        sandbox.clear_faults();
        sandbox.fault(Fault::always(path, kind));
        let error = client
            .scan(client.request(table, &["*"]))
            .await
            .unwrap_err();
        assert_eq!(error.code(), code);
        let shown = format!("{error} {error:?} {:?}", error.hint());
        assert!(!shown.contains(secret), "{shown}");
        assert!(shown.contains("***"), "{shown}");
    }
}

/// The last rows may go in the moment between two pages.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_loses_its_last_row_ends() {
    let sandbox = sandbox(|workspace| {
        workspace.repositories = 1;
        workspace.issues = Count::PerRepository(101);
    })
    .await;
    let client = connect(&sandbox, basic());
    let plan = client.plan(client.request("Issues", &["Id"]));
    let slice = client.slices(&plan).await.remove(0);
    let delete = |id| Change::DeleteIssue {
        repository: "acme/api".into(),
        id,
    };
    sandbox.on_page("*/issues", 1, [delete(101)]);
    let (rows, ..) = client.read(&plan, &slice, Reading::Scan).await.unwrap();
    assert_eq!(texts(&rows, "Id").len(), 100);
    assert_eq!(sandbox.count("*/issues"), 3, "it is asked once more");
    // A listing says what is gone: it does not believe this.
    let add = Change::AddIssue {
        repository: "acme/api".into(),
        edit: bucketline_sandbox::IssueEdit::default(),
    };
    sandbox.apply(add).unwrap();
    sandbox.on_page("*/issues", 1, [delete(102)]);
    let error = client.read(&plan, &slice, Reading::Listing).await;
    assert_eq!(error.unwrap_err().code(), "BL4022");
}

/// Pages that promise more and bring nothing are not followed for ever; one or two are.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_without_an_end_is_an_error() {
    let sandbox = sandbox(|workspace| workspace.branches = 130).await;
    let client = connect(&sandbox, basic());
    let plan = client.plan(client.request("Branches", &["RepositoryUUID", "Name"]));
    let slice = client.slices(&plan).await.remove(0);
    let read = async || client.read(&plan, &slice, Reading::Listing).await;
    for kind in [FaultKind::EmptyPage, FaultKind::RepeatedPage] {
        sandbox.fault(Fault::once("*/branches", kind.clone()));
        let (rows, _, end) = read().await.unwrap();
        assert!(matches!(end, End::Complete { .. }));
        if kind == FaultKind::RepeatedPage {
            assert_eq!(texts(&rows, "Name").len(), 130);
        }
        sandbox.fault(Fault::always("*/branches", kind));
        assert_eq!(read().await.unwrap_err().code(), "BL4022");
        sandbox.clear_faults();
    }
}

/// So does every other kind of list: by a key, newest first, of commits, of workspaces, and those of a parent.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_leads_back_to_itself_is_an_error_after_a_few_requests() {
    let sandbox = sandbox(|workspace| workspace.pipelines = 5).await;
    let client = connect(&sandbox, basic());
    let first = || Reading::Changes(Checkpoint::default());
    let cases = [
        ("Repositories", Reading::Listing, "/2.0/repositories/acme"),
        ("Repositories", Reading::Scan, "/2.0/repositories/acme"),
        ("Workspaces", Reading::Listing, "/2.0/user/workspaces"),
        ("Pipelines", first(), "*/pipelines/"),
        ("PullRequestActivity", first(), "*/pullrequests/activity"),
        ("Commits", first(), "*/commits"),
        ("Tags", Reading::Listing, "*/refs/tags"),
        ("PullRequestComments", first(), "*/comments"),
    ];
    for (table, reading, path) in cases {
        client.next_script();
        let plan = client.plan(client.request(table, &["*"]));
        let slice = client.slices(&plan).await.remove(0);
        sandbox.fault(Fault::always(path, FaultKind::RepeatedPage));
        sandbox.reset_requests();
        let error = client.read(&plan, &slice, reading).await.unwrap_err();
        assert_eq!(error.code(), "BL4022", "{table}: {error}");
        let asked = sandbox.requests().len();
        assert!(asked <= 12, "{table}: {asked} requests");
        sandbox.clear_faults();
    }
}

/// A commit that a statement names is in one repository; what the others answer is no failure.
#[tokio::test(flavor = "multi_thread")]
async fn a_named_commit_that_a_repository_lacks_is_no_row_of_it() {
    let sandbox = sandbox(|_| {}).await;
    let client = connect(&sandbox, basic());
    let hash = "0123456789012345678901234567890123456789";
    for table in [
        "Commits",
        "CommitStatuses",
        "CommitComments",
        "CommitReports",
        "Diffstat",
    ] {
        let column = if table == "Commits" {
            "Hash"
        } else {
            "CommitHash"
        };
        for columns in [&[column], &["*"]] {
            for names_what_is_missing in [true, false] {
                if !names_what_is_missing {
                    sandbox.fault(Fault::always("*/acme/*/*", FaultKind::NotFound));
                }
                let mut request = client.request(table, columns);
                request.predicates = vec![equal(&request.table, column, hash)];
                let rows = client.scan(request).await;
                assert_eq!(
                    texts(&rows.unwrap(), column).len(),
                    0,
                    "{table} {columns:?}"
                );
                sandbox.clear_faults();
            }
        }
    }
    assert_eq!(client.notes.said(), Vec::<String>::new());
}

/// Two rows of one answer with one key are one row of a copy.
#[tokio::test(flavor = "multi_thread")]
async fn rows_of_one_answer_with_one_key_are_told() {
    let sandbox = sandbox(|_| {}).await;
    let client = connect(&sandbox, basic());
    let body = r#"{"values":[{"name":"main"},{"name":"next"},{"name":"main","type":"branch"}]}"#;
    let body = body.to_owned();
    sandbox.fault(Fault::always("*/refs/branches", FaultKind::Body { body }));
    let plan = client.plan(client.request("Branches", &["RepositoryUUID", "Name"]));
    let slice = client.slices(&plan).await.remove(0);
    client.read(&plan, &slice, Reading::Listing).await.unwrap();
    let told = client.notes.said();
    let expected = format!(
        "Branches of {}: in one answer a row repeats the key of another, such as main; a copy keeps one of each",
        slice.label
    );
    assert!(told.contains(&expected), "{told:?}");
}

/// The scopes are part of whom the data is for, whichever answer names them first.
#[tokio::test(flavor = "multi_thread")]
async fn the_identity_stays_within_a_script() {
    let sandbox = sandbox(|_| {}).await;
    let client = connect(&sandbox, basic());
    let identity = async || client.source.identity(&client.context()).await.unwrap();
    let before = identity().await;
    let change = Change::SetScopes {
        credential: "acme-api-token".into(),
        scopes: vec!["read:repository:bitbucket".into()],
    };
    sandbox.apply(change).unwrap();
    client
        .slices(&client.plan(client.request("Branches", &["Name"])))
        .await;
    assert_eq!(identity().await, before);
    client.next_script();
    client
        .slices(&client.plan(client.request("Branches", &["Name"])))
        .await;
    assert_ne!(identity().await, before);
}

/// A session may live for long; what it knew of the workspace ends with what the listing says.
#[tokio::test(flavor = "multi_thread")]
async fn a_renamed_workspace_is_noticed_by_the_next_listing() {
    let sandbox = sandbox(|_| {}).await;
    let uuid = sandbox.snapshot(Kind::Workspaces, "acme")[0].value["uuid"].clone();
    let client = connect_to(&sandbox, uuid.as_str().unwrap(), basic());
    let plan = client.plan(client.request("Branches", &["Workspace"]));
    let workspaces = async || {
        client.next_script();
        let slices = client.slices(&plan).await;
        slices[0].parents[0].clone().unwrap()
    };
    assert_eq!(workspaces().await, "acme");
    let rename = Change::RenameWorkspace {
        workspace: "acme".into(),
        slug: "acme-two".into(),
    };
    sandbox.apply(rename).unwrap();
    assert_eq!(workspaces().await, "acme-two");
    let rows = client
        .scan(client.request("Projects", &["Workspace"]))
        .await
        .unwrap();
    assert_eq!(texts(&rows, "Workspace")[0], "acme-two");
}

/// What no repository can be asked for ends the statement at the first one.
#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_met_once() {
    let sandbox = sandbox(|_| {}).await;
    let client = connect(&sandbox, basic());
    let plan = client.plan(client.request("Issues", &["Id"]));
    let slice = client.slices(&plan).await.remove(0);
    drop(sandbox);
    let error = client.read(&plan, &slice, Reading::Scan).await.unwrap_err();
    assert_eq!(error.code(), "BL3205");
    assert!(error.reach() != Reach::Slice);
}

/// It comes with each answer about issues, of every repository.
#[tokio::test(flavor = "multi_thread")]
async fn a_statement_notes_an_announced_removal_once() {
    let sandbox = sandbox(|_| {}).await;
    let client = connect(&sandbox, basic());
    client.scan(client.request("Issues", &["*"])).await.unwrap();
    let notes = client.notes.0.lock().unwrap().clone();
    let announced = notes
        .iter()
        .filter(|note| note.contains("announces the removal"));
    assert_eq!(announced.count(), 1, "{notes:?}");
}

/// Only keys and change columns have to be there; what else is odd is lost alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_tells_neither_rows_nor_changes_apart_may_be_missing() {
    let sandbox = sandbox(|workspace| workspace.repositories = 1).await;
    let first_load = || Reading::Changes(Checkpoint::default());
    for (table, path, row, reading, expected) in [
        (
            "PullRequests",
            "*/pullrequests",
            r#"{"id":1.0,"updated_on":"2026-01-02T03:04:05Z","created_on":"","state":["x"]}"#,
            first_load(),
            [("Id", "1"), ("CreatedOn", "NULL"), ("State", "NULL")],
        ),
        (
            "PullRequests",
            "*/pullrequests",
            r#"{"id":1,"updated_on":"2026-01-02T03:04:05Z","created_on":1e400}"#,
            Reading::Scan,
            [("Id", "1"), ("CreatedOn", "NULL"), ("State", "NULL")],
        ),
        (
            "Pipelines",
            "*/pipelines/",
            r#"{"uuid":"{1}","created_on":5,"state":{"name":"PENDING"}}"#,
            first_load(),
            [
                ("UUID", "{1}"),
                ("CreatedOn", "NULL"),
                ("StateName", "PENDING"),
            ],
        ),
        (
            "Projects",
            "*/projects",
            r#"{"uuid":"{1}","key":null,"created_on":"2026-13-01"}"#,
            Reading::Listing,
            [("UUID", "{1}"), ("Key", "NULL"), ("CreatedOn", "NULL")],
        ),
        (
            "Forks",
            "*/forks",
            r#"{"uuid":"{1}","created_on":null}"#,
            Reading::Scan,
            [("UUID", "{1}"), ("Name", "NULL"), ("CreatedOn", "NULL")],
        ),
        (
            "Snippets",
            "*/snippets/acme",
            r#"{"id":12,"owner":{"uuid":"{1}"},"title":1.50}"#,
            Reading::Scan,
            [("Id", "12"), ("OwnerUUID", "{1}"), ("Title", "1.50")],
        ),
    ] {
        let client = connect(&sandbox, basic());
        sandbox.clear_faults();
        let body = format!(r#"{{"values":[{row}]}}"#);
        sandbox.fault(Fault::always(path, FaultKind::Body { body }));
        let columns = expected.map(|(column, _)| column);
        let plan = client.plan(client.request(table, &columns));
        let slice = client.slices(&plan).await.remove(0);
        let (rows, ..) = client.read(&plan, &slice, reading).await.unwrap();
        for (column, value) in expected {
            assert_eq!(texts(&rows, column), [value], "{table}.{column}");
        }
    }
}

/// What stands in an address has to be there for the rows behind it, and for no others.
#[tokio::test(flavor = "multi_thread")]
async fn a_project_without_its_key_keeps_the_rows_that_hang_on_it() {
    let sandbox = sandbox(|_| {}).await;
    let body = r#"{"values":[{"uuid":"{1}","key":null}]}"#.to_owned();
    sandbox.fault(Fault::always("*/projects", FaultKind::Body { body }));
    let client = connect(&sandbox, basic());
    let plan = client.plan(client.request("ProjectUserPermissions", &["ProjectUUID", "UserUUID"]));
    let slice = client.slices(&plan).await.remove(0);
    let (rows, ..) = client.read(&plan, &slice, Reading::Listing).await.unwrap();
    assert_eq!(texts(&rows, "UserUUID"), Vec::<String>::new());
    let expected = "ProjectUserPermissions of acme (Projects {1}) cannot be asked for: \
                    its Key was not in the answer or could not be read; its rows stay as they are";
    let said = client.notes.said();
    assert!(said.iter().any(|said| said == expected), "{said:?}");
    let error = client.read(&plan, &slice, Reading::Scan).await.unwrap_err();
    assert_eq!(
        error.hint().unwrap(),
        "WHERE ProjectUUID <> '{1}' leaves it out"
    );
}

/// The service takes the beginning of a hash for the commit; in SQL it equals none.
#[tokio::test(flavor = "multi_thread")]
async fn a_short_hash_equals_none_whatever_is_selected() {
    let sandbox = sandbox(|workspace| workspace.repositories = 1).await;
    let client = connect(&sandbox, basic());
    let commits = client.scan(client.request("Commits", &["Hash"])).await;
    let hash = texts(&commits.unwrap(), "Hash").remove(0);
    for table in ["CommitStatuses", "CommitComments", "Diffstat"] {
        let own = if table == "Diffstat" { "Path" } else { "Type" };
        for columns in [&[own][..], &[own, "CommitDate"]] {
            for value in [&hash[..12], "main", &hash.to_uppercase()] {
                let mut request = client.request(table, columns);
                request.predicates = vec![equal(&request.table, "CommitHash", value)];
                let rows = client.scan(request).await.unwrap();
                let found = texts(&rows, own);
                assert_eq!(found, Vec::<String>::new(), "{table} {columns:?} {value}");
            }
        }
    }
}
