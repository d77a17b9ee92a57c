//! Secrets that are typed in.

use std::collections::BTreeMap;
use std::sync::Arc;

use bucketline_app::store::{ConnectionFilter, PageRequest};
use bucketline_app::{Connection, Store};

use super::{cases, change};

cases! {
    a_typed_secret_is_given_to_its_user_alone
    a_kept_secret_stays_and_a_removed_one_goes
    a_stored_secret_does_not_follow_to_another_address
    a_secret_that_was_never_entered_is_listed
    secrets_are_sealed_anew_by_the_same_key
}

fn connection(name: &str, token: &str) -> Connection {
    Connection {
        name: name.to_owned(),
        properties: BTreeMap::from([
            ("Token".to_owned(), token.to_owned()),
            ("Workspace".to_owned(), "acme".to_owned()),
        ]),
        labels: Vec::new(),
    }
}

async fn token(store: &dyn Store, name: &str) -> String {
    store.reveal(name).await.unwrap().unwrap().properties["Token"].clone()
}

async fn a_typed_secret_is_given_to_its_user_alone(store: Arc<dyn Store>) {
    let typed = connection("Cloud", "planted");
    let made = store.create_connection(&typed, &change(1)).await.unwrap();
    assert_eq!(made.connection.value, connection("Cloud", "***"));
    assert!(made.to_enter.is_empty());
    assert_eq!(token(&*store, "CLOUD").await, "planted");
    let listed = store
        .connections(&ConnectionFilter::default(), &PageRequest::first(10))
        .await
        .unwrap();
    assert_eq!(listed.items, [made]);
    assert!(store.reveal("other").await.unwrap().is_none());
}

async fn a_kept_secret_stays_and_a_removed_one_goes(store: Arc<dyn Store>) {
    let typed = connection("Cloud", "planted");
    let made = store.create_connection(&typed, &change(1)).await.unwrap();
    let id = made.connection.id;
    let mut edited = made.connection.value.clone();
    edited.name = "Sky".to_owned();
    // A property's name is the same in other letters.
    edited.properties.remove("Token");
    edited
        .properties
        .insert("TOKEN".to_owned(), "***".to_owned());
    let made = store
        .replace_connection(id, &edited, made.connection.revision, &change(2))
        .await
        .unwrap();
    let revealed = store.reveal("Sky").await.unwrap().unwrap();
    assert_eq!(revealed.properties["TOKEN"], "planted");

    let typed = connection("Sky", "planted anew");
    let made = store
        .replace_connection(id, &typed, made.connection.revision, &change(3))
        .await
        .unwrap();
    assert_eq!(token(&*store, "Sky").await, "planted anew");

    let reference = connection("Sky", "env:TOKEN");
    let made = store
        .replace_connection(id, &reference, made.connection.revision, &change(4))
        .await
        .unwrap();
    assert_eq!(made.connection.value, reference);
    // What was removed does not come back.
    let kept = connection("Sky", "***");
    let made = store
        .replace_connection(id, &kept, made.connection.revision, &change(5))
        .await
        .unwrap();
    assert_eq!(made.to_enter, ["Token"]);
    store
        .delete_connection(id, made.connection.revision, &change(6))
        .await
        .unwrap();
    assert!(store.reveal("Sky").await.unwrap().is_none());
}

async fn a_stored_secret_does_not_follow_to_another_address(store: Arc<dyn Store>) {
    let typed = connection("Cloud", "planted");
    let made = store.create_connection(&typed, &change(1)).await.unwrap();
    let stored = made.connection;
    let mut moved = stored.value.clone();
    let address = "https://evil.example".to_owned();
    moved.properties.insert("BaseURL".to_owned(), address);
    let refused = store
        .replace_connection(stored.id, &moved, stored.revision, &change(2))
        .await;
    assert_eq!(refused.unwrap_err().code(), "BL0001");
    let typed = "entered again".to_owned();
    moved.properties.insert("Token".to_owned(), typed);
    store
        .replace_connection(stored.id, &moved, stored.revision, &change(2))
        .await
        .unwrap();
    assert_eq!(token(&*store, "Cloud").await, "entered again");
}

async fn a_secret_that_was_never_entered_is_listed(store: Arc<dyn Store>) {
    let kept = connection("Cloud", "***");
    let made = store.create_connection(&kept, &change(1)).await.unwrap();
    assert_eq!(made.to_enter, ["Token"]);
    let revealed = store.reveal("Cloud").await.unwrap().unwrap();
    assert_eq!(revealed.to_enter, ["Token"]);
    let state = store.secrets_state().await.unwrap();
    assert_eq!(state.to_enter, ["Cloud: Token"]);
    assert!(!state.key_is_other);
}

async fn secrets_are_sealed_anew_by_the_same_key(store: Arc<dyn Store>) {
    for name in ["Cloud", "Sky"] {
        let typed = connection(name, &format!("planted {name}"));
        store.create_connection(&typed, &change(1)).await.unwrap();
    }
    let done = store.reseal(&change(2)).await.unwrap();
    assert_eq!((done.sealed, done.used.len()), (2, 1));
    assert!(done.left.is_empty());
    assert_eq!(token(&*store, "Sky").await, "planted Sky");
}
