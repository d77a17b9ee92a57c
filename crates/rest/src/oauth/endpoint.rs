//! Where tokens are asked for.

use std::borrow::Cow;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bucketline_secret::Scrubber;
use oauth2::basic::{
    BasicErrorResponse, BasicErrorResponseType, BasicRevocationErrorResponse,
    BasicTokenIntrospectionResponse, BasicTokenType,
};
use oauth2::{
    AsyncHttpClient, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointNotSet,
    EndpointSet, HttpRequest, HttpResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl,
    RefreshToken, RequestTokenError, Scope, StandardRevocableToken, TokenResponse as _, TokenUrl,
};
use reqwest::header::{AUTHORIZATION, HeaderMap};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use tokio::time::Instant;
use url::Url;

use super::Teller;
use super::answer::{Answer, Refusal};
use super::authorization::Authorization;
use super::settings::OAuthSettings;
use super::tokens::{Issued, Tokens};
use crate::clock::Clock;
use crate::credential::bearer;
use crate::error::{Error, ErrorKind};
use crate::failure::Failure;
use crate::observer::Event;
use crate::problem::Problem;
use crate::redact::redact;
use crate::retry::{Cause, Decision, History, Policy, remedy};
use crate::transport::Transport;

/// Asks an OAuth server for tokens, as one consumer.
pub(super) struct Endpoint {
    consumer: Consumer,
    url: Url,
    transport: Transport,
    policy: Policy,
    clock: Arc<dyn Clock>,
    /// What is cut out of the server's texts.
    scrubber: Mutex<Arc<Scrubber>>,
}

type Consumer = oauth2::Client<
    BasicErrorResponse,
    Answer,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

type Failed = RequestTokenError<Error, BasicErrorResponse>;

/// What tokens are asked for with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Code,
    Refresh,
    Consumer,
}

/// The HTTP client that `oauth2` works with.
struct Post<'a> {
    endpoint: &'a Endpoint,
    asked: Asked,
    teller: &'a Teller,
}

impl<'a> AsyncHttpClient<'a> for Post<'_> {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, Error>> + Send + 'a>>;

    fn call(&'a self, request: HttpRequest) -> Self::Future {
        Box::pin(self.endpoint.send(request, self.asked, self.teller))
    }
}

/// An answer with tokens has a few kilobytes.
const MAX_BODY: u64 = 256 * 1024;
/// The token file is locked meanwhile, and others wait for it.
const MAX_ATTEMPTS: u32 = 3;
const MAX_WAIT: Duration = Duration::from_secs(60);
const BACKOFF: Duration = Duration::from_millis(500);
/// An access token that is said to last longer is one whose end is not known.
const LONGEST_LIFE: Duration = Duration::from_secs(10 * 366 * 24 * 60 * 60);

impl Endpoint {
    pub(super) fn new(settings: &OAuthSettings, clock: Arc<dyn Clock>) -> Result<Endpoint, Error> {
        let url = settings.server.token.clone();
        let secret = settings.client_secret.expose_secret();
        if settings.client_id.is_empty() || secret.is_empty() {
            return Err(Error::new(ErrorKind::InvalidCredential, &url)
                .detail("the consumer's key or secret is empty"));
        }
        let consumer = oauth2::Client::new(ClientId::new(settings.client_id.clone()))
            .set_client_secret(ClientSecret::new(secret.to_owned()))
            .set_auth_uri(AuthUrl::from_url(settings.server.authorize.clone()))
            .set_token_uri(TokenUrl::from_url(url.clone()));
        let transport = Transport::new(
            &url,
            &settings.user_agent,
            settings.timeout,
            1,
            MAX_BODY,
            &settings.proxy,
        )?;
        let policy = Policy {
            max_attempts: MAX_ATTEMPTS,
            max_server_retries: None,
            max_wait: MAX_WAIT,
            backoff: BACKOFF,
        };
        let scrubber = settings.proxy.hidden_by(Scrubber::default());
        let scrubber = scrubber.with_pair(&settings.client_id, secret);
        Ok(Endpoint {
            consumer,
            url,
            transport,
            policy,
            clock,
            scrubber: Mutex::new(Arc::new(scrubber)),
        })
    }

    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    /// Begins a sign-in. PKCE (RFC 7636) is sent although the secret is required anyway: Atlassian
    /// does not document it, and other programs send it without harm.
    pub(super) fn authorize(&self, callback: &RedirectUrl, scopes: &[String]) -> Authorization {
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let (url, state) = self
            .consumer
            .authorize_url(CsrfToken::new_random)
            .set_redirect_uri(Cow::Borrowed(callback))
            .add_scopes(scopes.iter().cloned().map(Scope::new))
            .set_pkce_challenge(challenge)
            .url();
        Authorization {
            url,
            state,
            verifier,
        }
    }

