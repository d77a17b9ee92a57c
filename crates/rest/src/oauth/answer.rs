//! What an OAuth server answers, whatever else is in it.
//!
//! An answer to a refresh token takes the place of that token: what it issues is kept even where
//! another member of it, or its end, makes no sense.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use bucketline_core::json::readable;
use oauth2::basic::BasicTokenType;
use oauth2::{AccessToken, RefreshToken, Scope, TokenResponse};
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

/// The members of a token answer (RFC 6749, section 5.1), as far as they make sense.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Answer {
    access_token: AccessToken,
    refresh_token: Option<RefreshToken>,
    token_type: BasicTokenType,
    expires_in: Option<u64>,
    scopes: Option<Vec<Scope>>,
}

impl TokenResponse for Answer {
    type TokenType = BasicTokenType;

    fn access_token(&self) -> &AccessToken {
        &self.access_token
    }

    fn token_type(&self) -> &BasicTokenType {
        &self.token_type
    }

    fn expires_in(&self) -> Option<Duration> {
        self.expires_in.map(Duration::from_secs)
    }

    fn refresh_token(&self) -> Option<&RefreshToken> {
        self.refresh_token.as_ref()
    }

    fn scopes(&self) -> Option<&Vec<Scope>> {
        self.scopes.as_ref()
    }
}

/// A refusal (RFC 6749, section 5.2), as far as it makes sense.
#[derive(Debug, Serialize)]
pub(super) struct Refusal {
    error: String,
    error_description: Option<String>,
}

impl Answer {
    /// From a body; `None` if it issues nothing.
    pub(super) fn read(body: &[u8]) -> Option<Answer> {
        let members = Members::of(body);
        let (access_token, refresh_token) = (members.access_token, members.refresh_token);
        if access_token.is_none() && refresh_token.is_none() {
            return None;
        }
        let token_type = members.token_type.unwrap_or_else(|| "bearer".to_owned());
        Some(Answer {
            access_token: AccessToken::new(access_token.unwrap_or_default()),
            refresh_token: refresh_token.map(RefreshToken::new),
            token_type: match token_type.to_ascii_lowercase().as_str() {
                "bearer" => BasicTokenType::Bearer,
                _ => BasicTokenType::Extension(token_type),
            },
            expires_in: members.expires_in,
            scopes: members.scope.or(members.scopes),
        })
    }
}

impl Refusal {
    /// From a body; `None` if it names no error.
    pub(super) fn read(body: &[u8]) -> Option<Refusal> {
        let members = Members::of(body);
        Some(Refusal {
            error: members.error?,
            error_description: members.error_description,
        })
    }
}

#[derive(Default)]
struct Members {
    access_token: Option<String>,
    refresh_token: Option<String>,
    token_type: Option<String>,
    /// In seconds.
    expires_in: Option<u64>,
    scope: Option<Vec<Scope>>,
    /// Bitbucket's name of `scope` until May 2026.
    scopes: Option<Vec<Scope>>,
    error: Option<String>,
    error_description: Option<String>,
}

impl Members {
    /// The members up to where the body is no JSON any more, and the tokens behind that.
    fn of(body: &[u8]) -> Members {
        let mut members = Members::default();
        let text = readable(body).text;
        let start = text.find('{').unwrap_or(text.len());
        let mut json = serde_json::Deserializer::from_str(&text[start..]);
        if Reader(&mut members).deserialize(&mut json).is_err() {
            let Members {
                access_token,
                refresh_token,
                ..
            } = &mut members;
            *access_token = access_token.take().or_else(|| plain(&text, "access_token"));
            *refresh_token = refresh_token
                .take()
                .or_else(|| plain(&text, "refresh_token"));
        }
        members
    }

    fn take(&mut self, name: &str, value: &Value) {
        match name {
            "access_token" => replace(&mut self.access_token, token(value)),
            "refresh_token" => replace(&mut self.refresh_token, token(value)),
            "token_type" => replace(&mut self.token_type, text(value)),
            "expires_in" => replace(&mut self.expires_in, seconds(value)),
            "scope" => replace(&mut self.scope, words(value)),
            "scopes" => replace(&mut self.scopes, words(value)),
            "error" => replace(&mut self.error, text(value)),
            "error_description" => replace(&mut self.error_description, text(value)),
            _ => {}
        }
    }
}

/// Of a member that comes twice the last counts that makes sense.
fn replace<T>(member: &mut Option<T>, value: Option<T>) {
    if value.is_some() {
        *member = value;
    }
}

struct Reader<'a>(&'a mut Members);

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        const KNOWN: [&str; 8] = [
            "access_token",
            "refresh_token",
            "token_type",
            "expires_in",
            "scope",
            "scopes",
            "error",
            "error_description",
        ];
        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
            if !KNOWN.contains(&&*name) {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let value = map.next_value::<&RawValue>()?;
            if let Ok(value) = serde_json::from_str(value.get()) {
                self.0.take(&name, &value);
            }
        }
        Ok(())
    }
}

/// The text of a member in what is not JSON, if it has no escapes.
fn plain(text: &str, member: &str) -> Option<String> {
    let (_, rest) = text.split_once(&format!("\"{member}\""))?;
    let rest = rest.trim_start().strip_prefix(':')?.trim_start();
    let (found, _) = rest.strip_prefix('"')?.split_once('"')?;
    let is_plain = |byte: u8| byte.is_ascii_graphic() && byte != b'\\';
    (!found.is_empty() && found.bytes().all(is_plain)).then(|| found.to_owned())
}

/// A token of which every character came.
fn token(value: &Value) -> Option<String> {
    text(value).filter(|token| !token.contains(char::REPLACEMENT_CHARACTER))
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A number of seconds above 0; also as a text, and with a fraction.
fn seconds(value: &Value) -> Option<u64> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    // As whole seconds; what is beyond any number is the largest.
    number
        .filter(|number| *number >= 1.0)
        .map(|number| number as u64)
}

/// Words with blanks or commas between, or a list of them.
fn words(value: &Value) -> Option<Vec<Scope>> {
    let split = |text: &str| -> Vec<Scope> {
        text.split([' ', ',', '\n', '\t'])
            .filter(|word| !word.is_empty())
            .map(|word| Scope::new(word.to_owned()))
            .collect()
    };
    match value {
        Value::String(text) => Some(split(text)),
        Value::Array(items) => {
            let texts = items.iter().filter_map(Value::as_str);
            Some(texts.flat_map(split).collect())
        }
        _ => None,
    }
}
