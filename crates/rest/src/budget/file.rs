//! A window in a file that processes share.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use bucketline_secret::{private, private_folder, tighten};

use super::window::Window;

/// The file is locked, read, changed and written on the calling thread: that takes 20 µs with a
/// full hour in it (optimised build, local disk, nobody else at it), too little to be worth
/// handing to another thread.
#[derive(Debug)]
pub(super) struct BudgetFile {
    path: PathBuf,
    file: File,
    text: String,
    /// What was last read or written: goes on alone when the file cannot be used.
    last: Window,
    /// Trouble that lasts is told once.
    in_trouble: bool,
}

pub(super) enum Outcome<R> {
    Done(R),
    /// Done, but the file could not be used, for that reason, or had to be replaced.
    Trouble(R, String),
    /// Somebody else has it; nothing was done.
    Locked,
}

impl BudgetFile {
    pub(super) fn open(path: PathBuf) -> io::Result<BudgetFile> {
        if let Some(folder) = path.parent() {
            private_folder(folder)?;
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file = private(&mut options).open(&path)?;
        // Who may open it may lock it for ever.
        tighten(&file);
        let (text, last) = (String::new(), Window::default());
        Ok(BudgetFile {
            path,
            file,
            text,
            last,
            in_trouble: false,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Changes the window under the file's lock. With `give_up`, a file that is locked by others
    /// is trouble like any other, and the change is made in memory.
    pub(super) fn update<R>(
        &mut self,
        change: impl FnOnce(&mut Window) -> R,
        give_up: bool,
    ) -> Outcome<R> {
        match self.file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) if !give_up => return Outcome::Locked,
            Err(error) => {
                let answer = change(&mut self.last);
                return self.report(answer, Err(format!("it cannot be locked: {error}")));
            }
        }
        let read = self.read();
        let before = self.last.clone();
        let answer = change(&mut self.last);
        let written = if self.last == before && read.is_ok() {
            Ok(())
        } else {
            self.write()
        };
        // Closing the file would unlock it too; there is nothing else to do about an error here.
        let _ = self.file.unlock();
        self.report(answer, read.and(written))
    }

    /// Looks at the window; at what is remembered of it if the file is locked or unreadable.
    pub(super) fn peek<R>(&mut self, look: impl FnOnce(&mut Window) -> R) -> R {
        if self.file.try_lock_shared().is_ok() {
            let _ = self.read();
            let _ = self.file.unlock();
        }
        look(&mut self.last)
    }

    fn read(&mut self) -> Result<(), String> {
        self.text.clear();
        let read = self
            .file
            .seek(SeekFrom::Start(0))
            .and_then(|_| self.file.read_to_string(&mut self.text));
        match read {
            // New: nothing was sent yet.
            Ok(0) => self.last = Window::default(),
            Ok(_) => match Window::decode(&self.text) {
                Some(window) => self.last = window,
                None => return Err(DAMAGED.to_owned()),
            },
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Err(DAMAGED.to_owned());
            }
            Err(error) => return Err(format!("it cannot be read: {error}")),
        }
        Ok(())
    }

    fn write(&mut self) -> Result<(), String> {
        self.last.encode(&mut self.text);
        self.file
            .seek(SeekFrom::Start(0))
            .and_then(|_| self.file.write_all(self.text.as_bytes()))
            .map_err(|error| format!("it cannot be written: {error}"))
    }

    fn report<R>(&mut self, answer: R, result: Result<(), String>) -> Outcome<R> {
        match result {
            Ok(()) => {
                self.in_trouble = false;
                Outcome::Done(answer)
            }
            Err(_) if self.in_trouble => Outcome::Done(answer),
            Err(reason) => {
                self.in_trouble = true;
                Outcome::Trouble(answer, reason)
            }
        }
    }
}

const DAMAGED: &str = "it is damaged and was replaced";
