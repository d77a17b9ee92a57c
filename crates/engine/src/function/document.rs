//! Functions of JSON and XML documents.

use std::borrow::Cow;

use bucketline_core::json::mend;
use serde_json::value::RawValue;

use super::call::{Answer, Call, Complaint, Compute};
use super::declaration::{Argument, Function, computed, text};
use super::json_path::{JsonPath, Take};
use super::size::LONGEST;
use super::xpath::XPath;

const JSON_AND_PATH: &[Argument] = &[text("json"), text("path")];

pub(super) const FUNCTIONS: &[Function] = &[
    computed(
        "json_extract",
        JSON_AND_PATH,
        Compute::Text(|call| {
            let (path, document) = read(call)?;
            path.find(&document, Joined::default())?.text()
        }),
        "What stands at a path: a text without its quotes, else JSON; of several an array. NULL if nothing does.",
    )
    .noting("Paths know `$`, `.name`, `['name']`, `[0]`, `[x]` for all, and the ranges `[2..]`, `[..8]`, `[1..12]`, both ends included."),
    computed(
        "json_count",
        JSON_AND_PATH,
        Compute::Int(|call| {
            let (path, document) = read(call)?;
            Ok(Some(path.find(&document, Count(0))?.0))
        }),
        "How many values a path leads to.",
    ),
    computed(
        "json_sum",
        JSON_AND_PATH,
        Compute::Float(|call| numbers(call)?.sum().map(Some)),
        "The sum of the numbers that a path leads to.",
    ),
    computed(
        "json_avg",
        JSON_AND_PATH,
        Compute::Float(|call| {
            let numbers = numbers(call)?;
            let sum = numbers.sum()?;
            Ok((numbers.count > 0).then(|| sum / numbers.count as f64))
        }),
        "The mean of the numbers that a path leads to.",
    ),
    computed(
        "json_min",
        JSON_AND_PATH,
        Compute::Float(|call| numbers(call)?.least.map(Exact::number).transpose()),
        "The least of the numbers that a path leads to.",
    ),
    computed(
        "json_max",
        JSON_AND_PATH,
        Compute::Float(|call| numbers(call)?.greatest.map(Exact::number).transpose()),
        "The greatest of the numbers that a path leads to.",
    ),
    computed(
        "xml_extract",
        &[text("xml"), text("xpath"), text("separator").optional()],
        Compute::Text(|call| {
            let path = XPath::read(call.text(1))?;
            let document = parse_xml(call.text(0))?;
            let separator = call.text_if_given(2).unwrap_or(",");
            let mut joined: Option<String> = None;
            for found in path.find(document.root()) {
                let text = found.text();
                match &mut joined {
                    None => joined = Some(text),
                    Some(joined) => {
                        if joined.len() + separator.len() + text.len() > LONGEST {
                            return Err(Complaint::too_long());
                        }
                        joined.push_str(separator);
                        joined.push_str(&text);
                    }
                }
            }
            Ok(joined)
        }),
        "The texts that a path leads to, with commas or another separator between them.",
    )
    .noting("Paths know `/name`, `//name`, `*`, `@attribute`, `text()`, `[1]` and `[@attribute='text']`."),
];

/// Reads an XML document.
pub(super) fn parse_xml(text: &str) -> Result<roxmltree::Document<'_>, Complaint> {
    // The reader of the library calls itself for each level, and compares each attribute of an element with the others.
    const DEEPEST: usize = 256;
    const MOST_ATTRIBUTES: usize = 4_096;
    // Each takes about a hundred bytes.
    const MOST_PARTS: usize = 250_000;
    // More than so many levels take of the stack.
    const STACK: usize = 2 << 20;
    let shape = Shape::of(text);
    if shape.depth > DEEPEST {
        return Err(Complaint::new(format!(
            "the elements are nested more than {DEEPEST} deep"
        )));
    }
    if shape.attributes > MOST_ATTRIBUTES {
        return Err(Complaint::new("an element has more than 4,096 attributes"));
    }
    if shape.parts > MOST_PARTS {
        return Err(Complaint::new(
            "the document has more than 250,000 tags and attributes",
        ));
    }
    stacker::maybe_grow(STACK, 2 * STACK, || roxmltree::Document::parse(text))
        .map_err(|error| Complaint::new(format!("the text is no XML: {error}")))
}

/// What can be said of a document before it is read.
#[derive(Debug, Default, PartialEq, Eq)]
struct Shape {
    /// How deep elements are nested.
    depth: usize,
    /// The most attributes of one element.
    attributes: usize,
    /// Tags, attributes and comments in all.
    parts: usize,
}

