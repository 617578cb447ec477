//! Encryption of connections that come in.

use openssl::error::ErrorStack;
use openssl::ssl::{
    HandshakeError, Ssl, SslContext, SslMethod, SslOptions, SslSessionCacheMode, SslVerifyMode,
};
use openssl::x509::verify::X509VerifyFlags;

use super::files::trusted;
use super::{KeyPair, TlsError, TlsSettingsError, TlsVersion, ciphers};
use crate::http::stream::Stream;

/// How connections are encrypted that come in.
#[derive(Debug, Clone, Default)]
pub struct ServerTlsSettings {
    /// Certificate and key to prove with who is called.
    pub key_pair: Option<KeyPair>,
    /// Files with the certificates of the authorities that callers' certificates are from; if
    /// empty, callers need none.
    pub allowed_ca: Vec<String>,
    /// Names of which a caller's certificate must bear one; any will do if empty.
    pub allowed_dns_names: Vec<String>,
    /// Go's names of cipher suites; those that are good if empty.
    pub cipher_suites: Vec<String>,
    /// The lowest version; 1.2 if absent.
    pub min_version: Option<TlsVersion>,
    /// The highest version.
    pub max_version: Option<TlsVersion>,
}

/// Encrypts connections that come in.
#[derive(Clone)]
pub struct ServerTls {
    context: SslContext,
}

impl ServerTls {
    /// Reads the files and checks the settings.
    ///
    /// # Errors
    /// If a file cannot be used, or a name is not known.
    pub fn new(settings: &ServerTlsSettings) -> Result<ServerTls, TlsSettingsError> {
        let lowest = settings.min_version.unwrap_or(TlsVersion::Tls12);
        if let Some(highest) = settings.max_version.filter(|highest| *highest < lowest) {
            return Err(TlsSettingsError::Versions(lowest, highest));
        }
        let mut context = SslContext::builder(SslMethod::tls_server())?;
        context.set_min_proto_version(Some(lowest.of_library()))?;
        context.set_max_proto_version(settings.max_version.map(TlsVersion::of_library))?;
        context.set_cipher_list(&ciphers::list(&settings.cipher_suites, lowest)?)?;
        context.set_options(SslOptions::NO_RENEGOTIATION | SslOptions::NO_TICKET);
        // Connections live long and are few; what resuming one would spare is not worth the memory.
        context.set_session_cache_mode(SslSessionCacheMode::OFF);
        context.set_num_tickets(0)?;
        if !settings.allowed_ca.is_empty() {
            context.set_cert_store(trusted(&settings.allowed_ca)?);
            context.verify_param_mut().set_flags(X509VerifyFlags::PARTIAL_CHAIN)?;
            let mode = SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT;
            let names = settings.allowed_dns_names.clone();
            match names.is_empty() {
                true => context.set_verify(mode),
                false => context.set_verify_callback(mode, move |is_good, chain| {
                    is_good && (chain.error_depth() > 0 || bears_one_of(chain, &names))
                }),
            }
        }
        let pair = settings.key_pair.as_ref().ok_or(TlsSettingsError::NoCertificate)?;
        pair.load_into(&mut context)?;
        Ok(ServerTls { context: context.build() })
    }

    /// Comes to an agreement with the other end of a connection.
    ///
    /// # Errors
    /// If there is no agreement, or not in the time that reads and writes of the stream may take.
    pub fn accept(&self, stream: Stream) -> Result<Stream, TlsError> {
        let library = |error: ErrorStack| TlsError::Other(error.to_string());
        match Ssl::new(&self.context).map_err(library)?.accept(stream) {
            Ok(stream) => Ok(Stream::Tls(Box::new(stream))),
            Err(HandshakeError::SetupFailure(error)) => Err(library(error)),
            Err(HandshakeError::WouldBlock(_)) => Err(TlsError::Timeout),
            Err(HandshakeError::Failure(failed)) => {
                let stack = failed.error().ssl_error().map(|stack| stack.errors().to_vec());
                let reason = stack.as_deref().and_then(|errors| errors.first()?.reason());
                match reason {
                    Some("http request") => {
                        Err(TlsError::NotTls("client sent an HTTP request to an HTTPS server"))
                    }
                    Some(reason) => Err(TlsError::Other(reason.to_owned())),
                    None => Err(TlsError::Other("EOF".to_owned())),
                }
            }
        }
    }
}

impl std::fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerTls").finish_non_exhaustive()
    }
}

fn bears_one_of(chain: &openssl::x509::X509StoreContextRef, allowed: &[String]) -> bool {
    let names = chain.current_cert().and_then(|certificate| certificate.subject_alt_names());
    names.is_some_and(|names| {
        names.iter().filter_map(|name| name.dnsname()).any(|name| allowed.iter().any(|a| a == name))
    })
}
