//! The document of an archive, streamed: `{"issues": [..], "comments": [..], ..}`.

use std::cell::Cell;
use std::fmt;
use std::io::{self, BufReader, Read};
use std::rc::Rc;

use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::error::Category;
use serde_json::value::RawValue;

use crate::fault::Fault;

/// Bytes unpacked at a time.
const BUFFER: usize = 64 << 10;

/// Hands each entry of one list to `accept`, in the document's order, and reads the document to its end. A
/// list that is missing or null has no entries. No more than one entry is held, and none of more than
/// `entry_bytes`.
///
/// # Errors
/// What `accept` gives, which ends the reading; or what is wrong with the document.
pub(crate) fn each_entry(
    document: impl Read,
    list: &str,
    entry_bytes: u64,
    mut accept: impl FnMut(&str) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let allowance = Allowance {
        left: Rc::new(Cell::new(entry_bytes)),
        whole: entry_bytes,
    };
    let reader = Metered {
        document,
        allowance: allowance.clone(),
    };
    let mut failure = None;
    let mut json = serde_json::Deserializer::from_reader(BufReader::with_capacity(BUFFER, reader));
    let read = json
        .deserialize_map(Lists {
            list,
            allowance: &allowance,
            accept: &mut accept,
            failure: &mut failure,
        })
        .and_then(|()| json.end());
    match (failure, read) {
        (Some(failure), _) => Err(failure),
        (None, Ok(())) => Ok(()),
        (None, Err(error)) => Err(match error.classify() {
            Category::Io => io::Error::from(error).into(),
            Category::Data => Fault::Layout(error.to_string()),
            Category::Syntax | Category::Eof => Fault::Json(error),
        }),
    }
}

/// How many bytes may still be read before an entry has to end.
#[derive(Debug, Clone)]
struct Allowance {
    left: Rc<Cell<u64>>,
    whole: u64,
}

impl Allowance {
    fn renew(&self) {
        self.left.set(self.whole);
    }
}

/// Reads a document within the allowance.
struct Metered<R> {
    document: R,
    allowance: Allowance,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.document.read(buffer)?;
        // The allowance was renewed somewhere in the last buffer, so that one more is within it.
        if self.allowance.left.get() == 0 && count > 0 {
            let fault = Fault::Limit {
                what: "an entry of its document is too large".to_owned(),
                limit: self.allowance.whole,
                unit: "bytes are",
            };
            return Err(fault.into());
        }
        let left = self.allowance.left.get().saturating_sub(count as u64);
        self.allowance.left.set(left);
        Ok(count)
    }
}

/// The document's members.
struct Lists<'a, F> {
    list: &'a str,
    allowance: &'a Allowance,
    accept: &'a mut F,
    failure: &'a mut Option<Fault>,
}

impl<'de, F: FnMut(&str) -> Result<(), Fault>> Visitor<'de> for Lists<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of lists")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut found = false;
        while let Some(is_wanted) = map.next_key_seed(IsNamed(self.list))? {
            self.allowance.renew();
            if !is_wanted {
                map.next_value_seed(Skipped(self.allowance))?;
                continue;
            }
            if std::mem::replace(&mut found, true) {
                return Err(A::Error::custom(format!("`{}` is there twice", self.list)));
            }
            map.next_value_seed(Entries {
                list: self.list,
                allowance: self.allowance,
                accept: &mut *self.accept,
                failure: &mut *self.failure,
            })?;
        }
        Ok(())
    }
}

/// Whether a member has this name. Taken as bytes, since halves of surrogate pairs in it are no text.
struct IsNamed<'a>(&'a str);

impl<'de> DeserializeSeed<'de> for IsNamed<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_bytes(self)
    }
}

impl Visitor<'_> for IsNamed<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_bytes<E: serde::de::Error>(self, name: &[u8]) -> Result<bool, E> {
        Ok(name == self.0.as_bytes())
    }
}

/// The entries of the wanted list.
struct Entries<'a, F> {
    list: &'a str,
    allowance: &'a Allowance,
    accept: &'a mut F,
    failure: &'a mut Option<Fault>,
}

impl<'de, F: FnMut(&str) -> Result<(), Fault>> DeserializeSeed<'de> for Entries<'_, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, F: FnMut(&str) -> Result<(), Fault>> Visitor<'de> for Entries<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list as `{}`", self.list)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        while let Some(entry) = entries.next_element::<Box<RawValue>>()? {
            self.allowance.renew();
            if let Err(fault) = (self.accept)(entry.get()) {
                *self.failure = Some(fault);
                return Err(A::Error::custom("stopped"));
            }
        }
        Ok(())
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        Ok(())
    }
}

/// A member that is not wanted: its entries are read past one by one, so that each has an allowance.
struct Skipped<'a>(&'a Allowance);

impl<'de> DeserializeSeed<'de> for Skipped<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Skipped<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        while entries.next_element::<IgnoredAny>()?.is_some() {
            self.0.renew();
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
            self.0.renew();
        }
        Ok(())
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
