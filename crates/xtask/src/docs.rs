//! `cargo x docs`: pages that are written from what is elsewhere, and what must agree with it.

use std::path::{Path, PathBuf};

use crate::process::{cargo, run};
use crate::{Failure, Result, codes, entries, files, links, notices, read, root};

/// A page that nobody edits by hand.
struct Page {
    /// Below the workspace's folder.
    path: &'static str,
    text: fn() -> Result<String>,
}

/// All of them. A page drawn from what only a built crate knows, such as the tables' columns, is
/// held to it by a test of that crate instead.
const PAGES: &[Page] = &[
    Page {
        path: "docs/decisions/README.md",
        text: decisions,
    },
    Page {
        path: "crates/cli/notices.txt",
        text: notices::text,
    },
];

/// Writes the pages that are out of date, then looks at what cannot be written by a program.
pub(crate) fn write() -> Result {
    for page in PAGES {
        let path = root().join(page.path);
        let text = (page.text)()?;
        if std::fs::read_to_string(&path).is_ok_and(|present| present == text) {
            continue;
        }
        std::fs::write(&path, text)
            .map_err(|error| Failure::Failed(format!("cannot write {}: {error}", page.path)))?;
        println!("wrote {}", page.path);
    }
    write_references()?;
    check()
}

/// Writes `docs/tables/`, `docs/functions.md`, `docs/first-steps.md` and the list of what the library offers. Only a built
/// program knows them, so tests do it, and hold the pages to them.
fn write_references() -> Result {
    let arguments = ["test", "--workspace", "--test", "e2e", "_page"];
    run(cargo(&arguments).env("UPDATE_DOCS", "1"))
}

/// Fails if a generated page is out of date, an error code is not explained or a link leads nowhere.
pub(crate) fn check() -> Result {
    let mut problems = Vec::new();
    for page in PAGES {
        let text = (page.text)()?;
        if std::fs::read_to_string(root().join(page.path)).ok() != Some(text) {
            problems.push(format!("{} is out of date: run `cargo x docs`", page.path));
        }
    }
    problems.extend(codes::problems()?);
    for file in written()? {
        problems.extend(links::problems(&file)?);
    }
    if problems.is_empty() {
        println!(
            "docs: {} generated, error codes and links agree",
            PAGES.len()
        );
        return Ok(());
    }
    Err(Failure::Failed(problems.join("\n       ")))
}

/// The Markdown that people read.
fn written() -> Result<Vec<PathBuf>> {
    let mut found = files(&root().join("docs"), "md")?;
    found.extend(
        entries(&root())?
            .into_iter()
            .filter(|path| path.extension().is_some_and(|it| it == "md")),
    );
    Ok(found)
}

/// The list of decisions, from their first lines.
fn decisions() -> Result<String> {
    let mut page = String::from(
        "# Decisions\n\n<!-- Written by `cargo x docs`. -->\n\nWhat a reader might question, and why it is so.\n\n",
    );
    for path in files(&root().join("docs/decisions"), "md")? {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        if name == "README.md" {
            continue;
        }
        let (number, title) = heading(&path, name)?;
        page.push_str(&format!("- [{number}]({name}) {title}\n"));
    }
    Ok(page)
}

/// The number of a decision and its title, from its name `NNNN-title.md` and first line `# Title`.
fn heading(path: &Path, name: &str) -> Result<(String, String)> {
    let number = name
        .split('-')
        .next()
        .filter(|n| n.len() == 4 && n.parse::<u16>().is_ok());
    let text = read(path)?;
    let title = text.lines().next().and_then(|line| line.strip_prefix("# "));
    match (number, title) {
        (Some(number), Some(title)) => Ok((number.to_owned(), title.to_owned())),
        _ => Err(Failure::Failed(format!(
            "docs/decisions/{name}: a decision is named NNNN-title.md and begins with `# Title`"
        ))),
    }
}
