//! Functions of JSON and XML documents.

use serde_json::Value;

use super::call::{Call, Complaint, Compute};
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
            Ok(match found.as_slice() {
                [] => None,
                [one] => text_of(one),
                several => text_of(&Value::Array(several.to_vec())),
            })
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
            let texts: Vec<String> =
                path.find(document.root()).map(|found| found.text()).collect();
            let separator = call.text_if_given(2).unwrap_or(",");
            Ok((!texts.is_empty()).then(|| texts.join(separator)))
        }),
        "The texts that a path leads to, with commas or another separator between them.",
    )
    .noting("Paths know `/name`, `//name`, `*`, `@attribute`, `text()`, `[1]` and `[@attribute='text']`."),
];

/// Reads a JSON document.
pub(super) fn parse_json(text: &str) -> Result<Value, Complaint> {
    serde_json::from_str(text)
        .map_err(|error| Complaint::new(format!("the text is no JSON: {error}")))
}

/// Reads an XML document.
pub(super) fn parse_xml(text: &str) -> Result<roxmltree::Document<'_>, Complaint> {
    roxmltree::Document::parse(text)
        .map_err(|error| Complaint::new(format!("the text is no XML: {error}")))
}

fn values(call: &Call<'_>) -> Result<Vec<Value>, Complaint> {
    let path = JsonPath::read(call.text(1))?;
    let document = parse_json(call.text(0))?;
    Ok(path.find(&document).into_iter().cloned().collect())
}

fn numbers(call: &Call<'_>) -> Result<Vec<f64>, Complaint> {
    let number = |value: &Value| match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    Ok(values(call)?.iter().filter_map(number).collect())
}

/// A JSON value as a text: one without its quotes, NULL as NULL.
pub(super) fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}
