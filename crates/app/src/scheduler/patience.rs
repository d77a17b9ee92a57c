//! Operations on a store that may be gone for a while.

use std::time::Duration;

use futures::future::BoxFuture;

use crate::{Clock, Kind, Result};

/// The first and the longest wait between two tries.
const WAITS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// How long to wait before the next try, after `failures` in a row.
pub(super) fn wait_after(failures: u32) -> Duration {
    let doubled = WAITS
        .0
        .saturating_mul(1 << failures.saturating_sub(1).min(10));
    doubled.min(WAITS.1)
}

/// Repeats `operation` until the store is back. Operations that must not happen twice carry something that prevents it
/// (see [`Store`](crate::Store)), so one that happened although its answer was lost does no harm.
pub(super) async fn patiently<'o, T>(
    clock: &dyn Clock,
    what: &str,
    mut operation: impl FnMut() -> BoxFuture<'o, Result<T>>,
) -> Result<T> {
    let mut failures = 0;
    loop {
        match operation().await {
            Err(error) if error.kind() == Kind::Transient => {
                failures += 1;
                let wait = wait_after(failures);
                tracing::warn!(
                    code = %error.code(),
                    "{what}: {error}; trying again in {} s",
                    wait.as_secs()
                );
                clock.sleep(wait).await;
            }
            answer => return answer,
        }
    }
}
