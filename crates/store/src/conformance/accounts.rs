//! Accounts, sessions, tokens and the audit.

use bucketline_app::people::{Account, AuditFilter, CredentialHash, NewApiToken, NewSession, Role};
use bucketline_app::store::{PageRequest, PruneRequest};
use bucketline_app::{Keep, Vault};

use super::{at, change, new_job, place, server};
use crate::{Opened, Place, open_with};

#[tokio::test]
async fn in_sqlite() {
    let opened = open_with(&Place::Memory, &Vault::closed()).await.unwrap();
    names_are_unique_and_somebody_administers(&opened).await;
    let opened = open_with(&Place::Memory, &Vault::closed()).await.unwrap();
    what_belongs_to_an_account_goes_with_it(&opened).await;
    let opened = open_with(&Place::Memory, &Vault::closed()).await.unwrap();
    the_audit_is_listed_filtered_and_kept_a_year(&opened).await;
}

#[tokio::test]
async fn in_postgres() {
    let Some(server) = server() else { return };
    let new = async || {
        let place = place(&server.create_database().unwrap());
        open_with(&place, &Vault::closed()).await.unwrap()
    };
    names_are_unique_and_somebody_administers(&new().await).await;
    what_belongs_to_an_account_goes_with_it(&new().await).await;
    the_audit_is_listed_filtered_and_kept_a_year(&new().await).await;
}

fn account(name: &str, role: Role) -> Account {
    Account {
        name: name.to_owned(),
        role,
        enabled: true,
    }
}

async fn names_are_unique_and_somebody_administers(opened: &Opened) {
    let accounts = &opened.accounts;
    assert!(!accounts.has_accounts().await.unwrap());
    let first = account("User 1", Role::Admin);
    let made = accounts
        .create_account(&first, Some("hash"), true, &change(1))
        .await
        .unwrap();
    assert!(made.has_password && accounts.has_accounts().await.unwrap());
    let second = account("User 2", Role::Admin);
    let refused = accounts
        .create_account(&second, None, true, &change(2))
        .await;
    assert_eq!(refused.unwrap_err().code(), "BL0601");
    let same = account("USER 1", Role::Viewer);
    let refused = accounts
        .create_account(&same, None, false, &change(2))
        .await;
    assert_eq!(refused.unwrap_err().code(), "BL0302");

    let (id, revision) = (made.account.id, made.account.revision);
    let lesser = account("User 1", Role::Standard);
    let disabled = Account {
        enabled: false,
        ..first.clone()
    };
    for change_of in [&lesser, &disabled] {
        let refused = accounts
            .replace_account(id, change_of, revision, &change(3))
            .await;
        assert_eq!(refused.unwrap_err().code(), "BL0602");
    }
    let refused = accounts.delete_account(id, revision, &change(3)).await;
    assert_eq!(refused.unwrap_err().code(), "BL0602");
    accounts
        .create_account(&second, None, false, &change(4))
        .await
        .unwrap();
    let changed = accounts
        .replace_account(id, &lesser, revision, &change(5))
        .await
        .unwrap();
    assert_eq!(changed.account.value, lesser);
    let old = accounts
        .replace_account(id, &first, revision, &change(6))
        .await;
    assert_eq!(old.unwrap_err().code(), "BL0303");
    let (found, hash) = accounts.account_named("user 1").await.unwrap().unwrap();
    assert_eq!((found, hash.as_deref()), (changed, Some("hash")));
    assert_eq!(accounts.accounts().await.unwrap().len(), 2);
}

