//! What can be wrong with an archive.

use std::io;
use std::path::Path;

use bucketline_source::{Error, ErrorKind};

/// What is wrong with an archive, said without its name.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("it cannot be read: {0}")]
    Io(io::Error),
    #[error("it is not a ZIP file")]
    NotZip,
    #[error("it is damaged: {0}")]
    Damaged(String),
    #[error("it holds neither db-2.0.json nor db-1.0.json, so it is no export of an issue tracker")]
    NoDocument,
    #[error("it holds {0} several times, and nothing says which is meant")]
    Several(&'static str),
    #[error("{0} is encrypted; Bitbucket encrypts no export")]
    Encrypted(&'static str),
    #[error("{name} is packed by method {method}, which is neither stored nor deflated")]
    Method { name: &'static str, method: u16 },
    #[error("{what}, and at most {limit} {unit} allowed")]
    Limit {
        what: String,
        limit: u64,
        unit: &'static str,
    },
    #[error("its document is not whole JSON: {0}")]
    Json(serde_json::Error),
    #[error("its document is not laid out as an export of issues: {0}")]
    Layout(String),
    #[error("`{list}` has {key} twice")]
    Twice { list: String, key: String },
    /// The decoder's own error, which has its code.
    #[error("{0}")]
    Rows(Error),
    /// Nobody reads the rows any more.
    #[error("reading was stopped")]
    Stopped,
}

impl Fault {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Io(_) => ErrorKind::Unavailable,
            Self::NoDocument => ErrorKind::NotFound,
            Self::Limit { .. } => ErrorKind::Rejected,
            _ => ErrorKind::Decode,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Io(_) | Self::Stopped => "BL9003",
            Self::NotZip => "BL9005",
            Self::Damaged(_) => "BL9006",
            Self::NoDocument => "BL9007",
            Self::Several(_) => "BL9008",
            Self::Encrypted(_) => "BL9009",
            Self::Method { .. } => "BL9010",
            Self::Limit { .. } => "BL9011",
            Self::Json(_) => "BL9012",
            Self::Layout(_) => "BL9013",
            Self::Twice { .. } => "BL9014",
            Self::Rows(error) => error.code(),
        }
    }

    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotZip | Self::Damaged(_) => Some(
                "copy it again from where it was downloaded to; a download may have broken off",
            ),
            Self::NoDocument => Some("move it out of the folder, or name the archives one by one"),
            Self::Several(_) => Some("make an archive that holds the right one alone"),
            Self::Encrypted(_) => Some("unpack it with its password and pack it again without"),
            Self::Method { .. } => Some("unpack it and pack it again as an ordinary ZIP file"),
            _ => None,
        }
    }

    /// The error for people, about the archive at `path`.
    pub(crate) fn about(self, path: &Path) -> Error {
        let subject = path.display();
        let (kind, code, hint) = (self.kind(), self.code(), self.hint());
        let error = match self {
            Self::Rows(error) => return error.about(subject),
            Self::Io(cause) => {
                Error::new(kind, code, format!("it cannot be read: {cause}")).with_source(cause)
            }
            other => Error::new(kind, code, other.to_string()),
        };
        let error = error.about(subject);
        match hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }
}

impl From<io::Error> for Fault {
    /// A fault that went through a reader comes out as it went in; data that ends or makes no sense
    /// is damage.
    fn from(error: io::Error) -> Self {
        match error.downcast::<Self>() {
            Ok(fault) => fault,
            Err(error) => match error.kind() {
                io::ErrorKind::UnexpectedEof => Self::Damaged("it ends too early".to_owned()),
                io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
                    Self::Damaged(error.to_string())
                }
                _ => Self::Io(error),
            },
        }
    }
}

impl From<Fault> for io::Error {
    fn from(fault: Fault) -> Self {
        Self::other(fault)
    }
}
