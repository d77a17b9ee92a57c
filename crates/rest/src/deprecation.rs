//! Announced deprecations, from response headers.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use reqwest::header::{HeaderMap, LINK};
use url::Url;

/// What the headers `Deprecation` (RFC 9745), `Sunset` (RFC 8594) and `Link` announce. The values
/// are kept as sent: services are known to send dates in other forms than the RFCs'.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Announcement<'h> {
    pub(crate) deprecation: Option<&'h str>,
    pub(crate) sunset: Option<&'h str>,
    pub(crate) link: Option<&'h str>,
}

impl<'h> Announcement<'h> {
    pub(crate) fn read(headers: &'h HeaderMap) -> Option<Announcement<'h>> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let announcement = Announcement {
            deprecation: text("deprecation"),
            sunset: text("sunset"),
            link: headers
                .get_all(LINK)
                .iter()
                .filter_map(|value| value.to_str().ok())
                .find_map(deprecation_link),
        };
        let Announcement {
            deprecation,
            sunset,
            link,
        } = &announcement;
        (deprecation.is_some() || sunset.is_some() || link.is_some()).then_some(announcement)
    }
}

/// The target of the first link of a `Link` header (RFC 8288) that has `rel=deprecation`.
fn deprecation_link(header: &str) -> Option<&str> {
    let mut rest = header;
    while let Some((_, after)) = rest.split_once('<') {
        let (target, after) = after.split_once('>')?;
        let parameters = after
            .split_once('<')
            .map_or(after, |(parameters, _)| parameters);
        let announces = parameters.split([';', ',']).any(|parameter| {
            parameter.split_once('=').is_some_and(|(name, value)| {
                name.trim().eq_ignore_ascii_case("rel")
                    && value
                        .trim()
                        .trim_matches('"')
                        .split_ascii_whitespace()
                        .any(|rel| rel.eq_ignore_ascii_case("deprecation"))
            })
        });
        if announces {
            return Some(target);
        }
        rest = after;
    }
    None
}

/// Which announcements were told already. One announcement covers many URLs that differ in names
/// only, so it is told once for each depth of path.
#[derive(Debug, Default)]
pub(crate) struct Told(Mutex<HashSet<String>>);

impl Told {
    /// Whether this is the first time.
    pub(crate) fn first(&self, url: &Url, announcement: &Announcement<'_>) -> bool {
        let depth = url.path_segments().map_or(0, Iterator::count);
        let key = format!("{depth} {announcement:?}");
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key)
    }
}

#[cfg(test)]
mod tests {
    use super::deprecation_link;

    #[test]
    fn finds_the_deprecation_among_links() {
        let cases = [
            (
                r#"<https://a.example/x>; rel="deprecation""#,
                Some("https://a.example/x"),
            ),
            (
                "<https://a.example/x>;rel=deprecation",
                Some("https://a.example/x"),
            ),
            (
                r#"<https://a.example/n,1>; rel="next", <https://a.example/d>; rel="deprecation sunset""#,
                Some("https://a.example/d"),
            ),
            (
                r#"<https://a.example/x>; title="t"; REL=Deprecation"#,
                Some("https://a.example/x"),
            ),
            (r#"<https://a.example/x>; rel="next""#, None),
            ("<https://a.example/x", None),
            ("", None),
        ];
        for (header, target) in cases {
            assert_eq!(deprecation_link(header), target, "{header}");
        }
    }
}
