//! Reading one slice of a plan as a stream of pages.

mod changes;
mod children;
mod circle;
mod feed;
mod fetch;
mod heads;
mod links;
mod named;
mod page_sizes;
mod parents;
mod whole;

use std::fmt::Display;
use std::sync::Arc;

use arrow::array::RecordBatch;
use bucketline_core::code::bitbucket as code;
use bucketline_rest::CredentialKind;
use bucketline_source::spec::{Strategy, Walk};
use bucketline_source::{
    Checkpoint, End, Error, Page, PageStream, ReadContext, Reading, Result, ScanPlan, Slice,
};
use futures::{StreamExt as _, stream};

use self::changes::ChangesReader;
use self::children::ChildrenReader;
pub(crate) use self::circle::Circle;
use self::feed::FeedReader;
use self::fetch::Fetch;
use self::heads::HeadsReader;
use self::links::LinksReader;
use self::named::NamedReader;
pub(crate) use self::page_sizes::PageSizes;
use self::whole::KeysetReader;
use crate::api::Api;
use crate::failure::Failure;
use crate::plan::{Access, branches};
use crate::shape::{self, Paging, Purpose};
use crate::workspaces::{self, WorkspacesReader};

/// The connection's part of a reading.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    pub(crate) api: Api,
    /// The configured workspace.
    pub(crate) workspace: Option<String>,
    pub(crate) credential: CredentialKind,
    /// The credential is a user's.
    pub(crate) of_user: bool,
    /// Rows that are deleted and still listed are given out.
    pub(crate) deleted: bool,
    pub(crate) page_sizes: Arc<PageSizes>,
}

impl Connection {
    /// What plans depend on.
    pub(crate) fn access(&self) -> Access<'_> {
        Access {
            workspace: self.workspace.as_deref(),
            of_user: self.of_user,
            deleted: self.deleted,
        }
    }
}

/// The pages of one slice. Nothing is asked before the stream is polled.
pub(crate) fn read(
    connection: Connection,
    plan: Arc<ScanPlan>,
    slice: Slice,
    reading: Reading,
    context: ReadContext,
) -> PageStream {
    let reader = Reader::new(connection, plan.clone(), slice, reading, context.clone());
    let state = reader.map(|reader| (reader, plan, context));
    stream::unfold(Some(state), |state| async {
        let (mut reader, plan, context) = match state? {
            Ok(state) => state,
            Err(error) => return Some((Err(error), None)),
        };
        let page = match Box::pin(reader.page()).await {
            Ok(page) => Ok(page),
            // Rows stay: the table does not exist here.
            Err(Failure::NotApplicable(why)) => Ok(Page::new(
                RecordBatch::new_empty(plan.schema.clone()),
                None,
                Some(End::NotApplicable { why }),
            )),
            // What is named need not be there, as a name in a condition on rows need not.
            Err(Failure::Absent(why)) => {
                context.observer().note(&why);
                Ok(Page::new(
                    RecordBatch::new_empty(plan.schema.clone()),
                    None,
                    Some(End::Complete { unstable_pages: 0 }),
                ))
            }
            Err(failure) => Err(failure.into_error()),
        };
        let ended = page.as_ref().map_or(true, |page| page.end.is_some());
        Some((page, (!ended).then_some(Ok((reader, plan, context)))))
    })
    .boxed()
}

/// The ways to read.
enum Reader {
    Changes(ChangesReader),
    Children(Box<ChildrenReader>),
    Feed(FeedReader),
    Heads(HeadsReader),
    Keyset(KeysetReader),
    Links(LinksReader),
    Named(NamedReader),
    Workspaces(WorkspacesReader),
}

