//! What the two addresses answer.

use axum::http::Method;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::json;

use super::consumer::{Consent, Consumer};
use super::ledger::{Challenge, Code, EXPIRES_IN, Given, Registered};
use crate::http::reply::Reply;
use crate::http::request::Request;
use crate::world::World;

/// Whether a request is for one of these pages.
pub(crate) fn serves(request: &Request) -> bool {
    request.path.starts_with("/site/oauth2/")
}

/// The answer, and the name of the consumer if it is known.
pub(crate) fn answer(world: &mut World, request: &Request) -> (Reply, Option<String>) {
    match (request.path.as_str(), &request.method) {
        ("/site/oauth2/authorize", &Method::GET) => authorize(world, request),
        ("/site/oauth2/access_token", &Method::POST) => access_token(world, request),
        ("/site/oauth2/authorize" | "/site/oauth2/access_token", _) => {
            (Reply::html(405, "Method not allowed"), None)
        }
        _ => (Reply::html(404, "Resource not found"), None),
    }
}

fn authorize(world: &mut World, request: &Request) -> (Reply, Option<String>) {
    let key = request.parameter("client_id");
    let mut consumers = world.oauth.consumers.iter();
    let Some(place) = consumers.position(|known| Some(known.consumer.key.as_str()) == key) else {
        return (Reply::html(400, "Invalid client_id"), None);
    };
    let consumer = world.oauth.consumers[place].consumer.clone();
    let redirect_uri = request.parameter("redirect_uri");
    if !redirect_uri.is_none_or(|uri| extends(uri, &consumer.callback)) {
        let page = Reply::html(400, "Invalid redirect_uri");
        return (page, Some(consumer.name));
    }
    let back = redirect_uri.unwrap_or(&consumer.callback);
    let state = request.parameter("state");
    if request.parameter("response_type") != Some("code") {
        let reply = send_back(back, ("error", "unsupported_response_type"), state);
        return (reply, Some(consumer.name));
    }
    let consent = match request.parameter("decision") {
        Some("allow") => Consent::Allow,
        Some("deny") => Consent::Deny,
        _ => consumer.consent,
    };
    let reply = match consent {
        Consent::Ask => page(&consumer, request),
        Consent::Deny => send_back(back, ("error", "access_denied"), state),
        Consent::Allow => {
            let challenge = request.parameter("code_challenge").map(|value| Challenge {
                value: value.to_owned(),
                hashed: request.parameter("code_challenge_method") == Some("S256"),
            });
            let code = Code {
                consumer: place,
                redirect_uri: redirect_uri.map(str::to_owned),
                challenge,
                given: world.now(),
            };
            let number = world.invent();
            let code = world.oauth.add_code(code, number);
            send_back(back, ("code", &code), state)
        }
    };
    (reply, Some(consumer.name))
}

/// Whether an address is the callback or goes on from it.
fn extends(uri: &str, callback: &str) -> bool {
    uri.strip_prefix(callback).is_some_and(|rest| {
        rest.is_empty() || callback.ends_with('/') || rest.starts_with(['/', '?'])
    })
}

fn send_back(uri: &str, (name, value): (&str, &str), state: Option<&str>) -> Reply {
    let encode = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
    let sign = if uri.contains('?') { '&' } else { '?' };
    let mut location = format!("{uri}{sign}{name}={}", encode(value));
    if let Some(state) = state {
        location.push_str(&format!("&state={}", encode(state)));
    }
    Reply::text(302, "").with("location", location)
}

fn page(consumer: &Consumer, request: &Request) -> Reply {
    let target = request.target.replace('&', "&amp;").replace('"', "&quot;");
    let Consumer { name, scopes, .. } = consumer;
    let scopes = scopes.join(", ");
    let mut page = Reply::html(200, "Confirm access to your account");
    page.body = page.body.replace(
        "</body>",
        &format!(
            "<p>{name} asks for: {scopes}</p>\n\
             <p><a id=\"allow\" href=\"{target}&amp;decision=allow\">Grant access</a>\n\
             <a id=\"deny\" href=\"{target}&amp;decision=deny\">Cancel</a></p></body>"
        ),
    );
    page
}

fn access_token(world: &mut World, request: &Request) -> (Reply, Option<String>) {
    let Some(place) = authenticated(world, request) else {
        let refused = refuse(401, "invalid_client", "Invalid OAuth client credentials")
            .with("www-authenticate", "Basic realm=\"Bitbucket.org HTTP\"");
        return (refused, None);
    };
    let Registered {
        consumer,
        user,
        app,
    } = &world.oauth.consumers[place];
    let (name, scopes) = (consumer.name.clone(), consumer.scopes.join(" "));
    let (user, app) = (*user, *app);
    let allowed = |holder: usize| !world.credentials[holder].revoked;
    let (user_allowed, app_allowed) = (allowed(user), allowed(app));
    let now = world.now();
    let grant = request.field("grant_type");
    let good = match grant {
        Some("authorization_code") => {
            let code = request.field("code").unwrap_or_default();
            let (redirect_uri, verifier) = (
                request.field("redirect_uri"),
                request.field("code_verifier"),
            );
            let ledger = &mut world.oauth;
            ledger.take_code(code, place, redirect_uri, verifier, now) && user_allowed
        }
        Some("refresh_token") => {
            let token = request.field("refresh_token").unwrap_or_default();
            world.oauth.use_refresh_token(token, place, now) && user_allowed
        }
        Some("client_credentials") => app_allowed,
        other => {
            let said = format!("Unsupported grant type: {}", other.unwrap_or("None"));
            return (refuse(400, "unsupported_grant_type", &said), Some(name));
        }
    };
    let spent = (grant == Some("refresh_token")).then(|| {
        request
            .field("refresh_token")
            .unwrap_or_default()
            .to_owned()
    });
    if !good {
        if let Some(spent) = spent {
            world.oauth.note_renewal(spent, None);
        }
        let said = match grant {
            Some("refresh_token") => "Invalid refresh_token",
            _ => "The specified code is not valid.",
        };
        return (refuse(400, "invalid_grant", said), Some(name));
    }
    let number = world.invent();
    let as_user = grant != Some("client_credentials");
    let Given {
        access_token,
        refresh_token,
    } = world.oauth.give(place, as_user, number, now);
    if let Some(spent) = spent {
        world.oauth.note_renewal(spent, refresh_token.clone());
    }
    let mut body = json!({
        "access_token": access_token,
        "scope": scopes,
        "expires_in": EXPIRES_IN,
        "token_type": "bearer",
    });
    if let Some(refresh_token) = refresh_token {
        body["refresh_token"] = refresh_token.into();
    }
    let reply = Reply::json(body.to_string()).with("cache-control", "no-store");
    (reply, Some(name))
}

/// The consumer whose key and secret came as HTTP Basic, each form-encoded (RFC 6749, section
/// 2.3.1). In the body, or as a query, they are not taken.
fn authenticated(world: &World, request: &Request) -> Option<usize> {
    let encoded = request.authorization.as_deref()?.strip_prefix("Basic ")?;
    let pair = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let (key, secret) = pair.split_once(':')?;
    let decode = |text| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let (key, secret) = (decode(key), decode(secret));
    let mut consumers = world.oauth.consumers.iter();
    consumers.position(|known| known.consumer.key == key && known.consumer.secret == secret)
}

fn refuse(status: u16, error: &str, description: &str) -> Reply {
    let body = json!({"error": error, "error_description": description}).to_string();
    Reply {
        status,
        ..Reply::json(body)
    }
}
