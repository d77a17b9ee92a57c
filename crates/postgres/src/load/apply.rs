//! Making what is staged the content of the table.

use std::sync::Arc;

use async_trait::async_trait;
use bucketline_destination::{
    Counts, DELETED, Error, Keeping, Layout, Replacement, Result, TableName, code, fault,
};
use serde_json::Value;
use tokio_postgres::Client;

use super::Begun;
use super::begin::staging_names;
use crate::connection::Doing;
use crate::evolve::{self, converted};
use crate::name::{Located, quote};
use crate::physical::{self, Kind, quote_all};
use crate::session::{Connected, Work};
use crate::state;

const DOING: &str = "replacing the rows";

/// Makes the staged rows the content of the table.
pub(super) struct Apply {
    pub(super) table: TableName,
    pub(super) located: Located,
    pub(super) begun: Arc<Begun>,
    pub(super) replacement: Replacement,
    pub(super) record: Value,
}

/// The table afterwards.
pub(super) struct Applied {
    pub(super) counts: Counts,
    pub(super) layout: Layout,
    pub(super) names: Vec<String>,
}

#[async_trait]
impl Work for Apply {
    type Outcome = Applied;

    async fn run(&self, at: &mut Connected) -> Result<Applied> {
        let (client, begun, located) = (&*at.client, &*self.begun, &self.located);
        let name = located.sql();
        let staged = begun.staging.as_ref().ok_or_else(fault::not_staged)?;
        let staging = Located::staging(begun.id);
        // Whole tables are compared, for which the ways that suit pages do not.
        let settings = "SET LOCAL enable_seqscan = on; SET LOCAL enable_hashjoin = on;
                        SET LOCAL enable_mergejoin = on";
        let analysis = format!("{settings}; ANALYZE {}", staging.sql());
        client.batch_execute(&analysis).await.doing(DOING)?;
        let found = physical::find(client, located).await?;
        let found = found.filter(|found| found.kind == Kind::Table);
        let found = found.ok_or_else(|| fault::vanished(&self.table))?;
        let mut counts = Counts::default();
        let (layout, names) = if self.replacement == Replacement::Table {
            counts.deleted = count(client, &name).await?;
            evolve::drop_table(client, located).await?;
            let names = staging_names(staged);
            evolve::make(client, located, staged, &names, &begun.plan).await?;
            (staged.clone(), names)
        } else {
            if begun.evolution.rekeyed {
                counts.deleted = count(client, &name).await?;
            }
            let (layout, names) = (&begun.layout, &begun.names);
            let table = (located, found.oid);
            evolve::evolve(client, table, layout, names, &begun.evolution).await?;
            let added = |place: usize| begun.evolution.added.contains(&place);
            evolve::comment(client, located, layout, names, &begun.plan, added).await?;
            (layout.clone(), names.clone())
        };
        let replacing = Replacing {
            client,
            layout: &layout,
            names: &names,
            table: &name,
            staging: converted_staging(&layout, &names, staged, &staging)?,
        };
        counts += replacing
            .replace(self.replacement != Replacement::Present)
            .await?;
        let rows = count(client, &staging.sql()).await?;
        counts.unchanged = rows.saturating_sub(counts.inserted + counts.updated);
        state::save(client, &name, &self.record, &layout).await?;
        state::set_rows(client, &name, count(client, &name).await?).await?;
        state::promote_checkpoints(client, begun.id).await?;
        state::save_staging(client, begun.id, None).await?;
        evolve::drop_table(client, &staging).await?;
        at.forget_statements();
        Ok(Applied {
            counts,
            layout,
            names,
        })
    }
}

async fn count(client: &Client, table: &str) -> Result<u64> {
    let sql = format!("SELECT count(*) FROM {table}");
    let row = client.query_one(&sql, &[]).await.doing("counting rows")?;
    Ok(row.get::<_, i64>(0).unsigned_abs())
}

