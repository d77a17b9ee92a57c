//! What all lists below workspaces, projects, repositories and the rest have in common: they are
//! held against the specification, and against the snapshots.

use bucketline_sandbox::{Change, Clock, Config, Day, Kind, PullRequestEdit, Sandbox};
use serde_json::{Value, json};

use crate::client::{encode, get, walk};
use crate::sandbox;
use crate::spec::Spec;

pub(crate) const API: &str = "/repositories/acme/api";

/// What the service sends and the specification does not say, as recorded or as the
/// specification's own examples have it: schema, property.
const HOLES: &[(&str, &str)] = &[
    ("base_commit", "links"),
    ("base_commit", "participants"),
    ("base_commit", "rendered"),
    ("base_commit", "repository"),
    ("base_commit.summary", "type"),
    ("branching_model", "links"),
    ("branching_model_settings", "default_branch_deletion"),
    ("commit", "links"),
    ("commit.summary", "type"),
    ("commit_comment.content", "type"),
    ("commit_file", "links"),
    ("deploy_key", "created_on"),
    ("deploy_key", "id"),
    ("deployment", "last_update_time"),
    ("issue_change", "id"),
    ("issue_change.message", "type"),
    ("issue_comment.content", "type"),
    ("project.links", "repositories"),
    ("project.links", "self"),
    ("project_deploy_key", "created_on"),
    ("project_deploy_key", "id"),
    ("pullrequest_comment.content", "type"),
    ("pullrequest_comment_task.content", "type"),
    ("pullrequest_endpoint.commit", "links"),
    ("pullrequest_endpoint.commit", "type"),
    ("repository", "enforced_signed_commits"),
    ("repository", "override_settings"),
    ("repository", "slug"),
    ("repository", "website"),
    ("repository", "workspace"),
    ("repository.links", "branches"),
    ("repository.links", "issues"),
    ("repository.links", "source"),
    ("repository.links", "tags"),
    (
        "repository_inheritance_state.override_settings",
        "branching_model",
    ),
    (
        "repository_inheritance_state.override_settings",
        "default_merge_strategy",
    ),
    ("snippet", "links"),
    ("snippet_comment", "content"),
    ("snippet_comment", "created_on"),
    ("snippet_comment", "deleted"),
    ("snippet_comment", "id"),
    ("snippet_comment", "updated_on"),
    ("snippet_comment", "user"),
    ("snippet_commit.summary", "type"),
    ("team", "username"),
    ("treeentry", "attributes"),
    ("treeentry", "escaped_path"),
    ("treeentry", "links"),
    ("treeentry", "size"),
    ("workspace_membership", "added_on"),
    ("workspace_membership", "last_accessed"),
    ("workspace_membership", "permission"),
    ("commitstatus", "commit"),
    ("deployment", "commit"),
    ("deployment", "step"),
    ("deployment_environment", "category"),
    ("deployment_environment", "deployment_gate_enabled"),
    ("deployment_environment", "environment_lock_enabled"),
    ("deployment_environment", "environment_type"),
    ("deployment_environment", "hidden"),
    ("deployment_environment", "lock"),
    ("deployment_environment", "rank"),
    ("deployment_environment", "restrictions"),
    ("deployment_environment", "slug"),
    ("deployment_release", "key"),
    ("deployment_release", "pipeline"),
    ("pipeline", "duration_in_seconds"),
    ("pipeline", "expired"),
    ("pipeline", "run_number"),
    ("pipeline_step", "build_seconds_used"),
    ("pipeline_step", "duration_in_seconds"),
    ("pipeline_step", "maxTime"),
    ("pipeline_step", "run_number"),
    ("snippet", "is_unlisted"),
    ("user", "ai_agent"),
    ("webhook_subscription", "history_enabled"),
    ("webhook_subscription", "read_only"),
    ("webhook_subscription", "skip_cert_verification"),
    ("webhook_subscription", "source"),
];

