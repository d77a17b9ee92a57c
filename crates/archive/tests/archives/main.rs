//! Archives as they are exported, and as they should not be.
#![allow(clippy::unwrap_used)]

mod damage;
mod support;

use std::fs;

use bucketline_archive::{Archives, Settings};
use bucketline_source::{
    Checkpoint, End, Literal, Operator, Predicate, Reading, Scope, ScopeKind, Source,
};
use futures::StreamExt;
use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::tempdir;
use zip::CompressionMethod;

use crate::support::{Client, VERSION_1, VERSION_2, document, write_archive, zipped};

/// A client of one archive, `api-issues.zip`, with this document.
fn client_of(name: &str, document: &str) -> (tempfile::TempDir, Client) {
    let folder = tempdir().unwrap();
    write_archive(folder.path().join("api-issues.zip"), name, document);
    let client = Client::of([folder.path()]);
    (folder, client)
}

#[tokio::test]
async fn every_table_of_the_newer_version_is_read() {
    let (_folder, client) = client_of("db-2.0.json", VERSION_2);
    let ann = json!({"DisplayName": "User 1", "AccountId": "1:a"});
    let person = |prefix: &str, mut row: Value| {
        for (name, value) in ann.as_object().unwrap() {
            row[format!("{prefix}{name}")] = value.clone();
        }
        row
    };
    let issue = json!({
        "Id": 7, "Title": "It breaks", "State": "on hold", "Kind": "bug", "Priority": "major",
        "Votes": 2, "Voters": "[{\"account_id\":\"1:a\"}]", "Watchers": "[]", "ContentRaw": "one\r\ntwo",
        "ComponentName": "core", "MilestoneName": "m1", "VersionName": "v1",
        "CreatedOn": "2020-01-02T03:04:05.678901Z", "UpdatedOn": "2020-02-02T03:04:05Z",
        "ContentUpdatedOn": "2020-01-03T00:00:00Z",
    });
    assert_eq!(
        client.rows("Issues").await.unwrap(),
        [
            person("Reporter", issue),
            json!({"Id": 8, "Title": "Alone"})
        ]
    );
    let comment =
        json!({"Id": 70, "IssueId": 7, "ContentRaw": "yes", "CreatedOn": "2020-01-04T00:00:00Z"});
    assert_eq!(
        client.rows("IssueComments").await.unwrap(),
        [person("User", comment), json!({"Id": 71, "IssueId": 7})]
    );
    let change = json!({
        "Id": 1, "IssueId": 7, "CommentId": 71, "Field": "status", "ChangedFrom": "new",
        "ChangedTo": "on hold", "CreatedOn": "2020-01-05T00:00:00Z",
    });
    assert_eq!(
        client.rows("IssueChanges").await.unwrap(),
        [
            person("User", change),
            json!({"Id": 2, "IssueId": 7, "Field": "kind"})
        ]
    );
    let attachment = json!({"Id": 1, "IssueId": 7, "Name": "a.png", "Path": "attachments/9f"});
    assert_eq!(
        client.rows("IssueAttachments").await.unwrap(),
        [person("User", attachment)]
    );
    assert_eq!(
        client.rows("Milestones").await.unwrap(),
        [json!({"Name": "m1"})]
    );
    assert_eq!(
        client.rows("Versions").await.unwrap(),
        [json!({"Name": "v1"})]
    );
    assert_eq!(
        client.rows("Components").await.unwrap(),
        [json!({"Name": "core"}), json!({"Name": "ui"})]
    );
    assert_eq!(client.notes(), Vec::<String>::new());
    assert_eq!(client.context.requests(), 0);
}

