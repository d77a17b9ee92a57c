//! Signing in and out, accounts, API tokens.

use axum::extract::State;
use axum::http::header::{ETAG, LOCATION, SET_COOKIE, USER_AGENT};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use bucketline_app::people::{
    Account, AccountEntry, ApiToken, Caller, Claimant, Means, Right, Role, SESSION_LONGEST,
};
use bucketline_app::{AccountId, Revision, TokenId};
use bucketline_core::{Error, code};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::application::Application;
use crate::caller;
use crate::gate::{Way, cookie, cookie_name};
use crate::problem::{Answer, ProblemDetails, Refused};
use crate::request::{Body, IfMatch, Path};

/// Who is signed in.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CallerView {
    /// The name.
    name: String,
    /// What they may do.
    role: Role,
    /// The account; absent for the token that `serve` printed.
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<AccountId>,
}

impl From<Caller> for CallerView {
    fn from(caller: Caller) -> Self {
        Self {
            name: caller.name,
            role: caller.role,
            account: caller.account,
        }
    }
}

/// A name and a password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignIn {
    /// The account's name.
    name: String,
    /// Its password.
    password: String,
}

/// Sign in
///
/// The session is in a cookie. A session that the browser had before ends.
#[utoipa::path(post, path = "/api/v1/session", tag = "people", request_body = SignIn, security(()),
    responses((status = 200, body = CallerView, headers(("Set-Cookie" = String))), ProblemDetails))]
pub(crate) async fn sign_in(
    State(application): State<Application>,
    Extension(way): Extension<Way>,
    headers: HeaderMap,
    Body(request): Body<SignIn>,
) -> Answer<Response> {
    let before = cookie(&headers, &way);
    let claimant = claimant(&request.name, &request.password, &way, &headers);
    let signed_in = application.desk.sign_in(claimant, before.as_deref()).await;
    let (session, caller) = signed_in.map_err(|error| match error.code() {
        code::people::WRONG_PASSWORD => Refused::caller(error),
        _ => error.into(),
    })?;
    let longest = SESSION_LONGEST.num_seconds();
    let set = set_cookie(&way, session.reveal(), longest)?;
    Ok(([(SET_COOKIE, set)], Json(CallerView::from(caller))).into_response())
}

fn claimant<'a>(
    name: &'a str,
    password: &'a str,
    way: &'a Way,
    headers: &'a HeaderMap,
) -> Claimant<'a> {
    let agent = headers.get(USER_AGENT).and_then(|it| it.to_str().ok());
    Claimant {
        name,
        password,
        from: &way.from,
        agent: agent.unwrap_or_default(),
    }
}

fn set_cookie(way: &Way, value: &str, seconds: i64) -> Answer<HeaderValue> {
    let secure = match way.is_secure {
        true => "; Secure",
        false => "",
    };
    let name = cookie_name(way);
    let text =
        format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}");
    let mut header = HeaderValue::from_str(&text)
        .map_err(|_| Refused::malformed("the session cannot be put into a cookie"))?;
    header.set_sensitive(true);
    Ok(header)
}

/// Look who is signed in
#[utoipa::path(get, path = "/api/v1/session", tag = "people",
    responses((status = 200, body = CallerView), ProblemDetails))]
pub(crate) async fn who() -> Answer<Json<CallerView>> {
    Ok(Json(caller::needed()?.into()))
}

/// Sign out
///
/// Ends the session. A token stays as it is.
#[utoipa::path(delete, path = "/api/v1/session", tag = "people",
    responses((status = 204, headers(("Set-Cookie" = String))), ProblemDetails))]
pub(crate) async fn sign_out(
    State(application): State<Application>,
    Extension(way): Extension<Way>,
) -> Answer<Response> {
    let caller = caller::needed()?;
    if let Means::Session(hash) = &caller.means {
        let change = application.change().await?;
        let accounts = application.desk.accounts();
        accounts.end_session(hash, &change).await?;
    }
    let set = set_cookie(&way, "", 0)?;
    Ok((StatusCode::NO_CONTENT, [(SET_COOKIE, set)]).into_response())
}

/// A session of the caller.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SessionView {
    /// Where it was begun from.
    from: String,
    /// The browser, as it calls itself.
    agent: String,
    begun_at: DateTime<Utc>,
    seen_at: DateTime<Utc>,
    /// Whether it is the one that asks.
    is_this: bool,
}

/// List one's sessions
#[utoipa::path(get, path = "/api/v1/sessions", tag = "people",
    responses((status = 200, body = Vec<SessionView>), ProblemDetails))]
