//! Functions of numbers.

use super::call::{Answer, Call, Cell, Complaint, Compute, Number};
use super::decimal::Decimal;
use super::declaration::{Argument, Function, any, computed, float, int, number, planner, text};
use super::formula;
use super::number_pattern::{Rest, shortened};

const X: &[Argument] = &[float("x")];

/// A function of one number; what is not a number is NULL.
macro_rules! of_x {
    ($name:literal, $compute:expr, $description:literal) => {
        computed(
            $name,
            X,
            Compute::Float(|call| {
                let compute: fn(f64) -> f64 = $compute;
                defined(compute(call.float(0)))
            }),
            $description,
        )
    };
}

pub(super) const FUNCTIONS: &[Function] = &[
    computed(
        "abs",
        &[number("x")],
        Compute::Number(|call| match call.number(0) {
            Number::Int(value) => value
                .checked_abs()
                .map(Number::Int)
                .map(Some)
                .ok_or_else(overflow),
            Number::Decimal(value) => Ok(Some(Number::Decimal(Decimal {
                units: value.units.abs(),
                ..value
            }))),
            Number::Float(value) => Ok(Some(Number::Float(value.abs()))),
        }),
        "The number without its sign.",
    ),
    of_x!("acos", f64::acos, "The arc cosine, in radians."),
    of_x!("asin", f64::asin, "The arc sine, in radians."),
    of_x!("atan", f64::atan, "The arc tangent, in radians."),
    computed(
        "atn2",
        &[float("y"), float("x")],
        Compute::Float(|call| defined(call.float(0).atan2(call.float(1)))),
        "The angle to the point (x, y), in radians.",
    )
    .or(&["atan2"]),
    computed(
        "ceiling",
        &[number("x")],
        Compute::Int(|call| match call.number(0) {
            Number::Decimal(value) => {
                let below = Decimal {
                    units: -value.units,
                    ..value
                }
                .floor();
                bounded(below.map(|floor| -floor))
            }
            number => whole(number, f64::ceil),
        }),
        "The least whole number that is not below it.",
    )
    .or(&["ceil"]),
    of_x!("cos", f64::cos, "The cosine."),
    of_x!("cot", |x| 1.0 / x.tan(), "The cotangent."),
    of_x!("degrees", f64::to_degrees, "Radians as degrees."),
    of_x!("exp", f64::exp, "e to the power of it."),
    computed(
        "expr",
        &[text("formula")],
        Compute::Text(|call| formula::evaluate(call.text(0)).map(Some)),
        "The result of a formula that is a text, such as '1 + 2 * 3'.",
    )
    .noting(
        "Knows + - * / %, parentheses, comparisons, && and ||; a comparison gives true or false.",
    ),
    computed(
        "floor",
        &[number("x")],
        Compute::Int(|call| match call.number(0) {
            Number::Decimal(value) => bounded(value.floor()),
            number => whole(number, f64::floor),
        }),
        "The greatest whole number that is not above it.",
    ),
    planner(
        "greatest",
        &[any("value").repeated()],
        "greatest",
        "The greatest of the values.",
    )
    .noting("NULL is left out of the comparison, as in PostgreSQL."),
    computed(
        "hex",
        &[any("value")],
        Compute::Text(hex),
        "A whole number, or the bytes of a text, in hexadecimal digits.",
    ),
    planner(
        "least",
        &[any("value").repeated()],
        "least",
        "The least of the values.",
    )
    .noting("NULL is left out of the comparison, as in PostgreSQL."),
    computed(
        "log",
        &[float("x"), float("base").optional()],
        Compute::Float(|call| {
            let natural = logarithm(call.float(0));
            defined(match call.len() {
                1 => natural,
                _ => natural / logarithm(call.float(1)),
            })
        }),
        "The logarithm, natural or of a base.",
    ),
    of_x!("ln", logarithm, "The natural logarithm."),
    of_x!(
        "log10",
        |x| if x == 0.0 { f64::NAN } else { x.log10() },
        "The logarithm of base 10."
    ),
    computed(
        "mod",
        &[number("x"), number("y")],
        Compute::Number(|call| match (call.number(0), call.number(1)) {
            (Number::Int(_), Number::Int(0)) => Err(Complaint::new("the divisor is 0")),
            (Number::Int(x), Number::Int(y)) => Ok(Some(Number::Int(x.wrapping_rem(y)))),
            (Number::Float(_), _) | (_, Number::Float(_)) => {
                let rest = defined(call.float(0) % call.float(1))?;
                Ok(rest.map(Number::Float))
            }
            (x, y) => decimal_rest(x, y),
        }),
        "The rest of a division.",
    ),
    computed(
        "negate",
        &[number("x")],
        Compute::Number(|call| match call.number(0) {
            Number::Int(value) => value
                .checked_neg()
                .map(Number::Int)
                .map(Some)
                .ok_or_else(overflow),
            Number::Decimal(value) => Ok(Some(Number::Decimal(Decimal {
                units: -value.units,
                ..value
            }))),
            Number::Float(value) => Ok(Some(Number::Float(-value))),
        }),
        "The number with the other sign.",
    ),
    computed(
        "pi",
        &[],
        Compute::Float(|_| Ok(Some(std::f64::consts::PI))),
        "The circle's number.",
    ),
    computed(
        "power",
        &[float("x"), float("y")],
        Compute::Float(|call| defined(call.float(0).powf(call.float(1)))),
        "x to the power of y.",
    )
    .or(&["pow"])
    .noting("Never a whole number in type, so that nothing overflows."),
    of_x!("radians", f64::to_radians, "Degrees as radians."),
    computed(
        "rand",
        &[int("seed").optional()],
        Compute::Chance(|call| {
            Ok(Some(match call.int_if_given(0) {
                Some(seed) => fastrand::Rng::with_seed(seed.cast_unsigned()).f64(),
                None => fastrand::f64(),
            }))
        }),
        "A number from 0 to below 1 by chance; always the same of one seed.",
    )
    .or(&["random"]),
    computed(
        "round",
        &[
            number("x"),
            int("decimals").optional(),
            int("cut").optional(),
        ],
        Compute::Number(|call| decimals(call, call.int(2) != 0)),
        "The number rounded, halves away from 0; cut off if `cut` is not 0.",
    ),
    computed(
        "sign",
        &[number("x")],
        Compute::Int(|call| {
            let x = call.float(0);
            Ok(Some(i64::from(x > 0.0) - i64::from(x < 0.0)))
        }),
        "1, 0 or -1.",
    ),
    of_x!("sin", f64::sin, "The sine."),
    of_x!(
        "sqrt",
        f64::sqrt,
        "The square root; NULL of a negative number."
    ),
    computed(
        "square",
        &[number("x")],
        Compute::Number(|call| match call.number(0) {
            Number::Int(value) => value
                .checked_mul(value)
                .map(Number::Int)
                .map(Some)
                .ok_or_else(overflow),
            Number::Decimal(value) => {
                let square = value.units.checked_mul(value.units).map(|units| Decimal {
                    units,
                    scale: value.scale.saturating_mul(2),
                });
                let square = square.and_then(|square| square.rounded(value.scale.into(), false));
                square.map(Number::Decimal).map(Some).ok_or_else(overflow)
            }
            Number::Float(value) => Ok(defined(value * value)?.map(Number::Float)),
        }),
        "The number times itself.",
    ),
    of_x!("tan", f64::tan, "The tangent."),
    computed(
        "trunc",
        &[number("x"), int("decimals").optional()],
        Compute::Number(|call| decimals(call, true)),
        "The number cut off behind so many decimals.",
    ),
];

