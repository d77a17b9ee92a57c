//! DataFusion's functions within bounds: those that can make much of little, such as `repeat('x', 2000000000)`, and those
//! whose results may be infinite.

use crate::error::Carry;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{
    DataType, FieldRef, Int64Type, IntervalMonthDayNanoType, IntervalUnit, TimeUnit,
};
use datafusion::common::DataFusionError;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};

use super::float;
use super::size::Sizes;

/// Bytes that the result of one row takes at most.
type Size = fn(&Row<'_>) -> usize;

/// The functions, and what bounds their results.
const BOUNDED: &[(&str, Size)] = &[
    ("repeat", |row| row.length(0).saturating_mul(row.count(1))),
    ("lpad", padded),
    ("rpad", padded),
    ("replace", |row| {
        let (text, find, with) = (row.text(0), row.text(1), row.text(2));
        match find {
            "" => text.len(),
            find => text.len() + text.matches(find).count().saturating_mul(with.len()),
        }
    }),
    ("regexp_replace", |row| {
        // A match at every fourth place: where it matches at more, the result is four times as long as it may be.
        let places = row.length(0) / 4 + 1;
        row.length(0)
            .saturating_add(places.saturating_mul(row.length(2)))
    }),
    ("concat", together),
    ("concat_ws", |row| {
        let separators = row.arguments.len().saturating_mul(row.length(0));
        together(row).saturating_add(separators)
    }),
    ("range", series),
    ("generate_series", series),
    ("array_repeat", |row| {
        row.length(0).saturating_mul(row.count(1))
    }),
    ("array_resize", |row| {
        row.length(0)
            .saturating_add(row.count(1).saturating_mul(row.length(2).max(8)))
    }),
    ("array_concat", together),
    ("make_array", together),
    ("array_to_string", |row| {
        let elements = row.elements(0);
        let each = row.length(1).saturating_add(row.length(2));
        row.length(0)
            .saturating_mul(4)
            .saturating_add(elements.saturating_mul(each))
    }),
    ("array_replace_all", replaced),
    ("array_replace_n", replaced),
];

fn padded(row: &Row<'_>) -> usize {
    // A character takes four bytes at most.
    row.count(1).saturating_mul(4)
}

fn together(row: &Row<'_>) -> usize {
    (0..row.arguments.len())
        .map(|index| row.length(index))
        .sum()
}

fn replaced(row: &Row<'_>) -> usize {
    let each = row.elements(0).saturating_mul(row.length(2));
    row.length(0).saturating_add(each)
}

/// A series of whole numbers, dates or moments, eight bytes each.
fn series(row: &Row<'_>) -> usize {
    let whole = |index: usize| row.whole(index);
    let (first, last, step) = match row.arguments.len() {
        1 => (Some(0), whole(0), Some(1)),
        2 => (whole(0), whole(1), Some(1)),
        _ => (whole(0), whole(1), whole(2)),
    };
    match (first, last, step) {
        (Some(first), Some(last), Some(step)) if step != 0 => {
            let steps = (last - first) / step;
            usize::try_from(steps.max(0))
                .unwrap_or(usize::MAX)
                .saturating_mul(8)
        }
        _ => 0,
    }
}

/// The arguments of a row.
struct Row<'a> {
    arguments: &'a [(ArrayRef, bool)],
    index: usize,
}

