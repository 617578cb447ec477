//! The brokers of a cluster and the connections to them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::address::{Address, BadAddress};
use super::error::WireError;
use super::link::{Introduction, Link, Sent};
use super::messages::{Metadata, MetadataRequest};
use super::request::Request;
use crate::http::tls::{
    ClientTls, ClientTlsSettings, KeyPair, TlsSettingsError, TlsVersion, Verification, cipher_names,
};
use crate::kafka::{Connection, OlderTls, Tls, Verification as BrokerVerification};
use crate::system::System;

/// Why there is no client of these settings.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// An address is none.
    #[error(transparent)]
    Address(#[from] BadAddress),
    /// There is no address.
    #[error("there is no broker to begin with")]
    NoBroker,
    /// The settings of the encryption cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsSettingsError),
}

/// What several brokers have answered, and what some of them have not.
#[derive(Debug, Clone)]
pub struct Gathered<T> {
    /// All that was answered.
    pub found: Vec<T>,
    /// What went wrong, broker by broker.
    pub errors: Vec<WireError>,
}

impl<T> Default for Gathered<T> {
    fn default() -> Gathered<T> {
        Gathered { found: Vec::new(), errors: Vec::new() }
    }
}

/// A client of a cluster.
///
/// Questions are asked in rounds. Each begins with [`Cluster::metadata`], and a broker that cannot
/// be reached in a round is left alone until the next one, so that it costs its time-out once.
pub struct Cluster {
    introduction: Arc<Introduction>,
    bootstrap: Vec<Address>,
    links: HashMap<Address, Link>,
    /// Brokers by number, as they were told last.
    brokers: BTreeMap<i32, Address>,
    /// Brokers that could not be reached in this round, and why.
    unreachable: HashMap<Address, WireError>,
}

impl Cluster {
    /// Makes a client. Connecting, and each answer, may take as long as `limit`.
    ///
    /// The properties of the connection, which are librdkafka's, count for nothing here.
    ///
    /// # Errors
    /// If addresses or the settings of the encryption cannot be used. Whether anybody answers is
    /// not known yet.
    pub fn new(
        connection: Connection,
        limit: Duration,
        system: &System,
    ) -> Result<Cluster, SetupError> {
        let Connection { brokers, client_id, tls, sasl, properties: _ } = connection;
        let bootstrap: Vec<_> =
            brokers.iter().map(|text| Address::parse(text)).collect::<Result<_, _>>()?;
        if bootstrap.is_empty() {
            return Err(SetupError::NoBroker);
        }
        let tls = tls.map(|tls| ClientTls::new(client_tls(tls))).transpose()?;
        let (clock, random) = (system.clock.clone(), system.random.clone());
        let introduction = Arc::new(Introduction { client_id, tls, sasl, limit, clock, random });
        Ok(Cluster {
            introduction,
            bootstrap,
            links: HashMap::new(),
            brokers: BTreeMap::new(),
            unreachable: HashMap::new(),
        })
    }

    /// Begins a round: asks any broker for the brokers and for topics, all of them if `topics` is
    /// absent. Topics that there are not are not created.
    ///
    /// # Errors
    /// If no broker answers.
    pub fn metadata(&mut self, topics: Option<&[String]>) -> Result<Metadata, WireError> {
        self.unreachable.clear();
        self.more_metadata(topics)
    }

    /// Asks for further topics in the same round.
    ///
    /// # Errors
    /// If no broker answers.
    pub fn more_metadata(&mut self, topics: Option<&[String]>) -> Result<Metadata, WireError> {
        let metadata = self.ask_any(&MetadataRequest { topics })?;
        let address = |host: &str, port| {
            let port = u16::try_from(port).ok()?;
            Some(Address { host: host.to_owned(), port })
        };
        let brokers = metadata.brokers.iter();
        self.brokers = brokers
            .filter_map(|broker| Some((broker.id, address(&broker.host, broker.port)?)))
            .collect();
        // Addresses to begin with may be those of a balancer, behind which anybody may be.
        self.links.retain(|address, _| self.brokers.values().any(|broker| broker == address));
        Ok(metadata)
    }

    /// The numbers of all brokers.
    pub(super) fn broker_ids(&self) -> Vec<i32> {
        self.brokers.keys().copied().collect()
    }

    /// Asks brokers until one answers: those that are connected, the others, and those to begin
    /// with.
    pub(super) fn ask_any<R: Request>(&mut self, request: &R) -> Result<R::Answer, WireError> {
        let mut addresses: Vec<_> = self.brokers.values().cloned().collect();
        addresses.sort_by_key(|address| !self.links.contains_key(address));
        for address in &self.bootstrap {
            if !addresses.contains(address) {
                addresses.push(address.clone());
            }
        }
        let mut errors = Vec::new();
        for address in addresses {
            match self.ask_at(&address, request) {
                Ok(answer) => return Ok(answer),
                Err(error) => errors.push(error),
            }
        }
        Err(WireError::of_all(errors))
    }

