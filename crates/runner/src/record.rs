//! Takes down what becomes of a try, beside the statement, which does not wait for it.

use std::collections::BTreeMap;
use std::time::Duration;

use bucketline_app::runner::Report;
use bucketline_app::{NewEvent, Result, SliceResult};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::Instant;

/// Records that are written at once.
const BATCH: usize = 200;

/// How often the rows that slices have read so far are written.
const PROGRESS: Duration = Duration::from_secs(1);

/// One thing to take down.
#[derive(Debug)]
pub(crate) enum Record {
    /// What became of a slice.
    Slice(SliceResult),
    /// How far a slice is. The next one of the slice takes its place.
    Progress(SliceResult),
    /// What happened.
    Event(NewEvent),
    /// That the run waits, and for what, or goes on.
    Waits(Option<String>),
}

/// Takes records until the sender is dropped.
#[derive(Debug)]
pub(crate) struct Recorder<'r> {
    report: &'r Report,
    records: UnboundedReceiver<Record>,
    /// The last that was heard of slices since it was written.
    progress: BTreeMap<String, SliceResult>,
    written: Option<Instant>,
}

impl<'r> Recorder<'r> {
    /// A recorder, and what it hears.
    pub(crate) fn new(report: &'r Report) -> (UnboundedSender<Record>, Self) {
        let (sender, records) = unbounded_channel();
        let recorder = Self {
            report,
            records,
            progress: BTreeMap::new(),
            written: None,
        };
        (sender, recorder)
    }

    /// Writes until nothing more comes. What cannot be written is lost: the rows are safe in the destination, and the
    /// statement goes on.
    pub(crate) async fn write(mut self) {
        let mut batch = Vec::with_capacity(BATCH);
        while self.records.recv_many(&mut batch, BATCH).await > 0 {
            if let Err(error) = self.write_batch(std::mem::take(&mut batch)).await {
                tracing::warn!(code = %error.code(), "a run's progress is not written down: {error}");
            }
        }
    }

    async fn write_batch(&mut self, batch: Vec<Record>) -> Result<()> {
        let mut slices = Vec::new();
        let mut events = Vec::new();
        let mut waits = None;
        for record in batch {
            match record {
                Record::Slice(slice) => {
                    self.progress.remove(&slice.slice);
                    slices.push(slice);
                }
                Record::Progress(slice) => {
                    self.progress.insert(slice.slice.clone(), slice);
                }
                Record::Event(event) => events.push(event),
                Record::Waits(reason) => waits = Some(reason),
            }
        }
        if self.written.is_none_or(|at| at.elapsed() >= PROGRESS) && !self.progress.is_empty() {
            slices.extend(std::mem::take(&mut self.progress).into_values());
            self.written = Some(Instant::now());
        }
        if !slices.is_empty() {
            self.report.slices(&slices).await?;
        }
        if !events.is_empty() {
            self.report.events(&events).await?;
        }
        if let Some(reason) = waits {
            self.report.waits(reason.as_deref()).await?;
        }
        Ok(())
    }
}
