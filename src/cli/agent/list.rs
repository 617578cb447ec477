//! What the agent prints and ends: its version, its plugins, a sample configuration.

use std::io::{self, Write};

use super::CliError;
use super::banner::TELEGRAF_VERSION;
use crate::cli::flags::Parsed;
use crate::config::sample::{self, Selection};
use crate::plugin::AnyDeclaration;
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

/// Prints the plugins of one kind or all, one `inputs.cpu` a line, sorted.
///
/// # Errors
/// If standard output is closed.
pub(super) fn plugins(kind: Option<&str>) -> io::Result<()> {
    let mut names: Vec<String> = plugins::all()
        .iter()
        .filter(|plugin| kind.is_none_or(|kind| plugin.kind.section() == kind))
        .map(full_name)
        .collect();
    names.sort();
    print(&names.join("\n"))
}

fn full_name(plugin: &AnyDeclaration) -> String {
    format!("{}.{}", plugin.kind.section(), plugin.name)
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
