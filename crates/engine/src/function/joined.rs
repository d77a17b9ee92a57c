//! STRING_AGG with a bound on the length of its result.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{DataFusionError, ScalarValue};
use datafusion::functions_aggregate::string_agg::string_agg_udaf;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature,
};

use super::size::{LONGEST, LONGEST_TOGETHER, Sizes};
use crate::error::Carry;

const NAME: &str = "string_agg";

/// DataFusion's STRING_AGG, which refuses a text that gets too long.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct JoinedTexts {
    inner: Arc<AggregateUDF>,
}

impl JoinedTexts {
    pub(super) fn new() -> Self {
        Self {
            inner: string_agg_udaf(),
        }
    }
}

impl AggregateUDFImpl for JoinedTexts {
    fn name(&self) -> &'static str {
        NAME
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType, DataFusionError> {
        self.inner.return_type(given)
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>, DataFusionError> {
        self.inner.state_fields(args)
    }

    fn accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn Accumulator>, DataFusionError> {
        let is_distinct = args.is_distinct;
        Ok(Box::new(Whole {
            inner: self.inner.accumulator(args)?,
            is_distinct,
            taken: 0,
        }))
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        self.inner.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>, DataFusionError> {
        Ok(Box::new(Groups {
            inner: self.inner.create_groups_accumulator(args)?,
            taken: Vec::new(),
        }))
    }
}

fn checked(bytes: usize) -> Result<(), DataFusionError> {
    Sizes::of(NAME).add(bytes).map_err(Carry::carried)
}

/// The bytes of the texts of an array, one by one; 0 for NULL.
fn lengths(texts: &dyn Array) -> Vec<usize> {
    fn each<'t>(texts: impl Iterator<Item = Option<&'t str>>) -> Vec<usize> {
        texts.map(|text| text.map_or(0, str::len)).collect()
    }
    match texts.data_type() {
        DataType::Utf8 => each(texts.as_string::<i32>().iter()),
        DataType::LargeUtf8 => each(texts.as_string::<i64>().iter()),
        DataType::Utf8View => each(texts.as_string_view().iter()),
        _ => Vec::new(),
    }
}

/// One text of all rows.
#[derive(Debug)]
struct Whole {
    inner: Box<dyn Accumulator>,
    is_distinct: bool,
    /// Bytes of the texts so far.
    taken: usize,
}

impl Whole {
    /// Where equal texts count once, only those that are kept can tell.
    fn check(&self) -> Result<(), DataFusionError> {
        match self.is_distinct {
            false => checked(self.taken),
            true if self.inner.size() > 4 * LONGEST_TOGETHER => checked(self.inner.size()),
            true => Ok(()),
        }
    }
}

impl Accumulator for Whole {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<(), DataFusionError> {
        if let Some(texts) = values.first() {
            self.taken += lengths(texts).iter().sum::<usize>();
        }
        self.check()?;
        self.inner.update_batch(values)
    }

    fn evaluate(&mut self) -> Result<ScalarValue, DataFusionError> {
        let joined = self.inner.evaluate()?;
        checked(joined.try_as_str().flatten().map_or(0, str::len))?;
        Ok(joined)
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.inner.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>, DataFusionError> {
        self.inner.state()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<(), DataFusionError> {
        self.inner.merge_batch(states)?;
        match self.inner.size() > 4 * LONGEST_TOGETHER {
            true => checked(self.inner.size()),
            false => Ok(()),
        }
    }
}

/// A text of each group.
struct Groups {
    inner: Box<dyn GroupsAccumulator>,
    /// Bytes of the texts of each group so far.
    taken: Vec<usize>,
}

impl Groups {
    fn take(
        &mut self,
        texts: Option<&ArrayRef>,
        groups: &[usize],
        filter: Option<&BooleanArray>,
        count: usize,
    ) -> Result<(), DataFusionError> {
        self.taken.resize(count, 0);
        let lengths = texts.map(|texts| lengths(texts)).unwrap_or_default();
        for (row, (length, group)) in lengths.into_iter().zip(groups).enumerate() {
            let counts = filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
            if let Some(taken) = self.taken.get_mut(*group).filter(|_| counts) {
                *taken += length;
                if *taken > LONGEST {
                    return checked(*taken);
                }
            }
        }
        Ok(())
    }
}

impl GroupsAccumulator for Groups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        count: usize,
    ) -> Result<(), DataFusionError> {
        self.take(values.first(), groups, filter, count)?;
        self.inner.update_batch(values, groups, filter, count)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef, DataFusionError> {
        emit_to.take_needed(&mut self.taken);
        let joined = self.inner.evaluate(emit_to)?;
        for length in lengths(&joined) {
            checked(length)?;
        }
        Ok(joined)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>, DataFusionError> {
        emit_to.take_needed(&mut self.taken);
        self.inner.state(emit_to)
    }

    fn merge_batch(
        &mut self,
        states: &[ArrayRef],
        groups: &[usize],
        count: usize,
    ) -> Result<(), DataFusionError> {
        self.take(states.first(), groups, None, count)?;
        self.inner.merge_batch(states, groups, count)
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>, DataFusionError> {
        self.inner.convert_to_state(values, filter)
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.taken.capacity() * size_of::<usize>() + self.inner.size()
    }
}
