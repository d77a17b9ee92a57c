//! HTTP as the service speaks it: requests taken apart, answers with its headers, sign-in and
//! limits.

pub(crate) mod limits;
pub(crate) mod reply;
pub(crate) mod request;
pub(crate) mod scopes;
pub(crate) mod sign_in;
