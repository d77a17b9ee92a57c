//! Reading the rows that hang on those of another table: parent by parent, as the parents' list says.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use bucketline_core::code::bitbucket as code;
use bucketline_core::{Kind, Reach};
use bucketline_source::decode::Above;
use bucketline_source::spec::{ChildRows, Origin, ParentTable, Walk};
use bucketline_source::{
    Checkpoint, End, Error, Literal, Owner, Page, ReadContext, Reading, Result, ScanPlan, Slice,
    SliceChoice,
};

use super::fetch::Fetch;
use super::links::LinksReader;
use super::parents::{ParentPage, ParentPages};
use super::whole::KeysetReader;
use super::{Connection, broken};
use crate::condition::{cell, holds};
use crate::failure::{Failure, Place, status};
use crate::parents::{given, versions};
use crate::shape::{self, Paging, Purpose};

/// Reads the children of each parent that is to be visited.
pub(super) struct ChildrenReader {
    /// Of no parent yet.
    fetch: Fetch,
    parent: ParentTable,
    pages: ParentPages,
    purpose: Purpose,
    /// The conditions name the parents: whether they are there is not known.
    given: bool,
    current: Option<Visiting>,
    /// What of the current page of parents is committed.
    done: Vec<String>,
    /// What an interrupted reading had committed of a page that is still to come.
    resumed: HashSet<String>,
    /// Parents visited in this reading, where they may come a second time without a change.
    visited: HashSet<String>,
    /// The position before the last page.
    before: Checkpoint,
    /// The position that it leads to.
    standing: Checkpoint,
    /// Rows still wanted.
    left: Option<usize>,
}

/// A page of parents and which of them are still to be visited.
struct Visiting {
    page: ParentPage,
    left: VecDeque<usize>,
}

/// What was found of one parent.
enum Found {
    Rows(RecordBatch),
    /// Its rows could not be read, and the reading goes on.
    Unread,
}

impl ChildrenReader {
    pub(super) fn new(
        connection: Connection,
        plan: Arc<ScanPlan>,
        slice: Slice,
        reading: Reading,
        context: ReadContext,
    ) -> Result<Self> {
        let (Some(parent), Some(above)) = (plan.request.table.parent.clone(), &plan.parent) else {
            return Err(Error::new(
                code::NO_PARENT_PLAN,
                format!("the plan of {} lacks its parents", plan.request.table.name),
            ));
        };
        let purpose = Purpose::of(&reading);
        let named = given(&plan).filter(|_| !purpose.is_incremental());
        let given = named.is_some();
        let pages = ParentPages::new(
            connection.clone(),
            Arc::new(above.as_ref().clone()),
            slice.clone(),
            context.clone(),
            &reading,
            parent.also.clone(),
            named,
        )?;
        let standing = match reading {
            Reading::Changes(checkpoint) => checkpoint,
            Reading::Scan | Reading::Listing => Checkpoint::default(),
        };
        let limit = plan.request.limit;
        let left = limit.filter(|_| plan.limited && purpose == Purpose::Scan);
        Ok(Self {
            fetch: Fetch::new(connection, plan, slice, purpose, context),
            parent,
            pages,
            purpose,
            given,
            current: None,
            done: Vec::new(),
            resumed: standing.visits.done.iter().cloned().collect(),
            visited: HashSet::new(),
            before: standing.clone(),
            standing,
            left,
        })
    }

    /// The position before the last page.
    pub(super) fn before(&self) -> Checkpoint {
        self.before.clone()
    }

    pub(super) async fn page(&mut self) -> Result<Page, Failure> {
        let mut visiting = match self.current.take() {
            Some(visiting) => visiting,
            None => self.next_parents().await?,
        };
        let mut rows = Vec::new();
        let (mut owners, mut unread) = (Vec::new(), Vec::new());
        while let Some(row) = visiting.left.pop_front() {
            let found = match self.parent.rows {
                ChildRows::Nested { column } => self.nested(&visiting.page, row, column)?,
                ChildRows::Listed { .. } => self.listed(&visiting.page, row).await?,
            };
            let owner = self.owner(&visiting.page, row);
            match found {
                Found::Rows(found) => {
                    rows.push(found);
                    owners.push(owner);
                }
                Found::Unread => unread.push(owner),
            }
            self.done.push(self.version(&visiting.page, row));
            // Rows of the parents' own page come together, lists one by one.
            if matches!(self.parent.rows, ChildRows::Listed { .. }) {
                break;
            }
        }
        let schema = &self.fetch.plan().schema;
        let mut rows = concat_batches(schema, &rows).map_err(broken)?;
        if let Some(left) = &mut self.left {
            rows = rows.slice(0, rows.num_rows().min(*left));
            *left -= rows.num_rows();
        }
        let page = self.behind(visiting, rows);
        Ok(match self.purpose {
            Purpose::Scan => page,
            Purpose::Listing => Page { unread, ..page },
            Purpose::FirstLoad | Purpose::Changes => Page {
                owners,
                unread,
                ..page
            },
        })
    }