    /// The page to open for a sign-in that is finished elsewhere, so without PKCE.
    pub(super) fn authorization_url(
        &self,
        callback: &RedirectUrl,
        state: &str,
        scopes: &[String],
    ) -> Url {
        let request = self
            .consumer
            .authorize_url(|| CsrfToken::new(state.to_owned()))
            .set_redirect_uri(Cow::Borrowed(callback))
            .add_scopes(scopes.iter().cloned().map(Scope::new));
        request.url().0
    }

    pub(super) async fn with_code(
        &self,
        code: &SecretString,
        callback: &RedirectUrl,
        verifier: Option<&PkceCodeVerifier>,
        teller: &Teller,
    ) -> Result<Issued, Error> {
        self.hide(code);
        let code = AuthorizationCode::new(code.expose_secret().to_owned());
        let mut request = self
            .consumer
            .exchange_code(code)
            .set_redirect_uri(Cow::Borrowed(callback));
        if let Some(verifier) = verifier {
            request = request.set_pkce_verifier(PkceCodeVerifier::new(verifier.secret().clone()));
        }
        let asked = Asked::Code;
        let post = self.post(asked, teller);
        self.tokens(asked, request.request_async(&post)).await
    }

    pub(super) async fn with_refresh_token(
        &self,
        refresh_token: &SecretString,
        teller: &Teller,
    ) -> Result<Issued, Error> {
        self.hide(refresh_token);
        let token = RefreshToken::new(refresh_token.expose_secret().to_owned());
        let request = self.consumer.exchange_refresh_token(&token);
        let asked = Asked::Refresh;
        let post = self.post(asked, teller);
        let mut issued = self.tokens(asked, request.request_async(&post)).await?;
        // A server that does not rotate sends none (RFC 6749, section 6).
        issued
            .tokens
            .refresh_token
            .get_or_insert_with(|| refresh_token.clone());
        Ok(issued)
    }

    pub(super) async fn with_consumer(
        &self,
        scopes: &[String],
        teller: &Teller,
    ) -> Result<Issued, Error> {
        let request = self
            .consumer
            .exchange_client_credentials()
            .add_scopes(scopes.iter().cloned().map(Scope::new));
        let asked = Asked::Consumer;
        let post = self.post(asked, teller);
        self.tokens(asked, request.request_async(&post)).await
    }

    fn post<'a>(&'a self, asked: Asked, teller: &'a Teller) -> Post<'a> {
        Post {
            endpoint: self,
            asked,
            teller,
        }
    }

    /// Takes the secrets of this sign-in out of what others say.
    pub(super) fn scrubber(&self) -> Arc<Scrubber> {
        let scrubber = self.scrubber.lock().unwrap_or_else(PoisonError::into_inner);
        scrubber.clone()
    }

    /// Takes a secret out of everything that others say from now on.
    pub(super) fn hide(&self, secret: &SecretString) {
        let mut scrubber = self.scrubber.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::make_mut(&mut scrubber).hide(secret.expose_secret());
    }

    /// What the answer to one request issues.
    async fn tokens(
        &self,
        asked: Asked,
        request: impl Future<Output = Result<Answer, Failed>>,
    ) -> Result<Issued, Error> {
        let now = self.clock.now();
        let answer = request
            .await
            .map_err(|failed| self.explain(failed, asked))?;
        let access_token = SecretString::from(answer.access_token().secret().as_str());
        let refresh_token = answer
            .refresh_token()
            .map(|token| SecretString::from(token.secret().as_str()));
        self.hide(&access_token);
        if let Some(refresh_token) = &refresh_token {
            self.hide(refresh_token);
        }
        let lasts = answer.expires_in().filter(|lasts| *lasts <= LONGEST_LIFE);
        let scopes = answer.scopes().into_iter().flatten();
        let tokens = Tokens {
            access_token,
            refresh_token,
            expires_at: lasts.and_then(|lasts| now.checked_add(lasts)),
            scopes: scopes.map(|scope| scope.to_string()).collect(),
        };
        let unfit = match answer.token_type() {
            BasicTokenType::Bearer if tokens.access_token.expose_secret().is_empty() => {
                Some("there is no access token")
            }
            BasicTokenType::Bearer => bearer(&tokens.access_token).err(),
            _ => Some("the token is not a bearer token"),
        };
        let Some(unfit) = unfit else {
            return Ok(Issued::whole(tokens));
        };
        let fault = Error::new(ErrorKind::SignInAnswer, &self.url).detail(unfit);
        if tokens.refresh_token.is_none() {
            return Err(fault);
        }
        Ok(Issued::without_access(tokens, fault))
    }

