//! Versions of the protocol.

use std::fmt;

use openssl::ssl::SslVersion;

use super::TlsSettingsError;

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// 1.0, long broken.
    Tls10,
    /// 1.1, no better.
    Tls11,
    /// 1.2, the lowest that is taken where nothing else is asked for.
    Tls12,
    /// 1.3.
    Tls13,
}

impl TlsVersion {
    /// Reads a name such as `TLS12`; nothing if it is empty.
    ///
    /// # Errors
    /// If there is no such version.
    pub fn parse(name: &str) -> Result<Option<TlsVersion>, TlsSettingsError> {
        match name {
            "" => Ok(None),
            "TLS10" => Ok(Some(TlsVersion::Tls10)),
            "TLS11" => Ok(Some(TlsVersion::Tls11)),
            "TLS12" => Ok(Some(TlsVersion::Tls12)),
            "TLS13" => Ok(Some(TlsVersion::Tls13)),
            other => Err(TlsSettingsError::Version(other.to_owned())),
        }
    }

    pub(super) fn of_library(self) -> SslVersion {
        match self {
            TlsVersion::Tls10 => SslVersion::TLS1,
            TlsVersion::Tls11 => SslVersion::TLS1_1,
            TlsVersion::Tls12 => SslVersion::TLS1_2,
            TlsVersion::Tls13 => SslVersion::TLS1_3,
        }
    }
}

impl fmt::Display for TlsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TlsVersion::Tls10 => "TLS10",
            TlsVersion::Tls11 => "TLS11",
            TlsVersion::Tls12 => "TLS12",
            TlsVersion::Tls13 => "TLS13",
        })
    }
}
