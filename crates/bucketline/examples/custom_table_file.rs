//! A table of one's own, described in a file (`tables/tips.toml`), read and replicated like those that come with
//! Bucketline.

#![allow(clippy::print_stdout, reason = "people watch it")]

use std::path::Path;

use bucketline::{ConnectionProperties, Event, Session};
use bucketline_sandbox::{Config, Sandbox};
use futures::StreamExt;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sandbox = Sandbox::start(Config::default()).await?;
    let account = format!(
        "BaseURL={};Workspace=acme;User=user1@acme.example;Token=sandbox-api-token-acme;TableFiles=tables",
        sandbox.base_url()
    );
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let account = ConnectionProperties::parse("example", &account)?.in_folder(here);
    let session = Session::builder().connection("prod", account).build()?;
    let script = "REPLICATE Tips; SELECT Name, COUNT(DISTINCT Hash) AS Commits FROM destination.Tips GROUP BY Name";
    let mut events = session.run(script);
    while let Some(event) = events.next().await {
        match event {
            Event::Replicated(report) => println!("{report}"),
            Event::Ended { rows, .. } if rows > 0 => println!("{rows} names of branches"),
            Event::Failed(error) => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}
