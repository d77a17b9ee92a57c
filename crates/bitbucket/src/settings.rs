//! What a connection to Bitbucket Cloud is made from.

use bucketline_rest::{ClientConfig, Credential, CredentialKind, Url};

use crate::problem::read_problem;
use crate::sign_in::RETIRED;

/// The API's address.
pub const BASE_URL: &str = "https://api.bitbucket.org/2.0";

/// Requests an hour that Bitbucket grants to a user, an access token or a consumer.
const REQUESTS_PER_HOUR: u32 = 1_000;
/// Requests an hour that it grants to an address without credentials.
const ANONYMOUS_REQUESTS_PER_HOUR: u32 = 60;
/// Requests of that hour left to the user's other tools.
const RESERVE: u32 = 50;
/// The same without credentials.
const ANONYMOUS_RESERVE: u32 = 5;

/// How a [`Bitbucket`](crate::Bitbucket) signs in and what it reads.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Address, credential, budget, concurrency and time limits.
    pub client: ClientConfig,
    /// The workspace's slug, or its UUID in braces. Without one only `Workspaces` can be read.
    pub workspace: Option<String>,
    /// Rows a page, when a user wants fewer than the tables' maxima.
    pub page_size: Option<usize>,
    /// Give out comments that are deleted and still listed.
    pub include_deleted: bool,
}

impl Settings {
    /// Settings with Bitbucket's limits: 1,000 requests an hour less a margin of 50, and without
    /// credentials 60 less 5.
    pub fn new(base_url: Url, credential: Credential) -> Self {
        let agent = concat!("bucketline/", env!("CARGO_PKG_VERSION"));
        let (limit, reserve) = match credential.kind() {
            CredentialKind::Anonymous => (ANONYMOUS_REQUESTS_PER_HOUR, ANONYMOUS_RESERVE),
            CredentialKind::Basic | CredentialKind::Bearer | CredentialKind::OAuth => {
                (REQUESTS_PER_HOUR, RESERVE)
            }
        };
        let mut client = ClientConfig::new(base_url, credential, agent, read_problem);
        client.requests_per_hour = Some(limit);
        client.limit_may_rise = true;
        client.reserve = reserve;
        client.retired = RETIRED;
        Self {
            client,
            workspace: None,
            page_size: None,
            include_deleted: false,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// 1,000 an hour for a credential and 60 without, less a margin, by few workers.
    #[test]
    fn the_budget_is_what_bitbucket_grants_less_a_margin() {
        let basic = Credential::Basic {
            user: "user1@acme.example".to_owned(),
            password: "token".into(),
        };
        for (credential, limit, reserve) in [
            (basic, 1_000, 50),
            (Credential::Bearer("token".into()), 1_000, 50),
            (Credential::Anonymous, 60, 5),
        ] {
            let settings = Settings::new(Url::parse(BASE_URL).unwrap(), credential);
            let client = settings.client;
            assert_eq!(
                (client.requests_per_hour, client.reserve),
                (Some(limit), reserve)
            );
            assert!(client.limit_may_rise);
            assert_eq!(client.concurrency, 4);
        }
    }
}
