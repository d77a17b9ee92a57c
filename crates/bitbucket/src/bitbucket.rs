//! The source itself.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use bucketline_core::code::bitbucket as code;
use bucketline_rest::{Client, CredentialKind};
use bucketline_source::spec::SliceKind;
use bucketline_source::{
    Error, Identity, PageStream, Pushdown, ReadContext, Reading, Result, ScanPlan, ScanRequest,
    Scope, ScopeKind, Slice, SliceChoice, SliceId, Source, TableSpec,
};

use crate::api::Api;
use crate::choice;
use crate::failure::{Place, explain};
use crate::listing::{Listing, Repository, Workspace};
use crate::names;
use crate::parents;
use crate::plan;
use crate::reading::{self, Connection, PageSizes};
use crate::settings::Settings;
use crate::shape::Purpose;
use crate::tables::tables;

/// A connection to Bitbucket Cloud.
#[derive(Debug)]
pub struct Bitbucket {
    connection: Connection,
    page_size: Option<usize>,
    listing: Arc<Listing>,
}

impl Bitbucket {
    /// A connection; nothing is asked yet.
    ///
    /// # Errors
    /// `Configuration` if the address, the credential or the workspace's name cannot be used.
    pub fn new(settings: Settings) -> Result<Self> {
        let Settings {
            client,
            workspace,
            page_size,
            include_deleted,
        } = settings;
        let unusable = |name: &str| {
            Error::new(
                code::BAD_WORKSPACE,
                format!("`{name}` is neither a workspace's slug nor its UUID in braces"),
            )
        };
        // Slugs are lower case in every address.
        let workspace = match workspace
            .as_deref()
            .map(str::trim)
            .filter(|name| !name.is_empty())
        {
            Some(name) if choice::is_address(&name.to_lowercase()) => Some(name.to_lowercase()),
            Some(name) => return Err(unusable(name)),
            None => None,
        };
        let credential = client.credential.kind();
        let of_user = client.credential.is_of_user();
        let place = Place::new(
            "the connection",
            client.base_url.host_str().unwrap_or_default(),
        );
        let client = Client::new(client).map_err(|error| explain(error, &place, None))?;
        let connection = Connection {
            api: Api::new(client),
            workspace,
            credential,
            of_user,
            deleted: include_deleted,
            page_sizes: Arc::new(PageSizes::default()),
        };
        Ok(Self {
            connection,
            page_size,
            listing: Arc::new(Listing::default()),
        })
    }

    /// The client that makes the requests, to observe or meter them.
    pub fn client(&self) -> &Client {
        self.connection.api.client()
    }

    /// The credential's scopes, sorted, as the last answer that named them has; empty if none has.
    pub fn granted_scopes(&self) -> Vec<String> {
        self.connection.api.scopes()
    }

    /// The scope that this kind of credential needs for a table.
    pub fn needed_scope<'t>(&self, table: &'t TableSpec) -> &'t str {
        match self.connection.credential {
            CredentialKind::Basic => &table.scopes.token,
            CredentialKind::Anonymous | CredentialKind::Bearer | CredentialKind::OAuth => {
                &table.scopes.oauth
            }
        }
    }

    /// The one slice of a table of the account or the workspace.
    async fn only_slice(&self, plan: &ScanPlan, context: &ReadContext) -> Result<Slice> {
        let table = &plan.request.table;
        if table.slice == SliceKind::Account {
            let id = SliceId("account".to_owned());
            return Ok(Slice {
                id,
                label: "the account".to_owned(),
                parents: Vec::new(),
                proof: None,
            });
        }
        let configured = self.connection.workspace.clone().unwrap_or_default();
        let (id, slug) = if choice::needs_look_up(plan, &configured) {
            let Workspace { uuid, slug } =
                self.listing.workspace(&self.connection, context).await?;
            (uuid, slug)
        } else {
            match self.listing.known_workspace(context).await {
                Some(Workspace { uuid, slug }) => (uuid, slug),
                None => (configured.clone(), configured),
            }
        };
        let parents = choice::parents(table, &slug, None);
        Ok(Slice {
            id: SliceId(id),
            label: slug,
            parents,
            proof: None,
        })
    }

    /// Slices of repositories that are named.
    async fn named_slices(
        &self,
        plan: &ScanPlan,
        names: &[String],
        context: &ReadContext,
    ) -> Result<Vec<Slice>> {
        let configured = self.connection.workspace.clone().unwrap_or_default();
        if plan.request.scope.kind != ScopeKind::Repository
            && !choice::needs_look_up(plan, &configured)
        {
            let unresolved = |slug: &String| Slice {
                id: SliceId(slug.clone()),
                label: format!("{configured}/{slug}"),
                parents: choice::parents(&plan.request.table, &configured, Some((slug, slug))),
                proof: None,
            };
            return Ok(names.iter().map(unresolved).collect());
        }
        let scope = &plan.request.scope;
        let place =
            |name: &String| Place::new(&*plan.request.table.name, format!("{configured}/{name}"));
        let mut slices: Vec<Slice> = Vec::new();
        for name in names {
            match self.listing.one(name, &self.connection, context).await? {
                Some(repository) if !repository.is_called(name) => {
                    context.observer().note(&place(name).renamed());
                }
                Some(repository) if !in_scope(scope, &repository) => {}
                Some(repository) => slices.push(slice(plan, &repository)),
                None if scope.kind == ScopeKind::Repository => {
                    return Err(Error::new(code::NOT_FOUND, place(&scope.name).absent()));
                }
                None => context.observer().note(&place(name).absent()),
            }
        }
        let mut once = HashSet::new();
        slices.retain(|slice| once.insert(slice.id.clone()));
        Ok(slices)
    }
}

