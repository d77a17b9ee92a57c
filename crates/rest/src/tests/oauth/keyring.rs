//! Tokens in the keyring: it stands in for the file, and the rest is as ever.

use keyring_core::{CredentialStore, Entry, Error, mock};

use super::*;
use crate::{ErrorKind, Keyring};

/// A stage whose tokens are in a keyring.
struct Ringed {
    stage: Stage,
    store: Arc<CredentialStore>,
}

impl Ringed {
    async fn new() -> Ringed {
        Ringed {
            stage: Stage::new().await,
            store: mock::Store::new().unwrap(),
        }
    }

    fn oauth(&self) -> OAuth {
        let mut settings = self.stage.settings();
        settings.keyring = Some(Keyring::mock(self.store.clone()));
        OAuth::new(settings).unwrap()
    }

    async fn signed_in(&self) -> OAuth {
        sign_in(self.oauth()).await
    }

    fn entry(&self) -> Entry {
        let name = self.stage.token_file().display().to_string();
        Entry::new_in_store(&self.store, "bucketline", &name).unwrap()
    }

    fn stored(&self) -> Value {
        serde_json::from_str(&self.entry().get_password().unwrap()).unwrap()
    }

    /// The next use of the entry fails.
    fn fail(&self) {
        let entry = self.entry();
        let credential: &mock::Cred = entry.as_any().downcast_ref().unwrap();
        credential.set_error(Error::NoStorageAccess("it is locked".into()));
    }
}

#[tokio::test]
async fn the_keyring_keeps_the_tokens_and_the_folder_the_lock() {
    let ringed = Ringed::new().await;
    ringed.signed_in().await;
    let token = ringed.stored()["access_token"].as_str().unwrap().len();
    assert!(token > 2500, "{token}");
    let names: Vec<_> = fs::read_dir(ringed.stage.folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, ["tokens.json.lock"]);

    let client = ringed.stage.client(&ringed.oauth());
    client.get(&ringed.stage.user()).await.unwrap();
    assert_eq!(ringed.stage.asked(), 1, "another sign-in finds the tokens");
}

#[tokio::test]
async fn several_that_share_a_keyring_renew_once() {
    let ringed = Ringed::new().await;
    ringed.signed_in().await;
    let first = ringed.stored()["refresh_token"].clone();
    ringed.stage.advance(3 * HOUR);
    let clients: Vec<_> = (0..10)
        .map(|_| ringed.stage.client(&ringed.oauth()))
        .collect();
    let user = ringed.stage.user();
    let all = clients.iter().map(|client| client.get(&user));
    for answer in futures::future::join_all(all).await {
        answer.unwrap();
    }
    assert_eq!(ringed.stage.asked(), 2);
    assert_ne!(ringed.stored()["refresh_token"], first);
}

#[tokio::test]
async fn a_keyring_that_fails_ends_the_sign_in_before_anything_is_asked_for() {
    let ringed = Ringed::new().await;
    let oauth = ringed.oauth();
    let authorization = oauth.begin();
    let back = visit(authorization.url()).await.location.unwrap();
    ringed.fail();
    let error = oauth.finish(&authorization, &back).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TokenFile);
    let told = error.to_string();
    assert!(told.contains("the keyring's entry"), "{told}");
    assert!(told.contains("it is locked"), "{told}");
    assert_eq!(ringed.stage.asked(), 0);
}

#[tokio::test]
async fn an_entry_of_others_is_neither_used_nor_overwritten() {
    let ringed = Ringed::new().await;
    ringed.signed_in().await;
    let mut stored = ringed.stored();
    stored["client_id"] = "other".into();
    let stored = stored.to_string();
    ringed.entry().set_password(&stored).unwrap();
    let client = ringed.stage.client(&ringed.oauth());
    let error = client.get(&ringed.stage.user()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ForeignTokens);
    assert_eq!(ringed.entry().get_password().unwrap(), stored);
}
