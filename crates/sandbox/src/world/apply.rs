//! Making changes.

use std::time::Duration;

use super::World;
use super::change::{Applied, Change};
use super::children::Deed;
use super::edit::{edit_issue, edit_pull_request};
use super::history::{Annotation, Tag};
use super::issue::Issue;
use super::people::{Account, Person};
use super::populate::{Plan, build};
use super::pull_request::{PullRequest, State};
use super::random::uuid;
use super::shelf::Generator;
use super::workspace::Project;
use crate::clock::{DAY, SECOND, Timestamp};
use crate::config::Day;
use crate::error::Error;
use crate::kind::Kind;

impl World {
    /// Applies one change.
    pub(crate) fn apply(&mut self, change: Change) -> Result<Applied, Error> {
        let now = self.now();
        match change {
            Change::AddIssue { repository, edit } => {
                let place = self.place(&repository)?;
                let issues = &self.repositories[place].issues;
                let id = issues.next_id();
                let mut issue = Issue {
                    state: "new",
                    created_on: now,
                    updated_on: now,
                    edited_on: None,
                    ..issues.generator.item(id)
                };
                edit_issue(&mut issue, edit)?;
                self.repositories[place].issues.put(issue);
                Ok(self.applied(place, Some(id)))
            }
            Change::UpdateIssue {
                repository,
                id,
                edit,
            } => {
                let place = self.place(&repository)?;
                let mut issue = self.issue(place, id)?;
                issue.updated_on = now;
                if edit.title.is_some() || edit.content.is_some() {
                    issue.edited_on = Some(now);
                }
                edit_issue(&mut issue, edit)?;
                self.repositories[place].issues.put(issue);
                self.log_change(place, id);
                Ok(self.applied(place, Some(id)))
            }
            Change::DeleteIssue { repository, id } => {
                let place = self.place(&repository)?;
                self.issue(place, id)?;
                self.repositories[place].issues.remove(id);
                Ok(self.applied(place, Some(id)))
            }
            Change::AddPullRequest { repository, edit } => {
                let place = self.place(&repository)?;
                let source_commit = self.invent();
                let shelf = &self.repositories[place].pull_requests;
                let id = shelf.next_id();
                let mut pull_request = PullRequest {
                    state: State::Open,
                    closed_by: None,
                    closed_on: None,
                    reason: String::new(),
                    merge_commit: None,
                    source_gone: false,
                    source_commit,
                    created_on: now,
                    updated_on: now,
                    ..shelf.generator.item(id)
                };
                edit_pull_request(&mut pull_request, edit);
                let branches = &self.repositories[place].refs.branches;
                let tip = |name: &String| branches.get(name).map(|tip| tip.seed);
                if let Some(tip) = tip(&pull_request.source_branch) {
                    pull_request.source_commit = tip;
                }
                if let Some(tip) = tip(&pull_request.destination_branch) {
                    pull_request.destination_commit = tip;
                }
                self.repositories[place].pull_requests.put(pull_request);
                Ok(self.applied(place, Some(id)))
            }
            Change::UpdatePullRequest {
                repository,
                id,
                edit,
            } => {
                let place = self.place(&repository)?;
                let mut pull_request = self.pull_request(place, id)?;
                pull_request.updated_on = now;
                pull_request.keep_opening();
                edit_pull_request(&mut pull_request, edit);
                let edited = pull_request.said(now);
                pull_request.updates.push(edited);
                self.repositories[place].pull_requests.put(pull_request);
                Ok(self.applied(place, Some(id)))
            }
            Change::MergePullRequest { repository, id } => {
                let place = self.place(&repository)?;
                let mut pull_request = self.open_pull_request(place, id)?;
                let branch = pull_request.destination_branch.clone();
                let merge = self.push(place, &branch, Some(&pull_request), now);
                pull_request.state = State::Merged;
                pull_request.draft = false;
                pull_request.merge_commit = Some(merge);
                pull_request.closed_by = Some(0);
                pull_request.closed_on = Some(now);
                pull_request.updated_on = now;
                if pull_request.close_source_branch {
                    self.delete_branch(place, &pull_request.source_branch, now);
                }
                self.repositories[place].pull_requests.put(pull_request);
                Ok(self.applied(place, Some(id)))
            }
            Change::DeclinePullRequest {
                repository,
                id,
                reason,
            } => {
                let place = self.place(&repository)?;
                let mut pull_request = self.open_pull_request(place, id)?;
                pull_request.state = State::Declined;
                pull_request.draft = false;
                pull_request.reason = reason;
                pull_request.closed_by = Some(0);
                pull_request.closed_on = Some(now);
                pull_request.updated_on = now;
                self.repositories[place].pull_requests.put(pull_request);
                Ok(self.applied(place, Some(id)))
            }
            Change::ApprovePullRequest {
                repository,
                id,
                user,
                approved,
            } => {
                let place = self.place(&repository)?;
                self.approve(place, id, user, approved, now)?;
                Ok(self.applied(place, Some(id)))
            }
            Change::Push { repository, branch } => {
                let place = self.place(&repository)?;
                self.push(place, &branch, None, now);
                Ok(self.applied(place, None))
            }
            Change::ForcePush { repository, branch } => {
                let place = self.place(&repository)?;
                self.force_push(place, &branch, now)?;
                Ok(self.applied(place, None))
            }
            Change::AddTag {
                repository,
                name,
                branch,
                message,
            } => {
                let place = self.place(&repository)?;
                let refs = &mut self.repositories[place].refs;
                let tip = refs
                    .branches
                    .get(&branch)
                    .ok_or_else(|| Error::NoSuchObject(format!("branch {branch}")))?;
                let annotation = message.map(|message| Annotation {
                    message,
                    tagger: Some(0),
                    date: Timestamp(now.0 / SECOND * SECOND),
                });
                let commit = tip.seed;
                refs.tags.insert(name, Tag { commit, annotation });
                Ok(self.applied(place, None))
            }
            Change::DeleteTag { repository, name } => {
                let place = self.place(&repository)?;
                if self.repositories[place].refs.tags.remove(&name).is_none() {
                    return Err(Error::NoSuchObject(format!("tag {name}")));
                }
                Ok(self.applied(place, None))
            }
            Change::Add { kind, parent } => self.change_child(kind, &parent, Deed::Add),
            Change::Edit {
                kind,
                parent,
                number,
            } => self.change_child(kind, &parent, Deed::Edit(number)),
            Change::Delete {
                kind,
                parent,
                number,
            } => self.change_child(kind, &parent, Deed::Delete(number)),
            Change::DeleteBranch { repository, branch } => {
                let place = self.place(&repository)?;
                if !self.delete_branch(place, &branch, now) {
                    return Err(Error::NoSuchObject(format!("branch {branch}")));
                }
                Ok(self.applied(place, None))
            }
            Change::AddProject {
                workspace,
                key,
                name,
            } => {
                let workspace = self.workspace_place(&workspace)?;
                self.free_key(workspace, &key)?;
                let uuid = uuid(&[self.invent()]);
                let moved = self.next_write();
                let workspace = &mut self.workspaces[workspace];
                workspace.projects.push(Project {
                    uuid: uuid.clone(),
                    key,
                    name,
                    description: String::new(),
                    is_private: workspace.is_private,
                    created_on: now,
                    updated_on: now,
                    gone: false,
                    moved,
                });
                Ok(Applied {
                    id: None,
                    uuid: Some(uuid),
                })
            }
            Change::UpdateProject {
                workspace,
                key,
                name,
                new_key,
                description,
            } => {
                let (workspace, project) = self.project_place(&workspace, &key)?;
                if let Some(new_key) = new_key.as_ref().filter(|new_key| **new_key != key) {
                    self.free_key(workspace, new_key)?;
                }
                let moved = self.next_write();
                let project = &mut self.workspaces[workspace].projects[project];
                project.updated_on = now;
                project.moved = moved;
                project.name = name.unwrap_or_else(|| project.name.clone());
                project.key = new_key.unwrap_or_else(|| project.key.clone());
                project.description = description.unwrap_or_else(|| project.description.clone());
                Ok(Applied {
                    id: None,
                    uuid: Some(project.uuid.clone()),
                })
            }
            Change::DeleteProject { workspace, key } => {
                let (workspace, place) = self.project_place(&workspace, &key)?;
                let used = self.repositories.iter().any(|repository| {
                    !repository.gone
                        && repository.workspace == workspace
                        && repository.project == place
                });
                if used {
                    return Err(Error::NotPossible(format!(
                        "project {key} has repositories"
                    )));
                }
                let project = &mut self.workspaces[workspace].projects[place];
                project.gone = true;
                Ok(Applied {
                    id: None,
                    uuid: Some(project.uuid.clone()),
                })
            }
            Change::RenameWorkspace { workspace, slug } => {
                let place = self.workspace_place(&workspace)?;
                let slug = slug.to_lowercase();
                if self.workspace(&slug).is_some_and(|other| other != place) {
                    return Err(Error::NotPossible(format!("the slug {slug} is taken")));
                }
                self.workspaces[place].rename(&self.base, slug);
                let slug = &self.workspaces[place].slug;
                for repository in &mut self.repositories {
                    if repository.workspace == place {
                        repository.rename(&self.base, slug);
                    }
                }
                Ok(Applied {
                    id: None,
                    uuid: Some(self.workspaces[place].uuid.clone()),
                })
            }
            Change::AddRepository {
                workspace,
                slug,
                project,
                issues,
                pull_requests,
                branches,
            } => {
                let (place, project) = match project {
                    Some(key) => self.project_place(&workspace, &key)?,
                    None => (self.workspace_place(&workspace)?, 0),
                };
                let slug = slug.to_lowercase();
                self.free_slug(place, &slug)?;
                let seed = self.invent();
                let mut repository = build(
                    self,
                    Plan {
                        workspace: place,
                        project,
                        slug,
                        seed,
                        is_private: true,
                        has_tracker: true,
                        has_pipelines: true,
                        pipelines: 0,
                        issues,
                        pull_requests,
                        branches,
                        same_updated_on: 0,
                        first: Timestamp(now.0 - 30 * DAY),
                        last: Timestamp(now.0 - SECOND),
                    },
                );
                repository.created_on = now;
                repository.updated_on = now;
                let place = self.add_repository(repository);
                Ok(self.applied(place, None))
            }
            Change::RenameRepository { repository, slug } => {
                let place = self.place(&repository)?;
                let workspace = self.repositories[place].workspace;
                let slug = slug.to_lowercase();
                self.free_slug(workspace, &slug)?;
                let former = std::mem::replace(&mut self.repositories[place].slug, slug.clone());
                self.repositories[place].name.clone_from(&slug);
                self.slugs.remove(&(workspace, former.clone()));
                self.former_slugs.insert((workspace, former), place);
                self.slug_taken(workspace, slug, place);
                Ok(self.applied(place, None))
            }
            Change::DescribeRepository {
                repository,
                description,
            } => {
                let place = self.place(&repository)?;
                self.repositories[place].description = description;
                self.touch(place);
                Ok(self.applied(place, None))
            }
            Change::DeleteRepository { repository } => {
                let place = self.place(&repository)?;
                let repository = &mut self.repositories[place];
                repository.gone = true;
                self.slugs
                    .remove(&(repository.workspace, repository.slug.clone()));
                Ok(self.applied(place, None))
            }
            Change::HideRepository { repository } => {
                let place = self.place(&repository)?;
                self.repositories[place].hidden = true;
                Ok(self.applied(place, None))
            }
            Change::ShowRepository { repository } => {
                let place = self.place(&repository)?;
                self.repositories[place].hidden = false;
                Ok(self.applied(place, None))
            }
            Change::MoveRepository {
                repository,
                project,
            } => {
                let place = self.place(&repository)?;
                let workspace = self.repositories[place].workspace;
                let project = self
                    .project(workspace, &project)
                    .ok_or_else(|| Error::NoSuchObject(format!("project {project}")))?;
                self.repositories[place].project = project;
                self.touch(place);
                Ok(self.applied(place, None))
            }
            Change::TransferRepository {
                repository,
                workspace,
            } => {
                let place = self.place(&repository)?;
                let target = self.workspace_place(&workspace)?;
                let slug = self.repositories[place].slug.clone();
                self.free_slug(target, &slug)?;
                self.slugs
                    .remove(&(self.repositories[place].workspace, slug.clone()));
                self.repositories[place].workspace = target;
                self.repositories[place].project = 0;
                self.slug_taken(target, slug, place);
                Ok(self.applied(place, None))
            }
            Change::SetTracker { repository, on } => {
                let place = self.place(&repository)?;
                self.repositories[place].has_tracker = on;
                self.touch(place);
                Ok(self.applied(place, None))
            }
            Change::SetPipelines { repository, on } => {
                let place = self.place(&repository)?;
                self.repositories[place].has_pipelines = on;
                Ok(self.applied(place, None))
            }
            Change::SetPullRequestIndex { repository, index } => {
                let place = self.place(&repository)?;
                self.repositories[place].pull_request_index = index;
                Ok(self.applied(place, None))
            }
            Change::SetDiffsTimeOut { repository, on } => {
                let place = self.place(&repository)?;
                self.repositories[place].diffs_time_out = on;
                Ok(self.applied(place, None))
            }
            Change::AddUser { workspace } => {
                let applied = self.change_child(Kind::WorkspaceMembers, &workspace, Deed::Add)?;
                let place = self.workspace_place(&workspace)?;
                let workspace = &mut self.workspaces[place];
                let number = workspace.people.len() as u64 + 1;
                let person = Person::new(workspace.seed, number, Account::User, &self.base);
                workspace.people.push(person);
                Ok(applied)
            }
            Change::DeleteUser { workspace, user } => {
                let workspace = self.workspace_place(&workspace)?;
                let person = self.person(workspace, user)?;
                self.workspaces[workspace].people[person].delete();
                Ok(Applied::default())
            }
            Change::RevokeCredential { credential } => {
                self.holder(&credential)?.revoked = true;
                Ok(Applied::default())
            }
            Change::SetScopes { credential, scopes } => {
                self.holder(&credential)?.credential.scopes = scopes;
                Ok(Applied::default())
            }
            Change::SetConsent { consumer, consent } => {
                let known = self.oauth.consumer_mut(&consumer);
                known
                    .ok_or_else(|| Error::NoSuchObject(format!("consumer {consumer}")))?
                    .consent = consent;
                Ok(Applied::default())
            }
            Change::SetDay { day } => {
                self.day = day;
                let noon = Timestamp::parse("2026-08-20T12:00:00Z").unwrap_or_default();
                if day == Day::AfterRemoval && now < noon {
                    self.clock
                        .advance(Duration::from_micros((noon.0 - now.0) as u64));
                }
                Ok(Applied::default())
            }
            Change::AdvanceClock { seconds } => {
                let by = Duration::try_from_secs_f64(seconds)
                    .map_err(|_| Error::NotPossible(format!("advancing by {seconds} seconds")))?;
                self.clock.advance(by);
                Ok(Applied::default())
            }
        }
    }
}
