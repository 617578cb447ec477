//! A connection to one broker: opened, introduced, logged in, and then asked.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::Duration;

use super::decode::Decoder;
use super::encode::Encoder;
use super::error::WireError;
use super::messages::{ApiVersions, OfferedVersions, SaslAuthenticate, SaslHandshake};
use super::request::Request;
use super::scram::{Exchange, Hash};
use crate::http::tls::{ClientTls, TlsError};
use crate::http::{Failure, Wire, dial};
use crate::kafka::{Credentials, Sasl};
use crate::system::{Clock, ErrorWords, Random};

/// The largest answer that is taken; what claims to be larger is no answer of a broker. A hundred
/// thousand partitions are told in a tenth of it.
const MOST_BYTES: usize = 128 << 20;

/// What is granted for reading an answer that may have come while others were waited for.
const GRACE: Duration = Duration::from_millis(250);

/// How connections are made, all of them alike.
pub(super) struct Introduction {
    pub(super) client_id: String,
    pub(super) tls: Option<ClientTls>,
    pub(super) sasl: Option<Sasl>,
    /// How long connecting, and each answer, may take.
    pub(super) limit: Duration,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) random: Random,
}

/// A connection to a broker.
pub(super) struct Link {
    /// The broker's host and port.
    address: String,
    wire: Wire,
    introduction: Arc<Introduction>,
    offered: OfferedVersions,
    last_number: i32,
}

/// A request whose answer has not come yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent {
    number: i32,
    version: i16,
    deadline: Duration,
}

impl Link {
    /// Connects, learns what the broker knows, and logs in.
    pub(super) fn open(
        host: &str,
        port: u16,
        introduction: Arc<Introduction>,
    ) -> Result<Link, WireError> {
        let address = format!("{host}:{port}");
        let Introduction { tls, limit, clock, .. } = &*introduction;
        let wire = dial(host, port, tls.as_ref(), *limit, clock).map_err(|failure| {
            let reason = match failure {
                Failure::Tls(TlsError::NotTls(_)) => "the listener does not speak TLS".to_owned(),
                failure => failure.to_string(),
            };
            WireError::Connect { address: address.clone(), reason }
        })?;
        let offered = OfferedVersions::default();
        let mut link = Link { address, wire, introduction, offered, last_number: 0 };
        link.offered = link.ask(&ApiVersions)?.map_err(|_| link.unknown::<ApiVersions>(None))?;
        link.log_in()?;
        Ok(link)
    }

    /// Whether a request can be sent: the broker has neither closed the connection nor said
    /// anything unasked.
    pub(super) fn is_usable(&self) -> bool {
        self.wire.is_quiet()
    }

    /// Sends a request and waits for its answer.
    pub(super) fn ask<R: Request>(&mut self, request: &R) -> Result<R::Answer, WireError> {
        let sent = self.send(request)?;
        self.receive::<R>(sent)
    }

    /// Sends a request. Its answer is to be received before another one is sent.
    pub(super) fn send<R: Request>(&mut self, request: &R) -> Result<Sent, WireError> {
        let version = self.version::<R>()?;
        self.last_number = self.last_number.wrapping_add(1);
        let number = self.last_number;
        let mut out = Encoder::default();
        // The length is known once all is written.
        out.int32(0);
        R::API.encode_head(version, number, &self.introduction.client_id, &mut out);
        request.encode(version, &mut out);
        let mut bytes = out.into_bytes();
        let length = i32::try_from(bytes.len() - 4).unwrap_or(i32::MAX);
        bytes[..4].copy_from_slice(&length.to_be_bytes());
        let deadline = self.introduction.clock.elapsed() + self.introduction.limit;
        self.wire.set_deadline(Some(deadline));
        let written = self.wire.write_all(&bytes).and_then(|()| self.wire.flush());
        written.map_err(|error| self.broken::<R>(&error))?;
        Ok(Sent { number, version, deadline })
    }

    /// Waits for the answer to a request.
    pub(super) fn receive<R: Request>(&mut self, sent: Sent) -> Result<R::Answer, WireError> {
        let grace = self.introduction.clock.elapsed() + GRACE;
        self.wire.set_deadline(Some(sent.deadline.max(grace)));
        let bytes = self.read_answer().map_err(|error| self.broken::<R>(&error))?;
        let mut answer = Decoder::new(&bytes);
        let malformed = |reason| self.malformed::<R>(reason);
        let number = R::API.decode_head(&mut answer).map_err(malformed)?;
        if number != sent.number {
            let reason = super::decode::Malformed("it is that to another request");
            return Err(malformed(reason));
        }
        R::decode(sent.version, &mut answer).map_err(malformed)
    }

