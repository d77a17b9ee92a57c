//! Lists, a page at a time.

use bucketline_app::store::{Count, Page, PageRequest};
use bucketline_core::{Error, code};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::problem::{Answer, Refused};

/// Items of a page, unless something else is asked for.
const USUAL: u32 = 50;

/// A part of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Listed<T> {
    /// The items.
    items: Vec<T>,
    /// What to give as `after` for the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    /// Items of the whole list that fit the filter.
    total: u64,
    /// Whether that is the number, or there may be more.
    total_is_exact: bool,
}

impl<T> Listed<T> {
    /// A page of the store, each item shown by `show`.
    pub(crate) fn of<S>(page: Page<S>, show: impl FnMut(S) -> T) -> Self {
        let (total, total_is_exact) = match page.total {
            Count::Exactly(count) => (count, true),
            Count::AtLeast(count) => (count, false),
        };
        Self {
            items: page.items.into_iter().map(show).collect(),
            next: page.next.map(|next| next.to_string()),
            total,
            total_is_exact,
        }
    }
}

/// Which part of a list is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Paging {
    /// The `next` of the page before.
    after: Option<String>,
    /// Items at most, 1 to 1000; 50 if absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
}

impl Paging {
    pub(crate) fn request(&self) -> Answer<PageRequest> {
        let limit = limit(self.limit.unwrap_or(USUAL))?;
        Ok(match &self.after {
            Some(after) => {
                let cursor = after.parse().map_err(|error: Error| {
                    Refused::parameter("after", error.code(), error.message())
                })?;
                PageRequest::after(cursor, limit)
            }
            None => PageRequest::first(limit),
        })
    }
}

/// The items wanted of a list, if it gives so many at a time.
pub(crate) fn limit(wanted: u32) -> Answer<u32> {
    match (1..=PageRequest::MOST).contains(&wanted) {
        true => Ok(wanted),
        false => {
            let message = "it is a number from 1 to 1000";
            Err(Refused::parameter("limit", code::web::MALFORMED, message))
        }
    }
}
