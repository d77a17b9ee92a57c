//! The line editor's helper: when a statement is complete, what can follow, and colours.

use std::borrow::Cow;

use bucketline::sql::is_unfinished;
use rustyline::completion::Completer;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::{Hinter, HistoryHinter};
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Helper, Result};

use super::command::Input;
use super::complete::{Names, complete, is_keyword};
use super::token::{Kind, tokens};

/// Helps with a line while it is typed.
#[derive(Default)]
pub(super) struct LineHelper {
    pub(super) names: Names,
    pub(super) coloured: bool,
}

impl Helper for LineHelper {}

impl Validator for LineHelper {
    fn validate(&self, context: &mut ValidationContext) -> Result<ValidationResult> {
        Ok(match Input::of(context.input()) {
            Input::Sql(text) if is_unfinished(&text) => ValidationResult::Incomplete,
            _ => ValidationResult::Valid(None),
        })
    }
}

impl Completer for LineHelper {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _context: &Context<'_>,
    ) -> Result<(usize, Vec<String>)> {
        Ok(complete(line, position, &self.names))
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
        let (start, found) = complete(line, position, &self.names);
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
        for token in tokens(line) {
            let text = token.text(line);
            let colour = match token.kind {
                Kind::Word if is_keyword(text) => "1;34",
                Kind::Text => "32",
                Kind::Number => "36",
                Kind::Comment => "2",
                _ => "",
            };
            match colour {
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
    }
}
