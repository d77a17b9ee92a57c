//! A sign-in that lasts.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bucketline_secret::Scrubber;
use oauth2::{PkceCodeVerifier, RedirectUrl};
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::{Mutex, OwnedMutexGuard};
use url::Url;

use super::Teller;
use super::authorization::{Authorization, Returned};
use super::callback::{Callback, without_parameters};
use super::endpoint::Endpoint;
use super::file::TokenFiles;
use super::kept::{KeptTokens, Locked, Owner, Stored, Unsaved};
use super::settings::{Grant, InitiateOAuth, OAuthSettings, Start};
use super::store::TokenStore;
use super::tokens::{Issued, Tokens};
use crate::clock::{Clock, SystemClock};
use crate::credential::{bearer, fingerprint};
use crate::error::{Error, ErrorKind};
use crate::observer::Event;
use crate::origin::Origin;

/// An OAuth consumer's sign-in: gets, keeps and renews its tokens. Clones share everything.
#[derive(Clone)]
pub struct OAuth(Arc<Session>);

struct Session {
    settings: OAuthSettings,
    api: Origin,
    callback: RedirectUrl,
    endpoint: Endpoint,
    /// Where tokens are kept, if they are.
    kept: Option<KeptTokens>,
    /// The fingerprint of [`OAuthSettings::start`].
    start: Option<String>,
    clock: Arc<dyn Clock>,
    /// What requests are signed with.
    current: RwLock<Option<Stored>>,
    turn: Arc<Mutex<Turn>>,
}

/// Held by the one request that gets tokens while the others wait for them.
#[derive(Default)]
struct Turn {
    /// Tokens that could not be written when they came; written before anything else.
    unsaved: Option<Box<Unsaved>>,
}

/// How new tokens are got.
enum Way {
    Refresh(SecretString),
    Code(SecretString),
    Consumer,
}

/// What came of looking for tokens without the user.
enum Found {
    Tokens(Tokens),
    /// None, and the user may be asked.
    Browser,
    Nothing,
}

impl OAuth {
    /// A sign-in from its settings. Nothing is sent, and no file touched, before it is needed.
    ///
    /// # Errors
    /// `InvalidUrl`, `InsecureScheme`, `InvalidCredential`, `InvalidConfig`; `ForeignOrigin` if the
    /// addresses of the OAuth server do not share an origin.
    pub fn new(settings: OAuthSettings) -> Result<OAuth, Error> {
        OAuth::with_clock(settings, Arc::new(SystemClock))
    }

    pub(crate) fn with_clock(
        settings: OAuthSettings,
        clock: Arc<dyn Clock>,
    ) -> Result<OAuth, Error> {
        let api = Origin::of_base(&settings.api)?;
        let server = Origin::of_base(&settings.server.token)?;
        server.admit(&settings.server.authorize)?;
        let callback = redirect(&settings.callback, &settings.server.authorize)?;
        let endpoint = Endpoint::new(&settings, clock.clone())?;
        let grant = match settings.grant {
            Grant::AuthorizationCode => "authorization_code",
            Grant::ClientCredentials => "client_credentials",
        };
        let owner = Owner {
            oauth_server: server.to_string(),
            api: api.to_string(),
            client_id: settings.client_id.clone(),
            grant: grant.to_owned(),
        };
        let server = without_parameters(endpoint.url());
        let kept = match (&settings.tokens, &settings.token_file, &settings.keyring) {
            (Some((store, name)), _, _) => Some((Arc::clone(store), name.clone())),
            (None, Some(path), keyring) => {
                let files: Arc<dyn TokenStore> = Arc::new(match keyring {
                    Some(keyring) => TokenFiles::in_keyring(keyring.clone()),
                    None => TokenFiles::new(),
                });
                Some((files, path.display().to_string()))
            }
            (None, None, _) => None,
        };
        let kept = kept.map(|(store, name)| KeptTokens::new(store, name, owner, server));
        let start = settings.start.as_ref().map(|start| match start {
            Start::Code(code) => fingerprint(&["code", code.expose_secret()]),
            Start::Tokens(tokens) => {
                let secret = tokens.refresh_token.as_ref();
                fingerprint(&[
                    "tokens",
                    secret.unwrap_or(&tokens.access_token).expose_secret(),
                ])
            }
        });
        match &settings.start {
            Some(Start::Code(code)) => endpoint.hide(code),
            Some(Start::Tokens(tokens)) => {
                endpoint.hide(&tokens.access_token);
                tokens
                    .refresh_token
                    .iter()
                    .for_each(|token| endpoint.hide(token));
            }
            None => {}
        }
        Ok(OAuth(Arc::new(Session {
            settings,
            api,
            callback,
            endpoint,
            kept,
            start,
            clock,
            current: RwLock::default(),
            turn: Arc::default(),
        })))
    }

