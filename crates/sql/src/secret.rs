//! Which names belong to secrets.

/// Stands for a secret.
pub(crate) const MASK: &str = "***";

/// Whether values of the property, argument or setting called `name` are secrets: tokens,
/// passwords, client secrets, verifiers, whole connection strings. Case, blanks and underscores
/// don't count.
pub fn is_sensitive(name: &str) -> bool {
    const MARKS: &[&str] = &[
        "token",
        "secret",
        "password",
        "passwd",
        "passphrase",
        "pwd",
        "verifier",
        "apikey",
        "privatekey",
        "credential",
        "authorization",
        "connectionstring",
    ];
    /// Facts about a secret that are none themselves.
    const HARMLESS: &[&str] = &[
        "secretset",
        "tokenendpoint",
        "tokenexpiresin",
        "tokenfile",
        "tokentimestamp",
        "tokentype",
    ];
    let letters: String = name
        .chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect();
    MARKS.iter().any(|mark| letters.contains(mark))
        && !HARMLESS.iter().any(|harmless| letters.ends_with(harmless))
}

#[cfg(test)]
mod tests {
    use super::is_sensitive;

    #[test]
    fn knows_secrets_by_name() {
        for name in [
            "Token",
            "APIToken",
            "api_token",
            "AccessToken",
            "OAuthAccessToken",
            "Password",
            "OAuthRefreshToken",
            "OAuthVerifier",
            "Verifier",
            "OAuthClientSecret",
            "ProxyPassword",
            "Firewall Password",
            "ConnectionString",
        ] {
            assert!(is_sensitive(name), "{name}");
        }
        for name in [
            "Workspace",
            "OAuthClientId",
            "OAuthTokenTimestamp",
            "User",
            "AuthScheme",
        ] {
            assert!(!is_sensitive(name), "{name}");
        }
    }
}
