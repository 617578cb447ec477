//! Logging in with a password that never leaves the client.
//!
//! # References
//! RFC 5802 for the exchange, RFC 7677 for SHA-256; KIP-84 for its use by Kafka.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256, Sha512};

use crate::kafka::Credentials;

/// Names that the header of the exchange has for "no binding to the channel", in base64.
const NO_CHANNEL_BINDING: &str = "c=biws";

/// The most rounds of hashing that a broker may ask for: they take a second or so.
const MOST_ROUNDS: u32 = 1_000_000;

/// The hash function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hash {
    Sha256,
    Sha512,
}

/// An exchange that the client has begun.
pub(super) struct Exchange<'c> {
    hash: Hash,
    credentials: &'c Credentials,
    nonce: String,
}

/// An exchange of which only the broker's own proof is missing.
pub(super) struct Proven {
    /// What the broker's proof has to be.
    expected: Vec<u8>,
}

impl<'c> Exchange<'c> {
    /// Begins an exchange; nobody may be able to foresee the nonce, which has no comma in it.
    pub(super) fn new(hash: Hash, credentials: &'c Credentials, nonce: String) -> Exchange<'c> {
        Exchange { hash, credentials, nonce }
    }

    /// The client's first message.
    pub(super) fn first(&self) -> String {
        format!("n,,{}", self.first_bare())
    }

    fn first_bare(&self) -> String {
        let name = self.credentials.username.replace('=', "=3D").replace(',', "=2C");
        format!("n={name},r={}", self.nonce)
    }

    /// The client's last message, in answer to the broker's first.
    ///
    /// # Errors
    /// What is wrong with the broker's message.
    pub(super) fn prove(&self, from_broker: &[u8]) -> Result<(String, Proven), String> {
        let told = std::str::from_utf8(from_broker).map_err(|_| "its message is no text")?;
        let part = |key: char| {
            let mut parts = told.split(',');
            parts.find_map(|part| part.strip_prefix(key)?.strip_prefix('='))
        };
        let nonce = part('r').filter(|nonce| nonce.starts_with(&self.nonce));
        let nonce = nonce.ok_or("its nonce does not begin with that of the client")?;
        let salt = part('s').and_then(|salt| STANDARD.decode(salt).ok());
        let salt = salt.ok_or("there is no salt in its message")?;
        let rounds: Option<u32> = part('i').and_then(|rounds| rounds.parse().ok());
        let rounds = rounds
            .filter(|rounds| (1..=MOST_ROUNDS).contains(rounds))
            .ok_or("its number of rounds is none, or too many")?;

        let last_bare = format!("{NO_CHANNEL_BINDING},r={nonce}");
        let signed = format!("{},{told},{last_bare}", self.first_bare());
        let hash = self.hash;
        let salted = hash.salted(self.credentials.password.expose().as_bytes(), &salt, rounds);
        let mut proof = hash.hmac(&salted, b"Client Key");
        let signature = hash.hmac(&hash.digest(&proof), signed.as_bytes());
        proof.iter_mut().zip(signature).for_each(|(byte, other)| *byte ^= other);
        let expected = hash.hmac(&hash.hmac(&salted, b"Server Key"), signed.as_bytes());
        Ok((format!("{last_bare},p={}", STANDARD.encode(proof)), Proven { expected }))
    }
}

impl Proven {
    /// Whether the broker has proven in its last message that it knows the password, too.
    ///
    /// # Errors
    /// What it says instead.
    pub(super) fn check(&self, from_broker: &[u8]) -> Result<(), String> {
        let told = String::from_utf8_lossy(from_broker);
        if let Some(error) = told.strip_prefix("e=") {
            return Err(error.to_owned());
        }
        let proof = told.strip_prefix("v=").and_then(|rest| rest.split(',').next());
        match proof.and_then(|proof| STANDARD.decode(proof).ok()) {
            Some(proof) if proof == self.expected => Ok(()),
            _ => Err("the broker does not know the password itself".to_owned()),
        }
    }
}

impl Hash {
    fn digest(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Hash::Sha256 => Sha256::digest(bytes).to_vec(),
            Hash::Sha512 => Sha512::digest(bytes).to_vec(),
        }
    }

