//! Tables made, and made to fit a plan.

use bucketline_destination::{
    ColumnType, DELETED, Error, Evolution, Layout, LoadPlan, Result, code,
};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use crate::connection::{Cause, Doing, failed, scrubbed};
use crate::encode::sql_type;
use crate::name::{Located, literal, quote};
use crate::physical::{self, quote_all};

const DOING: &str = "changing the table";

/// Makes a table as a plan wants it, with its indexes and comments.
pub(crate) async fn make(
    client: &Client,
    table: &Located,
    layout: &Layout,
    names: &[String],
    plan: &LoadPlan,
) -> Result<()> {
    create(client, table, layout, names).await?;
    if let Some(doc) = &plan.doc {
        let sql = format!("COMMENT ON TABLE {} IS {}", table.sql(), literal(doc));
        client.batch_execute(&sql).await.doing(DOING)?;
    }
    comment(client, table, layout, names, plan, |_| true).await?;
    index(client, table, layout, names, plan).await
}

/// Makes a table. `names` are those of the layout's columns.
pub(crate) async fn create(
    client: &Client,
    table: &Located,
    layout: &Layout,
    names: &[String],
) -> Result<()> {
    let columns = layout.columns.iter().zip(names);
    let mut parts: Vec<String> = columns
        .map(|(column, name)| {
            let constraint = match column.name.as_str() {
                _ if column.key => " NOT NULL",
                DELETED => " NOT NULL DEFAULT FALSE",
                _ => "",
            };
            format!(
                "{} {}{constraint}",
                quote(name),
                sql_type(column.column_type)
            )
        })
        .collect();
    parts.extend(key_definition(layout, names));
    let sql = format!("CREATE TABLE {} ({})", table.sql(), parts.join(", "));
    client.batch_execute(&sql).await.doing("creating the table")
}

/// Makes the indexes that a plan wants.
async fn index(
    client: &Client,
    table: &Located,
    layout: &Layout,
    names: &[String],
    plan: &LoadPlan,
) -> Result<()> {
    for wanted in &plan.indexes {
        let mut columns = layout.columns.iter().zip(names);
        let found = columns.find(|(column, _)| column.name.eq_ignore_ascii_case(wanted));
        if let Some((_, name)) = found {
            let sql = format!("CREATE INDEX ON {} ({})", table.sql(), quote(name));
            client.batch_execute(&sql).await.doing("making an index")?;
        }
    }
    Ok(())
}

/// Makes a schema that is missing.
pub(crate) async fn create_schema(client: &Client, schema: &str) -> Result<()> {
    let sql = "SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1";
    let there = client.query_opt(sql, &[&schema]).await.doing(DOING)?;
    if there.is_some() {
        return Ok(());
    }
    crate::state::lock_making(client).await?;
    let sql = format!("CREATE SCHEMA IF NOT EXISTS {}", quote(schema));
    let made = client.batch_execute(&sql).await;
    made.doing(&format!("creating the schema {schema}"))
        .map_err(|error| {
            error.with_hint("this user needs CREATE on the database, or the schema made for it")
        })
}

/// Notes in the table's own words what its columns are.
pub(crate) async fn comment(
    client: &Client,
    table: &Located,
    layout: &Layout,
    names: &[String],
    plan: &LoadPlan,
    places: impl Fn(usize) -> bool,
) -> Result<()> {
    let mut sql = String::new();
    for (index, column) in plan.columns.iter().enumerate() {
        let place = layout
            .written
            .get(index)
            .copied()
            .filter(|place| places(*place));
        if let (Some(place), Some(doc)) = (place, &column.doc) {
            let (table, name) = (table.sql(), quote(&names[place]));
            sql.push_str(&format!(
                "COMMENT ON COLUMN {table}.{name} IS {};",
                literal(doc)
            ));
        }
    }
    if sql.is_empty() {
        return Ok(());
    }
    client.batch_execute(&sql).await.doing(DOING)
}

/// Drops a table of ours.
pub(crate) async fn drop_table(client: &Client, table: &Located) -> Result<()> {
    let sql = format!("DROP TABLE IF EXISTS {}", table.sql());
    client.batch_execute(&sql).await.map_err(|error| {
        depended_on(error, "dropping a table", || {
            format!(
                "{}.{} cannot be replaced: views or other objects depend on it",
                table.schema, table.name
            )
        })
    })
}

