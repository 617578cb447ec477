//! The one place that knows HTTP/1.1 and TLS: a client, a server, and the encryption of both.
//!
//! Everything here is synchronous: a caller's thread does the talking, and a server has a bounded
//! number of threads of its own. Nothing here knows metrics, plugins or configuration files.
//!
//! Heads of messages are parsed by `httparse`, and encryption is the OpenSSL that the Kafka client
//! is linked with anyway. What is between the two, framing and connections, is written here: client
//! and server share it, and it is where the options of the plugins take effect.
//!
//! # References
//! RFC 9110 (semantics), RFC 9112 (HTTP/1.1); Go's `net/http` for what the RFCs leave open.

mod address;
mod body;
mod client;
mod cookies;
mod dial;
mod encoding;
mod error;
mod google;
mod head;
mod headers;
mod oauth2;
mod proxy;
#[cfg(test)]
pub(crate) mod recorder;
mod server;
mod status;
mod stream;
pub mod tls;
mod url;
mod wire;

pub use address::{Bound, ListenAddress, ListenError, Listener};
pub use body::Body;
pub use client::{Client, ClientSettings, Reply, Request, Response};
pub use cookies::CookieAuth;
pub use dial::{LocalAddress, LocalAddressError, dial};
pub use encoding::{ContentEncoding, DecodeError, Gunzip, decode, gzip};
pub use error::{ClientError, Failure};
pub use google::{GoogleError, GoogleTokens};
pub use headers::{Headers, basic_credentials};
pub use oauth2::{ClientCredentials, CredentialStyle, TokenSource};
pub use proxy::ProxyChoice;
pub use server::{
    BasicAuth, Handler, Incoming, ReadBodyError, Response as ServerResponse, Server,
    ServerSettings, TokenAuth,
};
pub use status::reason;
pub use stream::{Breaker, Stream};
pub use url::{Url, UrlError, encode_pairs, encode_query};
pub use wire::Wire;

/// How programs introduce themselves: as what they stand in for, and as what they are.
pub const USER_AGENT: &str =
    concat!("Telegraf/1.40.0 ", env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));
