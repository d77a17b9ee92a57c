use bucketline_sandbox::{
    Change, Config, Credential, CredentialKind, Day, Sandbox, WorkspaceConfig,
};

use crate::client::{access_token, api_token, basic, get, get_as};
use crate::sandbox;

#[test]
fn credentials_are_taken_in_their_one_right_form() {
    let sandbox = sandbox();
    for (what, authorization, status) in [
        ("API token, Basic with e-mail", api_token("acme"), 200),
        (
            "API token, Basic with user name",
            basic("user1", "sandbox-api-token-acme"),
            401,
        ),
        (
            "API token as Bearer",
            "Bearer sandbox-api-token-acme".to_owned(),
            401,
        ),
        ("app password", basic("user1", "ATBBappPassword"), 401),
        ("wrong token", basic("user1@acme.example", "no"), 401),
        ("access token, Bearer", access_token("acme"), 200),
        (
            "access token as Basic",
            basic("user1@acme.example", "sandbox-access-token-acme"),
            401,
        ),
        ("nonsense", "Bearer".to_owned(), 401),
        ("unknown scheme", "Digest x".to_owned(), 401),
    ] {
        let answer = get_as(&sandbox, Some(&authorization), "/2.0/repositories/acme");
        assert_eq!(answer.status, status, "{what}");
        if status == 401 {
            let text = "Token is invalid, expired, or not supported for this endpoint.";
            assert_eq!(answer.message(), text);
            assert_eq!(
                answer.header("www-authenticate"),
                Some("Basic realm=\"Bitbucket.org HTTP\"")
            );
        }
    }
}

#[test]
fn who_sees_nothing_gets_an_empty_list() {
    let sandbox = sandbox();
    for authorization in [
        None,
        Some(api_token("globex")),
        Some(access_token("globex")),
    ] {
        let answer = get_as(&sandbox, authorization.as_deref(), "/2.0/repositories/acme");
        assert_eq!(
            (
                answer.status,
                answer.json()["values"].as_array().unwrap().len()
            ),
            (200, 0)
        );
        let answer = get_as(
            &sandbox,
            authorization.as_deref(),
            "/2.0/repositories/acme/api",
        );
        assert_eq!(answer.status, 404);
        assert!(
            answer
                .message()
                .starts_with("You may not have access to this repository")
        );
        let answer = get_as(&sandbox, authorization.as_deref(), "/2.0/workspaces/acme");
        assert_eq!(
            (answer.status, answer.message()),
            (404, "No workspace with identifier 'acme'.".to_owned())
        );
    }
    assert_eq!(get_as(&sandbox, None, "/2.0/user").status, 401);
    let answer = get(&sandbox, "/repositories/nowhere");
    assert_eq!(
        (answer.status, answer.message()),
        (404, "No workspace with identifier 'nowhere'.".to_owned())
    );
}

#[test]
fn missing_scopes_are_named_in_the_style_of_the_credential() {
    let sandbox = sandbox();
    let answer = get_as(
        &sandbox,
        Some(&access_token("acme")),
        "/2.0/repositories/acme/api/issues",
    );
    assert_eq!(answer.status, 403);
    assert_eq!(
        answer.message(),
        "Your credentials lack one or more required privilege scopes."
    );
    let detail = answer.json()["error"]["detail"].clone();
    assert_eq!(detail["required"], serde_json::json!(["issue"]));
    assert_eq!(detail["granted"].as_array().unwrap().len(), 6);
    assert_eq!(answer.header("x-accepted-oauth-scopes"), Some("issue"));

    let scopes = vec!["read:repository:bitbucket".to_owned()];
    sandbox
        .apply(Change::SetScopes {
            credential: "acme-api-token".to_owned(),
            scopes,
        })
        .unwrap();
    for (path, status) in [
        ("/repositories/acme", 200),
        ("/repositories/acme/api/refs/branches", 200),
        ("/user", 403),
        ("/workspaces/acme", 403),
        ("/workspaces/acme/projects", 403),
        ("/repositories/acme/api/pullrequests", 403),
        ("/repositories/acme/api/issues", 403),
    ] {
        assert_eq!(get(&sandbox, path).status, status, "{path}");
    }
    let answer = get(&sandbox, "/user");
    assert_eq!(
        answer.json()["error"]["detail"]["required"][0],
        "read:user:bitbucket"
    );
}

