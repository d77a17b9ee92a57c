#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;

use bucketline_source::{Literal, Operator, Order};
use chrono::{DateTime, Utc};

use super::*;
use crate::names;
use crate::tables::table;

fn text(value: &str) -> Literal {
    Literal::Text(value.to_owned())
}

fn time(value: &str) -> Literal {
    Literal::Timestamp(value.parse::<DateTime<Utc>>().unwrap())
}

const ACCESS: Access<'_> = Access {
    workspace: Some("acme"),
    of_user: true,
    deleted: false,
};

/// A request written shortly.
struct Ask {
    request: ScanRequest,
}

impl Ask {
    fn new(name: &str, columns: &[&str]) -> Self {
        let table = table(name).clone();
        let columns = match columns {
            ["*"] => (0..table.columns.len()).collect(),
            names => names
                .iter()
                .map(|name| table.column(name).unwrap())
                .collect(),
        };
        let request = ScanRequest {
            table,
            scope: names::whole(),
            columns,
            predicates: Vec::new(),
            order: None,
            limit: None,
            page_size: None,
        };
        Self { request }
    }

    fn filter(mut self, name: &str, operator: Operator, values: &[Literal]) -> Self {
        let column = self.request.table.column(name).unwrap();
        self.request.predicates.push(Predicate {
            column,
            operator,
            values: values.to_vec(),
        });
        self
    }

    fn order(mut self, name: &str, descending: bool) -> Self {
        let column = self.request.table.column(name).unwrap();
        self.request.order = Some(Order {
            column,
            descending,
            nulls_first: descending,
        });
        self
    }

    fn limit(mut self, limit: usize) -> Self {
        self.request.limit = Some(limit);
        self
    }

    fn scope(mut self, kind: ScopeKind, name: &str) -> Self {
        self.request.scope = Scope {
            kind,
            name: name.into(),
            uuid: Some("{1f}".into()),
        };
        self
    }

    /// The plan as text: requests, fates of the predicates, order and limit.
    fn shown(self) -> String {
        shown(&plan(self.request, ACCESS, None).unwrap(), Purpose::Scan)
    }

    fn shown_as(self, purpose: Purpose) -> String {
        shown(&plan(self.request, ACCESS, None).unwrap(), purpose)
    }
}

fn shown(plan: &ScanPlan, purpose: Purpose) -> String {
    let mut text = String::new();
    for request in requests(plan, ACCESS, purpose) {
        let _ = write!(text, "{} {}", request.method, request.path);
        for (index, parameter) in request.parameters.iter().enumerate() {
            let separator = if index == 0 { '?' } else { '&' };
            let _ = write!(text, "{separator}{}={}", parameter.name, parameter.value);
        }
        let _ = writeln!(text, " ({}; {})", request.purpose, request.paging);
    }
    for planned in &plan.predicates {
        let column = &plan.request.table.columns[planned.predicate.column].name;
        let slices = if planned.chooses_slices {
            ", slices"
        } else {
            ""
        };
        let _ = writeln!(
            text,
            "{} {:?}{slices}",
            planned.predicate.display(column),
            planned.pushdown
        );
    }
    let _ = write!(
        text,
        "ordered={} limited={} {:?}",
        plan.ordered, plan.limited, plan.estimate
    );
    text
}

const LISTING: &str = "GET /repositories/acme?sort=created_on&pagelen=100&fields=next,page,pagelen,size,values.uuid,values.slug,values.full_name,values.project.key,values.project.uuid,values.updated_on,values.workspace.uuid,values.created_on (listing of repositories; created_on >= last seen, doubles dropped)";
const ENVELOPE: &str = "next,page,pagelen,size";
const ALL_STATES: &str = "state=OPEN&state=MERGED&state=DECLINED&state=SUPERSEDED";

