//! What the library says while it runs a statement, as rows of the application.

use std::collections::BTreeSet;
use std::time::Duration;

use bucketline::{Event, Outcome as Became, Report, SliceReport};
use bucketline_app::runner::{End, Fault, Outcome};
use bucketline_app::{Failure, Level, NewEvent, SliceResult, Totals};
use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;

use crate::record::Record;
use crate::rows::rows;

/// The outcome of a slice that is being read.
const READING: &str = "reading";

/// The outcome of a slice that was being read when its statement ended.
const STOPPED: &str = "stopped";

/// Findings of CHECKCACHE that become events; more are only counted.
const MOST_FINDINGS: usize = 100;

/// Listens to one statement.
#[derive(Debug)]
pub(crate) struct Narrator {
    began: DateTime<Utc>,
    started: Instant,
    /// Of the slices that ended, until the report says it all.
    totals: Totals,
    reading: BTreeSet<String>,
    told: BTreeSet<String>,
    wait: Option<Wait>,
    waited: Duration,
    findings: usize,
    fault: Option<(Fault, bool)>,
}

/// A wait that is not known to have ended.
#[derive(Debug)]
struct Wait {
    since: Instant,
    reason: String,
    /// How long it lasts at most, as far as that is known.
    most: Duration,
}

impl Wait {
    fn lasted(&self) -> Duration {
        self.since.elapsed().min(self.most)
    }
}

/// A wait that is shorter has no end that is worth telling.
const SHORT: Duration = Duration::from_secs(30);

impl Narrator {
    /// Listens from now on.
    pub(crate) fn new(now: DateTime<Utc>) -> Self {
        Self {
            began: now,
            started: Instant::now(),
            totals: Totals::default(),
            reading: BTreeSet::new(),
            told: BTreeSet::new(),
            wait: None,
            waited: Duration::ZERO,
            findings: 0,
            fault: None,
        }
    }

    /// What to take down of an event.
    pub(crate) fn hear(&mut self, event: Event) -> Vec<Record> {
        let mut records = Vec::new();
        if let Event::Waiting { reason, duration } = &event {
            let text = self.wait_until(reason, *duration);
            match &mut self.wait {
                Some(wait) => {
                    wait.most = wait.since.elapsed() + *duration;
                    if wait.reason != *reason {
                        wait.reason.clone_from(reason);
                        records.push(Record::Waits(Some(text)));
                    }
                }
                None => {
                    self.wait = Some(Wait {
                        since: Instant::now(),
                        reason: reason.clone(),
                        most: *duration,
                    });
                    records.push(Record::Waits(Some(text.clone())));
                    records.push(self.event(Level::Info, "waiting", &text));
                }
            }
            return records;
        }
        if let Some(wait) = self.wait.take() {
            self.waited += wait.lasted();
            records.push(Record::Waits(None));
        }
        match event {
            Event::Replicating {
                table,
                mode,
                why,
                slices,
            } => {
                let text = format!("{table}: {mode}, {why}; slices: {slices}");
                records.push(self.event(Level::Info, "replicating", &text));
            }
            Event::SliceProgress { slice, read } => {
                records.push(Record::Progress(SliceResult {
                    slice: slice.clone(),
                    outcome: READING.to_owned(),
                    totals: Totals {
                        read,
                        ..Totals::default()
                    },
                    elapsed_ms: 0,
                    failure: None,
                }));
                self.reading.insert(slice);
            }
            Event::SliceEnded(slice) => records.extend(self.slice(&slice)),
            Event::Replicated(report) => records.extend(self.report(&report)),
            Event::Message(text) => records.push(self.event(Level::Info, "message", &text)),
            Event::Note(text) => records.push(self.event(Level::Warning, "note", &text)),
            Event::Rows(batch) => {
                for row in rows(&batch) {
                    self.findings += 1;
                    if self.findings <= MOST_FINDINGS {
                        let cells: Vec<_> = row.into_iter().flatten().collect();
                        records.push(self.event(Level::Info, "row", &cells.join(", ")));
                    }
                }
            }
            Event::Ended {
                requests,
                lost_values,
                ..
            } => {
                self.totals.requests = self.totals.requests.max(requests);
                if self.findings > MOST_FINDINGS {
                    let text = format!("{} rows in all", self.findings);
                    records.push(self.event(Level::Info, "row", &text));
                }
                if lost_values > 0 {
                    let text = format!(
                        "{lost_values} values could not be kept as the source has them; the notes say which"
                    );
                    records.push(self.event(Level::Warning, "lost_values", &text));
                }
            }
            Event::Failed(error) => {
                let fault = Fault::from(&error);
                let failure = &fault.failure;
                records.push(Record::Event(NewEvent {
                    code: Some(failure.code.clone()),
                    ..self.entry(Level::Error, "statement_failed", &failure.message)
                }));
                self.fault.get_or_insert((fault, error.is_partial()));
            }
            _ => {}
        }
        records
    }

