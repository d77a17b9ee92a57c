//! Bucketline as a library: replicate Bitbucket Cloud into a database with SQL.
//!
//! A [`Session`] has connections to read from and a destination to write to. [`Session::run`] runs a script
//! and gives back what happens as a stream of [`Event`]s; nothing runs unless the stream is polled, and
//! dropping it cancels the script, keeping what was committed.
//!
//! ```no_run
//! use bucketline::{ConnectionProperties, Event, Session};
//! use futures::StreamExt;
//!
//! # async fn example() -> Result<(), bucketline::Error> {
//! let session = Session::builder()
//!     .connection("prod", ConnectionProperties::parse("example", "Workspace=acme;Token=env:BITBUCKET_TOKEN")?)
//!     .sqlite("copy.db")
//!     .build()?;
//! let mut events = session.run("REPLICATE PullRequests;");
//! while let Some(event) = events.next().await {
//!     match event {
//!         Event::Replicated(report) => println!("{report}"),
//!         Event::Failed(error) => return Err(error),
//!         _ => {}
//!     }
//! }
//! # Ok(())
//! # }
//! ```

#![deny(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod access;
mod budget;
mod check;
mod config;
mod connection;
mod csv;
mod event;
mod options;
mod plan;
mod procedure;
mod run;
mod secret;
mod session;
mod statement;
mod vocabulary;

pub use access::Access;
pub use bucketline_core::{Area, Code, Error, Kind, Reach, Result, code};
pub use bucketline_destination as destination;
pub use bucketline_engine::{Argument, Family, Function, HostTable, Need, functions};
pub use bucketline_replicate::{Failure, Mode, Outcome, Report, SliceReport};
pub use bucketline_rest::{
    Authorization, BothBudgets, BudgetFiles, BudgetStore, Claimant, ClaimantStanding, OAuth,
    Opener, Rank, Standing, TokenStore, Url,
};
pub use bucketline_source as source;
pub use bucketline_sql as sql;
pub use budget::ConnectionBudget;
pub use config::Config;
pub use connection::{
    ConnectionProperties, DestinationSetting, connection_properties, has_literal_secret,
};
pub use csv::CsvFormat;
pub use event::Event;
pub use options::StatementOptions;
pub use run::Run;
pub use session::{Builder, Session};
pub use vocabulary::{ConnectionNames, TableNames, Vocabulary};

#[cfg(test)]
mod tests {
    use super::{ConnectionProperties, Session, StatementOptions, Vocabulary};

    #[test]
    fn everything_can_be_sent_to_another_thread() {
        fn is_send<T: Send>(_: &T) {}
        fn is_shared<T: Send + Sync>(_: &T) {}
        let properties = ConnectionProperties::new("test", [("Workspace", "acme")]);
        let session = Session::builder()
            .connection("a", properties)
            .build()
            .unwrap();
        is_shared(&session);
        is_send(&session.run("SELECT 1"));
        is_send(&session.plan("SELECT 1"));
        is_send(&session.check("a", &[]).unwrap());
        is_send(&session.vocabulary());
        is_shared(&StatementOptions::default());
        is_shared(&Vocabulary::default());
    }
}
