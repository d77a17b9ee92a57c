//! The client: from a URL to a whole answer, or an error.

use std::borrow::Cow;
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use bucketline_secret::Scrubber;
use reqwest::header::{HeaderValue, LOCATION};
use secrecy::ExposeSecret as _;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use url::Url;

use crate::budget::{Budget, Kept, Reservation, Standing, Ticket};
use crate::clock::{Clock, SystemClock};
use crate::config::ClientConfig;
use crate::credential::Credential;
use crate::deprecation::{Announcement, Told};
use crate::error::{Error, ErrorKind};
use crate::failure::Failure;
use crate::oauth::Teller;
use crate::observer::{Event, Observer, WaitReason};
use crate::origin::Origin;
use crate::problem::Problem;
use crate::redact::redact;
use crate::response::Response;
use crate::retry::{Cause, Decision, History, Policy};
use crate::transport::{Answer, Fault, Transport};
use crate::usage::{Meter, Usage};

/// A client of one API with one credential. Clones are cheap and share everything: connections,
/// budget, concurrency.
///
/// Dropping a future of a request cancels it; nothing is left behind but that a request already
/// sent stays counted.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    /// The client's own meter first.
    meters: Vec<Meter>,
    /// Those who hear of this clone's requests.
    observers: Vec<Arc<dyn Observer>>,
}

struct Shared {
    config: ClientConfig,
    origin: Origin,
    transport: Transport,
    /// Signs every request, where that is always done alike.
    authorization: Option<HeaderValue>,
    /// Knows the secrets of the configuration.
    scrubber: Arc<Scrubber>,
    budget: Budget,
    permits: Semaphore,
    clock: Arc<dyn Clock>,
    told: Told,
    /// The end of the pause last announced.
    announced: RwLock<Option<SystemTime>>,
    /// Attempts in a row, of all requests, that found no connection.
    unconnected: AtomicU32,
}

/// What differs for one request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RequestOptions {
    /// How often to try again after 500, 502, 503 or 504; `None` is as often as after anything
    /// else, `Some(0)` never.
    pub max_server_retries: Option<u32>,
}

/// Redirects followed for one request.
const MAX_REDIRECTS: u32 = 5;
/// Attempts in a row without a connection, whatever they asked for, that make a service unreachable.
const UNREACHABLE_FROM: u32 = 3;
/// A waiting request looks at the budget again after this long, at the latest: another process may
/// have prolonged the pause, and computers sleep.
const LONGEST_NAP: Duration = Duration::from_secs(15);

fn concurrency(config: &ClientConfig) -> usize {
    config.concurrency.clamp(1, Semaphore::MAX_PERMITS)
}

impl Client {
    /// A client from its configuration; nothing is sent yet. Makes the budget's file if there is
    /// a budget and a folder for it.
    ///
    /// # Errors
    /// `InvalidUrl`, `InsecureScheme`, `InvalidCredential`, `RetiredCredential`, `InvalidConfig`,
    /// `State`; `ForeignOrigin` if an OAuth credential is bound to another API.
    pub fn new(config: ClientConfig) -> Result<Client, Error> {
        Client::with_clock(config, Arc::new(SystemClock))
    }

