//! What becomes of rows whose workspace or repository has another name.

use bucketline_destination::Scalar as Value;
use bucketline_source::TableSpec;

use crate::columns::Layout;
use crate::work::RowWork;

/// What a renamed parent means for the rows of its slice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Renaming {
    /// Nothing was renamed that the rows show.
    None,
    /// These columns of the table get these values.
    Assign(Vec<(String, Value)>),
    /// An expression or condition reads it: the rows must be computed again.
    Recompute,
}

/// Compares a slice's parents with those that its rows were loaded with.
pub(crate) fn renaming(
    work: &dyn RowWork,
    layout: &Layout,
    before: &[Option<String>],
    now: &[Option<String>],
) -> Renaming {
    let table: &TableSpec = work.table();
    let mut set = Vec::new();
    for (index, column) in table.parents().enumerate() {
        if before.get(index) == now.get(index) {
            continue;
        }
        if work.condition_reads().contains(&column) {
            return Renaming::Recompute;
        }
        for (target, &pick) in layout.columns.iter().zip(&layout.picks) {
            let output = &work.outputs()[pick];
            if !output.reads.contains(&column) && output.plain != Some(column) {
                continue;
            }
            if output.plain.is_none() || target.field.data_type() != output.field.data_type() {
                return Renaming::Recompute;
            }
            let value = now.get(index).cloned().flatten();
            set.push((
                target.field.name().clone(),
                value.map_or(Value::Null, Value::Text),
            ));
        }
    }
    if set.is_empty() {
        Renaming::None
    } else {
        Renaming::Assign(set)
    }
}
