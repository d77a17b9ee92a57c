//! Pipes, devices, folders and files of any size where a file is expected.
#![cfg(unix)]

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::commands::{Run, start};
use crate::world::{World, small};

fn pipe(folder: &Path) -> PathBuf {
    let path = folder.join("pipe");
    let made = Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(made.success());
    path
}

/// A file of 8 GiB, of which nothing is on the disk.
fn huge(folder: &Path) -> PathBuf {
    let path = folder.join("huge");
    File::create(&path).unwrap().set_len(8 << 30).unwrap();
    path
}

/// What a run with these arguments says, `FILE` being each special file in turn.
fn for_each(world: &World, arguments: &[&str], configuration: &str, code: &str, kinds: &[&str]) {
    let folder = world.folder();
    let all = [
        ("pipe", folder.join("pipe")),
        ("device", PathBuf::from("/dev/zero")),
        ("folder", folder.join("folder")),
        ("larger", folder.join("huge")),
    ];
    for (kind, path) in all.iter().filter(|(kind, _)| kinds.contains(kind)) {
        let path = path.to_str().unwrap();
        let arguments: Vec<_> = arguments
            .iter()
            .map(|argument| argument.replace("FILE", path))
            .collect();
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let said = Run::new(world, &arguments)
            .configured(&configuration.replace("FILE", path))
            .output();
        assert!(
            said.contains(code) && said.contains(kind),
            "{arguments:?} with a {kind}: {said}"
        );
        assert!(!said.contains("exit code 0"), "{arguments:?}: {said}");
    }
}

#[test]
fn only_a_regular_file_of_some_size_is_read() {
    let world = start(small());
    let folder = world.folder();
    pipe(folder);
    huge(folder);
    fs::create_dir(folder.join("folder")).unwrap();
    let select = ["-e", "SELECT Key FROM other.Projects"];
    let secret = "[connections.other]\nBaseURL = \"http://127.0.0.1:9/2.0\"\nWorkspace = \"w\"\n\
                  User = \"u\"\nToken = \"file:FILE\"\n";
    let all = ["pipe", "device", "folder", "larger"];
    for_each(&world, &select, secret, "BL8003", &all);
    let one = ["--config", "FILE", "-e", "SELECT 1"];
    for_each(&world, &one, "", "BL8001", &all);
    let tables = "[connections.other]\nWorkspace = \"w\"\nUser = \"u\"\nToken = \"env:TEST_TOKEN\"\n\
                  TableFiles = \"FILE\"\n";
    for_each(
        &world,
        &select,
        tables,
        "BL8002",
        &["pipe", "device", "larger"],
    );
    // A script may come through a pipe, but has an end.
    for_each(
        &world,
        &["run", "FILE"],
        "",
        "BL8101",
        &["folder", "larger"],
    );
    let endless = Run::new(&world, &["run", "/dev/zero"]).output();
    assert!(endless.contains("larger than 64 MiB"), "{endless}");
    let archive = "[connections.other]\nType = \"Archive\"\nPath = \"FILE\"\nWorkspace = \"w\"\n";
    let issues = ["-e", "SELECT * FROM other.Issues"];
    for_each(&world, &issues, archive, "BL9003", &["pipe", "device"]);
    let database = "[connections.other]\nType = \"SQLite\"\n\"Data Source\" = \"FILE\"\n";
    for_each(
        &world,
        &["-e", "SHOW TABLES FROM other"],
        database,
        "BL6102",
        &["pipe", "device"],
    );
    for destination in ["pipe", "/dev/zero", "/dev/null"] {
        let arguments = ["--destination", destination, "-e", "REPLICATE Projects"];
        let said = Run::new(&world, &arguments).output();
        assert!(
            said.contains("not a regular file") && said.contains("exit code 1"),
            "{said}"
        );
    }
}

#[test]
fn a_script_may_come_through_a_pipe() {
    let world = start(small());
    let run = Run::new(&world, &["run", "/dev/stdin"]);
    let mut child = run
        .command()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut input, b"SELECT 17 AS Number;").unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    assert!(out.contains("17") && output.status.success(), "{out}");
}

#[test]
fn a_view_without_end_does_not_keep_the_others_from_being_listed() {
    let world = start(small());
    let shop = rusqlite::Connection::open(world.folder().join("shop.db")).unwrap();
    shop.execute_batch(
        "CREATE TABLE t (Id INTEGER PRIMARY KEY, Text TEXT);
         INSERT INTO t VALUES (1, 'a');
         CREATE VIEW endless AS WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n)
             SELECT x FROM n WHERE x < 0;",
    )
    .unwrap();
    let shop = "[connections.shop]\nType = \"SQLite\"\n\"Data Source\" = \"shop.db\"\n";
    let arguments = ["-e", "SHOW TABLES FROM shop; SELECT Text FROM shop.t"];
    let said = Run::new(&world, &arguments).configured(shop).output();
    assert!(
        said.contains("endless") && said.contains("exit code 0"),
        "{said}"
    );
}

fn select_into(world: &World, path: &Path) -> String {
    let sql = format!("SELECT 17 AS Number INTO [csv://{}]", path.display());
    Run::new(world, &["-e", &sql]).output()
}

#[test]
fn rows_in_a_file_leave_its_links_its_mode_and_what_is_no_file() {
    let world = start(small());
    let folder = world.folder();
    let file = folder.join("rows.csv");
    fs::write(&file, "before").unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    let link = folder.join("link.csv");
    std::os::unix::fs::symlink("rows.csv", &link).unwrap();
    let said = select_into(&world, &link);
    assert!(said.contains("exit code 0"), "{said}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "Number\r\n17\r\n");
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());

    let null = folder.join("null");
    std::os::unix::fs::symlink("/dev/null", &null).unwrap();
    assert!(select_into(&world, &null).contains("exit code 0"));
    let device = fs::metadata("/dev/null").unwrap().file_type();
    assert!(device.is_char_device());
    let full = select_into(&world, Path::new("/dev/full"));
    assert!(
        full.contains("BL8014") && full.contains("exit code 1"),
        "{full}"
    );

    let pipe = pipe(folder);
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || fs::read_to_string(pipe).unwrap()
    });
    let said = select_into(&world, &pipe);
    assert!(said.contains("exit code 0"), "{said}");
    assert_eq!(reader.join().unwrap(), "Number\r\n17\r\n");
    // The standard output is a pipe here.
    let said = select_into(&world, Path::new("/dev/stdout"));
    assert!(said.starts_with("--- stdout\nNumber\r\n17\r\n"), "{said}");
}
