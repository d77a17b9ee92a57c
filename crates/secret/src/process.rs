//! The secrets of the whole process, for texts that belong to no connection: its logs, and what a server says that one of
//! several connections may have reached.

use std::borrow::Cow;
use std::sync::{LazyLock, PoisonError, RwLock};

use crate::Scrubber;

static KNOWN: LazyLock<RwLock<Scrubber>> = LazyLock::new(|| RwLock::new(Scrubber::of_process()));

/// Takes `secret` out of such texts from now on. The newest 256 are remembered; what a [`Scrubber`] is given is among
/// them.
pub fn hide(secret: &str) {
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    known.learn(secret);
}

/// `text` with `***` for each secret of the process.
pub fn scrub(text: &str) -> Cow<'_, str> {
    let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
    known.scrub(text)
}

/// `text` fit for a message: without secrets, then cut to 500 characters.
pub fn quote(text: &str) -> String {
    let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
    known.quote(text)
}

#[cfg(test)]
mod tests {
    use super::scrub;
    use crate::Scrubber;

    #[test]
    fn the_process_knows_what_any_scrubber_is_given() {
        let mut scrubber = Scrubber::default()
            .with("lasting-secret-of-one")
            .with_pair("user", "password-of-two");
        scrubber.hide("passing-secret-of-three");
        let said = "lasting-secret-of-one password%2Dof%2Dtwo dXNlcjpwYXNzd29yZC1vZi10d28= passing-secret-of-three end";
        assert_eq!(scrub(said), "*** *** ***= *** end");
    }
}
