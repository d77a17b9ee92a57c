//! Writing a file whole or not at all.

use std::fs::{self, File, FileType, Metadata, OpenOptions};
use std::io::{self, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::read::name;
use crate::unfinished;

/// Links that are followed before they are taken for a circle, as Linux does.
const LINKS: usize = 40;

/// What becomes a file once it is whole. Until then what was at the path stays; if this is dropped, for good.
///
/// Links are followed. A file that was there keeps its mode and owner, and its other names, if it has some. Pipes and
/// character devices cannot be replaced: they get the bytes as they come.
#[derive(Debug)]
pub struct NewFile(Sink);

#[derive(Debug)]
enum Sink {
    /// Gets the name of the file that was there, or is copied into it where that cannot be replaced.
    Unnamed {
        file: NamedTempFile,
        path: PathBuf,
        before: Option<File>,
    },
    /// Is copied into the file that was there.
    Aside { file: File, before: File },
    /// Cannot be replaced.
    Through(File),
    #[cfg(unix)]
    Pipe(tokio::net::unix::pipe::Sender),
}

impl NewFile {
    /// Begins to write what will be at `path`. Waits a few seconds for somebody to read from a pipe.
    ///
    /// # Errors
    /// If it may not be written, is a folder, a socket or a block device, or if nobody reads from the pipe.
    pub async fn create(path: &Path) -> io::Result<Self> {
        let (path, is_descriptor) = resolved(path)?;
        let sink = match fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !is_descriptor => {
                Sink::Unnamed {
                    file: unfinished::make(folder(&path), 0o666)?,
                    path,
                    before: None,
                }
            }
            Err(error) => return Err(error),
            // The descriptor's file may have other writers, such as a shell that sent the standard output there.
            Ok(found) if found.is_file() && is_descriptor => {
                Sink::Through(OpenOptions::new().append(true).open(&path)?)
            }
            Ok(found) if found.is_file() => replacing(path)?,
            Ok(found) => through(&path, &found).await?,
        };
        Ok(Self(sink))
    }

    /// Adds bytes.
    ///
    /// # Errors
    /// If they cannot be written.
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.0 {
            Sink::Unnamed { file, .. } => file.write_all(bytes),
            Sink::Aside { file, .. } | Sink::Through(file) => file.write_all(bytes),
            #[cfg(unix)]
            Sink::Pipe(pipe) => tokio::io::AsyncWriteExt::write_all(pipe, bytes).await,
        }
    }

    /// Puts the file in its place.
    ///
    /// # Errors
    /// If it cannot be put there. What was there stays, unless the disk fails while it is written over.
    pub fn finish(self) -> io::Result<()> {
        match self.0 {
            Sink::Unnamed { file, path, before } => {
                file.as_file().sync_all()?;
                match (file.persist(&path), before) {
                    (Ok(_), _) => Ok(()),
                    // Such as a file that is mounted by itself, or another user's in a folder like /tmp.
                    (Err(refused), Some(before)) => copy(refused.file.into_file(), before),
                    (Err(refused), None) => Err(refused.error),
                }
            }
            Sink::Aside { file, before } => copy(file, before),
            Sink::Through(mut file) => file.flush(),
            #[cfg(unix)]
            Sink::Pipe(_) => Ok(()),
        }
    }
}

/// Opens a file to write to it as it goes: empty if it is a regular one, which keeps its mode and owner. Pipes and
/// character devices are written to, and what a process has open is added to.
///
/// # Errors
/// If it may not be written, is a folder, a socket or a block device, or a pipe that nobody reads from.
pub fn create(path: &Path) -> io::Result<File> {
    let (path, is_descriptor) = resolved(path)?;
    let mut options = OpenOptions::new();
    match fs::metadata(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound || is_descriptor => {
            return Err(error);
        }
        Ok(found) if found.is_file() && is_descriptor => return options.append(true).open(&path),
        Ok(found) if !found.is_file() => return writable(&path, found.file_type()),
        _ => {}
    }
    options.write(true).create(true).truncate(true).open(path)
}

/// Opens a pipe or a character device.
fn writable(path: &Path, kind: FileType) -> io::Result<File> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt as _;
        if kind.is_fifo() {
            return pipe::open_waiting(path);
        }
        if kind.is_char_device() {
            return OpenOptions::new().write(true).open(path);
        }
    }
    let error = match kind.is_dir() {
        true => io::ErrorKind::IsADirectory,
        false => io::ErrorKind::InvalidInput,
    };
    let what = name(kind);
    Err(io::Error::new(error, format!("it is a {what}, not a file")))
}

/// Gives a file the owner of the one at `path`, which it is to take the place of, where this user may.
pub fn keep_owner(file: &File, path: &Path) {
    #[cfg(unix)]
    if let Ok(found) = fs::metadata(path) {
        use std::os::unix::fs::{MetadataExt as _, fchown};
        // Others than root may not; the file is then of whoever writes it.
        let _ = fchown(file, Some(found.uid()), Some(found.gid()));
    }
    #[cfg(not(unix))]
    let _ = (file, path);
}

