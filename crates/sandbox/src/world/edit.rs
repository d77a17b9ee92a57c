//! What changes are made of: finding their objects, editing them, pushing commits.

use super::change::{Applied, IssueEdit, PullRequestEdit};
use super::history::Commit;
use super::issue::{Issue, KINDS, PRIORITIES, STATES};
use super::pull_request::{PullRequest, State};
use super::{Found, Holder, World};
use crate::clock::{SECOND, Timestamp};
use crate::error::Error;

impl World {
    /// Finds a repository that was not deleted, hidden or not.
    pub(super) fn place(&self, name: &str) -> Result<usize, Error> {
        let found = match name.split_once('/') {
            Some((workspace, slug)) => match self.workspace(workspace) {
                Some(workspace) => self.repository(Some(workspace), slug),
                None => Found::Nowhere,
            },
            None => self.repository(None, name),
        };
        match found {
            Found::Here(place, _) => Ok(place),
            Found::Renamed(_) | Found::Nowhere => {
                Err(Error::NoSuchObject(format!("repository {name}")))
            }
        }
    }

    pub(super) fn workspace_place(&self, slug: &str) -> Result<usize, Error> {
        self.workspace(slug)
            .ok_or_else(|| Error::NoSuchObject(format!("workspace {slug}")))
    }

    pub(super) fn project_place(
        &self,
        workspace: &str,
        key: &str,
    ) -> Result<(usize, usize), Error> {
        let place = self.workspace_place(workspace)?;
        match self.project(place, key) {
            Some(project) => Ok((place, project)),
            None => Err(Error::NoSuchObject(format!("project {key}"))),
        }
    }

    pub(super) fn holder(&mut self, name: &str) -> Result<&mut Holder, Error> {
        self.credentials
            .iter_mut()
            .find(|holder| holder.credential.name == name)
            .ok_or_else(|| Error::NoSuchObject(format!("credential {name}")))
    }

    pub(super) fn issue(&self, place: usize, id: u32) -> Result<Issue, Error> {
        let issue = self.repositories[place].issues.get(id);
        issue
            .map(std::borrow::Cow::into_owned)
            .ok_or_else(|| Error::NoSuchObject(format!("issue {id}")))
    }

    pub(super) fn pull_request(&self, place: usize, id: u32) -> Result<PullRequest, Error> {
        let pull_request = self.repositories[place].pull_requests.get(id);
        pull_request
            .map(std::borrow::Cow::into_owned)
            .ok_or_else(|| Error::NoSuchObject(format!("pull request {id}")))
    }

    pub(super) fn open_pull_request(&self, place: usize, id: u32) -> Result<PullRequest, Error> {
        let pull_request = self.pull_request(place, id)?;
        if pull_request.state == State::Open {
            Ok(pull_request)
        } else {
            Err(Error::NotPossible(format!("pull request {id} is not open")))
        }
    }

    pub(super) fn free_slug(&self, workspace: usize, slug: &str) -> Result<(), Error> {
        if self.slugs.contains_key(&(workspace, slug.to_owned())) {
            return Err(Error::NotPossible(format!("the slug {slug} is taken")));
        }
        Ok(())
    }

    pub(super) fn free_key(&self, workspace: usize, key: &str) -> Result<(), Error> {
        if self.project(workspace, key).is_some() {
            return Err(Error::NotPossible(format!("the key {key} is taken")));
        }
        Ok(())
    }

    /// The place of `User <number>`.
    pub(super) fn person(&self, workspace: usize, number: u32) -> Result<usize, Error> {
        (number as usize)
            .checked_sub(1)
            .filter(|place| *place < self.workspaces[workspace].people.len())
            .ok_or_else(|| Error::NoSuchObject(format!("User {number}")))
    }

    pub(super) fn slug_taken(&mut self, workspace: usize, slug: String, place: usize) {
        self.former_slugs.remove(&(workspace, slug.clone()));
        self.slugs.insert((workspace, slug), place);
        let workspace = &self.workspaces[workspace].slug;
        self.repositories[place].rename(&self.base, workspace);
        self.touch(place);
    }

    /// A commit on a branch, on top of `merged` as well if given; the repository's `updated_on`
    /// moves. A new branch starts at the main one.
    pub(super) fn push(
        &mut self,
        place: usize,
        branch: &str,
        merged: Option<&PullRequest>,
        now: Timestamp,
    ) -> u64 {
        let refs = &self.repositories[place].refs;
        let main = self.repositories[place].main_branch.as_deref();
        let tip = refs.branches.get(branch);
        let base = tip.or_else(|| main.and_then(|main| refs.branches.get(main)));
        let parents = base
            .map(|tip| tip.seed)
            .into_iter()
            .chain(merged.map(|pull_request| pull_request.source_commit));
        let parents = parents.collect();
        self.put_tip(place, branch, parents, merged, now)
    }

