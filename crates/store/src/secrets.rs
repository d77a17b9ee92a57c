//! Secrets that were typed in, sealed by a key that is not in the store.

use std::collections::BTreeMap;

use bucketline_app::store::Change;
use bucketline_app::vault::{Key, KeyId, Place, Resealed};
use bucketline_app::{Connection, ConnectionId, Result, Vault, property_key};

use crate::database::{Transaction, values};
use crate::{audit, definitions, sign_in, tokens};

/// What the canary of a key says.
const CANARY: &str = "bucketline";

/// What seals the secrets of a store.
#[derive(Debug, Clone)]
pub(crate) struct Sealing {
    pub(crate) vault: Vault,
    /// Other nodes have to open them, too.
    pub(crate) is_shared: bool,
}

/// Secrets by the keys of their properties.
type Opened = BTreeMap<String, String>;

/// The secrets of a connection that can be opened.
pub(crate) async fn open(
    tx: &mut dyn Transaction,
    sealing: &Sealing,
    id: ConnectionId,
) -> Result<Opened> {
    let sql = "SELECT property, key_id, sealed FROM secrets WHERE connection_id = ?1";
    let mut opened = Opened::new();
    for mut row in tx.rows(sql, &values![id.0]).await? {
        let (property, key, sealed) = (row.text()?, KeyId(row.text()?), row.text()?);
        let place = Place::Property(id, &property);
        if let Some(secret) = sealing.vault.open(place, &key, &sealed) {
            opened.insert(property, secret);
        }
    }
    Ok(opened)
}

/// The secrets of a connection that are not among those that were opened.
pub(crate) fn missing(connection: &Connection, opened: &Opened) -> Vec<String> {
    let kept = connection.kept_secrets();
    let missing = kept.filter(|name| !opened.contains_key(&property_key(name)));
    missing.map(str::to_owned).collect()
}

/// The connection with its secrets.
pub(crate) fn filled(mut connection: Connection, opened: &Opened) -> Connection {
    let kept: Vec<_> = connection.kept_secrets().map(str::to_owned).collect();
    for name in kept {
        if let Some(secret) = opened.get(&property_key(&name)) {
            connection.properties.insert(name, secret.clone());
        }
    }
    connection
}

/// Seals what was typed in for a connection, and removes what it has no longer.
pub(crate) async fn keep(
    tx: &mut dyn Transaction,
    sealing: &Sealing,
    id: ConnectionId,
    connection: &Connection,
    change: &Change,
) -> Result<()> {
    let kept: Vec<_> = connection.kept_secrets().map(property_key).collect();
    let sql = "SELECT property FROM secrets WHERE connection_id = ?1";
    for mut row in tx.rows(sql, &values![id.0]).await? {
        let property = row.text()?;
        if !kept.contains(&property) {
            let sql = "DELETE FROM secrets WHERE connection_id = ?1 AND property = ?2";
            tx.execute(sql, &values![id.0, property]).await?;
        }
    }
    let typed: Vec<_> = connection.typed_secrets().collect();
    if typed.is_empty() {
        return Ok(());
    }
    let key = current(tx, sealing, change).await?;
    for (name, secret) in typed {
        let property = property_key(name);
        let sealed = key.seal(Place::Property(id, &property), secret)?;
        let sql =
            "INSERT INTO secrets (connection_id, property, key_id, sealed) VALUES (?1, ?2, ?3, ?4)";
        let row = values![id.0, property, &key.id().0, sealed];
        tx.execute(sql, &row).await?;
    }
    Ok(())
}

/// The key that seals. The store remembers which ones did.
async fn current(tx: &mut dyn Transaction, sealing: &Sealing, change: &Change) -> Result<Key> {
    let known = tx.number("SELECT COUNT(*) FROM secret_keys", &[]).await?;
    // Where another node has a key already, one that is made here would open nothing there.
    let key = sealing.vault.to_seal(!sealing.is_shared || known == 0)?;
    let sql = "SELECT canary FROM secret_keys WHERE key_id = ?1";
    if tx.row(sql, &values![&key.id().0]).await?.is_none() {
        let sql = "INSERT INTO secret_keys (key_id, canary, made_at) VALUES (?1, ?2, ?3)";
        let canary = key.seal(Place::Canary, CANARY)?;
        tx.execute(sql, &values![&key.id().0, canary, change.at])
            .await?;
    }
    Ok(key)
}

/// See [`Store::reseal`](bucketline_app::Store::reseal).
pub(crate) async fn reseal(
    tx: &mut dyn Transaction,
    sealing: &Sealing,
    change: &Change,
) -> Result<Resealed> {
    definitions::begin(tx).await?;
    let key = current(tx, sealing, change).await?;
    let sql = "SELECT s.connection_id, c.name, s.property, s.key_id, s.sealed \
               FROM secrets s JOIN connections c ON c.id = s.connection_id \
               ORDER BY c.name_key, s.property";
    let mut done = Resealed::default();
    for mut row in tx.rows(sql, &[]).await? {
        let (id, name, property) = (ConnectionId(row.integer()?), row.text()?, row.text()?);
        let (old, sealed) = (KeyId(row.text()?), row.text()?);
        let place = Place::Property(id, &property);
        let Some(secret) = sealing.vault.open(place, &old, &sealed) else {
            done.left.push(format!("{name}: {property}"));
            continue;
        };
        let sealed = key.seal(place, &secret)?;
        let sql = "UPDATE secrets SET key_id = ?3, sealed = ?4 \
                   WHERE connection_id = ?1 AND property = ?2";
        tx.execute(sql, &values![id.0, &property, &key.id().0, sealed])
            .await?;
        done.sealed += 1;
    }
    for (sign_in, sealed) in tokens::all(tx).await? {
        match sign_in::open(&sealing.vault, &sign_in, &sealed) {
            Some(text) => {
                let sealed = sign_in::seal(&key, &sign_in, &text)?;
                tokens::save(tx, &sign_in, &sealed).await?;
                done.sealed += 1;
            }
            None => done.left.push(format!("tokens of {sign_in}")),
        }
    }
    let sql =
        "DELETE FROM secret_keys WHERE key_id <> ?1 AND key_id NOT IN (SELECT key_id FROM secrets)";
    tx.execute(sql, &values![&key.id().0]).await?;
    audit::note::<Connection>(tx, change, "secrets.reseal", &key.id().0, [None, None]).await?;
    for mut row in tx.rows("SELECT key_id FROM secret_keys", &[]).await? {
        done.used.push(KeyId(row.text()?));
    }
    Ok(done)
}

/// Whether secrets were sealed before, and not by the key that seals now.
pub(crate) async fn is_foreign(tx: &mut dyn Transaction, sealing: &Sealing) -> Result<bool> {
    let mut canaries = tx
        .rows("SELECT key_id, canary FROM secret_keys", &[])
        .await?;
    let Some(current) = sealing.vault.current() else {
        return Ok(!canaries.is_empty());
    };
    let mut is_known = canaries.is_empty();
    for row in &mut canaries {
        let (key, canary) = (KeyId(row.text()?), row.text()?);
        is_known |= key == current
            && sealing.vault.open(Place::Canary, &key, &canary).as_deref() == Some(CANARY);
    }
    Ok(!is_known)
}
