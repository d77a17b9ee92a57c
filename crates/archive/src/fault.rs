//! What can be wrong with an archive.

use std::io;
use std::path::Path;

use bucketline_core::code::archive as code;
use bucketline_core::{Code, Error};

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
    fn code(&self) -> Code {
        match self {
            Self::Io(_) | Self::Stopped => code::UNREADABLE,
            Self::NotZip => code::NOT_ZIP,
            Self::Damaged(_) => code::DAMAGED,
            Self::NoDocument => code::NO_DOCUMENT,
            Self::Several(_) => code::SEVERAL_DOCUMENTS,
            Self::Encrypted(_) => code::ENCRYPTED,
            Self::Method { .. } => code::METHOD,
            Self::Limit { .. } => code::TOO_LARGE,
            Self::Json(_) => code::NOT_JSON,
            Self::Layout(_) => code::LAYOUT,
            Self::Twice { .. } => code::DUPLICATE,
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
        let (code, hint) = (self.code(), self.hint());
        let error = match self {
            Self::Rows(error) => return error.context(subject),
            Self::Io(cause) => {
                Error::new(code, format!("it cannot be read: {cause}")).with_source(cause)
            }
            other => Error::new(code, other.to_string()),
        };
        let error = error.context(subject);
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