fn slice(plan: &ScanPlan, repository: &Repository) -> Slice {
    let names = Some((repository.slug.as_str(), repository.uuid.as_str()));
    Slice {
        id: SliceId(repository.uuid.clone()),
        label: repository.label(),
        parents: choice::parents(&plan.request.table, &repository.workspace, names),
        proof: repository.proof.clone(),
    }
}

/// Whether a repository belongs to a plan's scope.
fn in_scope(scope: &Scope, repository: &Repository) -> bool {
    match (scope.kind, &scope.uuid) {
        (ScopeKind::Project, Some(uuid)) => repository.project_uuid.as_ref() == Some(uuid),
        (ScopeKind::Project, None) => repository.project_key.as_ref() == Some(&scope.name),
        (ScopeKind::Whole | ScopeKind::Repository, _) => true,
    }
}

#[async_trait]
impl Source for Bitbucket {
    fn tables(&self) -> Cow<'_, [Arc<TableSpec>]> {
        Cow::Borrowed(tables())
    }

    fn default_scope(&self) -> Scope {
        names::whole()
    }

    fn address(&self) -> Option<String> {
        let base = self.client().base_url().as_str();
        Some(base.trim_end_matches('/').to_owned())
    }

    fn concurrency(&self) -> usize {
        self.client().concurrency()
    }

    async fn scopes(&self, context: &ReadContext) -> Result<Vec<Scope>> {
        names::all(&self.listing, &self.connection, context).await
    }

    fn known_scopes(&self) -> Vec<Scope> {
        names::known(&self.listing)
    }

    async fn find_scopes(
        &self,
        name: &str,
        exact: bool,
        context: &ReadContext,
    ) -> Result<Vec<Scope>> {
        names::find(name, exact, &self.listing, &self.connection, context).await
    }

    fn plan(&self, request: ScanRequest) -> Result<ScanPlan> {
        let accepted = self.connection.page_sizes.of(&request.table.name);
        let page_size = self.page_size.into_iter().chain(accepted).min();
        plan::plan(request, self.connection.access(), page_size)
    }

    fn explain(&self, plan: &ScanPlan, reading: &Reading) -> ScanPlan {
        let purpose = Purpose::of(reading);
        let mut plan = plan.clone();
        plan.requests = plan::requests(&plan, self.connection.access(), purpose);
        for planned in &mut plan.predicates {
            if !planned.chooses_slices && !purpose.pushes(planned) {
                planned.pushdown = Pushdown::Kept;
            }
        }
        plan
    }

    async fn slices(&self, plan: &ScanPlan, context: &ReadContext) -> Result<Vec<Slice>> {
        parents::check_bounds(plan)?;
        let mut slices = match &plan.slices {
            SliceChoice::One => vec![self.only_slice(plan, context).await?],
            SliceChoice::Named(names) => self.named_slices(plan, names, context).await?,
            SliceChoice::Listed => {
                let all = self.listing.all(&self.connection, context).await?;
                let scope = &plan.request.scope;
                let all = all.iter().filter(|repository| in_scope(scope, repository));
                all.map(|repository| slice(plan, repository)).collect()
            }
        };
        slices.retain(|slice| plan.admits(&slice.parents));
        Ok(slices)
    }

    fn read(
        &self,
        plan: Arc<ScanPlan>,
        slice: &Slice,
        reading: Reading,
        context: &ReadContext,
    ) -> PageStream {
        let connection = &self.connection;
        let pages = reading::read(
            connection.clone(),
            plan.clone(),
            slice.clone(),
            reading.clone(),
            context.clone(),
        );
        self.listing
            .watch(pages, &plan, &reading, connection, context)
    }

    async fn identity(&self, context: &ReadContext) -> Result<Identity> {
        let origin = self.client().base_url().origin().ascii_serialization();
        let place = Place::new("the connection", &origin);
        let identity = self.client().identity().await;
        let identity = identity.map_err(|error| explain(error, &place, None))?;
        if self.connection.workspace.is_none() {
            return Ok(Identity {
                origin,
                workspace: None,
                credential: identity,
            });
        }
        let workspace = self.listing.workspace(&self.connection, context).await?;
        let scopes = self.listing.scopes(&self.connection, context).await;
        let credential = format!("{identity} {}", scopes.join(","));
        Ok(Identity {
            origin,
            workspace: Some(workspace.uuid),
            credential: credential.trim_end().to_owned(),
        })
    }
}
