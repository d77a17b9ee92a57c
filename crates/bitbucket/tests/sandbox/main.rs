//! The source against the sandbox: what is read equals what is there, in the fewest requests.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod columns;
mod published;
mod surprises;
mod walk;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use bucketline_bitbucket::{Bitbucket, Settings};
use bucketline_core::Kind as ErrorKind;
use bucketline_rest::{Credential, SecretString, Url};
use bucketline_sandbox::{
    Change, Config, Count, Day, Fault, FaultKind, IssueEdit, Kind, Sandbox, WorkspaceConfig,
};
use bucketline_source::{
    Checkpoint, End, Error, Literal, Observer, Operator, Order, Predicate, ReadContext, Reading,
    Scan, ScanPlan, ScanRequest, Scope, ScopeKind, Slice, Source, TableSpec,
};
use futures::{StreamExt, TryStreamExt};

#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl Observer for Notes {
    fn note(&self, text: &str) {
        self.0.lock().unwrap().push(text.to_owned());
    }
    fn waiting(&self, _: &str, _: Duration) {}
}

impl Notes {
    /// What was noted, but for the announcement of the tracker's removal.
    fn said(&self) -> Vec<String> {
        let notes = self.0.lock().unwrap();
        notes
            .iter()
            .filter(|note| !note.contains("announces the removal"))
            .cloned()
            .collect()
    }
}

/// A connection to the sandbox's `acme`, and the requests it took.
struct Client {
    source: Bitbucket,
    notes: Arc<Notes>,
    context: ReadContext,
    script: Mutex<Scan>,
}

fn basic() -> Credential {
    let password = SecretString::from("sandbox-api-token-acme");
    Credential::Basic {
        user: "user1@acme.example".into(),
        password,
    }
}

fn bearer() -> Credential {
    Credential::Bearer(SecretString::from("sandbox-access-token-acme"))
}

fn connect(sandbox: &Sandbox, credential: Credential) -> Client {
    connect_to(sandbox, "acme", credential)
}

fn connect_to(sandbox: &Sandbox, workspace: &str, credential: Credential) -> Client {
    let base = Url::parse(&sandbox.base_url()).unwrap();
    let mut settings = Settings::new(base, credential);
    settings.workspace = Some(workspace.into());
    settings.client.backoff = Duration::ZERO;
    settings.client.requests_per_hour = None;
    let notes = Arc::new(Notes::default());
    let context = ReadContext::new(notes.clone());
    Client {
        source: Bitbucket::new(settings).unwrap(),
        notes,
        context,
        script: Mutex::default(),
    }
}

async fn sandbox(change: impl FnOnce(&mut WorkspaceConfig)) -> Sandbox {
    let mut workspace = WorkspaceConfig::new("acme");
    change(&mut workspace);
    let config = Config {
        requests_per_hour: None,
        ..Config::single(workspace)
    };
    Sandbox::start(config).await.unwrap()
}

fn column(table: &TableSpec, name: &str) -> usize {
    table
        .column(name)
        .unwrap_or_else(|| panic!("{} has no {name}", table.name))
}

impl Client {
    /// What the script under way hands to the source.
    fn context(&self) -> ReadContext {
        self.context.clone().within(&self.script.lock().unwrap())
    }

    fn next_script(&self) {
        *self.script.lock().unwrap() = Scan::default();
    }

    fn table(&self, name: &str) -> Arc<TableSpec> {
        self.source
            .tables()
            .iter()
            .find(|table| table.name == name)
            .unwrap()
            .clone()
    }

    fn request(&self, table: &str, columns: &[&str]) -> ScanRequest {
        let table = self.table(table);
        let columns = match columns {
            ["*"] => (0..table.columns.len()).collect(),
            names => names.iter().map(|name| column(&table, name)).collect(),
        };
        let scope = self.source.default_scope();
        ScanRequest {
            table,
            scope,
            columns,
            predicates: vec![],
            order: None,
            limit: None,
            page_size: None,
        }
    }

    fn plan(&self, request: ScanRequest) -> Arc<ScanPlan> {
        Arc::new(self.source.plan(request).unwrap())
    }