    /// Replaces the tip of a branch by another commit with the same parents.
    pub(super) fn force_push(
        &mut self,
        place: usize,
        branch: &str,
        now: Timestamp,
    ) -> Result<u64, Error> {
        let refs = &self.repositories[place].refs;
        let parents = match refs.branches.get(branch) {
            Some(tip) => tip.parents.clone(),
            None => return Err(Error::NoSuchObject(format!("branch {branch}"))),
        };
        Ok(self.put_tip(place, branch, parents, None, now))
    }

    fn put_tip(
        &mut self,
        place: usize,
        branch: &str,
        parents: Vec<u64>,
        merged: Option<&PullRequest>,
        now: Timestamp,
    ) -> u64 {
        let seed = self.invent();
        let repository = &mut self.repositories[place];
        let tip = Commit {
            seed,
            parents,
            date: Timestamp(now.0 / SECOND * SECOND),
            offset: 0,
            author: Some(0),
            merges: merged.map(|pull_request| pull_request.id),
        };
        repository.refs.pushed.push(tip.clone());
        repository.refs.deleted.remove(branch);
        repository.refs.branches.insert(branch.to_owned(), tip);
        repository
            .main_branch
            .get_or_insert_with(|| branch.to_owned());
        repository.updated_on = now;
        self.touch(place);
        seed
    }

    /// Deletes a branch; whether there was one. Source branches of pull requests are branches, too.
    pub(super) fn delete_branch(&mut self, place: usize, branch: &str, now: Timestamp) -> bool {
        let repository = &mut self.repositories[place];
        let requested = branch
            .strip_prefix("feature/")
            .and_then(|id| repository.pull_requests.get(id.parse().ok()?))
            .is_some_and(|pull_request| pull_request.source_branch == branch);
        let listed = repository.refs.branches.remove(branch).is_some();
        let first = repository.refs.deleted.insert(branch.to_owned());
        if !(listed || requested && first) {
            return false;
        }
        repository.updated_on = now;
        self.touch(place);
        true
    }

    /// Writes a repository's row, which moves it to the end of the table.
    pub(super) fn touch(&mut self, place: usize) {
        self.repositories[place].moved = self.next_write();
    }

    pub(super) fn applied(&self, place: usize, id: Option<u32>) -> Applied {
        Applied {
            id,
            uuid: Some(self.repositories[place].uuid.clone()),
        }
    }
}

fn one_of(what: &str, value: &str, of: &'static [&'static str]) -> Result<&'static str, Error> {
    of.iter()
        .find(|known| **known == value)
        .copied()
        .ok_or_else(|| Error::NotPossible(format!("there is no {what} {value}")))
}

pub(super) fn edit_issue(issue: &mut Issue, edit: IssueEdit) -> Result<(), Error> {
    let person = |number: u32| (number as usize).checked_sub(1);
    if let Some(title) = edit.title {
        issue.title = title;
    }
    if let Some(content) = edit.content {
        issue.content = content;
    }
    if let Some(state) = edit.state {
        issue.state = one_of("state", &state, STATES)?;
    }
    if let Some(kind) = edit.kind {
        issue.kind = one_of("kind", &kind, KINDS)?;
    }
    if let Some(priority) = edit.priority {
        issue.priority = one_of("priority", &priority, PRIORITIES)?;
    }
    if let Some(assignee) = edit.assignee {
        issue.assignee = person(assignee);
    }
    if let Some(reporter) = edit.reporter {
        issue.reporter = person(reporter);
    }
    if let Some(at) = edit.updated_on {
        issue.updated_on = Timestamp::parse(&at)
            .ok_or_else(|| Error::NotPossible(format!("{at} is not an ISO 8601 time")))?;
    }
    Ok(())
}

pub(super) fn edit_pull_request(pull_request: &mut PullRequest, edit: PullRequestEdit) {
    if let Some(title) = edit.title {
        pull_request.title = title;
    }
    if let Some(description) = edit.description {
        pull_request.description = description;
    }
    if let Some(draft) = edit.draft {
        pull_request.draft = draft;
    }
    if let Some(comments) = edit.comment_count {
        pull_request.comment_count = comments;
    }
    if let Some(branch) = edit.source_branch {
        pull_request.source_branch = branch;
    }
    if let Some(branch) = edit.destination_branch {
        pull_request.destination_branch = branch;
    }
}