    /// The next page of parents, less those that need no visit.
    async fn next_parents(&mut self) -> Result<Visiting, Failure> {
        let page = self.pages.next().await?;
        let mut left = VecDeque::with_capacity(page.rows.num_rows());
        for row in 0..page.rows.num_rows() {
            let version = self.version(&page, row);
            if self.resumed.remove(&version) {
                self.done.push(version);
                continue;
            }
            // In a copy the rows of a parent that matches no longer must leave.
            let wanted = self.purpose.is_incremental() || self.matches(&page, row);
            if wanted && (self.parent.also.is_none() || self.visited.insert(version)) {
                left.push_back(row);
            }
        }
        Ok(Visiting { page, left })
    }

    /// The page of rows that were found, with the position that they lead to.
    fn behind(&mut self, visiting: Visiting, rows: RecordBatch) -> Page {
        let checkpoint =
            |checkpoint: Checkpoint| Some(checkpoint).filter(|_| self.purpose.is_incremental());
        if self.left == Some(0) {
            let end = Some(End::Complete { unstable_pages: 0 });
            return Page::new(rows, None, end);
        }
        if visiting.left.is_empty() {
            let ParentPage { mut after, end, .. } = visiting.page;
            self.done.clear();
            if end.is_none() {
                after.visits.done = self.resumed.iter().cloned().collect();
            }
            let page = Page::new(rows, checkpoint(after.clone()), end);
            self.stand(after);
            return page;
        }
        let mut within = visiting.page.before.clone();
        let done = self.done.iter().chain(&self.resumed);
        within.visits.done = done.cloned().collect();
        let page = Page::new(rows, checkpoint(within.clone()), None);
        self.stand(within);
        self.current = Some(visiting);
        page
    }

    fn stand(&mut self, position: Checkpoint) {
        self.before = std::mem::replace(&mut self.standing, position);
    }

    /// The rows in a list of their own.
    async fn listed(&self, page: &ParentPage, row: usize) -> Result<Found, Failure> {
        let nothing = || RecordBatch::new_empty(self.fetch.plan().schema.clone());
        if !self.matches(page, row) {
            return Ok(Found::Rows(nothing()));
        }
        let ChildRows::Listed { bind } = &self.parent.rows else {
            return Ok(Found::Unread);
        };
        let mut bound = Vec::with_capacity(bind.len());
        for (placeholder, column) in bind {
            match text(page, row, *column) {
                Some(value) => bound.push((placeholder.as_str(), value)),
                None => return self.unread(self.unnamed(page, row, *column), page, row),
            }
        }
        let fetch = self
            .fetch
            .under(&bound, above(page, row), self.left, &self.label(page, row));
        let error = match self.list(fetch).await {
            Ok(rows) if rows.num_rows() == 0 && self.parent.empty_is_unknown => {
                return Ok(Found::Unread);
            }
            Ok(rows) => return Ok(Found::Rows(rows)),
            Err(Failure::Error(error) | Failure::Overwhelmed(error)) => error,
            Err(failure) => return Err(failure),
        };
        let answered = status(&error).unwrap_or_default();
        if self.parent.absent.contains(&answered) {
            return Ok(Found::Rows(nothing()));
        }
        if self.given && error.kind() == Kind::NotFound {
            // Where every repository is asked, most lack it.
            if self.fetch.plan().slices != SliceChoice::Listed {
                self.fetch.note(&error.to_string());
            }
            return Ok(Found::Rows(nothing()));
        }
        let unreadable =
            matches!(answered, 403 | 404 | 410) || self.parent.unreadable.contains(&answered);
        if !unreadable || error.reach() != Reach::Slice {
            return Err(Failure::Error(error));
        }
        self.unread(error, page, row)
    }

    /// A parent whose rows could not be read.
    fn unread(&self, error: Error, page: &ParentPage, row: usize) -> Result<Found, Failure> {
        // A result that is put together from rows as they are must have them all.
        if self.purpose == Purpose::Scan {
            return Err(Failure::Error(self.avoidable(error, page, row)));
        }
        self.fetch
            .note(&format!("{error}; its rows stay as they are"));
        Ok(Found::Unread)
    }

    /// The error of a parent without the value that stands in its rows' address.
    fn unnamed(&self, page: &ParentPage, row: usize, column: usize) -> Error {
        let place = Place::new(&self.fetch.table().name, self.label(page, row));
        let column = &self.parent.table.columns[column].name;
        place.unasked(format!(
            "its {column} was not in the answer or could not be read"
        ))
    }

