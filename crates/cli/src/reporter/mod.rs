//! What people are told while statements run: progress, notes, summaries.

mod figures;
mod log;
mod running;
mod tally;

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use bucketline::source::figures::Elapsed;
use bucketline::sql::mask_source;
use bucketline::{Event, Failure, Report};
use chrono::{Local, TimeDelta};
use serde_json::{Value, json};

use self::figures::Summary;
use self::running::Running;
use self::tally::Tally;
use crate::arguments::{LogFormat, Options};
use crate::diagnostic::{self, Diagnostic};
use crate::error::Error;
use crate::escape::{escape, escape_except};
use crate::script::Script;

/// Waits that end so close to each other are one.
const SAME_WAIT: TimeDelta = TimeDelta::seconds(2);

/// Longest text of a statement in a heading.
const HEADING: usize = 100;

/// Where people are told something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Channel {
    /// The standard error: results have the standard output to themselves.
    Stderr,
    /// The standard output, for a program that has no results but what it tells.
    Stdout,
}

/// Tells people what happens.
pub(crate) struct Reporter {
    channel: Channel,
    quiet: bool,
    /// Whether progress is drawn in place.
    live: bool,
    coloured: bool,
    /// Statements and what they did are told as a story, without notes and what lies between.
    story: bool,
    /// What a statement took is told at its end.
    timing: bool,
    /// What happens is told as JSON, an object a line.
    as_json: bool,
    running: Option<Running>,
    tally: Tally,
}

impl Reporter {
    /// Tells what happens on the standard error, as the options say.
    pub(crate) fn new(options: &Options, coloured: bool) -> Self {
        let as_json = options.log_format == LogFormat::Json;
        let logs = options.log.as_ref().is_some_and(|log| !log.is_off());
        let is_bare = options.quiet || options.no_progress || logs || as_json;
        Self {
            channel: Channel::Stderr,
            quiet: options.quiet,
            live: !is_bare && io::stderr().is_terminal(),
            as_json,
            coloured,
            story: false,
            timing: true,
            running: None,
            tally: Tally::default(),
        }
    }

    /// The same without progress.
    pub(crate) fn without_progress(self) -> Self {
        Self {
            live: false,
            ..self
        }
    }

    /// Tells on the standard output which statements run and what they did.
    pub(crate) fn story(coloured: bool) -> Self {
        Self {
            channel: Channel::Stdout,
            quiet: false,
            live: false,
            coloured,
            story: true,
            timing: true,
            as_json: false,
            running: None,
            tally: Tally::default(),
        }
    }

    /// Whether [`tick`](Self::tick) wants to be called.
    pub(crate) fn is_live(&self) -> bool {
        self.live
    }

    /// Tells what each statement took from now on, or no longer.
    pub(crate) fn tell_timing(&mut self, on: bool) {
        self.timing = on;
    }

    /// Whether what each statement took is told.
    pub(crate) fn tells_timing(&self) -> bool {
        self.timing
    }

    /// Whether errors are drawn in colour.
    pub(crate) fn is_coloured(&self) -> bool {
        self.coloured
    }

    /// One line, whatever is in it.
    pub(crate) fn line(&mut self, text: &str) {
        if self.as_json {
            self.object(&json!({"event": "message", "text": text}));
        } else if !self.quiet {
            self.block(&format!("{}\n", escape(text)));
        }
    }

    /// A line that begins with `note:`.
    pub(crate) fn note(&mut self, text: &str) {
        let mark = if self.coloured {
            "\u{1b}[1;36mnote\u{1b}[0m"
        } else {
            "note"
        };
        if self.as_json {
            self.object(&json!({"event": "note", "text": text}));
        } else if !self.quiet {
            self.block(&format!("{mark}: {}\n", escape(text)));
        }
    }

