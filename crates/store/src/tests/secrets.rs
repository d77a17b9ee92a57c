//! Secrets in a store's file, and what becomes of them when the key is another one.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use bucketline_app::{Connection, Store, Vault};
use bucketline_private_postgres::Server;
use bucketline_rest::TokenStore as _;
use tempfile::TempDir;

use super::names;
use crate::conformance::{change, place};
use crate::{Place, SignIns, VaultSeal, open_with};

const PLANTED: [&str; 3] = ["planted-token-one", "planted-token-two", "planted-password"];

fn connection(name: &str, property: &str, secret: &str) -> Connection {
    Connection {
        name: name.to_owned(),
        properties: BTreeMap::from([(property.to_owned(), secret.to_owned())]),
        labels: Vec::new(),
    }
}

async fn opened(folder: &Path, vault: &Vault) -> Arc<dyn Store> {
    let place = Place::File(folder.join("app.db"));
    open_with(&place, vault).await.unwrap().store
}

async fn plant(store: &dyn Store) {
    let [one, two, password] = PLANTED;
    for planted in [
        connection("one", "Token", one),
        connection("two", "OAuthClientSecret", two),
        connection("three", "Password", password),
    ] {
        store.create_connection(&planted, &change(1)).await.unwrap();
    }
}

async fn revealed(store: &dyn Store, name: &str) -> Option<String> {
    let revealed = store.reveal(name).await.unwrap().unwrap();
    let is_open = revealed.to_enter.is_empty();
    revealed.properties.into_values().next().filter(|_| is_open)
}

/// No file in the folder but that of the key, which has no secret either, holds a planted one.
fn assert_sealed(folder: &Path) {
    for name in names(folder) {
        let bytes = fs::read(folder.join(&name)).unwrap();
        for planted in PLANTED {
            let is_there = bytes
                .windows(planted.len())
                .any(|part| part == planted.as_bytes());
            assert!(!is_there, "{planted} is in {name}");
        }
    }
}

#[tokio::test]
async fn no_file_of_the_store_holds_a_secret_in_clear() {
    let folder = TempDir::new().unwrap();
    let key = folder.path().join("app.key");
    let store = opened(folder.path(), &Vault::beside(&key)).await;
    plant(&*store).await;
    // With the write-ahead log.
    assert!(names(folder.path()).contains(&"app.db-wal".to_owned()));
    assert_sealed(folder.path());
    store.reseal(&change(2)).await.unwrap();
    drop(store);
    assert_sealed(folder.path());
    let store = opened(folder.path(), &Vault::beside(&key)).await;
    assert_eq!(revealed(&*store, "one").await.as_deref(), Some(PLANTED[0]));
}

#[tokio::test]
async fn tokens_of_sign_ins_are_sealed_anew_with_the_secrets() {
    let folder = TempDir::new().unwrap();
    let vault = Vault::beside(folder.path().join("app.key"));
    let store = opened(folder.path(), &vault).await;
    let seal = VaultSeal::new(vault.clone(), &*store);
    let sign_ins = SignIns::new(Arc::clone(&store), Arc::new(seal));
    let mut lock = sign_ins.lock("connection 1 consumer").await.unwrap();
    lock.save(PLANTED[0]).await.unwrap();
    drop(lock);
    assert_sealed(folder.path());

    vault.renew().unwrap();
    let done = store.reseal(&change(1)).await.unwrap();
    assert_eq!((done.sealed, done.left.len()), (1, 0));
    vault.forget_others(&done.used).unwrap();
    let lock = sign_ins.lock("connection 1 consumer").await.unwrap();
    assert_eq!(lock.read().await.unwrap(), PLANTED[0]);
    drop(lock);
    // What is sealed for one sign-in opens for no other.
    let guard = store.lock_tokens("connection 1 consumer").await.unwrap();
    let sealed = guard.read().await.unwrap().unwrap();
    drop(guard);
    let mut guard = store.lock_tokens("connection 2 consumer").await.unwrap();
    guard.save(&sealed).await.unwrap();
    drop(guard);
    let lock = sign_ins.lock("connection 2 consumer").await.unwrap();
    lock.read().await.unwrap_err();
}

