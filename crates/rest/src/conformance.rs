//! What every place for budgets, and every place for tokens does: a suite for all of them.
//!
//! Time is given, so that the hour passes at once. Each case has a holder of its own.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::{Ask, BudgetBook, BudgetStore, Claimant, Lot, Settled, Taken, TokenStore};

const ALLOWANCE: u32 = 100;
/// Longer than it takes until a request is counted no more, whatever became of its process.
const LATER: u64 = 3600 + 5 * 60;

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_795_348_800 + seconds)
}

fn ask(wanted: u32) -> Ask {
    Ask {
        allowance: ALLOWANCE,
        claimant: Claimant::person("User 17"),
        made: 0,
        wanted,
    }
}

async fn take(book: &dyn BudgetBook, wanted: u32, seconds: u64) -> Taken {
    let kept = book.take(&ask(wanted), at(seconds)).await;
    assert_eq!(kept.trouble, None);
    kept.answer
}

async fn granted(book: &dyn BudgetBook, wanted: u32, seconds: u64) -> Lot {
    match take(book, wanted, seconds).await {
        Taken::Granted(lot) => lot,
        other => panic!("{other:?}"),
    }
}

/// Takes all that there is, and leaves the lots open.
async fn take_all(book: &dyn BudgetBook, seconds: u64) -> u32 {
    let mut all = 0;
    while let Taken::Granted(lot) = take(book, 7, seconds).await {
        assert!((1..=7).contains(&lot.requests));
        all += lot.requests;
    }
    all
}

/// Runs all cases.
pub async fn budgets(store: &dyn BudgetStore) {
    all_together_get_the_allowance(store).await;
    what_is_not_sent_is_granted_again(store).await;
    an_hour_later_all_is_free_again(store).await;
    lots_of_the_dead_come_back(store).await;
    a_pause_reaches_everybody(store).await;
    holders_share_nothing(store).await;
    the_standing_adds_up(store).await;
}

async fn all_together_get_the_allowance(store: &dyn BudgetStore) {
    let books: Vec<_> = (0..4).map(|_| store.book("together").unwrap()).collect();
    let takers = books
        .into_iter()
        .map(|book: Arc<dyn BudgetBook>| tokio::spawn(async move { take_all(&*book, 0).await }));
    let mut all = 0;
    for taker in takers.collect::<Vec<_>>() {
        all += taker.await.unwrap();
    }
    assert_eq!(all, ALLOWANCE);
}

async fn what_is_not_sent_is_granted_again(store: &dyn BudgetStore) {
    let (book, other) = (store.book("again").unwrap(), store.book("again").unwrap());
    let lot = granted(&*book, 5, 0).await;
    assert_eq!(take_all(&*other, 0).await, ALLOWANCE - lot.requests);
    let settled = Settled {
        answered: lot.requests - 1,
        returned: 1,
    };
    assert_eq!(book.settle(lot.id, settled, at(1)).await.trouble, None);
    assert_eq!(take_all(&*other, 1).await, 1);
}

async fn an_hour_later_all_is_free_again(store: &dyn BudgetStore) {
    let book = store.book("hour").unwrap();
    let mut all = 0;
    while let Taken::Granted(lot) = take(&*book, 7, 0).await {
        let settled = Settled {
            answered: lot.requests,
            returned: 0,
        };
        book.settle(lot.id, settled, at(0)).await;
        all += lot.requests;
    }
    assert_eq!(all, ALLOWANCE);
    let until = match take(&*book, 1, 3599).await {
        Taken::Spent(until) => until,
        other => panic!("{other:?}"),
    };
    assert!(until > at(3599) && until <= at(3661), "{until:?}");
    assert_eq!(take_all(&*book, 3661).await, ALLOWANCE);
}

async fn lots_of_the_dead_come_back(store: &dyn BudgetStore) {
    let book = store.book("dead").unwrap();
    assert_eq!(take_all(&*book, 0).await, ALLOWANCE);
    drop(book);
    let book = store.book("dead").unwrap();
    assert!(matches!(take(&*book, 1, 3599).await, Taken::Spent(_)));
    assert_eq!(take_all(&*book, LATER).await, ALLOWANCE);
}

