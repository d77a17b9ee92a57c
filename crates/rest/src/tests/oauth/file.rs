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
        (error.kind(), error.code().as_str()),
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
            (error.kind(), error.code().as_str()),
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
    let client = client.observed(Arc::new(Vandal(folder.clone())));
    let error = client.get(&stage.user()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.code().as_str()),
        (ErrorKind::TokensAside, "BL3412")
    );
    assert_eq!(stage.sandbox.count("/2.0/user"), 0);
    // Where the message says, they are whole, and for this user alone.
    let text = error.to_string();
    let (_, aside) = text.split_once("they are in ").unwrap();
    let aside = PathBuf::from(aside);
    assert_eq!(fs::metadata(&aside).unwrap().mode() & 0o777, 0o600);
    let kept: Value = serde_json::from_slice(&fs::read(&aside).unwrap()).unwrap();
    // Stored as soon as that is possible, and not asked for again.
    client.get(&stage.user()).await.unwrap();
    let stored = fs::read(folder.join("tokens.json")).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&stored).unwrap(), kept);
    assert!(!aside.exists());
    assert_eq!(stage.asked(), 1);
}

/// Runs out of room for files longer than `most` bytes.
fn limited(most: u64) -> impl Drop {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};

    struct Limit(u64, u64);

    impl Drop for Limit {
        fn drop(&mut self) {
            setrlimit(Resource::RLIMIT_FSIZE, self.0, self.1).unwrap();
        }
    }

    let (soft, hard) = getrlimit(Resource::RLIMIT_FSIZE).unwrap();
    setrlimit(Resource::RLIMIT_FSIZE, most, hard).unwrap();
    Limit(soft, hard)
}

/// A limit on the length of files stands for a full disk: the process's own, so that each test
/// that sets it runs alone, as nextest has it.
#[tokio::test]
async fn without_room_for_new_tokens_none_are_asked_for() {
    // Else the signal for such files ends the process.
    let _signal = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::from_raw(
        nix::libc::SIGXFSZ,
    ));
    let stage = Stage::new().await;
    stage.signed_in().await;
    stage.edit("expires_at", PAST);
    let before = stage.stored();
    for most in [0, 1, 4096, 8192] {
        let error = {
            let _limit = limited(most);
            failure(&stage).await
        };
        assert_eq!(error.kind(), ErrorKind::TokenFile, "{most}: {error}");
        assert!(
            error.to_string().ends_with("no new tokens were asked for"),
            "{error}"
        );
        assert_eq!((stage.asked(), stage.stored()), (1, before.clone()));
    }
    stage
        .client(&stage.oauth())
        .get(&stage.user())
        .await
        .unwrap();
}

/// Takes the room away when the answer with the tokens has come.
struct Filler(std::sync::Mutex<Option<Box<dyn std::any::Any + Send>>>);

impl Observer for Filler {
    fn event(&self, event: &Event<'_>) {
        if let Event::Response { url, .. } = event
            && url.ends_with("/access_token")
        {
            let limit: Box<dyn std::any::Any + Send> = Box::new(limited(6000));
            *self.0.lock().unwrap() = Some(limit);
        }
    }
}

#[tokio::test]
async fn room_that_was_taken_before_lasts() {
    let _signal = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::from_raw(
        nix::libc::SIGXFSZ,
    ));
    let stage = Stage::new().await;
    stage.signed_in().await;
    stage.edit("expires_at", PAST);
    let client = stage.client(&stage.oauth());
    let filler = Arc::new(Filler(std::sync::Mutex::new(None)));
    let client = client.observed(filler.clone());
    client.get(&stage.user()).await.unwrap();
    drop(filler.0.lock().unwrap().take());
    assert_ne!(stage.stored()["expires_at"], PAST);
}

#[tokio::test]
async fn tokens_of_a_killed_process_that_wrote_them_are_found() {
    let stage = Stage::new().await;
    stage.signed_in().await;
    // The newest, before they had their name.
    let new = stage.folder.path().join("tokens.json.new");
    fs::rename(stage.token_file(), &new).unwrap();
    let client = stage.client(&stage.oauth());
    client.get(&stage.user()).await.unwrap();
    assert!(stage.token_file().exists() && !new.exists());
    // The room for some, and half of some, are none.
    for rest in ["   ", "", "{\"version\": 1, \"acc"] {
        fs::write(&new, rest).unwrap();
        fs::set_permissions(&new, fs::Permissions::from_mode(0o600)).unwrap();
        let client = stage.client(&stage.oauth());
        client.get(&stage.user()).await.unwrap();
    }
    assert_eq!(stage.asked(), 1);
}

#[tokio::test]
async fn others_cannot_hold_the_lock() {
    let stage = Stage::new().await;
    let lock = stage.folder.path().join("tokens.json.lock");
    fs::write(&lock, "").unwrap();
    fs::set_permissions(&lock, fs::Permissions::from_mode(0o644)).unwrap();
    stage.signed_in().await;
    assert_eq!(fs::metadata(&lock).unwrap().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn files_keep_what_every_place_for_tokens_promises() {
    let folder = tempfile::tempdir().unwrap();
    let files = std::sync::Arc::new(crate::TokenFiles::new());
    let path = |name: &str| folder.path().join(name).display().to_string();
    crate::conformance::tokens(files, &path).await;
}
