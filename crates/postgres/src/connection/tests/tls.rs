//! TLS, with servers whose certificates are right and wrong.

use bucketline_private_postgres::{Options, Server};

use super::certificates::{Authority, Files, self_signed};
use super::{Recovery, connect, one, refusal};

const TLS_ALONE: &str = "hostssl all all 127.0.0.1/32 scram-sha-256";

/// A server with a certificate that lets nobody in without TLS.
fn server(files: &Files) -> Option<Server> {
    Options::default()
        .tls(&files.certificate, &files.key)
        .access(TLS_ALONE)
        .for_test()
}

/// The server's address by a name, with parameters.
fn url(server: &Server, host: &str, parameters: &str) -> String {
    let (user, password, port) = (server.user(), server.password(), server.port());
    format!("postgres://{user}:{password}@{host}:{port}/postgres?{parameters}")
}

const ENCRYPTED: &str = "SELECT version FROM pg_stat_ssl WHERE ssl AND pid = pg_backend_pid()";

#[tokio::test]
async fn a_server_is_verified_by_its_authority() {
    let authority = Authority::new();
    let Some(server) = server(&authority.sign("localhost")) else {
        return;
    };
    let roots = format!("sslrootcert={}", authority.certificate().display());
    for parameters in [
        roots.clone(),
        roots.clone() + "&sslmode=require",
        roots.clone() + "&sslmode=verify-ca",
        roots.clone() + "&sslmode=verify-full",
        // What the server proves about the password holds for this TLS session alone.
        roots.clone() + "&sslmode=verify-full&channel_binding=require",
    ] {
        let client = connect(&url(&server, "localhost", &parameters))
            .await
            .unwrap();
        assert_eq!(one(&client, ENCRYPTED).await, "TLSv1.3", "{parameters}");
    }
    // The certificate has no such name, which only one mode does not mind.
    let by_address = |mode: &str| url(&server, "127.0.0.1", &format!("{roots}&sslmode={mode}"));
    drop(connect(&by_address("verify-ca")).await.unwrap());
    for mode in ["require", "verify-full"] {
        let told = refusal(&by_address(mode)).await;
        assert!(
            told.contains("the server's certificate is for another name\nhint: use a host name"),
            "{told}"
        );
    }
}

#[tokio::test]
async fn a_server_of_an_unknown_authority_is_refused() {
    let (authority, other) = (Authority::new(), Authority::new());
    let Some(server) = server(&authority.sign("localhost")) else {
        return;
    };
    let others = format!("sslrootcert={}&sslmode=", other.certificate().display());
    for parameters in [
        others.clone() + "verify-full",
        others.clone() + "verify-ca",
        others + "require",
        "sslmode=verify-full&sslrootcert=system".to_owned(),
        "sslmode=require".to_owned(),
    ] {
        let error = connect(&url(&server, "localhost", &parameters))
            .await
            .unwrap_err();
        assert_eq!(Recovery::of(&error), Recovery::None);
        assert!(
            error
                .to_string()
                .ends_with("nobody known signed the server's certificate"),
            "{error}"
        );
        assert!(error.hint().unwrap().ends_with("sslrootcert=FILE"));
        assert!(!format!("{error:?}").contains(server.password()));
    }
    let plain = refusal(&url(&server, "127.0.0.1", "sslmode=disable")).await;
    assert!(plain.contains("no encryption (28000)"), "{plain}");
}

#[tokio::test]
async fn an_expired_certificate_is_refused() {
    let authority = Authority::new();
    let Some(server) = server(&authority.sign_expired("localhost")) else {
        return;
    };
    for mode in ["verify-ca", "verify-full"] {
        let roots = authority.certificate();
        let parameters = format!("sslmode={mode}&sslrootcert={}", roots.display());
        let told = refusal(&url(&server, "localhost", &parameters)).await;
        assert!(
            told.ends_with("the server's certificate has expired\nhint: have it renewed"),
            "{told}"
        );
    }
}

#[tokio::test]
async fn a_certificate_that_signed_itself_is_trusted_by_name_of_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let files = self_signed(folder.path(), "localhost");
    let Some(server) = server(&files) else {
        return;
    };
    let own = format!("sslrootcert={}", files.certificate.display());
    let client = connect(&url(&server, "localhost", &own)).await.unwrap();
    assert_eq!(one(&client, ENCRYPTED).await, "TLSv1.3");
    let told = refusal(&url(&server, "127.0.0.1", &own)).await;
    assert!(told.contains("certificate is for another name"), "{told}");
    let by_address = url(&server, "127.0.0.1", &(own + "&sslmode=verify-ca"));
    drop(connect(&by_address).await.unwrap());

    // Another one of the same name is not it.
    let elsewhere = tempfile::tempdir().unwrap();
    let other = self_signed(elsewhere.path(), "localhost").certificate;
    let parameters = format!("sslmode=verify-ca&sslrootcert={}", other.display());
    let told = refusal(&url(&server, "localhost", &parameters)).await;
    assert!(told.contains("the server's certificate: "), "{told}");
}

#[tokio::test]
async fn a_client_shows_its_certificate() {
    let authority = Authority::new();
    let files = authority.sign("localhost");
    let options = Options::default()
        .tls(&files.certificate, &files.key)
        .client_authorities(&authority.certificate())
        .access("hostssl all all 127.0.0.1/32 scram-sha-256 clientcert=verify-full");
    let Some(server) = options.for_test() else {
        return;
    };
    let roots = format!("sslrootcert={}", authority.certificate().display());
    let client = authority.sign(server.user());
    let (certificate, key) = (client.certificate.display(), client.key.display());
    let shown = format!("{roots}&sslcert={certificate}&sslkey={key}");
    let connected = connect(&url(&server, "localhost", &shown)).await.unwrap();
    let name = "SELECT client_dn FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    assert_eq!(
        one(&connected, name).await,
        format!("/CN={}", server.user())
    );

    let told = refusal(&url(&server, "localhost", &roots)).await;
    assert!(
        told.contains("requires a valid client certificate (28000)"),
        "{told}"
    );
    let missing = shown.replace("sslkey=", "sslkey=/nowhere");
    let told = refusal(&url(&server, "localhost", &missing)).await;
    assert!(told.contains("/nowhere"), "{told}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let shared = std::fs::Permissions::from_mode(0o644);
        std::fs::set_permissions(&client.key, shared).unwrap();
        let told = refusal(&url(&server, "localhost", &shown)).await;
        assert!(
            told.contains("others may read it\nhint: chmod 600 "),
            "{told}"
        );
    }
}

#[tokio::test]
async fn a_server_without_tls_is_refused_where_tls_is_wanted() {
    let Some(server) = Server::for_test() else {
        return;
    };
    for mode in ["require", "verify-full"] {
        let told = refusal(&url(&server, "localhost", &format!("sslmode={mode}"))).await;
        let wanted = "the server has no TLS\nhint: turn it on there (ssl = on), or say that nothing is encrypted: sslmode=disable";
        assert!(told.ends_with(wanted), "{told}");
    }
}
