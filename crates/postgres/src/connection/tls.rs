//! TLS. A server is verified or, where that is said or the way to it stays on this machine, not
//! encrypted; there is nothing between, since that would keep nobody out.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bucketline_destination::{Error, Result};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};

use super::parameters::{Parameter, Parameters, refused};
use super::passfile::refuse_if_shared;
use super::settings::{Host, unknown_value};

/// The value of `sslrootcert` for what the system trusts.
const SYSTEM: &str = "system";

/// Bytes that a file in PEM may have; one of all authorities of a system has a quarter of a MiB.
const MOST: u64 = 4 << 20;

/// How TLS is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TlsSettings {
    mode: Mode,
    /// The authorities of servers; those of the system if none.
    roots: Option<PathBuf>,
    /// The certificate and the key of this client.
    client: Option<(PathBuf, PathBuf)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Disabled,
    /// Nothing is said: only what leaves this machine is encrypted, and verified in full.
    Unsaid,
    /// The certificate must be of a known authority.
    Authority,
    /// And for the host's name.
    Full,
}

impl TlsSettings {
    pub(super) fn new(parameters: &Parameters) -> Result<Self> {
        let path = |parameter| parameters.get(parameter).map(PathBuf::from);
        let roots = match parameters.get(Parameter::TlsRoots) {
            Some("*") => {
                return Err(refused("any certificate (`*`) would keep nobody out")
                    .with_hint("name a file with the server's certificate, or its authority's"));
            }
            Some(SYSTEM) | None => None,
            Some(path) => Some(PathBuf::from(path)),
        };
        let client = match (path(Parameter::TlsCertificate), path(Parameter::TlsKey)) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            (Some(certificate), None) => Some((certificate.clone(), certificate)),
            (None, Some(_)) => {
                return Err(refused("there is a key (sslkey) without its certificate")
                    .with_hint("give sslcert, too"));
            }
        };
        let mut mode = mode(parameters)?;
        let is_named = parameters.get(Parameter::TlsRoots).is_some() || client.is_some();
        if mode == Mode::Unsaid && is_named {
            mode = Mode::Full;
        }
        if mode == Mode::Authority && roots.is_none() {
            return Err(
                refused("sslmode=verify-ca lets in whoever the system trusts")
                    .with_hint("name the authority with sslrootcert, or use sslmode=verify-full"),
            );
        }
        Ok(Self {
            mode,
            roots,
            client,
        })
    }

    /// Whether what is sent to a host is encrypted. Sockets of the file system have no TLS.
    pub(super) fn encrypts(&self, host: &Host) -> bool {
        match self.mode {
            Mode::Disabled => false,
            Mode::Unsaid => !host.is_local(),
            Mode::Authority | Mode::Full => !host.is_socket(),
        }
    }

    /// Reads the certificates.
    pub(super) fn load(&self) -> Result<ClientConfig> {
        let provider = Arc::new(ring::default_provider());
        let verifier: Arc<dyn ServerCertVerifier> = match &self.roots {
            Some(path) => Arc::new(FileVerifier::new(
                path,
                self.mode == Mode::Authority,
                &provider,
            )?),
            None => Arc::new(
                rustls_platform_verifier::Verifier::new(Arc::clone(&provider)).map_err(
                    |error| {
                        refused(format!("the system's certificates: {error}"))
                            .with_hint(
                                "install them (Debian: ca-certificates), or give sslrootcert",
                            )
                            .with_source(error)
                    },
                )?,
            ),
        };
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| refused(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let Some((certificate, key)) = &self.client else {
            return Ok(builder.with_no_client_auth());
        };
        refuse_if_shared(key)?;
        let chain = certificates(certificate)?;
        let private = PrivateKeyDer::from_pem_slice(&pem(key)?).map_err(|error| {
            unreadable(key, &error).with_hint("a key in PEM without a passphrase is wanted")
        })?;
        builder
            .with_client_auth_cert(chain, private)
            .map_err(|error| unreadable(certificate, &error))
    }
}

