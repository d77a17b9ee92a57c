//! The source of an episode: a sandbox that changes, and all that it ever held.

use std::collections::{BTreeMap, BTreeSet};

use bucketline_sandbox::{
    Change, Config, Consent, Consumer, Count, IssueEdit, Kind, PullRequestEdit, Sandbox,
};
use bucketline_source::TableSpec;

use super::copy::{Copied, Held};
use crate::truth::{self, Row, Rows};
use crate::world::one;

/// What a table of the source holds, and what it has held since the episode began.
pub(crate) struct Known {
    pub(crate) now: Rows,
    /// Without the repository's name.
    ever: BTreeMap<String, BTreeSet<Row>>,
    /// The column with that.
    name: Option<usize>,
    /// Keys that were not there at some moment since.
    absent: BTreeSet<String>,
}

impl Known {
    /// Whether the source has held this row. Its repository's name may be newer than the rest: all rows of a
    /// repository get that at once.
    pub(crate) fn has_held(&self, key: &str, row: &Row) -> bool {
        let rows = self.ever.get(key);
        rows.is_some_and(|rows| rows.contains(&self.nameless(row)))
    }

    /// A row without its repository's name.
    pub(crate) fn nameless(&self, row: &Row) -> Row {
        let mut row = row.clone();
        if let Some(name) = self.name {
            row[name] = None;
        }
        row
    }

    /// Whether the source has a row of this key, and had it all the time.
    pub(crate) fn has_always(&self, key: &str) -> bool {
        self.now.contains_key(key) && !self.absent.contains(key)
    }
}

pub(crate) struct Source {
    pub(crate) sandbox: Sandbox,
    pub(crate) known: BTreeMap<&'static str, Known>,
    tables: Vec<&'static TableSpec>,
    /// The repositories' slugs, and whether everybody's access to one is taken away.
    slugs: Vec<String>,
    hidden: Option<String>,
    /// The names that repositories were given, and their first ones.
    renamed: Vec<(String, String)>,
}

fn forget_names(table: &TableSpec, renamed: &[(String, String)], row: &mut Row) {
    let own = table.column("Repository");
    let others = row.iter_mut().enumerate();
    let others = others.filter(|(index, _)| Some(*index) != own);
    for text in others.filter_map(|(_, text)| text.as_mut()) {
        if text.contains("renamed-") {
            for (name, first) in renamed {
                *text = text.replace(&format!("acme/{name}"), &format!("acme/{first}"));
                if text == name {
                    first.clone_into(text);
                }
            }
        }
    }
}

/// The table of this name.
pub(crate) fn table(name: &str) -> &'static TableSpec {
    let tables = bucketline_bitbucket::tables();
    tables.iter().find(|table| table.name == name).unwrap()
}

