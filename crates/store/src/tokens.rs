//! Tokens of sign-ins, encrypted by whoever uses them.

use bucketline_app::Result;

use crate::database::{Transaction, values};

pub(crate) async fn read(tx: &mut dyn Transaction, sign_in: &str) -> Result<Option<String>> {
    let sql = "SELECT sealed FROM tokens WHERE sign_in = ?1";
    let row = tx.row(sql, &values![sign_in]).await?;
    row.map(|mut row| row.text()).transpose()
}

pub(crate) async fn save(tx: &mut dyn Transaction, sign_in: &str, sealed: &str) -> Result<()> {
    let sql = format!(
        "INSERT INTO tokens (sign_in, sealed, changed_at) VALUES (?1, ?2, {}) ON CONFLICT (sign_in) \
         DO UPDATE SET sealed = excluded.sealed, changed_at = excluded.changed_at",
        tx.dialect().clock
    );
    tx.execute(&sql, &values![sign_in, sealed]).await?;
    Ok(())
}
