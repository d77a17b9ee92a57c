//! The visitors that carry a JSON text into cells.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde::{Deserialize, de};
use serde_json::value::RawValue;

use super::cell::Cell;
use super::number::{digits, float, is_number, whole};
use super::timestamp::micros;
use super::tree::{Node, Target};
use super::{CellSpec, Decoder, Numbers};
use crate::Lost;

/// A value for a cell of several places, as JSON, until its row ends: a place that counts more may come later.
#[derive(Debug, Clone, Default)]
struct Candidate {
    /// Which of the cell's places it is from; `None` if no place has a value yet.
    rank: Option<usize>,
    json: String,
}

impl Candidate {
    /// Takes a value if its place counts more than that of the one before. Of equal members the first stands.
    fn offer(&mut self, rank: usize, json: &str) {
        if json != "null" && self.rank.is_none_or(|known| rank < known) {
            self.rank = Some(rank);
            self.json.clear();
            self.json.push_str(json);
        }
    }
}

/// What has been read of an answer.
#[derive(Debug)]
pub(super) struct Answer<'d> {
    pub(super) cells: Vec<Cell>,
    specs: &'d [CellSpec],
    /// The values that the row being read has for cells of several places, by cell.
    candidates: Vec<Candidate>,
    /// Whole rows read.
    pub(super) rows: usize,
    /// Rows that an answer may have.
    most_rows: usize,
    numbers: Numbers,
    pub(super) next: Option<String>,
    pub(super) size: Option<u64>,
    pub(super) page: Option<u64>,
    pub(super) pagelen: Option<u64>,
    pub(super) lost: BTreeMap<Lost, u64>,
    /// Why reading stopped, if it was not for the JSON's syntax.
    pub(super) failure: Option<String>,
}

impl<'d> Answer<'d> {
    pub(super) fn new(
        cells: Vec<Cell>,
        specs: &'d [CellSpec],
        most_rows: usize,
        numbers: Numbers,
    ) -> Self {
        Self {
            cells,
            specs,
            candidates: vec![Candidate::default(); specs.len()],
            rows: 0,
            most_rows,
            numbers,
            next: None,
            size: None,
            page: None,
            pagelen: None,
            lost: BTreeMap::new(),
            failure: None,
        }
    }

    /// The row being read, for people: its place in the answer, and what of its key was read.
    fn row(&self) -> String {
        let strict = self
            .specs
            .iter()
            .zip(&self.cells)
            .filter(|(spec, _)| spec.strict);
        let known: Vec<_> = strict
            .filter_map(|(spec, cell)| Some(format!("{} {}", spec.column, cell.shown(self.rows)?)))
            .collect();
        match known.as_slice() {
            [] => format!("row {}", self.rows + 1),
            known => format!("row {} ({})", self.rows + 1, known.join(", ")),
        }
    }

    fn fail<E: de::Error>(&mut self, failure: String) -> E {
        self.failure = Some(failure);
        E::custom("unexpected shape")
    }

    fn conflict<E: de::Error>(
        &mut self,
        path: &str,
        strict: bool,
        expected: &'static str,
        found: &'static str,
    ) -> Result<(), E> {
        if strict {
            let row = self.row();
            return Err(self.fail(format!(
                "cannot be used: in {row}, `{path}` is {found} where {expected} was expected"
            )));
        }
        let lost = Lost::Type {
            path: path.to_owned(),
            expected,
            found,
        };
        *self.lost.entry(lost).or_default() += 1;
        Ok(())
    }

    /// Fills the cells of several places from the first place that had a value.
    fn settle<E: de::Error>(&mut self) -> Result<(), E> {
        let specs = self.specs;
        for (cell, spec) in specs.iter().enumerate() {
            let Some(rank) = self.candidates[cell].rank.take() else {
                continue;
            };
            let path = &spec.places[rank];
            if let (Cell::Text(builder), true) = (&mut self.cells[cell], spec.named) {
                builder.append_value(path);
                continue;
            }
            let json = std::mem::take(&mut self.candidates[cell].json);
            let value = Value {
                path,
                cell,
                answer: self,
            };
            value
                .deserialize(&mut serde_json::Deserializer::from_str(&json))
                .map_err(E::custom)?;
            self.candidates[cell].json = json;
        }
        Ok(())
    }

