//! Decryption of what is stored or sent encrypted: the one place, beside `http`, that knows OpenSSL.

mod cbc;
mod jwe;

pub use cbc::{CbcError, decrypt_cbc, derive_key};
pub use jwe::{JweError, decrypt_jwe, encrypt_jwe};
