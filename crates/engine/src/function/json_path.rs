//! Paths into JSON documents: `$.a.b[2..].c`.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Deserializer;
use serde_json::value::RawValue;

use super::call::{Complaint, quoted};

/// A path.
#[derive(Debug)]
pub(super) struct JsonPath(Vec<Step>);

#[derive(Debug)]
enum Step {
    Name(String),
    /// The elements from one to another, both included.
    Elements(usize, usize),
}

impl JsonPath {
    /// Reads a path; the `$` of the document may be missing.
    pub(super) fn read(path: &str) -> Result<Self, Complaint> {
        let steps = steps(path.trim());
        steps.map(Self).ok_or_else(|| {
            Complaint::new(format!("{} is no path", quoted(path)))
                .with_hint("such as `$.a.b`, `$.a[0]`, `$.a[x]` for all, `$.a[2..]`, `$.a[..8]` or `$.a[1..12]`")
        })
    }

    /// The values that it leads to in a document, in their order, as they are written there.
    pub(super) fn find<'d>(&self, document: &'d str) -> Result<Vec<&'d RawValue>, Complaint> {
        let mut reader = Deserializer::from_str(document);
        let found = Rest(&self.0).deserialize(&mut reader);
        found
            .and_then(|found| reader.end().map(|()| found))
            .map_err(|error| Complaint::new(format!("the text is no JSON: {error}")))
    }
}

/// What is left of a path. Reads a value once, and keeps what the steps lead to.
struct Rest<'p>(&'p [Step]);

impl<'p> Rest<'p> {
    fn matching(&self, name: &str) -> Option<Rest<'p>> {
        match self.0 {
            [Step::Name(wanted), rest @ ..] if wanted == name => Some(Rest(rest)),
            _ => None,
        }
    }

    fn element(&self, index: usize) -> Option<Rest<'p>> {
        match self.0 {
            [Step::Elements(first, last), rest @ ..] if (*first..=*last).contains(&index) => {
                Some(Rest(rest))
            }
            _ => None,
        }
    }
}

impl<'d> DeserializeSeed<'d> for Rest<'_> {
    type Value = Vec<&'d RawValue>;

    fn deserialize<D: serde::Deserializer<'d>>(self, reader: D) -> Result<Self::Value, D::Error> {
        match self.0 {
            [] => <&RawValue>::deserialize(reader).map(|value| vec![value]),
            _ => reader.deserialize_any(self),
        }
    }
}

impl<'d> Visitor<'d> for Rest<'_> {
    type Value = Vec<&'d RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_map<M: MapAccess<'d>>(self, mut members: M) -> Result<Self::Value, M::Error> {
        let mut found = Vec::new();
        while let Some(name) = members.next_key::<String>()? {
            match self.matching(&name) {
                // Of members with one name the last counts.
                Some(rest) => found = members.next_value_seed(rest)?,
                None => drop(members.next_value::<IgnoredAny>()?),
            }
        }
        Ok(found)
    }

    fn visit_seq<S: SeqAccess<'d>>(self, mut elements: S) -> Result<Self::Value, S::Error> {
        let mut found = Vec::new();
        for index in 0.. {
            let element = match self.element(index) {
                Some(rest) => elements.next_element_seed(rest)?,
                None => elements.next_element::<IgnoredAny>()?.map(|_| Vec::new()),
            };
            match element {
                Some(values) => found.extend(values),
                None => break,
            }
        }
        Ok(found)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }
}

fn steps(path: &str) -> Option<Vec<Step>> {
    let mut rest = path.strip_prefix('$').unwrap_or(path);
    let mut steps = Vec::new();
    // Without `$`, the first name may stand without a dot.
    if !rest.is_empty() && !rest.starts_with(['.', '[']) {
        rest = name(rest, &mut steps)?;
    }
    while !rest.is_empty() {
        rest = match rest.strip_prefix('.') {
            Some(behind) => name(behind, &mut steps)?,
            None => {
                let (inner, behind) = rest.strip_prefix('[')?.split_once(']')?;
                steps.push(bracketed(inner.trim())?);
                behind
            }
        };
    }
    Some(steps)
}

/// Takes a name up to the next dot or bracket.
fn name<'p>(path: &'p str, steps: &mut Vec<Step>) -> Option<&'p str> {
    let end = path.find(['.', '[']).unwrap_or(path.len());
    let (name, rest) = path.split_at(end);
    steps.push(Step::Name(name.to_owned()));
    (!name.is_empty()).then_some(rest)
}

fn bracketed(inner: &str) -> Option<Step> {
    let between = |quote| inner.strip_prefix(quote)?.strip_suffix(quote);
    if let Some(name) = between('\'').or_else(|| between('"')) {
        return Some(Step::Name(name.to_owned()));
    }
    if matches!(inner, "x" | "X" | "*") {
        return Some(Step::Elements(0, usize::MAX));
    }
    let index = |text: &str| text.trim().parse::<usize>().ok();
    match inner.split_once("..") {
        None => index(inner).map(|index| Step::Elements(index, index)),
        Some((first, last)) => {
            let first = if first.is_empty() {
                Some(0)
            } else {
                index(first)
            };
            let last = if last.is_empty() {
                Some(usize::MAX)
            } else {
                index(last)
            };
            first
                .zip(last)
                .map(|(first, last)| Step::Elements(first, last))
        }
    }
}
