//! Error codes: each that the program can print has a line in docs/errors.md, with its kind.

use std::collections::BTreeSet;
use std::path::Path;

use bucketline_core::Code;

use crate::{Result, entries, files, read, root};

const PAGE: &str = "docs/errors.md";

/// What does not agree.
pub(crate) fn problems() -> Result<Vec<String>> {
    let mut used: BTreeSet<String> = Code::all().map(|code| code.to_string()).collect();
    for member in entries(&root().join("crates"))? {
        let source = member.join("src");
        if member.ends_with("xtask") || !source.is_dir() {
            continue;
        }
        for file in files(&source, "rs")? {
            if !is_test(&file) {
                used.extend(quoted(&read(&file)?));
            }
        }
    }
    let page = root().join(PAGE);
    if !page.exists() {
        return Ok(vec![format!(
            "{PAGE} is missing: {} error codes need a line",
            used.len()
        )]);
    }
    let page = read(&page)?;
    let mut problems = disagreements(&used, &mentioned(&page));
    problems.extend(misjudged(&page));
    Ok(problems)
}

/// Codes whose line shows another kind than they have.
fn misjudged(page: &str) -> Vec<String> {
    let rows = page.lines().filter_map(|line| {
        let mut cells = line.split('|').map(str::trim).skip(1);
        let code: Code = cells.next()?.parse().ok()?;
        Some((code, cells.next().unwrap_or_default()))
    });
    rows.filter(|(code, kind)| *kind != code.kind().as_str())
        .map(|(code, kind)| format!("{PAGE}: {code} is of kind {}, not {kind}", code.kind()))
        .collect()
}

fn disagreements(used: &BTreeSet<String>, explained: &BTreeSet<String>) -> Vec<String> {
    let unexplained = used
        .difference(explained)
        .map(|code| format!("{PAGE} does not explain {code}"));
    let unused = explained
        .difference(used)
        .map(|code| format!("{PAGE} explains {code}, which no error has"));
    unexplained.chain(unused).collect()
}

fn is_test(file: &Path) -> bool {
    file.components()
        .any(|part| part.as_os_str() == "tests" || part.as_os_str() == "tests.rs")
}

/// The codes that are string literals of their own.
fn quoted(source: &str) -> BTreeSet<String> {
    source
        .split('"')
        .filter(|text| is_code(text))
        .map(str::to_owned)
        .collect()
}

/// The codes in a page.
fn mentioned(page: &str) -> BTreeSet<String> {
    let words = page.split(|c: char| !c.is_ascii_alphanumeric());
    words
        .filter(|word| is_code(word))
        .map(str::to_owned)
        .collect()
}

fn is_code(text: &str) -> bool {
    text.strip_prefix("BL")
        .is_some_and(|number| number.len() == 4 && number.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::{disagreements, mentioned, misjudged, quoted};

    #[test]
    fn a_code_stands_with_its_kind() {
        let page = "| code | kind |\n| BL1001 | statement | x |\n| BL1002 | bug | x |";
        assert_eq!(
            misjudged(page),
            ["docs/errors.md: BL1002 is of kind statement, not bug"]
        );
    }

    #[test]
    fn codes_must_agree_both_ways() {
        let source = r#"Kind::A => "BL1001", Kind::B => "BL1002", "BL10", "see BL1009""#;
        let page = "| `BL1001` | A |\n## BL1003\nBL10044";
        assert_eq!(
            disagreements(&quoted(source), &mentioned(page)),
            [
                "docs/errors.md does not explain BL1002",
                "docs/errors.md explains BL1003, which no error has"
            ]
        );
        assert!(disagreements(&quoted(source), &mentioned("BL1001 BL1002")).is_empty());
    }
}
