//! Memory does not grow with an archive. Alone in its process, whose peak it measures.
#![allow(clippy::unwrap_used)]

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bucketline_archive::{Archives, Settings};
use bucketline_source::{Observer, ReadContext, Reading, ScanRequest, Source, TableSpec};
use futures::StreamExt;
use nix::sys::resource::{UsageWho, getrusage};
use tempfile::tempdir;
use zip::write::SimpleFileOptions;

const ISSUES: i64 = 60_000;
/// Of a document of 36 MB.
const ALLOWED: i64 = 20 << 20;

struct Silent;

impl Observer for Silent {
    fn note(&self, _: &str) {}
    fn waiting(&self, _: &str, _: Duration) {}
}

/// The most memory that this process has had.
fn peak() -> i64 {
    getrusage(UsageWho::RUSAGE_SELF).unwrap().max_rss() * 1024
}

fn write_archive(path: &Path) {
    let mut archive = zip::ZipWriter::new(BufWriter::new(File::create(path).unwrap()));
    let options = SimpleFileOptions::default().compression_level(Some(1));
    archive.start_file("db-2.0.json", options).unwrap();
    archive.write_all(b"{\"issues\":[").unwrap();
    let content = "All work and no play. ".repeat(24);
    for id in 1..=ISSUES {
        let separator = if id == 1 { "" } else { "," };
        let issue = format!(
            r#"{separator}{{"id":{id},"title":"Issue {id}","content":"{content}{id}","status":"new"}}"#
        );
        archive.write_all(issue.as_bytes()).unwrap();
    }
    archive.write_all(b"]}").unwrap();
    archive.finish().unwrap();
}

/// How many rows a table has.
async fn count(source: &Archives, table: &Arc<TableSpec>) -> i64 {
    let context = ReadContext::new(Arc::new(Silent));
    let request = ScanRequest {
        table: table.clone(),
        scope: source.default_scope(),
        columns: (0..table.columns.len()).collect(),
        predicates: Vec::new(),
        order: None,
        limit: None,
        page_size: None,
    };
    let plan = Arc::new(source.plan(request).unwrap());
    let slices = source.slices(&plan, &context).await.unwrap();
    let mut pages = source.read(plan, &slices[0], Reading::Listing, &context);
    let mut rows = 0;
    while let Some(page) = pages.next().await {
        rows += page.unwrap().rows.num_rows() as i64;
    }
    rows
}

#[tokio::test]
async fn a_large_archive_is_streamed() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("api-issues.zip");
    write_archive(&path);
    let source = Archives::new(Settings {
        paths: vec![path],
        ..Settings::default()
    })
    .unwrap();
    let before = peak();
    let tables = source.tables();
    let mut tables = tables.iter();
    assert_eq!(count(&source, tables.next().unwrap()).await, ISSUES);
    assert_eq!(count(&source, tables.next().unwrap()).await, 0);
    let grown = peak() - before;
    assert!(grown < ALLOWED, "{grown} bytes more");
}
