//! The data a world starts with.

use std::collections::{BTreeMap, HashSet};

use super::history::{Annotation, Commit, MAIN_LINE, Refs, Tag};
use super::issue::{Issues, Timeline, somebody};
use super::people::{Account, Person};
use super::pull_request::{PullRequests, State};
use super::random::{Random, mix, uuid};
use super::repository::{Names, Repository};
use super::shelf::{Generator, Shelf};
use super::workspace::{Project, Workspace};
use super::{Holder, World, text};
use crate::clock::{DAY, SECOND, Timestamp};
use crate::config::{Config, Count, Credential, CredentialKind, Index, WorkspaceConfig};
use crate::oauth::Consumer;

const REPOSITORIES: &[&str] = &["api", "web", "tools", "docs", "infra"];
const PROJECTS: &[(&str, &str)] = &[("API", "Services"), ("WEB", "Web"), ("OPS", "Operations")];
const LANGUAGES: &[&str] = &["rust", "python", "java", "javascript", "go", ""];
const BRANCHES: &[&str] = &[
    "main",
    "develop",
    "release/9.1",
    "release/10.0",
    "feature/search",
    "bugfix/größe",
    "v9",
    "v10",
    "v11",
];

/// How far back generated data reaches.
const HISTORY: i64 = 3 * 365 * DAY;

pub(super) fn populate(world: &mut World, config: &Config) {
    for (n, workspace) in config.workspaces.iter().enumerate() {
        add_workspace(world, n, workspace);
    }
    for credential in &config.credentials {
        let workspaces: Vec<usize> = credential
            .workspaces
            .iter()
            .filter_map(|slug| world.workspace(slug))
            .collect();
        let first = workspaces.first().copied();
        let only = match &credential.kind {
            CredentialKind::ProjectToken { project } => Some(
                first
                    .and_then(|place| {
                        let project = world.project(place, project)?;
                        Some(world.workspaces[place].projects[project].uuid.clone())
                    })
                    .unwrap_or_default(),
            ),
            CredentialKind::RepositoryToken { repository } => {
                Some(match world.repository(first, repository) {
                    super::Found::Here(_, repository) => repository.uuid.clone(),
                    _ => String::new(),
                })
            }
            CredentialKind::ApiToken { .. }
            | CredentialKind::WorkspaceToken
            | CredentialKind::ConsumerUser { .. }
            | CredentialKind::ConsumerApp { .. } => None,
        };
        world.credentials.push(Holder {
            credential: credential.clone(),
            workspaces,
            only,
            revoked: false,
        });
    }
    for consumer in &config.consumers {
        add_consumer(world, consumer);
    }
}

fn add_consumer(world: &mut World, consumer: &Consumer) {
    let key = consumer.key.clone();
    let user = CredentialKind::ConsumerUser {
        consumer: key.clone(),
    };
    let app = CredentialKind::ConsumerApp { consumer: key };
    let first = world.credentials.len();
    let kinds = [(user, "", true), (app, "-app", false)];
    for (kind, suffix, administrator) in kinds {
        world.credentials.push(Holder {
            credential: Credential {
                name: format!("{}{suffix}", consumer.name),
                kind,
                secret: String::new(),
                scopes: consumer.scopes.clone(),
                workspaces: vec![consumer.workspace.clone()],
                administrator,
            },
            workspaces: world.workspace(&consumer.workspace).into_iter().collect(),
            only: None,
            revoked: false,
        });
    }
    world.oauth.register(consumer.clone(), first, first + 1);
}

