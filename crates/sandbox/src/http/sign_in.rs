//! Who calls, and what they may do.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::reply::Reply;
use super::request::Request;
use crate::config::CredentialKind;
use crate::world::repository::Repository;
use crate::world::{Holder, World};

/// The caller of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Caller<'a> {
    Anonymous,
    Known(&'a Holder),
}

/// The scope a call needs, in both styles.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scope {
    /// Of API tokens. These imply nothing.
    pub(crate) new: &'static str,
    /// Of access tokens; empty where none is needed.
    pub(crate) old: &'static str,
}

pub(crate) const USER: Scope = Scope {
    new: "read:user:bitbucket",
    old: "account",
};
pub(crate) const MEMBERSHIP: Scope = Scope {
    new: "read:workspace:bitbucket",
    old: "account",
};
pub(crate) const WORKSPACE: Scope = Scope {
    new: "read:workspace:bitbucket",
    old: "",
};
pub(crate) const PROJECT: Scope = Scope {
    new: "read:project:bitbucket",
    old: "project",
};
pub(crate) const REPOSITORY: Scope = Scope {
    new: "read:repository:bitbucket",
    old: "repository",
};
pub(crate) const PULL_REQUEST: Scope = Scope {
    new: "read:pullrequest:bitbucket",
    old: "pullrequest",
};
pub(crate) const ISSUE: Scope = Scope {
    new: "read:issue:bitbucket",
    old: "issue",
};

/// What each old-style scope brings along, directly.
const IMPLIED: &[(&str, &str)] = &[
    ("project", "repository"),
    ("pullrequest", "repository"),
    ("repository:write", "repository"),
    ("pullrequest:write", "pullrequest"),
    ("pullrequest:write", "repository:write"),
    ("issue:write", "issue"),
    ("account:write", "account"),
    ("pipeline:write", "pipeline"),
    ("pipeline:variable", "pipeline:write"),
    ("runner:write", "runner"),
];

impl Scope {
    fn granted(self, holder: &Holder) -> bool {
        let scopes = &holder.credential.scopes;
        match holder.credential.kind {
            CredentialKind::ApiToken { .. } => scopes.iter().any(|scope| scope == self.new),
            _ => self.old.is_empty() || scopes.iter().any(|scope| implies(scope, self.old)),
        }
    }

    /// The scope's name in the caller's style.
    pub(crate) fn name(self, caller: Caller<'_>) -> &'static str {
        match caller {
            Caller::Known(Holder { credential, .. })
                if matches!(credential.kind, CredentialKind::ApiToken { .. }) =>
            {
                self.new
            }
            _ => self.old,
        }
    }
}

fn implies(scope: &str, wanted: &str) -> bool {
    scope == wanted
        || IMPLIED
            .iter()
            .any(|(from, to)| *from == scope && implies(to, wanted))
}

/// Finds who calls. Wrong credentials are 401; none at all are a caller, too.
///
/// API tokens are taken as HTTP Basic with the e-mail only: the user name in its place, an app
/// password, and the token as Bearer were all measured to answer 401. A token in the query is
/// refused, whatever else comes with it.
pub(crate) fn sign_in<'a>(world: &'a World, request: &Request) -> Result<Caller<'a>, Reply> {
    if request.parameter("access_token").is_some() {
        return Err(Reply::unauthorized());
    }
    let Some(authorization) = request.authorization.as_deref() else {
        return Ok(Caller::Anonymous);
    };
    let (scheme, value) = authorization.split_once(' ').unwrap_or((authorization, ""));
    let (email, secret) = if scheme.eq_ignore_ascii_case("basic") {
        let decoded = STANDARD.decode(value.trim()).unwrap_or_default();
        let decoded = String::from_utf8(decoded).unwrap_or_default();
        let Some((email, secret)) = decoded.split_once(':') else {
            return Err(Reply::unauthorized());
        };
        (Some(email.to_owned()), secret.to_owned())
    } else if scheme.eq_ignore_ascii_case("bearer") {
        (None, value.trim().to_owned())
    } else {
        return Err(Reply::unauthorized());
    };
    if let (None, Some(place)) = (&email, world.oauth.holder(&secret, world.now())) {
        let holder = &world.credentials[place];
        return if holder.revoked {
            Err(Reply::unauthorized())
        } else {
            Ok(Caller::Known(holder))
        };
    }
    world
        .credentials
        .iter()
        .find(|holder| {
            let credential = &holder.credential;
            let fits = match &credential.kind {
                CredentialKind::ApiToken { email: wanted } => email
                    .as_ref()
                    .is_some_and(|email| email.eq_ignore_ascii_case(wanted)),
                CredentialKind::ConsumerUser { .. } | CredentialKind::ConsumerApp { .. } => false,
                _ => email.is_none(),
            };
            fits && !holder.revoked && credential.secret == secret
        })
        .map(Caller::Known)
        .ok_or_else(Reply::unauthorized)
}

