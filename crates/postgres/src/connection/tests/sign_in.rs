//! Signing in, sessions, and servers that cannot be reached.

use std::time::Duration;

use bucketline_private_postgres::{Options, Server};
use tokio::net::TcpListener;

use super::{Pool, Recovery, Settings, connect, nothing, one, refusal, told, variables};

#[tokio::test]
async fn only_who_is_known_gets_in() {
    let Some(server) = Server::for_test() else {
        return;
    };
    let (port, user) = (server.port(), server.user());
    let client = connect(&server.url("postgres")).await.unwrap();
    assert_eq!(one(&client, "SELECT current_user::text").await, user);

    let place = format!("PostgreSQL 127.0.0.1:{port}");
    let wrong = refusal(&format!(
        "postgres://{user}:planted@127.0.0.1:{port}/postgres"
    ))
    .await;
    assert_eq!(
        wrong,
        format!(
            "{place}/postgres: password authentication failed for user \"{user}\" (28P01)\n\
             hint: check the user and the password: Password=env:NAME, PGPASSWORD or ~/.pgpass"
        )
    );
    let none = refusal(&format!("postgres://{user}@127.0.0.1:{port}/postgres")).await;
    assert_eq!(
        none,
        format!(
            "{place}/postgres: the server wants a password, and none is given\n\
             hint: give Password=env:NAME, set PGPASSWORD, or write it into ~/.pgpass"
        )
    );
    let missing = refusal(&server.url("nowhere")).await;
    assert_eq!(
        missing,
        format!(
            "{place}/nowhere: database \"nowhere\" does not exist (3D000)\n\
             hint: check the name, or have it made: CREATE DATABASE"
        )
    );
}

#[cfg(unix)]
#[tokio::test]
async fn passwords_come_from_a_file_and_sockets_are_hosts() {
    use std::os::unix::fs::PermissionsExt;

    let Some(server) = Server::for_test() else {
        return;
    };
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join(".pgpass");
    let line = format!("localhost:*:*:{}:{}", server.user(), server.password());
    std::fs::write(&file, line).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let (port, home) = (server.port().to_string(), home.path().display().to_string());
    let pairs = [
        ("HOME", home.as_str()),
        ("PGUSER", server.user()),
        ("PGPORT", &port),
    ];
    let environment = variables(&pairs);
    let folder = server.socket_folder().display().to_string();
    for host in ["localhost", &folder] {
        let text = format!("host={host} dbname=postgres");
        let settings = Settings::parse(&text, &environment).unwrap();
        let client = Pool::new(&settings).get().await.unwrap();
        assert_eq!(one(&client, "SELECT 'in'").await, "in", "{host}");
    }
}

#[tokio::test]
async fn sessions_are_alike_whatever_the_server_is_set_to() {
    let options = Options::default()
        .setting("timezone", "Asia/Kolkata")
        .setting("datestyle", "German")
        .setting("intervalstyle", "sql_standard")
        .setting("default_transaction_isolation", "serializable")
        .setting("idle_session_timeout", "1min");
    let Some(server) = options.for_test() else {
        return;
    };
    let client = connect(&server.url("postgres")).await.unwrap();
    for (name, value) in [
        ("TimeZone", "UTC"),
        ("DateStyle", "ISO, YMD"),
        ("IntervalStyle", "iso_8601"),
        ("transaction_isolation", "read committed"),
        ("idle_session_timeout", "0"),
        ("search_path", "pg_catalog, pg_temp"),
        ("lock_timeout", "1min"),
        ("application_name", "bucketline"),
    ] {
        let found = one(&client, &format!("SELECT current_setting('{name}')")).await;
        assert_eq!(found, value, "{name}");
    }
    let chosen = "?options=-c%20search_path%3Dpublic%20-c%20TimeZone%3DJapan";
    let client = connect(&(server.url("postgres") + chosen)).await.unwrap();
    assert_eq!(
        one(&client, "SELECT current_setting('search_path')").await,
        "public"
    );
    assert_eq!(
        one(&client, "SELECT current_setting('TimeZone')").await,
        "UTC"
    );
}

