//! How to reach a cluster: addresses, encryption and who one is.
//!
//! # References
//! librdkafka's `CONFIGURATION.md` for the property names; KIP-255 for OAUTHBEARER.

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;

use super::TokenSource;
use crate::system::Secret;

/// What a producer and a consumer need alike to reach a cluster.
#[derive(Debug, Clone, Default)]
pub struct Connection {
    /// Addresses to begin with, as `host:port`; the cluster names the other brokers itself.
    pub brokers: Vec<String>,
    /// The name under which the brokers' logs and quotas know the client.
    pub client_id: String,
    /// Encryption; none if absent.
    pub tls: Option<Tls>,
    /// Authentication; none if absent.
    pub sasl: Option<Sasl>,
    /// Further librdkafka properties, which win over all that is set here.
    pub properties: Vec<(String, String)>,
}

/// Encryption of the connection, and the certificates to prove it with.
#[derive(Debug, Clone, Default)]
pub struct Tls {
    /// File with the certificates of the authorities to trust; the system's if absent.
    pub ca: Option<String>,
    /// File with the client's own certificate.
    pub cert: Option<String>,
    /// File with the key of the client's certificate.
    pub key: Option<String>,
    /// What the key is encrypted with.
    pub key_password: Option<Secret>,
    /// Whether the brokers have to prove who they are.
    pub verification: Verification,
    /// What to offer to brokers that do not speak TLS 1.3.
    pub older: OlderTls,
}

/// What is offered below TLS 1.3, of which the suites cannot be chosen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum OlderTls {
    /// TLS 1.2 with the suites that OpenSSL takes for good.
    #[default]
    Usual,
    /// TLS 1.2 with these suites, as OpenSSL lists them.
    Suites(String),
    /// Nothing.
    Refused,
}

/// Whether the brokers' certificates and names are verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Verification {
    /// The chain and the host name must be right.
    #[default]
    Full,
    /// Anything is taken; only for tests and emergencies.
    None,
}

/// Authentication, by mechanism.
#[derive(Debug, Clone)]
pub enum Sasl {
    /// Name and password as they are; only sensible together with TLS.
    Plain(Credentials),
    /// Name and a password that never leaves the client, with SHA-256.
    ScramSha256(Credentials),
    /// Name and a password that never leaves the client, with SHA-512.
    ScramSha512(Credentials),
    /// A token that somebody else has made.
    OAuthBearer(TokenSource),
}

/// A name and its password.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The name.
    pub username: String,
    /// The password.
    pub password: Secret,
}

/// A file of certificates or keys that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {path}: {source}")]
pub struct TlsFileError {
    /// The file.
    pub path: String,
    /// What the operating system says.
    pub source: std::io::Error,
}

/// Properties that the client library does not take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PropertyError(String);

impl From<KafkaError> for PropertyError {
    fn from(error: KafkaError) -> PropertyError {
        PropertyError(match error {
            KafkaError::ClientConfig(_, reason, property, value) => {
                // The value helps, unless it is secret. That of an unknown property may be: it
                // could be a password's that is misspelt.
                let is_unknown = reason.starts_with("No such");
                match is_unknown || is_secret(&property) {
                    true if value.is_empty() => reason,
                    true => reason.replace(&value, "…"),
                    false if reason.contains(&value) => reason,
                    false => format!("{reason}: {value:?}"),
                }
            }
            KafkaError::ClientCreation(reason) => reason,
            error => error.to_string(),
        })
    }
}

fn is_secret(property: &str) -> bool {
    ["password", "secret", "passphrase", "pem"].iter().any(|word| property.contains(word))
}

impl Connection {
    /// Makes a connection without encryption and authentication.
    pub fn plain(brokers: Vec<String>, client_id: impl Into<String>) -> Connection {
        Connection { brokers, client_id: client_id.into(), ..Connection::default() }
    }

