//! Errors as a person sees them: the only place where they are drawn.

use std::error::Error as StdError;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet, Title};
use bucketline::code::{http, sign_in};
use bucketline::sql::{Span, mask_source};
use bucketline::{Area, Code, Reach};

use crate::error::Error;
use crate::escape::{escape, escape_except};
use crate::script::Script;

/// Most causes that are shown below an error.
const CAUSES: usize = 3;

/// What to do about an error of the library, as this program has it done.
pub(crate) fn hint(code: Code, hint: Option<&str>) -> Option<&str> {
    match code {
        sign_in::NOT_SIGNED_IN | sign_in::ENDED => Some("`bucketline connect NAME` signs in"),
        http::STATE => Some("set BUCKETLINE_STATE to a folder that this user may write to"),
        sign_in::TOKEN_FILE => Some(
            "the file must be readable and writable by you alone (mode 0600), in a folder that you may write to: \
             BUCKETLINE_STATE names one; or the keyring must be open",
        ),
        _ => hint,
    }
}

/// An error that is to be drawn.
#[derive(Debug)]
pub(crate) struct Diagnostic<'a> {
    code: Code,
    message: String,
    hint: Option<String>,
    causes: Vec<String>,
    place: Option<(&'a Script, Span)>,
}

impl<'a> Diagnostic<'a> {
    /// An error of a running script.
    pub(crate) fn of_script(error: &bucketline::Error, script: &'a Script) -> Self {
        Self {
            place: error.span().map(|span| (script, span)),
            ..Self::from(error)
        }
    }

    /// Draws it: what happened, the line of the script with secrets masked, causes, and what to do.
    /// Ends with a line break.
    pub(crate) fn draw(&self, coloured: bool) -> String {
        let renderer = if coloured {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        let message = escape_except(&self.message, &['\n']);
        let title = Level::ERROR.primary_title(message).id(self.code.as_str());
        let mut text = match self.place {
            Some((script, span)) => draw_place(&renderer, title, script, span),
            None => renderer.render(&[Group::with_title(title)]),
        };
        let causes = self
            .causes
            .iter()
            .map(|cause| (Level::NOTE.with_name("cause"), cause));
        let hint = self
            .hint
            .iter()
            .map(|hint| (Level::HELP.with_name("hint"), hint));
        for (level, said) in causes.chain(hint) {
            let said = escape_except(said, &['\n']);
            text.push('\n');
            text.push_str(&renderer.render(&[Group::with_title(level.primary_title(said))]));
        }
        text.push('\n');
        text
    }
}

fn draw_place(renderer: &Renderer, title: Title<'_>, script: &Script, span: Span) -> String {
    let name = escape(script.name.as_deref().unwrap_or("<input>"));
    let line = span.start.line;
    let excerpt = Excerpt::of(&script.text, span);
    let drawn_column = excerpt.line[..excerpt.marked.start].chars().count() + 1;
    let snippet = Snippet::source(excerpt.line)
        .path(&*name)
        .line_start(line as usize)
        .annotation(AnnotationKind::Primary.span(excerpt.marked));
    let text = renderer.render(&[title.element(snippet)]);
    // Masking may have moved what is marked; the place in the user's file is the one to tell.
    let drawn = format!("{name}:{line}:{drawn_column}\n");
    text.replacen(&drawn, &format!("{name}:{line}:{}\n", span.start.column), 1)
}

impl From<&bucketline::Error> for Diagnostic<'_> {
    fn from(error: &bucketline::Error) -> Self {
        let message = error.to_string();
        let hint = hint(error.code(), error.hint());
        Self {
            code: error.code(),
            hint: hint.map(str::to_owned),
            // The slices that failed were told one by one.
            causes: if error.reach() == Reach::Statement {
                Vec::new()
            } else {
                causes(error.code(), &message, error)
            },
            message,
            place: None,
        }
    }
}

impl From<&Error> for Diagnostic<'_> {
    fn from(error: &Error) -> Self {
        if let Error::Library(error) = error {
            return Self::from(error);
        }
        let message = error.to_string();
        Self {
            code: error.code(),
            hint: error.hint(),
            causes: causes(error.code(), &message, error),
            message,
            place: None,
        }
    }
}

