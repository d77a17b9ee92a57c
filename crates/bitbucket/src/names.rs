//! Schemas: the whole workspace, its projects, its repositories.

use std::sync::Arc;

use arrow::array::{Array as _, AsArray as _};
use bucketline_core::code::bitbucket as code;
use bucketline_rest::{ErrorKind as RestKind, RequestOptions};
use bucketline_source::{
    Error, ReadContext, Reading, Result, ScanRequest, Scope, ScopeKind, Slice, SliceId,
};
use futures::TryStreamExt as _;
use serde::Deserialize;

use crate::choice::is_address;
use crate::failure::{Place, explain};
use crate::listing::{Listing, Repository};
use crate::plan::plan;
use crate::query;
use crate::reading::{Connection, read};
use crate::tables::table;

/// The schema that is the whole workspace.
pub(crate) const WHOLE: &str = "Information";

/// The schema that is the whole workspace, `Information`.
pub fn whole() -> Scope {
    Scope {
        kind: ScopeKind::Whole,
        name: WHOLE.to_owned(),
        uuid: None,
    }
}

fn of_repository(repository: &Repository) -> Scope {
    Scope {
        kind: ScopeKind::Repository,
        name: repository.slug.clone(),
        uuid: Some(repository.uuid.clone()),
    }
}

/// Every scope: the whole, then projects and repositories in the order of their creation.
pub(crate) async fn all(
    listing: &Arc<Listing>,
    connection: &Connection,
    context: &ReadContext,
) -> Result<Vec<Scope>> {
    let mut scopes = vec![whole()];
    if connection.workspace.is_some() {
        match projects(connection, context).await {
            Ok(projects) => scopes.extend(projects),
            // A token for repositories alone still has their schemas.
            Err(error) if is_barred(&error) => context
                .observer()
                .note(&format!("schemas of projects are left out: {error}")),
            Err(error) => return Err(error),
        }
        scopes.extend(
            listing
                .all(connection, context)
                .await?
                .iter()
                .map(of_repository),
        );
    }
    Ok(scopes)
}

fn is_barred(error: &Error) -> bool {
    matches!(error.code(), code::MISSING_SCOPE | code::FORBIDDEN)
}

async fn projects(connection: &Connection, context: &ReadContext) -> Result<Vec<Scope>> {
    let table = table("Projects");
    let columns = ["Key", "UUID"]
        .iter()
        .filter_map(|name| table.column(name))
        .collect();
    let request = ScanRequest {
        table: table.clone(),
        scope: whole(),
        columns,
        predicates: Vec::new(),
        order: None,
        limit: None,
        page_size: None,
    };
    let plan = Arc::new(plan(request, connection.access(), None)?);
    let label = connection.workspace.clone().unwrap_or_default();
    let slice = Slice {
        id: SliceId(label.clone()),
        label,
        parents: Vec::new(),
        proof: None,
    };
    let pages = read(
        connection.clone(),
        plan,
        slice,
        Reading::Scan,
        context.clone(),
    );
    let pages: Vec<_> = pages.try_collect().await?;
    let mut scopes = Vec::new();
    for page in pages {
        let (keys, uuids) = (
            page.rows.column(0).as_string::<i32>(),
            page.rows.column(1).as_string::<i32>(),
        );
        scopes.extend(
            (0..page.rows.num_rows())
                .filter(|row| keys.is_valid(*row))
                .map(|row| Scope {
                    kind: ScopeKind::Project,
                    name: keys.value(row).to_owned(),
                    uuid: Some(uuids.value(row).to_owned()),
                }),
        );
    }
    Ok(scopes)
}

/// The scopes that the last listing of repositories told.
pub(crate) fn known(listing: &Listing) -> Vec<Scope> {
    let listed = listing.listed().unwrap_or_default();
    let mut scopes = vec![whole()];
    for repository in listed.iter() {
        if let (Some(key), Some(uuid)) = (&repository.project_key, &repository.project_uuid)
            && !scopes.iter().any(|scope| scope.uuid.as_ref() == Some(uuid))
        {
            scopes.push(Scope {
                kind: ScopeKind::Project,
                name: key.clone(),
                uuid: Some(uuid.clone()),
            });
        }
    }
    scopes.extend(listed.iter().map(of_repository));
    scopes
}

/// The scopes that a schema's name means. Looks up one project and one repository at most.
pub(crate) async fn find(
    name: &str,
    exact: bool,
    listing: &Arc<Listing>,
    connection: &Connection,
    context: &ReadContext,
) -> Result<Vec<Scope>> {
    let mut scopes = Vec::new();
    if name == WHOLE || (!exact && name.eq_ignore_ascii_case(WHOLE)) {
        scopes.push(whole());
    }
    // Keys are upper case and slugs lower case: another spelling equals none, so it costs nothing.
    let key = if exact {
        name.to_owned()
    } else {
        name.to_uppercase()
    };
    let slug = if exact {
        name.to_owned()
    } else {
        name.to_lowercase()
    };
    let (is_key, is_slug) = (is_project_key(&key), is_address(&slug));
    if !is_key && !is_slug {
        return Ok(scopes);
    }
    if connection.workspace.is_none() {
        if !scopes.is_empty() {
            return Ok(scopes);
        }
        return Err(Error::new(
            code::NO_WORKSPACE,
            format!(
                "the schema `{name}` is looked for in a workspace, and this connection names none"
            ),
        )
        .with_hint("set the connection's Workspace to the workspace's slug"));
    }
    let project = async {
        if !is_key {
            return Ok(None);
        }
        match project(&key, connection, context).await {
            Err(error) if is_barred(&error) => {
                context.observer().note(&format!(
                    "`{name}` is not looked for among projects: {error}"
                ));
                Ok(None)
            }
            found => found,
        }
    };
    let repository = async {
        if is_slug {
            listing.one(&slug, connection, context).await
        } else {
            Ok(None)
        }
    };
    let (project, repository) = futures::future::try_join(project, repository).await?;
    scopes.extend(project);
    // A former slug leads to the renamed repository; it is not its name.
    let named = repository.filter(|found| found.is_called(&slug));
    scopes.extend(named.as_ref().map(of_repository));
    Ok(scopes)
}

fn is_project_key(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_uppercase())
        && bytes.all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

async fn project(
    key: &str,
    connection: &Connection,
    context: &ReadContext,
) -> Result<Option<Scope>> {
    #[derive(Deserialize)]
    struct Project {
        key: String,
        uuid: String,
    }
    let workspace = connection.workspace.as_deref().unwrap_or_default();
    let path = format!(
        "/workspaces/{}/projects/{}",
        query::segment(workspace),
        query::segment(key)
    );
    let url = connection.api.address(&path, &[])?;
    let place = Place::new("look-up of project", format!("{workspace}/{key}"));
    let answer = match connection
        .api
        .get(&url, RequestOptions::default(), context)
        .await
    {
        Err(error) if error.kind() == RestKind::NotFound => return Ok(None),
        answer => answer.map_err(|error| explain(error, &place, Some(table("Projects"))))?,
    };
    let what = format!("the project {workspace}/{key}");
    let Project { key, uuid } = connection.api.object(&what, &answer.body)?;
    Ok(Some(Scope {
        kind: ScopeKind::Project,
        name: key,
        uuid: Some(uuid),
    }))
}
