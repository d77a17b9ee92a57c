//! Casts of texts and floats to decimals, digit by digit. The engine's own multiply a float by a power of ten, which adds
//! digits that nobody wrote, and read no text with an exponent.

use std::hash::Hash;
use std::sync::Arc;

use bucketline_core::decimal::{self, Read};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, Decimal128Array};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Float64Type};
use datafusion::common::DataFusionError;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};

use super::call::as_value;
use crate::error::Carry;
use crate::{Error, code};

/// The decimal of a text or a float; where that is only tried, NULL for what has none.
pub(super) fn read_decimal(value: Expr, precision: u8, scale: i8, is_tried: bool) -> Expr {
    let read = ReadDecimal {
        precision,
        scale,
        is_tried,
        signature: Signature::any(1, Volatility::Immutable),
    };
    Expr::ScalarFunction(ScalarFunction::new_udf(Arc::new(read.into()), vec![value]))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ReadDecimal {
    precision: u8,
    scale: i8,
    is_tried: bool,
    signature: Signature,
}

impl ReadDecimal {
    fn read(&self, text: &str) -> Result<Option<i128>, Error> {
        let refused = |message: String| match self.is_tried {
            true => Ok(None),
            false => Err(Error::new(code::EXECUTION, message)
                .with_hint("TRY_CAST gives NULL for what cannot be cast")),
        };
        let written = self.written();
        match decimal::read(text, self.precision, self.scale) {
            Read::Units(units) => Ok(Some(units)),
            Read::TooLong => refused(format!("{text} has more digits than {written} takes")),
            Read::Nothing => refused(format!("the text '{text}' cannot be cast to {written}")),
        }
    }

    fn written(&self) -> String {
        format!("DECIMAL({}, {})", self.precision, self.scale)
    }
}

impl ScalarUDFImpl for ReadDecimal {
    fn name(&self) -> &'static str {
        "read_decimal"
    }

    fn display_name(&self, arguments: &[Expr]) -> Result<String, DataFusionError> {
        let value: String = arguments.iter().map(Expr::to_string).collect();
        Ok(format!("CAST({value} AS {})", self.written()))
    }

    fn schema_name(&self, arguments: &[Expr]) -> Result<String, DataFusionError> {
        let names = arguments.iter().map(|it| it.schema_name().to_string());
        Ok(names.collect())
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType, DataFusionError> {
        Ok(DataType::Decimal128(self.precision, self.scale))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue, DataFusionError> {
        let Some(value) = args.args.into_iter().next() else {
            return Err(DataFusionError::Internal("a cast of nothing".to_owned()));
        };
        let is_one = matches!(value, ColumnarValue::Scalar(_));
        let array = value.into_array(args.number_rows)?;
        let decimals: Result<Decimal128Array, Error> = if array.data_type().is_floating() {
            let floats = cast(&array, &DataType::Float64)?;
            let floats = floats.as_primitive::<Float64Type>();
            let read = |float: Option<f64>| match float {
                Some(float) => self.read(&format!("{float:e}")),
                None => Ok(None),
            };
            floats.iter().map(read).collect()
        } else {
            let texts = cast(&array, &DataType::Utf8)?;
            let texts = texts.as_string::<i32>();
            let read = |text: Option<&str>| match text {
                Some(text) => self.read(text),
                None => Ok(None),
            };
            texts.iter().map(read).collect()
        };
        let decimals = decimals.map_err(Error::carried)?;
        let decimals = decimals.with_precision_and_scale(self.precision, self.scale)?;
        let decimals: ArrayRef = Arc::new(decimals);
        as_value(decimals, is_one)
    }
}
