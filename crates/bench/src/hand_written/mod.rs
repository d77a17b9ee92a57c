//! Issues into SQLite as one would write it in an afternoon, and would not be ashamed of: one
//! connection kept alive, typed rows, one prepared statement, one transaction a page. It reads page
//! after page, and everything again the next time.

mod issue;

use std::path::Path;

use reqwest::Client;
use rusqlite::{Connection, params_from_iter};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::Result;
use crate::server::{TOKEN, USER, WORKSPACE};
pub(crate) use issue::{COLUMNS, Column};
use issue::{Issue, Repository};

/// One page of a list.
#[derive(Deserialize)]
struct Page<T> {
    values: Vec<T>,
    next: Option<String>,
}

/// Reads all issues of the workspace into the file.
pub(crate) fn load(base_url: &str, file: &Path) -> Result {
    // The provider is installed already only if this is called twice.
    let _ = rustls::crypto::ring::default_provider().install_default();
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(async {
            let client = Client::builder().build()?;
            let mut database = open(file)?;
            let url = format!("{base_url}/repositories/{WORKSPACE}?pagelen=100");
            let mut next = Some(url);
            while let Some(url) = next {
                let page: Page<Repository> = get(&client, &url).await?;
                for repository in &page.values {
                    copy(&client, &mut database, base_url, repository).await?;
                }
                next = page.next;
            }
            Ok(())
        })
}

async fn copy(
    client: &Client,
    database: &mut Connection,
    base_url: &str,
    repository: &Repository,
) -> Result {
    let mut next = Some(format!(
        "{base_url}/repositories/{WORKSPACE}/{}/issues?pagelen=100&sort=updated_on",
        repository.slug
    ));
    let insert = insert();
    while let Some(url) = next {
        let page: Page<Issue> = get(client, &url).await?;
        let transaction = database.transaction()?;
        {
            let mut statement = transaction.prepare_cached(&insert)?;
            for issue in &page.values {
                statement.execute(params_from_iter(issue.row(repository)))?;
            }
        }
        transaction.commit()?;
        next = page.next;
    }
    Ok(())
}

async fn get<T: DeserializeOwned>(client: &Client, url: &str) -> Result<T> {
    let answer = client
        .get(url)
        .basic_auth(USER, Some(TOKEN))
        .send()
        .await?
        .error_for_status()?;
    Ok(serde_json::from_slice(&answer.bytes().await?)?)
}

fn open(file: &Path) -> Result<Connection> {
    let database = Connection::open(file)?;
    database.pragma_update(None, "journal_mode", "WAL")?;
    database.pragma_update(None, "synchronous", "NORMAL")?;
    let columns: Vec<String> = COLUMNS
        .iter()
        .map(|(name, column)| format!("{name} {}", column.declaration()))
        .collect();
    database.execute_batch(&format!(
        "CREATE TABLE IF NOT EXISTS Issues ({}, PRIMARY KEY (RepositoryUUID, Id))",
        columns.join(", ")
    ))?;
    Ok(database)
}

fn insert() -> String {
    let names: Vec<&str> = COLUMNS.iter().map(|(name, _)| *name).collect();
    let marks = vec!["?"; COLUMNS.len()].join(", ");
    format!(
        "INSERT OR REPLACE INTO Issues ({}) VALUES ({marks})",
        names.join(", ")
    )
}
