//! Processes that serve the application.

use bucketline_app::store::{Beat, Claim, NewNode, Node, Reclaimed, Silence};
use bucketline_app::{Error, NodeId, Result, RunId};
use bucketline_core::code;
use chrono::{DateTime, Utc};

use crate::database::{Topic, Transaction, values};
use crate::{pages, queue};

pub(crate) async fn join(
    tx: &mut dyn Transaction,
    node: &NewNode,
    at: DateTime<Utc>,
) -> Result<NodeId> {
    let sql = "INSERT INTO nodes (name, version, joined_at, seen_at) VALUES (?1, ?2, ?3, ?3) \
               RETURNING id";
    let made = tx.row(sql, &values![&node.name, &node.version, at]).await?;
    match made {
        Some(mut row) => Ok(NodeId(row.integer()?)),
        None => Err(Error::new(
            code::store::DEFECT,
            "a node that was added is not there",
        )),
    }
}

pub(crate) async fn beat(
    tx: &mut dyn Transaction,
    node: NodeId,
    at: DateTime<Utc>,
) -> Result<Beat> {
    let sql = "UPDATE nodes SET seen_at = ?2 WHERE id = ?1";
    if tx.execute(sql, &values![node.0, at]).await? == 0 {
        let message = format!("node {node} was silent too long and has been given up");
        return Err(Error::new(code::store::FENCED, message));
    }
    let sql = "SELECT id FROM runs WHERE node_id = ?1 AND cancel_asked ORDER BY id";
    let rows = tx.rows(sql, &values![node.0]).await?;
    let cancel = rows.into_iter().map(|mut row| row.integer().map(RunId));
    Ok(Beat {
        cancel: cancel.collect::<Result<_>>()?,
    })
}

pub(crate) async fn leave(tx: &mut dyn Transaction, node: NodeId, at: DateTime<Utc>) -> Result<()> {
    tx.alone(Topic::Nodes).await?;
    for claim in queue::held_by(tx, &[node]).await? {
        queue::release(tx, &claim, at).await?;
    }
    tx.execute("DELETE FROM nodes WHERE id = ?1", &values![node.0])
        .await?;
    Ok(())
}

pub(crate) async fn list(tx: &mut dyn Transaction) -> Result<Vec<Node>> {
    let sql = "SELECT id, name, version, joined_at, seen_at FROM nodes ORDER BY id";
    let rows = tx.rows(sql, &[]).await?;
    let nodes = rows.into_iter().map(|mut row| {
        Ok(Node {
            id: NodeId(row.integer()?),
            name: row.text()?,
            version: row.text()?,
            joined_at: row.time()?,
            seen_at: row.time()?,
        })
    });
    nodes.collect()
}

pub(crate) async fn reclaim(
    tx: &mut dyn Transaction,
    is_shared: bool,
    silence: &Silence,
    at: DateTime<Utc>,
) -> Result<Vec<Reclaimed>> {
    tx.alone(Topic::Nodes).await?;
    // Before the clock was set back, a node could be seen in what is the future now. It has until its silence from now on.
    let sql = "UPDATE nodes SET seen_at = ?1 WHERE seen_at > ?1";
    tx.execute(sql, &values![at]).await?;
    let condition = if is_shared { " AND seen_at < ?2" } else { "" };
    let sql = format!(
        "SELECT id FROM nodes WHERE id <> ?1{condition} ORDER BY id{}",
        tx.dialect().for_update
    );
    let row = values![silence.but.0, silence.since];
    let row = if is_shared { &row[..] } else { &row[..1] };
    let rows = tx.rows(&sql, row).await?;
    let dead = rows.into_iter().map(|mut row| row.integer().map(NodeId));
    let dead = dead.collect::<Result<Vec<_>>>()?;
    if dead.is_empty() {
        return Ok(Vec::new());
    }
    let mut reclaimed = Vec::new();
    for claim in queue::held_by(tx, &dead).await? {
        reclaimed.push(interrupt(tx, &claim, silence, at).await?);
    }
    let dead = pages::listed(dead.iter().map(|node| node.0));
    tx.execute(&format!("DELETE FROM nodes WHERE id IN ({dead})"), &[])
        .await?;
    Ok(reclaimed)
}

async fn interrupt(
    tx: &mut dyn Transaction,
    claim: &Claim,
    silence: &Silence,
    at: DateTime<Utc>,
) -> Result<Reclaimed> {
    let (job, state) = queue::interrupt(tx, claim, silence.most, &silence.failure, at).await?;
    Ok(Reclaimed {
        run: claim.run,
        job,
        node: claim.node,
        state,
    })
}
