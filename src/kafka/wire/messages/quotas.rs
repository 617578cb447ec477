//! `DescribeClientQuotas`: how much clients may ask of a broker.

use super::{Decoded, Decoder, Refusal, refusal};
use crate::kafka::wire::encode::Encoder;
use crate::kafka::wire::request::{Api, Heads, Request};

/// Asks for all quotas that were set.
pub(in crate::kafka::wire) struct DescribeClientQuotas;

/// What somebody may ask of a broker.
#[derive(Debug, Clone, PartialEq)]
pub struct ClientQuota {
    /// Who: a user, a client id, an address, or a user with a client id.
    pub entities: Vec<QuotaEntity>,
    /// Quotas by their names, such as `producer_byte_rate` in bytes a second.
    pub values: Vec<(String, f64)>,
}

/// Who a quota is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotaEntity {
    /// `user`, `client-id` or `ip`.
    pub kind: String,
    /// The name; none for whoever has no quota of their own.
    pub name: Option<String>,
}

impl Request for DescribeClientQuotas {
    type Answer = Result<Vec<ClientQuota>, Refusal>;

    const API: Api = Api {
        key: 48,
        name: "DescribeClientQuotas",
        versions: 1..=1,
        since: "2.8",
        heads: Heads::Tagged,
    };

    fn encode(&self, _: i16, out: &mut Encoder) {
        let everybody: [&str; 0] = [];
        out.array(&everybody, |out, kind| out.string(kind));
        let only_these_kinds = false;
        out.boolean(only_these_kinds);
        out.no_tags();
    }

    fn decode(_: i16, answer: &mut Decoder<'_>) -> Decoded<Self::Answer> {
        let _throttled_ms = answer.int32()?;
        let refused = refusal(answer)?;
        let quotas = answer.array(|answer| {
            let entities = answer.array(|answer| {
                let entity =
                    QuotaEntity { kind: answer.string()?, name: answer.nullable_string()? };
                answer.skip_tags()?;
                Ok(entity)
            })?;
            let values = answer.array(|answer| {
                let value = (answer.string()?, answer.float64()?);
                answer.skip_tags()?;
                Ok(value)
            })?;
            answer.skip_tags()?;
            Ok(ClientQuota { entities, values })
        })?;
        Ok(refused.map_or(Ok(quotas), Err))
    }
}
