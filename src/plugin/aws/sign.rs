//! Signs requests for Amazon's services.
//!
//! # References
//! Amazon's "Signature Version 4 signing process" and its published test suite; Telegraf's library
//! for which fields of the header are signed.

use std::fmt::Write;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::Credentials;
use crate::http::{Request, Url, encode_query};
use crate::metric::Timestamp;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// Fields that somebody on the way may change.
const NOT_SIGNED: [&str; 5] =
    ["authorization", "user-agent", "x-amzn-trace-id", "expect", "transfer-encoding"];

const HASH_BYTES: usize = 32;
const BLOCK_BYTES: usize = 64;

/// What a signature holds for.
#[derive(Debug, Clone)]
pub(super) struct Scope<'s> {
    /// Such as `us-east-1`.
    pub(super) region: &'s str,
    /// Such as `sts`.
    pub(super) service: &'s str,
}

/// Signs a request with the fields that its header has so far; the body has to be as it is sent.
pub(super) fn sign(
    request: &mut Request<'_>,
    credentials: &Credentials,
    scope: &Scope<'_>,
    now: Timestamp,
) {
    let time = compact_time(now);
    let scope_text = scope.text(&time);
    request.headers.set("X-Amz-Date", &*time);
    if !credentials.token.is_empty() {
        request.headers.set("X-Amz-Security-Token", credentials.token.expose());
    }
    // The query is sent as it is signed.
    let query = canonical_query(&request.url.query_pairs());
    request.url = request.url.clone().with_query(query);
    let (canonical, signed_names) = canonical_request(request);
    let signature = signature(&canonical, credentials, scope, &time);
    let access_key = &credentials.access_key;
    request.headers.set(
        "Authorization",
        format!(
            "{ALGORITHM} Credential={access_key}/{scope_text}, SignedHeaders={signed_names}, \
             Signature={signature}"
        ),
    );
}

/// Signs an address, so that who has it may get what is there for as long as `lifetime`.
///
/// # References
/// "Authenticating requests: using query parameters" of Amazon's documentation.
pub(super) fn presign(
    url: Url,
    credentials: &Credentials,
    scope: &Scope<'_>,
    now: Timestamp,
    lifetime: Duration,
) -> Url {
    let time = compact_time(now);
    let mut pairs = url.query_pairs();
    let mut add = |name: &str, value: String| pairs.push((name.to_owned(), value));
    add("X-Amz-Algorithm", ALGORITHM.to_owned());
    add("X-Amz-Credential", format!("{}/{}", credentials.access_key, scope.text(&time)));
    add("X-Amz-Date", time.clone());
    add("X-Amz-Expires", lifetime.as_secs().to_string());
    if !credentials.token.is_empty() {
        add("X-Amz-Security-Token", credentials.token.expose().to_owned());
    }
    add("X-Amz-SignedHeaders", "host".to_owned());
    let query = canonical_query(&pairs);
    let request = Request::new("GET", url.with_query(query.clone()), b"");
    let signature = signature(&canonical_request(&request).0, credentials, scope, &time);
    request.url.with_query(format!("{query}&X-Amz-Signature={signature}"))
}

impl Scope<'_> {
    /// As it stands in signatures of this time.
    fn text(&self, time: &str) -> String {
        format!("{}/{}/{}/aws4_request", &time[..8], self.region, self.service)
    }
}

/// The signature of a request in the form that is hashed.
fn signature(canonical: &str, credentials: &Credentials, scope: &Scope<'_>, time: &str) -> String {
    let hash = hex(&Sha256::digest(canonical));
    let to_sign = format!("{ALGORITHM}\n{time}\n{}\n{hash}", scope.text(time));
    let secret = format!("AWS4{}", credentials.secret_key.expose());
    let key = [&time[..8], scope.region, scope.service, "aws4_request"]
        .iter()
        .fold(secret.into_bytes(), |key, part| hmac(&key, part.as_bytes()).to_vec());
    hex(&hmac(&key, to_sign.as_bytes()))
}

