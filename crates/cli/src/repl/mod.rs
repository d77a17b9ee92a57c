//! The interactive session.

mod command;
mod complete;
mod copy;
mod editor;
mod entry;
mod files;
mod line;
mod lines;
mod pattern;
mod remembered;
mod terminal;
mod token;
mod variables;

use std::path::Path;
use std::time::Duration;

use bucketline::Session;
use bucketline::source::figures::{Elapsed, grouped};
use bucketline::sql::mask_source;
use rustyline::error::ReadlineError;

use self::command::{Command, HELP, Target};
use self::entry::{Entry, Piece};
use self::lines::Lines;
use self::pattern::Listing;
use self::terminal::Terminal;
use self::variables::Variables;
use crate::arguments::Format;
use crate::ending::Ending;
use crate::error::{Error, Result};
use crate::escape::escape;
use crate::execute::{Stage, run};
use crate::interrupt::Stop;
use crate::output::{Expanded, Pager, Redirect};
use crate::reporter::Reporter;
use crate::script::Script;
use crate::settings::Settings;

/// Reads and runs statements until the user leaves.
pub(crate) async fn talk(
    session: &Session,
    settings: &Settings,
    stage: &mut Stage,
) -> Result<Ending> {
    let reporter = &mut stage.reporter;
    reporter.line(&format!(
        "Bucketline {}, writing to {}. Statements end with a semicolon; \\? helps, Ctrl-D leaves.",
        env!("CARGO_PKG_VERSION"),
        session.destination_label()
    ));
    if settings.connections.is_empty() {
        reporter.note("there is no connection; CREATE CONNECTION makes one, and `bucketline --help` says how to keep it");
    }
    let mut lines = Lines::open(settings.state.as_ref(), reporter)?;
    let terminal = Terminal::as_it_is();
    let pager = Pager::of_environment(&stage.interrupts);
    stage.output.set_pager(pager.clone());
    let mut talk = Talk {
        session,
        stage,
        pager,
        entry: Entry::default(),
        last: String::new(),
        variables: Variables::default(),
        initial: String::new(),
    };
    let mut typed = String::new();
    loop {
        let prompt = talk.prompt();
        lines.learn(session, talk.entry.begun()).await;
        let _idle = talk.stage.interrupts.idle();
        let initial = std::mem::take(&mut talk.initial);
        let reading = lines.read(prompt, initial);
        let (returned, line) = tokio::select! {
            read = reading => read?,
            () = talk.stage.interrupts.terminated() => {
                terminal.put_back();
                return Ok(Ending::Terminated);
            }
        };
        lines = returned;
        match line {
            Ok(line) => {
                typed.push_str(&line);
                typed.push('\n');
                talk.entry.add(&line);
            }
            Err(ReadlineError::Interrupted) => {
                typed.clear();
                talk.entry.forget_begun();
                continue;
            }
            Err(ReadlineError::Eof) => return talk.leave(Ending::Success),
            Err(error) => return Err(error.into()),
        }
        while let Some(piece) = talk.entry.next() {
            lines.remember(&typed);
            typed.clear();
            if let Some(ending) = talk.take(piece, &lines).await? {
                return talk.leave(ending);
            }
        }
        if talk.entry.begun().is_empty() {
            typed.clear();
        }
    }
}

/// A session while it lasts.
struct Talk<'a> {
    session: &'a Session,
    stage: &'a mut Stage,
    pager: Option<Pager>,
    entry: Entry,
    /// The last statements that were run.
    last: String,
    variables: Variables,
    /// What the next line begins with.
    initial: String,
}

