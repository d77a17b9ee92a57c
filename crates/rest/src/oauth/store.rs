//! What every place does that keeps tokens.

use std::fmt;
use std::io;

use async_trait::async_trait;

/// Where the tokens of sign-ins are kept: in files or the keyring of one machine, or in a database that several machines
/// share.
///
/// Every implementation keeps this promise: whoever holds the lock of a name is alone with its tokens until the lock is
/// dropped or its process ends, and what [`TokenLock::save`] has returned for is there after any crash.
#[async_trait]
pub trait TokenStore: Send + Sync + fmt::Debug {
    /// What messages call the place of the tokens of that name.
    fn label(&self, name: &str) -> String;

    /// Whether tokens are encrypted there, so that they may be put nowhere else in clear.
    fn seals(&self) -> bool {
        false
    }

    /// Waits until nobody else uses the tokens of that name, and keeps others out until the answer is dropped.
    ///
    /// # Errors
    /// If others do not let go of it, or the place cannot be used.
    async fn lock(&self, name: &str) -> io::Result<Box<dyn TokenLock>>;
}

/// The right to read and replace some tokens.
#[async_trait]
pub trait TokenLock: Send + Sync {
    /// The text that is kept.
    ///
    /// # Errors
    /// `NotFound` if there is none.
    async fn read(&self) -> io::Result<String>;

    /// Makes sure that a new text can be saved, before there are tokens that could be lost.
    ///
    /// # Errors
    /// If that is known not to be so.
    async fn prepare(&mut self) -> io::Result<()>;

    /// Puts a text in the place of the one before it. When this returns, it is kept, whatever happens.
    ///
    /// # Errors
    /// If it is not kept.
    async fn save(&mut self, text: &str) -> io::Result<()>;
}
