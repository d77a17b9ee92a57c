//! `bucketline connect`: signs a connection in, and tests it step by step.

use std::io::{self, Write};
use std::time::Duration;

use bucketline::code::sign_in;
use bucketline::{Error as LibraryError, Event, OAuth, Session};
use futures::StreamExt;

use crate::arguments::ConnectArguments;
use crate::browser;
use crate::diagnostic::hint;
use crate::ending::Ending;
use crate::error::{Error, Result};
use crate::escape::escape;
use crate::interrupt::Interrupts;
use crate::reporter::Reporter;
use crate::script::Script;
use crate::settings::Settings;

/// How long a browser on this machine is waited for.
const PATIENCE: Duration = Duration::from_secs(5 * 60);

/// Signs in if nobody is, and says of each step whether it is well or what is missing.
pub(crate) async fn connect(
    arguments: &ConnectArguments,
    settings: &Settings,
    mut reporter: Reporter,
    interrupts: &Interrupts,
) -> Result<Ending> {
    for note in &settings.notes {
        reporter.note(note);
    }
    // A request opens no browser: that is done here, once it is known to be needed.
    let session = settings.open(None)?;
    let stopped = interrupts.stopped();
    tokio::select! {
        biased;
        stop = stopped => {
            reporter.line(&stop.to_string());
            Ok(stop.into())
        }
        ending = sign_in_and_test(&session, arguments, &mut reporter) => ending,
    }
}

async fn sign_in_and_test(
    session: &Session,
    arguments: &ConnectArguments,
    reporter: &mut Reporter,
) -> Result<Ending> {
    let mut signed_in = false;
    loop {
        match test(session, arguments, reporter, !signed_in).await? {
            Tested::Ended(ending) => return Ok(ending),
            Tested::NotSignedIn(error) => match session.oauth(&arguments.name)? {
                Some(oauth) => {
                    sign_in(&oauth, arguments.headless).await?;
                    signed_in = true;
                }
                None => return Err(error.into()),
            },
        }
    }
}

enum Tested {
    Ended(Ending),
    /// Nobody is signed in, or no longer.
    NotSignedIn(LibraryError),
}

/// Tests the connection; `may_sign_in` leaves it to the caller to do something about a missing sign-in.
async fn test(
    session: &Session,
    arguments: &ConnectArguments,
    reporter: &mut Reporter,
    may_sign_in: bool,
) -> Result<Tested> {
    let mut ending = Ending::Success;
    let nothing = Script::typed(String::new());
    let mut events = session.check(&arguments.name, &arguments.tables)?;
    while let Some(event) = events.next().await {
        match event {
            Event::Checked {
                outcome: Err(error),
                ..
            } if may_sign_in && matches!(error.code(), sign_in::NOT_SIGNED_IN | sign_in::ENDED) => {
                return Ok(Tested::NotSignedIn(error));
            }
            Event::Checked { what, outcome } => {
                if outcome.is_err() {
                    ending = Ending::Failed;
                }
                say(&what, &outcome)?;
            }
            other => reporter.hear(&other, &nothing),
        }
    }
    Ok(Tested::Ended(ending))
}

/// One step on a line, and what to do on the next.
fn say(what: &str, outcome: &Result<String, LibraryError>) -> Result<()> {
    let what = escape(what);
    let text = match outcome {
        Ok(well) => format!("ok       {what}: {}\n", escape(well)),
        Err(error) => {
            let missing = escape(&error.to_string()).into_owned();
            let hint = hint(error.code(), error.hint()).map_or_else(String::new, |hint| {
                format!("         hint: {}\n", escape(hint))
            });
            format!("missing  {what}: {missing} [{}]\n{hint}", error.code())
        }
    };
    let mut out = io::stdout();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(Error::Output)
}

async fn sign_in(oauth: &OAuth, headless: bool) -> Result<()> {
    if !headless {
        let tokens = oauth.sign_in(&browser::show, PATIENCE).await;
        tokens.map_err(LibraryError::from)?;
        return Ok(());
    }
    let authorization = oauth.begin();
    let text = format!(
        "Open this page in any browser and allow the access:\n  {}\nThe browser is then sent to an address that it \
         cannot open. Paste that address, or the code in it: ",
        authorization.url()
    );
    let mut err = io::stderr();
    err.write_all(text.as_bytes())
        .and_then(|()| err.flush())
        .map_err(Error::Input)?;
    let pasted = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        io::stdin().read_line(&mut line).map(|_| line)
    });
    let pasted = pasted
        .await
        .map_err(io::Error::other)
        .flatten()
        .map_err(Error::Input)?;
    let tokens = oauth.finish(&authorization, &pasted).await;
    tokens.map_err(LibraryError::from)?;
    Ok(())
}
