//! Where credentials are to come from, as options, environment and files settle it.

use std::io;

use super::credentials::{AwsError, Role, Source};
use super::profile::{Naming, Profile, Profiles};
use super::sso::SignOn;
use super::{AwsOptions, Credentials};
use crate::system::Secret;

/// The address of a machine's own metadata on Amazon's machines.
const MACHINE_METADATA: &str = "http://169.254.169.254";

/// The host of the relative addresses that containers are given.
const CONTAINER_HOST: &str = "http://169.254.170.2";

/// Any of these in a profile has its credentials come from signing on.
const SIGN_ON_KEYS: [&str; 5] =
    ["sso_session", "sso_account_id", "sso_role_name", "sso_region", "sso_start_url"];

/// How many profiles may lead on to each other.
const MOST_PROFILES: usize = 16;

/// Where in the world, and where credentials come from.
pub(super) struct Settled {
    pub(super) region: String,
    pub(super) source: Source,
}

/// Settles it.
///
/// # Errors
/// If a profile that is named is not there, or makes no sense.
pub(super) fn settle(
    options: &AwsOptions,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Settled, AwsError> {
    let surroundings = Surroundings { options, variable };
    let profiles = surroundings.profiles()?;
    let name = surroundings.profile_name();
    let profile = profiles.get(&name);
    if profile.is_none() && !options.profile.is_empty() {
        return Err(AwsError::NoProfile(name));
    }
    let region = [
        Some(options.region.clone()).filter(|region| !region.is_empty()),
        surroundings.set("AWS_REGION"),
        surroundings.set("AWS_DEFAULT_REGION"),
        profile.and_then(|profile| value(profile, "region")).map(str::to_owned),
    ];
    let region = region.into_iter().flatten().next().unwrap_or_default();
    let mut source = surroundings.root_source(&profiles, &name)?;
    if !options.role_arn.is_empty() {
        let role = Role {
            arn: options.role_arn.clone(),
            session: options.role_session_name.clone(),
            external_id: String::new(),
            region: region.clone(),
        };
        source = match options.web_identity_token_file.as_str() {
            "" => Source::Role { role, source: Box::new(source) },
            path => Source::WebIdentity { role, token_file: path.to_owned() },
        };
    }
    Ok(Settled { region, source })
}

struct Surroundings<'o> {
    options: &'o AwsOptions,
    variable: &'o dyn Fn(&str) -> Option<String>,
}