    /// Asks brokers all at once, each at most once, and waits for their answers.
    pub(super) fn ask_each<R: Request>(
        &mut self,
        requests: &[(i32, R)],
    ) -> Vec<(i32, Result<R::Answer, WireError>)> {
        let sent: Vec<_> =
            requests.iter().map(|(broker, request)| self.send(*broker, request)).collect();
        let both = requests.iter().zip(sent);
        both.map(|((broker, request), sent)| (*broker, self.receive(*broker, request, sent)))
            .collect()
    }

    fn address(&self, broker: i32) -> Result<Address, WireError> {
        self.brokers.get(&broker).cloned().ok_or(WireError::NoBroker(broker))
    }

    fn send<R: Request>(&mut self, broker: i32, request: &R) -> Result<(Sent, Use), WireError> {
        let address = self.address(broker)?;
        let (link, of) = self.link(&address)?;
        match link.send(request) {
            Err(error) if of == Use::Again && error.may_be_of_an_idle_connection() => {
                self.links.remove(&address);
                let (link, of) = self.link(&address)?;
                let sent = link.send(request);
                self.noting(&address, sent).map(|sent| (sent, of))
            }
            sent => self.noting(&address, sent).map(|sent| (sent, of)),
        }
    }

    fn receive<R: Request>(
        &mut self,
        broker: i32,
        request: &R,
        sent: Result<(Sent, Use), WireError>,
    ) -> Result<R::Answer, WireError> {
        let (sent, of) = sent?;
        let address = self.address(broker)?;
        let Some(link) = self.links.get_mut(&address) else {
            return Err(WireError::NoBroker(broker));
        };
        match link.receive::<R>(sent) {
            Err(error) if of == Use::Again && error.may_be_of_an_idle_connection() => {
                self.links.remove(&address);
                self.ask_at(&address, request)
            }
            answer => self.noting(&address, answer),
        }
    }

    fn ask_at<R: Request>(
        &mut self,
        address: &Address,
        request: &R,
    ) -> Result<R::Answer, WireError> {
        let (link, of) = self.link(address)?;
        match link.ask(request) {
            Err(error) if of == Use::Again && error.may_be_of_an_idle_connection() => {
                self.links.remove(address);
                let (link, _) = self.link(address)?;
                let answer = link.ask(request);
                self.noting(address, answer)
            }
            answer => self.noting(address, answer),
        }
    }

    /// Notes what went wrong with a broker: the connection is not used again.
    fn noting<T>(
        &mut self,
        address: &Address,
        result: Result<T, WireError>,
    ) -> Result<T, WireError> {
        if let Err(error) = &result
            && error.is_of_the_connection()
        {
            self.links.remove(address);
            self.unreachable.insert(address.clone(), error.clone());
        }
        result
    }

    /// The connection to an address, made if there is none that can be used.
    fn link(&mut self, address: &Address) -> Result<(&mut Link, Use), WireError> {
        if let Some(error) = self.unreachable.get(address) {
            return Err(error.clone());
        }
        // The compiler would take a borrow that is returned for one that lasts.
        let is_usable = self.links.get(address).is_some_and(Link::is_usable);
        if !is_usable {
            self.links.remove(address);
            let opened = Link::open(&address.host, address.port, self.introduction.clone());
            let link = opened.inspect_err(|error| {
                self.unreachable.insert(address.clone(), error.clone());
            })?;
            self.links.insert(address.clone(), link);
        }
        let of = if is_usable { Use::Again } else { Use::First };
        match self.links.get_mut(address) {
            Some(link) => Ok((link, of)),
            None => Err(WireError::of_all(Vec::new())),
        }
    }
}

/// Whether a connection was made for a request or has stood idle before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    First,
    Again,
}

fn client_tls(tls: Tls) -> ClientTlsSettings {
    let Tls { ca, cert, key, key_password, verification, older } = tls;
    let key_pair = cert.zip(key).map(|(cert, key)| {
        let key_password = key_password.unwrap_or_default();
        KeyPair { cert, key, key_password }
    });
    ClientTlsSettings {
        ca: ca.unwrap_or_default(),
        key_pair,
        min_version: (older == OlderTls::Refused).then_some(TlsVersion::Tls13),
        cipher_suites: match &older {
            OlderTls::Suites(list) => cipher_names(list),
            OlderTls::Usual | OlderTls::Refused => Vec::new(),
        },
        verification: match verification {
            BrokerVerification::Full => Verification::Full,
            BrokerVerification::None => Verification::None,
        },
        ..ClientTlsSettings::default()
    }
}
