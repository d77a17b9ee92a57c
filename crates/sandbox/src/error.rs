//! What can go wrong when a sandbox is started or changed.

use thiserror::Error as ThisError;

/// An error of the sandbox itself; what its API answers is not one of these.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// The address could not be bound.
    #[error("the sandbox cannot listen on 127.0.0.1:{port}")]
    Listen {
        /// The port asked for.
        port: u16,
        /// Why.
        source: std::io::Error,
    },
    /// The thread or runtime of a sandbox could not be started.
    #[error("the sandbox's thread cannot be started")]
    Thread(#[source] std::io::Error),
    /// A change names something that is not there.
    #[error("the sandbox has no {0}")]
    NoSuchObject(String),
    /// A change that the service would not allow either.
    #[error("the sandbox cannot do that: {0}")]
    NotPossible(String),
}
