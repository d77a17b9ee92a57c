//! Connections.

use bucketline_app::store::{Change, ConnectionFilter, Page, PageRequest};
use bucketline_app::vault::{Revealed, SecretsState};
use bucketline_app::{
    Connection, ConnectionEntry, ConnectionId, ConnectionTest, Error, Problems, Result, Revision,
    name,
};
use bucketline_core::code;

use crate::database::{Row, Transaction, Value, not_found, to_json, values};
use crate::definitions::{
    self, STORED, label_keys, label_pattern, must_be, name_taken, part_pattern, stored, touch,
    with_value,
};
use crate::secrets::Sealing;
use crate::{audit, jobs, pages, secrets, tokens};

fn entry(mut row: Row) -> Result<ConnectionEntry> {
    let stored = stored(&mut row, ConnectionId)?;
    let connection = Connection {
        name: row.text()?,
        properties: row.json()?,
        labels: row.json()?,
    };
    Ok(ConnectionEntry {
        connection: with_value(stored, connection),
        tested: row.optional_json()?,
        to_enter: Vec::new(),
    })
}

async fn find(
    tx: &mut dyn Transaction,
    sealing: &Sealing,
    rest: &str,
    values: &[Value],
) -> Result<Vec<ConnectionEntry>> {
    let sql = format!("SELECT {STORED}, name, properties, labels, tested FROM connections {rest}");
    let rows = tx.rows(&sql, values).await?;
    let mut found = Vec::new();
    for row in rows {
        let mut entry = entry(row)?;
        let stored = &entry.connection;
        if stored.value.kept_secrets().next().is_some() {
            let opened = secrets::open(tx, sealing, stored.id).await?;
            entry.to_enter = secrets::missing(&stored.value, &opened);
        }
        found.push(entry);
    }
    Ok(found)
}

pub(crate) async fn list(
    tx: &mut dyn Transaction,
    sealing: &Sealing,
    filter: &ConnectionFilter,
    page: &PageRequest,
) -> Result<Page<ConnectionEntry>> {
    let mut conditions = pages::Conditions::default();
    if let Some(text) = &filter.text {
        conditions.add(
            "name_key LIKE ? ESCAPE '\\'",
            [part_pattern(&name::key(text))],
        );
    }
    if let Some(label) = &filter.label {
        conditions.add("label_keys LIKE ? ESCAPE '\\'", [label_pattern(label)]);
    }
    let total = conditions.count(tx, "connections").await?;
    if let Some(cursor) = &page.after {
        let [after] = cursor.keys("connections")?;
        conditions.add("name_key > ?", [after]);
    }
    let rest = format!("{conditions} ORDER BY name_key LIMIT {}", page.size() + 1);
    let found = find(tx, sealing, &rest, conditions.values()).await?;
    Ok(pages::page("connections", found, page, total, |entry| {
        vec![name::key(&entry.connection.value.name)]
    }))
}

pub(crate) async fn named(
    tx: &mut dyn Transaction,
    sealing: &Sealing,
    name: &str,
) -> Result<Option<ConnectionEntry>> {
    let found = find(
        tx,
        sealing,
        "WHERE name_key = ?1",
        &values![name::key(name)],
    )
    .await?;
    Ok(found.into_iter().next())
}

/// See [`Store::reveal`](bucketline_app::Store::reveal).
pub(crate) async fn reveal(
    tx: &mut dyn Transaction,
    sealing: &Sealing,
    name: &str,
) -> Result<Option<Revealed>> {
    let Some(entry) = named(tx, sealing, name).await? else {
        return Ok(None);
    };
    let ConnectionEntry {
        connection,
        to_enter,
        ..
    } = entry;
    let id = connection.id;
    let opened = secrets::open(tx, sealing, id).await?;
    let Connection {
        name, properties, ..
    } = secrets::filled(connection.value, &opened);
    Ok(Some(Revealed {
        id,
        name,
        properties,
        to_enter,
    }))
}

/// See [`Store::secrets_state`](bucketline_app::Store::secrets_state).
pub(crate) async fn secrets_state(
    tx: &mut dyn Transaction,
    sealing: &Sealing,
) -> Result<SecretsState> {
    let found = find(tx, sealing, "ORDER BY name_key", &[]).await?;
    let told = found.into_iter().flat_map(|entry| {
        let name = entry.connection.value.name;
        let properties = entry.to_enter.into_iter();
        properties.map(move |property| format!("{name}: {property}"))
    });
    Ok(SecretsState {
        to_enter: told.collect(),
        key_is_other: secrets::is_foreign(tx, sealing).await?,
    })
}

async fn numbered(
    tx: &mut dyn Transaction,
    sealing: &Sealing,
    id: ConnectionId,
) -> Result<ConnectionEntry> {
    let found = find(tx, sealing, "WHERE id = ?1", &values![id.0]).await?;
    found
        .into_iter()
        .next()
        .ok_or_else(|| not_found("connection", id.0))
}