    /// The consumer's id.
    pub fn client_id(&self) -> &str {
        &self.0.settings.client_id
    }

    /// Whether a user signs in, rather than the consumer by itself.
    pub(crate) fn is_of_user(&self) -> bool {
        self.0.settings.grant == Grant::AuthorizationCode
    }

    /// The scopes that a sign-in asks for; none asks for all that the consumer has.
    pub fn scopes(&self) -> &[String] {
        &self.0.settings.scopes
    }

    /// Signs in with a browser on this machine: `open` gets the page's address, and the browser
    /// comes back to the callback URL within `patience`. The tokens are kept.
    ///
    /// # Errors
    /// `CallbackPort`, `SignInTimeout`, `ForeignState`, `SignInDenied`, and those of
    /// [`OAuth::finish`].
    pub async fn sign_in(
        &self,
        open: &(dyn Fn(&Url) + Send + Sync),
        patience: Duration,
    ) -> Result<Tokens, Error> {
        let turn = self.0.turn.clone().lock_owned().await;
        self.0
            .clone()
            .with_browser(turn, open, patience, silent())
            .await
    }

    /// Begins a sign-in that [`OAuth::finish`] ends: the user opens the page elsewhere, and brings
    /// back the code.
    pub fn begin(&self) -> Authorization {
        let Session {
            endpoint,
            callback,
            settings,
            ..
        } = &*self.0;
        endpoint.authorize(callback, &settings.scopes)
    }

    /// Ends a sign-in with what the browser was sent back with: the whole address, of which the
    /// state is checked, or the code alone. The tokens are kept.
    ///
    /// # Errors
    /// `ForeignState`, `SignInDenied`, `CodeRefused`, `ConsumerRefused`, `SignInAnswer`,
    /// `TokenFile`, `ForeignTokens`, and those of sending a request.
    pub async fn finish(
        &self,
        authorization: &Authorization,
        pasted: &str,
    ) -> Result<Tokens, Error> {
        let returned = self.0.pasted(pasted)?;
        if returned
            .state
            .as_ref()
            .is_some_and(|state| *state != authorization.state)
        {
            let page = without_parameters(&authorization.url);
            return Err(Error::new(ErrorKind::ForeignState, &page));
        }
        let turn = self.0.turn.clone().lock_owned().await;
        self.0
            .clone()
            .returned(turn, authorization, returned, silent())
            .await
    }

    /// The page to open for a sign-in that another program ends with [`OAuth::exchange`]. That
    /// program checks the state, and without PKCE it needs to know nothing else.
    ///
    /// # Errors
    /// `InvalidConfig` if `callback` is no address.
    pub fn authorization_url(
        &self,
        callback: &str,
        state: &str,
        scopes: &[String],
    ) -> Result<Url, Error> {
        let Session {
            endpoint, settings, ..
        } = &*self.0;
        let callback = redirect(callback, &settings.server.authorize)?;
        Ok(endpoint.authorization_url(&callback, state, scopes))
    }

    /// The tokens for a code that came to `callback`. They are the caller's: no file is touched.
    /// Where the answer has a refresh token alone that can be used, the access token is empty.
    ///
    /// # Errors
    /// `CodeRefused`, `ConsumerRefused`, `SignInAnswer`, and those of sending a request.
    pub async fn exchange(&self, code: &SecretString, callback: &str) -> Result<Tokens, Error> {
        let Session {
            endpoint, settings, ..
        } = &*self.0;
        let callback = redirect(callback, &settings.server.authorize)?;
        let issued = endpoint.with_code(code, &callback, None, &silent()).await?;
        Ok(issued.tokens)
    }

