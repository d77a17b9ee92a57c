//! Text from elsewhere, made safe for a terminal.

use std::borrow::Cow;

/// `text` with control characters, and those that turn the direction of writing, as escapes: data
/// must not move the cursor, change colours or swap what is read. Backslashes stay as they are.
pub(crate) fn escape(text: &str) -> Cow<'_, str> {
    escape_except(text, &[])
}

/// The same, except for these characters.
pub(crate) fn escape_except<'t>(text: &'t str, allowed: &[char]) -> Cow<'t, str> {
    let harmful = |c: char| is_harmful(c) && !allowed.contains(&c);
    if !text.contains(harmful) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            c if !harmful(c) => escaped.push(c),
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\t' => escaped.push_str("\\t"),
            c => escaped.push_str(&format!("\\u{:04x}", u32::from(c))),
        }
    }
    Cow::Owned(escaped)
}

/// Whether a terminal would obey the character.
pub(crate) fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::{escape, escape_except};

    #[test]
    fn hides_what_a_terminal_would_obey() {
        for (text, escaped) in [
            ("plain, ä and 漢", "plain, ä and 漢"),
            ("a\nb\tc\r", "a\\nb\\tc\\r"),
            ("\u{1b}[31mred", "\\u001b[31mred"),
            ("\u{9b}2J\u{7f}", "\\u009b2J\\u007f"),
            ("a\u{202e}b", "a\\u202eb"),
            ("C:\\path", "C:\\path"),
        ] {
            assert_eq!(escape(text), escaped);
        }
        assert_eq!(escape_except("a\nb\u{1b}", &['\n']), "a\nb\\u001b");
    }
}
