//! The tables, as their files in `specs/` say.

use std::sync::{Arc, LazyLock};

use bucketline_source::{Result, TableSpec, spec};

/// The table files, built into the program.
const FILES: [(&str, &str); 15] = [
    ("groups.toml", include_str!("../specs/groups.toml")),
    ("workspaces.toml", include_str!("../specs/workspaces.toml")),
    ("projects.toml", include_str!("../specs/projects.toml")),
    (
        "repositories.toml",
        include_str!("../specs/repositories.toml"),
    ),
    ("issues.toml", include_str!("../specs/issues.toml")),
    (
        "pullrequests.toml",
        include_str!("../specs/pullrequests.toml"),
    ),
    ("branches.toml", include_str!("../specs/branches.toml")),
    (
        "pullrequest_lists.toml",
        include_str!("../specs/pullrequest_lists.toml"),
    ),
    ("commits.toml", include_str!("../specs/commits.toml")),
    ("activity.toml", include_str!("../specs/activity.toml")),
    ("pipelines.toml", include_str!("../specs/pipelines.toml")),
    ("settings.toml", include_str!("../specs/settings.toml")),
    ("members.toml", include_str!("../specs/members.toml")),
    (
        "repository_lists.toml",
        include_str!("../specs/repository_lists.toml"),
    ),
    ("snippets.toml", include_str!("../specs/snippets.toml")),
];

static TABLES: LazyLock<Vec<Arc<TableSpec>>> = LazyLock::new(|| match read() {
    Ok(tables) => tables.into_iter().map(Arc::new).collect(),
    // The files are part of the program, and a test reads them.
    Err(error) => unreachable!("{error}"),
});

fn read() -> Result<Vec<TableSpec>> {
    spec::load(&FILES)
}

/// The tables of Bitbucket Cloud, without any connection.
pub fn tables() -> &'static [Arc<TableSpec>] {
    &TABLES
}

/// The same, and those of more table files, each with its name for errors. A file may name the tables and groups of
/// columns of all before it.
///
/// # Errors
/// One error (BL2001) that lists every mistake in the files.
pub fn tables_with(files: &[(String, String)]) -> Result<Arc<[Arc<TableSpec>]>> {
    let more = files
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()));
    let all: Vec<_> = FILES.into_iter().chain(more).collect();
    Ok(spec::load(&all)?.into_iter().map(Arc::new).collect())
}

