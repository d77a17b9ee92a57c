//! What is wrong with properties is told, without a secret.

use bucketline_sql::is_sensitive;

use super::{ConnectionProperties, Holds, KINDS, Surroundings, connection_properties};

const ALONE: Surroundings<'_> = Surroundings {
    name: "test",
    state_dir: None,
    budgets: None,
    claimant: None,
    opener: None,
};

/// What a connection of these properties is refused with.
fn refused(text: &str) -> String {
    let properties = ConnectionProperties::parse("test", text).unwrap();
    let connected = properties
        .connect(&ALONE)
        .and_then(|connection| connection.account.unwrap().oauth());
    let error = connected.unwrap_err();
    format!("{} {error} {:?}", error.code(), error.hint())
}

#[test]
fn every_secret_is_masked_in_scripts_and_nothing_else_is() {
    for kind in KINDS {
        for property in kind.properties {
            for name in property.names {
                assert_eq!(
                    is_sensitive(name),
                    property.holds == Holds::Secret,
                    "{name}"
                );
            }
        }
    }
}

#[test]
fn the_guide_knows_every_property() {
    let plain = |text: &str| text.replace('_', "").to_lowercase();
    let guide = plain(include_str!("../../../../docs/guide.md"));
    let destinations = plain(include_str!("../../../../docs/destinations.md"));
    for (kind, name, _) in connection_properties() {
        let told = plain(&format!("`{name}`"));
        let page = if kind == "PostgreSQL" {
            &destinations
        } else {
            &guide
        };
        assert!(page.contains(&told), "{kind}: {name}");
    }
}

#[test]
fn a_secret_is_looked_for_at_the_first_use() {
    let text = "Workspace=acme;Token=env:BUCKETLINE_TEST_UNSET";
    let properties = ConnectionProperties::parse("test", text).unwrap();
    properties.connect(&ALONE).unwrap();
    assert!(refused(text).starts_with("BL8003 test: Token: the environment variable"));
}

#[test]
fn what_is_wrong_with_properties_is_told_without_a_secret() {
    for (text, told) in [
        ("Type=Jira", "BL8002 test: there is no Type = Jira"),
        ("Type=Archive", "BL8002 test: archives need Path"),
        ("Type=Archive;Path=;;", "BL8002 test: archives need Path"),
        ("Type=Archive;Path=\"; ;\"", "BL9001 test: "),
        (
            "TableFiles=nowhere.toml",
            "BL8002 test: TableFiles: nowhere.toml cannot be read",
        ),
        ("BaseURL=nowhere", "BL8002 test: BaseURL = nowhere"),
        ("Timeout=soon", "BL8002 test: Timeout = soon"),
        ("SSLServerCert=*", "BL8002 test: SSLServerCert = *"),
        (
            "ProxyServer=ftp://a",
            "BL8002 test: ProxyServer names no kind of proxy: `ftp`",
        ),
        ("ProxyServer=a;ProxyPort=x", "BL8002 test: ProxyPort = x"),
        (
            "ProxyAutoDetect=maybe",
            "BL8002 test: ProxyAutoDetect = maybe",
        ),
        ("AuthScheme=Kerberos", "BL8002 test: AuthScheme = Kerberos"),
        ("AuthScheme=OAuth", "BL8002 test: OAuth needs OAuthClientId"),
        (
            "OAuthClientId=k",
            "BL8002 test: OAuth needs OAuthClientSecret",
        ),
        (
            "OAuthClientId=k;OAuthClientSecret=planted;InitiateOAuth=maybe",
            "BL8002 test: InitiateOAuth = maybe",
        ),
        (
            "OAuthClientId=k;OAuthClientSecret=planted;OAuthServer=here",
            "BL8002 test: OAuthServer = here",
        ),
        (
            "OAuthClientId=k;OAuthClientSecret=planted;OAuthRefreshToken=planted;InitiateOAuth=OFF",
            "BL8002 test: InitiateOAuth = OFF needs OAuthAccessToken",
        ),
        (
            "OAuthClientId=k;OAuthClientSecret=planted;OAuthAccessToken=planted;OAuthTokenTimestamp=now",
            "BL8002 test: OAuthTokenTimestamp = now",
        ),
        (
            "OAuthClientId=k;OAuthClientSecret=planted;OAuthKeyring=true",
            "BL8002 test: this build has no keyring",
        ),
        (
            "OAuthClientId=k;OAuthClientSecret=planted;CallbackURL=here",
            "BL3005",
        ),
    ] {
        let refused = refused(text);
        assert!(refused.starts_with(told), "{text}: {refused}");
        assert!(!refused.contains("planted"), "{refused}");
    }
}

#[test]
fn properties_of_the_dialect_say_why_they_change_nothing() {
    let text =
        "Readonly=True;MaxRows=5;ProxyAuthScheme=BASIC;Workspce=acme;Frobnicate=1;Schema=api";
    let properties = ConnectionProperties::parse("test", text).unwrap();
    properties.connect(&ALONE).unwrap();
    assert_eq!(
        properties.without_effect(),
        [
            "test: the property MaxRows changes nothing here: LIMIT bounds a query",
            "test: the property ProxyAuthScheme changes nothing here: a proxy gets ProxyUser and ProxyPassword by Basic",
            "test: the property Workspce is not known; did you mean Workspace?",
            "test: the property Frobnicate is not known and changes nothing",
        ]
    );
}

#[test]
fn secrets_of_oauth_are_secrets() {
    for name in [
        "OAuthClientSecret",
        "OAuth Access Token",
        "OAuthRefreshToken",
        "OAuthVerifier",
    ] {
        let properties = ConnectionProperties::new("test", [(name, "planted")]);
        assert!(properties.has_literal_secret(), "{name}");
        assert!(!format!("{properties:?}").contains("planted"), "{name}");
        let properties = ConnectionProperties::new("test", [(name, "env:A")]);
        assert!(!properties.has_literal_secret(), "{name}");
    }
    let properties = ConnectionProperties::new("test", [("OAuthTokenTimestamp", "1")]);
    assert!(!properties.has_literal_secret());
}
