//! Names and tags that metrics are given, whatever they have.

use std::collections::BTreeMap;

use compact_str::CompactString;

use crate::metric::{Metric, Tag};

/// What is put in place of, before and behind names, and tags that are set.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    name_override: CompactString,
    name_prefix: String,
    name_suffix: String,
    tags: Vec<Tag>,
}

impl Overrides {
    /// Makes overrides from options; those that are empty do nothing.
    pub fn new(
        name_override: String,
        name_prefix: String,
        name_suffix: String,
        tags: BTreeMap<String, String>,
    ) -> Overrides {
        let tags =
            tags.into_iter().map(|(key, value)| Tag { key: key.into(), value: value.into() });
        let (name_override, tags) = (name_override.into(), tags.collect());
        Overrides { name_override, name_prefix, name_suffix, tags }
    }

    /// Renames and tags a metric: override, prefix, suffix, tags.
    pub fn apply(&self, metric: &mut Metric) {
        if !self.name_override.is_empty() {
            metric.name.clone_from(&self.name_override);
        }
        if !self.name_prefix.is_empty() {
            metric.name.insert_str(0, &self.name_prefix);
        }
        metric.name.push_str(&self.name_suffix);
        for tag in &self.tags {
            metric.set_tag(tag.key.clone(), tag.value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::Timestamp;

    #[test]
    fn names_are_put_together_and_tags_replaced() {
        let tags = BTreeMap::from([("a".to_owned(), "2".to_owned())]);
        let metric = Metric::new("m", Timestamp::EPOCH).with_tag("a", "1").with_tag("b", "1");
        for (name_override, expected) in [("", "pre_m_suf"), ("n", "pre_n_suf")] {
            let mut metric = metric.clone();
            let [prefix, suffix] = ["pre_", "_suf"].map(str::to_owned);
            Overrides::new(name_override.into(), prefix, suffix, tags.clone()).apply(&mut metric);
            assert_eq!(metric.name, expected);
            assert_eq!((metric.tag("a"), metric.tag("b")), (Some("2"), Some("1")));
        }
        let mut same = metric.clone();
        Overrides::default().apply(&mut same);
        assert_eq!(same, metric);
    }
}