#[test]
fn old_style_scopes_imply_others_and_new_style_ones_nothing() {
    let workspace = || WorkspaceConfig::new("acme");
    for (credential, scope, path, status) in [
        (
            Credential::workspace_token("acme"),
            "pullrequest",
            "/repositories/acme",
            200,
        ),
        (
            Credential::workspace_token("acme"),
            "project",
            "/repositories/acme/api",
            200,
        ),
        (
            Credential::workspace_token("acme"),
            "pullrequest:write",
            "/repositories/acme",
            200,
        ),
        (
            Credential::workspace_token("acme"),
            "repository:admin",
            "/repositories/acme",
            403,
        ),
        (
            Credential::workspace_token("acme"),
            "webhook",
            "/workspaces/acme",
            200,
        ),
        (
            Credential::api_token("acme"),
            "read:pullrequest:bitbucket",
            "/repositories/acme",
            403,
        ),
        (
            Credential::api_token("acme"),
            "admin:repository:bitbucket",
            "/repositories/acme",
            403,
        ),
    ] {
        let bearer = credential.kind == CredentialKind::WorkspaceToken;
        let config = Config {
            credentials: vec![credential.scopes([scope])],
            ..Config::single(workspace())
        };
        let sandbox = Sandbox::start_blocking(config).unwrap();
        let authorization = if bearer {
            access_token("acme")
        } else {
            api_token("acme")
        };
        let answer = get_as(&sandbox, Some(&authorization), &format!("/2.0{path}"));
        assert_eq!(answer.status, status, "{scope} on {path}");
    }
}

#[test]
fn access_tokens_are_no_users_and_reach_only_their_part() {
    let token = |name: &str, kind| Credential {
        name: name.to_owned(),
        kind,
        secret: name.to_owned(),
        ..Credential::workspace_token("acme")
    };
    let mut with_account = token("account", CredentialKind::WorkspaceToken);
    with_account.scopes.push("account".to_owned());
    let mut nobody = token("nobody", CredentialKind::WorkspaceToken);
    nobody.workspaces.clear();
    let config = Config {
        credentials: vec![
            token(
                "project",
                CredentialKind::ProjectToken {
                    project: "WEB".to_owned(),
                },
            ),
            token(
                "repository",
                CredentialKind::RepositoryToken {
                    repository: "api".to_owned(),
                },
            ),
            with_account,
            nobody,
        ],
        ..Config::default()
    };
    let sandbox = Sandbox::start_blocking(config).unwrap();
    let get = |who: &str, path: &str| {
        get_as(
            &sandbox,
            Some(&format!("Bearer {who}")),
            &format!("/2.0{path}"),
        )
    };
    assert_eq!(get("repository", "/user").status, 403);
    assert_eq!(get("account", "/user").status, 401);
    assert_eq!(get("account", "/user/workspaces").status, 401);
    assert_eq!(
        get("repository", "/repositories/acme").column("/slug"),
        ["api"]
    );
    assert_eq!(
        get("project", "/repositories/acme").column("/project/key"),
        ["WEB", "WEB"]
    );
    assert_eq!(get("repository", "/repositories/acme/web").status, 404);
    assert_eq!(get("nobody", "/repositories/acme").json()["size"], 0);
}

#[test]
fn headers_tell_the_credential_and_the_limit() {
    let sandbox = sandbox();
    let path = "/2.0/repositories/acme";
    let person = get_as(&sandbox, Some(&api_token("acme")), path);
    assert!(
        person
            .header("x-oauth-scopes")
            .unwrap()
            .contains("read:issue:bitbucket")
    );
    assert_eq!(
        person.header("x-accepted-oauth-scopes"),
        Some("read:repository:bitbucket")
    );
    assert!(person.header("x-credential-type").is_some());
    assert_eq!(person.header("x-ratelimit-limit"), None);
    assert!(person.header("date").unwrap().ends_with("GMT"));
    assert_eq!(
        person.header("vary"),
        Some("Authorization, Accept-Encoding")
    );
    assert_eq!(person.header("cache-control"), Some("max-age=900"));
    assert!(person.header("etag").unwrap().starts_with("W/\""));

    let token = get_as(&sandbox, Some(&access_token("acme")), path);
    assert_eq!(token.header("x-ratelimit-limit"), Some("1000"));
    assert_eq!(token.header("x-ratelimit-nearlimit"), Some("false"));
    assert!(token.header("x-ratelimit-resource").is_some());
    assert_eq!(token.header("x-ratelimit-remaining"), None);

    let stranger = get_as(&sandbox, None, path);
    assert_eq!(stranger.header("x-ratelimit-limit"), Some("60, 60;w=3600"));
    assert_eq!(stranger.header("x-ratelimit-remaining"), Some("59"));
    let reset: u64 = stranger
        .header("x-ratelimit-reset")
        .unwrap()
        .parse()
        .unwrap();
    assert!(reset <= 3600, "seconds remaining, not an epoch: {reset}");
}

