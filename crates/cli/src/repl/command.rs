//! The short commands of a session: a backslash, a word, and the rest of the line.

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;

use super::pattern::Listing;
use crate::arguments::Format;
use crate::output::Expanded;

pub(super) const HELP: &str = "\
Statements end with a semicolon and may have several lines; Tab completes names.

  SHOW CONNECTIONS;  SHOW SCHEMAS;  SHOW TABLES;      what there is
  USE prod.Information;                               another connection, or schema
  SELECT ...;                                         reads the source, or a copy (destination.Name)
  REPLICATE PullRequests;                             copies a table, then keeps it up to date
  EXPLAIN [ANALYZE] ...;                              the requests that a statement makes

  \\d           tables of this connection        \\g [FILE]    run the statement, into a file
  \\d NAME      columns of a table, or of those  \\gx          run it, a line for each column
                that match a pattern: *Request*  \\watch [N]   run it every N seconds
  \\d+ NAME     columns and what the table is    \\e [FILE]    edit it, or a file, in an editor
  \\dt [NAME]   tables, \\dt+ what they are       \\p           print it
  \\dn          schemas                          \\r           forget it
  \\df, \\dp     functions, procedures            \\i FILE      run a script
  \\l           connections                      \\o FILE      results go into a file, `| command`
  \\c NAME      USE                                            to a program, \\o back to the screen

  \\o FORMAT    table, vertical, csv, json,      \\set X TEXT  variable: :X is TEXT, :'X' a text in
                ndjson, markdown                              quotes, :\"X\" a name; \\unset X
  \\x           a line for each column, and      \\set         variables and options
                back; on, off, auto              \\timing      what each statement took, or not
  \\pset null TEXT   what stands for NULL        \\b           what is left of the request budgets
  \\pset        how results are printed          \\?           this page
  \\pager [off] large results in a pager         \\q           leave, as Ctrl-D does

  \\copy NAME FROM FILE   rows of a CSV file into a table of your own; \\copy NAME TO FILE

  SET @x = 1;   a parameter: @x is 1

  Ctrl-C clears the line, or stops the statement; what was committed stays
";

/// Seconds between two runs of `\watch`.
const PACE: Duration = Duration::from_secs(2);

/// What a command asks for.
#[derive(Debug, PartialEq)]
pub(super) enum Command {
    Help,
    Quit,
    /// Where results go from now on.
    Output(Target),
    /// Print results so; without a word, the other way than now.
    Expanded(Option<Expanded>),
    /// What stands for NULL; without a text, say it.
    Null(Option<String>),
    /// Say how results are printed.
    Settings,
    /// Show large results in a pager, or do not.
    Pager(bool),
    /// Tell what each statement took, or do not; without a word, the other way than now.
    Timing(Option<bool>),
    /// Say what is left of the request budgets.
    Budgets,
    /// Run a script.
    Run(PathBuf),
    /// Edit the statement, or a file.
    Edit(Option<PathBuf>),
    /// Run the statement.
    Go {
        to: Option<Target>,
        vertical: bool,
    },
    /// Run it again and again.
    Watch {
        pace: Duration,
        times: Option<u32>,
    },
    /// Print the statement.
    Print,
    /// Forget it.
    Reset,
    /// Say the variables and the options.
    Variables,
    Define {
        name: String,
        text: String,
    },
    Undefine(String),
    /// Describe or list tables.
    List(Listing),
    /// What it stands for.
    Sql(String),
}

/// Where results go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    Screen,
    /// There too, in this format from now on.
    Format(Format),
    File(PathBuf),
    Program(String),
}

