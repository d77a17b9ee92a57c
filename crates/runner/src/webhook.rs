//! Tells an address how a run went.

use std::sync::Arc;
use std::time::Duration;

use bucketline_app::runner::{News, Work};
use bucketline_app::{Error, Kind, Result};
use bucketline_core::code;
use rustls::ClientConfig;
use rustls_platform_verifier::BuilderVerifierExt as _;
use serde_json::json;
use tokio::sync::OnceCell;

use crate::bounds::Bounds;

/// How long an address may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sends POST requests. Redirects are not followed.
#[derive(Debug, Default)]
pub(crate) struct Webhooks {
    client: OnceCell<reqwest::Client>,
    bounds: Option<Bounds>,
}

impl Webhooks {
    /// Those that reach no more than this.
    pub(crate) fn within(bounds: Option<Bounds>) -> Self {
        Self {
            bounds,
            ..Self::default()
        }
    }

    /// Sends how a run went.
    ///
    /// # Errors
    /// If the address does not answer with success: a kind to try again for servers in trouble, none for a refusal.
    pub(crate) async fn tell(&self, address: &str, work: &Work, news: &News) -> Result<()> {
        if let Some(bounds) = &self.bounds {
            bounds.check_url(address)?;
        }
        let bounds = self.bounds.as_ref();
        let client = self.client.get_or_try_init(async || client(bounds)).await?;
        let body = json!({
            "job": { "id": work.run.job, "name": work.run.job_name },
            "run": work.run.id,
            "state": news.state,
            "totals": news.totals,
            "failure": news.failure,
        });
        let answer = client
            .post(address)
            .header("content-type", "application/json")
            .body(body.to_string())
            .send()
            .await;
        let status = answer.map_err(|error| unreachable(&error))?.status();
        if status.is_success() {
            return Ok(());
        }
        let message = format!("the webhook answered {status}");
        let error = Error::new(code::runner::WEBHOOK, message);
        Err(
            if status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429) {
                error
            } else {
                error
                    .with_kind(Kind::Configuration)
                    .with_hint("correct the address in the job")
            },
        )
    }
}

/// The address may hold what nobody should read in a log.
fn unreachable(error: &reqwest::Error) -> Error {
    let why = match (error.is_timeout(), error.is_connect(), error.is_builder()) {
        (true, _, _) => "it does not answer in time",
        (_, true, _) => "it cannot be reached",
        (_, _, true) => {
            let message = "the webhook's address is not one that can be called";
            return Error::new(code::runner::WEBHOOK, message).with_kind(Kind::Configuration);
        }
        _ => "the connection broke",
    };
    Error::new(code::runner::WEBHOOK, format!("the webhook failed: {why}"))
}

fn client(bounds: Option<&Bounds>) -> Result<reqwest::Client> {
    let failed = |why: String| {
        let message = format!("no webhook can be called: {why}");
        Error::new(code::runner::WEBHOOK, message).with_kind(Kind::Configuration)
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_platform_verifier())
        .map_err(|error| failed(error.to_string()))?
        .with_no_client_auth();
    let mut builder = reqwest::Client::builder();
    if let Some(bounds) = bounds {
        builder = builder.dns_resolver(bounds.resolver());
    }
    builder
        .timeout(PATIENCE)
        .redirect(reqwest::redirect::Policy::none())
        .tls_backend_preconfigured(tls)
        .build()
        .map_err(|error| failed(error.to_string()))
}
