//! What the tests leave out on a machine that lacks something.

use std::path::{Path, PathBuf};

use crate::root;

/// Says what was left out, and how to have it run.
pub(crate) fn tell() {
    let shared = root().join("../shared/bitbucket");
    let lacks_specification = !shared.join("openapi-v3.json").exists();
    let lacks_clients = !are_clients_installed();
    if !is_postgres_installed() {
        left_out(&[
            "everything against PostgreSQL, as a destination and as a place to read from",
            "to run it: apt-get install postgresql (macOS: brew install postgresql@17)",
        ]);
    }
    if lacks_specification {
        left_out(&[
            "what is held against the published specification itself (the tables are, against the facts kept of it)",
            "to run it: have the specification in ../shared/bitbucket",
        ]);
    }
    if lacks_clients {
        left_out(&[
            "clients that others wrote, in Python and JavaScript, against the sandbox",
            "to run it: tests/clients/install (Node 18 with npm, Python 3.9 with venv)",
        ]);
    }
    if lacks_clients || lacks_specification {
        left_out(&["every table against an OpenAPI mock, which needs both"]);
    }
}

#[cfg(unix)]
fn is_postgres_installed() -> bool {
    bucketline_private_postgres::is_available()
}

/// The tests' servers are started on Unix alone.
#[cfg(not(unix))]
fn is_postgres_installed() -> bool {
    false
}

fn left_out(lines: &[&str]) {
    eprintln!("\n######## LEFT OUT: {}", lines.join("\n         "));
}

/// Whether `tests/clients/install` has run since its lists changed.
fn are_clients_installed() -> bool {
    let Some(folder) = clients() else {
        return false;
    };
    let is_installed = |list: &str| {
        let wanted = std::fs::read(root().join("tests/clients").join(list)).ok();
        wanted.is_some() && wanted == std::fs::read(folder.join(format!("installed-{list}"))).ok()
    };
    is_installed("package-lock.json") && is_installed("requirements.txt")
}

/// Where they are installed.
fn clients() -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os("BUCKETLINE_CLIENTS") {
        return Some(folder.into());
    }
    let home = std::env::var_os("HOME")?;
    Some(Path::new(&home).join(".cache/bucketline/clients"))
}
