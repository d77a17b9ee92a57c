//! Functions of JSON and XML documents.

use serde_json::value::RawValue;

use super::call::{Call, Complaint, Compute, LONGEST, too_long};
use super::declaration::{Argument, Function, computed, text};
use super::json_path::JsonPath;
use super::xpath::XPath;

const JSON_AND_PATH: &[Argument] = &[text("json"), text("path")];

pub(super) const FUNCTIONS: &[Function] = &[
    computed(
        "json_extract",
        JSON_AND_PATH,
        Compute::Text(|call| {
            let found = values(call)?;
            match found.as_slice() {
                [] => Ok(None),
                [one] => text_of(one),
                several => {
                    let elements: Vec<String> = several.iter().map(|it| compact(it)).collect();
                    Ok(Some(format!("[{}]", elements.join(","))))
                }
            }
        }),
        "What stands at a path: a text without its quotes, else JSON; of several an array. NULL if nothing does.",
    )
    .noting("Paths know `$`, `.name`, `['name']`, `[0]`, `[x]` for all, and the ranges `[2..]`, `[..8]`, `[1..12]`, both ends included."),
    computed(
        "json_count",
        JSON_AND_PATH,
        Compute::Int(|call| Ok(i64::try_from(values(call)?.len()).ok())),
        "How many values a path leads to.",
    ),
    computed(
        "json_sum",
        JSON_AND_PATH,
        Compute::Float(|call| Ok(Some(numbers(call)?.iter().fold(0.0, |sum, number| sum + number)))),
        "The sum of the numbers that a path leads to.",
    ),
    computed(
        "json_avg",
        JSON_AND_PATH,
        Compute::Float(|call| {
            let numbers = numbers(call)?;
            let count = numbers.len();
            Ok((count > 0).then(|| numbers.iter().sum::<f64>() / count as f64))
        }),
        "The mean of the numbers that a path leads to.",
    ),
    computed(
        "json_min",
        JSON_AND_PATH,
        Compute::Float(|call| Ok(numbers(call)?.into_iter().reduce(f64::min))),
        "The least of the numbers that a path leads to.",
    ),
    computed(
        "json_max",
        JSON_AND_PATH,
        Compute::Float(|call| Ok(numbers(call)?.into_iter().reduce(f64::max))),
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
                            return Err(too_long());
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
}

impl Shape {
    fn of(document: &str) -> Self {
        let mut shape = Self::default();
        let mut depth = 0_usize;
        let mut rest = document;
        while let Some(start) = rest.find('<') {
            rest = &rest[start..];
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

fn values<'c>(call: &Call<'c>) -> Result<Vec<&'c RawValue>, Complaint> {
    JsonPath::read(call.text(1))?.find(call.text(0))
}

fn numbers(call: &Call<'_>) -> Result<Vec<f64>, Complaint> {
    let number = |value: &&RawValue| match value.get().as_bytes().first() {
        Some(b'"') => unquoted(value).ok()?.trim().parse().ok(),
        _ => value.get().parse().ok(),
    };
    Ok(values(call)?.iter().filter_map(number).collect())
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
    let (mut inside, mut escaped) = (false, false);
    let mut kept = String::with_capacity(value.get().len());
    kept.extend(value.get().chars().filter(|&c| {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => inside = !inside,
            _ => {}
        }
        inside || !c.is_ascii_whitespace()
    }));
    kept
}

#[cfg(test)]
mod tests {
    use super::{Shape, parse_xml};

    #[test]
    fn the_shape_of_a_document_is_seen_before_it_is_read() {
        for (document, depth, attributes) in [
            ("", 0, 0),
            ("<a/>", 1, 0),
            ("<a><b/><c></c></a>", 2, 0),
            (
                "<?xml version='1.0'?><a x='1' y=\">\"><!-- <b><c><d> --><![CDATA[<e><f><g>]]></a>",
                1,
                2,
            ),
            ("<a><a><a", 3, 0),
        ] {
            assert_eq!(
                Shape::of(document),
                Shape { depth, attributes },
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