    /// Says how the one parent that cannot be read is left out.
    fn avoidable(&self, error: Error, page: &ParentPage, row: usize) -> Error {
        let columns = self.parent.owner(self.fetch.table()).into_iter();
        let conditions: Vec<_> = columns
            .filter_map(|(column, above)| {
                let name = &self.fetch.table().columns[column].name;
                Some(format!("{name} <> {}", value(page, row, above)?))
            })
            .collect();
        error.with_hint(format!("WHERE {} leaves it out", conditions.join(" OR ")))
    }

    /// Everything in a list. What a copy lacks afterwards is deleted, so one whose order may shift between its
    /// pages is read twice.
    async fn list(&self, fetch: Fetch) -> Result<RecordBatch, Failure> {
        let plan = self.fetch.plan();
        let mut batches = Vec::new();
        let walk = plan.request.table.walk.clone();
        let shifts = matches!(walk, Walk::Pages { stable: false, .. });
        let looks = if shifts && self.purpose != Purpose::Scan {
            2
        } else {
            1
        };
        let paging = shape::paging(plan);
        for look in 0..looks {
            let mut pages = 0;
            let fetch = fetch.clone();
            match (&walk, paging) {
                (Walk::Keyset { column, unique }, Paging::Keyset { .. }) => {
                    let mut reader = KeysetReader::new(fetch, *column, *unique);
                    loop {
                        let page = reader.page().await?;
                        batches.push(page.rows);
                        if page.end.is_some() {
                            break;
                        }
                    }
                }
                _ => {
                    let mut reader = LinksReader::new(fetch, shape::sort(plan));
                    loop {
                        let page = reader.page().await?;
                        batches.push(page.rows);
                        pages += 1;
                        if page.end.is_some() {
                            break;
                        }
                    }
                }
            }
            if pages <= 1 && look == 0 {
                break;
            }
        }
        let all = concat_batches(&plan.schema, &batches).map_err(broken)?;
        Ok(all)
    }

    /// The rows in a member of the parent's row.
    fn nested(&self, page: &ParentPage, row: usize, column: usize) -> Result<Found, Failure> {
        if !self.matches(page, row) {
            let nothing = RecordBatch::new_empty(self.fetch.plan().schema.clone());
            return Ok(Found::Rows(nothing));
        }
        // A member that is missing says nothing about its rows.
        let Some(list) = text(page, row, column) else {
            return Ok(Found::Unread);
        };
        let body = format!("{{\"values\":{list}}}");
        let fetch = self
            .fetch
            .under(&[], above(page, row), None, &self.label(page, row));
        Ok(Found::Rows(fetch.nested(body.as_bytes())?))
    }

    /// What people call a parent's place: `acme/api (PullRequests 5)`.
    fn label(&self, page: &ParentPage, row: usize) -> String {
        let table = &self.parent.table;
        let key = table
            .key
            .iter()
            .filter_map(|column| text(page, row, *column));
        let key: Vec<_> = key.collect();
        let label = &self.fetch.place().label;
        format!("{label} ({} {})", table.name, key.join(" "))
    }

    /// The child's columns that name the parent, with their values.
    fn owner(&self, page: &ParentPage, row: usize) -> Owner {
        let columns = self.parent.owner(self.fetch.table());
        let value = |(column, above): (usize, usize)| Some((column, value(page, row, above)?));
        Owner(columns.into_iter().filter_map(value).collect())
    }

    /// What tells a parent apart, and would show that it changed.
    fn version(&self, page: &ParentPage, row: usize) -> String {
        let table = &self.parent.table;
        let key = table.key.iter().copied();
        let own = key.filter(|column| table.columns[*column].origin.is_own());
        let shown = own.chain(versions(table));
        let parts: Vec<_> = shown.filter_map(|column| text(page, row, column)).collect();
        parts.join(" ")
    }

    /// Whether a parent meets the conditions that its columns are needed for.
    fn matches(&self, page: &ParentPage, row: usize) -> bool {
        let table = self.fetch.table();
        self.fetch
            .plan()
            .request
            .predicates
            .iter()
            .all(|predicate| match table.columns[predicate.column].origin {
                Origin::Up(above) if page.columns.contains(&above) => {
                    holds(predicate, value(page, row, above).as_ref())
                }
                _ => true,
            })
    }
}

fn above(page: &ParentPage, row: usize) -> Above {
    Above {
        columns: Arc::clone(&page.columns),
        row: page.rows.slice(row, 1),
    }
}

fn value(page: &ParentPage, row: usize, column: usize) -> Option<Literal> {
    let position = page.columns.iter().position(|known| *known == column)?;
    cell(page.rows.column(position), row)
}

/// A value as it stands in an address.
fn text(page: &ParentPage, row: usize, column: usize) -> Option<String> {
    Some(match value(page, row, column)? {
        Literal::Text(text) => text,
        Literal::Timestamp(instant) => instant.timestamp_micros().to_string(),
        other => other.to_string(),
    })
}