/// What the specification says and the service does not send, or not with every row; and what it
/// sends with another type than that.
const DIFFERENCES: &[&str] = &[
    "not sent: account_status of user",
    "not sent: added_on of deploy_key",
    "not sent: added_on of project_deploy_key",
    "not sent: branch_type of branchrestriction",
    "not sent: created_on of user",
    "not sent: deleted of issue_comment",
    "not sent: has_2fa_enabled of user",
    "not sent: inline of issue_comment",
    "not sent: inline of pullrequest_comment",
    "not sent: is_staff of user",
    "not sent: name of issue_change",
    "not sent: owner of deploy_key",
    "not sent: parent of commit_comment",
    "not sent: parent of issue_comment",
    "not sent: parent of pullrequest_comment",
    "not sent: secret of webhook_subscription",
    "not sent: subject_type of webhook_subscription",
    "report_data.value: ",
    "snippet.id: ",
];

/// A list of the API, the kind of its rows, the schema of a page, that of a row, and the parent
/// whose rows are added to and deleted, if they can be.
pub(crate) struct Listed {
    pub(crate) path: String,
    kind: Kind,
    pub(crate) schemas: Option<(&'static str, &'static str)>,
    parent: Option<String>,
}

/// The first parent in `acme/api` that has rows of a kind.
fn parent(sandbox: &Sandbox, kind: Kind) -> String {
    let rows = sandbox.snapshot(kind, "acme");
    let mut rows = rows.into_iter();
    let found = rows.find(|row| row.repository.as_deref().is_none_or(|slug| slug == "api"));
    found.unwrap().parent.unwrap()
}

