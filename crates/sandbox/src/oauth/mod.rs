//! OAuth 2.0 as bitbucket.org offers it: a page to allow the access, tokens, and their ends.

mod consumer;
mod ledger;
mod pages;

pub use consumer::{Consent, Consumer};
pub(crate) use ledger::Ledger;
pub use ledger::Renewal;
pub(crate) use pages::{answer, serves};
