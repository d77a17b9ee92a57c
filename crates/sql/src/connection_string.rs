//! Connection strings: `name=value;name="va;lue";...`

use std::collections::HashSet;
use std::fmt;

use nom::branch::alt;
use nom::bytes::complete::{is_not, tag_no_case, take_while, take_while1};
use nom::character::complete::{char, multispace0};
use nom::combinator::{opt, recognize};
use nom::multi::many0;
use nom::sequence::{delimited, pair};
use nom::{IResult, Parser};

use crate::error::refused;
use crate::mask::mask_source;
use crate::secret::{MASK, is_sensitive};
use crate::{Error, Position, Span, code};

/// The properties of a connection, in the order written.
///
/// `Display` prints them with their secrets, `Debug` and [`ConnectionString::masked`] without.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ConnectionString {
    properties: Vec<(String, String)>,
}

impl ConnectionString {
    /// Reads `name=value;name=value`. A value may stand in single or double quotes, doubled
    /// inside; without quotes it ends at the semicolon and blanks around it are dropped. A
    /// `jdbc:bitbucket:` or `jdbc:cdata:bitbucket:` before it is dropped, too. Empty properties
    /// (`;;`) are skipped. The same name twice is an error.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut properties: Vec<(String, String)> = Vec::new();
        let mut seen = HashSet::new();
        let mut rest = text;
        while let Ok((property, _)) = separators(rest)
            && !property.is_empty()
        {
            let fail = |message: String, from: &str, length: usize| {
                let offset = text.len() - from.len();
                let start = Position::at(text, offset);
                let end = Position::at(text, offset + length);
                refused(code::CONNECTION_STRING, message, Span { start, end })
            };
            let Ok((after_name, name)) = name(property) else {
                let message = "a property name is missing before `=`".to_owned();
                return Err(fail(message, property, 1));
            };
            let fail_at_name = |message| fail(message, property, name.len());
            let Ok((value_text, _)) = equals(after_name) else {
                return Err(
                    fail_at_name("a property has no `=` and no value".to_owned()).with_hint(
                        "write `name=value;name=value`; a value with `;` in it is quoted",
                    ),
                );
            };
            if !seen.insert(letters(name)) {
                return Err(
                    fail_at_name(format!("`{name}` is given twice")).with_hint("keep one of them")
                );
            }
            let Ok((after, value)) = value(value_text) else {
                let quote = &value_text[..1];
                let message = format!("the value of `{name}` has no closing quote");
                return Err(fail(message, value_text, 1).with_hint(format!(
                    "close it with `{quote}`; a quote inside is doubled"
                )));
            };
            if !after.is_empty() && !after.starts_with(';') {
                let message = format!("text after the closing quote of `{name}`'s value");
                return Err(fail(message, after, 1)
                    .with_hint("separate properties with `;`; a quote inside is doubled"));
            }
            properties.push((name.to_owned(), value));
            rest = after;
        }
        Ok(Self { properties })
    }

    /// The properties as (name, value), names as they were written.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.properties
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The value of the property called `name`, case and blanks apart: `Data Source` is
    /// `datasource`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter()
            .find(|(known, _)| same_property(known, name))
            .map(|(_, value)| value)
    }

    /// As `Display`, but with `***` for the values of sensitive properties.
    pub fn masked(&self) -> String {
        let shown = |(name, value): &(String, String)| {
            let value = if is_sensitive(name) {
                MASK.to_owned()
            } else {
                mask_source(value)
            };
            (name.clone(), value)
        };
        Self {
            properties: self.properties.iter().map(shown).collect(),
        }
        .to_string()
    }
}

impl FromIterator<(String, String)> for ConnectionString {
    /// The names must differ and contain neither `=` nor `;`.
    fn from_iter<I: IntoIterator<Item = (String, String)>>(properties: I) -> Self {
        Self {
            properties: properties.into_iter().collect(),
        }
    }
}

impl fmt::Display for ConnectionString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, value)) in self.properties.iter().enumerate() {
            let separator = if index == 0 { "" } else { ";" };
            write!(f, "{separator}{name}=")?;
            let plain =
                !value.contains(';') && !value.starts_with(['"', '\'']) && value.trim() == value;
            if plain {
                f.write_str(value)?;
            } else {
                write!(f, "\"{}\"", value.replace('"', "\"\""))?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for ConnectionString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ConnectionString")
            .field(&self.masked())
            .finish()
    }
}

