//! The keys met so far, so that one that comes twice is noticed.

use std::collections::HashSet;

use bucketline_source::decode::whole;

/// The keys of a list's entries: numbers or names. Exports list by ascending id, which costs eight
/// bytes a key; those out of order cost more.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    ascending: Vec<i64>,
    others: HashSet<i64>,
    names: HashSet<String>,
}

impl Keys {
    /// Adds a key, written as JSON; `false` if it was there.
    pub(crate) fn insert(&mut self, key: &str) -> bool {
        let Some(number) = whole(key) else {
            // Names are compared as texts, however they are escaped.
            return match serde_json::from_str(key) {
                Ok(name) => self.names.insert(name),
                Err(_) => true,
            };
        };
        if self.ascending.last().is_none_or(|last| *last < number) {
            self.ascending.push(number);
            return !self.others.contains(&number);
        }
        self.ascending.binary_search(&number).is_err() && self.others.insert(number)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::Keys;

    proptest! {
        #[test]
        fn a_key_is_new_once(numbers in prop::collection::vec(-8_i64..8, 0..40)) {
            let (mut keys, mut known) = (Keys::default(), HashSet::new());
            for number in numbers {
                prop_assert_eq!(keys.insert(&number.to_string()), known.insert(number));
            }
        }
    }

    #[test]
    fn a_number_is_new_once_however_it_is_spelled() {
        let mut keys = Keys::default();
        assert!(keys.insert("100"));
        assert!(!keys.insert("1e2"));
        assert!(keys.insert("3.0"));
        assert!(!keys.insert("3"));
    }

    #[test]
    fn a_name_is_new_once_however_it_is_escaped() {
        let mut keys = Keys::default();
        assert!(keys.insert(r#""é""#));
        assert!(!keys.insert(r#""\u00e9""#));
        assert!(keys.insert("null"));
        assert!(keys.insert("null"));
    }
}