impl Caller<'_> {
    /// The name in the request log.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Anonymous => "anonymous",
            Self::Known(holder) => &holder.credential.name,
        }
    }

    /// Who shares the caller's rate limit: tokens of one user share theirs, and all of a consumer's.
    pub(crate) fn limit_holder(&self) -> &str {
        match self {
            Self::Anonymous => "anonymous",
            Self::Known(holder) => match &holder.credential.kind {
                CredentialKind::ApiToken { email } => email,
                CredentialKind::ConsumerUser { consumer }
                | CredentialKind::ConsumerApp { consumer } => consumer,
                _ => &holder.credential.name,
            },
        }
    }

    /// Whether the caller is an access token rather than a person or a consumer.
    pub(crate) fn is_access_token(&self) -> bool {
        matches!(self, Self::Known(holder) if matches!(
            holder.credential.kind,
            CredentialKind::WorkspaceToken
                | CredentialKind::ProjectToken { .. }
                | CredentialKind::RepositoryToken { .. }
        ))
    }

    /// 403 naming the scopes, if the caller lacks the one needed.
    pub(crate) fn require(&self, scope: Scope) -> Result<(), Reply> {
        match self {
            Self::Known(holder) if !scope.granted(holder) => Err(Reply::envelope(
                403,
                json!({
                    "message": "Your credentials lack one or more required privilege scopes.",
                    "detail": {
                        "granted": holder.credential.scopes,
                        "required": [scope.name(*self)],
                    },
                }),
            )),
            _ => Ok(()),
        }
    }

    /// Whether the caller belongs to the workspace at `place`.
    pub(crate) fn member_of(&self, place: usize) -> bool {
        matches!(self, Self::Known(holder) if holder.workspaces.contains(&place))
    }

    /// Whether the caller sees a repository.
    pub(crate) fn sees(&self, world: &World, repository: &Repository) -> bool {
        if !repository.present() {
            return false;
        }
        match self {
            Self::Known(holder) if holder.workspaces.contains(&repository.workspace) => {
                match &holder.only {
                    None => true,
                    Some(only) => {
                        *only == repository.uuid || *only == world.project_of(repository).uuid
                    }
                }
            }
            _ => !repository.is_private,
        }
    }

    /// `X-Credential-Type`, where there is a credential.
    pub(crate) fn credential_type(&self) -> Option<&'static str> {
        match self {
            Self::Anonymous => None,
            Self::Known(holder) => Some(match holder.credential.kind {
                CredentialKind::ApiToken { .. } => "apitoken",
                CredentialKind::WorkspaceToken => "workspaceaccesstoken",
                CredentialKind::ProjectToken { .. } => "projectaccesstoken",
                CredentialKind::RepositoryToken { .. } => "repoaccesstoken",
                CredentialKind::ConsumerUser { .. } | CredentialKind::ConsumerApp { .. } => {
                    "oauth2"
                }
            }),
        }
    }
}
