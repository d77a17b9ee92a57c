//! A stateful imitation of Bitbucket Cloud's REST API to try and test against.
//!
//! It is true rather than kind: what it answers comes from the published specification and from
//! recorded behaviour, bugs included, and it shares no code with any client.
//!
//! ```no_run
//! # async fn example() -> Result<(), bucketline_sandbox::Error> {
//! use bucketline_sandbox::{Change, Config, IssueEdit, Kind, Sandbox};
//!
//! let sandbox = Sandbox::start(Config::default()).await?;
//! println!("{}", sandbox.base_url());
//! sandbox.apply(Change::UpdateIssue {
//!     repository: "acme/api".to_owned(),
//!     id: 7,
//!     edit: IssueEdit { title: Some("New".to_owned()), ..IssueEdit::default() },
//! })?;
//! let truth = sandbox.snapshot(Kind::Issues, "acme");
//! # Ok(())
//! # }
//! ```
//!
//! # What it serves
//!
//! Under `/2.0`: `user`, `user/workspaces`, `user/workspaces/{workspace}/permission` and
//! `/permissions/repositories`,
//! `workspaces/{workspace}`, its `projects` and each project, `repositories/{workspace}`, each
//! repository, and its `refs/branches`, `pullrequests` and `issues`, as lists and one by one. Calls
//! that the service removed answer 410; so do issues once [`Day::AfterRemoval`] is played. And
//! below these, with the places in the path left out where they are clear:
//!
//! | below | |
//! |---|---|
//! | a workspace | `members`, `permissions`, `permissions/repositories` and that of each, `hooks`, `pipelines-config/variables` and `/runners` |
//! | a project | `permissions-config/users` and `/groups`, `default-reviewers`, `deploy-keys` |
//! | a repository | `refs/tags`, `commits` (also by POST), `diffstat/{spec}`, `src/{commit}/{path}`, `pullrequests/activity`, `default-reviewers`, `effective-default-reviewers`, `watchers`, `forks`, `downloads`, `hooks`, `deploy-keys`, `branch-restrictions`, `branching-model`, its `settings`, `effective-branching-model`, `override-settings`, `permissions-config/users` and `/groups` |
//! | its pipelines | `pipelines/`, their `steps/`, `deployments/`, `environments`, their `variables`, `pipelines_config`, its `schedules` and `variables`, `pipelines-config/runners` |
//! | a commit | itself, `comments`, `statuses`, `reports`, their `annotations`, `pullrequests` |
//! | a pull request | `comments`, `tasks`, `activity`, `commits`, `statuses`, `diffstat` (302) |
//! | an issue tracker | `components`, `milestones`, `versions`; of issues `comments`, `changes`, `attachments` |
//! | `snippets/{workspace}` | each snippet, its `comments` and `commits` |
//!
//! # Credentials
//!
//! By default each of the workspaces `acme` and `globex` has two, all obviously fake:
//!
//! | kind | user name | secret |
//! |---|---|---|
//! | API token, HTTP Basic | `user1@acme.example` | `sandbox-api-token-acme` |
//! | workspace access token, Bearer | | `sandbox-access-token-acme` |
//!
//! Access tokens cannot have an issue scope: issues answer 403 to them, as they did.
//!
//! Each workspace also has an OAuth consumer with key `sandbox-key-acme`, secret
//! `sandbox-consumer-secret-acme` and the callback `http://localhost:33333`. Its page is
//! `/site/oauth2/authorize`, its tokens come from `/site/oauth2/access_token`: access tokens of
//! 2,600 characters for two hours, and refresh tokens that die ten minutes after their first use,
//! or after three months without one. [`Change::SetConsent`] makes the page answer by itself, and
//! [`Change::AdvanceClock`] makes tokens old.
//!
//! # Data
//!
//! Everything follows from the seed. Issues and pull requests are computed when they are read; what
//! is held is an index of 24 bytes each and the objects that were changed. What is below them
//! follows from the parent; a list is held once something in it was changed. Commits follow from the
//! pull requests: their destination commits and merges are the main line. Two pipelines of each
//! repository are unfinished when the clock starts, and end as it goes on.
//!
//! # Changing it while it runs
//!
//! [`Sandbox::apply`], [`Sandbox::on_page`] and [`Sandbox::fault`] in the same process; from another
//! one, without credentials:
//!
//! | request | body | |
//! |---|---|---|
//! | `POST /_sandbox/changes` | a [`Change`] or a list | applies in order, answers a list of [`Applied`] |
//! | `POST /_sandbox/hooks` | a [`Hook`] or a list | `DELETE` removes all |
//! | `POST /_sandbox/faults` | a [`Fault`] or a list | `DELETE` removes all |
//! | `GET /_sandbox/requests` | | list of [`Logged`]; `DELETE` empties the log |
//! | `GET /_sandbox/requests/count?path=PATTERN` | | `{"count": n}` |
//! | `GET /_sandbox/snapshot/{workspace}/{kind}` | | one [`Snapshot`] a line |
//! | `GET /_sandbox/clock` | | `{"now": "..."}` |
//! | `PUT /_sandbox/latency` | `{"millis": n}` | |
//!
//! # Patterns
//!
//! Faults, hooks and counters name requests by a pattern of the path as sent, such as
//! `/2.0/repositories/acme/*/issues`: `*` stands for any text, and a pattern that has a `?` is held
//! against path and query. Links to further pages of `repositories/{workspace}` name the workspace
//! by its UUID, as the service's do.

