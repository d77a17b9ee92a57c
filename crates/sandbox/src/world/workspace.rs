//! Workspaces and projects.

use super::people::{Person, encoded};
use crate::clock::Timestamp;
use crate::json::write::Object;

/// A workspace with its people and projects.
#[derive(Debug)]
pub(crate) struct Workspace {
    pub(crate) seed: u64,
    pub(crate) uuid: String,
    pub(crate) slug: String,
    pub(crate) name: String,
    pub(crate) is_private: bool,
    pub(crate) created_on: Timestamp,
    pub(crate) people: Vec<Person>,
    /// How many people it began with: whoever joins later has no part in what was there.
    pub(crate) founders: u64,
    pub(crate) projects: Vec<Project>,
    /// The account object that owns its projects and repositories.
    pub(crate) owner: String,
    /// The condensed object embedded in others.
    pub(crate) condensed: String,
}

/// A project.
#[derive(Debug)]
pub(crate) struct Project {
    pub(crate) uuid: String,
    pub(crate) key: String,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) is_private: bool,
    pub(crate) created_on: Timestamp,
    pub(crate) updated_on: Timestamp,
    pub(crate) gone: bool,
    pub(crate) moved: u64,
}

impl Workspace {
    /// The JSON of the person at `place`, or `null`.
    pub(crate) fn person(&self, place: Option<usize>) -> &str {
        place
            .and_then(|place| self.people.get(place))
            .map_or("null", |person| &person.json)
    }

    /// Writes a person as a member of the object `id`. In place of a deleted account every other
    /// object has nothing at all.
    pub(crate) fn write_person(
        &self,
        object: &mut Object<'_>,
        key: &str,
        place: Option<usize>,
        id: u32,
    ) {
        let deleted = place
            .and_then(|place| self.people.get(place))
            .is_some_and(Person::is_deleted);
        if !deleted || id.is_multiple_of(2) {
            object.raw(key, self.person(place));
        }
    }

    /// Sets the slug and recomputes the texts that depend on it.
    pub(crate) fn rename(&mut self, base: &str, slug: String) {
        let id = encoded(&self.uuid);
        let mut owner = String::new();
        let mut object = Object::begin(&mut owner);
        object.text("display_name", self.name.as_str());
        object.object("links", |links| {
            links
                .link("self", &[base, "/workspaces/", &id])
                .link(
                    "avatar",
                    &["https://bitbucket.org/account/", &slug, "/avatar/"],
                )
                .link("html", &["https://bitbucket.org/", &id, "/"]);
        });
        object
            .text("type", "team")
            .text("uuid", self.uuid.as_str())
            .text("username", slug.as_str());
        object.end();

        let mut condensed = String::new();
        let mut object = Object::begin(&mut condensed);
        object
            .text("type", "workspace")
            .text("uuid", self.uuid.as_str())
            .text("name", self.name.as_str())
            .text("slug", slug.as_str());
        object.object("links", |links| {
            links
                .link(
                    "avatar",
                    &["https://bitbucket.org/workspaces/", &slug, "/avatar/"],
                )
                .link("html", &["https://bitbucket.org/", &slug, "/"])
                .link("self", &[base, "/workspaces/", &slug]);
        });
        object.end();
        (self.owner, self.condensed, self.slug) = (owner, condensed, slug);
    }
}
