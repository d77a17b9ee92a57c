//! What was typed: a statement, or one of the short commands.

use std::path::PathBuf;

use clap::ValueEnum;

use crate::arguments::Format;

pub(super) const HELP: &str = "\
Statements end with a semicolon and may have several lines; Tab completes names.

  SHOW CONNECTIONS;  SHOW SCHEMAS;  SHOW TABLES;      what there is
  USE prod.Information;                               another connection, or schema
  SELECT ...;                                         reads the source, or a copy (destination.Name)
  REPLICATE PullRequests;                             copies a table, then keeps it up to date
  EXPLAIN [ANALYZE] ...;                              the requests that a statement makes

  \\d [TABLE]   tables, or a table's columns     \\o [FORMAT]  table, vertical, csv, json, ndjson, markdown
  \\dn          schemas                          \\x           one line for each column, and back
  \\df, \\dp     functions, procedures            \\timing      what each statement took, or not
  \\l           connections                      \\i FILE      runs a script
  \\c NAME      USE                              \\b           what is left of the request budgets
  \\set         options                          \\pager [off] results larger than the terminal in a pager
  \\?           this page                        \\q           leave, as Ctrl-D does

  Ctrl-C clears the line, or stops the statement; what was committed stays
";

/// What was typed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Input {
    Nothing,
    Help,
    Quit,
    /// Print results in this way, or say how.
    Format(Option<Format>),
    /// Print them one line for each column, or no longer.
    Vertical,
    /// Show large results in a pager, or do not.
    Pager(bool),
    /// Tell what each statement took, or no longer.
    Timing,
    /// Say what is left of the request budgets.
    Budgets,
    /// Run a script.
    Run(PathBuf),
    /// What is wrong with a command.
    Wrong(String),
    /// SQL as it was typed, or what a command stands for.
    Sql(String),
}

impl Input {
    pub(super) fn of(text: &str) -> Self {
        let plain = text.trim().trim_end_matches(';').trim_end();
        let (command, rest) = match plain.split_once(char::is_whitespace) {
            Some((command, rest)) => (command, rest.trim()),
            None => (plain, ""),
        };
        let sql = |sql: &str| Self::Sql(sql.to_owned());
        match (command.to_ascii_lowercase().as_str(), rest) {
            ("", _) => Self::Nothing,
            ("\\?" | "\\h" | "\\help" | "help" | "?", "") => Self::Help,
            ("\\q" | "\\quit" | "quit" | "exit", "") => Self::Quit,
            ("\\x", "") => Self::Vertical,
            ("\\timing", "") => Self::Timing,
            ("\\pager", "" | "on") => Self::Pager(true),
            ("\\pager", "off") => Self::Pager(false),
            ("\\b", "") => Self::Budgets,
            ("\\o", "") => Self::Format(None),
            ("\\o", format) => match Format::from_str(format, true) {
                Ok(format) => Self::Format(Some(format)),
                Err(_) => Self::Wrong(format!("there is no format {format}")),
            },
            ("\\i", "") => Self::Wrong("\\i needs a file".to_owned()),
            ("\\i", file) => Self::Run(PathBuf::from(file)),
            ("\\d", "") => sql("SHOW TABLES;"),
            ("\\d", table) => sql(&format!("DESCRIBE {table};")),
            ("\\dn", "") => sql("SHOW SCHEMAS;"),
            ("\\df", "") => sql("SHOW FUNCTIONS;"),
            ("\\dp", "") => sql("SHOW PROCEDURES;"),
            ("\\l", "") => sql("SHOW CONNECTIONS;"),
            ("\\set", "") => sql("SHOW OPTIONS;"),
            ("\\c", "") => Self::Wrong("\\c needs a connection".to_owned()),
            ("\\c", name) => sql(&format!("USE {name};")),
            (command, _) if command.starts_with('\\') => {
                Self::Wrong(format!("{plain} is no command"))
            }
            _ => sql(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Input;
    use crate::arguments::Format;

    #[test]
    fn commands_are_told_from_statements() {
        let sql = |text: &str| Input::Sql(text.to_owned());
        for (text, input) in [
            ("  \n", Input::Nothing),
            (";", Input::Nothing),
            ("\\?", Input::Help),
            ("HELP;", Input::Help),
            ("quit", Input::Quit),
            ("\\q", Input::Quit),
            ("\\x", Input::Vertical),
            ("\\x 1", Input::Wrong("\\x 1 is no command".to_owned())),
            ("\\pager", Input::Pager(true)),
            ("\\pager off", Input::Pager(false)),
            ("\\o", Input::Format(None)),
            ("\\o NDJSON", Input::Format(Some(Format::Ndjson))),
            ("\\o xml", Input::Wrong("there is no format xml".to_owned())),
            ("\\d", sql("SHOW TABLES;")),
            ("\\d prod.Issues;", sql("DESCRIBE prod.Issues;")),
            ("\\i a b.sql", Input::Run("a b.sql".into())),
            ("SELECT 1;", sql("SELECT 1;")),
            ("help me", sql("help me")),
        ] {
            assert_eq!(Input::of(text), input, "{text:?}");
        }
    }
}
