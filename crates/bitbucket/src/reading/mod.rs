//! Reading one slice of a plan as a stream of pages.

mod changes;
mod fetch;
mod links;
mod whole;

use std::sync::Arc;

use arrow::array::RecordBatch;
use bucketline_rest::CredentialKind;
use bucketline_source::spec::Walk;
use bucketline_source::{
    End, Error, ErrorKind, Page, PageStream, ReadContext, Reading, Result, ScanPlan, Slice,
};
use futures::{StreamExt as _, stream};

use self::changes::ChangesReader;
use self::fetch::Fetch;
use self::links::LinksReader;
use self::whole::KeysetReader;
use crate::api::Api;
use crate::failure::Failure;
use crate::shape::{self, Paging, Purpose};
use crate::walk::Fault;
use crate::workspaces::WorkspacesReader;

/// The connection's part of a reading.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    pub(crate) api: Api,
    /// The configured workspace.
    pub(crate) workspace: Option<String>,
    pub(crate) credential: CredentialKind,
}

/// The pages of one slice. Nothing is asked before the stream is polled.
pub(crate) fn read(
    connection: Connection,
    plan: Arc<ScanPlan>,
    slice: Slice,
    reading: Reading,
    context: ReadContext,
) -> PageStream {
    let reader = Reader::new(connection, plan.clone(), slice, reading, context);
    let state = reader.map(|reader| (reader, plan));
    stream::unfold(Some(state), |state| async {
        let (mut reader, plan) = match state? {
            Ok(state) => state,
            Err(error) => return Some((Err(error), None)),
        };
        let page = match Box::pin(reader.page()).await {
            Ok(page) => Ok(page),
            // Rows stay: the table does not exist here.
            Err(Failure::NotApplicable(why)) => Ok(Page {
                rows: RecordBatch::new_empty(plan.schema.clone()),
                checkpoint: None,
                end: Some(End::NotApplicable { why }),
            }),
            Err(failure) => Err(failure.into_error()),
        };
        let ended = page.as_ref().map_or(true, |page| page.end.is_some());
        Some((page, (!ended).then_some(Ok((reader, plan)))))
    })
    .boxed()
}

/// The ways to read.
enum Reader {
    Changes(ChangesReader),
    Keyset(KeysetReader),
    Links(LinksReader),
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
        if plan.request.table.reader.is_some() {
            let filtered = reading == Reading::Scan;
            let Connection {
                api,
                workspace,
                credential,
            } = connection;
            let reader = WorkspacesReader::new(api, context, plan, filtered, workspace, credential);
            return Ok(Self::Workspaces(reader));
        }
        let fetch = |purpose| Fetch::new(connection.clone(), plan.clone(), slice, purpose, context);
        Ok(match reading {
            Reading::Changes(checkpoint) => {
                let Some(cursor) = plan.request.table.cursor.clone() else {
                    return Err(Error::new(
                        ErrorKind::Rejected,
                        "BL4017",
                        format!(
                            "{} have no change column to read by",
                            plan.request.table.name
                        ),
                    ));
                };
                let first = checkpoint.mark.is_none();
                let purpose = if first {
                    Purpose::FirstLoad
                } else {
                    Purpose::Changes
                };
                Self::Changes(ChangesReader::new(fetch(purpose), &cursor, checkpoint))
            }
            Reading::Listing if !shape::is_single(&plan.request.table, &plan.request.scope) => {
                match plan.request.table.walk.clone() {
                    Walk::Keyset { column, unique } => {
                        Self::Keyset(KeysetReader::new(fetch(Purpose::Listing), column, unique))
                    }
                    Walk::Pages { sort } => Self::Links(LinksReader::new(
                        fetch(Purpose::Listing),
                        sort,
                        Paging::Links,
                    )),
                }
            }
            Reading::Listing | Reading::Scan => match shape::paging(&plan) {
                Paging::Keyset { column, unique } => {
                    Self::Keyset(KeysetReader::new(fetch(Purpose::Scan), column, unique))
                }
                paging => Self::Links(LinksReader::new(
                    fetch(Purpose::Scan),
                    shape::sort(&plan),
                    paging,
                )),
            },
        })
    }

    async fn page(&mut self) -> Result<Page, Failure> {
        match self {
            Self::Changes(reader) => reader.page().await,
            Self::Keyset(reader) => reader.page().await,
            Self::Links(reader) => reader.page().await,
            Self::Workspaces(reader) => Ok(reader.page().await?),
        }
    }
}

/// The error of a walk that cannot go on.
fn stuck(fault: &Fault, fetch: &Fetch) -> Failure {
    let place = fetch.place();
    Failure::Error(Error::new(
        ErrorKind::Unavailable,
        "BL4022",
        format!(
            "{} of {} cannot be read on: {fault}",
            place.what, place.label
        ),
    ))
}