#[test]
fn plans() {
    use Operator::{Contains, Eq, Gt, GtEq, In, IsNull, NotEq};
    let cases = [
        (
            "everything of a table",
            Ask::new("Issues", &["*"]).shown(),
            format!("{LISTING}\nGET /repositories/acme/{{repository}}/issues?sort=id&pagelen=100 (rows; id > last seen)\nordered=false limited=false EachSlice(1)"),
        ),
        (
            "five latest of one repository: one request",
            Ask::new("Issues", &["Id", "Title"])
                .filter("Repository", Eq, &[text("api")])
                .filter("UpdatedOn", Gt, &[time("2026-01-01T00:00:00Z")])
                .order("UpdatedOn", true)
                .limit(5)
                .shown(),
            format!("GET /repositories/acme/api/issues?q=updated_on > 2026-01-01T00:00:00.000000+00:00&sort=-updated_on&pagelen=5&fields={ENVELOPE},values.id,values.title (rows; one page)\nRepository = 'api' Exact, slices\nUpdatedOn > '2026-01-01T00:00:00Z' Exact\nordered=true limited=true Exactly(1)"),
        ),
        (
            "a condition kept here keeps the limit here",
            Ask::new("Issues", &["Id"]).filter("Votes", Gt, &[Literal::Int(3)]).limit(5).shown(),
            format!("{LISTING}\nGET /repositories/acme/{{repository}}/issues?sort=id&pagelen=100&fields={ENVELOPE},values.id (rows; id > last seen)\nVotes > 3 Kept\nordered=false limited=false EachSlice(1)"),
        ),
        (
            "a narrowing condition goes along, the limit does not",
            Ask::new("Issues", &["Id"]).filter("Title", Contains, &[text("50% off")]).limit(5).shown(),
            format!("{LISTING}\nGET /repositories/acme/{{repository}}/issues?q=title ~ \"50% off\"&sort=id&pagelen=100&fields={ENVELOPE},values.id (rows; id > last seen)\nTitle CONTAINS '50% off' Narrowing\nordered=false limited=false EachSlice(1)"),
        ),
        (
            "a priority in another spelling is looked for here",
            Ask::new("Issues", &["Id"]).filter("Priority", Eq, &[text("Major")]).shown(),
            format!("{LISTING}\nGET /repositories/acme/{{repository}}/issues?sort=id&pagelen=100&fields={ENVELOPE},values.id (rows; id > last seen)\nPriority = 'Major' Kept\nordered=false limited=false EachSlice(1)"),
        ),
        (
            "null tests ask for the object",
            Ask::new("Issues", &["Id"]).filter("AssigneeUUID", IsNull, &[]).filter("Repository", Eq, &[text("api")]).shown(),
            format!("GET /repositories/acme/api (look-up of repository; )\nGET /repositories/acme/api/issues?q=assignee = null&sort=id&pagelen=100&fields={ENVELOPE},values.id (rows; id > last seen)\nAssigneeUUID IS NULL Exact\nRepository = 'api' Exact, slices\nordered=false limited=false AtLeast(2)"),
        ),
        (
            "all states unless asked",
            Ask::new("PullRequests", &["Id"]).scope(ScopeKind::Repository, "api").shown(),
            format!("GET /repositories/acme/%7B1f%7D/pullrequests?{ALL_STATES}&sort=id&pagelen=50&fields={ENVELOPE},values.id (rows; id > last seen)\nordered=false limited=false AtLeast(1)"),
        ),
        (
            "one state, also in the condition",
            Ask::new("PullRequests", &["Id"]).scope(ScopeKind::Repository, "api").filter("State", Eq, &[text("OPEN")]).limit(9).shown(),
            format!("GET /repositories/acme/%7B1f%7D/pullrequests?state=OPEN&q=state = \"OPEN\"&pagelen=9&fields={ENVELOPE},values.id (rows; one page)\nState = 'OPEN' Exact\nordered=false limited=true Exactly(1)"),
        ),
        (
            "all but one state",
            Ask::new("PullRequests", &["Id"]).scope(ScopeKind::Repository, "api").filter("State", NotEq, &[text("OPEN")]).limit(1).shown(),
            format!("GET /repositories/acme/%7B1f%7D/pullrequests?state=MERGED&state=DECLINED&state=SUPERSEDED&q=state != \"OPEN\"&pagelen=1&fields={ENVELOPE},values.id (rows; one page)\nState <> 'OPEN' Exact\nordered=false limited=true Exactly(1)"),
        ),
        (
            "an unknown state is looked for here",
            Ask::new("PullRequests", &["Id"]).scope(ScopeKind::Repository, "api").filter("State", In, &[text("OPEN"), text("QUEUED")]).shown(),
            format!("GET /repositories/acme/%7B1f%7D/pullrequests?{ALL_STATES}&sort=id&pagelen=50&fields={ENVELOPE},values.id (rows; id > last seen)\nState IN ('OPEN', 'QUEUED') Kept\nordered=false limited=false AtLeast(1)"),
        ),
        (
            "extra members are asked for on top",
            Ask::new("PullRequests", &["*"]).scope(ScopeKind::Repository, "api").shown(),
            format!("GET /repositories/acme/%7B1f%7D/pullrequests?{ALL_STATES}&sort=id&pagelen=50&fields=+values.merge_commit.date,+values.merge_commit.author.raw,+values.merge_commit.author.user.uuid,+values.merge_commit.author.user.display_name,+values.closed_on,+values.reviewers,+values.participants,+values.rendered.title.raw,+values.rendered.title.markup,+values.rendered.title.html,+values.rendered.description.raw,+values.rendered.description.markup,+values.rendered.description.html,+values.rendered.reason.raw,+values.rendered.reason.markup,+values.rendered.reason.html (rows; id > last seen)\nordered=false limited=false AtLeast(1)"),
        ),
        (
            "only a number of rows",
            Ask::new("Branches", &[]).scope(ScopeKind::Repository, "api").shown(),
            format!("GET /repositories/acme/%7B1f%7D/refs/branches?sort=name&pagelen=100&fields={ENVELOPE},values.name (rows; next link)\nordered=false limited=false AtLeast(1)"),
        ),
        (
            "several repositories",
            Ask::new("Branches", &["Name"]).filter("Repository", In, &[text("api"), text("web"), text("No Slug")]).shown(),
            format!("GET /repositories/acme/api (look-up of repository; )\nGET /repositories/acme/web (look-up of repository; )\nGET /repositories/acme/{{repository}}/refs/branches?sort=name&pagelen=100&fields={ENVELOPE},values.name (rows; next link)\nRepository IN ('api', 'web', 'No Slug') Exact, slices\nordered=false limited=false AtLeast(4)"),
        ),
        (
            "other conditions on the parent are put to the listing",
            Ask::new("Branches", &["Name"]).filter("Repository", GtEq, &[text("m")]).shown(),
            format!("{LISTING}\nGET /repositories/acme/{{repository}}/refs/branches?sort=name&pagelen=100&fields={ENVELOPE},values.name (rows; next link)\nRepository >= 'm' Exact, slices\nordered=false limited=false EachSlice(1)"),
        ),
        (
            "a project's repositories",
            Ask::new("Repositories", &["Slug"]).scope(ScopeKind::Project, "API").shown(),
            format!("GET /workspaces/acme (look-up of workspace, once a script; )\nGET /repositories/acme?q=project.key = \"API\"&sort=created_on&pagelen=100&fields={ENVELOPE},values.slug,values.uuid,values.created_on (rows; created_on >= last seen, doubles dropped)\nordered=false limited=false AtLeast(2)"),
        ),
        (
            "the repository that is the scope",
            Ask::new("Repositories", &["Slug"]).scope(ScopeKind::Repository, "api").shown(),
            "GET /repositories/acme/%7B1f%7D?fields=slug (rows; one page)\nordered=false limited=false Exactly(1)".to_owned(),
        ),
        (
            "workspaces without details",
            Ask::new("Workspaces", &["Slug"]).filter("Slug", Eq, &[text("acme")]).shown(),
            "GET /user/workspaces?q=slug = \"acme\"&sort=slug&pagelen=100 (list of workspaces; next link)\nSlug = 'acme' Narrowing\nordered=false limited=false AtLeast(1)".to_owned(),
        ),
        (
            "a first load pushes everything",
            Ask::new("PullRequests", &["Id"])
                .scope(ScopeKind::Repository, "api")
                .filter("State", Eq, &[text("OPEN")])
                .filter("CreatedOn", Gt, &[time("2026-01-01T00:00:00Z")])
                .shown_as(Purpose::FirstLoad),
            format!("GET /repositories/acme/%7B1f%7D/pullrequests?state=OPEN&q=state = \"OPEN\" AND created_on > 2026-01-01T00:00:00.000000+00:00&sort=updated_on&pagelen=50&fields={ENVELOPE},values.id,values.updated_on (rows; updated_on >= last seen, doubles dropped)\nState = 'OPEN' Exact\nCreatedOn > '2026-01-01T00:00:00Z' Exact\nordered=false limited=false AtLeast(1)"),
        ),
        (
            "later runs push what cannot change",
            Ask::new("PullRequests", &["Id"])
                .scope(ScopeKind::Repository, "api")
                .filter("State", Eq, &[text("OPEN")])
                .filter("CreatedOn", Gt, &[time("2026-01-01T00:00:00Z")])
                .shown_as(Purpose::Changes),
            format!("GET /repositories/acme/%7B1f%7D/pullrequests?{ALL_STATES}&q=created_on > 2026-01-01T00:00:00.000000+00:00 AND updated_on >= last mark less 60 min&sort=updated_on&pagelen=50&fields={ENVELOPE},values.id,values.updated_on (rows; updated_on >= last seen, doubles dropped)\nState = 'OPEN' Exact\nCreatedOn > '2026-01-01T00:00:00Z' Exact\nordered=false limited=false AtLeast(1)"),
        ),
    ];
    let mut wrong = String::new();
    for (name, actual, expected) in cases {
        if actual != expected {
            let _ = writeln!(
                wrong,
                "{name}\n--- is\n{actual}\n--- should be\n{expected}\n"
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

const HASH: &str = "0123456789abcdef0123456789abcdef01234567";

/// Tables whose rows hang on others: the parents are asked for first, unless the conditions name them.
#[test]
fn plans_of_children() {
    use Operator::{Eq, Gt, In};
    let cases = [
        (
            "all comments of a repository",
            Ask::new("PullRequestComments", &["ContentRaw"]).scope(ScopeKind::Repository, "api").shown(),
            format!("GET /repositories/acme/%7B1f%7D/pullrequests?{ALL_STATES}&sort=id&pagelen=50&fields={ENVELOPE},values.id,values.updated_on (PullRequests to visit; id > last seen)\nGET /repositories/acme/%7B1f%7D/pullrequests/{{pull_request}}/comments?sort=id&pagelen=100&fields={ENVELOPE},values.content.raw,values.id,values.deleted (rows; id > last seen)\nordered=false limited=false AtLeast(1)"),
        ),
        (
            "those of one pull request: its number is known",
            Ask::new("PullRequestComments", &["PullRequestId", "ContentRaw"])
                .scope(ScopeKind::Repository, "api")
                .filter("PullRequestId", Eq, &[Literal::Int(5)])
                .shown(),
            format!("GET /repositories/acme/%7B1f%7D/pullrequests/5/comments?sort=id&pagelen=100&fields={ENVELOPE},values.content.raw,values.id,values.deleted (rows; id > last seen)\nPullRequestId = 5 Exact\nordered=false limited=false AtLeast(1)"),
        ),
        (
            "those of some, the newest first page",
            Ask::new("PullRequestTasks", &["PullRequestId"])
                .scope(ScopeKind::Repository, "api")
                .filter("PullRequestId", In, &[Literal::Int(5), Literal::Int(7)])
                .limit(3)
                .shown(),
            format!("GET /repositories/acme/%7B1f%7D/pullrequests/{{pull_request}}/tasks?pagelen=3&fields={ENVELOPE},values.type (rows; one page)\nPullRequestId IN (5, 7) Exact\nordered=false limited=true Exactly(2)"),
        ),
        (
            "conditions on the parent choose parents, those on the rows go along",
            Ask::new("PullRequestComments", &["Id"])
                .scope(ScopeKind::Repository, "api")
                .filter("PullRequestState", Eq, &[text("OPEN")])
                .filter("CreatedOn", Gt, &[time("2026-01-01T00:00:00Z")])
                .shown(),
            format!("GET /repositories/acme/%7B1f%7D/pullrequests?state=OPEN&q=state = \"OPEN\"&sort=id&pagelen=50&fields={ENVELOPE},values.id,values.state,values.updated_on (PullRequests to visit; id > last seen)\nGET /repositories/acme/%7B1f%7D/pullrequests/{{pull_request}}/comments?q=created_on > 2026-01-01T00:00:00.000000+00:00&sort=id&pagelen=100&fields={ENVELOPE},values.id,values.deleted (rows; id > last seen)\nPullRequestState = 'OPEN' Exact\nCreatedOn > '2026-01-01T00:00:00Z' Exact\nordered=false limited=false AtLeast(1)"),
        ),
        (
            "a parent moves with its rows, so that it is as late as they are",
            Ask::new("PullRequestComments", &["Id"])
                .scope(ScopeKind::Repository, "api")
                .filter("UpdatedOn", Gt, &[time("2026-01-01T00:00:00Z")])
                .shown(),
            format!("GET /repositories/acme/%7B1f%7D/pullrequests?{ALL_STATES}&q=updated_on >= 2025-12-31T23:00:00.000000+00:00&sort=id&pagelen=50&fields={ENVELOPE},values.id,values.updated_on (PullRequests to visit; id > last seen)\nGET /repositories/acme/%7B1f%7D/pullrequests/{{pull_request}}/comments?q=updated_on > 2026-01-01T00:00:00.000000+00:00&sort=id&pagelen=100&fields={ENVELOPE},values.id,values.deleted (rows; id > last seen)\nUpdatedOn > '2026-01-01T00:00:00Z' Exact\nordered=false limited=false AtLeast(1)"),
        ),
        (
            "unless it is named",
            Ask::new("PullRequestComments", &["Id"])
                .scope(ScopeKind::Repository, "api")
                .filter("PullRequestId", Eq, &[Literal::Int(5)])
                .filter("UpdatedOn", Gt, &[time("2026-01-01T00:00:00Z")])
                .shown(),
            format!("GET /repositories/acme/%7B1f%7D/pullrequests/5/comments?q=updated_on > 2026-01-01T00:00:00.000000+00:00&sort=id&pagelen=100&fields={ENVELOPE},values.id,values.deleted (rows; id > last seen)\nPullRequestId = 5 Exact\nUpdatedOn > '2026-01-01T00:00:00Z' Exact\nordered=false limited=false AtLeast(1)"),
        ),
        (
            "a commit whose date is wanted is asked for by its hash",
            Ask::new("CommitStatuses", &["CommitDate", "Key"])
                .scope(ScopeKind::Repository, "api")
                .filter("CommitHash", Eq, &[text(HASH)])
                .shown(),
            format!("GET /repositories/acme/%7B1f%7D/commits?include={HASH}&pagelen=1&fields={ENVELOPE},values.hash,values.date (Commits to visit; one page each)\nGET /repositories/acme/%7B1f%7D/commit/{{commit}}/statuses?sort=created_on&pagelen=100&fields={ENVELOPE},values.key (rows; next link)\nCommitHash = '{HASH}' Kept\nordered=false limited=false AtLeast(1)"),
        ),
        (
            "members of the parents' rows cost nothing more",
            Ask::new("PullRequestReviewers", &["DisplayName"]).scope(ScopeKind::Repository, "api").shown(),
            format!("GET /repositories/acme/%7B1f%7D/pullrequests?{ALL_STATES}&sort=id&pagelen=50&fields={ENVELOPE},values.id,values.updated_on,values.reviewers (PullRequests that hold the rows; id > last seen)\nordered=false limited=false AtLeast(1)"),
        ),
        (
            "what changed is what the parents say",
            Ask::new("PullRequestComments", &["Id"]).scope(ScopeKind::Repository, "api").shown_as(Purpose::Changes),
            format!("GET /repositories/acme/%7B1f%7D/pullrequests?{ALL_STATES}&q=updated_on >= last mark less 60 min&sort=updated_on&pagelen=50&fields={ENVELOPE},values.id,values.updated_on (PullRequests to visit; updated_on >= last seen, doubles dropped)\nGET /repositories/acme/%7B1f%7D/pullrequests/{{pull_request}}/comments?sort=id&pagelen=100&fields={ENVELOPE},values.id,values.deleted (rows; id > last seen)\nordered=false limited=false AtLeast(1)"),
        ),
        (
            "some parents are visited on each run",
            Ask::new("PullRequestStatuses", &["Key"]).scope(ScopeKind::Repository, "api").shown_as(Purpose::Changes),
            format!("GET /repositories/acme/%7B1f%7D/pullrequests?{ALL_STATES}&q=updated_on >= last mark less 10080 min&sort=updated_on&pagelen=50&fields={ENVELOPE},values.id,values.updated_on (PullRequests to visit; updated_on >= last seen, doubles dropped)\nGET /repositories/acme/%7B1f%7D/pullrequests?state=OPEN&q=state IN (\"OPEN\")&sort=id&pagelen=50&fields={ENVELOPE},values.id,values.updated_on (PullRequests visited on each run; id > last seen)\nGET /repositories/acme/%7B1f%7D/pullrequests/{{pull_request}}/statuses?sort=created_on&pagelen=100&fields={ENVELOPE},values.key (rows; next link)\nordered=false limited=false AtLeast(1)"),
        ),
        (
            "projects are listed first",
            Ask::new("ProjectUserPermissions", &["Permission"]).shown_as(Purpose::Listing),
            format!("GET /workspaces/acme (look-up of workspace, once a script; )\nGET /workspaces/acme/projects?sort=created_on&pagelen=100&fields={ENVELOPE},values.uuid,values.key,values.created_on (Projects to visit; created_on >= last seen, doubles dropped)\nGET /workspaces/acme/projects/{{project}}/permissions-config/users?pagelen=100&fields={ENVELOPE},values.permission,values.user.uuid (rows; next link)\nordered=false limited=false AtLeast(2)"),
        ),
        (
            "a feed is followed back to what is known",
            Ask::new("Pipelines", &["UUID"]).scope(ScopeKind::Repository, "api").shown_as(Purpose::Changes),
            "GET /repositories/acme/%7B1f%7D/pipelines/?sort=-created_on&pagelen=100 (rows; next page's number, until CreatedOn < last mark less 60 min)\nordered=false limited=false AtLeast(1)".to_owned(),
        ),
        (
            "the branches say which commits are new",
            Ask::new("Commits", &["Hash"]).scope(ScopeKind::Repository, "api").shown_as(Purpose::Changes),
            format!("GET /repositories/acme/%7B1f%7D/refs/branches?sort=name&pagelen=100&fields={ENVELOPE},values.name,values.target.hash (Branches, whose heads tell what is new; next link)\nGET /repositories/acme/%7B1f%7D/commits?include=new heads&exclude=heads known before&pagelen=100&fields={ENVELOPE},values.hash (rows; next link)\nordered=false limited=false AtLeast(1)"),
        ),
        (
            "one object a repository",
            Ask::new("BranchingModel", &["DevelopmentName"]).scope(ScopeKind::Repository, "api").shown(),
            "GET /repositories/acme/%7B1f%7D/branching-model?fields=development.name (rows; one page)\nordered=false limited=false Exactly(1)".to_owned(),
        ),
    ];
    let mut wrong = String::new();
    for (name, actual, expected) in cases {
        if actual != expected {
            let _ = writeln!(
                wrong,
                "{name}\n--- is\n{actual}\n--- should be\n{expected}\n"
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn what_cannot_be_planned() {
    let nowhere = Access {
        workspace: None,
        ..ACCESS
    };
    let planned = |ask: Ask, access| plan(ask.request, access, None).map(|_| ()).unwrap_err();
    let error = planned(Ask::new("Issues", &["Id"]), nowhere);
    assert_eq!(error.code(), "BL4001");
    assert!(error.hint().unwrap().contains("Workspace"));
    let error = planned(
        Ask::new("Workspaces", &["Slug"]).scope(ScopeKind::Project, "API"),
        ACCESS,
    );
    assert_eq!(error.code(), "BL4002");
    let mut ask = Ask::new("Issues", &["Id"]);
    ask.request.columns.push(999);
    assert_eq!(planned(ask, ACCESS).code(), "BL4003");
    assert!(plan(Ask::new("Workspaces", &["*"]).request, nowhere, None).is_ok());
}

/// What is no user's has nothing to list.
#[test]
fn a_credential_of_no_user_asks_for_its_workspace_alone() {
    let access = Access {
        of_user: false,
        ..ACCESS
    };
    let ask = Ask::new("Workspaces", &["Slug"]).filter("Slug", Operator::Eq, &[text("acme")]);
    let plan = plan(ask.request, access, None).unwrap();
    let paths: Vec<_> = plan.requests.iter().map(|request| &*request.path).collect();
    assert_eq!(paths, ["/workspaces/acme"]);
    assert_eq!(plan.estimate, Estimate::Exactly(1));
    assert_eq!(plan.predicates[0].pushdown, Pushdown::Kept);
}

#[test]
fn conditions_do_not_make_an_address_too_long() {
    let names: Vec<_> = (0..10).map(|n| text(&format!("{n}").repeat(400))).collect();
    let mut ask = Ask::new("Issues", &["Id"]);
    for name in names {
        ask = ask.filter("Title", Operator::Eq, &[name]);
    }
    ask = ask.filter("Kind", Operator::Eq, &[text("bug")]);
    let plan = plan(ask.request, ACCESS, None).unwrap();
    let kept = |planned: &&PlannedPredicate| planned.pushdown == Pushdown::Kept;
    assert_eq!(plan.predicates.iter().filter(kept).count(), 1);
    assert_eq!(
        plan.predicates[10].pushdown,
        Pushdown::Exact,
        "it still fits"
    );
    let rows = plan.requests.last().unwrap();
    let q = rows.parameters.iter().find(|one| one.name == "q").unwrap();
    assert!(query::segment(&q.value).len() < CONDITION_LIMIT + 200);
}
