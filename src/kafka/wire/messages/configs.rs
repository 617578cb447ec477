//! `DescribeConfigs`: of the settings of topics one, by its name.

use super::{Decoded, Decoder, Refusal, refusal};
use crate::kafka::wire::encode::Encoder;
use crate::kafka::wire::request::{Api, Heads, Request};

/// Asks for a setting of topics.
pub(in crate::kafka::wire) struct DescribeConfigs<'t> {
    pub(in crate::kafka::wire) topics: Vec<&'t str>,
    pub(in crate::kafka::wire) setting: &'static str,
}

/// The number that stands for topics among what has settings.
const TOPIC: i8 = 2;

impl Request for DescribeConfigs<'_> {
    /// Topics, each with the value of its setting.
    type Answer = Vec<(String, Result<Option<String>, Refusal>)>;

    const API: Api = Api {
        key: 32,
        name: "DescribeConfigs",
        versions: 4..=4,
        since: "2.8",
        heads: Heads::Tagged,
    };

    fn encode(&self, _: i16, out: &mut Encoder) {
        out.array(&self.topics, |out, topic| {
            out.int8(TOPIC);
            out.string(topic);
            out.array(&[self.setting], |out, setting| out.string(setting));
            out.no_tags();
        });
        let (synonyms, documentation) = (false, false);
        out.boolean(synonyms);
        out.boolean(documentation);
        out.no_tags();
    }

    fn decode(_: i16, answer: &mut Decoder<'_>) -> Decoded<Self::Answer> {
        let _throttled_ms = answer.int32()?;
        answer.array(|answer| {
            let refused = refusal(answer)?;
            let _kind = answer.int8()?;
            let topic = answer.string()?;
            let mut value = None;
            answer.skip_array(|answer| {
                answer.skip_string()?;
                value = answer.nullable_string()?;
                let (_is_read_only, _source, _is_sensitive) =
                    (answer.boolean()?, answer.int8()?, answer.boolean()?);
                answer.skip_array(|answer| {
                    answer.skip_string()?;
                    answer.skip_string()?;
                    let _source = answer.int8()?;
                    answer.skip_tags()
                })?;
                let _kind = answer.int8()?;
                answer.skip_string()?;
                answer.skip_tags()
            })?;
            answer.skip_tags()?;
            Ok((topic, refused.map_or(Ok(value), Err)))
        })
    }
}