impl Reader {
    fn new(
        connection: Connection,
        plan: Arc<ScanPlan>,
        slice: Slice,
        reading: Reading,
        context: ReadContext,
    ) -> Result<Self> {
        if let Some(reader) = &plan.request.table.reader {
            debug_assert_eq!(
                reader,
                workspaces::READER,
                "a test holds the table files to it"
            );
            let filtered = reading == Reading::Scan;
            let reader = WorkspacesReader::new(connection, context, plan, filtered);
            return Ok(Self::Workspaces(reader));
        }
        if plan.request.table.parent.is_some() {
            let reader = ChildrenReader::new(connection, plan, slice, reading, context)?;
            return Ok(Self::Children(Box::new(reader)));
        }
        let fetch = |purpose| {
            Fetch::new(
                connection.clone(),
                plan.clone(),
                slice.clone(),
                purpose,
                context.clone(),
            )
        };
        Ok(match reading {
            Reading::Changes(checkpoint) => {
                let purpose = Purpose::of(&Reading::Changes(checkpoint.clone()));
                match plan.request.table.strategy() {
                    Strategy::Cursor(cursor) => {
                        Self::Changes(ChangesReader::new(fetch(purpose), cursor, checkpoint))
                    }
                    Strategy::Heads(heads) => {
                        let branches = Self::new(
                            connection.clone(),
                            Arc::new(branches(heads, &plan, connection.access())?),
                            slice.clone(),
                            Reading::Listing,
                            context.clone(),
                        )?;
                        let fetch = fetch(purpose);
                        Self::Heads(HeadsReader::new(fetch, Box::new(branches), checkpoint))
                    }
                    Strategy::Feed(feed) => {
                        Self::Feed(FeedReader::new(fetch(purpose), feed.clone(), &checkpoint))
                    }
                    Strategy::Parent(_) | Strategy::Whole => {
                        return Err(Error::new(
                            code::NOT_INCREMENTAL,
                            format!(
                                "{} have no change column to read by",
                                plan.request.table.name
                            ),
                        ));
                    }
                }
            }
            Reading::Listing if !shape::is_single(&plan.request.table, &plan.request.scope) => {
                match plan.request.table.walk.clone() {
                    Walk::Keyset { column, unique } => {
                        Self::Keyset(KeysetReader::new(fetch(Purpose::Listing), column, unique))
                    }
                    Walk::Pages { sort, .. } => {
                        Self::Links(LinksReader::new(fetch(Purpose::Listing), sort))
                    }
                }
            }
            Reading::Scan if shape::named(&plan).is_some() => {
                let mut one_row = plan.as_ref().clone();
                one_row.page_size = 1;
                let (purpose, hashes) = (Purpose::Scan, shape::named(&plan).unwrap_or_default());
                let fetch = Fetch::new(
                    connection.clone(),
                    Arc::new(one_row),
                    slice.clone(),
                    purpose,
                    context.clone(),
                );
                Self::Named(NamedReader::new(fetch, &hashes))
            }
            Reading::Listing | Reading::Scan => match shape::paging(&plan) {
                Paging::Keyset { column, unique } => {
                    Self::Keyset(KeysetReader::new(fetch(Purpose::Scan), column, unique))
                }
                Paging::Single | Paging::Links => {
                    let reader = LinksReader::new(fetch(Purpose::Scan), shape::sort(&plan));
                    Self::Links(reader.until(shape::until(&plan)))
                }
            },
        })
    }

    /// The position before the last page, of a reading of changes.
    fn before(&self) -> Checkpoint {
        match self {
            Self::Changes(reader) => reader.before(),
            Self::Children(reader) => reader.before(),
            Self::Feed(reader) => reader.before(),
            Self::Heads(reader) => reader.before(),
            Self::Keyset(_) | Self::Links(_) | Self::Named(_) | Self::Workspaces(_) => {
                Checkpoint::default()
            }
        }
    }

    async fn page(&mut self) -> Result<Page, Failure> {
        match self {
            Self::Changes(reader) => reader.page().await,
            Self::Children(reader) => reader.page().await,
            Self::Feed(reader) => reader.page().await,
            Self::Heads(reader) => reader.page().await,
            Self::Keyset(reader) => reader.page().await,
            Self::Links(reader) => reader.page().await,
            Self::Named(reader) => reader.page().await,
            Self::Workspaces(reader) => Ok(reader.page().await?),
        }
    }
}

/// The error of rows that cannot be put together.
fn broken(error: arrow::error::ArrowError) -> Error {
    Error::new(code::BAD_PAGE, error.to_string()).with_source(error)
}

/// The error of a walk that cannot go on.
fn stuck(why: impl Display, fetch: &Fetch) -> Failure {
    Failure::Error(fetch.place().stuck(why))
}
