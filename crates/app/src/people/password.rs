//! Passwords, kept as Argon2id hashes.

use std::sync::{Arc, LazyLock};

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use bucketline_core::{Error, Result, code};
use tokio::sync::Semaphore;

use crate::Problem;

/// Characters of a password.
const SHORTEST: usize = 10;
/// Bytes of a password; longer ones would only take time.
const LONGEST: usize = 1024;
/// Passwords that are hashed at a time: each takes a processor and 19 MiB.
const AT_A_TIME: usize = 2;

/// Hashes the passwords of a process.
#[derive(Debug, Clone)]
pub(super) struct Passwords {
    turn: Arc<Semaphore>,
}

/// What is compared where there is no such account, so that it takes as long as where there is one.
static NOBODY: LazyLock<Option<String>> = LazyLock::new(|| hash("nobody has this password").ok());

impl Default for Passwords {
    fn default() -> Self {
        Self {
            turn: Arc::new(Semaphore::new(AT_A_TIME)),
        }
    }
}

/// What is wrong with a password that somebody chose.
pub(super) fn problem(place: &str, name: &str, password: &str) -> Option<Problem> {
    let message = if password.chars().count() < SHORTEST {
        "the password is shorter than 10 characters"
    } else if password.len() > LONGEST {
        "the password is longer than 1,024 bytes"
    } else if password.trim().is_empty() || password.eq_ignore_ascii_case(name) {
        "the password is easy to guess"
    } else {
        return None;
    };
    Some(Problem::new(place, code::model::OUT_OF_RANGE, message))
}

fn hash(password: &str) -> Result<String> {
    let hashed = Argon2::default().hash_password(password.as_bytes());
    let hashed = hashed.map_err(|error| {
        Error::new(
            code::store::DEFECT,
            format!("a password cannot be hashed: {error}"),
        )
    })?;
    Ok(hashed.to_string())
}

fn fits(password: &str, kept: &str) -> bool {
    PasswordHash::new(kept).is_ok_and(|kept| {
        Argon2::default()
            .verify_password(password.as_bytes(), &kept)
            .is_ok()
    })
}

impl Passwords {
    /// The hash that is kept of a password.
    pub(super) async fn hash(&self, password: &str) -> Result<String> {
        let password = password.to_owned();
        self.carried_out(move || hash(&password)).await?
    }

    /// Whether a password is the one that was hashed. Without a hash it takes as long and is not.
    pub(super) async fn fits(&self, password: &str, kept: Option<String>) -> Result<bool> {
        if password.len() > LONGEST {
            return Ok(false);
        }
        let password = password.to_owned();
        let compare = move || match (&kept, &*NOBODY) {
            (Some(kept), _) => fits(&password, kept),
            (None, Some(nobody)) => {
                fits(&password, nobody);
                false
            }
            (None, None) => false,
        };
        self.carried_out(compare).await
    }

    /// On a thread for what takes long.
    async fn carried_out<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        let ended = |error: &dyn std::fmt::Display| {
            Error::new(
                code::store::DEFECT,
                format!("a password was not looked at: {error}"),
            )
        };
        let turn = Arc::clone(&self.turn).acquire_owned().await;
        let turn = turn.map_err(|error| ended(&error))?;
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(turn);
            done
        });
        done.await.map_err(|error| ended(&error))
    }
}