fn mode(parameters: &Parameters) -> Result<Mode> {
    let told = match parameters.get(Parameter::TlsUse) {
        None => None,
        Some(text) if is_any(text, &["true", "yes", "on", "1"]) => Some(true),
        Some(text) if is_any(text, &["false", "no", "off", "0"]) => Some(false),
        Some(other) => {
            return Err(unknown_value(Parameter::TlsUse, other, "true or false"));
        }
    };
    let mode = match parameters.get(Parameter::TlsMode) {
        None if told == Some(true) => Mode::Full,
        None if told == Some(false) => Mode::Disabled,
        None => Mode::Unsaid,
        Some("disable") => Mode::Disabled,
        // What libpq does not verify by this word is verified here.
        Some("require" | "verify-full") => Mode::Full,
        Some("verify-ca") => Mode::Authority,
        Some(weak @ ("allow" | "prefer")) => {
            let message =
                format!("sslmode={weak} may fall back to sending everything in the clear");
            return Err(refused(message)
                .with_hint("sslmode=verify-full, or say that nothing is encrypted: disable"));
        }
        Some(other) => {
            let possible = "verify-full, verify-ca, require or disable";
            return Err(unknown_value(Parameter::TlsMode, other, possible));
        }
    };
    match (told, mode) {
        (Some(true), Mode::Disabled) | (Some(false), Mode::Authority | Mode::Full) => {
            Err(refused("UseSSL says otherwise than SSLMode").with_hint("leave one of them out"))
        }
        _ => Ok(mode),
    }
}

fn is_any(text: &str, words: &[&str]) -> bool {
    words.iter().any(|word| word.eq_ignore_ascii_case(text))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let pem = pem(path)?;
    let read = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>();
    let certificates = read.map_err(|error| unreadable(path, &error))?;
    if certificates.is_empty() {
        return Err(
            refused(format!("{}: there is no certificate in it", path.display()))
                .with_hint("a file in PEM is wanted, with `-----BEGIN CERTIFICATE-----`"),
        );
    }
    Ok(certificates)
}

/// The bytes of a file in PEM.
fn pem(path: &Path) -> Result<Vec<u8>> {
    bucketline_files::read(path, MOST).map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, error: &dyn std::error::Error) -> Error {
    refused(format!("{}: {error}", path.display()))
}

/// Verifies servers by the certificates in a file: those of authorities, or the server's own.
#[derive(Debug)]
struct FileVerifier {
    inner: Arc<WebPkiServerVerifier>,
    trusted: Vec<CertificateDer<'static>>,
    is_any_name_right: bool,
}

impl FileVerifier {
    fn new(path: &Path, is_any_name_right: bool, provider: &Arc<CryptoProvider>) -> Result<Self> {
        let trusted = certificates(path)?;
        let mut roots = RootCertStore::empty();
        for certificate in &trusted {
            roots
                .add(certificate.clone())
                .map_err(|error| unreadable(path, &error))?;
        }
        let inner =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
                .build()
                .map_err(|error| unreadable(path, &error))?;
        Ok(Self {
            inner,
            trusted,
            is_any_name_right,
        })
    }
}

impl ServerCertVerifier for FileVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        use rustls::Error::InvalidCertificate;

        let verified = self.inner.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        let error = match verified {
            // The name is looked at last: the rest is right.
            Err(InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if self.is_any_name_right => return Ok(ServerCertVerified::assertion()),
            Err(error @ InvalidCertificate(CertificateError::Other(_))) => error,
            verified => return verified,
        };
        // A certificate that signed itself calls itself an authority, too, and is then refused as
        // a server's. In the file it stands for itself.
        if !self.trusted.iter().any(|trusted| trusted == end_entity) {
            return Err(error);
        }
        if !self.is_any_name_right {
            let parsed = ParsedCertificate::try_from(end_entity)?;
            rustls::client::verify_server_name(&parsed, server_name)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
