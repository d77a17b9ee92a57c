//! What a kill leaves behind for good.

use std::path::Path;

use super::copy::{Copied, Held};
use super::own;

/// Tables and files that nobody needs any more.
pub(crate) fn leftovers(held: &Held, tables: &[Copied], home: &Path) -> Result<(), String> {
    let expected = |name: &str| {
        let ours = ["version", "leases", "tables", "checkpoints"];
        let tables = tables.iter().map(|copied| copied.name);
        let mut wanted = tables.chain(own::TABLES);
        ours.contains(&name.trim_start_matches("_bucketline_"))
            || wanted.any(|table| table.eq_ignore_ascii_case(name))
    };
    let names = held.names.iter().filter(|name| !expected(name));
    let mut left: Vec<String> = names.map(|name| format!("the table {name}")).collect();
    let mut folders = vec![home.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let known = name == "copy.db"
                || name == "out.csv"
                || name.ends_with(".lock")
                || name.starts_with("budget-")
                || name == "acme.json";
            if !known {
                left.push(path.display().to_string());
            }
        }
    }
    if left.is_empty() {
        return Ok(());
    }
    Err(format!("left behind: {}", left.join(", ")))
}