    async fn slices(&self, plan: &ScanPlan) -> Vec<Slice> {
        self.source.slices(plan, &self.context()).await.unwrap()
    }

    async fn read(
        &self,
        plan: &Arc<ScanPlan>,
        slice: &Slice,
        reading: Reading,
    ) -> Result<(Vec<RecordBatch>, Option<Checkpoint>, End), Error> {
        let mut pages = self
            .source
            .read(plan.clone(), slice, reading, &self.context());
        let mut batches = Vec::new();
        let mut checkpoint = None;
        while let Some(page) = pages.try_next().await? {
            assert_eq!(page.rows.schema(), plan.schema);
            batches.push(page.rows);
            checkpoint = page.checkpoint.or(checkpoint);
            if let Some(end) = page.end {
                assert!(pages.next().await.is_none(), "the end comes last");
                return Ok((batches, checkpoint, end));
            }
        }
        panic!("a stream ended without an end");
    }

    async fn scan(&self, request: ScanRequest) -> Result<Vec<RecordBatch>, Error> {
        let plan = self.plan(request);
        let mut rows = Vec::new();
        for slice in self.source.slices(&plan, &self.context()).await? {
            rows.extend(self.read(&plan, &slice, Reading::Scan).await?.0);
        }
        Ok(rows)
    }
}

fn texts(batches: &[RecordBatch], name: &str) -> Vec<String> {
    let cell = |batch: &RecordBatch, row: usize| {
        let array = batch.column_by_name(name).unwrap();
        if array.is_null(row) {
            return "NULL".to_owned();
        }
        match array.as_primitive_opt::<Int64Type>() {
            Some(numbers) => numbers.value(row).to_string(),
            None => array.as_string::<i32>().value(row).to_owned(),
        }
    };
    batches
        .iter()
        .flat_map(|batch| (0..batch.num_rows()).map(move |row| cell(batch, row)))
        .collect()
}

fn equal(table: &TableSpec, name: &str, value: &str) -> Predicate {
    Predicate {
        column: column(table, name),
        operator: Operator::Eq,
        values: vec![Literal::Text(value.to_owned())],
    }
}

fn sorted(mut values: Vec<String>) -> Vec<String> {
    values.sort();
    values
}

/// What the sandbox holds, each row as `repository id`.
fn there(sandbox: &Sandbox, kind: Kind, key: &str) -> Vec<String> {
    let rows = sandbox.snapshot(kind, "acme").into_iter();
    sorted(
        rows.map(|row| {
            let value = &row.value[key];
            let value = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            format!(
                "{}{value}",
                row.repository_uuid
                    .map_or(String::new(), |uuid| format!("{uuid} "))
            )
        })
        .collect(),
    )
}

