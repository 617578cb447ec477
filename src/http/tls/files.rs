//! Certificates and keys in files.

use std::fs;
use std::io;
use std::path::Path;

use openssl::pkey::{PKey, Private};
use openssl::ssl::SslContextBuilder;
use openssl::x509::X509;
use openssl::x509::store::{X509Store, X509StoreBuilder};

use crate::system::Secret;
use crate::system::{ErrorWords, environment_variable};

/// Where systems keep the certificates of the authorities that they trust, as Go looks for them.
const SYSTEM_FILES: [&str; 6] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
];
const SYSTEM_FOLDERS: [&str; 2] = ["/etc/ssl/certs", "/etc/pki/tls/certs"];

/// A file of certificates or keys that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsFileError {
    /// It cannot be read.
    #[error("could not {what} \"{path}\": open {path}: {}", ErrorWords(.source))]
    Read {
        /// What was to be done with it.
        what: &'static str,
        /// The file.
        path: String,
        /// What the operating system says.
        source: io::Error,
    },
    /// There is no certificate in it.
    #[error("could not parse any PEM certificates \"{0}\"")]
    NoCertificate(String),
    /// There is no key in it.
    #[error("failed to decode private key: no PEM data found in \"{0}\"")]
    NoKey(String),
    /// The key is encrypted, and there is no password.
    #[error("missing password for PKCS#8 encrypted private key \"{0}\"")]
    NoPassword(String),
    /// The password is not that of the key, or the key is damaged.
    #[error("failed to decrypt PKCS#8 private key \"{0}\"")]
    Password(String),
    /// Certificate and key do not belong to each other.
    #[error("failed to load cert/key pair: tls: private key does not match public key of \"{0}\"")]
    Mismatch(String),
}

/// A certificate with its key, as files.
#[derive(Debug, Clone, Default)]
pub struct KeyPair {
    /// File with the certificate, and those that lead from it to an authority.
    pub cert: String,
    /// File with the key.
    pub key: String,
    /// What the key is encrypted with; empty if it is not.
    pub key_password: Secret,
}

/// Reads a file; what is no path but the text itself, as from settings of others, is taken as such.
fn read(what: &'static str, path: &str) -> Result<Vec<u8>, TlsFileError> {
    if path.starts_with("-----BEGIN ") {
        return Ok(path.as_bytes().to_vec());
    }
    fs::read(path).map_err(|source| TlsFileError::Read { what, path: path.to_owned(), source })
}

fn certificates(what: &'static str, path: &str) -> Result<Vec<X509>, TlsFileError> {
    match X509::stack_from_pem(&read(what, path)?) {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(TlsFileError::NoCertificate(path.to_owned())),
    }
}

impl KeyPair {
    /// Puts certificate and key into a context.
    pub(super) fn load_into(&self, context: &mut SslContextBuilder) -> Result<(), TlsFileError> {
        let mut chain = certificates("load certificate", &self.cert)?.into_iter();
        let key = self.read_key()?;
        let mismatch = |_| TlsFileError::Mismatch(self.cert.clone());
        if let Some(own) = chain.next() {
            context.set_certificate(&own).map_err(mismatch)?;
        }
        for certificate in chain {
            context.add_extra_chain_cert(certificate).map_err(mismatch)?;
        }
        context.set_private_key(&key).map_err(mismatch)?;
        context.check_private_key().map_err(mismatch)
    }

    fn read_key(&self) -> Result<PKey<Private>, TlsFileError> {
        let path = || self.key.clone();
        let pem = read("load private key", &self.key)?;
        let has = |text: &str| memchr::memmem::find(&pem, text.as_bytes()).is_some();
        if !has("-----BEGIN") {
            return Err(TlsFileError::NoKey(path()));
        }
        let is_encrypted = has("ENCRYPTED");
        if is_encrypted && self.key_password.is_empty() {
            return Err(TlsFileError::NoPassword(path()));
        }
        // Without a passphrase of ours the library would ask for one at the terminal.
        PKey::private_key_from_pem_passphrase(&pem, self.key_password.expose().as_bytes()).map_err(
            |_| match is_encrypted {
                true => TlsFileError::Password(path()),
                false => TlsFileError::NoKey(path()),
            },
        )
    }
}

/// The certificates in files, to be trusted.
pub(super) fn trusted(paths: &[String]) -> Result<X509Store, TlsFileError> {
    let Ok(mut store) = X509StoreBuilder::new() else {
        return Err(TlsFileError::NoCertificate(paths.join(", ")));
    };
    for path in paths {
        for certificate in certificates("read certificate", path)? {
            // One that is there twice is no harm.
            let _ = store.add_cert(certificate);
        }
    }
    Ok(store.build())
}

/// The certificates that the system trusts; none where it has none.
pub(super) fn trusted_by_system() -> Result<X509Store, openssl::error::ErrorStack> {
    let mut store = X509StoreBuilder::new()?;
    let mut add = |path: &Path| {
        let pem = fs::read(path).unwrap_or_default();
        let found = X509::stack_from_pem(&pem).unwrap_or_default();
        let any = !found.is_empty();
        for certificate in found {
            let _ = store.add_cert(certificate);
        }
        any
    };
    let named = environment_variable("SSL_CERT_FILE").filter(|path| !path.is_empty());
    let has_file = match &named {
        Some(path) => add(Path::new(path)),
        None => SYSTEM_FILES.iter().any(|path| add(Path::new(path))),
    };
    let folders = environment_variable("SSL_CERT_DIR").filter(|path| !path.is_empty());
    // The folders hold the same again, as single files.
    if !has_file || folders.is_some() {
        let folders: Vec<String> = match folders {
            Some(folders) => folders.split(':').map(str::to_owned).collect(),
            None => SYSTEM_FOLDERS.map(str::to_owned).to_vec(),
        };
        for folder in folders {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                add(&entry.path());
            }
        }
    }
    Ok(store.build())
}
