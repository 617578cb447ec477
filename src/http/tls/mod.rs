//! Encryption of connections, for either end.
//!
//! # References
//! Telegraf's common options for TLS, which follow Go's `crypto/tls`.

mod ciphers;
mod client;
mod files;
mod server;
mod versions;

pub use ciphers::{list as cipher_list, names_of_list as cipher_names};
pub use client::{ClientTls, ClientTlsSettings, Renegotiation, Verification};
pub use files::{KeyPair, TlsFileError};
pub use server::{ServerTls, ServerTlsSettings};
pub use versions::TlsVersion;

use openssl::error::ErrorStack;

/// Options that make no sense.
#[derive(Debug, thiserror::Error)]
pub enum TlsSettingsError {
    /// A file of certificates or keys that cannot be used.
    #[error(transparent)]
    File(#[from] TlsFileError),
    /// A cipher suite that there is not.
    #[error("could not parse cipher suites: {0:?} unsupported cipher")]
    Cipher(String),
    /// A version that there is not.
    #[error(
        "could not parse tls version {0:?}: unsupported version {0:?} (available: \
         TLS10,TLS11,TLS12,TLS13)"
    )]
    Version(String),
    /// The lowest version lies above the highest.
    #[error("tls min version {0} can't be greater than tls max version {1}")]
    Versions(TlsVersion, TlsVersion),
    /// A way to renegotiate that there is not.
    #[error("unrecognized renegotiation method {0:?}, choose from: 'never', 'once', 'freely'")]
    Renegotiation(String),
    /// A server without a certificate cannot prove who it is.
    #[error("tls: neither Certificates, GetCertificate, nor GetConfigForClient set in Config")]
    NoCertificate,
    /// The library does not take what it was given.
    #[error("setting up TLS failed: {0}")]
    Library(#[from] ErrorStack),
}

/// Why two programs did not come to an agreement.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The other end's certificate does not prove what it should.
    #[error("tls: failed to verify certificate: x509: {0}")]
    Certificate(String),
    /// The other end does not speak TLS.
    #[error("{0}")]
    NotTls(&'static str),
    /// It took too long.
    #[error("net/http: TLS handshake timeout")]
    Timeout,
    /// Anything else, as the library words it.
    #[error("tls: {0}")]
    Other(String),
}

#[cfg(test)]
mod tests;
