//! The application's parts, put together from the command line, the environment and the configuration.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bucketline::{Access, BothBudgets, BudgetFiles, BudgetStore, HostTable};
use bucketline_app::clock::StoreClock;
use bucketline_app::people::Accounts;
use bucketline_app::scheduler::{self, Scheduler};
use bucketline_app::store::NewNode;
use bucketline_app::{Clock, Store, Vault, schedule};
use bucketline_postgres::Settings as Server;
use bucketline_runner::{Bounds, Configured, Connections, LocalRunner};
use bucketline_store::{Budgets, Opened, Place, SignIns, VaultSeal};
use chrono_tz::Tz;
use futures::FutureExt;

use crate::arguments::StoreArguments;
use crate::error::{Error, Result};
use crate::settings::Settings;

/// The store's file in the state folder.
const FILE: &str = "app.db";

/// The credential of systemd that is the key for secrets.
const CREDENTIAL: &str = "bucketline-key";

/// What seals the store's secrets.
fn vault(arguments: &StoreArguments, place: &Place, settings: &Settings) -> Vault {
    if let Some(path) = &arguments.key_file {
        return Vault::of_file(path);
    }
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    let credential = credentials.map(|folder| folder.join(CREDENTIAL));
    if let Some(path) = credential.filter(|path| path.exists()) {
        return Vault::of_file(path);
    }
    match (place, &settings.state) {
        (Place::File(path), _) => Vault::beside(path.with_extension("key")),
        (_, Some(folder)) => Vault::beside(folder.join(FILE).with_extension("key")),
        (_, None) => Vault::closed(),
    }
}

/// What connections of the store may reach.
fn bounds(arguments: &StoreArguments, place: &Place, settings: &Settings) -> Bounds {
    let data = arguments.data.clone().unwrap_or_default();
    let mut access = Access::default()
        .with_files_below(absolute(&data))
        .with_variables(arguments.allowed_variables.iter().cloned())
        .with_secret_files(arguments.allowed_files.iter().cloned());
    // Accounts, keys and tokens are no data.
    if let Some(state) = &settings.state {
        access = access.without(absolute(state));
    }
    if let Place::File(path) = place {
        for suffix in ["", "-wal", "-shm"] {
            let mut name = path.clone().into_os_string();
            name.push(suffix);
            access = access.without(absolute(Path::new(&name)));
        }
        access = access.without(absolute(&path.with_extension("key")));
    }
    Bounds {
        access,
        hosts: arguments.allowed_hosts.clone(),
    }
}

fn absolute(path: &Path) -> PathBuf {
    let current = || std::env::current_dir().unwrap_or_default().join(path);
    std::path::absolute(path).unwrap_or_else(|_| current())
}

/// The application, without a server before it.
pub(crate) struct Parts {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) accounts: Arc<dyn Accounts>,
    pub(crate) vault: Vault,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) connections: Connections,
    pub(crate) zone: Tz,
}

/// The folder for the store and the token.
pub(crate) fn folder(settings: &Settings) -> Result<PathBuf> {
    settings.state.clone().ok_or(Error::NoStateFolder)
}

/// Where the store is.
fn place(store: Option<&str>, settings: &Settings) -> Result<Place> {
    let Some(text) = store else {
        return Ok(Place::File(folder(settings)?.join(FILE)));
    };
    if !["postgres://", "postgresql://"]
        .iter()
        .any(|scheme| text.starts_with(scheme))
    {
        return Ok(Place::File(text.into()));
    }
    let variable = |name: &str| std::env::var(name).ok();
    let server = Server::of_properties([("URL", text)], &variable);
    let server = server.map_err(|error| Error::Store {
        message: error.to_string(),
    })?;
    Ok(Place::Postgres(Box::new(server)))
}

/// The tables `sys_jobs` and so on. The store is opened when a query reads one.
pub(crate) fn record_tables(settings: &Settings) -> Vec<Arc<dyn HostTable>> {
    let place = place(settings.store.as_deref(), settings)
        .map_err(|error| bucketline::Error::new(error.code(), error.to_string()));
    bucketline_runner::record_tables(Arc::new(move || {
        let place = place.clone();
        // The tables show no secrets.
        async move {
            let opened = bucketline_store::look(&place?, &Vault::closed()).await?;
            Ok(opened.map(|opened| opened.store))
        }
        .boxed()
    }))
}

