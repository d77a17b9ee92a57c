//! Who may do what.

use crate::word::words;

words! {
    /// What an account may do, in CData's words. Each may do what those before it may.
    Role {
        /// Looks at everything but people and the audit.
        Viewer = "viewer",
        /// Starts, cancels and pauses jobs.
        JobOperator = "job_operator",
        /// Makes and edits jobs between connections that there are.
        JobCreator = "job_creator",
        /// Makes and edits connections as well.
        Standard = "standard",
        /// People, tokens of others, the audit, secrets.
        Admin = "admin",
    }
}

words! {
    /// What a request needs.
    Right {
        /// Nothing: nobody is signed in yet.
        Open = "open",
        /// To be signed in; it is about the caller's own account.
        Own = "own",
        /// To look at connections, jobs and runs.
        Look = "look",
        /// To start and stop what there is.
        Operate = "operate",
        /// To make and edit jobs.
        EditJobs = "edit_jobs",
        /// To make, edit and test connections.
        EditConnections = "edit_connections",
        /// To administer.
        Administer = "administer",
    }
}

impl Role {
    /// Whether it has a right: the one place that decides.
    pub fn may(self, right: Right) -> bool {
        let least = match right {
            Right::Open | Right::Own | Right::Look => Self::Viewer,
            Right::Operate => Self::JobOperator,
            Right::EditJobs => Self::JobCreator,
            Right::EditConnections => Self::Standard,
            Right::Administer => Self::Admin,
        };
        self >= least
    }
}
