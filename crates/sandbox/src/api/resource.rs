//! Resources below a parent, each an entry of its family's table: what answers requests, what the
//! snapshots show, and who may see it come from the same place.

use std::borrow::Cow;

use super::listing::{List, Rows, page};
use super::{Answer, Call};
use crate::http::reply::Reply;
use crate::http::request::Request;
use crate::http::sign_in::{Caller, Scope};
use crate::json::scan::{lookup, unquote};
use crate::kind::Kind;
use crate::query::Bounds;
use crate::snapshot::Snapshot;
use crate::world::World;
use crate::world::entries::Entry;
use crate::world::people::Person;
use crate::world::repository::Repository;
use crate::world::shelf::{By, Selection};

/// The rows of a resource, or what is answered instead of them.
pub(super) type Listed<'a> = Result<Box<dyn Rows + 'a>, Reply>;

/// One resource below the parents of a family.
pub(super) struct Resource<F: Family> {
    /// Names it in snapshots and changes.
    pub(super) kind: Kind,
    /// Below the parent's path; empty for what the parent itself is.
    pub(super) path: &'static [&'static str],
    pub(super) scope: Scope,
    pub(super) access: Access,
    pub(super) shape: Shape,
    /// Its rows; the request may narrow them by parameters of its own.
    pub(super) rows: for<'a> fn(&Asked<'a, F>) -> Listed<'a>,
}

/// What the rows of a resource depend on.
pub(super) struct Asked<'a, F: Family> {
    pub(super) parent: F::Parent<'a>,
    pub(super) request: &'a Request,
}

/// Who sees a resource besides having its scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Whoever sees the parent.
    Everybody,
    /// Whoever signed in and sees the parent.
    SignedIn,
    /// Administrators, and access tokens, of which the scope says enough.
    Administrators,
    /// Administrators in person: access tokens do not read permissions.
    People,
}

/// How a resource is shown.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    /// As a single object.
    Object,
    /// As a list.
    List {
        list: List<'static>,
        /// The member by which a row is asked for below the list's path, where it can be.
        key: Option<&'static str>,
        /// Whether the path needs its trailing slash.
        slash: bool,
    },
}

impl Shape {
    /// A list whose rows are not asked for one by one.
    pub(super) const fn list(list: List<'static>) -> Self {
        Self::List {
            list,
            key: None,
            slash: false,
        }
    }

    /// A list whose rows are also asked for by the member `key`.
    pub(super) const fn keyed(key: &'static str, list: List<'static>) -> Self {
        Self::List {
            list,
            key: Some(key),
            slash: false,
        }
    }
}

/// Something that resources belong to.
pub(super) trait Parent<'a>: Sized {
    /// The one that a path names, for a caller with the scope.
    fn find(call: &Call<'a>, names: &[&str], scope: Scope) -> Result<Self, Reply>;

    /// Visits all in a workspace.
    fn each(world: &'a World, workspace: usize, visit: &mut dyn FnMut(Self));

    fn whereabouts(&self) -> Whereabouts<'_>;
}

/// Where a parent is.
pub(super) struct Whereabouts<'a> {
    /// Place of the workspace it is in.
    pub(super) workspace: usize,
    pub(super) repository: Option<&'a Repository>,
    /// What names it within the repository or workspace, if it is below that.
    pub(super) name: Option<String>,
}

/// Parents of one kind and their resources.
pub(super) trait Family: Sized + 'static {
    type Parent<'a>: Parent<'a>;

    /// The path of a parent below `/2.0`; `*` stands for a name.
    const PREFIX: &'static [&'static str];
    const RESOURCES: &'static [Resource<Self>];
    /// The parameters with which lists show everything.
    const EVERYTHING: &'static str = "";

    /// The parent that the path names, for a caller with the scope.
    fn find<'a>(call: &Call<'a>, names: &[&str], scope: Scope) -> Result<Self::Parent<'a>, Reply> {
        Parent::find(call, names, scope)
    }

    /// Visits all parents in a workspace.
    fn each<'a>(world: &'a World, workspace: usize, visit: &mut dyn FnMut(Self::Parent<'a>)) {
        Parent::each(world, workspace, visit);
    }

    /// What all answers of the family get.
    fn finish(reply: Reply) -> Reply {
        reply
    }
}

/// Rows that a function writes from items.
pub(super) struct Written<P, T> {
    pub(super) parent: P,
    pub(super) items: Vec<T>,
    pub(super) write: fn(&P, &T, &mut String),
}

impl<P, T> Rows for Written<P, T> {
    fn select(&self, _: &Bounds, _: Option<By>) -> Selection<'_> {
        Selection::Owned((0..self.items.len() as u32).collect())
    }

    fn write(&self, row: u32, _: bool, out: &mut String) {
        (self.write)(&self.parent, &self.items[row as usize], out);
    }
}

/// Rows written from `items`.
pub(super) fn written<'a, P: Clone + 'a, T: 'a>(
    parent: &P,
    items: Vec<T>,
    write: fn(&P, &T, &mut String),
) -> Listed<'a> {
    Ok(Box::new(Written {
        parent: parent.clone(),
        items,
        write,
    }))
}