    /// Ends a row: what it lacked is NULL.
    fn end_row<E: de::Error>(&mut self) -> Result<(), E> {
        self.settle()?;
        let rows = self.rows;
        let mut missing = None;
        for (cell, spec) in self.cells.iter_mut().zip(self.specs) {
            if cell.len() == rows {
                if let (Cell::Text(builder), Some(otherwise)) = (&mut *cell, &spec.otherwise) {
                    builder.append_value(otherwise);
                } else if spec.nullable {
                    cell.append_null();
                } else {
                    missing = missing.or(Some(spec));
                }
            }
        }
        if let Some(CellSpec { places, column, .. }) = missing {
            let (row, path) = (self.row(), places.join("` or `"));
            let failure = format!("cannot be used: {row} has no `{path}`, which is its {column}");
            return Err(self.fail(failure));
        }
        self.rows += 1;
        Ok(())
    }
}

/// Reads the whole answer.
pub(super) struct AnswerSeed<'a, 'd> {
    pub(super) decoder: &'d Decoder,
    pub(super) answer: &'a mut Answer<'d>,
}

impl<'de> DeserializeSeed<'de> for AnswerSeed<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match &self.decoder.member {
            Some(member) => deserializer.deserialize_any(Envelope {
                member,
                tree: &self.decoder.tree,
                answer: self.answer,
            }),
            None => Row {
                tree: &self.decoder.tree,
                answer: self.answer,
            }
            .deserialize(deserializer),
        }
    }
}

/// `{"values": [..], "next": ..}`
struct Envelope<'a, 'd> {
    member: &'d str,
    tree: &'d Node,
    answer: &'a mut Answer<'d>,
}

impl<'de> Visitor<'de> for Envelope<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with `{}`", self.member)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self {
            member,
            tree,
            answer,
        } = self;
        let mut found = false;
        while let Some(name) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            match name.as_ref() {
                name if name == member && !found => {
                    found = true;
                    map.next_value_seed(Rows {
                        member,
                        tree,
                        answer,
                    })?;
                }
                "next" => answer.next = map.next_value()?,
                "size" => answer.size = map.next_value::<Loose>()?.0,
                "page" => answer.page = map.next_value::<Loose>()?.0,
                "pagelen" => answer.pagelen = map.next_value::<Loose>()?.0,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        if found {
            Ok(())
        } else {
            Err(answer.fail(format!("cannot be used: it has no `{member}`")))
        }
    }
}

/// A count that is of no importance: anything but a whole number is none, and is passed over.
struct Loose(Option<u64>);

impl<'de> Deserialize<'de> for Loose {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = <&RawValue>::deserialize(deserializer)?;
        let whole = whole(value.get());
        Ok(Self(whole.and_then(|whole| u64::try_from(whole).ok())))
    }
}

/// The list of rows.
struct Rows<'a, 'd> {
    member: &'d str,
    tree: &'d Node,
    answer: &'a mut Answer<'d>,
}

impl<'de> DeserializeSeed<'de> for Rows<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Rows<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of rows in `{}`", self.member)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        let most = self.answer.most_rows;
        while rows
            .next_element_seed(Row {
                tree: self.tree,
                answer: self.answer,
            })?
            .is_some()
        {
            if self.answer.rows > most {
                return Err(self
                    .answer
                    .fail(format!("cannot be used: it has more than {most} rows")));
            }
        }
        Ok(())
    }
}

/// One row.
struct Row<'a, 'd> {
    tree: &'d Node,
    answer: &'a mut Answer<'d>,
}

