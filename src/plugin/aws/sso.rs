//! Credentials of those who have signed on with `aws sso login`.
//!
//! # References
//! "IAM Identity Center credential provider" of Amazon's SDK reference guide; `GetRoleCredentials`
//! of the API of its portal.

use std::fmt::Write as _;

use serde::Deserialize;
use sha1::{Digest, Sha1};

use super::credentials::AwsError;
use super::services::{ask, endpoint, time};
use super::{AwsSigner, Credentials};
use crate::http::{Request, Url, encode_pairs};
use crate::metric::Timestamp;
use crate::system::Secret;

/// What was signed on for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SignOn {
    pub(super) account: String,
    pub(super) role: String,
    pub(super) region: String,
    /// The file where signing on leaves its token.
    pub(super) token_file: String,
}

impl SignOn {
    /// The file of the token, in the folder of somebody's home: it is named by the session or, of
    /// older profiles, by the address where one signs on.
    pub(super) fn token_file(home: &str, key: &str) -> String {
        let mut path = format!("{home}/.aws/sso/cache/");
        for byte in Sha1::digest(key.as_bytes()) {
            // Writing to a string does not fail.
            let _ = write!(path, "{byte:02x}");
        }
        path + ".json"
    }
}

/// What signing on leaves.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Token {
    access_token: String,
    expires_at: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    role_credentials: RoleCredentials,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RoleCredentials {
    access_key_id: String,
    secret_access_key: String,
    #[serde(default)]
    session_token: String,
    /// Milliseconds since 1970.
    #[serde(default)]
    expiration: i64,
}

/// Asks the portal for the credentials of a role.
pub(super) fn ask_portal(signer: &AwsSigner, sign_on: &SignOn) -> Result<Credentials, AwsError> {
    let ended = |reason| AwsError::SignOn { file: sign_on.token_file.clone(), reason };
    // Each time anew: somebody may have signed on again.
    let text = std::fs::read(&sign_on.token_file)
        .map_err(|source| AwsError::File { path: sign_on.token_file.clone(), source })?;
    let token: Token =
        serde_json::from_slice(&text).map_err(|_| ended("the file holds no token"))?;
    if time(&token.expires_at).is_none_or(|end| end <= signer.clock.now()) {
        return Err(ended("the SSO session has expired or is invalid"));
    }
    let base = endpoint(signer, "SSO", "portal.sso", &sign_on.region);
    let query =
        encode_pairs([("role_name", sign_on.role.as_str()), ("account_id", &sign_on.account)]);
    let url = format!("{}/federation/credentials?{query}", base.trim_end_matches('/'));
    let mut request = Request::new("GET", Url::parse(&url)?, b"");
    let token = Secret::new(token.access_token);
    request.headers.set("X-Amz-Sso_bearer_token", token.expose());
    let asked = "GetRoleCredentials";
    let response = ask(signer, &request, asked)?;
    let answer: Answer = serde_json::from_slice(&response.body)
        .map_err(|_| AwsError::Answer { asked, missing: "credentials" })?;
    let lent = answer.role_credentials;
    Ok(Credentials {
        access_key: lent.access_key_id,
        secret_key: Secret::new(lent.secret_access_key),
        token: Secret::new(lent.session_token),
        until: Some(Timestamp::from_millis(lent.expiration)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_lies_under_the_checksum_of_its_session() {
        assert_eq!(
            SignOn::token_file("/var/a", "corp"),
            "/var/a/.aws/sso/cache/ee0bfd2552fbd840c02cc48b6e823320543c450f.json"
        );
    }
}
