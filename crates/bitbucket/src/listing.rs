//! The repositories of the workspace: walked once a script, looked up singly where one is named.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{Array as _, AsArray as _, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;
use bucketline_rest::{ErrorKind as RestKind, RequestOptions};
use bucketline_source::decode::Decoder;
use bucketline_source::{
    Error, ErrorKind, Parameter, ReadContext, Reading, RequestShape, Result, ScanPlan, ScanRequest,
    Slice, SliceId, TableSpec,
};
use futures::TryStreamExt as _;
use tokio::sync::Mutex;

use crate::failure::{Place, explain};
use crate::names;
use crate::plan::{self, plan};
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

/// What is known of the workspace's repositories. Callers at the same time share one walk.
#[derive(Default)]
pub(crate) struct Listing {
    known: Mutex<Known>,
    /// Counts the calls of [`Listing::forget`].
    script: AtomicU64,
}

#[derive(Default)]
struct Known {
    script: u64,
    all: Option<Arc<Vec<Repository>>>,
    /// Single look-ups, by the name asked for; `None` was not found.
    named: HashMap<String, Option<Repository>>,
}

impl fmt::Debug for Listing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listing").finish_non_exhaustive()
    }
}

impl Listing {
    /// What was known belongs to an earlier script.
    pub(crate) fn forget(&self) {
        self.script.fetch_add(1, Ordering::Relaxed);
    }

    async fn known(&self) -> tokio::sync::MutexGuard<'_, Known> {
        let mut known = self.known.lock().await;
        let script = self.script.load(Ordering::Relaxed);
        if known.script != script {
            *known = Known {
                script,
                ..Known::default()
            };
        }
        known
    }

    /// The UUID and slug of the workspace, if a repository that is known says it.
    pub(crate) async fn workspace(&self) -> Option<(String, String)> {
        let known = self.known().await;
        let listed = known.all.iter().flat_map(|all| all.iter());
        let named = known.named.values().flatten();
        listed.chain(named).find_map(|repository| {
            Some((
                repository.workspace_uuid.clone()?,
                repository.workspace.clone(),
            ))
        })
    }

    /// All repositories, in the order of their creation.
    pub(crate) async fn all(
        &self,
        connection: &Connection,
        context: &ReadContext,
    ) -> Result<Arc<Vec<Repository>>> {
        // Held while the walk lasts, so that those who come meanwhile wait for its result.
        let mut known = self.known().await;
        if let Some(all) = &known.all {
            return Ok(all.clone());
        }
        let workspace = connection.workspace.as_deref();
        let plan = Arc::new(plan(request(), workspace, None)?);
        let label = workspace.unwrap_or_default().to_owned();
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
                ErrorKind::Unavailable,
                "BL4024",
                "the listing of repositories broke off",
            ));
        }
        let all = Arc::new(all);
        known.all = Some(all.clone());
        Ok(all)
    }

    /// One repository by slug or UUID: from what is known, else by a look-up. `None`: it does not
    /// exist, or the credential may not see it.
    pub(crate) async fn one(
        &self,
        name: &str,
        connection: &Connection,
        context: &ReadContext,
    ) -> Result<Option<Repository>> {
        let mut known = self.known().await;
        let listed = known.all.as_ref().and_then(|all| {
            all.iter()
                .find(|repository| repository.uuid == name || repository.slug == name)
        });
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
        Ok(looked_up)
    }
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
            let rows = decoder.decode(&answer.body, &[])?.rows;
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
pub(crate) fn shape(workspace: &str) -> Option<RequestShape> {
    let plan: ScanPlan = plan(request(), Some(workspace), None).ok()?;
    let mut rows = plan::requests(&plan, Some(workspace), Purpose::Listing).pop()?;
    rows.purpose = "listing of repositories".to_owned();
    Some(rows)
}
