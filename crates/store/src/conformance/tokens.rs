//! Tokens of sign-ins.

use std::io;
use std::sync::Arc;

use bucketline_app::Store;
use bucketline_rest::TokenStore as _;

use crate::{Seal, SignIns};

super::cases! {
    stores_keep_what_every_place_for_tokens_promises
    tokens_of_one_sign_in_are_not_those_of_another
}

/// Shows that the text was sealed, and for whom.
#[derive(Debug)]
pub(crate) struct Reversed;

impl Seal for Reversed {
    fn seal(&self, sign_in: &str, text: &str) -> io::Result<String> {
        let reversed: String = text.chars().rev().collect();
        Ok(format!("{sign_in}|{reversed}"))
    }

    fn open(&self, sign_in: &str, sealed: &str) -> io::Result<String> {
        let ours = sealed.strip_prefix(&format!("{sign_in}|"));
        let ours = ours.ok_or_else(|| io::Error::other("it was sealed for another sign-in"))?;
        Ok(ours.chars().rev().collect())
    }
}

async fn stores_keep_what_every_place_for_tokens_promises(store: Arc<dyn Store>) {
    let tokens = Arc::new(SignIns::new(store, Arc::new(Reversed)));
    bucketline_rest::conformance::tokens(tokens, &str::to_owned).await;
}

async fn tokens_of_one_sign_in_are_not_those_of_another(store: Arc<dyn Store>) {
    let tokens = SignIns::new(Arc::clone(&store), Arc::new(Reversed));
    let mut lock = tokens.lock("cloud").await.unwrap();
    lock.save("secret").await.unwrap();
    let other = store.lock_tokens("cloud copy").await.unwrap();
    assert_eq!(other.read().await.unwrap(), None);
    drop(lock);
    let mut guard = store.lock_tokens("cloud").await.unwrap();
    let sealed = guard.read().await.unwrap().unwrap();
    assert!(!sealed.contains("secret"));
    // Somebody who can write the store moves it.
    guard.save("other|terces").await.unwrap();
    drop(guard);
    let error = tokens
        .lock("cloud")
        .await
        .unwrap()
        .read()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound, "{error}");
}
