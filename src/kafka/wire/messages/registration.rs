//! `DescribeCluster`: the brokers that belong to the cluster, also those that are away.

use super::{Decoded, Decoder, Refusal, refusal};
use crate::kafka::wire::encode::Encoder;
use crate::kafka::wire::request::{Api, Heads, Request};

/// Asks for all brokers that are registered.
pub(in crate::kafka::wire) struct DescribeCluster;

/// A broker that belongs to the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Registration {
    /// Its number.
    pub broker: i32,
    /// Whether it takes part; one that is away, or not ready yet, is fenced off.
    pub is_fenced: bool,
}

impl Request for DescribeCluster {
    type Answer = Result<Vec<Registration>, Refusal>;

    /// Before version 2 only brokers are told that take part, which is known from the metadata.
    const API: Api = Api {
        key: 60,
        name: "DescribeCluster",
        versions: 2..=2,
        since: "4.0",
        heads: Heads::Tagged,
    };

    fn encode(&self, _: i16, out: &mut Encoder) {
        let (cluster_operations, endpoints_of_brokers, fenced_ones) = (false, 1, true);
        out.boolean(cluster_operations);
        out.int8(endpoints_of_brokers);
        out.boolean(fenced_ones);
        out.no_tags();
    }

    fn decode(_: i16, answer: &mut Decoder<'_>) -> Decoded<Self::Answer> {
        let _throttled_ms = answer.int32()?;
        let refused = refusal(answer)?;
        let _endpoint_type = answer.int8()?;
        answer.skip_string()?;
        let _controller = answer.int32()?;
        let brokers = answer.array(|answer| {
            let broker = answer.int32()?;
            answer.skip_string()?;
            let _port = answer.int32()?;
            answer.skip_string()?;
            let is_fenced = answer.boolean()?;
            answer.skip_tags()?;
            Ok(Registration { broker, is_fenced })
        })?;
        Ok(refused.map_or(Ok(brokers), Err))
    }
}
