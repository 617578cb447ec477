//! Sample configurations: what `metric-agent config` prints, and `telegraf.conf.example`.

use crate::plugin::{AnyDeclaration, Kind};
use crate::plugins;

const HEADER: &str = "\
# Configuration of metric-agent, in the form that Telegraf has given it
#
# Inputs gather metrics, processors change them, aggregators condense them, outputs write them.
# What stands here without a # is active; everything else shows what there is, with its default.
#
# metric-agent --config FILE config check     tells what is wrong with a configuration
# metric-agent --config FILE --test           shows what it gathers, and writes nothing
#
# Environment variables are put in wherever they stand in quotes: \"${NAME}\", with a default
# \"${NAME:-default}\".  They convert to numbers and booleans where an option takes those.

";

const GLOBAL_TAGS: &str = "\
# Tags for all metrics
[global_tags]
  # dc = \"eu-central-1\"
  # rack = \"1a\"
  # user = \"${USER}\"

";

/// The sample of `[agent]`: every setting with its default.
pub const AGENT: &str = include_str!("agent.conf");

/// Inputs that are active unless some are asked for by name: what every machine has.
const ACTIVE_INPUTS: [&str; 8] =
    ["cpu", "disk", "diskio", "kernel", "mem", "processes", "swap", "system"];

/// The kinds of plugins in the order in which they are printed.
const KINDS: [(Kind, &str); 5] = [
    (Kind::SecretStore, "Secret stores"),
    (Kind::Output, "Outputs"),
    (Kind::Processor, "Processors"),
    (Kind::Aggregator, "Aggregators"),
    (Kind::Input, "Inputs"),
];

/// What a sample shows; a list that is absent or empty is no choice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Sections: `agent`, `global_tags`, `secretstores`, `inputs`, `outputs`, `processors`,
    /// `aggregators`.
    pub sections: Option<Vec<String>>,
    /// Inputs, which are then active.
    pub inputs: Option<Vec<String>>,
    /// Outputs, which are then active.
    pub outputs: Option<Vec<String>>,
    /// Processors, which are then active.
    pub processors: Option<Vec<String>>,
    /// Aggregators, which are then active.
    pub aggregators: Option<Vec<String>>,
    /// Secret stores, which are then active.
    pub secret_stores: Option<Vec<String>>,
}

impl Selection {
    fn has_section(&self, name: &str) -> bool {
        chosen(&self.sections).is_none_or(|sections| sections.iter().any(|each| each == name))
    }

    fn plugins(&self, kind: Kind) -> Option<&[String]> {
        chosen(match kind {
            Kind::Input => &self.inputs,
            Kind::Output => &self.outputs,
            Kind::Processor => &self.processors,
            Kind::Aggregator => &self.aggregators,
            Kind::SecretStore => &self.secret_stores,
            Kind::Parser | Kind::Serializer => &None,
        })
    }
}

fn chosen(names: &Option<Vec<String>>) -> Option<&[String]> {
    names.as_deref().filter(|names| !names.is_empty())
}

/// The sample configuration that `selection` leaves; without a choice it is the whole of
/// `telegraf.conf.example`.
pub fn sample(selection: &Selection) -> String {
    render(selection, &plugins::all())
}

/// The sample of one plugin, ready to be pasted into a configuration: `--usage NAME`.
pub fn usage(name: &str) -> Option<&'static str> {
    let plugins = plugins::all();
    let is_named = |plugin: &&AnyDeclaration| {
        plugin.name == name && matches!(plugin.kind, Kind::Input | Kind::Output)
    };
    plugins.iter().find(is_named).map(|plugin| plugin.sample_config)
}

fn render(selection: &Selection, plugins: &[AnyDeclaration]) -> String {
    let mut text = HEADER.to_owned();
    if selection.has_section("global_tags") {
        text.push_str(GLOBAL_TAGS);
    }
    if selection.has_section("agent") {
        text.push_str(AGENT);
    }
    for (kind, title) in KINDS {
        if selection.has_section(kind.section()) {
            let plugins = plugins.iter().filter(|plugin| plugin.kind == kind);
            render_kind(title, &ordered(plugins, selection.plugins(kind)), &mut text);
        }
    }
    text
}

/// Whether a plugin is active in a sample.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    Active,
    Commented,
}

/// The plugins to print: those chosen; without a choice all of them, active ones first.
fn ordered<'p>(
    plugins: impl Iterator<Item = &'p AnyDeclaration>,
    choice: Option<&[String]>,
) -> Vec<(Shown, &'p AnyDeclaration)> {
    let mut shown: Vec<_> = plugins
        .filter_map(|plugin| match choice {
            Some(names) => {
                names.iter().any(|name| name == plugin.name).then_some((Shown::Active, plugin))
            }
            None if plugin.kind == Kind::Input && ACTIVE_INPUTS.contains(&plugin.name) => {
                Some((Shown::Active, plugin))
            }
            None => Some((Shown::Commented, plugin)),
        })
        .collect();
    shown.sort_by_key(|(shown, plugin)| (*shown == Shown::Commented, plugin.name));
    shown
}