impl Talk<'_> {
    /// `prod.Information> `
    fn prompt(&self) -> String {
        let prompt = match self.session.current() {
            (connection, _) if connection.is_empty() => "bucketline> ".to_owned(),
            (connection, None) => format!("{connection}> "),
            (connection, Some(schema)) => format!("{connection}.{schema}> "),
        };
        let prompt = escape(&prompt);
        match self.entry.begun() {
            "" => prompt.into_owned(),
            begun => entry::continuation(&prompt, begun),
        }
    }

    /// Ends the session, and what results go to.
    fn leave(&mut self, ending: Ending) -> Result<Ending> {
        self.send_to(None);
        Ok(ending)
    }

    /// Does one thing; how the session ends if it does.
    async fn take(&mut self, piece: Piece, lines: &Lines) -> Result<Option<Ending>> {
        let command = match piece {
            Piece::Statements(text) => {
                self.last = text;
                return self.run_last().await.map(terminated);
            }
            Piece::Word(command) => Ok(command),
            Piece::Command(text) => Command::read(&self.variables.fill(&text)),
        };
        match command {
            Ok(Command::Quit) => Ok(Some(Ending::Success)),
            Ok(command) => self.obey(command, lines).await.map(terminated),
            Err(what) => {
                self.note(&format!("{what}; \\? shows the commands"));
                Ok(None)
            }
        }
    }

    async fn obey(&mut self, command: Command, lines: &Lines) -> Result<Ending> {
        match command {
            Command::Quit => {}
            Command::Help => self.stage.reporter.block(HELP),
            Command::Output(target) => self.output(target),
            Command::Expanded(to) => {
                let output = &mut self.stage.output;
                output.set_expanded(to.unwrap_or(match output.expanded() {
                    Expanded::On => Expanded::Auto,
                    Expanded::Off | Expanded::Auto => Expanded::On,
                }));
                self.say_format();
            }
            Command::Null(text) => {
                let output = &mut self.stage.output;
                text.into_iter().for_each(|text| output.set_null(text));
                let told = format!("NULL is shown as `{}`", output.null());
                self.line(&told);
            }
            Command::Settings => {
                self.say_format();
                let told = format!("NULL is shown as `{}`", self.stage.output.null());
                self.line(&told);
            }
            Command::Pager(on) => {
                let pager = self.pager.clone().filter(|_| on);
                self.stage.output.set_pager(pager);
                self.line(match (on, &self.pager) {
                    (true, Some(_)) => "large results are shown in a pager",
                    (true, None) => "there is no pager: PAGER names none",
                    (false, _) => "large results are printed",
                });
            }
            Command::Timing(to) => {
                let reporter = &mut self.stage.reporter;
                let on = to.unwrap_or(!reporter.tells_timing());
                reporter.tell_timing(on);
                reporter.line(if on { "timing is on" } else { "timing is off" });
            }
            Command::Budgets => {
                for connection in self.session.connections() {
                    budget(self.session, &connection, &mut self.stage.reporter);
                }
            }
            Command::Run(file) => match Script::included(&file) {
                Ok(script) => return self.run(&script).await,
                Err(error) => self.stage.reporter.failed_to_start(&error),
            },
            Command::Edit(file) => self.edit(file.as_deref()).await,
            Command::Go { to, vertical } => return self.go(to, vertical).await,
            Command::Watch { pace, times } => return self.watch(pace, times).await,
            Command::Print => match self.statement() {
                Some(text) => mask_source(&text).lines().for_each(|line| self.line(line)),
                None => self.note(NO_STATEMENT),
            },
            Command::Reset => self.entry.forget_begun(),
            Command::Variables => {
                let shown = |(name, text)| mask_source(&format!("{name} = '{text}'"));
                let told: Vec<_> = self.variables.iter().map(shown).collect();
                told.iter().for_each(|line| self.line(line));
                return self.run(&Script::typed("SHOW OPTIONS;".to_owned())).await;
            }
            Command::Define { name, text } => self.variables.define(name, text),
            Command::Undefine(name) => {
                if !self.variables.forget(&name) {
                    self.note(&format!("there is no variable {name}"));
                }
            }
            Command::List(listing) => return self.list(&listing, lines).await,
            Command::Sql(text) => return self.run(&Script::typed(text)).await,
        }
        Ok(Ending::Success)
    }

    async fn list(&mut self, listing: &Listing, lines: &Lines) -> Result<Ending> {
        let (connection, schema) = self.session.current();
        let current = (connection.as_str(), schema.as_deref());
        match listing.statements(current, |home| lines.tables(home)) {
            Ok(statements) => self.run(&Script::typed(statements.join("\n"))).await,
            Err(what) => {
                self.note(&what);
                Ok(Ending::Success)
            }
        }
    }

    /// The statement that was begun, else the last.
    fn statement(&self) -> Option<String> {
        let statement = match self.entry.begun() {
            "" => &self.last,
            begun => begun,
        };
        (!statement.is_empty()).then(|| statement.to_owned())
    }

    /// Runs it, once, with its results going there.
    async fn go(&mut self, to: Option<Target>, vertical: bool) -> Result<Ending> {
        if !self.begin_anew() {
            return Ok(Ending::Success);
        }
        let mut before = None;
        if let Some(to) = &to {
            let Some(redirect) = self.redirect(to) else {
                return Ok(Ending::Success);
            };
            before = self.stage.output.redirect(Some(redirect));
        }
        let expanded = self.stage.output.expanded();
        if vertical {
            self.stage.output.set_expanded(Expanded::On);
        }
        let ran = self.run_last().await;
        self.stage.output.set_expanded(expanded);
        if to.is_some() {
            self.send_to(before);
        }
        ran
    }

    /// Runs it until Ctrl-C, or it fails.
    async fn watch(&mut self, pace: Duration, times: Option<u32>) -> Result<Ending> {
        if !self.begin_anew() {
            return Ok(Ending::Success);
        }
        let pager = self.stage.output.set_pager(None);
        let ending = self.watch_last(pace, times).await;
        self.stage.output.set_pager(pager);
        ending
    }

    async fn watch_last(&mut self, pace: Duration, times: Option<u32>) -> Result<Ending> {
        let mut round = 0;
        loop {
            round += 1;
            let now = chrono::Local::now().format("%F %H:%M:%S");
            self.line(&format!("{now}, every {}; Ctrl-C ends it", Elapsed(pace)));
            let ending = self.run_last().await?;
            if ending != Ending::Success || times.is_some_and(|times| round >= times) {
                return Ok(ending);
            }
            tokio::select! {
                stop = self.stage.interrupts.stopped() => {
                    return Ok(match stop {
                        Stop::Interrupted => Ending::Success,
                        Stop::Terminated => Ending::Terminated,
                    });
                }
                () = tokio::time::sleep(pace) => {}
            }
        }
    }

    /// Takes the statement that was begun for the last one. Whether there is any.
    fn begin_anew(&mut self) -> bool {
        let Some(statement) = self.statement() else {
            self.note(NO_STATEMENT);
            return false;
        };
        self.entry.forget_begun();
        self.last = statement;
        true
    }

    async fn edit(&mut self, file: Option<&Path>) {
        let interrupts = &self.stage.interrupts;
        let edited = match file {
            Some(file) => editor::edit_file(file, interrupts).await.map(Some),
            None => editor::edit(self.statement().unwrap_or_default(), interrupts).await,
        };
        match edited {
            // What is whole is run; what is not is gone on with.
            Ok(Some(text)) => {
                self.entry.forget_begun();
                match bucketline::sql::is_unfinished(&text) {
                    true => self.initial = format!("{} ", text.trim_end()),
                    false => self.entry.add(&text),
                }
            }
            Ok(None) => {}
            Err(error) => self.note(&format!("the editor: {error}")),
        }
    }

    fn output(&mut self, target: Target) {
        match target {
            Target::Screen => {
                self.send_to(None);
                self.line("results are printed here");
            }
            Target::Format(format) => {
                self.stage.output.set_format(format);
                self.say_format();
            }
            to => {
                if let Some(redirect) = self.redirect(&to) {
                    let format = self.stage.output.format().name();
                    let told = format!("results go to {}, as {format}, until \\o", redirect.name());
                    self.send_to(Some(redirect));
                    self.line(&told);
                }
            }
        }
    }

    /// Opens what results are to go to, or says why that cannot be.
    fn redirect(&mut self, to: &Target) -> Option<Redirect> {
        let opened = match to {
            Target::File(path) => Redirect::to_file(path),
            Target::Program(line) => Redirect::to_program(line, &self.stage.interrupts),
            Target::Screen | Target::Format(_) => return None,
        };
        let told = opened.as_ref().err().map(ToString::to_string);
        told.iter().for_each(|told| self.note(told));
        opened.ok()
    }

    /// Lets results go there, and ends what they went to.
    fn send_to(&mut self, redirect: Option<Redirect>) {
        if let Some(before) = self.stage.output.redirect(redirect) {
            let name = before.name().to_owned();
            if let Err(error) = before.close() {
                self.note(&format!("{name}: {error}"));
            }
        }
    }

    async fn run_last(&mut self) -> Result<Ending> {
        self.run(&Script::typed(self.variables.fill(&self.last)))
            .await
    }

    async fn run(&mut self, script: &Script) -> Result<Ending> {
        self.stage.output.start_afresh();
        let before = self.session.connections().into_iter();
        let before: Vec<_> = before
            .map(|name| (self.session.budget(&name), name))
            .collect();
        let ran = match run(self.session, script, self.stage).await {
            Err(Error::Output(error)) if self.stage.output.is_redirected() => {
                self.note(&format!("results cannot be written: {error}"));
                self.send_to(None);
                return Ok(Ending::Failed);
            }
            ran => ran?,
        };
        if self.stage.reporter.tells_timing() {
            for (left, connection) in before {
                if self.session.budget(&connection) != left {
                    budget(self.session, &connection, &mut self.stage.reporter);
                }
            }
        }
        Ok(ran.ending)
    }

    fn say_format(&mut self) {
        let output = &self.stage.output;
        let (format, rest) = match output.expanded() {
            Expanded::On => (Format::Vertical, ""),
            Expanded::Auto => (output.format(), ""),
            Expanded::Off => (output.format(), ", however wide"),
        };
        let told = format!("results are printed as {}{rest}", format.name());
        self.line(&told);
    }

    fn line(&mut self, text: &str) {
        self.stage.reporter.line(text);
    }

    fn note(&mut self, text: &str) {
        self.stage.reporter.note(text);
    }
}

const NO_STATEMENT: &str = "there is no statement yet";

/// Whether a statement's end is that of the session.
fn terminated(ending: Ending) -> Option<Ending> {
    (ending == Ending::Terminated).then_some(ending)
}

/// Says what is left of a connection's request budget, if it has one.
fn budget(session: &Session, connection: &str, reporter: &mut Reporter) {
    if let Some((left, hourly)) = session.budget(connection) {
        let (left, hourly) = (grouped(left.into()), grouped(hourly.into()));
        reporter.line(&format!("{connection}: {left} of {hourly} requests left"));
    }
}