fn check(connection: &Connection) -> Result<()> {
    Problems::check(
        &format!("connection {}", connection.name),
        connection.problems(),
    )
}

pub(crate) async fn create(
    tx: &mut dyn Transaction,
    sealing: &Sealing,
    connection: &Connection,
    change: &Change,
) -> Result<ConnectionEntry> {
    check(connection)?;
    definitions::begin(tx).await?;
    if named(tx, sealing, &connection.name).await?.is_some() {
        return Err(name_taken("connection", &connection.name));
    }
    let sealed = connection.sealed();
    let sql = "INSERT INTO connections (name, name_key, properties, labels, label_keys, revision, \
               created_at, changed_at, changed_by) \
               VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6, ?6, ?7)";
    let row = values![
        &connection.name,
        name::key(&connection.name),
        to_json(&sealed.properties)?,
        to_json(&connection.labels)?,
        label_keys(&connection.labels),
        change.at,
        &change.by,
    ];
    tx.execute(sql, &row).await?;
    let made = named(tx, sealing, &connection.name).await?;
    let made = made.ok_or_else(|| {
        Error::new(
            code::store::DEFECT,
            "a connection that was added is not there",
        )
    })?;
    let id = made.connection.id;
    secrets::keep(tx, sealing, id, connection, change).await?;
    let object = &connection.name;
    audit::note(
        tx,
        change,
        "connection.create",
        object,
        [None, Some(&sealed)],
    )
    .await?;
    numbered(tx, sealing, id).await
}

pub(crate) async fn replace(
    tx: &mut dyn Transaction,
    sealing: &Sealing,
    id: ConnectionId,
    connection: &Connection,
    revision: Revision,
    change: &Change,
) -> Result<ConnectionEntry> {
    check(connection)?;
    definitions::begin(tx).await?;
    let before = numbered(tx, sealing, id).await?.connection;
    must_be("connection", &before.value.name, before.revision, revision)?;
    let sealed = connection.sealed();
    Problems::check(
        &format!("connection {}", connection.name),
        connection.problems_after(&before.value),
    )?;
    let key = name::key(&connection.name);
    let other = named(tx, sealing, &connection.name).await?;
    if other.is_some_and(|other| other.connection.id != id) {
        return Err(name_taken("connection", &connection.name));
    }
    let sql = "UPDATE connections SET name = ?2, name_key = ?3, properties = ?4, labels = ?5, \
               label_keys = ?6 WHERE id = ?1";
    let row = values![
        id.0,
        &connection.name,
        &key,
        to_json(&sealed.properties)?,
        to_json(&connection.labels)?,
        label_keys(&connection.labels),
    ];
    tx.execute(sql, &row).await?;
    secrets::keep(tx, sealing, id, connection, change).await?;
    if before.value.properties != connection.properties {
        let sql = "UPDATE connections SET tested = NULL WHERE id = ?1";
        tx.execute(sql, &values![id.0]).await?;
    }
    touch(tx, "connections", id.0, change).await?;
    if before.value.name != connection.name {
        jobs::rename_connection(tx, &before.value.name, &connection.name, change).await?;
    }
    let object = &connection.name;
    audit::note(
        tx,
        change,
        "connection.replace",
        object,
        [Some(&before.value), Some(&sealed)],
    )
    .await?;
    numbered(tx, sealing, id).await
}

pub(crate) async fn delete(
    tx: &mut dyn Transaction,
    sealing: &Sealing,
    id: ConnectionId,
    revision: Revision,
    change: &Change,
) -> Result<()> {
    definitions::begin(tx).await?;
    let found = numbered(tx, sealing, id).await?.connection;
    let name = &found.value.name;
    must_be("connection", name, found.revision, revision)?;
    let users = jobs::that_use(tx, name).await?;
    if let Some(first) = users.first() {
        let others = match users.len() - 1 {
            0 => String::new(),
            others => format!(" and {others} more"),
        };
        let message = format!("job `{first}`{others} uses the connection `{name}`");
        return Err(Error::new(code::store::IN_USE, message)
            .with_hint("give those jobs another connection, or delete them"));
    }
    tokens::forget(tx, &id.sign_in()).await?;
    tx.execute("DELETE FROM connections WHERE id = ?1", &values![id.0])
        .await?;
    audit::note(
        tx,
        change,
        "connection.delete",
        name,
        [Some(&found.value), None],
    )
    .await
}

pub(crate) async fn note_test(
    tx: &mut dyn Transaction,
    id: ConnectionId,
    revision: Revision,
    test: &ConnectionTest,
) -> Result<()> {
    let sql = "UPDATE connections SET tested = ?3 WHERE id = ?1 AND revision = ?2";
    tx.execute(sql, &values![id.0, revision.0, to_json(test)?])
        .await?;
    Ok(())
}
