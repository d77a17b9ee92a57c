//! The interactive session.

use std::fs;
use std::path::PathBuf;

use bucketline::Session;
use bucketline::sql::{is_unfinished, mask_source};
use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Behavior, Config, Editor, Helper};

use crate::ending::Ending;
use crate::error::{Error, Result};
use crate::execute::{Stage, run};
use crate::reporter::Reporter;
use crate::script::Script;
use crate::settings::Settings;

const HELP: &str = "\
Statements end with a semicolon and may have several lines.

  SHOW CONNECTIONS;  SHOW SCHEMAS;  SHOW TABLES;      what there is
  SHOW COLUMNS FROM PullRequests;                     a table's columns
  USE prod.Information;                               another connection, or schema
  SELECT ...;                                         reads the source, or a copy (destination.Name)
  REPLICATE PullRequests;                             copies a table, then keeps it up to date
  EXPLAIN SELECT ...;  EXPLAIN REPLICATE ...;         the requests that it would make

  \\?, help     this page
  \\q, quit     leaves, as Ctrl-D does
  Ctrl-C       clears the line, or stops the statement; what was committed stays
";

/// What was typed.
#[derive(Debug, PartialEq, Eq)]
enum Input {
    Nothing,
    Help,
    Quit,
    Unknown(String),
    Sql,
}

impl Input {
    fn of(text: &str) -> Self {
        let word = text.trim().trim_end_matches(';').trim_end();
        match word.to_ascii_lowercase().as_str() {
            "" => Self::Nothing,
            "\\?" | "\\h" | "\\help" | "help" | "?" => Self::Help,
            "\\q" | "\\quit" | "quit" | "exit" => Self::Quit,
            command if command.starts_with('\\') => Self::Unknown(word.to_owned()),
            _ => Self::Sql,
        }
    }
}

/// Tells the line editor when a statement is complete.
struct Semicolon;

impl Helper for Semicolon {}
impl Highlighter for Semicolon {}

impl Completer for Semicolon {
    type Candidate = String;
}

impl Hinter for Semicolon {
    type Hint = String;
}

impl Validator for Semicolon {
    fn validate(&self, context: &mut ValidationContext) -> rustyline::Result<ValidationResult> {
        let text = context.input();
        Ok(match Input::of(text) {
            Input::Sql if is_unfinished(text) => ValidationResult::Incomplete,
            _ => ValidationResult::Valid(None),
        })
    }
}

/// The line editor and its history.
struct Lines {
    editor: Editor<Semicolon, FileHistory>,
    history: Option<PathBuf>,
}

impl Lines {
    fn open(state: Option<&PathBuf>, reporter: &mut Reporter) -> Result<Self> {
        let config = Config::builder()
            .history_ignore_space(true)
            .behavior(Behavior::PreferTerm)
            .build();
        let mut editor = Editor::with_config(config)?;
        editor.set_helper(Some(Semicolon));
        let mut lines = Self {
            editor,
            history: None,
        };
        if let Some(folder) = state {
            match fs::create_dir_all(folder) {
                Ok(()) => {
                    let path = folder.join("history");
                    // There is none before the first session.
                    drop(lines.editor.load_history(&path));
                    lines.history = Some(path);
                }
                Err(error) => {
                    let folder = folder.display();
                    reporter.note(&format!("the history is not kept: {folder}: {error}"));
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

    /// Keeps a statement in the history, unless a secret stands in it.
    fn remember(&mut self, text: &str) {
        if mask_source(text) != text {
            return;
        }
        let added = self
            .editor
            .add_history_entry(text.trim_end())
            .unwrap_or(false);
        if let (true, Some(path)) = (added, &self.history) {
            // The session is worth more than its history.
            drop(self.editor.append_history(path));
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
        reporter.note("there is no connection; `bucketline --help` says how to make one");
    }
    let mut lines = Lines::open(settings.state.as_ref(), reporter)?;
    loop {
        // A Ctrl-C that comes when the statement has just ended must not end the session.
        let _idle = stage.interrupts.arm();
        let (returned, line) = lines.read(prompt(session)).await?;
        lines = returned;
        let text = match line {
            Ok(text) => text,
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => return Ok(Ending::Success),
            Err(error) => return Err(error.into()),
        };
        match Input::of(&text) {
            Input::Nothing => {}
            Input::Help => stage.reporter.block(HELP),
            Input::Quit => return Ok(Ending::Success),
            Input::Unknown(command) => {
                stage.reporter.note(&format!(
                    "{command} is no command; \\? shows those that there are"
                ));
            }
            Input::Sql => {
                lines.remember(&text);
                stage.output.start_afresh();
                run(session, &Script::typed(text), stage).await?;
            }
        }
    }
}

/// `prod.Information> `
fn prompt(session: &Session) -> String {
    match session.current() {
        (connection, _) if connection.is_empty() => "bucketline> ".to_owned(),
        (connection, None) => format!("{connection}> "),
        (connection, Some(schema)) => format!("{connection}.{schema}> "),
    }
}

#[cfg(test)]
mod tests {
    use super::Input;

    #[test]
    fn commands_are_told_from_statements() {
        for (text, input) in [
            ("  \n", Input::Nothing),
            (";", Input::Nothing),
            ("\\?", Input::Help),
            ("HELP;", Input::Help),
            ("quit", Input::Quit),
            ("\\q", Input::Quit),
            ("\\x 1", Input::Unknown("\\x 1".to_owned())),
            ("SELECT 1;", Input::Sql),
            ("help me", Input::Sql),
        ] {
            assert_eq!(Input::of(text), input, "{text:?}");
        }
    }
}
