//! `bucketline serve`: the application behind its REST API.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use bucketline_runner::Workbench;
use bucketline_secret::{make_folder, private};
use bucketline_web::{Application, Server, Token, listen};
use tokio::sync::watch;

use crate::application::{Parts, folder};
use crate::arguments::ServeArguments;
use crate::ending::Ending;
use crate::error::{Error, Result};
use crate::interrupt::Interrupts;
use crate::settings::Settings;

/// The file of the token in the state folder.
const TOKEN_FILE: &str = "serve-token";

/// Serves until Ctrl-C or a request to terminate. Then statements under way commit, and what is left goes on at the next
/// start.
pub(crate) async fn serve(
    arguments: &ServeArguments,
    settings: &Settings,
    interrupts: &Interrupts,
) -> Result<Ending> {
    let listener = listen(arguments.listen).await?;
    let parts = Parts::open(&arguments.store, settings).await?;
    parts.warn_of_secrets().await?;
    let token = Token::random().ok_or(Error::NoRandom)?;
    let file = folder(settings)?.join(TOKEN_FILE);
    write_private(&file, &token).map_err(|source| Error::Write {
        path: file.clone(),
        source,
    })?;
    let scheduler = parts.scheduler();
    let handle = scheduler.handle();
    let (server, closing) = Server::new();
    let application = Application {
        store: parts.store,
        scheduler: handle.clone(),
        clock: parts.clock,
        workbench: Workbench::new(parts.connections),
        zone: parts.zone,
        token: token.clone(),
        closing,
    };
    let stopped = interrupts.stopped();
    let address = listener.local_addr().map_err(Error::Output)?;
    welcome(&format!("http://{address}"), &token, &file)?;
    let (close, mut closed) = watch::channel(false);
    let closed = async move {
        drop(closed.wait_for(|closed| *closed).await);
    };
    let mut scheduling = tokio::spawn(scheduler.serve());
    let mut serving = tokio::spawn(server.serve(listener, application, closed));
    let broken = tokio::select! {
        _ = stopped => None,
        ended = &mut scheduling => Some(ended.map_err(io::Error::other).map_err(Error::Output)),
        ended = &mut serving => {
            let ended = ended.map_err(io::Error::other).flatten().map_err(Error::Output);
            ended?;
            None
        }
    };
    close.send_replace(true);
    handle.shut_down();
    if let Some(ended) = broken {
        return ended?.map(|()| Ending::Success).map_err(Error::from);
    }
    let ended = scheduling
        .await
        .map_err(io::Error::other)
        .map_err(Error::Output)?;
    if !serving.is_finished() {
        serving
            .await
            .map_err(io::Error::other)
            .flatten()
            .map_err(Error::Output)?;
    }
    // Whoever uses the token next would only ask in vain.
    drop(fs::remove_file(&file));
    ended.map(|()| Ending::Success).map_err(Error::from)
}

/// Writes the token where only this user reads it.
fn write_private(path: &Path, token: &Token) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        make_folder(folder)?;
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    let file = private(options.write(true).create_new(true)).open(path);
    writeln!(file?, "{}", token.reveal())
}

/// What a user wants to know of a server that runs.
fn welcome(origin: &str, token: &Token, file: &Path) -> Result<()> {
    let text = format!(
        "Bucketline serves at {origin}/api/v1 until Ctrl-C\n\
         token: {token}\n\
         It is also in {file}, which only you can read.\n\n\
         Try it from another terminal:\n  \
         curl -H \"Authorization: Bearer $(cat '{file}')\" {origin}/api/v1/jobs\n",
        token = token.reveal(),
        file = file.display(),
    );
    let mut out = io::stdout();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(Error::Output)
}
