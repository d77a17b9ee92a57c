//! One script of a run, from its first event to its last.

use bucketline::{Event, Run};
use bucketline_app::runner::{Outcome, Report, Stop, StopReason};
use chrono::{DateTime, Utc};
use futures::StreamExt;

use crate::narrator::Narrator;
use crate::record::{Record, Recorder};

/// Carries a script out, and takes down what it says. Asked to cancel, it ends at once; asked to shut down, behind the
/// slice that is under way. Either way what was committed stays, and the next try goes on from there.
pub(crate) async fn carry_out(
    run: Run<'_>,
    began: DateTime<Utc>,
    report: &Report,
    stop: &Stop,
) -> Outcome {
    let (sender, recorder) = Recorder::new(report);
    let listen = async move {
        let mut narrator = Narrator::new(began);
        let tell = |records: Vec<Record>| {
            for record in records {
                // The recorder listens for as long as this lasts.
                let _ = sender.send(record);
            }
        };
        let was_stopped = listen(run, stop, |event| tell(narrator.hear(event))).await;
        tell(narrator.close());
        narrator.outcome(was_stopped)
    };
    let (outcome, ()) = tokio::join!(listen, recorder.write());
    outcome
}

/// Hears events up to the last, or until it is to stop; whether it was stopped.
async fn listen(mut run: Run<'_>, stop: &Stop, mut hear: impl FnMut(Event)) -> bool {
    let mut is_last_slice = false;
    loop {
        let event = tokio::select! {
            biased;
            reason = stop.wait(), if !is_last_slice => match reason {
                StopReason::Cancel => return true,
                StopReason::Shutdown => {
                    is_last_slice = true;
                    continue;
                }
            },
            event = run.next() => event,
        };
        let Some(event) = event else { return false };
        let ends_slice = matches!(event, Event::SliceEnded(_));
        hear(event);
        if stop.asked() == Some(StopReason::Cancel) || is_last_slice && ends_slice {
            return true;
        }
    }
}
