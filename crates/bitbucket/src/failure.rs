//! From failed requests to errors that say whose data could not be read, and why.

use std::fmt::Display;

use bucketline_core::code::bitbucket as code;
use bucketline_rest::{Error as RestError, ErrorKind as RestKind};
use bucketline_source::{Error, TableSpec};

/// What was being read, for messages.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// The table, or what else it was: `look-up of repository`.
    pub(crate) what: String,
    /// Where: `acme/api`, or the workspace.
    pub(crate) label: String,
}

impl Place {
    pub(crate) fn new(what: impl Into<String>, label: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            label: label.into(),
        }
    }

    /// Says that a repository of that name is not there.
    pub(crate) fn absent(&self) -> String {
        let Self { label, .. } = self;
        format!("there is no repository {label}, or this credential may not see it")
    }

    /// The error of a list that cannot be followed to its end.
    pub(crate) fn stuck(&self, why: impl Display) -> Error {
        let Self { what, label } = self;
        let message = format!("{what} of {label} cannot be read on: {why}");
        Error::new(code::CANNOT_READ_ON, message)
    }

    /// The error of a list that has no address.
    pub(crate) fn unasked(&self, why: impl Display) -> Error {
        let Self { what, label } = self;
        let message = format!("{what} of {label} cannot be asked for: {why}");
        Error::new(code::CANNOT_READ_ON, message)
    }

    /// Says that the name is a former one.
    pub(crate) fn renamed(&self) -> String {
        let Self { label, .. } = self;
        format!("there is no repository {label} any more: it has another name now")
    }
}

/// Why a request of a slice gave no rows.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The table does not exist in this slice.
    NotApplicable(String),
    /// There is no repository of the name that the statement uses.
    Absent(String),
    /// The service failed with 500, as it does when it sorts too much.
    Overwhelmed(Error),
    /// Anything else.
    Error(Error),
}