    /// Lines that are safe to print as they are, such as a drawn error; also if quiet.
    pub(crate) fn block(&mut self, text: &str) {
        let channel = self.channel;
        let print = || {
            // Whoever closed it does not want to be told.
            drop(match channel {
                Channel::Stderr => io::stderr().write_all(text.as_bytes()),
                Channel::Stdout => io::stdout().write_all(text.as_bytes()),
            });
        };
        match self
            .running
            .as_ref()
            .and_then(|running| running.bar.as_ref())
        {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    /// A script of several begins.
    pub(crate) fn script(&mut self, name: &str) {
        match self.as_json {
            true => self.object(&json!({"event": "script", "script": name})),
            false => self.line(&format!("-- {name}")),
        }
    }

    /// A statement's error; also if quiet.
    pub(crate) fn failed(&mut self, error: &bucketline::Error, script: &Script) {
        match self.as_json {
            true => self.write(&log::failed_statement(error, script)),
            false => {
                let text = Diagnostic::of_script(error, script).draw(self.coloured);
                self.block(&text);
            }
        }
    }

    /// An error that no statement has; also if quiet.
    pub(crate) fn failed_to_start(&mut self, error: &Error) {
        match self.as_json {
            true => {
                let hint = error.hint();
                self.write(&log::failed(
                    error.code(),
                    &error.to_string(),
                    hint.as_deref(),
                ));
            }
            false => {
                let text = Diagnostic::from(error).draw(self.coloured);
                self.block(&text);
            }
        }
    }

    /// What became of all statements, if there were several.
    pub(crate) fn sum_up(&mut self) {
        let tally = std::mem::take(&mut self.tally);
        if !tally.is_of_several() {
            return;
        }
        if self.as_json {
            self.object(&tally.to_json());
        } else if !self.quiet {
            self.block(&format!("summary\n{tally}\n"));
        }
    }

    fn object(&mut self, object: &Value) {
        if !self.quiet {
            self.write(object);
        }
    }

    fn write(&mut self, object: &Value) {
        self.block(&format!("{}\n", escape(&object.to_string())));
    }

    /// What an event says, except for results and errors.
    pub(crate) fn hear(&mut self, event: &Event, script: &Script) {
        self.tally.hear(event);
        if self.as_json {
            if let Some(object) = log::event(event, script) {
                self.object(&object);
            }
            return;
        }
        match event {
            Event::Started {
                number,
                total,
                text,
                span,
            } => {
                self.running = Some(Running::default());
                if self.story {
                    let text = script.text.get(span.range()).unwrap_or(text);
                    let text = escape_except(text, &['\n']).replace('\n', "\n  ");
                    self.block(&format!("> {};\n", mask_source(&text)));
                } else if *total > 1 {
                    self.line(&format!("[{number}/{total}] {}", heading(text)));
                }
            }
            Event::Replicating {
                table,
                mode,
                slices,
                ..
            } => {
                let parts = match slices {
                    0 => String::new(),
                    1 => ", 1 slice".to_owned(),
                    slices => format!(", {slices} slices"),
                };
                if !self.live && !self.story {
                    self.line(&format!("{table}: {mode}{parts}"));
                }
                if let Some(running) = &mut self.running {
                    running.label = Some(table.clone());
                    running.replicating = true;
                    running.slices = *slices;
                }
            }
            Event::SliceProgress { slice, read } => {
                if let Some(running) = &mut self.running {
                    running.progress(slice, *read);
                }
            }
            Event::SliceEnded(slice) => {
                let several = self.running.as_ref().is_some_and(|it| it.slices > 1);
                let counts = slice.counts;
                let any_change = counts.inserted + counts.updated + counts.deleted > 0;
                if several && any_change && !self.live && !self.story {
                    self.line(&format!("  {slice}"));
                }
                if let Some(running) = &mut self.running {
                    running.slice_ended(slice);
                }
            }
            Event::Waiting { reason, duration } => self.waiting(reason, *duration),
            Event::Replicated(report) => self.replicated(report),
            Event::Message(text) if self.story => self.line(&format!("  {text}")),
            Event::Message(text) => self.line(text),
            Event::Note(_) if self.story => {}
            Event::Note(text) => self.note(text),
            Event::Ended {
                rows,
                lost_values,
                requests,
                elapsed,
            } => {
                let running = self.running.as_ref();
                let replicated = running.is_some_and(|running| running.replicating);
                let printed = running.is_some_and(|running| running.printing);
                self.finish();
                if self.timing && !replicated && (printed || *requests > 0) {
                    let rows = printed.then_some(*rows);
                    self.line(
                        &Summary {
                            rows,
                            lost_values: *lost_values,
                            requests: *requests,
                            elapsed: *elapsed,
                        }
                        .to_string(),
                    );
                }
            }
            Event::Stopped { remaining: 0 } => self.finish(),
            Event::Stopped { remaining } => {
                self.finish();
                self.note(&not_run(*remaining));
            }
            Event::Failed(_) => self.finish(),
            _ => {}
        }
    }

    /// Makes room for results on the same terminal.
    pub(crate) fn step_aside(&mut self) {
        if let Some(running) = &mut self.running {
            running.printing = true;
            if let Some(bar) = running.bar.take() {
                bar.finish_and_clear();
            }
        }
    }

    /// Draws the progress anew.
    pub(crate) fn tick(&mut self) {
        if let (true, Some(running)) = (self.live, &mut self.running) {
            running.draw();
        }
    }

    /// Ends the drawing of progress.
    pub(crate) fn finish(&mut self) {
        if let Some(bar) = self.running.take().and_then(|running| running.bar) {
            bar.finish_and_clear();
        }
    }

    fn waiting(&mut self, reason: &str, duration: Duration) {
        let now = Local::now();
        let delta = TimeDelta::from_std(duration).unwrap_or_default();
        let until = now.checked_add_signed(delta).unwrap_or(now);
        let same_day = until.date_naive() == now.date_naive();
        let clock = until.format(if same_day { "%H:%M:%S" } else { "%F %H:%M:%S" });
        let text = format!("waiting until {clock} ({}): {reason}", Elapsed(duration));
        // Every slice that waits says so.
        let known = self
            .running
            .as_ref()
            .and_then(|running| running.waiting.as_ref());
        let told = known.is_some_and(|(known, _)| (until - known).abs() < SAME_WAIT);
        if !self.live && !told {
            self.line(&text);
        }
        if let Some(running) = &mut self.running {
            running.waiting = Some((until, text));
        }
    }

    fn replicated(&mut self, report: &Report) {
        if let Some(bar) = self.running.as_mut().and_then(|running| running.bar.take()) {
            bar.finish_and_clear();
        }
        for (slice, failure) in report.failed() {
            let Failure {
                code,
                message,
                hint,
                ..
            } = failure;
            let mark = if self.coloured {
                "\u{1b}[1;31mfailed\u{1b}[0m"
            } else {
                "failed"
            };
            let hint = diagnostic::hint(*code, hint.as_deref())
                .map_or_else(String::new, |hint| format!("\n  hint: {}", escape(hint)));
            self.block(&format!(
                "{mark}: {}: {} [{code}]{hint}\n",
                escape(slice),
                escape(message)
            ));
        }
        let indent = if self.story { "  " } else { "" };
        self.line(&format!("{indent}{report}"));
    }
}

fn not_run(statements: usize) -> String {
    match statements {
        1 => "1 statement was not run".to_owned(),
        more => format!("{more} statements were not run"),
    }
}

/// A statement on one line, cut where it is long.
fn heading(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= HEADING {
        return line;
    }
    line.chars().take(HEADING - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::heading;

    #[test]
    fn a_heading_is_one_short_line() {
        assert_eq!(heading("SELECT 1,\n   2"), "SELECT 1, 2");
        assert_eq!(heading(&"é".repeat(200)).chars().count(), 100);
    }
}
