//! URLs fit for logs and messages.

use bucketline_secret::MASK;
use url::Url;

/// `url` as text without what may be secret: no user information, no fragment, and the values of
/// query parameters whose names look secret replaced by `***`.
pub fn redact(url: &Url) -> String {
    let mut shown = url.clone();
    // Both fail only for URLs that cannot have a user, which then have none to hide.
    let _ = shown.set_username("");
    let _ = shown.set_password(None);
    shown.set_fragment(None);
    if let Some(query) = url.query()
        && url.query_pairs().any(|(name, _)| looks_secret(&name))
    {
        // Parameter by parameter, so that the others keep their spelling.
        let parts: Vec<String> = query
            .split('&')
            .map(|part| {
                let name = part.split('=').next().unwrap_or(part);
                let decoded = url::form_urlencoded::parse(name.as_bytes()).next();
                match decoded {
                    Some((decoded, _)) if looks_secret(&decoded) => format!("{name}={MASK}"),
                    _ => part.to_owned(),
                }
            })
            .collect();
        shown.set_query(Some(&parts.join("&")));
    }
    shown.into()
}

/// Parts of a parameter's name that give it away.
const SECRET_PARTS: [&str; 8] = [
    "token",
    "secret",
    "passw",
    "signature",
    "credential",
    "apikey",
    "api_key",
    "api-key",
];
/// Names that are secret only as a whole: `author` is not `auth`.
const SECRET_NAMES: [&str; 8] = [
    "auth",
    "authorization",
    "code",
    "jwt",
    "key",
    "pwd",
    "session",
    "sig",
];

fn looks_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_PARTS.iter().any(|part| name.contains(part)) || SECRET_NAMES.contains(&name.as_str())
}