    /// The same, whose pauses are by another clock than the system's: for tests with a time of their own.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn with_clock(config: ClientConfig, clock: Arc<dyn Clock>) -> Result<Client, Error> {
        let origin = Origin::of_base(&config.base_url)?;
        let authorization = authorization(&config)?;
        let transport = Transport::new(
            &config.base_url,
            &config.user_agent,
            config.timeout,
            config.concurrency,
            config.max_body,
            &config.proxy,
        )?;
        let budget = Budget::new(&config, &origin, clock.clone())?;
        let permits = Semaphore::new(concurrency(&config));
        let scrubber = scrubber(&config).into();
        let shared = Shared {
            origin,
            transport,
            authorization,
            scrubber,
            budget,
            permits,
            clock,
            told: Told::default(),
            announced: RwLock::default(),
            unconnected: AtomicU32::new(0),
            config,
        };
        Ok(Client {
            shared: Arc::new(shared),
            meters: vec![Meter::new()],
            observers: Vec::new(),
        })
    }

    /// How many requests are made at a time, at most.
    pub fn concurrency(&self) -> usize {
        concurrency(&self.shared.config)
    }

    /// The API's address.
    pub fn base_url(&self) -> &Url {
        &self.shared.config.base_url
    }

    /// This client, sharing everything, whose requests are counted by `meter` as well.
    #[must_use]
    pub fn metered(&self, meter: &Meter) -> Client {
        let mut metered = self.clone();
        metered.meters.push(meter.clone());
        metered
    }

    /// This client, sharing everything, whose requests are told to `observer` as well. Each request that meets a pause or an
    /// announcement tells it once, also if others have met the same.
    #[must_use]
    pub fn observed(&self, observer: Arc<dyn Observer>) -> Client {
        let mut observed = self.clone();
        observed.observers.push(observer);
        observed
    }

    /// What this client and all its clones spent so far.
    pub fn usage(&self) -> Usage {
        self.meters.first().map(Meter::usage).unwrap_or_default()
    }

    /// `text` without the credential's secrets: for what was answered by someone who may have
    /// echoed them.
    pub fn scrub<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.scrubber().scrub(text)
    }

    /// The same, cut to what a message has room for.
    pub fn quote(&self, text: &str) -> String {
        self.scrubber().quote(text)
    }

    fn scrubber(&self) -> Arc<Scrubber> {
        match &self.shared.config.credential {
            Credential::OAuth(oauth) => oauth.scrubber(),
            _ => self.shared.scrubber.clone(),
        }
    }

    /// A stable fingerprint of who asks, 16 hex digits: see [`Credential::holder`], but each sign-in of an OAuth
    /// consumer has its own, since another user may see other things. Signs in first if need be.
    ///
    /// # Errors
    /// Those of getting a token.
    pub async fn identity(&self) -> Result<String, Error> {
        match &self.shared.config.credential {
            Credential::OAuth(oauth) => oauth.identity(|| self.teller()).await,
            other => Ok(other.holder()),
        }
    }

    /// Requests that may be sent in an hour; `None` if there is no budget.
    pub fn hourly_budget(&self) -> Option<u32> {
        self.shared.budget.allowance()
    }

    /// Requests that may still be sent now; `None` if there is no budget.
    pub fn remaining_budget(&self) -> Option<u32> {
        self.shared.budget.remaining(self.shared.clock.now())
    }

    /// How the hour stands, of all who share this limit holder's budget; `None` if there is no budget.
    ///
    /// # Errors
    /// `State` if the budget cannot be read.
    pub async fn standing(&self) -> Result<Option<Standing>, Error> {
        let shared = &self.shared;
        let standing = shared.budget.standing(shared.clock.now()).await;
        let standing = standing.transpose();
        standing.map_err(|why| Error::new(ErrorKind::State, &shared.config.base_url).detail(why))
    }

    /// Requests in an hour that the budget leaves to the user's other tools.
    pub fn reserved_for_others(&self) -> u32 {
        self.shared.budget.reserved_for_others()
    }

    /// Says how many requests are going to be made from now on, if that is known: those who make few go first.
    pub fn expect(&self, requests: Option<u64>) {
        self.shared.budget.expect(requests);
    }

    /// Reads `url`, which must be of the API's origin: see [`Client::get_with`].
    ///
    /// # Errors
    /// See [`Client::get_with`].
    pub async fn get(&self, url: &Url) -> Result<Response, Error> {
        self.get_with(url, RequestOptions::default()).await
    }

    /// Reads `url`, which must be of the API's origin, follows redirects within that origin, and
    /// tries again what is worth it. Waits for the budget, and when the service says so. After a
    /// 401 an OAuth credential is renewed, and the request repeated, once.
    ///
    /// # Errors
    /// `ForeignOrigin` and `InvalidUrl`, before anything is sent; every kind from `Unauthorized`
    /// to `BudgetWait`; with an OAuth credential, those of getting a token.
    pub async fn get_with(&self, url: &Url, options: RequestOptions) -> Result<Response, Error> {
        let answer = self.follow(url, options).await;
        // Here alone, since whatever is asked may come from an answer: `next`, `Location`.
        answer.map_err(|error| {
            let scrubber = self.scrubber();
            error.map_text(|text| scrubber.scrub(text).into_owned())
        })
    }

    async fn follow(&self, url: &Url, options: RequestOptions) -> Result<Response, Error> {
        self.shared.origin.admit(url)?;
        let policy = Policy::new(&self.shared.config, options.max_server_retries);
        let mut history = History::default();
        let mut url = url.clone();
        let (mut attempt, mut redirects, mut again, mut renewed) = (0, 0, false, false);
        loop {
            attempt += 1;
            let shown = self.scrub(&redact(&url)).into_owned();
            let (sent, signature) = self.attempt(&url, &shown, attempt, again).await?;
            if sent.as_ref().is_ok_and(|answer| answer.status == 401)
                && !std::mem::replace(&mut renewed, true)
                && self.renew(signature.as_ref()).await?
            {
                self.emit(&Event::Retry {
                    url: &shown,
                    attempt,
                    delay: Duration::ZERO,
                    cause: Cause::Status(401),
                });
                again = true;
                continue;
            }
            let failure = match sent {
                Ok(answer) if (200..300).contains(&answer.status) => {
                    return Ok(Response::new(url, answer));
                }
                Ok(answer) if is_redirect(&answer) => {
                    redirects += 1;
                    url = self
                        .redirected(&url, &answer, redirects)
                        .map_err(|error| error.after(attempt))?;
                    again = false;
                    continue;
                }
                Ok(answer) => {
                    let read_problem = self.shared.config.read_problem;
                    Failure::refused(answer, read_problem, &self.scrubber())
                }
                Err(fault) => Failure::from(fault),
            };

            let now = self.shared.clock.now();
            let cause = failure.cause;
            let told = failure.told_wait(now);
            let decision = policy.decide(&mut history, cause, told, fastrand::f64());
            if let Decision::PauseAll(wait) | Decision::Fail(_, Some(wait)) = decision {
                // Also when this request gives up: others need not find out for themselves.
                self.told_of(self.shared.budget.pause(now, now + wait).await);
            }
            match decision {
                Decision::Retry(delay) => {
                    self.emit(&Event::Retry {
                        url: &shown,
                        attempt,
                        delay,
                        cause,
                    });
                    self.sleep(delay).await;
                }
                // The wait itself comes with the next attempt, as everybody else's does.
                Decision::PauseAll(delay) => {
                    self.emit(&Event::Retry {
                        url: &shown,
                        attempt,
                        delay,
                        cause,
                    });
                }
                Decision::Fail(kind, wait) => {
                    let kind = match cause {
                        Cause::Connect if self.is_unreachable() => ErrorKind::Unreachable,
                        _ => kind,
                    };
                    let error = Error::new(kind, &url).after(attempt);
                    let error = match wait {
                        Some(wait) => error.until(now + wait),
                        None => error,
                    };
                    return Err(failure.explain(error, self.shared.config.max_body));
                }
            }
            again = true;
        }
    }

    /// One request, when a permit and the budget allow it, and what it was signed with. The outer
    /// error is a wait that is not accepted, or that there is no token.
    async fn attempt(
        &self,
        url: &Url,
        shown: &str,
        attempt: u32,
        again: bool,
    ) -> Result<(Result<Answer, Fault>, Option<HeaderValue>), Error> {
        // Held while waiting for the budget: nobody else could send either.
        let _permit = self.shared.permits.acquire().await;
        let ticket = self.await_budget(url, attempt - 1).await?;
        let signature = match &self.shared.config.credential {
            Credential::OAuth(oauth) => Some(oauth.authorization(|| self.teller()).await?),
            _ => self.shared.authorization.clone(),
        };
        self.emit(&Event::Request {
            url: shown,
            attempt,
        });
        self.count(Usage {
            requests: 1,
            retries: u64::from(again),
            ..Usage::default()
        });
        let start = Instant::now();
        let sent = self.shared.transport.get(url, signature.clone()).await;
        if sent
            .as_ref()
            .is_err_and(|fault| fault.cause == Cause::Connect)
        {
            self.shared.unconnected.fetch_add(1, Ordering::Relaxed);
            let now = self.shared.clock.now();
            self.told_of(ticket.unsent(now).await);
        } else {
            drop(ticket);
            self.shared.unconnected.store(0, Ordering::Relaxed);
        }
        if let Ok(answer) = &sent {
            if self.shared.config.limit_may_rise {
                self.shared.budget.raise(&answer.headers);
            }
            let bytes = answer.body.len() as u64;
            self.count(Usage {
                bytes,
                ..Usage::default()
            });
            let (status, elapsed) = (answer.status, start.elapsed());
            self.emit(&Event::Response {
                url: shown,
                status,
                bytes,
                elapsed,
            });
            if let Some(announcement) = Announcement::read(&answer.headers) {
                let is_first = self.shared.told.first(url, &announcement);
                let Announcement {
                    deprecation,
                    sunset,
                    link,
                } = announcement;
                let quote = |text: Option<&str>| text.map(|text| self.quote(text));
                let (deprecation, sunset) = (quote(deprecation), quote(sunset));
                let link = quote(link);
                let event = Event::Deprecation {
                    url: shown,
                    deprecation: deprecation.as_deref(),
                    sunset: sunset.as_deref(),
                    link: link.as_deref(),
                };
                self.tell(&event);
                if is_first {
                    event.log();
                }
            }
        }
        Ok((sent, signature))
    }

    /// Whether there is another token than the refused one now.
    async fn renew(&self, refused: Option<&HeaderValue>) -> Result<bool, Error> {
        match (&self.shared.config.credential, refused) {
            (Credential::OAuth(oauth), Some(refused)) => oauth.renew(refused, self.teller()).await,
            _ => Ok(false),
        }
    }

    /// Tells this client's observers what the sign-in does.
    fn teller(&self) -> Teller {
        let client = self.clone();
        Arc::new(move |event| client.emit(event))
    }

    /// Takes one request from the budget, waiting for it if that is accepted.
    async fn await_budget(&self, url: &Url, attempts: u32) -> Result<Ticket, Error> {
        let mut told = None;
        loop {
            let now = self.shared.clock.now();
            let reserved = self.shared.budget.reserve(now).await;
            let (reason, until) = match self.told_of(reserved) {
                Reservation::Granted(ticket) => return Ok(ticket),
                Reservation::Paused(until) => (WaitReason::RateLimit, until),
                Reservation::Spent(until) => (WaitReason::Budget, until),
                Reservation::Behind(until) => (WaitReason::Turn, until),
                Reservation::Unusable(until) => (WaitReason::Store, until),
            };
            let wait = until.duration_since(now).unwrap_or_default();
            if wait > self.shared.config.max_wait {
                let kind = match reason {
                    WaitReason::RateLimit => ErrorKind::RateLimited,
                    WaitReason::Budget | WaitReason::Turn | WaitReason::Store => {
                        ErrorKind::BudgetWait
                    }
                };
                return Err(Error::new(kind, url).after(attempts).until(until));
            }
            let event = Event::Waiting {
                reason,
                until,
                wait,
            };
            // A wait of several naps is one wait. Where its end is not known, each look is told.
            let is_first = told.is_none_or(|(why, before)| {
                why != reason || !reason.has_no_end() && !is_one_pause(before, until)
            });
            if is_first || reason.has_no_end() {
                self.tell(&event);
            }
            if is_first {
                told = Some((reason, until));
                if self.first_to_announce(until) {
                    event.log();
                }
            }
            self.sleep(wait.min(LONGEST_NAP)).await;
        }
    }

    fn is_unreachable(&self) -> bool {
        self.shared.unconnected.load(Ordering::Relaxed) >= UNREACHABLE_FROM
    }

    async fn sleep(&self, wait: Duration) {
        let start = self.shared.clock.now();
        self.shared.clock.sleep(wait).await;
        let waited = self
            .shared
            .clock
            .now()
            .duration_since(start)
            .unwrap_or_default();
        self.count(Usage {
            waited,
            ..Usage::default()
        });
    }

    /// Where a redirect leads, if it may be followed.
    fn redirected(&self, from: &Url, answer: &Answer, redirects: u32) -> Result<Url, Error> {
        let location = answer
            .headers
            .get(LOCATION)
            .and_then(|value| value.to_str().ok());
        let Some(to) = location.and_then(|location| from.join(location).ok()) else {
            return Err(Error::new(ErrorKind::UnexpectedStatus, from)
                .answered(answer.status, Problem::default())
                .detail("a redirect that names no address"));
        };
        if redirects > MAX_REDIRECTS {
            return Err(Error::new(ErrorKind::TooManyRedirects, &to));
        }
        self.shared
            .origin
            .admit(&to)
            .map_err(|error| error.detail(format!("{} redirected there", redact(from))))?;
        Ok(to)
    }

    fn first_to_announce(&self, until: SystemTime) -> bool {
        let mut announced = self
            .shared
            .announced
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let is_known = announced.is_some_and(|before| is_one_pause(before, until));
        if !is_known {
            *announced = Some(until);
        }
        !is_known
    }

    /// The answer of an update of the budget, after telling what was wrong.
    fn told_of<R>(&self, updated: Kept<R>) -> R {
        if let Some(trouble) = updated.trouble {
            self.emit(&Event::BudgetTrouble {
                path: &trouble.path,
                reason: &trouble.reason,
                waits: trouble.waits,
            });
        }
        updated.answer
    }

    fn count(&self, spent: Usage) {
        for meter in &self.meters {
            meter.add(spent);
        }
    }

    fn emit(&self, event: &Event<'_>) {
        self.tell(event);
        event.log();
    }

    fn tell(&self, event: &Event<'_>) {
        for observer in &self.observers {
            observer.event(event);
        }
    }
}

