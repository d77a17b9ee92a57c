//! Which values are secrets, and how they are hidden in a text.

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
    const HARMLESS: &[&str] = &["tokentimestamp", "tokentype", "tokenexpiresin", "tokenfile"];
    let letters: String = name
        .chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect();
    MARKS.iter().any(|mark| letters.contains(mark))
        && !HARMLESS.iter().any(|harmless| letters.ends_with(harmless))
}

/// `text` with `***` for every value that is given to a sensitive name: in properties, arguments
/// and settings, in connection strings inside literals, in URLs (`postgres://user:***@host`), and in comments.
///
/// Works on any text, also on one that does not parse. Line breaks are kept, so that places on
/// other lines stay right. If in doubt, it hides too much. A place on the line of a secret is
/// found behind the masked text that precedes it: `mask_source(&text[..offset])`. Mask the whole
/// text, then take the line: a single line does not show what it is part of.
pub fn mask_source(text: &str) -> String {
    mask(text, true)
}

fn mask(text: &str, is_code: bool) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    // The quote of the literal we are in. Inside of one, a value may contain blanks and commas.
    let mut literal: Option<char> = None;
    while let Some(first) = rest.chars().next() {
        let comment = match literal {
            None if is_code => comment_length(rest),
            _ => 0,
        };
        let length = if comment > 0 {
            // A quote in a comment opens nothing behind it.
            masked.push_str(&mask(&rest[..comment], false));
            comment
        } else if let Some(found) = sensitive_value(rest, literal).or_else(|| url_password(rest)) {
            masked.push_str(&rest[..found.start]);
            masked.push_str(&found.replacement(&rest[found.start..found.end]));
            found.end
        } else {
            let length = match (first, literal) {
                ('[', None) => rest.find(']').map_or(1, |closing| closing + 1),
                ('`', None) => rest[1..].find('`').map_or(1, |closing| closing + 2),
                _ if is_name_part(first) => word_length(rest),
                _ => first.len_utf8(),
            };
            match literal {
                Some(quote) if first == quote => literal = None,
                None if matches!(first, '\'' | '"') => literal = Some(first),
                _ => {}
            }
            masked.push_str(&rest[..length]);
            length
        };
        rest = &rest[length..];
    }
    masked
}

/// The length of the comment at the start of `text`; 0 if there is none.
fn comment_length(text: &str) -> usize {
    if text.starts_with("--") {
        return text.find('\n').unwrap_or(text.len());
    }
    if !text.starts_with("/*") {
        return 0;
    }
    let mut depth = 0;
    let mut end = 0;
    while end < text.len() {
        let rest = &text[end..];
        if rest.starts_with("/*") {
            depth += 1;
            end += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            end += 2;
        } else {
            end += rest.chars().next().map_or(1, char::len_utf8);
        }
        if depth == 0 {
            break;
        }
    }
    end
}

/// The length of the blanks and, outside of literals, comments at the start of `text`.
fn blank_length(text: &str, literal: Option<char>) -> usize {
    let mut end = 0;
    loop {
        let rest = &text[end..];
        let blank = rest.len() - rest.trim_start().len();
        let comment = match literal {
            None => comment_length(&rest[blank..]),
            Some(_) => 0,
        };
        end += blank + comment;
        if comment == 0 {
            return end;
        }
    }
}

/// Where a value stands, and the quotes that are kept around its mask.
struct Found {
    start: usize,
    end: usize,
    quote: &'static str,
}

impl Found {
    fn replacement(&self, value: &str) -> String {
        let breaks: String = value.chars().filter(|c| *c == '\n').collect();
        format!("{0}{MASK}{breaks}{0}", self.quote)
    }
}

