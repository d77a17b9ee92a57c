//! What a service says about a request that failed.

use reqwest::header::HeaderMap;

/// Reads a service's error answer: status, headers, body. Bodies may be anything, also plain text
/// or HTML, so a reader never fails; see [`Problem::from_text`] for the last resort.
pub type ProblemReader = fn(status: u16, headers: &HeaderMap, body: &[u8]) -> Problem;

/// An error answer in the service's own words, with the parts a program can act upon.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problem {
    /// What went wrong, one line; empty if the service did not say.
    pub message: String,
    /// Further text, if any.
    pub detail: Option<String>,
    /// The scopes that the request needs, if the service names them.
    pub required_scopes: Vec<String>,
    /// The scopes that the credential has, if the service names them.
    pub granted_scopes: Vec<String>,
    /// The announced change that removed what was asked for, e.g. `CHANGE-17`.
    pub change: Option<String>,
    /// Where that change was announced, a URL.
    pub announcement: Option<String>,
    /// What was asked about and is not there, if the service names it.
    pub missing: Vec<String>,
    /// The answer means "too many requests", whatever its status.
    pub rate_limited: bool,
}

/// Scopes that a message names at most.
const MOST_SCOPES: usize = 20;

impl Problem {
    /// A problem from a body that has no known structure: the first line of plain text, nothing
    /// from a page of HTML. `rate_limited` follows the status alone.
    pub fn from_text(status: u16, _headers: &HeaderMap, body: &[u8]) -> Problem {
        let text = String::from_utf8_lossy(body);
        let line = text.lines().map(str::trim).find(|line| !line.is_empty());
        Problem {
            message: line
                .filter(|line| !line.starts_with('<'))
                .map(str::to_owned)
                .unwrap_or_default(),
            rate_limited: status == 429,
            ..Problem::default()
        }
    }

    /// The required scopes that were not granted, in the service's order.
    pub fn missing_scopes(&self) -> impl Iterator<Item = &str> {
        self.required_scopes
            .iter()
            .filter(|scope| !self.granted_scopes.contains(scope))
            .map(String::as_str)
    }

    pub(crate) fn map_text(&mut self, change: impl Fn(&str) -> String) {
        self.message = change(&self.message);
        for text in [&mut self.detail, &mut self.announcement, &mut self.change] {
            *text = text.as_deref().map(&change);
        }
        self.required_scopes.truncate(MOST_SCOPES);
        let lists = [
            &mut self.required_scopes,
            &mut self.granted_scopes,
            &mut self.missing,
        ];
        for text in lists.into_iter().flatten() {
            *text = change(text);
        }
    }
}