fn keyed(batches: &[RecordBatch], key: &str) -> Vec<String> {
    let uuids = texts(batches, "RepositoryUUID").into_iter();
    sorted(
        uuids
            .zip(texts(batches, key))
            .map(|(uuid, key)| format!("{uuid} {key}"))
            .collect(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn every_table_is_read_whole() {
    let sandbox = sandbox(|workspace| {
        workspace.repositories = 4;
        workspace.trackers_off = Some(1);
        workspace.issues = Count::PerRepository(230);
        workspace.pull_requests = Count::PerRepository(120);
        workspace.branches = 130;
    })
    .await;
    let client = connect(&sandbox, basic());
    for (table, kind, key, own) in [
        ("Issues", Kind::Issues, "id", "Id"),
        ("PullRequests", Kind::PullRequests, "id", "Id"),
        ("Branches", Kind::Branches, "name", "Name"),
    ] {
        let rows = client.scan(client.request(table, &["*"])).await.unwrap();
        assert_eq!(keyed(&rows, own), there(&sandbox, kind, key), "{table}");
    }
    for (table, kind) in [
        ("Projects", Kind::Projects),
        ("Repositories", Kind::Repositories),
    ] {
        let rows = client.scan(client.request(table, &["*"])).await.unwrap();
        assert_eq!(
            sorted(texts(&rows, "UUID")),
            there(&sandbox, kind, "uuid"),
            "{table}"
        );
    }
    let rows = client
        .scan(client.request("Workspaces", &["*"]))
        .await
        .unwrap();
    assert_eq!(
        sorted(texts(&rows, "UUID")),
        there(&sandbox, Kind::Workspaces, "uuid")
    );
    assert_eq!(client.notes.said(), Vec::<String>::new());
}

/// Every column that the sandbox fills has a value somewhere, and a projection gives the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_projection_gives_the_same_values() {
    let sandbox = sandbox(|_| {}).await;
    let client = connect(&sandbox, basic());
    for table in [
        "Workspaces",
        "Projects",
        "Repositories",
        "Issues",
        "PullRequests",
        "Branches",
    ] {
        let all = client.scan(client.request(table, &["*"])).await.unwrap();
        let spec = client.table(table);
        for column in &spec.columns {
            let some = client
                .scan(client.request(table, &[&column.name]))
                .await
                .unwrap();
            let of = |batches: &[RecordBatch]| {
                let arrays = batches
                    .iter()
                    .map(|batch| batch.column_by_name(&column.name).unwrap());
                let text = arrays.flat_map(|array| {
                    let array =
                        arrow::compute::cast(array, &arrow::datatypes::DataType::Utf8).unwrap();
                    let array = array.as_string::<i32>().clone();
                    (0..array.len())
                        .map(move |row| array.is_valid(row).then(|| array.value(row).to_owned()))
                        .collect::<Vec<_>>()
                });
                text.collect::<Vec<_>>()
            };
            assert_eq!(of(&some), of(&all), "{table}.{}", column.name);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_request_for_a_limited_query() {
    let sandbox = sandbox(|workspace| workspace.issues = Count::PerRepository(300)).await;
    let client = connect(&sandbox, basic());
    let mut request = client.request("Issues", &["Id", "Title", "UpdatedOn"]);
    let table = request.table.clone();
    let predicate = |name: &str, operator, value: Literal| Predicate {
        column: column(&table, name),
        operator,
        values: vec![value],
    };
    request.predicates = vec![
        predicate("Repository", Operator::Eq, Literal::Text("api".into())),
        predicate(
            "UpdatedOn",
            Operator::Gt,
            Literal::Timestamp("2020-01-01T00:00:00Z".parse().unwrap()),
        ),
    ];
    request.order = Some(Order {
        column: column(&table, "UpdatedOn"),
        descending: true,
        nulls_first: true,
    });
    request.limit = Some(5);
    let plan = client.plan(request.clone());
    assert!(plan.ordered && plan.limited);
    assert_eq!(plan.requests.len(), 1);
    let rows = client.scan(request).await.unwrap();
    assert_eq!(client.context.requests(), 1);
    assert_eq!(sandbox.requests().len(), 1);
    let updated: Vec<i64> = rows
        .iter()
        .flat_map(|batch| {
            batch
                .column(2)
                .as_primitive::<TimestampMicrosecondType>()
                .values()
                .to_vec()
        })
        .collect();
    let mut expected: Vec<i64> = sandbox
        .snapshot(Kind::Issues, "acme")
        .iter()
        .filter(|row| {
            row.repository
                .as_deref()
                .is_some_and(|name| name.ends_with("api"))
        })
        .map(|row| {
            let text = row.value["updated_on"].as_str().unwrap();
            chrono::DateTime::parse_from_rfc3339(text)
                .unwrap()
                .timestamp_micros()
        })
        .collect();
    expected.sort_unstable_by(|one, other| other.cmp(one));
    assert_eq!(updated, expected[..5]);

    let mut absent = client.request("Issues", &["Id"]);
    absent.limit = Some(1);
    absent.predicates = vec![predicate(
        "Repository",
        Operator::Eq,
        Literal::Text("nope".into()),
    )];
    let rows = client.scan(absent).await.unwrap();
    assert_eq!(rows.iter().map(RecordBatch::num_rows).sum::<usize>(), 0);
    assert!(client.notes.said()[0].contains("no repository acme/nope"));
}

/// A load, a run without changes, a change: the rows and the requests of each.
#[tokio::test(flavor = "multi_thread")]
async fn changes_cost_one_request_a_slice() {
    let sandbox = sandbox(|workspace| {
        workspace.repositories = 2;
        workspace.trackers_off = Some(0);
        workspace.issues = Count::PerRepository(250);
    })
    .await;
    let client = connect(&sandbox, basic());
    let plan = client.plan(client.request("Issues", &["RepositoryUUID", "Id", "Title"]));
    let mut checkpoints = BTreeMap::new();
    for slice in client.slices(&plan).await {
        let before = client.context.requests();
        let reading = Reading::Changes(Checkpoint::default());
        let (rows, checkpoint, end) = client.read(&plan, &slice, reading).await.unwrap();
        assert_eq!(end, End::Complete { unstable_pages: 0 });
        assert_eq!(
            texts(&rows, "Id")
                .into_iter()
                .collect::<BTreeSet<_>>()
                .len(),
            250
        );
        assert_eq!(texts(&rows, "Id").len(), 250, "no doubles");
        assert_eq!(client.context.requests() - before, 3);
        checkpoints.insert(slice.id.0.clone(), checkpoint.unwrap());
    }
    client.next_script();
    let before = client.context.requests();
    let slices = client.slices(&plan).await;
    for slice in &slices {
        let reading = Reading::Changes(checkpoints[&slice.id.0].clone());
        let (_, checkpoint, _) = client.read(&plan, slice, reading).await.unwrap();
        assert_eq!(checkpoint.as_ref(), Some(&checkpoints[&slice.id.0]));
    }
    assert_eq!(
        client.context.requests() - before,
        3,
        "the listing and one a slice"
    );
    let edit = IssueEdit {
        title: Some("changed".into()),
        ..IssueEdit::default()
    };
    sandbox
        .apply(Change::UpdateIssue {
            repository: "acme/api".into(),
            id: 7,
            edit,
        })
        .unwrap();
    let slice = slices
        .iter()
        .find(|slice| slice.label == "acme/api")
        .unwrap();
    let reading = Reading::Changes(checkpoints[&slice.id.0].clone());
    let (rows, _, _) = client.read(&plan, slice, reading).await.unwrap();
    assert!(texts(&rows, "Title").contains(&"changed".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_rows_of_one_moment() {
    let sandbox = sandbox(|workspace| {
        workspace.repositories = 1;
        workspace.issues = Count::PerRepository(1_100);
        workspace.same_updated_on = 1_000;
    })
    .await;
    let client = connect(&sandbox, basic());
    let plan = client.plan(client.request("Issues", &["Id"]));
    let slice = client.slices(&plan).await.remove(0);
    let reading = Reading::Changes(Checkpoint::default());
    let (rows, _, _) = client.read(&plan, &slice, reading).await.unwrap();
    let ids = texts(&rows, "Id");
    assert_eq!(
        (ids.len(), ids.into_iter().collect::<BTreeSet<_>>().len()),
        (1_100, 1_100)
    );
}

/// Sorting all states fails in big repositories: the walk goes state by state, and remembers it.
#[tokio::test(flavor = "multi_thread")]
async fn big_repositories_are_split_by_state() {
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
    let expected = there(&sandbox, Kind::PullRequests, "id");
    let plan = client.plan(client.request("PullRequests", &["RepositoryUUID", "Id", "State"]));
    let slice = client.slices(&plan).await.remove(0);
    for reading in [
        Reading::Scan,
        Reading::Listing,
        Reading::Changes(Checkpoint::default()),
    ] {
        let (rows, checkpoint, _) = client.read(&plan, &slice, reading.clone()).await.unwrap();
        assert_eq!(keyed(&rows, "Id"), expected, "{reading:?}");
        if let Some(checkpoint) = checkpoint {
            assert!(checkpoint.split && checkpoint.walk.is_none() && checkpoint.mark.is_some());
            let before = client.context.requests();
            client
                .read(&plan, &slice, Reading::Changes(checkpoint))
                .await
                .unwrap();
            assert_eq!(client.context.requests() - before, 4, "one a state");
        }
    }
    let mut request = client.request("PullRequests", &["Id"]);
    request.order = Some(Order {
        column: column(&request.table, "UpdatedOn"),
        descending: false,
        nulls_first: false,
    });
    request.limit = Some(7);
    let rows = client.scan(request).await.unwrap();
    let mut oldest: Vec<(String, String)> = sandbox
        .snapshot(Kind::PullRequests, "acme")
        .iter()
        .map(|row| {
            (
                row.value["updated_on"].as_str().unwrap().to_owned(),
                row.value["id"].to_string(),
            )
        })
        .collect();
    oldest.sort();
    let oldest: Vec<_> = oldest.into_iter().take(7).map(|(_, id)| id).collect();
    assert_eq!(texts(&rows, "Id"), oldest);
}

#[tokio::test(flavor = "multi_thread")]
async fn scopes() {
    let sandbox = sandbox(|_| {}).await;
    let client = connect(&sandbox, basic());
    let names = |scopes: Vec<Scope>| {
        scopes
            .into_iter()
            .map(|scope| format!("{:?} {}", scope.kind, scope.name))
            .collect::<Vec<_>>()
    };
    let find = async |name: &str, exact| {
        names(
            client
                .source
                .find_scopes(name, exact, &client.context())
                .await
                .unwrap(),
        )
    };
    assert_eq!(find("information", false).await, ["Whole Information"]);
    assert_eq!(find("information", true).await, Vec::<String>::new());
    assert_eq!(find("Api", false).await, ["Project API", "Repository api"]);
    assert_eq!(find("API", true).await, ["Project API"]);
    assert_eq!(find("api", true).await, ["Repository api"]);
    assert_eq!(find("nothing", false).await, Vec::<String>::new());
    assert_eq!(find("../x", false).await, Vec::<String>::new());
    let all = names(client.source.scopes(&client.context()).await.unwrap());
    assert_eq!(
        all.iter()
            .filter(|name| name.starts_with("Repository"))
            .count(),
        5
    );
    assert_eq!(all[0], "Whole Information");

    let api = client
        .source
        .find_scopes("api", true, &client.context())
        .await
        .unwrap()
        .remove(0);
    let project = client
        .source
        .find_scopes("API", true, &client.context())
        .await
        .unwrap()
        .remove(0);
    let mut request = client.request("Branches", &["Repository"]);
    request.scope = api.clone();
    let rows = client.scan(request).await.unwrap();
    assert_eq!(
        texts(&rows, "Repository")
            .into_iter()
            .collect::<BTreeSet<_>>(),
        ["api".to_owned()].into()
    );
    for (table, scope, key) in [
        ("Repositories", &api, "Slug"),
        ("Projects", &project, "Key"),
    ] {
        let mut request = client.request(table, &["*"]);
        request.scope = scope.clone();
        let rows = client.scan(request).await.unwrap();
        assert_eq!(texts(&rows, key), [scope.name.as_str()]);
    }
    let mut request = client.request("Repositories", &["Slug", "ProjectKey"]);
    request.scope = project.clone();
    let listed = client.scan(request).await.unwrap();
    assert!(!texts(&listed, "Slug").is_empty());
    assert!(texts(&listed, "ProjectKey").iter().all(|key| key == "API"));
    let mut request = client.request("PullRequests", &["Repository"]);
    request.scope = project;
    let rows = client.scan(request).await.unwrap();
    let seen: BTreeSet<_> = texts(&rows, "Repository").into_iter().collect();
    assert!(seen.is_subset(&texts(&listed, "Slug").into_iter().collect()));
    let mut request = client.request("Projects", &["Key"]);
    request.scope = api;
    assert_eq!(client.source.plan(request).unwrap_err().code(), "BL4002");
    assert_eq!(client.source.default_scope().kind, ScopeKind::Whole);
}

/// A repository that is named must still be in the project that is the schema.
#[tokio::test(flavor = "multi_thread")]
async fn a_name_does_not_reach_out_of_its_project() {
    let sandbox = sandbox(|_| {}).await;
    let client = connect(&sandbox, basic());
    let project = async || {
        let found = client
            .source
            .find_scopes("API", true, &client.context())
            .await;
        found.unwrap().remove(0)
    };
    let rows = async |repository: &str| {
        client.next_script();
        let mut request = client.request("Branches", &["Repository"]);
        request.scope = project().await;
        request.predicates = vec![equal(&request.table, "Repository", repository)];
        client.scan(request).await.unwrap()
    };
    assert_eq!(rows("web").await.len(), 0);
    assert!(!texts(&rows("api").await, "Repository").is_empty());
    sandbox
        .apply(Change::MoveRepository {
            repository: "acme/api".into(),
            project: "WEB".into(),
        })
        .unwrap();
    assert_eq!(rows("api").await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_listing_is_walked_once_for_all() {
    let sandbox = sandbox(|workspace| workspace.repositories = 230).await;
    let client = connect(&sandbox, basic());
    let plan = client.plan(client.request("Branches", &["Name"]));
    let context = client.context();
    let calls = (0..8).map(|_| client.source.slices(&plan, &context));
    let slices: Vec<_> = futures::future::try_join_all(calls).await.unwrap();
    assert!(
        slices
            .iter()
            .all(|some| some.len() == 230 && *some == slices[0])
    );
    let uuids: BTreeSet<_> = slices[0].iter().map(|slice| &slice.id).collect();
    assert_eq!(uuids.len(), 230);
    assert_eq!(client.context.requests(), 3);
    assert!(slices[0].iter().all(|slice| slice.proof.is_some()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_is_told_apart() {
    let sandbox = sandbox(|workspace| workspace.trackers_off = Some(1)).await;
    let client = connect(&sandbox, basic());
    let plan = client.plan(client.request("Issues", &["Id"]));
    let slices = client.slices(&plan).await;
    let mut ends = Vec::new();
    for slice in &slices {
        ends.push(client.read(&plan, slice, Reading::Listing).await.unwrap().2);
    }
    assert_eq!(
        ends.iter()
            .filter(
                |end| matches!(end, End::NotApplicable { why } if why.contains("no issue tracker"))
            )
            .count(),
        1
    );

    let cases = [
        (FaultKind::Forbidden, ErrorKind::Permission, "BL4011"),
        (FaultKind::NotFound, ErrorKind::NotFound, "BL4012"),
        (FaultKind::Unauthorized, ErrorKind::Credential, "BL3101"),
        (FaultKind::WrongJson, ErrorKind::Transient, "BL2010"),
        (
            FaultKind::ServerError { status: 503 },
            ErrorKind::Transient,
            "BL3107",
        ),
    ];
    for (fault, kind, code) in cases {
        sandbox.clear_faults();
        sandbox.fault(Fault::always("*/issues", fault.clone()));
        let error = client
            .read(&plan, &slices[0], Reading::Scan)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), kind, "{fault:?}: {error}");
        assert_eq!(error.code(), code, "{fault:?}: {error}");
        assert!(error.to_string().contains("Issues"), "{error}");
    }
    sandbox.clear_faults();
    sandbox.fault(Fault::always(
        "*/branches",
        FaultKind::ForeignNext {
            origin: "https://example.org".into(),
        },
    ));
    let branches = client.plan(client.request("Branches", &["Name"]));
    let error = client
        .read(&branches, &slices[0], Reading::Listing)
        .await
        .unwrap_err();
    assert_eq!(error.code(), "BL3002", "{error}");
    sandbox.clear_faults();

    sandbox
        .apply(Change::SetDay {
            day: Day::AfterRemoval,
        })
        .unwrap();
    let error = client
        .read(&plan, &slices[0], Reading::Scan)
        .await
        .unwrap_err();
    assert_eq!(error.code(), "BL4013");
    assert!(
        error.to_string().contains("2026-08-20") && error.to_string().contains("CHANGE-3071"),
        "{error}"
    );
    assert!(error.hint().unwrap().contains("Import & export"));
}

#[tokio::test(flavor = "multi_thread")]
async fn access_tokens() {
    let sandbox = sandbox(|_| {}).await;
    let client = connect(&sandbox, bearer());
    let rows = client
        .scan(client.request("Workspaces", &["*"]))
        .await
        .unwrap();
    assert_eq!(texts(&rows, "Slug"), ["acme"]);
    assert!(client.notes.said()[0].contains("is no user's"));
    let error = client
        .scan(client.request("Issues", &["Id"]))
        .await
        .unwrap_err();
    assert_eq!(error.code(), "BL4010", "{error}");
    let identity = client.source.identity(&client.context()).await.unwrap();
    assert!(identity.workspace.unwrap().starts_with('{'));
    assert!(!identity.credential.contains("sandbox-access"));
    let shown = format!("{:?}", client.source);
    assert!(!shown.contains("sandbox-access"), "{shown}");
}

/// Changes while pages are read, with the program stopped after every page: the copy catches up.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_while_pages_are_read() {
    let sandbox = sandbox(|workspace| {
        workspace.repositories = 1;
        workspace.pull_requests = Count::PerRepository(900);
    })
    .await;
    let client = connect(&sandbox, basic());
    let mut request = client.request("PullRequests", &["Id", "State"]);
    request.predicates = vec![Predicate {
        column: column(&request.table, "State"),
        operator: Operator::Eq,
        values: vec![Literal::Text("OPEN".into())],
    }];
    let plan = client.plan(request);
    let slice = client.slices(&plan).await.remove(0);
    let open = |sandbox: &Sandbox| {
        let rows = sandbox.snapshot(Kind::PullRequests, "acme").into_iter();
        let open = rows.filter(|row| row.value["state"] == "OPEN");
        open.map(|row| row.value["id"].to_string())
            .collect::<BTreeSet<_>>()
    };
    let before: Vec<u32> = open(&sandbox)
        .iter()
        .map(|id| id.parse().unwrap())
        .collect();
    assert!(before.len() > 50, "more than a page is open");
    let repository = || "acme/api".to_owned();
    let mut merged = before.iter();
    let mut copy = BTreeSet::new();
    let mut checkpoint = Checkpoint::default();
    // The first load, resumed from its checkpoint after each page, then one more run.
    for run in 0.. {
        assert!(run < 50, "the first load does not end");
        let resumed = checkpoint.mark.is_none();
        let reading = Reading::Changes(checkpoint.clone());
        let mut pages = client
            .source
            .read(plan.clone(), &slice, reading, &client.context());
        while let Some(page) = pages.try_next().await.unwrap() {
            let batch = [page.rows];
            for (id, state) in texts(&batch, "Id").into_iter().zip(texts(&batch, "State")) {
                if state == "OPEN" {
                    copy.insert(id)
                } else {
                    copy.remove(&id)
                };
            }
            checkpoint = page.checkpoint.unwrap();
            if resumed {
                break;
            }
        }
        if !resumed {
            break;
        }
        let id = *merged.next().unwrap();
        sandbox
            .apply(Change::MergePullRequest {
                repository: repository(),
                id,
            })
            .unwrap();
        sandbox
            .apply(Change::AdvanceClock { seconds: 3_600.0 })
            .unwrap();
        let edit = bucketline_sandbox::PullRequestEdit::default();
        sandbox
            .apply(Change::AddPullRequest {
                repository: repository(),
                edit,
            })
            .unwrap();
        sandbox
            .apply(Change::AdvanceClock { seconds: 3_600.0 })
            .unwrap();
    }
    assert_eq!(copy, open(&sandbox));
}

/// What one script has listed holds to its end, whatever others find out meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn scripts_at_the_same_time_list_for_themselves() {
    let sandbox = sandbox(|workspace| workspace.repositories = 3).await;
    let client = connect(&sandbox, basic());
    let plan = client.plan(client.request("Branches", &["Name"]));
    let one = client.context();
    client.next_script();
    let other = client.context();
    let before = client.source.slices(&plan, &one).await.unwrap();
    sandbox
        .apply(Change::DeleteRepository {
            repository: "acme/api".into(),
        })
        .unwrap();
    let after = client.source.slices(&plan, &other).await.unwrap();
    assert_eq!((before.len(), after.len()), (3, 2));

    let requests = client.context.requests();
    assert_eq!(client.source.slices(&plan, &one).await.unwrap(), before);
    assert_eq!(client.source.slices(&plan, &other).await.unwrap(), after);
    assert_eq!(client.context.requests(), requests, "each listed once");
}
