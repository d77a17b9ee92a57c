//! Numbers written by patterns such as `#,##0.00`.

use bucketline_source::figures::grouped_digits;

/// The number with so many decimals, halves rounded away from zero as people do.
pub(super) fn fixed(number: f64, decimals: usize) -> String {
    let places = i64::try_from(decimals).unwrap_or(i64::MAX);
    let text = format!("{:.*}", decimals, shortened(number, places, Rest::Rounded));
    match text.strip_prefix('-') {
        Some(digits) if digits.chars().all(|digit| matches!(digit, '0' | '.')) => digits.to_owned(),
        _ => text,
    }
}

/// What happens to the digits behind the last one that stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    /// Halves are rounded away from zero.
    Rounded,
    Cut,
}

/// The number with so many decimals, or with zeros before the point if they are negative. It is taken by the digits
/// that it is written with: 1.005 rounds up, although the nearest number that there is lies below it.
pub(super) fn shortened(number: f64, decimals: i64, rest: Rest) -> f64 {
    let written = format!("{:e}", number.abs());
    let Some((mantissa, exponent)) = written.split_once('e') else {
        return number;
    };
    let digits = mantissa.replace('.', "");
    let Ok(exponent) = exponent.parse::<i64>() else {
        return number;
    };
    // The number is 0.digits times ten to the power of `point`.
    let point = exponent + 1;
    let kept = usize::try_from(decimals.saturating_add(point));
    let first_left = match kept {
        Ok(kept) if kept >= digits.len() => return number,
        Ok(kept) => digits.as_bytes().get(kept).copied(),
        Err(_) => None,
    };
    let kept = kept.unwrap_or(0);
    let mut whole: u64 = digits[..kept].parse().unwrap_or(0);
    if rest == Rest::Rounded && first_left.is_some_and(|digit| digit >= b'5') {
        whole += 1;
    }
    let power = point.saturating_sub(i64::try_from(kept).unwrap_or(i64::MAX));
    // A text of digits and a power of ten is a number.
    let shortened: f64 = format!("{whole}e{power}").parse().unwrap_or(number);
    if number < 0.0 { -shortened } else { shortened }
}

/// Writes a number by a pattern. `0` is a digit, `#` one that may be missing, a comma among them groups by three,
/// `%` multiplies by a hundred, `E0` gives a power of ten; all else is text around it.
pub(super) fn write(number: f64, pattern: &str) -> String {
    let is_mark = |c: char| matches!(c, '0' | '#' | '.' | ',');
    let Some(from) = pattern.find(is_mark) else {
        return pattern.to_owned();
    };
    let length = pattern[from..]
        .find(|c| !is_mark(c))
        .unwrap_or(pattern.len() - from);
    let (before, marks) = (&pattern[..from], &pattern[from..from + length]);
    let mut behind = &pattern[from + length..];

    let mut number = number;
    if pattern.contains('%') {
        number *= 100.0;
    }
    let mut power = String::new();
    if let Some(rest) = behind.strip_prefix(['E', 'e']) {
        let signed = rest.starts_with('+');
        let rest = rest.trim_start_matches(['+', '-']);
        let width = rest.chars().take_while(|c| *c == '0').count();
        if width > 0 {
            behind = &rest[width..];
            let exponent = if number == 0.0 {
                0
            } else {
                number.abs().log10().floor() as i32
            };
            number /= 10f64.powi(exponent);
            let sign = match exponent {
                ..0 => "-",
                _ if signed => "+",
                _ => "",
            };
            power = format!("E{sign}{:0width$}", exponent.abs());
        }
    }

    let (whole_marks, decimal_marks) = marks.split_once('.').unwrap_or((marks, ""));
    let least = |marks: &str| marks.chars().filter(|mark| *mark == '0').count();
    let most = decimal_marks.chars().filter(|mark| *mark != ',').count();
    let digits = fixed(number.abs(), most);
    let (whole, decimals) = digits.split_once('.').unwrap_or((&digits, ""));
    let mut whole = whole.trim_start_matches('0').to_owned();
    let missing = least(whole_marks).saturating_sub(whole.len());
    whole.insert_str(0, &"0".repeat(missing));
    if whole_marks.contains(',') {
        whole = grouped_digits(&whole);
    }
    let kept = decimals
        .trim_end_matches('0')
        .len()
        .max(least(decimal_marks));
    let decimals = &decimals[..kept];
    let negative = number < 0.0 && digits.chars().any(|digit| matches!(digit, '1'..='9'));
    let minus = if negative { "-" } else { "" };
    let point = if decimals.is_empty() { "" } else { "." };
    format!("{minus}{before}{whole}{point}{decimals}{power}{behind}")
}