/// Whether two property names mean the same: case and blanks don't count.
fn same_property(a: &str, b: &str) -> bool {
    letters(a) == letters(b)
}

fn letters(name: &str) -> String {
    name.chars()
        .filter(|c| !c.is_whitespace())
        .flat_map(char::to_lowercase)
        .collect()
}

/// What may stand before a property: blanks, semicolons, the prefixes of JDBC URLs.
fn separators(text: &str) -> IResult<&str, &str> {
    let jdbc = alt((
        tag_no_case("jdbc:cdata:bitbucket:"),
        tag_no_case("jdbc:bitbucket:"),
    ));
    let blank = take_while1(|c: char| c == ';' || c.is_whitespace());
    recognize(many0(alt((jdbc, blank)))).parse(text)
}

fn name(text: &str) -> IResult<&str, &str> {
    is_not("=;").map(str::trim_end).parse(text)
}

fn equals(text: &str) -> IResult<&str, char> {
    delimited(multispace0, char('='), take_while(char::is_whitespace)).parse(text)
}

fn value(text: &str) -> IResult<&str, String> {
    match text.chars().next() {
        Some(quote @ ('"' | '\'')) => {
            let inside = recognize(many0(alt((
                recognize(pair(char(quote), char(quote))),
                take_while1(|c| c != quote),
            ))));
            let (rest, raw) = delimited(char(quote), inside, char(quote)).parse(text)?;
            let (rest, _) = take_while(char::is_whitespace).parse(rest)?;
            let pair = quote.to_string().repeat(2);
            Ok((rest, raw.replace(&pair, &quote.to_string())))
        }
        _ => opt(is_not(";"))
            .map(|value| value.map(str::trim_end).unwrap_or_default().to_owned())
            .parse(text),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::ConnectionString;

    fn pairs(text: &str) -> Vec<(String, String)> {
        let string = ConnectionString::parse(text).unwrap();
        let printed = string.to_string();
        assert_eq!(
            ConnectionString::parse(&printed).unwrap(),
            string,
            "{printed}"
        );
        string
            .iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    #[test]
    fn reads_and_prints() {
        for (text, expected) in [
            ("", vec![]),
            (" ; ;", vec![]),
            ("A=1", vec![("A", "1")]),
            ("A=1;", vec![("A", "1")]),
            (" A = 1 ; B=2", vec![("A", "1"), ("B", "2")]),
            (
                "Data Source=my file.db",
                vec![("Data Source", "my file.db")],
            ),
            ("A=;B=x", vec![("A", ""), ("B", "x")]),
            ("A=b=c", vec![("A", "b=c")]),
            (r#"A="x;y";B='it''s'"#, vec![("A", "x;y"), ("B", "it's")]),
            (r#"A=" q""q ";"#, vec![("A", " q\"q ")]),
            (r#"A="";"#, vec![("A", "")]),
            ("A=don't", vec![("A", "don't")]),
            ("jdbc:bitbucket:A=1", vec![("A", "1")]),
            ("JDBC:CData:Bitbucket:A=1", vec![("A", "1")]),
            ("Ä=ö\u{a0}", vec![("Ä", "ö")]),
        ] {
            let expected: Vec<(String, String)> = expected
                .iter()
                .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
                .collect();
            assert_eq!(pairs(text), expected, "{text}");
        }
    }

    #[test]
    fn names_the_place_of_a_mistake() {
        for (text, message, range) in [
            ("A", "a property has no `=` and no value", 0..1),
            ("A=1;Bee;", "a property has no `=` and no value", 4..7),
            ("=x", "a property name is missing before `=`", 0..1),
            ("A=1; a =2", "`a` is given twice", 5..6),
            ("A='x;B=1", "the value of `A` has no closing quote", 2..3),
            (
                "ä=1;B=\"x\"y",
                "text after the closing quote of `B`'s value",
                10..11,
            ),
        ] {
            let error = ConnectionString::parse(text).unwrap_err();
            assert_eq!(
                (error.message(), error.span().unwrap().range()),
                (message, range),
                "{text}"
            );
            assert_eq!(error.code(), "BL1009");
        }
    }

    #[test]
    fn hides_secrets() {
        let string = ConnectionString::parse("User=u17;API Token=abc;Proxy Password=xyz").unwrap();
        assert_eq!(string.masked(), "User=u17;API Token=***;Proxy Password=***");
        assert!(!format!("{string:?}").contains("abc"));
        assert_eq!(string.get("apitoken"), Some("abc"));
    }
}
