//! Decimals, digit by digit.

use std::fmt;

use bucketline_core::decimal::power;
use datafusion::arrow::datatypes::{Decimal128Type, DecimalType};

/// Digits that a decimal can have.
pub(super) const DIGITS: u8 = 38;

/// A number of units of `10^-scale`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Decimal {
    pub(super) units: i128,
    pub(super) scale: i8,
}

impl Decimal {
    pub(super) fn new(units: i128, scale: i8) -> Self {
        Self { units, scale }
    }

    /// The same number in units of `10^-scale`, if it has so many digits. What is smaller than a unit is cut off.
    pub(super) fn rescaled(self, scale: i8) -> Option<Self> {
        let digits = i64::from(scale) - i64::from(self.scale);
        let units = match power(digits.unsigned_abs()) {
            Some(power) if digits >= 0 => self.units.checked_mul(power)?,
            Some(power) => self.units / power,
            None if digits < 0 || self.units == 0 => 0,
            None => return None,
        };
        Some(Self { units, scale })
    }

    /// The number cut off or rounded behind so many decimals, halves away from 0; `None` if it gets too large.
    pub(super) fn rounded(self, decimals: i64, cut: bool) -> Option<Self> {
        let digits = i64::from(self.scale).saturating_sub(decimals);
        if digits <= 0 {
            return Some(self);
        }
        let Some(power) = power(digits.unsigned_abs()) else {
            return Some(Self { units: 0, ..self });
        };
        let rest = self.units % power;
        let mut units = self.units - rest;
        if !cut && rest.unsigned_abs() >= power.unsigned_abs().div_ceil(2) {
            units = units.checked_add(power * rest.signum())?;
        }
        Some(Self { units, ..self })
    }

    /// The greatest whole number that is not above it.
    pub(super) fn floor(self) -> Option<i128> {
        let whole = self.rescaled(0)?.units;
        let has_rest = Self::new(whole, 0).rescaled(self.scale)? != self;
        Some(whole - i128::from(has_rest && self.units < 0))
    }

    pub(super) fn as_f64(self) -> f64 {
        // The nearest, as the text of it says.
        self.to_string().parse().unwrap_or(f64::NAN)
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Decimal128Type::format_decimal(
            self.units, DIGITS, self.scale,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::Decimal;

    #[test]
    fn rounding_goes_away_from_zero_at_halves() {
        for (units, scale, decimals, cut, rounded) in [
            (125, 2, 1, false, 130),
            (-125, 2, 1, false, -130),
            (124, 2, 1, false, 120),
            (129, 2, 1, true, 120),
            (15, 0, -1, false, 20),
            (14, 0, -1, false, 10),
            (5, 0, -50, false, 0),
            (5, 1, 3, false, 5),
            (5, 1, 0, false, 10),
            (4, 1, 0, false, 0),
        ] {
            let of = Decimal::new(units, scale);
            let expected = Decimal::new(rounded, scale);
            assert_eq!(of.rounded(decimals, cut), Some(expected), "{of}");
        }
    }

    #[test]
    fn the_floor_is_not_above_the_number() {
        for (units, scale, floor) in [
            (125, 2, 1),
            (-125, 2, -2),
            (-100, 2, -1),
            (7, 0, 7),
            (0, 5, 0),
        ] {
            assert_eq!(Decimal::new(units, scale).floor(), Some(floor));
        }
    }
}
