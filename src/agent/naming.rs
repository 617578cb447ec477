//! Renaming and tagging of metrics.

use crate::metric::{Metric, Tag};

use super::options::NamingOptions;

/// The names and tags that a plugin's metrics get: override, then prefix, then suffix; its own
/// tags before global ones, none of them in place of a tag that is there.
#[derive(Debug, Clone, Default)]
pub struct Naming {
    name_override: String,
    name_prefix: String,
    name_suffix: String,
    /// The plugin's own tags.
    local: Vec<Tag>,
    /// The tags of `[global_tags]`, and `host`.
    global: Vec<Tag>,
}

impl Naming {
    /// Makes the naming of a plugin with the global tags that apply to it.
    pub fn new(options: NamingOptions, global: Vec<Tag>) -> Naming {
        let local = options
            .tags
            .into_iter()
            .map(|(key, value)| Tag { key: key.into(), value: value.into() })
            .collect();
        Naming {
            name_override: options.name_override,
            name_prefix: options.name_prefix,
            name_suffix: options.name_suffix,
            local,
            global,
        }
    }

    /// Renames a metric.
    pub fn rename(&self, metric: &mut Metric) {
        if !self.name_override.is_empty() {
            metric.name = self.name_override.as_str().into();
        }
        if !self.name_prefix.is_empty() {
            metric.name.insert_str(0, &self.name_prefix);
        }
        if !self.name_suffix.is_empty() {
            metric.name.push_str(&self.name_suffix);
        }
    }

    /// Adds the plugin's own tags where the metric lacks them.
    pub fn add_local_tags(&self, metric: &mut Metric) {
        add_tags(metric, &self.local);
    }

    /// Adds the global tags where the metric lacks them.
    pub fn add_global_tags(&self, metric: &mut Metric) {
        add_tags(metric, &self.global);
    }
}

fn add_tags(metric: &mut Metric, tags: &[Tag]) {
    for tag in tags {
        if metric.tag(&tag.key).is_none() {
            metric.set_tag(tag.key.clone(), tag.value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::Timestamp;

    #[test]
    fn override_prefix_and_suffix_apply_in_this_order() {
        let options = NamingOptions {
            name_override: "b".into(),
            name_prefix: "a_".into(),
            name_suffix: "_c".into(),
            ..NamingOptions::default()
        };
        let mut metric = Metric::new("x", Timestamp::EPOCH);
        Naming::new(options, Vec::new()).rename(&mut metric);
        assert_eq!(metric.name, "a_b_c");
    }

    #[test]
    fn a_metrics_own_tag_beats_the_plugins_and_that_the_global_one() {
        let options = NamingOptions {
            tags: [("a", "local"), ("b", "local")]
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into(),
            ..NamingOptions::default()
        };
        let global =
            ["a", "b", "c"].map(|key| Tag { key: key.into(), value: "global".into() }).to_vec();
        let naming = Naming::new(options, global);
        let mut metric = Metric::new("m", Timestamp::EPOCH).with_tag("a", "own");
        naming.add_local_tags(&mut metric);
        naming.add_global_tags(&mut metric);
        let values: Vec<_> = metric.tags().iter().map(|tag| tag.value.as_str()).collect();
        assert_eq!(values, ["own", "local", "global"]);
    }
}
