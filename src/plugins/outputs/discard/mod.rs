//! Throws metrics away.

use serde::{Deserialize, Serialize};

use crate::metric::Metric;
use crate::plugin::{Build, BuildError, ConnectError, Context, Declaration, Output, WriteError};

/// The output as the table lists it.
pub static PLUGIN: Declaration<dyn Output> =
    Declaration::new::<Config>("discard", include_str!("sample.conf"));

/// The output has no settings of its own.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {}

impl Build<dyn Output> for Config {
    fn build(self, _: &Context<'_>) -> Result<Box<dyn Output>, BuildError> {
        Ok(Box::new(Discard))
    }
}

/// An output that takes everything and keeps nothing.
#[derive(Debug)]
pub struct Discard;

impl Output for Discard {
    fn connect(&mut self) -> Result<(), ConnectError> {
        Ok(())
    }

    fn write(&mut self, _: &[Metric]) -> Result<(), WriteError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::Timestamp;

    #[test]
    fn whatever_is_written_counts_as_delivered() {
        let metric = Metric::new("m", Timestamp::EPOCH).with_field("v", 1_i64);
        assert!(Discard.connect().is_ok());
        assert!(Discard.write(&[metric]).is_ok());
        assert!(Discard.close().is_ok());
    }
}
