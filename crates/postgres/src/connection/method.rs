//! By which methods a server may ask for the password.
//!
//! A server chooses how a client signs in, so that whoever listens in its place can ask for the
//! password itself. It is given in clear only to a server that TLS has verified, or where
//! `require_auth` says so, which is read as libpq reads it.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};

use super::parameters::{Parameter, Parameters};
use super::settings::unknown_value;

/// A method as `require_auth` calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    /// The server asks for nothing.
    None,
    /// The password in clear.
    Password,
    Md5,
    Gss,
    Sspi,
    Scram,
    OAuth,
}

use Method::*;

const METHODS: [(Method, &str); 7] = [
    (None, "none"),
    (Password, "password"),
    (Md5, "md5"),
    (Gss, "gss"),
    (Sspi, "sspi"),
    (Scram, "scram-sha-256"),
    (OAuth, "oauth"),
];

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(METHODS[*self as usize].1)
    }
}

/// The methods that are accepted.
#[derive(Debug, Clone)]
pub(super) struct Methods {
    accepted: Vec<Method>,
    /// They were said, rather than taken for granted.
    said: bool,
}

impl Methods {
    pub(super) fn new(parameters: &Parameters) -> bucketline_destination::Result<Self> {
        let all = METHODS.map(|(method, _)| method);
        let Some(text) = parameters.get(Parameter::RequireAuth) else {
            return Ok(Self {
                accepted: all.to_vec(),
                said: false,
            });
        };
        let names = METHODS.map(|(_, name)| name).join(", ");
        let wrong = || {
            let possible = format!("{names}, with commas between, or each with `!` before it");
            unknown_value(Parameter::RequireAuth, text, &possible)
        };
        let mut named = Vec::new();
        let mut refused = Vec::new();
        for word in text.split(',').map(str::trim) {
            let (list, name) = match word.strip_prefix('!') {
                Some(name) => (&mut refused, name),
                Option::None => (&mut named, word),
            };
            let known = METHODS.iter().find(|(_, known)| *known == name);
            list.push(known.ok_or_else(wrong)?.0);
        }
        let accepted = match (named.is_empty(), refused.is_empty()) {
            (false, true) => named,
            (true, false) => all
                .into_iter()
                .filter(|method| !refused.contains(method))
                .collect(),
            _ => return Err(wrong()),
        };
        Ok(Self {
            accepted,
            said: true,
        })
    }

    /// What watches a server that is verified or not, which can be given a password or not.
    pub(super) fn watch(&self, is_verified: bool, has_password: bool) -> Watcher {
        let mut accepted = self.accepted.clone();
        if !self.said && !is_verified && has_password {
            accepted.retain(|method| *method != Password);
        }
        Watcher {
            accepted,
            said: self.said,
            head: Vec::new(),
            rest: 0,
            was_asked: false,
            is_over: false,
        }
    }
}

/// A method that the server asked for and that is not accepted.
#[derive(Debug)]
pub(super) struct Refused {
    method: Method,
    said: bool,
}

impl Refused {
    pub(super) fn hint(&self) -> &'static str {
        match self.said {
            true => "require_auth (or PGREQUIREAUTH) says which methods are accepted",
            false => {
                "have the server use scram-sha-256 (pg_hba.conf), or connect with TLS; if you trust whoever \
                 listens there: require_auth=password"
            }
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.said, self.method) {
            (false, _) => f.write_str(
                "the server asks for the password in clear, and TLS has not verified who it is",
            ),
            (true, None) => f.write_str("the server lets anyone in, and require_auth forbids that"),
            (true, method) => write!(
                f,
                "the server asks to sign in by {method}, and require_auth forbids that"
            ),
        }
    }
}

impl std::error::Error for Refused {}

/// Reads along what a server sends until the client is signed in.
#[derive(Clone)]
pub(super) struct Watcher {
    accepted: Vec<Method>,
    said: bool,
    /// The beginning of a message: its type, its length, and a number.
    head: Vec<u8>,
    /// Bytes of it that follow.
    rest: usize,
    was_asked: bool,
    is_over: bool,
}

/// The type of messages about signing in, and of errors.
const AUTHENTICATION: u8 = b'R';
const ERROR: u8 = b'E';

impl Watcher {
    /// Looks at what came; fails before the client has seen what it is not to answer.
    fn see(&mut self, mut bytes: &[u8]) -> Result<(), Refused> {
        while !bytes.is_empty() && !self.is_over {
            let passed = self.rest.min(bytes.len());
            self.rest -= passed;
            bytes = &bytes[passed..];
            let Some((byte, others)) = bytes.split_first() else {
                return Ok(());
            };
            self.head.push(*byte);
            bytes = others;
            let wanted = match self.head[0] {
                ERROR => {
                    self.is_over = true;
                    return Ok(());
                }
                AUTHENTICATION => 9,
                _ => 5,
            };
            if self.head.len() < wanted {
                continue;
            }
            let number = |at: usize| -> u32 {
                self.head[at..at + 4]
                    .iter()
                    .fold(0, |number, byte| number << 8 | u32::from(*byte))
            };
            // The length counts itself.
            let length = number(1) as usize + 1;
            self.rest = length.saturating_sub(wanted);
            if wanted == 9 {
                let code = number(5);
                self.asked(code)?;
            }
            self.head.clear();
        }
        Ok(())
    }

    /// A message about signing in (its codes: PostgreSQL, "Message Formats").
    fn asked(&mut self, code: u32) -> Result<(), Refused> {
        let method = match code {
            0 => {
                self.is_over = true;
                if self.was_asked {
                    return Ok(());
                }
                None
            }
            3 => Password,
            5 => Md5,
            7 => Gss,
            9 => Sspi,
            10 => Scram,
            // What else there is continues one of these, or the client does not know it.
            _ => return Ok(()),
        };
        self.was_asked = true;
        if self.accepted.contains(&method) {
            return Ok(());
        }
        Err(Refused {
            method,
            said: self.said,
        })
    }
}

/// A stream, or what makes one by TLS, whose messages a [`Watcher`] reads.
pub(super) struct Watch<T> {
    inner: T,
    watcher: Watcher,
}

impl<T> Watch<T> {
    pub(super) fn new(inner: T, watcher: Watcher) -> Self {
        Self { inner, watcher }
    }
}

impl<S, C> TlsConnect<S> for Watch<C>
where
    C: TlsConnect<S>,
    C::Stream: Unpin,
    C::Future: Send + 'static,
{
    type Stream = Watch<C::Stream>;
    type Error = C::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Stream, C::Error>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        let Self { inner, watcher } = self;
        let connecting = inner.connect(stream);
        Box::pin(async move { Ok(Watch::new(connecting.await?, watcher)) })
    }
}

impl<S: TlsStream + Unpin> TlsStream for Watch<S> {
    fn channel_binding(&self) -> ChannelBinding {
        self.inner.channel_binding()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watch<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(context, buffer))?;
        let seen = self.watcher.see(&buffer.filled()[before..]);
        Poll::Ready(seen.map_err(|refused| {
            buffer.set_filled(before);
            io::Error::other(refused)
        }))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watch<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
