//! Archives that are damaged, or made to do harm: a coded error, and never another row.

use std::fs;

use bucketline_archive::{Limits, Settings};
use bucketline_source::Reading;
use proptest::prelude::*;
use serde_json::json;
use tempfile::tempdir;
use zip::CompressionMethod::{Deflated, Stored};

use crate::support::{Client, VERSION_2, document, wait, zipped};

/// A client of an archive of these bytes.
fn client_of(bytes: &[u8], limits: Limits) -> (tempfile::TempDir, Client) {
    let folder = tempdir().unwrap();
    let path = folder.path().join("api-issues.zip");
    fs::write(&path, bytes).unwrap();
    let client = Client::new(Settings {
        paths: vec![path],
        limits,
        ..Settings::default()
    });
    (folder, client)
}

fn archive_of(document: &str) -> Vec<u8> {
    zipped(&[("db-2.0.json", document.as_bytes())], Deflated)
}

/// Where the bytes begin, from the end.
fn last(bytes: &[u8], wanted: &[u8]) -> usize {
    let mut windows = bytes.windows(wanted.len());
    windows.rposition(|window| window == wanted).unwrap()
}

/// The archive with other bytes at a place of the directory's last header or the end record.
fn patched(mut bytes: Vec<u8>, record: &[u8], at: usize, patch: &[u8]) -> Vec<u8> {
    let start = last(&bytes, record) + at;
    bytes[start..start + patch.len()].copy_from_slice(patch);
    bytes
}

const HEADER: &[u8] = b"PK\x01\x02";
const END: &[u8] = b"PK\x05\x06";