/// An error that says so if something of the user's depends on what was to change.
fn depended_on(
    error: tokio_postgres::Error,
    doing: &str,
    message: impl FnOnce() -> String,
) -> Error {
    let depends = error.code().is_some_and(|code| {
        *code == SqlState::DEPENDENT_OBJECTS_STILL_EXIST || *code == SqlState::FEATURE_NOT_SUPPORTED
    });
    if !depends {
        return failed(doing, error);
    }
    let detail = error
        .as_db_error()
        .and_then(|db| db.detail())
        .unwrap_or_default();
    let detail = detail.lines().next().unwrap_or_default();
    held_by(format!("{} ({})", message(), scrubbed(detail))).with_source(Cause(error))
}

/// Refuses a staged load before it fetches anything, if what it is to do at its end cannot be done.
pub(crate) async fn check(
    client: &Client,
    (table, oid): (&Located, u32),
    layout: &Layout,
    names: &[String],
    evolution: &Evolution,
    recreates: bool,
) -> Result<()> {
    let name = table.table_name();
    if recreates {
        return match dependent(client, oid, None).await? {
            Some(what) => Err(held_by(format!(
                "{name} cannot be replaced: {what} depends on it"
            ))),
            None => Ok(()),
        };
    }
    check_added(client, oid, layout, names, evolution).await?;
    let widened = evolution.widened.iter();
    let widened: Vec<&str> = widened.map(|(place, _)| names[*place].as_str()).collect();
    match dependent(client, oid, Some(&widened)).await? {
        Some(what) => Err(held_by(format!(
            "the columns of {name} cannot be changed: {what} depends on them"
        ))),
        None => Ok(()),
    }
}

/// What depends on a table, or on some of its columns, and would have to go before it can.
async fn dependent(client: &Client, oid: u32, columns: Option<&[&str]>) -> Result<Option<String>> {
    let row = client
        .query_opt(
            "SELECT 'view ' || r.ev_class::regclass::text
             FROM pg_catalog.pg_depend AS d JOIN pg_catalog.pg_rewrite AS r ON r.oid = d.objid
             LEFT JOIN pg_catalog.pg_attribute AS a
               ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
             WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass
               AND d.refobjid = $1 AND r.ev_class <> $1
               AND ($2::text[] IS NULL OR a.attname::text = ANY ($2))
             UNION ALL
             SELECT 'a foreign key of ' || conrelid::regclass::text
             FROM pg_catalog.pg_constraint
             WHERE contype = 'f' AND confrelid = $1 AND conrelid <> $1 AND $2 IS NULL
             ORDER BY 1 LIMIT 1",
            &[&oid, &columns],
        )
        .await
        .doing(DOING)?;
    Ok(row.map(|row| row.get(0)))
}

fn held_by(message: String) -> Error {
    Error::new(code::INCOMPATIBLE, message)
        .with_hint("drop what depends on it, and make it again afterwards; nothing was changed")
}

/// Refuses to add a column where the table has one of that name that no load has made.
async fn check_added(
    client: &Client,
    oid: u32,
    layout: &Layout,
    names: &[String],
    evolution: &Evolution,
) -> Result<()> {
    let columns = physical::columns(client, oid).await?;
    let is_there = |place: &&usize| columns.iter().any(|column| column.name == names[**place]);
    let Some(place) = evolution.added.iter().find(is_there) else {
        return Ok(());
    };
    let message = format!(
        "the column `{}` is to be added, and the table has one of that name that no load has made",
        layout.columns[*place].name
    );
    Err(Error::new(code::NOT_OURS, message)
        .with_hint("give the column another name with AS, or rename or drop the table's"))
}

