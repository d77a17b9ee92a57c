//! Who asks, for the time of a request.

use bucketline_app::people::Caller;
use bucketline_core::{Error, code};

use crate::problem::{Answer, Refused};

tokio::task_local! {
    static CALLER: Option<Caller>;
}

/// Carries out a request of this caller.
pub(crate) async fn scope<T>(caller: Option<Caller>, request: impl Future<Output = T>) -> T {
    CALLER.scope(caller, request).await
}

/// Who asks, if somebody is signed in.
pub(crate) fn known() -> Option<Caller> {
    CALLER.try_with(Clone::clone).ok().flatten()
}

/// Who asks.
///
/// # Errors
/// If nobody is signed in.
pub(crate) fn needed() -> Answer<Caller> {
    known().ok_or_else(|| Refused::caller(Error::new(code::web::NO_TOKEN, "nobody is signed in")))
}
