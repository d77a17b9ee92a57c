//! The repositories of the workspace: walked once a script, looked up singly where one is named.

use std::collections::HashMap;
use std::fmt;
use std::sync::{self, Arc, PoisonError};

use arrow::array::{Array as _, AsArray as _, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;
use bucketline_core::code::bitbucket as code;
use bucketline_rest::{ErrorKind as RestKind, RequestOptions};
use bucketline_source::decode::Decoder;
use bucketline_source::{
    End, Error, Page, PageStream, Parameter, PlannedPredicate, Pushdown, ReadContext, Reading,
    RequestShape, Result, ScanPlan, ScanRequest, ScopeKind, Slice, SliceId, TableSpec,
};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde::Deserialize;
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::failure::{Place, explain};
use crate::names;
use crate::plan::{self, Access, plan};
use crate::query;
use crate::reading::{Connection, read};
use crate::shape::Purpose;
use crate::tables::table;

/// The columns that the listing reads, in the order of [`Repository::from_rows`].
const COLUMNS: [&str; 7] = [
    "UUID",
    "Slug",
    "FullName",
    "ProjectKey",
    "ProjectUUID",
    "UpdatedOn",
    "WorkspaceUUID",
];

/// A listed repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Repository {
    /// Its UUID in braces.
    pub(crate) uuid: String,
    /// Its slug.
    pub(crate) slug: String,
    /// Its workspace's slug.
    pub(crate) workspace: String,
    /// Its workspace's UUID in braces.
    pub(crate) workspace_uuid: Option<String>,
    /// Its project's key.
    pub(crate) project_key: Option<String>,
    /// Its project's UUID in braces.
    pub(crate) project_uuid: Option<String>,
    /// What moves with every push.
    pub(crate) proof: Option<String>,
}

impl Repository {
    /// What people call it.
    pub(crate) fn label(&self) -> String {
        format!("{}/{}", self.workspace, self.slug)
    }

    /// Whether a name means it now; a former slug leads to it, too.
    pub(crate) fn is_called(&self, name: &str) -> bool {
        self.uuid == name || self.slug == name
    }

    fn from_rows(rows: &RecordBatch) -> Vec<Self> {
        let text = |column: usize, row: usize| {
            let array = rows.column(column).as_string::<i32>();
            array.is_valid(row).then(|| array.value(row).to_owned())
        };
        let updated = rows.column(5).as_primitive::<TimestampMicrosecondType>();
        (0..rows.num_rows())
            .map(|row| {
                let full_name = text(2, row).unwrap_or_default();
                let (workspace, name) = full_name.split_once('/').unwrap_or(("", &full_name));
                Self {
                    uuid: text(0, row).unwrap_or_default(),
                    slug: text(1, row).unwrap_or_else(|| name.to_owned()),
                    workspace: workspace.to_owned(),
                    workspace_uuid: text(6, row),
                    project_key: text(3, row),
                    project_uuid: text(4, row),
                    proof: updated
                        .is_valid(row)
                        .then(|| updated.value(row).to_string()),
                }
            })
            .collect()
    }
}

/// What the connection's workspace is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Workspace {
    /// Its UUID in braces.
    pub(crate) uuid: String,
    /// Its slug.
    pub(crate) slug: String,
}

/// The workspace and its repositories. Each [scan](ReadContext::scan) lists them once; callers at the same time share its
/// walk.
#[derive(Default)]
pub(crate) struct Listing(sync::Mutex<Last>);

/// What outlives a scan.
#[derive(Default)]
struct Last {
    /// The repositories that were listed last.
    listed: Option<Arc<Vec<Repository>>>,
    workspace: Option<Workspace>,
}

/// What a scan knows.
#[derive(Default)]
struct Known {
    all: Option<Arc<Vec<Repository>>>,
    /// Single look-ups, by the name asked for; `None` was not found.
    named: HashMap<String, Option<Repository>>,
    /// The workspace as looked up.
    workspace: Option<Workspace>,
    /// The workspace as an earlier scan knew it.
    former: Option<Workspace>,
    /// The credential's scopes, once an answer has named them.
    scopes: Option<Vec<String>>,
}

