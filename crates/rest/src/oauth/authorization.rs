//! Asking a user for access, and what comes back.

use std::fmt;

use oauth2::{CsrfToken, PkceCodeVerifier};
use secrecy::SecretString;
use url::Url;

/// A sign-in that was begun: the page on which a user allows it, and what tells the answer to it
/// from others.
pub struct Authorization {
    pub(super) url: Url,
    pub(super) state: CsrfToken,
    pub(super) verifier: PkceCodeVerifier,
}

impl Authorization {
    /// The page to open.
    pub fn url(&self) -> &Url {
        &self.url
    }
}

/// Without the state, which whoever knows it could answer with.
impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorization").finish_non_exhaustive()
    }
}

/// What the OAuth server sends back by way of the browser (RFC 6749, section 4.1.2).
pub(super) struct Returned {
    pub(super) state: Option<CsrfToken>,
    /// The code, or what the server says against it.
    pub(super) outcome: Result<SecretString, String>,
}

impl Returned {
    /// From a query string; `None` if there is neither a code nor an error in it.
    pub(super) fn from_query(query: &str) -> Option<Returned> {
        let value = |name: &str| {
            url::form_urlencoded::parse(query.as_bytes())
                .find(|(key, value)| key == name && !value.is_empty())
                .map(|(_, value)| value.into_owned())
        };
        let outcome = match (value("error"), value("code")) {
            (Some(error), _) => Err(match value("error_description") {
                Some(description) => plain(&format!("{description} ({error})")),
                None => plain(&error),
            }),
            (None, Some(code)) => Ok(code.into()),
            (None, None) => return None,
        };
        Some(Returned {
            state: value("state").map(CsrfToken::new),
            outcome,
        })
    }

    /// From what a user copied: the browser's whole address, its query, or the code alone.
    pub(super) fn from_pasted(text: &str) -> Option<Returned> {
        let text = text.trim();
        if let Some((_, query)) = text.split_once('?') {
            return Returned::from_query(query.split('#').next().unwrap_or(query));
        }
        if text.contains('=')
            && let Some(returned) = Returned::from_query(text)
        {
            return Some(returned);
        }
        let plain = !text.is_empty() && !text.contains(char::is_whitespace);
        plain.then(|| Returned {
            state: None,
            outcome: Ok(text.into()),
        })
    }
}

/// Anybody can make an address: what it says is shown on one line.
fn plain(text: &str) -> String {
    text.replace(char::is_control, " ")
}
