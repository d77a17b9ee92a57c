//! What 10,000 requests cost that are counted in the store: `cargo run -p bucketline-store --example reservations`.
//! The figures are in docs/store-performance.md.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::time::{Instant, SystemTime};

use bucketline_postgres::Settings;
use bucketline_private_postgres::Server;
use bucketline_rest::{Ask, BudgetStore, Claimant, Settled, Taken};
use bucketline_store::{Budgets, Place, open};

const REQUESTS: u32 = 10_000;

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir().unwrap();
    let file = Place::File(folder.path().join("app.db"));
    measure("SQLite", &file).await;
    match Server::start() {
        Ok(server) => {
            let url = server.create_database().unwrap();
            let settings = Settings::parse(&url, &|_| None).unwrap();
            measure("PostgreSQL", &Place::Postgres(Box::new(settings))).await;
        }
        Err(reason) => println!("PostgreSQL: {reason}"),
    }
}

/// Takes and settles lots, as 12 jobs in turn do it.
async fn measure(name: &str, place: &Place) {
    let budgets = Budgets::new(open(place).await.unwrap());
    for lot in [10, 100] {
        let book = budgets.book(&format!("lots of {lot}")).unwrap();
        let began = Instant::now();
        let (mut made, mut turn) = (0, 0);
        while made < REQUESTS {
            turn += 1;
            let ask = Ask {
                allowance: 1_000_000,
                claimant: Claimant::job(format!("job {}", turn % 12), 1, None),
                made: 0,
                wanted: lot,
            };
            let now = SystemTime::now();
            let Taken::Granted(granted) = book.take(&ask, now).await.answer else {
                continue;
            };
            made += granted.requests;
            let settled = Settled {
                answered: granted.requests,
                returned: 0,
            };
            book.settle(granted.id, settled, now).await;
        }
        let took = began.elapsed();
        let part = took.as_secs_f64() / 60.0 * 100.0;
        println!(
            "{name}, lots of {lot}: {took:.2?} for {REQUESTS} requests, {part:.2} % of a minute"
        );
    }
}