    fn read_answer(&mut self) -> io::Result<Vec<u8>> {
        let mut length = [0; 4];
        self.wire.read_exact(&mut length)?;
        let length = usize::try_from(i32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if length > MOST_BYTES {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut bytes = Vec::new();
        // Memory is taken as the answer comes, not as its length promises.
        let read = (&mut self.wire).take(length as u64).read_to_end(&mut bytes)?;
        match read == length {
            true => Ok(bytes),
            false => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    /// The version in which the broker is asked.
    fn version<R: Request>(&self) -> Result<i16, WireError> {
        let api = R::API;
        if api.key == ApiVersions::API.key {
            return Ok(*api.versions.end());
        }
        let offered = self.offered.of(api.key);
        let version = offered.map(|(lowest, highest)| (lowest, highest.min(*api.versions.end())));
        match version {
            Some((lowest, version)) if version >= lowest && version >= *api.versions.start() => {
                Ok(version)
            }
            _ => Err(self.unknown::<R>(offered)),
        }
    }

    fn unknown<R: Request>(&self, offered: Option<(i16, i16)>) -> WireError {
        let api = R::API;
        WireError::Version {
            address: self.address.clone(),
            request: api.name,
            wanted: api.versions,
            offered,
            since: api.since,
        }
    }

    fn malformed<R: Request>(&self, reason: super::decode::Malformed) -> WireError {
        WireError::Malformed { address: self.address.clone(), request: R::API.name, reason }
    }

    fn broken<R: Request>(&self, error: &io::Error) -> WireError {
        let (address, request) = (self.address.clone(), R::API.name);
        match error.kind() {
            io::ErrorKind::TimedOut => {
                WireError::Timeout { address, request, limit: self.introduction.limit }
            }
            // In place of an answer there came the first bytes of what TLS says to strangers.
            io::ErrorKind::InvalidData => WireError::NotKafka { address, request },
            io::ErrorKind::UnexpectedEof => WireError::Closed { address, request },
            _ => WireError::Broken { address, request, reason: ErrorWords(error).to_string() },
        }
    }

    fn log_in(&mut self) -> Result<(), WireError> {
        let introduction = self.introduction.clone();
        let Some(sasl) = &introduction.sasl else { return Ok(()) };
        let mechanism = sasl.mechanism();
        if let Err((_, offered)) = self.ask(&SaslHandshake(mechanism))? {
            let reason = match offered.as_slice() {
                [] => "the listener takes no login".to_owned(),
                offered => format!("the listener takes {}", offered.join(", ")),
            };
            return Err(self.login_refused(mechanism, reason));
        }
        match sasl {
            Sasl::Plain(Credentials { username, password }) => {
                let token = format!("\0{username}\0{}", password.expose());
                self.step(mechanism, token.as_bytes()).map(drop)
            }
            Sasl::ScramSha256(credentials) => self.scram(mechanism, Hash::Sha256, credentials),
            Sasl::ScramSha512(credentials) => self.scram(mechanism, Hash::Sha512, credentials),
            Sasl::OAuthBearer(tokens) => {
                let token = tokens.token();
                let token =
                    token.map_err(|error| self.login_refused(mechanism, error.to_string()))?;
                // RFC 7628.
                let message = format!("n,,\u{1}auth=Bearer {}\u{1}\u{1}", token.text.expose());
                let reply = self.step(mechanism, message.as_bytes())?;
                match reply.is_empty() {
                    true => Ok(()),
                    // In place of an error there may come a description of it.
                    false => {
                        let reason = String::from_utf8_lossy(&reply).into_owned();
                        Err(self.login_refused(mechanism, reason))
                    }
                }
            }
        }
    }

    fn scram(
        &mut self,
        mechanism: &'static str,
        hash: Hash,
        credentials: &Credentials,
    ) -> Result<(), WireError> {
        let random = &self.introduction.random;
        let nonce = format!("{:016x}{:016x}", random.unforeseeable(), random.unforeseeable());
        let exchange = Exchange::new(hash, credentials, nonce);
        let reply = self.step(mechanism, exchange.first().as_bytes())?;
        let proven = exchange.prove(&reply);
        let (last, proven) = proven.map_err(|reason| self.login_refused(mechanism, reason))?;
        let reply = self.step(mechanism, last.as_bytes())?;
        proven.check(&reply).map_err(|reason| self.login_refused(mechanism, reason))
    }

    fn step(&mut self, mechanism: &'static str, message: &[u8]) -> Result<Vec<u8>, WireError> {
        self.ask(&SaslAuthenticate(message))?.map_err(|refusal| {
            let reason = refusal.message.unwrap_or_else(|| refusal.code.to_string());
            self.login_refused(mechanism, reason)
        })
    }

    fn login_refused(&self, mechanism: &'static str, reason: String) -> WireError {
        WireError::Login { address: self.address.clone(), mechanism, reason }
    }
}
