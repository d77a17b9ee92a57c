//! JSON values and slice ids in a short binary form.
//!
//! There is a checkpoint for each slice, and a copy may have ten thousand slices; as JSON their UUIDs and times
//! alone take more room than all else together. Here a UUID in braces takes 16 bytes and a time 7. Every other
//! value is kept as well, and all come back exactly as they were.
//!
//! A value begins with a byte of which the upper three bits tell its kind and the lower five a number: up to
//! 27 the number itself, above that how many bytes follow that hold it, highest first (1, 2, 4 or 8).

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::iso8601;

/// A simple value: the number is one of those below.
const SIMPLE: u8 = 0;
/// A whole number from 0 on.
const WHOLE: u8 = 1;
/// A negative whole number: -1 less the number.
const NEGATIVE: u8 = 2;
/// A text of so many bytes, which follow.
const TEXT: u8 = 3;
/// So many values, which follow.
const LIST: u8 = 4;
/// So many members, each a text and a value.
const MEMBERS: u8 = 5;
/// A text that is a UUID in braces; its 16 bytes follow.
const UUID: u8 = 6;
/// A text that is a time; the number is its place in [`SPELLINGS`], and its microseconds since 1970 follow.
const TIME: u8 = 7;

const NULL: u64 = 0;
const FALSE: u64 = 1;
const TRUE: u64 = 2;
/// A number with a fraction; its eight bytes follow.
const REAL: u64 = 3;

/// How a time is spelled: the digits of its fraction, and its zone.
const SPELLINGS: [(usize, &str); 6] = [
    (0, "Z"),
    (3, "Z"),
    (6, "Z"),
    (0, "+00:00"),
    (3, "+00:00"),
    (6, "+00:00"),
];

/// Bytes of a time: enough for the years 829 to 3111.
const TIME_BYTES: usize = 7;

/// Deeper values are not ours.
const DEPTH: usize = 64;

/// Packs a value.
pub fn pack(value: &Value) -> Vec<u8> {
    let mut out = Vec::with_capacity(64);
    put(&mut out, value);
    out
}

/// The value that was packed; `None` if that is not what these bytes are.
pub fn unpack(mut bytes: &[u8]) -> Option<Value> {
    let value = take(&mut bytes, DEPTH)?;
    bytes.is_empty().then_some(value)
}

/// The 16 bytes of a UUID in braces and lower case.
pub fn uuid(text: &str) -> Option<[u8; 16]> {
    let inner = text.strip_prefix('{')?.strip_suffix('}')?;
    let mut bytes = [0; 16];
    let mut digits = inner.bytes().filter(|byte| *byte != b'-');
    for byte in &mut bytes {
        let mut digit = || char::from(digits.next()?).to_digit(16);
        *byte = u8::try_from(digit()? * 16 + digit()?).ok()?;
    }
    (uuid_text(bytes) == text).then_some(bytes)
}

/// The text of a UUID's bytes, in braces.
pub fn uuid_text(bytes: [u8; 16]) -> String {
    let number = u128::from_be_bytes(bytes);
    let digits = format!("{number:032x}");
    let (a, b, c, d, e) = (
        &digits[..8],
        &digits[8..12],
        &digits[12..16],
        &digits[16..20],
        &digits[20..],
    );
    format!("{{{a}-{b}-{c}-{d}-{e}}}")
}

fn put(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => head(out, SIMPLE, NULL),
        Value::Bool(value) => head(out, SIMPLE, if *value { TRUE } else { FALSE }),
        Value::Number(number) => {
            if let Some(whole) = number.as_u64() {
                head(out, WHOLE, whole);
            } else if let Some(negative) = number.as_i64() {
                head(out, NEGATIVE, (-1 - negative).unsigned_abs());
            } else {
                head(out, SIMPLE, REAL);
                out.extend(number.as_f64().unwrap_or_default().to_be_bytes());
            }
        }
        Value::String(text) => put_text(out, text),
        Value::Array(values) => {
            head(out, LIST, values.len() as u64);
            values.iter().for_each(|value| put(out, value));
        }
        Value::Object(members) => {
            head(out, MEMBERS, members.len() as u64);
            for (name, value) in members {
                put_text(out, name);
                put(out, value);
            }
        }
    }
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    if let Some(bytes) = uuid(text) {
        head(out, UUID, 0);
        out.extend(bytes);
    } else if let Some((spelling, time)) = time(text) {
        head(out, TIME, spelling);
        out.extend(time);
    } else {
        head(out, TEXT, text.len() as u64);
        out.extend(text.as_bytes());
    }
}