/// The request in the form that is hashed, and the names of the fields in it.
fn canonical_request(request: &Request<'_>) -> (String, String) {
    let mut fields: Vec<(String, String)> = Vec::new();
    if request.headers.get("Host").is_none() {
        fields.push(("host".to_owned(), host(request)));
    }
    if !request.body.is_empty() {
        fields.push(("content-length".to_owned(), request.body.len().to_string()));
    }
    for (name, value) in request.headers.iter() {
        let name = name.to_lowercase();
        if NOT_SIGNED.contains(&name.as_str()) {
            continue;
        }
        let value = value.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
        match fields.iter_mut().find(|(known, _)| *known == name) {
            Some((_, values)) if name != "content-length" => {
                values.push(',');
                values.push_str(&value);
            }
            Some(_) => {}
            None => fields.push((name, value)),
        }
    }
    fields.sort();
    let names: Vec<_> = fields.iter().map(|(name, _)| name.as_str()).collect();
    let names = names.join(";");
    let mut text = format!(
        "{}\n{}\n{}\n",
        request.method,
        canonical_path(&request.url.path),
        request.url.query.as_deref().unwrap_or_default()
    );
    for (name, value) in &fields {
        let _ = writeln!(text, "{name}:{value}");
    }
    let _ = write!(text, "\n{names}\n{}", hex(&Sha256::digest(request.body)));
    (text, names)
}

/// Host and port, without a port that the scheme implies.
fn host(request: &Request<'_>) -> String {
    let url = &request.url;
    match (url.scheme.as_str(), url.port) {
        ("http", Some(80)) | ("https", Some(443)) => {
            crate::http::Url { port: None, ..url.clone() }.authority()
        }
        _ => url.authority(),
    }
}

/// The path with its escapes escaped once more, as all services but one want it.
fn canonical_path(path: &str) -> String {
    let parts: Vec<_> =
        path.split('/').map(|part| encode_query(part).replace('+', "%20")).collect();
    if path.is_empty() { "/".to_owned() } else { parts.join("/") }
}

fn canonical_query(pairs: &[(String, String)]) -> String {
    let mut pairs: Vec<_> = pairs.iter().collect();
    pairs.sort();
    let encode = |text: &str| encode_query(text).replace('+', "%20");
    let pairs: Vec<_> =
        pairs.iter().map(|(key, value)| format!("{}={}", encode(key), encode(value))).collect();
    pairs.join("&")
}

/// A time as `20150830T123600Z`.
fn compact_time(time: Timestamp) -> String {
    jiff::Timestamp::from_second(time.seconds())
        .unwrap_or_default()
        .strftime("%Y%m%dT%H%M%SZ")
        .to_string()
}

