//! Answers.

use serde_json::json;

/// An answer before it is put on the wire.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

const JSON: &str = "application/json; charset=utf-8";

impl Reply {
    /// 200 with a JSON body.
    pub(crate) fn json(body: String) -> Self {
        Self {
            status: 200,
            content_type: JSON,
            headers: Vec::new(),
            body,
        }
    }

    /// Bare text.
    pub(crate) fn text(status: u16, text: &str) -> Self {
        Self {
            status,
            content_type: "text/plain; charset=utf-8",
            headers: Vec::new(),
            body: text.to_owned(),
        }
    }

    /// An error page, as proxies send them.
    pub(crate) fn html(status: u16, title: &str) -> Self {
        Self {
            status,
            content_type: "text/html; charset=utf-8",
            headers: Vec::new(),
            body: format!(
                "<!DOCTYPE html>\n<html><head><title>{title}</title></head>\n\
                 <body><h1>{title}</h1></body></html>\n"
            ),
        }
    }

    /// The error envelope.
    pub(crate) fn error(status: u16, message: &str) -> Self {
        Self::envelope(status, json!({"message": message}))
    }

    /// The error envelope with more than a message.
    pub(crate) fn envelope(status: u16, error: serde_json::Value) -> Self {
        let body = json!({"type": "error", "error": error}).to_string();
        Self {
            status,
            ..Self::json(body)
        }
    }

    /// 410 as recorded for removed calls; `data` comes twice.
    pub(crate) fn removed(change: &str) -> Self {
        let data = json!({
            "announcement_url":
                format!("https://developer.atlassian.com/cloud/bitbucket/changelog#{change}"),
        });
        let body = json!({
            "type": "error",
            "error": {
                "message": format!("{change} - Functionality has been deprecated"),
                "detail": "Please read the changelog entry for more details.",
                "data": data,
            },
            "data": data,
        });
        Self {
            status: 410,
            ..Self::json(body.to_string())
        }
    }

    /// 404 for a repository that is not there or not for the caller.
    pub(crate) fn no_repository() -> Self {
        Self::error(
            404,
            "You may not have access to this repository or it no longer exists in this \
             workspace. If you think this repository exists and you have access, make sure you \
             are authenticated.",
        )
    }

    /// 404 for a workspace.
    pub(crate) fn no_workspace(id: &str) -> Self {
        Self::error(404, &format!("No workspace with identifier '{id}'."))
    }

    /// 404 for commits that are not there, or not any more.
    pub(crate) fn no_commit(hashes: &[&str]) -> Self {
        Self::envelope(
            404,
            json!({"message": "Commit not found", "data": {"shas": hashes}}),
        )
    }

    /// 404 for a path that no API is at.
    pub(crate) fn no_such_path() -> Self {
        Self::envelope(
            404,
            json!({
                "message": "Resource not found",
                "detail": "There is no API hosted at this URL.",
            }),
        )
    }

    /// 401.
    pub(crate) fn unauthorized() -> Self {
        Self::error(
            401,
            "Token is invalid, expired, or not supported for this endpoint.",
        )
        .with("www-authenticate", "Basic realm=\"Bitbucket.org HTTP\"")
    }

    /// 403 for those who have the scope, but do not administer the object.
    pub(crate) fn not_administrator() -> Self {
        Self::error(403, "You must be an admin of this repository.")
    }

    /// Adds a header.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The weak entity tag of the body.
    pub(crate) fn etag(&self) -> String {
        let mut state = [0x9e37_79b9_7f4a_7c15_u64, self.body.len() as u64];
        for chunk in self.body.as_bytes().chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            let word = u64::from_le_bytes(word);
            state[0] = (state[0] ^ word)
                .wrapping_mul(0xff51_afd7_ed55_8ccd)
                .rotate_left(29);
            state[1] = (state[1].rotate_left(17) ^ word).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        }
        format!("W/\"{:016x}{:016x}\"", state[0], state[1])
    }
}
