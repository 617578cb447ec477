//! A server that is reached over HTTP, or over a socket of a file that speaks it.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use super::response::{Created, judge_creation, judge_write};
use super::{DatabaseCreation, Failure, Group};
use crate::http::tls::TlsSettingsError;
use crate::http::{Client, ClientSettings, ContentEncoding, Headers, Request, Url, encode_pairs};
use crate::plugin::secrets::{CredentialsError, LinkedCredentials};
use crate::plugin::{PluginError, PluginLog};
use crate::system::Clock;

/// What all writes have in common.
#[derive(Debug, Clone)]
pub(super) struct WriteOptions {
    /// Fields of every request.
    pub(super) headers: Headers,
    /// Who writes.
    pub(super) credentials: LinkedCredentials,
    /// How bodies are packed.
    pub(super) encoding: ContentEncoding,
    /// How many nodes of a cluster have to agree; not said if empty.
    pub(super) consistency: String,
}

/// A server that is reached over HTTP.
pub(super) struct HttpClient {
    url: Url,
    write_url: Url,
    query_url: Url,
    client: Client,
    options: WriteOptions,
    /// Databases that need not be created any more.
    created: HashSet<String>,
}

impl HttpClient {
    pub(super) fn new(
        url: Url,
        settings: ClientSettings,
        options: WriteOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<HttpClient, TlsSettingsError> {
        let base = match url.scheme.as_str() {
            "unix" => Url {
                scheme: "http".to_owned(),
                host: "127.0.0.1".to_owned(),
                path: String::new(),
                query: None,
                ..url.clone()
            },
            _ => url.clone(),
        };
        Ok(HttpClient {
            write_url: base.clone().joined("write"),
            query_url: base.joined("query"),
            client: Client::new(settings, clock)?,
            created: HashSet::new(),
            options,
            url,
        })
    }

    /// Writes a group, creating its database first if that has not been done.
    pub(super) fn write(
        &mut self,
        group: &Group,
        creation: DatabaseCreation,
        log: &PluginLog,
    ) -> Result<(), Failure> {
        let database = &group.place.database;
        if creation == DatabaseCreation::AsNeeded
            && !self.created.contains(database)
            && let Err(error) = self.create_database(database)
        {
            log.warn(format_args!(
                "When writing to [{self}]: database {database:?} creation failed: {error}"
            ));
        }
        let failed = |error: PluginError| Failure::Retry(error);
        let body =
            self.options.encoding.encode(group.body.clone()).map_err(|e| failed(e.into()))?;
        let mut request = Request::new("POST", self.write_url_of(group), &body);
        request.headers.set("Content-Type", "text/plain; charset=utf-8");
        self.add_headers(&mut request).map_err(|error| failed(error.into()))?;
        if let Some(encoding) = self.options.encoding.header() {
            request.headers.set("Content-Encoding", encoding);
        }
        let response = self
            .client
            .send(&request)
            .map_err(|error| failed(format!("failed doing req: {error}").into()))?;
        judge_write(&response, &self.to_string(), log)
    }

    /// Creates a database.
    pub(super) fn create_database(&mut self, database: &str) -> Result<(), PluginError> {
        let query = format!("CREATE DATABASE \"{}\"", escape_identifier(database));
        let form = encode_pairs([("q", query.as_str())]);
        let mut request = Request::new("POST", self.query_url.clone(), form.as_bytes());
        request.headers.set("Content-Type", "application/x-www-form-urlencoded");
        self.add_headers(&mut request)?;
        let response = self.client.send(&request)?;
        match judge_creation(&response, database) {
            Created::Yes => {
                self.created.insert(database.to_owned());
                Ok(())
            }
            Created::Never(error) => {
                self.created.insert(database.to_owned());
                Err(error.into())
            }
            Created::No(error) => Err(error.into()),
        }
    }

    pub(super) fn close(&self) {
        self.client.close_idle();
    }

    fn add_headers(&self, request: &mut Request<'_>) -> Result<(), CredentialsError> {
        self.options.headers.iter().for_each(|(name, value)| request.headers.set(name, value));
        if let Some(authorization) = self.options.credentials.authorization()? {
            request.headers.set("Authorization", authorization);
        }
        Ok(())
    }

    fn write_url_of(&self, group: &Group) -> Url {
        let place = &group.place;
        let mut pairs = vec![("db", place.database.as_str())];
        if !place.retention_policy.is_empty() {
            pairs.push(("rp", &place.retention_policy));
        }
        if !self.options.consistency.is_empty() {
            pairs.push(("consistency", &self.options.consistency));
        }
        self.write_url.clone().with_query(encode_pairs(pairs))
    }
}

/// Escapes a name for the query language.
fn escape_identifier(name: &str) -> String {
    name.replace('\\', "\\\\").replace('\n', "\\n").replace('"', "\\\"")
}

impl fmt::Display for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.url.fmt(f)
    }
}
