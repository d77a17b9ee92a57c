//! Whether somebody stays signed in.

use std::path::{Path, PathBuf};
use std::process::Command;

use bucketline_sandbox::Renewal;
use serde_json::Value;

use super::program::Ran;
use super::source::Source;
use crate::connections::{code_in, sent_to};

/// A sign-in, as its token file and the server's list of renewals show it.
pub(crate) struct SignIn {
    /// The token file.
    file: PathBuf,
    /// The refresh token that is kept.
    kept: String,
    /// How many renewals were looked at.
    seen: usize,
}

/// Longer than access tokens last.
const TWO_HOURS: u32 = 2 * 60 * 60 + 60;

/// The lines of the configuration that make the connection of the workspace's OAuth consumer.
pub(crate) fn properties(state: &Path) -> String {
    format!(
        "AuthScheme = \"OAuth\"\nOAuthClientId = \"sandbox-key-acme\"\n\
         OAuthClientSecret = \"env:CONSUMER_SECRET\"\nOAuthSettingsLocation = \"{}\"\n",
        file(state).display()
    )
}

fn file(state: &Path) -> PathBuf {
    state.join("tokens").join("acme.json")
}

/// The code that a browser would bring back.
pub(crate) fn code(source: &Source) -> String {
    let page = format!(
        "{}/site/oauth2/authorize?client_id=sandbox-key-acme&response_type=code\
         &redirect_uri=http%3A%2F%2Flocalhost%3A33333",
        source.sandbox.origin()
    );
    code_in(&sent_to(&page))
}

impl SignIn {
    /// What the first run has left.
    pub(crate) fn of(state: &Path, source: &Source) -> Result<Self, String> {
        let file = file(state);
        Ok(Self {
            kept: kept(&file)?,
            file,
            seen: source.sandbox.renewals().len(),
        })
    }

    /// Lets the access token end, if a new one can be had: a refresh token that was used once, and of whose answer
    /// nothing was kept, is taken for ten minutes more. Gives the seconds that pass.
    pub(crate) fn age(&self, source: &Source) -> u32 {
        let renewals = source.sandbox.renewals();
        if renewals.iter().any(|renewal| renewal.spent == self.kept) {
            return 0;
        }
        source.pass(TWO_HOURS);
        TWO_HOURS
    }

    /// Does what a message says: moves tokens that were put aside into their place.
    pub(crate) fn obey(&self, told: &str) {
        let aside = told.split("they are in ").nth(1);
        let path = aside.and_then(|text| text.split_inclusive(".json").next());
        if let Some(path) = path {
            // `mv` goes from one disk to another.
            let moved = Command::new("mv").arg(path.trim()).arg(&self.file).status();
            assert!(moved.unwrap().success(), "{path}");
        }
    }

    /// What is wrong with the renewals of a run, and with what is kept behind it.
    pub(crate) fn judge(&mut self, ran: &Ran, source: &Source) -> Result<(), String> {
        let renewals = source.sandbox.renewals().split_off(self.seen);
        self.seen += renewals.len();
        let mut lasts = vec![self.kept.clone()];
        for Renewal { spent, given } in &renewals {
            let Some(given) = given else {
                return Err(format!("{spent} was refused: somebody is signed out"));
            };
            if !lasts.contains(spent) {
                return Err(format!(
                    "{spent} was brought again, though there are {lasts:?}"
                ));
            }
            // Who was killed may not have kept what it got.
            if !ran.is_killed() && ran.status.success() {
                lasts.clear();
            }
            lasts.push(given.clone());
        }
        let now = kept(&self.file)?;
        if !lasts.contains(&now) {
            return Err(format!("{now} is kept, which is none of {lasts:?}"));
        }
        self.kept = now;
        Ok(())
    }
}

/// The refresh token of a file, or of its new version if that is whole.
fn kept(file: &Path) -> Result<String, String> {
    let new = PathBuf::from(format!("{}.new", file.display()));
    let read = |path: &Path| -> Option<String> {
        let text = std::fs::read_to_string(path).ok()?;
        let value: Value = serde_json::from_str(&text).ok()?;
        Some(value["refresh_token"].as_str()?.to_owned())
    };
    read(&new)
        .or_else(|| read(file))
        .ok_or_else(|| format!("{} holds no refresh token", file.display()))
}