    /// What to take down when nothing more is heard.
    pub(crate) fn close(&mut self) -> Vec<Record> {
        let slices = std::mem::take(&mut self.reading).into_iter();
        let mut records: Vec<Record> = slices
            .map(|slice| {
                Record::Slice(SliceResult {
                    slice,
                    outcome: STOPPED.to_owned(),
                    totals: Totals::default(),
                    elapsed_ms: 0,
                    failure: None,
                })
            })
            .collect();
        if let Some(wait) = self.wait.take() {
            self.waited += wait.lasted();
            records.push(Record::Waits(None));
        }
        records
    }

    /// How the statement ended; `was_stopped` if it was not heard to its end.
    pub(crate) fn outcome(self, was_stopped: bool) -> Outcome {
        let totals = Totals {
            waited_ms: millis(self.waited),
            ..self.totals
        };
        let end = match self.fault {
            _ if was_stopped => End::Stopped,
            Some((fault, true)) => End::Partial(fault),
            Some((fault, false)) => End::Failed(fault),
            None => End::Succeeded,
        };
        Outcome::ended(end, totals)
    }

    fn slice(&mut self, slice: &SliceReport) -> Vec<Record> {
        self.reading.remove(&slice.slice);
        if !self.told.insert(slice.slice.clone()) {
            return Vec::new();
        }
        let (outcome, why) = word(&slice.outcome);
        let failure = match &slice.outcome {
            Became::Failed(failure) => Some(of_slice(failure)),
            _ => None,
        };
        let totals = Totals {
            read: slice.read,
            inserted: slice.counts.inserted,
            updated: slice.counts.updated,
            deleted: slice.counts.deleted,
            requests: slice.requests,
            waited_ms: 0,
        };
        self.totals += totals;
        let (level, text) = match &failure {
            Some(failure) => (
                Level::Error,
                format!("{}: {}", slice.slice, failure.message),
            ),
            None => match why {
                Some(why) if why.starts_with(&slice.slice) => (Level::Info, why),
                Some(why) => (Level::Info, format!("{}: {why}", slice.slice)),
                None => (Level::Info, slice.to_string()),
            },
        };
        let event = NewEvent {
            slice: Some(slice.slice.clone()),
            code: failure.as_ref().map(|failure| failure.code.clone()),
            ..self.entry(level, "slice_ended", &text)
        };
        let result = SliceResult {
            slice: slice.slice.clone(),
            outcome: outcome.to_owned(),
            totals,
            elapsed_ms: millis(slice.elapsed),
            failure,
        };
        vec![Record::Slice(result), Record::Event(event)]
    }

    fn report(&mut self, report: &Report) -> Vec<Record> {
        let mut records: Vec<Record> = report
            .slices
            .iter()
            .flat_map(|slice| self.slice(slice))
            .collect();
        self.totals = Totals {
            read: report.read,
            inserted: report.counts.inserted,
            updated: report.counts.updated,
            deleted: report.counts.deleted,
            requests: report.requests,
            waited_ms: 0,
        };
        records.push(self.event(Level::Info, "replicated", &report.to_string()));
        records
    }

    /// Why it waits, and until when.
    fn wait_until(&self, reason: &str, wait: Duration) -> String {
        if wait < SHORT {
            return reason.to_owned();
        }
        let wait = TimeDelta::from_std(wait).unwrap_or_default();
        let until = (self.now() + wait).format("%Y-%m-%d %H:%M:%S UTC");
        format!("{reason}, until {until}")
    }

    fn now(&self) -> DateTime<Utc> {
        self.began + TimeDelta::from_std(self.started.elapsed()).unwrap_or_default()
    }

    fn event(&self, level: Level, kind: &str, text: &str) -> Record {
        Record::Event(self.entry(level, kind, text))
    }

    fn entry(&self, level: Level, kind: &str, text: &str) -> NewEvent {
        NewEvent {
            at: self.now(),
            level,
            kind: kind.to_owned(),
            task_run: None,
            slice: None,
            code: None,
            text: text.to_owned(),
        }
    }
}

/// Why a slice failed, as the application keeps it.
fn of_slice(failure: &bucketline::Failure) -> Failure {
    Failure {
        code: failure.code.to_string(),
        kind: failure.kind,
        message: failure.message.clone(),
        hint: failure.hint.clone(),
    }
}

/// The word for how a slice ended, and why, if that is not plain.
fn word(outcome: &Became) -> (&'static str, Option<String>) {
    match outcome {
        Became::Done => ("done", None),
        Became::Unchanged => ("unchanged", Some("nothing changed".to_owned())),
        Became::NotApplicable(why) => ("not_applicable", Some(why.clone())),
        Became::Failed(_) => ("failed", None),
        Became::Vanished => (
            "vanished",
            Some("it is not listed any more; its rows stay".to_owned()),
        ),
        Became::Dropped => (
            "dropped",
            Some("it is not listed any more; its rows were removed".to_owned()),
        ),
        Became::Left => (
            "left",
            Some("it no longer fits the statement; its rows were removed".to_owned()),
        ),
    }
}

