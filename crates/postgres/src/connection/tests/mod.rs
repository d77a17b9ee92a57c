//! Connecting, against private servers.
#![allow(clippy::unwrap_used)]

mod certificates;
mod methods;
mod settings;
mod sign_in;
mod tls;

use bucketline_destination::Result;

use super::pool::Client;
use super::{Pool, Recovery, Settings};

/// An environment without variables.
fn nothing(_: &str) -> Option<String> {
    None
}

/// An environment of a few variables.
fn variables<'a>(pairs: &'a [(&str, &str)]) -> impl Fn(&str) -> Option<String> + 'a {
    |wanted| {
        let found = pairs.iter().find(|(name, _)| *name == wanted);
        found.map(|(_, value)| (*value).to_owned())
    }
}

/// A connection to what a text says.
async fn connect(text: &str) -> Result<Client> {
    Pool::new(&Settings::parse(text, &nothing)?).get().await
}

/// The first value of the first row.
async fn one(client: &Client, sql: &str) -> String {
    client.query_one(sql, &[]).await.unwrap().get(0)
}

/// The error with its hint, as people read it.
async fn refusal(text: &str) -> String {
    told(&connect(text).await.unwrap_err())
}

fn told(error: &bucketline_destination::Error) -> String {
    match error.hint() {
        Some(hint) => format!("{error}\nhint: {hint}"),
        None => error.to_string(),
    }
}
