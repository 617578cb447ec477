//! Options that all plugins have that speak with Kafka: whom to call, encryption, authentication.
//!
//! # References
//! Telegraf's common options for TLS and for Kafka.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::aws::{KafkaIdentity, KafkaTokens};
use super::declaration::values_of;
use super::settings::{Duration, SecretOption, SettingsError, Table};
use super::{BuildError, Context, PluginLog, SharedOptions};
use crate::http::tls::{TlsVersion, cipher_list};
use crate::kafka::{
    Connection, Credentials, OlderTls, Sasl, Tls, Token, TokenSource, Verification,
};
use crate::system::{Clock, Secret};

/// The options.
#[derive(Clone, Deserialize, Serialize)]
#[serde(default)]
pub struct KafkaOptions {
    brokers: Vec<String>,
    client_id: String,
    keep_alive_period: Duration,
    metadata_full: bool,
    metadata_retry_max: i64,
    metadata_retry_type: String,
    metadata_retry_backoff: Duration,
    metadata_retry_max_duration: Duration,
    enable_tls: Option<bool>,
    tls_enable: Option<bool>,
    tls_ca: String,
    tls_cert: String,
    tls_key: String,
    tls_key_pwd: String,
    tls_min_version: String,
    tls_cipher_suites: Vec<String>,
    tls_server_name: String,
    tls_renegotiation_method: String,
    insecure_skip_verify: bool,
    sasl_username: SecretOption,
    sasl_password: SecretOption,
    sasl_mechanism: String,
    sasl_version: i64,
    sasl_access_token: SecretOption,
    sasl_extensions: BTreeMap<String, String>,
    sasl_aws_msk_iam_region: String,
    sasl_aws_msk_iam_profile: String,
    sasl_aws_msk_iam_role: String,
    sasl_aws_msk_iam_session: String,
}

/// Options of mechanisms that there are not; they are taken so that the message can name the
/// mechanism rather than each of them.
const OPTIONS_OF_OTHER_MECHANISMS: [&str; 6] = [
    "sasl_gssapi_service_name",
    "sasl_gssapi_auth_type",
    "sasl_gssapi_kerberos_config_path",
    "sasl_gssapi_realm",
    "sasl_gssapi_key_tab_path",
    "sasl_gssapi_disable_pafxfast",
];

const DEFAULT_CLIENT_ID: &str = "Telegraf";

impl Default for KafkaOptions {
    fn default() -> KafkaOptions {
        KafkaOptions {
            brokers: Vec::new(),
            client_id: DEFAULT_CLIENT_ID.to_owned(),
            keep_alive_period: Duration::ZERO,
            metadata_full: false,
            metadata_retry_max: 0,
            metadata_retry_type: "constant".to_owned(),
            metadata_retry_backoff: Duration::ZERO,
            metadata_retry_max_duration: Duration::ZERO,
            enable_tls: None,
            tls_enable: None,
            tls_ca: String::new(),
            tls_cert: String::new(),
            tls_key: String::new(),
            tls_key_pwd: String::new(),
            tls_min_version: String::new(),
            tls_cipher_suites: Vec::new(),
            tls_server_name: String::new(),
            tls_renegotiation_method: String::new(),
            insecure_skip_verify: false,
            sasl_username: SecretOption::default(),
            sasl_password: SecretOption::default(),
            sasl_mechanism: String::new(),
            sasl_version: 1,
            sasl_access_token: SecretOption::default(),
            sasl_extensions: BTreeMap::new(),
            sasl_aws_msk_iam_region: String::new(),
            sasl_aws_msk_iam_profile: String::new(),
            sasl_aws_msk_iam_role: String::new(),
            sasl_aws_msk_iam_session: String::new(),
        }
    }
}

impl SharedOptions for KafkaOptions {
    fn read_values(table: &Table) -> Result<Map<String, Value>, Vec<SettingsError>> {
        values_of::<KafkaOptions>(table)
    }
}