//!
//! # What is inferred
//!
//! Nobody recorded these, so a client should not lean on them: the message of a `q` that cannot be
//! parsed (`Invalid query: ...`) or holds a value of the wrong type or one that an enumeration lacks;
//! `Invalid state` and `Invalid role`; the texts for a missing issue, branch or project; that nothing
//! is left at a workspace's former slug; that every other object has no member at all for a deleted
//! account, where the rest have `null`; that `!=` and
//! `!~` match null, that nulls sort last, and that equal keys sort in no useful order; that a page
//! beyond the end is empty; the default order of lists (as the rows lie: a changed one moves to the
//! end); that `/user` and what is under it answer an access token with 403 without the scope
//! `account` and with 401 otherwise; the values of `X-Credential-Type` and `X-RateLimit-Resource`,
//! and that `X-RateLimit-NearLimit` turns true at a fifth of the limit. Of OAuth: that a PKCE
//! challenge, if one was sent, is checked; that a code lives ten minutes; that an access token
//! outlives the refresh token it came with; the words of refusals other than `Unsupported grant
//! type: None`; and what `/user` shows of an `app_user`, which `/user/workspaces` answers with 401.
//! Further: that lists of which nothing is known ignore `q` and `sort`; the texts of 404 where
//! pipelines are off and of 555; that tasks move their pull request, and comments their issue, as
//! comments of pull requests are known to; that pull requests closed with their source branch, and
//! those of a deleted fork, list no commits; that a commit which no branch, tag or pull request
//! leads to is gone at once; that feeds and commits of snippets are walked by tokens; that nobody
//! but users is a member, reviews by default, watches or has permissions; and that access tokens
//! see what administrators see where they have the scope, but never permissions and deploy keys.
//!
//! Not imitated: adding fields to an embedded object with `fields` beyond those it is embedded with
//! (`+values.destination.repository.owner`), and writing through the API. Generated pull requests
//! come from branches that `refs/branches` does not list. `q=user.email` on members, `role` on
//! forks, file contents (a few lines made up) and `diff`, `patch` and logs.

mod api;
mod clock;
mod config;
mod connection;
mod control;
mod error;
mod faults;
mod hooks;
mod http;
mod journal;
mod json;
mod kind;
mod oauth;
mod pattern;
mod query;
mod sandbox;
mod server;
mod snapshot;
mod world;

pub use clock::Clock;
pub use config::{Config, Count, Credential, CredentialKind, Day, Index, WorkspaceConfig};
pub use error::Error;
pub use faults::{Fault, FaultKind, RetryAfter};
pub use hooks::Hook;
pub use journal::Logged;
pub use kind::Kind;
pub use oauth::{Consent, Consumer, Renewal};
pub use sandbox::Sandbox;
pub use snapshot::Snapshot;
pub use world::change::{Applied, Change, IssueEdit, PullRequestEdit};
