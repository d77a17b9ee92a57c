//! What the handlers share.

use std::sync::Arc;

use bucketline_app::people::Desk;
use bucketline_app::scheduler::Handle;
use bucketline_app::store::Change;
use bucketline_app::{Clock, Store};
use bucketline_runner::Workbench;
use chrono_tz::Tz;
use tokio::sync::watch;

use crate::caller;
use crate::gate::Reach;
use crate::problem::Answer;

/// The application that the API serves. Clones are the same.
#[derive(Debug, Clone)]
pub struct Application {
    /// Keeps it all.
    pub store: Arc<dyn Store>,
    /// Asks the scheduler.
    pub scheduler: Handle,
    /// The scheduler's clock.
    pub clock: Arc<dyn Clock>,
    /// Looks at connections and statements.
    pub workbench: Workbench,
    /// The zone of schedules that name none.
    pub zone: Tz,
    /// Where people sign in.
    pub desk: Desk,
    /// By which names and ways the server is reached.
    pub reach: Arc<Reach>,
    /// Becomes true when the server ends, so that streams end.
    pub closing: watch::Receiver<bool>,
}

impl Application {
    /// Who changes something now.
    pub(crate) async fn change(&self) -> Answer<Change> {
        let caller = caller::needed()?;
        Ok(caller.change(self.clock.now().await?))
    }

    /// Waits until the server ends.
    pub(crate) fn closed(&self) -> impl Future<Output = ()> + use<> {
        let mut closing = self.closing.clone();
        async move {
            // Nobody who could close it is left: the server ends with whoever served it.
            drop(closing.wait_for(|closing| *closing).await);
        }
    }
}
