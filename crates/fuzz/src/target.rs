//! The readers, and what they are given first.

use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bucketline_archive::{Archives, Limits, Settings};
use bucketline_destination::packed::{pack, unpack};
use bucketline_destination::remembered::decode_columns;
use bucketline_destination::{Error, code};
use bucketline_source::decode::Decoder;
use bucketline_source::{
    Observer, ReadContext, Reading, ScanRequest, Source, TableSpec, spec::load,
};
use bucketline_sql::{ConnectionString, Parameters, Statement};
use bucketline_sql::{is_unfinished, mask_source, parse_script, parse_script_with};
use futures::StreamExt;
use zip::write::{SimpleFileOptions, ZipWriter};

use crate::next_link;

/// A reader of foreign bytes.
pub struct Target {
    /// Its name on the command line.
    pub name: &'static str,
    /// Reads an input, whatever it is, and checks what must hold of the result.
    pub read: fn(&[u8]),
    /// Inputs that it is meant for.
    pub corpus: fn() -> Vec<Vec<u8>>,
}

impl Target {
    /// What earlier runs have found, then the corpus.
    pub fn inputs(&self) -> Vec<Vec<u8>> {
        let is_own = |path: &PathBuf| {
            let name = path.file_name().and_then(|name| name.to_str());
            name.is_some_and(|name| name.starts_with(self.name))
        };
        let entries = std::fs::read_dir(found()).into_iter().flatten().flatten();
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_own).collect();
        paths.sort();
        let found = paths.iter().filter_map(|path| std::fs::read(path).ok());
        found.chain((self.corpus)()).collect()
    }
}

/// Where the inputs are kept that a target once did not survive.
pub fn found() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("found")
}

/// All of them.
pub const TARGETS: &[Target] = &[
    Target {
        name: "script",
        read: script,
        corpus: statements,
    },
    Target {
        name: "connection-string",
        read: connection_string,
        corpus: || texts(CONNECTION_STRINGS),
    },
    Target {
        name: "masking",
        read: |input| drop(mask_source(&String::from_utf8_lossy(input))),
        corpus: || {
            let mut corpus = files(&["grammar/examples", "grammar/invalid"]);
            corpus.extend(texts(CONNECTION_STRINGS));
            corpus
        },
    },
    Target {
        name: "table-file",
        read: |input| {
            if let Ok(text) = std::str::from_utf8(input) {
                drop(load(&[("things.toml", text)]));
            }
        },
        corpus: || {
            files(&[
                "crates/bitbucket/specs",
                "crates/bucketline/examples/tables",
            ])
        },
    },
    Target {
        name: "page",
        read: page,
        corpus: || texts(PAGES),
    },
    Target {
        name: "next-link",
        read: next_link::read,
        corpus: || texts(next_link::CORPUS),
    },
    Target {
        name: "state",
        read: state,
        corpus: states,
    },
    Target {
        name: "configuration",
        read: |input| {
            if let Ok(text) = std::str::from_utf8(input) {
                drop(bucketline::Config::parse(
                    text,
                    "bucketline.toml",
                    Path::new(""),
                ));
            }
        },
        corpus: || texts(CONFIGURATIONS),
    },
    Target {
        name: "archive",
        read: archive,
        corpus: archives,
    },
];

/// Those of the grammar and of the tests, one by one.
fn statements() -> Vec<Vec<u8>> {
    let scripts = files(&["grammar/examples", "grammar/invalid", "tests/slt"]);
    let parts = scripts
        .iter()
        .flat_map(|script| script.split(|byte| *byte == b';'));
    parts
        .map(<[u8]>::to_vec)
        .filter(|part| part.len() < 2_000)
        .collect()
}

/// What is printed of a statement must be read as the same one.
fn script(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let _ = is_unfinished(&text);
    drop(parse_script_with(&text, &Parameters::new().named("a", "1")));
    for parsed in parse_script(&text) {
        let Ok(located) = parsed else { continue };
        assert!(text.get(located.span.range()).is_some());
        let printed = located.statement.to_string();
        let _ = located.statement.verb();
        if let Statement::Query(query) = &located.statement {
            drop(query.table_names());
            drop(query.respelled(&mut |word, _| Some(word.to_uppercase())));
        }
        let again = parse_script(&printed);
        assert!(
            matches!(again.as_slice(), [Ok(again)] if again.statement == located.statement),
            "{printed}"
        );
    }
}

fn connection_string(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let Ok(string) = ConnectionString::parse(&text) else {
        return;
    };
    drop(string.masked());
    let again = ConnectionString::parse(&string.to_string());
    assert!(again.is_ok_and(|again| again == string));
}

fn page(input: &[u8]) {
    for table in bucketline_bitbucket::tables() {
        if !["Issues", "PullRequests", "Pipelines"].contains(&table.name.as_str()) {
            continue;
        }
        let columns: Vec<usize> = (0..table.columns.len()).collect();
        let decoder = Decoder::new(table, &columns);
        let parents = vec![Some("p".to_owned()); table.parents().count()];
        if let Err(error) = decoder.decode(input, &parents) {
            assert!(error.to_string().len() < 10_000);
        }
    }
}

fn state(input: &[u8]) {
    if let Some(value) = unpack(input) {
        assert_eq!(unpack(&pack(&value)), Some(value));
    }
    if let Ok(text) = std::str::from_utf8(input) {
        let damaged = |why: &dyn std::fmt::Display| Error::new(code::DATABASE, why.to_string());
        drop(decode_columns(text, damaged));
    }
}

