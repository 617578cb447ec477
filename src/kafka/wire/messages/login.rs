//! `SaslHandshake` and `SaslAuthenticate`: proving who one is.

use super::{Decoded, Decoder, ErrorCode, Refusal, refusal};
use crate::kafka::wire::encode::Encoder;
use crate::kafka::wire::request::{Api, Heads, Request};

/// Names the mechanism.
pub(in crate::kafka::wire) struct SaslHandshake(pub(in crate::kafka::wire) &'static str);

impl Request for SaslHandshake {
    /// The error, and the mechanisms that the broker would take.
    type Answer = Result<(), (ErrorCode, Vec<String>)>;

    const API: Api =
        Api { key: 17, name: "SaslHandshake", versions: 1..=1, since: "1.0", heads: Heads::Plain };

    fn encode(&self, _: i16, out: &mut Encoder) {
        out.plain_string(self.0);
    }

    fn decode(_: i16, answer: &mut Decoder<'_>) -> Decoded<Self::Answer> {
        let code = ErrorCode::of(answer.int16()?);
        let mut mechanisms = Vec::new();
        for _ in 0..answer.int32()? {
            mechanisms.push(answer.plain_string()?);
        }
        Ok(code.map_or(Ok(()), |code| Err((code, mechanisms))))
    }
}

/// One step of a mechanism.
pub(in crate::kafka::wire) struct SaslAuthenticate<'b>(pub(in crate::kafka::wire) &'b [u8]);

impl Request for SaslAuthenticate<'_> {
    type Answer = Result<Vec<u8>, Refusal>;

    const API: Api = Api {
        key: 36,
        name: "SaslAuthenticate",
        versions: 2..=2,
        since: "2.5",
        heads: Heads::Tagged,
    };

    fn encode(&self, _: i16, out: &mut Encoder) {
        out.compact_bytes(self.0);
        out.no_tags();
    }

    fn decode(_: i16, answer: &mut Decoder<'_>) -> Decoded<Self::Answer> {
        let refused = refusal(answer)?;
        let reply = answer.nullable_bytes()?.unwrap_or_default().to_vec();
        // A broker that wants the login again after a while closes the connection, and a new one
        // logs in.
        let _lifetime_ms = answer.int64()?;
        answer.skip_tags()?;
        Ok(refused.map_or(Ok(reply), Err))
    }
}
