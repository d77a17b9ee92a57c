//! One page of a slice: asked, decoded, cut to what is wanted.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{
    Array as _, ArrayRef, AsArray as _, BooleanArray, RecordBatch, RecordBatchOptions,
};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, Int64Type, TimestampMicrosecondType};
use bucketline_core::code::bitbucket as code;
use bucketline_rest::{Error as RestError, ErrorKind as RestKind, RequestOptions, Response, Url};
use bucketline_source::decode::{Above, Decoded, Decoder};
use bucketline_source::spec::{SliceKind, Walk};
use bucketline_source::{Error, Loss, Parameter, ReadContext, Result, ScanPlan, Slice, TableSpec};
use chrono::{DateTime, Utc};

use super::{Circle, Connection, broken, stuck};
use crate::api::fill;
use crate::failure::{Failure, Place, failure};
use crate::query;
use crate::shape::{Purpose, Shape};
use crate::walk::{Fault, Keep, Moment};

/// Fetches the pages of one slice, or of one parent in it.
#[derive(Clone)]
pub(super) struct Fetch {
    connection: Connection,
    context: ReadContext,
    plan: Arc<ScanPlan>,
    purpose: Purpose,
    shape: Shape,
    decoder: Decoder,
    parents: Vec<Option<String>>,
    /// The row of the parent table that the rows hang on.
    above: Option<Above>,
    path: String,
    place: Place,
    /// A look-up was left out, so that the first answer tells whether the repository is there.
    unresolved: bool,
    /// Rows still wanted.
    left: Option<usize>,
    /// Parameters of the reader's own.
    added: Vec<Parameter>,
    /// The pages of the list that is being followed.
    circle: Circle,
    /// The server's time in the first answer.
    answered: Option<DateTime<Utc>>,
}

/// A page as it came.
pub(super) struct Fetched {
    /// The columns of the plan, then those that the walk needs.
    pub(super) rows: RecordBatch,
    /// What tells its rows apart, if that was fetched.
    pub(super) keys: Option<Vec<String>>,
    /// Where the next page is.
    pub(super) next: Option<String>,
    /// When it was given.
    pub(super) moment: Moment,
}

/// Page sizes to fall back to when the service refuses a longer page. Its maxima are not documented
/// for all lists, and may change.
const SHORTER_PAGES: [usize; 2] = [50, 10];

/// A page with this many times the rows that were asked for is no page; lists without pages have
/// few rows, so that short pages count as this long.
const TIMES_TOO_LONG: usize = 10;
const LEAST_PAGE: usize = 100;

impl Fetch {
    pub(super) fn new(
        connection: Connection,
        plan: Arc<ScanPlan>,
        slice: Slice,
        purpose: Purpose,
        context: ReadContext,
    ) -> Self {
        let shape = Shape::of(&plan, purpose);
        let table = &plan.request.table;
        let workspace = connection.workspace.as_deref().unwrap_or_default();
        let left = plan
            .request
            .limit
            .filter(|_| plan.limited && purpose == Purpose::Scan);
        let mut fetch = Self {
            path: fill(&shape.path, table.slice, workspace, &slice.id.0),
            place: Place::new(table.name.clone(), slice.label),
            unresolved: table.slice == SliceKind::Repository && !slice.id.0.starts_with('{'),
            parents: slice.parents,
            above: None,
            decoder: decoder(table, &shape),
            connection,
            added: Vec::new(),
            circle: Circle::default(),
            answered: None,
            left,
            context,
            shape,
            purpose,
            plan,
        };
        fetch.resize_as_known();
        fetch
    }

    /// Takes the page size that another reading of the table was left with.
    fn resize_as_known(&mut self) {
        let size = self.connection.page_sizes.of(&self.table().name);
        if let Some(size) = size.filter(|size| *size < self.plan.page_size) {
            self.resize(size);
        }
    }

    /// The same for the list of one parent, whose values fill the placeholders of the path.
    pub(super) fn under(
        &self,
        bound: &[(&str, String)],
        above: Above,
        left: Option<usize>,
        label: &str,
    ) -> Self {
        let mut fetch = self.clone();
        for (placeholder, value) in bound {
            let value = query::segment(value);
            fetch.path = fetch.path.replace(&format!("{{{placeholder}}}"), &value);
        }
        fetch.above = Some(above);
        fetch.circle = Circle::default();
        fetch.unresolved = false;
        fetch.left = left;
        fetch.place.label = label.to_owned();
        fetch.resize_as_known();
        fetch
    }

