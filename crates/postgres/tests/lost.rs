//! Connections that are lost at the worst moment.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::{Arc, Mutex};

use bucketline_destination::{Change, Counts, Load, code};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

use self::support::{Database, batch, begun, destination, open};

/// When the connection is lost that is to carry the next COMMIT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loss {
    Never,
    /// The server never sees it.
    BeforeCommit,
    /// The server has carried it out, and nobody hears of it.
    AfterCommit,
}

/// Passes on what clients and a server say, and loses a connection when it is told to.
struct Line {
    url: String,
    loss: Arc<Mutex<Loss>>,
    /// One for each new connection that may be made.
    open: Arc<Semaphore>,
    lost: watch::Receiver<bool>,
}

impl Line {
    async fn new(database: &Database) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let here = listener.local_addr().unwrap().port();
        let there = database.server.port();
        let url = database.url.replace(
            &format!("127.0.0.1:{there}/"),
            &format!("127.0.0.1:{here}/"),
        );
        let loss = Arc::new(Mutex::new(Loss::Never));
        let open = Arc::new(Semaphore::new(Semaphore::MAX_PERMITS));
        let (tell, lost) = watch::channel(false);
        let (told, gate) = (Arc::clone(&loss), Arc::clone(&open));
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let (told, gate, tell) = (Arc::clone(&told), Arc::clone(&gate), tell.clone());
                tokio::spawn(async move {
                    gate.acquire().await.unwrap().forget();
                    let server = TcpStream::connect(("127.0.0.1", there)).await.unwrap();
                    let (client_in, client_out) = client.into_split();
                    let (server_in, server_out) = server.into_split();
                    let (cut, is_cut) = watch::channel(false);
                    tokio::spawn(back(server_in, client_out, is_cut));
                    forth(client_in, server_out, cut, told, tell).await;
                });
            }
        });
        Self {
            url,
            loss,
            open,
            lost,
        }
    }

    fn lose(&self, when: Loss) {
        *self.loss.lock().unwrap() = when;
    }
}

async fn forth(
    mut client: OwnedReadHalf,
    mut server: OwnedWriteHalf,
    cut: watch::Sender<bool>,
    loss: Arc<Mutex<Loss>>,
    tell: watch::Sender<bool>,
) {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = client.read(&mut bytes).await {
        let commits = bytes[..count]
            .windows(7)
            .any(|window| window == b"COMMIT\0");
        if commits {
            match std::mem::replace(&mut *loss.lock().unwrap(), Loss::Never) {
                Loss::Never => {}
                Loss::BeforeCommit => {
                    tell.send_replace(true);
                    return;
                }
                // What the server says next is the answer to it.
                Loss::AfterCommit => {
                    cut.send_replace(true);
                    tell.send_replace(true);
                }
            }
        }
        if server.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}

async fn back(mut server: OwnedReadHalf, mut client: OwnedWriteHalf, cut: watch::Receiver<bool>) {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = server.read(&mut bytes).await {
        if *cut.borrow() || client.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}

async fn commit(load: &dyn Load, number: i64) -> bucketline_destination::Result<Counts> {
    let rows = batch(number * 10..(number + 1) * 10);
    load.write("s", Change::Upsert(rows)).await.unwrap();
    load.commit("s", Some(json!(number))).await
}

/// A commit is carried out once, whether or not the server had done so when the connection was lost.
#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_carried_out_once() {
    let Some(database) = Database::new() else {
        return;
    };
    let line = Line::new(&database).await;
    let load = begun(&destination(&line.url)).await;
    let ten = Counts {
        inserted: 10,
        ..Counts::default()
    };
    let losses = [Loss::Never, Loss::BeforeCommit, Loss::AfterCommit];
    for (number, loss) in (0_i64..).zip(losses.iter().cycle().take(6)) {
        line.lose(*loss);
        assert_eq!(commit(&*load, number).await.unwrap(), ten, "{loss:?}");
        let rows = database.execute("SELECT count(*) FROM things");
        assert_eq!(rows, ((number + 1) * 10).to_string(), "{loss:?}");
        let counted = database.execute("SELECT rows FROM _bucketline.leases");
        assert_eq!(counted, rows, "{loss:?}");
    }
    load.finish(None).await.unwrap();
}

/// While it cannot be known whether a commit was carried out, nothing else is written.
#[tokio::test]
async fn a_commit_that_stays_unknown_ends_the_load() {
    let Some(database) = Database::new() else {
        return;
    };
    let mut line = Line::new(&database).await;
    let load = begun(&destination(&line.url)).await;
    // Further connections wait until the database refuses them.
    line.open.forget_permits(usize::MAX);
    line.lose(Loss::AfterCommit);
    let committing = tokio::spawn(async move {
        let error = commit(&*load, 0).await.unwrap_err();
        (load, error)
    });
    line.lost.wait_for(|lost| *lost).await.unwrap();
    let (_, name) = database.url.rsplit_once('/').unwrap();
    let connections = |allowed: bool| {
        let sql = format!("ALTER DATABASE {name} ALLOW_CONNECTIONS {allowed}");
        database.server.execute("postgres", &sql).unwrap();
    };
    connections(false);
    line.open.add_permits(1000);
    let (load, _) = committing.await.unwrap();
    connections(true);
    let error = load.commit("s", Some(json!(0))).await.unwrap_err();
    assert_eq!(error.code(), code::UNAVAILABLE);
    assert!(error.to_string().contains("not known"), "{error}");
    drop(load);
    let load = open(&database.destination()).await.unwrap();
    let state = load.status().state.clone().unwrap();
    assert_eq!((state.rows, &state.checkpoints["s"]), (10, &json!(0)));
    assert_eq!(database.execute("SELECT count(*) FROM things"), "10");
}

/// What is lost before a commit is done again; a transaction is only open while a commit works.
#[tokio::test]
async fn nothing_is_open_between_commits() {
    let Some(database) = Database::new() else {
        return;
    };
    let load = begun(&database.destination()).await;
    for number in 0..3 {
        commit(&*load, number).await.unwrap();
        let open = database.execute(
            "SELECT count(*) FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'",
        );
        assert_eq!(open, "0");
        let ended = database.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_locks
             WHERE locktype = 'advisory' AND granted",
        );
        assert_eq!(ended, "1");
    }
    assert_eq!(database.execute("SELECT count(*) FROM things"), "30");
}
