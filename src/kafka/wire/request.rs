//! What a request is: a key, the versions that are understood here, and how both ways are written.

use std::ops::RangeInclusive;

use super::decode::{Decoded, Decoder};
use super::encode::Encoder;

/// A kind of request, as brokers know it.
pub(super) struct Api {
    /// The number that stands for it.
    pub(super) key: i16,
    /// Its name in Kafka's protocol guide.
    pub(super) name: &'static str,
    /// The versions that are understood here; the highest that the broker knows is taken.
    pub(super) versions: RangeInclusive<i16>,
    /// The release of Kafka that brought the lowest of them.
    pub(super) since: &'static str,
    /// What stands before requests and answers.
    pub(super) heads: Heads,
}

/// What stands before requests and answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heads {
    /// Heads that end with tags, both of them.
    Tagged,
    /// Only that of the request ends with tags: who asks for the versions does not know yet what
    /// the broker understands (KIP-511).
    TaggedRequest,
    /// Heads as they were before there were tags.
    Plain,
}

/// A request with what it is answered with.
pub(super) trait Request {
    /// What a broker says to it.
    type Answer;

    /// Its kind.
    const API: Api;

    /// Writes what stands behind the head.
    fn encode(&self, version: i16, out: &mut Encoder);

    /// Reads what stands behind the head.
    fn decode(version: i16, answer: &mut Decoder<'_>) -> Decoded<Self::Answer>;
}

impl Api {
    /// The head of a request: what it is, of what version, and the number by which its answer is
    /// known.
    pub(super) fn encode_head(
        &self,
        version: i16,
        number: i32,
        client_id: &str,
        out: &mut Encoder,
    ) {
        out.int16(self.key);
        out.int16(version);
        out.int32(number);
        out.plain_string(client_id);
        if self.heads != Heads::Plain {
            out.no_tags();
        }
    }

    /// The number in the head of an answer.
    pub(super) fn decode_head(&self, answer: &mut Decoder<'_>) -> Decoded<i32> {
        let number = answer.int32()?;
        if self.heads == Heads::Tagged {
            answer.skip_tags()?;
        }
        Ok(number)
    }
}