fn head(out: &mut Vec<u8>, kind: u8, number: u64) {
    let bytes = number.to_be_bytes();
    let (low, from) = match number {
        0..28 => {
            out.push(kind << 5 | bytes[7]);
            return;
        }
        28..0x100 => (28, 7),
        0x100..0x1_0000 => (29, 6),
        0x1_0000..0x1_0000_0000 => (30, 4),
        _ => (31, 0),
    };
    out.push(kind << 5 | low);
    out.extend(&bytes[from..]);
}

fn take(bytes: &mut &[u8], depth: usize) -> Option<Value> {
    let (kind, number) = take_head(bytes)?;
    let depth = depth.checked_sub(1)?;
    Some(match kind {
        SIMPLE => match number {
            NULL => Value::Null,
            FALSE => Value::Bool(false),
            TRUE => Value::Bool(true),
            REAL => f64::from_be_bytes(*bytes.split_off(..8)?.first_chunk()?).into(),
            _ => return None,
        },
        WHOLE => number.into(),
        NEGATIVE => (-1 - i64::try_from(number).ok()?).into(),
        LIST => {
            let mut values = Vec::new();
            for _ in 0..number {
                values.push(take(bytes, depth)?);
            }
            Value::Array(values)
        }
        MEMBERS => {
            let mut members = Map::new();
            for _ in 0..number {
                let (kind, number) = take_head(bytes)?;
                let name = take_text(bytes, kind, number)?;
                members.insert(name.into_owned(), take(bytes, depth)?);
            }
            Value::Object(members)
        }
        text => take_text(bytes, text, number)?.into(),
    })
}

fn take_head(bytes: &mut &[u8]) -> Option<(u8, u64)> {
    let first = *bytes.split_off_first()?;
    let low = first & 0x1f;
    let number = match low {
        28.. => {
            let held = bytes.split_off(..1 << (low - 28))?;
            held.iter()
                .fold(0, |number, byte| number << 8 | u64::from(*byte))
        }
        small => u64::from(small),
    };
    Some((first >> 5, number))
}

fn take_text<'a>(bytes: &mut &'a [u8], kind: u8, number: u64) -> Option<Cow<'a, str>> {
    match kind {
        TEXT => {
            let held = bytes.split_off(..usize::try_from(number).ok()?)?;
            std::str::from_utf8(held).ok().map(Cow::Borrowed)
        }
        UUID => {
            let held = bytes.split_off(..16)?;
            Some(uuid_text(*held.first_chunk()?).into())
        }
        TIME => {
            let spelling = SPELLINGS.get(usize::try_from(number).ok()?)?;
            let held = bytes.split_off(..TIME_BYTES)?;
            let mut whole = [0; 8];
            whole[..TIME_BYTES].copy_from_slice(held);
            // The bytes stand at the upper end, so that the shift brings the sign along.
            time_text(i64::from_be_bytes(whole) >> 8, *spelling).map(Cow::Owned)
        }
        _ => None,
    }
}

/// The spelling and the microseconds of a text that is a time, if they give the very same text again.
fn time(text: &str) -> Option<(u64, [u8; TIME_BYTES])> {
    let (_, rest) = text.split_at_checked("2026-10-07T18:39:55".len())?;
    let place = SPELLINGS.iter().position(|(digits, zone)| {
        let point = usize::from(*digits > 0);
        rest.len() == point + digits + zone.len() && rest.ends_with(zone)
    })?;
    let time = iso8601::parse_instant(text)?;
    let bytes = *(time << 8).to_be_bytes().first_chunk()?;
    let again = (time << 8) >> 8;
    (time_text(again, SPELLINGS[place])? == text).then_some((place as u64, bytes))
}

