//! Walking JSON text that this crate wrote itself: compact, valid, without whitespace between tokens.

/// The members of the object at the start of `json`, as (key without quotes, value text).
///
/// Keys are never escaped in what this crate writes.
pub(crate) fn members(json: &str) -> Members<'_> {
    Members {
        rest: json.strip_prefix('{').unwrap_or(""),
    }
}

/// The items of the array at the start of `json`.
pub(crate) fn items(json: &str) -> Items<'_> {
    Items {
        rest: json.strip_prefix('[').unwrap_or(""),
    }
}

/// See [`members`].
pub(crate) struct Members<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Members<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self
            .rest
            .strip_prefix(',')
            .unwrap_or(self.rest)
            .strip_prefix('"')?;
        let key_end = rest.find('"')?;
        let value = &rest[key_end + 2..];
        let len = value_len(value);
        self.rest = &value[len..];
        Some((&rest[..key_end], &value[..len]))
    }
}

/// See [`items`].
pub(crate) struct Items<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Items<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest.strip_prefix(',').unwrap_or(self.rest);
        if rest.is_empty() || rest.starts_with(']') {
            return None;
        }
        let len = value_len(rest);
        self.rest = &rest[len..];
        Some(&rest[..len])
    }
}

/// Length in bytes of the value at the start of `json`.
fn value_len(json: &str) -> usize {
    let bytes = json.as_bytes();
    match bytes.first() {
        Some(b'"') => string_len(bytes),
        Some(b'{' | b'[') => {
            let (mut at, mut depth) = (0, 0usize);
            while at < bytes.len() {
                match bytes[at] {
                    b'"' => {
                        at += string_len(&bytes[at..]);
                        continue;
                    }
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => {
                        depth -= 1;
                        if depth == 0 {
                            return at + 1;
                        }
                    }
                    _ => {}
                }
                at += 1;
            }
            at
        }
        _ => bytes
            .iter()
            .position(|byte| matches!(byte, b',' | b'}' | b']'))
            .unwrap_or(bytes.len()),
    }
}

fn string_len(bytes: &[u8]) -> usize {
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// Calls `found` with the text of every value at `path`; arrays on the way are entered.
///
/// A path that leads through `null` finds that `null`.
pub(crate) fn lookup<'a>(json: &'a str, path: &[&str], found: &mut impl FnMut(&'a str)) {
    if json.starts_with('[') {
        for item in items(json) {
            lookup(item, path, found);
        }
        return;
    }
    let Some((first, rest)) = path.split_first() else {
        return found(json);
    };
    if json == "null" {
        return found(json);
    }
    if let Some((_, value)) = members(json).find(|(key, _)| key == first) {
        lookup(value, rest, found);
    }
}

/// The text of a JSON string without quotes and escapes.
pub(crate) fn unquote(json: &str) -> std::borrow::Cow<'_, str> {
    let inner = json
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or(json);
    if inner.contains('\\') {
        serde_json::from_str::<String>(json)
            .unwrap_or_default()
            .into()
    } else {
        inner.into()
    }
}