impl Known {
    /// The workspace, if it or a repository of it is known. What an earlier scan knew holds until
    /// a repository says otherwise: it would cost every script a request to ask again.
    fn workspace(&self) -> Option<Workspace> {
        let listed = self.all.iter().flat_map(|all| all.iter());
        let named = self.named.values().flatten();
        let says = |repository: &Repository| {
            Some(Workspace {
                uuid: repository.workspace_uuid.clone()?,
                slug: repository.workspace.clone(),
            })
        };
        self.workspace
            .clone()
            .or_else(|| listed.chain(named).find_map(says))
            .or_else(|| self.former.clone())
    }

    /// The workspace, looked up if need be.
    async fn find_workspace(
        &mut self,
        connection: &Connection,
        context: &ReadContext,
    ) -> Result<Workspace> {
        match self.workspace() {
            Some(workspace) => Ok(workspace),
            None => self.look_up_workspace(connection, context).await,
        }
    }

    async fn look_up_workspace(
        &mut self,
        connection: &Connection,
        context: &ReadContext,
    ) -> Result<Workspace> {
        let workspace = look_up_workspace(connection, context).await?;
        self.workspace = Some(workspace.clone());
        Ok(workspace)
    }

    /// Makes sure that a list without repositories is not that of a credential which sees nothing:
    /// Bitbucket answers both alike.
    async fn believe_empty(
        &mut self,
        connection: &Connection,
        context: &ReadContext,
    ) -> Result<()> {
        let workspace = match self.workspace.clone() {
            Some(workspace) => workspace,
            None => self.look_up_workspace(connection, context).await?,
        };
        context.observer().note(&format!(
            "the workspace {} has no repository that this credential can see",
            workspace.slug
        ));
        Ok(())
    }
}

impl fmt::Debug for Listing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listing").finish_non_exhaustive()
    }
}

impl Listing {
    /// The repositories that were listed last; a walk that is under way is not waited for.
    pub(crate) fn listed(&self) -> Option<Arc<Vec<Repository>>> {
        self.last().listed.clone()
    }