fn time_text(microseconds: i64, (digits, zone): (usize, &str)) -> Option<String> {
    const WHOLE_SECONDS: usize = "2026-10-07T18:39:55".len();
    let text = iso8601::instant(microseconds)?;
    let point = usize::from(digits > 0);
    let kept = text.as_str().get(..WHOLE_SECONDS + point + digits)?;
    Some(format!("{kept}{zone}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    #[test]
    fn values_come_back() {
        let cases = [
            json!(null),
            json!([true, false, [], {}, [[]], {"": null}]),
            json!([0, 27, 28, 255, 256, 65535, 65536, u32::MAX, u64::MAX]),
            json!([-1, -28, -29, -257, i64::MIN, i64::MAX]),
            json!([0.5, -0.0, 1e300, f64::MIN_POSITIVE, 1.0]),
            json!(["", "é", "a".repeat(27), "a".repeat(28), "a".repeat(70_000)]),
            json!({ "{00112233-4455-6677-8899-aabbccddeeff}": "{00112233-4455-6677-8899-aabbccddeeff}" }),
            // Almost UUIDs.
            json!([
                "{00112233-4455-6677-8899-AABBCCDDEEFF}",
                "{001122334455-6677-8899-aabbccddeeff}",
                "{0011223-34455-6677-8899-aabbccddeeff}",
                "{00112233-4455-6677-8899-aabbccddeef}",
                "{00112233-4455-6677-8899-aabbccddeeff0}",
                "00112233-4455-6677-8899-aabbccddeeff",
                "{+0112233-4455-6677-8899-aabbccddeeff}",
                "{}",
            ]),
            json!([
                "2026-10-07T18:39:55.551762Z",
                "2026-10-07T18:39:55.551Z",
                "2026-10-07T18:39:55Z",
                "2026-10-07T18:39:55.551762+00:00",
                "2026-10-07T18:39:55.551+00:00",
                "2026-10-07T18:39:55+00:00",
                "1969-12-31T23:59:59.999999Z",
                "0830-01-01T00:00:00Z",
                "3110-12-31T00:00:00Z",
            ]),
            // Times that are kept as texts.
            json!([
                "0001-01-01T00:00:00Z",
                "9999-12-31T23:59:59.999999Z",
                "2026-10-07T18:39:55.551762123Z",
                "2026-10-07T18:39:55.55Z",
                "2026-10-07T18:39:55+02:00",
                "2026-10-07 18:39:55Z",
                "2026-10-07t18:39:55Z",
                "2026-10-07T18:39:60Z",
                "2026-13-07T18:39:55Z",
                "2026-10-07T18:39:55é",
                "Z",
            ]),
        ];
        for value in cases {
            assert_eq!(unpack(&pack(&value)), Some(value));
        }
    }

    #[test]
    fn uuids_and_times_are_short() {
        let size = |value| pack(&value).len();
        assert_eq!(size(json!("{00112233-4455-6677-8899-aabbccddeeff}")), 17);
        for (digits, zone) in SPELLINGS {
            let text = time_text(1_790_000_000_000_000, (digits, zone)).unwrap();
            assert_eq!(size(json!(text)), 8, "{text}");
        }
    }

    /// Bytes that are cut, or changed anywhere, give an error or another value, and never a panic.
    #[test]
    fn damage_is_survived() {
        let value = json!({
            "in": ["acme", "api", "=", "{00112233-4455-6677-8899-aabbccddeeff}"],
            "mark": "2026-10-07T18:39:55.551762Z",
            "walk": { "seen": [1, -300, 70_000, 0.5], "started": null },
        });
        let packed = pack(&value);
        for end in 0..packed.len() {
            assert_eq!(unpack(&packed[..end]), None);
        }
        for place in 0..packed.len() {
            for byte in 0..=255 {
                let mut damaged = packed.clone();
                damaged[place] = byte;
                let _ = unpack(&damaged);
            }
        }
        assert_eq!(unpack(&[LIST << 5 | 1; 100_000]), None);
    }
}