#[tokio::test]
async fn a_lost_key_stops_nothing_and_loses_nothing() {
    let folder = TempDir::new().unwrap();
    let key = folder.path().join("app.key");
    let store = opened(folder.path(), &Vault::beside(&key)).await;
    plant(&*store).await;
    drop(store);
    let lost = folder.path().join("elsewhere.key");
    fs::rename(&key, &lost).unwrap();

    let store = opened(folder.path(), &Vault::beside(&key)).await;
    let state = store.secrets_state().await.unwrap();
    assert!(state.key_is_other);
    assert_eq!(
        state.to_enter,
        ["one: Token", "three: Password", "two: OAuthClientSecret"]
    );
    assert_eq!(revealed(&*store, "one").await, None);
    // One is entered again, by a new key.
    let one = store.connection("one").await.unwrap().unwrap().connection;
    let again = connection("one", "Token", "entered again");
    store
        .replace_connection(one.id, &again, one.revision, &change(2))
        .await
        .unwrap();
    assert_eq!(
        revealed(&*store, "one").await.as_deref(),
        Some("entered again")
    );
    let state = store.secrets_state().await.unwrap();
    assert_eq!((state.to_enter.len(), state.key_is_other), (2, false));
    // Sealing anew leaves alone what it cannot open.
    let done = store.reseal(&change(3)).await.unwrap();
    assert_eq!((done.sealed, done.left.len(), done.used.len()), (1, 2, 2));
    drop(store);

    // The old key is found, and put behind the new one.
    let both = fs::read_to_string(&key).unwrap() + &fs::read_to_string(&lost).unwrap();
    fs::write(&key, both).unwrap();
    let store = opened(folder.path(), &Vault::beside(&key)).await;
    assert_eq!(revealed(&*store, "two").await.as_deref(), Some(PLANTED[1]));
    assert!(store.secrets_state().await.unwrap().to_enter.is_empty());
}

#[tokio::test]
async fn a_wrong_key_is_told_and_changes_nothing() {
    let folder = TempDir::new().unwrap();
    let key = folder.path().join("app.key");
    let store = opened(folder.path(), &Vault::beside(&key)).await;
    plant(&*store).await;
    drop(store);
    let right = fs::read(&key).unwrap();
    fs::write(&key, "ab".repeat(32)).unwrap();
    let store = opened(folder.path(), &Vault::beside(&key)).await;
    let state = store.secrets_state().await.unwrap();
    assert!(state.key_is_other && state.to_enter.len() == 3);
    drop(store);
    fs::write(&key, right).unwrap();
    let store = opened(folder.path(), &Vault::beside(&key)).await;
    assert!(store.secrets_state().await.unwrap().to_enter.is_empty());
}

#[tokio::test]
async fn a_renewed_key_seals_everything_and_the_old_one_opens_nothing() {
    let folder = TempDir::new().unwrap();
    let key = folder.path().join("app.key");
    let vault = Vault::beside(&key);
    let store = opened(folder.path(), &vault).await;
    plant(&*store).await;
    let old = fs::read(&key).unwrap();
    vault.renew().unwrap();
    // A process that is killed here finds both keys.
    let between = opened_again(folder.path(), store, &key).await;
    assert!(between.secrets_state().await.unwrap().to_enter.is_empty());
    let vault = Vault::beside(&key);
    let done = between.reseal(&change(2)).await.unwrap();
    assert_eq!((done.sealed, done.used.len()), (3, 1));
    vault.forget_others(&done.used).unwrap();
    let store = opened_again(folder.path(), between, &key).await;
    assert_eq!(revealed(&*store, "two").await.as_deref(), Some(PLANTED[1]));
    fs::write(&key, old).unwrap();
    let store = opened_again(folder.path(), store, &key).await;
    assert_eq!(store.secrets_state().await.unwrap().to_enter.len(), 3);
}

async fn opened_again(folder: &Path, store: Arc<dyn Store>, key: &Path) -> Arc<dyn Store> {
    drop(store);
    opened(folder, &Vault::beside(key)).await
}

#[tokio::test]
async fn a_second_node_makes_no_key_of_its_own() {
    let Some(server) = Server::for_test() else {
        return;
    };
    let place = place(&server.create_database().unwrap());
    let folder = TempDir::new().unwrap();
    let [here, there] = ["here.key", "there.key"].map(|name| folder.path().join(name));
    let store = open_with(&place, &Vault::beside(&here))
        .await
        .unwrap()
        .store;
    plant(&*store).await;
    let other = open_with(&place, &Vault::beside(&there))
        .await
        .unwrap()
        .store;
    assert!(other.secrets_state().await.unwrap().key_is_other);
    let typed = connection("four", "Token", "planted");
    let refused = other.create_connection(&typed, &change(2)).await;
    assert_eq!(refused.unwrap_err().code(), "BL0320");
    assert!(!there.exists());
    assert!(other.connection("four").await.unwrap().is_none());
    // It finds the key as soon as it is there.
    fs::copy(&here, &there).unwrap();
    assert_eq!(revealed(&*other, "one").await.as_deref(), Some(PLANTED[0]));
    other.create_connection(&typed, &change(2)).await.unwrap();
}
