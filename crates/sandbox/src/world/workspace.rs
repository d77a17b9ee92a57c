//! Workspaces and projects.

use super::people::Person;
use crate::clock::Timestamp;

/// A workspace with its people and projects.
#[derive(Debug)]
pub(crate) struct Workspace {
    pub(crate) uuid: String,
    pub(crate) slug: String,
    pub(crate) name: String,
    pub(crate) is_private: bool,
    pub(crate) created_on: Timestamp,
    pub(crate) people: Vec<Person>,
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
}
