//! Tokens in the operating system's keyring.
//!
//! A build without the feature `keyring` has none: there is no value of [`Keyring`] in it.

use std::fmt;

use super::file::Place;

/// The operating system's keyring.
#[derive(Clone)]
pub struct Keyring(system::Store);

impl Keyring {
    /// The keyring of this system's user, which is not touched before it is needed; none if this build has no keyring.
    pub fn of_system() -> Option<Keyring> {
        system::Store::of_system().map(Keyring)
    }

    /// The keyring that stands in for the system's in tests.
    #[cfg(all(test, feature = "keyring"))]
    pub(crate) fn mock(store: std::sync::Arc<keyring_core::CredentialStore>) -> Keyring {
        Keyring(system::Store::Mock(store))
    }

    /// The entry of a name.
    pub(super) fn entry(&self, name: String) -> Box<dyn Place> {
        self.0.entry(name)
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keyring")
    }
}

#[cfg(not(feature = "keyring"))]
mod system {
    use super::Place;

    #[derive(Clone)]
    pub(super) enum Store {}

    impl Store {
        pub(super) fn of_system() -> Option<Store> {
            None
        }

        pub(super) fn entry(&self, _: String) -> Box<dyn Place> {
            match *self {}
        }
    }
}

#[cfg(feature = "keyring")]
mod system {
    use std::{fmt, io, thread};

    use keyring_core::{Entry as Credential, Error};

    use super::Place;
    use crate::oauth::file::NewVersion;

    /// What all entries are for.
    const SERVICE: &str = "bucketline";

    #[derive(Clone)]
    pub(super) enum Store {
        System,
        #[cfg(test)]
        Mock(std::sync::Arc<keyring_core::CredentialStore>),
    }

    /// One entry of a keyring. It is looked up for each use: a keyring may be locked and opened meanwhile.
    #[derive(Clone)]
    struct Entry {
        store: Store,
        name: String,
    }

    impl Store {
        pub(super) fn of_system() -> Option<Store> {
            Some(Store::System)
        }

        pub(super) fn entry(&self, name: String) -> Box<dyn Place> {
            let store = self.clone();
            Box::new(Entry { store, name })
        }

        fn find(&self, name: &str) -> Result<Credential, Error> {
            match self {
                Self::System => keyring::Entry::new(SERVICE, name).map(|entry| entry.inner),
                #[cfg(test)]
                Self::Mock(store) => Credential::new_in_store(store, SERVICE, name),
            }
        }
    }

    impl Entry {
        /// Uses the entry on a thread of its own: some keyrings run a runtime for it, which one that is within a
        /// runtime must not.
        fn used<T: Send>(
            &self,
            use_it: impl FnOnce(Credential) -> Result<T, Error> + Send,
        ) -> io::Result<T> {
            let run = || self.store.find(&self.name).and_then(use_it);
            let ended = thread::scope(|scope| scope.spawn(run).join());
            let ended = ended.map_err(|_| io::Error::other("the keyring failed"))?;
            ended.map_err(|error| match error {
                Error::NoEntry => io::ErrorKind::NotFound.into(),
                // What was stored may be in its other texts.
                Error::BadEncoding(_) => io::Error::other("its entry is no text"),
                Error::NoDefaultStore => match keyring::Entry::store_status() {
                    Err(why) => io::Error::other(why.to_string()),
                    Ok(()) => io::Error::other(error.to_string()),
                },
                error => io::Error::other(error.to_string()),
            })
        }
    }

    impl Place for Entry {
        fn read(&self) -> io::Result<String> {
            self.used(|entry| entry.get_password())
        }

        /// There is nothing to put beside an entry, but whether the keyring answers is known before.
        fn draft(&self) -> io::Result<Box<dyn NewVersion>> {
            match self.read() {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(Box::new(self.clone())),
            }
        }
    }

    impl NewVersion for Entry {
        fn save(self: Box<Self>, text: &str) -> io::Result<()> {
            self.used(|entry| entry.set_password(text))
        }
    }

    impl fmt::Display for Entry {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "the keyring's entry {}", self.name)
        }
    }

    impl fmt::Debug for Entry {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            fmt::Display::fmt(self, f)
        }
    }
}
