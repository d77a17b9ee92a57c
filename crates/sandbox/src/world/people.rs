//! Accounts.

use super::random::{Random, uuid};
use crate::json::write::Object;

/// What an account is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Account {
    User,
    App,
    Team,
}

impl Account {
    /// Every tenth is an app, every tenth a team.
    pub(crate) fn of(number: u64) -> Self {
        match number % 10 {
            9 => Self::App,
            0 => Self::Team,
            _ => Self::User,
        }
    }
}

/// Somebody who reports, reviews and pushes.
#[derive(Debug)]
pub(crate) struct Person {
    account: Account,
    pub(crate) uuid: String,
    pub(crate) account_id: String,
    pub(crate) display_name: String,
    pub(crate) nickname: String,
    /// The condensed object embedded in others; `null` once the account is deleted.
    pub(crate) json: String,
}

impl Person {
    /// The `number`th person of a seed, named `User <number>`.
    pub(crate) fn new(seed: u64, number: u64, account: Account, base: &str) -> Self {
        let mut random = Random::new(&[seed, number, 1]);
        let uuid = uuid(&[seed, number, 2]);
        let mut person = Self {
            account,
            account_id: format!("712020:{:016x}", random.next()),
            display_name: format!("User {number}"),
            nickname: format!("user{number}"),
            json: String::new(),
            uuid,
        };
        let mut json = String::new();
        let mut object = Object::begin(&mut json);
        object.text("display_name", person.display_name.as_str());
        // Apps and teams lack what only users have.
        match account {
            Account::App => {
                let picture = &person.uuid[1..9];
                object.object("links", |links| {
                    links.link("avatar", &["https://secure.gravatar.com/avatar/", picture]);
                });
                object
                    .text("type", "app_user")
                    .text("uuid", person.uuid.as_str())
                    .text("account_id", person.account_id.as_str())
                    .text("kind", "repository_access_token")
                    .text("account_status", "active");
            }
            Account::Team => {
                person.links(&mut object, base);
                object
                    .text("type", "team")
                    .text("uuid", person.uuid.as_str())
                    .text("username", person.nickname.as_str());
            }
            Account::User => {
                person.links(&mut object, base);
                object
                    .text("type", "user")
                    .text("uuid", person.uuid.as_str())
                    .text("account_id", person.account_id.as_str())
                    .text("nickname", person.nickname.as_str())
                    .text("account_status", "active")
                    .boolean("ai_agent", false);
            }
        }
        object.end();
        person.json = json;
        person
    }

    pub(crate) fn links(&self, object: &mut Object<'_>, base: &str) {
        let id = encoded(&self.uuid);
        object.object("links", |links| {
            links
                .link("self", &[base, "/users/", &id])
                .link(
                    "avatar",
                    &["https://secure.gravatar.com/avatar/", &self.uuid[1..9]],
                )
                .link("html", &["https://bitbucket.org/", &id, "/"]);
        });
    }

    /// The account is deleted: objects show `null` in its place, or nothing.
    pub(crate) fn delete(&mut self) {
        self.json = "null".to_owned();
    }

    /// Only users are members, review, watch and have permissions.
    pub(crate) fn is_user(&self) -> bool {
        self.account == Account::User
    }

    pub(crate) fn is_deleted(&self) -> bool {
        self.json == "null"
    }
}

/// A UUID with its braces percent-encoded.
pub(crate) fn encoded(uuid: &str) -> String {
    format!("%7B{}%7D", uuid.trim_matches(['{', '}']))
}
