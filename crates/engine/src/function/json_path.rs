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

    /// That of all elements of an array.
    pub(super) fn elements() -> Self {
        Self(vec![Step::Elements(0, usize::MAX)])
    }

    /// Gives the values that it leads to in a document to `taker`, in their order.
    pub(super) fn find<'d, T: Take<'d>>(
        &self,
        document: &'d str,
        mut taker: T,
    ) -> Result<T, Complaint> {
        let mut reader = Deserializer::from_str(document);
        let rest = Rest(&self.0, &mut taker);
        rest.deserialize(&mut reader)
            .and_then(|()| reader.end())
            .map_err(|error| Complaint::new(format!("the text is no JSON: {error}")))?;
        Ok(taker)
    }
}

/// Takes the values that a path leads to.
pub(super) trait Take<'d> {
    /// How far it has come.
    type Mark: Copy;

    /// Takes a value as it is written in the document.
    fn take(&mut self, value: &'d RawValue);

    fn mark(&self) -> Self::Mark;

    /// Forgets what it has taken since.
    fn back_to(&mut self, mark: Self::Mark);
}

/// What is left of a path. Reads a value once, and takes what the steps lead to.
struct Rest<'p, 't, T>(&'p [Step], &'t mut T);

impl<'p, T> Rest<'p, '_, T> {
    fn matching(&mut self, name: &str) -> Option<Rest<'p, '_, T>> {
        match self.0 {
            [Step::Name(wanted), rest @ ..] if wanted == name => Some(Rest(rest, self.1)),
            _ => None,
        }
    }

    fn element(&mut self, index: usize) -> Option<Rest<'p, '_, T>> {
        match self.0 {
            [Step::Elements(first, last), rest @ ..] if (*first..=*last).contains(&index) => {
                Some(Rest(rest, self.1))
            }
            _ => None,
        }
    }
}

impl<'d, T: Take<'d>> DeserializeSeed<'d> for Rest<'_, '_, T> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'d>>(self, reader: D) -> Result<(), D::Error> {
        match self.0 {
            [] => {
                self.1.take(<&RawValue>::deserialize(reader)?);
                Ok(())
            }
            _ => reader.deserialize_any(self),
        }
    }
}

impl<'d, T: Take<'d>> Visitor<'d> for Rest<'_, '_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_map<M: MapAccess<'d>>(mut self, mut members: M) -> Result<(), M::Error> {
        let before = self.1.mark();
        while let Some(name) = members.next_key::<String>()? {
            match self.matching(&name) {
                Some(rest) => {
                    // Of members with one name the last counts.
                    rest.1.back_to(before);
                    members.next_value_seed(rest)?;
                }
                None => drop(members.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }

    fn visit_seq<S: SeqAccess<'d>>(mut self, mut elements: S) -> Result<(), S::Error> {
        for index in 0.. {
            let element = match self.element(index) {
                Some(rest) => elements.next_element_seed(rest)?,
                None => elements.next_element::<IgnoredAny>()?.map(drop),
            };
            if element.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
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
