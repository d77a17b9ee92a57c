//! What became of the statements of a run, for its end.

use std::fmt;
use std::time::{Duration, Instant};

use bucketline::source::figures::{Elapsed, counted, grouped};
use bucketline::{Code, Error, Event};
use serde_json::{Value, json};

use super::heading;
use crate::escape::escape;

/// The statements that were begun, and how many were not.
#[derive(Default)]
pub(super) struct Tally {
    statements: Vec<Statement>,
    begun: Option<Instant>,
    not_run: usize,
}

struct Statement {
    text: String,
    outcome: Outcome,
    lost_values: u64,
    requests: u64,
    elapsed: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// It was begun and has not ended, or was interrupted.
    Begun,
    Done,
    Partial(Code),
    Failed(Code),
}

impl Outcome {
    fn of(error: &Error) -> Self {
        match error.is_partial() {
            true => Self::Partial(error.code()),
            false => Self::Failed(error.code()),
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::Done => "ok",
            Self::Partial(_) => "partial",
            Self::Failed(_) => "failed",
        }
    }
}

impl Tally {
    pub(super) fn hear(&mut self, event: &Event) {
        match event {
            Event::Started { text, .. } => {
                self.begun = Some(Instant::now());
                self.statements.push(Statement {
                    text: heading(text),
                    outcome: Outcome::Begun,
                    lost_values: 0,
                    requests: 0,
                    elapsed: Duration::ZERO,
                });
            }
            Event::Replicated(report) => self.last(|last| {
                last.lost_values = report.lost_values;
                last.requests = report.requests;
            }),
            Event::Ended {
                lost_values,
                requests,
                elapsed,
                ..
            } => self.last(|last| {
                last.outcome = Outcome::Done;
                last.lost_values = *lost_values;
                last.requests = *requests;
                last.elapsed = *elapsed;
            }),
            Event::Failed(error) => {
                let elapsed = self.begun.map(|begun| begun.elapsed()).unwrap_or_default();
                self.last(|last| {
                    last.outcome = Outcome::of(error);
                    last.elapsed = elapsed;
                });
            }
            Event::Stopped { remaining } => self.not_run += remaining,
            _ => {}
        }
    }

    fn last(&mut self, change: impl FnOnce(&mut Statement)) {
        self.statements.last_mut().map(change);
    }

    /// Whether there is something to sum up.
    pub(super) fn is_of_several(&self) -> bool {
        self.statements.len() + self.not_run > 1
    }

    fn count(&self, is_meant: impl Fn(Outcome) -> bool) -> u64 {
        let statements = self.statements.iter();
        statements.filter(|it| is_meant(it.outcome)).count() as u64
    }

    fn requests(&self) -> u64 {
        self.statements.iter().map(|it| it.requests).sum()
    }

    fn lost_values(&self) -> u64 {
        self.statements.iter().map(|it| it.lost_values).sum()
    }

    fn elapsed(&self) -> Duration {
        self.statements.iter().map(|it| it.elapsed).sum()
    }

    fn counts(&self) -> [(&'static str, u64); 4] {
        [
            ("ok", self.count(|it| it == Outcome::Done)),
            (
                "partial",
                self.count(|it| matches!(it, Outcome::Partial(_))),
            ),
            ("failed", self.count(|it| matches!(it, Outcome::Failed(_)))),
            ("not run", self.not_run as u64),
        ]
    }

    pub(super) fn to_json(&self) -> Value {
        let [ok, partial, failed, not_run] = self.counts().map(|(_, count)| count);
        json!({
            "event": "summary",
            "ok": ok,
            "partial": partial,
            "failed": failed,
            "not_run": not_run,
            "lost_values": self.lost_values(),
            "requests": self.requests(),
            "seconds": self.elapsed().as_secs_f64(),
        })
    }
}

/// A line for each statement, then one for all.
impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Statement {
            text,
            outcome,
            lost_values,
            requests,
            elapsed,
        } in &self.statements
        {
            write!(f, "  {:<8}{}: ", outcome.word(), escape(text))?;
            if let Outcome::Partial(code) | Outcome::Failed(code) = outcome {
                write!(f, "{code}, ")?;
            }
            if *lost_values > 0 {
                write!(f, "{} lost, ", counted(*lost_values, "value"))?;
            }
            writeln!(
                f,
                "{}, {}",
                counted(*requests, "request"),
                Elapsed(*elapsed)
            )?;
        }
        let all = self.statements.len() + self.not_run;
        write!(f, "{}", counted(all as u64, "statement"))?;
        let mut separator = ": ";
        for (what, count) in self.counts() {
            if count > 0 {
                write!(f, "{separator}{} {what}", grouped(count))?;
                separator = ", ";
            }
        }
        if self.lost_values() > 0 {
            write!(f, "; {} lost", counted(self.lost_values(), "value"))?;
        }
        write!(
            f,
            "; {}, {}",
            counted(self.requests(), "request"),
            Elapsed(self.elapsed())
        )
    }
}
