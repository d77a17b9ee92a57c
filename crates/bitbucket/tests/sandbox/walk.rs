//! Every request that any table makes: each table is read in all ways, with what leads there.

use bucketline_sandbox::{Count, Kind, Sandbox};
use bucketline_source::{Checkpoint, Literal, Operator, Predicate, Reading, ScanRequest, Source};

use super::{Client, column, sandbox};

/// A workspace that has rows of everything, and few of them.
pub(super) async fn small() -> Sandbox {
    sandbox(|workspace| {
        workspace.repositories = 2;
        workspace.branches = 12;
        workspace.issues = Count::PerRepository(12);
        workspace.pull_requests = Count::PerRepository(6);
    })
    .await
}

/// Reads every table whole, as a scan and as what a copy is made from, and what changed since. Pages are of `page_size`
/// rows, so that lists have several.
pub(super) async fn walk(client: &Client, sandbox: &Sandbox, page_size: usize) {
    let commit = annotated(sandbox);
    for table in client.source.tables().iter() {
        let mut request = client.request(&table.name, &["*"]);
        request.page_size = Some(page_size);
        if table.parent.as_ref().is_some_and(|parent| parent.bounded) {
            request.predicates.push(Predicate {
                column: column(table, "CommitHash"),
                operator: Operator::Eq,
                values: vec![Literal::Text(commit.clone())],
            });
        }
        client.next_script();
        client.scan(request.clone()).await.unwrap();
        follow(client, request).await;
    }
    for name in ["API", "api", "{00000000-0000-4000-8000-000000000000}"] {
        client
            .source
            .find_scopes(name, false, &client.context())
            .await
            .unwrap();
    }
}

/// A commit that has a report with annotations.
fn annotated(sandbox: &Sandbox) -> String {
    let annotation = sandbox.snapshot(Kind::ReportAnnotations, "acme").remove(0);
    let reports = sandbox.snapshot(Kind::CommitReports, "acme").into_iter();
    let mut annotated =
        reports.filter(|report| report.value["uuid"].as_str() == annotation.parent.as_deref());
    annotated.next().and_then(|report| report.parent).unwrap()
}

/// Reads what a copy of a table is made from, and then what changed since.
async fn follow(client: &Client, request: ScanRequest) {
    let incremental = request.table.is_incremental();
    let plan = client.plan(request);
    for slice in client.slices(&plan).await {
        if !incremental {
            client.read(&plan, &slice, Reading::Listing).await.unwrap();
            continue;
        }
        let mut checkpoint = Checkpoint::default();
        for _ in 0..2 {
            let reading = Reading::Changes(checkpoint);
            let (_, reached, _) = client.read(&plan, &slice, reading).await.unwrap();
            checkpoint = reached.unwrap_or_default();
        }
    }
}
