//! Tokens that callers prove with who they are.
//!
//! # References
//! RFC 7519 (JSON Web Tokens), RFC 7515 (their signatures); Telegraf's `JWTAuthHandler` and Go's
//! `golang-jwt` for which field of the header it is and for the words.

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::memcmp;
use openssl::pkey::PKey;
use openssl::sign::Signer;
use serde_json::{Map, Value};

use super::{Incoming, Response};
use crate::metric::Timestamp;
use crate::system::Secret;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

/// A user that callers have to be, as a token says that is signed with a shared secret.
#[derive(Debug, Clone, Default)]
pub struct TokenAuth {
    /// What tokens are signed with.
    pub secret: Secret,
    /// The name of the user.
    pub username: String,
}

/// What is wrong with a token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum TokenError {
    #[error("invalid token: token is malformed: {0}")]
    Malformed(&'static str),
    #[error("invalid token: token is unverifiable: {0}")]
    Unverifiable(String),
    #[error("invalid token: token signature is invalid: signature is invalid")]
    Signature,
    #[error("invalid token: token has invalid claims: {0}")]
    Claims(String),
    #[error("token expired")]
    Expired,
    #[error("token must contain a string username")]
    NoUser,
    #[error("Unauthorized")]
    OtherUser,
}

impl TokenAuth {
    /// What a caller is answered that has no such token; nothing for those that do.
    pub fn refusal(&self, request: &Incoming<'_>, now: Timestamp) -> Option<Response> {
        let value = request.headers().get("Authentication").unwrap_or_default();
        let checked = match value.strip_prefix("Bearer ") {
            Some(token) => self.check(token, now),
            None => Err(TokenError::OtherUser),
        };
        checked.err().map(|error| Response::line(401, &error.to_string()))
    }

    fn check(&self, token: &str, now: Timestamp) -> Result<(), TokenError> {
        let malformed = TokenError::Malformed;
        let parts: Vec<&str> = token.splitn(4, '.').collect();
        let [header, claims, signature] = parts[..] else {
            return Err(malformed("token contains an invalid number of segments"));
        };
        let signed = &token[..header.len() + 1 + claims.len()];
        let header = decode(header).ok_or(malformed("could not base64 decode header"))?;
        let header = object(&header).ok_or(malformed("could not JSON decode header"))?;
        let claims = decode(claims).ok_or(malformed("could not base64 decode claim"))?;
        let claims = object(&claims).ok_or(malformed("could not JSON decode claim"))?;
        let digest = digest(&header)?;
        let signature = decode(signature).ok_or(malformed("could not base64 decode signature"))?;
        let right = self.sign(digest, signed).map_err(|_| TokenError::Signature)?;
        if right.len() != signature.len() || !memcmp::eq(&right, &signature) {
            return Err(TokenError::Signature);
        }
        check_times(&claims, now)?;
        match claims.get("username") {
            Some(Value::String(name)) if !name.is_empty() => self.check_user(name),
            _ => Err(TokenError::NoUser),
        }
    }

    fn sign(&self, digest: MessageDigest, text: &str) -> Result<Vec<u8>, ErrorStack> {
        let key = PKey::hmac(self.secret.expose().as_bytes())?;
        Signer::new(digest, &key)?.sign_oneshot_to_vec(text.as_bytes())
    }

    fn check_user(&self, name: &str) -> Result<(), TokenError> {
        let (given, right) = (name.as_bytes(), self.username.as_bytes());
        let is_right = given.len() == right.len() && memcmp::eq(given, right);
        if is_right { Ok(()) } else { Err(TokenError::OtherUser) }
    }
}

fn decode(part: &str) -> Option<Vec<u8>> {
    BASE64.decode(part).ok()
}

fn object(text: &[u8]) -> Option<Map<String, Value>> {
    serde_json::from_slice(text).ok()
}

fn digest(header: &Map<String, Value>) -> Result<MessageDigest, TokenError> {
    let refused = |reason: String| Err(TokenError::Unverifiable(reason));
    match header.get("alg").and_then(Value::as_str) {
        Some("HS256") => Ok(MessageDigest::sha256()),
        Some("HS384") => Ok(MessageDigest::sha384()),
        Some("HS512") => Ok(MessageDigest::sha512()),
        // Those are there, but for pairs of keys or for no key at all.
        Some(
            alg @ ("RS256" | "RS384" | "RS512" | "ES256" | "ES384" | "ES512" | "PS256" | "PS384"
            | "PS512" | "EdDSA" | "none"),
        ) => refused(format!("error while executing keyfunc: unexpected signing method: {alg}")),
        Some(_) => refused("signing method (alg) is unavailable".to_owned()),
        None => refused("signing method (alg) is unspecified".to_owned()),
    }
}

