//! One secret, and whether a text begins with it in some spelling.

/// Backslashes in a row that are read as one escape: JSON inside JSON doubles them each time.
const MOST_BACKSLASHES: usize = 16;
/// Longest spelling of one letter that is not plain.
const LONGEST_ESCAPE: usize = 12;
/// How often percent signs are encoded again.
const MOST_ENCODINGS: usize = 4;
/// Shorter secrets are matched with their case, lest every text has them.
const SHORTEST_FOLDED: usize = 8;

/// The letters of a secret.
#[derive(Clone)]
pub(crate) struct Spelling {
    letters: Vec<char>,
    /// Whether the case counts: hosts and base32 lose it.
    exact: bool,
}

/// What a text begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Match {
    /// The secret, in so many bytes.
    Whole(usize),
    /// A part of the secret, and the text ends there.
    Torn,
    /// Something else.
    None,
}

impl Spelling {
    pub(crate) fn new(secret: &str) -> Self {
        let letters: Vec<char> = secret.chars().collect();
        Self {
            exact: letters.len() < SHORTEST_FOLDED,
            letters,
        }
    }

    /// Compares letter by letter; each may be spelled in its own way, and some in two.
    pub(crate) fn at_start(&self, text: &[u8]) -> Match {
        let mut ends = vec![0];
        let mut next = Vec::new();
        for letter in &self.letters {
            let mut torn = false;
            for end in ends.drain(..) {
                let rest = &text[end..];
                torn |= end > 0 && may_be_torn(rest);
                self.steps(rest, *letter, &mut |length| {
                    if !next.contains(&(end + length)) {
                        next.push(end + length);
                    }
                });
            }
            if next.is_empty() {
                return if torn { Match::Torn } else { Match::None };
            }
            std::mem::swap(&mut ends, &mut next);
        }
        ends.into_iter().max().map_or(Match::None, Match::Whole)
    }

    /// Tells the lengths of the letter's spellings at the start of `text`.
    fn steps(&self, text: &[u8], letter: char, found: &mut dyn FnMut(usize)) {
        let Some(first) = text.first() else { return };
        if let Some(length) = self.literal(text, letter) {
            found(length);
        }
        match first {
            b'%' => {
                percent(text, letter).into_iter().for_each(&mut *found);
                escapes(text, letter, found);
            }
            b'\\' | b'/' => escapes(text, letter, found),
            b'&' => entity(text, letter).into_iter().for_each(found),
            b'+' if letter == ' ' => found(1),
            _ => {}
        }
    }

    fn literal(&self, text: &[u8], letter: char) -> Option<usize> {
        let length = letter.len_utf8();
        if letter.is_ascii() {
            let is_same = if self.exact {
                text[0] == letter as u8
            } else {
                text[0].eq_ignore_ascii_case(&(letter as u8))
            };
            return is_same.then_some(length);
        }
        let mut bytes = [0; 4];
        text.starts_with(letter.encode_utf8(&mut bytes).as_bytes())
            .then_some(length)
    }
}

/// `%2F`, `%252F`: the bytes of the letter's UTF-8.
fn percent(text: &[u8], letter: char) -> Option<usize> {
    let mut bytes = [0; 4];
    let mut length = 0;
    for byte in letter.encode_utf8(&mut bytes).bytes() {
        let mut rest = text[length..].strip_prefix(b"%")?;
        length += 1;
        for _ in 0..MOST_ENCODINGS {
            // `%25` may also be the letter itself.
            match rest.strip_prefix(b"25") {
                Some(after) if byte != b'%' || hex(after, 2).is_some_and(|code| code == 0x25) => {
                    rest = after;
                    length += 2;
                }
                _ => break,
            }
        }
        if hex(rest, 2)? != u32::from(byte) {
            return None;
        }
        length += 2;
    }
    Some(length)
}

/// Whether a spelling of a letter may begin here that the text's end cuts off.
fn may_be_torn(text: &[u8]) -> bool {
    text.len() < LONGEST_ESCAPE && matches!(text.first(), None | Some(b'%' | b'\\' | b'&'))
}

/// The lengths of the backslashes at the start, after each of them. In addresses they are
/// slashes, or percent-encoded.
fn backslashes(text: &[u8]) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut end = 0;
    while ends.len() < MOST_BACKSLASHES {
        match &text[end..] {
            [b'\\' | b'/', ..] => end += 1,
            rest => match percent(rest, '\\') {
                Some(length) => end += length,
                None => break,
            },
        }
        ends.push(end);
    }
    ends
}

/// `\/`, `\n`, `\u002f`, `\x2f`, `\u{2f}`, with one backslash or several.
fn escapes(text: &[u8], letter: char, found: &mut dyn FnMut(usize)) {
    let ends = backslashes(text);
    if letter == '\\' {
        let lengths = [1, 2, 4, 8, 16].into_iter();
        let ends = lengths.filter_map(|length| ends.get(length - 1));
        ends.for_each(|end| found(*end));
    }
    // A slash may be the letter itself, behind its backslash.
    for run in ends.into_iter().rev().take(2) {
        escape(text, run, letter, found);
    }
}

/// What follows so many bytes of backslashes.
fn escape(text: &[u8], run: usize, letter: char, found: &mut dyn FnMut(usize)) {
    let rest = &text[run..];
    let plain = match letter {
        '\n' => 'n',
        '\r' => 'r',
        '\t' => 't',
        '\u{8}' => 'b',
        '\u{c}' => 'f',
        other => other,
    };
    let is_escaped = matches!(letter, '"' | '/' | '\'') || plain != letter;
    if is_escaped && rest.first() == Some(&(plain as u8)) {
        found(run + 1);
    }
    if let Some(length) = code(rest, letter) {
        found(run + length);
    }
}

/// What follows the backslash of a code.
fn code(text: &[u8], letter: char) -> Option<usize> {
    let number = letter as u32;
    match *text.first()? {
        b'x' => (hex(&text[1..], 2)? == number).then_some(3),
        b'u' if text.get(1) == Some(&b'{') => {
            let digits = text[2..].iter().take(7).position(|byte| *byte == b'}')?;
            (hex(&text[2..], digits)? == number).then_some(digits + 3)
        }
        b'u' => {
            let mut units = [0; 2];
            let mut length = 0;
            let mut rest = text;
            for (index, unit) in letter.encode_utf16(&mut units).iter().enumerate() {
                if index > 0 {
                    let run = backslashes(rest).pop()?;
                    rest = &rest[run..];
                    length += run;
                }
                let digits = rest.strip_prefix(b"u")?;
                if hex(digits, 4)? != u32::from(*unit) {
                    return None;
                }
                rest = &digits[4..];
                length += 5;
            }
            Some(length)
        }
        _ => None,
    }
}

/// `&amp;`, `&#47;`, `&#x2f;`
fn entity(text: &[u8], letter: char) -> Option<usize> {
    let end = text.iter().take(10).position(|byte| *byte == b';')?;
    let name = std::str::from_utf8(&text[1..end]).ok()?;
    let meant = match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(digits) => u32::from_str_radix(digits, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)?
        }
    };
    (meant == letter).then_some(end + 1)
}

/// The number of so many hexadecimal digits at the start.
fn hex(text: &[u8], digits: usize) -> Option<u32> {
    let digits = text.get(..digits)?;
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}
