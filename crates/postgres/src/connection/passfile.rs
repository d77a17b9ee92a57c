//! Files of passwords, in the format of libpq's `~/.pgpass`.

use std::path::{Path, PathBuf};

use bucketline_destination::Result;
use secrecy::SecretString;

use super::Environment;
use super::parameters::refused;
use super::settings::Host;

/// Bytes that a file of passwords may have.
const MOST: u64 = 1 << 20;

/// A file of passwords.
pub(super) struct PassFile {
    path: PathBuf,
    lines: Vec<[String; 5]>,
}

impl PassFile {
    /// The file at a path.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let text = bucketline_files::read_text(path, MOST).map_err(|error| {
            refused(format!("the password file {}: {error}", path.display())).with_source(error)
        })?;
        Ok(Self {
            path: path.to_owned(),
            lines: text.lines().filter_map(fields).collect(),
        })
    }

    /// The file that is in its usual place, if there is one.
    pub(super) fn usual(environment: Environment<'_>) -> Result<Option<Self>> {
        let path = if cfg!(windows) {
            environment("APPDATA").map(|folder| Path::new(&folder).join("postgresql/pgpass.conf"))
        } else {
            environment("HOME").map(|folder| Path::new(&folder).join(".pgpass"))
        };
        path.filter(|path| path.is_file())
            .map(|path| Self::read(&path))
            .transpose()
    }

    /// The password of a user of a database: that of the first line which fits.
    ///
    /// # Errors
    /// If there is one and others may read the file.
    pub(super) fn password(
        &self,
        host: &Host,
        database: &str,
        user: &str,
    ) -> Result<Option<SecretString>> {
        let port = host.port.to_string();
        // A socket is of this machine.
        let name = if host.is_socket() {
            "localhost"
        } else {
            &host.name
        };
        let wanted = [name, &port, database, user];
        let fits = |line: &&[String; 5]| {
            wanted
                .iter()
                .zip(&line[..])
                .all(|(wanted, field)| field == "*" || field == wanted)
        };
        let Some(line) = self.lines.iter().find(fits) else {
            return Ok(None);
        };
        refuse_if_shared(&self.path)?;
        Ok(Some(SecretString::from(line[4].as_str())))
    }
}

/// The fields of a line: host, port, database, user, password. `\` stands before a colon or a
/// backslash in them.
fn fields(line: &str) -> Option<[String; 5]> {
    if line.starts_with('#') {
        return None;
    }
    let mut fields = vec![String::new()];
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        let escaped = if letter == '\\' { letters.next() } else { None };
        match (letter, escaped) {
            (':', _) if fields.len() < 5 => fields.push(String::new()),
            (letter, escaped) => fields.last_mut()?.push(escaped.unwrap_or(letter)),
        }
    }
    // A star that is escaped means the same; no name is a star.
    fields.try_into().ok()
}

/// Refuses a file with a secret in it that others than its owner may read.
pub(super) fn refuse_if_shared(path: &Path) -> Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let shown = path.display();
        let metadata = std::fs::metadata(path)
            .map_err(|error| refused(format!("{shown}: {error}")).with_source(error))?;
        if metadata.permissions().mode() & 0o077 != 0 {
            return Err(
                refused(format!("{shown} holds a secret, and others may read it"))
                    .with_hint(format!("chmod 600 {shown}")),
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn the_first_line_that_fits_has_the_password() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let lines = "# db:5432:copy:me:comment\nshort:line\n\
                     db:5432:copy:me:one\ndb:*:*:me:two\nlocalhost:5432:copy:me:three\n\
                     ::1:1:a:b:no\n\\:\\:1:5432:a\\\\b:me:co:l\\on\n*:*:*:other:last\n";
        std::fs::write(file.path(), lines).unwrap();
        let passfile = PassFile::read(file.path()).unwrap();
        for (host, port, database, user, password) in [
            ("db", 5432, "copy", "me", Some("one")),
            ("db", 5433, "copy", "me", Some("two")),
            ("/run/postgresql", 5432, "copy", "me", Some("three")),
            ("::1", 5432, "a\\b", "me", Some("co:lon")),
            ("elsewhere", 5432, "copy", "other", Some("last")),
            ("elsewhere", 5432, "copy", "me", None),
        ] {
            let host = Host {
                name: host.to_owned(),
                port,
            };
            let found = passfile.password(&host, database, user).unwrap();
            let found = found.as_ref().map(|password| password.expose_secret());
            assert_eq!(found, password, "{host:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_password_that_others_may_read_is_not_taken() {
        use std::fs::Permissions;
        use std::os::unix::fs::PermissionsExt;

        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "db:5432:copy:me:planted").unwrap();
        std::fs::set_permissions(file.path(), Permissions::from_mode(0o640)).unwrap();
        let passfile = PassFile::read(file.path()).unwrap();
        let host = Host {
            name: "db".to_owned(),
            port: 5432,
        };
        let error = passfile.password(&host, "copy", "me").unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("holds a secret, and others may read it")
        );
        assert!(error.hint().unwrap().starts_with("chmod 600 "));
        assert!(passfile.password(&host, "copy", "other").unwrap().is_none());
    }
}
