//! The command line of Bucketline: scripts, one-liners, an interactive session, a sandbox.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod app;
mod application;
mod arguments;
mod browser;
mod connect;
mod demo;
mod diagnostic;
mod ending;
mod error;
mod escape;
mod execute;
mod interrupt;
mod log;
mod manual;
mod output;
mod repl;
mod reporter;
mod sandbox;
mod script;
mod serve;

mod settings;
mod shell;
mod threads;
mod trust;

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

use crate::arguments::{Arguments, ColorChoice, Command, Options};
use crate::ending::Ending;
use crate::error::{Error, Result};
use crate::escape::{escape_except, is_harmful};
use crate::execute::{Stage, plan_all, run_all};
use crate::interrupt::Interrupts;
use crate::log::Filter;
use crate::output::Output;
use crate::reporter::Reporter;
use crate::script::Script;
use crate::settings::{Settings, Surroundings};
use crate::threads::with_threads;

/// What the authors of the packages in this program want to be passed on; written by `cargo x docs`.
const NOTICES: &str = include_str!("../notices.txt");

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return refuse(&error),
    };
    if arguments.command.is_some() && !arguments.execute.is_empty() {
        let message = "-e stands alone: give either SQL or a command";
        return refuse(&Arguments::command().error(ErrorKind::ArgumentConflict, message));
    }
    let coloured = is_coloured(arguments.options.color);
    if arguments.licenses {
        // Whoever reads may have read enough.
        let _ = io::stdout().write_all(NOTICES.as_bytes());
        return Ending::Success.into();
    }
    let filter = arguments.options.log.clone();
    let filter = filter.unwrap_or_else(|| match arguments.command {
        // Nobody else hears what happens between requests.
        Some(Command::Serve(_)) => Filter::of_server(),
        _ => Filter::default(),
    });
    if !filter.is_off() {
        log::start(filter, arguments.options.log_format);
    }
    let ended = start(&arguments, coloured);
    let ending = ended.unwrap_or_else(|error| {
        Reporter::new(&arguments.options, coloured).failed_to_start(&error);
        match error {
            Error::Library(error) => Ending::of(&error),
            Error::Output(_)
            | Error::Input(_)
            | Error::Terminal(_)
            | Error::Runtime(_)
            | Error::NoJob { .. } => Ending::Failed,
            _ => Ending::Usage,
        }
    });
    ending.into()
}

/// Ends the program with what is wrong with its arguments, or with the help or version that they ask for. What a
/// terminal would obey in them is escaped, and then nothing is coloured.
fn refuse(error: &clap::Error) -> ExitCode {
    let is_obeyed = |c: char| is_harmful(c) && !matches!(c, '\n' | '\t');
    let mut arguments = std::env::args_os();
    // Whoever closed the output does not want to be told.
    drop(
        match arguments.any(|it| it.to_string_lossy().contains(is_obeyed)) {
            true => {
                let told = error.render().to_string();
                io::stderr().write_all(escape_except(&told, &['\n', '\t']).as_bytes())
            }
            false => error.print(),
        },
    );
    match error.use_stderr() {
        true => Ending::Usage.into(),
        false => Ending::Success.into(),
    }
}

/// Starts the program's threads, not before it is known that they are needed.
fn start(arguments: &Arguments, coloured: bool) -> Result<Ending> {
    with_threads(|runtime| runtime.block_on(Box::pin(dispatch(arguments, coloured))))?
}

async fn dispatch(arguments: &Arguments, coloured: bool) -> Result<Ending> {
    let interrupts = Interrupts::listen();
    let options = &arguments.options;
    let scripts = match &arguments.command {
        Some(Command::Sandbox(sandbox)) => return sandbox::serve(sandbox, &interrupts).await,
        Some(Command::Completions { shell }) => {
            return manual::completions(*shell).map(|()| Ending::Success);
        }
        Some(Command::Man { command }) => {
            return manual::page(command.as_deref()).map(|()| Ending::Success);
        }
        Some(Command::Demo(demo)) => {
            let destination = options.destination.as_deref();
            return demo::run_demo(demo, destination, coloured, &interrupts).await;
        }
        Some(Command::Connect(connect)) => {
            let settings = settings(options)?;
            let reporter = Reporter::new(options, coloured).without_progress();
            return connect::connect(connect, &settings, reporter, &interrupts).await;
        }
        Some(Command::Serve(serve)) => {
            let settings = settings(options)?;
            let mut reporter = Reporter::new(options, coloured).without_progress();
            settings.notes.iter().for_each(|note| reporter.note(note));
            return serve::serve(serve, &settings, &interrupts).await;
        }
        Some(Command::App(app)) => {
            let settings = settings(options)?;
            let mut output = Output::stdout(options.format);
            return app::app(app, &settings, &mut output, &interrupts).await;
        }
        Some(Command::Run { files } | Command::Plan { files }) => Some(
            files
                .iter()
                .map(|file| Script::read(file))
                .collect::<Result<_>>()?,
        ),
        Some(Command::Budget { connection }) => {
            Some(vec![Script::of_budget(connection.as_deref())])
        }
        None if !arguments.execute.is_empty() => Some(
            arguments
                .execute
                .iter()
                .cloned()
                .map(Script::from_argument)
                .collect::<Result<_>>()?,
        ),
        None if !io::stdin().is_terminal() => Some(vec![Script::standard_input()?]),
        None => None,
    };
    let settings = settings(options)?;
    let mut stage = Stage {
        output: Output::stdout(options.format),
        reporter: Reporter::new(options, coloured),
        interrupts,
    };
    for note in &settings.notes {
        stage.reporter.note(note);
    }
    let session = settings.open(browser::opener())?;
    match scripts {
        Some(scripts) if matches!(arguments.command, Some(Command::Plan { .. })) => {
            plan_all(&session, &scripts, &mut stage).await
        }
        Some(scripts) => run_all(&session, &scripts, &mut stage).await,
        None => repl::talk(&session, &settings, &mut stage).await,
    }
}

fn settings(options: &Options) -> Result<Settings> {
    let variable = |name: &str| std::env::var(name);
    let home = std::env::home_dir();
    Settings::resolve(
        options,
        &Surroundings {
            variable: &variable,
            variables: std::env::vars_os()
                .filter_map(|(name, value)| {
                    Some((name.into_string().ok()?, value.into_string().ok()))
                })
                .collect(),
            home,
            folder: PathBuf::new(),
            ask: &trust::ask,
        },
    )
}

fn is_coloured(choice: ColorChoice) -> bool {
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => {
            let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
                || std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
            io::stderr().is_terminal() && !plain
        }
    }
}
