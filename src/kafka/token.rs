//! The tokens of OAUTHBEARER.
//!
//! # References
//! KIP-255.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::system::Secret;

/// A token and how long it holds.
#[derive(Debug, Clone)]
pub struct Token {
    /// What the brokers get.
    pub text: Secret,
    /// When it ends, in milliseconds since 1970; a token of which that is not known is good until
    /// the brokers refuse it.
    pub until_ms: Option<i64>,
}

/// Makes a token, or says why there is none.
type MakeToken = dyn Fn() -> Result<Token, Box<dyn Error>> + Send + Sync;

/// Where tokens come from; it is asked for another before the last one ends.
#[derive(Clone)]
pub struct TokenSource(Arc<MakeToken>);

impl TokenSource {
    /// A source that makes tokens when they are wanted, which may take as long as asking a service.
    pub fn new(
        make: impl Fn() -> Result<Token, Box<dyn Error>> + Send + Sync + 'static,
    ) -> TokenSource {
        TokenSource(Arc::new(make))
    }

    /// A source of one token.
    pub fn fixed(text: Secret) -> TokenSource {
        TokenSource::new(move || Ok(Token { text: text.clone(), until_ms: None }))
    }

    /// A token that holds now.
    ///
    /// # Errors
    /// Whatever keeps the source from making one.
    pub fn token(&self) -> Result<Token, Box<dyn Error>> {
        (self.0)()
    }
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenSource")
    }
}