pub(crate) fn lists(sandbox: &Sandbox) -> Vec<Listed> {
    let listed = |path: &str, kind, schemas: (&'static str, &'static str), parent: &str| Listed {
        path: path.to_owned(),
        kind,
        schemas: (!schemas.0.is_empty()).then_some(schemas),
        parent: (!parent.is_empty()).then(|| parent.to_owned()),
    };
    let on = |path: &str| format!("{API}/{path}");
    let commit = parent(sandbox, Kind::CommitStatuses);
    let commented = parent(sandbox, Kind::CommitComments);
    let reported = parent(sandbox, Kind::CommitReports);
    let requested = parent(sandbox, Kind::PullRequestTasks);
    let issue = parent(sandbox, Kind::IssueComments);
    let changed = parent(sandbox, Kind::IssueChanges);
    let attached = parent(sandbox, Kind::IssueAttachments);
    let snippet = parent(sandbox, Kind::SnippetComments);
    let report = parent(sandbox, Kind::ReportAnnotations);
    let annotated = sandbox.snapshot(Kind::CommitReports, "acme");
    let annotated = annotated
        .iter()
        .find(|row| row.value["uuid"] == report.as_str());
    let annotated = annotated.unwrap().parent.clone().unwrap();
    let pipeline = encode(&parent(sandbox, Kind::PipelineSteps));
    let environment = encode(&parent(sandbox, Kind::EnvironmentVariables));
    let variables = ("paginated_pipeline_variables", "pipeline_variable");
    let statuses = ("paginated_commitstatuses", "commitstatus");
    let accounts = ("paginated_accounts", "user");
    let reviewers = (
        "paginated_default_reviewer_and_type",
        "default_reviewer_and_type",
    );
    let hooks = ("paginated_webhook_subscriptions", "webhook_subscription");
    let changesets = ("paginated_changeset", "commit");
    let members = ("paginated_workspace_memberships", "workspace_membership");
    let runners = ("paginated_pipeline_runners", "pipeline_runner");
    vec![
        listed(
            "/workspaces/acme/members",
            Kind::WorkspaceMembers,
            members,
            "",
        ),
        listed(
            "/workspaces/acme/permissions",
            Kind::WorkspacePermissions,
            members,
            "",
        ),
        listed(
            "/workspaces/acme/permissions/repositories",
            Kind::RepositoryPermissions,
            ("paginated_repository_permissions", "repository_permission"),
            "",
        ),
        listed(
            "/workspaces/acme/hooks",
            Kind::WorkspaceWebhooks,
            hooks,
            "acme",
        ),
        listed(
            "/workspaces/acme/pipelines-config/variables",
            Kind::WorkspaceVariables,
            variables,
            "acme",
        ),
        listed(
            "/workspaces/acme/pipelines-config/runners",
            Kind::WorkspaceRunners,
            runners,
            "acme",
        ),
        listed(
            "/workspaces/acme/projects/API/permissions-config/users",
            Kind::ProjectUserPermissions,
            (
                "paginated_project_user_permissions",
                "project_user_permission",
            ),
            "acme/projects/API",
        ),
        listed(
            "/workspaces/acme/projects/API/permissions-config/groups",
            Kind::ProjectGroupPermissions,
            (
                "paginated_project_group_permissions",
                "project_group_permission",
            ),
            "acme/projects/API",
        ),
        listed(
            "/workspaces/acme/projects/API/default-reviewers",
            Kind::ProjectDefaultReviewers,
            reviewers,
            "acme/projects/API",
        ),
        listed(
            "/workspaces/acme/projects/API/deploy-keys",
            Kind::ProjectDeployKeys,
            ("paginated_project_deploy_keys", "project_deploy_key"),
            "acme/projects/API",
        ),
        listed(
            "/snippets/acme",
            Kind::Snippets,
            ("paginated_snippets", "snippet"),
            "acme",
        ),
        listed(
            &format!("/snippets/acme/{snippet}/comments"),
            Kind::SnippetComments,
            ("paginated_snippet_comments", "snippet_comment"),
            "",
        ),
        listed(
            &format!("/snippets/acme/{snippet}/commits"),
            Kind::SnippetCommits,
            ("paginated_snippet_commit", "snippet_commit"),
            "",
        ),
        listed(&on("refs/tags"), Kind::Tags, ("paginated_tags", "tag"), ""),
        listed(&on("commits"), Kind::Commits, changesets, ""),
        listed(
            &on(&format!("commit/{commented}/comments")),
            Kind::CommitComments,
            ("paginated_commit_comments", "commit_comment"),
            "",
        ),
        listed(
            &on(&format!("commit/{commit}/statuses")),
            Kind::CommitStatuses,
            statuses,
            &format!("acme/api/commit/{commit}"),
        ),
        listed(
            &on(&format!("commit/{reported}/reports")),
            Kind::CommitReports,
            ("paginated_reports", "report"),
            &format!("acme/api/commit/{reported}"),
        ),
        listed(
            &on(&format!(
                "commit/{annotated}/reports/{}/annotations",
                encode(&report)
            )),
            Kind::ReportAnnotations,
            ("paginated_annotations", "report_annotation"),
            "",
        ),
        listed(
            &on(&format!("diffstat/{commit}")),
            Kind::Diffstat,
            ("paginated_diffstats", "diffstat"),
            "",
        ),
        listed(
            &on("src/main/"),
            Kind::SourceFiles,
            ("paginated_treeentries", "treeentry"),
            "",
        ),
        listed(
            &on(&format!(
                "pullrequests/{}/comments",
                parent(sandbox, Kind::PullRequestComments)
            )),
            Kind::PullRequestComments,
            ("paginated_pullrequest_comments", "pullrequest_comment"),
            "",
        ),
        listed(
            &on(&format!("pullrequests/{requested}/tasks")),
            Kind::PullRequestTasks,
            ("paginated_tasks", "pullrequest_comment_task"),
            &format!("acme/api/pullrequests/{requested}"),
        ),
        listed(
            &on(&format!("pullrequests/{requested}/activity")),
            Kind::PullRequestActivity,
            ("", ""),
            "",
        ),
        listed(
            &on(&format!(
                "pullrequests/{}/commits",
                parent(sandbox, Kind::PullRequestCommits)
            )),
            Kind::PullRequestCommits,
            changesets,
            "",
        ),
        listed(
            &on(&format!(
                "pullrequests/{}/statuses",
                parent(sandbox, Kind::PullRequestStatuses)
            )),
            Kind::PullRequestStatuses,
            statuses,
            "",
        ),
        listed(
            &on("default-reviewers"),
            Kind::DefaultReviewers,
            accounts,
            "acme/api",
        ),
        listed(
            &on("effective-default-reviewers"),
            Kind::EffectiveDefaultReviewers,
            reviewers,
            "",
        ),
        listed(
            &on(&format!("issues/{issue}/comments")),
            Kind::IssueComments,
            ("paginated_issue_comments", "issue_comment"),
            &format!("acme/api/issues/{issue}"),
        ),
        listed(
            &on(&format!("issues/{changed}/changes")),
            Kind::IssueChanges,
            ("paginated_log_entries", "issue_change"),
            "",
        ),
        listed(
            &on(&format!("issues/{attached}/attachments")),
            Kind::IssueAttachments,
            ("paginated_issue_attachments", "issue_attachment"),
            &format!("acme/api/issues/{attached}"),
        ),
        listed(
            &on("components"),
            Kind::Components,
            ("paginated_components", "component"),
            "",
        ),
        listed(
            &on("milestones"),
            Kind::Milestones,
            ("paginated_milestones", "milestone"),
            "",
        ),
        listed(
            &on("versions"),
            Kind::Versions,
            ("paginated_versions", "version"),
            "",
        ),
        listed(
            &on("pipelines/"),
            Kind::Pipelines,
            ("paginated_pipelines", "pipeline"),
            "acme/api",
        ),
        listed(
            &on(&format!("pipelines/{pipeline}/steps/")),
            Kind::PipelineSteps,
            ("paginated_pipeline_steps", "pipeline_step"),
            "",
        ),
        listed(
            &on("pipelines_config/schedules"),
            Kind::PipelineSchedules,
            ("paginated_pipeline_schedules", "pipeline_schedule"),
            "acme/api",
        ),
        listed(
            &on("pipelines_config/variables"),
            Kind::PipelineVariables,
            variables,
            "acme/api",
        ),
        listed(
            &on("pipelines-config/runners"),
            Kind::PipelineRunners,
            runners,
            "acme/api",
        ),
        listed(
            &on("deployments/"),
            Kind::Deployments,
            ("paginated_deployments", "deployment"),
            "",
        ),
        listed(
            &on("environments"),
            Kind::Environments,
            ("paginated_environments", "deployment_environment"),
            "acme/api",
        ),
        listed(
            &on(&format!(
                "deployments_config/environments/{environment}/variables"
            )),
            Kind::EnvironmentVariables,
            ("paginated_deployment_variable", "deployment_variable"),
            "",
        ),
        listed(
            &on("permissions-config/users"),
            Kind::RepositoryUserPermissions,
            (
                "paginated_repository_user_permissions",
                "repository_user_permission",
            ),
            "acme/api",
        ),
        listed(
            &on("permissions-config/groups"),
            Kind::RepositoryGroupPermissions,
            (
                "paginated_repository_group_permissions",
                "repository_group_permission",
            ),
            "acme/api",
        ),
        listed(
            &on("branch-restrictions"),
            Kind::BranchRestrictions,
            ("paginated_branchrestrictions", "branchrestriction"),
            "acme/api",
        ),
        listed(
            &on("deploy-keys"),
            Kind::DeployKeys,
            ("paginated_deploy_keys", "deploy_key"),
            "acme/api",
        ),
        listed(&on("hooks"), Kind::Webhooks, hooks, "acme/api"),
        listed(&on("downloads"), Kind::Downloads, ("", ""), "acme/api"),
        listed(
            &on("forks"),
            Kind::Forks,
            ("paginated_repositories", "repository"),
            "acme/api",
        ),
        listed(&on("watchers"), Kind::Watchers, accounts, "acme/api"),
    ]
}