#[tokio::test]
async fn people_of_the_older_version_are_nicknames() {
    let (_folder, client) = client_of("db-1.0.json", VERSION_1);
    assert_eq!(
        client.rows("Issues").await.unwrap(),
        [json!({
            "Id": 1, "Title": "Old", "State": "new", "ReporterNickname": "user1",
            "AssigneeNickname": "user2", "CreatedOn": "2012-01-02T03:04:05Z",
        })]
    );
    assert_eq!(
        client.rows("IssueComments").await.unwrap(),
        [json!({"Id": 5, "IssueId": 1, "UserNickname": "user2"})]
    );
    assert_eq!(
        client.rows("IssueChanges").await.unwrap(),
        [
            json!({"Id": 1, "IssueId": 1, "Field": "assignee", "ChangedTo": "user2", "UserNickname": "user1"})
        ]
    );
    // Lists that are missing are empty.
    assert_eq!(
        client.rows("Milestones").await.unwrap(),
        Vec::<Value>::new()
    );
    assert_eq!(client.notes(), Vec::<String>::new());
}

#[tokio::test]
async fn the_newer_document_counts_and_a_folder_that_was_packed_whole_does_too() {
    let folder = tempdir().unwrap();
    let files = [
        ("api-issues/db-1.0.json", VERSION_1.as_bytes()),
        ("api-issues/db-2.0.json", VERSION_2.as_bytes()),
        ("attachments/db-2.0.json", b"an attachment".as_slice()),
        ("a/b/db-2.0.json", b"deeper".as_slice()),
    ];
    fs::write(
        folder.path().join("api.zip"),
        zipped(&files, CompressionMethod::Deflated),
    )
    .unwrap();
    let client = Client::of([folder.path()]);
    assert_eq!(client.rows("Issues").await.unwrap().len(), 2);
}

#[tokio::test]
async fn values_of_another_type_are_null_and_noted() {
    let document =
        r#"{"issues":[{"id":1,"title":[5],"votes":"many","reporter":3,"created_on":"once"}]}"#;
    let (_folder, client) = client_of("db-2.0.json", document);
    assert_eq!(client.rows("Issues").await.unwrap(), [json!({"Id": 1})]);
    assert!(
        client.notes().contains(
            &"Issues of api: `title`: expected a text, found a list; 1 value read as NULL"
                .to_owned()
        ),
        "{:?}",
        client.notes()
    );
}

#[tokio::test]
async fn a_number_in_a_column_of_texts_is_its_digits() {
    let document = r#"{"issues":[{"id":1.0,"title":5},{"id":2e0,"title":1e400}]}"#;
    let (_folder, client) = client_of("db-2.0.json", document);
    assert_eq!(
        client.rows("Issues").await.unwrap(),
        [
            json!({"Id": 1, "Title": "5"}),
            json!({"Id": 2, "Title": "1e400"}),
        ]
    );
    assert_eq!(client.notes(), Vec::<String>::new());
}

#[tokio::test]
async fn half_a_surrogate_pair_costs_one_character_of_its_row() {
    let document = r#"{
        "\udce9":[{}],
        "issues":[{"id":1,"title":"caf\udce9","\ud800":"\udc00"},{"id":2,"title":"\ud83d\ude00"}],
        "components":[{"name":"\udfff"}]
    }"#;
    let (_folder, client) = client_of("db-2.0.json", document);
    assert_eq!(
        client.rows("Issues").await.unwrap(),
        [
            json!({"Id": 1, "Title": "caf\u{fffd}"}),
            json!({"Id": 2, "Title": "\u{1f600}"}),
        ]
    );
    let components = client.rows("Components").await.unwrap();
    assert_eq!(components, [json!({"Name": "\u{fffd}"})]);
    assert_eq!(
        client.notes(),
        [
            "Issues of api: half a surrogate pair is no character; 3 characters read as U+FFFD",
            "Components of api: half a surrogate pair is no character; 1 character read as U+FFFD",
        ]
    );
}

