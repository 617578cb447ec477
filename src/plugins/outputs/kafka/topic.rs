//! Which topic a metric goes to, and with which key.
//!
//! # References
//! Telegraf's `outputs.kafka`.

use std::borrow::Cow;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use crate::metric::Metric;

/// What is appended to the topic's name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct TopicSuffix {
    pub(super) method: SuffixMethod,
    /// The tags whose values are appended, with the method `tags`.
    pub(super) keys: Vec<String>,
    /// What stands between the parts.
    pub(super) separator: String,
}

/// Where the suffix of a topic comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum SuffixMethod {
    /// There is none.
    #[default]
    #[serde(rename = "")]
    None,
    /// The metric's name.
    Measurement,
    /// The values of tags.
    Tags,
}

/// The rules by which topics are chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TopicRules {
    /// The topic of metrics without the tag.
    pub(super) topic: String,
    /// The tag that names the topic; empty for none.
    pub(super) tag: String,
    pub(super) tag_is: TopicTag,
    pub(super) suffix: TopicSuffix,
}

/// What becomes of the tag that names the topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TopicTag {
    /// It is written like any other.
    Kept,
    /// It is taken off the metric, and then serves as suffix and key no more.
    Excluded,
}

impl TopicRules {
    /// The topic of a metric, and the metric as it is written.
    pub(super) fn apply<'m>(&self, metric: &'m Metric) -> (CompactString, Cow<'m, Metric>) {
        let mut metric = Cow::Borrowed(metric);
        let mut topic = CompactString::from(self.topic.as_str());
        if !self.tag.is_empty()
            && let Some(value) = metric.tag(&self.tag)
        {
            topic = value.into();
            if self.tag_is == TopicTag::Excluded {
                metric.to_mut().remove_tag(&self.tag);
            }
        }
        match self.suffix.method {
            SuffixMethod::None => {}
            SuffixMethod::Measurement => {
                topic.push_str(&self.suffix.separator);
                topic.push_str(&metric.name);
            }
            SuffixMethod::Tags => {
                for value in self.suffix.keys.iter().filter_map(|key| metric.tag(key)) {
                    if !value.is_empty() {
                        topic.push_str(&self.suffix.separator);
                        topic.push_str(value);
                    }
                }
            }
        }
        (topic, metric)
    }
}

/// The rules by which keys are chosen.
#[derive(Debug)]
pub(super) struct KeyRules {
    /// The tag whose value is the key; empty for none.
    tag: String,
    fallback: Fallback,
}

/// The key of metrics without the tag.
#[derive(Debug)]
enum Fallback {
    None,
    Fixed(CompactString),
    Random(fastrand::Rng),
}

impl KeyRules {
    /// Makes the rules of the options `routing_tag` and `routing_key`.
    pub(super) fn new(tag: String, key: &str, rng: fastrand::Rng) -> KeyRules {
        let fallback = match key {
            "" => Fallback::None,
            "random" => Fallback::Random(rng),
            key => Fallback::Fixed(key.into()),
        };
        KeyRules { tag, fallback }
    }

    /// The key of a metric, if it has one.
    pub(super) fn key(&mut self, metric: &Metric) -> Option<CompactString> {
        if !self.tag.is_empty()
            && let Some(value) = metric.tag(&self.tag)
        {
            return (!value.is_empty()).then(|| value.into());
        }
        match &mut self.fallback {
            Fallback::None => None,
            Fallback::Fixed(key) => Some(key.clone()),
            Fallback::Random(rng) => {
                let bytes = rng.u128(..).to_be_bytes();
                let uuid = uuid::Builder::from_random_bytes(bytes).into_uuid();
                let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
                Some(CompactString::from(&*uuid.hyphenated().encode_lower(&mut text)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::Timestamp;

    fn metric() -> Metric {
        Metric::new("cpu", Timestamp::EPOCH).with_tag("host", "a").with_tag("to", "other")
    }

    fn suffix(method: SuffixMethod, keys: &[&str]) -> TopicSuffix {
        let keys = keys.iter().map(|key| (*key).to_owned()).collect();
        TopicSuffix { method, keys, separator: "__".into() }
    }

    #[test]
    fn topics_follow_the_rules_of_telegraf() {
        use SuffixMethod::{Measurement, None, Tags};
        use TopicTag::{Excluded, Kept};
        for (tag, tag_is, suffix, topic) in [
            ("", Kept, suffix(None, &[]), "telegraf"),
            ("absent", Kept, suffix(None, &[]), "telegraf"),
            ("to", Kept, suffix(None, &[]), "other"),
            ("to", Excluded, suffix(None, &[]), "other"),
            ("", Kept, suffix(Measurement, &[]), "telegraf__cpu"),
            ("to", Kept, suffix(Measurement, &[]), "other__cpu"),
            ("", Kept, suffix(Tags, &[]), "telegraf"),
            ("", Kept, suffix(Tags, &["host"]), "telegraf__a"),
            ("", Kept, suffix(Tags, &["absent", "to", "host"]), "telegraf__other__a"),
            // A tag that is taken off is no suffix either.
            ("to", Excluded, suffix(Tags, &["to", "host"]), "other__a"),
        ] {
            let rules = TopicRules { topic: "telegraf".into(), tag: tag.into(), tag_is, suffix };
            let original = metric();
            let (found, written) = rules.apply(&original);
            assert_eq!(found, topic, "{rules:?}");
            let is_off = tag == "to" && tag_is == Excluded;
            assert_eq!(written.tag("to").is_none(), is_off, "{rules:?}");
        }
    }

    #[test]
    fn the_tag_is_the_key_and_the_routing_key_stands_in_for_it() {
        for (tag, key, expected) in [
            ("", "", None),
            ("host", "", Some("a")),
            ("host", "fixed", Some("a")),
            ("absent", "fixed", Some("fixed")),
            ("absent", "", None),
        ] {
            let mut rules = KeyRules::new(tag.into(), key, fastrand::Rng::with_seed(1));
            assert_eq!(rules.key(&metric()).as_deref(), expected, "{tag} {key}");
        }
    }

    #[test]
    fn random_keys_are_uuids_of_version_4_and_all_different() {
        let mut rules = KeyRules::new(String::new(), "random", fastrand::Rng::with_seed(1));
        let keys: std::collections::HashSet<_> =
            (0..1000).map(|_| rules.key(&metric()).unwrap()).collect();
        assert_eq!(keys.len(), 1000);
        for key in keys {
            assert_eq!(uuid::Uuid::parse_str(&key).unwrap().get_version_num(), 4, "{key}");
        }
    }
}
