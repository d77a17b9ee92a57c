//! What may be linked into Bucketline, and what is known to be unsafe: cargo-deny, by `deny.toml`.

use crate::process::{cargo, run, succeeds, watch};
use crate::{Failure, Result};

/// Fails if a dependency's licence or source is not allowed.
pub(crate) fn check() -> Result {
    if !is_there()? {
        return Ok(());
    }
    run(&mut cargo(&[
        "deny", "check", "bans", "licenses", "sources",
    ]))
}

/// Fails if an advisory tells of a fault in a dependency. Where the list of advisories cannot be fetched, it says so: that
/// is no fault of the code, but nothing was checked either.
pub(crate) fn advisories() -> Result {
    if !is_there()? {
        return Ok(());
    }
    let checked = watch(&mut cargo(&["deny", "check", "advisories"]))?;
    if checked.succeeded {
        return Ok(());
    }
    if checked.output.contains("failed to fetch advisory database") {
        warn("ADVISORIES WERE NOT CHECKED: their database cannot be fetched from here");
        return Ok(());
    }
    Err(Failure::Failed("an advisory tells of a dependency".into()))
}

/// Whether cargo-deny is installed; on a machine of CI it must be.
fn is_there() -> Result<bool> {
    const INSTALL: &str = "cargo-deny is not installed: `cargo install --locked cargo-deny`";
    if succeeds(&mut cargo(&["deny", "--version"])) {
        return Ok(true);
    }
    if std::env::var_os("CI").is_some() {
        return Err(Failure::Failed(INSTALL.into()));
    }
    warn(&format!(
        "LICENCES AND ADVISORIES WERE NOT CHECKED: {INSTALL}"
    ));
    Ok(false)
}

fn warn(message: &str) {
    let line = "!".repeat(80);
    eprintln!("{line}\n{message}\n{line}");
}
