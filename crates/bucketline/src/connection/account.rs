//! An account at Bitbucket that is opened when it is first used.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bucketline_bitbucket::{Bitbucket, whole};
use bucketline_rest::{ClientConfig, OAuth};
use bucketline_source::{
    Identity, PageStream, ReadContext, Reading, Result, ScanPlan, ScanRequest, Scope, Slice,
    Source, TableSpec,
};
use futures::StreamExt;
use futures::stream;

/// Opens an account; its secrets are looked for then.
pub(super) type Open = Box<dyn Fn() -> crate::Result<Opened> + Send + Sync>;

/// An account whose secrets were found.
#[derive(Debug, Clone)]
pub(crate) struct Opened {
    pub(crate) bitbucket: Arc<Bitbucket>,
    /// Signs in, where that takes more than a secret.
    pub(crate) oauth: Option<OAuth>,
}

/// A connection to Bitbucket Cloud. A secret that cannot be found fails the statements that need this
/// account, and no others.
pub(crate) struct Account {
    tables: Arc<[Arc<TableSpec>]>,
    address: String,
    concurrency: usize,
    callback: String,
    schema: Option<String>,
    open: Open,
    opened: Mutex<Option<Opened>>,
}

impl Account {
    /// An account as `outline` says, but for its credential.
    pub(super) fn new(
        outline: &ClientConfig,
        tables: Arc<[Arc<TableSpec>]>,
        callback: String,
        schema: Option<String>,
        open: Open,
    ) -> Self {
        Self {
            tables,
            address: outline.base_url.as_str().trim_end_matches('/').to_owned(),
            concurrency: outline.concurrency,
            callback,
            schema,
            open,
            opened: Mutex::default(),
        }
    }

    /// The account with its secrets. What failed is tried again at the next call.
    pub(crate) fn opened(&self) -> crate::Result<Opened> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        match &*opened {
            Some(opened) => Ok(opened.clone()),
            None => Ok(opened.insert((self.open)()?).clone()),
        }
    }

    /// What signs in by OAuth, if that is how it is done.
    pub(crate) fn oauth(&self) -> crate::Result<Option<OAuth>> {
        Ok(self.opened()?.oauth)
    }

    /// The callback URL of its OAuth consumer.
    pub(crate) fn callback(&self) -> &str {
        &self.callback
    }

    fn bitbucket(&self) -> Result<Arc<Bitbucket>> {
        Ok(self.opened()?.bitbucket)
    }

    /// What is there without opening it.
    pub(crate) fn known(&self) -> Option<Arc<Bitbucket>> {
        let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        opened.as_ref().map(|opened| opened.bitbucket.clone())
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("address", &self.address)
            .field("opened", &self.known())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Source for Account {
    fn tables(&self) -> Cow<'_, [Arc<TableSpec>]> {
        Cow::Borrowed(&self.tables)
    }

    fn default_scope(&self) -> Scope {
        whole()
    }

    fn schema(&self) -> Option<&str> {
        self.schema.as_deref()
    }

    fn address(&self) -> Option<String> {
        Some(self.address.clone())
    }

    fn concurrency(&self) -> usize {
        self.concurrency
    }

    async fn scopes(&self, context: &ReadContext) -> Result<Vec<Scope>> {
        self.bitbucket()?.scopes(context).await
    }

    fn known_scopes(&self) -> Vec<Scope> {
        match self.known() {
            Some(bitbucket) => bitbucket.known_scopes(),
            None => vec![self.default_scope()],
        }
    }

    async fn find_scopes(
        &self,
        name: &str,
        exact: bool,
        context: &ReadContext,
    ) -> Result<Vec<Scope>> {
        self.bitbucket()?.find_scopes(name, exact, context).await
    }

    fn plan(&self, request: ScanRequest) -> Result<ScanPlan> {
        self.bitbucket()?.plan(request)
    }

    fn explain(&self, plan: &ScanPlan, reading: &Reading) -> ScanPlan {
        match self.known() {
            Some(bitbucket) => bitbucket.explain(plan, reading),
            None => plan.clone(),
        }
    }

    async fn slices(&self, plan: &ScanPlan, context: &ReadContext) -> Result<Vec<Slice>> {
        self.bitbucket()?.slices(plan, context).await
    }

    fn read(
        &self,
        plan: Arc<ScanPlan>,
        slice: &Slice,
        reading: Reading,
        context: &ReadContext,
    ) -> PageStream {
        match self.bitbucket() {
            Ok(bitbucket) => bitbucket.read(plan, slice, reading, context),
            Err(error) => stream::once(async { Err(error) }).boxed(),
        }
    }

    async fn identity(&self, context: &ReadContext) -> Result<Identity> {
        self.bitbucket()?.identity(context).await
    }
}
