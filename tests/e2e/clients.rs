//! Clients of Bitbucket that others wrote list what the sandbox has.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use bucketline_sandbox::{Count, Kind, Sandbox};

use crate::commands::start;
use crate::world::{World, one};

/// What a client lists, by the kind of it: repositories by their slug, and what is in them by that and a name.
type Lists = BTreeMap<String, BTreeSet<String>>;

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

fn workspace() -> World {
    start(one(|workspace| {
        workspace
            .repositories(3)
            .pull_requests(Count::PerRepository(40))
            .branches(25)
    }))
}

/// Runs a script of `tests/clients`, which prints its lists.
fn list(mut program: Command, script: &str, sandbox: &Sandbox) -> Lists {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients");
    let output = program
        .arg(folder.join(script))
        .args([sandbox.origin(), "acme"])
        .env("USER", "user1@acme.example")
        .env("TOKEN", "sandbox-api-token-acme")
        .output()
        .unwrap();
    let trouble = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}: {trouble}");
    let lists: BTreeMap<String, Vec<String>> = serde_json::from_slice(&output.stdout).unwrap();
    let once = |(kind, list): (String, Vec<String>)| {
        let rows = list.len();
        let set: BTreeSet<_> = list.into_iter().collect();
        assert_eq!(set.len(), rows, "{script} lists {kind} twice");
        (kind, set)
    };
    lists.into_iter().map(once).collect()
}

/// What there is. `state` takes only those pull requests.
fn there(sandbox: &Sandbox, state: Option<&str>) -> Lists {
    let kinds = [
        ("repositories", Kind::Repositories, "slug"),
        ("pull_requests", Kind::PullRequests, "id"),
        ("branches", Kind::Branches, "name"),
        ("commits", Kind::Commits, "hash"),
        ("pipelines", Kind::Pipelines, "uuid"),
    ];
    let list = |(list, kind, member): (&str, Kind, &str)| {
        let mut rows = sandbox.snapshot(kind, "acme");
        if let Some(state) = state {
            rows.retain(|row| kind != Kind::PullRequests || row.value["state"] == state);
        }
        let named = rows.into_iter().map(|row| {
            let name = &row.value[member];
            let name = name
                .as_str()
                .map_or_else(|| name.to_string(), str::to_owned);
            match row.repository {
                Some(repository) if kind != Kind::Repositories => format!("{repository} {name}"),
                _ => name,
            }
        });
        (list.to_owned(), named.collect())
    };
    kinds.into_iter().map(list).collect()
}

fn assert_same(listed: &Lists, there: &Lists) {
    for (kind, rows) in there {
        assert!(rows.len() >= 3, "the sandbox has hardly any {kind}");
        let listed = &listed[kind];
        let lacking: Vec<_> = rows.difference(listed).collect();
        let beside: Vec<_> = listed.difference(rows).collect();
        assert!(lacking.is_empty(), "{kind} lack {lacking:?}");
        assert!(beside.is_empty(), "{kind} have {beside:?}");
    }
}

#[test]
fn pythons_atlassian_python_api_lists_a_workspace() {
    let Some(folder) = folder() else { return };
    let world = workspace();
    let python = Command::new(folder.join("venv/bin/python"));
    let listed = list(python, "list.py", &world.sandbox);
    assert!(listed["workspaces"].iter().eq(["acme"]));
    assert_same(&listed, &there(&world.sandbox, Some("OPEN")));
}

#[test]
fn npms_bitbucket_lists_a_workspace() {
    let Some(folder) = folder() else { return };
    let world = workspace();
    let mut node = Command::new("node");
    node.env("NODE_PATH", folder.join("node_modules"));
    assert_same(
        &list(node, "list.js", &world.sandbox),
        &there(&world.sandbox, None),
    );
}
