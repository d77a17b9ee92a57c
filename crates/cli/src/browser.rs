//! Showing a page in the user's browser.

use std::io::{self, IsTerminal, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;

use bucketline::{Opener, Url};

/// Shows the page on which a user signs in, if a user is there: on a terminal.
pub(crate) fn opener() -> Option<Opener> {
    let attended = io::stdin().is_terminal() && io::stderr().is_terminal();
    attended.then(|| Arc::new(show) as Opener)
}

/// Opens the page, and says its address, should that fail or the wrong browser come.
pub(crate) fn show(url: &Url) {
    let text = format!("To sign in, allow the access on this page:\n  {url}\n");
    // Whoever closed the standard error does not want to be told.
    drop(io::stderr().write_all(text.as_bytes()));
    let opened = command()
        .arg(url.as_str())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    if let Ok(mut browser) = opened {
        // It may run as long as its window is open.
        thread::spawn(move || browser.wait());
    }
}

/// What opens an address on this system. None of them is a shell, to which an address would be a script.
fn command() -> Command {
    if cfg!(windows) {
        let mut command = Command::new("rundll32");
        command.arg("url.dll,FileProtocolHandler");
        command
    } else if cfg!(target_os = "macos") {
        Command::new("open")
    } else {
        Command::new("xdg-open")
    }
}