async fn a_pause_reaches_everybody(store: &dyn BudgetStore) {
    let (book, other) = (store.book("pause").unwrap(), store.book("pause").unwrap());
    assert_eq!(book.pause(at(100), at(0)).await.trouble, None);
    // A shorter one changes nothing.
    other.pause(at(50), at(1)).await;
    assert_eq!(take(&*other, 1, 99).await, Taken::Paused(at(100)));
    granted(&*other, 1, 100).await;
}

async fn holders_share_nothing(store: &dyn BudgetStore) {
    let book = store.book("one").unwrap();
    assert_eq!(take_all(&*book, 0).await, ALLOWANCE);
    book.pause(at(100), at(0)).await;
    let other = store.book("other").unwrap();
    assert_eq!(take_all(&*other, 0).await, ALLOWANCE);
}

async fn the_standing_adds_up(store: &dyn BudgetStore) {
    let book = store.book("standing").unwrap();
    let empty = book.standing(ALLOWANCE, at(0)).await.unwrap();
    assert_eq!((empty.free(), empty.next_free), (ALLOWANCE, None));
    let lot = granted(&*book, 5, 0).await;
    let standing = book.standing(ALLOWANCE, at(1)).await.unwrap();
    assert_eq!(standing.used + standing.reserved, lot.requests);
    assert_eq!(standing.free(), ALLOWANCE - lot.requests);
    take_all(&*book, 1).await;
    let standing = book.standing(ALLOWANCE, at(1)).await.unwrap();
    assert_eq!(standing.free(), 0);
    assert!(standing.next_free.is_some());
    assert_eq!(book.used(at(1)), ALLOWANCE);
}

/// Runs all cases. `name` gives a case's tokens a name.
pub async fn tokens(store: Arc<dyn TokenStore>, name: &dyn Fn(&str) -> String) {
    what_was_saved_is_read(&*store, &name("saved")).await;
    names_share_nothing(&*store, &name("one"), &name("other")).await;
    one_at_a_time_changes_tokens(store, name("turns")).await;
}

async fn what_was_saved_is_read(store: &dyn TokenStore, name: &str) {
    let mut lock = store.lock(name).await.unwrap();
    let missing = lock.read().await.unwrap_err();
    assert_eq!(missing.kind(), std::io::ErrorKind::NotFound);
    // A lock that is dropped after it was prepared changes nothing.
    lock.prepare().await.unwrap();
    drop(lock);
    let long = format!("{{\"token\":\"{}\"}}", "x".repeat(5_000));
    for text in [long.as_str(), "{}", long.as_str()] {
        let mut lock = store.lock(name).await.unwrap();
        lock.prepare().await.unwrap();
        lock.save(text).await.unwrap();
        assert_eq!(lock.read().await.unwrap(), text);
        drop(lock);
        let lock = store.lock(name).await.unwrap();
        assert_eq!(lock.read().await.unwrap(), text);
    }
}

async fn names_share_nothing(store: &dyn TokenStore, name: &str, other: &str) {
    let mut lock = store.lock(name).await.unwrap();
    // It is locked by name.
    let second = store.lock(other).await.unwrap();
    lock.prepare().await.unwrap();
    lock.save("{}").await.unwrap();
    assert!(second.read().await.is_err());
}

async fn one_at_a_time_changes_tokens(store: Arc<dyn TokenStore>, name: String) {
    let mut lock = store.lock(&name).await.unwrap();
    lock.prepare().await.unwrap();
    lock.save("0").await.unwrap();
    drop(lock);
    let turns = (0..20).map(|_| {
        let (store, name) = (Arc::clone(&store), name.clone());
        tokio::spawn(async move {
            let mut lock = store.lock(&name).await.unwrap();
            let read: u32 = lock.read().await.unwrap().parse().unwrap();
            tokio::task::yield_now().await;
            lock.prepare().await.unwrap();
            lock.save(&(read + 1).to_string()).await.unwrap();
        })
    });
    for turn in turns.collect::<Vec<_>>() {
        turn.await.unwrap();
    }
    let lock = store.lock(&name).await.unwrap();
    assert_eq!(lock.read().await.unwrap(), "20");
}
