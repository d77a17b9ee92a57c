//! Names of files that a path can become.

use std::fs;
use std::path::Path;

use crate::escape::is_harmful;

/// The paths that begin with what was typed; folders end with a slash. Hidden files are there for who asks for them.
pub(super) fn complete(typed: &str) -> Vec<String> {
    let (quote, path) = match typed.chars().next() {
        Some(quote @ ('\'' | '"')) => (&typed[..quote.len_utf8()], &typed[quote.len_utf8()..]),
        _ => ("", typed),
    };
    let (folder, name) = match path.rfind('/') {
        Some(slash) => path.split_at(slash + 1),
        None => ("", path),
    };
    let home = folder
        .strip_prefix("~/")
        .and_then(|rest| Some(std::env::home_dir()?.join(rest)));
    let place = match (home, folder) {
        (Some(place), _) => place,
        (None, "") => Path::new(".").to_owned(),
        (None, folder) => Path::new(folder).to_owned(),
    };
    let entries = fs::read_dir(place).into_iter().flatten().flatten();
    let candidate = |entry: fs::DirEntry| {
        let found = entry.file_name().into_string().ok()?;
        let is_hidden = found.starts_with('.') && !name.starts_with('.');
        if !found.starts_with(name) || is_hidden || found.contains(is_harmful) {
            return None;
        }
        let is_folder = fs::metadata(entry.path()).is_ok_and(|found| found.is_dir());
        let slash = if is_folder { "/" } else { "" };
        Some(format!("{quote}{folder}{found}{slash}"))
    };
    let mut found: Vec<_> = entries.filter_map(candidate).collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::complete;

    #[test]
    fn paths_become_files_and_folders() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("nightly")).unwrap();
        for name in ["night.sql", "my script.sql", ".hidden", "nightly/a.sql"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let base = folder.path().to_str().unwrap();
        for (typed, expected) in [
            ("nig", &["night.sql", "nightly/"][..]),
            ("nightly/", &["nightly/a.sql"]),
            ("my", &["my script.sql"]),
            ("", &["my script.sql", "night.sql", "nightly/"]),
            (".h", &[".hidden"]),
            ("nowhere/", &[]),
        ] {
            let expected: Vec<_> = expected.iter().map(|it| format!("{base}/{it}")).collect();
            assert_eq!(complete(&format!("{base}/{typed}")), expected, "{typed}");
        }
        assert_eq!(
            complete(&format!("'{base}/my")),
            [format!("'{base}/my script.sql")]
        );
    }
}