    /// New tokens for a refresh token. They are the caller's: no file is touched. Where the answer
    /// has a refresh token alone that can be used, the access token is empty.
    ///
    /// # Errors
    /// `SignInEnded`, `ConsumerRefused`, `SignInAnswer`, and those of sending a request.
    pub async fn refresh(&self, refresh_token: &SecretString) -> Result<Tokens, Error> {
        let endpoint = &self.0.endpoint;
        let issued = endpoint
            .with_refresh_token(refresh_token, &silent())
            .await?;
        Ok(issued.tokens)
    }

    /// Fails unless the tokens are for the API at `base`.
    pub(crate) fn admit(&self, base: &Url) -> Result<(), Error> {
        self.0.api.admit(base)
    }

    /// What to sign a request with; gets or renews the token first if need be.
    pub(crate) async fn authorization(
        &self,
        teller: impl Fn() -> Teller,
    ) -> Result<HeaderValue, Error> {
        let session = &self.0;
        let tokens = match session.usable(session.current(), None) {
            Some(tokens) => tokens,
            None => match session.clone().obtain(None, teller()).await? {
                Some(tokens) => tokens,
                None => return Err(session.not_signed_in()),
            },
        };
        bearer(&tokens.access_token).map_err(|detail| {
            Error::new(ErrorKind::InvalidCredential, &session.settings.api).detail(detail)
        })
    }

    /// A stable fingerprint of the sign-in that requests are signed with, signing in first if need be: another
    /// user of the same consumer, the consumer by itself and a later sign-in of the same user have others, a
    /// renewed token has the same. Two that differ may see different things.
    pub(crate) async fn identity(&self, teller: impl Fn() -> Teller) -> Result<String, Error> {
        self.authorization(teller).await?;
        let session = &self.0;
        let sign_in = match session.settings.grant {
            Grant::ClientCredentials => None,
            Grant::AuthorizationCode => session.stored().and_then(|stored| stored.sign_in),
        };
        let sign_in = sign_in.unwrap_or_default();
        Ok(fingerprint(&["sign-in", self.client_id(), &sign_in]))
    }

    /// Replaces the token that a request was refused with; whether there is another one now.
    pub(crate) async fn renew(&self, refused: &HeaderValue, teller: Teller) -> Result<bool, Error> {
        let refused = String::from_utf8_lossy(refused.as_bytes());
        let token = refused.strip_prefix("Bearer ").unwrap_or(&refused);
        let obtained = self.0.clone().obtain(Some(token.into()), teller).await?;
        Ok(obtained.is_some())
    }

    /// Takes the secrets of this sign-in out of what others say.
    pub(crate) fn scrubber(&self) -> Arc<Scrubber> {
        self.0.endpoint.scrubber()
    }
}