impl Surroundings<'_> {
    /// The value of a variable that is not empty.
    fn set(&self, name: &str) -> Option<String> {
        (self.variable)(name).filter(|value| !value.is_empty())
    }

    fn profile_name(&self) -> String {
        let named = Some(self.options.profile.clone()).filter(|name| !name.is_empty());
        named
            .or_else(|| self.set("AWS_PROFILE"))
            .or_else(|| self.set("AWS_DEFAULT_PROFILE"))
            .unwrap_or_else(|| "default".to_owned())
    }

    /// What the files of the user say; those that are not there say nothing.
    fn profiles(&self) -> Result<Profiles, AwsError> {
        let in_home = |name| self.set("HOME").map(|home| format!("{home}/.aws/{name}"));
        let config = self.set("AWS_CONFIG_FILE").or_else(|| in_home("config"));
        let named = Some(self.options.shared_credential_file.clone());
        let credentials = named
            .filter(|path| !path.is_empty())
            .or_else(|| self.set("AWS_SHARED_CREDENTIALS_FILE"))
            .or_else(|| in_home("credentials"));
        let mut profiles = Profiles::default();
        for (path, naming) in [(config, Naming::Prefixed), (credentials, Naming::Bare)] {
            let Some(path) = path else { continue };
            match std::fs::read_to_string(&path) {
                Ok(text) => profiles.add(&text, naming),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => return Err(AwsError::File { path, source }),
            }
        }
        Ok(profiles)
    }

    /// Where credentials come from before the role of the options is taken on.
    fn root_source(&self, profiles: &Profiles, name: &str) -> Result<Source, AwsError> {
        let options = self.options;
        if !(options.access_key.is_empty() && options.secret_key.is_empty()) {
            if options.access_key.is_empty() || options.secret_key.is_empty() {
                return Err(AwsError::HalfKey);
            }
            return Ok(Source::Fixed(Credentials {
                access_key: options.access_key.clone(),
                secret_key: Secret::new(&options.secret_key),
                token: Secret::new(&options.token),
                until: None,
            }));
        }
        if options.profile.is_empty() {
            if let Some(credentials) = self.environment_credentials() {
                return Ok(Source::Fixed(credentials));
            }
            if let Some(token_file) = self.set("AWS_WEB_IDENTITY_TOKEN_FILE") {
                let arn = self.set("AWS_ROLE_ARN").ok_or(AwsError::NoRole)?;
                let session = self.set("AWS_ROLE_SESSION_NAME").unwrap_or_default();
                let role =
                    Role { arn, session, external_id: String::new(), region: self.region(None) };
                return Ok(Source::WebIdentity { role, token_file });
            }
        }
        self.profile_source(profiles, name, 0)
    }

    fn environment_credentials(&self) -> Option<Credentials> {
        let first = |names: [&str; 2]| names.iter().find_map(|name| self.set(name));
        Some(Credentials {
            access_key: first(["AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY"])?,
            secret_key: Secret::new(first(["AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY"])?),
            token: Secret::new(self.set("AWS_SESSION_TOKEN").unwrap_or_default()),
            until: None,
        })
    }

    /// Where in the world a profile takes on its role.
    fn region(&self, profile: Option<&Profile>) -> String {
        let options = Some(self.options.region.clone()).filter(|region| !region.is_empty());
        options
            .or_else(|| self.set("AWS_REGION"))
            .or_else(|| profile.and_then(|profile| value(profile, "region")).map(str::to_owned))
            .unwrap_or_default()
    }

    fn profile_source(
        &self,
        profiles: &Profiles,
        name: &str,
        depth: usize,
    ) -> Result<Source, AwsError> {
        let empty = Profile::new();
        let profile = profiles.get(name).unwrap_or(&empty);
        let get = |key| value(profile, key);
        let role = get("role_arn").map(|arn| Role {
            arn: arn.to_owned(),
            session: get("role_session_name").unwrap_or_default().to_owned(),
            external_id: get("external_id").unwrap_or_default().to_owned(),
            region: self.region(Some(profile)),
        });
        if let Some(token_file) = get("web_identity_token_file") {
            let role = role.ok_or(AwsError::NoRole)?;
            return Ok(Source::WebIdentity { role, token_file: token_file.to_owned() });
        }
        if get("mfa_serial").is_some() && role.is_some() {
            return Err(AwsError::Mfa(name.to_owned()));
        }
        let source = match get("source_profile") {
            Some(other) if role.is_some() && other != name => {
                if depth >= MOST_PROFILES || profiles.get(other).is_none() {
                    return Err(AwsError::NoProfile(other.to_owned()));
                }
                self.profile_source(profiles, other, depth + 1)?
            }
            _ => self.own_source(profiles, name, profile)?,
        };
        Ok(match role {
            Some(role) => Source::Role { role, source: Box::new(source) },
            None => source,
        })
    }

    /// Where credentials come from before a profile takes on its role.
    fn own_source(
        &self,
        profiles: &Profiles,
        name: &str,
        profile: &Profile,
    ) -> Result<Source, AwsError> {
        let get = |key| value(profile, key);
        if let (Some(access_key), Some(secret_key)) =
            (get("aws_access_key_id"), get("aws_secret_access_key"))
        {
            return Ok(Source::Fixed(Credentials {
                access_key: access_key.to_owned(),
                secret_key: Secret::new(secret_key),
                token: Secret::new(get("aws_session_token").unwrap_or_default()),
                until: None,
            }));
        }
        match get("credential_source") {
            None => {}
            Some("Environment") => {
                return self
                    .environment_credentials()
                    .map(Source::Fixed)
                    .ok_or(AwsError::NoEnvironment);
            }
            Some("Ec2InstanceMetadata") => return Ok(self.machine()),
            Some("EcsContainer") => return self.container().ok_or(AwsError::NoContainer),
            Some(other) => return Err(AwsError::CredentialSource(other.to_owned())),
        }
        if SIGN_ON_KEYS.iter().any(|key| get(key).is_some()) {
            return self.sign_on(profiles, name, profile).map(Source::SignOn);
        }
        if let Some(command) = get("credential_process") {
            return Ok(Source::Program { command: command.to_owned() });
        }
        Ok(self.container().unwrap_or_else(|| self.machine()))
    }

    /// What a profile signs on for; where is said by a session or, in older ones, by itself.
    fn sign_on(
        &self,
        profiles: &Profiles,
        name: &str,
        profile: &Profile,
    ) -> Result<SignOn, AwsError> {
        let session_name = value(profile, "sso_session");
        let empty = Profile::new();
        let session = match session_name {
            Some(session) => profiles.session(session).unwrap_or(&empty),
            None => profile,
        };
        let found = [
            ("sso_account_id", value(profile, "sso_account_id")),
            ("sso_role_name", value(profile, "sso_role_name")),
            ("sso_region", value(session, "sso_region")),
            ("sso_start_url", value(session, "sso_start_url")),
        ];
        let [Some(account), Some(role), Some(region), Some(start_url)] =
            found.map(|(_, value)| value)
        else {
            let missing = found.iter().filter(|(_, value)| value.is_none());
            let missing: Vec<_> = missing.map(|(key, _)| *key).collect();
            let (profile, missing) = (name.to_owned(), missing.join(", "));
            return Err(AwsError::SignOnLacks { profile, missing });
        };
        let home = self.set("HOME").unwrap_or_default();
        Ok(SignOn {
            account: account.to_owned(),
            role: role.to_owned(),
            region: region.to_owned(),
            token_file: SignOn::token_file(&home, session_name.unwrap_or(start_url)),
        })
    }

    fn container(&self) -> Option<Source> {
        let relative = self
            .set("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
            .map(|path| format!("{CONTAINER_HOST}{path}"));
        let url = relative.or_else(|| self.set("AWS_CONTAINER_CREDENTIALS_FULL_URI"))?;
        Some(Source::Container {
            url,
            token: Secret::new(self.set("AWS_CONTAINER_AUTHORIZATION_TOKEN").unwrap_or_default()),
            token_file: self.set("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE").unwrap_or_default(),
        })
    }

    fn machine(&self) -> Source {
        if self.set("AWS_EC2_METADATA_DISABLED").is_some_and(|no| no.eq_ignore_ascii_case("true")) {
            return Source::Nowhere;
        }
        let url = self.set("AWS_EC2_METADATA_SERVICE_ENDPOINT");
        Source::Machine { url: url.unwrap_or_else(|| MACHINE_METADATA.to_owned()) }
    }
}

/// A value that is not empty.
fn value<'p>(profile: &'p Profile, key: &str) -> Option<&'p str> {
    profile.get(key).map(String::as_str).filter(|value| !value.is_empty())
}
