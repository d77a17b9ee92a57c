//! Making archives, and reading them through the source.

use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow::json::LineDelimitedWriter;
use bucketline_archive::{Archives, Settings};
use bucketline_source::{
    Observer, Page, PageStream, ReadContext, Reading, Result, Scan, ScanPlan, ScanRequest, Slice,
    Source,
};
use futures::StreamExt;
use serde_json::{Value, json};
use zip::CompressionMethod;
use zip::write::SimpleFileOptions;

pub(crate) const VERSION_2: &str = r#"{
  "meta": {"default_kind": "bug", "default_assignee": null},
  "milestones": [{"name": "m1"}],
  "versions": [{"name": "v1"}],
  "components": [{"name": "core"}, {"name": "ui"}],
  "issues": [
    {"id": 7, "title": "It breaks", "content": "one\r\ntwo", "status": "on hold", "kind": "bug", "priority": "major",
     "reporter": {"display_name": "User 1", "account_id": "1:a"}, "assignee": null,
     "component": "core", "milestone": "m1", "version": "v1", "votes": 2, "voters": [{"account_id":"1:a"}],
     "watchers": [], "created_on": "2020-01-02T03:04:05.678901+00:00", "updated_on": "2020-02-02T03:04:05+00:00",
     "content_updated_on": "2020-01-03T00:00:00+00:00", "edited_on": null},
    {"id": 8, "title": "Alone"}
  ],
  "comments": [
    {"id": 70, "issue": 7, "user": {"display_name": "User 1", "account_id": "1:a"}, "content": "yes",
     "created_on": "2020-01-04T00:00:00+00:00", "updated_on": null},
    {"id": 71, "issue": 7, "content": null, "user": null}
  ],
  "logs": [
    {"issue": 7, "comment": 71, "field": "status", "changed_from": "new", "changed_to": "on hold",
     "user": {"display_name": "User 1", "account_id": "1:a"}, "created_on": "2020-01-05T00:00:00+00:00"},
    {"issue": 7, "comment": null, "field": "kind"}
  ],
  "attachments": [
    {"issue": 7, "path": "attachments/9f", "filename": "a.png", "user": {"display_name": "User 1", "account_id": "1:a"}}
  ]
}"#;

pub(crate) const VERSION_1: &str = r#"{
  "issues": [{"id": 1, "title": "Old", "status": "new", "reporter": "user1", "assignee": "user2",
    "created_on": "2012-01-02 03:04:05+00:00"}],
  "comments": [{"id": 5, "issue": 1, "user": "user2"}],
  "logs": [{"issue": 1, "field": "assignee", "changed_from": null, "changed_to": "user2", "user": "user1"}]
}"#;

/// A document of issues with these ids.
pub(crate) fn document(ids: impl IntoIterator<Item = i64>) -> String {
    let issues: Vec<_> = ids.into_iter().map(|id| json!({"id": id})).collect();
    json!({"issues": issues}).to_string()
}

pub(crate) fn zipped(files: &[(&str, &[u8])], method: CompressionMethod) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(method);
    for (name, content) in files {
        archive.start_file(*name, options).unwrap();
        archive.write_all(content).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

pub(crate) fn write_archive(path: impl AsRef<Path>, name: &str, document: &str) {
    let files = [
        (name, document.as_bytes()),
        ("attachments/9f", b"picture".as_slice()),
    ];
    std::fs::write(path, zipped(&files, CompressionMethod::Deflated)).unwrap();
}

/// Runs a future where there is no runtime.
pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(future)
}

#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl Observer for Notes {
    fn note(&self, text: &str) {
        self.0.lock().unwrap().push(text.to_owned());
    }
    fn waiting(&self, _: &str, _: Duration) {}
}

/// A connection, and what it said.
pub(crate) struct Client {
    pub(crate) source: Archives,
    pub(crate) context: ReadContext,
    script: Mutex<Scan>,
    notes: Arc<Notes>,
}

