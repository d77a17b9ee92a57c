//! How the program ends.

use std::process::ExitCode;

use bucketline::{Area, Reach, code};

/// How a script, and at last the program, ended; of several the greatest counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Ending {
    /// All is well.
    Success,
    /// A statement was done in part: some slices of a REPLICATE failed, or values were lost.
    Partial,
    /// All slices of a REPLICATE failed, each by itself.
    NothingRead,
    /// A statement failed.
    Failed,
    /// Arguments, configuration or syntax are wrong.
    Usage,
    /// Ctrl-C.
    Interrupted,
    /// A request to terminate.
    Terminated,
}

impl Ending {
    /// The process's exit code, as documented.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::NothingRead | Self::Failed => 1,
            Self::Usage => 2,
            Self::Partial => 3,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }

    /// How an error of the library ends the program.
    pub(crate) fn of(error: &bucketline::Error) -> Self {
        if error.is_partial() {
            return Self::Partial;
        }
        if error.reach() == Reach::Statement {
            return Self::NothingRead;
        }
        match error.code() {
            code::session::CONFIGURATION
            | code::session::CONNECTION
            | code::session::SECRET
            | code::session::UNKNOWN_CONNECTION => Self::Usage,
            code if code.area() == Area::Sql => Self::Usage,
            _ => Self::Failed,
        }
    }

    /// Whether what follows in the queue is still run.
    pub(crate) fn goes_on(self) -> bool {
        matches!(self, Self::Success | Self::Partial | Self::NothingRead)
    }
}

impl From<Ending> for ExitCode {
    fn from(ending: Ending) -> Self {
        Self::from(ending.code())
    }
}
