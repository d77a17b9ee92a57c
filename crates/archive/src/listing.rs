//! The archives of a connection: looked for once a script.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use bucketline_core::code::archive as code;
use bucketline_source::{Error, ReadContext, Result};
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;

use crate::settings::{Limits, Settings};
use crate::zip::Document;

/// One archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Archive {
    pub(crate) path: PathBuf,
    /// The slug of the repository that it is of.
    pub(crate) repository: String,
    /// What stands for the repository's UUID.
    pub(crate) uuid: String,
    /// Moves with the file. `None` if it cannot be told; reading it says why.
    pub(crate) proof: Option<String>,
}

/// The archives that a [scan](ReadContext::scan) has found. Callers at the same time share one look.
#[derive(Debug, Default)]
struct Known(Mutex<Option<Arc<Vec<Archive>>>>);

/// All archives by repository.
pub(crate) async fn all(
    settings: &Arc<Settings>,
    context: &ReadContext,
) -> Result<Arc<Vec<Archive>>> {
    let known: Arc<Known> = context.scan().part(settings);
    let mut known = known.0.lock().await;
    if let Some(all) = &*known {
        return Ok(all.clone());
    }
    let settings = Arc::clone(settings);
    let look = tokio::task::spawn_blocking(move || list(&settings));
    let all = look.await.map_err(|error| {
        Error::new(
            code::UNREADABLE,
            format!("the search for archives broke off: {error}"),
        )
    })??;
    let all = Arc::new(all);
    *known = Some(all.clone());
    Ok(all)
}

/// Looks for the archives of the settings' paths.
fn list(settings: &Settings) -> Result<Vec<Archive>> {
    let mut paths = Vec::new();
    for path in &settings.paths {
        paths.extend(files(path)?);
    }
    let mut once = HashSet::new();
    paths.retain(|path| once.insert(fs::canonicalize(path).unwrap_or_else(|_| path.clone())));
    if settings.repository.is_some() && paths.len() > 1 {
        return Err(Error::new(
            code::CONFIGURATION,
            format!(
                "the connection names one repository, and there are {} archives",
                paths.len()
            ),
        )
        .with_hint("leave the repository's name out: the files' names say it, `api-issues.zip`"));
    }
    let mut archives: BTreeMap<String, Archive> = BTreeMap::new();
    for path in paths {
        let named = settings.repository.clone();
        let repository = named.or_else(|| repository(&path)).ok_or_else(|| {
            Error::new(
                code::CONFIGURATION,
                format!("the name of {} says no repository", path.display()),
            )
            .with_hint("rename it, as `api-issues.zip` for the repository `api`, or set the connection's repository")
        })?;
        let archive = Archive {
            uuid: uuid(settings.workspace.as_deref(), &repository),
            proof: proof(&path, &settings.limits),
            repository: repository.clone(),
            path,
        };
        let path = archive.path.clone();
        if let Some(other) = archives.insert(repository.clone(), archive) {
            return Err(Error::new(
                code::TWO_OF_ONE_REPOSITORY,
                format!(
                    "{} and {} are archives of one repository, `{repository}`",
                    other.path.display(),
                    path.display()
                ),
            )
            .with_hint("keep the newer one in the folder, and move the other away"));
        }
    }
    Ok(archives.into_values().collect())
}

/// The archives at a path: itself, or those in the folder, by name.
fn files(path: &Path) -> Result<Vec<PathBuf>> {
    match bucketline_files::regular_file(path) {
        Ok(_) => return Ok(vec![path.to_owned()]),
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => {}
        Err(error) => return Err(unreadable(path, error)),
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(path).map_err(|error| unreadable(path, error))? {
        let entry = entry.map_err(|error| unreadable(path, error))?;
        let file = entry.path();
        let is_zip = file
            .extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case("zip"));
        // Hidden files are not a user's: macOS puts `._api-issues.zip` beside a copied archive.
        let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        if is_zip && !is_hidden && fs::metadata(&file).is_ok_and(|metadata| metadata.is_file()) {
            found.push(file);
        }
    }
    if found.is_empty() {
        return Err(Error::new(
            code::NO_FILE,
            format!("there is no archive in the folder {}", path.display()),
        )
        .with_hint("archives are files that end in .zip; folders in it are not looked into"));
    }
    found.sort();
    Ok(found)
}

fn unreadable(path: &Path, error: io::Error) -> Error {
    let (code, what) = match error.kind() {
        io::ErrorKind::NotFound => (
            code::NO_FILE,
            format!("there is no file or folder {}", path.display()),
        ),
        _ => (
            code::UNREADABLE,
            format!("{}: it cannot be read: {error}", path.display()),
        ),
    };
    Error::new(code, what).with_source(error)
}

/// The repository that a file's name says: `api-issues.zip` is of `api`, also as a browser's second
/// download, `api-issues (1).zip`. Slugs are lower case.
fn repository(path: &Path) -> Option<String> {
    let stem = path.file_stem()?.to_string_lossy().to_lowercase();
    let name = match stem
        .strip_suffix(')')
        .and_then(|stem| stem.rsplit_once(" ("))
    {
        Some((name, number)) if number.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => &stem,
    };
    let name = name.strip_suffix("-issues").unwrap_or(name).trim();
    (!name.is_empty()).then(|| name.to_owned())
}

/// What stands for the UUID that an archive does not carry: a UUID of version 8, made of the
/// workspace's and the repository's slug, so that a newer archive of the repository has the same.
fn uuid(workspace: Option<&str>, repository: &str) -> String {
    let mut hash = Sha256::new();
    for part in [
        "bucketline issue archive",
        workspace.unwrap_or_default(),
        repository,
    ] {
        hash.update(part);
        hash.update([0]);
    }
    let mut bytes: [u8; 16] = std::array::from_fn({
        let hash = hash.finalize();
        move |index| hash[index]
    });
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut uuid = String::from("{");
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            uuid.push('-');
        }
        uuid.push_str(&format!("{byte:02x}"));
    }
    uuid.push('}');
    uuid
}

/// Size and time of the file, and checksum and size of the document by its directory.
fn proof(path: &Path, limits: &Limits) -> Option<String> {
    let file = bucketline_files::open(path).ok()?;
    let metadata: Metadata = file.metadata().ok()?;
    let modified = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    let Document {
        checksum, bytes, ..
    } = Document::find(file, limits).ok()?;
    Some(format!(
        "{} {} {bytes} {checksum:08x}",
        metadata.len(),
        modified.as_nanos()
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::path::Path;

    use super::{repository, uuid};

    #[test]
    fn a_files_name_says_the_repository() {
        let cases = [
            ("exports/api-issues.zip", Some("api")),
            ("API-Issues.ZIP", Some("api")),
            ("api-issues (12).zip", Some("api")),
            ("api (old)-issues.zip", Some("api (old)")),
            ("my-issues-issues.zip", Some("my-issues")),
            ("web.site.zip", Some("web.site")),
            ("-issues.zip", None),
            (" (1).zip", None),
        ];
        for (path, expected) in cases {
            assert_eq!(repository(Path::new(path)).as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn the_identity_of_a_repository_never_changes() {
        // Copies that exist lean on these.
        assert_eq!(
            uuid(Some("acme"), "api"),
            "{e45cf4c9-9121-8ff1-bd81-59b53d9948d6}"
        );
        assert_ne!(uuid(Some("acme"), "web"), uuid(Some("acme"), "api"));
        assert_ne!(uuid(Some("acmea"), "pi"), uuid(Some("acme"), "api"));
        assert_ne!(uuid(None, "api"), uuid(Some("acme"), "api"));
    }
}