/// What stands behind an error, without what it says itself. An error that is passed on repeats
/// the one below it, and some repeat all that are below them. What the query engine says of a
/// statement is in the message already, in our words.
fn causes(code: Code, message: &str, error: &dyn StdError) -> Vec<String> {
    let mut causes: Vec<String> = Vec::new();
    if code.area() == Area::Engine {
        return causes;
    }
    let mut next = error.source();
    while let Some(cause) = next {
        next = cause.source();
        let text = cause
            .to_string()
            .lines()
            .next()
            .unwrap_or_default()
            .to_owned();
        let repeats = |other: &str| other.contains(&text) || text.contains(other);
        // PostgreSQL's client says no more of what the server said.
        let is_empty = text.is_empty() || text == "db error";
        if !is_empty && !repeats(message) && !causes.iter().any(|known| repeats(known)) {
            causes.push(text);
        }
    }
    causes.truncate(CAUSES);
    causes
}

/// Bytes of a line that are shown on each side of the place where an error begins. No terminal is as wide.
const AROUND: usize = 4096;

/// The line where an error begins, secrets masked and control characters escaped, and what of it is marked, in bytes.
#[derive(Debug, PartialEq, Eq)]
struct Excerpt {
    line: String,
    marked: Range<usize>,
}

impl Excerpt {
    fn of(text: &str, span: Span) -> Self {
        // What stands far behind the place says nothing about it, and may be long.
        const BEHIND: usize = 64 << 10;
        let text = &text[..text.floor_char_boundary(span.end.offset.saturating_add(BEHIND))];
        let index = (span.start.line as usize).saturating_sub(1);
        let line = |text| lines(text).nth(index).unwrap_or_default();
        // Secrets may begin on a line above, so the whole text is masked; line breaks stay.
        let masked = mask_source(text);
        let (original, masked) = (line(text), line(&masked));
        let start = byte_of_column(original, span.start.column);
        let end = match span.end.line > span.start.line {
            true => original.trim_end().len().max(start),
            false => byte_of_column(original, span.end.column).max(start),
        };
        let marked = moved(original, masked, start)..moved(original, masked, end);
        let from = masked.floor_char_boundary(marked.start.saturating_sub(AROUND));
        let marked_end = masked.floor_char_boundary(marked.end.min(marked.start + AROUND));
        let to = masked.floor_char_boundary(marked_end.saturating_add(AROUND));
        let shown = |part: &str| escape_except(part, &['\t']).into_owned();
        let before = shown(&masked[from..marked.start]);
        let within = shown(&masked[marked.start..marked_end]);
        Self {
            marked: before.len()..before.len() + within.len(),
            line: before + &within + &shown(&masked[marked_end..to]),
        }
    }
}

/// The lines of a text, which end with `\n`, `\r\n` or `\r`.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let Some(end) = text.find(['\n', '\r']) else {
            return rest.take();
        };
        let ending = if text[end..].starts_with("\r\n") {
            2
        } else {
            1
        };
        rest = Some(&text[end + ending..]);
        Some(&text[..end])
    })
}

/// Where the character of that column, counted from 1, begins.
fn byte_of_column(line: &str, column: u32) -> usize {
    let skipped = (column as usize).saturating_sub(1);
    line.char_indices()
        .nth(skipped)
        .map_or(line.len(), |(at, _)| at)
}

/// Where a place of a line is after masking: counted from the nearer end that masking left alone.
fn moved(original: &str, masked: &str, place: usize) -> usize {
    let same = |(a, b): &(char, char)| a == b;
    let width = |pairs: &mut dyn Iterator<Item = (char, char)>| -> usize {
        pairs.take_while(same).map(|(c, _)| c.len_utf8()).sum()
    };
    let head = width(&mut original.chars().zip(masked.chars()));
    let tail = width(&mut original.chars().rev().zip(masked.chars().rev()));
    if place <= head {
        place
    } else if original.len() - place <= tail {
        masked.len() - (original.len() - place)
    } else {
        head
    }
}

#[cfg(test)]
mod tests {
    use bucketline::sql::{Position, Span};

    use super::{Diagnostic, Excerpt};
    use crate::escape::is_harmful;
    use crate::script::Script;

