//! Texts that name a database as other programs do. As a file's name they would put a password where everybody
//! sees it.

use bucketline_sql::is_sensitive;

/// Why a text is not a file's name, and what to write instead. Neither shows the text.
pub(super) struct Mistaken {
    pub(super) message: &'static str,
    pub(super) hint: &'static str,
}

const POSTGRES_HINT: &str =
    "write postgres://user@host:5432/database, and give the password by PGPASSWORD or Password";

const POSTGRES: Mistaken = Mistaken {
    message: "the address is not written as PostgreSQL's programs write it",
    hint: POSTGRES_HINT,
};

const SQLITE: Mistaken = Mistaken {
    message: "the address of a SQLite file is its path",
    hint: "write the path alone, such as copy.db; ./file:copy.db is a file with that name",
};

const OTHER: Mistaken = Mistaken {
    message: "the address names something that is not supported",
    hint: "destinations are SQLite files, such as copy.db, and PostgreSQL, such as postgres://user@host/database",
};

const PAIRS: Mistaken = Mistaken {
    message: "this is not a file's name but properties without their Type",
    hint: "such as \"Type=PostgreSQL;Server=db;Database=copy;User=me\", or \"Type=SQLite;Data Source=copy.db\"",
};

const ACCOUNT: Mistaken = Mistaken {
    message: "this is not a file's name but an address without its scheme",
    hint: POSTGRES_HINT,
};

/// What `text` is, if it is not a file's name.
pub(super) fn as_file(text: &str) -> Option<Mistaken> {
    let text = text.trim();
    if let Some((scheme, rest)) = scheme(text) {
        let has = |name: &str| scheme.split(['+', ':', '.', '-']).any(|part| part == name);
        if has("postgres") || has("postgresql") || scheme == "jdbc" && has_scheme(rest, "postgres")
        {
            return Some(POSTGRES);
        }
        if ["sqlite", "sqlite3", "file"].into_iter().any(has)
            || scheme == "jdbc" && has_scheme(rest, "sqlite")
        {
            return Some(SQLITE);
        }
        if rest.starts_with("//") || ["jdbc", "odbc"].into_iter().any(has) {
            return Some(OTHER);
        }
    }
    if has_properties(text) {
        return Some(PAIRS);
    }
    let behind_slashes = text.rsplit_once("//").map_or(text, |(_, behind)| behind);
    let account = behind_slashes
        .rsplit_once('@')
        .and_then(|(account, _)| account.split_once(':'));
    let is_account = account.is_some_and(|(user, password)| {
        let is_drive = user.len() == 1 && password.starts_with(['/', '\\']);
        !is_drive && !user.contains(['/', '\\'])
    });
    is_account.then_some(ACCOUNT)
}

/// Whether the text has a property of a connection, or several parts that are written like one.
fn has_properties(text: &str) -> bool {
    let joined: Vec<&str> = text.split('=').map(str::trim).collect();
    let joined = joined.join("=");
    let is_pair = |part: &&str| {
        let name = part.split_once('=').map_or("", |(name, _)| name.trim());
        let is_word = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '_' | '-');
        !name.is_empty() && name.chars().all(is_word)
    };
    joined.split([';', ' ', '\t', '\n']).any(is_property)
        || joined.split(';').filter(is_pair).count() > 1
}

/// The scheme before the first colon, in lower case, and the rest. One letter is a drive.
fn scheme(text: &str) -> Option<(String, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    let is_scheme = scheme.len() > 1
        && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(is_part);
    is_scheme.then(|| (scheme.to_ascii_lowercase(), rest))
}

fn has_scheme(text: &str, start: &str) -> bool {
    scheme(text).is_some_and(|(scheme, _)| scheme.starts_with(start))
}

/// Whether the text is `name=value` with a name that connections have.
fn is_property(text: &str) -> bool {
    const NAMES: &[&str] = &[
        "catalog",
        "database",
        "dbname",
        "driver",
        "dsn",
        "host",
        "hostaddr",
        "port",
        "server",
        "service",
        "source",
        "sslmode",
        "type",
        "uid",
        "url",
        "user",
        "userid",
        "username",
        "workspace",
    ];
    text.split_once('=').is_some_and(|(name, _)| {
        let name = name.trim().to_lowercase();
        is_sensitive(&name) || NAMES.contains(&name.as_str())
    })
}

#[cfg(test)]
mod tests {
    use super::as_file;

    #[test]
    fn addresses_of_other_programs_are_not_files() {
        for (text, word) in [
            (
                "jdbc:postgresql://host/db?user=me&password=planted",
                "PostgreSQL",
            ),
            ("jdbc:mysql://host/db?password=planted", "not supported"),
            ("jdbc:sqlite:copy.db", "SQLite"),
            ("JDBC:SQLServer://host;password=planted", "not supported"),
            ("postgresql+psycopg2://me:planted@host/db", "PostgreSQL"),
            ("postgres+asyncpg://me:planted@host/db", "PostgreSQL"),
            ("postgres:me:planted@host", "PostgreSQL"),
            ("mysql://me:planted@host/db", "not supported"),
            ("mongodb+srv://me:planted@host/db", "not supported"),
            ("s3://bucket/copy.db", "not supported"),
            ("https://host/copy.db", "not supported"),
            ("sqlite:///copy.db", "SQLite"),
            ("sqlite3:copy.db", "SQLite"),
            ("file:copy.db", "SQLite"),
            ("file:///copy.db?mode=memory", "SQLite"),
            ("Server=db;Password=planted", "Type"),
            ("Server=db;Port=5432;Database=x", "Type"),
            ("host=db password=planted", "Type"),
            ("dbname=copy", "Type"),
            ("Driver={x};Pwd=planted", "Type"),
            ("Initial Catalog=x;User Id=y", "Type"),
            ("server = db ; pwd = planted", "Type"),
            ("AccountKey=planted;EndpointSuffix=x", "Type"),
            ("me:planted@host/db", "scheme"),
            ("u:planted@host/db", "scheme"),
            ("//u:planted@host/db", "scheme"),
            ("postgres//me:planted@host/db", "scheme"),
        ] {
            let mistaken = as_file(text).unwrap_or_else(|| panic!("{text}"));
            assert!(
                mistaken.message.contains(word),
                "{text}: {}",
                mistaken.message
            );
        }
    }

    #[test]
    fn names_of_files_are_files() {
        for text in [
            "copy.db",
            "./copy.db",
            "/srv/data/copy.db",
            "a=b.db",
            "a=b;c.db",
            "year=2026/copy.db",
            "me@home.db",
            "C:\\data\\me@home.db",
            "c:/data/copy.db",
            "notes:2026.db",
            "./file:copy.db",
            "/srv/me:x@y/copy.db",
            "my file (1).db",
        ] {
            assert!(as_file(text).is_none(), "{text}");
        }
    }
}
