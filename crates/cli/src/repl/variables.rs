//! Variables of a session, which stand for texts in what is typed.

use std::collections::BTreeMap;

use super::token::{Kind, tokens};

/// The variables, by name.
#[derive(Debug, Default)]
pub(super) struct Variables(BTreeMap<String, String>);

impl Variables {
    pub(super) fn define(&mut self, name: String, text: String) {
        self.0.insert(name, text);
    }

    /// Whether there was one.
    pub(super) fn forget(&mut self, name: &str) -> bool {
        self.0.remove(name).is_some()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.0.iter();
        all.map(|(name, text)| (name.as_str(), text.as_str()))
    }

    /// A text with `:name` replaced by the variable's text, `:'name'` by a text in quotes, `:"name"` by a name in
    /// quotes. What is no variable, such as a cast by `::`, stays, and so does what stands in quotes or a comment.
    pub(super) fn fill(&self, text: &str) -> String {
        if self.0.is_empty() {
            return text.to_owned();
        }
        let all = tokens(text);
        let mut filled = String::with_capacity(text.len());
        let mut rest = all.as_slice();
        let mut before = "";
        while let [first, others @ ..] = rest {
            let sign = first.text(text);
            let value = match others {
                [name, ..] if sign == ":" && before != ":" => {
                    self.value(name.kind, name.text(text), name.is_open)
                }
                _ => None,
            };
            rest = match value {
                Some(value) => {
                    filled.push_str(&value);
                    &others[1..]
                }
                None => {
                    filled.push_str(sign);
                    others
                }
            };
            before = sign;
        }
        filled
    }

    fn value(&self, kind: Kind, name: &str, is_open: bool) -> Option<String> {
        let inner = |name: &str| self.0.get(&name[1..name.len() - 1]);
        match kind {
            Kind::Word => self.0.get(name).cloned(),
            Kind::Text if !is_open => {
                inner(name).map(|text| format!("'{}'", text.replace('\'', "''")))
            }
            Kind::Quoted if !is_open && name.starts_with('"') => {
                inner(name).map(|text| format!("\"{}\"", text.replace('"', "\"\"")))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Variables;

    #[test]
    fn variables_are_filled_in_outside_of_quotes() {
        let mut variables = Variables::default();
        variables.define("x".to_owned(), "17".to_owned());
        variables.define("who".to_owned(), "it's \"me\"".to_owned());
        for (text, filled) in [
            ("SELECT :x;", "SELECT 17;"),
            ("SELECT :x+:x", "SELECT 17+17"),
            ("SELECT :'who'", "SELECT 'it''s \"me\"'"),
            ("SELECT 1 AS :\"who\"", "SELECT 1 AS \"it's \"\"me\"\"\""),
            ("SELECT a::x, ':x' -- :x", "SELECT a::x, ':x' -- :x"),
            ("SELECT :xy, :y, : x", "SELECT :xy, :y, : x"),
            ("SELECT :", "SELECT :"),
            ("SELECT :'x", "SELECT :'x"),
        ] {
            assert_eq!(variables.fill(text), filled, "{text}");
        }
        assert!(variables.forget("x") && !variables.forget("x"));
        assert_eq!(variables.fill("SELECT :x"), "SELECT :x");
    }
}