    fn span(text: &str, marked: &str) -> Span {
        let start = text.find(marked).unwrap();
        Span {
            start: Position::at(text, start),
            end: Position::at(text, start + marked.len()),
        }
    }

    fn diagnostic(script: &Script, span: Span) -> Diagnostic<'_> {
        Diagnostic {
            code: bucketline::code::engine::UNKNOWN_TABLE,
            message: "there is no table Isues".to_owned(),
            hint: Some("did you mean Issues?".to_owned()),
            causes: vec!["something below\u{1b}[2J".to_owned()],
            place: Some((script, span)),
        }
    }

    #[test]
    fn draws_line_caret_cause_and_hint() {
        let text = "REPLICATE A;\nREPLICATE Isues;\n".to_owned();
        let place = span(&text, "Isues");
        let script = Script {
            name: Some("job.sql".to_owned()),
            text,
        };
        let expected = "\
error[BL5002]: there is no table Isues
 --> job.sql:2:11
  |
2 | REPLICATE Isues;
  |           ^^^^^
cause: something below\\u001b[2J
hint: did you mean Issues?
";
        assert_eq!(diagnostic(&script, place).draw(false), expected);
        assert!(diagnostic(&script, place).draw(true).contains("\u{1b}["));
    }

    #[test]
    fn a_secret_is_masked_and_the_caret_stays_right() {
        let text = "SELECT * FROM 'User=u;Token=abcdefghijklmnop;X=1' Isues".to_owned();
        let place = span(&text, "Isues");
        let column = place.start.column;
        let excerpt = Excerpt::of(&text, place);
        assert_eq!(&excerpt.line[excerpt.marked.clone()], "Isues");
        let drawn = diagnostic(&Script { name: None, text }, place).draw(false);
        assert!(!drawn.contains("abcdef"), "{drawn}");
        assert!(drawn.contains(&format!(":1:{column}\n")), "{drawn}");
    }

    #[test]
    fn a_span_inside_a_secret_points_at_its_mask() {
        let text = "Token = 'abc def'";
        let excerpt = Excerpt::of(text, span(text, "def"));
        assert_eq!(excerpt.line, "Token = '***'");
        assert!(excerpt.marked.start >= text.find('\'').unwrap());
    }

    #[test]
    fn a_long_line_is_shown_around_its_place() {
        let text = format!("{} Isues {}", "ä".repeat(1_000_000), "ö".repeat(1_000_000));
        let place = span(&text, "Isues");
        let excerpt = Excerpt::of(&text, place);
        assert_eq!(&excerpt.line[excerpt.marked.clone()], "Isues");
        assert!(excerpt.line.len() < 10_000);
        let drawn = diagnostic(&Script { name: None, text }, place).draw(false);
        assert!(drawn.contains(":1:1000002\n"), "{drawn}");
    }

    #[test]
    fn neither_name_nor_line_of_a_script_reaches_the_terminal_raw() {
        let text = "SELECT '\u{1b}[2J\u{9b}1m' AS \u{202e}x, Isues\u{85}\r\n".to_owned();
        let place = span(&text, "Isues");
        let script = Script {
            name: Some("a\u{1b}]0;b\u{7}\nc\u{2066}.sql".to_owned()),
            text,
        };
        let drawn = diagnostic(&script, place).draw(false);
        assert!(!drawn.contains(|c| c != '\n' && is_harmful(c)), "{drawn:?}");
        let column = place.start.column;
        let place = format!("a\\u001b]0;b\\u0007\\nc\\u2066.sql:1:{column}\n");
        assert!(drawn.contains(&place), "{drawn}");
        let lines: Vec<_> = drawn.lines().collect();
        let caret = lines[4].find('^').unwrap();
        assert_eq!(&lines[3][caret..caret + 5], "Isues", "{drawn}");
        assert!(lines[3].ends_with("Isues\\u0085"), "{drawn}");
    }

    #[test]
    fn any_span_can_be_drawn() {
        let text = "SELECT 'ä\nü' FROM\n";
        for start in 0..=text.len() {
            for end in start..=text.len() {
                let span = Span {
                    start: Position::at(text, start),
                    end: Position::at(text, end),
                };
                let script = Script::typed(text.to_owned());
                diagnostic(&script, span).draw(false);
            }
        }
    }
}
