//! The terminal as it was before the line editor changed it.

use std::io;

/// How a terminal was set. Ending the program while a line is edited leaves it to us to put that back.
pub(super) struct Terminal {
    #[cfg(unix)]
    before: Option<nix::sys::termios::Termios>,
}

impl Terminal {
    pub(super) fn as_it_is() -> Self {
        Self {
            #[cfg(unix)]
            before: nix::sys::termios::tcgetattr(io::stdin()).ok(),
        }
    }

    pub(super) fn put_back(&self) {
        #[cfg(unix)]
        if let Some(before) = &self.before {
            use io::Write as _;
            use nix::sys::termios::{SetArg, tcsetattr};

            /// Ends what the editor asked the terminal for: marks around pasted text.
            const PLAIN_PASTE: &[u8] = b"\x1b[?2004l\r\n";
            // Nothing is left to do about a terminal that is gone.
            let _ = tcsetattr(io::stdin(), SetArg::TCSANOW, before);
            let _ = io::stderr().write_all(PLAIN_PASTE);
        }
    }
}
