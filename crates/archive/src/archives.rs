//! The source itself.

use std::borrow::Cow;
use std::sync::Arc;

use async_trait::async_trait;
use bucketline_core::code::archive as code;
use bucketline_source::{
    Error, Identity, PageStream, ReadContext, Reading, Result, ScanPlan, ScanRequest, Scope,
    ScopeKind, Slice, SliceChoice, SliceId, Source, TableSpec,
};

use crate::listing::{self, Archive};
use crate::plan;
use crate::reading;
use crate::settings::Settings;
use crate::tables::tables;

/// The schema that is all archives.
const WHOLE: &str = "Information";

/// Archives that are read at a time; each has a thread and a few pages.
const CONCURRENCY: usize = 4;

/// A connection to one archive or folders of them.
#[derive(Debug)]
pub struct Archives {
    settings: Arc<Settings>,
}

impl Archives {
    /// A connection; nothing is looked for yet.
    ///
    /// # Errors
    /// `Configuration` if no path is given.
    pub fn new(mut settings: Settings) -> Result<Self> {
        if settings
            .paths
            .iter()
            .all(|path| path.as_os_str().is_empty())
        {
            return Err(Error::new(
                code::CONFIGURATION,
                "the connection names no archive, and no folder of archives",
            ));
        }
        // Slugs are lower case.
        let slug = |name: String| {
            let name = name.trim().to_lowercase();
            (!name.is_empty()).then_some(name)
        };
        settings.repository = settings.repository.and_then(slug);
        settings.workspace = settings.workspace.and_then(slug);
        Ok(Self {
            settings: Arc::new(settings),
        })
    }

    fn slice(&self, plan: &ScanPlan, archive: &Archive) -> Slice {
        let workspace = self.settings.workspace.as_deref();
        Slice {
            id: SliceId(archive.uuid.clone()),
            label: match workspace {
                Some(workspace) => format!("{workspace}/{}", archive.repository),
                None => archive.repository.clone(),
            },
            parents: plan::parents(&plan.request.table, workspace, archive),
            proof: archive.proof.clone(),
        }
    }
}

fn whole() -> Scope {
    Scope {
        kind: ScopeKind::Whole,
        name: WHOLE.to_owned(),
        uuid: None,
    }
}

fn of_archive(archive: &Archive) -> Scope {
    Scope {
        kind: ScopeKind::Repository,
        name: archive.repository.clone(),
        uuid: Some(archive.uuid.clone()),
    }
}

#[async_trait]
impl Source for Archives {
    fn tables(&self) -> Cow<'_, [Arc<TableSpec>]> {
        Cow::Borrowed(tables())
    }

    fn default_scope(&self) -> Scope {
        whole()
    }

    fn concurrency(&self) -> usize {
        CONCURRENCY
    }

    async fn scopes(&self, context: &ReadContext) -> Result<Vec<Scope>> {
        let archives = listing::all(&self.settings, context).await?;
        let mut scopes = vec![whole()];
        scopes.extend(archives.iter().map(of_archive));
        Ok(scopes)
    }

    async fn find_scopes(
        &self,
        name: &str,
        exact: bool,
        context: &ReadContext,
    ) -> Result<Vec<Scope>> {
        let mut scopes = self.scopes(context).await?;
        scopes
            .retain(|scope| scope.name == name || !exact && scope.name.eq_ignore_ascii_case(name));
        Ok(scopes)
    }

    fn plan(&self, request: ScanRequest) -> Result<ScanPlan> {
        plan::plan(request, &self.settings)
    }

    async fn slices(&self, plan: &ScanPlan, context: &ReadContext) -> Result<Vec<Slice>> {
        let archives = listing::all(&self.settings, context).await?;
        let scope = &plan.request.scope;
        let in_scope = |archive: &&Archive| match (&plan.slices, &scope.uuid) {
            (SliceChoice::Named(_), Some(uuid)) => archive.uuid == *uuid,
            (SliceChoice::Named(names), None) => names.contains(&archive.repository),
            (SliceChoice::One | SliceChoice::Listed, _) => true,
        };
        let chosen: Vec<_> = archives.iter().filter(in_scope).collect();
        if chosen.is_empty() {
            return Err(Error::new(
                code::NO_FILE,
                format!("there is no archive of the repository `{}`", scope.name),
            ));
        }
        let mut slices: Vec<_> = chosen
            .into_iter()
            .map(|archive| self.slice(plan, archive))
            .collect();
        slices.retain(|slice| plan.admits(&slice.parents));
        Ok(slices)
    }

    fn read(
        &self,
        plan: Arc<ScanPlan>,
        slice: &Slice,
        reading: Reading,
        context: &ReadContext,
    ) -> PageStream {
        reading::read(
            Arc::clone(&self.settings),
            plan,
            slice.clone(),
            reading,
            context.clone(),
        )
    }

    /// Archives have no service and need no credential; those of a workspace are the same data wherever
    /// they lie.
    async fn identity(&self, _: &ReadContext) -> Result<Identity> {
        Ok(Identity {
            origin: "archive".to_owned(),
            workspace: self.settings.workspace.clone(),
            credential: String::new(),
        })
    }
}
