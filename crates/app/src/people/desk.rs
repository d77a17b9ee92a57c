//! Lets people in, and knows who they are.

use std::sync::{Arc, Mutex, PoisonError};

use bucketline_core::{Error, Result, code};
use chrono::{DateTime, TimeDelta, Utc};

use super::password::{self, Passwords};
use super::{
    Account, AccountEntry, Accounts, ApiToken, Attempts, Credential, CredentialHash, NewApiToken,
    NewAuditEntry, NewSession, Right, Role, SignedIn,
};
use crate::store::Change;
use crate::{AccountId, Clock, Problems, TokenId};

/// A session that is not used for so long ends.
pub const SESSION_IDLE: TimeDelta = TimeDelta::hours(12);
/// A session ends after so long, however it is used.
pub const SESSION_LONGEST: TimeDelta = TimeDelta::days(14);
/// How long the first account can be made after the start.
pub const SET_UP_LASTS: TimeDelta = TimeDelta::hours(1);

/// Uses are noted once in so long, so that reading writes little.
const NOTED: TimeDelta = TimeDelta::minutes(1);

/// Whoever asks for something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// What the audit calls them.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// The account; absent for the token of the process.
    pub account: Option<AccountId>,
    /// How they are known.
    pub means: Means,
    /// From which address they ask.
    pub from: String,
}

/// How a caller is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Means {
    /// By the token that the process made at its start.
    Process,
    /// By a session.
    Session(CredentialHash),
    /// By an API token.
    Token(TokenId),
}

impl Caller {
    /// A change that they make.
    pub fn change(&self, at: DateTime<Utc>) -> Change {
        Change {
            by: self.name.clone(),
            at,
            from: Some(self.from.clone()),
        }
    }
}

/// Where people sign in. Clones are the same.
#[derive(Debug, Clone)]
pub struct Desk {
    accounts: Arc<dyn Accounts>,
    clock: Arc<dyn Clock>,
    attempts: Arc<Attempts>,
    passwords: Passwords,
    process: Option<CredentialHash>,
    set_up: Arc<Mutex<Option<SetUp>>>,
}

/// What makes the first account, once.
#[derive(Debug, Clone)]
struct SetUp {
    hash: CredentialHash,
    until: DateTime<Utc>,
}

/// What somebody says who signs in.
#[derive(Debug, Clone, Copy)]
pub struct Claimant<'a> {
    /// The name that they give.
    pub name: &'a str,
    /// The password.
    pub password: &'a str,
    /// Where they are.
    pub from: &'a str,
    /// The browser, as it calls itself.
    pub agent: &'a str,
}

impl Desk {
    /// A desk over a store.
    pub fn new(accounts: Arc<dyn Accounts>, clock: Arc<dyn Clock>) -> Self {
        Self {
            accounts,
            clock,
            attempts: Arc::default(),
            passwords: Passwords::default(),
            process: None,
            set_up: Arc::default(),
        }
    }

    /// The same, which takes this token for the one who started the process.
    #[must_use]
    pub fn with_token(mut self, token: &Credential) -> Self {
        self.process = Some(token.hash());
        self
    }

    /// What keeps the accounts.
    pub fn accounts(&self) -> &Arc<dyn Accounts> {
        &self.accounts
    }

    /// The token that makes the first account within an hour; none if there is an account.
    ///
    /// # Errors
    /// If the store cannot be used.
    pub async fn offer_set_up(&self) -> Result<Option<Credential>> {
        if self.accounts.has_accounts().await? {
            return Ok(None);
        }
        let token = Credential::random()?;
        let until = self.clock.now().await? + SET_UP_LASTS;
        let hash = token.hash();
        let mut set_up = self.set_up.lock().unwrap_or_else(PoisonError::into_inner);
        *set_up = Some(SetUp { hash, until });
        Ok(Some(token))
    }

    /// Makes the first account, which administers.
    ///
    /// # Errors
    /// If there is one, the token is wrong or over, or the name or the password cannot be had.
    pub async fn set_up(&self, token: &str, claimant: Claimant<'_>) -> Result<AccountEntry> {
        let at = self.clock.now().await?;
        let over = || {
            Error::new(code::people::SET_UP_OVER, "the first account cannot be made by this token")
                .with_hint("each start of `serve` prints another one, until there is an account; sign in if there is")
        };
        {
            let set_up = self.set_up.lock().unwrap_or_else(PoisonError::into_inner);
            let offered = set_up.as_ref();
            offered
                .filter(|it| at < it.until && it.hash == CredentialHash::of(token))
                .ok_or_else(over)?;
        }
        if self.accounts.has_accounts().await? {
            return Err(over());
        }
        let change = Change {
            from: Some(claimant.from.to_owned()),
            ..Change::new(claimant.name, at)
        };
        let made = self
            .create(
                &admin(claimant.name),
                Some(claimant.password),
                true,
                &change,
            )
            .await?;
        *self.set_up.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(made)
    }

