//! `ApiVersions`: which requests a broker knows, the first that it is asked.

use super::{Decoded, Decoder, ErrorCode};
use crate::kafka::wire::encode::Encoder;
use crate::kafka::wire::request::{Api, Heads, Request};

/// Asks which requests a broker knows in which versions.
pub(in crate::kafka::wire) struct ApiVersions;

/// The requests that a broker knows, each with its lowest and highest version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::kafka::wire) struct OfferedVersions(pub(super) Vec<(i16, i16, i16)>);

impl OfferedVersions {
    /// The lowest and the highest version of the request with a key.
    pub(in crate::kafka::wire) fn of(&self, key: i16) -> Option<(i16, i16)> {
        let found = self.0.iter().find(|(offered, _, _)| *offered == key);
        found.map(|(_, lowest, highest)| (*lowest, *highest))
    }
}

impl Request for ApiVersions {
    type Answer = Result<OfferedVersions, ErrorCode>;

    const API: Api = Api {
        key: 18,
        name: "ApiVersions",
        versions: 3..=3,
        since: "2.4",
        heads: Heads::TaggedRequest,
    };

    fn encode(&self, _: i16, out: &mut Encoder) {
        // Brokers count connections by the name and version of the software.
        out.string(env!("CARGO_PKG_NAME"));
        out.string(env!("CARGO_PKG_VERSION"));
        out.no_tags();
    }

    fn decode(_: i16, answer: &mut Decoder<'_>) -> Decoded<Self::Answer> {
        if let Some(code) = ErrorCode::of(answer.int16()?) {
            // What follows is in the version that the broker knows.
            return Ok(Err(code));
        }
        let offered = answer.array(|answer| {
            let offered = (answer.int16()?, answer.int16()?, answer.int16()?);
            answer.skip_tags()?;
            Ok(offered)
        })?;
        let _throttled_ms = answer.int32()?;
        answer.skip_tags()?;
        Ok(Ok(OfferedVersions(offered)))
    }
}
