//! The one origin that a credential is bound to.

use std::fmt;

use url::{Host, Url};

use crate::error::{Error, ErrorKind};

/// Scheme, host and port of the API.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Origin(url::Origin);

impl Origin {
    /// The origin of an API's base URL, which must be https, or http on a loopback host.
    pub(crate) fn of_base(base: &Url) -> Result<Origin, Error> {
        check_shape(base)?;
        match base.scheme() {
            "https" => Ok(Origin(base.origin())),
            _ if is_loopback(base) => Ok(Origin(base.origin())),
            _ => Err(Error::new(ErrorKind::InsecureScheme, base)),
        }
    }

    /// Fails unless `url` belongs to this origin. Nothing is sent before this passes.
    pub(crate) fn admit(&self, url: &Url) -> Result<(), Error> {
        check_shape(url)?;
        if url.origin() == self.0 {
            Ok(())
        } else {
            Err(Error::new(ErrorKind::ForeignOrigin, url).detail(format!("expected {self}")))
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.ascii_serialization())
    }
}

fn check_shape(url: &Url) -> Result<(), Error> {
    let fault = if !matches!(url.scheme(), "http" | "https") {
        "its scheme is neither https nor http"
    } else if !url.username().is_empty() || url.password().is_some() {
        // Else the HTTP library would sign with these instead of the credential.
        "it contains a user name or password"
    } else {
        return Ok(());
    };
    Err(Error::new(ErrorKind::InvalidUrl, url).detail(fault))
}

/// Whether the URL names this machine: 127.0.0.0/8, `::1` or `localhost`.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}