    fn hmac(self, key: &[u8], text: &[u8]) -> Vec<u8> {
        match self {
            Hash::Sha256 => Keyed::<Sha256>::new(key, SHA256_BLOCK).hmac(&[text]),
            Hash::Sha512 => Keyed::<Sha512>::new(key, SHA512_BLOCK).hmac(&[text]),
        }
    }

    fn salted(self, password: &[u8], salt: &[u8], rounds: u32) -> Vec<u8> {
        match self {
            Hash::Sha256 => Keyed::<Sha256>::new(password, SHA256_BLOCK).salted(salt, rounds),
            Hash::Sha512 => Keyed::<Sha512>::new(password, SHA512_BLOCK).salted(salt, rounds),
        }
    }
}

/// What the functions work on at a time, in bytes.
const SHA256_BLOCK: usize = 64;
const SHA512_BLOCK: usize = 128;

/// A hash function with a key worked in, once for all uses of the key.
struct Keyed<D> {
    inner: D,
    outer: D,
}

impl<D: Digest + Clone> Keyed<D> {
    fn new(key: &[u8], block_bytes: usize) -> Keyed<D> {
        let mut block = if key.len() > block_bytes { D::digest(key).to_vec() } else { key.into() };
        block.resize(block_bytes, 0);
        let mut begun = |with: u8| {
            block.iter_mut().for_each(|byte| *byte ^= with);
            D::new().chain_update(&block)
        };
        let inner = begun(0x36);
        // Takes the first away again.
        let outer = begun(0x36 ^ 0x5c);
        Keyed { inner, outer }
    }

    /// RFC 2104.
    fn hmac(&self, parts: &[&[u8]]) -> Vec<u8> {
        let inner = parts.iter().fold(self.inner.clone(), |inner, part| inner.chain_update(part));
        self.outer.clone().chain_update(inner.finalize()).finalize().to_vec()
    }

    /// PBKDF2 of RFC 8018 with one block.
    fn salted(&self, salt: &[u8], rounds: u32) -> Vec<u8> {
        let mut round = self.hmac(&[salt, &[0, 0, 0, 1]]);
        let mut all = round.clone();
        for _ in 1..rounds {
            round = self.hmac(&[&round]);
            all.iter_mut().zip(&round).for_each(|(byte, other)| *byte ^= other);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::Secret;

    fn credentials(username: &str) -> Credentials {
        Credentials { username: username.to_owned(), password: Secret::new("pencil") }
    }

    #[test]
    fn the_exchange_of_the_rfc_is_spoken() {
        let user = credentials("user");
        let exchange = Exchange::new(Hash::Sha256, &user, "rOprNGfwEbeRWgbNEkqO".to_owned());
        assert_eq!(exchange.first(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let told = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                     s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        let (last, proven) = exchange.prove(told).unwrap();
        assert_eq!(
            last,
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        assert_eq!(proven.check(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="), Ok(()));
        assert!(proven.check(b"v=AAAA").is_err());
        assert_eq!(proven.check(b"e=other-error"), Err("other-error".to_owned()));
    }

    #[test]
    fn what_a_broker_may_not_say_is_refused() {
        let user = credentials("a=b,c");
        let exchange = Exchange::new(Hash::Sha512, &user, "abc".to_owned());
        assert_eq!(exchange.first(), "n,,n=a=3Db=2Cc,r=abc");
        for told in [
            &b"r=other,s=AAAA,i=4096"[..],
            b"r=abcd,i=4096",
            b"r=abcd,s=AAAA",
            b"r=abcd,s=AAAA,i=0",
            b"r=abcd,s=AAAA,i=2000000000",
            b"\xff",
        ] {
            assert!(exchange.prove(told).is_err(), "{}", String::from_utf8_lossy(told));
        }
        assert!(exchange.prove(b"r=abcd,s=AAAA,i=1").is_ok());
    }

    #[test]
    fn keys_longer_than_a_block_are_hashed_first() {
        // RFC 4231, test case 6.
        let hex =
            |bytes: Vec<u8>| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let text = b"Test Using Larger Than Block-Size Key - Hash Key First";
        let sha256 = hex(Hash::Sha256.hmac(&[0xaa; 131], text));
        assert_eq!(sha256, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
        let sha512 = hex(Hash::Sha512.hmac(&[0xaa; 131], text));
        assert!(sha512.starts_with("80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1"), "{sha512}");
    }
}