impl Source {
    pub(crate) fn start(seed: u64, tables: &[&'static str]) -> Self {
        let config = one(|it| {
            it.repositories(3)
                .trackers_off(0)
                .issues(Count::PerRepository(9))
                .pull_requests(Count::PerRepository(7))
                .branches(4)
        });
        let consumer = Consumer {
            consent: Consent::Allow,
            ..Consumer::new("acme")
        };
        let sandbox = Sandbox::start_blocking(Config {
            seed,
            consumers: vec![consumer],
            gzip: false,
            ..config
        })
        .unwrap();
        let mut source = Self {
            sandbox,
            known: BTreeMap::new(),
            tables: tables.iter().map(|name| table(name)).collect(),
            slugs: ["api", "web", "tools"].map(str::to_owned).to_vec(),
            hidden: None,
            renamed: Vec::new(),
        };
        source.observe();
        source
    }

    /// Remembers what the source holds now.
    fn observe(&mut self) {
        for table in &self.tables {
            let mut now = truth::rows(&self.sandbox, "acme", table);
            now.values_mut()
                .for_each(|row| forget_names(table, &self.renamed, row));
            let known = self.known.entry(&table.name).or_insert_with(|| Known {
                now: now.clone(),
                ever: BTreeMap::new(),
                name: table.column("Repository"),
                absent: BTreeSet::new(),
            });
            for (key, row) in &now {
                let row = known.nameless(row);
                known.ever.entry(key.clone()).or_default().insert(row);
            }
            let came = now.keys().filter(|key| !known.now.contains_key(*key));
            known.absent.extend(came.cloned());
            let left = known.now.keys().filter(|key| !now.contains_key(*key));
            known.absent.extend(left.cloned());
            known.now = now;
        }
    }

    /// Writes repositories in a copy by their first names, but where rows show that of their own: what else a row
    /// that did not change says of its repository stays.
    pub(crate) fn forget_names(&self, tables: &[Copied], held: &mut Held) {
        for copied in tables {
            let rows = held.rows.get_mut(copied.name).into_iter().flatten();
            let rows = rows.map(|(_, row)| row);
            let versions = held.versions.get_mut(copied.name).into_iter().flatten();
            rows.chain(versions.map(|version| &mut version.row))
                .for_each(|row| forget_names(table(copied.of), &self.renamed, row));
        }
    }

    /// Whether a repository cannot be seen now.
    pub(crate) fn hides(&self) -> bool {
        self.hidden.is_some()
    }

    /// Time passes.
    pub(crate) fn pass(&self, seconds: u32) {
        let seconds = f64::from(seconds);
        self.sandbox
            .apply(Change::AdvanceClock { seconds })
            .unwrap();
    }

    /// Some changes, with time between them.
    pub(crate) fn change(&mut self, random: &mut fastrand::Rng) {
        for _ in 0..random.u32(1..6) {
            self.one(random);
            self.pass(random.u32(1..90));
        }
        self.observe();
    }

    /// Shows again what is hidden.
    pub(crate) fn show(&mut self) {
        if let Some(repository) = self.hidden.take() {
            self.sandbox
                .apply(Change::ShowRepository { repository })
                .unwrap();
            self.pass(1);
            self.observe();
        }
    }

    fn one(&mut self, random: &mut fastrand::Rng) {
        let slug = random.usize(0..self.slugs.len());
        let repository = format!("acme/{}", self.slugs[slug]);
        let title = Some(format!("Title {}", random.u32(..)));
        let id = random.u32(1..12);
        let (issue, request) = (
            IssueEdit {
                title: title.clone(),
                ..IssueEdit::default()
            },
            PullRequestEdit {
                title,
                ..PullRequestEdit::default()
            },
        );
        let branch = format!("topic-{}", random.u32(0..3));
        let comments = Kind::PullRequestComments;
        let parent = format!("{repository}/pullrequests/{id}");
        let change = match random.u32(0..32) {
            0..7 => Change::UpdateIssue {
                repository,
                id,
                edit: issue,
            },
            7..9 => Change::AddIssue {
                repository,
                edit: issue,
            },
            // Enough are left: an empty list is not believed.
            9..12 => Change::DeleteIssue {
                repository,
                id: id.max(5),
            },
            12..16 => Change::UpdatePullRequest {
                repository,
                id,
                edit: request,
            },
            16 => Change::AddPullRequest {
                repository,
                edit: request,
            },
            17 => Change::MergePullRequest { repository, id },
            18 => Change::DeclinePullRequest {
                repository,
                id,
                reason: "Not now".to_owned(),
            },
            19..23 => Change::Push { repository, branch },
            23..25 => Change::DeleteBranch { repository, branch },
            25 | 26 => Change::Add {
                kind: comments,
                parent,
            },
            27 => Change::Edit {
                kind: comments,
                parent,
                number: random.u32(1..4),
            },
            28 => Change::Delete {
                kind: comments,
                parent,
                number: random.u32(1..4),
            },
            29 if self.hidden.as_deref() != Some(repository.as_str()) => {
                let first = ["api", "web", "tools"][slug].to_owned();
                self.slugs[slug] = format!("renamed-{:03}", self.renamed.len());
                self.renamed.push((self.slugs[slug].clone(), first));
                Change::RenameRepository {
                    repository,
                    slug: self.slugs[slug].clone(),
                }
            }
            30 if self.hidden.is_none() => {
                self.hidden = Some(repository.clone());
                Change::HideRepository { repository }
            }
            _ => match self.hidden.take() {
                Some(repository) => Change::ShowRepository { repository },
                None => Change::Push { repository, branch },
            },
        };
        // What is not there, or is merged already, is refused.
        let _ = self.sandbox.apply(change);
    }
}