#[tokio::test]
async fn of_several_hosts_one_that_takes_writes_is_taken() {
    let Some(mut primary) = Server::for_test() else {
        return;
    };
    let copy = Options::default()
        .setting("default_transaction_read_only", "on")
        .start()
        .unwrap();
    let login = format!("{}:{}", primary.user(), primary.password());
    let hosts = format!(
        "127.0.0.1:1,127.0.0.1:{},127.0.0.1:{}",
        copy.port(),
        primary.port()
    );
    let url = format!("postgres://{login}@{hosts}/postgres");
    let client = connect(&url).await.unwrap();
    let port = one(&client, "SELECT inet_server_port()::text").await;
    assert_eq!(port, primary.port().to_string());
    let client = connect(&(url.clone() + "?target_session_attrs=any"))
        .await
        .unwrap();
    let port = one(&client, "SELECT inet_server_port()::text").await;
    assert_eq!(port, copy.port().to_string());

    primary.stop().unwrap();
    let error = connect(&url).await.unwrap_err();
    assert!(error.to_string().contains("Connection refused"), "{error}");
    assert_eq!(Recovery::of(&error), Recovery::Reconnect);
}

#[tokio::test]
async fn a_broken_connection_is_replaced() {
    let Some(mut server) = Server::for_test() else {
        return;
    };
    let pool = Pool::new(&Settings::parse(&server.url("postgres"), &nothing).unwrap());
    let client = pool.get().await.unwrap();
    server.kill().unwrap();
    let error = client.simple_query("SELECT 1").await.unwrap_err();
    assert_eq!(Recovery::of(&error), Recovery::Reconnect, "{error:?}");
    drop(client);
    let error = pool.get().await.unwrap_err();
    let place = pool.settings().label();
    assert_eq!(
        told(&error),
        format!(
            "{place}: Connection refused (os error 111)\n\
             hint: nothing listens there: check host and port, and whether the server runs"
        )
    );
    assert_eq!(Recovery::of(&error), Recovery::Reconnect);
    server.restart().unwrap();
    let client = pool.get().await.unwrap();
    assert_eq!(one(&client, "SELECT 'back'").await, "back");
}

#[tokio::test]
async fn a_lease_has_a_session_of_its_own() {
    let Some(server) = Server::for_test() else {
        return;
    };
    let pool = Pool::new(&Settings::parse(&server.url("postgres"), &nothing).unwrap());
    let lease = pool.dedicated().await.unwrap();
    let client = pool.get().await.unwrap();
    let own: i32 = lease
        .query_one("SELECT pg_backend_pid()", &[])
        .await
        .unwrap()
        .get(0);
    let other: i32 = client
        .query_one("SELECT pg_backend_pid()", &[])
        .await
        .unwrap()
        .get(0);
    assert_ne!(own, other);
    drop(lease);
    let alive = format!("SELECT count(*)::text FROM pg_stat_activity WHERE pid = {own}");
    while one(&client, &alive).await != "0" {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_deadlock_is_repeated_and_a_mistake_is_not() {
    let Some(server) = Server::for_test() else {
        return;
    };
    let client = connect(&server.url("postgres")).await.unwrap();
    for (state, recovery) in [
        ("40001", Recovery::Repeat),
        ("40P01", Recovery::Repeat),
        ("53300", Recovery::Reconnect),
        ("25006", Recovery::Reconnect),
        ("08006", Recovery::Reconnect),
        ("55P03", Recovery::None),
        ("57014", Recovery::None),
        ("23505", Recovery::None),
        ("42P01", Recovery::None),
        ("53100", Recovery::None),
    ] {
        let sql = format!("DO $$ BEGIN RAISE SQLSTATE '{state}'; END $$");
        let error = client.simple_query(&sql).await.unwrap_err();
        assert_eq!(Recovery::of(&error), recovery, "{state}");
        let told = crate::connection::error::failed("writing `t`", error);
        assert_eq!(Recovery::of(&told), recovery, "{state}");
    }
}

/// Something that takes connections and never says a word. Time is the test's own, and goes on by
/// itself as soon as all wait.
#[tokio::test(start_paused = true)]
async fn silence_is_not_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let url = format!("postgres://me:planted@127.0.0.1:{port}/copy?connect_timeout=7");
    let start = tokio::time::Instant::now();
    let error = connect(&url).await.unwrap_err();
    assert_eq!(
        told(&error),
        format!(
            "PostgreSQL 127.0.0.1:{port}/copy: no answer within 7 s\n\
             hint: check the host, and the firewalls between; connect_timeout gives it more seconds"
        )
    );
    assert_eq!(start.elapsed().as_secs(), Duration::from_secs(7).as_secs());
    assert_eq!(Recovery::of(&error), Recovery::Reconnect);
}
