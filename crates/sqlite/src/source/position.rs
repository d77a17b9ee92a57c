//! Values of SQLite as a checkpoint keeps them.

use rusqlite::types::Value as Stored;
use serde_json::{Value, json};

/// Whole numbers and texts are what they are in JSON; `{"real": "1.5"}` and `{"blob": "c0ff"}` are the others.
pub(super) fn to_json(value: &Stored) -> Value {
    match value {
        Stored::Null => Value::Null,
        Stored::Integer(number) => json!(number),
        Stored::Real(number) => json!({ "real": number.to_string() }),
        Stored::Text(text) => json!(text),
        Stored::Blob(bytes) => {
            let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            json!({ "blob": digits })
        }
    }
}

/// The value that [`to_json`] was given; `None` if it is none of those.
pub(super) fn from_json(value: &Value) -> Option<Stored> {
    Some(match value {
        Value::Null => Stored::Null,
        Value::Number(number) => Stored::Integer(number.as_i64()?),
        Value::String(text) => Stored::Text(text.clone()),
        Value::Object(object) => match (object.get("real"), object.get("blob")) {
            (Some(real), _) => Stored::Real(real.as_str()?.parse().ok()?),
            (None, Some(blob)) => Stored::Blob(bytes(blob.as_str()?)?),
            (None, None) => return None,
        },
        Value::Bool(_) | Value::Array(_) => return None,
    })
}

fn bytes(digits: &str) -> Option<Vec<u8>> {
    let byte = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    (0..digits.len()).step_by(2).map(byte).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn values_come_back(value in prop_oneof![
            Just(Stored::Null),
            any::<i64>().prop_map(Stored::Integer),
            any::<f64>().prop_filter("SQLite has no NaN", |it| !it.is_nan()).prop_map(Stored::Real),
            any::<String>().prop_map(Stored::Text),
            any::<Vec<u8>>().prop_map(Stored::Blob),
        ]) {
            let text = to_json(&value).to_string();
            let json: Value = serde_json::from_str(&text).map_err(|error| TestCaseError::fail(error.to_string()))?;
            prop_assert_eq!(from_json(&json), Some(value));
        }
    }
}