#[test]
fn limits_are_a_rolling_hour_of_each_holder() {
    for bare_429 in [false, true] {
        let config = Config {
            requests_per_hour: Some(3),
            bare_429,
            ..Config::default()
        };
        let sandbox = Sandbox::start_blocking(config).unwrap();
        let status = |who: &str| get_as(&sandbox, Some(who), "/2.0/repositories/acme").status;
        let (person, token) = (api_token("acme"), access_token("acme"));
        assert_eq!([0; 4].map(|_| status(&person)), [200, 200, 200, 429]);
        assert_eq!(status(&token), 200, "a token has a budget of its own");
        assert_eq!(
            get(&sandbox, "/user").status,
            200,
            "only /repositories is counted"
        );
        let refused = get(&sandbox, "/repositories/acme");
        let message = "Rate limit for this resource has been exceeded";
        assert_eq!(refused.header("retry-after"), None);
        if bare_429 {
            assert_eq!(refused.text(), message);
        } else {
            assert_eq!(refused.message(), message);
        }
        sandbox
            .apply(Change::AdvanceClock { seconds: 3601.0 })
            .unwrap();
        assert_eq!(status(&person), 200);
    }
    let sandbox = Sandbox::start_blocking(Config {
        anonymous_requests_per_hour: Some(1),
        ..Config::default()
    })
    .unwrap();
    assert_eq!(get_as(&sandbox, None, "/2.0/workspaces/acme").status, 404);
    assert_eq!(get_as(&sandbox, None, "/2.0/workspaces/acme").status, 429);
}

#[test]
fn what_was_removed_answers_410() {
    let sandbox = sandbox();
    for path in [
        "/repositories",
        "/repositories/",
        "/repositories//",
        "/repositories//api/issues",
        "/workspaces",
        "/workspaces/",
        "/user/permissions/repositories",
        "/user/permissions/workspaces",
    ] {
        let answer = get(&sandbox, path);
        assert_eq!(answer.status, 410, "{path}");
        assert_eq!(
            answer.message(),
            "CHANGE-2770 - Functionality has been deprecated"
        );
        let url = "https://developer.atlassian.com/cloud/bitbucket/changelog#CHANGE-2770";
        assert_eq!(answer.json()["error"]["data"]["announcement_url"], url);
        assert_eq!(answer.json()["data"]["announcement_url"], url);
    }
    for path in [
        "/nothing",
        "/repositories/acme/api/nothing",
        "/repositories/acme/api/issues/1/x",
    ] {
        let answer = get(&sandbox, path);
        assert_eq!(
            (answer.status, answer.json()["type"].clone()),
            (404, "error".into()),
            "{path}"
        );
    }
}

#[test]
fn the_issue_tracker_goes_on_the_later_day() {
    let sandbox = sandbox();
    let list = get(&sandbox, "/repositories/acme/api/issues");
    assert_eq!(list.status, 200);
    assert_eq!(list.header("sunset"), Some("Fri, 21 Aug 2026 00:00:00 UTC"));
    assert_eq!(list.header("deprecation"), Some("@1771545600"));
    let off = get(&sandbox, "/repositories/acme/infra/issues");
    assert_eq!(
        (off.status, off.message()),
        (404, "Repository has no issue tracker.".to_owned())
    );
    let repository = get(&sandbox, "/repositories/acme/api").json();
    assert_eq!(repository["has_issues"], true);
    assert!(repository["links"]["issues"].is_object());

    sandbox
        .apply(Change::SetDay {
            day: Day::AfterRemoval,
        })
        .unwrap();
    assert!(sandbox.now().to_rfc3339().as_str() > "2026-08-20");
    for path in [
        "api/issues",
        "api/issues/1",
        "infra/issues",
        "api/milestones",
        "none/issues",
    ] {
        let answer = get(&sandbox, &format!("/repositories/acme/{path}"));
        assert_eq!(answer.status, 410, "{path}");
        assert_eq!(
            answer.message(),
            "CHANGE-3071 - Functionality has been deprecated"
        );
    }
    let repository = get(&sandbox, "/repositories/acme/api").json();
    for gone in ["/has_issues", "/has_wiki", "/links/issues"] {
        assert!(repository.pointer(gone).is_none(), "{gone}");
    }
}

#[test]
fn secrets_are_not_in_debug_output() {
    let shown = format!("{:?}", Config::default());
    assert!(!shown.contains("sandbox-api-token") && !shown.contains("sandbox-access-token"));
}
