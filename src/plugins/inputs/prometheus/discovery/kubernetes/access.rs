//! Where the server of a cluster is, and what proves to it who is asking.
//!
//! # References
//! Kubernetes' documentation, "Accessing the Kubernetes API from a Pod" and "Organizing Cluster
//! Access Using kubeconfig Files".

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::http::tls::{ClientTlsSettings, KeyPair, TlsSettingsError, Verification};
use crate::http::{Client, ClientSettings, Request, Url, UrlError, basic_credentials};
use crate::system::{Clock, ErrorWords, Secret};

/// Where a pod finds what it proves with who it is.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// Why a cluster cannot be asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum AccessError {
    #[error(
        "failed to get rest.Config from \"\": unable to load in-cluster configuration, \
         KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT must be defined"
    )]
    NotInCluster,
    #[error("failed to get rest.Config from {path:?}: open {path}: {}", ErrorWords(.source))]
    File { path: String, source: io::Error },
    #[error("failed to get rest.Config from {path:?}: {reason}")]
    Content { path: String, reason: String },
    #[error(transparent)]
    Url(#[from] UrlError),
    #[error(transparent)]
    Tls(#[from] TlsSettingsError),
}

/// A server and what proves to it who is asking.
#[derive(Debug, Clone)]
pub(super) struct Access {
    pub(super) server: Url,
    tls: ClientTlsSettings,
    token: Secret,
    /// File with a token that somebody replaces now and then; none if empty.
    token_file: String,
    /// The value of `Authorization` for a name and its password.
    basic: Option<Secret>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct KubeConfig {
    #[serde(default)]
    current_context: String,
    #[serde(default)]
    contexts: Vec<Named<Context>>,
    #[serde(default)]
    clusters: Vec<Named<Cluster>>,
    #[serde(default)]
    users: Vec<Named<User>>,
}

#[derive(Deserialize)]
struct Named<T> {
    name: String,
    #[serde(alias = "context", alias = "cluster", alias = "user")]
    content: T,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Context {
    cluster: String,
    user: String,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "kebab-case")]
struct Cluster {
    server: String,
    certificate_authority: String,
    certificate_authority_data: String,
    insecure_skip_tls_verify: bool,
    tls_server_name: String,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "kebab-case")]
struct User {
    token: String,
    #[serde(alias = "tokenFile")]
    token_file: String,
    client_certificate: String,
    client_certificate_data: String,
    client_key: String,
    client_key_data: String,
    username: String,
    password: String,
    exec: Option<serde::de::IgnoredAny>,
}

impl Access {
    /// What the file at `path` says, or without one what a pod finds.
    ///
    /// # Errors
    /// If this is no pod, or the file cannot be used.
    pub(super) fn find(
        path: &str,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Access, AccessError> {
        if path.is_empty() {
            return Access::of_pod(variable);
        }
        let text = std::fs::read_to_string(path)
            .map_err(|source| AccessError::File { path: path.to_owned(), source })?;
        Access::of_file(path, &text)
    }

    fn of_pod(variable: impl Fn(&str) -> Option<String>) -> Result<Access, AccessError> {
        let set = |name: &str| {
            variable(name).filter(|value| !value.is_empty()).ok_or(AccessError::NotInCluster)
        };
        let (host, port) = (set("KUBERNETES_SERVICE_HOST")?, set("KUBERNETES_SERVICE_PORT")?);
        let host = if host.contains(':') { format!("[{host}]") } else { host };
        Ok(Access {
            server: Url::parse(&format!("https://{host}:{port}"))?,
            tls: ClientTlsSettings {
                ca: format!("{SERVICE_ACCOUNT}/ca.crt"),
                ..ClientTlsSettings::default()
            },
            token: Secret::default(),
            token_file: format!("{SERVICE_ACCOUNT}/token"),
            basic: None,
        })
    }

    fn of_file(path: &str, text: &str) -> Result<Access, AccessError> {
        let wrong = |reason: String| AccessError::Content { path: path.to_owned(), reason };
        let config: KubeConfig =
            serde_saphyr::from_str(text).map_err(|error| wrong(error.to_string()))?;
        let missing = |kind: &str, name: &str| wrong(format!("{kind} {name:?} does not exist"));
        let context = find(config.contexts, &config.current_context)
            .ok_or_else(|| missing("context", &config.current_context))?;
        let cluster = find(config.clusters, &context.cluster)
            .ok_or_else(|| missing("cluster", &context.cluster))?;
        let user = match context.user.as_str() {
            "" => User::default(),
            name => find(config.users, name).ok_or_else(|| missing("auth info", name))?,
        };
        if user.exec.is_some() && user.token.is_empty() && user.client_certificate_data.is_empty() {
            return Err(wrong("programs that get credentials (exec) are not run".to_owned()));
        }
        let folder = Path::new(path).parent().unwrap_or(Path::new(""));
        // Data counts more than a file; relative paths are seen from where the file is.
        let pem = |what: &str, data: &str, file: &str| match (data, file) {
            ("", "") => Ok(String::new()),
            ("", file) => Ok(folder.join(file).to_string_lossy().into_owned()),
            (data, _) => STANDARD
                .decode(data.trim())
                .ok()
                .and_then(|pem| String::from_utf8(pem).ok())
                .ok_or_else(|| wrong(format!("{what} is no base64 of a PEM text"))),
        };
        let cert = pem(
            "client-certificate-data",
            &user.client_certificate_data,
            &user.client_certificate,
        )?;
        let key = pem("client-key-data", &user.client_key_data, &user.client_key)?;
        let ca = pem(
            "certificate-authority-data",
            &cluster.certificate_authority_data,
            &cluster.certificate_authority,
        )?;
        let has_pair = !cert.is_empty() && !key.is_empty();
        let has_name = !user.username.is_empty();
        Ok(Access {
            server: Url::parse(&cluster.server)?,
            tls: ClientTlsSettings {
                ca,
                key_pair: has_pair.then(|| KeyPair { cert, key, key_password: Secret::default() }),
                server_name: cluster.tls_server_name,
                verification: match cluster.insecure_skip_tls_verify {
                    true => Verification::None,
                    false => Verification::Full,
                },
                ..ClientTlsSettings::default()
            },
            token: Secret::new(user.token),
            token_file: match user.token_file.as_str() {
                "" => String::new(),
                file => folder.join(file).to_string_lossy().into_owned(),
            },
            basic: has_name.then(|| Secret::new(basic_credentials(&user.username, &user.password))),
        })
    }

    /// A client for the server whose requests may take so long.
    ///
    /// # Errors
    /// If certificates cannot be used.
    pub(super) fn client(
        &self,
        timeout: Duration,
        clock: Arc<dyn Clock>,
    ) -> Result<Client, AccessError> {
        let tls = self.tls.clone();
        let settings = ClientSettings { timeout: Some(timeout), tls, ..ClientSettings::default() };
        Ok(Client::new(settings, clock)?)
    }

    /// Adds what proves who is asking; of a file that cannot be read the other token counts.
    pub(super) fn prove(&self, request: &mut Request<'_>) {
        let filed = match self.token_file.as_str() {
            "" => String::new(),
            path => std::fs::read_to_string(path).unwrap_or_default(),
        };
        let token = match filed.trim() {
            "" => self.token.expose(),
            token => token,
        };
        if !token.is_empty() {
            request.headers.set("Authorization", format!("Bearer {token}"));
        } else if let Some(basic) = &self.basic {
            request.headers.set("Authorization", basic.expose());
        }
        request.headers.set("Accept", "application/json");
    }
}

fn find<T>(all: Vec<Named<T>>, name: &str) -> Option<T> {
    all.into_iter().find(|each| each.name == name).map(|each| each.content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_is_told_where_its_server_is() {
        let variable = |name: &str| match name {
            "KUBERNETES_SERVICE_HOST" => Some("fd00::1".to_owned()),
            "KUBERNETES_SERVICE_PORT" => Some("443".to_owned()),
            _ => None,
        };
        let access = Access::find("", variable).unwrap();
        assert_eq!(access.server.to_string(), "https://[fd00::1]:443");
        assert!(access.tls.ca.ends_with("/ca.crt"));
        let error = Access::find("", |_| None).unwrap_err().to_string();
        assert!(error.contains("unable to load in-cluster configuration"), "{error}");
    }

    #[test]
    fn files_say_it_for_the_context_in_use() {
        let text = "apiVersion: v1\nkind: Config\ncurrent-context: two\ncontexts:\n\
                    - name: one\n  context: {cluster: x, user: y}\n\
                    - name: two\n  context:\n    cluster: c\n    user: u\n    namespace: n\n\
                    clusters:\n- name: c\n  cluster:\n    server: https://h:6443\n    \
                    certificate-authority-data: LS0tLS1CRUdJTg==\n    tls-server-name: kube\n\
                    users:\n- name: u\n  user:\n    client-certificate: c.pem\n    \
                    client-key: /k.pem\n    token: hush\n";
        let access = Access::of_file("/etc/kube/config", text).unwrap();
        assert_eq!(access.server.to_string(), "https://h:6443");
        let (tls, pair) = (&access.tls, access.tls.key_pair.as_ref().unwrap());
        assert_eq!((tls.ca.as_str(), tls.server_name.as_str()), ("-----BEGIN", "kube"));
        assert_eq!((pair.cert.as_str(), pair.key.as_str()), ("/etc/kube/c.pem", "/k.pem"));
        let mut request = Request::new("GET", access.server.clone(), b"");
        access.prove(&mut request);
        assert_eq!(request.headers.get("Authorization"), Some("Bearer hush"));
        for (from, to, expected) in [
            ("context: two", "context: three", "context \"three\" does not exist"),
            ("cluster: c", "cluster: d", "cluster \"d\" does not exist"),
            ("LS0tLS1CRUdJTg==", "'%'", "certificate-authority-data is no base64"),
            ("clusters:", "clusters: [", "failed to get rest.Config from \"f\": "),
        ] {
            let error = Access::of_file("f", &text.replacen(from, to, 1)).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        let error = Access::find("/nonexistent", |_| None).unwrap_err().to_string();
        assert!(error.ends_with("open /nonexistent: no such file or directory"), "{error}");
    }
}
