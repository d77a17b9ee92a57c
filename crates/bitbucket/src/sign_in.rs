//! Signing in to Bitbucket Cloud.

use bucketline_rest::{OAuthServer, RetiredCredential, Url};

use crate::settings::BASE_URL;

/// The OAuth server of the API at [`BASE_URL`].
const OAUTH_SERVER: &str = "https://bitbucket.org";

/// App passwords begin with `ATBB`, API tokens with `ATATT`: seen in tokens, not documented by
/// Atlassian where we looked. An app password that begins otherwise gets a 401.
pub(crate) const RETIRED: &[RetiredCredential] = &[RetiredCredential {
    prefix: "ATBB",
    what: "it is an app password, which Bitbucket removed on 2026-07-28 (CHANGE-3222)",
    instead: "create an API token with scopes in the settings of your Atlassian account, and use it \
              with the account's e-mail address",
}];

/// The OAuth server for the API at `api`: the one that is named, else bitbucket.org for
/// Bitbucket's own API, and the API's origin for any other.
pub fn oauth_server(api: &Url, named: Option<&Url>) -> OAuthServer {
    let own = Url::parse(BASE_URL).is_ok_and(|own| own.origin() == api.origin());
    let bitbucket = Url::parse(OAUTH_SERVER).ok().filter(|_| own);
    let server = named.or(bitbucket.as_ref()).unwrap_or(api);
    let address = |path| {
        let mut url = server.clone();
        url.set_path(path);
        url.set_query(None);
        url.set_fragment(None);
        url
    };
    OAuthServer {
        authorize: address("/site/oauth2/authorize"),
        token: address("/site/oauth2/access_token"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use bucketline_rest::{Client, Credential};

    use super::*;
    use crate::Settings;

    #[test]
    fn the_oauth_server_goes_with_the_api() {
        for (api, named, server) in [
            (BASE_URL, None, "https://bitbucket.org"),
            ("http://127.0.0.1:80/2.0", None, "http://127.0.0.1"),
            ("http://127.0.0.1:7990/2.0", None, "http://127.0.0.1:7990"),
            (
                BASE_URL,
                Some("https://sso.example/x?y"),
                "https://sso.example",
            ),
        ] {
            let named = named.map(|named| Url::parse(named).unwrap());
            let found = oauth_server(&Url::parse(api).unwrap(), named.as_ref());
            let expected = format!("{server}/site/oauth2/");
            assert_eq!(found.authorize.as_str(), expected.clone() + "authorize");
            assert_eq!(found.token.as_str(), expected + "access_token");
        }
    }

    #[test]
    fn the_end_of_app_passwords_is_explained_before_anything_is_sent() {
        let base = || Url::parse("http://127.0.0.1:1/2.0").unwrap();
        let password = |password: &str| Credential::Basic {
            user: "user17".to_owned(),
            password: password.into(),
        };
        for credential in [
            password("ATBBplanted"),
            Credential::Bearer("ATBBplanted".into()),
        ] {
            let error = Client::new(Settings::new(base(), credential).client).unwrap_err();
            assert_eq!(error.code(), "BL3006");
            let text = format!("{error} {error:?}");
            assert!(
                text.contains("2026-07-28 (CHANGE-3222)") && !text.contains("planted"),
                "{text}"
            );
            assert!(error.hint().unwrap().contains("API token"));
        }
        let token = Settings::new(base(), password("ATATTplanted"));
        Client::new(token.client).unwrap();
    }
}