    /// The wanted rows of a member of the parent's row, given as the list that it would be.
    pub(super) fn nested(mut self, body: &[u8]) -> Result<RecordBatch, Failure> {
        self.decoder = self.decoder.at_most(usize::MAX);
        let decoded = self.decode(body)?;
        self.note_doubles(&self.keys(&decoded.rows).unwrap_or_default());
        Ok(self.wanted(&decoded.rows, None)?)
    }

    /// Sends these parameters with the pages that are asked for from now on.
    pub(super) fn add_parameters(&mut self, parameters: Vec<Parameter>) {
        self.added = parameters;
    }

    /// The server's time when it first answered.
    pub(super) fn answered(&self) -> Option<DateTime<Utc>> {
        self.answered
    }

    pub(super) fn table(&self) -> &TableSpec {
        &self.plan.request.table
    }

    pub(super) fn plan(&self) -> &ScanPlan {
        &self.plan
    }

    pub(super) fn shape(&self) -> &Shape {
        &self.shape
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// Whether the rows are wanted for themselves: nothing is concluded from those that are absent.
    pub(super) fn is_scan(&self) -> bool {
        self.purpose == Purpose::Scan
    }

    /// Whether all wanted rows have been given out.
    pub(super) fn is_satisfied(&self) -> bool {
        self.left == Some(0)
    }

    /// Whether a sort across these values may fail, and the walk be split by value instead.
    pub(super) fn can_split(&self) -> bool {
        let splits = self
            .table()
            .parameter
            .as_ref()
            .is_some_and(|bound| bound.split);
        splits && self.shape.values.len() > 1
    }

    /// Asks for a page by its condition and order. `brief` gives up on a 500 after one retry.
    pub(super) async fn page(
        &mut self,
        condition: Option<String>,
        sort: Option<&str>,
        part: Option<usize>,
        brief: bool,
    ) -> Result<Fetched, Failure> {
        loop {
            let mut parameters = self
                .shape
                .parameters(self.table(), condition.clone(), sort, part);
            parameters.extend(self.added.iter().cloned());
            let url = self.connection.api.address(&self.path, &parameters)?;
            match self.ask(&url, brief).await {
                Err(error) if is_page_too_long(&error) && self.shrink() => {}
                answer => {
                    let fetched = self.received(&url, answer)?;
                    if let Some(keys) = &fetched.keys {
                        self.circle.begin(keys);
                    }
                    return Ok(fetched);
                }
            }
        }
    }

    /// Asks for the page that the one before named.
    pub(super) async fn next(&mut self, link: &str) -> Result<Fetched, Failure> {
        let url = Url::parse(link).map_err(|error| {
            let Place { what, label } = &self.place;
            let message = format!("the `next` of {what} of {label} is no address: {error}");
            Error::new(code::BAD_NEXT_LINK, message)
        })?;
        let answer = self.ask(&url, false).await;
        let fetched = self.received(&url, answer)?;
        let closed = match &fetched.keys {
            Some(keys) => self.circle.is_closed_by(keys),
            None => self.circle.is_closed_by(link),
        };
        match closed {
            true => Err(stuck(Fault::Circle, self)),
            false => Ok(fetched),
        }
    }

    async fn ask(&self, url: &Url, brief: bool) -> Result<Response, RestError> {
        let api = &self.connection.api;
        if brief {
            let options = RequestOptions {
                max_server_retries: Some(1),
            };
            match api.get(url, options, &self.context).await {
                // Another trouble than the one expected has all its retries.
                Err(error) if matches!(error.status(), Some(501..)) => {}
                answer => return answer,
            }
        }
        api.get(url, RequestOptions::default(), &self.context).await
    }

    fn received(
        &mut self,
        url: &Url,
        answer: Result<Response, RestError>,
    ) -> Result<Fetched, Failure> {
        let answer = answer.map_err(|error| {
            // What is said to be missing is looked for in a repository that is there.
            let missing = error.problem().map(|problem| problem.missing.len());
            let absent = self.unresolved
                && error.kind() == RestKind::NotFound
                && missing.is_none_or(|missing| missing == 0);
            match failure(error, self.table(), &self.place) {
                Failure::Error(_) if absent => Failure::Absent(self.place.absent()),
                failure => failure,
            }
        })?;
        if self.unresolved && answer.url.path() != url.path() {
            return Err(Failure::Absent(self.place.renamed()));
        }
        self.unresolved = false;
        self.answered = self.answered.or(answer.server_time);
        self.decoded(&answer, url)
    }

    /// Turns to shorter pages, for all who read the table, if there are any.
    fn shrink(&mut self) -> bool {
        let mut sizes = SHORTER_PAGES.into_iter();
        let Some(size) = sizes.find(|size| *size < self.plan.page_size) else {
            return false;
        };
        let table = &self.plan.request.table.name;
        self.connection.page_sizes.bound(table, size);
        self.resize(size);
        true
    }

    fn resize(&mut self, page_size: usize) {
        Arc::make_mut(&mut self.plan).page_size = page_size;
        // A limit that filled one page may take several now, whose rows are to be told apart.
        self.shape = Shape::of(&self.plan, self.purpose);
        self.decoder = decoder(self.table(), &self.shape);
    }

    fn decoded(&self, answer: &Response, url: &Url) -> Result<Fetched, Failure> {
        let Decoded {
            rows, next, page, ..
        } = self.decode(&answer.body)?;
        let next = match self.table().walk {
            Walk::Pages { numbered: true, .. } => {
                // A full page has a successor even where `next` does not say so.
                let more = next.is_some() || rows.num_rows() >= self.shape.page_size;
                more.then(|| numbered(url, page.unwrap_or(1) + 1).to_string())
            }
            _ => next,
        };
        let keys = self.keys(&rows);
        self.note_doubles(keys.as_deref().unwrap_or_default());
        Ok(Fetched {
            rows,
            keys,
            next,
            moment: Moment::new(answer.server_time, Utc::now()),
        })
    }

    /// Reads an answer, and tells which of its values were not what they should be.
    fn decode(&self, body: &[u8]) -> Result<Decoded, Failure> {
        let above = self.above.as_ref();
        let decode = |body: &[u8]| self.decoder.decode_under(body, &self.parents, above);
        let Place { what, label } = &self.place;
        let decoded = self.connection.api.decode(body, decode).map_err(|error| {
            error
                .context(format_args!("{what} of {label}"))
                .with_hint("run the statement again; if it stays, something changes Bitbucket's answers on their way here")
        })?;
        for (how, values) in &decoded.lost {
            let loss = Loss {
                subject: format!("{what} of {label}"),
                how: how.clone(),
            };
            self.context.observer().lost(loss, *values);
        }
        Ok(decoded)
    }

    pub(super) fn note(&self, text: &str) {
        self.context.observer().note(text);
    }

    /// A column of the table among the fetched ones.
    pub(super) fn column<'r>(&self, rows: &'r RecordBatch, column: usize) -> Option<&'r ArrayRef> {
        let position = self
            .shape
            .columns
            .iter()
            .position(|index| *index == column)?;
        rows.columns().get(position)
    }

    /// The values of a whole-number or timestamp column, as numbers that order alike.
    pub(super) fn numbers(&self, rows: &RecordBatch, column: usize) -> Vec<Option<i64>> {
        match self.column(rows, column) {
            Some(array) if array.data_type() == &DataType::Int64 => {
                array.as_primitive::<Int64Type>().iter().collect()
            }
            Some(array) if matches!(array.data_type(), DataType::Timestamp(..)) => array
                .as_primitive::<TimestampMicrosecondType>()
                .iter()
                .collect(),
            _ => vec![None; rows.num_rows()],
        }
    }

    /// Tells of rows of one answer that have one key: a copy cannot have them all.
    fn note_doubles(&self, keys: &[String]) {
        let mut known = HashSet::with_capacity(keys.len());
        let doubles: Vec<_> = keys.iter().filter(|key| !known.insert(*key)).collect();
        if let Some(first) = doubles.first() {
            let Place { what, label } = &self.place;
            let shown: Vec<_> = first.split_terminator('\0').collect();
            let rows = match doubles.len() {
                1 => "a row repeats".to_owned(),
                several => format!("{several} rows repeat"),
            };
            // Accounts that were deleted have no id left.
            let such = match shown.iter().all(|part| part.is_empty()) {
                true => ", which is empty".to_owned(),
                false => format!(", such as {}", shown.join(", ")),
            };
            self.note(&format!(
                "{what} of {label}: in one answer {rows} the key of another{such}; a copy keeps one of each"
            ));
        }
    }

    /// What tells the rows of a slice apart, as text; `None` if it was not fetched.
    fn keys(&self, rows: &RecordBatch) -> Option<Vec<String>> {
        let table = self.table();
        let own = |index: &&usize| table.columns[**index].origin.is_own();
        let mut keys = vec![String::new(); rows.num_rows()];
        for index in table.key.iter().filter(own) {
            let array = self.column(rows, *index)?;
            for (row, key) in keys.iter_mut().enumerate() {
                match array.data_type() {
                    DataType::Utf8 if array.is_valid(row) => {
                        key.push_str(array.as_string::<i32>().value(row));
                    }
                    DataType::Int64 => {
                        key.push_str(&array.as_primitive::<Int64Type>().value(row).to_string());
                    }
                    DataType::Timestamp(..) => {
                        let micros = array.as_primitive::<TimestampMicrosecondType>();
                        key.push_str(&micros.value(row).to_string());
                    }
                    _ => {}
                }
                key.push('\0');
            }
        }
        Some(keys)
    }

    /// The kept rows.
    pub(super) fn kept(rows: &RecordBatch, keep: Option<&Keep>) -> Result<RecordBatch> {
        Ok(match keep.map(|keep| (keep, keep.run())) {
            None => rows.clone(),
            Some((_, Some((start, length)))) => rows.slice(start, length),
            Some((keep, None)) => {
                let mask = BooleanArray::from(keep.flags().to_vec());
                filter_record_batch(rows, &mask).map_err(broken)?
            }
        })
    }

    /// Those rows that are not to be left out.
    fn shown(&self, rows: RecordBatch) -> Result<RecordBatch> {
        let hidden = self.plan.hidden.and_then(|column| {
            let flags = self.column(&rows, column)?.as_boolean_opt()?;
            Some(flags.iter().map(|flag| Some(flag != Some(true))).collect())
        });
        match hidden {
            Some(shown) => filter_record_batch(&rows, &shown).map_err(broken),
            None => Ok(rows),
        }
    }

    /// The kept rows with the plan's columns, at most as many as are still wanted.
    pub(super) fn wanted(
        &mut self,
        rows: &RecordBatch,
        keep: Option<&Keep>,
    ) -> Result<RecordBatch> {
        let mut rows = self.shown(Self::kept(rows, keep)?)?;
        if let Some(left) = &mut self.left {
            rows = rows.slice(0, rows.num_rows().min(*left));
            *left -= rows.num_rows();
        }
        let columns = rows.columns()[..self.plan.request.columns.len()].to_vec();
        let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        RecordBatch::try_new_with_options(self.plan.schema.clone(), columns, &options)
            .map_err(broken)
    }
}

fn decoder(table: &TableSpec, shape: &Shape) -> Decoder {
    let most = shape
        .page_size
        .max(LEAST_PAGE)
        .saturating_mul(TIMES_TOO_LONG);
    let decoder = Decoder::new(table, &shape.columns).at_most(most);
    if shape.single {
        decoder.single()
    } else {
        decoder
    }
}

fn is_page_too_long(error: &RestError) -> bool {
    error.kind() == RestKind::BadRequest
        && error
            .problem()
            .is_some_and(|problem| problem.message == "Invalid pagelen")
}

/// The same address for another page of its list.
fn numbered(url: &Url, page: u64) -> Url {
    let mut next = url.clone();
    let others = url.query_pairs().filter(|(name, _)| name != "page");
    let pairs: Vec<_> = others
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .chain([("page".to_owned(), page.to_string())])
        .collect();
    let pairs = pairs.iter().map(|(name, value)| (&**name, &**value));
    next.set_query(query::query_string(pairs).strip_prefix('?'));
    next
}
