//! Request budgets.

use std::sync::Arc;

use bucketline_app::Store;
use bucketline_rest::{BothBudgets, BudgetFiles, BudgetStore as _, Claimant, Taken};

use super::at;
use crate::Budgets;

super::cases! {
    stores_keep_what_every_place_for_budgets_promises
    a_store_and_files_together_keep_it_too
    a_damaged_budget_is_replaced_and_told
    the_clock_of_the_store_counts
}

async fn stores_keep_what_every_place_for_budgets_promises(store: Arc<dyn Store>) {
    bucketline_rest::conformance::budgets(&Budgets::new(store).by_given_time()).await;
}

async fn a_store_and_files_together_keep_it_too(store: Arc<dyn Store>) {
    let folder = tempfile::tempdir().unwrap();
    let stored = Arc::new(Budgets::new(store).by_given_time());
    let files = Arc::new(BudgetFiles::new(folder.path()));
    let both = BothBudgets::new(stored, files.clone());
    bucketline_rest::conformance::budgets(&both).await;
    // A program of this machine that knows only the files sees what the application has made.
    let book = both.book("shared").unwrap();
    let ask = bucketline_rest::Ask {
        allowance: 20,
        claimant: Claimant::person("User 17"),
        made: 0,
        wanted: 12,
    };
    let now = at(0).into();
    let taken = book.take(&ask, now).await.answer;
    assert!(matches!(taken, Taken::Granted(lot) if lot.requests == 12));
    let other = files.book("shared").unwrap();
    let taken = other.take(&ask, now).await.answer;
    assert!(matches!(taken, Taken::Granted(lot) if lot.requests == 8));
    assert!(matches!(book.take(&ask, now).await.answer, Taken::Spent(_)));
    let standing = book.standing(20, now).await.unwrap();
    assert_eq!(
        (standing.free(), standing.used + standing.reserved),
        (0, 20)
    );
}

async fn a_damaged_budget_is_replaced_and_told(store: Arc<dyn Store>) {
    let change = Box::new(|_: &str, _| Some("{ something else".to_owned()));
    store.change_budget("damaged", change).await.unwrap();
    let book = Budgets::new(store).book("damaged").unwrap();
    let ask = bucketline_rest::Ask {
        allowance: 20,
        claimant: Claimant::person("User 17"),
        made: 0,
        wanted: 2,
    };
    let kept = book.take(&ask, std::time::SystemTime::now()).await;
    assert!(matches!(kept.answer, Taken::Granted(_)));
    assert!(kept.trouble.unwrap().reason.contains("damaged"));
    let kept = book.take(&ask, std::time::SystemTime::now()).await;
    assert_eq!(kept.trouble, None);
}

/// A machine whose clock is an hour behind gets no request too many, and its waits are by its own clock.
async fn the_clock_of_the_store_counts(store: Arc<dyn Store>) {
    let book = Budgets::new(store).book("clock").unwrap();
    let ask = bucketline_rest::Ask {
        allowance: 10,
        claimant: Claimant::person("User 17"),
        made: 0,
        wanted: 10,
    };
    let now = std::time::SystemTime::now();
    let behind = now - std::time::Duration::from_secs(7200);
    assert!(matches!(
        book.take(&ask, behind).await.answer,
        Taken::Granted(_)
    ));
    assert!(matches!(book.take(&ask, now).await.answer, Taken::Spent(_)));
    match book.take(&ask, behind).await.answer {
        Taken::Spent(until) => assert!(until < now),
        other => panic!("{other:?}"),
    }
}
