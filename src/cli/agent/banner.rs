//! What the agent says when it starts: people grep these lines.

use std::collections::BTreeMap;

use super::PluginSources;
use crate::agent::options::AgentOptions;
use crate::agent::plan::Plan;
use crate::config::{Loaded, LoadedPlugin};
use crate::plugin::settings::format_duration;
use crate::plugins;

/// The version of Telegraf whose behaviour this program keeps.
pub(super) const TELEGRAF_VERSION: &str = "1.40.0";

/// Whether outputs take part in this run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OutputUse {
    /// They are written to.
    Used,
    /// `--test` prints instead.
    Unused,
}

/// Logs what was loaded.
pub(super) fn log_loaded(loaded: &Loaded, outputs: OutputUse, sources: PluginSources) {
    let Loaded { plugins: loaded, deprecated_options, secret_stores, tags, .. } = loaded;
    let list = |kind| match sources {
        PluginSources::Listed => format!("{}{}", counted(loaded, kind), source_table(loaded, kind)),
        PluginSources::Unlisted => counted(loaded, kind),
    };
    log::info!(
        target: "",
        "Starting metric-agent {} (compatible with Telegraf {TELEGRAF_VERSION})",
        env!("CARGO_PKG_VERSION")
    );
    log::info!(
        target: "",
        "Available plugins: {} inputs, {} aggregators, {} processors, {} parsers, {} outputs, {} secret stores",
        plugins::inputs::ALL.len(),
        plugins::aggregators::ALL.len(),
        plugins::processors::ALL.len(),
        plugins::parsers::ALL.len(),
        plugins::outputs::ALL.len(),
        plugins::secretstores::ALL.len(),
    );
    log::info!(target: "", "Loaded inputs:{}", list("inputs"));
    log::info!(target: "", "Loaded aggregators:{}", list("aggregators"));
    log::info!(target: "", "Loaded processors:{}", list("processors"));
    // Telegraf lists these by their ids, since that is what others know them by.
    let ids: String = secret_stores.ids().map(|id| format!(" {id}")).collect();
    let files = match sources {
        PluginSources::Listed => source_table(loaded, "secretstores"),
        PluginSources::Unlisted => String::new(),
    };
    log::info!(target: "", "Loaded secretstores:{ids}{files}");
    match outputs {
        OutputUse::Used => log::info!(target: "", "Loaded outputs:{}", list("outputs")),
        OutputUse::Unused => {
            log::warn!(target: "", "Outputs are not used in testing mode!");
        }
    }
    let tags: Vec<_> = tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
    log::info!(target: "", "Tags enabled: {}", tags.join(" "));
    for kind in ["inputs", "aggregators", "processors", "outputs", "secretstores"] {
        // The first number is that of deprecated plugins; those are gone and refused.
        if let Some(count @ 1..) = deprecated_options.get(kind) {
            log::warn!(target: "", "Deprecated {kind}: 0 and {count} options");
        }
    }
}

/// Logs the settings of a daemon.
pub(super) fn log_config(plan: &Plan) {
    let agent = &plan.agent;
    log::info!(
        target: "agent",
        "Config: Interval:{}, Quiet:{}, Hostname:{:?}, Flush Interval:{}",
        format_duration(agent.interval.nanos()),
        agent.quiet,
        plan.hostname,
        format_duration(agent.flush_interval.nanos()),
    );
}

/// Warns that a default will change, as Telegraf does, unless the option is set.
pub(super) fn log_processor_default(agent: &AgentOptions) {
    if agent.skip_processors_after_aggregators.is_none() {
        log::warn!(
            target: "agent",
            "The default value of 'skip_processors_after_aggregators' will change to 'true' with \
             Telegraf v1.40.0! If you need the current default behavior, please explicitly set \
             the option to 'false'!"
        );
    }
}

/// The names of one kind sorted, each once with its count: ` cpu mem (2x)`.
fn counted(loaded: &[LoadedPlugin], kind: &str) -> String {
    let of_kind = loaded.iter().filter(|plugin| plugin.kind == kind);
    let mut sorted: Vec<&str> = of_kind.map(|plugin| plugin.name.as_str()).collect();
    sorted.sort_unstable();
    sorted
        .chunk_by(|a, b| a == b)
        .map(|same| match same.len() {
            1 => format!(" {}", same[0]),
            count => format!(" {} ({count}x)", same[0]),
        })
        .collect()
}

/// A table of the plugins of one kind with the files that ask for them; nothing if there are none.
fn source_table(loaded: &[LoadedPlugin], kind: &str) -> String {
    let mut files: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
    for plugin in loaded.iter().filter(|plugin| plugin.kind == kind) {
        *files.entry(&plugin.name).or_default().entry(&plugin.file).or_default() += 1;
    }
    if files.is_empty() {
        return String::new();
    }
    let times = |name: &str, count: usize| match count {
        1 => name.to_owned(),
        count => format!("{name} ({count}x)"),
    };
    let groups: Vec<Vec<(String, String)>> = files
        .iter()
        .map(|(name, files)| {
            let name = times(name, files.values().sum());
            // The name stands in the first line of its group only.
            let names = std::iter::once(name).chain(std::iter::repeat(String::new()));
            names.zip(files.iter().map(|(file, count)| times(file, *count))).collect()
        })
        .collect();
    let heading = ("NAME".to_owned(), "SOURCE(S)".to_owned());
    let rows = || groups.iter().flatten().chain(std::iter::once(&heading));
    let left = rows().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let right = rows().map(|(_, file)| file.chars().count()).max().unwrap_or(0);
    let rule = format!("+{:-<1$}+{2:-<3$}+", "", left + 2, "", right + 2);
    let line = |(name, file): &(String, String)| format!("| {name:left$} | {file:right$} |");
    let mut lines = vec![String::new(), rule.clone(), line(&heading), rule.clone()];
    for group in &groups {
        lines.extend(group.iter().map(line));
        lines.push(rule.clone());
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plugins_are_listed_sorted_and_counted() {
        let loaded = |kind, name: &str| LoadedPlugin { kind, name: name.into(), file: "f".into() };
        let plugins = [
            loaded("inputs", "swap"),
            loaded("inputs", "mem"),
            loaded("outputs", "file"),
            loaded("inputs", "cpu"),
            loaded("inputs", "mem"),
        ];
        assert_eq!(counted(&plugins, "inputs"), " cpu mem (2x) swap");
        assert_eq!(counted(&plugins, "processors"), "");
    }

    #[test]
    fn the_files_that_ask_for_a_plugin_stand_beside_it() {
        let loaded = |name: &str, file: &str| LoadedPlugin {
            kind: "inputs",
            name: name.into(),
            file: file.into(),
        };
        let plugins = [
            loaded("cpu", "/etc/a.conf"),
            loaded("mem", "/etc/a.conf"),
            loaded("cpu", "/etc/a.conf"),
            loaded("cpu", "/etc/b.conf"),
        ];
        let table = [
            "",
            "+----------+------------------+",
            "| NAME     | SOURCE(S)        |",
            "+----------+------------------+",
            "| cpu (3x) | /etc/a.conf (2x) |",
            "|          | /etc/b.conf      |",
            "+----------+------------------+",
            "| mem      | /etc/a.conf      |",
            "+----------+------------------+",
        ];
        assert_eq!(source_table(&plugins, "inputs"), table.join("\n"));
        assert_eq!(source_table(&plugins, "outputs"), "");
    }
}
