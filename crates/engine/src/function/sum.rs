//! SUM that fails instead of leaving the range of its type. DataFusion's wraps around.

use crate::error::Carry;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, BooleanArray};
use datafusion::arrow::compute::{CastOptions, cast_with_options};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::arrow::util::display::FormatOptions;
use datafusion::common::{DataFusionError, ScalarValue};
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, ReversedUDAF, Signature,
};

use super::find;
use super::float::Finite;
use crate::{Error, code};

/// DataFusion's SUM in a wider type than that of the result, which is checked at the end. So values that leave the
/// range and come back into it, in whatever order, have their true sum.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct CheckedSum {
    inner: Arc<AggregateUDF>,
}

impl CheckedSum {
    pub(super) fn new() -> Self {
        Self { inner: sum_udaf() }
    }
}

/// A value that does not fit fails, rather than becoming NULL.
const STRICT: CastOptions<'static> = CastOptions {
    safe: false,
    format_options: FormatOptions::new(),
};

/// The type in which values are summed up; `None` if the type itself cannot overflow unseen.
fn wider(kind: &DataType) -> Option<DataType> {
    match kind {
        DataType::Int64 | DataType::UInt64 => Some(DataType::Decimal128(38, 0)),
        DataType::Decimal32(_, scale)
        | DataType::Decimal64(_, scale)
        | DataType::Decimal128(_, scale) => Some(DataType::Decimal256(76, *scale)),
        _ => None,
    }
}

fn typed(field: &FieldRef, kind: &DataType) -> FieldRef {
    Arc::new(Field::clone(field).with_data_type(kind.clone()))
}

impl AggregateUDFImpl for CheckedSum {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType, DataFusionError> {
        self.inner.return_type(given)
    }

    fn accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn Accumulator>, DataFusionError> {
        let Some(wide) = wider(args.return_type()) else {
            return Ok(Finite::of(self.name(), self.inner.accumulator(args)?));
        };
        let make = |args: AccumulatorArgs<'_>| self.inner.accumulator(args);
        Ok(Box::new(Widened::new(wide, &args, make)?))
    }

    fn create_sliding_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn Accumulator>, DataFusionError> {
        let Some(wide) = wider(args.return_type()) else {
            return self.inner.create_sliding_accumulator(args);
        };
        let make = |args: AccumulatorArgs<'_>| self.inner.create_sliding_accumulator(args);
        Ok(Box::new(Widened::new(wide, &args, make)?))
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>, DataFusionError> {
        let wide = wider(args.return_type());
        let return_field = match &wide {
            Some(wide) => typed(&args.return_field, wide),
            None => Arc::clone(&args.return_field),
        };
        self.inner.state_fields(StateFieldsArgs {
            return_field,
            ..args
        })
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        self.inner.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>, DataFusionError> {
        let Some(wide) = wider(args.return_type()) else {
            let inner = self.inner.create_groups_accumulator(args)?;
            return Ok(Finite::of(self.name(), inner));
        };
        let make = |args: AccumulatorArgs<'_>| self.inner.create_groups_accumulator(args);
        Ok(Box::new(Widened::new(wide, &args, make)?))
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}

/// An accumulator of the wider type that takes and gives values of the narrower one.
#[derive(Debug)]
struct Widened<A: ?Sized> {
    inner: Box<A>,
    wide: DataType,
    narrow: DataType,
}

impl<A: ?Sized> Widened<A> {
    /// What `make` makes of the arguments in the type `wide`.
    fn new(
        wide: DataType,
        args: &AccumulatorArgs<'_>,
        make: impl FnOnce(AccumulatorArgs<'_>) -> Result<Box<A>, DataFusionError>,
    ) -> Result<Self, DataFusionError> {
        let fields: Vec<FieldRef> = args
            .expr_fields
            .iter()
            .map(|field| typed(field, &wide))
            .collect();
        let inner = make(AccumulatorArgs {
            return_field: typed(&args.return_field, &wide),
            expr_fields: &fields,
            schema: args.schema,
            ignore_nulls: args.ignore_nulls,
            order_bys: args.order_bys,
            is_reversed: args.is_reversed,
            name: args.name,
            is_distinct: args.is_distinct,
            exprs: args.exprs,
        })?;
        Ok(Self {
            inner,
            wide,
            narrow: args.return_type().clone(),
        })
    }

    fn widen(&self, values: &[ArrayRef]) -> Result<Vec<ArrayRef>, DataFusionError> {
        let widened = values
            .iter()
            .map(|values| cast_with_options(values, &self.wide, &STRICT));
        Ok(widened.collect::<Result<_, _>>()?)
    }

    fn narrow(&self, sums: &ArrayRef) -> Result<ArrayRef, DataFusionError> {
        cast_with_options(sums, &self.narrow, &STRICT).map_err(|_| {
            let message = "SUM: the sum is out of the range of its type";
            let error = Error::new(code::EXECUTION, message).with_hint(
                "SUM(CAST(x AS DECIMAL(38, 0))) or SUM(CAST(x AS DOUBLE)) has a wider one",
            );
            match find("sum") {
                Some(function) => error.of_function(function),
                None => error.into(),
            }
            .into()
        })
    }
}

impl Accumulator for Widened<dyn Accumulator> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<(), DataFusionError> {
        let values = self.widen(values)?;
        self.inner.update_batch(&values)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<(), DataFusionError> {
        let values = self.widen(values)?;
        self.inner.retract_batch(&values)
    }

    fn supports_retract_batch(&self) -> bool {
        self.inner.supports_retract_batch()
    }

    fn evaluate(&mut self) -> Result<ScalarValue, DataFusionError> {
        let sum = self.inner.evaluate()?.to_array()?;
        ScalarValue::try_from_array(&self.narrow(&sum)?, 0)
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.inner.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>, DataFusionError> {
        self.inner.state()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<(), DataFusionError> {
        self.inner.merge_batch(states)
    }
}

impl GroupsAccumulator for Widened<dyn GroupsAccumulator> {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        count: usize,
    ) -> Result<(), DataFusionError> {
        let values = self.widen(values)?;
        self.inner.update_batch(&values, groups, filter, count)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef, DataFusionError> {
        let sums = self.inner.evaluate(emit_to)?;
        self.narrow(&sums)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>, DataFusionError> {
        self.inner.state(emit_to)
    }

    fn merge_batch(
        &mut self,
        states: &[ArrayRef],
        groups: &[usize],
        count: usize,
    ) -> Result<(), DataFusionError> {
        self.inner.merge_batch(states, groups, count)
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>, DataFusionError> {
        let values = self.widen(values)?;
        self.inner.convert_to_state(&values, filter)
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.inner.size()
    }
}
