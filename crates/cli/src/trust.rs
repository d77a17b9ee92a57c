//! Which hosts may get a credential because of a configuration file that nobody named
//! (docs/decisions/0019).

use std::fs::{self, OpenOptions};
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};

use bucketline_secret::{private, private_folder};

use crate::error::{Error, Result};
use crate::escape::escape;

/// The file of the state folder that lists what was trusted: a host, a tab, the configuration file.
const TRUSTED: &str = "trusted-hosts";

/// Makes sure that `file` may send credentials to `hosts`: because a person said so before, or says
/// so now. The answer is kept in the state folder.
///
/// # Errors
/// If nobody trusts a host, or the answer cannot be kept.
pub(crate) fn check(
    file: &Path,
    hosts: Vec<String>,
    state: Option<&Path>,
    ask: &dyn Fn(&str) -> Option<bool>,
) -> Result<()> {
    let file = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let kept = state.map(|state| state.join(TRUSTED));
    let known = kept.as_deref().map(read).unwrap_or_default();
    let line = |host: &str| format!("{host}\t{}", file.display());
    let mut strangers: Vec<String> = hosts
        .into_iter()
        .filter(|host| !known.contains(&line(host)))
        .collect();
    strangers.sort();
    strangers.dedup();
    if strangers.is_empty() {
        return Ok(());
    }
    let question = format!(
        "{} would send a credential to {}. Do you trust it?",
        file.display(),
        strangers.join(", ")
    );
    if ask(&question) != Some(true) {
        return Err(Error::UntrustedHosts {
            file: PathBuf::from(file.file_name().unwrap_or(file.as_os_str())),
            hosts: strangers,
        });
    }
    let lines: Vec<String> = strangers.iter().map(|host| line(host)).collect();
    kept.map_or(Ok(()), |kept| append(&kept, &lines))
}

fn read(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn append(path: &Path, lines: &[String]) -> Result<()> {
    let write = || {
        path.parent().map_or(Ok(()), private_folder)?;
        let mut options = OpenOptions::new();
        options.create(true).append(true);
        let mut file = private(&mut options).open(path)?;
        writeln!(file, "{}", lines.join("\n"))
    };
    write().map_err(|source| Error::Write {
        path: path.to_owned(),
        source,
    })
}

/// Asks on the terminal. `None` if there is none, or the answer is unreadable.
pub(crate) fn ask(question: &str) -> Option<bool> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return None;
    }
    let mut error = io::stderr().lock();
    write!(error, "{} [y/N] ", escape(question)).ok()?;
    error.flush().ok()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).ok()?;
    let answer = answer.trim().to_ascii_lowercase();
    Some(matches!(answer.as_str(), "y" | "yes"))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::check;
    use crate::error::Error;

    #[test]
    fn a_host_that_a_person_trusted_is_not_asked_about_again() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("bucketline.toml");
        let other = folder.path().join("other.toml");
        std::fs::write(&file, "").unwrap();
        std::fs::write(&other, "").unwrap();
        let state = folder.path().join("state");
        let asked = Cell::new(0);
        let answer = |answer: Option<bool>| {
            let asked = &asked;
            move |_: &str| {
                asked.set(asked.get() + 1);
                answer
            }
        };
        let hosts = || vec!["git.example".to_owned()];
        for refused in [None, Some(false)] {
            let outcome = check(&file, hosts(), Some(&state), &answer(refused));
            assert!(matches!(outcome, Err(Error::UntrustedHosts { .. })));
        }
        check(&file, hosts(), Some(&state), &answer(Some(true))).unwrap();
        assert_eq!(asked.get(), 3);
        check(&file, hosts(), Some(&state), &answer(None)).unwrap();
        assert_eq!(asked.get(), 3);
        // Neither another file nor another host is trusted by that.
        assert!(check(&other, hosts(), Some(&state), &answer(None)).is_err());
        let more = vec!["git.example".to_owned(), "x.example".to_owned()];
        assert!(check(&file, more, Some(&state), &answer(None)).is_err());
    }

    #[test]
    fn a_file_that_names_no_stranger_asks_nothing() {
        check("x".as_ref(), Vec::new(), None, &|_| panic!("asked")).unwrap();
    }
}
