//! The progress of a statement.

use std::time::{Duration, Instant};

use bucketline::source::figures::{Elapsed, counted};
use bucketline::{Outcome, SliceReport};
use chrono::{DateTime, Local};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::escape::escape;

/// A statement that runs no longer than this shows no progress.
const PATIENCE: Duration = Duration::from_millis(400);

/// The statement that runs.
pub(super) struct Running {
    pub(super) since: Instant,
    pub(super) label: Option<String>,
    pub(super) replicating: bool,
    /// Rows are being printed; nothing is drawn into them.
    pub(super) printing: bool,
    pub(super) slices: usize,
    pub(super) ended: usize,
    /// Rows of slices that have ended, then of those that have not.
    pub(super) read: u64,
    pub(super) reading: Vec<(String, u64)>,
    pub(super) requests: u64,
    pub(super) waiting: Option<(DateTime<Local>, String)>,
    pub(super) bar: Option<ProgressBar>,
}

impl Default for Running {
    fn default() -> Self {
        Self {
            since: Instant::now(),
            label: None,
            replicating: false,
            printing: false,
            slices: 0,
            ended: 0,
            read: 0,
            reading: Vec::new(),
            requests: 0,
            waiting: None,
            bar: None,
        }
    }
}

impl Running {
    pub(super) fn progress(&mut self, slice: &str, read: u64) {
        match self.reading.iter_mut().find(|(name, _)| name == slice) {
            Some((_, known)) => *known = read,
            None => self.reading.push((slice.to_owned(), read)),
        }
    }

    pub(super) fn slice_ended(&mut self, slice: &SliceReport) {
        self.reading.retain(|(name, _)| *name != slice.slice);
        self.read += slice.read;
        self.requests += slice.requests;
        if !matches!(
            slice.outcome,
            Outcome::Vanished | Outcome::Dropped | Outcome::Left
        ) {
            self.ended += 1;
        }
    }

    pub(super) fn draw(&mut self) {
        if self.printing || self.since.elapsed() < PATIENCE {
            return;
        }
        let text = self.text();
        let bar = self.bar.get_or_insert_with(|| {
            let style = ProgressStyle::with_template("{spinner} {msg}");
            ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr())
                .with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
        });
        bar.set_message(text);
        bar.tick();
    }

    /// `Issues: 3/8 slices, 1,204 rows, 13 requests, 1.8 s`
    fn text(&self) -> String {
        if let Some((until, text)) = &self.waiting
            && *until > Local::now()
        {
            return escape(text).into_owned();
        }
        let elapsed = Elapsed(self.since.elapsed());
        let Some(label) = &self.label else {
            return elapsed.to_string();
        };
        let read = self.read + self.reading.iter().map(|(_, read)| read).sum::<u64>();
        let mut text = format!("{}: ", escape(label));
        if self.slices > 0 {
            text.push_str(&format!("{}/{} slices, ", self.ended, self.slices));
        }
        text.push_str(&format!("{}, ", counted(read, "row")));
        if self.requests > 0 {
            text.push_str(&format!("{}, ", counted(self.requests, "request")));
        }
        text + &elapsed.to_string()
    }
}
