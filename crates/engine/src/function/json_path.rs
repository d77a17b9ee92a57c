//! Paths into JSON documents: `$.a.b[2..].c`.

use serde_json::Value;

use super::call::Complaint;

/// A path.
#[derive(Debug)]
pub(super) struct JsonPath(Vec<Step>);

#[derive(Debug)]
enum Step {
    Name(String),
    /// The elements from one to another, both included.
    Elements(usize, usize),
}

impl JsonPath {
    /// Reads a path; the `$` of the document may be missing.
    pub(super) fn read(path: &str) -> Result<Self, Complaint> {
        let steps = steps(path.trim());
        steps.map(Self).ok_or_else(|| {
            Complaint::new(format!("`{path}` is no path"))
                .with_hint("such as `$.a.b`, `$.a[0]`, `$.a[x]` for all, `$.a[2..]`, `$.a[..8]` or `$.a[1..12]`")
        })
    }

    /// The values that it leads to, in their order.
    pub(super) fn find<'v>(&self, document: &'v Value) -> Vec<&'v Value> {
        let mut found = vec![document];
        for step in &self.0 {
            found = found
                .into_iter()
                .flat_map(|value| step.from(value))
                .collect();
        }
        found
    }
}

impl Step {
    fn from<'v>(&self, value: &'v Value) -> Vec<&'v Value> {
        match (self, value) {
            (Self::Name(name), Value::Object(object)) => object.get(name).into_iter().collect(),
            (Self::Elements(first, last), Value::Array(elements)) => {
                let last = (*last).min(elements.len().wrapping_sub(1));
                elements
                    .get(*first..=last)
                    .unwrap_or_default()
                    .iter()
                    .collect()
            }
            _ => Vec::new(),
        }
    }
}

fn steps(path: &str) -> Option<Vec<Step>> {
    let mut rest = path.strip_prefix('$').unwrap_or(path);
    let mut steps = Vec::new();
    // Without `$`, the first name may stand without a dot.
    if !rest.is_empty() && !rest.starts_with(['.', '[']) {
        rest = name(rest, &mut steps)?;
    }
    while !rest.is_empty() {
        rest = match rest.strip_prefix('.') {
            Some(behind) => name(behind, &mut steps)?,
            None => {
                let (inner, behind) = rest.strip_prefix('[')?.split_once(']')?;
                steps.push(bracketed(inner.trim())?);
                behind
            }
        };
    }
    Some(steps)
}

/// Takes a name up to the next dot or bracket.
fn name<'p>(path: &'p str, steps: &mut Vec<Step>) -> Option<&'p str> {
    let end = path.find(['.', '[']).unwrap_or(path.len());
    let (name, rest) = path.split_at(end);
    steps.push(Step::Name(name.to_owned()));
    (!name.is_empty()).then_some(rest)
}

fn bracketed(inner: &str) -> Option<Step> {
    let quoted = |quote| inner.strip_prefix(quote)?.strip_suffix(quote);
    if let Some(name) = quoted('\'').or_else(|| quoted('"')) {
        return Some(Step::Name(name.to_owned()));
    }
    if matches!(inner, "x" | "X" | "*") {
        return Some(Step::Elements(0, usize::MAX));
    }
    let index = |text: &str| text.trim().parse::<usize>().ok();
    match inner.split_once("..") {
        None => index(inner).map(|index| Step::Elements(index, index)),
        Some((first, last)) => {
            let first = if first.is_empty() {
                Some(0)
            } else {
                index(first)
            };
            let last = if last.is_empty() {
                Some(usize::MAX)
            } else {
                index(last)
            };
            first
                .zip(last)
                .map(|(first, last)| Step::Elements(first, last))
        }
    }
}
