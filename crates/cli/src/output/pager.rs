//! Results that are larger than the terminal, shown by a pager.

use std::io::{self, Write};
use std::process::{Child, ChildStdin, Stdio};

use console::Term;
use unicode_width::UnicodeWidthStr;

use crate::interrupt::{Interrupts, Unheard};
use crate::shell;

/// What shows results where the environment does not say.
const PAGER: &str = "less";

/// How `less` shows them where its own variable does not say: colours as they are, long lines not folded, and what was
/// shown stays on the terminal.
const LESS: &str = "RSX";

/// Lines that the prompt and the summary of a statement take.
const AROUND: usize = 2;

/// The program that shows results which are taller or wider than the terminal.
#[derive(Debug, Clone)]
pub(crate) struct Pager {
    command: String,
    interrupts: Interrupts,
}

impl Pager {
    /// The one of `BUCKETLINE_PAGER`, else of `PAGER`; `None` if that is empty or `cat`.
    pub(crate) fn of_environment(interrupts: &Interrupts) -> Option<Self> {
        let named = ["BUCKETLINE_PAGER", "PAGER"];
        let mut named = named.into_iter().filter_map(std::env::var_os);
        let command = match named.next() {
            Some(command) => command.into_string().ok()?,
            None => PAGER.to_owned(),
        };
        let command = command.trim().to_owned();
        (!matches!(command.as_str(), "" | "cat")).then(|| Self {
            command,
            interrupts: interrupts.clone(),
        })
    }

    /// Starts it.
    fn start(&self) -> io::Result<Child> {
        let mut command = shell::command(&self.command, &[]);
        if std::env::var_os("LESS").is_none() {
            command.env("LESS", LESS);
        }
        command.stdin(Stdio::piped()).spawn()
    }

    /// A page for one result.
    pub(super) fn page(&self) -> Page {
        let (rows, columns) = Term::stdout().size();
        Page {
            pager: self.clone(),
            rows: rows.into(),
            columns: columns.into(),
            held: Vec::new(),
            state: State::Held,
        }
    }
}

/// A result on its way to the terminal: held back while it may fit, then given to the pager.
pub(super) struct Page {
    pager: Pager,
    rows: usize,
    columns: usize,
    held: Vec<u8>,
    state: State,
}

enum State {
    Held,
    /// The pager shows it. Until it ends Ctrl-C is meant for it.
    Shown {
        program: Child,
        input: ChildStdin,
        _unheard: Unheard,
    },
    /// The pager could not be started.
    Plain,
}

impl Page {
    /// The user has left the pager.
    pub(super) fn is_left(&mut self) -> bool {
        match &mut self.state {
            State::Shown { program, .. } => !matches!(program.try_wait(), Ok(None)),
            State::Held | State::Plain => false,
        }
    }

    pub(super) fn is_shown(&self) -> bool {
        matches!(self.state, State::Shown { .. })
    }

    /// Prints what fits, or waits until the user has left the pager.
    pub(super) fn finish(self) -> io::Result<()> {
        match self.state {
            State::Held => print(&self.held),
            State::Plain => Ok(()),
            State::Shown {
                mut program, input, ..
            } => {
                drop(input);
                program.wait().map(drop)
            }
        }
    }

    fn is_larger(&self) -> bool {
        let text = String::from_utf8_lossy(&self.held);
        text.lines().count() + AROUND > self.rows
            || text.lines().any(|line| line.width() > self.columns)
    }

    fn show(&mut self) -> io::Result<()> {
        let held = std::mem::take(&mut self.held);
        let Ok(mut program) = self.pager.start() else {
            self.state = State::Plain;
            return print(&held);
        };
        let Some(mut input) = program.stdin.take() else {
            return Err(io::Error::other("the pager takes no input"));
        };
        let written = input.write_all(&held);
        self.state = State::Shown {
            program,
            input,
            _unheard: self.pager.interrupts.unheard(),
        };
        written
    }
}

impl Write for Page {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        match &mut self.state {
            State::Shown { input, .. } => input.write_all(text)?,
            State::Plain => print(text)?,
            State::Held => {
                self.held.extend_from_slice(text);
                if text.contains(&b'\n') && self.is_larger() {
                    self.show()?;
                }
            }
        }
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.state {
            State::Shown { input, .. } => input.flush(),
            State::Held | State::Plain => Ok(()),
        }
    }
}

fn print(text: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text)?;
    out.flush()
}