#[test]
fn each_damage_has_its_code() {
    let sound = || archive_of(VERSION_2);
    let stored = || zipped(&[("db-2.0.json", VERSION_2.as_bytes())], Stored);
    let twice = || {
        let files = [
            ("db-2.0.json", VERSION_2.as_bytes()),
            ("db-2.0.jsox", b"{}".as_slice()),
        ];
        patched(zipped(&files, Stored), b"db-2.0.jsox", 10, b"n")
    };
    let flipped = || {
        let mut bytes = stored();
        let at = last(&bytes, b"It breaks");
        bytes[at] = b'X';
        bytes
    };
    let cases: [(&str, Vec<u8>, &str); 22] = [
        ("an empty file", Vec::new(), "BL9005"),
        ("a text", b"<html>not found</html>".to_vec(), "BL9005"),
        (
            "a download that broke off",
            sound()[..200].to_vec(),
            "BL9006",
        ),
        (
            "a directory that is cut",
            patched(sound(), END, 12, &[9]),
            "BL9006",
        ),
        (
            "a directory elsewhere",
            patched(sound(), END, 16, &[7]),
            "BL9006",
        ),
        (
            "a directory beyond the end",
            patched(sound(), END, 16, &[9, 9, 9, 9]),
            "BL9006",
        ),
        (
            "more files than there are",
            patched(sound(), END, 10, &[9]),
            "BL9006",
        ),
        (
            "a part of several",
            patched(sound(), END, 4, &[1]),
            "BL9006",
        ),
        (
            "a document elsewhere",
            patched(sound(), HEADER, 42, &[7]),
            "BL9006",
        ),
        (
            "another checksum",
            patched(sound(), HEADER, 16, &[0, 0, 0, 0]),
            "BL9006",
        ),
        (
            "a longer document than told",
            patched(sound(), HEADER, 24, &[9, 0, 0, 0]),
            "BL9006",
        ),
        (
            "a shorter document than told",
            patched(sound(), HEADER, 25, &[99]),
            "BL9006",
        ),
        (
            "a wide size without a value",
            patched(sound(), HEADER, 24, &[255; 4]),
            "BL9006",
        ),
        ("a changed letter", flipped(), "BL9006"),
        (
            "no document",
            zipped(&[("readme.txt", b"hello")], Stored),
            "BL9007",
        ),
        ("no files", zipped(&[], Stored), "BL9007"),
        ("two documents", twice(), "BL9008"),
        (
            "an encrypted document",
            patched(sound(), HEADER, 8, &[1]),
            "BL9009",
        ),
        (
            "another method",
            patched(sound(), HEADER, 10, &[12]),
            "BL9010",
        ),
        (
            "broken JSON",
            archive_of(&VERSION_2[..VERSION_2.len() - 2]),
            "BL9012",
        ),
        ("another layout", archive_of(r#"{"issues":[1]}"#), "BL9013"),
        ("an issue twice", archive_of(&document([1, 2, 1])), "BL9014"),
    ];
    for (what, bytes, code) in cases {
        let (_folder, client) = client_of(&bytes, Limits::default());
        let error = wait(client.ids()).expect_err(what);
        assert_eq!(error.code(), code, "{what}: {error}");
        assert!(error.to_string().contains("api-issues.zip: "), "{error}");
    }
}

#[tokio::test]
async fn json_that_breaks_half_way_ends_in_an_error_after_its_rows() {
    let whole = document(1..=9);
    let broken = archive_of(&whole[..whole.len() - 20]);
    let (_folder, client) = client_of(&broken, Limits::default());
    let mut request = client.request("Issues", &["Id"]);
    request.page_size = Some(2);
    let pages = client.pages(request, Reading::Listing).await;
    let (last, before) = pages.split_last().unwrap();
    assert_eq!(last.as_ref().unwrap_err().code(), "BL9012");
    assert_eq!(before.len(), 3);
    assert!(
        before
            .iter()
            .all(|page| page.as_ref().unwrap().end.is_none())
    );
}

#[tokio::test]
async fn no_row_of_a_damaged_document_is_given() {
    let mut bytes = zipped(&[("db-2.0.json", document(1..=9).as_bytes())], Stored);
    let at = last(&bytes, b"\"id\":9");
    bytes[at + 5] = b'0';
    let (_folder, client) = client_of(&bytes, Limits::default());
    let mut request = client.request("Issues", &["Id"]);
    request.page_size = Some(1);
    let pages = client.pages(request, Reading::Listing).await;
    assert_eq!(pages.len(), 1);
    assert_eq!(pages[0].as_ref().unwrap_err().code(), "BL9006");
}

#[tokio::test]
async fn a_bomb_is_refused_before_it_is_unpacked() {
    let blank = " ".repeat(8 << 20);
    let bomb = archive_of(&format!("{{{blank}}}"));
    assert!(bomb.len() < 16 << 10);
    let refused = |bytes: Vec<u8>, limits: Limits| async move {
        let (_folder, client) = client_of(&bytes, limits);
        client.ids().await.unwrap_err()
    };
    let error = refused(bomb.clone(), Limits::default()).await;
    assert_eq!(error.code(), "BL9011");
    assert!(
        error
            .to_string()
            .contains("at most 250 times as many are allowed"),
        "{error}"
    );
    let small = Limits {
        document_bytes: 4 << 20,
        ..Limits::default()
    };
    assert_eq!(refused(bomb.clone(), small).await.code(), "BL9011");

    // One that denies its size ends where the directory says that it does.
    let lying = patched(bomb, HEADER, 24, &(1_u32 << 20).to_le_bytes());
    let error = refused(lying, Limits::default()).await;
    assert_eq!(error.code(), "BL9006");
    assert!(
        error
            .to_string()
            .contains("is longer than the directory says"),
        "{error}"
    );

    let entry = format!(
        r#"{{"issues":[{{"id":1,"title":"{}"}}]}}"#,
        "ab".repeat(1 << 18)
    );
    let short = Limits {
        entry_bytes: 64 << 10,
        ..Limits::default()
    };
    assert_eq!(refused(archive_of(&entry), short).await.code(), "BL9011");
}

#[tokio::test]
async fn files_beside_the_document_may_be_many_within_the_limit() {
    let names: Vec<_> = (0..300)
        .map(|number| format!("attachments/{number}"))
        .collect();
    let one = document([1]);
    let mut files: Vec<_> = names
        .iter()
        .map(|name| (name.as_str(), b"".as_slice()))
        .collect();
    files.push(("db-2.0.json", one.as_bytes()));
    let bytes = zipped(&files, Stored);
    let (_folder, client) = client_of(&bytes, Limits::default());
    assert_eq!(client.ids().await.unwrap(), [1]);
    let few = Limits {
        files: 300,
        ..Limits::default()
    };
    let (_folder, client) = client_of(&bytes, few);
    assert_eq!(client.ids().await.unwrap_err().code(), "BL9011");
}

#[tokio::test]
async fn an_archive_of_64_bits_is_read() {
    use std::io::{Cursor, Write};
    use zip::write::SimpleFileOptions;

    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().large_file(true);
    for number in 0..u32::from(u16::MAX) + 1 {
        archive
            .start_file(number.to_string(), options.compression_method(Stored))
            .unwrap();
    }
    archive.start_file("db-2.0.json", options).unwrap();
    archive.write_all(document([1]).as_bytes()).unwrap();
    archive.set_comment("made by a test").unwrap();
    let bytes = archive.finish().unwrap().into_inner();
    let (_folder, client) = client_of(&bytes, Limits::default());
    assert_eq!(client.ids().await.unwrap(), [1]);
    // A count that nothing stands behind.
    let absurd = patched(bytes, b"PK\x06\x06", 32, &u64::MAX.to_le_bytes());
    let (_folder, client) = client_of(&absurd, Limits::default());
    assert_eq!(client.ids().await.unwrap_err().code(), "BL9011");
}

#[tokio::test]
async fn names_that_climb_out_are_only_data() {
    let hostile = "../../../../tmp/climbed";
    let document = json!({"attachments": [
        {"issue": 1, "path": hostile, "filename": "/etc/passwd\u{1b}[2J"},
    ]});
    let bytes = zipped(
        &[
            ("db-2.0.json", document.to_string().as_bytes()),
            (hostile, b"content"),
            ("/absolute", b"content"),
        ],
        Deflated,
    );
    let (folder, client) = client_of(&bytes, Limits::default());
    assert_eq!(
        client.rows("IssueAttachments").await.unwrap(),
        [json!({"Id": 1, "IssueId": 1, "Path": hostile, "Name": "/etc/passwd\u{1b}[2J"})]
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(384))]

    /// What is damaged is refused or reads as before; it never hangs, and no panic ends it.
    #[test]
    fn damage_never_changes_a_row(
        deflated in any::<bool>(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), 1_u8..), 0..4),
        kept in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let files = [
            ("attachments/1", b"picture".as_slice()),
            ("db-2.0.json", VERSION_2.as_bytes()),
        ];
        let mut bytes = zipped(&files, if deflated { Deflated } else { Stored });
        let (_sound, client) = client_of(&bytes, Limits::default());
        let expected = wait(client.rows("Issues")).unwrap();
        for (at, flip) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
        }
        if let Some(kept) = kept {
            bytes.truncate(kept.index(bytes.len()));
        }
        let (_folder, client) = client_of(&bytes, Limits::default());
        match wait(client.rows("Issues")) {
            Ok(rows) => prop_assert_eq!(rows, expected),
            Err(error) => prop_assert!(error.code().as_str().starts_with("BL9"), "{}", error),
        }
    }
}
