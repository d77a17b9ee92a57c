//! `numeric` in binary: four words (how many digits, the weight of the first, sign, scale), then digits of base
//! 10,000, the highest first.

use bytes::{BufMut, BytesMut};

/// Decimal digits in one of these.
const WIDTH: usize = 4;

const NEGATIVE: u16 = 0x4000;
const NAN: u16 = 0xC000;

/// Writes a number that is given by its unscaled digits.
pub(crate) fn put(out: &mut BytesMut, unscaled: &str, scale: i8) {
    let (sign, digits) = match unscaled.strip_prefix('-') {
        Some(digits) => (NEGATIVE, digits),
        None => (0, unscaled),
    };
    let mut digits = digits.to_owned();
    if scale < 0 {
        digits.push_str(&"0".repeat(usize::from(scale.unsigned_abs())));
    }
    let fraction = usize::try_from(scale).unwrap_or(0);
    if digits.len() <= fraction {
        digits.insert_str(0, &"0".repeat(fraction + 1 - digits.len()));
    }
    let (whole, fraction) = digits.split_at(digits.len() - fraction);
    let lead = (WIDTH - whole.len() % WIDTH) % WIDTH;
    let trail = (WIDTH - fraction.len() % WIDTH) % WIDTH;
    let padded = format!("{}{whole}{fraction}{}", "0".repeat(lead), "0".repeat(trail));
    let groups: Vec<u16> = padded
        .as_bytes()
        .chunks(WIDTH)
        .map(|group| {
            group
                .iter()
                .fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'))
        })
        .collect();
    let first = groups.iter().position(|group| *group != 0);
    let last = groups.iter().rposition(|group| *group != 0);
    let (used, weight, sign) = match (first, last) {
        (Some(first), Some(last)) => {
            let whole_groups = (whole.len() + lead) / WIDTH;
            let weight =
                i16::try_from(whole_groups).unwrap_or(0) - 1 - i16::try_from(first).unwrap_or(0);
            (&groups[first..=last], weight, sign)
        }
        _ => (&[][..], 0, 0),
    };
    out.put_u16(u16::try_from(used.len()).unwrap_or(0));
    out.put_i16(weight);
    out.put_u16(sign);
    out.put_u16(u16::try_from(fraction.len()).unwrap_or(0));
    for group in used {
        out.put_u16(*group);
    }
}

/// The unscaled digits of a number at a scale; `None` for what is no number, and for one with more digits behind the
/// point.
pub(crate) fn read(bytes: &[u8], scale: i8) -> Option<String> {
    let word = |at: usize| Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
    let (count, weight, sign) = (usize::from(word(0)?), word(2)?.cast_signed(), word(4)?);
    if sign == NAN || sign & NEGATIVE != 0 && sign != NEGATIVE {
        return None;
    }
    let mut digits = String::new();
    for index in 0..count {
        digits.push_str(&format!("{:04}", word(8 + index * 2)?));
    }
    // The place of the last digit: how many zeros follow, or how many digits stand behind the point.
    let behind = (i64::try_from(count).ok()? - 1 - i64::from(weight)) * 4;
    let shift = i64::from(scale) - behind;
    if shift >= 0 {
        digits.push_str(&"0".repeat(usize::try_from(shift).ok()?));
    } else {
        let cut = usize::try_from(-shift).ok()?;
        let kept = digits.len().saturating_sub(cut);
        if digits[kept..].bytes().any(|digit| digit != b'0') {
            return None;
        }
        digits.truncate(kept);
    }
    let digits = digits.trim_start_matches('0');
    Some(match (digits, sign) {
        ("", _) => "0".to_owned(),
        (digits, NEGATIVE) => format!("-{digits}"),
        (digits, _) => digits.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn numbers_come_back() {
        for (unscaled, scale) in [
            ("0", 0),
            ("0", 5),
            ("1", 0),
            ("-1", 2),
            ("10000", 0),
            ("123456789", 4),
            ("123456789", 3),
            ("-5", 9),
            ("12", -3),
            ("99999999999999999999999999999999999999999999999999", 20),
        ] {
            let mut out = BytesMut::new();
            put(&mut out, unscaled, scale);
            assert_eq!(read(&out, scale).unwrap(), unscaled, "{unscaled} {scale}");
        }
        let mut out = BytesMut::new();
        put(&mut out, "125", 2);
        assert_eq!(read(&out, 4).unwrap(), "12500");
        assert_eq!(read(&out, 1), None);
    }
}