/// RFC 2104 with SHA-256.
fn hmac(key: &[u8], text: &[u8]) -> [u8; HASH_BYTES] {
    let mut block = [0; BLOCK_BYTES];
    match key.len() {
        0..=BLOCK_BYTES => block[..key.len()].copy_from_slice(key),
        _ => block[..HASH_BYTES].copy_from_slice(&Sha256::digest(key)),
    }
    let inner = Sha256::new().chain_update(block.map(|byte| byte ^ 0x36)).chain_update(text);
    let outer = Sha256::new().chain_update(block.map(|byte| byte ^ 0x5c));
    outer.chain_update(inner.finalize()).finalize().into()
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::Secret;

    /// 30 August 2015, 12:36:00 UTC: the time of the test suite.
    const NOW: Timestamp = Timestamp::from_seconds(1_440_938_160);

    fn credentials() -> Credentials {
        Credentials {
            access_key: "AKIDEXAMPLE".to_owned(),
            secret_key: Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            token: Secret::default(),
            until: None,
        }
    }

    fn authorization(request: &mut Request<'_>) -> String {
        let scope = Scope { region: "us-east-1", service: "service" };
        sign(request, &credentials(), &scope, NOW);
        request.headers.get("Authorization").unwrap().to_owned()
    }

    #[test]
    fn signatures_are_those_of_the_published_suite() {
        for (method, target, fields, names, signature) in [
            (
                "GET",
                "/",
                &[][..],
                "host;x-amz-date",
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                "GET",
                "/?Param2=value2&Param1=value1",
                &[],
                "host;x-amz-date",
                "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
            ),
            (
                "POST",
                "/",
                &[],
                "host;x-amz-date",
                "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
            ),
            (
                "POST",
                "/",
                &[("My-Header1", "value1")],
                "host;my-header1;x-amz-date",
                "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c",
            ),
            (
                "GET",
                "/",
                &[("My-Header1", " value1"), ("My-Header2", " \"a   b   c\" ")],
                "host;my-header1;my-header2;x-amz-date",
                "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
            ),
        ] {
            let url = Url::parse(&format!("https://example.amazonaws.com{target}")).unwrap();
            let mut request = Request::new(method, url, b"");
            fields.iter().for_each(|(name, value)| request.headers.add(name, *value));
            let expected = format!(
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
                 SignedHeaders={names}, Signature={signature}"
            );
            assert_eq!(authorization(&mut request), expected, "{method} {target}");
        }
    }

    #[test]
    fn addresses_are_signed_as_amazons_own_library_signs_them() {
        for (token, in_query, expected) in [
            ("", "", "c413a83bc64a339e31a5e5e9ed99d778ff843206b427540cafa5122c01e3e993"),
            (
                "se/ss+ion=",
                "&X-Amz-Security-Token=se%2Fss%2Bion%3D",
                "25e7179adb07db882e66f9372c72b13337fbf2932eb4f7659390be04a6a18247",
            ),
        ] {
            let url = "https://kafka.us-east-1.amazonaws.com/?Action=kafka-cluster%3AConnect";
            let credentials = Credentials { token: Secret::new(token), ..credentials() };
            let scope = Scope { region: "us-east-1", service: "kafka-cluster" };
            let lifetime = Duration::from_secs(900);
            let signed = presign(Url::parse(url).unwrap(), &credentials, &scope, NOW, lifetime);
            assert_eq!(
                signed.target(),
                format!(
                    "/?Action=kafka-cluster%3AConnect&X-Amz-Algorithm=AWS4-HMAC-SHA256\
                     &X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Fus-east-1%2Fkafka-cluster%2F\
                     aws4_request&X-Amz-Date=20150830T123600Z&X-Amz-Expires=900{in_query}\
                     &X-Amz-SignedHeaders=host&X-Amz-Signature={expected}"
                )
            );
        }
    }

    #[test]
    fn hashes_with_keys_are_those_of_rfc_4231() {
        for (key, text, expected) in [
            (
                &[0x0b; 20][..],
                "Hi There",
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            ),
            (
                b"Jefe",
                "what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                &[0xaa; 131],
                "Test Using Larger Than Block-Size Key - Hash Key First",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
        ] {
            assert_eq!(hex(&hmac(key, text.as_bytes())), expected);
        }
    }

    #[test]
    fn what_is_hashed_is_the_request_in_one_form() {
        let url = Url::parse("http://h:80/a%20b/c=d?z=1&a=x%20y&a=b").unwrap();
        let mut request = Request::new("POST", url, b"body");
        let credentials = Credentials { token: Secret::new("session"), ..credentials() };
        let scope = Scope { region: "r", service: "s" };
        request.headers.set("User-Agent", "me");
        sign(&mut request, &credentials, &scope, NOW);
        assert_eq!(request.url.target(), "/a%20b/c=d?a=b&a=x%20y&z=1");
        assert_eq!(
            canonical_request(&request).0,
            "POST\n/a%2520b/c%3Dd\na=b&a=x%20y&z=1\ncontent-length:4\nhost:h\n\
             x-amz-date:20150830T123600Z\nx-amz-security-token:session\n\n\
             content-length;host;x-amz-date;x-amz-security-token\n\
             230d8358dc8e8890b4c58deeb62912ee2f20357ae92a5cc861b98e68fe31acb5"
        );
        let authorization = request.headers.get("Authorization").unwrap();
        assert!(authorization.contains("Credential=AKIDEXAMPLE/20150830/r/s/aws4_request, "));
    }
}
