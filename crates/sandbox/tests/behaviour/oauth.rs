use bucketline_sandbox::{Change, Config, Consent, Consumer, Sandbox};
use serde_json::Value;

use crate::client::{Answer, basic, encode, get_as, request};
use crate::sandbox;

const CALLBACK: &str = "http://localhost:33333";
const FORM: &str = "application/x-www-form-urlencoded";

fn allowing() -> Sandbox {
    let sandbox = sandbox();
    decide(&sandbox, Consent::Allow);
    sandbox
}

fn decide(sandbox: &Sandbox, consent: Consent) {
    let consumer = "acme-consumer".to_owned();
    sandbox
        .apply(Change::SetConsent { consumer, consent })
        .unwrap();
}

fn authorize(sandbox: &Sandbox, more: &str) -> Answer {
    let path = format!(
        "/site/oauth2/authorize?client_id=sandbox-key-acme&response_type=code&state=s%2B1{more}"
    );
    get_as(sandbox, None, &path)
}

fn code(sandbox: &Sandbox, more: &str) -> String {
    let answer = authorize(sandbox, more);
    let location = answer.header("location").unwrap();
    let (_, rest) = location.split_once("code=").unwrap();
    rest.split('&').next().unwrap().replace("%2D", "-")
}

fn ask(sandbox: &Sandbox, body: &str) -> Answer {
    ask_as(sandbox, "sandbox-consumer-secret-acme", FORM, body)
}

fn ask_as(sandbox: &Sandbox, secret: &str, kind: &str, body: &str) -> Answer {
    let authorization = basic("sandbox-key-acme", secret);
    let headers = [
        ("authorization", authorization.as_str()),
        ("content-type", kind),
    ];
    request(sandbox, "POST", "/site/oauth2/access_token", &headers, body).unwrap()
}

fn signed_in(sandbox: &Sandbox) -> Value {
    let code = code(sandbox, "");
    ask(
        sandbox,
        &format!("grant_type=authorization_code&code={code}"),
    )
    .json()
}

fn refresh(sandbox: &Sandbox, token: &Value) -> Answer {
    let token = token["refresh_token"].as_str().unwrap();
    ask(
        sandbox,
        &format!("grant_type=refresh_token&refresh_token={token}"),
    )
}

fn read(sandbox: &Sandbox, token: &Value, path: &str) -> Answer {
    let bearer = format!("Bearer {}", token["access_token"].as_str().unwrap());
    get_as(sandbox, Some(&bearer), path)
}

fn advance(sandbox: &Sandbox, seconds: f64) {
    sandbox.apply(Change::AdvanceClock { seconds }).unwrap();
}

#[test]
fn the_page_asks_and_sends_back() {
    let sandbox = sandbox();
    let page = authorize(&sandbox, "");
    assert_eq!(page.status, 200);
    let text = page.text();
    let link = text.split("id=\"allow\" href=\"").nth(1).unwrap();
    let link = link.split('"').next().unwrap().replace("&amp;", "&");
    let location = get_as(&sandbox, None, &link);
    let location = location.header("location").unwrap();
    assert!(
        location.starts_with(&format!("{CALLBACK}?code=")),
        "{location}"
    );
    assert!(location.ends_with("&state=s%2B1"), "{location}");
    decide(&sandbox, Consent::Deny);
    let answer = authorize(&sandbox, "");
    let denied = format!("{CALLBACK}?error=access%5Fdenied&state=s%2B1");
    assert_eq!(
        (answer.status, answer.header("location")),
        (302, Some(denied.as_str()))
    );
}

#[test]
fn a_redirect_extends_the_callback() {
    let sandbox = allowing();
    for (uri, status) in [
        ("http://localhost:33333", 302),
        ("http://localhost:33333/", 302),
        ("http://localhost:33333/a?b=c", 302),
        ("http://localhost:333331", 400),
        ("http://localhost:33333@other.example", 400),
        ("http://localhost:1", 400),
        ("https://localhost:33333", 400),
    ] {
        let answer = authorize(&sandbox, &format!("&redirect_uri={}", encode(uri)));
        assert_eq!(answer.status, status, "{uri}");
    }
    // The exchange names the same one, or none if none was named.
    let code = code(&sandbox, &format!("&redirect_uri={}", encode(CALLBACK)));
    let answer = ask(
        &sandbox,
        &format!("grant_type=authorization_code&code={code}"),
    );
    assert_eq!(
        (answer.status, &answer.json()["error"]),
        (400, &"invalid_grant".into())
    );
}

#[test]
fn tokens_are_asked_for_by_form_and_basic() {
    let sandbox = allowing();
    let json = r#"{"grant_type": "client_credentials"}"#;
    let secret = "sandbox-consumer-secret-acme";
    let answer = ask_as(&sandbox, secret, "application/json", json);
    let json = answer.json();
    assert_eq!(
        (answer.status, &json["error_description"]),
        (400, &"Unsupported grant type: None".into())
    );
    for grant in ["password", "implicit", "urn:bitbucket:oauth2:jwt"] {
        let answer = ask(&sandbox, &format!("grant_type={grant}"));
        assert_eq!(answer.json()["error"], "unsupported_grant_type", "{grant}");
    }
    let answer = ask_as(&sandbox, "wrong", FORM, "grant_type=client_credentials");
    assert_eq!(
        (answer.status, &answer.json()["error"]),
        (401, &"invalid_client".into())
    );
    let body =
        format!("grant_type=client_credentials&client_id=sandbox-key-acme&client_secret={secret}");
    let headers = [("content-type", FORM)];
    let answer = request(
        &sandbox,
        "POST",
        "/site/oauth2/access_token",
        &headers,
        &body,
    )
    .unwrap();
    assert_eq!(answer.status, 401);
    let log = sandbox.requests();
    assert_eq!(log[0].credential, "acme-consumer");
    assert!(!format!("{log:?}").contains(secret));
}