    /// The properties that librdkafka takes, to which producers and consumers add their own.
    pub fn client_config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        // What is said to whom is decided by the log crate; the library leaves out its debug lines.
        config.set_log_level(RDKafkaLogLevel::Info);
        config.set("bootstrap.servers", self.brokers.join(","));
        config.set("client.id", &self.client_id);
        // Without probes a connection through a firewall can die unnoticed between two flushes.
        config.set("socket.keepalive.enable", "true");
        // Brokers close idle connections on purpose; that is nothing to tell.
        config.set("log.connection.close", "false");
        // The library doubles its pauses up to ten seconds. A broker that restarts is back sooner.
        config.set("reconnect.backoff.max.ms", "3000");
        config.set("security.protocol", self.security_protocol());
        if let Some(tls) = &self.tls {
            tls.apply(&mut config);
        }
        if let Some(sasl) = &self.sasl {
            sasl.apply(&mut config);
        }
        for (name, value) in &self.properties {
            config.set(name, value);
        }
        config
    }

    /// The properties of a client that has some of its own; where the connection sets one, too, its
    /// value counts. None of `own` may be a secret: the client crate shows none of those.
    pub fn client_config_over(&self, own: &ClientConfig) -> ClientConfig {
        let mut config = self.client_config();
        for (name, value) in own.config_map() {
            if config.get(name).is_none() {
                config.set(name, value);
            }
        }
        config
    }

    /// Tries whether the files that the settings name can be read; of those that cannot librdkafka
    /// says no more than that there is an error in OpenSSL.
    ///
    /// # Errors
    /// The first that cannot be read.
    #[expect(clippy::disallowed_methods, reason = "the files are the user's, not the kernel's")]
    pub fn check_files(&self) -> Result<(), TlsFileError> {
        let tls = self.tls.iter();
        for path in tls.flat_map(|tls| [&tls.ca, &tls.cert, &tls.key]).flatten() {
            std::fs::File::open(path)
                .map_err(|source| TlsFileError { path: path.clone(), source })?;
        }
        Ok(())
    }

    /// Where the tokens of OAUTHBEARER come from; the library asks when it needs one.
    pub fn tokens(&self) -> Option<&TokenSource> {
        match &self.sasl {
            Some(Sasl::OAuthBearer(tokens)) => Some(tokens),
            _ => None,
        }
    }

    fn security_protocol(&self) -> &'static str {
        match (&self.tls, &self.sasl) {
            (None, None) => "plaintext",
            (Some(_), None) => "ssl",
            (None, Some(_)) => "sasl_plaintext",
            (Some(_), Some(_)) => "sasl_ssl",
        }
    }
}

impl Tls {
    fn apply(&self, config: &mut ClientConfig) {
        // OpenSSL is linked in and knows no system paths of its own: "probe" looks where Linux
        // distributions keep their certificates.
        config.set("ssl.ca.location", self.ca.as_deref().unwrap_or("probe"));
        let files = [("ssl.certificate.location", &self.cert), ("ssl.key.location", &self.key)];
        for (name, file) in files {
            if let Some(file) = file {
                config.set(name, file);
            }
        }
        if let Some(password) = &self.key_password {
            config.set("ssl.key.password", password.expose());
        }
        match &self.older {
            OlderTls::Usual => {}
            OlderTls::Suites(list) => {
                config.set("ssl.cipher.suites", list);
            }
            OlderTls::Refused => {
                // The library cannot be told a version. Without a key that was agreed on before,
                // OpenSSL does not offer this suite, and so none below TLS 1.3.
                config.set("ssl.cipher.suites", "PSK-AES128-GCM-SHA256");
            }
        }
        match self.verification {
            Verification::Full => {
                config.set("ssl.endpoint.identification.algorithm", "https");
            }
            Verification::None => {
                config.set("enable.ssl.certificate.verification", "false");
                config.set("ssl.endpoint.identification.algorithm", "none");
            }
        }
    }
}

