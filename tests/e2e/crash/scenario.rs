//! What the killed runs do.

use super::copy::Copied;
use super::oracle::Course;

/// A scenario: statements, and what happens around them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scenario {
    /// First loads, each into nothing.
    Load,
    /// Later loads of a source that changes.
    Merge,
    /// Loads that replace all rows at their end.
    Replace,
    /// Loads that keep all versions of the rows.
    History,
    /// Repairs of copies that others have damaged.
    Repair,
    /// Loads that have to renew their tokens.
    Tokens,
    /// Later loads to a disk that is full.
    FullDisk,
    /// Later loads to a disk that becomes read-only.
    ReadOnly,
    /// Later loads while clocks jump.
    Clocks,
    /// Tables and files of the user's own.
    Own,
}

impl Scenario {
    pub(crate) const ALL: [Self; 10] = [
        Self::Load,
        Self::Merge,
        Self::Replace,
        Self::History,
        Self::Repair,
        Self::Tokens,
        Self::FullDisk,
        Self::ReadOnly,
        Self::Clocks,
        Self::Own,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Load => "first loads",
            Self::Merge => "merges",
            Self::Replace => "replacements",
            Self::History => "history mode",
            Self::Repair => "CHECKCACHE REPAIR",
            Self::Tokens => "token refreshes",
            Self::FullDisk => "full disk",
            Self::ReadOnly => "read-only disk",
            Self::Clocks => "clock jumps",
            Self::Own => "own tables and files",
        }
    }

    /// The tables of the copy.
    pub(crate) fn tables(self) -> Vec<Copied> {
        let plain = |name| Copied {
            name,
            of: name,
            versions: false,
        };
        let kept = |name, of| Copied {
            name,
            of,
            versions: true,
        };
        match self {
            Self::Load | Self::Merge | Self::FullDisk | Self::ReadOnly => {
                ["Issues", "PullRequests", "Branches", "PullRequestComments"]
                    .map(plain)
                    .to_vec()
            }
            Self::Replace => ["Issues", "PullRequests", "Branches"].map(plain).to_vec(),
            Self::History => vec![
                kept("KeptIssues", "Issues"),
                kept("KeptRequests", "PullRequests"),
            ],
            Self::Repair => ["Issues", "PullRequests"].map(plain).to_vec(),
            Self::Tokens => ["PullRequests", "Branches"].map(plain).to_vec(),
            Self::Clocks => vec![
                plain("PullRequests"),
                plain("Branches"),
                kept("KeptIssues", "Issues"),
            ],
            Self::Own => Vec::new(),
        }
    }

    /// The statement that fills or follows a table.
    pub(crate) fn load(self, copied: &Copied) -> String {
        let Copied { name, of, versions } = copied;
        let mut options = Vec::new();
        if *of == "Issues" {
            options.push("DetectDeletes = KEYS");
        }
        if *versions {
            options.push("EnableHistoryMode");
        }
        let with = if options.is_empty() {
            String::new()
        } else {
            format!(" WITH {}", options.join(", "))
        };
        match name == of {
            true => format!("REPLICATE {name}{with};\n"),
            false => format!("REPLICATE {name}{with} SELECT * FROM {of};\n"),
        }
    }

    /// The statement of the killed runs for a table.
    pub(crate) fn statement(self, copied: &Copied) -> String {
        let name = copied.name;
        match self {
            Self::Replace if name == "PullRequests" => {
                format!("REPLICATE {name} WITH DropTable;\n")
            }
            Self::Replace => format!("REPLICATE {name} WITH TruncateTable;\n"),
            Self::Repair => format!("CHECKCACHE {name} WITH REPAIR;\n"),
            _ => self.load(copied),
        }
    }

    pub(crate) fn course(self) -> Course {
        match self {
            Self::Replace | Self::Repair => Course::Whole,
            _ => Course::Pages,
        }
    }

    /// Whether the connection signs in by OAuth.
    pub(crate) fn signs_in(self) -> bool {
        matches!(
            self,
            Self::Tokens | Self::Clocks | Self::FullDisk | Self::ReadOnly
        )
    }

    /// Whether the copy and the state are on the small disk.
    pub(crate) fn is_on_disk(self) -> bool {
        matches!(self, Self::FullDisk | Self::ReadOnly)
    }
}