impl Session {
    fn stored(&self) -> Option<Stored> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.clone()
    }

    fn current(&self) -> Option<Tokens> {
        self.stored().map(|stored| stored.tokens)
    }

    fn set_current(&self, stored: &Stored) {
        // Those from a file were not seen before.
        let tokens = &stored.tokens;
        self.endpoint.hide(&tokens.access_token);
        tokens
            .refresh_token
            .iter()
            .for_each(|token| self.endpoint.hide(token));
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        *current = Some(stored.clone());
    }

    /// `tokens` if a request may be signed with them, after one was `refused`.
    fn usable(&self, tokens: Option<Tokens>, refused: Option<&SecretString>) -> Option<Tokens> {
        tokens.filter(|tokens| {
            let lasts =
                self.settings.initiate == InitiateOAuth::Off || tokens.last(self.clock.now());
            lasts && !refused.is_some_and(|refused| tokens.sign_with(refused.expose_secret()))
        })
    }

    /// Tokens that may be used, one request after the other; `None` if there is no way to any.
    async fn obtain(
        self: Arc<Session>,
        refused: Option<SecretString>,
        teller: Teller,
    ) -> Result<Option<Tokens>, Error> {
        let mut turn = self.turn.clone().lock_owned().await;
        let (session, told) = (self.clone(), teller.clone());
        let (turn, found) = uninterrupted(async move {
            let found = session.find(&mut turn, refused.as_ref(), &told).await;
            (turn, found)
        })
        .await;
        match (found?, self.settings.opener.clone()) {
            (Found::Tokens(tokens), _) => Ok(Some(tokens)),
            (Found::Browser, Some(opener)) => {
                let patience = self.settings.patience;
                let signed_in = self.with_browser(turn, &*opener, patience, teller).await;
                signed_in.map(Some)
            }
            (Found::Browser, None) | (Found::Nothing, _) => Ok(None),
        }
    }

    /// Tokens from this process, the file or the OAuth server.
    async fn find(
        &self,
        turn: &mut Turn,
        refused: Option<&SecretString>,
        teller: &Teller,
    ) -> Result<Found, Error> {
        // Another request may have got some while this one waited for its turn.
        if let Some(tokens) = self.usable(self.current(), refused) {
            return Ok(Found::Tokens(tokens));
        }
        let mut locked = match &self.kept {
            Some(kept) => Some(kept.lock().await?),
            None => None,
        };
        let stored = match &mut locked {
            Some(locked) => {
                if let Some(unsaved) = &turn.unsaved {
                    unsaved.save_at_last(locked).await?;
                    turn.unsaved = None;
                }
                locked.read().await?
            }
            None => self.stored(),
        };
        // What was configured anew takes the place of what was kept from before.
        let stored = stored.filter(|stored| self.start.is_none() || stored.start == self.start);
        let start = self
            .start
            .clone()
            .or_else(|| stored.as_ref()?.start.clone());
        let (known, sign_in) = match (stored, &self.settings.start) {
            (Some(stored), _) => (Some(stored.tokens), stored.sign_in),
            (None, Some(Start::Tokens(tokens))) => (Some(tokens.clone()), start.clone()),
            (None, _) => (None, start.clone()),
        };
        if let Some(tokens) = self.usable(known.clone(), refused) {
            self.set_current(&Stored {
                tokens: tokens.clone(),
                start,
                sign_in,
            });
            return Ok(Found::Tokens(tokens));
        }
        let Some(way) = self.way(known.as_ref()) else {
            let get = self.settings.initiate == InitiateOAuth::GetAndRefresh;
            return Ok(if get && refused.is_none() {
                Found::Browser
            } else {
                Found::Nothing
            });
        };
        // Before the old refresh token is used up.
        if let Some(locked) = &mut locked {
            locked.prepare().await?;
        }
        let Issued { tokens, fault } = self.ask(&way, teller).await?;
        let stored = Stored {
            tokens,
            start,
            sign_in,
        };
        let tokens = self.keep(turn, locked, stored, fault, teller).await?;
        Ok(Found::Tokens(tokens))
    }

    /// How new tokens are got without the user, if that is allowed and possible.
    fn way(&self, known: Option<&Tokens>) -> Option<Way> {
        let settings = &self.settings;
        if settings.initiate == InitiateOAuth::Off {
            return None;
        }
        if settings.grant == Grant::ClientCredentials {
            return Some(Way::Consumer);
        }
        match (known, &settings.start) {
            (Some(tokens), _) => tokens.refresh_token.clone().map(Way::Refresh),
            (None, Some(Start::Code(code))) => Some(Way::Code(code.clone())),
            (None, _) => None,
        }
    }

    async fn ask(&self, way: &Way, teller: &Teller) -> Result<Issued, Error> {
        match way {
            Way::Refresh(token) => self.endpoint.with_refresh_token(token, teller).await,
            Way::Consumer => {
                let scopes = &self.settings.scopes;
                self.endpoint.with_consumer(scopes, teller).await
            }
            Way::Code(code) => {
                let returned = self.pasted(code.expose_secret())?;
                let code = returned.outcome.map_err(|said| self.denied(said))?;
                let verifier = None;
                self.endpoint
                    .with_code(&code, &self.callback, verifier, teller)
                    .await
            }
        }
    }

    async fn with_browser(
        self: Arc<Session>,
        turn: OwnedMutexGuard<Turn>,
        open: &(dyn Fn(&Url) + Send + Sync),
        patience: Duration,
        teller: Teller,
    ) -> Result<Tokens, Error> {
        self.admit_user()?;
        // A file of others is better found before the user has done his part.
        if let Some(kept) = &self.kept {
            kept.lock().await?.read().await?;
        }
        let callback = Callback::listen(&self.callback).await?;
        let authorization = self
            .endpoint
            .authorize(&self.callback, &self.settings.scopes);
        open(authorization.url());
        let (returned, browser) = callback.wait(&authorization, patience).await?;
        let outcome = self.returned(turn, &authorization, returned, teller).await;
        browser.show(outcome.is_ok()).await;
        outcome
    }

    /// Gets and keeps the tokens for what the browser came back with.
    async fn returned(
        self: Arc<Session>,
        mut turn: OwnedMutexGuard<Turn>,
        authorization: &Authorization,
        returned: Returned,
        teller: Teller,
    ) -> Result<Tokens, Error> {
        self.admit_user()?;
        let code = returned.outcome.map_err(|said| self.denied(said))?;
        let verifier = PkceCodeVerifier::new(authorization.verifier.secret().clone());
        uninterrupted(async move {
            let mut locked = match &self.kept {
                Some(kept) => Some(kept.lock().await?),
                None => None,
            };
            if let Some(locked) = &mut locked {
                locked.read().await?;
                locked.prepare().await?;
            }
            let Issued { tokens, fault } = self
                .endpoint
                .with_code(&code, &self.callback, Some(&verifier), &teller)
                .await?;
            let stored = Stored {
                tokens,
                start: self.start.clone(),
                sign_in: Some(format!("{:016x}", fastrand::u64(..))),
            };
            turn.unsaved = None;
            self.keep(&mut turn, locked, stored, fault, &teller).await
        })
        .await
    }

    /// Keeps what was issued, then says what is wrong with it.
    async fn keep(
        &self,
        turn: &mut Turn,
        locked: Option<Locked<'_>>,
        stored: Stored,
        fault: Option<Error>,
        teller: &Teller,
    ) -> Result<Tokens, Error> {
        if let Some(mut locked) = locked {
            locked.save(&stored).await.map_err(|unsaved| {
                let error = unsaved.error();
                turn.unsaved = Some(unsaved);
                error
            })?;
        }
        match fault {
            None => self.renewed(&stored, teller),
            Some(fault) => {
                // The next attempt begins with the refresh token that came.
                self.set_current(&stored);
                return Err(fault);
            }
        }
        Ok(stored.tokens)
    }

    /// From here on requests are signed with these.
    fn renewed(&self, stored: &Stored, teller: &Teller) {
        self.set_current(stored);
        teller(&Event::Renewed {
            url: &crate::redact(self.endpoint.url()),
            kept: self.kept.is_some() || stored.tokens.refresh_token.is_none(),
        });
    }

    /// Fails if there is nothing for a user to allow.
    fn admit_user(&self) -> Result<(), Error> {
        match self.settings.grant {
            Grant::AuthorizationCode => Ok(()),
            Grant::ClientCredentials => {
                Err(Error::new(ErrorKind::InvalidConfig, &self.settings.api)
                    .detail("a consumer that signs in by itself needs no user"))
            }
        }
    }

    fn pasted(&self, text: &str) -> Result<Returned, Error> {
        Returned::from_pasted(text).ok_or_else(|| {
            let page = without_parameters(&self.settings.server.authorize);
            Error::new(ErrorKind::CodeRefused, &page)
                .detail("what was given is neither a code nor an address with one")
        })
    }

    fn denied(&self, said: String) -> Error {
        let page = without_parameters(&self.settings.server.authorize);
        Error::new(ErrorKind::SignInDenied, &page).detail(self.endpoint.scrubber().quote(&said))
    }

    fn not_signed_in(&self) -> Error {
        let page = without_parameters(&self.settings.server.authorize);
        let error = Error::new(ErrorKind::NotSignedIn, &page);
        match &self.kept {
            Some(kept) => error.detail(format!("there is no usable token in {kept}")),
            None => error,
        }
    }
}

impl fmt::Debug for OAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OAuth").field(&self.0.settings).finish()
    }
}

fn redirect(callback: &str, page: &Url) -> Result<RedirectUrl, Error> {
    RedirectUrl::new(callback.to_owned()).map_err(|_| {
        Error::new(ErrorKind::InvalidConfig, page).detail("the callback URL is no address")
    })
}

/// Runs to the end even if nobody waits any more: an answer with a rotated token must be kept.
async fn uninterrupted<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    match tokio::spawn(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime shuts down, and drops this future as well.
            Err(_) => std::future::pending().await,
        },
    }
}

/// For sign-ins that no client's request asked for.
fn silent() -> Teller {
    Arc::new(|event| event.log())
}