impl KafkaOptions {
    /// How to reach the cluster that the options beside a plugin's own name.
    ///
    /// # Errors
    /// If they name no broker, or ask for something that the client cannot do.
    pub fn connection(context: &Context<'_>) -> Result<Connection, BuildError> {
        context.settings().accept(&OPTIONS_OF_OTHER_MECHANISMS);
        let options: KafkaOptions = context.settings().read()?;
        if options.brokers.is_empty() {
            return Err(BuildError::invalid("brokers names no broker"));
        }
        if !["", "constant", "exponential"]
            .contains(&options.metadata_retry_type.to_ascii_lowercase().as_str())
        {
            return Err(BuildError::invalid(format!(
                "metadata_retry_type must be \"constant\" or \"exponential\"; found {:?}",
                options.metadata_retry_type
            )));
        }
        let client_id = match options.client_id.as_str() {
            "" => DEFAULT_CLIENT_ID,
            client_id => client_id,
        };
        let mut connection = Connection::plain(options.brokers.clone(), client_id);
        connection.tls = options.tls(&context.log)?;
        connection.sasl =
            options.sasl(&context.system.clock, |option| context.fixed_secret(option))?;
        if options.keep_alive_period.is_negative() {
            connection.properties.push(("socket.keepalive.enable".to_owned(), "false".to_owned()));
        }
        Ok(connection)
    }

    /// Checks an option that names the version of the brokers, of which there is no need: client
    /// and brokers agree on what both can do.
    ///
    /// # Errors
    /// If it is no version.
    pub fn check_version(option: &str, version: &str) -> Result<(), BuildError> {
        match is_version(version) {
            true => Ok(()),
            false => Err(BuildError::invalid(format!("{option} {version:?} is none"))),
        }
    }

    /// Encryption, if the options ask for it: by saying so, or by setting anything that only
    /// matters with it.
    fn tls(&self, log: &PluginLog) -> Result<Option<Tls>, BuildError> {
        let is_set_up = self.tls_enable == Some(true)
            || self.insecure_skip_verify
            || [&self.tls_ca, &self.tls_cert, &self.tls_key, &self.tls_server_name]
                .iter()
                .any(|option| !option.is_empty());
        let implied = is_set_up && self.tls_enable != Some(false);
        if !self.enable_tls.unwrap_or(implied) {
            return Ok(None);
        }
        self.check_tls()?;
        let has_pair = !self.tls_cert.is_empty() && !self.tls_key.is_empty();
        if !has_pair && (!self.tls_cert.is_empty() || !self.tls_key.is_empty()) {
            log.warn("tls_cert and tls_key only work together; going without");
        }
        let text = |text: &String| (!text.is_empty()).then(|| text.clone());
        Ok(Some(Tls {
            ca: text(&self.tls_ca),
            cert: text(&self.tls_cert).filter(|_| has_pair),
            key: text(&self.tls_key).filter(|_| has_pair),
            key_password: text(&self.tls_key_pwd).filter(|_| has_pair).map(Secret::new),
            verification: match self.insecure_skip_verify {
                true => Verification::None,
                false => Verification::Full,
            },
            older: self.older_tls()?,
        }))
    }

    /// Refuses what librdkafka cannot do, rather than doing something less safe.
    fn check_tls(&self) -> Result<(), BuildError> {
        if !self.tls_server_name.is_empty() && !self.insecure_skip_verify {
            return Err(BuildError::invalid(
                "tls_server_name is not supported: a broker's certificate must bear the name \
                 under which the broker is addressed",
            ));
        }
        // Who may ask for new keys makes no difference: Kafka's brokers never do.
        match self.tls_renegotiation_method.as_str() {
            "" | "never" | "once" | "freely" => Ok(()),
            other => Err(BuildError::invalid(format!(
                "unrecognized renegotiation method {other:?}; there are \"never\", \"once\" and \
                 \"freely\""
            ))),
        }
    }

