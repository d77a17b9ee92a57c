//! Workspaces, and the signed-in user's place in them.

use super::listing::{List, Rows, page};
use super::{Answer, Call, users};
use crate::config::Day;
use crate::http::reply::Reply;
use crate::http::sign_in::{MEMBERSHIP, WORKSPACE};
use crate::json::write::Object;
use crate::query::{Bounds, Field, Kind, Schema};
use crate::world::World;
use crate::world::shelf::{By, Selection};
use crate::world::workspace::Workspace;

/// `GET /workspaces/{workspace}`
pub(super) fn get(call: &Call<'_>, id: &str) -> Answer {
    call.require(WORKSPACE)?;
    let place = call.workspace(id)?;
    let workspace = &call.world.workspaces[place];
    if workspace.is_private && !call.caller.member_of(place) {
        return Err(Reply::no_workspace(id));
    }
    let mut json = String::new();
    write(call.world, workspace, &mut json);
    call.object(json)
}

/// Writes the whole object.
pub(crate) fn write(world: &World, workspace: &Workspace, out: &mut String) {
    let base = world.base.as_str();
    let slug = workspace.slug.as_str();
    let mut object = Object::begin(out);
    object
        .text("type", "workspace")
        .text("uuid", workspace.uuid.as_str())
        .text("name", workspace.name.as_str())
        .text("slug", slug)
        .boolean("is_personal", false)
        .boolean("is_private", workspace.is_private)
        .boolean("is_privacy_enforced", workspace.is_private)
        .text(
            "forking_mode",
            if workspace.is_private {
                "internal_only"
            } else {
                "allow_forks"
            },
        )
        .time("created_on", workspace.created_on)
        .time("updated_on", workspace.created_on);
    object.object("links", |links| {
        links
            .link(
                "avatar",
                &["https://bitbucket.org/workspaces/", slug, "/avatar/"],
            )
            .link(
                "owners",
                &[
                    base,
                    "/workspaces/",
                    slug,
                    "/members?q=permission%3D%22owner%22",
                ],
            )
            .link("members", &[base, "/workspaces/", slug, "/members"])
            .link("html", &["https://bitbucket.org/", slug, "/"])
            .link("projects", &[base, "/workspaces/", slug, "/projects"])
            .link("repositories", &[base, "/repositories/", slug])
            .link("snippets", &[base, "/snippets/", slug])
            .link("self", &[base, "/workspaces/", slug]);
    });
    object.end();
}

const SCHEMA: Schema = &[Field("slug", Kind::Text)];

/// `GET /user/workspaces`: no names and dates; `q` and `sort` take only `slug`.
pub(super) fn mine(call: &Call<'_>) -> Answer {
    let (holder, _) = users::person(call, |call| call.require(MEMBERSHIP))?;
    let administrator = holder.credential.administrator;
    let wanted = match call.request.parameter("administrator") {
        None => true,
        Some("true") => administrator,
        Some("false") => !administrator,
        Some(_) => return Err(Reply::error(400, "Invalid value for administrator")),
    };
    let places = if wanted {
        holder.workspaces.as_slice()
    } else {
        &[]
    };
    page(
        call,
        List::of(SCHEMA),
        &Mine {
            world: call.world,
            places,
            administrator,
        },
    )
}

struct Mine<'a> {
    world: &'a World,
    places: &'a [usize],
    administrator: bool,
}

impl Rows for Mine<'_> {
    fn select(&self, _: &Bounds, _: Option<By>) -> Selection<'_> {
        Selection::Owned(self.places.iter().map(|place| *place as u32).collect())
    }

    fn write(&self, row: u32, _: bool, out: &mut String) {
        let workspace = &self.world.workspaces[row as usize];
        let slug = workspace.slug.as_str();
        let mut object = Object::begin(out);
        object
            .text("type", "workspace_access")
            .boolean("administrator", self.administrator);
        object.object("workspace", |object| {
            object.text("type", "workspace_base");
            object
                .text("uuid", workspace.uuid.as_str())
                .text("slug", slug);
            object.object("links", |links| {
                links
                    .link(
                        "avatar",
                        &["https://bitbucket.org/workspaces/", slug, "/avatar/"],
                    )
                    .link("self", &[&self.world.base, "/workspaces/", slug]);
            });
        });
        object.end();
    }

    fn write_searched(&self, row: u32, out: &mut String) {
        let mut object = Object::begin(out);
        object.text("slug", self.world.workspaces[row as usize].slug.as_str());
        object.end();
    }
}

/// `GET /user/workspaces/{workspace}/permission`
pub(super) fn permission(call: &Call<'_>, id: &str) -> Answer {
    let (holder, person) = users::person(call, |call| call.require(MEMBERSHIP))?;
    let place = call.workspace(id)?;
    if !holder.workspaces.contains(&place) {
        return Err(Reply::error(
            403,
            "You do not have access to this workspace.",
        ));
    }
    let workspace = &call.world.workspaces[place];
    let mut json = String::new();
    let mut object = Object::begin(&mut json);
    object.text("type", "workspace_membership");
    object.text(
        "permission",
        if holder.credential.administrator {
            "owner"
        } else {
            "member"
        },
    );
    if call.world.day == Day::BeforeRemoval {
        object
            .time("added_on", workspace.created_on)
            .null("last_accessed");
    }
    object
        .raw("user", &person.json)
        .raw("workspace", &workspace.condensed);
    object.object("links", |links| {
        let members = [
            &call.world.base,
            "/workspaces/",
            &workspace.slug,
            "/members/",
        ];
        let id = crate::world::people::encoded(&person.uuid);
        links.link("self", &[&members.concat(), &id]);
    });
    object.end();
    call.object(json)
}