impl<'de> DeserializeSeed<'de> for Row<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Row<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object as a row")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        members(self.tree, self.answer, &mut map)?;
        self.answer.end_row()
    }
}

fn members<'de, A: MapAccess<'de>>(
    node: &Node,
    answer: &mut Answer<'_>,
    map: &mut A,
) -> Result<(), A::Error> {
    while let Some(child) = map.next_key_seed(Member(node))? {
        match child {
            Some(index) => {
                map.next_value_seed(Place {
                    node: &node.children[index].1,
                    answer,
                })?;
            }
            None => {
                map.next_value::<IgnoredAny>()?;
            }
        }
    }
    Ok(())
}

/// A member's name as the index of the child it leads to.
struct Member<'a>(&'a Node);

impl<'de> DeserializeSeed<'de> for Member<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Member<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.child(name))
    }
}

/// A value at a place that some cell wants.
struct Place<'a, 'd, 'n> {
    node: &'n Node,
    answer: &'a mut Answer<'d>,
}

impl<'de> DeserializeSeed<'de> for Place<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let Self { node, answer } = self;
        match (node.cells.as_slice(), node.children.is_empty()) {
            ([], _) => Object { node, answer }.deserialize(deserializer),
            ([Target { cell, .. }], true) if answer.specs[*cell].places.len() == 1 => Value {
                path: &node.path,
                cell: *cell,
                answer,
            }
            .deserialize(deserializer),
            (targets, leaf) => {
                // Wanted more than once, or only if no better place has a value: read it as often.
                let raw = <&RawValue>::deserialize(deserializer)?.get();
                for Target { cell, rank } in targets {
                    if answer.specs[*cell].places.len() > 1 {
                        answer.candidates[*cell].offer(*rank, raw);
                        continue;
                    }
                    let mut again = serde_json::Deserializer::from_str(raw);
                    let seed = Value {
                        path: &node.path,
                        cell: *cell,
                        answer,
                    };
                    seed.deserialize(&mut again).map_err(D::Error::custom)?;
                }
                if !leaf {
                    let mut again = serde_json::Deserializer::from_str(raw);
                    let object = Object { node, answer };
                    object.deserialize(&mut again).map_err(D::Error::custom)?;
                }
                Ok(())
            }
        }
    }
}

/// A value whose members are wanted.
struct Object<'a, 'd, 'n> {
    node: &'n Node,
    answer: &'a mut Answer<'d>,
}

impl Object<'_, '_, '_> {
    fn conflict<E: de::Error>(self, found: &'static str) -> Result<(), E> {
        self.answer
            .conflict(&self.node.path, self.node.strict, "an object", found)
    }
}

impl<'de> DeserializeSeed<'de> for Object<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.answer.numbers == Numbers::AsRead {
            return deserializer.deserialize_any(self);
        }
        let raw = <&RawValue>::deserialize(deserializer)?.get();
        if is_number(raw) {
            return self.conflict("a number");
        }
        let mut json = serde_json::Deserializer::from_str(raw);
        json.deserialize_any(self).map_err(D::Error::custom)
    }
}