/// The row of a resource that is a single object.
pub(super) fn single<'a, P: Clone + 'a>(parent: &P, write: fn(&P, &(), &mut String)) -> Listed<'a> {
    written(parent, vec![()], write)
}

/// The places among `people` of the users that the entries are about.
pub(super) fn users(entries: &[Entry], people: &[Person]) -> Vec<(Entry, usize)> {
    let users: Vec<usize> = (0..people.len())
        .filter(|place| people[*place].is_user())
        .collect();
    let place = |entry: &Entry| Some((*entry, users[entry.person(users.len())?]));
    entries.iter().filter_map(place).collect()
}

fn route<F: Family>(call: &Call<'_>, segments: &[&str]) -> Option<Answer> {
    if segments.len() < F::PREFIX.len() {
        return None;
    }
    let (prefix, rest) = segments.split_at(F::PREFIX.len());
    let mut names = Vec::new();
    for (pattern, segment) in F::PREFIX.iter().zip(prefix) {
        match *pattern {
            "*" => names.push(*segment),
            literal if literal == *segment => {}
            _ => return None,
        }
    }
    F::RESOURCES.iter().find_map(|resource| {
        let below = rest.strip_prefix(resource.path)?;
        let answer = match (below, resource.shape) {
            ([], Shape::List { slash: true, .. }) if !call.request.path.ends_with('/') => {
                Err(Reply::no_such_path())
            }
            ([], _) => list::<F>(call, resource, &names),
            ([id], Shape::List { key: Some(key), .. }) => one::<F>(call, resource, &names, key, id),
            _ => return None,
        };
        Some(answer.map(F::finish))
    })
}

/// What a family is asked for.
pub(super) struct Table {
    /// Answers if the request is for one of its resources.
    pub(super) route: fn(&Call<'_>, &[&str]) -> Option<Answer>,
    /// Visits the rows of a kind in a workspace; whether it has that kind.
    pub(super) visit: Visit,
}

type Visit = fn(&World, Kind, usize, &mut dyn FnMut(Snapshot)) -> bool;

impl Table {
    pub(super) const fn of<F: Family>() -> Self {
        Self {
            route: route::<F>,
            visit: visit::<F>,
        }
    }
}

/// The rows of a resource, for a caller who may see them.
fn rows<'a, F: Family>(call: &Call<'a>, resource: &Resource<F>, names: &[&str]) -> Listed<'a> {
    let parent = F::find(call, names, resource.scope)?;
    allow(call.caller, resource.access, parent.whereabouts().workspace)?;
    (resource.rows)(&Asked {
        parent,
        request: call.request,
    })
}

fn allow(caller: Caller<'_>, access: Access, workspace: usize) -> Result<(), Reply> {
    let Caller::Known(holder) = caller else {
        return match access {
            Access::Everybody => Ok(()),
            _ => Err(Reply::unauthorized()),
        };
    };
    let administers = holder.credential.administrator && holder.workspaces.contains(&workspace);
    let allowed = match access {
        Access::Everybody | Access::SignedIn => true,
        Access::Administrators => administers || caller.is_access_token(),
        Access::People => administers && !caller.is_access_token(),
    };
    if allowed {
        Ok(())
    } else {
        Err(Reply::not_administrator())
    }
}

fn list<F: Family>(call: &Call<'_>, resource: &Resource<F>, names: &[&str]) -> Answer {
    let rows = rows::<F>(call, resource, names)?;
    match resource.shape {
        Shape::List { list, .. } => page(call, list, rows.as_ref()),
        Shape::Object => {
            let mut json = String::new();
            rows.write(0, true, &mut json);
            call.object(json)
        }
    }
}

/// The row whose `key` is `id`.
fn one<F: Family>(
    call: &Call<'_>,
    resource: &Resource<F>,
    names: &[&str],
    key: &str,
    id: &str,
) -> Answer {
    let rows = rows::<F>(call, resource, names)?;
    let mut json = String::new();
    for row in rows.select(&Bounds::default(), None).iter() {
        json.clear();
        rows.write(row, true, &mut json);
        let mut found = Cow::Borrowed("");
        lookup(&json, &[key], &mut |value| found = unquote(value));
        if found == id {
            return call.object(json);
        }
    }
    Err(Reply::text(404, "Not Found"))
}

fn visit<F: Family>(
    world: &World,
    kind: Kind,
    workspace: usize,
    each: &mut dyn FnMut(Snapshot),
) -> bool {
    let Some(resource) = F::RESOURCES.iter().find(|resource| resource.kind == kind) else {
        return false;
    };
    let request = Request::plain(F::EVERYTHING);
    let mut text = String::new();
    F::each(world, workspace, &mut |parent| {
        let asked = Asked::<F> {
            parent,
            request: &request,
        };
        let Ok(rows) = (resource.rows)(&asked) else {
            return;
        };
        let at = asked.parent.whereabouts();
        for row in rows.select(&Bounds::default(), None).iter() {
            text.clear();
            rows.write(row, true, &mut text);
            each(Snapshot {
                repository: at.repository.map(|one| one.slug.clone()),
                repository_uuid: at.repository.map(|one| one.uuid.clone()),
                parent: at.name.clone(),
                value: serde_json::from_str(&text).unwrap_or_default(),
            });
        }
    });
    true
}
