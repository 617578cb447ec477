//! What plugins do otherwise than Telegraf, as their READMEs tell it.

use crate::plugin::settings::Table;
use crate::plugins;

/// The items of the list "Differences" of each README, put here by the build script.
const DIFFERENCES: &[(&str, &[&str])] = include!(concat!(env!("OUT_DIR"), "/differences.rs"));

/// The differences of a plugin that concern a section: those about options that it sets, and those
/// that are about no option.
pub(super) fn differences_of(plugin: &str, section: &Table) -> Vec<String> {
    let Some((_, items)) = DIFFERENCES.iter().find(|(name, _)| *name == plugin) else {
        return Vec::new();
    };
    let sample = sample_of(plugin);
    let concerns = |item: &&&str| {
        let mut options = quoted(item).filter(|word| is_option(sample, word)).peekable();
        options.peek().is_none() || options.any(|option| section.get(option).is_some())
    };
    items.iter().filter(concerns).map(|item| (*item).to_owned()).collect()
}

fn sample_of(plugin: &str) -> &'static str {
    let (kind, name) = plugin.split_once('.').unwrap_or_default();
    let parsers = plugins::FORMATS.parsers.iter();
    let serializers = plugins::FORMATS.serializers.iter();
    match kind {
        "parsers" => parsers.clone().find(|each| each.name == name).map(|each| each.sample_config),
        "serializers" => {
            serializers.clone().find(|each| each.name == name).map(|each| each.sample_config)
        }
        _ => plugins::all()
            .iter()
            .find(|each| each.kind.section() == kind && each.name == name)
            .map(|each| each.sample_config),
    }
    .unwrap_or_default()
}

/// The first words of what stands between backticks.
fn quoted(item: &str) -> impl Iterator<Item = &str> {
    item.split('`').skip(1).step_by(2).filter_map(|code| code.split_whitespace().next())
}

/// Whether a sample shows an option of that name.
fn is_option(sample: &str, word: &str) -> bool {
    sample.lines().any(|line| {
        let line = line.trim_start_matches([' ', '#', '[']);
        line.strip_prefix(word).is_some_and(|rest| rest.trim_start().starts_with(['=', ']']))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::toml::parse;

    fn found(plugin: &str, text: &str) -> Vec<String> {
        differences_of(plugin, &parse("a.conf", text).unwrap())
    }

    #[test]
    fn a_difference_about_an_option_concerns_only_those_who_set_it() {
        let about = |items: Vec<String>| items.iter().any(|item| item.contains("`log_stderr`"));
        assert!(!about(found("inputs.exec", "commands = ['x']")));
        assert!(about(found("inputs.exec", "log_stderr = true")));
        assert!(!found("inputs.exec", "").is_empty(), "some are about no option");
        assert!(found("inputs.mem", "").is_empty());
        assert!(found("inputs.nosuch", "").is_empty());
    }

    #[test]
    fn every_plugin_with_a_list_is_there() {
        for (plugin, items) in DIFFERENCES {
            assert!(!sample_of(plugin).is_empty(), "{plugin}");
            assert!(items.iter().all(|item| item.ends_with('.')), "{plugin}: {items:?}");
        }
        assert!(DIFFERENCES.len() > 20);
    }
}
