//! Bucketline in another program, in fifteen lines: [`copy`]. The rest is a sandbox to copy from.

#![allow(clippy::print_stdout, reason = "people watch it")]

use bucketline::{ConnectionProperties, Error, Event, Session};
use bucketline_sandbox::{Config, Sandbox};
use futures::StreamExt;

async fn copy(account: &str, file: &std::path::Path) -> Result<(), Error> {
    let session = Session::builder()
        .connection("prod", ConnectionProperties::parse("example", account)?)
        .sqlite(file)
        .build()?;
    let mut events = session.run("REPLICATE PullRequests; REPLICATE Projects;");
    while let Some(event) = events.next().await {
        match event {
            Event::Replicated(report) => println!("{report}"),
            Event::Failed(error) => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sandbox = Sandbox::start(Config::default()).await?;
    let folder = tempfile::tempdir()?;
    let account = format!(
        "BaseURL={};Workspace=acme;User=user1@acme.example;Token=sandbox-api-token-acme",
        sandbox.base_url()
    );
    copy(&account, &folder.path().join("copy.db")).await?;
    Ok(())
}
