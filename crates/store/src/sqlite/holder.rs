//! The one process that uses a store file.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;

use bucketline_app::{Error, Result};
use bucketline_core::code;
use chrono::Utc;

use super::connection::make_private;

/// Keeps other processes out of a store file until it is dropped, or its process ends in whatever way.
#[derive(Debug)]
pub(super) struct Holder {
    _lock: File,
}

impl Holder {
    /// Makes this process the one.
    ///
    /// # Errors
    /// If another one is, which the error names.
    pub(super) fn of(store: &Path) -> Result<Self> {
        let mut name = store.as_os_str().to_owned();
        name.push(".lock");
        let path = Path::new(&name);
        let failed = |error: std::io::Error| {
            let message = format!(
                "{}: the store's lock cannot be made: {error}",
                path.display()
            );
            Error::new(code::store::UNAVAILABLE, message)
                .with_hint("check that this user may write in the folder")
                .with_source(error)
        };
        make_private(store)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(held(store, &mut file)),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let started = Utc::now().format("%Y-%m-%d %H:%M:%S UTC");
        let text = format!("process {} since {started}\n", std::process::id());
        let written = file.set_len(0).and_then(|()| file.rewind());
        // Without the text it is still locked.
        let _ = written.and_then(|()| file.write_all(text.as_bytes()));
        Ok(Self { _lock: file })
    }
}

fn held(store: &Path, file: &mut File) -> Error {
    let mut holder = String::new();
    let _ = file.take(200).read_to_string(&mut holder);
    let holder = match holder.trim() {
        "" => "another process",
        known => known,
    };
    let message = format!("{} is used by {holder}", store.display());
    Error::new(code::store::HELD, message).with_hint(
        "stop that process, or keep the application in PostgreSQL, which several can use",
    )
}
