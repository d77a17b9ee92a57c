//! Lists: paging, `q`, `sort` and the envelope.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{Answer, Call};
use crate::http::reply::Reply;
use crate::json::write::{Digits, string};
use crate::query::{Bounds, Filter, Schema, Sort};
use crate::world::random::mix;
use crate::world::shelf::{By, Selection};

/// How a list is walked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// Page numbers, with `size`, `page` and `previous`.
    Numbered,
    /// Opaque tokens, forward only.
    Tokens,
    /// Page numbers, but tokens once filtered.
    TokensIfFiltered,
}

/// What a list makes of `q` and `sort`.
#[derive(Debug, Clone, Copy)]
pub(super) enum Search {
    /// Both are heeded.
    By(Schema),
    /// Both are ignored without a word.
    Ignored,
    /// `q` is ignored, any `sort` is refused.
    SortRefused,
}

/// What is particular about a list.
#[derive(Debug, Clone, Copy)]
pub(super) struct List<'a> {
    pub(super) search: Search,
    pub(super) default_pagelen: usize,
    pub(super) max_pagelen: usize,
    /// Fields shown only when `fields` asks for them, with `values.` in front.
    pub(super) hidden: &'static [&'static str],
    pub(super) style: Style,
    /// Whether `id`, `created_on` and `updated_on` are answered by an index.
    pub(super) indexed: bool,
    /// The path in links to other pages, where it differs from the one requested.
    pub(super) path: Option<&'a str>,
    /// A parameter that links to other pages leave out.
    pub(super) forgets: Option<&'static str>,
}

impl List<'_> {
    /// A list of at most 100 rows a page, walked by page number, that ignores `q` and `sort`.
    pub(super) const PLAIN: Self = Self::searched(Search::Ignored);

    /// The same, filtered and sorted by what the schema says.
    pub(super) const fn of(schema: Schema) -> Self {
        Self::searched(Search::By(schema))
    }

    const fn searched(search: Search) -> Self {
        Self {
            search,
            default_pagelen: 10,
            max_pagelen: 100,
            hidden: &[],
            style: Style::Numbered,
            indexed: false,
            path: None,
            forgets: None,
        }
    }
}

/// The rows of a list.
pub(crate) trait Rows {
    /// The rows within the bounds, lowest first if an order is asked for; otherwise as they lie.
    fn select(&self, bounds: &Bounds, by: Option<By>) -> Selection<'_>;

    /// Writes a row; `full` shows what lists hide by default.
    fn write(&self, row: u32, full: bool, out: &mut String);

    /// Writes what `q` and `sort` look at.
    fn write_searched(&self, row: u32, out: &mut String) {
        self.write(row, true, out);
    }
}

/// Answers with the page asked for.
pub(super) fn page(call: &Call<'_>, list: List<'_>, rows: &dyn Rows) -> Answer {
    let request = call.request;
    let bad = |message: &str| Reply::error(400, message);
    let pagelen = match request.parameter("pagelen") {
        None | Some("") => list.default_pagelen,
        Some(text) => text
            .parse::<usize>()
            .ok()
            .filter(|pagelen| (1..=list.max_pagelen).contains(pagelen))
            .ok_or_else(|| bad("Invalid pagelen"))?,
    };
    let filter = match (request.parameter("q"), list.search) {
        (Some(q), Search::By(schema)) if !q.trim().is_empty() => {
            Some(Filter::parse(q, schema).map_err(|why| bad(&why.0))?)
        }
        _ => None,
    };
    let style = match (list.style, &filter) {
        (Style::TokensIfFiltered, Some(_)) => Style::Tokens,
        (Style::TokensIfFiltered, None) => Style::Numbered,
        (style, _) => style,
    };
    let sort = match (request.parameter("sort"), list.search) {
        (Some(sort), Search::By(schema)) => {
            Some(Sort::parse(sort, schema).map_err(|why| bad(&why.0))?)
        }
        (Some(_), Search::SortRefused) => return Err(bad("Invalid sort attribute")),
        _ => None,
    };
    let offset = match (request.parameter("page"), style) {
        (None, _) => 0,
        (Some(token), Style::Tokens) => from_token(token).ok_or_else(|| bad("Invalid page"))?,
        (Some(page), _) => page
            .parse::<usize>()
            .ok()
            .and_then(|page| page.checked_sub(1))
            .ok_or_else(|| bad("Invalid page"))?
            .saturating_mul(pagelen),
    };

    let selection = select(&list, rows, filter, sort.as_ref());
    let reversed = sort
        .as_ref()
        .is_some_and(|sort| sort.descending && by(&list, sort).is_some());
    let size = selection.len();
    let end = offset.saturating_add(pagelen).min(size);
    let fields = request
        .parameter("fields")
        .is_some_and(|fields| !fields.is_empty());

    let mut out = String::with_capacity(2600 * end.saturating_sub(offset) + 512);
    out.push_str("{\"values\":[");
    for at in offset..end {
        if at > offset {
            out.push(',');
        }
        rows.write(
            selection.get(if reversed { size - 1 - at } else { at }),
            fields,
            &mut out,
        );
    }
    out.push_str("],\"pagelen\":");
    let mut digits = Digits::default();
    out.push_str(digits.of(pagelen as u64));
    let numbered = style == Style::Numbered;
    let page = offset / pagelen + 1;
    if numbered {
        out.push_str(",\"size\":");
        out.push_str(digits.of(size as u64));
        out.push_str(",\"page\":");
        out.push_str(digits.of(page as u64));
    }
    if end < size && offset < end {
        out.push_str(",\"next\":");
        let next = if numbered {
            (page + 1).to_string()
        } else {
            to_token(end)
        };
        string(&mut out, &link(call, &list, &next));
    }
    if numbered && page > 1 {
        out.push_str(",\"previous\":");
        string(&mut out, &link(call, &list, &(page - 1).to_string()));
    }
    out.push('}');
    call.listed.set(true);
    Ok(Reply::json(call.partial(out, list.hidden)))
}