impl Shape {
    fn of(document: &str) -> Self {
        let mut shape = Self::default();
        let mut depth = 0_usize;
        let mut rest = document;
        while let Some(start) = rest.find('<') {
            rest = &rest[start..];
            shape.parts += 1;
            let behind = |end: &str| rest.find(end).map_or("", |at| &rest[at + end.len()..]);
            if rest.starts_with("<!--") {
                rest = behind("-->");
            } else if rest.starts_with("<![CDATA[") {
                rest = behind("]]>");
            } else if rest.starts_with("<?") {
                rest = behind("?>");
            } else if rest.starts_with("</") {
                depth = depth.saturating_sub(1);
                rest = behind(">");
            } else {
                let tag = Tag::of(rest);
                shape.depth = shape.depth.max(depth + 1);
                shape.attributes = shape.attributes.max(tag.attributes);
                shape.parts += tag.attributes;
                depth += usize::from(!tag.is_closed);
                rest = &rest[tag.length..];
            }
        }
        shape
    }
}

/// A tag that opens an element.
struct Tag {
    length: usize,
    attributes: usize,
    is_closed: bool,
}

impl Tag {
    fn of(text: &str) -> Self {
        let mut attributes = 0;
        let mut quote = None;
        let mut before = 0;
        for (index, byte) in text.bytes().enumerate() {
            match (quote, byte) {
                (Some(open), _) if open == byte => quote = None,
                (None, b'"' | b'\'') => {
                    quote = Some(byte);
                    attributes += 1;
                }
                (None, b'>') => {
                    return Self {
                        length: index + 1,
                        attributes,
                        is_closed: before == b'/',
                    };
                }
                _ => {}
            }
            before = byte;
        }
        Self {
            length: text.len(),
            attributes,
            is_closed: false,
        }
    }
}

/// The path of a call, and its document.
fn read<'c>(call: &Call<'c>) -> Result<(JsonPath, Cow<'c, str>), Complaint> {
    let (document, _) = mend(call.text(0));
    Ok((JsonPath::read(call.text(1))?, document))
}

fn numbers(call: &Call<'_>) -> Result<Numbers, Complaint> {
    let (path, document) = read(call)?;
    path.find(&document, Numbers::default())
}

/// Values as one JSON text.
#[derive(Debug, Default)]
struct Joined<'d> {
    first: Option<&'d RawValue>,
    /// All of them, with commas between them.
    elements: String,
    count: usize,
}

impl Joined<'_> {
    fn text(self) -> Answer<String> {
        match (self.first, self.count) {
            (None, _) => Ok(None),
            (Some(one), 1) => text_of(one),
            _ => Ok(Some(format!("[{}]", self.elements))),
        }
    }
}

impl<'d> Take<'d> for Joined<'d> {
    type Mark = (usize, usize);

    fn take(&mut self, value: &'d RawValue) {
        if self.count > 0 {
            self.elements.push(',');
        }
        self.count += 1;
        self.first.get_or_insert(value);
        append_compact(value, &mut self.elements);
    }

    fn mark(&self) -> Self::Mark {
        (self.count, self.elements.len())
    }

    fn back_to(&mut self, (count, length): Self::Mark) {
        self.count = count;
        self.elements.truncate(length);
        self.first = self.first.filter(|_| count > 0);
    }
}

/// How many values there are.
#[derive(Debug, Clone, Copy)]
struct Count(i64);

impl<'d> Take<'d> for Count {
    type Mark = Self;

    fn take(&mut self, _: &'d RawValue) {
        self.0 += 1;
    }

    fn mark(&self) -> Self {
        *self
    }

    fn back_to(&mut self, mark: Self) {
        *self = mark;
    }
}

/// The values that are numbers, or texts of numbers.
#[derive(Debug, Default, Clone, Copy)]
struct Numbers {
    count: usize,
    sum: f64,
    /// The sum, while all are whole numbers.
    whole: Whole,
    least: Option<Exact>,
    greatest: Option<Exact>,
}

/// A sum of whole numbers; `None` if there are others.
#[derive(Debug, Clone, Copy)]
struct Whole(Option<i128>);

impl Default for Whole {
    fn default() -> Self {
        Self(Some(0))
    }
}

/// A number as a float, and whether that is the number itself.
#[derive(Debug, Clone, Copy)]
struct Exact {
    number: f64,
    is_exact: bool,
}

impl Exact {
    fn of(text: &str) -> Option<Self> {
        let number: f64 = text.parse().ok()?;
        let is_whole = text
            .bytes()
            .all(|byte| byte == b'-' || byte.is_ascii_digit());
        let is_exact = !is_whole || text.parse().is_ok_and(|whole| is_float(number, whole));
        Some(Self { number, is_exact })
    }