/// Where the links of a path lead, as far as files have names: what is open in a process has none, and is found by the
/// link to it, as `/dev/stdout` leads to. Whether it is such a link.
fn resolved(path: &Path) -> io::Result<(PathBuf, bool)> {
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        match fs::symlink_metadata(&path) {
            Ok(found) if found.is_symlink() => {}
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => return Ok((path, false)),
        }
        let folder = fs::canonicalize(folder(&path))?;
        if cfg!(target_os = "linux") && folder.starts_with("/proc") && folder.ends_with("fd") {
            return Ok((path, true));
        }
        path = folder.join(fs::read_link(&path)?);
    }
    Err(io::Error::other("its links lead in a circle"))
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// What takes the place of a regular file that may be written.
fn replacing(path: PathBuf) -> io::Result<Sink> {
    let before = OpenOptions::new().write(true).open(&path)?;
    let metadata = before.metadata()?;
    let alike = || -> io::Result<NamedTempFile> {
        let file = unfinished::make(folder(&path), 0o600)?;
        take_after(file.as_file(), &metadata)?;
        Ok(file)
    };
    if !has_other_names(&metadata)
        && let Ok(file) = alike()
    {
        let before = Some(before);
        return Ok(Sink::Unnamed { file, path, before });
    }
    let file = tempfile::tempfile()?;
    Ok(Sink::Aside { file, before })
}

/// Gives a file the owner and the mode of another one.
fn take_after(file: &File, other: &Metadata) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt as _, fchown};
        let own = file.metadata()?;
        if (own.uid(), own.gid()) != (other.uid(), other.gid()) {
            fchown(file, Some(other.uid()), Some(other.gid()))?;
        }
    }
    file.set_permissions(other.permissions())
}

#[cfg(unix)]
fn has_other_names(metadata: &Metadata) -> bool {
    std::os::unix::fs::MetadataExt::nlink(metadata) > 1
}

#[cfg(not(unix))]
fn has_other_names(_: &Metadata) -> bool {
    false
}

/// Opens what is not a regular file, if it can be written to like one.
async fn through(path: &Path, found: &Metadata) -> io::Result<Sink> {
    let kind = found.file_type();
    #[cfg(unix)]
    if std::os::unix::fs::FileTypeExt::is_fifo(&kind) {
        return pipe::open(path).await.map(Sink::Pipe);
    }
    writable(path, kind).map(Sink::Through)
}

#[cfg(unix)]
mod pipe {
    use std::fs::{self, File};
    use std::io;
    use std::os::unix::fs::OpenOptionsExt as _;
    use std::path::Path;
    use std::time::Duration;

    use nix::errno::Errno;
    use nix::fcntl::{FcntlArg, OFlag, fcntl};
    use tokio::net::unix::pipe::{OpenOptions, Sender};
    use tokio::time::{Instant, sleep};

    /// How long a reader is waited for that is started at the same time.
    const PATIENCE: Duration = Duration::from_secs(3);
    const POLL: Duration = Duration::from_millis(10);

    pub(super) async fn open(path: &Path) -> io::Result<Sender> {
        let end = Instant::now() + PATIENCE;
        loop {
            match OpenOptions::new().open_sender(path) {
                Err(error) if nobody_reads(&error) => {
                    if Instant::now() >= end {
                        return Err(unread());
                    }
                    sleep(POLL).await;
                }
                opened => return opened,
            }
        }
    }

    /// Opens a pipe whose writer waits for its reader.
    pub(super) fn open_waiting(path: &Path) -> io::Result<File> {
        let opened = fs::OpenOptions::new()
            .write(true)
            .custom_flags(OFlag::O_NONBLOCK.bits())
            .open(path);
        let file = opened.map_err(|error| match nobody_reads(&error) {
            true => unread(),
            false => error,
        })?;
        let flags = OFlag::from_bits_retain(fcntl(&file, FcntlArg::F_GETFL)?);
        fcntl(&file, FcntlArg::F_SETFL(flags - OFlag::O_NONBLOCK))?;
        Ok(file)
    }

    fn nobody_reads(error: &io::Error) -> bool {
        error.raw_os_error() == Some(Errno::ENXIO as i32)
    }

    fn unread() -> io::Error {
        io::Error::new(
            io::ErrorKind::BrokenPipe,
            "it is a pipe, and nobody reads from it",
        )
    }
}

/// Writes the bytes of a whole file over another one. There is room for them before the first is written.
fn copy(mut whole: File, mut over: File) -> io::Result<()> {
    let length = whole.metadata()?.len();
    reserve(&over, length)?;
    whole.rewind()?;
    io::copy(&mut whole, &mut over)?;
    over.set_len(length)?;
    over.sync_all()
}

#[cfg(target_os = "linux")]
fn reserve(file: &File, length: u64) -> io::Result<()> {
    use nix::errno::Errno;

    let before = file.metadata()?.len();
    let Ok(length) = i64::try_from(length) else {
        return Err(io::ErrorKind::FileTooLarge.into());
    };
    match nix::fcntl::posix_fallocate(file, 0, length.max(1)) {
        Err(full @ (Errno::ENOSPC | Errno::EDQUOT | Errno::EFBIG)) => {
            file.set_len(before)?;
            Err(full.into())
        }
        // Some file systems cannot reserve.
        _ => Ok(()),
    }
}

#[cfg(not(target_os = "linux"))]
fn reserve(_: &File, _: u64) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests;