/// The value that follows, if `text` begins with a sensitive name, quoted or not.
fn sensitive_value(text: &str, literal: Option<char>) -> Option<Found> {
    let first = text.chars().next()?;
    let closing = match first {
        '[' => Some(']'),
        '`' => Some('`'),
        '"' if literal.is_none() => Some('"'),
        _ => None,
    };
    let (name, behind) = match closing {
        Some(closing) => {
            let length = text[1..].find([closing, '\n'])?;
            (&text[1..=length], length + 2)
        }
        None => {
            let length = word_length(text);
            (&text[..length], length)
        }
    };
    if !is_sensitive(name) {
        return None;
    }
    let operator = behind + blank_length(&text[behind..], literal);
    let signs = text[operator..]
        .chars()
        .take_while(|c| "=:<>!".contains(*c));
    let operator_end = operator + signs.count();
    let start = operator_end + blank_length(&text[operator_end..], literal);
    let value = &text[start..];
    // A literal right behind the name is its value, even where the `=` was forgotten.
    let (length, quote) = match (value.chars().next()?, literal) {
        ('\'', Some('\'')) if value.starts_with("''") => (doubled_length(value, '\''), "''"),
        ('"', Some('"')) if value.starts_with("\"\"") => (doubled_length(value, '"'), "\"\""),
        ('\'', None | Some('"')) => (quoted_length(value, '\'', literal), "'"),
        ('"', None | Some('\'')) => (quoted_length(value, '"', literal), "\""),
        ('`', _) => (quoted_length(value, '`', literal), "`"),
        _ if operator_end == operator => return None,
        (_, Some(quote)) => (bare_length_in(value, quote), ""),
        (_, None) => (bare_length(value), ""),
    };
    (length > 0).then_some(Found {
        start,
        end: start + length,
        quote,
    })
}

/// The password, if `text` begins with what follows the scheme of a URL: `://user:password@host`.
fn url_password(text: &str) -> Option<Found> {
    const BEFORE: &str = "://";
    let authority = text.strip_prefix(BEFORE)?;
    let ends = |c: char| c.is_whitespace() || matches!(c, '/' | '?' | '#' | '\'' | '"' | '`' | ';');
    let authority = &authority[..authority.find(ends).unwrap_or(authority.len())];
    let (credentials, _) = authority.rsplit_once('@')?;
    let (user, password) = credentials.split_once(':')?;
    let start = BEFORE.len() + user.len() + 1;
    (!password.is_empty()).then_some(Found {
        start,
        end: start + password.len(),
        quote: "",
    })
}

/// The length of the quoted text at the start of `text`, which ends at the latest where the
/// literal around it ends; all of it if nothing ends it.
fn quoted_length(text: &str, quote: char, literal: Option<char>) -> usize {
    let mut letters = text.char_indices().skip(1).peekable();
    while let Some((index, letter)) = letters.next() {
        let ends = letter == quote || Some(letter) == literal;
        if ends && letters.next_if(|(_, next)| *next == letter).is_none() {
            return index + if letter == quote { quote.len_utf8() } else { 0 };
        }
    }
    text.len()
}

/// The same inside a literal of that quote, where each quote is written twice.
fn doubled_length(text: &str, quote: char) -> usize {
    let pair = quote.to_string().repeat(2);
    let mut end = pair.len();
    while let Some(next) = text[end..].find(quote) {
        end += next;
        if !text[end..].starts_with(&pair) {
            // The literal itself ends.
            return end;
        }
        end += pair.len();
        if !text[end..].starts_with(&pair) {
            return end;
        }
        end += pair.len();
    }
    text.len()
}

/// The length of a value without quotes inside a connection string that is itself a literal. A
/// part behind a semicolon without `=` cannot be another property, so it may belong to the value.
fn bare_length_in(text: &str, literal: char) -> usize {
    let mut letters = text.char_indices().peekable();
    let mut semicolon = None;
    while let Some((index, letter)) = letters.next() {
        match (letter, semicolon) {
            ('=', Some(semicolon)) => return semicolon,
            (';', _) => semicolon = Some(index),
            _ if letter == literal && letters.next_if(|(_, next)| *next == literal).is_none() => {
                return index;
            }
            _ => {}
        }
    }
    text.len()
}

