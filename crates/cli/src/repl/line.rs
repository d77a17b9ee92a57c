//! The line editor's helper: when a statement is complete, what can follow, and colours.

use std::borrow::Cow;

use rustyline::completion::Completer;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::{Hinter, HistoryHinter};
use rustyline::validate::Validator;
use rustyline::{Context, Helper, Result};

use super::complete::{Names, complete, is_keyword};
use super::token::{Kind, tokens};

/// Helps with a line while it is typed.
#[derive(Default)]
pub(super) struct LineHelper {
    pub(super) names: Names,
    pub(super) coloured: bool,
    /// The statement that the line goes on with.
    pub(super) begun: String,
}

impl LineHelper {
    /// What the word before the cursor can become, and where it begins in the line.
    fn complete_line(&self, line: &str, position: usize) -> (usize, Vec<String>) {
        let before = self.begun.len();
        let whole = format!("{}{line}", self.begun);
        let (start, found) = complete(&whole, before + position, &self.names);
        match start.checked_sub(before) {
            Some(start) => (start, found),
            None => (position, Vec::new()),
        }
    }
}

impl Helper for LineHelper {}

/// A line ends where the user ends it: what goes on has a prompt of its own.
impl Validator for LineHelper {}

impl Completer for LineHelper {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _context: &Context<'_>,
    ) -> Result<(usize, Vec<String>)> {
        Ok(self.complete_line(line, position))
    }
}

impl Hinter for LineHelper {
    type Hint = String;

    /// The rest of the one word that fits, else of the last statement that began like this. Without colours it could
    /// not be told from what was typed.
    fn hint(&self, line: &str, position: usize, context: &Context<'_>) -> Option<String> {
        if !self.coloured || position < line.len() || line.trim().is_empty() {
            return None;
        }
        let (start, found) = self.complete_line(line, position);
        match found.as_slice() {
            [_, ..] if is_keyword(&line[start..]) => None,
            [only] if start < position => only.get(position - start..).map(str::to_owned),
            _ => {
                let rest = HistoryHinter {}.hint(line, position, context)?;
                rest.lines().next().map(str::to_owned)
            }
        }
    }
}

impl Highlighter for LineHelper {
    fn highlight<'l>(&self, line: &'l str, _position: usize) -> Cow<'l, str> {
        if !self.coloured {
            return Cow::Borrowed(line);
        }
        let mut coloured = String::with_capacity(line.len() + 32);
        let before = self.begun.len();
        let whole = format!("{}{line}", self.begun);
        for token in tokens(&whole) {
            // A text or a comment may have begun on a line before.
            let text = &whole[token.range.start.max(before)..token.range.end.max(before)];
            let colour = match token.kind {
                Kind::Word if is_keyword(text) => "1;34",
                Kind::Text => "32",
                Kind::Number => "36",
                Kind::Comment => "2",
                _ => "",
            };
            match colour {
                _ if text.is_empty() => {}
                "" => coloured.push_str(text),
                colour => coloured.push_str(&format!("\u{1b}[{colour}m{text}\u{1b}[0m")),
            }
        }
        Cow::Owned(coloured)
    }

    fn highlight_char(&self, _line: &str, _position: usize, kind: CmdKind) -> bool {
        self.coloured && kind != CmdKind::MoveCursor
    }

    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        match self.coloured {
            true => Cow::Owned(format!("\u{1b}[2m{hint}\u{1b}[0m")),
            false => Cow::Borrowed(hint),
        }
    }
}

#[cfg(test)]
mod tests {
    use rustyline::highlight::Highlighter;

    use super::LineHelper;

    #[test]
    fn colours_are_for_those_who_want_them_and_change_no_letter() {
        let line = "SELECT 'a' AS \"from\" FROM t WHERE x > 1 -- why";
        let mut helper = LineHelper::default();
        assert_eq!(helper.highlight(line, 0), line);
        helper.coloured = true;
        let coloured = helper.highlight(line, 0).into_owned();
        assert!(
            coloured.starts_with("\u{1b}[1;34mSELECT\u{1b}[0m \u{1b}[32m'a'"),
            "{coloured}"
        );
        assert!(coloured.contains(" \"from\" "), "{coloured}");
        assert_eq!(console::strip_ansi_codes(&coloured), line);
        helper.begun = "SELECT 'a\n".to_owned();
        assert_eq!(
            helper.highlight("b', 1", 0),
            "\u{1b}[32mb'\u{1b}[0m, \u{1b}[36m1\u{1b}[0m"
        );
    }
}
