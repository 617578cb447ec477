//! Services that lend credentials.
//!
//! # References
//! Amazon's "AWS Security Token Service API reference", "Container credential provider" and
//! "Retrieve security credentials from instance metadata" (version 2).

use serde::Deserialize;

use super::credentials::{AwsError, Role};
use super::sign::{self, Scope};
use super::{AwsSigner, Credentials};
use crate::http::{Request, Response, Url, encode_pairs};
use crate::metric::Timestamp;
use crate::system::Secret;

/// The version of the service that lends roles.
const STS_VERSION: &str = "2011-06-15";

/// How long a role is lent, in seconds.
const ROLE_SECONDS: &str = "900";

/// How long a machine's token holds, in seconds.
const MACHINE_TOKEN_SECONDS: &str = "21600";

/// How much of a refusal goes into an error.
const SHOWN_BYTES: usize = 1024;

/// Credentials as containers and machines tell them.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Lent {
    access_key_id: String,
    secret_access_key: String,
    #[serde(default)]
    token: String,
    #[serde(default)]
    expiration: Option<String>,
}

/// Asks for a role by proving who asks.
pub(super) fn ask_for_role(
    signer: &AwsSigner,
    role: &Role,
    credentials: &Credentials,
) -> Result<Credentials, AwsError> {
    let session = session_name(signer, role, "aws-go-sdk-");
    let mut pairs = vec![
        ("Action", "AssumeRole"),
        ("DurationSeconds", ROLE_SECONDS),
        ("RoleArn", &role.arn),
        ("RoleSessionName", &session),
        ("Version", STS_VERSION),
    ];
    if !role.external_id.is_empty() {
        pairs.push(("ExternalId", &role.external_id));
    }
    ask_sts(signer, role, &encode_pairs(pairs), "AssumeRole", Some(credentials))
}

/// Asks for a role with a token that somebody else gave.
pub(super) fn ask_for_web_identity(
    signer: &AwsSigner,
    role: &Role,
    token: &str,
) -> Result<Credentials, AwsError> {
    let session = session_name(signer, role, "");
    let body = encode_pairs([
        ("Action", "AssumeRoleWithWebIdentity"),
        ("RoleArn", &role.arn),
        ("RoleSessionName", &session),
        ("Version", STS_VERSION),
        ("WebIdentityToken", token.trim()),
    ]);
    ask_sts(signer, role, &body, "AssumeRoleWithWebIdentity", None)
}

/// Asks whoever runs the container.
pub(super) fn ask_container(
    signer: &AwsSigner,
    url: &str,
    token: &Secret,
) -> Result<Credentials, AwsError> {
    let mut request = Request::new("GET", Url::parse(url)?, b"");
    if !token.is_empty() {
        request.headers.set("Authorization", token.expose());
    }
    let asked = "credentials of the container";
    lent(&ask(signer, &request, asked)?, asked)
}

/// Asks the machine, which wants to be asked for a token and for the name of its role before.
pub(super) fn ask_machine(signer: &AwsSigner, url: &str) -> Result<Credentials, AwsError> {
    let asked = "credentials of the machine";
    let url = Url::parse(url)?;
    let mut request = Request::new("PUT", url.clone().joined("latest/api/token"), b"");
    request.headers.set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", MACHINE_TOKEN_SECONDS);
    let token = text(ask(signer, &request, asked)?);
    let get = |path: &str| {
        let mut request = Request::new("GET", url.clone().joined(path), b"");
        request.headers.set("X-Aws-Ec2-Metadata-Token", token.trim());
        ask(signer, &request, asked)
    };
    let roles = "latest/meta-data/iam/security-credentials/";
    let names = text(get(roles)?);
    let name = names.lines().next().map(str::trim).filter(|name| !name.is_empty());
    let name = name.ok_or(AwsError::Answer { asked, missing: "role" })?;
    lent(&get(&format!("{roles}{name}"))?, asked)
}

fn session_name(signer: &AwsSigner, role: &Role, prefix: &str) -> String {
    match role.session.as_str() {
        "" => format!("{prefix}{}", signer.clock.now().nanos()),
        name => name.to_owned(),
    }
}

fn ask_sts(
    signer: &AwsSigner,
    role: &Role,
    body: &str,
    asked: &'static str,
    credentials: Option<&Credentials>,
) -> Result<Credentials, AwsError> {
    if role.region.is_empty() {
        return Err(AwsError::NoRegion);
    }
    let url = endpoint(signer, "STS", "sts", &role.region);
    let mut request = Request::new("POST", Url::parse(&url)?, body.as_bytes());
    request.headers.set("Content-Type", "application/x-www-form-urlencoded");
    if let Some(credentials) = credentials {
        let scope = Scope { region: &role.region, service: "sts" };
        sign::sign(&mut request, credentials, &scope, signer.clock.now());
    }
    let answer = text(ask(signer, &request, asked)?);
    let get = |name, missing| {
        element(&answer, name).ok_or(AwsError::Answer { asked, missing }).map(unescaped)
    };
    Ok(Credentials {
        access_key: get("AccessKeyId", "AccessKeyId")?,
        secret_key: Secret::new(get("SecretAccessKey", "SecretAccessKey")?),
        token: Secret::new(get("SessionToken", "SessionToken")?),
        until: element(&answer, "Expiration").and_then(time),
    })
}

/// Where a service is asked: where the environment says, or at its host in a region.
pub(super) fn endpoint(signer: &AwsSigner, name: &str, host: &str, region: &str) -> String {
    let variables = [format!("AWS_ENDPOINT_URL_{name}"), "AWS_ENDPOINT_URL".to_owned()];
    let named =
        variables.iter().find_map(|name| (signer.variables)(name).filter(|url| !url.is_empty()));
    let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    named.unwrap_or_else(|| format!("https://{host}.{region}.{domain}/"))
}

pub(super) fn ask(
    signer: &AwsSigner,
    request: &Request<'_>,
    asked: &'static str,
) -> Result<Response, AwsError> {
    let response = signer
        .client
        .send(request)
        .map_err(|source| AwsError::Request { asked, source: Box::new(source) })?;
    if (200..300).contains(&response.status) {
        return Ok(response);
    }
    let status = response.status;
    let shown = String::from_utf8_lossy(&response.body[..response.body.len().min(SHOWN_BYTES)]);
    // The service that lends roles says it in an element, the others plainly.
    let reason = match element(&shown, "Message") {
        Some(message) => unescaped(message),
        None => shown.replace('\n', " "),
    };
    Err(AwsError::Refused { asked, status, reason })
}

fn lent(response: &Response, asked: &'static str) -> Result<Credentials, AwsError> {
    let lent: Lent = serde_json::from_slice(&response.body)
        .map_err(|_| AwsError::Answer { asked, missing: "credentials" })?;
    Ok(Credentials {
        access_key: lent.access_key_id,
        secret_key: Secret::new(lent.secret_access_key),
        token: Secret::new(lent.token),
        until: lent.expiration.as_deref().and_then(time),
    })
}

fn text(response: Response) -> String {
    String::from_utf8_lossy(&response.body).into_owned()
}

pub(super) fn time(text: &str) -> Option<Timestamp> {
    text.trim().parse::<jiff::Timestamp>().ok().map(|at| Timestamp::from_seconds(at.as_second()))
}

/// The text of the first element of a name; these answers have no attributes there.
fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(text, _)| text.trim())
}

fn unescaped(text: &str) -> String {
    [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")]
        .iter()
        .fold(text.to_owned(), |text, (escape, character)| text.replace(escape, character))
}
