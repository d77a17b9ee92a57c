//! The interactive session.

mod command;
mod complete;
mod line;
mod remembered;
mod terminal;
mod token;

use std::path::PathBuf;
use std::time::Duration;

use bucketline::Session;
use bucketline::source::figures::grouped;
use bucketline::sql::mask_source;
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{Behavior, CompletionType, Config, Editor};

use self::command::{HELP, Input};
use self::complete::Names;
use self::line::LineHelper;
use self::remembered::Remembered;
use self::terminal::Terminal;
use crate::arguments::Format;
use crate::ending::Ending;
use crate::error::{Error, Result};
use crate::escape::escape;
use crate::execute::{Stage, run};
use crate::output::Pager;
use crate::reporter::Reporter;
use crate::script::Script;
use crate::settings::Settings;

/// How long the names of a destination are waited for before a prompt.
const PATIENCE: Duration = Duration::from_millis(100);

/// The line editor and its history.
struct Lines {
    editor: Editor<LineHelper, FileHistory>,
    history: Option<PathBuf>,
    remembered: Remembered,
}

impl Lines {
    fn open(state: Option<&PathBuf>, reporter: &mut Reporter) -> Result<Self> {
        let config = Config::builder()
            .history_ignore_space(true)
            .completion_type(CompletionType::List)
            .behavior(Behavior::PreferTerm)
            .build();
        let mut editor = Editor::with_config(config)?;
        editor.set_helper(Some(LineHelper {
            coloured: reporter.is_coloured(),
            ..LineHelper::default()
        }));
        let mut lines = Self {
            editor,
            history: None,
            remembered: Remembered::open(state),
        };
        if let Some(folder) = state {
            match bucketline_secret::private_folder(folder) {
                Ok(()) => {
                    let path = folder.join("history");
                    // There is none before the first session.
                    drop(lines.editor.load_history(&path));
                    lines.history = Some(path);
                }
                Err(error) => {
                    let folder = folder.display();
                    reporter.note(&format!(
                        "the history is not kept: {folder}: {error}; BUCKETLINE_STATE names another folder"
                    ));
                }
            }
        }
        Ok(lines)
    }

    /// Reads a statement, on a thread of its own since the terminal makes it wait.
    async fn read(mut self, prompt: String) -> Result<(Self, rustyline::Result<String>)> {
        let reading = tokio::task::spawn_blocking(move || {
            let line = self.editor.readline(&prompt);
            (self, line)
        });
        reading
            .await
            .map_err(|error| Error::Terminal(std::io::Error::other(error).into()))
    }

    /// Keeps a statement in the history, secrets masked.
    fn remember(&mut self, text: &str) {
        let added = self
            .editor
            .add_history_entry(mask_source(text.trim_end()))
            .unwrap_or(false);
        if let (true, Some(path)) = (added, &self.history) {
            // The session is worth more than its history.
            drop(self.editor.append_history(path));
        }
    }

    /// Completes with these names from now on; a destination that keeps one waiting is left for later.
    async fn learn(&mut self, session: &Session) {
        let learnt = tokio::time::timeout(PATIENCE, session.vocabulary()).await;
        if let (Ok(mut vocabulary), Some(helper)) = (learnt, self.editor.helper_mut()) {
            self.remembered.complete(&mut vocabulary);
            helper.names = Names {
                vocabulary,
                current: session.current().0,
            };
        }
    }
}

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
    let mut format = stage.output.format();
    let pager = Pager::of_environment(&stage.interrupts);
    stage.output.set_pager(pager.clone());
    loop {
        lines.learn(session).await;
        // A Ctrl-C that comes when the statement has just ended must not end the session.
        let _idle = stage.interrupts.arm();
        let reading = lines.read(prompt(session));
        let (returned, line) = tokio::select! {
            read = reading => read?,
            () = stage.interrupts.terminated() => {
                terminal.put_back();
                return Ok(Ending::Terminated);
            }
        };
        lines = returned;
        let text = match line {
            Ok(text) => text,
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => return Ok(Ending::Success),
            Err(error) => return Err(error.into()),
        };
        let input = Input::of(&text);
        if !matches!(input, Input::Nothing) {
            lines.remember(&text);
        }
        let script = match input {
            Input::Nothing => continue,
            Input::Help => {
                stage.reporter.block(HELP);
                continue;
            }
            Input::Quit => return Ok(Ending::Success),
            Input::Format(named) => {
                format = named.unwrap_or(format);
                stage.output.set_format(format);
                stage
                    .reporter
                    .line(&format!("results are printed as {}", format.name()));
                continue;
            }
            Input::Vertical => {
                let shown = match stage.output.format() {
                    Format::Vertical => format,
                    _ => Format::Vertical,
                };
                stage.output.set_format(shown);
                stage
                    .reporter
                    .line(&format!("results are printed as {}", shown.name()));
                continue;
            }
            Input::Pager(on) => {
                stage.output.set_pager(pager.clone().filter(|_| on));
                stage.reporter.line(match (on, &pager) {
                    (true, Some(_)) => "large results are shown in a pager",
                    (true, None) => "there is no pager: PAGER names none",
                    (false, _) => "large results are printed",
                });
                continue;
            }
            Input::Timing => {
                let on = stage.reporter.toggle_timing();
                stage
                    .reporter
                    .line(if on { "timing is on" } else { "timing is off" });
                continue;
            }
            Input::Budgets => {
                for connection in session.connections() {
                    budget(session, &connection, &mut stage.reporter);
                }
                continue;
            }
            Input::Wrong(what) => {
                stage
                    .reporter
                    .note(&format!("{what}; \\? shows the commands"));
                continue;
            }
            Input::Run(file) => match Script::included(&file) {
                Ok(script) => script,
                Err(error) => {
                    stage.reporter.failed_to_start(&error);
                    continue;
                }
            },
            Input::Sql(text) => Script::typed(text),
        };
        stage.output.start_afresh();
        let before = session.connections().into_iter();
        let before: Vec<_> = before.map(|name| (session.budget(&name), name)).collect();
        let ran = run(session, &script, stage).await?;
        if ran.ending == Ending::Terminated {
            return Ok(ran.ending);
        }
        if stage.reporter.tells_timing() {
            for (left, connection) in before {
                if session.budget(&connection) != left {
                    budget(session, &connection, &mut stage.reporter);
                }
            }
        }
    }
}

/// Says what is left of a connection's request budget, if it has one.
fn budget(session: &Session, connection: &str, reporter: &mut Reporter) {
    if let Some((left, hourly)) = session.budget(connection) {
        let (left, hourly) = (grouped(left.into()), grouped(hourly.into()));
        reporter.line(&format!("{connection}: {left} of {hourly} requests left"));
    }
}

/// `prod.Information> `
fn prompt(session: &Session) -> String {
    let prompt = match session.current() {
        (connection, _) if connection.is_empty() => "bucketline> ".to_owned(),
        (connection, None) => format!("{connection}> "),
        (connection, Some(schema)) => format!("{connection}.{schema}> "),
    };
    escape(&prompt).into_owned()
}
