//! Sign-ins of connections, begun by people who end them with what Bitbucket sent their browser back with.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bucketline::{Authorization, OAuth};
use bucketline_app::{Error, Result, name};
use bucketline_core::code;
use chrono::{DateTime, TimeDelta, Utc};

/// How long somebody may take for Bitbucket's page.
const LONGEST: TimeDelta = TimeDelta::minutes(10);

/// Sign-ins that are kept at a time; another one takes the place of the oldest.
const MOST: usize = 100;

/// The sign-ins of this process that were begun and not ended.
#[derive(Debug, Clone, Default)]
pub(crate) struct Begun(Arc<Mutex<Vec<SignIn>>>);

#[derive(Debug)]
struct SignIn {
    connection: String,
    by: String,
    at: DateTime<Utc>,
    oauth: OAuth,
    authorization: Authorization,
}

impl Begun {
    fn list(&self) -> MutexGuard<'_, Vec<SignIn>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins one for a connection. An earlier one of the same person ends. Returns the page on which the access is allowed.
    pub(crate) fn begin(
        &self,
        connection: &str,
        by: &str,
        oauth: OAuth,
        now: DateTime<Utc>,
    ) -> String {
        let authorization = oauth.begin();
        let page = authorization.url().to_string();
        let begun = SignIn {
            connection: name::key(connection),
            by: by.to_owned(),
            at: now,
            oauth,
            authorization,
        };
        let mut list = self.list();
        list.retain(|other| {
            !(other.connection == begun.connection && other.by == begun.by) && other.is_open(now)
        });
        if list.len() >= MOST {
            list.remove(0);
        }
        list.push(begun);
        page
    }

    /// Ends one with the address that the browser was sent to, or the code in it. Each can be tried once.
    ///
    /// # Errors
    /// If this person has begun none for the connection in the last minutes, the address belongs to another one, or
    /// Bitbucket refuses the code.
    pub(crate) async fn finish(
        &self,
        connection: &str,
        by: &str,
        pasted: &str,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let key = name::key(connection);
        let begun = {
            let mut list = self.list();
            let place = list
                .iter()
                .position(|begun| begun.connection == key && begun.by == by);
            place.map(|place| list.remove(place))
        };
        let begun = begun.filter(|begun| begun.is_open(now)).ok_or_else(|| {
            let message = format!(
                "you have begun no sign-in of {connection} here in the last {} minutes, or it was tried already",
                LONGEST.num_minutes()
            );
            Error::new(code::runner::NO_SIGN_IN, message).with_hint("begin it again")
        })?;
        let finished = begun.oauth.finish(&begun.authorization, pasted).await;
        finished.map_err(bucketline::Error::from)?;
        Ok(())
    }
}

impl SignIn {
    fn is_open(&self, now: DateTime<Utc>) -> bool {
        now - self.at <= LONGEST
    }
}
