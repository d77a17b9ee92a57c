//! Signing in, over a store in memory and a simulated clock.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use bucketline_app::clock::SimulatedClock;
use bucketline_app::people::{
    Account, Caller, Claimant, Credential, Desk, Means, NewAuditEntry, Role,
};
use bucketline_app::store::{Change, PageRequest};
use bucketline_app::{AccountId, Vault};
use bucketline_store::{Place, open_with};
use chrono::{DateTime, Utc};

const PASSWORD: &str = "planted-password";

fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000, 0).unwrap()
}

async fn desk() -> (Desk, SimulatedClock) {
    let opened = open_with(&Place::Memory, &Vault::closed()).await.unwrap();
    let clock = SimulatedClock::new(start());
    (Desk::new(opened.accounts, Arc::new(clock.clone())), clock)
}

fn claimant<'a>(name: &'a str, password: &'a str) -> Claimant<'a> {
    Claimant {
        name,
        password,
        from: "192.0.2.1",
        agent: "test\r\nforged: entry",
    }
}

async fn account(desk: &Desk, name: &str, role: Role) -> AccountId {
    let account = Account {
        name: name.to_owned(),
        role,
        enabled: true,
    };
    let change = Change::new("test", start());
    let made = desk.create(&account, Some(PASSWORD), false, &change).await;
    made.unwrap().account.id
}

async fn signed_in(desk: &Desk, name: &str) -> (Credential, Caller) {
    desk.sign_in(claimant(name, PASSWORD), None).await.unwrap()
}

async fn is_known(desk: &Desk, session: &Credential) -> bool {
    let caller = desk.of_session(session.reveal(), "192.0.2.1").await;
    caller.unwrap().is_some()
}

#[tokio::test]
async fn the_first_account_is_made_once_within_an_hour() {
    let (desk, clock) = desk().await;
    let late = desk.offer_set_up().await.unwrap().unwrap();
    clock.advance(Duration::from_secs(3600));
    let refused = desk.set_up(late.reveal(), claimant("User 1", PASSWORD));
    assert_eq!(refused.await.unwrap_err().code(), "BL0607");
    let token = desk.offer_set_up().await.unwrap().unwrap();
    for wrong in ["", "bl_00", late.reveal()] {
        let refused = desk.set_up(wrong, claimant("User 1", PASSWORD)).await;
        assert_eq!(refused.unwrap_err().code(), "BL0607");
    }
    for weak in ["", "short", "User 1", "            "] {
        let refused = desk.set_up(token.reveal(), claimant("User 1", weak)).await;
        assert_eq!(refused.unwrap_err().code(), "BL0001", "{weak}");
    }
    let made = desk
        .set_up(token.reveal(), claimant("User 1", PASSWORD))
        .await;
    assert_eq!(made.unwrap().account.value.role, Role::Admin);
    let again = desk
        .set_up(token.reveal(), claimant("User 2", PASSWORD))
        .await;
    assert_eq!(again.unwrap_err().code(), "BL0607");
    assert!(desk.offer_set_up().await.unwrap().is_none());
    assert!(!desk.ensure_admin(PASSWORD).await.unwrap());
}

#[tokio::test]
async fn a_wrong_name_is_not_told_from_a_wrong_password() {
    let (desk, _) = desk().await;
    account(&desk, "User 1", Role::Viewer).await;
    let mut told = Vec::new();
    for (name, password) in [("User 1", "planted-passworD"), ("Nobody", PASSWORD)] {
        let refused = desk.sign_in(claimant(name, password), None).await;
        told.push(refused.unwrap_err().to_string());
    }
    assert_eq!(told[0], told[1]);
    signed_in(&desk, "USER 1").await;
}

#[tokio::test]
async fn a_session_ends_by_itself_and_is_never_one_that_was_given() {
    let (desk, clock) = desk().await;
    account(&desk, "User 1", Role::Viewer).await;
    // A session that somebody else began is not gone on with.
    let (planted, _) = signed_in(&desk, "User 1").await;
    let signed_in = desk.sign_in(claimant("User 1", PASSWORD), Some(planted.reveal()));
    let (session, _) = signed_in.await.unwrap();
    assert_ne!(session.reveal(), planted.reveal());
    assert!(!is_known(&desk, &planted).await);

    clock.advance(Duration::from_secs(11 * 3600));
    assert!(is_known(&desk, &session).await);
    clock.advance(Duration::from_secs(12 * 3600));
    assert!(!is_known(&desk, &session).await);

    let signed_in = desk.sign_in(claimant("User 1", PASSWORD), None).await;
    let (session, _) = signed_in.unwrap();
    for _ in 0..27 {
        clock.advance(Duration::from_secs(12 * 3600 - 1));
        assert!(is_known(&desk, &session).await);
    }
    clock.advance(Duration::from_secs(12 * 3600 - 1));
    clock.advance(Duration::from_secs(60));
    assert!(!is_known(&desk, &session).await);
}