/// The steps that bring the store to this version's schema, carried out.
pub(crate) async fn migrate(
    arguments: &StoreArguments,
    settings: &Settings,
) -> Result<Vec<String>> {
    let place = place(arguments.store.as_deref(), settings)?;
    let steps = bucketline_store::pending(&place).await?;
    bucketline_store::open(&place).await?;
    Ok(steps)
}

impl Parts {
    /// Opens the store.
    pub(crate) async fn open(arguments: &StoreArguments, settings: &Settings) -> Result<Self> {
        let place = place(arguments.store.as_deref(), settings)?;
        let vault = vault(arguments, &place, settings);
        let opened = bucketline_store::open_with(&place, &vault).await?;
        let bounds = bounds(arguments, &place, settings);
        let mut parts = Self::over(opened, vault, bounds, settings)?;
        let shared: Arc<dyn BudgetStore> = Arc::new(Budgets::new(Arc::clone(&parts.store)));
        let budgets = match &settings.state {
            // Programs of this machine that do not use the store count in the files.
            Some(folder) => Arc::new(BothBudgets::new(shared, Arc::new(BudgetFiles::new(folder)))),
            None => shared,
        };
        let seal = VaultSeal::new(parts.vault.clone(), &*parts.store);
        let tokens = SignIns::new(Arc::clone(&parts.store), Arc::new(seal));
        parts.connections = parts
            .connections
            .with_budgets(budgets)
            .with_tokens(Arc::new(tokens));
        Ok(parts)
    }

    /// Opens the store to be read, also while a process serves it; none if there is no store.
    pub(crate) async fn look(
        arguments: &StoreArguments,
        settings: &Settings,
    ) -> Result<Option<Self>> {
        let place = place(arguments.store.as_deref(), settings)?;
        let vault = vault(arguments, &place, settings);
        let store = bucketline_store::look(&place, &vault).await?;
        let bounds = bounds(arguments, &place, settings);
        let opened = store.map(|opened| Self::over(opened, vault, bounds, settings));
        opened.transpose()
    }

    fn over(opened: Opened, vault: Vault, bounds: Bounds, settings: &Settings) -> Result<Self> {
        let Opened { store, accounts } = opened;
        let zone = match &settings.time_zone {
            Some(name) => schedule::zone(name)?,
            None => Tz::UTC,
        };
        let configured = settings.connections.iter();
        let configured = configured.map(|(name, properties)| Configured {
            name: name.clone(),
            properties: properties.clone(),
        });
        let mut connections = Connections::new(Arc::clone(&store))
            .with_configured(configured.collect())
            .with_options(settings.options.clone())
            .within(bounds);
        if let Some(folder) = &settings.state {
            connections = connections.with_state_dir(folder);
        }
        if let Some(zone) = &settings.time_zone {
            connections = connections.with_time_zone(zone);
        }
        Ok(Self {
            clock: Arc::new(StoreClock::new(Arc::clone(&store))),
            store,
            accounts,
            vault,
            connections,
            zone,
        })
    }

    /// Warns of secrets that cannot be opened.
    pub(crate) async fn warn_of_secrets(&self) -> Result<()> {
        let state = self.store.secrets_state().await?;
        if state.key_is_other {
            let why = self.vault.trouble();
            let why = why.unwrap_or_else(|| "the key is another one than sealed them".to_owned());
            tracing::warn!("the store's secrets cannot be opened: {why}");
        }
        if !state.to_enter.is_empty() {
            let list = state.to_enter.join("; ");
            tracing::warn!(
                "enter these secrets again, or restore the key file (everything else works): {list}"
            );
        }
        Ok(())
    }

    /// A scheduler that runs tasks in this process.
    pub(crate) fn scheduler(&self) -> Scheduler {
        let node = NewNode {
            name: format!("process {}", std::process::id()),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let mut settings = scheduler::Settings::new(node);
        settings.zone = self.zone;
        for configured in self.connections.configured() {
            if configured.properties.type_name() == Some("SQLite") {
                let destinations = &mut settings.limits.destinations;
                destinations.insert(configured.name.clone(), 1);
            }
        }
        let clock = Arc::clone(&self.clock);
        let runner = LocalRunner::new(self.connections.clone(), Arc::clone(&clock));
        Scheduler::new(Arc::clone(&self.store), Arc::new(runner), clock, settings)
    }
}