pub(crate) async fn sessions(
    State(application): State<Application>,
) -> Answer<Json<Vec<SessionView>>> {
    let caller = caller::needed()?;
    let Some(account) = caller.account else {
        return Ok(Json(Vec::new()));
    };
    let sessions = application.desk.accounts().sessions(account).await?;
    let views = sessions.into_iter().map(|session| SessionView {
        is_this: caller.means == Means::Session(session.hash),
        from: session.from,
        agent: session.agent,
        begun_at: session.begun_at,
        seen_at: session.seen_at,
    });
    Ok(Json(views.collect()))
}

/// The first account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SetUp {
    /// The token that `serve` prints while there is no account.
    token: String,
    /// The account's name.
    name: String,
    /// Its password, at least 10 characters.
    password: String,
}

/// Make the first account
///
/// It administers. The token ends after an hour or with its use.
#[utoipa::path(post, path = "/api/v1/set-up", tag = "people", request_body = SetUp, security(()),
    responses((status = 201, body = AccountView), ProblemDetails))]
pub(crate) async fn set_up(
    State(application): State<Application>,
    Extension(way): Extension<Way>,
    headers: HeaderMap,
    Body(request): Body<SetUp>,
) -> Answer<Response> {
    let claimant = claimant(&request.name, &request.password, &way, &headers);
    let made = application.desk.set_up(&request.token, claimant).await?;
    Ok(AccountView::of(made).response(StatusCode::CREATED))
}

/// An account.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AccountView {
    id: AccountId,
    /// What an edit gives as `If-Match`, in quotes.
    revision: Revision,
    created_at: DateTime<Utc>,
    changed_at: DateTime<Utc>,
    changed_by: String,
    #[serde(flatten)]
    account: Account,
    /// Whether it can sign in by a password.
    has_password: bool,
    /// When it signed in last.
    #[serde(skip_serializing_if = "Option::is_none")]
    signed_in_at: Option<DateTime<Utc>>,
}

impl AccountView {
    fn of(entry: AccountEntry) -> Self {
        let stored = entry.account;
        Self {
            id: stored.id,
            revision: stored.revision,
            created_at: stored.created_at,
            changed_at: stored.changed_at,
            changed_by: stored.changed_by,
            account: stored.value,
            has_password: entry.has_password,
            signed_in_at: entry.signed_in_at,
        }
    }

    fn response(self, status: StatusCode) -> Response {
        let tag = format!("\"{}\"", self.revision.0);
        let place = format!("/api/v1/accounts/{}", self.id);
        (status, [(ETAG, tag), (LOCATION, place)], Json(self)).into_response()
    }
}

/// An account to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewAccount {
    /// The account's name.
    name: String,
    /// What it may do.
    role: Role,
    /// Its password, at least 10 characters.
    password: String,
}

/// List accounts
#[utoipa::path(get, path = "/api/v1/accounts", tag = "people",
    responses((status = 200, body = Vec<AccountView>), ProblemDetails))]
pub(crate) async fn accounts(
    State(application): State<Application>,
) -> Answer<Json<Vec<AccountView>>> {
    let found = application.desk.accounts().accounts().await?;
    Ok(Json(found.into_iter().map(AccountView::of).collect()))
}

/// Create an account
#[utoipa::path(post, path = "/api/v1/accounts", tag = "people", request_body = NewAccount,
    responses((status = 201, body = AccountView, headers(("ETag" = String), ("Location" = String))), ProblemDetails))]
pub(crate) async fn create_account(
    State(application): State<Application>,
    Body(request): Body<NewAccount>,
) -> Answer<Response> {
    let account = Account {
        name: request.name,
        role: request.role,
        enabled: true,
    };
    let change = application.change().await?;
    let made = application
        .desk
        .create(&account, Some(&request.password), false, &change)
        .await?;
    Ok(AccountView::of(made).response(StatusCode::CREATED))
}

async fn find(application: &Application, id: i64) -> Answer<AccountEntry> {
    let found = application.desk.accounts().account(AccountId(id)).await?;
    found.ok_or_else(|| Refused::no("account", id))
}

/// Read an account
#[utoipa::path(get, path = "/api/v1/accounts/{id}", tag = "people", params(("id" = i64, Path)),
    responses((status = 200, body = AccountView, headers(("ETag" = String))), ProblemDetails))]
pub(crate) async fn read_account(
    State(application): State<Application>,
    Path(id): Path<i64>,
) -> Answer<Response> {
    let found = find(&application, id).await?;
    Ok(AccountView::of(found).response(StatusCode::OK))
}

/// Replace an account
///
/// If it may do less than before, or may not sign in, its sessions end. Somebody who administers must be left.
#[utoipa::path(put, path = "/api/v1/accounts/{id}", tag = "people", request_body = Account,
    params(("id" = i64, Path), ("If-Match" = String, Header, description = "The ETag that the edit was made from")),
    responses((status = 200, body = AccountView, headers(("ETag" = String))), ProblemDetails))]
