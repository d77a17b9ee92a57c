//! The two notations of libpq: a URL, and `keyword=value` pairs. Errors quote nothing of either,
//! since a password is in them.

use bucketline_destination::Result;
use percent_encoding::percent_decode_str;

use super::parameters::refused;

const SCHEMES: [&str; 2] = ["postgres://", "postgresql://"];

const EXAMPLE: &str = "such as postgres://user@host:5432/database?sslmode=verify-full";

/// The parameters in a text, by the names in it.
pub(super) fn read(text: &str) -> Result<Vec<(String, String)>> {
    let text = text.trim();
    let rest = SCHEMES.iter().find_map(|scheme| {
        let start = text.get(..scheme.len())?;
        start
            .eq_ignore_ascii_case(scheme)
            .then(|| &text[scheme.len()..])
    });
    match rest {
        Some(rest) => read_url(rest),
        None if text.contains("://") => {
            Err(refused("the URL is not one of PostgreSQL").with_hint(EXAMPLE))
        }
        None => read_pairs(text),
    }
}

/// `user:password@host:port,host:port/database?name=value&name=value`, each part may be missing.
fn read_url(text: &str) -> Result<Vec<(String, String)>> {
    let mut parameters = Vec::new();
    let mut add = |name: &str, value: String| parameters.push((name.to_owned(), value));
    let (text, query) = text.split_once('?').unwrap_or((text, ""));
    let (authority, database) = text.split_once('/').unwrap_or((text, ""));
    if database.contains('@') && !authority.contains('@') {
        return Err(refused("a `/` stands before the `@` of the URL").with_hint(
            "write a `/` in a password as %2F, a `?` as %3F, a `#` as %23 and an `@` as %40",
        ));
    }
    let (account, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (user, password) = account.split_once(':').unwrap_or((account, ""));
    add("user", decode(user)?);
    add("password", decode(password)?);
    let (names, ports) = split_hosts(hosts)?;
    add("host", names.join(","));
    add("port", ports.join(","));
    add("dbname", decode(database)?);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let Some((name, value)) = pair.split_once('=') else {
            return Err(refused("a parameter of the URL has no `=`")
                .with_hint("such as ?sslmode=verify-full; write a `?` in a password as %3F"));
        };
        add(&decode(name)?, decode(value)?);
    }
    Ok(parameters)
}

/// The names and the ports of hosts, as many of these as of those unless there is none.
fn split_hosts(hosts: &str) -> Result<(Vec<String>, Vec<String>)> {
    let mut names = Vec::new();
    let mut ports = Vec::new();
    for host in hosts.split(',') {
        let (name, rest) = match host.strip_prefix('[') {
            Some(rest) => rest.split_once(']').ok_or_else(|| {
                refused("an address of the URL lacks its `]`")
                    .with_hint("such as postgres://user@[::1]:5432/database")
            })?,
            None => host.split_at(host.find(':').unwrap_or(host.len())),
        };
        let port = match rest.strip_prefix(':') {
            Some(port) => port,
            None if rest.is_empty() => "",
            None => {
                return Err(
                    refused("something follows the `]` of an address in the URL")
                        .with_hint("such as postgres://user@[::1]:5432/database"),
                );
            }
        };
        names.push(decode(name)?);
        ports.push(decode(port)?);
    }
    if ports.iter().all(String::is_empty) {
        ports.clear();
    }
    Ok((names, ports))
}

fn decode(text: &str) -> Result<String> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.map(String::from).map_err(|_| {
        refused("the URL has percent-encoded bytes that are not UTF-8")
            .with_hint("write such letters as they are, or encode their UTF-8")
    })
}

/// `keyword=value` with blanks between, values with blanks in single quotes, `\` before a quote or
/// a backslash.
fn read_pairs(text: &str) -> Result<Vec<(String, String)>> {
    let mut parameters = Vec::new();
    let mut letters = text.chars().peekable();
    loop {
        while letters.next_if(|letter| letter.is_whitespace()).is_some() {}
        if letters.peek().is_none() {
            return Ok(parameters);
        }
        let mut name = String::new();
        while let Some(letter) = letters.next_if(|letter| *letter != '=') {
            name.push(letter);
        }
        if letters.next().is_none() {
            return Err(
                refused("what says where PostgreSQL is has a word without `=`")
                    .with_hint(format!("give `keyword=value` pairs, or a URL {EXAMPLE}")),
            );
        }
        while letters.next_if(|letter| letter.is_whitespace()).is_some() {}
        let is_quoted = letters.next_if_eq(&'\'').is_some();
        let mut value = String::new();
        loop {
            match letters.next() {
                Some('\'') if is_quoted => break,
                Some(letter) if !is_quoted && letter.is_whitespace() => break,
                Some('\\') => value.extend(letters.next()),
                Some(letter) => value.push(letter),
                None if is_quoted => {
                    return Err(refused(
                        "a value that says where PostgreSQL is lacks its `'`",
                    ));
                }
                None => break,
            }
        }
        parameters.push((name.trim().to_owned(), value));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// What is not empty, as one line.
    fn line(text: &str) -> String {
        let parameters = read(text).unwrap();
        let given = parameters.iter().filter(|(_, value)| !value.is_empty());
        given
            .map(|(name, value)| format!("{name}={value};"))
            .collect()
    }

    #[test]
    fn both_notations_are_read() {
        for (text, parameters) in [
            ("postgres://", ""),
            ("postgresql://db", "host=db;"),
            ("POSTGRES://db/copy", "host=db;dbname=copy;"),
            (
                "postgres://me:p%40s:s%2F@db:5433/a%20b?sslmode=verify-full&options=-c%20a%3Db",
                "user=me;password=p@s:s/;host=db;port=5433;dbname=a b;sslmode=verify-full;options=-c a=b;",
            ),
            (
                "postgres://a:1,b,[::1]:3/x",
                "host=a,b,::1;port=1,,3;dbname=x;",
            ),
            (
                "postgres://me@%2Frun%2Fpg/x",
                "user=me;host=/run/pg;dbname=x;",
            ),
            ("postgres:///x?host=/run/pg", "dbname=x;host=/run/pg;"),
            ("", ""),
            (
                "host=db  port = 5433\tdbname=copy",
                "host=db;port=5433;dbname=copy;",
            ),
            (
                r"password='a b\'c\\' user=x\ y",
                r"password=a b'c\;user=x y;",
            ),
            ("password=p=q", "password=p=q;"),
        ] {
            assert_eq!(line(text), parameters, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused_without_being_shown() {
        for (text, message) in [
            ("mysql://me:planted@db", "the URL is not one of PostgreSQL"),
            (
                "postgres://me:planted@[::1",
                "an address of the URL lacks its `]`",
            ),
            (
                "postgres://me:planted@[::1]5",
                "something follows the `]` of an address in the URL",
            ),
            (
                "postgres://me:planted@db?x",
                "a parameter of the URL has no `=`",
            ),
            (
                "postgres://me:planted%ff@db",
                "the URL has percent-encoded bytes that are not UTF-8",
            ),
            (
                "password=planted db",
                "what says where PostgreSQL is has a word without `=`",
            ),
            (
                "password='planted",
                "a value that says where PostgreSQL is lacks its `'`",
            ),
        ] {
            let error = read(text).unwrap_err();
            assert_eq!(error.to_string(), message);
            assert!(!format!("{error:?}").contains("planted"));
        }
    }
}
