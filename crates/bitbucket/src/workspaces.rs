//! Reading `Workspaces`: the list names them, a second call each tells the rest.

use std::sync::Arc;

use bucketline_rest::{CredentialKind, RequestOptions, Url};
use bucketline_source::decode::Decoder;
use bucketline_source::spec::Origin;
use bucketline_source::{
    End, Error, ErrorKind, Page, Parameter, Pushdown, ReadContext, RequestShape, Result, ScanPlan,
    TableSpec,
};
use futures::future::try_join_all;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::api::Api;
use crate::failure::{Place, explain};
use crate::query;

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

/// The requests for people.
pub(crate) fn requests(plan: &ScanPlan) -> Vec<RequestShape> {
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
        .any(|index| match &table.columns[*index].origin {
            Origin::Row(path) => !LISTED.iter().any(|listed| path.iter().eq(listed.iter())),
            Origin::Parent(_) => false,
        })
}

/// The walk through the workspaces of a credential.
pub(crate) struct WorkspacesReader {
    api: Api,
    context: ReadContext,
    plan: Arc<ScanPlan>,
    /// Whether conditions may be pushed down.
    filtered: bool,
    decoder: Decoder,
    details: bool,
    configured: Option<String>,
    credential: CredentialKind,
    next: Option<Url>,
    pages: usize,
}

#[derive(Deserialize)]
struct List<'a> {
    next: Option<String>,
    #[serde(borrow)]
    values: Vec<Access<'a>>,
}

#[derive(Deserialize)]
struct Access<'a> {
    administrator: Option<bool>,
    #[serde(borrow)]
    workspace: &'a RawValue,
}

#[derive(Deserialize)]
struct Named {
    uuid: String,
    slug: Option<String>,
}

impl WorkspacesReader {
    pub(crate) fn new(
        api: Api,
        context: ReadContext,
        plan: Arc<ScanPlan>,
        filtered: bool,
        configured: Option<String>,
        credential: CredentialKind,
    ) -> Self {
        let table = &plan.request.table;
        Self {
            decoder: Decoder::new(table, &plan.request.columns),
            details: needs_details(table, &plan.request.columns),
            api,
            context,
            filtered,
            configured,
            credential,
            plan,
            next: None,
            pages: 0,
        }
    }

    /// The next page; the last one says so.
    pub(crate) async fn page(&mut self) -> Result<Page> {
        if self.credential == CredentialKind::Bearer {
            return self.configured_one().await;
        }
        let url = match self.next.take() {
            Some(url) => url,
            None => {
                let mut parameters = list_parameters(&self.plan);
                if !self.filtered {
                    parameters.retain(|parameter| parameter.name != "q");
                }
                self.api
                    .address(&self.plan.request.table.path, &parameters)?
            }
        };
        let body = self.get(&url, "Workspaces", "the credential").await?;
        let list: List<'_> = serde_json::from_slice(&body).map_err(|error| {
            Error::new(
                ErrorKind::Decode,
                "BL4020",
                format!("the list of workspaces cannot be read: {error}"),
            )
        })?;
        self.pages += 1;
        let mut rows = Vec::with_capacity(list.values.len());
        for some in list.values.chunks(AT_ONCE) {
            rows.extend(try_join_all(some.iter().map(|access| self.row(access))).await?);
        }
        self.next = match list.next.filter(|next| !next.is_empty()) {
            Some(next) => Some(Url::parse(&next).map_err(|error| {
                Error::new(
                    ErrorKind::Decode,
                    "BL4021",
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

    /// Under an access token, which belongs to no user, only the configured workspace can be seen.
    async fn configured_one(&mut self) -> Result<Page> {
        let Some(workspace) = self.configured.clone() else {
            return Err(Error::new(
                ErrorKind::Configuration,
                "BL4001",
                "an access token belongs to no user, so its workspaces cannot be listed",
            )
            .with_hint("set the connection's Workspace to the workspace's slug"));
        };
        self.context.observer().note(&format!(
            "an access token belongs to no user: Workspaces shows the configured one, `{workspace}`, alone"
        ));
        let row = self.details(&workspace, None).await?;
        self.decoded(vec![row], Some(End::Complete { unstable_pages: 0 }))
    }

    async fn row(&self, access: &Access<'_>) -> Result<Value> {
        let unreadable = |error: serde_json::Error| {
            let message = format!("an entry of the list of workspaces cannot be read: {error}");
            Error::new(ErrorKind::Decode, "BL4020", message)
        };
        if self.details {
            let named: Named = serde_json::from_str(access.workspace.get()).map_err(unreadable)?;
            let mut row = self.details(&named.uuid, named.slug.as_deref()).await?;
            if let Value::Object(row) = &mut row {
                row.insert("administrator".to_owned(), access.administrator.into());
            }
            return Ok(row);
        }
        let mut row: Map<String, Value> =
            serde_json::from_str(access.workspace.get()).map_err(unreadable)?;
        row.insert("administrator".to_owned(), access.administrator.into());
        Ok(Value::Object(row))
    }

    async fn details(&self, name: &str, label: Option<&str>) -> Result<Value> {
        let url = self
            .api
            .address(&format!("/workspaces/{}", query::segment(name)), &[])?;
        let body = self
            .get(&url, "details of workspace", label.unwrap_or(name))
            .await?;
        serde_json::from_slice(&body).map_err(|error| {
            let message = format!("the workspace {name} cannot be read: {error}");
            Error::new(ErrorKind::Decode, "BL4020", message)
        })
    }

    async fn get(&self, url: &Url, what: &str, label: &str) -> Result<Vec<u8>> {
        let answer = self
            .api
            .get(url, RequestOptions::default(), &self.context)
            .await;
        let place = Place::new(what, label);
        let table = Some(&*self.plan.request.table);
        Ok(answer
            .map_err(|error| explain(error, &place, table))?
            .body
            .to_vec())
    }

    fn decoded(&self, rows: Vec<Value>, end: Option<End>) -> Result<Page> {
        let body = serde_json::json!({ "values": rows }).to_string();
        let decoded = self.decoder.decode(body.as_bytes(), &[])?;
        for conflict in &decoded.conflicts {
            self.context
                .observer()
                .note(&format!("Workspaces: {conflict}"));
        }
        Ok(Page {
            rows: decoded.rows,
            checkpoint: None,
            end,
        })
    }
}
