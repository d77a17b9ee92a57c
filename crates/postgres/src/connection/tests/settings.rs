//! What is understood without a server.

use secrecy::ExposeSecret as _;

use super::{Settings, nothing, told, variables};
use crate::connection::settings::ChannelBinding;

/// A setting on one line: who, where, whether each host's traffic is encrypted, what else is said.
fn line(settings: &Settings) -> String {
    let hosts: Vec<String> = settings
        .hosts
        .iter()
        .map(|login| {
            let scheme = if settings.tls.encrypts(&login.host) {
                "tls"
            } else {
                "plain"
            };
            let password = login.password.as_ref().map_or("-", |it| it.expose_secret());
            format!("{scheme} {} {password}", login.host)
        })
        .collect();
    let mut line = format!(
        "{}@{} {}",
        settings.user,
        settings.database,
        hosts.join(" | ")
    );
    if settings.must_take_writes {
        line += " writes";
    }
    if settings.channel_binding == ChannelBinding::Required {
        line += " bound";
    }
    match settings.connect_timeout {
        Some(limit) if limit.as_secs() == 10 => {}
        limit => line += &format!(" {limit:?}"),
    }
    if settings.application != "bucketline" {
        line = line + " as " + &settings.application;
    }
    if let Some(options) = &settings.options {
        line = line + " " + options;
    }
    line
}

#[test]
fn what_is_said_is_heeded() {
    for (text, wanted) in [
        ("postgres://me@db.example", "me@me tls db.example:5432 -"),
        (
            "postgres://me:pw@localhost/copy",
            "me@copy plain localhost:5432 pw",
        ),
        (
            "postgres://me@127.0.0.9:1/copy",
            "me@copy plain 127.0.0.9:1 -",
        ),
        ("postgres://me@[::1]/copy", "me@copy plain [::1]:5432 -"),
        (
            "postgres://me@%2Frun%2Fpg/copy?sslmode=verify-full",
            "me@copy plain /run/pg:5432 -",
        ),
        (
            "postgres://me@db.example/copy?sslmode=disable",
            "me@copy plain db.example:5432 -",
        ),
        (
            "postgres://me@localhost/copy?sslmode=require",
            "me@copy tls localhost:5432 -",
        ),
        (
            "postgres://me@localhost/copy?sslrootcert=ca.pem",
            "me@copy tls localhost:5432 -",
        ),
        (
            "postgres://me@a.example,localhost:1/copy",
            "me@copy tls a.example:5432 - | plain localhost:1 - writes",
        ),
        (
            "host=a,b port=5 user=me target_session_attrs=any",
            "me@me tls a:5 - | tls b:5 -",
        ),
        (
            "user=me target_session_attrs=primary",
            "me@me plain localhost:5432 - writes",
        ),
        (
            "host=a user=me channel_binding=require",
            "me@me tls a:5432 - bound",
        ),
        (
            "user=me connect_timeout=0",
            "me@me plain localhost:5432 - None",
        ),
        (
            "user=me connect_timeout=3 application_name=nightly options='-c a=b'",
            "me@me plain localhost:5432 - Some(3s) as nightly -c a=b",
        ),
    ] {
        let settings = Settings::parse(text, &nothing).unwrap();
        assert_eq!(line(&settings), wanted, "{text}");
    }
}

#[test]
fn properties_are_called_as_people_know_them() {
    for (properties, wanted) in [
        (
            &[
                ("Type", "PostgreSQL"),
                ("Server", "db"),
                ("Port", "1"),
                ("Database", "copy"),
                ("User", "me"),
                ("Password", "pw"),
                ("UseSSL", "False"),
            ][..],
            "me@copy plain db:1 pw",
        ),
        (
            &[
                ("server", "localhost"),
                ("USER", "me"),
                ("SSL Mode", "verify-full"),
            ],
            "me@me tls localhost:5432 -",
        ),
        (
            &[("Server", "localhost"), ("User", "me"), ("UseSSL", "true")],
            "me@me tls localhost:5432 -",
        ),
        (
            &[
                ("URL", "postgres://me@db/copy?connect_timeout=3"),
                ("Password", "pw"),
                ("Port", "2"),
            ],
            "me@copy tls db:2 pw Some(3s)",
        ),
    ] {
        let settings = Settings::of_properties(properties.iter().copied(), &nothing).unwrap();
        assert_eq!(line(&settings), wanted);
    }
}