    /// Makes the account `admin` with this password if there is no account.
    ///
    /// # Errors
    /// If the password cannot be had.
    pub async fn ensure_admin(&self, password: &str) -> Result<bool> {
        if self.accounts.has_accounts().await? {
            return Ok(false);
        }
        let change = Change::new("start", self.clock.now().await?);
        match self
            .create(&admin("admin"), Some(password), true, &change)
            .await
        {
            Ok(_) => Ok(true),
            // Another node was faster.
            Err(error) if error.code() == code::people::NOT_FIRST => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Makes an account.
    ///
    /// # Errors
    /// If the name or the password cannot be had, and as [`Accounts::create_account`].
    pub async fn create(
        &self,
        account: &Account,
        password: Option<&str>,
        is_first: bool,
        change: &Change,
    ) -> Result<AccountEntry> {
        let mut problems = account.problems();
        let wrong = password.and_then(|it| password::problem("password", &account.name, it));
        problems.extend(wrong);
        Problems::check("the account", problems)?;
        let hash = match password {
            Some(password) => Some(self.passwords.hash(password).await?),
            None => None,
        };
        self.accounts
            .create_account(account, hash.as_deref(), is_first, change)
            .await
    }

    /// Begins a session: its credential, and who it is. What was in the cookie before ends.
    ///
    /// # Errors
    /// If the name or the password is wrong, which is not told apart, or too many attempts failed.
    pub async fn sign_in(
        &self,
        claimant: Claimant<'_>,
        before: Option<&str>,
    ) -> Result<(Credential, Caller)> {
        let Claimant {
            name,
            password,
            from,
            agent,
        } = claimant;
        let at = self.clock.now().await?;
        self.attempts.begin(name, from, at)?;
        let found = self.accounts.account_named(name).await?;
        let (entry, hash) = found.map_or((None, None), |(entry, hash)| (Some(entry), hash));
        let fits = self.passwords.fits(password, hash).await?;
        let entry = entry.filter(|entry| fits && entry.account.value.enabled);
        let change = Change {
            from: Some(from.to_owned()),
            ..Change::new(shown(name), at)
        };
        let Some(entry) = entry else {
            let failed = NewAuditEntry {
                action: "session.refuse".to_owned(),
                object: shown(name),
                ..NewAuditEntry::default()
            };
            self.accounts.audit(&failed, &change).await?;
            let message = "the name or the password is wrong";
            return Err(Error::new(code::people::WRONG_PASSWORD, message));
        };
        self.attempts.succeeded(name, from);
        if let Some(before) = before {
            let hash = CredentialHash::of(before);
            self.accounts.end_session(&hash, &change).await?;
        }
        let credential = Credential::random()?;
        let account = entry.account;
        let session = NewSession {
            hash: credential.hash(),
            account: account.id,
            from: from.to_owned(),
            agent: shown(agent),
        };
        self.accounts.begin_session(&session, &change).await?;
        let caller = Caller {
            name: account.value.name,
            role: account.value.role,
            account: Some(account.id),
            means: Means::Session(session.hash),
            from: from.to_owned(),
        };
        Ok((credential, caller))
    }

    /// Whose session it is, if it has not ended.
    ///
    /// # Errors
    /// If the store cannot be used.
    pub async fn of_session(&self, text: &str, from: &str) -> Result<Option<Caller>> {
        let hash = CredentialHash::of(text);
        let Some((session, whose)) = self.accounts.session(&hash).await? else {
            return Ok(None);
        };
        let at = self.clock.now().await?;
        let is_over =
            at >= session.seen_at + SESSION_IDLE || at >= session.begun_at + SESSION_LONGEST;
        if is_over || !whose.enabled {
            return Ok(None);
        }
        if at - session.seen_at >= NOTED {
            self.accounts.note_session(&hash, at).await?;
        }
        Ok(Some(Self::caller(whose, None, Means::Session(hash), from)))
    }

    /// Whose token it is, if it has not ended.
    ///
    /// # Errors
    /// If the store cannot be used.
    pub async fn of_token(&self, text: &str, from: &str) -> Result<Option<Caller>> {
        let hash = CredentialHash::of(text);
        if self.process.as_ref() == Some(&hash) {
            return Ok(Some(Caller {
                name: "api".to_owned(),
                role: Role::Admin,
                account: None,
                means: Means::Process,
                from: from.to_owned(),
            }));
        }
        let Some((token, whose)) = self.accounts.token(&hash).await? else {
            return Ok(None);
        };
        let at = self.clock.now().await?;
        if at >= token.ends_at || !whose.enabled {
            return Ok(None);
        }
        if token.used_at.is_none_or(|used| at - used >= NOTED) {
            self.accounts.note_token(token.id, at).await?;
        }
        let means = Means::Token(token.id);
        Ok(Some(Self::caller(whose, Some(&token), means, from)))
    }

    fn caller(whose: SignedIn, token: Option<&ApiToken>, means: Means, from: &str) -> Caller {
        let name = match token {
            Some(token) => format!("{} (token {})", whose.name, token.name),
            None => whose.name,
        };
        Caller {
            name,
            role: token.map_or(whose.role, |token| token.role.min(whose.role)),
            account: Some(whose.account),
            means,
            from: from.to_owned(),
        }
    }

    /// Gives an account another password. For one's own the old one is needed.
    ///
    /// # Errors
    /// If the old one is wrong, or the new one cannot be had.
    pub async fn change_password(
        &self,
        caller: &Caller,
        id: AccountId,
        old: Option<&str>,
        new: &str,
    ) -> Result<()> {
        let at = self.clock.now().await?;
        let found = self.accounts.account(id).await?;
        let missing = || Error::new(code::store::NOT_FOUND, format!("there is no account {id}"));
        let account = found.ok_or_else(missing)?.account.value;
        let is_own = caller.account == Some(id);
        if is_own {
            self.attempts.begin(&account.name, &caller.from, at)?;
            let found = self.accounts.account_named(&account.name).await?;
            let hash = found.and_then(|(_, hash)| hash);
            if !self.passwords.fits(old.unwrap_or_default(), hash).await? {
                return Err(Error::new(
                    code::people::WRONG_PASSWORD,
                    "the old password is wrong",
                ));
            }
            self.attempts.succeeded(&account.name, &caller.from);
        } else if !caller.role.may(Right::Administer) {
            return Err(missing());
        }
        let wrong = password::problem("password", &account.name, new);
        Problems::check("the account", wrong.into_iter().collect())?;
        let hash = self.passwords.hash(new).await?;
        let kept = match &caller.means {
            Means::Session(hash) if is_own => Some(hash),
            _ => None,
        };
        self.accounts
            .set_password(id, &hash, kept, &caller.change(at))
            .await
    }

    /// Makes an API token of the caller's account, which may do no more than the caller. Its text is shown once.
    ///
    /// # Errors
    /// If the caller has no account, or the token would do more or last too long.
    pub async fn create_token(
        &self,
        caller: &Caller,
        name: &str,
        role: Role,
        days: u32,
    ) -> Result<(Credential, ApiToken)> {
        let at = self.clock.now().await?;
        let mut problems: Vec<_> = crate::name::problem("name", name).into_iter().collect();
        if role > caller.role {
            let message = format!("a token of yours may be {} at most", caller.role);
            problems.push(crate::Problem::new(
                "role",
                code::model::OUT_OF_RANGE,
                message,
            ));
        }
        if !(1..=366).contains(&days) {
            let message = "a token lasts from 1 to 366 days";
            problems.push(crate::Problem::new(
                "days",
                code::model::OUT_OF_RANGE,
                message,
            ));
        }
        Problems::check("the token", problems)?;
        // It would outlive the one that made it, and the reason to end that.
        if matches!(caller.means, Means::Token(_)) {
            let message = "an API token makes no other token";
            return Err(Error::new(code::people::NO_RIGHT, message)
                .with_hint("sign in with the account's password, and make the token there"));
        }
        let account = caller.account.ok_or_else(|| {
            let message = "the token of the process belongs to no account";
            Error::new(code::people::NO_RIGHT, message)
                .with_hint("sign in with an account, and make the token there")
        })?;
        let credential = Credential::random()?;
        let token = NewApiToken {
            name: name.to_owned(),
            role,
            ends_at: at + TimeDelta::days(days.into()),
            account,
            hash: credential.hash(),
        };
        let made = self
            .accounts
            .create_token(&token, &caller.change(at))
            .await?;
        Ok((credential, made))
    }
}

fn admin(name: &str) -> Account {
    Account {
        name: name.to_owned(),
        role: Role::Admin,
        enabled: true,
    }
}

/// A foreign text that is kept: without control characters, and not long.
fn shown(text: &str) -> String {
    let letters = text.chars().map(|letter| match letter {
        letter if letter.is_control() => ' ',
        letter => letter,
    });
    letters.take(200).collect()
}