/// Checks from when and until when a token holds; zero says nothing about it.
fn check_times(claims: &Map<String, Value>, now: Timestamp) -> Result<(), TokenError> {
    let seconds = |name: &str| match claims.get(name) {
        None => Ok(None),
        Some(value) => value.as_f64().map(|at| Some(at).filter(|at| *at != 0.0)).ok_or_else(|| {
            TokenError::Claims(format!("invalid type for claim: {name} is invalid"))
        }),
    };
    let now = now.nanos() as f64 / 1e9;
    if seconds("exp")?.is_some_and(|end| now >= end.trunc()) {
        return Err(TokenError::Expired);
    }
    if seconds("nbf")?.is_some_and(|begin| now < begin.trunc()) {
        return Err(TokenError::Claims("token is not valid yet".to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn auth() -> TokenAuth {
        TokenAuth { secret: Secret::new("hush"), username: "bob".to_owned() }
    }

    fn token(header: &str, claims: &str) -> String {
        let signed = format!("{}.{}", BASE64.encode(header), BASE64.encode(claims));
        let digest =
            if header.contains("512") { MessageDigest::sha512() } else { MessageDigest::sha256() };
        let signature = auth().sign(digest, &signed).unwrap();
        format!("{signed}.{}", BASE64.encode(signature))
    }

    fn check(token: &str) -> String {
        let now = Timestamp::from_seconds(1000);
        auth().check(token, now).err().map_or_else(String::new, |error| error.to_string())
    }

    const HEADER: &str = "{\"alg\":\"HS256\",\"typ\":\"JWT\"}";

    #[test]
    fn a_token_that_others_made_is_taken() {
        // `printf 'HEADER.CLAIMS' | openssl dgst -sha256 -hmac hush -binary | basenc --base64url`
        let token = "eyJhbGciOiJIUzI1NiJ9.eyJ1c2VybmFtZSI6ImJvYiJ9.\
                     HeVd_YX9C0QOuur28k1mH6jJv_BSZTKAum8h81PPzmk";
        assert_eq!(check(token), "");
    }

    #[test]
    fn claims_are_held_against_user_and_time() {
        for (claims, expected) in [
            ("{\"username\":\"bob\"}", ""),
            ("{\"username\":\"bob\",\"exp\":1001,\"nbf\":1000}", ""),
            ("{\"username\":\"bob\",\"exp\":0}", ""),
            ("{\"username\":\"bob\",\"exp\":1000}", "token expired"),
            (
                "{\"username\":\"bob\",\"nbf\":1001}",
                "invalid token: token has invalid claims: token is not valid yet",
            ),
            (
                "{\"username\":\"bob\",\"exp\":\"x\"}",
                "invalid token: token has invalid claims: invalid type for claim: exp is invalid",
            ),
            ("{\"username\":\"eve\"}", "Unauthorized"),
            ("{\"username\":\"\"}", "token must contain a string username"),
            ("{\"username\":1}", "token must contain a string username"),
            ("{}", "token must contain a string username"),
        ] {
            assert_eq!(check(&token(HEADER, claims)), expected, "{claims}");
        }
    }

    #[test]
    fn what_is_no_token_or_signed_in_another_way_is_refused() {
        let claims = "{\"username\":\"bob\"}";
        assert_eq!(check(&token("{\"alg\":\"HS512\"}", claims)), "");
        let good = token(HEADER, claims);
        let (signed, _) = good.rsplit_once('.').unwrap();
        let malformed = |reason| format!("invalid token: token is malformed: {reason}");
        let signature = "invalid token: token signature is invalid: signature is invalid";
        let unverifiable = |reason| format!("invalid token: token is unverifiable: {reason}");
        for (token, expected) in [
            ("a.b".to_owned(), malformed("token contains an invalid number of segments")),
            (format!("{good}.x"), malformed("token contains an invalid number of segments")),
            ("!.e30.".to_owned(), malformed("could not base64 decode header")),
            ("e3.e30.".to_owned(), malformed("could not JSON decode header")),
            ("e30.!.".to_owned(), malformed("could not base64 decode claim")),
            ("e30.e3.".to_owned(), malformed("could not JSON decode claim")),
            (format!("{signed}.!"), malformed("could not base64 decode signature")),
            (format!("{signed}."), signature.to_owned()),
            (format!("{signed}.AAAA"), signature.to_owned()),
            (token("{}", claims), unverifiable("signing method (alg) is unspecified")),
            (
                token("{\"alg\":\"HS1\"}", claims),
                unverifiable("signing method (alg) is unavailable"),
            ),
            (
                token("{\"alg\":\"none\"}", claims),
                unverifiable("error while executing keyfunc: unexpected signing method: none"),
            ),
        ] {
            assert_eq!(check(&token), expected, "{token}");
        }
    }
}
