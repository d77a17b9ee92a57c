//! The token file.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use super::*;
use crate::{Error, ErrorKind, Event, Observer};

async fn failure(stage: &Stage) -> Error {
    let client = stage.client(&stage.oauth());
    client.get(&stage.user()).await.unwrap_err()
}

#[tokio::test]
async fn the_file_is_for_its_owner_alone_and_replaced_as_a_whole() {
    let stage = Stage::new().await;
    stage.signed_in().await;
    let before = fs::metadata(stage.token_file()).unwrap();
    stage.edit("expires_at", PAST);
    stage
        .client(&stage.oauth())
        .get(&stage.user())
        .await
        .unwrap();
    let after = fs::metadata(stage.token_file()).unwrap();
    assert_eq!(
        [before.mode(), after.mode()].map(|mode| mode & 0o777),
        [0o600; 2]
    );
    assert_ne!(before.ino(), after.ino());
    let mut names: Vec<_> = fs::read_dir(stage.folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["tokens.json", "tokens.json.lock"]);

    let stored = stage.stored();
    let origin = stage.sandbox.origin();
    assert_eq!(
        (&stored["oauth_server"], &stored["api"]),
        (&origin.into(), &origin.into())
    );
    assert!(stored["access_token"].as_str().unwrap().len() > 2500);
}

#[tokio::test]
async fn a_file_that_others_may_read_is_refused() {
    let stage = Stage::new().await;
    stage.signed_in().await;
    let loose = fs::Permissions::from_mode(0o644);
    fs::set_permissions(stage.token_file(), loose).unwrap();
    let error = failure(&stage).await;
    assert_eq!(
        (error.kind(), error.code()),
        (ErrorKind::TokenFile, "BL3409")
    );
    assert!(error.to_string().ends_with("its mode is 644"), "{error}");
}

#[tokio::test]
async fn a_file_of_others_is_neither_used_nor_overwritten() {
    for (key, value) in [
        ("client_id", "other"),
        ("oauth_server", "https://other.example"),
        ("api", "https://other.example"),
    ] {
        let stage = Stage::new().await;
        stage.signed_in().await;
        stage.edit(key, value);
        let before = stage.stored();
        let error = failure(&stage).await;
        assert_eq!(
            (error.kind(), error.code()),
            (ErrorKind::ForeignTokens, "BL3410")
        );
        assert!(error.to_string().contains(value), "{error}");
        let oauth = stage.oauth();
        let authorization = oauth.begin();
        let back = visit(authorization.url()).await.location.unwrap();
        let error = oauth.finish(&authorization, &back).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ForeignTokens);
        assert_eq!((stage.stored(), stage.asked()), (before, 1));
    }
}

#[tokio::test]
async fn a_damaged_file_is_named_and_not_quoted() {
    let stage = Stage::new().await;
    stage.signed_in().await;
    let broken = r#"{"version": 1, "access_token": planted-secret}"#;
    fs::write(stage.token_file(), broken).unwrap();
    let error = failure(&stage).await;
    assert_eq!(error.kind(), ErrorKind::TokenFile);
    let text = format!("{error} {error:?}");
    assert!(
        text.contains("tokens.json") && !text.contains("planted"),
        "{text}"
    );
}

#[tokio::test]
async fn a_link_to_the_file_stays() {
    let stage = Stage::new().await;
    stage.signed_in().await;
    stage.edit("expires_at", PAST);
    let link = stage.folder.path().join("link.json");
    std::os::unix::fs::symlink(stage.token_file(), &link).unwrap();
    let mut settings = stage.settings();
    settings.token_file = Some(link.clone());
    let client = stage.client(&OAuth::new(settings).unwrap());
    client.get(&stage.user()).await.unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_ne!(stage.stored()["expires_at"], PAST);
}

/// Takes the folder away when the answer with the tokens has come.
struct Vandal(PathBuf);

impl Observer for Vandal {
    fn event(&self, event: &Event<'_>) {
        if let Event::Response { url, .. } = event
            && url.ends_with("/access_token")
        {
            fs::rename(&self.0, self.0.with_extension("away")).unwrap();
        }
    }
}

#[tokio::test]
async fn tokens_that_cannot_be_stored_are_not_used_before_they_are() {
    let stage = Stage::new().await;
    let folder = stage.folder.path().join("kept");
    let mut settings = stage.settings();
    settings.token_file = Some(folder.join("tokens.json"));
    settings.grant = crate::Grant::ClientCredentials;
    let client = stage.client(&OAuth::new(settings).unwrap());
    client.observe(Arc::new(Vandal(folder.clone())));
    let error = client.get(&stage.user()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TokenFile);
    assert_eq!(stage.sandbox.count("/2.0/user"), 0);
    // Stored as soon as that is possible, and not asked for again.
    client.get(&stage.user()).await.unwrap();
    assert!(folder.join("tokens.json").exists());
    assert_eq!(stage.asked(), 1);
}
