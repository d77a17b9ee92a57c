//! What the declaration of the command line becomes: completions and manual pages.

use std::io::{self, Write};

use clap::CommandFactory;
use clap_complete::Shell;
use clap_mangen::Man;

use crate::arguments::Arguments;
use crate::error::{Error, Result};

/// Prints a script that completes commands and options.
pub(crate) fn completions(shell: Shell) -> Result<()> {
    let mut script = Vec::new();
    let mut command = Arguments::command();
    let name = command.get_name().to_owned();
    clap_complete::generate(shell, &mut command, name, &mut script);
    print(&script)
}

/// Prints the manual page of the program, or of one of its commands.
pub(crate) fn page(command: Option<&str>) -> Result<()> {
    let mut program = Arguments::command();
    program.build();
    let described = match command {
        None => program,
        Some(name) => {
            let found = program.find_subcommand(name).cloned();
            found.ok_or_else(|| Error::UnknownCommand {
                name: name.to_owned(),
            })?
        }
    };
    let mut page = Vec::new();
    Man::new(described)
        .render(&mut page)
        .map_err(Error::Output)?;
    print(&page)
}

fn print(text: &[u8]) -> Result<()> {
    let mut out = io::stdout();
    let printed = out.write_all(text).and_then(|()| out.flush());
    match printed {
        // Nobody reads on, as in `| head`.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        printed => printed.map_err(Error::Output),
    }
}
