//! Reading the commits that conditions name.

use std::collections::VecDeque;

use arrow::array::RecordBatch;
use bucketline_core::Kind;
use bucketline_source::{End, Page, Parameter};

use super::fetch::Fetch;
use crate::failure::Failure;

/// Reads rows by their hashes: each is the first of the list that begins with it.
pub(super) struct NamedReader {
    fetch: Fetch,
    left: VecDeque<String>,
}

impl NamedReader {
    /// `fetch` asks for pages of one row.
    pub(super) fn new(fetch: Fetch, hashes: &[&str]) -> Self {
        Self {
            fetch,
            left: hashes.iter().map(|hash| (*hash).to_owned()).collect(),
        }
    }

    pub(super) async fn page(&mut self) -> Result<Page, Failure> {
        let mut rows = RecordBatch::new_empty(self.fetch.plan().schema.clone());
        if let Some(hash) = self.left.pop_front() {
            self.fetch.add_parameters(vec![Parameter {
                name: "include".to_owned(),
                value: hash.clone(),
            }]);
            match self.fetch.page(None, None, None, false).await {
                // There is no such commit in this repository; what says so differs.
                Err(Failure::Error(error)) if error.kind() == Kind::NotFound => {}
                answer => {
                    let fetched = answer?.rows;
                    let first = fetched.slice(0, fetched.num_rows().min(1));
                    rows = self.fetch.wanted(&first, None)?;
                }
            }
        }
        let ended = self.left.is_empty();
        let end = ended.then_some(End::Complete { unstable_pages: 0 });
        Ok(Page::new(rows, None, end))
    }
}