    fn last(&self) -> sync::MutexGuard<'_, Last> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn known(self: &Arc<Self>, context: &ReadContext) -> OwnedMutexGuard<Known> {
        let known: Arc<Mutex<Known>> = context.scan().part(self);
        let mut known = known.lock_owned().await;
        if known.former.is_none() {
            known.former.clone_from(&self.last().workspace);
        }
        known
    }

    /// Keeps what the next scan may use.
    fn remember(&self, known: &Known) {
        let mut last = self.last();
        last.workspace = known.workspace();
        if known.all.is_some() {
            last.listed.clone_from(&known.all);
        }
    }

    /// The workspace, if it is known already.
    pub(crate) async fn known_workspace(
        self: &Arc<Self>,
        context: &ReadContext,
    ) -> Option<Workspace> {
        self.known(context).await.workspace()
    }

    /// The workspace: from what is known, else by a look-up.
    pub(crate) async fn workspace(
        self: &Arc<Self>,
        connection: &Connection,
        context: &ReadContext,
    ) -> Result<Workspace> {
        let mut known = self.known(context).await;
        let workspace = known.find_workspace(connection, context).await?;
        self.remember(&known);
        Ok(workspace)
    }

    /// The credential's scopes as the first answer of the scan that named them has; none before.
    pub(crate) async fn scopes(
        self: &Arc<Self>,
        connection: &Connection,
        context: &ReadContext,
    ) -> Vec<String> {
        let mut known = self.known(context).await;
        if known.scopes.is_none() {
            known.scopes = Some(connection.api.scopes()).filter(|scopes| !scopes.is_empty());
        }
        known.scopes.clone().unwrap_or_default()
    }

    /// Looks at the pages of a reading of `Repositories`: a whole one is the listing as well, and an
    /// empty one is doubted.
    pub(crate) fn watch(
        self: &Arc<Self>,
        pages: PageStream,
        plan: &ScanPlan,
        reading: &Reading,
        connection: &Connection,
        context: &ReadContext,
    ) -> PageStream {
        let request = &plan.request;
        if request.table.name != repositories().name || request.scope.kind != ScopeKind::Whole {
            return pages;
        }
        let kept = |planned: &PlannedPredicate| planned.pushdown == Pushdown::Kept;
        let whole = match reading {
            Reading::Scan => !plan.limited && plan.predicates.iter().all(kept),
            Reading::Listing | Reading::Changes(_) => true,
        };
        let position = |column| request.columns.iter().position(|index| *index == column);
        let positions = columns(&request.table).into_iter().map(position).collect();
        let watch = Watch {
            listing: self.clone(),
            connection: connection.clone(),
            context: context.clone(),
            whole,
            positions,
            rows: 0,
            repositories: Vec::new(),
        };
        stream::unfold((pages, watch), |(mut pages, mut watch)| async {
            let page = match pages.next().await? {
                Ok(page) => watch.see(page).await,
                Err(error) => Err(error),
            };
            Some((page, (pages, watch)))
        })
        .boxed()
    }

    /// All repositories, in the order of their creation.
    pub(crate) async fn all(
        self: &Arc<Self>,
        connection: &Connection,
        context: &ReadContext,
    ) -> Result<Arc<Vec<Repository>>> {
        // Held while the walk lasts, so that those who come meanwhile wait for its result.
        let mut known = self.known(context).await;
        if let Some(all) = &known.all {
            return Ok(all.clone());
        }
        let plan = Arc::new(plan(request(), connection.access(), None)?);
        let label = connection.workspace.clone().unwrap_or_default();
        let slice = Slice {
            id: SliceId(label.clone()),
            label,
            parents: Vec::new(),
            proof: None,
        };
        let mut pages = read(
            connection.clone(),
            plan,
            slice,
            Reading::Listing,
            context.clone(),
        );
        let mut all: Vec<Repository> = Vec::new();
        let mut ended = false;
        while let Some(page) = pages.try_next().await? {
            all.extend(Repository::from_rows(&page.rows));
            ended = page.end.is_some();
        }
        if !ended {
            return Err(Error::new(
                code::LISTING_BROKE_OFF,
                "the listing of repositories broke off",
            ));
        }
        if all.is_empty() {
            known.believe_empty(connection, context).await?;
        }
        let all = Arc::new(all);
        known.all = Some(all.clone());
        self.remember(&known);
        Ok(all)
    }

    /// One repository by slug or UUID: from what is known, else by a look-up. `None`: it does not
    /// exist, or the credential may not see it.
    pub(crate) async fn one(
        self: &Arc<Self>,
        name: &str,
        connection: &Connection,
        context: &ReadContext,
    ) -> Result<Option<Repository>> {
        let mut known = self.known(context).await;
        let listed = known
            .all
            .as_ref()
            .and_then(|all| all.iter().find(|repository| repository.is_called(name)));
        if let Some(repository) = listed {
            return Ok(Some(repository.clone()));
        }
        if let Some(repository) = known.named.get(name) {
            return Ok(repository.clone());
        }
        let looked_up = look_up(name, connection, context).await?;
        if let Some(repository) = &looked_up {
            for name in [&repository.uuid, &repository.slug] {
                known.named.insert(name.clone(), looked_up.clone());
            }
        }
        known.named.insert(name.to_owned(), looked_up.clone());
        self.remember(&known);
        Ok(looked_up)
    }
}