/// What is not a number is NULL.
fn defined(value: f64) -> Answer<f64> {
    match value {
        value if value.is_infinite() => Err(Complaint::new("the result is out of range")),
        value => Ok((!value.is_nan()).then_some(value)),
    }
}

/// Of 0 there is none.
fn logarithm(x: f64) -> f64 {
    if x == 0.0 { f64::NAN } else { x.ln() }
}

fn overflow() -> Complaint {
    Complaint::new("the result is too large for its type")
        .with_hint("CAST(x AS DOUBLE) has a wider range")
}

fn bounded(whole: Option<i128>) -> Answer<i64> {
    let whole = whole.and_then(|whole| i64::try_from(whole).ok());
    whole.map(Some).ok_or_else(overflow)
}

fn whole(number: Number, rounded: fn(f64) -> f64) -> Answer<i64> {
    const FIRST_BEYOND: f64 = 9_223_372_036_854_775_808.0;
    if let Number::Int(value) = number {
        return Ok(Some(value));
    }
    match rounded(number.as_f64()) {
        // Within the bounds nothing is cut off.
        whole if (-FIRST_BEYOND..FIRST_BEYOND).contains(&whole) => Ok(Some(whole as i64)),
        _ => Err(overflow()),
    }
}

/// The rest of a division of numbers none of which is a float.
fn decimal_rest(x: Number, y: Number) -> Answer<Number> {
    let [x, y] = [x, y].map(|number| match number {
        Number::Decimal(value) => value,
        Number::Int(value) => Decimal::new(value.into(), 0),
        Number::Float(_) => Decimal::new(0, 0),
    });
    let scale = x.scale.max(y.scale);
    let (x, y) = x
        .rescaled(scale)
        .zip(y.rescaled(scale))
        .ok_or_else(overflow)?;
    match x.units.checked_rem(y.units) {
        Some(units) => Ok(Some(Number::Decimal(Decimal::new(units, scale)))),
        None => Err(Complaint::new("the divisor is 0")),
    }
}

/// A number rounded or cut off behind so many decimals, or before the point if they are negative.
fn decimals(call: &Call<'_>, cut: bool) -> Answer<Number> {
    let decimals = call.int(1);
    let changed = match call.number(0) {
        Number::Int(value) => Decimal::new(value.into(), 0)
            .rounded(decimals, cut)
            .and_then(|changed| i64::try_from(changed.units).ok())
            .map(Number::Int),
        Number::Decimal(value) => value.rounded(decimals, cut).map(Number::Decimal),
        Number::Float(value) => {
            let rest = if cut { Rest::Cut } else { Rest::Rounded };
            Some(Number::Float(shortened(value, decimals, rest)))
        }
    };
    changed.map(Some).ok_or_else(overflow)
}

fn hex(call: &Call<'_>) -> Answer<String> {
    match call.cell(0) {
        Some(Cell::Int(value)) => Ok(Some(format!("{value:X}"))),
        Some(Cell::Text(text)) => Ok(Some(
            text.bytes().map(|byte| format!("{byte:02X}")).collect(),
        )),
        _ => Err(Complaint::new(
            "the value is neither a whole number nor a text",
        )),
    }
}