fn add_workspace(world: &mut World, n: usize, config: &WorkspaceConfig) {
    let seed = mix(world.seed ^ mix(n as u64 + 1));
    let now = world.clock.start();
    let base = world.base.clone();
    let first = Timestamp((now.0 - HISTORY) / DAY * DAY);
    let people: Vec<_> = (1..=u64::from(config.users))
        .map(|number| Person::new(seed, number, Account::of(number), &base))
        .collect();
    let mut random = Random::new(&[seed, 3]);
    let projects = (0..config.projects.max(1) as usize)
        .map(|place| {
            let (key, name) = match PROJECTS.get(place) {
                Some((key, name)) => ((*key).to_owned(), (*name).to_owned()),
                None => (format!("P{}", place + 1), format!("Project {}", place + 1)),
            };
            let created_on = Timestamp(first.0 + random.below(DAY as u64) as i64);
            Project {
                uuid: uuid(&[seed, place as u64, 4]),
                key,
                name,
                description: if place % 2 == 0 {
                    text::title(&mut random)
                } else {
                    String::new()
                },
                is_private: config.private,
                created_on,
                updated_on: Timestamp(created_on.0 + random.below(HISTORY as u64) as i64 / 2),
                gone: false,
                moved: world.next_write(),
            }
        })
        .collect();
    let uuid = uuid(&[seed, 5]);
    let mut workspace = Workspace {
        seed,
        owner: String::new(),
        condensed: String::new(),
        uuid,
        slug: String::new(),
        name: config.name.clone(),
        is_private: config.private,
        created_on: first,
        founders: people.len() as u64,
        people,
        projects,
    };
    workspace.rename(&base, config.slug.clone());
    world.workspaces.push(workspace);

    let off = config
        .trackers_off
        .unwrap_or(u32::from(config.repositories > 1));
    let with_tracker = config.repositories.saturating_sub(off);
    let off = config
        .pipelines_off
        .unwrap_or(u32::from(config.repositories > 1));
    let with_pipelines = config.repositories.saturating_sub(off);
    for number in 0..config.repositories {
        let has_tracker = number < with_tracker;
        let plan = Plan {
            workspace: n,
            project: number as usize % config.projects.max(1) as usize,
            slug: slug(number),
            seed: mix(seed ^ mix(1000 + u64::from(number))),
            is_private: config.private || number % 2 == 1,
            has_tracker,
            has_pipelines: number < with_pipelines,
            pipelines: if config.branches == 0 {
                0
            } else {
                config.pipelines
            },
            issues: if has_tracker {
                share(config.issues, number, with_tracker)
            } else {
                0
            },
            pull_requests: if config.branches == 0 {
                0
            } else {
                share(config.pull_requests, number, config.repositories)
            },
            branches: config.branches,
            same_updated_on: config.same_updated_on,
            first,
            last: Timestamp(now.0 - DAY / 2),
        };
        let repository = build(world, plan);
        world.add_repository(repository);
    }
}

fn slug(number: u32) -> String {
    match REPOSITORIES.get(number as usize) {
        Some(slug) => (*slug).to_owned(),
        None => format!("repo-{}", number + 1),
    }
}

/// The `number`th repository's share of a count.
fn share(count: Count, number: u32, of: u32) -> u32 {
    match count {
        Count::PerRepository(each) => each,
        Count::Total(total) => {
            let of = u64::from(of.max(1));
            let extra = u64::from(u64::from(number) < total % of);
            u32::try_from(total / of + extra).unwrap_or(u32::MAX)
        }
    }
}

/// What a repository is built from.
pub(super) struct Plan {
    pub(super) workspace: usize,
    pub(super) project: usize,
    pub(super) slug: String,
    pub(super) seed: u64,
    pub(super) is_private: bool,
    pub(super) has_tracker: bool,
    pub(super) has_pipelines: bool,
    pub(super) pipelines: u32,
    pub(super) issues: u32,
    pub(super) pull_requests: u32,
    pub(super) branches: u32,
    pub(super) same_updated_on: u32,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
}