/// A reading of `Repositories` that is looked at.
struct Watch {
    listing: Arc<Listing>,
    connection: Connection,
    context: ReadContext,
    /// Every repository comes.
    whole: bool,
    /// Where the columns of the listing are among those read, if all are.
    positions: Option<Vec<usize>>,
    rows: usize,
    repositories: Vec<Repository>,
}

impl Watch {
    async fn see(&mut self, page: Page) -> Result<Page> {
        self.rows += page.rows.num_rows();
        if let Some(positions) = self.positions.as_ref().filter(|_| self.whole) {
            let rows = page.rows.project(positions).map_err(|error| {
                Error::new(code::BAD_PAGE, error.to_string()).with_source(error)
            })?;
            self.repositories.extend(Repository::from_rows(&rows));
        }
        if !matches!(page.end, Some(End::Complete { .. })) || !self.whole {
            return Ok(page);
        }
        let mut known = self.listing.known(&self.context).await;
        if self.rows == 0 {
            known.believe_empty(&self.connection, &self.context).await?;
        } else if self.positions.is_some() {
            let repositories = std::mem::take(&mut self.repositories);
            known.all.get_or_insert_with(|| Arc::new(repositories));
        }
        self.listing.remember(&known);
        Ok(page)
    }
}

async fn look_up_workspace(connection: &Connection, context: &ReadContext) -> Result<Workspace> {
    let Some(name) = &connection.workspace else {
        return Err(Error::new(
            code::NO_WORKSPACE,
            "this connection names no workspace",
        ));
    };
    let api = &connection.api;
    let url = api.address(&format!("/workspaces/{}", query::segment(name)), &[])?;
    let place = Place::new("the description", name.clone());
    let answer = api
        .get(&url, RequestOptions::default(), context)
        .await
        .map_err(|error| explain(error, &place, None))?;
    api.object(&format!("the workspace {name}"), &answer.body)
}

async fn look_up(
    name: &str,
    connection: &Connection,
    context: &ReadContext,
) -> Result<Option<Repository>> {
    let workspace = connection.workspace.as_deref().unwrap_or_default();
    let path = format!(
        "/repositories/{}/{}",
        query::segment(workspace),
        query::segment(name)
    );
    let table = repositories();
    let decoder = Decoder::new(table, &columns(table)).single();
    let fields = [
        "uuid",
        "slug",
        "full_name",
        "project.key",
        "project.uuid",
        "updated_on",
        "workspace.uuid",
    ];
    let parameter = Parameter {
        name: "fields".to_owned(),
        value: fields.join(","),
    };
    let url = connection.api.address(&path, &[parameter])?;
    match connection
        .api
        .get(&url, RequestOptions::default(), context)
        .await
    {
        Ok(answer) => {
            let decode = |body: &[u8]| decoder.decode(body, &[]);
            let rows = connection.api.decode(&answer.body, decode)?.rows;
            Ok(Repository::from_rows(&rows).into_iter().next())
        }
        Err(error) if error.kind() == RestKind::NotFound => Ok(None),
        Err(error) => {
            let place = Place::new("look-up of repository", format!("{workspace}/{name}"));
            Err(explain(error, &place, Some(table)))
        }
    }
}

fn repositories() -> &'static Arc<TableSpec> {
    table("Repositories")
}

fn columns(table: &TableSpec) -> Vec<usize> {
    COLUMNS
        .iter()
        .filter_map(|name| table.column(name))
        .collect()
}

fn request() -> ScanRequest {
    let table = repositories().clone();
    ScanRequest {
        columns: columns(&table),
        table,
        scope: names::whole(),
        predicates: Vec::new(),
        order: None,
        limit: None,
        page_size: None,
    }
}

/// The listing's first request, for people.
pub(crate) fn shape(access: Access<'_>) -> Option<RequestShape> {
    let plan: ScanPlan = plan(request(), access, None).ok()?;
    let mut rows = plan::requests(&plan, access, Purpose::Listing).pop()?;
    rows.purpose = "listing of repositories".to_owned();
    Some(rows)
}
