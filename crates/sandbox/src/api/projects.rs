//! Projects.

use super::listing::{List, Rows, page};
use super::{Answer, Call};
use crate::http::reply::Reply;
use crate::http::sign_in::PROJECT;
use crate::json::write::Object;
use crate::query::{Bounds, Field, Kind, Schema};
use crate::world::World;
use crate::world::people::encoded;
use crate::world::shelf::{By, Selection};
use crate::world::workspace::{Project, Workspace};

const SCHEMA: Schema = &[
    Field("uuid", Kind::Text),
    Field("key", Kind::Text),
    Field("name", Kind::Text),
    Field("description", Kind::Text),
    Field("is_private", Kind::Bool),
    Field("created_on", Kind::Time),
    Field("updated_on", Kind::Time),
];

/// `GET /workspaces/{workspace}/projects`
pub(super) fn list(call: &Call<'_>, workspace: &str) -> Answer {
    call.require(PROJECT)?;
    let place = visible(call, workspace)?;
    page(
        call,
        List::of(SCHEMA),
        &Projects {
            world: call.world,
            workspace: place,
        },
    )
}

/// `GET /workspaces/{workspace}/projects/{project_key}`
pub(super) fn get(call: &Call<'_>, workspace: &str, key: &str) -> Answer {
    call.require(PROJECT)?;
    let place = visible(call, workspace)?;
    let project = call
        .world
        .project(place, key)
        .ok_or_else(|| Reply::error(404, &format!("No project with key '{key}'.")))?;
    let mut json = String::new();
    Projects {
        world: call.world,
        workspace: place,
    }
    .write(project as u32, true, &mut json);
    call.object(json)
}

fn visible(call: &Call<'_>, id: &str) -> Result<usize, Reply> {
    let place = call.workspace(id)?;
    if call.world.workspaces[place].is_private && !call.caller.member_of(place) {
        return Err(Reply::no_workspace(id));
    }
    Ok(place)
}

/// The projects of one workspace.
pub(crate) struct Projects<'a> {
    pub(crate) world: &'a World,
    pub(crate) workspace: usize,
}

impl Projects<'_> {
    fn workspace(&self) -> &Workspace {
        &self.world.workspaces[self.workspace]
    }
}

impl Rows for Projects<'_> {
    fn select(&self, _: &Bounds, _: Option<By>) -> Selection<'_> {
        let projects = &self.workspace().projects;
        let mut rows: Vec<u32> = (0..projects.len() as u32)
            .filter(|row| !projects[*row as usize].gone)
            .collect();
        rows.sort_by_key(|row| projects[*row as usize].moved);
        Selection::Owned(rows)
    }

    fn write(&self, row: u32, _: bool, out: &mut String) {
        let workspace = self.workspace();
        let project = &workspace.projects[row as usize];
        let public = self.world.repositories.iter().any(|repository| {
            repository.present()
                && !repository.is_private
                && repository.workspace == self.workspace
                && repository.project == row as usize
        });
        let slug = workspace.slug.as_str();
        let base = self.world.base.as_str();
        let mut object = Object::begin(out);
        object
            .text("type", "project")
            .raw("owner", &workspace.owner)
            .raw("workspace", &workspace.condensed)
            .text("key", project.key.as_str())
            .text("uuid", project.uuid.as_str())
            .boolean("is_private", project.is_private)
            .text("name", project.name.as_str())
            .text("description", project.description.as_str());
        links(&mut object, base, slug, project);
        object
            .time("created_on", project.created_on)
            .time("updated_on", project.updated_on)
            .boolean("has_publicly_visible_repos", public);
        object.end();
    }
}

fn links(object: &mut Object<'_>, base: &str, slug: &str, project: &Project) {
    let key = project.key.as_str();
    object.object("links", |links| {
        links
            .link("self", &[base, "/workspaces/", slug, "/projects/", key])
            .link(
                "html",
                &["https://bitbucket.org/", slug, "/workspace/projects/", key],
            )
            .link(
                "repositories",
                &[
                    base,
                    "/repositories/",
                    slug,
                    "?q=project.key%3D%22",
                    key,
                    "%22",
                ],
            )
            .link(
                "avatar",
                &[
                    "https://bitbucket.org/account/user/",
                    slug,
                    "/projects/",
                    key,
                    "/avatar/32",
                ],
            );
    });
}

/// Writes the condensed object that repositories embed.
pub(super) fn write_condensed(
    world: &World,
    workspace: &Workspace,
    project: &Project,
    out: &mut String,
) {
    let mut object = Object::begin(out);
    object
        .text("type", "project")
        .text("key", project.key.as_str())
        .text("uuid", project.uuid.as_str())
        .text("name", project.name.as_str());
    links(&mut object, &world.base, &encoded(&workspace.uuid), project);
    object.end();
}