fn states() -> Vec<Vec<u8>> {
    let values = [
        serde_json::json!({"cursor": "2026-08-10T00:00:00Z", "page": 17, "seen": ["a", null, true, 1.5]}),
        serde_json::json!([[[["{6f1c2a52-9d3e-4b0a-8f6e-0a1b2c3d4e5f}"]]], -1, u64::MAX]),
    ];
    let mut states: Vec<Vec<u8>> = values.iter().map(pack).collect();
    states.extend(texts(&[
        r#"[["Id","int"],["Title","text"],["UpdatedOn","timestamp"]]"#,
    ]));
    states
}

struct Nobody;

impl Observer for Nobody {
    fn note(&self, _: &str) {}
    fn waiting(&self, _: &str, _: std::time::Duration) {}
}

/// Reads all issues of what may be an archive.
fn archive(input: &[u8]) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().build() else {
        return;
    };
    let Ok(mut file) = tempfile::Builder::new().suffix("-issues.zip").tempfile() else {
        return;
    };
    if file.write_all(input).is_err() {
        return;
    }
    let settings = Settings {
        paths: vec![file.path().to_owned()],
        limits: Limits {
            files: 1_000,
            document_bytes: 1 << 20,
            ratio: 250,
            entry_bytes: 1 << 18,
        },
        ..Settings::default()
    };
    runtime.block_on(async {
        let Ok(archives) = Archives::new(settings) else {
            return;
        };
        let archives: Arc<dyn Source> = Arc::new(archives);
        let Ok(Some(table)) = archives.find_table("Issues").await else {
            return;
        };
        drop(rows(&archives, table).await);
    });
}

/// Reads all rows of a table, and drops them.
pub(crate) async fn rows(
    source: &Arc<dyn Source>,
    table: Arc<TableSpec>,
) -> bucketline_source::Result<()> {
    let context = ReadContext::new(Arc::new(Nobody));
    let request = ScanRequest {
        columns: (0..table.columns.len()).collect(),
        table,
        scope: source.default_scope(),
        predicates: Vec::new(),
        order: None,
        limit: None,
        page_size: None,
    };
    let plan = Arc::new(source.plan(request)?);
    for slice in source.slices(&plan, &context).await? {
        let mut pages = source.read(Arc::clone(&plan), &slice, Reading::Scan, &context);
        while let Some(page) = pages.next().await {
            page?;
        }
    }
    Ok(())
}

fn archives() -> Vec<Vec<u8>> {
    let document = r#"{"issues": [{"id": 7, "title": "It breaks", "status": "new", "created_on":
        "2020-01-02T03:04:05.678901+00:00", "updated_on": "2020-02-02T03:04:05+00:00", "reporter":
        {"display_name": "User 1", "account_id": "1:a"}, "voters": [], "watchers": []}], "comments": [], "logs": [],
        "attachments": [], "components": [{"name": "core"}], "meta": {"default_kind": "bug"}, "milestones": [],
        "versions": []}"#;
    ["db-2.0.json", "db-1.0.json"]
        .iter()
        .filter_map(|name| {
            let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
            archive
                .start_file(*name, SimpleFileOptions::default())
                .ok()?;
            archive.write_all(document.as_bytes()).ok()?;
            Some(archive.finish().ok()?.into_inner())
        })
        .collect()
}

fn texts(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

/// The files in folders of the workspace.
fn files(folders: &[&str]) -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut corpus = Vec::new();
    for folder in folders {
        let entries = std::fs::read_dir(root.join(folder)).into_iter().flatten();
        let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        corpus.extend(paths.iter().filter_map(|path| std::fs::read(path).ok()));
    }
    corpus
}

const CONNECTION_STRINGS: &[&str] = &[
    "Workspace=acme;User=user17@acme.example;Token=env:TOKEN",
    "jdbc:bitbucket:AuthScheme=OAuth;OAuthClientId=a;OAuthClientSecret='b;''c';InitiateOAuth=GETANDREFRESH;",
    " Data Source = \"C:\\x;y\" ;; Timeout=30",
    "postgres://me:p@ss/w@db.example:5432/copies?sslmode=verify-full",
    "host=db.example user=me password=secret dbname=copies",
];

const PAGES: &[&str] = &[
    r#"{"pagelen": 2, "page": 1, "size": 3, "next": "https://api.bitbucket.org/2.0/x?page=2", "values": [
        {"id": 7, "title": "It breaks", "type": "issue", "state": "new", "kind": "bug", "priority": "major", "votes": 2,
         "content": {"raw": "one", "html": "<p>one</p>"}, "reporter": {"uuid": "{a}", "display_name": "User 1"},
         "created_on": "2020-01-02T03:04:05.678901+00:00", "updated_on": "2020-02-02T03:04:05+00:00"}]}"#,
    r#"{"values": [{"id": 1, "type": "pullrequest", "title": "One", "state": "OPEN", "source": {"branch": {"name": "b"},
         "commit": {"hash": "abc"}}, "destination": {"branch": {"name": "main"}}, "created_on": "2026-01-01T00:00:00Z",
         "updated_on": "2026-01-01T00:00:00Z", "author": null, "reviewers": []}], "size": 1}"#,
    r#"{"type": "error", "error": {"message": "Not found", "detail": {"required": ["a"], "granted": []}}}"#,
];

const CONFIGURATIONS: &[&str] = &[
    "[destination]\npath = \"copy.db\"\n\n[connections.prod]\nWorkspace = \"acme\"\nUser = \"user17@acme.example\"\nToken = \"env:TOKEN\"\n",
    "[destination]\nurl = \"postgres://me@db.example/copies\"\npassword = \"file:secret\"\n[options]\nBatchSize = 1000\n",
    "[connections.shop]\nType = \"SQLite\"\nDataSource = \"shop.db\"\nCursor = \"orders.changed\"\n",
];