async fn what_belongs_to_an_account_goes_with_it(opened: &Opened) {
    let accounts = &opened.accounts;
    let mut ids = Vec::new();
    for name in ["Admin", "User 1"] {
        let new = account(name, Role::Admin);
        let made = accounts.create_account(&new, None, false, &change(1)).await;
        ids.push(made.unwrap().account);
    }
    let [session, token] = ["session", "token"].map(CredentialHash::of);
    let new = NewSession {
        hash: session.clone(),
        account: ids[1].id,
        from: "192.0.2.1".to_owned(),
        agent: "test".to_owned(),
    };
    accounts.begin_session(&new, &change(2)).await.unwrap();
    let new = NewApiToken {
        name: "ci".to_owned(),
        role: Role::Viewer,
        ends_at: at(100),
        account: ids[1].id,
        hash: token.clone(),
    };
    let made = accounts.create_token(&new, &change(3)).await.unwrap();
    accounts.note_session(&session, at(4)).await.unwrap();
    accounts.note_token(made.id, at(4)).await.unwrap();
    let (found, whose) = accounts.session(&session).await.unwrap().unwrap();
    assert_eq!((found.begun_at, found.seen_at), (at(2), at(4)));
    assert_eq!(whose.name, "User 1");
    let (found, _) = accounts.token(&token).await.unwrap().unwrap();
    assert_eq!((found.ends_at, found.used_at), (at(100), Some(at(4))));
    // A token of somebody else is not there for one who does not administer.
    let foreign = accounts
        .delete_token(made.id, Some(ids[0].id), &change(5))
        .await;
    assert_eq!(foreign.unwrap_err().code(), "BL0301");
    assert!(accounts.tokens(Some(ids[0].id)).await.unwrap().is_empty());
    assert_eq!(accounts.tokens(None).await.unwrap(), [found]);
    accounts
        .delete_account(ids[1].id, ids[1].revision, &change(6))
        .await
        .unwrap();
    assert!(accounts.session(&session).await.unwrap().is_none());
    assert!(accounts.token(&token).await.unwrap().is_none());
}

async fn the_audit_is_listed_filtered_and_kept_a_year(opened: &Opened) {
    let Opened { store, accounts } = opened;
    let mut made = store
        .create_job(&new_job("Nightly"), &change(1))
        .await
        .unwrap();
    made.job.value.labels = vec!["Vienna".to_owned()];
    let from = bucketline_app::store::Change {
        from: Some("192.0.2.1".to_owned()),
        ..change(2)
    };
    store
        .replace_job(made.job.id, &made.job.value, made.job.revision, &from)
        .await
        .unwrap();
    let all = accounts
        .audit_entries(&AuditFilter::default(), &PageRequest::first(1))
        .await
        .unwrap();
    let last = &all.items[0];
    assert_eq!(
        (
            last.action.as_str(),
            last.object.as_str(),
            last.from.as_deref()
        ),
        ("job.replace", "Nightly", Some("192.0.2.1"))
    );
    let before = last.before.as_deref().unwrap();
    assert!(!before.contains("Vienna"), "{before}");
    assert!(last.after.as_deref().unwrap().contains("Vienna"));
    let next = PageRequest::after(all.next.unwrap(), 1);
    let rest = accounts
        .audit_entries(&AuditFilter::default(), &next)
        .await
        .unwrap();
    assert_eq!(rest.items[0].action, "job.create");
    assert!(rest.next.is_none());
    for (filter, count) in [
        (
            AuditFilter {
                by: Some("User 1".to_owned()),
                ..AuditFilter::default()
            },
            2,
        ),
        (
            AuditFilter {
                by: Some("User 2".to_owned()),
                ..AuditFilter::default()
            },
            0,
        ),
        (
            AuditFilter {
                action: Some("job.c".to_owned()),
                ..AuditFilter::default()
            },
            1,
        ),
        (
            AuditFilter {
                action: Some("ob".to_owned()),
                ..AuditFilter::default()
            },
            0,
        ),
        (
            AuditFilter {
                since: Some(at(2)),
                ..AuditFilter::default()
            },
            1,
        ),
        (
            AuditFilter {
                object: Some("Nightly".to_owned()),
                ..AuditFilter::default()
            },
            2,
        ),
    ] {
        let found = accounts
            .audit_entries(&filter, &PageRequest::first(10))
            .await;
        assert_eq!(found.unwrap().items.len(), count, "{filter:?}");
    }
    let request = PruneRequest {
        keep: Keep {
            days: 1000,
            runs: 1000,
            event_days: 1000,
        },
        most: 10,
    };
    store.prune(&request, at(366 * 86_400 + 2)).await.unwrap();
    let left = accounts
        .audit_entries(&AuditFilter::default(), &PageRequest::first(10))
        .await
        .unwrap();
    assert_eq!(left.items.len(), 1);
}