impl<'de> Visitor<'de> for Object<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        members(self.node, self.answer, &mut map)
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        self.conflict("a list")
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<(), E> {
        self.conflict("true or false")
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<(), E> {
        self.conflict("a number")
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<(), E> {
        self.conflict("a number")
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<(), E> {
        self.conflict("a number")
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<(), E> {
        self.conflict("a text")
    }
}

/// A value for one cell.
struct Value<'a, 'd, 'n> {
    /// Where it is in the row.
    path: &'n str,
    cell: usize,
    answer: &'a mut Answer<'d>,
}

impl Value<'_, '_, '_> {
    fn cell(&mut self) -> &mut Cell {
        &mut self.answer.cells[self.cell]
    }

    fn conflict<E: de::Error>(self, found: &'static str) -> Result<(), E> {
        let expected = self.answer.cells[self.cell].expected();
        let strict = self.answer.specs[self.cell].strict;
        self.answer.conflict(self.path, strict, expected, found)?;
        self.answer.cells[self.cell].append_null();
        Ok(())
    }

    /// Takes a number from its digits.
    fn number<E: de::Error>(mut self, number: &str) -> Result<(), E> {
        match self.cell() {
            Cell::Int(builder) => match whole(number) {
                Some(value) => builder.append_value(value),
                None => return self.conflict("a number"),
            },
            Cell::Float(builder) => match float(number) {
                Some(value) => builder.append_value(value),
                None => return self.conflict("a number out of range"),
            },
            Cell::Text(builder) => builder.append_value(digits(number)),
            _ => return self.conflict("a number"),
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Value<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(mut self, deserializer: D) -> Result<(), D::Error> {
        let rows = self.answer.rows;
        let named = self.answer.specs[self.cell].named;
        let numbers = self.answer.numbers;
        let path = self.path;
        match self.cell() {
            // The member came twice in one object; the first one stands.
            cell if cell.len() > rows => IgnoredAny::deserialize(deserializer).map(|_| ()),
            Cell::Json(builder) => {
                match <&RawValue>::deserialize(deserializer)?.get() {
                    "null" => builder.append_null(),
                    json => builder.append_value(json),
                }
                Ok(())
            }
            Cell::Text(builder) if named => {
                if Option::<IgnoredAny>::deserialize(deserializer)?.is_some() {
                    builder.append_value(path);
                }
                Ok(())
            }
            _ if numbers == Numbers::AsRead => deserializer.deserialize_any(self),
            _ => {
                let raw = <&RawValue>::deserialize(deserializer)?.get();
                if is_number(raw) {
                    return self.number(raw);
                }
                let mut json = serde_json::Deserializer::from_str(raw);
                json.deserialize_any(self).map_err(D::Error::custom)
            }
        }
    }
}

impl<'de> Visitor<'de> for Value<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    // Another place may have a value; if none has, the row's end makes it NULL.
    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: de::Error>(mut self, value: bool) -> Result<(), E> {
        match self.cell() {
            Cell::Bool(builder) => builder.append_value(value),
            _ => return self.conflict("true or false"),
        }
        Ok(())
    }

    fn visit_i64<E: de::Error>(mut self, value: i64) -> Result<(), E> {
        match self.cell() {
            Cell::Int(builder) => builder.append_value(value),
            Cell::Float(builder) => builder.append_value(value as f64),
            Cell::Text(builder) => builder.append_value(value.to_string()),
            _ => return self.conflict("a number"),
        }
        Ok(())
    }

    fn visit_u64<E: de::Error>(mut self, value: u64) -> Result<(), E> {
        match (i64::try_from(value), self.cell()) {
            (_, Cell::Float(builder)) => builder.append_value(value as f64),
            (_, Cell::Text(builder)) => builder.append_value(value.to_string()),
            (Ok(value), Cell::Int(builder)) => builder.append_value(value),
            _ => return self.conflict("a number"),
        }
        Ok(())
    }

    fn visit_f64<E: de::Error>(mut self, _: f64) -> Result<(), E> {
        match self.cell() {
            // Its digits are gone: the answer is read again, as it is written.
            Cell::Int(_) | Cell::Float(_) | Cell::Text(_) => {
                Err(E::custom("a number that is not whole"))
            }
            _ => self.conflict("a number"),
        }
    }

    fn visit_str<E: de::Error>(mut self, value: &str) -> Result<(), E> {
        match self.cell() {
            Cell::Text(builder) => builder.append_value(value),
            Cell::Timestamp(builder) => match micros(value) {
                Some(instant) => builder.append_value(instant),
                None => return self.conflict("another text"),
            },
            _ => return self.conflict("a text"),
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        self.conflict("a list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        self.conflict("an object")
    }
}
