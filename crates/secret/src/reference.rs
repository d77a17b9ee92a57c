//! References to secrets.

use std::path::Path;

/// Where a property's value says that a secret is. All who ask read it here, so that none is misled by how it is
/// written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reference<'v> {
    /// `env:NAME`, a variable of the environment.
    Variable(&'v str),
    /// `file:PATH`.
    File(&'v Path),
    /// `keyring:...`, the keyring of the system.
    Keyring,
    /// The value is the secret.
    Itself(&'v str),
}

impl<'v> Reference<'v> {
    /// Reads a value. Blanks around it and its parts do not count.
    pub fn of(value: &'v str) -> Self {
        let value = value.trim();
        match value.split_once(':') {
            Some(("env", name)) => Self::Variable(name.trim()),
            Some(("file", path)) => Self::File(Path::new(path.trim())),
            Some(("keyring", _)) => Self::Keyring,
            _ => Self::Itself(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::Reference;

    #[test]
    fn blanks_make_no_secret_of_a_reference() {
        for value in [
            "env:TOKEN",
            " env:TOKEN",
            "\tenv: TOKEN\n",
            "\u{a0}env:TOKEN",
        ] {
            assert_eq!(
                Reference::of(value),
                Reference::Variable("TOKEN"),
                "{value:?}"
            );
        }
        for value in ["file:/a b", "\nfile: /a b "] {
            assert_eq!(
                Reference::of(value),
                Reference::File(Path::new("/a b")),
                "{value:?}"
            );
        }
        for value in ["ab:cd", " ab:cd ", "environment"] {
            assert_eq!(
                Reference::of(value),
                Reference::Itself(value.trim()),
                "{value:?}"
            );
        }
    }
}