#[tokio::test]
async fn sessions_end_with_the_password_the_role_and_the_account() {
    let (desk, clock) = desk().await;
    let admin = account(&desk, "Admin", Role::Admin).await;
    let id = account(&desk, "User 1", Role::Standard).await;
    let (mine, caller) = signed_in(&desk, "User 1").await;
    let (other, _) = signed_in(&desk, "User 1").await;
    let wrong = desk.change_password(&caller, id, Some("wrong"), "another-password");
    assert_eq!(wrong.await.unwrap_err().code(), "BL0604");
    let foreign = desk.change_password(&caller, admin, None, "another-password");
    assert_eq!(foreign.await.unwrap_err().code(), "BL0301");
    desk.change_password(&caller, id, Some(PASSWORD), "another-password")
        .await
        .unwrap();
    assert!(is_known(&desk, &mine).await && !is_known(&desk, &other).await);

    let accounts = desk.accounts();
    let stored = accounts.account(id).await.unwrap().unwrap().account;
    let change = Change::new("test", start());
    let lesser = Account {
        role: Role::Viewer,
        ..stored.value
    };
    let stored = accounts
        .replace_account(id, &lesser, stored.revision, &change)
        .await
        .unwrap()
        .account;
    assert!(!is_known(&desk, &mine).await);
    let new = claimant("User 1", "another-password");
    let (session, _) = desk.sign_in(new, None).await.unwrap();
    accounts
        .delete_account(id, stored.revision, &change)
        .await
        .unwrap();
    assert!(!is_known(&desk, &session).await);
    drop(clock);
}

#[tokio::test]
async fn a_token_may_no_more_than_its_account_and_ends() {
    let (desk, clock) = desk().await;
    account(&desk, "User 1", Role::JobOperator).await;
    let (_, caller) = signed_in(&desk, "User 1").await;
    for (role, days) in [(Role::Standard, 1), (Role::Viewer, 0), (Role::Viewer, 367)] {
        let refused = desk.create_token(&caller, "ci", role, days).await;
        assert_eq!(refused.unwrap_err().code(), "BL0001");
    }
    let (token, made) = desk
        .create_token(&caller, "ci", Role::Viewer, 1)
        .await
        .unwrap();
    let known = desk.of_token(token.reveal(), "192.0.2.9").await.unwrap();
    let known = known.unwrap();
    assert_eq!(known.role, Role::Viewer);
    assert_eq!(known.name, "User 1 (token ci)");
    assert_eq!(known.means, Means::Token(made.id));
    assert!(desk.of_token("", "192.0.2.9").await.unwrap().is_none());
    // Nor is a token taken for a session.
    assert!(!is_known(&desk, &token).await);
    clock.advance(Duration::from_secs(24 * 3600));
    let known = desk.of_token(token.reveal(), "192.0.2.9").await.unwrap();
    assert!(known.is_none());
}

#[tokio::test]
async fn the_audit_says_who_did_what_from_where_and_no_secret() {
    let (desk, _) = desk().await;
    account(&desk, "User 1", Role::Admin).await;
    let (session, caller) = signed_in(&desk, "User 1").await;
    let forged = "User 1\r\n{\"by\":\"nobody\"}";
    let refused = desk.sign_in(claimant(forged, PASSWORD), None).await;
    refused.unwrap_err();
    let (token, _) = desk
        .create_token(&caller, "ci", Role::Viewer, 1)
        .await
        .unwrap();
    let listed = desk
        .accounts()
        .audit_entries(&Default::default(), &PageRequest::first(10))
        .await
        .unwrap();
    let mut told: Vec<_> = listed
        .items
        .iter()
        .map(|entry| (entry.action.as_str(), entry.by.as_str()))
        .collect();
    told.reverse();
    assert_eq!(
        told,
        [
            ("account.create", "test"),
            ("session.begin", "User 1"),
            ("session.refuse", "User 1  {\"by\":\"nobody\"}"),
            ("token.create", "User 1"),
        ]
    );
    assert_eq!(listed.items[0].from.as_deref(), Some("192.0.2.1"));
    let text = serde_json::to_string(&listed.items).unwrap();
    for secret in [PASSWORD, session.reveal(), token.reveal(), "argon2"] {
        assert!(!text.contains(secret), "{text}");
    }
    let entry = NewAuditEntry::default();
    let change = Change::new("later", start());
    desk.accounts().audit(&entry, &change).await.unwrap();
}
