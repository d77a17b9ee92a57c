use chrono::{DateTime, TimeDelta, Utc};

use super::*;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000, 0).unwrap() + TimeDelta::seconds(seconds)
}

#[test]
fn attempts_that_fail_have_to_wait_longer_and_longer() {
    let attempts = Attempts::default();
    for _ in 0..5 {
        attempts.begin("User 1", "192.0.2.1", at(0)).unwrap();
    }
    let mut now = 0;
    for wait in [15, 30, 60, 120, 240, 480, 900, 900] {
        let error = attempts
            .begin("USER 1", "192.0.2.1", at(now + wait - 1))
            .unwrap_err();
        assert_eq!(error.code(), "BL0603");
        assert_eq!(error.retry_at(), Some(at(now + wait).into()));
        now += wait;
        attempts.begin("user 1", "192.0.2.1", at(now)).unwrap();
    }
    // Somebody else who knows the password is not kept out.
    attempts.begin("User 1", "192.0.2.2", at(now)).unwrap();
    attempts.begin("User 2", "192.0.2.1", at(now + 1)).unwrap();
}

#[test]
fn an_address_that_tries_many_names_has_to_wait() {
    let attempts = Attempts::default();
    for number in 0..20 {
        let name = format!("User {number}");
        attempts.begin(&name, "192.0.2.1", at(0)).unwrap();
    }
    let refused = attempts.begin("User 99", "192.0.2.1", at(1));
    assert_eq!(refused.unwrap_err().code(), "BL0603");
    attempts.begin("User 99", "192.0.2.2", at(1)).unwrap();
}

#[test]
fn success_forgets_the_failures_of_the_name_from_there() {
    let attempts = Attempts::default();
    for second in 0..100 {
        attempts.begin("User 1", "192.0.2.1", at(second)).unwrap();
        attempts.succeeded("User 1", "192.0.2.1");
    }
    // Attempts at the same time count before they have ended.
    for _ in 0..5 {
        attempts.begin("User 1", "192.0.2.1", at(200)).unwrap();
    }
    attempts.begin("User 1", "192.0.2.1", at(200)).unwrap_err();
}

#[test]
fn a_credential_is_long_shown_only_on_purpose_and_never_the_same() {
    let (one, other) = (Credential::random().unwrap(), Credential::random().unwrap());
    assert_eq!(one.reveal().len(), 67);
    assert_ne!(one.hash(), other.hash());
    assert_eq!(CredentialHash::of(one.reveal()), one.hash());
    assert!(!format!("{one:?} {:?}", one.hash()).contains(&one.reveal()[3..]));
    assert!(!bucketline_secret::process::scrub(one.reveal()).contains(one.reveal()));
}

#[test]
fn each_role_may_what_those_before_it_may() {
    for right in Right::ALL {
        let may: Vec<bool> = Role::ALL.iter().map(|role| role.may(*right)).collect();
        assert!(may.is_sorted(), "{right}: {may:?}");
        assert!(may[4], "{right}");
    }
}
