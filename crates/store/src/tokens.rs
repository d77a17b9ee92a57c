//! Tokens of sign-ins, encrypted by whoever uses them.

use bucketline_app::Result;

use crate::database::{Transaction, values};

pub(crate) async fn read(tx: &mut dyn Transaction, sign_in: &str) -> Result<Option<String>> {
    let sql = "SELECT sealed FROM tokens WHERE sign_in = ?1";
    let row = tx.row(sql, &values![sign_in]).await?;
    row.map(|mut row| row.text()).transpose()
}

/// Removes the tokens of all sign-ins whose names begin with this one.
pub(crate) async fn forget(tx: &mut dyn Transaction, sign_in: &str) -> Result<()> {
    let sql = "DELETE FROM tokens WHERE sign_in = ?1 OR sign_in LIKE ?2";
    tx.execute(sql, &values![sign_in, format!("{sign_in} %")])
        .await?;
    Ok(())
}

/// All of them, each with its sign-in.
pub(crate) async fn all(tx: &mut dyn Transaction) -> Result<Vec<(String, String)>> {
    let mut all = Vec::new();
    for mut row in tx.rows("SELECT sign_in, sealed FROM tokens", &[]).await? {
        all.push((row.text()?, row.text()?));
    }
    Ok(all)
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