#[tokio::test]
async fn times_may_lack_a_zone_or_have_seconds_in_it() {
    let times = [
        "2021-04-02T14:20:48.179",
        "2021-04-02 14:20:48.179",
        "2021-04-02T15:14:16.179+00:53:28",
    ];
    for time in times {
        let document = json!({"issues": [{"id": 1, "created_on": time}]}).to_string();
        let (_folder, client) = client_of("db-2.0.json", &document);
        assert_eq!(
            client.rows("Issues").await.unwrap(),
            [json!({"Id": 1, "CreatedOn": "2021-04-02T14:20:48.179Z"})],
            "{time}"
        );
    }
}

/// As other programs write the format.
#[tokio::test]
async fn entries_without_their_key_are_left_out_and_numbers_may_be_texts() {
    let document = r#"{
        "issues":[{"id":"1"},{"title":"no number"},{"id":null}],
        "comments":[{"id":"7","issue":"1"},{"issue":1}],
        "milestones":[{},{"name":"m1"},{"name":null}]
    }"#;
    let (_folder, client) = client_of("db-2.0.json", document);
    assert_eq!(client.rows("Issues").await.unwrap(), [json!({"Id": 1})]);
    let comments = client.rows("IssueComments").await.unwrap();
    assert_eq!(comments, [json!({"Id": 7, "IssueId": 1})]);
    let milestones = client.rows("Milestones").await.unwrap();
    assert_eq!(milestones, [json!({"Name": "m1"})]);
    assert_eq!(
        client.notes(),
        [
            "Issues of api: `issues` has entries without `id`; 2 rows left out, and no row of a copy is deleted",
            "IssueComments of api: `comments` has entries without `id`; 1 row left out, and no row of a copy is deleted",
            "Milestones of api: `milestones` has entries without `name`; 2 rows left out, and no row of a copy is deleted",
        ]
    );
}

#[tokio::test]
async fn a_folder_has_a_repository_and_a_schema_for_each_archive() {
    let folder = tempdir().unwrap();
    for (name, id) in [("Web-issues (1).zip", 1), ("api-issues.ZIP", 2)] {
        write_archive(folder.path().join(name), "db-2.0.json", &document([id]));
    }
    fs::write(folder.path().join("._api-issues.zip"), "not a user's file").unwrap();
    fs::write(folder.path().join("notes.txt"), "no archive").unwrap();
    fs::create_dir(folder.path().join("folder.zip")).unwrap();
    let client = Client::new(Settings {
        paths: vec![folder.path().into(), folder.path().join("api-issues.ZIP")],
        workspace: Some("Acme".into()),
        ..Settings::default()
    });
    let slices = client.slices().await.unwrap();
    let shown: Vec<_> = slices.iter().map(|slice| slice.label.as_str()).collect();
    assert_eq!(shown, ["acme/api", "acme/web"]);
    assert_eq!(
        slices[0].parents,
        [
            Some("acme".to_owned()),
            Some("api".to_owned()),
            Some(slices[0].id.0.clone())
        ]
    );

    let scopes = client.source.scopes(&client.context).await.unwrap();
    let names: Vec<_> = scopes.iter().map(|scope| scope.name.as_str()).collect();
    assert_eq!(names, ["Information", "api", "web"]);
    let context = client.context();
    let find = |name, exact| client.source.find_scopes(name, exact, &context);
    assert_eq!(find("API", false).await.unwrap(), [scopes[1].clone()]);
    assert!(find("API", true).await.unwrap().is_empty());
    assert!(find("nothing", false).await.unwrap().is_empty());

    let mut request = client.request("Issues", &["Id", "Repository"]);
    request.scope = scopes[1].clone();
    assert_eq!(
        client.read(request.clone()).await.unwrap(),
        [json!({"Id": 2, "Repository": "api"})]
    );
    request.scope = Scope {
        kind: ScopeKind::Repository,
        name: "gone".to_owned(),
        uuid: Some("{0}".to_owned()),
    };
    assert_eq!(client.read(request).await.unwrap_err().code(), "BL9002");
}