impl Sasl {
    /// The name of the mechanism, as brokers have it.
    pub(super) fn mechanism(&self) -> &'static str {
        match self {
            Sasl::Plain(_) => "PLAIN",
            Sasl::ScramSha256(_) => "SCRAM-SHA-256",
            Sasl::ScramSha512(_) => "SCRAM-SHA-512",
            Sasl::OAuthBearer(_) => "OAUTHBEARER",
        }
    }

    fn apply(&self, config: &mut ClientConfig) {
        config.set("sasl.mechanism", self.mechanism());
        match self {
            Sasl::Plain(credentials)
            | Sasl::ScramSha256(credentials)
            | Sasl::ScramSha512(credentials) => {
                config.set("sasl.username", &credentials.username);
                config.set("sasl.password", credentials.password.expose());
            }
            // The token is handed over by the client's context.
            Sasl::OAuthBearer(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials() -> Credentials {
        Credentials { username: "writer".into(), password: Secret::new("hush") }
    }

    #[test]
    fn encryption_and_authentication_make_the_protocol() {
        let (tls, sasl) = (Tls::default(), Sasl::Plain(credentials()));
        for (tls, sasl, protocol) in [
            (None, None, "plaintext"),
            (Some(tls.clone()), None, "ssl"),
            (None, Some(sasl.clone()), "sasl_plaintext"),
            (Some(tls), Some(sasl), "sasl_ssl"),
        ] {
            let connection = Connection { tls, sasl, ..Connection::default() };
            assert_eq!(connection.client_config().get("security.protocol"), Some(protocol));
        }
    }

    #[test]
    fn every_connection_is_one_that_the_library_takes() {
        let verified = Tls { key_password: Some(Secret::new("hush")), ..Tls::default() };
        let unverified = Tls { verification: Verification::None, ..Tls::default() };
        let mechanisms = [
            Sasl::Plain(credentials()),
            Sasl::ScramSha256(credentials()),
            Sasl::ScramSha512(credentials()),
            Sasl::OAuthBearer(TokenSource::fixed(Secret::new("hush"))),
        ];
        let only_newest = Tls { older: OlderTls::Refused, ..Tls::default() };
        let suites = OlderTls::Suites("ECDHE-RSA-AES128-GCM-SHA256:@SECLEVEL=1".into());
        let with_suites = Tls { older: suites, ..Tls::default() };
        for tls in [None, Some(verified), Some(unverified), Some(only_newest), Some(with_suites)] {
            for sasl in mechanisms.clone().map(Some).into_iter().chain([None]) {
                let mut connection = Connection::plain(vec!["a:1".into(), "b:2".into()], "test");
                connection.tls = tls.clone();
                connection.sasl = sasl;
                let config = connection.client_config();
                assert_eq!(config.get("bootstrap.servers"), Some("a:1,b:2"));
                config.create_native_config().unwrap();
            }
        }
    }

    #[test]
    fn further_properties_win() {
        let mut connection = Connection::plain(vec!["a:1".into()], "test");
        connection.properties.push(("client.id".into(), "other".into()));
        assert_eq!(connection.client_config().get("client.id"), Some("other"));
    }

    #[test]
    fn a_client_with_properties_of_its_own_gets_all_of_the_connections_and_its_secrets() {
        let mut connection = Connection::plain(vec!["a:1".into()], "test");
        connection.properties.push(("sasl.password".into(), "hush".into()));
        connection.properties.push(("session.timeout.ms".into(), "7000".into()));
        let mut own = ClientConfig::new();
        own.set("session.timeout.ms", "10000").set("group.id", "g");
        let config = connection.client_config_over(&own);
        assert_eq!(config.get("sasl.password"), Some("hush"));
        assert_eq!(config.get("session.timeout.ms"), Some("7000"));
        assert_eq!(config.get("group.id"), Some("g"));
    }

    #[test]
    fn errors_name_the_property_and_no_secret() {
        for (property, value, expected) in [
            ("sasl.pasword", "hush", "No such configuration property: \"sasl.pasword\""),
            (
                "compression.codec",
                "best",
                "Invalid value \"best\" for configuration property \"compression.codec\"",
            ),
            (
                "acks",
                "many",
                "Invalid value for configuration property \"request.required.acks\": \"many\"",
            ),
        ] {
            let mut config = ClientConfig::new();
            let error = config.set(property, value).create_native_config().err().unwrap();
            assert_eq!(PropertyError::from(error).to_string(), expected);
        }
        let error = KafkaError::ClientConfig(
            rdkafka::types::RDKafkaConfRes::RD_KAFKA_CONF_INVALID,
            "Invalid value \"hush\" for \"ssl.key.password\"".to_owned(),
            "ssl.key.password".to_owned(),
            "hush".to_owned(),
        );
        let shown = PropertyError::from(error).to_string();
        assert_eq!(shown, "Invalid value \"…\" for \"ssl.key.password\"");
    }

    #[test]
    fn secrets_are_not_shown() {
        let tls = Tls { key_password: Some(Secret::new("hush")), ..Tls::default() };
        for sasl in [
            Sasl::ScramSha512(credentials()),
            Sasl::OAuthBearer(TokenSource::fixed(Secret::new("hush"))),
        ] {
            let mut connection = Connection::plain(vec!["a:1".into()], "test");
            connection.tls = Some(tls.clone());
            connection.sasl = Some(sasl);
            let shown = format!("{connection:?}");
            assert!(!shown.contains("hush"), "{shown}");
        }
    }
}
