//! Sessions and API tokens, of which only hashes are kept.

use bucketline_app::people::{
    Account, ApiToken, CredentialHash, NewApiToken, NewSession, Session, SignedIn,
};
use bucketline_app::store::Change;
use bucketline_app::{AccountId, Error, Result, TokenId};
use bucketline_core::code;
use chrono::{DateTime, Utc};

use crate::audit;
use crate::database::{Row, Transaction, not_found, values};

/// What [`signed_in`] reads.
const WHOSE: &str = "a.id, a.name, a.role, a.enabled";

fn signed_in(row: &mut Row) -> Result<SignedIn> {
    Ok(SignedIn {
        account: AccountId(row.integer()?),
        name: row.text()?,
        role: row.word()?,
        enabled: row.truth()?,
    })
}

/// What [`session`] reads.
const SESSION: &str = "s.hash, s.account_id, s.address, s.agent, s.begun_at, s.seen_at";

fn session(row: &mut Row) -> Result<Session> {
    Ok(Session {
        hash: CredentialHash(row.text()?),
        account: AccountId(row.integer()?),
        from: row.text()?,
        agent: row.text()?,
        begun_at: row.time()?,
        seen_at: row.time()?,
    })
}

pub(crate) async fn begin(
    tx: &mut dyn Transaction,
    session: &NewSession,
    change: &Change,
) -> Result<()> {
    let sql = "INSERT INTO sessions (hash, account_id, address, agent, begun_at, seen_at) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?5)";
    let row = values![
        &session.hash.0,
        session.account.0,
        &session.from,
        &session.agent,
        change.at,
    ];
    tx.execute(sql, &row).await?;
    let sql = "UPDATE accounts SET signed_in_at = ?2 WHERE id = ?1";
    tx.execute(sql, &values![session.account.0, change.at])
        .await?;
    audit::note::<Account>(tx, change, "session.begin", &change.by, [None, None]).await
}

pub(crate) async fn one(
    tx: &mut dyn Transaction,
    hash: &CredentialHash,
) -> Result<Option<(Session, SignedIn)>> {
    let sql = format!(
        "SELECT {SESSION}, {WHOSE} FROM sessions s JOIN accounts a ON a.id = s.account_id \
         WHERE s.hash = ?1"
    );
    let row = tx.row(&sql, &values![&hash.0]).await?;
    let found = row.map(|mut row| Ok((session(&mut row)?, signed_in(&mut row)?)));
    found.transpose()
}

pub(crate) async fn of(tx: &mut dyn Transaction, account: AccountId) -> Result<Vec<Session>> {
    let sql = format!(
        "SELECT {SESSION} FROM sessions s WHERE s.account_id = ?1 ORDER BY s.seen_at DESC, s.hash"
    );
    let rows = tx.rows(&sql, &values![account.0]).await?;
    rows.into_iter().map(|mut row| session(&mut row)).collect()
}

pub(crate) async fn note(
    tx: &mut dyn Transaction,
    hash: &CredentialHash,
    at: DateTime<Utc>,
) -> Result<()> {
    let sql = "UPDATE sessions SET seen_at = ?2 WHERE hash = ?1";
    tx.execute(sql, &values![&hash.0, at]).await?;
    Ok(())
}

pub(crate) async fn end(
    tx: &mut dyn Transaction,
    hash: &CredentialHash,
    change: &Change,
) -> Result<()> {
    let sql = "DELETE FROM sessions WHERE hash = ?1";
    match tx.execute(sql, &values![&hash.0]).await? {
        0 => Ok(()),
        _ => audit::note::<Account>(tx, change, "session.end", &change.by, [None, None]).await,
    }
}

/// What [`token`] reads.
const TOKEN: &str = "t.id, t.name, t.account_id, t.role, t.created_at, t.ends_at, t.used_at";

fn token(row: &mut Row) -> Result<ApiToken> {
    Ok(ApiToken {
        id: TokenId(row.integer()?),
        name: row.text()?,
        account: AccountId(row.integer()?),
        role: row.word()?,
        created_at: row.time()?,
        ends_at: row.time()?,
        used_at: row.optional_time()?,
    })
}

pub(crate) async fn create_token(
    tx: &mut dyn Transaction,
    new: &NewApiToken,
    change: &Change,
) -> Result<ApiToken> {
    let sql = "INSERT INTO api_tokens (account_id, name, hash, role, created_at, ends_at) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let row = values![
        new.account.0,
        &new.name,
        &new.hash.0,
        new.role.word(),
        change.at,
        new.ends_at,
    ];
    tx.execute(sql, &row).await?;
    let made = one_token(tx, &new.hash).await?;
    let missing = || Error::new(code::store::DEFECT, "a token that was added is not there");
    let (made, _) = made.ok_or_else(missing)?;
    audit::note(tx, change, "token.create", &new.name, [None, Some(&made)]).await?;
    Ok(made)
}

pub(crate) async fn one_token(
    tx: &mut dyn Transaction,
    hash: &CredentialHash,
) -> Result<Option<(ApiToken, SignedIn)>> {
    let sql = format!(
        "SELECT {TOKEN}, {WHOSE} FROM api_tokens t JOIN accounts a ON a.id = t.account_id \
         WHERE t.hash = ?1"
    );
    let row = tx.row(&sql, &values![&hash.0]).await?;
    let found = row.map(|mut row| Ok((token(&mut row)?, signed_in(&mut row)?)));
    found.transpose()
}

pub(crate) async fn tokens(
    tx: &mut dyn Transaction,
    account: Option<AccountId>,
) -> Result<Vec<ApiToken>> {
    let sql =
        format!("SELECT {TOKEN} FROM api_tokens t WHERE ?1 = 0 OR t.account_id = ?1 ORDER BY t.id");
    let account = account.map_or(0, |id| id.0);
    let rows = tx.rows(&sql, &values![account]).await?;
    rows.into_iter().map(|mut row| token(&mut row)).collect()
}

pub(crate) async fn note_token(
    tx: &mut dyn Transaction,
    id: TokenId,
    at: DateTime<Utc>,
) -> Result<()> {
    let sql = "UPDATE api_tokens SET used_at = ?2 WHERE id = ?1";
    tx.execute(sql, &values![id.0, at]).await?;
    Ok(())
}

pub(crate) async fn delete_token(
    tx: &mut dyn Transaction,
    id: TokenId,
    account: Option<AccountId>,
    change: &Change,
) -> Result<()> {
    let mut found = tokens(tx, account).await?;
    found.retain(|token| token.id == id);
    let found = found.pop().ok_or_else(|| not_found("token", id.0))?;
    tx.execute("DELETE FROM api_tokens WHERE id = ?1", &values![id.0])
        .await?;
    audit::note(
        tx,
        change,
        "token.delete",
        &found.name,
        [Some(&found), None],
    )
    .await
}