pub(crate) async fn replace_account(
    State(application): State<Application>,
    Path(id): Path<i64>,
    if_match: IfMatch,
    Body(account): Body<Account>,
) -> Answer<Response> {
    let old = find(&application, id).await?.account;
    let change = application.change().await?;
    let revision = if_match.or(old.revision);
    let accounts = application.desk.accounts();
    let changed = accounts.replace_account(old.id, &account, revision, &change);
    Ok(AccountView::of(changed.await?).response(StatusCode::OK))
}

/// Delete an account
///
/// Its sessions and tokens end.
#[utoipa::path(delete, path = "/api/v1/accounts/{id}", tag = "people",
    params(("id" = i64, Path), ("If-Match" = String, Header, description = "The ETag that the edit was made from")),
    responses((status = 204), ProblemDetails))]
pub(crate) async fn delete_account(
    State(application): State<Application>,
    Path(id): Path<i64>,
    if_match: IfMatch,
) -> Answer<StatusCode> {
    let old = find(&application, id).await?.account;
    let change = application.change().await?;
    let revision = if_match.or(old.revision);
    let accounts = application.desk.accounts();
    accounts.delete_account(old.id, revision, &change).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Another password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPassword {
    /// The one so far. For one's own account it is needed.
    #[serde(default)]
    old: Option<String>,
    /// The new one, at least 10 characters.
    new: String,
}

/// Change a password
///
/// Of one's own account, or by somebody who administers. All other sessions of the account end.
#[utoipa::path(put, path = "/api/v1/accounts/{id}/password", tag = "people", request_body = NewPassword,
    params(("id" = i64, Path)), responses((status = 204), ProblemDetails))]
pub(crate) async fn change_password(
    State(application): State<Application>,
    Path(id): Path<i64>,
    Body(request): Body<NewPassword>,
) -> Answer<StatusCode> {
    let caller = caller::needed()?;
    let NewPassword { old, new } = request;
    application
        .desk
        .change_password(&caller, AccountId(id), old.as_deref(), &new)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// An API token to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenRequest {
    /// What it is for.
    name: String,
    /// What it may do at most; no more than the account.
    role: Role,
    /// Days until it ends, 1 to 366.
    #[schema(minimum = 1, maximum = 366)]
    days: u32,
}

/// An API token that was made.
#[derive(Serialize, ToSchema)]
pub(crate) struct MadeToken {
    /// The token itself. It is not shown again.
    token: String,
    #[serde(flatten)]
    entry: ApiToken,
}

/// List API tokens
///
/// One's own; those of all for somebody who administers.
#[utoipa::path(get, path = "/api/v1/tokens", tag = "people",
    responses((status = 200, body = Vec<ApiToken>), ProblemDetails))]
pub(crate) async fn tokens(State(application): State<Application>) -> Answer<Json<Vec<ApiToken>>> {
    let whose = whose()?;
    Ok(Json(application.desk.accounts().tokens(whose).await?))
}

/// Whose tokens the caller sees: those of all, or of an account.
fn whose() -> Answer<Option<AccountId>> {
    let caller = caller::needed()?;
    match (caller.role.may(Right::Administer), caller.account) {
        (true, _) => Ok(None),
        (false, Some(account)) => Ok(Some(account)),
        (false, None) => Err(Error::new(code::people::NO_RIGHT, "there is no account").into()),
    }
}

/// Create an API token
///
/// Of one's own account.
#[utoipa::path(post, path = "/api/v1/tokens", tag = "people", request_body = TokenRequest,
    responses((status = 201, body = MadeToken), ProblemDetails))]
pub(crate) async fn create_token(
    State(application): State<Application>,
    Body(request): Body<TokenRequest>,
) -> Answer<Response> {
    let caller = caller::needed()?;
    let TokenRequest { name, role, days } = request;
    let (token, entry) = application
        .desk
        .create_token(&caller, &name, role, days)
        .await?;
    let made = MadeToken {
        token: token.reveal().to_owned(),
        entry,
    };
    Ok((StatusCode::CREATED, Json(made)).into_response())
}

/// Delete an API token
///
/// One's own, or by somebody who administers.
#[utoipa::path(delete, path = "/api/v1/tokens/{id}", tag = "people", params(("id" = i64, Path)),
    responses((status = 204), ProblemDetails))]
pub(crate) async fn delete_token(
    State(application): State<Application>,
    Path(id): Path<i64>,
) -> Answer<StatusCode> {
    let whose = whose()?;
    if let Means::Token(own) = caller::needed()?.means
        && whose.is_some()
        && own != TokenId(id)
    {
        // A token has no other.
        return Err(Refused::no("token", id));
    }
    let change = application.change().await?;
    let accounts = application.desk.accounts();
    accounts.delete_token(TokenId(id), whose, &change).await?;
    Ok(StatusCode::NO_CONTENT)
}
