//! JSON as services send it, made readable: what is not quite UTF-8 costs a character, not the answer.
//!
//! JSON's grammar allows `"\udce9"` (RFC 8259, section 8.2), and programs that keep bytes they could not decode as
//! lone surrogates write it. It is no character, so that neither Rust nor PostgreSQL has a text with it. Others write
//! bytes of another encoding, or surrogates as bytes (CESU-8), although JSON is UTF-8 (section 8.1), or begin with a
//! byte order mark, which a parser may ignore (same section).

use std::borrow::Cow;
use std::str::from_utf8;

/// U+FEFF, as some programs begin a text with it.
pub const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Length of `\uXXXX`.
const ESCAPE: usize = 6;

/// A JSON text, and what had to be replaced by U+FFFD in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Readable<'b> {
    /// The text, without a byte order mark.
    pub text: Cow<'b, str>,
    /// Halves of surrogate pairs, escaped or as bytes.
    pub halves: u64,
    /// Other sequences of bytes that are not UTF-8.
    pub foreign: u64,
}

/// The text of a body.
pub fn readable(body: &[u8]) -> Readable<'_> {
    let (text, raw_halves, foreign) = decoded(without_mark(body));
    let (text, escaped_halves) = match text {
        Cow::Borrowed(text) => mend(text),
        Cow::Owned(text) => {
            let (mended, count) = mend(&text);
            (Cow::Owned(mended.into_owned()), count)
        }
    };
    Readable {
        text,
        halves: raw_halves + escaped_halves,
        foreign,
    }
}

/// A body without the byte order mark that it may begin with.
pub fn without_mark(body: &[u8]) -> &[u8] {
    body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body)
}

/// Bytes as text, with the numbers of halves and of other sequences that became U+FFFD.
fn decoded(bytes: &[u8]) -> (Cow<'_, str>, u64, u64) {
    let mut rest = match from_utf8(bytes) {
        Ok(text) => return (Cow::Borrowed(text), 0, 0),
        Err(_) => bytes,
    };
    let mut text = String::with_capacity(bytes.len());
    let (mut halves, mut foreign) = (0, 0);
    loop {
        let error = match from_utf8(rest) {
            Ok(valid) => {
                text.push_str(valid);
                return (Cow::Owned(text), halves, foreign);
            }
            Err(error) => error,
        };
        let (valid, odd) = rest.split_at(error.valid_up_to());
        text.push_str(from_utf8(valid).unwrap_or_default());
        let (length, character) = match (surrogate(odd), odd.get(3..).and_then(surrogate)) {
            (Some(first), Some(second)) if let Some(character) = pair(first, second) => {
                (6, character)
            }
            (Some(_), _) => {
                halves += 1;
                (3, char::REPLACEMENT_CHARACTER)
            }
            (None, _) => {
                foreign += 1;
                let length = error.error_len().unwrap_or(odd.len());
                (length, char::REPLACEMENT_CHARACTER)
            }
        };
        text.push(character);
        rest = &odd[length..];
    }
}

/// The surrogate that bytes begin with, as UTF-8 would have it if it allowed any.
fn surrogate(bytes: &[u8]) -> Option<u16> {
    match bytes {
        [0xed, second @ 0xa0..=0xbf, third @ 0x80..=0xbf, ..] => {
            Some(0xd000 | u16::from(second & 0x3f) << 6 | u16::from(third & 0x3f))
        }
        _ => None,
    }
}

/// The character that two surrogates are.
fn pair(first: u16, second: u16) -> Option<char> {
    char::decode_utf16([first, second]).next()?.ok()
}

