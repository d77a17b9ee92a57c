//! Lines from the terminal, their history and what completes them.

use std::path::PathBuf;
use std::time::Duration;

use bucketline::Session;
use bucketline::sql::mask_source;
use rustyline::history::FileHistory;
use rustyline::{Behavior, CompletionType, Config, Editor};

use super::complete::Names;
use super::line::LineHelper;
use super::remembered::Remembered;
use crate::error::{Error, Result};
use crate::reporter::Reporter;

/// How long the names of a destination are waited for before a prompt.
const PATIENCE: Duration = Duration::from_millis(100);

/// The line editor and its history.
pub(super) struct Lines {
    editor: Editor<LineHelper, FileHistory>,
    history: Option<PathBuf>,
    remembered: Remembered,
}

impl Lines {
    pub(super) fn open(state: Option<&PathBuf>, reporter: &mut Reporter) -> Result<Self> {
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

    /// Reads a line that begins with `initial`, on a thread of its own since the terminal makes it wait.
    pub(super) async fn read(
        mut self,
        prompt: String,
        initial: String,
    ) -> Result<(Self, rustyline::Result<String>)> {
        let reading = tokio::task::spawn_blocking(move || {
            let line = self.editor.readline_with_initial(&prompt, (&initial, ""));
            (self, line)
        });
        reading
            .await
            .map_err(|error| Error::Terminal(std::io::Error::other(error).into()))
    }

    /// Keeps what was typed in the history, secrets masked.
    pub(super) fn remember(&mut self, text: &str) {
        if text.trim().is_empty() {
            return;
        }
        let added = self
            .editor
            .add_history_entry(mask_source(text.trim_end()))
            .unwrap_or(false);
        if let (true, Some(path)) = (added, &self.history) {
            // The session is worth more than its history.
            drop(self.editor.append_history(path));
        }
    }

    /// Completes with these names from now on, behind a statement that was `begun`; a destination that keeps one
    /// waiting is left for later.
    pub(super) async fn learn(&mut self, session: &Session, begun: &str) {
        let learnt = tokio::time::timeout(PATIENCE, session.vocabulary()).await;
        let Some(helper) = self.editor.helper_mut() else {
            return;
        };
        begun.clone_into(&mut helper.begun);
        if let Ok(mut vocabulary) = learnt {
            self.remembered.complete(&mut vocabulary);
            helper.names = Names {
                vocabulary,
                current: session.current().0,
            };
        }
    }

    /// The names of the tables in a connection, or in the current one if there is none of that name.
    pub(super) fn tables(&self, connection: &str) -> Vec<String> {
        let helper = self.editor.helper();
        helper.map_or_else(Vec::new, |helper| helper.names.tables(connection))
    }
}
