//! Decimals as floats and floats as decimals, digit by digit. Arrow's casts divide and multiply by a power of ten, which
//! changes the digits of long numbers.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, Float64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use bucketline_core::decimal;

/// The values in the other type, if these are decimals and floats; NULL for a float that the decimal has no room for.
pub fn by_digits(array: &ArrayRef, to: &DataType) -> Option<ArrayRef> {
    match (array.data_type(), to) {
        (from, DataType::Float64) if from.is_decimal() => {
            let texts = ArrayFormatter::try_new(array, &FormatOptions::default()).ok()?;
            let float = |row: usize| {
                let is_there = array.is_valid(row);
                is_there.then(|| texts.value(row).to_string().parse::<f64>().ok())?
            };
            let floats: Float64Array = (0..array.len()).map(float).collect();
            Some(Arc::new(floats))
        }
        (from, DataType::Decimal128(precision, scale)) if from.is_floating() => {
            let floats = cast(array, &DataType::Float64).ok()?;
            let floats = floats.as_primitive::<Float64Type>();
            let decimals: Decimal128Array = floats
                .iter()
                .map(|float| decimal::of_float(float?, *precision, *scale))
                .collect();
            let decimals = decimals.with_precision_and_scale(*precision, *scale).ok()?;
            Some(Arc::new(decimals))
        }
        _ => None,
    }
}