fn render_kind(title: &str, plugins: &[(Shown, &AnyDeclaration)], text: &mut String) {
    if plugins.is_empty() {
        return;
    }
    let line = "#".repeat(79);
    text.push_str(&format!("\n{line}\n# {title:<75} #\n{line}\n"));
    for (shown, plugin) in plugins {
        text.push('\n');
        for line in plugin.sample_config.lines() {
            if *shown == Shown::Commented {
                text.push_str(if line.is_empty() { "#" } else { "# " });
            }
            text.push_str(line);
            text.push('\n');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::options::AgentOptions;
    use crate::config::toml::parse;
    use crate::plugin::settings::{Data, Table};

    fn declaration(kind: Kind, name: &'static str, sample_config: &'static str) -> AnyDeclaration {
        let read_settings = |_: &Table| Ok(serde_json::Value::Null);
        AnyDeclaration { kind, name, sample_config, read_settings, deprecated: &[] }
    }

    fn declarations() -> Vec<AnyDeclaration> {
        vec![
            declaration(Kind::Input, "exec", "# Run\n[[inputs.exec]]\n\n  # a = 1\n"),
            declaration(Kind::Input, "mem", "# Memory\n[[inputs.mem]]\n"),
            declaration(Kind::Output, "file", "# Files\n[[outputs.file]]\n"),
            declaration(Kind::Parser, "influx", "# none\n"),
        ]
    }

    fn names(list: &[&str]) -> Option<Vec<String>> {
        Some(list.iter().map(|name| (*name).to_owned()).collect())
    }

    fn agent_table(text: &str) -> Table {
        let root = parse("agent.conf", text).unwrap();
        match root.into_entries().remove(0).value.data {
            Data::Table(table) => table,
            data => panic!("{data:?}"),
        }
    }

    fn uncommented(text: &str) -> String {
        let lines = text.lines().map(|line| match line.strip_prefix("  # ") {
            Some(setting) => setting,
            None => line,
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_sample_of_the_agent_shows_every_setting_with_its_default() {
        let table = agent_table(&uncommented(AGENT));
        let options: AgentOptions = table.read().unwrap();
        let expected = AgentOptions {
            // Where the absence of a setting has a meaning, the sample names that.
            metric_batch_size: AgentOptions::default().batch_size(),
            metric_buffer_limit: AgentOptions::default().buffer_limit(),
            structured_log_message_key: "msg".into(),
            skip_processors_after_aggregators: Some(false),
            config_url_retry_attempts: 3,
            buffer_strategy: "memory".into(),
            buffer_disk_sync: Some(true),
            ..AgentOptions::default()
        };
        assert_eq!(options, expected);
        assert!(table.unknown().is_empty(), "{:?}", table.unknown());
        let all = serde_json::to_value(AgentOptions::default()).unwrap();
        let all: Vec<&String> = all.as_object().unwrap().keys().collect();
        let missing: Vec<_> = all.iter().filter(|key| table.get(key).is_none()).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn what_every_machine_has_is_active_and_the_rest_is_commented() {
        let text = render(&Selection::default(), &declarations());
        assert!(text.contains("\n[global_tags]\n") && text.contains("\n[agent]\n"));
        assert!(text.contains("\n# # Files\n# [[outputs.file]]\n"));
        let inputs = "\n# Memory\n[[inputs.mem]]\n\n# # Run\n# [[inputs.exec]]\n#\n#   # a = 1\n";
        assert!(text.ends_with(inputs), "{text}");
        assert!(!text.contains("# # none") && !text.contains("Processors"));
        assert!(text.lines().all(|line| line.trim_end() == line));
        assert!(parse("sample", &text).is_ok());
    }

    #[test]
    fn what_is_chosen_is_active_and_nothing_else_of_its_kind_is_shown() {
        let selection = Selection {
            sections: names(&["inputs", "outputs"]),
            inputs: names(&["exec", "nosuch"]),
            outputs: names(&["none"]),
            ..Selection::default()
        };
        let text = render(&selection, &declarations());
        assert!(text.contains("\n[[inputs.exec]]\n"));
        for absent in ["inputs.mem", "outputs", "[agent]", "[global_tags]"] {
            assert!(!text[HEADER.len()..].contains(absent), "{absent}");
        }
    }

    #[test]
    fn the_whole_sample_is_a_configuration() {
        let text = sample(&Selection::default());
        assert!(parse("sample", &text).is_ok());
    }
}
