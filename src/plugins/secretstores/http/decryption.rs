//! How secrets are decrypted that come encrypted.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::crypto::{decrypt_cbc, derive_key};
use crate::plugin::settings::SecretOption;
use crate::plugin::{BuildError, Context, PluginError, Quoted};
use crate::system::Secret;

const BLOCK_BYTES: usize = 16;

/// The options for AES.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct AesOptions {
    key: SecretOption,
    init_vector: SecretOption,
    kdf_algorithm: String,
    password: SecretOption,
    salt: SecretOption,
    iterations: usize,
}

impl Default for AesOptions {
    fn default() -> AesOptions {
        AesOptions {
            key: SecretOption::default(),
            init_vector: SecretOption::default(),
            kdf_algorithm: "PBKDF2-HMAC-SHA256".to_owned(),
            password: SecretOption::default(),
            salt: SecretOption::default(),
            iterations: 0,
        }
    }
}

/// What is done to a secret before it is handed out.
pub(super) enum Decryption {
    None,
    Aes(Aes),
}

/// AES in the mode CBC.
pub(super) struct Aes {
    key: Zeroizing<Vec<u8>>,
    vector: Zeroizing<Vec<u8>>,
    padding: Padding,
}

/// What fills the last block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Padding {
    None,
    Pkcs7,
}

impl Decryption {
    /// Reads a cipher such as `AES256/CBC/PKCS#7` and its options.
    pub(super) fn new(
        cipher: &str,
        options: &AesOptions,
        context: &Context<'_>,
    ) -> Result<Decryption, BuildError> {
        let parts: Vec<&str> = cipher.split('/').collect();
        let wrong =
            |message: String| BuildError::invalid(format!("creating decryptor failed: {message}"));
        match parts[0].to_lowercase().as_str() {
            "" | "none" => Ok(Decryption::None),
            "aes" | "aes128" | "aes192" | "aes256" => {
                match Variant::parse(&parts).and_then(|variant| options.aes(variant, context)) {
                    Ok(aes) => Ok(Decryption::Aes(aes)),
                    Err(Fault::Option(message)) => {
                        Err(wrong(format!("init of AES decrypter failed: {message}")))
                    }
                    Err(Fault::Secret(error)) => Err(error),
                }
            }
            _ => Err(wrong(format!("unknown cipher {}", Quoted::new(cipher)))),
        }
    }
}

/// What can be wrong with the options.
enum Fault {
    Option(String),
    Secret(BuildError),
}

impl From<BuildError> for Fault {
    fn from(error: BuildError) -> Fault {
        Fault::Secret(error)
    }
}

fn fault<T>(message: impl Into<String>) -> Result<T, Fault> {
    Err(Fault::Option(message.into()))
}

/// The size of the key and what fills the last block.
struct Variant {
    key_bytes: usize,
    padding: Padding,
}

impl Variant {
    fn parse(parts: &[&str]) -> Result<Variant, Fault> {
        let (name, mode, padding) = match parts {
            [_] => return fault("please specify cipher mode"),
            [name, mode] => (name, mode, ""),
            [name, mode, padding] => (name, mode, *padding),
            _ => return fault("too many variant elements"),
        };
        let key_bytes = match name.to_lowercase().as_str() {
            "aes128" => 16,
            "aes192" => 24,
            "aes256" => 32,
            other => return fault(format!("unsupported AES cipher {}", Quoted::new(other))),
        };
        if !mode.eq_ignore_ascii_case("cbc") {
            return fault(format!("unsupported cipher mode {}", Quoted::new(mode)));
        }
        let padding = match padding.to_lowercase().as_str() {
            "" | "none" => Padding::None,
            "pkcs#5" | "pkcs#7" => Padding::Pkcs7,
            other => return fault(format!("unsupported padding {}", Quoted::new(other))),
        };
        Ok(Variant { key_bytes, padding })
    }
}

impl AesOptions {
    fn aes(&self, variant: Variant, context: &Context<'_>) -> Result<Aes, Fault> {
        let Variant { key_bytes, padding } = variant;
        let key = match self.key.is_empty() {
            true => self.derived_key(key_bytes, context)?,
            false => {
                let key = from_hex("key", &context.fixed_secret(&self.key)?)?;
                if key.len() != key_bytes {
                    return fault(format!(
                        "key length ({} bit) does not match cipher ({} bit)",
                        key.len() * 8,
                        key_bytes * 8
                    ));
                }
                key
            }
        };
        if self.init_vector.is_empty() {
            return fault("'init_vector' has to be specified or derived from password");
        }
        let vector = context.fixed_secret(&self.init_vector)?;
        if vector.expose().len() != 2 * BLOCK_BYTES {
            return fault("init vector size must match block size");
        }
        Ok(Aes { key, vector: from_hex("init vector", &vector)?, padding })
    }

    fn derived_key(
        &self,
        key_bytes: usize,
        context: &Context<'_>,
    ) -> Result<Zeroizing<Vec<u8>>, Fault> {
        if self.password.is_empty() {
            return fault("either key or password has to be specified");
        }
        if self.salt.is_empty() || self.iterations == 0 {
            return fault("salt and iterations required for password-based-keys");
        }
        if !matches!(self.kdf_algorithm.to_uppercase().as_str(), "" | "PBKDF2-HMAC-SHA256") {
            return fault(format!(
                "generating key failed: unknown key-derivation function {}",
                Quoted::new(&self.kdf_algorithm)
            ));
        }
        let password = context.fixed_secret(&self.password)?;
        let salt = context.fixed_secret(&self.salt)?;
        let (password, salt) = (password.expose().as_bytes(), salt.expose().as_bytes());
        derive_key(password, salt, self.iterations, key_bytes)
            .map_err(|error| Fault::Option(format!("generating key failed: {error}")))
    }
}

fn from_hex(what: &str, text: &Secret) -> Result<Zeroizing<Vec<u8>>, Fault> {
    let digits = text.expose().chars().map(|digit| digit.to_digit(16));
    let digits: Option<Zeroizing<Vec<u32>>> = digits.collect::<Option<_>>().map(Zeroizing::new);
    let Some(digits) = digits.filter(|digits| digits.len().is_multiple_of(2)) else {
        return fault(format!(
            "decoding {what} failed: it does not consist of pairs of hexadecimal digits"
        ));
    };
    let pairs = digits.chunks_exact(2);
    Ok(Zeroizing::new(pairs.map(|pair| (pair[0] << 4 | pair[1]) as u8).collect()))
}

impl Aes {
    pub(super) fn decrypt(&self, encrypted: &[u8]) -> Result<Secret, PluginError> {
        let plain = decrypt_cbc(&self.key, &self.vector, encrypted)?;
        let text = match self.padding {
            Padding::None => &plain[..],
            Padding::Pkcs7 => without_padding(&plain)?,
        };
        let text = std::str::from_utf8(text).map_err(|_| "the secret is not UTF-8 text")?;
        Ok(Secret::new(text))
    }
}

/// Takes away what fills the last block: as many bytes as the last one says.
fn without_padding(plain: &[u8]) -> Result<&[u8], PluginError> {
    let count = usize::from(*plain.last().ok_or("empty value to trim")?);
    match plain.len().checked_sub(count) {
        Some(rest) => Ok(&plain[..rest]),
        None => Err(format!("length {} shorter than trim value {count}", plain.len()).into()),
    }
}