/// The length of a value without quotes in SQL. A quoted part right behind a prefix (`N'..'`)
/// belongs to it.
fn bare_length(text: &str) -> usize {
    let stop = text
        .find(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | ')' | '\'' | '"'))
        .unwrap_or(text.len());
    match text[stop..].chars().next() {
        Some(quote @ ('\'' | '"')) => stop + quoted_length(&text[stop..], quote, None),
        _ => stop,
    }
}

fn is_name_part(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn word_length(text: &str) -> usize {
    text.find(|c: char| !is_name_part(c)).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::{is_sensitive, mask_source};

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

    #[test]
    fn hides_secrets_wherever_they_stand() {
        for (text, masked) in [
            ("SELECT 1", "SELECT 1"),
            ("Token = 'abc'", "Token = '***'"),
            ("Token='a''b', User='u'", "Token='***', User='u'"),
            ("[API Token] = \"abc\")", "[API Token] = \"***\")"),
            ("Password = abc, User = u", "Password = ***, User = u"),
            ("Password abc", "Password abc"),
            ("Password 'abc'", "Password '***'"),
            (
                "@Verifier='abc' -- Token=def;",
                "@Verifier='***' -- Token=***;",
            ),
            (
                "FROM 'User=u;Token=a, b;Timeout=3'",
                "FROM 'User=u;Token=***;Timeout=3'",
            ),
            (
                "FROM 'Token=\"a;b\";User=u' x",
                "FROM 'Token=\"***\";User=u' x",
            ),
            (
                "FROM 'Token=abc' Password = def",
                "FROM 'Token=***' Password = ***",
            ),
            ("Token = 'abc\ndef", "Token = '***\n'"),
            ("Token\n=\n'abc'", "Token\n=\n'***'"),
            ("Token = ", "Token = "),
            ("'x' Token = N'abc'", "'x' Token = ***"),
            ("FROM 'Token=''a;b'';User=u'", "FROM 'Token=''***'';User=u'"),
            (
                "FROM 'Token=''a''''b;c'';User=u'",
                "FROM 'Token=''***'';User=u'",
            ),
            ("FROM 'Token=a''b c;User=u'", "FROM 'Token=***;User=u'"),
            ("FROM 'Token=\"a;b' Other", "FROM 'Token=\"***\"' Other"),
            ("FROM 'Token=ab;c;d;User=u'", "FROM 'Token=***;User=u'"),
            ("FROM 'Token=ab;c' Other", "FROM 'Token=***' Other"),
            ("-- don't\nToken = 'a b'", "-- don't\nToken = '***'"),
            (
                "/* don't /* */ */ Token = 'a b'",
                "/* don't /* */ */ Token = '***'",
            ),
            ("[it's] Token = 'a b'", "[it's] Token = '***'"),
            ("Token = -- 'x'\n 'a b'", "Token = -- 'x'\n '***'"),
            ("Token /* = */ = 'a b'", "Token /* = */ = '***'"),
            ("-- Token='a b\nSELECT 1", "-- Token='***'\nSELECT 1"),
            ("FROM 'User=u;Token=abc", "FROM 'User=u;Token=***"),
            ("Token = 'ä'; ü", "Token = '***'; ü"),
            (
                "URL = 'postgres://me:p@ss:w@host:5432/db?sslmode=verify-full'",
                "URL = 'postgres://me:***@host:5432/db?sslmode=verify-full'",
            ),
            ("'postgres://me@host/db'", "'postgres://me@host/db'"),
            ("'https://host/a:b@c'", "'https://host/a:b@c'"),
            ("-- postgres://me:abc@host", "-- postgres://me:***@host"),
        ] {
            assert_eq!(mask_source(text), masked, "{text}");
        }
    }
}
