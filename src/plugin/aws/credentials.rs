//! Where credentials come from, and getting them there.

use std::io;

use super::program::ask_program;
use super::services::{ask_container, ask_for_role, ask_for_web_identity, ask_machine};
use super::sso::{SignOn, ask_portal};
use super::{AwsSigner, Credentials};
use crate::http::tls::TlsSettingsError;
use crate::http::{ClientError, UrlError};
use crate::system::{ErrorWords, Secret};

/// Why there are no credentials.
#[derive(Debug, thiserror::Error)]
pub enum AwsError {
    /// A file cannot be read.
    #[error("open {path}: {}", ErrorWords(.source))]
    File {
        /// Its path.
        path: String,
        /// What the system says.
        source: io::Error,
    },
    /// A profile that is named is nowhere.
    #[error("failed to get shared config profile, {0}")]
    NoProfile(String),
    /// One half of a pair of keys.
    #[error("static credentials are empty: access_key and secret_key go together")]
    HalfKey,
    /// A token, and no role to take on with it.
    #[error("a web identity token needs a role: neither role_arn nor AWS_ROLE_ARN is set")]
    NoRole,
    /// A profile names the environment, and there is nothing.
    #[error("credential_source is Environment, and AWS_ACCESS_KEY_ID is not set")]
    NoEnvironment,
    /// A profile names the container, and this is none.
    #[error(
        "credential_source is EcsContainer, and AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is not set"
    )]
    NoContainer,
    /// A profile names a source that there is none of.
    #[error("unsupported credential_source {0:?}")]
    CredentialSource(String),
    /// A profile asks for a code that only a person can give.
    #[error(
        "assume role with MFA enabled: the profile {0} has mfa_serial, and nobody is there to be \
         asked for a code"
    )]
    Mfa(String),
    /// A profile with single sign-on that lacks something.
    #[error(
        "profile {profile:?} is configured to use SSO but is missing required configuration: {missing}"
    )]
    SignOnLacks {
        /// The profile.
        profile: String,
        /// The keys that are missing.
        missing: String,
    },
    /// Nobody has signed on, or not for long enough.
    #[error("{reason}: {file}; sign on with `aws sso login`")]
    SignOn {
        /// The file with the token.
        file: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A program hands out no credentials.
    #[error("{0}")]
    Program(String),
    /// There is nowhere left to look.
    #[error("no credentials found, and the machine is not to be asked")]
    Nowhere,
    /// A role in no region.
    #[error("an AWS region is required to take on a role, but was not found: set region")]
    NoRegion,
    /// The clients' encryption cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsSettingsError),
    /// An address is none.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// There is no answer.
    #[error("{asked}: {source}")]
    Request {
        /// What was asked for.
        asked: &'static str,
        /// Why there is none.
        source: Box<ClientError>,
    },
    /// The answer is a refusal.
    #[error("{asked}: {status}: {reason}")]
    Refused {
        /// What was asked for.
        asked: &'static str,
        /// The status.
        status: u16,
        /// Its reason.
        reason: String,
    },
    /// The answer makes no sense.
    #[error("{asked}: the answer holds no {missing}")]
    Answer {
        /// What was asked for.
        asked: &'static str,
        /// What is not in it.
        missing: &'static str,
    },
}

/// A role that is taken on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Role {
    pub(super) arn: String,
    /// What it is called while it is taken on; the time if empty.
    pub(super) session: String,
    /// What the owner of the role has agreed on; nothing if empty.
    pub(super) external_id: String,
    /// Where in the world it is asked for.
    pub(super) region: String,
}

/// Where credentials come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// They are known.
    Fixed(Credentials),
    /// A role is lent to those who prove who they are with other credentials.
    Role { role: Role, source: Box<Source> },
    /// A role is lent to those who bear a token of somebody else.
    WebIdentity { role: Role, token_file: String },
    /// Whoever runs the container lends them.
    Container { url: String, token: Secret, token_file: String },
    /// A program hands them out.
    Program { command: String },
    /// They are lent to those who have signed on.
    SignOn(SignOn),
    /// The machine lends them.
    Machine { url: String },
    /// There are none.
    Nowhere,
}

impl Source {
    /// Gets credentials.
    ///
    /// # Errors
    /// If there are none to be had.
    pub(super) fn fetch(&self, signer: &AwsSigner) -> Result<Credentials, AwsError> {
        match self {
            Source::Fixed(credentials) => Ok(credentials.clone()),
            Source::Role { role, source } => ask_for_role(signer, role, &source.fetch(signer)?),
            Source::WebIdentity { role, token_file } => {
                ask_for_web_identity(signer, role, &read(token_file)?)
            }
            Source::Container { url, token, token_file } => {
                let token = match token_file.as_str() {
                    "" => token.clone(),
                    path => Secret::new(read(path)?.trim()),
                };
                ask_container(signer, url, &token)
            }
            Source::Program { command } => ask_program(command, &*signer.clock),
            Source::SignOn(sign_on) => ask_portal(signer, sign_on),
            Source::Machine { url } => ask_machine(signer, url),
            Source::Nowhere => Err(AwsError::Nowhere),
        }
    }
}

fn read(path: &str) -> Result<String, AwsError> {
    std::fs::read_to_string(path).map_err(|source| AwsError::File { path: path.to_owned(), source })
}
