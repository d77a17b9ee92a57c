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
    if !may_mount() {
        left_out(&[
            "runs on a disk that is itself full or read-only; single calls are refused instead",
            "to run it: be root, on Linux",
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

/// Whether the tests can mount a disk of their own.
fn may_mount() -> bool {
    #[cfg(target_os = "linux")]
    return std::fs::metadata("/proc/self")
        .is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    #[cfg(not(target_os = "linux"))]
    false
}

/// Whether PostgreSQL's programs are where `crates/private-postgres` looks for them.
pub(crate) fn is_postgres_installed() -> bool {
    let folders_in = |folder: &str| {
        let entries = std::fs::read_dir(folder).into_iter().flatten();
        entries.filter_map(|entry| Some(entry.ok()?.path().join("bin")))
    };
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.extend(std::env::var_os("BUCKETLINE_POSTGRES_BIN").map(PathBuf::from));
    for folder in ["/usr/lib/postgresql", "/opt/homebrew/opt", "/usr/local/opt"] {
        folders.extend(folders_in(folder));
    }
    cfg!(unix) && folders.iter().any(|folder| folder.join("initdb").is_file())
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
