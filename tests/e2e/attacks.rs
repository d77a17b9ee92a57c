//! What an attacker tries against the application: each is refused.

use std::collections::BTreeMap;
use std::path::Path;

use bucketline_web::rights_table;
use serde_json::{Value, json};

use crate::application::{Answer, Served, TOKEN};

const PASSWORD: &str = "planted-password-of-people";

/// A request as a browser or a program sends it, with headers that each end with a line break.
pub(crate) async fn send(served: &Served, line: &str, headers: &str, body: &Value) -> Answer {
    let api = &served.api;
    let (body, kind) = match body {
        Value::Null => (String::new(), ""),
        body => (body.to_string(), "Content-Type: application/json\r\n"),
    };
    api.raw(&format!(
        "{line} HTTP/1.0\r\nHost: {}\r\n{kind}{headers}Content-Length: {}\r\n\r\n{body}",
        api.address,
        body.len()
    ))
    .await
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

/// Makes an account.
pub(crate) async fn account(served: &Served, name: &str, role: &str) -> i64 {
    let account = json!({ "name": name, "role": role, "password": PASSWORD });
    let made = served.api.post("/api/v1/accounts", &account).await;
    made.expect(201)["id"].as_i64().unwrap()
}

/// Signs in: the cookie as a browser sends it back.
pub(crate) async fn sign_in(served: &Served, name: &str, headers: &str) -> String {
    let claim = json!({ "name": name, "password": PASSWORD });
    let answer = send(served, "POST /api/v1/session", headers, &claim).await;
    let set = answer
        .head
        .lines()
        .find_map(|it| it.strip_prefix("set-cookie: "));
    let set = set.unwrap_or_else(|| panic!("{}", answer.text)).to_owned();
    for flag in ["; httponly", "; samesite=strict", "; path=/"] {
        assert!(set.contains(flag), "{set}");
    }
    let cookie = format!("Cookie: {}\r\n", set.split(';').next().unwrap());
    assert!(
        !answer
            .text
            .contains(cookie.trim_start_matches("Cookie: ").trim())
    );
    answer.expect(200);
    cookie
}

/// An API token of a new account with this role.
async fn token(served: &Served, role: &str) -> String {
    let name = format!("{role}@acme.example");
    account(served, &name, role).await;
    let cookie = sign_in(served, &name, "").await;
    let wanted = json!({ "name": "test", "role": role, "days": 1 });
    let made = send(served, "POST /api/v1/tokens", &cookie, &wanted).await;
    made.expect(201)["token"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_is_let_to_the_roles_of_the_table_alone() {
    let served = Served::start().await;
    let table = rights_table();
    let rows = table.lines().skip(2).map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        (cells[1].trim_matches('`').to_owned(), cells[3].to_owned())
    });
    let least: BTreeMap<String, String> = rows.collect();
    let roles = ["viewer", "job_operator", "job_creator", "standard", "admin"];
    let mut tokens = Vec::new();
    for role in roles {
        tokens.push(token(&served, role).await);
    }
    let described = served.api.get("/api/v1/openapi.json").await.expect(200);
    let mut walked = 0;
    for (path, methods) in described["paths"].as_object().unwrap() {
        let route = path.strip_prefix("/api/v1").unwrap();
        let path = path.replace("{name}", "x").replace("{table}", "x");
        let path = path.replace("{id}", "999999").replace("{try}", "1");
        for method in methods.as_object().unwrap().keys() {
            let method = method.to_uppercase();
            let line = format!("{method} {path}");
            let needed = least[&format!("{method} {route}")].as_str();
            let nobody = send(&served, &line, "", &Value::Null).await;
            let is_open = needed == "nobody is signed in";
            assert_eq!(nobody.body["code"] == "BL0501", !is_open, "{line}");
            for (place, token) in tokens.iter().enumerate() {
                let from = roles.iter().position(|role| *role == needed).unwrap_or(0);
                let answer = send(&served, &line, &bearer(token), &Value::Null).await;
                let is_refused = answer.body["code"] == "BL0605";
                assert_eq!(
                    is_refused,
                    place < from,
                    "{line}, {}: {}",
                    roles[place],
                    answer.text
                );
                assert_eq!(is_refused, answer.status == 403, "{line}: {}", answer.text);
                walked += 1;
            }
        }
    }
    assert_eq!(walked, least.len() * roles.len());
}

#[test]
fn the_page_of_rights_is_the_table() {
    let page = format!(
        "# Rights\n\n<!-- Written by `cargo x docs`. -->\n\nWhich role a request of the [application](application.md) needs. \
         Each role may do what those before it may: viewer, job_operator, job_creator, standard, admin.\n\n{}",
        rights_table()
    );
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/rights.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), page);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_new_held_to_its_browser_and_ended() {
    let served = Served::start().await;
    account(&served, "User 1", "standard").await;
    // Fixation: a session that was planted is not taken over, and one that was there ends.
    let planted = "Cookie: bucketline=planted-session\r\n";
    let first = sign_in(&served, "User 1", planted).await;
    assert!(!first.contains("planted-session"));
    let who = send(&served, "GET /api/v1/session", planted, &Value::Null).await;
    who.expect(401);
    let second = sign_in(&served, "User 1", &first).await;
    let who = send(&served, "GET /api/v1/session", &first, &Value::Null).await;
    who.expect(401);
    let who = send(&served, "GET /api/v1/session", &second, &Value::Null).await;
    assert_eq!(who.expect(200)["name"], "User 1");
    let sessions = send(&served, "GET /api/v1/sessions", &second, &Value::Null).await;
    assert_eq!(sessions.expect(200)[0]["is_this"], true);

    // Forged requests: the browser adds the cookie by itself, and says where they come from.
    let job = json!({ "name": "forged", "source": "a", "destination": "b" });
    for origin in [
        "Origin: https://evil.example\r\n",
        "Origin: null\r\n",
        "Sec-Fetch-Site: cross-site\r\n",
        "Sec-Fetch-Site: same-site\r\n",
    ] {
        let headers = format!("{second}{origin}");
        let refused = send(&served, "POST /api/v1/jobs", &headers, &job).await;
        assert_eq!(refused.expect(403)["code"], "BL0606", "{origin}");
        // Nor is anybody signed in from elsewhere.
        let claim = json!({ "name": "User 1", "password": PASSWORD });
        let refused = send(&served, "POST /api/v1/session", origin, &claim).await;
        assert_eq!(refused.expect(403)["code"], "BL0606", "{origin}");
    }
    let own = format!("{second}Origin: http://{}\r\n", served.api.address);
    let answer = send(&served, "POST /api/v1/jobs", &own, &job).await;
    answer.expect(422);

    let out = send(&served, "DELETE /api/v1/session", &second, &Value::Null).await;
    assert!(out.head.contains("max-age=0"), "{}", out.head);
    let who = send(&served, "GET /api/v1/session", &second, &Value::Null).await;
    who.expect(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_tells_browsers_not_to_frame_guess_or_keep_it() {
    let served = Served::start().await;
    for (line, headers) in [
        ("GET /api/v1/jobs", bearer(TOKEN)),
        ("GET /api/v1/jobs", String::new()),
        ("GET /nowhere", bearer(TOKEN)),
        (
            "POST /api/v1/session",
            "Origin: https://evil.example\r\n".to_owned(),
        ),
    ] {
        let answer = send(&served, line, &headers, &Value::Null).await;
        for header in [
            "frame-ancestors 'none'",
            "script-src 'self';",
            "x-frame-options: deny",
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
            "cache-control: no-store",
        ] {
            assert!(answer.head.contains(header), "{line}: {}", answer.head);
        }
        assert!(!answer.head.contains("unsafe-"), "{}", answer.head);
        assert!(
            !answer.head.contains("access-control-allow"),
            "{}",
            answer.head
        );
    }
    // A token is taken from no address.
    for query in ["token", "access_token", "api_key"] {
        let line = format!("GET /api/v1/jobs?{query}={TOKEN}");
        send(&served, &line, "", &Value::Null).await.expect(401);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_a_password_soon_takes_long() {
    let served = Served::start().await;
    account(&served, "User 1", "viewer").await;
    let guess = json!({ "name": "User 1", "password": "a wrong password" });
    for _ in 0..5 {
        let refused = send(&served, "POST /api/v1/session", "", &guess).await;
        assert_eq!(refused.expect(401)["code"], "BL0604");
    }
    let right = json!({ "name": "User 1", "password": PASSWORD });
    for claim in [&guess, &right] {
        // Nobody is believed who names another address.
        let elsewhere = "X-Forwarded-For: 192.0.2.7\r\nForwarded: for=192.0.2.7\r\n";
        let refused = send(&served, "POST /api/v1/session", elsewhere, claim).await;
        assert!(refused.head.contains("retry-after: "), "{}", refused.head);
        assert_eq!(refused.expect(429)["code"], "BL0603");
    }
    served.pass(1);
    sign_in(&served, "User 1", "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gives_themselves_more_or_reaches_what_is_others() {
    let served = Served::start().await;
    let id = account(&served, "User 1", "job_operator").await;
    let cookie = sign_in(&served, "User 1", "").await;
    let other = account(&served, "User 2", "viewer").await;
    let others = sign_in(&served, "User 2", "").await;
    let wanted = json!({ "name": "mine", "role": "viewer", "days": 1 });
    let made = send(&served, "POST /api/v1/tokens", &others, &wanted).await;
    let token = made.expect(201)["id"].as_i64().unwrap();

    // Fields that the request does not have.
    for (line, body) in [
        (
            "POST /api/v1/session",
            json!({ "name": "User 1", "password": PASSWORD, "role": "admin" }),
        ),
        (
            "POST /api/v1/tokens",
            json!({ "name": "x", "role": "viewer", "days": 1, "account": other }),
        ),
        (
            "POST /api/v1/set-up",
            json!({ "token": "x", "name": "x", "password": PASSWORD, "role": "admin" }),
        ),
    ] {
        let refused = send(&served, line, &cookie, &body).await;
        refused.expect(422);
    }
    let more = json!({ "name": "x", "role": "admin", "days": 1 });
    let refused = send(&served, "POST /api/v1/tokens", &cookie, &more).await;
    assert_eq!(refused.expect(422)["errors"][0]["place"], "role");
    let promoted = json!({ "name": "User 1", "role": "admin" });
    let line = format!("PUT /api/v1/accounts/{id}");
    let refused = send(
        &served,
        &line,
        &format!("{cookie}If-Match: *\r\n"),
        &promoted,
    )
    .await;
    assert_eq!(refused.expect(403)["code"], "BL0605");
    let set_up = json!({ "token": "guess", "name": "x", "password": PASSWORD });
    let refused = send(&served, "POST /api/v1/set-up", "", &set_up).await;
    assert_eq!(refused.expect(403)["code"], "BL0607");

    // A token makes and deletes none but itself.
    let wanted = json!({ "name": "short", "role": "viewer", "days": 1 });
    let made = send(&served, "POST /api/v1/tokens", &others, &wanted).await;
    let made = made.expect(201);
    let bearer = format!(
        "Authorization: Bearer {}\r\n",
        made["token"].as_str().unwrap()
    );
    let longer = json!({ "name": "long", "role": "viewer", "days": 366 });
    let refused = send(&served, "POST /api/v1/tokens", &bearer, &longer).await;
    assert_eq!(refused.expect(403)["code"], "BL0605");
    let line = format!("DELETE /api/v1/tokens/{token}");
    send(&served, &line, &bearer, &Value::Null)
        .await
        .expect(404);
    let line = format!("DELETE /api/v1/tokens/{}", made["id"]);
    send(&served, &line, &bearer, &Value::Null)
        .await
        .expect(204);

    // Names that look like others.
    for name in [
        "root\u{200b}",
        "ro\u{202e}ot",
        "API",
        "start",
        "User 1 (token ci)",
    ] {
        let named = json!({ "name": name, "role": "viewer", "password": PASSWORD });
        let refused = served.api.post("/api/v1/accounts", &named).await;
        assert_eq!(
            refused.expect(422)["errors"][0]["place"],
            "name",
            "{name:?}"
        );
    }

    // Numbers of what is others'.
    let line = format!("DELETE /api/v1/tokens/{token}");
    send(&served, &line, &cookie, &Value::Null)
        .await
        .expect(404);
    let listed = send(&served, "GET /api/v1/tokens", &cookie, &Value::Null).await;
    assert_eq!(listed.expect(200), json!([]));
    let line = format!("PUT /api/v1/accounts/{other}/password");
    let password = json!({ "new": "another-password" });
    send(&served, &line, &cookie, &password).await.expect(404);
    send(
        &served,
        &format!("DELETE /api/v1/tokens/{token}"),
        &others,
        &Value::Null,
    )
    .await
    .expect(204);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_be_kept_in_clear_or_is_too_much_is_refused() {
    let served = Served::start().await;
    let api = &served.api;
    let mistyped = json!({ "name": "x", "properties": { "Workspace": "acme", "Tokn": "planted" } });
    let refused = api.post("/api/v1/connections", &mistyped).await.expect(422);
    assert_eq!(refused["errors"][0]["place"], "properties.Tokn");
    for name in ["acme", "globex"] {
        let made = api.post("/api/v1/connections", &served.account(name)).await;
        made.expect(201);
    }
    for sql in [
        "CREATE CONNECTION q FROM 'Workspace=acme;Token=planted'",
        "CREATE CONNECTION q WITH (Token = 'planted', Workspace = 'x')",
    ] {
        let job = json!({
            "name": "job", "source": "acme", "destination": "globex",
            "tasks": [{ "statement": "REPLICATE Issues" }],
            "after": [{ "when": "succeeded", "sql": sql }],
        });
        let refused = api.post("/api/v1/jobs", &job).await;
        assert!(!refused.text.contains("planted"), "{}", refused.text);
        assert_eq!(refused.expect(422)["errors"][0]["place"], "after[0].sql");
    }
    let long = json!({ "name": "x".repeat(20_000), "password": "x" });
    send(&served, "POST /api/v1/session", "", &long)
        .await
        .expect(413);
    let text = format!(
        "POST /api/v1/jobs/1/runs HTTP/1.0\r\nHost: {}\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n{{}}",
        api.address
    );
    api.raw(&text).await.expect(415);
}

#[tokio::test(flavor = "multi_thread")]
async fn planted_secrets_are_in_no_answer_and_not_in_the_audit() {
    let served = Served::start().await;
    account(&served, "User 1", "admin").await;
    let cookie = sign_in(&served, "User 1", "").await;
    let mut connection = served.account("acme");
    connection["properties"]["Token"] = json!("planted-bitbucket-token");
    let made = served.api.post("/api/v1/connections", &connection).await;
    made.expect(201);
    let session = cookie.split('=').nth(1).unwrap().trim();
    for path in [
        "/api/v1/connections",
        "/api/v1/connections/acme",
        "/api/v1/secrets",
        "/api/v1/accounts",
        "/api/v1/sessions",
        "/api/v1/tokens",
        "/api/v1/audit",
        "/api/v1/audit/export",
    ] {
        let answer = send(&served, &format!("GET {path}"), &cookie, &Value::Null).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        for secret in [
            PASSWORD,
            "planted-bitbucket-token",
            session,
            "argon2",
            TOKEN,
        ] {
            assert!(!answer.text.contains(secret), "{path}: {}", answer.text);
        }
    }
    let audit = served
        .api
        .get("/api/v1/audit?action=connection")
        .await
        .expect(200);
    let after = audit["items"][0]["after"].as_str().unwrap();
    assert!(after.contains("\"Token\":\"***\""), "{after}");
    assert_eq!(audit["items"][0]["from"], "127.0.0.1");
}
