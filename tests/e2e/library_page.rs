//! `crates/bucketline/public-api.txt`: what the library offers to programs, so that a change of it is seen in review.
//! `UPDATE_DOCS=1` writes it.
//!
//! The list is read from the sources. The tools that compare two versions need a published one and descriptions that
//! only nightly compilers write. Modules are private in the library, so what is `pub` in them and re-exported by `lib.rs`
//! is its interface; of other crates' items only the names are listed.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// Whether an item has come to its body or its end.
fn is_whole(item: &str) -> bool {
    let count = |c: char| item.matches(c).count();
    let ends: &[char] = match item.starts_with("pub use") {
        true => &[';'],
        false => &['{', ';', ',', '}'],
    };
    count('(') == count(')') && item.ends_with(ends)
}

/// The public items of a source file, each on a line, up to its body.
fn items(source: &str) -> Vec<String> {
    let source = source.split("\n#[cfg(test)]\n").next().unwrap_or_default();
    let mut found = Vec::new();
    let mut lines = source.lines();
    // Of an enumeration everything is public, so its variants are listed until its end.
    let mut of_enumeration = false;
    while let Some(line) = lines.next() {
        let text = line.trim();
        if of_enumeration {
            of_enumeration = line != "}";
            if of_enumeration && !text.starts_with("//") && !text.starts_with('#') {
                found.push(format!("    {text}"));
            }
            continue;
        }
        let is_owner = line.starts_with("impl") && line.ends_with('{');
        if !text.starts_with("pub ") && !is_owner {
            continue;
        }
        let mut item = text.to_owned();
        while !is_whole(&item) {
            let Some(next) = lines.next() else { break };
            if !item.ends_with(['(', '{']) {
                item.push(' ');
            }
            item.push_str(next.trim());
        }
        of_enumeration = item.starts_with("pub enum");
        let indent = if line.starts_with(' ') { "    " } else { "" };
        found.push(format!("{indent}{}", item.trim_end_matches([' ', '{'])));
    }
    found
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[test]
fn the_page_of_the_library_is_up_to_date() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/bucketline");
    let mut list = String::from("# What the library offers, by file. Written by `cargo x docs`.\n");
    for source in sources(&package.join("src")) {
        let items = items(&fs::read_to_string(&source).unwrap());
        let offers = |item: &String| !item.starts_with("impl");
        if !items.iter().any(offers) {
            continue;
        }
        let name = source.strip_prefix(&package).unwrap().display().to_string();
        let _ = writeln!(list, "\n## {}\n", name.replace('\\', "/"));
        for (index, item) in items.iter().enumerate() {
            // A block of which nothing is public says nothing.
            let is_empty = item.starts_with("impl")
                && items
                    .get(index + 1)
                    .is_none_or(|next| !next.starts_with(' '));
            if !is_empty {
                let _ = writeln!(list, "{item}");
            }
        }
    }
    let path = package.join("public-api.txt");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &list).unwrap();
    }
    let present = fs::read_to_string(path).unwrap_or_default();
    assert!(
        present == list,
        "the library's interface has changed: run `cargo x docs`, and let the change be reviewed"
    );
}
