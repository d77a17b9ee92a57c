//! Reading the commits that branches have reached since they were last read.

use std::collections::BTreeMap;

use arrow::array::{Array as _, AsArray as _, RecordBatch};
use bucketline_core::Kind;
use bucketline_source::{Checkpoint, End, Page, Parameter};
use chrono::Utc;

use super::Reader;
use super::fetch::Fetch;
use crate::failure::{Failure, missing};
use crate::walk::{HeadsWalk, Reach};

/// Reads the branches, then the commits that their heads reach and those known before do not.
pub(super) struct HeadsReader {
    fetch: Fetch,
    /// The list of branches: their names and heads, in two columns.
    branches: Option<Box<Reader>>,
    walk: Option<HeadsWalk>,
    checkpoint: Checkpoint,
    link: Option<String>,
}

impl HeadsReader {
    pub(super) fn new(fetch: Fetch, branches: Box<Reader>, checkpoint: Checkpoint) -> Self {
        Self {
            fetch,
            branches: Some(branches),
            walk: None,
            checkpoint,
            link: None,
        }
    }

    /// The position before the last page: the walk's start, since a walk that is broken off begins anew.
    pub(super) fn before(&self) -> Checkpoint {
        self.checkpoint.clone()
    }

    pub(super) async fn page(&mut self) -> Result<Page, Failure> {
        let mut walk = match self.walk.take() {
            Some(walk) => walk,
            None => HeadsWalk::new(self.checkpoint.heads.clone(), self.heads().await?),
        };
        loop {
            let Some(reach) = walk.ask() else {
                let rows = RecordBatch::new_empty(self.fetch.plan().schema.clone());
                return Ok(self.ended(&walk, rows));
            };
            let answer = match self.link.take() {
                Some(link) => self.fetch.next(&link).await,
                None => {
                    self.fetch.add_parameters(parameters(&reach));
                    self.fetch.page(None, None, None, false).await
                }
            };
            let fetched = match answer {
                Err(Failure::Error(error)) if walk.forget(&missing(&error)) => continue,
                // What is missing is said in words alone.
                Err(Failure::Error(error))
                    if error.kind() == Kind::NotFound && walk.forget_known() =>
                {
                    continue;
                }
                answer => answer?,
            };
            let rows = self.fetch.wanted(&fetched.rows, None)?;
            self.link = fetched.next;
            if self.link.is_none() {
                walk.end_list();
            }
            if walk.ask().is_none() {
                return Ok(self.ended(&walk, rows));
            }
            self.walk = Some(walk);
            return Ok(Page::new(rows, Some(self.checkpoint.clone()), None));
        }
    }

    fn ended(&self, walk: &HeadsWalk, rows: RecordBatch) -> Page {
        let checkpoint = Checkpoint {
            // Whatever it is, it says that the first load has ended.
            mark: self
                .fetch
                .answered()
                .or(self.checkpoint.mark)
                .or_else(|| Some(Utc::now())),
            heads: walk.heads().clone(),
            ..Checkpoint::default()
        };
        let end = End::Complete { unstable_pages: 0 };
        Page::new(rows, Some(checkpoint), Some(end))
    }

    /// The heads of the branches.
    async fn heads(&mut self) -> Result<BTreeMap<String, String>, Failure> {
        let mut heads = BTreeMap::new();
        let Some(mut branches) = self.branches.take() else {
            return Ok(heads);
        };
        loop {
            let page = Box::pin(branches.page()).await?;
            let names = page.rows.column(0).as_string::<i32>();
            let hashes = page.rows.column(1).as_string::<i32>();
            for row in (0..page.rows.num_rows()).filter(|row| hashes.is_valid(*row)) {
                heads.insert(names.value(row).to_owned(), hashes.value(row).to_owned());
            }
            if page.end.is_some() {
                return Ok(heads);
            }
        }
    }
}

fn parameters(reach: &Reach) -> Vec<Parameter> {
    let parameter = |name: &str, value: &String| Parameter {
        name: name.to_owned(),
        value: value.clone(),
    };
    let include = reach.include.iter().map(|hash| parameter("include", hash));
    let exclude = reach.exclude.iter().map(|hash| parameter("exclude", hash));
    include.chain(exclude).collect()
}
