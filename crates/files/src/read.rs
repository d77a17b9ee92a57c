//! Reading within bounds.

use std::fs::{self, File, FileType, Metadata, OpenOptions};
use std::io::{self, Read};
use std::path::Path;

/// What the system says of a regular file, links followed. Anything else at the path is an error.
///
/// # Errors
/// As [`open`].
pub fn regular_file(path: &Path) -> io::Result<Metadata> {
    let found = fs::metadata(path)?;
    regular(found.file_type())?;
    Ok(found)
}

/// Opens a regular file, and nothing else: a folder, a pipe, a socket or a device is an error. Never waits, as opening
/// a pipe does.
///
/// # Errors
/// If there is no such file, it may not be read, or it is not a regular file.
pub fn open(path: &Path) -> io::Result<File> {
    // Opening some devices already does something.
    regular_file(path)?;
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.custom_flags(nix::fcntl::OFlag::O_NONBLOCK.bits());
    }
    let file = options.open(path)?;
    // Another file may have taken the path meanwhile.
    regular(file.metadata()?.file_type())?;
    Ok(file)
}

/// The bytes of a regular file that has `most` at most.
///
/// # Errors
/// As [`open`], if it cannot be read, or is larger.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let file = open(path)?;
    if file.metadata()?.len() > most {
        return Err(too_large(most));
    }
    read_to_limit(file, most)
}

/// The text of a regular file that has `most` bytes at most.
///
/// # Errors
/// As [`read`], and if it is not UTF-8.
pub fn read_text(path: &Path, most: u64) -> io::Result<String> {
    text(read(path, most)?)
}

/// As [`read`], but also from a pipe or a character device such as a terminal, to its end.
///
/// # Errors
/// As [`read`].
pub fn read_stream(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    if is_stream(fs::metadata(path)?.file_type()) {
        return read_to_limit(File::open(path)?, most);
    }
    read(path, most)
}

/// Reads to the end, which must come within `most` bytes.
///
/// # Errors
/// If reading fails, or there is more.
pub fn read_to_limit(reader: impl Read, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(too_large(most));
    }
    Ok(bytes)
}

/// Bytes as the text that they are.
///
/// # Errors
/// If they are not UTF-8.
pub fn text(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8 text"))
}

fn regular(kind: FileType) -> io::Result<()> {
    if kind.is_file() {
        return Ok(());
    }
    let (error, what) = match name(kind) {
        folder @ "folder" => (io::ErrorKind::IsADirectory, folder),
        other => (io::ErrorKind::InvalidInput, other),
    };
    Err(io::Error::new(
        error,
        format!("it is a {what}, not a regular file"),
    ))
}

/// What a file is, for people.
pub(crate) fn name(kind: FileType) -> &'static str {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt as _;
        if kind.is_fifo() {
            return "pipe";
        }
        if kind.is_socket() {
            return "socket";
        }
        if kind.is_char_device() || kind.is_block_device() {
            return "device";
        }
    }
    match kind {
        kind if kind.is_dir() => "folder",
        kind if kind.is_symlink() => "link",
        _ => "special file",
    }
}

#[cfg(unix)]
fn is_stream(kind: FileType) -> bool {
    use std::os::unix::fs::FileTypeExt as _;
    kind.is_fifo() || kind.is_char_device()
}

#[cfg(not(unix))]
fn is_stream(_: FileType) -> bool {
    false
}

fn too_large(most: u64) -> io::Error {
    let most = match most {
        kib if kib < 1 << 20 => format!("{} KiB", kib >> 10),
        mib => format!("{} MiB", mib >> 20),
    };
    io::Error::new(
        io::ErrorKind::FileTooLarge,
        format!("it is larger than {most}"),
    )
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::os::unix::net::UnixListener;
    use std::path::Path;

    use nix::sys::stat::Mode;
    use nix::unistd::mkfifo;

    use super::{open, read, read_stream, read_text};

    const KIB: u64 = 1 << 10;

    #[test]
    fn only_a_regular_file_is_read_and_nothing_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        mkfifo(&pipe, Mode::S_IRWXU).unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&pipe, &link).unwrap();
        let socket = folder.path().join("socket");
        let _listener = UnixListener::bind(&socket).unwrap();
        for (path, what) in [
            (pipe.as_path(), "it is a pipe, not a regular file"),
            (&link, "it is a pipe, not a regular file"),
            (&socket, "it is a socket, not a regular file"),
            (Path::new("/dev/zero"), "it is a device, not a regular file"),
            (folder.path(), "it is a folder, not a regular file"),
        ] {
            assert_eq!(open(path).unwrap_err().to_string(), what, "{path:?}");
            assert_eq!(read(path, KIB).unwrap_err().to_string(), what, "{path:?}");
        }
    }

    #[test]
    fn no_more_is_read_than_allowed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, vec![b'a'; 1024]).unwrap();
        assert_eq!(read_text(&path, KIB).unwrap().len(), 1024);
        fs::write(&path, vec![b'a'; 1025]).unwrap();
        let error = read_text(&path, KIB).unwrap_err();
        assert_eq!(error.to_string(), "it is larger than 1 KiB");
        // A file of the kernel has no size before it is read.
        assert!(read(Path::new("/proc/self/status"), 1 << 20).is_ok());
        let endless = read_stream(Path::new("/dev/zero"), 1 << 20).unwrap_err();
        assert_eq!(endless.to_string(), "it is larger than 1 MiB");
        assert_eq!(read_stream(Path::new("/dev/null"), KIB).unwrap(), b"");
    }
}