/// The index that gives the order asked for.
fn by(list: &List<'_>, sort: &Sort) -> Option<By> {
    match sort {
        _ if !list.indexed => None,
        sort if sort.by("id") || sort.by("created_on") => Some(By::Id),
        sort if sort.by("updated_on") => Some(By::Update),
        _ => None,
    }
}

/// The rows that match, in order; an order that an index gives is ascending here.
fn select<'r>(
    list: &List<'_>,
    rows: &'r dyn Rows,
    filter: Option<Filter>,
    sort: Option<&Sort>,
) -> Selection<'r> {
    let (bounds, rest) = match filter {
        Some(filter) if list.indexed => filter.split(),
        other => (Bounds::default(), other),
    };
    let index = sort.and_then(|sort| by(list, sort));
    let candidates = rows.select(&bounds, index);
    let keyed = sort.filter(|_| index.is_none());
    if rest.is_none() && keyed.is_none() {
        return candidates;
    }
    let mut text = String::new();
    let mut matching = Vec::new();
    for row in candidates.iter() {
        text.clear();
        rows.write_searched(row, &mut text);
        if rest.as_ref().is_none_or(|filter| filter.matches(&text)) {
            matching.push((keyed.and_then(|sort| sort.key(&text)), row));
        }
    }
    if let Some(sort) = keyed {
        matching.sort_by(|(a, _), (b, _)| sort.order(a, b));
    }
    Selection::Owned(matching.into_iter().map(|(_, row)| row).collect())
}

/// What is percent-encoded in links.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The absolute URL of another page of the same list.
fn link(call: &Call<'_>, list: &List<'_>, page: &str) -> String {
    let path = list.path.unwrap_or(&call.request.path);
    let below = path.strip_prefix("/2.0").unwrap_or(path);
    let mut url = format!("{}{below}?", call.world.base);
    for (key, value) in call.request.sent() {
        if key != "page" && Some(key.as_str()) != list.forgets {
            url.extend(utf8_percent_encode(key, ENCODED));
            url.push('=');
            url.extend(utf8_percent_encode(value, ENCODED));
            url.push('&');
        }
    }
    url.push_str("page=");
    url.push_str(page);
    url
}

const ALPHABET: &[u8] = b"bcdfghjkmnpqrstvwxyzBCDFGHJKMNPQ";

/// A token that says nothing to a reader: the offset and a checksum in scattered digits.
fn to_token(offset: usize) -> String {
    let offset = offset as u64;
    let mut value = (offset << 10) | (mix(offset) & 0x3ff);
    let mut token = String::new();
    while value > 0 || token.len() < 4 {
        token.push(ALPHABET[(value % 32) as usize] as char);
        value /= 32;
    }
    token
}

fn from_token(token: &str) -> Option<usize> {
    let mut value: u64 = 0;
    for byte in token.bytes().rev() {
        let digit = ALPHABET.iter().position(|letter| *letter == byte)? as u64;
        value = value.checked_mul(32)?.checked_add(digit)?;
    }
    let offset = value >> 10;
    (mix(offset) & 0x3ff == value & 0x3ff).then_some(offset as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn tokens_lead_back_to_their_offsets(offset in 0usize..1 << 40) {
            let token = to_token(offset);
            prop_assert_eq!(from_token(&token), Some(offset));
            prop_assert!(token.parse::<u64>().is_err());
        }
    }

    #[test]
    fn page_numbers_are_no_tokens() {
        for page in ["1", "2", "", "0", "17"] {
            assert_eq!(from_token(page).filter(|_| !page.is_empty()), None);
        }
    }
}
