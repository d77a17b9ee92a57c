//! Reading `Workspaces`: the list names them, a second call each tells the rest.

use std::collections::BTreeMap;
use std::sync::Arc;

use bucketline_core::Kind;
use bucketline_core::code::bitbucket as code;
use bucketline_rest::{RequestOptions, Response, Url};
use bucketline_source::decode::{Decoder, replaced};
use bucketline_source::{
    End, Error, Loss, Lost, Page, Parameter, Pushdown, ReadContext, RequestShape, Result, ScanPlan,
    TableSpec,
};
use futures::future::try_join_all;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::failure::{Place, explain};
use crate::plan::Access;
use crate::query;
use crate::reading::{Circle, Connection};
use crate::walk::Fault;

/// The name of this reader in the table files.
pub(crate) const READER: &str = "workspaces";

/// The members that the list itself has, for each workspace.
const LISTED: [&[&str]; 5] = [
    &["uuid"],
    &["slug"],
    &["administrator"],
    &["links", "self", "href"],
    &["links", "avatar", "href"],
];

/// How many workspaces are looked up at once.
const AT_ONCE: usize = 4;

/// Whether the credential's workspaces can be listed. One that is no user's (an access token, a consumer by itself,
/// none) sees the configured workspace alone.
pub(crate) fn are_listed(access: Access<'_>) -> bool {
    access.of_user
}

/// The requests for people.
pub(crate) fn requests(plan: &ScanPlan, access: Access<'_>) -> Vec<RequestShape> {
    if !are_listed(access) {
        let workspace = access.workspace.map(query::segment);
        let workspace = workspace.unwrap_or_else(|| "{workspace}".to_owned());
        return vec![RequestShape {
            method: "GET",
            path: format!("/workspaces/{workspace}"),
            parameters: Vec::new(),
            purpose: "details of the connection's workspace".to_owned(),
            paging: "one page".to_owned(),
        }];
    }
    let list = RequestShape {
        method: "GET",
        path: plan.request.table.path.clone(),
        parameters: list_parameters(plan),
        purpose: "list of workspaces".to_owned(),
        paging: "next link".to_owned(),
    };
    let mut requests = vec![list];
    if needs_details(&plan.request.table, &plan.request.columns) {
        requests.push(RequestShape {
            method: "GET",
            path: "/workspaces/{workspace}".to_owned(),
            parameters: Vec::new(),
            purpose: "details, one a workspace".to_owned(),
            paging: String::new(),
        });
    }
    requests
}

fn list_parameters(plan: &ScanPlan) -> Vec<Parameter> {
    let table = &plan.request.table;
    let pushed = plan
        .predicates
        .iter()
        .filter(|planned| planned.pushdown != Pushdown::Kept);
    let conditions: Vec<_> = pushed
        .map(|planned| {
            query::condition(&table.columns[planned.predicate.column], &planned.predicate)
        })
        .collect();
    let parameter = |name: &str, value: String| Parameter {
        name: name.to_owned(),
        value,
    };
    let mut parameters: Vec<_> = query::all(&conditions)
        .map(|all| parameter("q", all))
        .into_iter()
        .collect();
    parameters.push(parameter("sort", "slug".to_owned()));
    parameters.push(parameter("pagelen", plan.page_size.to_string()));
    parameters
}

fn needs_details(table: &TableSpec, columns: &[usize]) -> bool {
    columns
        .iter()
        .flat_map(|index| table.columns[*index].origin.paths())
        .any(|path| !LISTED.iter().any(|listed| path.iter().eq(listed.iter())))
}

/// The walk through the workspaces of a credential.
pub(crate) struct WorkspacesReader {
    connection: Connection,
    context: ReadContext,
    plan: Arc<ScanPlan>,
    /// Whether conditions may be pushed down.
    filtered: bool,
    decoder: Decoder,
    details: bool,
    next: Option<Url>,
    pages: usize,
    circle: Circle,
}

#[derive(Deserialize)]
struct List {
    next: Option<String>,
    values: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    administrator: Option<Box<RawValue>>,
    workspace: Members,
}

/// The members of an object, as they are written.
type Members = BTreeMap<String, Box<RawValue>>;

/// The text that a member is.
fn text(members: &Members, name: &str) -> Option<String> {
    serde_json::from_str(members.get(name)?.get()).ok()
}

impl WorkspacesReader {
    pub(crate) fn new(
        connection: Connection,
        context: ReadContext,
        plan: Arc<ScanPlan>,
        filtered: bool,
    ) -> Self {
        let table = &plan.request.table;
        Self {
            decoder: Decoder::new(table, &plan.request.columns),
            details: needs_details(table, &plan.request.columns),
            connection,
            context,
            filtered,
            plan,
            next: None,
            pages: 0,
            circle: Circle::default(),
        }
    }

