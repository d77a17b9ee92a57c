//! The vocabulary that all crates of Bucketline share: one [`Error`] with a stable [`Code`] and a [`Kind`]
//! that a program can act on, and places in a text.
//!
//! ```
//! use bucketline_core::{Error, Kind, code};
//!
//! let error = Error::new(code::http::RATE_LIMITED, "the service asked to slow down")
//!     .context("reading Issues")
//!     .with_hint("run again in an hour");
//! assert_eq!(error.to_string(), "reading Issues: the service asked to slow down");
//! assert_eq!(error.kind(), Kind::RateLimited);
//! assert!(error.kind().is_retryable());
//! ```

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod code;
pub mod decimal;
mod error;
pub mod json;
mod kind;
mod position;

pub use code::{Area, Code, UnknownCode};
pub use error::{Context, Error, Reach, Result};
pub use kind::{Kind, UnknownKind};
pub use position::{Position, Span, unify_line_breaks};
