//! `bucketline sandbox`.

use std::io::{self, Write};
use std::time::Duration;

use bucketline_sandbox::{Config, Consumer, Count, Credential, Day, Sandbox, WorkspaceConfig};

use crate::arguments::{self, SandboxArguments};
use crate::ending::Ending;
use crate::error::{Error, Result};
use crate::escape::escape_except;
use crate::interrupt::Interrupts;

/// Serves until Ctrl-C.
pub(crate) async fn serve(arguments: &SandboxArguments, interrupts: &Interrupts) -> Result<Ending> {
    let sandbox = Sandbox::start(config(arguments)).await?;
    let mut out = io::stdout();
    let welcome = welcome(&sandbox, &arguments.workspaces);
    out.write_all(escape_except(&welcome, &['\n']).as_bytes())
        .and_then(|()| out.flush())
        .map_err(Error::Output)?;
    wait(sandbox, interrupts).await;
    Ok(Ending::Success)
}

/// Serves until Ctrl-C, or a request to terminate.
pub(crate) async fn wait(sandbox: Sandbox, interrupts: &Interrupts) {
    let stopped = interrupts.stopped();
    tokio::select! {
        _ = stopped => {}
        () = sandbox.serve_forever() => {}
    }
    sandbox.shutdown().await;
}

fn config(arguments: &SandboxArguments) -> Config {
    let workspaces = &arguments.workspaces;
    Config {
        port: arguments.port,
        seed: arguments.seed,
        day: match arguments.day {
            arguments::Day::Before => Day::BeforeRemoval,
            arguments::Day::After => Day::AfterRemoval,
        },
        workspaces: workspaces
            .iter()
            .map(|slug| WorkspaceConfig {
                trackers_off: arguments.trackers_off,
                same_updated_on: arguments.same_updated_on,
                ..WorkspaceConfig::new(slug)
                    .repositories(arguments.repositories)
                    .issues(Count::Total(arguments.issues))
                    .pull_requests(Count::Total(arguments.pull_requests))
                    .branches(arguments.branches)
            })
            .collect(),
        credentials: workspaces
            .iter()
            .flat_map(|slug| {
                [
                    Credential::api_token(slug),
                    Credential::workspace_token(slug),
                ]
            })
            .collect(),
        consumers: workspaces.iter().map(|slug| Consumer::new(slug)).collect(),
        latency: Duration::from_millis(arguments.latency_ms),
        requests_per_hour: (arguments.requests_per_hour > 0).then_some(arguments.requests_per_hour),
        gzip: !arguments.no_gzip,
        ..Config::default()
    }
}

/// What a user wants to know of a sandbox that runs.
fn welcome(sandbox: &Sandbox, workspaces: &[String]) -> String {
    let (base, origin) = (sandbox.base_url(), sandbox.origin());
    let mut text = format!("Bitbucket sandbox at {base}, until Ctrl-C\n\n");
    for slug in workspaces {
        text.push_str(&format!(
            "workspace {slug}:\n  API token     user1@{slug}.example / sandbox-api-token-{slug}\n  \
             access token  sandbox-access-token-{slug} (no issues: access tokens have no scope for them)\n"
        ));
        let Consumer {
            key,
            secret,
            callback,
            ..
        } = Consumer::new(slug);
        text.push_str(&format!(
            "  consumer      {key} / {secret}, callback {callback}\n"
        ));
    }
    let slug = workspaces.first().map_or("acme", String::as_str);
    text + &format!(
        "
Try it from another terminal:
  export SANDBOX_TOKEN=sandbox-api-token-{slug}
  bucketline --connection '{slug}=BaseURL={base};Workspace={slug};User=user1@{slug}.example;Token=env:SANDBOX_TOKEN'
  export SANDBOX_SECRET=sandbox-consumer-secret-{slug}
  bucketline --connection '{slug}=BaseURL={base};Workspace={slug};OAuthClientId=sandbox-key-{slug};OAuthClientSecret=env:SANDBOX_SECRET' connect {slug}
  curl -u user1@{slug}.example:sandbox-api-token-{slug} {base}/repositories/{slug}

Change it while it runs:
  curl {origin}/_sandbox/changes --json '{{\"change\": \"update_issue\", \"repository\": \"{slug}/api\", \"id\": 3, \"title\": \"Edited\"}}'
  curl {origin}/_sandbox/faults --json '{{\"path\": \"*/pullrequests\", \"fault\": \"too_many_requests\", \"retry_after\": {{\"seconds\": 5}}, \"times\": 1}}'
  curl {origin}/_sandbox/requests
"
    )
}