/// Makes a table fit a layout.
pub(crate) async fn evolve(
    client: &Client,
    (table, oid): (&Located, u32),
    layout: &Layout,
    names: &[String],
    evolution: &Evolution,
) -> Result<()> {
    check_added(client, oid, layout, names, evolution).await?;
    let mut actions = Vec::new();
    if evolution.rekeyed {
        let sql = format!("DELETE FROM {}", table.sql());
        client.batch_execute(&sql).await.doing(DOING)?;
        actions.extend(drop_key(client, oid).await?);
    }
    for place in &evolution.added {
        let column = &layout.columns[*place];
        let constraint = if column.name == DELETED {
            " NOT NULL DEFAULT FALSE"
        } else {
            ""
        };
        actions.push(format!(
            "ADD COLUMN {} {}{constraint}",
            quote(&names[*place]),
            sql_type(column.column_type)
        ));
    }
    for (place, from) in &evolution.widened {
        let (name, to) = (quote(&names[*place]), layout.columns[*place].column_type);
        actions.push(format!(
            "ALTER COLUMN {name} TYPE {} USING {}",
            sql_type(to),
            converted(&name, *from, to)
        ));
    }
    if evolution.rekeyed {
        for (column, name) in layout.columns.iter().zip(names) {
            let change = if column.key { "SET" } else { "DROP" };
            if column.name != DELETED {
                actions.push(format!("ALTER COLUMN {} {change} NOT NULL", quote(name)));
            }
        }
        actions.extend(key_definition(layout, names).map(|key| format!("ADD {key}")));
    }
    if !actions.is_empty() {
        let sql = format!("ALTER TABLE {} {}", table.sql(), actions.join(", "));
        client.batch_execute(&sql).await.map_err(|error| {
            depended_on(error, DOING, || {
                format!(
                    "the columns of {}.{} cannot be changed: a view or a rule depends on them",
                    table.schema, table.name
                )
            })
        })?;
    }
    if !evolution.retired.is_empty() {
        let retired = || evolution.retired.iter().map(|place| quote(&names[*place]));
        let set: Vec<String> = retired().map(|name| format!("{name} = NULL")).collect();
        let holds: Vec<String> = retired()
            .map(|name| format!("{name} IS NOT NULL"))
            .collect();
        let (set, holds) = (set.join(", "), holds.join(" OR "));
        let sql = format!("UPDATE {} SET {set} WHERE {holds}", table.sql());
        client.batch_execute(&sql).await.doing(DOING)?;
    }
    Ok(())
}

async fn drop_key(client: &Client, oid: u32) -> Result<Option<String>> {
    let sql = "SELECT conname::text FROM pg_catalog.pg_constraint
               WHERE conrelid = $1 AND contype = 'p'";
    let row = client.query_opt(sql, &[&oid]).await.doing(DOING)?;
    Ok(row.map(|row| format!("DROP CONSTRAINT {}", quote(row.get(0)))))
}

fn key_definition(layout: &Layout, names: &[String]) -> Option<String> {
    let key = layout.key.iter().map(|place| &names[*place]);
    (!layout.key.is_empty()).then(|| format!("PRIMARY KEY ({})", quote_all(key)))
}

/// A value of one type as one of a wider type, as SQL: what
/// [`convert`](bucketline_destination::convert) makes of it.
pub(crate) fn converted(sql: &str, from: ColumnType, to: ColumnType) -> String {
    use ColumnType as T;
    let text = |format: &str| format!("to_char({sql}, '{format}')");
    match (from, to) {
        (from, to) if from == to => sql.to_owned(),
        (T::Date | T::LocalTime, T::Instant) => format!("({sql} AT TIME ZONE 'UTC')"),
        (T::Float, T::Text) => format!(
            "CASE WHEN {sql}::text ~ '^-?[0-9]+$' THEN {sql}::text || '.0'
                  WHEN {sql} = 'infinity' THEN 'inf' WHEN {sql} = '-infinity' THEN '-inf'
                  ELSE replace({sql}::text, 'e+', 'e') END"
        ),
        (T::Date, T::Text) => text("YYYY-MM-DD"),
        (T::Instant, T::Text) => {
            format!("to_char({sql} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')")
        }
        (T::LocalTime, T::Text) => text("YYYY-MM-DD\"T\"HH24:MI:SS.US"),
        (T::Time, T::Text) => format!("to_char({sql}, 'HH24:MI:SS.US')"),
        (_, to) => format!("{sql}::{}", sql_type(to)),
    }
}