/// Single objects with their schemas.
pub(crate) const OBJECTS: &[(&str, &str)] = &[
    ("branching_model", "branching-model"),
    (
        "effective_repo_branching_model",
        "effective-branching-model",
    ),
    ("branching_model_settings", "branching-model/settings"),
    ("repository_inheritance_state", "override-settings"),
    ("pipelines_config", "pipelines_config"),
];

pub(crate) fn quiet() -> Sandbox {
    Sandbox::start_blocking(Config {
        requests_per_hour: None,
        ..Config::default()
    })
    .unwrap()
}

/// The same, the clock standing still: what runs does not go on between two looks.
fn frozen() -> Sandbox {
    let at = "2026-08-10T09:00:00Z".parse().unwrap();
    Sandbox::start_blocking(Config {
        clock: Clock::Frozen(at),
        requests_per_hour: None,
        ..Config::default()
    })
    .unwrap()
}

#[test]
fn lists_are_what_the_specification_says() {
    let Some(mut spec) = Spec::read(HOLES) else {
        return;
    };
    let sandbox = quiet();
    for list in lists(&sandbox) {
        let pages = walk(&sandbox, &list.path);
        let first = &pages[0].json()["values"][0];
        assert!(first.is_object(), "{} is empty", list.path);
        if let Some((schema, row)) = list.schemas {
            let reference = json!({"$ref": format!("#/definitions/{schema}")});
            for page in &pages {
                spec.check(&reference, schema, &page.json());
            }
            spec.check_complete(row, first);
        }
    }
    for (schema, path) in OBJECTS {
        let object = get(&sandbox, &format!("{API}/{path}")).json();
        let reference = json!({"$ref": format!("#/definitions/{schema}")});
        spec.check(&reference, schema, &object);
        spec.check_complete(schema, &object);
    }
    // Events have no schema, but what they are about has.
    let feed = walk(&sandbox, &format!("{API}/pullrequests/activity?pagelen=50"));
    for (schema, pointer) in [
        ("pullrequest_comment", "/comment"),
        ("account", "/approval/user"),
        ("account", "/update/author"),
        ("pullrequest_endpoint", "/update/source"),
        ("pullrequest_endpoint", "/update/destination"),
        ("pullrequest", "/pull_request"),
    ] {
        let reference = json!({"$ref": format!("#/definitions/{schema}")});
        let about: Vec<_> = feed.iter().flat_map(|page| page.column(pointer)).collect();
        assert!(about.iter().any(Value::is_object), "no event has {pointer}");
        for object in about {
            spec.check(&reference, schema, &object);
        }
    }
    // The answer of this one is another's.
    let requested = parent(&sandbox, Kind::PullRequestTasks);
    let led = get(
        &sandbox,
        &format!("{API}/pullrequests/{requested}/diffstat"),
    );
    let reference = json!({"$ref": "#/definitions/paginated_diffstats"});
    for page in walk(&sandbox, led.header("location").unwrap()) {
        spec.check(&reference, "paginated_diffstats", &page.json());
    }
    let problems = spec.problems.into_iter();
    let problems: Vec<String> = problems
        .filter(|problem| DIFFERENCES.iter().all(|known| !problem.starts_with(known)))
        .collect();
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

#[test]
fn lists_show_what_the_snapshots_say() {
    let sandbox = frozen();
    for list in lists(&sandbox) {
        let separator = if list.path.contains('?') { '&' } else { '?' };
        let whole = match list.kind {
            Kind::PullRequestActivity => "pagelen=50",
            Kind::SourceFiles => "pagelen=100&max_depth=9",
            // What lists leave out unless they are asked for it.
            Kind::Deployments => "pagelen=100&fields=%2Bvalues.environment.*",
            Kind::Snippets => "pagelen=100&fields=%2Bvalues.files",
            _ => "pagelen=100",
        };
        let path = format!("{}{separator}{whole}", list.path);
        let rows: Vec<Value> = walk(&sandbox, &path)
            .iter()
            .flat_map(|page| page.json()["values"].as_array().unwrap().clone())
            .collect();
        let snapshot = sandbox.snapshot(list.kind, "acme");
        for row in rows {
            assert!(
                snapshot.iter().any(|known| known.value == row),
                "{path} shows {row}, which the snapshot of {:?} lacks",
                list.kind
            );
        }
    }
}

#[test]
fn what_is_added_appears_and_what_is_deleted_leaves() {
    let sandbox = quiet();
    for list in lists(&sandbox) {
        let Some(parent) = list.parent else {
            continue;
        };
        let kind = list.kind;
        let size = || get(&sandbox, &list.path).json()["size"].clone();
        let before = size().as_u64().unwrap();
        let add = Change::Add {
            kind,
            parent: parent.clone(),
        };
        let number = sandbox.apply(add).unwrap().id.unwrap();
        assert_eq!(size(), before + 1, "{kind:?}");
        let delete = Change::Delete {
            kind,
            parent,
            number,
        };
        sandbox.apply(delete.clone()).unwrap();
        assert_eq!(size(), before, "{kind:?}");
        assert!(sandbox.apply(delete).is_err(), "{kind:?}");
    }
    let wrong = Change::Add {
        kind: Kind::IssueComments,
        parent: "acme/api/pullrequests/1".to_owned(),
    };
    assert!(sandbox.apply(wrong).is_err());
}

#[test]
fn what_is_not_changed_stays_as_it_is() {
    let sandbox = frozen();
    let lists = lists(&sandbox);
    let before: Vec<_> = lists
        .iter()
        .map(|list| sandbox.snapshot(list.kind, "acme"))
        .collect();
    let repository = || "acme/api".to_owned();
    let requested = parent(&sandbox, Kind::PullRequestComments);
    let add = |kind, parent: &str| Change::Add {
        kind,
        parent: parent.to_owned(),
    };
    for change in [
        add(
            Kind::PullRequestComments,
            &format!("acme/api/pullrequests/{requested}"),
        ),
        add(
            Kind::PullRequestTasks,
            &format!("acme/api/pullrequests/{requested}"),
        ),
        add(Kind::IssueComments, "acme/api/issues/1"),
        add(Kind::Environments, "acme/api"),
        add(Kind::Pipelines, "acme/api"),
        Change::Push {
            repository: repository(),
            branch: "fresh".to_owned(),
        },
        Change::AddPullRequest {
            repository: repository(),
            edit: PullRequestEdit::default(),
        },
    ] {
        sandbox.apply(change).unwrap();
    }
    for (list, before) in lists.iter().zip(before) {
        let after = sandbox.snapshot(list.kind, "acme");
        let sent: Vec<String> = after.iter().map(|row| json!(row).to_string()).collect();
        for row in &before {
            assert!(
                sent.contains(&json!(row).to_string()),
                "{:?}: {row:?}",
                list.kind
            );
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_lists() {
    let (one, other) = (frozen(), frozen());
    let rows = |sandbox: &Sandbox, kind| {
        let rows = json!(sandbox.snapshot(kind, "acme")).to_string();
        rows.replace(sandbox.origin(), "")
    };
    for list in lists(&one) {
        assert_eq!(
            rows(&one, list.kind),
            rows(&other, list.kind),
            "{:?}",
            list.kind
        );
    }
}

#[test]
fn page_lengths_have_their_limits() {
    let sandbox = quiet();
    for list in lists(&sandbox) {
        let (greatest, usual) = match list.kind {
            Kind::PullRequestActivity => (50, 20),
            Kind::Diffstat => (500, 500),
            Kind::EffectiveDefaultReviewers | Kind::IssueChanges => (100, 20),
            _ => (100, 10),
        };
        assert_eq!(
            get(&sandbox, &list.path).json()["pagelen"],
            usual,
            "{}",
            list.path
        );
        let ask = |pagelen: u32| get(&sandbox, &format!("{}?pagelen={pagelen}", list.path));
        assert_eq!(ask(greatest).status, 200, "{}", list.path);
        assert_eq!(
            ask(greatest + 1).message(),
            "Invalid pagelen",
            "{}",
            list.path
        );
    }
}

#[test]
fn what_belongs_to_issues_went_with_them() {
    let sandbox = sandbox();
    let paths: Vec<String> = ["components", "milestones", "versions"]
        .map(|list| format!("{API}/{list}"))
        .into_iter()
        .chain(["comments", "changes", "attachments"].map(|list| format!("{API}/issues/1/{list}")))
        .collect();
    for path in &paths {
        let answer = get(&sandbox, path);
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.header("sunset").is_some(), "{path}");
    }
    let day = Day::AfterRemoval;
    sandbox.apply(Change::SetDay { day }).unwrap();
    for path in &paths {
        let answer = get(&sandbox, path);
        assert_eq!(answer.status, 410, "{path}");
        assert!(answer.message().starts_with("CHANGE-3071"), "{path}");
    }
}