/// Requests under way together learn of one pause with slightly different ends.
fn is_one_pause(before: SystemTime, until: SystemTime) -> bool {
    let apart = until.duration_since(before);
    apart.unwrap_or_else(|error| error.duration()) < Duration::from_secs(1)
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("config", &self.shared.config)
            .finish_non_exhaustive()
    }
}

/// Checks the credential: what signs every request alike, if it is of that kind.
fn authorization(config: &ClientConfig) -> Result<Option<HeaderValue>, Error> {
    if let Credential::OAuth(oauth) = &config.credential {
        oauth.admit(&config.base_url)?;
    }
    let retired = config.credential.entered().and_then(|secret| {
        let mut retired = config.retired.iter();
        retired.find(|retired| secret.expose_secret().starts_with(retired.prefix))
    });
    if let Some(retired) = retired {
        return Err(Error::new(ErrorKind::RetiredCredential, &config.base_url)
            .detail(retired.what)
            .instead(retired.instead));
    }
    config
        .credential
        .authorization()
        .map_err(|detail| Error::new(ErrorKind::InvalidCredential, &config.base_url).detail(detail))
}

/// Takes out what is sent to the service and to the proxy.
fn scrubber(config: &ClientConfig) -> Scrubber {
    let scrubber = config.proxy.hidden_by(Scrubber::default());
    match &config.credential {
        Credential::Anonymous | Credential::OAuth(_) => scrubber,
        Credential::Basic { user, password } => scrubber.with_pair(user, password.expose_secret()),
        Credential::Bearer(token) => scrubber.with(token.expose_secret()),
    }
}

fn is_redirect(answer: &Answer) -> bool {
    matches!(answer.status, 301 | 302 | 303 | 307 | 308)
}
