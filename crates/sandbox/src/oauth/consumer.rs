//! Programs that users may let in.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What becomes of somebody who comes to a consumer's page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Consent {
    /// A page with a link to allow the access, and one to deny it.
    #[default]
    Ask,
    /// Sent back with a code at once.
    Allow,
    /// Sent back with `access_denied` at once.
    Deny,
}

/// An OAuth consumer of a workspace. By code its tokens act as `User 1` of that workspace, by
/// client credentials as the consumer, an `app_user`; both see that workspace alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Consumer {
    /// Names what it does in the request log and in changes; its own acts as `<name>-app`.
    pub name: String,
    /// Its key, the client id.
    pub key: String,
    /// Its secret. Obviously fake, and masked in `Debug` all the same.
    pub secret: String,
    /// Its one callback URL, which a `redirect_uri` has to extend.
    pub callback: String,
    /// Its scopes, in the old style: the boxes that were ticked.
    pub scopes: Vec<String>,
    /// The workspace's slug.
    pub workspace: String,
    /// What its page does.
    pub consent: Consent,
}

impl Consumer {
    /// Name `<slug>-consumer`, key `sandbox-key-<slug>`, secret `sandbox-consumer-secret-<slug>`,
    /// callback `http://localhost:33333`, with every scope to read.
    pub fn new(workspace: &str) -> Self {
        Self {
            name: format!("{workspace}-consumer"),
            key: format!("sandbox-key-{workspace}"),
            secret: format!("sandbox-consumer-secret-{workspace}"),
            callback: "http://localhost:33333".to_owned(),
            scopes: [
                "account",
                "project",
                "repository",
                "pullrequest",
                "issue",
                "pipeline",
                "runner",
                "webhook",
                "snippet",
            ]
            .map(str::to_owned)
            .to_vec(),
            workspace: workspace.to_owned(),
            consent: Consent::default(),
        }
    }
}

impl fmt::Debug for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer")
            .field("name", &self.name)
            .field("key", &self.key)
            .field("callback", &self.callback)
            .field("scopes", &self.scopes)
            .field("workspace", &self.workspace)
            .field("consent", &self.consent)
            .finish_non_exhaustive()
    }
}