#[test]
fn a_code_is_for_one_use() {
    let sandbox = allowing();
    let code = code(&sandbox, "");
    let body = format!("grant_type=authorization_code&code={code}");
    let token = ask(&sandbox, &body).json();
    assert_eq!(
        (&token["token_type"], &token["expires_in"]),
        (&"bearer".into(), &7200.into())
    );
    assert!(token["scope"].as_str().unwrap().contains("pullrequest"));
    assert!(token["access_token"].as_str().unwrap().len() > 2500);
    assert_eq!(ask(&sandbox, &body).status, 400);
}

#[test]
fn a_challenge_wants_its_verifier() {
    let sandbox = allowing();
    // RFC 7636, appendix B.
    let challenge =
        "&code_challenge_method=S256&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    for (verifier, status) in [
        (
            "&code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
            200,
        ),
        ("&code_verifier=wrong", 400),
        ("", 400),
    ] {
        let code = code(&sandbox, challenge);
        let body = format!("grant_type=authorization_code&code={code}{verifier}");
        assert_eq!(ask(&sandbox, &body).status, status, "{verifier}");
    }
}

#[test]
fn refresh_tokens_rotate_and_die() {
    let sandbox = allowing();
    let first = signed_in(&sandbox);
    let second = refresh(&sandbox, &first).json();
    assert_ne!(first["refresh_token"], second["refresh_token"]);
    // Ten minutes from the first use, not from the last.
    advance(&sandbox, 5.0 * 60.0);
    assert_eq!(refresh(&sandbox, &first).status, 200);
    advance(&sandbox, 5.0 * 60.0);
    let answer = refresh(&sandbox, &first);
    assert_eq!(
        (answer.status, &answer.json()["error"]),
        (400, &"invalid_grant".into())
    );
    advance(&sandbox, 89.0 * 86_400.0);
    let third = refresh(&sandbox, &second).json();
    advance(&sandbox, 91.0 * 86_400.0);
    assert_eq!(refresh(&sandbox, &third).status, 400);
}

#[test]
fn access_tokens_end_and_are_taken_in_the_header_alone() {
    let sandbox = allowing();
    let token = signed_in(&sandbox);
    assert_eq!(
        read(&sandbox, &token, "/2.0/user").json()["display_name"],
        "User 1"
    );
    let text = token["access_token"].as_str().unwrap();
    let in_query = get_as(&sandbox, None, &format!("/2.0/user?access_token={text}"));
    assert_eq!(in_query.status, 401);
    assert_eq!(
        get_as(&sandbox, Some(&basic("x", text)), "/2.0/user").status,
        401
    );
    assert_eq!(get_as(&sandbox, Some("Bearer "), "/2.0/user").status, 401);
    advance(&sandbox, 7199.0);
    assert_eq!(read(&sandbox, &token, "/2.0/user").status, 200);
    advance(&sandbox, 1.0);
    assert_eq!(read(&sandbox, &token, "/2.0/user").status, 401);
}

#[test]
fn a_consumer_acts_as_an_app_of_its_workspace() {
    let sandbox = sandbox();
    let token = ask(&sandbox, "grant_type=client_credentials").json();
    assert!(token.get("refresh_token").is_none());
    assert_eq!(
        read(&sandbox, &token, "/2.0/user").json()["type"],
        "app_user"
    );
    let rows = |workspace: &str| {
        let answer = read(&sandbox, &token, &format!("/2.0/repositories/{workspace}"));
        answer.column("/slug").len()
    };
    assert_eq!((rows("acme"), rows("globex")), (5, 0));
    assert_eq!(read(&sandbox, &token, "/2.0/user/workspaces").status, 401);
}

#[test]
fn scopes_are_those_of_the_consumer() {
    let mut consumer = Consumer::new("acme");
    consumer.scopes = vec!["issue".to_owned()];
    consumer.consent = Consent::Allow;
    let sandbox = Sandbox::start_blocking(Config {
        consumers: vec![consumer],
        ..Config::default()
    })
    .unwrap();
    let token = signed_in(&sandbox);
    assert_eq!(
        read(&sandbox, &token, "/2.0/repositories/acme/api/issues").status,
        200
    );
    let answer = read(&sandbox, &token, "/2.0/repositories/acme/api/pullrequests");
    assert_eq!(answer.status, 403);
    assert_eq!(
        answer.json()["error"]["detail"]["required"][0],
        "pullrequest"
    );
}

#[test]
fn a_consumers_requests_are_counted_together() {
    let sandbox = Sandbox::start_blocking(Config {
        requests_per_hour: Some(2),
        ..Config::default()
    })
    .unwrap();
    decide(&sandbox, Consent::Allow);
    let user = signed_in(&sandbox);
    let app = ask(&sandbox, "grant_type=client_credentials").json();
    let path = "/2.0/repositories/acme";
    let statuses = [&user, &app, &user].map(|token| read(&sandbox, token, path).status);
    assert_eq!(statuses, [200, 200, 429]);
    let api_token = crate::client::api_token("acme");
    assert_eq!(get_as(&sandbox, Some(&api_token), path).status, 200);
}

#[test]
fn a_revoked_consumer_is_out() {
    let sandbox = allowing();
    let token = signed_in(&sandbox);
    let credential = "acme-consumer".to_owned();
    sandbox
        .apply(Change::RevokeCredential { credential })
        .unwrap();
    assert_eq!(read(&sandbox, &token, "/2.0/user").status, 401);
    assert_eq!(refresh(&sandbox, &token).status, 400);
}