    /// Sends a request until there is an answer: success, or a refusal in OAuth's words.
    async fn send(
        &self,
        request: HttpRequest,
        asked: Asked,
        teller: &Teller,
    ) -> Result<HttpResponse, Error> {
        let shown = redact(&self.url);
        let (mut parts, body) = request.into_parts();
        if let Some(authorization) = parts.headers.get_mut(AUTHORIZATION) {
            authorization.set_sensitive(true);
        }
        let mut history = History::default();
        let mut attempt = 0;
        loop {
            attempt += 1;
            teller(&Event::Request {
                url: &shown,
                attempt,
            });
            let start = Instant::now();
            let sent = self
                .transport
                .post(&self.url, parts.headers.clone(), body.clone())
                .await;
            let failure = match sent {
                Ok(answer) => {
                    teller(&Event::Response {
                        url: &shown,
                        status: answer.status,
                        bytes: answer.body.len() as u64,
                        elapsed: start.elapsed(),
                    });
                    if let Some(response) = understood(answer.status, &answer.body) {
                        return Ok(response);
                    }
                    Failure::refused(answer, unread, &self.scrubber())
                }
                Err(fault) => Failure::from(fault),
            };
            let now = self.clock.now();
            let cause = failure.cause;
            // A code is used up by the first request that arrives.
            let repeatable =
                asked != Asked::Code || matches!(cause, Cause::Connect | Cause::RateLimited);
            let told = failure.told_wait(now);
            let decision = match self
                .policy
                .decide(&mut history, cause, told, fastrand::f64())
            {
                Decision::Retry(_) if !repeatable => Decision::Fail(remedy(cause).1, None),
                decision => decision,
            };
            match decision {
                Decision::Retry(delay) | Decision::PauseAll(delay) => {
                    teller(&Event::Retry {
                        url: &shown,
                        attempt,
                        delay,
                        cause,
                    });
                    self.clock.sleep(delay).await;
                }
                Decision::Fail(kind, wait) => {
                    let kind = match kind {
                        ErrorKind::Unauthorized => ErrorKind::ConsumerRefused,
                        kind => kind,
                    };
                    let error = Error::new(kind, &self.url).after(attempt);
                    let error = match wait {
                        Some(wait) => error.until(now + wait),
                        None => error,
                    };
                    return Err(failure.explain(error, MAX_BODY));
                }
            }
        }
    }

    /// The error for people.
    fn explain(&self, failed: Failed, asked: Asked) -> Error {
        let (kind, detail) = match failed {
            RequestTokenError::Request(error) => return error,
            RequestTokenError::ServerResponse(answer) => {
                let kind = match (answer.error(), asked) {
                    (BasicErrorResponseType::InvalidGrant, Asked::Code) => ErrorKind::CodeRefused,
                    (BasicErrorResponseType::InvalidGrant, Asked::Refresh) => {
                        ErrorKind::SignInEnded
                    }
                    (BasicErrorResponseType::InvalidGrant, Asked::Consumer)
                    | (BasicErrorResponseType::InvalidClient, _)
                    | (BasicErrorResponseType::UnauthorizedClient, _) => ErrorKind::ConsumerRefused,
                    _ => ErrorKind::SignInAnswer,
                };
                let said = match answer.error_description() {
                    Some(description) => format!("{description} ({})", answer.error()),
                    None => answer.error().to_string(),
                };
                (kind, self.scrubber().quote(&said))
            }
            RequestTokenError::Parse(..) | RequestTokenError::Other(_) => (
                ErrorKind::SignInAnswer,
                "it is no token answer in JSON".to_owned(),
            ),
        };
        Error::new(kind, &self.url).detail(detail)
    }
}

/// What an answer that is not OAuth's own says is not shown: it may hold tokens.
fn unread(status: u16, _: &HeaderMap, _: &[u8]) -> Problem {
    Problem {
        rate_limited: status == 429,
        ..Problem::default()
    }
}

/// An answer in OAuth's words, reduced to what makes sense of it: tokens, or a refusal.
fn understood(status: u16, body: &[u8]) -> Option<HttpResponse> {
    match status {
        200..=299 => Some(response(200, &Answer::read(body))),
        400 | 401 => Refusal::read(body).map(|refusal| response(status, &refusal)),
        _ => None,
    }
}

fn response(status: u16, body: &impl Serialize) -> HttpResponse {
    let mut response = HttpResponse::new(serde_json::to_vec(body).unwrap_or_default());
    *response.status_mut() = oauth2::http::StatusCode::from_u16(status).unwrap_or_default();
    response
}
