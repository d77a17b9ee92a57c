//! The queries that a UNION ALL puts together, and what keeps their rows apart.

use bucketline_destination::Column;
use bucketline_source::SliceChoice;

use crate::prepare::Rows;
use crate::work::RowWork;

/// One query of a statement that is read row by row; mostly the only one.
#[derive(Clone, Copy)]
pub(crate) struct Arm<'a> {
    /// Its place among them, from 0.
    pub(crate) number: usize,
    pub(crate) work: &'a dyn RowWork,
    pub(crate) rows: &'a Rows,
}

impl Arm<'_> {
    /// What stands over what is said of it alone, if it is one of several: `query 1 of 2: prod.Information.Issues`.
    pub(crate) fn headline(&self, of: usize) -> Option<String> {
        let request = &self.work.scan().request;
        let (scope, table) = (&request.scope.name, &request.table.name);
        let (number, connection) = (self.number + 1, self.work.connection());
        (of > 1).then(|| format!("query {number} of {of}: {connection}.{scope}.{table}"))
    }
}

/// What tells the rows of one query from those of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Apart {
    /// There are no others.
    Alone,
    /// They are of other repositories, which the key names.
    Repositories,
    /// The output of this index is another constant in each query.
    Constant(usize),
}

impl Apart {
    /// Decides it; or says why they cannot be told apart.
    pub(crate) fn of(works: &[Box<dyn RowWork>]) -> Result<Self, String> {
        let (first, others) = match works {
            [first, others @ ..] if !others.is_empty() => (first, others),
            _ => return Ok(Self::Alone),
        };
        if others.iter().any(|other| other.key() != first.key()) {
            return Err("the keys of the queries that it unites are other columns".to_owned());
        }
        let names_repository = |work: &dyn RowWork| {
            let column = work.slice_column();
            column.is_some_and(|column| work.key().contains(&column))
        };
        let by_repository = works.iter().all(|work| names_repository(work.as_ref()));
        let overlap = overlap(works);
        if by_repository && overlap.is_none() {
            return Ok(Self::Repositories);
        }
        let constant = (0..first.outputs().len()).find(|&output| is_other_in_each(works, output));
        constant.map(Self::Constant).ok_or_else(|| {
            let what = match overlap.filter(|_| by_repository) {
                Some(connection) => {
                    format!("two of the queries that it unites read the workspace of {connection}")
                }
                None => "the queries that it unites may have rows of one key".to_owned(),
            };
            format!("{what}, and no column has another constant in each of them")
        })
    }

    /// The outputs by which rows are told apart, `key` being those of each query by itself.
    pub(crate) fn key(self, key: &[usize]) -> Vec<usize> {
        let constant = self.constant().filter(|output| !key.contains(output));
        constant.into_iter().chain(key.iter().copied()).collect()
    }

    pub(crate) fn constant(self) -> Option<usize> {
        match self {
            Self::Alone | Self::Repositories => None,
            Self::Constant(output) => Some(output),
        }
    }
}

/// The connection of two queries that may read the same repository, as far as that shows in them.
fn overlap(works: &[Box<dyn RowWork>]) -> Option<&str> {
    let names = |work: &dyn RowWork| match &work.scan().slices {
        SliceChoice::Named(names) => Some(names.clone()),
        SliceChoice::One | SliceChoice::Listed => None,
    };
    let share = |one: &dyn RowWork, other: &dyn RowWork| {
        one.connection() == other.connection()
            && match (names(one), names(other)) {
                (Some(one), Some(other)) => one
                    .iter()
                    .any(|name| other.iter().any(|it| it.eq_ignore_ascii_case(name))),
                _ => true,
            }
    };
    works.iter().enumerate().find_map(|(place, one)| {
        let mut others = works[place + 1..].iter();
        others
            .any(|other| share(one.as_ref(), other.as_ref()))
            .then(|| one.connection())
    })
}

fn is_other_in_each(works: &[Box<dyn RowWork>], output: usize) -> bool {
    let constants: Option<Vec<&str>> = works
        .iter()
        .map(|work| work.outputs()[output].constant.as_deref())
        .collect();
    constants.is_some_and(|mut constants| {
        constants.sort_unstable();
        constants.windows(2).all(|pair| pair[0] != pair[1])
    })
}

/// The columns of the result. What is said of a column holds for each query.
pub(crate) fn columns(works: &[Box<dyn RowWork>]) -> Vec<Column> {
    let column = |output: usize| {
        let mut all = works.iter().map(|work| &work.outputs()[output]);
        let first = all.next().map(|output| Column {
            field: output.field.clone(),
            doc: output.doc.clone(),
        });
        all.fold(first, |column, output| {
            column.map(|Column { field, doc }| Column {
                field: match field.metadata() == output.field.metadata() {
                    true => field,
                    false => field.with_metadata(Default::default()),
                },
                doc: doc.filter(|doc| Some(doc) == output.doc.as_ref()),
            })
        })
    };
    let outputs = works.first().map_or(0, |work| work.outputs().len());
    (0..outputs).filter_map(column).collect()
}
