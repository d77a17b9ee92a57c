//! Who sees what.

use bucketline_sandbox::{Change, Config, Credential, Sandbox};

use crate::client::{access_token, api_token, get, get_as};
use crate::sandbox;

/// Lists for administrators, the old-style scope each needs, and whether access tokens that have
/// it see them.
const LISTS: &[(&str, &str, bool)] = &[
    ("/2.0/workspaces/acme/permissions", "account", false),
    (
        "/2.0/workspaces/acme/permissions/repositories",
        "account",
        false,
    ),
    (
        "/2.0/workspaces/acme/permissions/repositories/api",
        "repository",
        false,
    ),
    ("/2.0/workspaces/acme/hooks", "webhook", true),
    (
        "/2.0/workspaces/acme/projects/API/permissions-config/users",
        "project:admin",
        false,
    ),
    (
        "/2.0/workspaces/acme/projects/API/permissions-config/groups",
        "project:admin",
        false,
    ),
    (
        "/2.0/workspaces/acme/projects/API/default-reviewers",
        "project:admin",
        true,
    ),
    (
        "/2.0/workspaces/acme/projects/API/deploy-keys",
        "project:admin",
        false,
    ),
    (
        "/2.0/repositories/acme/api/permissions-config/users",
        "repository:admin",
        false,
    ),
    (
        "/2.0/repositories/acme/api/permissions-config/groups",
        "repository:admin",
        false,
    ),
    (
        "/2.0/repositories/acme/api/branch-restrictions",
        "repository:admin",
        true,
    ),
    (
        "/2.0/repositories/acme/api/branching-model/settings",
        "repository:admin",
        true,
    ),
    (
        "/2.0/repositories/acme/api/override-settings",
        "repository:admin",
        true,
    ),
    (
        "/2.0/repositories/acme/api/pipelines_config",
        "repository:admin",
        true,
    ),
    (
        "/2.0/repositories/acme/api/deploy-keys",
        "repository:admin",
        false,
    ),
    ("/2.0/repositories/acme/api/hooks", "webhook", true),
];

#[test]
fn lists_of_administrators_are_for_administrators() {
    let mut config = Config::default();
    let mut guest = Credential::api_token("acme");
    guest.administrator = false;
    guest.secret = "sandbox-guest".to_owned();
    config.credentials.push(guest);
    let all = Credential::workspace_token("acme").scopes([
        "account",
        "webhook",
        "repository",
        "repository:admin",
        "project:admin",
    ]);
    config.credentials.push(Credential {
        name: "all".to_owned(),
        secret: "sandbox-all".to_owned(),
        ..all
    });
    let sandbox = Sandbox::start_blocking(config).unwrap();
    let guest = crate::client::basic("user1@acme.example", "sandbox-guest");
    for (path, scope, token_sees) in LISTS {
        let status = |authorization: &str| get_as(&sandbox, Some(authorization), path).status;
        assert_eq!(status(&api_token("acme")), 200, "{path}");
        let refused = get_as(&sandbox, Some(&guest), path);
        assert_eq!(refused.status, 403, "{path}");
        assert!(refused.json()["error"].get("detail").is_none(), "{path}");
        assert_eq!(
            status("Bearer sandbox-all"),
            if *token_sees { 200 } else { 403 },
            "{path}"
        );
        let usual = get_as(&sandbox, Some(&access_token("acme")), path);
        if !["webhook", "repository"].contains(scope) {
            let detail = &usual.json()["error"]["detail"];
            assert_eq!(
                (usual.status, &detail["required"][0]),
                (403, &(*scope).into()),
                "{path}"
            );
        }
    }
}

#[test]
fn members_come_and_go() {
    let sandbox = sandbox();
    let path = "/workspaces/acme/members?pagelen=100";
    let names = || get(&sandbox, path).column("/user/display_name");
    assert_eq!(names().len(), 16);
    let kinds = get(&sandbox, path).column("/user/type");
    assert!(kinds.iter().all(|kind| kind == "user"), "no app, no team");
    let workspace = "acme".to_owned();
    sandbox.apply(Change::AddUser { workspace }).unwrap();
    assert_eq!(names().last().unwrap(), "User 21");
    sandbox
        .apply(Change::Delete {
            kind: bucketline_sandbox::Kind::WorkspaceMembers,
            parent: "acme".to_owned(),
            number: 4,
        })
        .unwrap();
    assert!(!names().contains(&"User 4".into()));
    assert_eq!(names().len(), 16);
    let owners = "/workspaces/acme/permissions?q=permission%3D%22owner%22";
    assert_eq!(
        get(&sandbox, owners).column("/user/display_name"),
        ["User 1"]
    );
    let writers = "/workspaces/acme/permissions/repositories?pagelen=100&q=permission%3E%22read%22";
    let permissions = get(&sandbox, writers).column("/permission");
    assert!(!permissions.is_empty() && !permissions.contains(&"read".into()));
    let mine = "/user/workspaces/acme/permissions/repositories?q=permission%3E%22write%22";
    let granted = get(&sandbox, mine);
    assert_eq!(granted.column("/permission"), ["admin"; 5]);
    assert_eq!(granted.column("/user/display_name"), ["User 1"; 5]);
    let token = access_token("acme");
    assert_eq!(
        get_as(&sandbox, Some(&token), &format!("/2.0{mine}")).status,
        403
    );
    assert_eq!(
        get_as(&sandbox, None, "/2.0/workspaces/acme/members").status,
        404
    );
}