    fn number(self) -> Result<f64, Complaint> {
        match self.is_exact {
            true => Ok(self.number),
            false => Err(too_many_digits()),
        }
    }
}

/// Whether a float is that whole number.
fn is_float(number: f64, whole: i128) -> bool {
    const FIRST_BEYOND: f64 = 170_141_183_460_469_231_731_687_303_715_884_105_728.0;
    // Within the bounds nothing is cut off.
    (-FIRST_BEYOND..FIRST_BEYOND).contains(&number) && number as i128 == whole
}

fn too_many_digits() -> Complaint {
    Complaint::new("the result has more digits than a floating-point number keeps")
        .with_hint("JSONTABLE(..) WITH (Value DECIMAL(38, 0)) keeps them, for SUM, MIN and MAX")
}

impl Numbers {
    fn sum(&self) -> Result<f64, Complaint> {
        match self.whole {
            Whole(Some(whole)) if !is_float(self.sum, whole) => Err(too_many_digits()),
            _ => Ok(self.sum),
        }
    }
}

impl<'d> Take<'d> for Numbers {
    type Mark = Self;

    fn take(&mut self, value: &'d RawValue) {
        let number = match value.get().as_bytes().first() {
            Some(b'"') => unquoted(value).ok().and_then(|text| {
                let text = text.trim();
                Some((Exact::of(text)?, text.parse().ok()))
            }),
            _ => Exact::of(value.get()).map(|number| (number, value.get().parse().ok())),
        };
        let Some((number, whole)) = number else {
            return;
        };
        let better = |found: Option<Exact>, is_better: fn(&f64, &f64) -> bool| match found {
            Some(found) if !is_better(&number.number, &found.number) => Some(found),
            _ => Some(number),
        };
        self.count += 1;
        self.sum += number.number;
        self.whole = Whole(
            self.whole
                .0
                .zip(whole)
                .and_then(|(sum, whole)| sum.checked_add(whole)),
        );
        self.least = better(self.least, f64::lt);
        self.greatest = better(self.greatest, f64::gt);
    }

    fn mark(&self) -> Self {
        *self
    }

    fn back_to(&mut self, mark: Self) {
        *self = mark;
    }
}

/// A JSON value as a text: one without its quotes, a number digit by digit, NULL as NULL.
pub(super) fn text_of(value: &RawValue) -> Result<Option<String>, Complaint> {
    match value.get().as_bytes().first() {
        Some(b'n') => Ok(None),
        Some(b'"') => unquoted(value).map(Some),
        _ => Ok(Some(compact(value))),
    }
}

fn unquoted(text: &RawValue) -> Result<String, Complaint> {
    serde_json::from_str(text.get())
        .map_err(|error| Complaint::new(format!("the text is no JSON: {error}")))
}

/// A JSON value as it is written, but for blanks between its parts.
pub(super) fn compact(value: &RawValue) -> String {
    let mut kept = String::with_capacity(value.get().len());
    append_compact(value, &mut kept);
    kept
}

fn append_compact(value: &RawValue, into: &mut String) {
    let (mut inside, mut escaped) = (false, false);
    into.extend(value.get().chars().filter(|&c| {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => inside = !inside,
            _ => {}
        }
        inside || !c.is_ascii_whitespace()
    }));
}

#[cfg(test)]
mod tests {
    use super::{Shape, parse_xml};

    #[test]
    fn the_shape_of_a_document_is_seen_before_it_is_read() {
        for (document, depth, attributes, parts) in [
            ("", 0, 0, 0),
            ("<a/>", 1, 0, 1),
            ("<a><b/><c></c></a>", 2, 0, 5),
            (
                "<?xml version='1.0'?><a x='1' y=\">\"><!-- <b><c><d> --><![CDATA[<e><f><g>]]></a>",
                1,
                2,
                7,
            ),
            ("<a><a><a", 3, 0, 3),
        ] {
            assert_eq!(
                Shape::of(document),
                Shape {
                    depth,
                    attributes,
                    parts
                },
                "{document}"
            );
        }
    }

    #[test]
    fn a_document_of_50_000_levels_is_refused_and_one_of_256_read() {
        let nested = |levels| format!("{}{}", "<a>".repeat(levels), "</a>".repeat(levels));
        assert!(parse_xml(&nested(50_000)).is_err());
        assert!(parse_xml(&nested(257)).is_err());
        assert!(parse_xml(&nested(256)).is_ok());
        assert!(parse_xml(&"<a>".repeat(50_000)).is_err());
    }
}