fn millis(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use bucketline::destination::Counts;
    use bucketline::{Mode, code};
    use bucketline_app::Kind;

    use super::*;

    fn narrator() -> Narrator {
        Narrator::new(DateTime::UNIX_EPOCH)
    }

    fn slice(name: &str, outcome: Became) -> SliceReport {
        SliceReport {
            slice: name.to_owned(),
            outcome,
            read: 10,
            counts: Counts {
                inserted: 1,
                updated: 2,
                deleted: 3,
                unchanged: 4,
            },
            requests: 5,
            elapsed: Duration::from_millis(7),
        }
    }

    fn failed() -> Became {
        Became::Failed(bucketline::Failure {
            code: code::http::SERVER,
            kind: Kind::Transient,
            message: "the server failed".to_owned(),
            hint: None,
        })
    }

    #[test]
    fn a_slice_becomes_one_row_and_one_event() {
        let mut narrator = narrator();
        let report = slice("acme/api", Became::Done);
        let records = narrator.hear(Event::SliceEnded(report.clone()));
        let [Record::Slice(row), Record::Event(event)] = records.as_slice() else {
            panic!("{records:?}");
        };
        assert_eq!((row.outcome.as_str(), row.elapsed_ms), ("done", 7));
        assert_eq!((row.totals.read, row.totals.deleted), (10, 3));
        assert_eq!(event.slice.as_deref(), Some("acme/api"));
        assert!(narrator.hear(Event::SliceEnded(report)).is_empty());
        assert_eq!(narrator.outcome(false).totals.updated, 2);
    }

    #[test]
    fn a_failed_slice_keeps_its_code_and_kind() {
        let records = narrator().hear(Event::SliceEnded(slice("acme/api", failed())));
        let [Record::Slice(row), Record::Event(event)] = records.as_slice() else {
            panic!("{records:?}");
        };
        let failure = row.failure.as_ref().unwrap();
        assert_eq!(
            (failure.code.as_str(), failure.kind),
            ("BL3107", Kind::Transient)
        );
        assert_eq!(
            (event.level, event.code.as_deref()),
            (Level::Error, Some("BL3107"))
        );
    }

    #[test]
    fn the_report_says_the_sums_and_the_slices_that_nobody_told() {
        let mut narrator = narrator();
        narrator.hear(Event::SliceEnded(slice("acme/api", Became::Done)));
        let report = Report {
            table: "Issues".to_owned(),
            mode: Mode::Incremental,
            why: "it has a change column".to_owned(),
            slices: vec![
                slice("acme/api", Became::Done),
                slice("acme/web", Became::Vanished),
            ],
            read: 100,
            lost_values: 0,
            counts: Counts::default(),
            requests: 9,
            elapsed: Duration::ZERO,
            notes: Vec::new(),
        };
        let records = narrator.hear(Event::Replicated(report));
        assert!(
            matches!(&records[0], Record::Slice(row) if row.slice == "acme/web" && row.outcome == "vanished")
        );
        let outcome = narrator.outcome(false);
        assert_eq!((outcome.totals.read, outcome.totals.requests), (100, 9));
        assert_eq!(outcome.end, End::Succeeded);
    }

    #[test]
    fn what_was_read_when_the_statement_stopped_is_told() {
        let mut narrator = narrator();
        narrator.hear(Event::SliceProgress {
            slice: "acme/api".to_owned(),
            read: 7,
        });
        let records = narrator.close();
        assert!(matches!(&records[..], [Record::Slice(row)] if row.outcome == "stopped"));
        assert_eq!(narrator.outcome(true).end, End::Stopped);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_is_told_once_and_counts_for_as_long_as_it_lasts() {
        let mut narrator = narrator();
        let waiting = || Event::Waiting {
            reason: "the budget is used up".to_owned(),
            duration: Duration::from_secs(60),
        };
        let records = narrator.hear(waiting());
        assert!(matches!(
            &records[..],
            [Record::Waits(Some(text)), Record::Event(_)]
                if text == "the budget is used up, until 1970-01-01 00:01:00 UTC"
        ));
        assert!(narrator.hear(waiting()).is_empty());
        tokio::time::advance(Duration::from_secs(5)).await;
        let records = narrator.hear(Event::Note("go on".to_owned()));
        assert!(matches!(
            &records[..],
            [Record::Waits(None), Record::Event(_)]
        ));
        assert_eq!(narrator.outcome(false).totals.waited_ms, 5000);
    }
}
