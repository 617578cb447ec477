//! What the agent prints and ends: its version, its plugins, a sample configuration.

use std::io::{self, Write};

use super::CliError;
use super::banner::TELEGRAF_VERSION;
use crate::cli::flags::Parsed;
use crate::config::retired::RETIRED;
use crate::config::sample::{self, Selection};
use crate::plugin::Kind;
use crate::plugins;

/// Prints text on standard output.
///
/// # Errors
/// If standard output is closed.
pub(super) fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    if !text.ends_with('\n') {
        out.write_all(b"\n")?;
    }
    out.flush()
}

/// Prints the version.
///
/// # Errors
/// If standard output is closed.
pub(super) fn version() -> io::Result<()> {
    print(&format!(
        "metric-agent {} (compatible with Telegraf {TELEGRAF_VERSION})",
        env!("CARGO_PKG_VERSION")
    ))
}

/// The kinds of plugins in the order in which they are listed.
const KINDS: [Kind; 6] =
    [Kind::Input, Kind::Output, Kind::Processor, Kind::Aggregator, Kind::Parser, Kind::Serializer];

/// Prints the plugins of one kind or, if there is no such kind, all: one `inputs.cpu` a line.
///
/// # Errors
/// If standard output is closed.
pub(super) fn plugins(kind: Option<&str>) -> io::Result<()> {
    let wanted = |kind_of: &Kind| kind.is_none_or(|kind| kind_of.section() == kind);
    let kinds = if KINDS.iter().any(wanted) {
        KINDS.into_iter().filter(wanted).collect()
    } else {
        KINDS.to_vec()
    };
    let names = kinds.into_iter().flat_map(|kind| {
        names_of(kind).into_iter().map(move |name| format!("{}.{name}\n", kind.section()))
    });
    print_lines(&names.collect::<String>())
}

/// Prints plugins that are no more, of one kind or all.
///
/// # Errors
/// If standard output is closed.
pub(super) fn retired(kind: Option<&str>) -> io::Result<()> {
    let is_kind = kind.is_some_and(|kind| KINDS.iter().any(|known| known.section() == kind));
    let wanted = RETIRED.iter().filter(|retired| !is_kind || kind == Some(retired.kind));
    print_lines(
        &wanted.map(|retired| format!("{}.{}\n", retired.kind, retired.name)).collect::<String>(),
    )
}

/// Prints the plugins of one kind in the shape of the flags `--input-list` and `--output-list`.
///
/// # Errors
/// If standard output is closed.
pub(super) fn available(kind: Kind) -> io::Result<()> {
    let (section, word) = match kind {
        Kind::Output => ("outputs", "Output"),
        _ => ("inputs", "Input"),
    };
    let mut text =
        format!("DEPRECATED: use metric-agent plugins {section}\nAvailable {word} Plugins:\n");
    names_of(kind).into_iter().for_each(|name| text.push_str(&format!("  {name}\n")));
    print_lines(&text)
}

/// Prints the options that others have taken the place of, a heading for each kind of plugin.
///
/// # Errors
/// If standard output is closed.
pub(super) fn deprecations(parsed: &Parsed) -> io::Result<()> {
    let mut text = String::new();
    let mut all = plugins::all();
    all.sort_by_key(|plugin| plugin.name);
    for (kind, word, filter) in [
        (Kind::Input, "Input", "input-filter"),
        (Kind::Output, "Output", "output-filter"),
        (Kind::Processor, "Processor", "processor-filter"),
        (Kind::Aggregator, "Aggregator", "aggregator-filter"),
    ] {
        text.push_str(&format!("Deprecated {word} Plugins:\n"));
        let wanted = names(parsed.value(filter));
        let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|each| each == name);
        for plugin in all.iter().filter(|each| each.kind == kind && is_wanted(each.name)) {
            let mut options = plugin.deprecated.to_vec();
            options.sort_by_key(|option| option.option);
            for option in options {
                let name = format!("{}.{}/{}", kind.section(), plugin.name, option.option);
                let level = if option.is_overdue() { "ERROR" } else { "WARN" };
                text.push_str(&format!(
                    "  {name:<40} {level:<5} since {:<5} removal in {:<5} {}\n",
                    option.since, option.removal, option.notice
                ));
            }
        }
    }
    print_lines(&text)
}

/// The names of all plugins of a kind, sorted.
fn names_of(kind: Kind) -> Vec<&'static str> {
    let mut names: Vec<_> = match kind {
        Kind::Parser => plugins::parsers::ALL.iter().map(|plugin| plugin.name).collect(),
        Kind::Serializer => plugins::serializers::ALL.iter().map(|plugin| plugin.name).collect(),
        kind => {
            let all = plugins::all();
            all.iter().filter(|plugin| plugin.kind == kind).map(|plugin| plugin.name).collect()
        }
    };
    names.sort_unstable();
    names
}

/// Prints whole lines, or nothing.
fn print_lines(lines: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(lines.as_bytes())?;
    out.flush()
}

/// Prints the sample configuration that the filters leave.
///
/// # Errors
/// If standard output is closed.
pub(super) fn sample_config(parsed: &Parsed) -> io::Result<()> {
    let filter = |name| parsed.value(name).map(|value| names(Some(value)));
    print(&sample::sample(&Selection {
        sections: filter("section-filter"),
        inputs: filter("input-filter"),
        outputs: filter("output-filter"),
        processors: filter("processor-filter"),
        aggregators: filter("aggregator-filter"),
        secret_stores: filter("secretstore-filter"),
    }))
}

/// Prints the sample configuration of one input or output.
///
/// # Errors
/// If there is no such plugin, or standard output is closed.
pub(super) fn usage(name: &str) -> Result<(), CliError> {
    match sample::usage(name) {
        Some(text) => Ok(print(text)?),
        None => Err(CliError::Usage(format!("input {name} not found and output {name} not found"))),
    }
}

/// The names of a filter such as `cpu:mem`.
pub(super) fn names(filter: Option<&str>) -> Vec<String> {
    filter
        .into_iter()
        .flat_map(|names| names.split(':'))
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}
