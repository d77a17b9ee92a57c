//! Figures for people.

use std::fmt;
use std::time::Duration;

/// A duration: `1.8 s`, `2 min 5 s`.
#[derive(Debug, Clone, Copy)]
pub struct Elapsed(pub Duration);

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        match seconds {
            0..120 => write!(f, "{:.1} s", self.0.as_secs_f64()),
            _ => write!(f, "{} min {} s", grouped(seconds / 60), seconds % 60),
        }
    }
}

/// A number and its noun: `1 row`, `1,204 rows`.
pub fn counted(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", grouped(number))
}

/// A number with a comma before every third digit from the right.
pub fn grouped(number: u64) -> String {
    grouped_digits(&number.to_string())
}

/// Digits with a comma before every third from the right.
pub fn grouped_digits(digits: &str) -> String {
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Elapsed, counted};

    #[test]
    fn figures_read_well() {
        assert_eq!(counted(0, "row"), "0 rows");
        assert_eq!(counted(1, "request"), "1 request");
        assert_eq!(counted(1_204_000, "row"), "1,204,000 rows");
        assert_eq!(Elapsed(Duration::from_millis(1_840)).to_string(), "1.8 s");
        assert_eq!(Elapsed(Duration::from_secs(125)).to_string(), "2 min 5 s");
    }
}
