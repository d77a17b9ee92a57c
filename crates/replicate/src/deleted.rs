//! GETDELETED: the keys of rows that the source says it has deleted.

use bucketline_engine::{Session, Work};
use bucketline_source::ReadContext;
use bucketline_source::spec::{ColumnKind, TableSpec};
use bucketline_sql as sql;

use crate::{Error, ErrorKind, Result};

/// The column that says of a row whether it was deleted.
const DELETED: &str = "Deleted";

/// The query that gives the keys of the rows that a source has deleted.
///
/// # Errors
/// [`ErrorKind::DeletesUnknown`] if the source does not tell; and what keeps the table from being found.
pub async fn deleted_rows(
    session: &Session,
    statement: &sql::GetDeleted,
    context: &ReadContext,
) -> Result<sql::Query> {
    let table = &statement.table;
    let unknown = || {
        let message = format!("the source does not tell which rows of {table} it has deleted");
        Error::new(ErrorKind::DeletesUnknown, message)
            .with_hint("REPLICATE with DetectDeletes = KEYS, or CHECKCACHE, finds rows of a copy that are gone")
            .at(table.span())
    };
    let Work::Rows(plan) = session.work_of_table(table, context).await? else {
        return Err(unknown());
    };
    let spec = &plan.scan().request.table;
    if !has_flag(spec) {
        return Err(unknown());
    }
    let key = spec.key.iter().map(|&column| {
        let ident = sql::Ident {
            quoted: true,
            ..sql::Ident::new(&spec.columns[column].name)
        };
        ident.to_string()
    });
    let text = format!(
        "SELECT {} FROM {table} WHERE {DELETED} = TRUE AND ({})",
        key.collect::<Vec<_>>().join(", "),
        statement.condition
    );
    match sql::parse_statement(&text).map(|located| located.statement) {
        Ok(sql::Statement::Query(query)) => Ok(query),
        _ => Err(unknown()),
    }
}

fn has_flag(table: &TableSpec) -> bool {
    let flag = table.column(DELETED).map(|column| &table.columns[column]);
    flag.is_some_and(|column| column.kind == ColumnKind::Bool)
}
