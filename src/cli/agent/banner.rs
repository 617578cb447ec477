//! What the agent says when it starts: people grep these lines.

use std::collections::BTreeMap;

use crate::agent::options::AgentOptions;
use crate::agent::plan::Plan;
use crate::config::LoadedPlugin;
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
pub(super) fn log_loaded(
    loaded: &[LoadedPlugin],
    outputs: OutputUse,
    tags: &BTreeMap<String, String>,
) {
    log::info!(
        target: "",
        "Starting metric-agent {} (compatible with Telegraf {TELEGRAF_VERSION})",
        env!("CARGO_PKG_VERSION")
    );
    log::info!(
        target: "",
        "Available plugins: {} inputs, {} aggregators, {} processors, {} parsers, {} outputs, 0 secret stores",
        plugins::inputs::ALL.len(),
        plugins::aggregators::ALL.len(),
        plugins::processors::ALL.len(),
        plugins::parsers::ALL.len(),
        plugins::outputs::ALL.len(),
    );
    log::info!(target: "", "Loaded inputs:{}", counted(loaded, "inputs"));
    log::info!(target: "", "Loaded aggregators:{}", counted(loaded, "aggregators"));
    log::info!(target: "", "Loaded processors:{}", counted(loaded, "processors"));
    log::info!(target: "", "Loaded secretstores:");
    match outputs {
        OutputUse::Used => log::info!(target: "", "Loaded outputs:{}", counted(loaded, "outputs")),
        OutputUse::Unused => {
            log::warn!(target: "", "Outputs are not used in testing mode!");
        }
    }
    let tags: Vec<_> = tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
    log::info!(target: "", "Tags enabled: {}", tags.join(" "));
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
}
