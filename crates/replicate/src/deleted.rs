//! GETDELETED: the keys of rows that the source says it has deleted.

use bucketline_engine::{Session, Work};
use bucketline_source::ReadContext;
use bucketline_sql as sql;

use crate::{Error, Result, code};

/// The query that gives the keys of the rows that a source has deleted.
///
/// # Errors
/// [`code::DELETES_UNKNOWN`](crate::code::DELETES_UNKNOWN) if the source does not tell; and what keeps the table from being found.
pub async fn deleted_rows(
    session: &Session,
    statement: &sql::GetDeleted,
    context: &ReadContext,
) -> Result<sql::Query> {
    let table = &statement.table;
    let unknown = || {
        let message = format!("the source does not tell which rows of {table} it has deleted");
        Error::new(code::DELETES_UNKNOWN, message)
            .with_hint("REPLICATE with DetectDeletes = KEYS, or CHECKCACHE, finds rows of a copy that are gone")
            .at(table.span())
    };
    let Work::Rows(plans) = session.work_of_table(table, context).await? else {
        return Err(unknown());
    };
    let plan = plans.first().ok_or_else(unknown)?;
    let spec = &plan.scan().request.table;
    let name = |column: usize| {
        let ident = sql::Ident {
            quoted: true,
            ..sql::Ident::new(&spec.columns[column].name)
        };
        ident.to_string()
    };
    let key: Vec<_> = spec.key.iter().map(|&column| name(column)).collect();
    let text = format!(
        "SELECT {} FROM {table} WHERE {} = TRUE AND ({})",
        key.join(", "),
        name(spec.deleted.ok_or_else(unknown)?),
        statement.condition
    );
    match sql::parse_statement(&text).map(|located| located.statement) {
        Ok(sql::Statement::Query(query)) => Ok(query),
        _ => Err(unknown()),
    }
}
