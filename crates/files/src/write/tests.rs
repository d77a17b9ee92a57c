use std::fs::{self, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use tempfile::TempDir;

use super::{NewFile, create};

async fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut file = NewFile::create(path).await?;
    file.write(text.as_bytes()).await?;
    file.finish()
}

fn names(folder: &TempDir) -> Vec<String> {
    let entries = fs::read_dir(folder.path()).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_file_is_there_when_it_is_whole() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a");
    fs::write(&path, "before").unwrap();
    let mut file = NewFile::create(&path).await.unwrap();
    file.write(b"half").await.unwrap();
    drop(file);
    assert_eq!(fs::read_to_string(&path).unwrap(), "before");
    assert_eq!(names(&folder), ["a"]);
    write(&path, "after").await.unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "after");
    assert_eq!(names(&folder), ["a"]);
}

#[tokio::test]
async fn what_a_killed_process_left_unfinished_is_removed() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join(".bucketline-abcdef.unfinished"), "half").unwrap();
    fs::write(folder.path().join(".bucketline-theirs"), "whole").unwrap();
    // Somebody is at this one.
    let path = folder.path().join("a");
    let mut first = NewFile::create(&path).await.unwrap();
    first.write(b"first").await.unwrap();
    assert_eq!(names(&folder).len(), 2, "{:?}", names(&folder));
    write(&folder.path().join("b"), "second").await.unwrap();
    first.finish().unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "first");
    assert_eq!(names(&folder), [".bucketline-theirs", "a", "b"]);
}

#[tokio::test]
async fn mode_links_and_other_names_stay() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("secret");
    fs::write(&path, "a longer text before").unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    let link = folder.path().join("link");
    symlink("secret", &link).unwrap();
    let chain = folder.path().join("chain");
    symlink(&link, &chain).unwrap();
    write(&chain, "after").await.unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "after");
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(fs::symlink_metadata(&chain).unwrap().is_symlink());

    let other = folder.path().join("other name");
    fs::hard_link(&path, &other).unwrap();
    write(&path, "new").await.unwrap();
    assert_eq!(fs::read_to_string(&other).unwrap(), "new");
}

#[tokio::test]
async fn a_link_to_a_file_that_is_not_there_makes_that_file() {
    let folder = TempDir::new().unwrap();
    let link = folder.path().join("link");
    symlink("target", &link).unwrap();
    write(&link, "text").await.unwrap();
    assert_eq!(
        fs::read_to_string(folder.path().join("target")).unwrap(),
        "text"
    );
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());

    let circle = folder.path().join("circle");
    symlink("circle", &circle).unwrap();
    assert!(write(&circle, "text").await.is_err());
    assert!(fs::symlink_metadata(&circle).unwrap().is_symlink());
}

#[tokio::test]
async fn devices_and_pipes_are_written_through() {
    let null = fs::metadata("/dev/null").unwrap().ino();
    write(Path::new("/dev/null"), "text").await.unwrap();
    let after = fs::metadata("/dev/null").unwrap();
    assert!(after.file_type().is_char_device() && after.ino() == null);
    assert!(write(Path::new("/dev/full"), "text").await.is_err());

    let folder = TempDir::new().unwrap();
    let pipe = folder.path().join("pipe");
    mkfifo(&pipe, Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || fs::read_to_string(pipe).unwrap()
    });
    // More than a pipe holds.
    let text = "x".repeat(1 << 20);
    write(&pipe, &text).await.unwrap();
    assert_eq!(reader.join().unwrap(), text);
    assert!(fs::metadata(&pipe).unwrap().file_type().is_fifo());
}

#[tokio::test(start_paused = true)]
async fn a_pipe_that_nobody_reads_is_refused() {
    let folder = TempDir::new().unwrap();
    let pipe = folder.path().join("pipe");
    mkfifo(&pipe, Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
    let error = write(&pipe, "text").await.unwrap_err();
    assert_eq!(error.to_string(), "it is a pipe, and nobody reads from it");
}

#[tokio::test]
async fn what_another_process_has_open_is_added_to() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("log");
    fs::write(&path, "before ").unwrap();
    let open = fs::OpenOptions::new()
        .read(true)
        .append(true)
        .open(&path)
        .unwrap();
    let descriptor = std::os::fd::AsRawFd::as_raw_fd(&open);
    write(Path::new(&format!("/dev/fd/{descriptor}")), "after")
        .await
        .unwrap();
    let mut text = String::new();
    fs::File::open(&path)
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(text, "before after");
}

#[tokio::test]
async fn folders_and_sockets_are_refused() {
    let folder = TempDir::new().unwrap();
    let socket = folder.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    for (path, reason) in [
        (folder.path(), "it is a folder, not a file"),
        (&socket, "it is a socket, not a file"),
    ] {
        let error = write(path, "text").await.unwrap_err();
        assert_eq!(error.to_string(), reason);
    }
    assert_eq!(names(&folder), ["socket"]);
}

#[tokio::test]
async fn a_file_that_grows_keeps_its_links_and_its_mode() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("log");
    fs::write(&path, "before").unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    let link = folder.path().join("link");
    symlink("log", &link).unwrap();
    create(&link).unwrap().write_all(b"now").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "now");
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    create(Path::new("/dev/null"))
        .unwrap()
        .write_all(b"now")
        .unwrap();
    assert!(create(folder.path()).is_err());
    let pipe = folder.path().join("pipe");
    mkfifo(&pipe, Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
    let error = create(&pipe).unwrap_err();
    assert_eq!(error.to_string(), "it is a pipe, and nobody reads from it");
}
