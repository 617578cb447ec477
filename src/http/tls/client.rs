//! Encryption of connections that are made from here.

use std::io;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use openssl::error::ErrorStack;
use openssl::ssl::{
    ErrorCode, HandshakeError, MidHandshakeSslStream, Ssl, SslContext, SslContextBuilder,
    SslMethod, SslOptions, SslVerifyMode,
};
use openssl::x509::verify::{X509CheckFlags, X509VerifyFlags};
use openssl::x509::{X509Ref, X509VerifyResult};

use super::files::{trusted, trusted_by_system};
use super::{KeyPair, TlsError, TlsSettingsError, TlsVersion, ciphers};
use crate::http::stream::Stream;

/// Whether the other end has to prove who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Verification {
    /// The chain and the host name must be right.
    #[default]
    Full,
    /// Anything is taken; only for tests and emergencies.
    None,
}

/// Whether the other end may ask to begin anew in the middle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Renegotiation {
    /// It may not.
    #[default]
    Never,
    /// It may.
    Freely,
}

/// How connections are encrypted that are made from here.
#[derive(Debug, Clone, Default)]
pub struct ClientTlsSettings {
    /// File with the certificates of the authorities to trust; the system's if empty.
    pub ca: String,
    /// Certificate and key to prove with who is calling.
    pub key_pair: Option<KeyPair>,
    /// The lowest version; 1.2 if absent.
    pub min_version: Option<TlsVersion>,
    /// Go's names of cipher suites; those that are good if empty.
    pub cipher_suites: Vec<String>,
    /// The name that is asked for and that the certificate must bear; the host's if empty.
    pub server_name: String,
    /// Whether the other end has to prove who it is.
    pub verification: Verification,
    /// Whether the other end may ask to begin anew.
    pub renegotiation: Renegotiation,
}

/// Encrypts connections that are made from here.
pub struct ClientTls {
    settings: ClientTlsSettings,
    /// Made with the first connection where nothing can be wrong with it: the system's
    /// certificates take up more memory than all else.
    context: OnceLock<SslContext>,
}

impl ClientTls {
    /// Reads the files and checks the settings.
    ///
    /// # Errors
    /// If a file cannot be used, or a name is not known.
    pub fn new(settings: ClientTlsSettings) -> Result<ClientTls, TlsSettingsError> {
        let context = OnceLock::new();
        let builder = builder(&settings)?;
        if !settings.ca.is_empty() || settings.verification == Verification::None {
            let _ = context.set(builder.build());
        }
        Ok(ClientTls { settings, context })
    }

    fn context(&self) -> Result<&SslContext, ErrorStack> {
        if let Some(context) = self.context.get() {
            return Ok(context);
        }
        // What was wrong with the files would have been found out before, unless they changed.
        let mut builder = builder(&self.settings).map_err(|error| match error {
            TlsSettingsError::Library(error) => error,
            _ => ErrorStack::get(),
        })?;
        builder.set_cert_store(trusted_by_system()?);
        Ok(self.context.get_or_init(|| builder.build()))
    }

    /// Comes to an agreement with the other end of a connection, whose certificate must bear
    /// `host` unless the settings name another.
    ///
    /// # Errors
    /// If there is no agreement, or not in the time that reads and writes of the stream may take.
    pub fn connect(&self, stream: Stream, host: &str) -> Result<Stream, TlsError> {
        let name = match self.settings.server_name.as_str() {
            "" => host,
            name => name,
        };
        let library = |error: ErrorStack| TlsError::Other(error.to_string());
        let mut ssl = Ssl::new(self.context().map_err(library)?).map_err(library)?;
        let address = name.parse::<IpAddr>();
        // The names of a certificate that was refused, which is gone when that is known.
        let refused = Arc::new(OnceLock::new());
        if address.is_err() {
            ssl.set_hostname(name).map_err(library)?;
        }
        if self.settings.verification == Verification::Full {
            let parameters = ssl.param_mut();
            // A name in the subject alone does not count, in Go neither.
            parameters.set_hostflags(
                X509CheckFlags::NO_PARTIAL_WILDCARDS | X509CheckFlags::NEVER_CHECK_SUBJECT,
            );
            match address {
                Ok(address) => parameters.set_ip(address),
                Err(_) => parameters.set_host(name),
            }
            .map_err(library)?;
            let refused = refused.clone();
            ssl.set_verify_callback(SslVerifyMode::PEER, move |is_good, chain| {
                if !is_good && let Some(certificate) = chain.current_cert() {
                    let _ = refused.set(dns_names(certificate));
                }
                is_good
            });
        }
        match ssl.connect(stream) {
            Ok(stream) => Ok(Stream::Tls(Box::new(stream))),
            Err(HandshakeError::SetupFailure(error)) => Err(library(error)),
            Err(HandshakeError::WouldBlock(_)) => Err(TlsError::Timeout),
            Err(HandshakeError::Failure(failed)) => {
                let names = refused.get().map_or(&[][..], Vec::as_slice);
                Err(reason(&failed, name, names))
            }
        }
    }
}

