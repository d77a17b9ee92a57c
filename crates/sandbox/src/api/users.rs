//! The signed-in user.

use super::{Answer, Call};
use crate::config::CredentialKind;
use crate::http::reply::Reply;
use crate::http::sign_in::{Caller, USER};
use crate::json::write::Object;
use crate::world::Holder;
use crate::world::people::Person;
use crate::world::random::uuid;

/// `GET /user`
pub(super) fn current(call: &Call<'_>) -> Answer {
    if let Caller::Known(holder) = call.caller
        && let CredentialKind::ConsumerApp { consumer } = &holder.credential.kind
    {
        return app(call, holder, consumer);
    }
    let (_, person) = person(call, |call| call.require(USER))?;
    let created_on = call
        .world
        .workspaces
        .first()
        .map(|workspace| workspace.created_on);
    let mut json = String::new();
    let mut object = Object::begin(&mut json);
    object.text("display_name", person.display_name.as_str());
    person.links(&mut object, &call.world.base);
    object
        .time("created_on", created_on)
        .text("type", "user")
        .text("uuid", person.uuid.as_str())
        .null("has_2fa_enabled")
        .boolean("is_staff", false)
        .text("account_id", person.account_id.as_str())
        .text("nickname", person.nickname.as_str())
        .text("account_status", "active");
    object.end();
    call.object(json)
}

/// A consumer that signed in by itself.
fn app(call: &Call<'_>, holder: &Holder, key: &str) -> Answer {
    call.require(USER)?;
    let seed: Vec<u64> = key.bytes().map(u64::from).collect();
    let mut json = String::new();
    let mut object = Object::begin(&mut json);
    object
        .text("display_name", holder.credential.name.as_str())
        .text("type", "app_user")
        .text("uuid", uuid(&seed).as_str())
        .text("account_id", key)
        .text("account_status", "active");
    object.end();
    call.object(json)
}

/// The person behind the caller: `User 1` of the first workspace. There is none without
/// credentials, and none behind an access token or a consumer that signed in by itself.
pub(super) fn person<'a>(
    call: &Call<'a>,
    require: impl FnOnce(&Call<'a>) -> Result<(), Reply>,
) -> Result<(&'a Holder, &'a Person), Reply> {
    let Caller::Known(holder) = call.caller else {
        return Err(Reply::unauthorized());
    };
    require(call)?;
    let app = matches!(holder.credential.kind, CredentialKind::ConsumerApp { .. });
    if call.caller.is_access_token() || app {
        return Err(Reply::unauthorized());
    }
    let first = holder.workspaces.first().copied().unwrap_or_default();
    let person = call
        .world
        .workspaces
        .get(first)
        .and_then(|workspace| workspace.people.first());
    person
        .map(|person| (holder, person))
        .ok_or_else(Reply::unauthorized)
}