#[tokio::test]
async fn a_condition_on_the_repository_reads_its_archive_alone() {
    let folder = tempdir().unwrap();
    write_archive(
        folder.path().join("api-issues.zip"),
        "db-2.0.json",
        &document([1]),
    );
    fs::write(
        folder.path().join("web-issues.zip"),
        "PK\x03\x04 and no more",
    )
    .unwrap();
    let client = Client::of([folder.path()]);
    let mut request = client.request("Issues", &["Id"]);
    request.predicates.push(Predicate {
        column: request.table.column("Repository").unwrap(),
        operator: Operator::Eq,
        values: vec![Literal::Text("api".to_owned())],
    });
    assert_eq!(client.read(request).await.unwrap(), [json!({"Id": 1})]);
    // The damaged one has no proof, and fails alone when it is read.
    let slices = client.slices().await.unwrap();
    assert!(slices[0].proof.is_some());
    assert_eq!(slices[1].proof, None);
}

#[tokio::test]
async fn a_newer_export_is_the_same_slice_with_another_proof() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("api-issues.zip");
    write_archive(&path, "db-2.0.json", &document([1, 2]));
    let client = Client::of([folder.path()]);
    let first = client.slices().await.unwrap();
    client.next_script();
    assert_eq!(client.slices().await.unwrap(), first);
    assert!(first[0].proof.is_some());

    write_archive(&path, "db-2.0.json", &document([2, 3]));
    client.next_script();
    let second = client.slices().await.unwrap();
    assert_eq!(second[0].id, first[0].id);
    assert_ne!(second[0].proof, first[0].proof);
    assert_eq!(client.ids().await.unwrap(), [2, 3]);

    // Every table may be left out while the proof stands.
    assert!(
        client
            .source
            .tables()
            .iter()
            .all(|table| table.unchanged_by_proof)
    );
    // From another folder it is still the same data.
    let other = tempdir().unwrap();
    write_archive(other.path().join("api.zip"), "db-2.0.json", &document([4]));
    let other = Client::of([other.path()]);
    assert_eq!(other.slices().await.unwrap()[0].id, first[0].id);
    assert_eq!(
        other.source.identity(&other.context).await.unwrap(),
        client.source.identity(&client.context).await.unwrap()
    );
}

#[tokio::test]
async fn two_archives_of_one_repository_are_refused() {
    let folder = tempdir().unwrap();
    for name in ["api-issues.zip", "api-issues (1).zip"] {
        write_archive(folder.path().join(name), "db-2.0.json", &document([1]));
    }
    let client = Client::of([folder.path()]);
    assert_eq!(client.ids().await.unwrap_err().code(), "BL9004");
}

#[tokio::test]
async fn the_connection_names_the_repository_of_a_single_archive() {
    let folder = tempdir().unwrap();
    write_archive(
        folder.path().join("export.zip"),
        "db-2.0.json",
        &document([1]),
    );
    let settings = Settings {
        paths: vec![folder.path().into()],
        repository: Some(" API ".into()),
        ..Settings::default()
    };
    let client = Client::new(settings.clone());
    assert_eq!(client.slices().await.unwrap()[0].label, "api");
    write_archive(
        folder.path().join("other.zip"),
        "db-2.0.json",
        &document([1]),
    );
    let error = Client::new(settings).ids().await.unwrap_err();
    assert_eq!(error.code(), "BL9001");
}

#[tokio::test]
async fn what_is_not_there_is_told_when_it_is_asked_for() {
    let no_path = Archives::new(Settings::default()).unwrap_err();
    assert_eq!(no_path.code(), "BL9001");
    let folder = tempdir().unwrap();
    let client = Client::of([folder.path().join("absent.zip")]);
    assert_eq!(client.ids().await.unwrap_err().code(), "BL9002");
    let client = Client::of([folder.path()]);
    assert_eq!(client.ids().await.unwrap_err().code(), "BL9002");
    let path = folder.path().join("-issues.zip");
    write_archive(&path, "db-2.0.json", &document([1]));
    assert_eq!(client.ids().await.unwrap_err().code(), "BL9001");
    // Removed between the listing and the reading.
    fs::rename(&path, folder.path().join("api.zip")).unwrap();
    client.slices().await.unwrap();
    fs::remove_file(folder.path().join("api.zip")).unwrap();
    assert_eq!(client.ids().await.unwrap_err().code(), "BL9003");
}