impl Row<'_> {
    /// An argument, where it is not NULL.
    fn value(&self, argument: usize) -> Option<(&ArrayRef, usize)> {
        let (array, is_one) = self.arguments.get(argument)?;
        let index = if *is_one { 0 } else { self.index };
        array.is_valid(index).then_some((array, index))
    }

    fn text(&self, argument: usize) -> &str {
        let Some((array, index)) = self.value(argument) else {
            return "";
        };
        match array.data_type() {
            DataType::Utf8 => array.as_string::<i32>().value(index),
            DataType::LargeUtf8 => array.as_string::<i64>().value(index),
            DataType::Utf8View => array.as_string_view().value(index),
            _ => "",
        }
    }

    /// The bytes of an argument.
    fn length(&self, argument: usize) -> usize {
        let Some((array, index)) = self.value(argument) else {
            return 0;
        };
        match array.data_type() {
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => self.text(argument).len(),
            kind => match kind.primitive_width() {
                Some(width) => width,
                None => array
                    .slice(index, 1)
                    .to_data()
                    .get_slice_memory_size()
                    .unwrap_or(0),
            },
        }
    }

    /// A number that counts something.
    fn count(&self, argument: usize) -> usize {
        usize::try_from(self.whole(argument).unwrap_or(0)).unwrap_or(0)
    }

    /// A whole number; a date or moment in nanoseconds, and an interval in as many as it has at least.
    fn whole(&self, argument: usize) -> Option<i128> {
        const DAY: i128 = 86_400_000_000_000;
        let (array, index) = self.value(argument)?;
        let as_whole = |array: &dyn Array| {
            let whole = cast(array, &DataType::Int64).ok()?;
            let whole = whole.as_primitive::<Int64Type>();
            whole.is_valid(0).then(|| i128::from(whole.value(0)))
        };
        let one = array.slice(index, 1);
        match array.data_type() {
            DataType::Date32 => Some(as_whole(&one)? * DAY),
            DataType::Timestamp(unit, _) => {
                let nanoseconds = match unit {
                    TimeUnit::Second => 1_000_000_000,
                    TimeUnit::Millisecond => 1_000_000,
                    TimeUnit::Microsecond => 1_000,
                    TimeUnit::Nanosecond => 1,
                };
                Some(as_whole(&one)? * nanoseconds)
            }
            DataType::Interval(IntervalUnit::MonthDayNano) => {
                let step = array
                    .as_primitive::<IntervalMonthDayNanoType>()
                    .value(index);
                let days = i128::from(step.months) * 28 + i128::from(step.days);
                Some(days * DAY + i128::from(step.nanoseconds))
            }
            kind if kind.is_integer() => as_whole(&one),
            _ => None,
        }
    }

    fn elements(&self, argument: usize) -> usize {
        let Some((array, index)) = self.value(argument) else {
            return 0;
        };
        match array.data_type() {
            DataType::List(_) => array.as_list::<i32>().value(index).len(),
            DataType::LargeList(_) => array.as_list::<i64>().value(index).len(),
            _ => 0,
        }
    }
}

/// The functions of a session that are to be bounded, bounded.
pub(super) fn bounded(find: impl Fn(&str) -> Option<Arc<ScalarUDF>>) -> Vec<ScalarUDF> {
    let found = BOUNDED.iter().filter_map(|(name, size)| {
        let inner = find(name)?;
        let size = Some(*size);
        Some(Bounded { inner, size }.into())
    });
    found.collect()
}

/// A function whose results are finite numbers.
pub(super) fn finite(inner: Arc<ScalarUDF>) -> ScalarUDF {
    Bounded { inner, size: None }.into()
}

/// A function whose result is measured before it is made, or checked to be a finite number.
#[derive(Debug)]
struct Bounded {
    inner: Arc<ScalarUDF>,
    size: Option<Size>,
}

// Two of one function are the same.
impl PartialEq for Bounded {
    fn eq(&self, other: &Self) -> bool {
        self.inner == other.inner
    }
}

impl Eq for Bounded {}

impl Hash for Bounded {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.hash(state);
    }
}

impl Bounded {
    fn measure(
        &self,
        size: Size,
        arguments: &[ColumnarValue],
        rows: usize,
    ) -> Result<(), DataFusionError> {
        let arrays = arguments.iter().map(|argument| match argument {
            ColumnarValue::Array(array) => Ok((Arc::clone(array), false)),
            ColumnarValue::Scalar(value) => Ok((value.to_array()?, true)),
        });
        let arrays = arrays.collect::<Result<Vec<_>, DataFusionError>>()?;
        let is_one = arrays.iter().all(|(_, is_one)| *is_one);
        let mut sizes = Sizes::of(self.name());
        for index in 0..if is_one { 1 } else { rows } {
            let row = Row {
                arguments: &arrays,
                index,
            };
            sizes.add(size(&row)).map_err(Carry::carried)?;
        }
        Ok(())
    }
}

impl ScalarUDFImpl for Bounded {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>, DataFusionError> {
        self.inner.coerce_types(given)
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType, DataFusionError> {
        self.inner.return_type(given)
    }

    fn return_field_from_args(
        &self,
        args: ReturnFieldArgs<'_>,
    ) -> Result<FieldRef, DataFusionError> {
        self.inner.return_field_from_args(args)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue, DataFusionError> {
        if let Some(size) = self.size {
            self.measure(size, &args.args, args.number_rows)?;
            return self.inner.invoke_with_args(args);
        }
        let given = args.args.clone();
        let result = self.inner.invoke_with_args(args)?;
        float::results(self.name(), &given, result)
    }
}
