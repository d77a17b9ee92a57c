//! Programs that the user names: a pager, an editor, what results are piped to.

use std::ffi::OsStr;
use std::process::Command;

/// What runs a program with arguments. A line of several words is the shell's to read.
pub(crate) fn command(line: &str, arguments: &[&OsStr]) -> Command {
    let mut command = match line.contains(char::is_whitespace) {
        false => Command::new(line),
        true if cfg!(windows) => {
            let mut shell = Command::new("cmd");
            shell.args(["/C", line]);
            shell
        }
        true => {
            let mut shell = Command::new("sh");
            let script = match arguments {
                [] => line.to_owned(),
                _ => format!("{line} \"$@\""),
            };
            shell.args(["-c", &script, "sh"]);
            shell
        }
    };
    command.args(arguments);
    command
}
