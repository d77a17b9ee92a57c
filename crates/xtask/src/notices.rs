//! The licences of what the program is made of, as its dependencies want them to be passed on.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::process::{cargo, output};
use crate::{Failure, Result, entries};

/// Where the program is built for by those who ship it. Others need fewer or other packages of the same authors.
const TARGET: &str = "x86_64-unknown-linux-gnu";

const HEAD: &str = "\
Bucketline contains the following packages. Each is followed by its licence as its authors state it,
and below all of them stand the texts that came with them, each once.
";

/// The text that `bucketline --licenses` prints.
pub(crate) fn text() -> Result<String> {
    output(&mut cargo(&["fetch", "--locked", "--target", TARGET]))?;
    let listed = output(&mut cargo(&[
        "tree",
        "--locked",
        "--package",
        "bucketline-cli",
        "--edges",
        "normal",
        "--target",
        TARGET,
        "--prefix",
        "none",
        "--format",
        "{p}\t{l}",
    ]))?;
    // By name and version; a path or a mark behind them is cargo's.
    let mut packages = BTreeMap::new();
    for line in listed.lines() {
        let (package, licence) = line.split_once('\t').unwrap_or((line, ""));
        let mut words = package.split(' ');
        let (Some(name), Some(version)) = (words.next(), words.next()) else {
            continue;
        };
        if !name.starts_with("bucketline") {
            let licence = licence.trim_end_matches(" (*)");
            packages.insert((name, version.trim_start_matches('v')), licence);
        }
    }
    let sources = sources()?;
    let mut text = HEAD.to_owned();
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for ((name, version), licence) in &packages {
        let package = format!("{name} {version}");
        text.push_str(&format!("\n{package}: {licence}"));
        for file in licence_files(&sources, &format!("{name}-{version}"))? {
            let read = std::fs::read(&file).map_err(|error| {
                Failure::Failed(format!("cannot read {}: {error}", file.display()))
            })?;
            let found = String::from_utf8_lossy(&read).replace('\r', "");
            let of = texts.entry(found.trim().to_owned()).or_default();
            if !of.contains(&package) {
                of.push(package.clone());
            }
        }
    }
    text.push('\n');
    let mut texts: Vec<(String, Vec<String>)> = texts.into_iter().collect();
    texts.sort_by(|(_, a), (_, b)| a.cmp(b));
    for (found, of) in texts {
        text.push_str(&format!(
            "\n{}\n{}:\n\n{found}\n",
            "-".repeat(80),
            of.join(", ")
        ));
    }
    Ok(text)
}

/// Where cargo keeps the sources of packages.
fn sources() -> Result<Vec<PathBuf>> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    let home = home.ok_or_else(|| Failure::Failed("there is no home folder".into()))?;
    entries(&home.join("registry/src"))
}

fn licence_files(sources: &[PathBuf], package: &str) -> Result<Vec<PathBuf>> {
    let Some(folder) = sources
        .iter()
        .map(|source| source.join(package))
        .find(|it| it.is_dir())
    else {
        return Err(Failure::Failed(format!(
            "cargo keeps no sources of {package}"
        )));
    };
    let is_licence = |path: &PathBuf| {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .to_uppercase();
        let begins = [
            "LICENSE",
            "LICENCE",
            "COPYING",
            "NOTICE",
            "COPYRIGHT",
            "UNLICENSE",
        ];
        path.is_file() && begins.iter().any(|word| name.starts_with(word))
    };
    Ok(entries(&folder)?.into_iter().filter(is_licence).collect())
}
