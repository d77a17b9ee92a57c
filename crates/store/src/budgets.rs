//! Request budgets, each a text that is changed under the lock of its row.

use bucketline_app::Result;
use bucketline_app::store::BudgetChange;

use crate::database::{Transaction, values};

/// See [`Store::change_budget`](bucketline_app::Store::change_budget).
pub(crate) async fn change(
    tx: &mut dyn Transaction,
    holder: &str,
    change: BudgetChange,
) -> Result<()> {
    let dialect = tx.dialect();
    let lock = format!(
        "SELECT ledger FROM budgets WHERE holder = ?1{}",
        dialect.for_update
    );
    let row = match tx.row(&lock, &values![holder]).await? {
        Some(row) => Some(row),
        None => {
            let sql = format!(
                "INSERT INTO budgets (holder, ledger, changed_at) VALUES (?1, '', {}) \
                 ON CONFLICT (holder) DO NOTHING",
                dialect.clock
            );
            tx.execute(&sql, &values![holder]).await?;
            tx.row(&lock, &values![holder]).await?
        }
    };
    let kept = row.map_or(Ok(String::new()), |mut row| row.text())?;
    // Read once the row is locked: a wait for it makes no time older.
    let sql = format!("SELECT {}", dialect.clock);
    let now = match tx.row(&sql, &[]).await? {
        Some(mut row) => row.time()?,
        None => chrono::DateTime::UNIX_EPOCH,
    };
    if let Some(ledger) = change(&kept, now) {
        let sql = "UPDATE budgets SET ledger = ?2, changed_at = ?3 WHERE holder = ?1";
        tx.execute(sql, &values![holder, ledger, now]).await?;
    }
    Ok(())
}
