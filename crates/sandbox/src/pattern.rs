//! Path patterns of faults, hooks and counters.

/// Whether `target` (path and query as sent) matches `pattern`.
///
/// `*` stands for any text. A pattern without `?` is held against the path alone, one with `?`
/// against path and query. The pattern must match from beginning to end; `*` alone matches all.
pub(crate) fn matches(pattern: &str, target: &str) -> bool {
    let target = if pattern.contains('?') {
        target
    } else {
        target.split_once('?').map_or(target, |(path, _)| path)
    };
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = target.strip_prefix(first) else {
        return false;
    };
    let mut last = None;
    for part in parts {
        if let Some(middle) = last.replace(part) {
            match rest.find(middle) {
                Some(at) => rest = &rest[at + middle.len()..],
                None => return false,
            }
        }
    }
    last.map_or(rest.is_empty(), |end: &str| rest.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn table_of_cases() {
        for (pattern, target, expected) in [
            ("*", "/2.0/user", true),
            ("/2.0/user", "/2.0/user?fields=uuid", true),
            ("/2.0/user", "/2.0/user/workspaces", false),
            ("*/issues", "/2.0/repositories/acme/api/issues?page=2", true),
            ("*/issues", "/2.0/repositories/acme/api/issues/3", false),
            (
                "/2.0/repositories/*/api/*",
                "/2.0/repositories/acme/api/issues/3",
                true,
            ),
            (
                "*/issues?*page=2*",
                "/2.0/repositories/acme/api/issues?q=x&page=2",
                true,
            ),
            (
                "*/issues?*page=2*",
                "/2.0/repositories/acme/api/issues?q=x",
                false,
            ),
            ("*a*a", "a", false),
            ("", "/", false),
        ] {
            assert_eq!(matches(pattern, target), expected, "{pattern} {target}");
        }
    }
}
