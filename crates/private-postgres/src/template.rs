//! The data folder that every server's is a copy of.

use std::collections::hash_map::DefaultHasher;
use std::fs::File;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};

use crate::account::Account;
use crate::place::folder_of;
use crate::programs::{Programs, output};
use crate::{Result, random};

/// Raised when `initdb` is called otherwise.
const EDITION: u32 = 1;

/// The superuser of every server. Not named as a user of the machine is, so that a client that
/// takes that name by mistake is refused.
pub(crate) const USER: &str = "keeper";

/// An initialised data folder.
pub(crate) struct Template {
    folder: PathBuf,
}

impl Template {
    /// The one kept for these programs, made now if there is none.
    pub(crate) fn find(programs: &Programs, account: Account) -> Result<Self> {
        let mut hasher = DefaultHasher::new();
        (programs.path("postgres"), programs.version()?, EDITION).hash(&mut hasher);
        let cache = cache()?;
        let folder = cache.join(format!("{:016x}", hasher.finish()));
        let template = Self { folder };
        if !template.folder.exists() {
            template.make(&cache, programs, account)?;
        }
        Ok(template)
    }

    /// The superuser's password.
    pub(crate) fn password(&self) -> Result<String> {
        let path = self.folder.join("password");
        std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Makes it aside and moves it into its place whole, one process at a time.
    fn make(&self, cache: &Path, programs: &Programs, account: Account) -> Result<()> {
        let failed = |error| format!("{}: {error}", self.folder.display());
        let lock = File::create(self.folder.with_extension("lock")).map_err(failed)?;
        lock.lock().map_err(failed)?;
        if self.folder.exists() {
            return Ok(());
        }
        let made = folder_of(account, None)?;
        let password = made.path().join("password");
        std::fs::write(&password, random::password()?).map_err(failed)?;
        account.own(&password)?;
        let mut initdb = programs.command("initdb");
        initdb
            .arg("--pgdata")
            .arg(made.path().join("data"))
            .args(["--username", USER, "--pwfile"])
            .arg(&password)
            .args([
                "--auth",
                "scram-sha-256",
                "--encoding",
                "UTF8",
                "--locale",
                "C",
            ])
            // A sixteenth of the usual size, most of which would be copied for nothing.
            .args(["--wal-segsize", "1", "--no-sync", "--no-instructions"]);
        account.run(&mut initdb);
        output(&mut initdb)?;

        let aside = tempfile::Builder::new()
            .prefix("making")
            .tempdir_in(cache)
            .map_err(failed)?;
        let whole = aside.path().join("whole");
        Account::of_this_process().copy(made.path(), &whole)?;
        std::fs::rename(whole, &self.folder).map_err(failed)
    }
}

/// The user's folder for what can be made again.
fn cache() -> Result<PathBuf> {
    let folder = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(Path::new(&std::env::var_os("HOME")?).join(".cache")))
        .unwrap_or_else(std::env::temp_dir)
        .join("bucketline/postgres");
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(folder)
}
