//! `docs/functions.md`: written from what the functions say of themselves. `UPDATE_DOCS=1` writes it.

use std::fmt::Write as _;
use std::path::Path;

use bucketline::{Family, Function, functions};

const HEAD: &str = "# Functions

<!-- Written by `cargo x docs`. -->

Names ignore case. NULL as an argument makes the result NULL, unless it says otherwise. Parts of dates and other words
among the arguments are texts, between quotes. A wrong argument is the error BL5013, which shows how the function is
written. The results are those of CData's drivers; each note tells where ours differ, or what we settled.
";

fn page() -> String {
    let mut page = HEAD.to_owned();
    for family in Family::ALL {
        let _ = write!(page, "\n## {family}\n\n");
        if family == Family::RelativeDate {
            page.push_str(
                "They stand for several days and are compared with a date by `=`, `<>`, `<`, `<=`, `>` or `>=`: equal is \
                 within these days, less is before them, greater is after them. The API filters by them where it can.\n\n",
            );
        }
        page.push_str("| function | result |\n| --- | --- |\n");
        family
            .functions()
            .iter()
            .for_each(|function| line(&mut page, function));
        notes(&mut page, family);
    }
    page
}

fn line(page: &mut String, function: &Function) {
    let aliases: Vec<_> = function
        .aliases
        .iter()
        .map(|alias| format!("`{}`", alias.to_uppercase()))
        .collect();
    let aliases = match aliases.is_empty() {
        true => String::new(),
        false => format!(" (also {})", aliases.join(", ")),
    };
    let written = function.to_string().replace('|', "\\|");
    let _ = writeln!(page, "| `{written}`{aliases} | {} |", function.description);
}

fn notes(page: &mut String, family: Family) {
    let noted = family.functions().iter();
    let noted: Vec<_> = noted
        .filter_map(|function| Some((function.name, function.note?)))
        .collect();
    if noted.is_empty() {
        return;
    }
    page.push('\n');
    for (name, note) in noted {
        let _ = writeln!(page, "- `{}`: {note}", name.to_uppercase());
    }
}

#[test]
fn the_page_of_the_functions_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/functions.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, page()).unwrap();
    }
    let present = std::fs::read_to_string(path).unwrap_or_default();
    assert!(present == page(), "run `cargo x docs`");
}

#[test]
fn no_name_means_two_functions() {
    let mut names: Vec<_> = functions().flat_map(Function::names).collect();
    names.sort_unstable();
    let twice: Vec<_> = names.windows(2).filter(|pair| pair[0] == pair[1]).collect();
    assert!(twice.is_empty(), "{twice:?}");
}

/// What is declared and in no record is not tested.
#[test]
fn every_function_has_a_record() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("slt");
    let mut records = String::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        records.push_str(&std::fs::read_to_string(entry.unwrap().path()).unwrap());
    }
    let records = records.to_lowercase();
    let called = |name: &str| {
        records
            .match_indices(&format!("{name}("))
            .any(|(place, _)| {
                let before = records[..place].chars().next_back();
                before.is_none_or(|c| !c.is_alphanumeric() && c != '_')
            })
    };
    let untested: Vec<_> = functions()
        .map(|function| function.name)
        .filter(|name| !called(name))
        .collect();
    assert!(untested.is_empty(), "{untested:?}");
}
