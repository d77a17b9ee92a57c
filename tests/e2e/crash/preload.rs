//! Orders to the library in `preload.c`, and what it saw.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The kinds of calls by which a process changes something outside itself, in the order of the C enumeration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    Write,
    Sync,
    Truncate,
    Rename,
    Remove,
    Open,
    MakeFolder,
    Send,
}

impl Class {
    pub(crate) const ALL: [Self; 8] = [
        Self::Write,
        Self::Sync,
        Self::Truncate,
        Self::Rename,
        Self::Remove,
        Self::Open,
        Self::MakeFolder,
        Self::Send,
    ];

    pub(crate) fn bit(self) -> u64 {
        1 << self as u64
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::Sync => "sync",
            Self::Truncate => "truncate",
            Self::Rename => "rename",
            Self::Remove => "remove",
            Self::Open => "open",
            Self::MakeFolder => "mkdir",
            Self::Send => "send",
        }
    }
}

/// All classes.
pub(crate) const EVERY: u64 = (1 << Class::ALL.len()) - 1;

/// Calls of each class.
pub(crate) type Calls = [u64; Class::ALL.len()];

/// When a process dies: before the call, when half of what it writes is written, or behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    Before,
    Halfway,
    After,
}

/// What the library does in a process. Calls are counted from 1; 0 is never.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Orders {
    /// The classes counted for the kill, the number of the call, and when.
    pub(crate) kill: Option<(u64, u64, Moment)>,
    /// The classes that are refused, from which call on, and the error.
    pub(crate) refuse: Option<(u64, u64, i32)>,
    /// Seconds that the program's clock is ahead.
    pub(crate) clock: i64,
    /// The call, of any class, from which on it is further ahead, by so many seconds.
    pub(crate) jump: Option<(u64, i64)>,
}

impl Orders {
    fn bytes(&self) -> Vec<u8> {
        let mut words = [0_u64; ORDERS];
        if let Some((classes, at, moment)) = self.kill {
            words[..3].copy_from_slice(&[classes, at, moment as u64]);
        }
        if let Some((classes, from, errno)) = self.refuse {
            words[3..6].copy_from_slice(&[classes, from, errno as u64]);
        }
        words[6] = self.clock as u64;
        if let Some((at, by)) = self.jump {
            words[7..].copy_from_slice(&[at, by as u64]);
        }
        words.iter().flat_map(|word| word.to_ne_bytes()).collect()
    }
}

/// What the library saw.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    pub(crate) calls: Calls,
    /// How many calls were refused.
    pub(crate) refused: u64,
    /// Where it killed the process: the class, and the file; `socket:[..]` for a connection.
    pub(crate) killed: Option<(Class, String)>,
}

/// The library, built for this run.
#[derive(Debug, Clone)]
pub(crate) struct Preload {
    library: PathBuf,
}

const ORDERS: usize = 9;
const SIZE: u64 = 4096;
const PATH_AT: u64 = (ORDERS as u64 + Class::ALL.len() as u64 + 4) * 8;

impl Preload {
    /// Builds it with the C compiler that the bundled SQLite needs anyway; none where the system has no such thing,
    /// which is told then.
    pub(crate) fn build(folder: &Path) -> Option<Self> {
        if !cfg!(target_os = "linux") {
            eprintln!(
                "\n\n######## LEFT OUT: kills at single calls, refused calls and clocks need Linux ########\n\n"
            );
            return None;
        }
        let source = folder.join("preload.c");
        let library = folder.join("preload.so");
        std::fs::write(&source, include_str!("preload.c")).unwrap();
        let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
        let status = Command::new(compiler)
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .args([&library, &source])
            .arg("-ldl")
            .status()
            .unwrap();
        assert!(status.success(), "the library was not built: {status}");
        Some(Self { library })
    }

    /// Gives orders to a command, by a file in the folder.
    pub(crate) fn apply(&self, command: &mut Command, orders: &Orders, folder: &Path) {
        let path = folder.join("orders");
        let file = File::create(&path).unwrap();
        file.write_all_at(&orders.bytes(), 0).unwrap();
        file.set_len(SIZE).unwrap();
        command
            .env("LD_PRELOAD", &self.library)
            .env("CRASH_ORDERS", &path);
    }

    /// Gives other orders to the process that has those of a folder.
    pub(crate) fn change(orders: &Orders, folder: &Path) {
        let file = File::options().write(true).open(folder.join("orders"));
        file.unwrap().write_all_at(&orders.bytes(), 0).unwrap();
    }

    /// What was seen in the process that had the orders of a folder.
    pub(crate) fn seen(folder: &Path) -> Seen {
        let Ok(bytes) = std::fs::read(folder.join("orders")) else {
            return Seen::default();
        };
        let word = |index: usize| {
            let at = index * 8;
            u64::from_ne_bytes(bytes[at..at + 8].try_into().unwrap())
        };
        let mut seen = Seen::default();
        for (index, calls) in seen.calls.iter_mut().enumerate() {
            *calls = word(ORDERS + index);
        }
        let rest = ORDERS + Class::ALL.len();
        seen.refused = word(rest + 2);
        if let Some(index) = word(rest + 3).checked_sub(1) {
            let path = &bytes[usize::try_from(PATH_AT).unwrap()..];
            let end = path.iter().position(|byte| *byte == 0).unwrap_or(0);
            let path = String::from_utf8_lossy(&path[..end]).into_owned();
            seen.killed = Some((Class::ALL[usize::try_from(index).unwrap()], path));
        }
        seen
    }
}
