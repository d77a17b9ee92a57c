//! References to secrets: `env:NAME`, `file:PATH`, or the secret itself.

use std::env::VarError;

use bucketline_core::code::session as code;
use bucketline_secret::Reference;
use secrecy::SecretString;

use crate::{Error, Result};

/// Bytes that a file with a secret may have: those of long keys, not those of a file named by mistake.
const MOST: u64 = 64 << 10;

/// Finds the secret that a property's value refers to. `property` names it in errors; the value is never shown.
pub(crate) fn resolve(property: &str, value: &str) -> Result<SecretString> {
    let secret = match Reference::of(value) {
        // The error of a value that is not UTF-8 quotes the value: it stays out of the message.
        Reference::Variable(name) => {
            std::env::var(name).map_err(|error| {
                match error {
            VarError::NotPresent => Error::new(code::SECRET, format!(
                "{property}: the environment variable {name} cannot be read: it is not set"
            ))
            .with_hint(format!("set {name} before you start Bucketline")),
            VarError::NotUnicode(_) => Error::new(code::SECRET, format!(
                "{property}: the environment variable {name} cannot be read: it is not UTF-8"
            ))
            .with_hint("copy the secret again"),
        }
            })?
        }
        Reference::File(path) => bucketline_files::read_text(path, MOST).map_err(|error| {
            Error::new(
                code::SECRET,
                format!(
                    "{property}: the file {} cannot be read: {error}",
                    path.display()
                ),
            )
            .with_hint("the file should hold the secret alone, readable by you only (mode 0600)")
        })?,
        Reference::Keyring => {
            return Err(Error::new(
                code::SECRET,
                format!("{property}: the keyring of the system cannot be read yet"),
            )
            .with_hint("env:NAME or file:PATH says where the secret is"));
        }
        Reference::Itself(secret) => secret.to_owned(),
    };
    // Editors put a byte order mark before a text.
    let secret = secret.trim_start_matches('\u{feff}').trim();
    if secret.is_empty() {
        return Err(Error::new(code::SECRET, format!("{property} is empty")));
    }
    Ok(SecretString::from(secret))
}

/// Whether a value is a reference rather than a secret.
pub(crate) fn is_reference(value: &str) -> bool {
    !matches!(Reference::of(value), Reference::Itself(_))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::{is_reference, resolve};

    #[test]
    fn a_keyring_is_refused_rather_than_sent_as_the_secret() {
        assert!(is_reference("keyring:bucketline"));
        let error = resolve("prod: Token", "keyring:bucketline").unwrap_err();
        assert_eq!(error.code(), "BL8003");
    }

    #[test]
    fn a_byte_order_mark_is_not_part_of_the_secret() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "\u{feff}planted\r\n").unwrap();
        let secret = resolve("prod: Token", &format!("file:{}", path.display())).unwrap();
        assert_eq!(secret.expose_secret(), "planted");
    }

    #[test]
    fn a_secret_with_a_colon_is_no_reference() {
        assert!(!is_reference("ab:cd"));
        assert_eq!(
            resolve("prod: Token", "ab:cd").unwrap().expose_secret(),
            "ab:cd"
        );
    }
}