impl Client {
    /// What the script under way hands to the source.
    pub(crate) fn context(&self) -> ReadContext {
        self.context.clone().within(&self.script.lock().unwrap())
    }

    pub(crate) fn next_script(&self) {
        *self.script.lock().unwrap() = Scan::default();
    }

    pub(crate) fn new(settings: Settings) -> Self {
        let notes = Arc::new(Notes::default());
        Self {
            source: Archives::new(settings).unwrap(),
            context: ReadContext::new(notes.clone()),
            script: Mutex::default(),
            notes,
        }
    }

    pub(crate) fn of<P: Into<PathBuf>>(paths: impl IntoIterator<Item = P>) -> Self {
        Self::new(Settings {
            paths: paths.into_iter().map(Into::into).collect(),
            ..Settings::default()
        })
    }

    pub(crate) fn notes(&self) -> Vec<String> {
        self.notes.0.lock().unwrap().clone()
    }

    /// How many readers still hold the observer.
    pub(crate) fn readers(&self) -> usize {
        Arc::strong_count(&self.notes) - 2
    }

    /// A request for these columns, or for all that come from the rows.
    pub(crate) fn request(&self, table: &str, columns: &[&str]) -> ScanRequest {
        let tables = self.source.tables();
        let mut tables = tables.iter();
        let table = tables.find(|known| known.name == table).unwrap().clone();
        let parents = table.parents().count();
        ScanRequest {
            columns: match columns {
                [] => (parents..table.columns.len()).collect(),
                names => names
                    .iter()
                    .map(|name| table.column(name).unwrap())
                    .collect(),
            },
            scope: self.source.default_scope(),
            predicates: Vec::new(),
            order: None,
            limit: None,
            page_size: None,
            table,
        }
    }

    /// All slices, as a table of issues has them.
    pub(crate) async fn slices(&self) -> Result<Vec<Slice>> {
        let plan = self.source.plan(self.request("Issues", &[]))?;
        self.source.slices(&plan, &self.context()).await
    }

    /// The pages of the request's only slice.
    pub(crate) async fn stream(&self, request: ScanRequest, reading: Reading) -> PageStream {
        let plan: Arc<ScanPlan> = Arc::new(self.source.plan(request).unwrap());
        let slices = self.source.slices(&plan, &self.context()).await.unwrap();
        self.source.read(plan, &slices[0], reading, &self.context())
    }

    pub(crate) async fn pages(&self, request: ScanRequest, reading: Reading) -> Vec<Result<Page>> {
        self.stream(request, reading).await.collect().await
    }

    /// The rows of all slices, without their NULLs.
    pub(crate) async fn read(&self, request: ScanRequest) -> Result<Vec<Value>> {
        let plan = Arc::new(self.source.plan(request)?);
        let mut writer = LineDelimitedWriter::new(Vec::new());
        for slice in self.source.slices(&plan, &self.context()).await? {
            let mut pages = self
                .source
                .read(plan.clone(), &slice, Reading::Scan, &self.context());
            let mut ended = false;
            while let Some(page) = pages.next().await {
                let page = page?;
                assert!(!ended, "a page after the last");
                ended = page.end.is_some();
                writer.write(&page.rows).unwrap();
            }
            assert!(ended, "no end and no error");
        }
        writer.finish().unwrap();
        let text = String::from_utf8(writer.into_inner()).unwrap();
        Ok(text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect())
    }

    pub(crate) async fn rows(&self, table: &str) -> Result<Vec<Value>> {
        self.read(self.request(table, &[])).await
    }

    /// The issues' ids.
    pub(crate) async fn ids(&self) -> Result<Vec<i64>> {
        let rows = self.read(self.request("Issues", &["Id"])).await?;
        Ok(rows.iter().map(|row| row["Id"].as_i64().unwrap()).collect())
    }
}