impl Command {
    /// Reads a command, or says what is wrong with it.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let plain = text.trim().trim_end_matches(';').trim_end();
        let (command, rest) = match plain.split_once(char::is_whitespace) {
            Some((command, rest)) => (command, rest.trim()),
            None => (plain, ""),
        };
        let needs = |what: &str| Err(format!("{command} needs {what}"));
        let sql = |sql: &str| Ok(Self::Sql(sql.to_owned()));
        Ok(match (command.to_ascii_lowercase().as_str(), rest) {
            ("\\?" | "\\h" | "\\help", "") => Self::Help,
            ("\\q" | "\\quit", "") => Self::Quit,
            ("\\x", "") => Self::Expanded(None),
            ("\\x", word) => Self::Expanded(Some(expanded(word)?)),
            ("\\pset", "") => Self::Settings,
            ("\\pset", setting) => return pset(setting),
            ("\\timing", "") => Self::Timing(None),
            ("\\timing", word) => Self::Timing(Some(switch(word)?)),
            ("\\pager", "") => Self::Pager(true),
            ("\\pager", word) => Self::Pager(switch(word)?),
            ("\\b", "") => Self::Budgets,
            ("\\o", "") => Self::Output(Target::Screen),
            ("\\o", target) => Self::Output(self::target(target, true)),
            ("\\g" | "\\gx", target) => Self::Go {
                to: (!target.is_empty()).then(|| self::target(target, false)),
                vertical: command.eq_ignore_ascii_case("\\gx"),
            },
            ("\\watch", words) => return watch(words),
            ("\\e" | "\\edit", file) => Self::Edit((!file.is_empty()).then(|| path(file))),
            ("\\p" | "\\print", "") => Self::Print,
            ("\\r" | "\\reset", "") => Self::Reset,
            ("\\i" | "\\include", "") => return needs("a file"),
            ("\\i" | "\\include", file) => Self::Run(path(file)),
            ("\\set", "") => Self::Variables,
            ("\\set", definition) => {
                let (name, text) = definition
                    .split_once(char::is_whitespace)
                    .unwrap_or((definition, ""));
                if !is_name(name) {
                    return Err(format!(
                        "{name} cannot be a variable: letters, digits and _ can"
                    ));
                }
                Self::Define {
                    name: name.to_owned(),
                    text: unquoted(text.trim()),
                }
            }
            ("\\unset", "") => return needs("a variable"),
            ("\\unset", name) => Self::Undefine(name.to_owned()),
            ("\\d" | "\\d+" | "\\dt" | "\\dt+", pattern) => {
                let command = command.to_ascii_lowercase();
                let is_full = command.ends_with('+');
                Self::List(match command.starts_with("\\dt") || pattern.is_empty() {
                    true => Listing::tables(pattern, is_full)?,
                    false => Listing::columns(pattern, is_full)?,
                })
            }
            ("\\dn", pattern) => Self::List(Listing::schemas(pattern)?),
            ("\\df", pattern) => return sql(&format!("SHOW FUNCTIONS{};", like(pattern)?)),
            ("\\dp", pattern) => return sql(&format!("SHOW PROCEDURES{};", like(pattern)?)),
            ("\\l", pattern) => return sql(&format!("SHOW CONNECTIONS{};", like(pattern)?)),
            ("\\copy", copy) => return sql(&super::copy::statement(copy)?),
            ("\\c", "") => return needs("a connection"),
            ("\\c", name) => return sql(&format!("USE {name};")),
            _ => return Err(format!("{plain} is no command")),
        })
    }

    /// A word that stands for a command where no statement was begun.
    pub(super) fn of_word(text: &str) -> Option<Self> {
        let plain = text.trim().trim_end_matches(';').trim_end();
        match plain.to_ascii_lowercase().as_str() {
            "help" | "?" => Some(Self::Help),
            "quit" | "exit" => Some(Self::Quit),
            _ => None,
        }
    }
}

pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || c == '_')
}

fn like(pattern: &str) -> Result<String, String> {
    super::pattern::like(pattern)
}

/// `null TEXT`, `format FORMAT`, `expanded on`, `pager off`
fn pset(setting: &str) -> Result<Command, String> {
    let (name, value) = match setting.split_once(char::is_whitespace) {
        Some((name, value)) => (name, Some(value.trim())),
        None => (setting, None),
    };
    Ok(match (name.to_ascii_lowercase().as_str(), value) {
        ("null", text) => Command::Null(text.map(unquoted)),
        ("format", Some(format)) => match Format::from_str(format, true) {
            Ok(format) => Command::Output(Target::Format(format)),
            Err(_) => return Err(format!("there is no format {format}")),
        },
        ("format", None) => Command::Settings,
        ("expanded", word) => Command::Expanded(word.map(expanded).transpose()?),
        ("pager", word) => Command::Pager(word.map_or(Ok(true), switch)?),
        _ => {
            return Err(format!(
                "\\pset has no setting {name}; there are null, format, expanded, pager"
            ));
        }
    })
}

fn expanded(word: &str) -> Result<Expanded, String> {
    match word.to_ascii_lowercase().as_str() {
        "auto" => Ok(Expanded::Auto),
        word => Ok(match switch(word)? {
            true => Expanded::On,
            false => Expanded::Off,
        }),
    }
}

fn switch(word: &str) -> Result<bool, String> {
    match word.to_ascii_lowercase().as_str() {
        "on" | "true" | "1" => Ok(true),
        "off" | "false" | "0" => Ok(false),
        _ => Err(format!("{word} is neither on nor off")),
    }
}

/// A format by its name, if one may stand here, a program behind `|`, else a file.
fn target(text: &str, or_format: bool) -> Target {
    if let Some(program) = text.strip_prefix('|') {
        return Target::Program(program.trim().to_owned());
    }
    match Format::from_str(text, true) {
        Ok(format) if or_format => Target::Format(format),
        _ => Target::File(path(text)),
    }
}