impl Failure {
    pub(crate) fn into_error(self) -> Error {
        match self {
            Self::NotApplicable(why) | Self::Absent(why) => Error::new(code::NOT_FOUND, why),
            Self::Overwhelmed(error) | Self::Error(error) => error,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// What a failed request about a table's rows means for its slice.
pub(crate) fn failure(error: RestError, table: &TableSpec, place: &Place) -> Failure {
    let message = error
        .problem()
        .map_or("", |problem| problem.message.as_str());
    if error.kind() == RestKind::NotFound && message.to_lowercase().contains("issue tracker") {
        return Failure::NotApplicable(format!("{} has no issue tracker", place.label));
    }
    if let (Some(absent), Some(status)) = (&table.absent, error.status())
        && absent.statuses.contains(&status)
    {
        return Failure::NotApplicable(format!("{} {}", place.label, absent.why));
    }
    let overwhelmed = error.status() == Some(500);
    let error = explain(error, place, Some(table));
    if overwhelmed {
        Failure::Overwhelmed(error)
    } else {
        Failure::Error(error)
    }
}

/// What the service said is not there.
pub(crate) fn missing(error: &Error) -> Vec<String> {
    let cause =
        std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<RestError>());
    let problem = cause.and_then(RestError::problem);
    problem.map_or_else(Vec::new, |problem| problem.missing.clone())
}

/// The HTTP status that an error of this crate comes from.
pub(crate) fn status(error: &Error) -> Option<u16> {
    let cause = std::error::Error::source(error)?;
    cause.downcast_ref::<RestError>()?.status()
}

/// The error for people. Kinds and codes follow the status first: the service's texts may be
/// localized.
pub(crate) fn explain(error: RestError, place: &Place, table: Option<&TableSpec>) -> Error {
    let Place { what, label } = place;
    let subject = format!("{what} of {label}");
    let problem = error.problem().cloned().unwrap_or_default();
    let said = if problem.message.is_empty() {
        String::new()
    } else {
        format!(": {}", problem.message.trim_end_matches('.'))
    };
    let detailed = match &problem.detail {
        Some(detail) if *detail != problem.message => {
            format!("{said}: {}", detail.trim_end_matches('.'))
        }
        _ => said.clone(),
    };
    let hint = error.hint();
    let (code, message, own_hint) = match error.kind() {
        RestKind::Unauthorized => (
            error.code(),
            format!("Bitbucket does not accept the credential ({subject}){said}"),
            Some("check the token and its expiry; an API token goes with the account's e-mail address, an access token alone".to_owned()),
        ),
        RestKind::Forbidden if !problem.required_scopes.is_empty() => {
            let mut missing: Vec<_> = problem.missing_scopes().collect();
            if missing.is_empty() {
                missing = problem.required_scopes.iter().map(String::as_str).collect();
            }
            (
                code::MISSING_SCOPE,
                format!("the credential lacks the scope {} for {what}", missing.join(", ")),
                Some(scope_hint(table, &missing)),
            )
        }
        RestKind::Forbidden => (
            code::FORBIDDEN,
            format!("{subject} may not be read with this credential{said}"),
            Some(format!("ask an administrator of {label} for access")),
        ),
        RestKind::NotFound => (
            code::NOT_FOUND,
            format!("{subject} was not found{said}"),
            Some("it does not exist, or this credential may not see it: Bitbucket answers the same".to_owned()),
        ),
        RestKind::Gone => return gone(error, place, table, &problem),
        RestKind::RateLimited | RestKind::BudgetWait => {
            (
                error.code(),
                format!("{error} ({subject})"),
                Some("run it later, or change the connection's RequestsPerHour or MaxWait".to_owned()),
            )
        }
        RestKind::BadRequest => (
            code::REJECTED,
            format!("Bitbucket rejected the request for {subject}{detailed}"),
            None,
        ),
        RestKind::Unreachable => (
            error.code(),
            format!("Bitbucket cannot be reached ({subject}): {error}"),
            None,
        ),
        // Every request would get these, so what it was for does not matter.
        RestKind::NotSignedIn
        | RestKind::SignInEnded
        | RestKind::SignInDenied
        | RestKind::ForeignState
        | RestKind::SignInTimeout
        | RestKind::ConsumerRefused
        | RestKind::CodeRefused => {
            (error.code(), error.to_string(), None)
        }
        RestKind::InsecureScheme
        | RestKind::InvalidUrl
        | RestKind::InvalidCredential
        | RestKind::RetiredCredential
        | RestKind::InvalidConfig
        | RestKind::CallbackPort
        | RestKind::TokenFile
        | RestKind::ForeignTokens
        | RestKind::State => {
            (error.code(), format!("{error} ({subject})"), None)
        }
        _ => (error.code(), format!("{subject}: {error}"), None),
    };
    let retry_at = error.retry_at();
    let mapped = Error::new(code, message).with_source(error);
    let mapped = match retry_at {
        Some(moment) => mapped.with_retry_at(moment),
        None => mapped,
    };
    match own_hint.or(hint) {
        Some(hint) => mapped.with_hint(hint),
        None => mapped,
    }
}

/// The service's own word on what is missing goes first: the table's scopes are of the other style, or for all of it.
fn scope_hint(table: Option<&TableSpec>, missing: &[&str]) -> String {
    let named = missing.join(", ");
    match table {
        Some(table)
            if !missing.contains(&&*table.scopes.token)
                && !missing.contains(&&*table.scopes.oauth) =>
        {
            format!("make a token with {named}; scopes of an existing token cannot be changed")
        }
        Some(table) => format!(
            "make a token with {} (API token) or {} (access token, OAuth consumer); scopes of an existing token cannot be changed",
            table.scopes.token, table.scopes.oauth
        ),
        None => format!("make a token with {named}"),
    }
}

fn gone(
    error: RestError,
    Place { what, label }: &Place,
    table: Option<&TableSpec>,
    problem: &bucketline_rest::Problem,
) -> Error {
    let Some(change) = &problem.change else {
        let message = if problem.message.is_empty() {
            format!("{what} of {label} is gone (410)")
        } else {
            format!("{what} of {label} is gone (410): {}", problem.message)
        };
        // Another workspace or repository may well answer.
        return Error::new(code::GONE, message)
            .with_hint(
                "the workspace was deleted or its account is blocked; rows replicated before stay",
            )
            .with_source(error);
    };
    let removal = table
        .and_then(|table| table.removed.as_ref())
        .filter(|removal| removal.change == *change);
    // Every repository would get this answer, so none is named.
    let mut message = format!("Bitbucket Cloud removed {what}");
    if let Some(removal) = removal {
        message.push_str(&format!(" on {}", removal.since));
    }
    message.push_str(&format!(" ({change})"));
    let mut hint = removal
        .map_or("rows replicated before stay as they are.", |removal| {
            removal.instead.as_str()
        })
        .to_owned();
    if let Some(address) = &problem.announcement {
        hint.push_str(&format!(" See {address}"));
    }
    Error::new(code::REMOVED, message)
        .with_hint(hint)
        .with_source(error)
}
