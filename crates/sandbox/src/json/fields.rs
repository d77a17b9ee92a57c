//! Partial responses: the `fields` parameter.
//!
//! `-a.b` removes, `+a.b` adds what is not shown by default, and names without a sign mean "only
//! these". `*` stands for every name of one level. Names that match nothing are ignored. Arrays are
//! entered without being named. A field that is hidden by default is an implicit `-` rule in front.

use super::scan;

#[derive(Debug, Clone)]
struct Rule {
    keep: bool,
    path: Vec<String>,
}

/// A parsed `fields` parameter.
#[derive(Debug, Clone)]
pub(crate) struct Fields {
    rules: Vec<Rule>,
    only: bool,
}

impl Fields {
    /// Parses the parameter's decoded text; `hidden` are the paths not shown by default.
    pub(crate) fn parse(text: &str, hidden: &[&str]) -> Self {
        let split = |path: &str| path.split('.').map(str::to_owned).collect();
        let mut rules: Vec<Rule> = hidden
            .iter()
            .map(|path| Rule {
                keep: false,
                path: split(path),
            })
            .collect();
        let mut only = false;
        for item in text.split(',') {
            let (keep, path) = if let Some(path) = item.strip_prefix('-') {
                (false, path)
            } else if let Some(path) = item.strip_prefix('+') {
                (true, path)
            } else {
                // An unencoded plus arrives as a space: a name that matches nothing, and not
                // one that restricts the answer to itself.
                if !item.starts_with(' ') && !item.is_empty() {
                    only = true;
                }
                (true, item)
            };
            rules.push(Rule {
                keep,
                path: split(path),
            });
        }
        Self { rules, only }
    }

    /// The part of `json` that the parameter asks for.
    pub(crate) fn apply(&self, json: &str) -> String {
        let mut out = String::with_capacity(json.len() / 2);
        let active: Vec<(&Rule, usize)> = self.rules.iter().map(|rule| (rule, 0)).collect();
        project(json, !self.only, &active, &mut out);
        out
    }
}

/// Writes what remains of `json`. `shown` says whether members without a rule stay; `active` are
/// the rules that lead here, with the number of names already matched.
fn project(json: &str, shown: bool, active: &[(&Rule, usize)], out: &mut String) {
    if json.starts_with('[') {
        out.push('[');
        let start = out.len();
        for item in scan::items(json) {
            if out.len() > start {
                out.push(',');
            }
            project(item, shown, active, out);
        }
        out.push(']');
        return;
    }
    if !json.starts_with('{') {
        out.push_str(json);
        return;
    }
    out.push('{');
    let start = out.len();
    for (key, value) in scan::members(json) {
        let mut keep = shown;
        let mut below: Vec<(&Rule, usize)> = Vec::new();
        for (rule, matched) in active {
            let name = &rule.path[*matched];
            if name != "*" && name != key {
                continue;
            }
            if matched + 1 == rule.path.len() {
                keep = rule.keep;
            } else {
                below.push((rule, matched + 1));
            }
        }
        let container = value.starts_with(['{', '[']);
        let asked_below = below.iter().any(|(rule, _)| rule.keep);
        if !keep && (!asked_below || !(container || value == "null")) {
            continue;
        }
        if out.len() > start {
            out.push(',');
        }
        out.push('"');
        out.push_str(key);
        out.push_str("\":");
        if below.is_empty() || !container {
            out.push_str(value);
        } else {
            project(value, keep, &below, out);
        }
    }
    out.push('}');
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = r#"{"values":[{"id":1,"title":"a,}","links":{"self":{"href":"x"},"html":{"href":"y"}},"author":null,"reviewers":[{"n":"u","k":2}]}],"size":1,"next":"z"}"#;

    #[test]
    fn table_of_cases() {
        let cases = [
            ("values.id", r#"{"values":[{"id":1}]}"#),
            ("next,values.id", r#"{"values":[{"id":1}],"next":"z"}"#),
            (
                "values.author.nickname,values.id",
                r#"{"values":[{"id":1,"author":null}]}"#,
            ),
            (
                "values.reviewers.n",
                r#"{"values":[{"reviewers":[{"n":"u"}]}]}"#,
            ),
            ("-values", r#"{"size":1,"next":"z"}"#),
            ("nothing", "{}"),
            ("values.nothing", r#"{"values":[{}]}"#),
            (
                "-values.links.*,-size",
                r#"{"values":[{"id":1,"title":"a,}","links":{},"author":null}],"next":"z"}"#,
            ),
            (
                "-*,+values.reviewers.k",
                r#"{"values":[{"reviewers":[{"k":2}]}]}"#,
            ),
            (
                "+values.reviewers,-values.links",
                r#"{"values":[{"id":1,"title":"a,}","author":null,"reviewers":[{"n":"u","k":2}]}],"size":1,"next":"z"}"#,
            ),
            (
                " values.reviewers",
                r#"{"values":[{"id":1,"title":"a,}","links":{"self":{"href":"x"},"html":{"href":"y"}},"author":null}],"size":1,"next":"z"}"#,
            ),
            (
                "values.links.*.href,size",
                r#"{"values":[{"links":{"self":{"href":"x"},"html":{"href":"y"}}}],"size":1}"#,
            ),
        ];
        for (fields, expected) in cases {
            let parsed = Fields::parse(fields, &["values.reviewers"]);
            assert_eq!(parsed.apply(PAGE), expected, "fields={fields}");
        }
    }

    #[test]
    fn a_wildcard_shows_what_is_hidden() {
        let fields = Fields::parse("values.*", &["values.reviewers"]);
        assert!(fields.apply(PAGE).contains("reviewers"));
    }
}
