//! What a running statement says about itself.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bucketline_source::{Loss, Losses, Observer};

use crate::{Mode, Report, SliceReport};

/// Something that happened, for a progress bar, a log or an embedding program.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The statement begins to read.
    Started {
        /// The destination's table.
        table: &'a str,
        /// How it is kept up to date.
        mode: Mode,
        /// Why so.
        why: &'a str,
        /// How many slices are read; 0 if they cannot be told apart.
        slices: usize,
    },
    /// A slice begins to be read.
    SliceStarted {
        /// What people call it.
        slice: &'a str,
    },
    /// Rows of a slice were committed.
    SliceProgress {
        /// What people call it.
        slice: &'a str,
        /// Rows read in this run so far.
        read: u64,
    },
    /// A slice ended, well or not.
    SliceEnded {
        /// How.
        slice: &'a SliceReport,
    },
    /// Something the user should know; said once a statement.
    Note {
        /// A sentence.
        text: &'a str,
    },
    /// Values could not be kept as the source has them; said for each answer.
    Lost {
        /// What was lost of them.
        loss: &'a Loss,
        /// How many.
        values: u64,
    },
    /// A wait began.
    Waiting {
        /// What for.
        reason: &'a str,
        /// How long.
        duration: Duration,
    },
    /// The statement ended, with failed slices or without.
    Ended {
        /// What it did.
        report: &'a Report,
    },
}

/// Hears events. Called from several threads; each call returns at once.
pub trait Events: Send + Sync {
    /// Something happened.
    fn event(&self, event: &Event<'_>);
}

/// Hears nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Events for Silent {
    fn event(&self, _event: &Event<'_>) {}
}

/// Passes events on, and keeps the notes: each once.
pub(crate) struct Voice {
    events: Arc<dyn Events>,
    notes: Mutex<Vec<String>>,
    losses: Mutex<Losses>,
}

impl Voice {
    pub(crate) fn new(events: Arc<dyn Events>) -> Arc<Self> {
        Arc::new(Self {
            events,
            notes: Mutex::default(),
            losses: Mutex::default(),
        })
    }

    pub(crate) fn say(&self, event: &Event<'_>) {
        self.events.event(event);
    }

    pub(crate) fn note(&self, text: impl AsRef<str>) {
        let text = text.as_ref();
        {
            let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
            if notes.iter().any(|known| known == text) {
                return;
            }
            notes.push(text.to_owned());
        }
        self.events.event(&Event::Note { text });
    }

    pub(crate) fn notes(&self) -> Vec<String> {
        self.notes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Voice {
    /// Adds what was lost of values to the notes, which whoever hears the events adds up as well; gives how many
    /// values those are.
    pub(crate) fn settle_losses(&self) -> u64 {
        let mut losses = self.losses.lock().unwrap_or_else(PoisonError::into_inner);
        let losses = std::mem::take(&mut *losses);
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        notes.extend(losses.notes());
        losses.values()
    }
}

impl Observer for Voice {
    fn note(&self, text: &str) {
        Voice::note(self, text);
    }

    fn lost(&self, loss: Loss, values: u64) {
        let event = Event::Lost {
            loss: &loss,
            values,
        };
        self.events.event(&event);
        let mut losses = self.losses.lock().unwrap_or_else(PoisonError::into_inner);
        losses.add(loss, values);
    }

    fn waiting(&self, reason: &str, duration: Duration) {
        self.events.event(&Event::Waiting { reason, duration });
    }
}