pub(super) fn build(world: &mut World, plan: Plan) -> Repository {
    let mut random = Random::new(&[plan.seed, 30]);
    let people = world.workspaces[plan.workspace].people.len();
    let timeline = |kind: u64, count: u32| Timeline {
        seed: mix(plan.seed ^ kind),
        first: plan.first,
        last: plan.last,
        count,
    };
    let main_branch = (plan.branches > 0).then(|| "main".to_owned());
    let pull_requests = PullRequests {
        timeline: timeline(41, plan.pull_requests),
        people,
        main_branch: "main".to_owned(),
    };
    let newest_request = newest_commit(&pull_requests);
    let mut pushed = Vec::new();
    let branches: BTreeMap<String, Commit> = (0..plan.branches)
        .map(|n| {
            let name = match BRANCHES.get(n as usize) {
                Some(name) => (*name).to_owned(),
                None => format!("feature/task-{n}"),
            };
            let age = random.below(200 * DAY as u64) as i64;
            let (tip, parent) = (random.next(), random.next());
            let mut date = Timestamp((plan.last.0 - age) / SECOND * SECOND);
            if n == 0 {
                // What was merged was merged into this one.
                date = date.max(newest_request);
            }
            let first = Commit {
                seed: parent,
                parents: vec![MAIN_LINE],
                date: Timestamp(date.0 - 3600 * SECOND),
                offset: if random.percent(20) { 120 } else { 0 },
                author: somebody(&mut random, people as u64, 90),
                merges: None,
            };
            let tip = Commit {
                seed: tip,
                parents: vec![parent],
                date,
                ..first.clone()
            };
            pushed.extend([first, tip.clone()]);
            (name, tip)
        })
        .collect();
    let newest = branches.values().map(|tip| tip.date).max();
    let tags = tags(plan.seed, &pull_requests, &branches);
    let created_on = Timestamp(plan.first.0 + random.below(60 * DAY as u64) as i64);
    Repository {
        uuid: uuid(&[plan.seed, 31]),
        seed: plan.seed,
        workspace: plan.workspace,
        project: plan.project,
        name: plan.slug.clone(),
        slug: plan.slug,
        description: if random.percent(60) {
            text::title(&mut random)
        } else {
            String::new()
        },
        language: random.pick(LANGUAGES),
        is_private: plan.is_private,
        has_tracker: plan.has_tracker,
        has_wiki: random.percent(30),
        has_pipelines: plan.has_pipelines,
        pipelines: plan.pipelines,
        pull_request_index: Index::Ready,
        diffs_time_out: false,
        size: random.below(50_000_000),
        created_on,
        updated_on: newest.map_or(created_on, |at| {
            Timestamp(at.0 + random.below(SECOND as u64) as i64)
        }),
        main_branch,
        gone: false,
        hidden: false,
        moved: world.next_write(),
        issues: Shelf::new(
            Issues {
                timeline: timeline(40, plan.issues),
                people,
                same_updated_on: plan.same_updated_on,
            },
            plan.issues,
        ),
        pull_requests: Shelf::new(pull_requests, plan.pull_requests),
        refs: Refs {
            branches,
            tags,
            pushed,
            deleted: HashSet::new(),
        },
        names: Names::default(),
    }
}

/// A time that no commit of the main line is newer than.
fn newest_commit(pull_requests: &PullRequests) -> Timestamp {
    let merged = (1..=pull_requests.timeline.count)
        .filter(|id| pull_requests.state(*id) == State::Merged)
        .map(|id| pull_requests.merged_on(id));
    let opened = pull_requests.created_on(pull_requests.timeline.count);
    let newest = merged.fold(opened, Timestamp::max);
    // The tip has a parent of an hour earlier.
    Timestamp((newest.0 / SECOND + 3601) * SECOND)
}

const TAGS: &[&str] = &["v9", "v10", "v11", "release-2026.1"];

/// Tags on the main line, every other one annotated; none in a repository without a commit.
fn tags(
    seed: u64,
    pull_requests: &PullRequests,
    branches: &BTreeMap<String, Commit>,
) -> BTreeMap<String, Tag> {
    let mut random = Random::new(&[seed, 32]);
    let Some(tip) = branches.get("main") else {
        return BTreeMap::new();
    };
    let count = u64::from(pull_requests.timeline.count);
    let tag = |(n, name): (usize, &&str)| {
        let commit = match 1 + random.below(count) as u32 {
            _ if count == 0 => tip.seed,
            id => pull_requests.item(id).destination_commit,
        };
        let annotation = (n % 2 == 0).then(|| Annotation {
            message: format!("Release {name}\n"),
            tagger: somebody(&mut random, pull_requests.people as u64, 90),
            date: tip.date,
        });
        ((*name).to_owned(), Tag { commit, annotation })
    };
    TAGS.iter().enumerate().map(tag).collect()
}