    /// What may be spoken with brokers that know no TLS 1.3. OpenSSL's own lower bound is 1.2.
    fn older_tls(&self) -> Result<OlderTls, BuildError> {
        let lowest = TlsVersion::parse(&self.tls_min_version).map_err(BuildError::invalid)?;
        if lowest == Some(TlsVersion::Tls13) {
            return Ok(OlderTls::Refused);
        }
        if self.tls_cipher_suites.is_empty() {
            return Ok(OlderTls::Usual);
        }
        let list = cipher_list(&self.tls_cipher_suites, TlsVersion::Tls12);
        Ok(OlderTls::Suites(list.map_err(BuildError::invalid)?))
    }

    /// Authentication, if there is a name or a mechanism; `secret` looks up what options refer to.
    fn sasl(
        &self,
        clock: &Arc<dyn Clock>,
        secret: impl Fn(&SecretOption) -> Result<Secret, BuildError>,
    ) -> Result<Option<Sasl>, BuildError> {
        if self.sasl_username.is_empty() && self.sasl_mechanism.is_empty() {
            return Ok(None);
        }
        if !matches!(self.sasl_version, 0 | 1) {
            return Err(BuildError::invalid(format!(
                "sasl_version must be 0 or 1; found {}",
                self.sasl_version
            )));
        }
        let credentials = || -> Result<Credentials, BuildError> {
            Ok(Credentials {
                username: secret(&self.sasl_username)?.expose().to_owned(),
                password: secret(&self.sasl_password)?,
            })
        };
        match self.sasl_mechanism.as_str() {
            "" | "PLAIN" => Ok(Some(Sasl::Plain(credentials()?))),
            "SCRAM-SHA-256" => Ok(Some(Sasl::ScramSha256(credentials()?))),
            "SCRAM-SHA-512" => Ok(Some(Sasl::ScramSha512(credentials()?))),
            "OAUTHBEARER" if self.sasl_access_token.is_empty() => {
                Err(BuildError::invalid("OAUTHBEARER wants sasl_access_token"))
            }
            "OAUTHBEARER" | "AWS-MSK-IAM" if !self.sasl_extensions.is_empty() => {
                Err(BuildError::invalid(
                    "sasl_extensions is not supported: the token goes out without extensions",
                ))
            }
            "OAUTHBEARER" => {
                let token = TokenSource::fixed(secret(&self.sasl_access_token)?);
                Ok(Some(Sasl::OAuthBearer(token)))
            }
            "AWS-MSK-IAM" => Ok(Some(Sasl::OAuthBearer(self.amazons_tokens(clock)?))),
            other => Err(BuildError::invalid(format!(
                "sasl_mechanism {other:?} is not supported; there are PLAIN, SCRAM-SHA-256, \
                 SCRAM-SHA-512, OAUTHBEARER and AWS-MSK-IAM"
            ))),
        }
    }

    /// Where the tokens come from that Amazon's managed Kafka takes.
    fn amazons_tokens(&self, clock: &Arc<dyn Clock>) -> Result<TokenSource, BuildError> {
        let (profile, role) = (&self.sasl_aws_msk_iam_profile, &self.sasl_aws_msk_iam_role);
        let session = &self.sasl_aws_msk_iam_session;
        if self.sasl_aws_msk_iam_region.is_empty() {
            return Err(BuildError::invalid("AWS-MSK-IAM wants sasl_aws_msk_iam_region"));
        }
        let has_part_of_role = !(role.is_empty() && session.is_empty());
        let identity = match (profile.is_empty(), has_part_of_role) {
            (false, false) => KafkaIdentity::Profile(profile.clone()),
            (false, true) => {
                return Err(BuildError::invalid(
                    "sasl_aws_msk_iam_profile does not go together with sasl_aws_msk_iam_role and \
                     sasl_aws_msk_iam_session",
                ));
            }
            (true, _) if role.is_empty() || session.is_empty() => {
                return Err(BuildError::invalid(
                    "AWS-MSK-IAM wants sasl_aws_msk_iam_profile, or sasl_aws_msk_iam_role together \
                     with sasl_aws_msk_iam_session",
                ));
            }
            (true, _) => KafkaIdentity::Role { arn: role.clone(), session: session.clone() },
        };
        let tokens = KafkaTokens::new(&self.sasl_aws_msk_iam_region, identity, clock.clone())
            .map_err(|error| BuildError::invalid(error.to_string()))?;
        Ok(TokenSource::new(move || {
            let (text, until) = tokens.make()?;
            Ok(Token { text, until_ms: Some(until.millis()) })
        }))
    }
}

