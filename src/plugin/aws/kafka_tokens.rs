//! Tokens with which Amazon's managed Kafka knows who a client is.
//!
//! A token is an address that says "connect", signed by who wants to, and written in Base64. The
//! brokers ask Amazon's service for identities what it is worth.
//!
//! # References
//! "IAM access control" of Amazon's documentation of MSK; its `aws-msk-iam-sasl-signer` libraries.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use super::{AwsError, AwsOptions, AwsSigner, Variables, sign};
use crate::http::{Url, encode_query};
use crate::metric::Timestamp;
use crate::system::{Clock, Secret, environment_variable};

/// What signatures are for.
const SERVICE: &str = "kafka-cluster";

/// How long a token holds: the longest that the brokers take.
const LIFETIME: Duration = Duration::from_secs(900);

/// As what the brokers' service sees the client.
const USER_AGENT: &str = concat!("metric-agent/", env!("CARGO_PKG_VERSION"));

/// Who makes tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KafkaIdentity {
    /// Whoever a profile in the user's files says.
    Profile(String),
    /// Somebody in a role, under the name of a session.
    Role {
        /// The role's name in Amazon's world.
        arn: String,
        /// The name of the session.
        session: String,
    },
}

/// Makes tokens, as long as there are credentials.
pub struct KafkaTokens {
    signer: AwsSigner,
}

impl KafkaTokens {
    /// Finds out where credentials are to come from; fetches none.
    ///
    /// # Errors
    /// If a profile that is named is not there, or makes no sense.
    pub fn new(
        region: &str,
        identity: KafkaIdentity,
        clock: Arc<dyn Clock>,
    ) -> Result<KafkaTokens, AwsError> {
        KafkaTokens::in_surroundings(region, identity, clock, Arc::new(environment_variable))
    }

    fn in_surroundings(
        region: &str,
        identity: KafkaIdentity,
        clock: Arc<dyn Clock>,
        variables: Variables,
    ) -> Result<KafkaTokens, AwsError> {
        let mut options = AwsOptions { region: region.to_owned(), ..AwsOptions::default() };
        match identity {
            KafkaIdentity::Profile(name) => options.profile = name,
            KafkaIdentity::Role { arn, session } => {
                (options.role_arn, options.role_session_name) = (arn, session);
            }
        }
        let signer = AwsSigner::in_surroundings(SERVICE, &options, clock, variables)?;
        Ok(KafkaTokens { signer })
    }

    /// Makes a token, and tells until when it holds.
    ///
    /// # Errors
    /// If there are no credentials to be had.
    pub fn make(&self) -> Result<(Secret, Timestamp), AwsError> {
        let region = &self.signer.region;
        let action = "Action=kafka-cluster%3AConnect";
        let url = Url::parse(&format!("https://kafka.{region}.amazonaws.com/?{action}"))?;
        self.signer.with_credentials(|credentials, scope, now| {
            let signed = sign::presign(url, credentials, scope, now, LIFETIME);
            let query = signed.query.as_deref().unwrap_or_default();
            let query = format!("{query}&User-Agent={}", encode_query(USER_AGENT));
            let signed = signed.with_query(query);
            let text = format!("https://{}{}", signed.host, signed.target());
            (Secret::new(BASE64_URL_SAFE_NO_PAD.encode(text)), now.after(LIFETIME))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::fake::FakeClock;

    #[test]
    fn a_token_is_a_signed_address_that_holds_for_a_quarter_of_an_hour() {
        // 30 August 2015, 12:36:00 UTC.
        let now = Timestamp::from_seconds(1_440_938_160);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("credentials");
        std::fs::write(
            &file,
            "[team]\naws_access_key_id = AKIDEXAMPLE\n\
             aws_secret_access_key = wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY\n",
        )
        .unwrap();
        let file = file.to_str().unwrap().to_owned();
        let variables: Variables =
            Arc::new(move |name| (name == "AWS_SHARED_CREDENTIALS_FILE").then(|| file.clone()));
        let clock = Arc::new(FakeClock::at(now));
        let identity = KafkaIdentity::Profile("team".into());
        let tokens = KafkaTokens::in_surroundings("us-east-1", identity, clock, variables).unwrap();
        let (token, until) = tokens.make().unwrap();
        assert_eq!(until, now.after(LIFETIME));
        let text = BASE64_URL_SAFE_NO_PAD.decode(token.expose()).unwrap();
        let text = String::from_utf8(text).unwrap();
        let signature = "c413a83bc64a339e31a5e5e9ed99d778ff843206b427540cafa5122c01e3e993";
        assert!(text.starts_with("https://kafka.us-east-1.amazonaws.com/?Action=kafka-cluster%3A"));
        assert!(text.contains(&format!("&X-Amz-Signature={signature}&User-Agent=metric-agent%2F")));
    }
}
