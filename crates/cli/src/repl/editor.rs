//! A statement in the user's editor.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use crate::interrupt::Interrupts;
use crate::shell;

/// What edits where the environment does not say.
const EDITOR: &str = if cfg!(windows) { "notepad" } else { "vi" };

/// Bytes that an edited text may have.
const MOST: u64 = 64 << 20;

/// The text as the user leaves it in the editor of `VISUAL` or `EDITOR`; `None` if it is as it was. A text has a file
/// of its own while it is edited, which only the user can read.
pub(super) async fn edit(text: String, interrupts: &Interrupts) -> io::Result<Option<String>> {
    let mut file = tempfile::Builder::new()
        .prefix("bucketline-")
        .suffix(".sql")
        .tempfile()?;
    file.write_all(text.as_bytes())?;
    file.flush()?;
    let path = file.into_temp_path();
    open(&path, interrupts).await?;
    let edited = read(&path)?;
    Ok((edited.trim_end() != text.trim_end()).then_some(edited))
}

/// What the user leaves in a file.
pub(super) async fn edit_file(path: &Path, interrupts: &Interrupts) -> io::Result<String> {
    open(path, interrupts).await?;
    match fs::exists(path)? {
        true => read(path),
        false => Ok(String::new()),
    }
}

async fn open(path: &Path, interrupts: &Interrupts) -> io::Result<()> {
    let named = ["VISUAL", "EDITOR"].map(std::env::var_os);
    let named = named.into_iter().flatten().find(|name| !name.is_empty());
    let editor = match named.map(std::ffi::OsString::into_string) {
        Some(Ok(editor)) => editor,
        Some(Err(_)) => return Err(io::Error::other("EDITOR is not UTF-8 text")),
        None => EDITOR.to_owned(),
    };
    // Ctrl-C is meant for it.
    let _unheard = interrupts.unheard();
    let mut command = shell::command(&editor, &[path.as_os_str()]);
    let ran = tokio::task::spawn_blocking(move || command.status());
    let status = ran
        .await
        .map_err(io::Error::other)?
        .map_err(|error| io::Error::new(error.kind(), format!("{editor}: {error}")))?;
    match status.success() {
        true => Ok(()),
        false => Err(io::Error::other(format!("{editor} ended with {status}"))),
    }
}

fn read(path: &Path) -> io::Result<String> {
    bucketline_files::read_text(path, MOST)
}
