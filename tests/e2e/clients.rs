//! Clients of Bitbucket that others wrote.

use std::path::{Path, PathBuf};

/// The folder that `tests/clients/install` fills. Without it a test is left out, but not in CI.
pub(crate) fn folder() -> Option<PathBuf> {
    let folder = match std::env::var_os("BUCKETLINE_CLIENTS") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(std::env::var_os("HOME")?).join(".cache/bucketline/clients"),
    };
    let installed = |list: &str| {
        let wanted = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("clients")
            .join(list);
        let found = std::fs::read(folder.join(format!("installed-{list}")));
        found.is_ok_and(|found| found == std::fs::read(wanted).unwrap())
    };
    if installed("package-lock.json") && installed("requirements.txt") {
        return Some(folder);
    }
    leave_out("run tests/clients/install first");
    None
}

/// Says loudly that a test is left out; in CI none may be.
pub(crate) fn leave_out(why: &str) {
    assert!(
        std::env::var("CI").as_deref() != Ok("true"),
        "nothing is left out in CI: {why}"
    );
    eprintln!("\n\n######## LEFT OUT: {why} ########\n\n");
}
