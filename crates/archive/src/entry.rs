//! One entry of a list in the shape that the table file describes, whichever version wrote it.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The members that are people: an object in version 2.0, a plain user name in 1.0.
const PEOPLE: [&str; 3] = ["assignee", "reporter", "user"];

/// The members that are numbers, which some programs write as text.
const NUMBERS: [&str; 3] = ["id", "issue", "comment"];

/// The member that [`append`] adds: the place in the list, from 1.
const POSITION: &str = "position";

/// Appends an entry to `rows`: with its position, a plain user name as `{"nickname": ..}`, and a number that is
/// written as text as a number. Gives the value of the member `key` as it is appended.
///
/// # Errors
/// If the entry is not an object.
pub(crate) fn append<'e>(
    entry: &'e str,
    position: u64,
    key: Option<&str>,
    rows: &mut Vec<u8>,
) -> Result<Option<&'e str>, serde_json::Error> {
    // The first of several members of one name is the one that counts.
    rows.extend_from_slice(format!("{{\"{POSITION}\":{position}").as_bytes());
    let found = serde_json::Deserializer::from_str(entry).deserialize_map(Members { key, rows })?;
    rows.push(b'}');
    Ok(found)
}

struct Members<'a> {
    key: Option<&'a str>,
    rows: &'a mut Vec<u8>,
}

impl<'de> Visitor<'de> for Members<'_> {
    type Value = Option<&'de str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let Self { key, rows } = self;
        let mut found = None;
        while let Some(name) = map.next_key_seed(Name { key, rows })? {
            let value = map.next_value::<&RawValue>()?.get();
            let value = match value
                .strip_prefix('"')
                .and_then(|rest| rest.strip_suffix('"'))
            {
                Some(digits) if name.is_number && is_number(digits) => digits,
                _ => value,
            };
            if name.is_key && found.is_none() {
                found = Some(value);
            }
            if name.is_person && value.starts_with('"') {
                rows.extend_from_slice(b"{\"nickname\":");
                rows.extend_from_slice(value.as_bytes());
                rows.push(b'}');
            } else {
                rows.extend_from_slice(value.as_bytes());
            }
        }
        Ok(found)
    }
}

/// Whether a text is a whole number as JSON writes it.
fn is_number(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
        && (text == "0" || !text.is_empty() && !text.starts_with('0'))
}

/// Writes a member's name, and says what it is.
struct Name<'a> {
    key: Option<&'a str>,
    rows: &'a mut Vec<u8>,
}

struct Named {
    is_key: bool,
    is_number: bool,
    is_person: bool,
}

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = Named;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Named, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = Named;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Named, E> {
        self.rows.push(b',');
        serde_json::to_writer(&mut *self.rows, name).map_err(E::custom)?;
        self.rows.push(b':');
        Ok(Named {
            is_key: self.key == Some(name),
            is_number: NUMBERS.contains(&name),
            is_person: PEOPLE.contains(&name),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::append;

    #[test]
    fn entries_of_both_versions_get_one_shape() {
        let cases = [
            (r#"{}"#, r#"{"position":7}"#, None),
            (
                r#"{ "id" : 1, "user": "ann", "text" : "a\"b" }"#,
                r#"{"position":7,"id":1,"user":{"nickname":"ann"},"text":"a\"b"}"#,
                Some("1"),
            ),
            (
                r#"{"reporter":{"account_id":"1:2"},"assignee":null,"\u0069d":2,"id":3}"#,
                r#"{"position":7,"reporter":{"account_id":"1:2"},"assignee":null,"id":2,"id":3}"#,
                Some("2"),
            ),
            (
                r#"{"id":"12","issue":"0","comment":"007","text":"5"}"#,
                r#"{"position":7,"id":12,"issue":0,"comment":"007","text":"5"}"#,
                Some("12"),
            ),
        ];
        for (entry, expected, key) in cases {
            let mut rows = Vec::new();
            assert_eq!(append(entry, 7, Some("id"), &mut rows).unwrap(), key);
            assert_eq!(String::from_utf8(rows).unwrap(), expected);
        }
        for entry in ["1", "null", "[]", "\"a\""] {
            assert!(append(entry, 1, None, &mut Vec::new()).is_err(), "{entry}");
        }
    }
}