/// A table that this crate itself reads.
pub(crate) fn table(name: &str) -> &'static Arc<TableSpec> {
    let found = TABLES.iter().find(|table| table.name == name);
    found.unwrap_or_else(|| unreachable!("there is a table file of {name}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// A row with these values at their paths.
    fn row(values: &[(Vec<String>, serde_json::Value)]) -> serde_json::Value {
        let mut row = serde_json::json!({});
        for (path, value) in values {
            let mut place = &mut row;
            for member in path {
                if !place.is_object() {
                    *place = serde_json::json!({});
                }
                place = &mut place[member.as_str()];
            }
            *place = value.clone();
        }
        row
    }

    /// Any member may be absent, null or of another type, but for what tells rows and their changes apart.
    #[test]
    fn a_row_needs_its_key_and_its_change_column_alone() {
        use bucketline_source::decode::Decoder;
        use bucketline_source::spec::{ColumnKind, Origin};
        use serde_json::{Value, json};

        for table in tables() {
            let own = |index: &usize| table.columns[*index].origin.is_own();
            let wanted: Vec<usize> = (0..table.columns.len()).filter(own).collect();
            let found_by = table.cursor.as_ref().map(|cursor| cursor.column);
            let needed: Vec<usize> = table
                .key
                .iter()
                .copied()
                .chain(found_by)
                .filter(own)
                .collect();
            let path = |index: &usize| match &table.columns[*index].origin {
                Origin::Member(members) => vec![members[0].clone()],
                origin => origin.paths()[0].to_vec(),
            };
            let value =
                |index: &usize| match (table.columns[*index].kind, &table.columns[*index].origin) {
                    (_, Origin::Member(_)) => json!({}),
                    (ColumnKind::Int, _) => json!(1),
                    (ColumnKind::Timestamp, _) => json!("2026-01-02T03:04:05Z"),
                    _ => json!("x"),
                };
            let members: Vec<_> = needed
                .iter()
                .map(|index| (path(index), value(index)))
                .collect();
            let decode = |row: &Value| {
                let decoder = Decoder::new(table, &wanted).single();
                decoder.decode(row.to_string().as_bytes(), &[None, None, None])
            };
            let name = &table.name;
            for other in [None, Some(Value::Null), Some(json!([5])), Some(json!(""))] {
                let rest = wanted
                    .iter()
                    .filter(|index| !needed.contains(index))
                    .map(path);
                let rest = rest.filter_map(|path| Some((path, other.clone()?)));
                let mut all: Vec<_> = rest.collect();
                all.sort_by_key(|(path, _)| path.len());
                all.extend(members.iter().cloned());
                let decoded = decode(&row(&all)).unwrap_or_else(|error| panic!("{name}: {error}"));
                assert_eq!(decoded.rows.num_rows(), 1, "{name}");
            }
            for index in &needed {
                let column = &table.columns[*index];
                let others = members
                    .iter()
                    .filter(|(other, _)| !other.starts_with(&path(index)));
                let others: Vec<_> = others.cloned().collect();
                let decoded = decode(&row(&others));
                if column.otherwise.is_some() {
                    assert!(decoded.is_ok(), "{name}.{}: {decoded:?}", column.name);
                    continue;
                }
                let error = decoded.unwrap_err().to_string();
                let named = format!(", which is its {}; near", column.name);
                assert!(error.contains(&named), "{name}: {error}");
            }
        }
    }

    /// Values of variables, secrets of hooks and private keys are not for copies.
    #[test]
    fn no_column_holds_a_secret() {
        for table in tables() {
            for column in &table.columns {
                for path in column.origin.paths() {
                    let member = path.last().map(String::as_str).unwrap_or_default();
                    let secret = matches!(member, "secret" | "private_key" | "password" | "token")
                        || member == "value" && table.name.ends_with("Variables");
                    assert!(!secret, "{}.{}", table.name, column.name);
                }
            }
        }
    }

    #[test]
    fn the_table_files_are_sound() {
        let tables = read().unwrap_or_else(|error| panic!("{error}"));
        let names: Vec<_> = tables.iter().map(|table| table.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "Workspaces",
                "Projects",
                "Repositories",
                "Issues",
                "IssueComments",
                "IssueChanges",
                "IssueAttachments",
                "Components",
                "Milestones",
                "Versions",
                "PullRequests",
                "Branches",
                "PullRequestComments",
                "PullRequestParticipants",
                "PullRequestReviewers",
                "PullRequestTasks",
                "PullRequestCommits",
                "PullRequestStatuses",
                "PullRequestDiffstat",
                "Commits",
                "CommitStatuses",
                "CommitComments",
                "CommitReports",
                "ReportAnnotations",
                "Diffstat",
                "SourceFiles",
                "PullRequestActivity",
                "Pipelines",
                "PipelineSteps",
                "Environments",
                "Deployments",
                "PipelineSchedules",
                "PipelineVariables",
                "WorkspacePipelineVariables",
                "DeploymentVariables",
                "Runners",
                "WorkspaceRunners",
                "BranchingModel",
                "BranchRestrictions",
                "DefaultReviewers",
                "Webhooks",
                "DeployKeys",
                "Tags",
                "EffectiveDefaultReviewers",
                "WorkspaceWebhooks",
                "BranchingModelSettings",
                "EffectiveBranchingModel",
                "OverrideSettings",
                "WorkspaceMembers",
                "ProjectUserPermissions",
                "Users",
                "WorkspacePermissions",
                "RepositoryPermissions",
                "ProjectGroupPermissions",
                "ProjectDefaultReviewers",
                "ProjectDeployKeys",
                "RepositoryUserPermissions",
                "RepositoryGroupPermissions",
                "Downloads",
                "Forks",
                "Watchers",
                "Snippets",
                "SnippetComments",
                "SnippetCommits",
            ]
        );
        let mut readers = tables.iter().filter_map(|table| table.reader.as_deref());
        assert!(readers.all(|reader| reader == crate::workspaces::READER));
        let unspoken = tables.iter().filter(|table| table.blind_spots.is_empty());
        assert_eq!(unspoken.count(), 0, "every table says what it does not see");
    }
}