impl std::fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientTls").field("settings", &self.settings).finish_non_exhaustive()
    }
}

fn builder(settings: &ClientTlsSettings) -> Result<SslContextBuilder, TlsSettingsError> {
    let mut context = SslContext::builder(SslMethod::tls_client())?;
    let lowest = settings.min_version.unwrap_or(TlsVersion::Tls12);
    context.set_min_proto_version(Some(lowest.of_library()))?;
    context.set_cipher_list(&ciphers::list(&settings.cipher_suites, lowest)?)?;
    context.set_verify(match settings.verification {
        Verification::Full => SslVerifyMode::PEER,
        Verification::None => SslVerifyMode::NONE,
    });
    // A certificate that is trusted by name needs no authority above it.
    context.verify_param_mut().set_flags(X509VerifyFlags::PARTIAL_CHAIN)?;
    if settings.renegotiation == Renegotiation::Never {
        context.set_options(SslOptions::NO_RENEGOTIATION);
    }
    if !settings.ca.is_empty() {
        context.set_cert_store(trusted(std::slice::from_ref(&settings.ca))?);
    }
    if let Some(pair) = &settings.key_pair {
        pair.load_into(&mut context)?;
    }
    Ok(context)
}

/// What a handshake failed with, in the words that Go has for it.
fn reason(failed: &MidHandshakeSslStream<Stream>, name: &str, names: &[String]) -> TlsError {
    let error = failed.error();
    match failed.ssl().verify_result() {
        X509VerifyResult::OK => {}
        result => return TlsError::Certificate(verify_words(result, name, names)),
    }
    if error.code() == ErrorCode::SSL
        && let Some(stack) = error.ssl_error()
        && let Some(first) = stack.errors().first()
    {
        let reason = first.reason().unwrap_or("unknown error");
        return match reason {
            "wrong version number" | "http request" | "packet length too long" => {
                TlsError::NotTls("http: server gave HTTP response to HTTPS client")
            }
            reason => TlsError::Other(reason.to_owned()),
        };
    }
    match error.io_error() {
        Some(error) if error.kind() == io::ErrorKind::WouldBlock => TlsError::Timeout,
        Some(error) => TlsError::Other(error.to_string()),
        None => TlsError::Other("the connection was closed during the handshake".to_owned()),
    }
}

fn verify_words(result: X509VerifyResult, name: &str, names: &[String]) -> String {
    // Numbers of OpenSSL's x509_vfy.h, which the crate has no names for.
    match (result.as_raw(), names) {
        (2 | 18..=21, _) => "certificate signed by unknown authority".to_owned(),
        (9 | 10, _) => "certificate has expired or is not yet valid".to_owned(),
        (62 | 64, []) => {
            format!("certificate is not valid for any names, but wanted to match {name}")
        }
        (62 | 64, names) => format!("certificate is valid for {}, not {name}", names.join(", ")),
        _ => result.error_string().to_owned(),
    }
}

fn dns_names(certificate: &X509Ref) -> Vec<String> {
    let names = certificate.subject_alt_names();
    names.iter().flatten().filter_map(|name| name.dnsname().map(str::to_owned)).collect()
}
