//! `bucketline serve`: the application behind its REST API.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use bucketline_app::people::{Credential, Desk};
use bucketline_runner::Workbench;
use bucketline_secret::{make_folder, private};
use bucketline_web::{Application, Reach, Server, TlsFiles, listen};
use tokio::sync::watch;

use crate::application::{Parts, folder};
use crate::arguments::ServeArguments;
use crate::ending::Ending;
use crate::error::{Error, Result};
use crate::interrupt::Interrupts;
use crate::settings::Settings;

/// The file of the token in the state folder.
const TOKEN_FILE: &str = "serve-token";
/// The file of the token that makes the first account.
const SET_UP_FILE: &str = "set-up-token";
/// Bytes that the file of a password may have.
const PASSWORD: u64 = 4 << 10;

/// Serves until Ctrl-C or a request to terminate. Then statements under way commit, and what is left goes on at the next
/// start.
pub(crate) async fn serve(
    arguments: &ServeArguments,
    settings: &Settings,
    interrupts: &Interrupts,
) -> Result<Ending> {
    let reach = reach(arguments);
    let tls = arguments
        .tls_certificate
        .clone()
        .zip(arguments.tls_key.clone());
    let tls = tls.map(|(certificate, key)| TlsFiles { certificate, key });
    let door = listen(arguments.listen, &reach, tls.as_ref()).await?;
    let parts = Parts::open(&arguments.store, settings).await?;
    parts.warn_of_secrets().await?;
    let token = Credential::random()?;
    let file = folder(settings)?.join(TOKEN_FILE);
    write_private(&file, &token)?;
    let desk = Desk::new(Arc::clone(&parts.accounts), Arc::clone(&parts.clock)).with_token(&token);
    if let Some(path) = &arguments.admin_password_file {
        let password = bucketline_files::read_text(path, PASSWORD);
        let password = password.map_err(|source| Error::PasswordFile {
            path: path.clone(),
            source,
        })?;
        desk.ensure_admin(password.trim_end_matches(['\r', '\n']))
            .await?;
    }
    let set_up_file = folder(settings)?.join(SET_UP_FILE);
    let set_up = desk.offer_set_up().await?;
    match &set_up {
        Some(token) => write_private(&set_up_file, token)?,
        None => drop(fs::remove_file(&set_up_file)),
    }
    let scheduler = parts.scheduler();
    let handle = scheduler.handle();
    let (server, closing) = Server::new();
    let application = Application {
        store: parts.store,
        scheduler: handle.clone(),
        clock: parts.clock,
        workbench: Workbench::new(parts.connections),
        zone: parts.zone,
        desk,
        reach: Arc::new(reach),
        closing,
    };
    let stopped = interrupts.stopped();
    let scheme = if tls.is_some() { "https" } else { "http" };
    let origin = format!("{scheme}://{}", door.address());
    welcome(&origin, &token, &file)?;
    if set_up.is_some() {
        invite(&origin, &set_up_file)?;
    }
    let (close, mut closed) = watch::channel(false);
    let closed = async move {
        drop(closed.wait_for(|closed| *closed).await);
    };
    let mut scheduling = tokio::spawn(scheduler.serve());
    let mut serving = tokio::spawn(server.serve(door, application, closed));
    let broken = tokio::select! {
        _ = stopped => None,
        ended = &mut scheduling => Some(ended.map_err(io::Error::other).map_err(Error::Output)),
        ended = &mut serving => {
            ended.map_err(io::Error::other).map_err(Error::Output)?;
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
            .map_err(Error::Output)?;
    }
    // Whoever uses the token next would only ask in vain.
    drop(fs::remove_file(&file));
    drop(fs::remove_file(&set_up_file));
    ended.map(|()| Ending::Success).map_err(Error::from)
}

/// By which names and ways the server is reached.
fn reach(arguments: &ServeArguments) -> Reach {
    let mut hosts = arguments.hosts.clone();
    let address = arguments.listen.ip();
    if !address.is_unspecified() {
        hosts.push(match address {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        });
    }
    Reach {
        hosts,
        proxies: arguments.proxies.clone(),
        tls: arguments.tls_certificate.is_some(),
    }
}

/// Writes a token where only this user reads it.
fn write_private(path: &Path, token: &Credential) -> Result<()> {
    let written = || {
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
    };
    written().map_err(|source| Error::Write {
        path: path.to_owned(),
        source,
    })
}

/// How the first account is made.
fn invite(origin: &str, file: &Path) -> Result<()> {
    let text = format!(
        "\nThere is no account yet. Within an hour this makes the first one, which administers:\n  \
         curl {origin}/api/v1/set-up --json \"{{ \\\"token\\\": \\\"$(cat '{file}')\\\", \\\"name\\\": \\\"NAME\\\", \\\"password\\\": \\\"PASSWORD\\\" }}\"\n",
        file = file.display(),
    );
    let mut out = io::stdout();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(Error::Output)
}

/// What a user wants to know of a server that runs.
fn welcome(origin: &str, token: &Credential, file: &Path) -> Result<()> {
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
