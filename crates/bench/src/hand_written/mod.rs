//! Issues into a database as one would write it in an afternoon, and would not be ashamed of: one
//! connection kept alive, typed rows, one transaction a page. It reads page after page, and everything
//! again the next time.

mod issue;
mod postgres;
mod sqlite;

use reqwest::Client;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::Result;
use crate::server::{TOKEN, USER, WORKSPACE};
use crate::store::Store;
pub(crate) use issue::{COLUMNS, Column};
use issue::{Issue, Repository};

/// One page of a list.
#[derive(Deserialize)]
struct Page<T> {
    values: Vec<T>,
    next: Option<String>,
}

/// Where the issues go.
trait Table {
    /// Writes a page of a repository's issues in one transaction.
    async fn write(&mut self, repository: &Repository, issues: &[Issue]) -> Result;
}

/// Reads all issues of the workspace into the store.
pub(crate) fn load(base_url: &str, store: &Store) -> Result {
    // The provider is installed already only if this is called twice.
    let _ = rustls::crypto::ring::default_provider().install_default();
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(async {
            match store {
                Store::File(path) => copy(base_url, sqlite::open(path)?).await,
                Store::Database(url) => copy(base_url, postgres::open(url).await?).await,
            }
        })
}

async fn copy(base_url: &str, mut table: impl Table) -> Result {
    let client = Client::builder().build()?;
    let url = format!("{base_url}/repositories/{WORKSPACE}?pagelen=100");
    let mut next = Some(url);
    while let Some(url) = next {
        let page: Page<Repository> = get(&client, &url).await?;
        for repository in &page.values {
            copy_issues(&client, &mut table, base_url, repository).await?;
        }
        next = page.next;
    }
    Ok(())
}

async fn copy_issues(
    client: &Client,
    table: &mut impl Table,
    base_url: &str,
    repository: &Repository,
) -> Result {
    let mut next = Some(format!(
        "{base_url}/repositories/{WORKSPACE}/{}/issues?pagelen=100&sort=updated_on",
        repository.slug
    ));
    while let Some(url) = next {
        let page: Page<Issue> = get(client, &url).await?;
        table.write(repository, &page.values).await?;
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