/// Whether this is empty or three or four numbers with points between, such as `2.8.0` or
/// `0.10.2.0`.
fn is_version(text: &str) -> bool {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    text.is_empty() || (matches!(text.split('.').count(), 3 | 4) && text.split('.').all(is_number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::Timestamp;
    use crate::system::fake::FakeClock;

    type Change = fn(&mut KafkaOptions);

    fn config(change: Change) -> KafkaOptions {
        let mut config = KafkaOptions::default();
        change(&mut config);
        config
    }

    fn tls(change: Change) -> Result<Option<Tls>, BuildError> {
        config(change).tls(&PluginLog::new("outputs.kafka"))
    }

    fn sasl(config: KafkaOptions) -> Result<Option<Sasl>, BuildError> {
        let text = |option: &SecretOption| if *option == "hush".into() { "hush" } else { "me" };
        let clock: Arc<dyn Clock> = Arc::new(FakeClock::at(Timestamp::EPOCH));
        config.sasl(&clock, |option| Ok(Secret::new(text(option))))
    }

    #[test]
    fn encryption_is_on_when_asked_for_or_set_up_and_not_forbidden() {
        let cases: [(Change, bool); 9] = [
            (|_| {}, false),
            (|c| c.enable_tls = Some(true), true),
            (|c| c.tls_ca = "ca.pem".into(), true),
            (|c| c.insecure_skip_verify = true, true),
            (|c| c.tls_key_pwd = "hush".into(), false),
            (|c| c.tls_enable = Some(true), true),
            (|c| (c.tls_ca, c.enable_tls) = ("ca.pem".into(), Some(false)), false),
            (|c| (c.tls_ca, c.tls_enable) = ("ca.pem".into(), Some(false)), false),
            (|c| (c.enable_tls, c.tls_enable) = (Some(true), Some(false)), true),
        ];
        for (at, (change, expected)) in cases.into_iter().enumerate() {
            assert_eq!(tls(change).unwrap().is_some(), expected, "case {at}");
        }
    }

    #[test]
    fn certificate_and_key_go_together() {
        let both = tls(|c| (c.tls_cert, c.tls_key) = ("c.pem".into(), "k.pem".into()));
        let both = both.unwrap().unwrap();
        assert_eq!((both.cert.as_deref(), both.key.as_deref()), (Some("c.pem"), Some("k.pem")));
        let one = tls(|c| c.tls_cert = "c.pem".into()).unwrap().unwrap();
        assert_eq!((one.cert, one.key), (None, None));
    }

    #[test]
    fn what_the_library_cannot_do_is_refused() {
        let cases: [(Change, &str); 4] = [
            (|c| c.tls_server_name = "kafka".into(), "tls_server_name"),
            (|c| c.tls_cipher_suites = vec!["X".into()], "\"X\" unsupported cipher"),
            (|c| c.tls_min_version = "TLS14".into(), "could not parse tls version \"TLS14\""),
            (|c| c.tls_renegotiation_method = "often".into(), "renegotiation method \"often\""),
        ];
        for (change, option) in cases {
            let mut config = config(change);
            config.enable_tls = Some(true);
            let error = config.tls(&PluginLog::new("outputs.kafka")).unwrap_err().to_string();
            assert!(error.contains(option), "{error}");
        }
    }

    #[test]
    fn versions_and_suites_below_the_newest_can_be_chosen() {
        let suites = "ECDHE-RSA-AES128-GCM-SHA256:@SECLEVEL=1";
        let cases: [(Change, OlderTls); 4] = [
            (|c| c.tls_min_version = "TLS12".into(), OlderTls::Usual),
            (|c| c.tls_min_version = "TLS10".into(), OlderTls::Usual),
            (|c| c.tls_min_version = "TLS13".into(), OlderTls::Refused),
            (
                |c| c.tls_cipher_suites = vec!["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256".into()],
                OlderTls::Suites(suites.into()),
            ),
        ];
        for (change, older) in cases {
            let mut config = config(change);
            config.enable_tls = Some(true);
            let made = config.tls(&PluginLog::new("outputs.kafka")).unwrap().unwrap();
            assert_eq!(made.older, older);
        }
    }

    #[test]
    fn mechanisms_are_chosen_by_name() {
        assert!(sasl(config(|_| {})).unwrap().is_none());
        let cases: [(Change, &str); 4] = [
            (|c| c.sasl_username = "me".into(), "Plain"),
            (|c| c.sasl_mechanism = "SCRAM-SHA-256".into(), "ScramSha256"),
            (|c| c.sasl_mechanism = "SCRAM-SHA-512".into(), "ScramSha512"),
            (
                |c| {
                    (c.sasl_mechanism, c.sasl_access_token) = ("OAUTHBEARER".into(), "hush".into());
                },
                "OAuthBearer",
            ),
        ];
        for (change, mechanism) in cases {
            let sasl = sasl(config(change)).unwrap().unwrap();
            let shown = format!("{sasl:?}");
            assert!(shown.starts_with(mechanism) && !shown.contains("hush"), "{shown}");
        }
    }

    #[test]
    fn mechanisms_that_there_are_not_are_named_with_those_that_there_are() {
        for mechanism in ["GSSAPI", "plain"] {
            let sasl_mechanism = mechanism.to_owned();
            let config = KafkaOptions { sasl_mechanism, ..KafkaOptions::default() };
            let error = sasl(config).unwrap_err().to_string();
            assert!(error.contains(mechanism) && error.contains("SCRAM-SHA-512"), "{error}");
        }
        assert!(sasl(config(|c| c.sasl_mechanism = "OAUTHBEARER".into())).is_err());
        assert!(sasl(config(|c| (c.sasl_username, c.sasl_version) = ("me".into(), 2))).is_err());
    }

    #[test]
    fn tokens_of_amazons_come_from_a_profile_or_a_role() {
        let cases: [(Change, Option<&str>); 6] = [
            (|_| {}, Some("wants sasl_aws_msk_iam_profile, or")),
            (|c| c.sasl_aws_msk_iam_region.clear(), Some("sasl_aws_msk_iam_region")),
            (|c| c.sasl_aws_msk_iam_role = "arn:r".into(), Some("together with")),
            (
                |c| {
                    c.sasl_aws_msk_iam_role = "arn:r".into();
                    c.sasl_aws_msk_iam_session = "s".into();
                },
                None,
            ),
            (
                |c| {
                    c.sasl_aws_msk_iam_profile = "p".into();
                    c.sasl_aws_msk_iam_session = "s".into();
                },
                Some("does not go together"),
            ),
            (
                |c| c.sasl_aws_msk_iam_profile = "nobody".into(),
                Some("failed to get shared config profile, nobody"),
            ),
        ];
        for (change, expected) in cases {
            let mut config = config(|c| {
                c.sasl_mechanism = "AWS-MSK-IAM".into();
                c.sasl_aws_msk_iam_region = "eu-west-1".into();
            });
            change(&mut config);
            match (sasl(config), expected) {
                (Ok(Some(Sasl::OAuthBearer(_))), None) => {}
                (Err(error), Some(expected)) => {
                    assert!(error.to_string().contains(expected), "{error}");
                }
                (found, expected) => panic!("{found:?} instead of {expected:?}"),
            }
        }
    }

    #[test]
    fn versions_are_numbers_with_points() {
        for version in ["", "2.8.0", "0.10.2.0", "4.1.0"] {
            assert!(is_version(version), "{version}");
        }
        for version in ["2", "2.8", "2.8.x", "2..0", "1.2.3.4.5", "v2.8.0"] {
            assert!(!is_version(version), "{version}");
        }
    }
}
