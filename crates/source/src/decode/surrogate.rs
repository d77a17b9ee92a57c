//! Halves of surrogate pairs in JSON.
//!
//! JSON's grammar allows `"\udce9"` (RFC 8259, section 8.2), and programs that keep bytes they could not decode as
//! lone surrogates write it. It is no character, so that neither Rust nor PostgreSQL has a text with it.

use std::borrow::Cow;

/// Length of `\uXXXX`.
const ESCAPE: usize = 6;

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

    use super::mend;

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
}
