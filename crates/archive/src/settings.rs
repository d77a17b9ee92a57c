//! What a connection to archives is made from.

use std::path::PathBuf;

/// Which archives an [`Archives`](crate::Archives) reads, and what they are archives of.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Archives, or folders whose `*.zip` files are archives; folders in them are not looked into.
    pub paths: Vec<PathBuf>,
    /// The slug of the repository whose archive it is, if there is only one. Otherwise the file's name
    /// says it: `api-issues.zip` is of the repository `api`.
    pub repository: Option<String>,
    /// The slug of the workspace that the repositories belong to.
    pub workspace: Option<String>,
    /// Rows a page, when a user wants fewer than the tables' maxima.
    pub page_size: Option<usize>,
    /// What an archive may cost.
    pub limits: Limits,
}

/// What an archive may cost. One that goes beyond is refused: it was made to do harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Files in the archive.
    pub files: u64,
    /// Bytes of the unpacked document.
    pub document_bytes: u64,
    /// How many times larger than its packed form the document may be.
    pub ratio: u64,
    /// Bytes of one entry of the document, such as an issue; an entry is held in memory.
    pub entry_bytes: u64,
}

impl Default for Limits {
    /// A million files, 16 GiB of document, a ratio of 250, and 16 MiB an entry.
    fn default() -> Self {
        Self {
            files: 1_000_000,
            document_bytes: 16 << 30,
            ratio: 250,
            entry_bytes: 16 << 20,
        }
    }
}