/// The text with U+FFFD in place of each escaped half that lacks the other, and how many there were. What the text
/// means is the same otherwise, byte by byte.
pub fn mend(json: &str) -> (Cow<'_, str>, u64) {
    let mut mended = String::new();
    let mut count = 0;
    let (mut copied, mut at) = (0, 0);
    // Outside of strings JSON has no backslash.
    while let Some(found) = json[at..].find('\\') {
        let start = at + found;
        at = match half(json, start) {
            Half::None => match json[start + 1..].chars().next() {
                Some(escaped) => start + 1 + escaped.len_utf8(),
                None => break,
            },
            Half::First if half(json, start + ESCAPE) == Half::Second => start + 2 * ESCAPE,
            Half::First | Half::Second => {
                mended.push_str(&json[copied..start]);
                mended.push_str("\\ufffd");
                count += 1;
                copied = start + ESCAPE;
                copied
            }
        };
    }
    if count == 0 {
        return (Cow::Borrowed(json), 0);
    }
    mended.push_str(&json[copied..]);
    (Cow::Owned(mended), count)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Half {
    None,
    First,
    Second,
}

/// Which half of a pair is written at a byte.
fn half(json: &str, at: usize) -> Half {
    let digits = json
        .as_bytes()
        .get(at..at + ESCAPE)
        .and_then(|escape| escape.strip_prefix(b"\\u"));
    match digits {
        Some([b'd' | b'D', b'8' | b'9' | b'a' | b'b' | b'A' | b'B', c, d])
            if c.is_ascii_hexdigit() && d.is_ascii_hexdigit() =>
        {
            Half::First
        }
        Some([b'd' | b'D', b'c'..=b'f' | b'C'..=b'F', c, d])
            if c.is_ascii_hexdigit() && d.is_ascii_hexdigit() =>
        {
            Half::Second
        }
        _ => Half::None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::{Readable, mend, readable};

    #[test]
    fn what_is_not_utf_8_costs_a_character() {
        let cases: [(&[u8], &str, u64, u64); 10] = [
            (b"{\"a\":1}", "{\"a\":1}", 0, 0),
            (b"\xef\xbb\xbf[]", "[]", 0, 0),
            // Only the first mark is none of the text's.
            (b"\xef\xbb\xbf\xef\xbb\xbf", "\u{feff}", 0, 0),
            (b"caf\xe9", "caf\u{fffd}", 0, 1),
            (b"\xe9t\xe9 \xc3\xa9", "\u{fffd}t\u{fffd} \u{e9}", 0, 2),
            (b"\xf0\x9f\x98", "\u{fffd}", 0, 1),
            // A half, twice, and a pair.
            (b"\xed\xb3\xa9", "\u{fffd}", 1, 0),
            (b"\xed\xa0\xbd\xed\xa0\xbd!", "\u{fffd}\u{fffd}!", 2, 0),
            (b"\xed\xa0\xbd\xed\xb8\x80!", "\u{1f600}!", 0, 0),
            (
                b"\xff\\udce9\xed\xa0",
                "\u{fffd}\\ufffd\u{fffd}\u{fffd}",
                1,
                3,
            ),
        ];
        for (body, text, halves, foreign) in cases {
            let expected = Readable {
                text: text.into(),
                halves,
                foreign,
            };
            assert_eq!(readable(body), expected, "{body:x?}");
        }
    }

    #[test]
    fn a_half_without_the_other_becomes_a_replacement_character() {
        let cases = [
            (r#""caf\udce9""#, r#""caf\ufffd""#, 1),
            (
                r#""\uD83D\uDE00 \ud83d\ude00""#,
                r#""\uD83D\uDE00 \ud83d\ude00""#,
                0,
            ),
            (r#""\ud83d""#, r#""\ufffd""#, 1),
            (r#""\ud83d\ud83d\ude00""#, r#""\ufffd\ud83d\ude00""#, 1),
            (r#""\ude00\ud83d""#, r#""\ufffd\ufffd""#, 2),
            (r#""\ud83d\\ude00""#, r#""\ufffd\\ude00""#, 1),
            // A backslash that is itself escaped begins nothing.
            (r#""\\udce9 \\\udce9""#, r#""\\udce9 \\\ufffd""#, 1),
            (r#"{"\uDfFf":"\\"}"#, r#"{"\ufffd":"\\"}"#, 1),
            (r#""\ud7ff\ue000é""#, r#""\ud7ff\ue000é""#, 0),
            // What is no JSON stays as it is.
            (r"\é\u\ud8", r"\é\u\ud8", 0),
            ("\\", "\\", 0),
        ];
        for (json, expected, count) in cases {
            let (mended, found) = mend(json);
            assert_eq!((mended.as_ref(), found), (expected, count), "{json}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_escaped_can_be_read_afterwards(units in prop::collection::vec(any::<u16>(), 0..20)) {
            let escaped: String = units.iter().map(|unit| format!("\\u{unit:04x}")).collect();
            let json = format!("\"{escaped}\"");
            let read: String = serde_json::from_str(&mend(&json).0).unwrap();
            prop_assert_eq!(read, String::from_utf16_lossy(&units));
        }
    }

    proptest! {
        #[test]
        fn every_body_is_readable(body in prop::collection::vec(any::<u8>(), 0..60)) {
            let found = readable(&body);
            let replaced = found.halves + found.foreign;
            match std::str::from_utf8(&body) {
                Ok(_) => prop_assert_eq!(found.foreign, 0),
                // The two halves of a pair make a character.
                Err(_) => prop_assert!(replaced > 0 || found.text.chars().any(|it| it.len_utf8() == 4)),
            }
        }
    }
}
