//! Writing compact JSON into a `String`.

use crate::clock::Timestamp;

/// Writes one JSON object. The closing brace is written when it is finished with [`Object::end`].
pub(crate) struct Object<'a> {
    out: &'a mut String,
    empty: bool,
}

impl<'a> Object<'a> {
    /// Opens an object at the end of `out`.
    pub(crate) fn begin(out: &'a mut String) -> Self {
        out.push('{');
        Self { out, empty: true }
    }

    /// Closes the object.
    pub(crate) fn end(self) {
        self.out.push('}');
    }

    fn key(&mut self, key: &str) -> &mut String {
        if !self.empty {
            self.out.push(',');
        }
        self.empty = false;
        self.out.push('"');
        self.out.push_str(key);
        self.out.push_str("\":");
        self.out
    }

    /// A string, or `null`.
    pub(crate) fn text<'t>(&mut self, key: &str, value: impl Into<Option<&'t str>>) -> &mut Self {
        let out = self.key(key);
        match value.into() {
            Some(value) => string(out, value),
            None => out.push_str("null"),
        }
        self
    }

    /// An integer.
    pub(crate) fn number(&mut self, key: &str, value: u64) -> &mut Self {
        let mut digits = Digits::default();
        let digits = digits.of(value);
        self.key(key).push_str(digits);
        self
    }

    /// `true` or `false`.
    pub(crate) fn boolean(&mut self, key: &str, value: bool) -> &mut Self {
        self.key(key).push_str(if value { "true" } else { "false" });
        self
    }

    /// A timestamp with six fractional digits, or `null`.
    pub(crate) fn time(&mut self, key: &str, value: impl Into<Option<Timestamp>>) -> &mut Self {
        let out = self.key(key);
        match value.into() {
            Some(value) => {
                out.push('"');
                value.write(out);
                out.push('"');
            }
            None => out.push_str("null"),
        }
        self
    }

    /// A value that is JSON text already.
    pub(crate) fn raw(&mut self, key: &str, json: &str) -> &mut Self {
        self.key(key).push_str(json);
        self
    }

    /// `null`.
    pub(crate) fn null(&mut self, key: &str) -> &mut Self {
        self.raw(key, "null")
    }

    /// A nested object.
    pub(crate) fn object(&mut self, key: &str, fill: impl FnOnce(&mut Object<'_>)) -> &mut Self {
        let mut inner = Object::begin(self.key(key));
        fill(&mut inner);
        inner.end();
        self
    }

    /// A nested array whose items write themselves.
    pub(crate) fn array<T>(
        &mut self,
        key: &str,
        items: impl IntoIterator<Item = T>,
        mut write: impl FnMut(T, &mut String),
    ) -> &mut Self {
        let out = self.key(key);
        out.push('[');
        for (n, item) in items.into_iter().enumerate() {
            if n > 0 {
                out.push(',');
            }
            write(item, out);
        }
        out.push(']');
        self
    }

    /// A link: `"key":{"href":"<the parts joined>"}`. Parts must not need escaping.
    pub(crate) fn link(&mut self, key: &str, parts: &[&str]) -> &mut Self {
        let out = self.key(key);
        out.push_str("{\"href\":\"");
        for part in parts {
            out.push_str(part);
        }
        out.push_str("\"}");
        self
    }

    /// User text in its three forms, `{"type":"rendered","raw","markup","html"}`.
    pub(crate) fn rendered(&mut self, key: &str, raw: &str) -> &mut Self {
        let out = self.key(key);
        out.push_str("{\"type\":\"rendered\",\"raw\":");
        string(out, raw);
        out.push_str(",\"markup\":\"markdown\",\"html\":");
        out.push('"');
        if !raw.is_empty() {
            out.push_str("<p>");
            html(out, raw);
            out.push_str("</p>");
        }
        out.push_str("\"}");
        self
    }
}

/// Writes `value` as a JSON string.
pub(crate) fn string(out: &mut String, value: &str) {
    out.push('"');
    escape(out, value);
    out.push('"');
}

fn escape(out: &mut String, value: &str) {
    let mut clean = 0;
    for (at, byte) in value.bytes().enumerate() {
        let replacement = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0..=0x1f => "",
            _ => continue,
        };
        out.push_str(&value[clean..at]);
        clean = at + 1;
        if replacement.is_empty() {
            out.push_str(&format!("\\u{byte:04x}"));
        } else {
            out.push_str(replacement);
        }
    }
    out.push_str(&value[clean..]);
}

/// Writes `value` as HTML inside a JSON string.
fn html(out: &mut String, value: &str) {
    let mut clean = 0;
    for (at, byte) in value.bytes().enumerate() {
        let replacement = match byte {
            b'&' => "&amp;",
            b'<' => "&lt;",
            b'>' => "&gt;",
            b'"' => "&quot;",
            b'\\' => "\\\\",
            b'\n' => "<br />\\n",
            0..=0x1f => "",
            _ => continue,
        };
        out.push_str(&value[clean..at]);
        clean = at + 1;
        out.push_str(replacement);
    }
    out.push_str(&value[clean..]);
}

/// Decimal digits of a number without an allocation.
#[derive(Default)]
pub(crate) struct Digits([u8; 20]);

impl Digits {
    /// The digits of `value`.
    pub(crate) fn of(&mut self, mut value: u64) -> &str {
        let mut at = self.0.len();
        loop {
            at -= 1;
            self.0[at] = b'0' + (value % 10) as u8;
            value /= 10;
            if value == 0 {
                break;
            }
        }
        std::str::from_utf8(&self.0[at..]).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn strings_read_back_as_written(text in any::<String>()) {
            let mut out = String::new();
            string(&mut out, &text);
            prop_assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text);
        }

        #[test]
        fn rendered_text_is_valid_json(text in any::<String>()) {
            let mut out = String::new();
            let mut object = Object::begin(&mut out);
            object.rendered("content", &text);
            object.end();
            let value: serde_json::Value = serde_json::from_str(&out).unwrap();
            prop_assert_eq!(value["content"]["raw"].as_str().unwrap(), text);
        }

        #[test]
        fn digits_are_those_of_the_number(n in any::<u64>()) {
            let mut digits = Digits::default();
            prop_assert_eq!(digits.of(n), n.to_string());
        }
    }
}
