//! AES in the mode CBC, and keys made of passwords.

use openssl::hash::MessageDigest;
use openssl::pkcs5::pbkdf2_hmac;
use openssl::symm::{Cipher, Crypter, Mode};
use zeroize::Zeroizing;

/// The size of a block of AES.
const BLOCK_BYTES: usize = 16;

/// Why something cannot be decrypted.
#[derive(Debug, thiserror::Error)]
pub enum CbcError {
    /// The data does not consist of whole blocks.
    #[error("invalid data size {0}")]
    DataSize(usize),
    /// The key has a size that AES does not take.
    #[error("invalid key size {0}")]
    KeySize(usize),
    /// The first vector is not as long as a block.
    #[error("init vector size must match block size")]
    VectorSize,
    /// OpenSSL refuses.
    #[error("{0}")]
    OpenSsl(#[from] openssl::error::ErrorStack),
}

/// Decrypts with AES in the mode CBC; what fills the last block stays.
///
/// # Errors
/// If a size does not fit.
pub fn decrypt_cbc(key: &[u8], vector: &[u8], data: &[u8]) -> Result<Zeroizing<Vec<u8>>, CbcError> {
    let cipher = match key.len() {
        16 => Cipher::aes_128_cbc(),
        24 => Cipher::aes_192_cbc(),
        32 => Cipher::aes_256_cbc(),
        other => return Err(CbcError::KeySize(other)),
    };
    if vector.len() != BLOCK_BYTES {
        return Err(CbcError::VectorSize);
    }
    if !data.len().is_multiple_of(BLOCK_BYTES) {
        return Err(CbcError::DataSize(data.len()));
    }
    let mut crypter = Crypter::new(cipher, Mode::Decrypt, key, Some(vector))?;
    crypter.pad(false);
    let mut plain = Zeroizing::new(vec![0; data.len() + BLOCK_BYTES]);
    let count = crypter.update(data, &mut plain)?;
    let rest = crypter.finalize(&mut plain[count..])?;
    plain.truncate(count + rest);
    Ok(plain)
}

/// Makes a key of a password: PBKDF2 with HMAC and SHA-256.
///
/// # Errors
/// If there are no iterations.
pub fn derive_key(
    password: &[u8],
    salt: &[u8],
    iterations: usize,
    key_bytes: usize,
) -> Result<Zeroizing<Vec<u8>>, CbcError> {
    let mut key = Zeroizing::new(vec![0; key_bytes]);
    pbkdf2_hmac(password, salt, iterations, MessageDigest::sha256(), &mut key)?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
            .collect()
    }

    #[test]
    fn the_examples_of_the_standard_are_decrypted() {
        // NIST SP 800-38A, F.2.2 and F.2.6: the first block.
        let vector = bytes("000102030405060708090a0b0c0d0e0f");
        let plain = bytes("6bc1bee22e409f96e93d7e117393172a");
        for (key, encrypted) in [
            ("2b7e151628aed2a6abf7158809cf4f3c", "7649abac8119b246cee98e9b12e9197d"),
            (
                "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
                "f58c4c04d6e5f1ba779eabfb5f7bfbd6",
            ),
        ] {
            let found = decrypt_cbc(&bytes(key), &vector, &bytes(encrypted)).unwrap();
            assert_eq!(*found, plain);
        }
    }

    #[test]
    fn sizes_that_do_not_fit_are_refused() {
        let error = |key: usize, vector: usize, data: usize| {
            decrypt_cbc(&vec![0; key], &vec![0; vector], &vec![0; data]).unwrap_err().to_string()
        };
        assert_eq!(error(16, 16, 17), "invalid data size 17");
        assert_eq!(error(15, 16, 16), "invalid key size 15");
        assert_eq!(error(16, 8, 16), "init vector size must match block size");
        assert!(decrypt_cbc(&[0; 16], &[0; 16], &[]).unwrap().is_empty());
    }

    #[test]
    fn keys_are_those_of_the_standard() {
        // RFC 7914, section 11.
        let key = derive_key(b"passwd", b"salt", 1, 64).unwrap();
        let expected = "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc\
                        49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783"
            .replace(' ', "");
        assert_eq!(*key, bytes(&expected));
    }
}
