use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::ConnectionId;

const PLACE: Place<'_> = Place::Property(ConnectionId(7), "token");

#[test]
fn a_sealed_secret_opens_in_its_place_alone() {
    let (key, other) = (Key::random().unwrap(), Key::random().unwrap());
    let sealed = key.seal(PLACE, "planted").unwrap();
    assert_eq!(key.open(PLACE, &sealed).as_deref(), Some("planted"));
    assert_ne!(key.seal(PLACE, "planted").unwrap(), sealed);
    for place in [
        Place::Property(ConnectionId(8), "token"),
        Place::Property(ConnectionId(7), "password"),
        Place::Canary,
    ] {
        assert_eq!(key.open(place, &sealed), None, "{place:?}");
    }
    assert_eq!(other.open(PLACE, &sealed), None);
    for damaged in ["", "AAAA", &sealed[4..], &sealed[..sealed.len() - 4]] {
        assert_eq!(key.open(PLACE, damaged), None);
    }
}

#[test]
fn a_key_shows_itself_to_nobody() {
    let key = Key::random().unwrap();
    let shown = format!("{key:?} {:?}", Vault::closed());
    assert!(!shown.contains(&key.text()), "{shown}");
    assert_eq!(Key::parse(&key.text()).unwrap().id(), key.id());
    assert_eq!(Key::parse(&"ab".repeat(32)).unwrap().id().0.len(), 16);
    for text in ["", "ab", &"zz".repeat(32), &"é".repeat(32)] {
        assert!(Key::parse(text).is_none(), "{text}");
    }
}

#[test]
fn a_key_file_of_our_own_is_made_when_it_is_needed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state/secrets.key");
    let vault = Vault::beside(&path);
    assert_eq!(vault.current(), None);
    assert_eq!(vault.to_seal(false).unwrap_err().code(), "BL0320");
    assert!(!path.exists());
    let key = vault.to_seal(true).unwrap();
    let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    assert_eq!(Vault::beside(&path).current().as_ref(), Some(key.id()));
}

#[test]
fn an_old_key_opens_until_it_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secrets.key");
    let vault = Vault::beside(&path);
    let old = vault.to_seal(true).unwrap();
    let sealed = old.seal(PLACE, "planted").unwrap();
    // Another process, which reads the file anew when it meets a key that it does not know.
    let elsewhere = Vault::beside(&path);
    let new = vault.renew().unwrap();
    assert_eq!(vault.current(), Some(new.clone()));
    let opened = vault.open(PLACE, old.id(), &sealed);
    assert_eq!(opened.as_deref(), Some("planted"));
    let sealed = vault.to_seal(true).unwrap().seal(PLACE, "again").unwrap();
    assert_eq!(
        elsewhere.open(PLACE, &new, &sealed).as_deref(),
        Some("again")
    );
    vault.forget_others(std::slice::from_ref(&new)).unwrap();
    assert_eq!(vault.open(PLACE, old.id(), &sealed), None);
    assert_eq!(fs::read_to_string(&path).unwrap().matches('\n').count(), 2);
}

#[test]
fn a_bad_key_file_is_told_and_never_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    for text in ["", "# nothing\n", "secret-that-is-no-key\n"] {
        fs::write(&path, text).unwrap();
        let vault = Vault::beside(&path);
        let trouble = vault.trouble().unwrap();
        assert!(!trouble.contains("secret-that"), "{trouble}");
        for error in [vault.to_seal(true).unwrap_err(), vault.renew().unwrap_err()] {
            assert_eq!(error.code(), "BL0320");
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
    let vault = Vault::of_file(folder.path().join("missing"));
    assert_eq!(vault.to_seal(true).unwrap_err().code(), "BL0320");
}
