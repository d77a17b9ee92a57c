//! The signed-in user.

use super::{Answer, Call};
use crate::http::reply::Reply;
use crate::http::sign_in::{Caller, USER};
use crate::json::write::Object;
use crate::world::Holder;
use crate::world::people::Person;

/// `GET /user`
pub(super) fn current(call: &Call<'_>) -> Answer {
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

/// The person behind the caller: `User 1` of the first workspace. There is none without
/// credentials, and none behind an access token.
pub(super) fn person<'a>(
    call: &Call<'a>,
    require: impl FnOnce(&Call<'a>) -> Result<(), Reply>,
) -> Result<(&'a Holder, &'a Person), Reply> {
    let Caller::Known(holder) = call.caller else {
        return Err(Reply::unauthorized());
    };
    require(call)?;
    if call.caller.is_access_token() {
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