    /// The next page; the last one says so.
    pub(crate) async fn page(&mut self) -> Result<Page> {
        if !are_listed(self.connection.access()) {
            return self.configured_one().await;
        }
        let url = match self.next.take() {
            Some(url) => url,
            None => {
                let mut parameters = list_parameters(&self.plan);
                if !self.filtered {
                    parameters.retain(|parameter| parameter.name != "q");
                }
                self.connection
                    .api
                    .address(&self.plan.request.table.path, &parameters)?
            }
        };
        let answer = self.get(&url, "Workspaces", "the credential").await?;
        let api = &self.connection.api;
        let list: List = api.object("the list of workspaces", &answer.body)?;
        let named = list.values.iter();
        let named: Vec<_> = named.map(|entry| text(&entry.workspace, "uuid")).collect();
        if self.pages == 0 {
            self.circle.begin(&named);
        } else if self.circle.is_closed_by(&named) {
            return Err(Place::new("Workspaces", "the credential").stuck(Fault::Circle));
        }
        self.pages += 1;
        let mut rows = Vec::with_capacity(list.values.len());
        for some in list.values.chunks(AT_ONCE) {
            rows.extend(try_join_all(some.iter().map(|entry| self.row(entry))).await?);
        }
        self.next = match list.next.filter(|next| !next.is_empty()) {
            Some(next) => Some(Url::parse(&next).map_err(|error| {
                Error::new(
                    code::BAD_NEXT_LINK,
                    format!("`next` is no address: {error}"),
                )
            })?),
            None => None,
        };
        let end = self.next.is_none().then_some(End::Complete {
            unstable_pages: self.pages,
        });
        self.decoded(rows, end)
    }

    /// What can be seen where workspaces cannot be listed.
    async fn configured_one(&mut self) -> Result<Page> {
        let Some(workspace) = self.connection.workspace.clone() else {
            return Err(Error::new(
                code::NO_WORKSPACE,
                "this credential is no user's, so its workspaces cannot be listed",
            )
            .with_hint("set the connection's Workspace to the workspace's slug"));
        };
        self.context.observer().note(&format!(
            "this credential is no user's: Workspaces shows the configured one, `{workspace}`, alone"
        ));
        let row = self.details(&workspace, &workspace).await?;
        self.decoded(vec![row], Some(End::Complete { unstable_pages: 0 }))
    }

    async fn row(&self, entry: &Entry) -> Result<Members> {
        let mut row = entry.workspace.clone();
        if let Some(uuid) = text(&row, "uuid").filter(|_| self.details) {
            let label = text(&row, "slug").unwrap_or_else(|| uuid.clone());
            match self.details(&uuid, &label).await {
                Ok(details) => row = details,
                // The others are read all the same, and so is what the list says of this one.
                Err(error) if matches!(error.kind(), Kind::Permission | Kind::NotFound) => {
                    let note =
                        format!("Workspaces shows what the list says of {label} alone: {error}");
                    self.context.observer().note(&note);
                }
                Err(error) => return Err(error),
            }
        }
        if let Some(administrator) = &entry.administrator {
            row.insert("administrator".to_owned(), administrator.clone());
        }
        Ok(row)
    }

    async fn details(&self, name: &str, label: &str) -> Result<Members> {
        let api = &self.connection.api;
        let url = api.address(&format!("/workspaces/{}", query::segment(name)), &[])?;
        let answer = self.get(&url, "details of workspace", label).await?;
        api.object(&format!("the workspace {label}"), &answer.body)
    }

    async fn get(&self, url: &Url, what: &str, label: &str) -> Result<Response> {
        let api = &self.connection.api;
        let answer = api.get(url, RequestOptions::default(), &self.context).await;
        let table = Some(&*self.plan.request.table);
        let answer = answer.map_err(|error| explain(error, &Place::new(what, label), table))?;
        self.lose(replaced(&answer.body));
        Ok(answer)
    }

    fn decoded(&self, rows: Vec<Members>, end: Option<End>) -> Result<Page> {
        let values = BTreeMap::from([("values", rows)]);
        let body = serde_json::to_vec(&values).map_err(|error| {
            Error::new(
                code::BAD_OBJECT,
                format!("the list of workspaces cannot be read: {error}"),
            )
        })?;
        let decoded = self.decoder.decode(&body, &[])?;
        self.lose(decoded.lost);
        Ok(Page::new(decoded.rows, None, end))
    }

    fn lose(&self, lost: BTreeMap<Lost, u64>) {
        for (how, values) in lost {
            let subject = "Workspaces".to_owned();
            self.context.observer().lost(Loss { subject, how }, values);
        }
    }
}
