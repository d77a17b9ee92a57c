//! OAuth 2.0: signing in as a consumer, and staying signed in.
//!
//! An [`OAuth`] is bound to two origins, the API's and the OAuth server's; its secrets and tokens
//! go nowhere else. Tokens come by an authorization code, which a user fetches with a browser, or
//! by the consumer's own credentials, and are renewed before they expire and once after a 401.
//!
//! Refresh tokens rotate: each answer replaces the one that it was asked for with. So a new one is
//! on disk before its access token is used, processes that share a token file renew one after the
//! other and take what the one before them got, and a renewal goes on when the request that needed
//! it is dropped.

mod answer;
mod authorization;
mod callback;
mod endpoint;
mod file;
mod kept;
mod keyring;
mod private;
mod session;
mod settings;
mod store;
mod tokens;

use std::sync::Arc;

use crate::observer::Event;

pub use self::authorization::Authorization;
pub use self::file::TokenFiles;
pub use self::keyring::Keyring;
pub use self::session::OAuth;
pub use self::settings::{Grant, InitiateOAuth, OAuthServer, OAuthSettings, Opener, Start};
pub use self::store::{TokenLock, TokenStore};
pub use self::tokens::Tokens;

/// Hears of the requests that a sign-in makes.
pub(crate) type Teller = Arc<dyn Fn(&Event<'_>) + Send + Sync>;
