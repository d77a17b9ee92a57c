//! A text in pieces, so that a long one needs not all its tokens at once, and blanks and comments need none.

use std::ops::Range;

/// Bytes from which on a piece ends at the next blank or comment.
const FULL: usize = 4096;

/// Bytes of blanks and comments that end a piece, full or not. `sqlparser` makes a token of each blank.
const LONG_GAP: usize = 32;

/// Where the pieces of a text lie. No token reaches from one into the next; between them are blanks and comments.
pub(crate) fn pieces(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + gap_length(&text[at..]);
        at = start + piece_length(&text[start..]);
        (at > start).then_some(start..at)
    })
}

/// The length of the piece that `text` begins with.
fn piece_length(text: &str) -> usize {
    let mut length = 0;
    while let Some(first) = text[length..].chars().next() {
        let rest = &text[length..];
        match gap_length(rest) {
            // Without an end, or it would be a gap.
            0 if rest.starts_with("/*") && length > 0 && rest.len() > FULL => break,
            0 if rest.starts_with("/*") => return text.len(),
            0 if length >= FULL && ends_token(&text[..length], first) => break,
            0 => match quoted_length(rest) {
                // A long literal has a piece of its own, so that it can be refused by its length.
                Some(quoted) if quoted > FULL && ends_before_quote(&text[..length]) => break,
                Some(quoted) => length += quoted,
                None => length += first.len_utf8(),
            },
            gap if gap >= LONG_GAP || length >= FULL || gap == rest.len() => break,
            gap => length += gap,
        }
    }
    length
}

/// Whether no token reaches from `before` to a character behind it: always so at a comma or parenthesis, and where a
/// word or number meets a sign, but for the exponent of a number.
fn ends_token(before: &str, next: char) -> bool {
    let last = before.chars().next_back();
    match (last, next) {
        (Some(',' | ';' | '(' | ')'), _) => true,
        (Some('e' | 'E'), _) => false,
        (Some(last), '+' | '-' | '*' | '/' | '=' | '<' | '>' | '|' | ':' | '@') => {
            last.is_alphanumeric()
        }
        _ => false,
    }
}

/// Whether a literal behind `before` is a token of its own, not one with a prefix as in `N'..'` or `U&'..'`.
fn ends_before_quote(before: &str) -> bool {
    let last = before.chars().next_back();
    last.is_some_and(|last| {
        matches!(
            last,
            ' ' | '\n' | '\r' | '\t' | '(' | ',' | ';' | '=' | '+' | '|'
        )
    })
}

/// The length of the blanks and comments that `text` begins with. A comment without an end is none.
fn gap_length(text: &str) -> usize {
    let mut length = 0;
    loop {
        let rest = text[length..].trim_start();
        length = text.len() - rest.len();
        let comment = if rest.starts_with("--") {
            rest.find('\n').unwrap_or(rest.len())
        } else {
            comment_length(rest).unwrap_or(0)
        };
        if comment == 0 {
            return length;
        }
        length += comment;
    }
}

/// The length of the comment `/* .. */` that `text` begins with; there may be others in it.
fn comment_length(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut length = 0;
    if !text.starts_with("/*") {
        return None;
    }
    loop {
        length += text[length..].find(['/', '*'])?;
        let rest = &text[length..];
        if rest.starts_with("/*") {
            depth += 1;
            length += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            length += 2;
        } else {
            length += 1;
        }
        if depth == 0 {
            return Some(length);
        }
    }
}

/// The length of the literal or quoted name that `text` begins with: up to its end, or all if it has none.
fn quoted_length(text: &str) -> Option<usize> {
    let first = text.chars().next()?;
    let closing = match first {
        '\'' | '"' | '`' => first,
        '[' => ']',
        _ => return None,
    };
    let mut length = 1;
    while let Some(found) = text[length..].find(closing) {
        length += found + 1;
        if !text[length..].starts_with(closing) {
            return Some(length);
        }
        // Doubled, it stands for itself.
        length += 1;
    }
    Some(text.len())
}

#[cfg(test)]
mod tests {
    use super::pieces;

    fn cut(text: &str) -> Vec<&str> {
        pieces(text).map(|piece| &text[piece]).collect()
    }

    #[test]
    fn long_gaps_are_in_no_piece() {
        let blanks = " \n".repeat(100);
        let comment = format!("/* {} /* x */ ' */", "*".repeat(100));
        let line = format!("-- {}'\n", "x".repeat(100));
        assert_eq!(cut(&blanks), [""; 0]);
        for gap in [&blanks, &comment, &line] {
            assert_eq!(cut(&format!("{gap}a b{gap}c{gap}")), ["a b", "c"], "{gap}");
            let quoted = format!("'{gap}'");
            if !gap.contains('\'') {
                assert_eq!(cut(&quoted), [quoted.as_str()]);
            }
            let named = format!("[{gap}]]{gap}] c");
            assert_eq!(cut(&named), [named.as_str()]);
        }
    }

    #[test]
    fn what_has_no_end_is_one_piece() {
        let blanks = " ".repeat(100);
        for open in ["'", "[", "\"", "`", "/*"] {
            let text = format!("a {open}{blanks}b{blanks}c");
            assert_eq!(cut(&text), [text.as_str()], "{open}");
        }
    }

    #[test]
    fn many_short_gaps_are_divided_too() {
        let text = "SELECT 'a b', 1 FROM t; ".repeat(10_000);
        let found = cut(&text);
        assert!(found.len() > 10);
        assert!(found.iter().all(|piece| piece.len() < 10_000));
        assert_eq!(found.join(" ").len(), text.len() - 1);
    }
}