#[test]
fn variables_give_what_is_not_said() {
    let environment = variables(&[
        ("PGHOST", "db"),
        ("PGPORT", "1"),
        ("PGDATABASE", "copy"),
        ("PGUSER", "me"),
        ("PGPASSWORD", "pw"),
        ("PGSSLMODE", "disable"),
        ("PGCONNECT_TIMEOUT", "3"),
        ("PGAPPNAME", "nightly"),
        ("PGOPTIONS", "-c a=b"),
        ("PGTARGETSESSIONATTRS", "read-write"),
        ("USER", "somebody"),
    ]);
    for (text, wanted) in [
        (
            "",
            "me@copy plain db:1 pw writes Some(3s) as nightly -c a=b",
        ),
        (
            "postgres://you:secret@other:2/x?sslmode=require&connect_timeout=4",
            "you@x tls other:2 secret writes Some(4s) as nightly -c a=b",
        ),
    ] {
        assert_eq!(line(&Settings::parse(text, &environment).unwrap()), wanted);
    }
    // Where the connection says that there is TLS, a variable does not take it away.
    let tls = Settings::of_properties([("UseSSL", "true")], &environment).unwrap();
    assert!(line(&tls).starts_with("me@copy tls db:1"));
    let somebody = variables(&[("USER", "somebody")]);
    let settings = Settings::parse("", &somebody).unwrap();
    assert_eq!(line(&settings), "somebody@somebody plain localhost:5432 -");
}

#[test]
fn what_is_not_possible_is_refused_in_words() {
    for (text, wanted) in [
        (
            "user=me sslmode=prefer",
            "sslmode=prefer may fall back to sending everything in the clear\n\
             hint: sslmode=verify-full, or say that nothing is encrypted: disable",
        ),
        (
            "user=me sslmode=strict",
            "sslmode (or PGSSLMODE) cannot be `strict`\n\
             hint: verify-full, verify-ca, require or disable",
        ),
        (
            "user=me host=db sslmode=verify-ca",
            "sslmode=verify-ca lets in whoever the system trusts\n\
             hint: name the authority with sslrootcert, or use sslmode=verify-full",
        ),
        (
            "user=me usessl=true sslmode=disable",
            "UseSSL says otherwise than SSLMode\nhint: leave one of them out",
        ),
        (
            "user=me sslrootcert=*",
            "any certificate (`*`) would keep nobody out\n\
             hint: name a file with the server's certificate, or its authority's",
        ),
        (
            "user=me sslkey=key.pem",
            "there is a key (sslkey) without its certificate\nhint: give sslcert, too",
        ),
        (
            "user=me host=localhost channel_binding=require",
            "channel_binding=require is for TLS, which localhost:5432 has not\nhint: sslmode=verify-full",
        ),
        (
            "user=me target_session_attrs=standby",
            "target_session_attrs (or PGTARGETSESSIONATTRS) cannot be `standby`\n\
             hint: read-write, primary or any: the server is written to",
        ),
        (
            "user=me host=a,b,c port=1,2",
            "there are 3 hosts and 2 ports\nhint: give one port for all, or one for each host",
        ),
        ("user=me port=70000", "`70000` is not a port: 1 to 65535"),
        (
            "user=me connect_timeout=soon",
            "connect_timeout (or PGCONNECT_TIMEOUT) cannot be `soon`\n\
             hint: whole seconds, or 0 for no limit",
        ),
        (
            "service=copy",
            "a connection to PostgreSQL has no parameter `service`\n\
             hint: service files are not read: give the parameters themselves",
        ),
        (
            "host=db",
            "nothing says as which user to sign in to PostgreSQL\nhint: give User, or set PGUSER",
        ),
    ] {
        let error = Settings::parse(text, &nothing).unwrap_err();
        assert_eq!(told(&error), wanted, "{text}");
    }
    let service = variables(&[("PGSERVICE", "copy"), ("PGUSER", "me")]);
    let error = Settings::parse("", &service).unwrap_err();
    assert_eq!(
        error.to_string(),
        "PGSERVICE is set, and service files are not read"
    );
    assert!(Settings::parse("host=db", &service).is_ok());
}

#[test]
fn a_password_is_never_shown() {
    let settings = Settings::parse("postgres://me:planted@a,b/copy", &nothing).unwrap();
    assert_eq!(settings.label(), "PostgreSQL a:5432,b:5432/copy");
    assert!(!format!("{settings:?}").contains("planted"));
}