/// `2`, `0.5`, `i=2 c=3`
fn watch(words: &str) -> Result<Command, String> {
    let (mut pace, mut times) = (PACE, None);
    for word in words.split_whitespace() {
        let wrong = || format!("\\watch takes seconds, and c=COUNT: {word} is neither");
        match word.strip_prefix("c=") {
            Some(count) => times = Some(count.parse().map_err(|_| wrong())?),
            None => {
                let seconds: f64 = word
                    .strip_prefix("i=")
                    .unwrap_or(word)
                    .parse()
                    .map_err(|_| wrong())?;
                pace = Duration::try_from_secs_f64(seconds).map_err(|_| wrong())?;
            }
        }
    }
    Ok(Command::Watch { pace, times })
}

/// A path, with or without quotes; `~/` is the user's folder.
pub(super) fn path(text: &str) -> PathBuf {
    let text = unquoted(text);
    let home = text
        .strip_prefix("~/")
        .and_then(|rest| Some(std::env::home_dir()?.join(rest)));
    home.unwrap_or_else(|| PathBuf::from(text))
}

/// A text without the single or double quotes around it, a doubled one inside being one.
fn unquoted(text: &str) -> String {
    for quote in ['\'', '"'] {
        if let Some(inner) = text
            .strip_prefix(quote)
            .and_then(|text| text.strip_suffix(quote))
        {
            return inner.replace(&format!("{quote}{quote}"), &quote.to_string());
        }
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Command, Target};
    use crate::arguments::Format;
    use crate::output::Expanded;

    #[test]
    fn commands_are_read() {
        let sql = |text: &str| Command::Sql(text.to_owned());
        let go = |to, vertical| Command::Go { to, vertical };
        let watch = |millis, times| Command::Watch {
            pace: Duration::from_millis(millis),
            times,
        };
        let define = |name: &str, text: &str| Command::Define {
            name: name.to_owned(),
            text: text.to_owned(),
        };
        let file = |path: &str| Target::File(path.into());
        for (text, command) in [
            ("\\?", Command::Help),
            ("\\q", Command::Quit),
            ("\\x", Command::Expanded(None)),
            ("\\x auto", Command::Expanded(Some(Expanded::Auto))),
            ("\\x ON", Command::Expanded(Some(Expanded::On))),
            ("\\pager", Command::Pager(true)),
            ("\\pager off", Command::Pager(false)),
            ("\\timing off", Command::Timing(Some(false))),
            ("\\o", Command::Output(Target::Screen)),
            (
                "\\o NDJSON",
                Command::Output(Target::Format(Format::Ndjson)),
            ),
            ("\\o ./csv", Command::Output(file("./csv"))),
            ("\\o 'a b.txt'", Command::Output(file("a b.txt"))),
            (
                "\\o | wc -l",
                Command::Output(Target::Program("wc -l".into())),
            ),
            ("\\pset null", Command::Null(None)),
            ("\\pset null (null)", Command::Null(Some("(null)".into()))),
            ("\\pset null ''", Command::Null(Some(String::new()))),
            (
                "\\pset format csv",
                Command::Output(Target::Format(Format::Csv)),
            ),
            ("\\g", go(None, false)),
            ("\\gx", go(None, true)),
            ("\\g csv", go(Some(file("csv")), false)),
            ("\\watch", watch(2_000, None)),
            ("\\watch 0.5", watch(500, None)),
            ("\\watch i=3 c=2", watch(3_000, Some(2))),
            ("\\e", Command::Edit(None)),
            ("\\i a b.sql", Command::Run("a b.sql".into())),
            ("\\i \"a b.sql\";", Command::Run("a b.sql".into())),
            ("\\set", Command::Variables),
            ("\\set x 1", define("x", "1")),
            ("\\set x 'it''s'", define("x", "it's")),
            ("\\set x", define("x", "")),
            ("\\unset x", Command::Undefine("x".into())),
            ("\\c prod", sql("USE prod;")),
            ("\\l", sql("SHOW CONNECTIONS;")),
            ("\\df DATE*", sql("SHOW FUNCTIONS LIKE 'DATE%';")),
        ] {
            assert_eq!(Command::read(text), Ok(command), "{text:?}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_command_is_said() {
        for (text, said) in [
            ("\\nothing", "\\nothing is no command"),
            ("\\q now", "\\q now is no command"),
            ("\\i", "\\i needs a file"),
            ("\\x wide", "wide is neither on nor off"),
            ("\\pset format xml", "there is no format xml"),
            (
                "\\pset title x",
                "\\pset has no setting title; there are null, format, expanded, pager",
            ),
            (
                "\\watch soon",
                "\\watch takes seconds, and c=COUNT: soon is neither",
            ),
            (
                "\\watch -1",
                "\\watch takes seconds, and c=COUNT: -1 is neither",
            ),
            (
                "\\set a-b 1",
                "a-b cannot be a variable: letters, digits and _ can",
            ),
        ] {
            assert_eq!(Command::read(text), Err(said.to_owned()), "{text:?}");
        }
    }
}
