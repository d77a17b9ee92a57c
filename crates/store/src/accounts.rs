//! Accounts.

use bucketline_app::people::{Account, AccountEntry, CredentialHash, Role};
use bucketline_app::store::Change;
use bucketline_app::{AccountId, Error, Problems, Result, Revision, name};
use bucketline_core::code;

use crate::audit;
use crate::database::{Row, Transaction, Value, not_found, values};
use crate::definitions::{self, STORED, must_be, name_taken, stored, touch, with_value};

fn entry(row: &mut Row) -> Result<AccountEntry> {
    let stored = stored(row, AccountId)?;
    let account = Account {
        name: row.text()?,
        role: row.word()?,
        enabled: row.truth()?,
    };
    Ok(AccountEntry {
        account: with_value(stored, account),
        signed_in_at: row.optional_time()?,
        has_password: false,
    })
}

/// Accounts and the hashes of their passwords.
async fn find(
    tx: &mut dyn Transaction,
    rest: &str,
    values: &[Value],
) -> Result<Vec<(AccountEntry, Option<String>)>> {
    let sql = format!(
        "SELECT {STORED}, name, role, enabled, signed_in_at, password FROM accounts {rest}"
    );
    let rows = tx.rows(&sql, values).await?;
    let found = rows.into_iter().map(|mut row| {
        let mut entry = entry(&mut row)?;
        let password = row.optional_text()?;
        entry.has_password = password.is_some();
        Ok((entry, password))
    });
    found.collect()
}

pub(crate) async fn list(tx: &mut dyn Transaction) -> Result<Vec<AccountEntry>> {
    let found = find(tx, "ORDER BY name_key", &[]).await?;
    Ok(found.into_iter().map(|(entry, _)| entry).collect())
}

pub(crate) async fn has_any(tx: &mut dyn Transaction) -> Result<bool> {
    let row = tx.row("SELECT 1 FROM accounts LIMIT 1", &[]).await?;
    Ok(row.is_some())
}

pub(crate) async fn numbered(
    tx: &mut dyn Transaction,
    id: AccountId,
) -> Result<Option<AccountEntry>> {
    let found = find(tx, "WHERE id = ?1", &values![id.0]).await?;
    Ok(found.into_iter().next().map(|(entry, _)| entry))
}

async fn existing(tx: &mut dyn Transaction, id: AccountId) -> Result<AccountEntry> {
    let found = numbered(tx, id).await?;
    found.ok_or_else(|| not_found("account", id.0))
}

pub(crate) async fn named(
    tx: &mut dyn Transaction,
    name: &str,
) -> Result<Option<(AccountEntry, Option<String>)>> {
    let found = find(tx, "WHERE name_key = ?1", &values![name::key(name)]).await?;
    Ok(found.into_iter().next())
}

fn check(account: &Account) -> Result<()> {
    Problems::check(&format!("account {}", account.name), account.problems())
}

pub(crate) async fn create(
    tx: &mut dyn Transaction,
    account: &Account,
    password: Option<&str>,
    is_first: bool,
    change: &Change,
) -> Result<AccountEntry> {
    check(account)?;
    definitions::begin(tx).await?;
    if is_first && has_any(tx).await? {
        let message = "there is an account already";
        return Err(Error::new(code::people::NOT_FIRST, message).with_hint("sign in with it"));
    }
    if named(tx, &account.name).await?.is_some() {
        return Err(name_taken("account", &account.name));
    }
    let sql = "INSERT INTO accounts (name, name_key, role, enabled, password, revision, created_at, \
               changed_at, changed_by) VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6, ?6, ?7)";
    let row = values![
        &account.name,
        name::key(&account.name),
        account.role.word(),
        account.enabled,
        password,
        change.at,
        &change.by,
    ];
    tx.execute(sql, &row).await?;
    audit::note(
        tx,
        change,
        "account.create",
        &account.name,
        [None, Some(account)],
    )
    .await?;
    let made = named(tx, &account.name).await?;
    let missing = || {
        Error::new(
            code::store::DEFECT,
            "an account that was added is not there",
        )
    };
    made.map(|(entry, _)| entry).ok_or_else(missing)
}

/// Refuses a change after which nobody administers.
async fn keep_an_admin(tx: &mut dyn Transaction, but: AccountId) -> Result<()> {
    let sql = "SELECT count(*) FROM accounts WHERE role = ?1 AND enabled AND id <> ?2";
    match tx.number(sql, &values![Role::Admin.word(), but.0]).await? {
        0 => {
            let message = "nobody who administers would be left";
            Err(Error::new(code::people::LAST_ADMIN, message)
                .with_hint("let another account administer first"))
        }
        _ => Ok(()),
    }
}

fn administers(account: &Account) -> bool {
    account.role == Role::Admin && account.enabled
}

pub(crate) async fn replace(
    tx: &mut dyn Transaction,
    id: AccountId,
    account: &Account,
    revision: Revision,
    change: &Change,
) -> Result<AccountEntry> {
    check(account)?;
    definitions::begin(tx).await?;
    let before = existing(tx, id).await?.account;
    must_be("account", &before.value.name, before.revision, revision)?;
    let other = named(tx, &account.name).await?;
    if other.is_some_and(|(other, _)| other.account.id != id) {
        return Err(name_taken("account", &account.name));
    }
    if administers(&before.value) && !administers(account) {
        keep_an_admin(tx, id).await?;
    }
    let sql = "UPDATE accounts SET name = ?2, name_key = ?3, role = ?4, enabled = ?5 WHERE id = ?1";
    let row = values![
        id.0,
        &account.name,
        name::key(&account.name),
        account.role.word(),
        account.enabled,
    ];
    tx.execute(sql, &row).await?;
    touch(tx, "accounts", id.0, change).await?;
    if account.role < before.value.role || !account.enabled {
        end_sessions(tx, id, None).await?;
    }
    audit::note(
        tx,
        change,
        "account.replace",
        &account.name,
        [Some(&before.value), Some(account)],
    )
    .await?;
    existing(tx, id).await
}

pub(crate) async fn set_password(
    tx: &mut dyn Transaction,
    id: AccountId,
    password: &str,
    but: Option<&CredentialHash>,
    change: &Change,
) -> Result<()> {
    definitions::begin(tx).await?;
    let account = existing(tx, id).await?.account.value;
    let sql = "UPDATE accounts SET password = ?2 WHERE id = ?1";
    tx.execute(sql, &values![id.0, password]).await?;
    end_sessions(tx, id, but).await?;
    audit::note::<Account>(tx, change, "account.password", &account.name, [None, None]).await
}

async fn end_sessions(
    tx: &mut dyn Transaction,
    id: AccountId,
    but: Option<&CredentialHash>,
) -> Result<()> {
    let but = but.map_or("", |hash| hash.0.as_str());
    let sql = "DELETE FROM sessions WHERE account_id = ?1 AND hash <> ?2";
    tx.execute(sql, &values![id.0, but]).await?;
    Ok(())
}

pub(crate) async fn delete(
    tx: &mut dyn Transaction,
    id: AccountId,
    revision: Revision,
    change: &Change,
) -> Result<()> {
    definitions::begin(tx).await?;
    let found = existing(tx, id).await?.account;
    must_be("account", &found.value.name, found.revision, revision)?;
    if administers(&found.value) {
        keep_an_admin(tx, id).await?;
    }
    // Its sessions and tokens go with it.
    tx.execute("DELETE FROM accounts WHERE id = ?1", &values![id.0])
        .await?;
    let object = &found.value.name;
    audit::note(
        tx,
        change,
        "account.delete",
        object,
        [Some(&found.value), None],
    )
    .await
}
