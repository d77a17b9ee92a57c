//! Rows that hang on those of another table: which of them the table has.

use arrow::datatypes::DataType;
use bucketline_destination::{RowFilter, Scalar};
use bucketline_source::{Literal, Operator, Owner};

use crate::columns::Layout;
use crate::work::RowWork;

/// How a column that names the parent of a row shows in the destination's table.
#[derive(Debug, Clone, PartialEq)]
enum Shown {
    /// As this column.
    Column { name: String, is_text: bool },
    /// Not at all, since a condition fixes it.
    Fixed(Literal),
}

/// The columns that name the parent of a row.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct OwnerColumns(Vec<(usize, Shown)>);

impl OwnerColumns {
    /// Those of a statement whose key is among its outputs, less what conditions fix.
    pub(crate) fn new(work: &dyn RowWork, layout: &Layout) -> Self {
        let table = work.table();
        let Some(parent) = &table.parent else {
            return Self::default();
        };
        let shown = |(column, _): (usize, usize)| {
            let outputs = work.outputs();
            let output = outputs
                .iter()
                .position(|output| output.plain == Some(column));
            if let Some(place) = output.and_then(|output| layout.column_of(output)) {
                let field = &layout.columns[place].field;
                let is_text = matches!(
                    field.data_type(),
                    DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
                );
                let name = field.name().clone();
                return Some((column, Shown::Column { name, is_text }));
            }
            let predicates = &work.scan().request.predicates;
            let fixed = predicates.iter().find(|predicate| {
                predicate.column == column && predicate.operator == Operator::Eq
            })?;
            Some((column, Shown::Fixed(fixed.values.first()?.clone())))
        };
        Self(parent.owner(table).into_iter().filter_map(shown).collect())
    }

    /// The rows of a parent in the destination's table, within those of its slice; `None` if the statement
    /// has none of them.
    pub(crate) fn rows_of(&self, owner: &Owner, of_slice: &RowFilter) -> Option<RowFilter> {
        let mut filter = of_slice.clone();
        for (column, value) in &owner.0 {
            let (_, shown) = self.0.iter().find(|(known, _)| known == column)?;
            match shown {
                Shown::Fixed(fixed) if fixed == value => {}
                Shown::Fixed(_) => return None,
                Shown::Column { name, is_text } => {
                    let value = match value {
                        Literal::Text(text) => Scalar::Text(text.clone()),
                        Literal::Int(number) if *is_text => Scalar::Text(number.to_string()),
                        Literal::Int(number) => Scalar::Int(*number),
                        Literal::Bool(value) => Scalar::Bool(*value),
                        Literal::Float(_) | Literal::Timestamp(_) => return None,
                    };
                    filter.0.push((name.clone(), value));
                }
            }
        }
        Some(filter)
    }
}
