//! What was typed, cut into statements and commands.

use bucketline::sql::is_unfinished;
use unicode_width::UnicodeWidthStr;

use super::command::Command;
use super::token::{Kind, tokens};

/// Lines on their way to be statements and commands.
#[derive(Debug, Default)]
pub(super) struct Entry {
    /// The statement that was begun and has no end yet.
    begun: String,
    /// Lines that were not looked at yet.
    rest: String,
}

/// What can be done now.
#[derive(Debug, PartialEq)]
pub(super) enum Piece {
    /// One or more whole statements.
    Statements(String),
    /// A command, as it was typed; it may be about the statement that was begun.
    Command(String),
    /// A word that stands for one.
    Word(Command),
}

impl Entry {
    /// Adds a line, or several that were pasted.
    pub(super) fn add(&mut self, line: &str) {
        self.rest.push_str(line);
        self.rest.push('\n');
    }

    /// The statement that was begun; empty if none was.
    pub(super) fn begun(&self) -> &str {
        match self.begun.trim() {
            "" => "",
            _ => &self.begun,
        }
    }

    pub(super) fn forget_begun(&mut self) {
        self.begun.clear();
    }

    /// The next that can be done. Without any, more lines are needed.
    pub(super) fn next(&mut self) -> Option<Piece> {
        if self.begun().is_empty() {
            if let Some(word) = Command::of_word(&self.rest) {
                self.rest.clear();
                return Some(Piece::Word(word));
            }
            self.begun.clear();
        }
        let whole = std::mem::take(&mut self.begun) + &std::mem::take(&mut self.rest);
        let command = command_start(&whole);
        let before = &whole[..command.unwrap_or(whole.len())];
        let statements = match before.trim() {
            "" => 0,
            _ if !is_unfinished(before) => before.len(),
            // Nothing is done before a line's end unless a command parts it.
            _ if command.is_none() => 0,
            _ => last_end(before),
        };
        if !before[..statements]
            .trim_matches([';', ' ', '\t', '\n', '\r'])
            .is_empty()
        {
            whole[statements..].clone_into(&mut self.rest);
            return Some(Piece::Statements(whole[..statements].trim().to_owned()));
        }
        before[statements..].clone_into(&mut self.begun);
        let start = command?;
        let end = whole[start..]
            .find('\n')
            .map_or(whole.len(), |at| start + at);
        whole[end..].clone_into(&mut self.rest);
        Some(Piece::Command(whole[start..end].to_owned()))
    }
}

/// Where the first command begins: a backslash outside of quotes, behind a blank or a semicolon.
pub(super) fn command_start(text: &str) -> Option<usize> {
    let mut tokens = tokens(text).into_iter();
    let found = tokens.find(|token| {
        let before = text[..token.range.start].chars().next_back();
        token.text(text) == "\\" && before.is_none_or(|c| c.is_whitespace() || c == ';')
    });
    found.map(|token| token.range.start)
}

/// Behind the last semicolon.
fn last_end(text: &str) -> usize {
    let tokens = tokens(text).into_iter();
    let mut ends = tokens.filter(|token| token.text(text) == ";");
    ends.next_back().map_or(0, |token| token.range.end)
}

/// The prompt of a line that goes on with a statement: as wide as the first one, with the quote that is open.
pub(super) fn continuation(prompt: &str, begun: &str) -> String {
    let open = tokens(begun).pop().filter(|token| token.is_open);
    let sign = match open.as_ref().map(|token| (token.kind, token.text(begun))) {
        Some((Kind::Text, _)) => "'",
        Some((Kind::Quoted, name)) => name.get(..1).unwrap_or("\""),
        Some((Kind::Comment, _)) => "*",
        _ => "-",
    };
    let width = prompt.width().saturating_sub(2);
    format!("{sign:>width$}> ")
}

#[cfg(test)]
mod tests {
    use super::{Entry, Piece, continuation};
    use crate::repl::command::Command;

    /// What is done after these lines, and what is begun.
    fn done(lines: &[&str]) -> (Vec<Piece>, String) {
        let mut entry = Entry::default();
        let mut pieces = Vec::new();
        for line in lines {
            entry.add(line);
            pieces.extend(std::iter::from_fn(|| entry.next()));
        }
        (pieces, entry.begun().trim().to_owned())
    }

    #[test]
    fn lines_become_statements_and_commands() {
        let sql = |text: &str| Piece::Statements(text.to_owned());
        let command = |text: &str| Piece::Command(text.to_owned());
        for (lines, pieces, begun) in [
            (&[""][..], vec![], ""),
            (&[";", " ; ;"], vec![], ""),
            (&["-- nothing"], vec![sql("-- nothing")], ""),
            (&["SELECT 1;"], vec![sql("SELECT 1;")], ""),
            (
                &["SELECT 1; SELECT 2;"],
                vec![sql("SELECT 1; SELECT 2;")],
                "",
            ),
            (&["SELECT 1,", "2", ";"], vec![sql("SELECT 1,\n2\n;")], ""),
            (&["SELECT 1; SELECT"], vec![], "SELECT 1; SELECT"),
            (&["SELECT 'a;", "b';"], vec![sql("SELECT 'a;\nb';")], ""),
            (&["SELECT 1 \\g"], vec![command("\\g")], "SELECT 1"),
            (
                &["SELECT 1;\\gx"],
                vec![sql("SELECT 1;"), command("\\gx")],
                "",
            ),
            (
                &["SELECT 1; SELECT 2 \\g x"],
                vec![sql("SELECT 1;"), command("\\g x")],
                "SELECT 2",
            ),
            (
                &["SELECT", "\\d", "1;"],
                vec![command("\\d"), sql("SELECT\n\n1;")],
                "",
            ),
            (
                &["\\d\nSELECT 1;\n\\l"],
                vec![command("\\d"), sql("SELECT 1;"), command("\\l")],
                "",
            ),
            (&["SELECT '\\d'"], vec![], "SELECT '\\d'"),
            (
                &["SELECT 1 INTO csv://C:\\d\\e FROM t;"],
                vec![sql("SELECT 1 INTO csv://C:\\d\\e FROM t;")],
                "",
            ),
            (&["help"], vec![Piece::Word(Command::Help)], ""),
            (&["exit;"], vec![Piece::Word(Command::Quit)], ""),
            (&["SELECT", "help"], vec![], "SELECT\nhelp"),
        ] {
            assert_eq!(done(lines), (pieces, begun.to_owned()), "{lines:?}");
        }
    }

    #[test]
    fn a_line_that_goes_on_says_what_is_open() {
        for (begun, prompt) in [
            ("SELECT\n", "   -> "),
            ("SELECT 'a\n", "   '> "),
            ("SELECT \"a\n", "   \"> "),
            ("SELECT [a\n", "   [> "),
            ("/* a\n", "   *> "),
            ("SELECT 1 -- a\n", "   -> "),
        ] {
            assert_eq!(continuation("prod> ", begun), prompt, "{begun}");
        }
    }
}