#[tokio::test]
async fn pages_are_as_long_as_asked_and_the_last_one_ends_the_slice() {
    let (_folder, client) = client_of("db-2.0.json", &document(1..=7));
    let mut request = client.request("Issues", &["Id"]);
    request.page_size = Some(3);
    let pages = client.pages(request.clone(), Reading::Listing).await;
    let pages: Vec<_> = pages.into_iter().map(Result::unwrap).collect();
    let lengths: Vec<_> = pages.iter().map(|page| page.rows.num_rows()).collect();
    assert_eq!(lengths, [3, 3, 1]);
    let ends: Vec<_> = pages.into_iter().map(|page| page.end).collect();
    assert_eq!(
        ends,
        [None, None, Some(End::Complete { unstable_pages: 0 })]
    );

    // Only the number of rows.
    request.columns.clear();
    let pages = client.pages(request.clone(), Reading::Scan).await;
    let count: usize = pages
        .iter()
        .map(|page| page.as_ref().unwrap().rows.num_rows())
        .sum();
    assert_eq!(count, 7);

    request.limit = Some(4);
    let pages = client.pages(request.clone(), Reading::Scan).await;
    let count: usize = pages
        .iter()
        .map(|page| page.as_ref().unwrap().rows.num_rows())
        .sum();
    assert_eq!(count, 4);
    assert!(pages.last().unwrap().as_ref().unwrap().end.is_some());
    request.limit = Some(0);
    assert_eq!(
        client.read(request.clone()).await.unwrap(),
        Vec::<Value>::new()
    );

    let changes = Reading::Changes(Checkpoint::default());
    let pages = client.pages(request, changes).await;
    assert_eq!(pages[0].as_ref().unwrap_err().code(), "BL9015");
}

#[tokio::test]
async fn a_reading_that_nobody_follows_stops() {
    let (_folder, client) = client_of("db-2.0.json", &document(1..=5_000));
    let mut request = client.request("Issues", &["Id"]);
    request.page_size = Some(10);
    let mut pages = client.stream(request, Reading::Listing).await;
    pages.next().await.unwrap().unwrap();
    drop(pages);
    while client.readers() > 0 {
        tokio::task::yield_now().await;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_issue_comes_once(
        ids in prop::collection::hash_set(any::<i64>(), 0..40),
        title in ".{0,20}",
        page_size in 1_usize..12,
        deflated in any::<bool>(),
        older in any::<bool>(),
    ) {
        let ids: Vec<_> = ids.into_iter().collect();
        let issues: Vec<_> = ids.iter().map(|id| json!({"id": id, "title": title})).collect();
        let document = json!({"meta": {}, "issues": issues, "comments": []}).to_string();
        let name = if older { "db-1.0.json" } else { "db-2.0.json" };
        let method = if deflated { CompressionMethod::Deflated } else { CompressionMethod::Stored };
        let folder = tempdir().unwrap();
        let path = folder.path().join("api-issues.zip");
        fs::write(&path, zipped(&[(name, document.as_bytes())], method)).unwrap();
        let client = Client::of([path]);
        let mut request = client.request("Issues", &["Id", "Title"]);
        request.page_size = Some(page_size);
        let rows = support::wait(client.read(request)).unwrap();
        let expected: Vec<_> = ids.iter().map(|id| json!({"Id": id, "Title": title})).collect();
        prop_assert_eq!(rows, expected);
    }
}