/// The staging in the names and types of the table, as SQL that can stand after FROM.
fn converted_staging(
    layout: &Layout,
    names: &[String],
    staged: &Layout,
    staging: &Located,
) -> Result<String> {
    let staged_names = staging_names(staged);
    let mut columns = Vec::with_capacity(layout.written.len());
    for place in &layout.written {
        let column = &layout.columns[*place];
        let mut from = staged.columns.iter().zip(&staged_names);
        let from = from.find(|(from, _)| from.name.eq_ignore_ascii_case(&column.name));
        let value = match from {
            Some((from, name)) => converted(&quote(name), from.column_type, column.column_type),
            // Staged by a load that keeps no rows that left.
            None if column.name.eq_ignore_ascii_case(DELETED) => String::from("FALSE"),
            None => {
                let message = format!("the staging lacks the column {}", column.name);
                return Err(Error::new(code::DATABASE, message));
            }
        };
        columns.push(format!("{value} AS {}", quote(&names[*place])));
    }
    Ok(format!(
        "(SELECT {} FROM {})",
        columns.join(", "),
        staging.sql()
    ))
}

struct Replacing<'a> {
    client: &'a Client,
    layout: &'a Layout,
    names: &'a [String],
    /// As SQL.
    table: &'a str,
    /// As SQL that can stand after FROM.
    staging: String,
}

impl Replacing<'_> {
    /// `absent` says whether rows that the staging lacks leave.
    async fn replace(&self, absent: bool) -> Result<Counts> {
        let Self {
            layout,
            table,
            staging,
            ..
        } = self;
        let columns = quote_all(layout.written.iter().map(|place| &self.names[*place]));
        if layout.key.is_empty() {
            let deleted = self.execute(&format!("DELETE FROM {table}")).await?;
            let sql = format!(
                "INSERT INTO {table} ({columns}) SELECT {columns} FROM {staging} AS staged"
            );
            return Ok(Counts {
                inserted: self.execute(&sql).await?,
                deleted,
                ..Counts::default()
            });
        }
        let matches = self.each(&layout.key, |name| {
            format!("present.{name} = staged.{name}")
        });
        let matches = matches.join(" AND ");
        let lacks = format!("NOT EXISTS (SELECT 1 FROM {staging} AS staged WHERE {matches})");
        let deleted = match layout.keeping {
            _ if !absent => 0,
            Keeping::Deleted(deleted) => {
                let deleted = quote(&self.names[deleted]);
                let sql = format!(
                    "UPDATE {table} AS present SET {deleted} = TRUE
                     WHERE NOT present.{deleted} AND {lacks}"
                );
                self.execute(&sql).await?
            }
            Keeping::Nothing | Keeping::Versions(_) => {
                self.execute(&format!("DELETE FROM {table} AS present WHERE {lacks}"))
                    .await?
            }
        };
        let values = layout
            .written
            .iter()
            .filter(|place| !layout.key.contains(place));
        let values: Vec<usize> = values.copied().collect();
        let updated = if values.is_empty() {
            0
        } else {
            let set = self.each(&values, |name| format!("{name} = staged.{name}"));
            let present = self.each(&values, |name| format!("present.{name}"));
            let staged = self.each(&values, |name| format!("staged.{name}"));
            let sql = format!(
                "UPDATE {table} AS present SET {} FROM {staging} AS staged
                 WHERE {matches} AND ROW({}) IS DISTINCT FROM ROW({})",
                set.join(", "),
                present.join(", "),
                staged.join(", ")
            );
            self.execute(&sql).await?
        };
        let sql = format!(
            "INSERT INTO {table} ({columns}) SELECT {columns} FROM {staging} AS staged
             WHERE NOT EXISTS (SELECT 1 FROM {table} AS present WHERE {matches})"
        );
        Ok(Counts {
            inserted: self.execute(&sql).await?,
            updated,
            unchanged: 0,
            deleted,
        })
    }

    fn each(&self, places: &[usize], form: impl Fn(&str) -> String) -> Vec<String> {
        let name = |place: &usize| form(&quote(&self.names[*place]));
        places.iter().map(name).collect()
    }

    async fn execute(&self, sql: &str) -> Result<u64> {
        self.client.execute(sql, &[]).await.doing(DOING)
    }
}
