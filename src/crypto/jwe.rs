//! Texts encrypted with a password, in the compact form of JSON Web Encryption.
//!
//! # References
//! RFC 7516 (JWE), RFC 7518 sections 4.8 (PBES2) and 5.3 (GCM), RFC 3394 (key wrap).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openssl::aes::{AesKey, unwrap_key, wrap_key};
use openssl::hash::MessageDigest;
use openssl::pkcs5::pbkdf2_hmac;
use openssl::rand::rand_bytes;
use openssl::symm::{Cipher, decrypt_aead, encrypt_aead};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::system::Secret;

/// How often a password is hashed when a key is made of it; what Telegraf's library does.
const ITERATIONS: usize = 8192;
const SALT_BYTES: usize = 12;
const VECTOR_BYTES: usize = 12;
const TAG_BYTES: usize = 16;
/// By how much a wrapped key is longer than the key.
const WRAP_BYTES: usize = 8;
const ALGORITHM: &str = "PBES2-HS256+A128KW";
const ENCRYPTION: &str = "A256GCM";

/// Why a text cannot be decrypted.
#[derive(Debug, thiserror::Error)]
pub enum JweError {
    /// It does not have the five parts of the compact form.
    #[error("jwt.DecodeBytes() expects token of 5 parts, but was given: {0} parts")]
    Parts(usize),
    /// A part is not in base64.
    #[error("illegal base64 data: {0}")]
    Base64(#[from] base64::DecodeError),
    /// The header is no such header.
    #[error("invalid header: {0}")]
    Header(#[from] serde_json::Error),
    /// It was encrypted in a way that needs more than a password, or that nobody knows.
    #[error("unknown key management algorithm {0:?}")]
    Algorithm(String),
    /// The same for the text itself.
    #[error("unknown encryption algorithm {0:?}")]
    Encryption(String),
    /// Making the key would take too long.
    #[error("expected 'p2c' to be between 1 and {most} but got {found}")]
    Iterations {
        /// What the text says.
        found: u64,
        /// The most that is taken.
        most: usize,
    },
    /// The password is another, or the text has been changed.
    #[error("aes.KeyUnwrap(): integrity check failed. Is the password right?")]
    Password,
    /// The text has been changed.
    #[error("the text is damaged")]
    Damaged,
    /// OpenSSL refuses.
    #[error("{0}")]
    OpenSsl(#[from] openssl::error::ErrorStack),
}

#[derive(Serialize, Deserialize)]
struct Header {
    alg: String,
    #[serde(skip_serializing_if = "String::is_empty", default)]
    created: String,
    enc: String,
    #[serde(default)]
    p2c: u64,
    #[serde(default)]
    p2s: String,
}

/// How a password becomes the key that wraps the key of the text.
struct Derivation {
    digest: MessageDigest,
    key_bytes: usize,
    most_iterations: usize,
}

impl Header {
    fn derivation(&self) -> Result<Derivation, JweError> {
        let (digest, key_bytes, most_iterations) = match self.alg.as_str() {
            ALGORITHM => (MessageDigest::sha256(), 16, 1_300_000),
            "PBES2-HS384+A192KW" => (MessageDigest::sha384(), 24, 950_000),
            "PBES2-HS512+A256KW" => (MessageDigest::sha512(), 32, 600_000),
            other => return Err(JweError::Algorithm(other.to_owned())),
        };
        Ok(Derivation { digest, key_bytes, most_iterations })
    }

    fn cipher(&self) -> Result<Cipher, JweError> {
        match self.enc.as_str() {
            ENCRYPTION => Ok(Cipher::aes_256_gcm()),
            "A192GCM" => Ok(Cipher::aes_192_gcm()),
            "A128GCM" => Ok(Cipher::aes_128_gcm()),
            other => Err(JweError::Encryption(other.to_owned())),
        }
    }

    /// The key that wraps the key of the text.
    fn wrapping_key(&self, password: &Secret) -> Result<Zeroizing<Vec<u8>>, JweError> {
        let Derivation { digest, key_bytes, most_iterations } = self.derivation()?;
        let iterations = usize::try_from(self.p2c).unwrap_or(usize::MAX);
        if !(1..=most_iterations).contains(&iterations) {
            return Err(JweError::Iterations { found: self.p2c, most: most_iterations });
        }
        let salt = [self.alg.as_bytes(), &[0], &URL_SAFE_NO_PAD.decode(&self.p2s)?].concat();
        let mut key = Zeroizing::new(vec![0; key_bytes]);
        pbkdf2_hmac(password.expose().as_bytes(), &salt, iterations, digest, &mut key)?;
        Ok(key)
    }
}

/// Encrypts with a password; `created` is remembered in the open part.
///
/// # Errors
/// If the system has no chance to give.
pub fn encrypt_jwe(plain: &[u8], password: &Secret, created: &str) -> Result<String, JweError> {
    let (mut salt, mut vector) = ([0; SALT_BYTES], [0; VECTOR_BYTES]);
    rand_bytes(&mut salt)?;
    rand_bytes(&mut vector)?;
    let header = Header {
        alg: ALGORITHM.to_owned(),
        created: created.to_owned(),
        enc: ENCRYPTION.to_owned(),
        p2c: ITERATIONS as u64,
        p2s: URL_SAFE_NO_PAD.encode(salt),
    };
    let cipher = header.cipher()?;
    let mut key = Zeroizing::new(vec![0; cipher.key_len()]);
    rand_bytes(&mut key)?;
    let wrapping_key = header.wrapping_key(password)?;
    let wrapping_key = AesKey::new_encrypt(&wrapping_key).map_err(|_| JweError::Damaged)?;
    let mut wrapped = vec![0; key.len() + WRAP_BYTES];
    wrap_key(&wrapping_key, None, &mut wrapped, &key).map_err(|_| JweError::Damaged)?;
    let header = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&header)?);
    let mut tag = [0; TAG_BYTES];
    let encrypted = encrypt_aead(cipher, &key, Some(&vector), header.as_bytes(), plain, &mut tag)?;
    let parts = [&wrapped[..], &vector, &encrypted, &tag].map(|part| URL_SAFE_NO_PAD.encode(part));
    Ok(format!("{header}.{}", parts.join(".")))
}

/// Decrypts with a password.
///
/// # Errors
/// If the text is none of this form, or the password is another.
pub fn decrypt_jwe(text: &str, password: &Secret) -> Result<Zeroizing<Vec<u8>>, JweError> {
    let parts: Vec<&str> = text.trim_end().split('.').collect();
    let &[header, wrapped, vector, encrypted, tag] = parts.as_slice() else {
        return Err(JweError::Parts(parts.len()));
    };
    let [wrapped, vector, encrypted, tag] =
        [wrapped, vector, encrypted, tag].map(|part| URL_SAFE_NO_PAD.decode(part));
    let (wrapped, vector, encrypted, tag) = (wrapped?, vector?, encrypted?, tag?);
    let fields: Header = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header)?)?;
    let cipher = fields.cipher()?;
    let wrapping_key = fields.wrapping_key(password)?;
    let is_sized = wrapped.len() == cipher.key_len() + WRAP_BYTES
        && vector.len() == VECTOR_BYTES
        && tag.len() == TAG_BYTES;
    if !is_sized {
        return Err(JweError::Damaged);
    }
    let wrapping_key = AesKey::new_decrypt(&wrapping_key).map_err(|_| JweError::Damaged)?;
    let mut key = Zeroizing::new(vec![0; cipher.key_len()]);
    unwrap_key(&wrapping_key, None, &mut key, &wrapped).map_err(|_| JweError::Password)?;
    decrypt_aead(cipher, &key, Some(&vector), header.as_bytes(), &encrypted, &tag)
        .map(Zeroizing::new)
        .map_err(|_| JweError::Damaged)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a Telegraf wrote for the value `value1` under the password `topsecret`.
    const OF_TELEGRAF: &str = "\
        eyJhbGciOiJQQkVTMi1IUzI1NitBMTI4S1ciLCJjcmVhdGVkIjoiMjAyNi0xMS0yMSAxMzoyNDoyNC44\
        NDQzNjYxOTggKzAwMDAgVVRDIG09KzAuMDk3MjU3NjA5IiwiZW5jIjoiQTI1NkdDTSIsInAyYyI6ODE5\
        MiwicDJzIjoiNTd3Y3FGeHJ3bFY1am11UiJ9.HeOvCMw0wKQjSyanlslGIlq2P_QNvN7Ima_9_xH7JF4\
        FjaTvRDmTDw.Me6C0Of-fEuUXxXp.Wzcmtg9w0agexigo6ShMdTB3Vdt3S07Ubpwim4JsHtkWg9zsqio\
        bpc8b80NB4dFuCC3WneKtOKLT3tsxP2TI9BP1Pg3AIdHlPCr_3V5VACzG-abTuY3-\
        jNktDy2racwyv2Iot5u6pf4T9xzGlHO5q3x4jHuZYcKOQPnF35OUKTqbjw.yh4ckl8houwbPsCOiExc5\
        g";

    fn decrypted(text: &str, password: &str) -> Result<String, String> {
        let plain = decrypt_jwe(text, &Secret::new(password)).map_err(|error| error.to_string())?;
        Ok(String::from_utf8(plain.to_vec()).unwrap())
    }

    #[test]
    fn what_telegraf_writes_is_read() {
        assert_eq!(
            decrypted(OF_TELEGRAF, "topsecret").unwrap(),
            "{\"Key\":\"key1\",\"Data\":\"dmFsdWUx\",\"Label\":\"\",\"Description\":\"\",\
             \"KeychainNotTrustApplication\":false,\"KeychainNotSynchronizable\":false}"
        );
        let error = decrypted(OF_TELEGRAF, "wrong").unwrap_err();
        assert_eq!(error, "aes.KeyUnwrap(): integrity check failed. Is the password right?");
    }

    #[test]
    fn what_is_written_is_read_again_and_by_nobody_else() {
        let password = Secret::new("p");
        let text = encrypt_jwe(b"hush", &password, "now").unwrap();
        assert_eq!(decrypted(&format!("{text}\n"), "p").unwrap(), "hush");
        assert_ne!(encrypt_jwe(b"hush", &password, "now").unwrap(), text);
        let (rest, tag) = text.rsplit_once('.').unwrap();
        let other = if tag.starts_with('A') { "B" } else { "A" };
        let damaged = format!("{rest}.{other}{}", &tag[1..]);
        assert_eq!(decrypted(&damaged, "p").unwrap_err(), "the text is damaged");
    }

    #[test]
    fn texts_of_another_form_are_refused() {
        let with_header = |header: &str| {
            let zeros = |count| URL_SAFE_NO_PAD.encode(vec![0; count]);
            let parts = [zeros(40), zeros(12), zeros(1), zeros(16)];
            format!("{}.{}", URL_SAFE_NO_PAD.encode(header), parts.join("."))
        };
        let cases = [
            ("junk".to_owned(), "expects token of 5 parts, but was given: 1 parts"),
            ("!.!.!.!.!".to_owned(), "illegal base64 data"),
            (with_header("{}"), "invalid header: missing field `alg`"),
            (with_header("{\"alg\":\"dir\",\"enc\":\"A256GCM\"}"), "management algorithm \"dir\""),
            (with_header("{\"alg\":\"dir\",\"enc\":\"x\"}"), "encryption algorithm \"x\""),
            (
                with_header(
                    "{\"alg\":\"PBES2-HS256+A128KW\",\"enc\":\"A256GCM\",\"p2c\":99999999}",
                ),
                "expected 'p2c' to be between 1 and 1300000 but got 99999999",
            ),
        ];
        for (text, expected) in cases {
            let error = decrypted(&text, "p").unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn any_secret_survives(plain in any::<Vec<u8>>(), password in ".{1,20}") {
            let password = Secret::new(password);
            let text = encrypt_jwe(&plain, &password, "").unwrap();
            prop_assert_eq!(&*decrypt_jwe(&text, &password).unwrap(), &plain);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[A-Za-z0-9_.-]{0,80}") {
            prop_assert!(decrypt_jwe(&text, &Secret::new("p")).is_err());
        }
    }
}
