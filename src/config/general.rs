//! The options that every plugin of a kind may carry beside its own, whatever their form.
//!
//! # References
//! Telegraf's `docs/CONFIGURATION.md`, "Plugin Configuration"; `buildInput` and its relatives in
//! `config.go` for what they take and `missingTomlField` for what they let pass.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::sections::Role;
use crate::agent::options::FilterOptions;
use crate::plugin::settings::{Data, SettingsError, Table, Value};

/// Options that are accepted on plugins that have no use for them.
const ACCEPTED: [&str; 46] = [
    "alias",
    "always_include_local_tags",
    "buffer_directory",
    "buffer_disk_sync",
    "buffer_strategy",
    "collection_jitter",
    "collection_offset",
    "data_format",
    "data_type",
    "dead_letter_file",
    "delay",
    "drop",
    "drop_original",
    "fielddrop",
    "fieldexclude",
    "fieldinclude",
    "fieldpass",
    "flush_interval",
    "flush_jitter",
    "grace",
    "id",
    "influx_parser_type",
    "interval",
    "labels",
    "log_level",
    "lvm",
    "metric_batch_size",
    "metric_buffer_limit",
    "metricpass",
    "name_override",
    "name_prefix",
    "name_suffix",
    "namedrop",
    "namedrop_separator",
    "namepass",
    "namepass_separator",
    "order",
    "pass",
    "period",
    "precision",
    "startup_error_behavior",
    "tagdrop",
    "tagexclude",
    "taginclude",
    "tagpass",
    "tags",
];

const STRING_ARRAYS: [&str; 10] = [
    "namepass",
    "namedrop",
    "fieldinclude",
    "fieldexclude",
    "taginclude",
    "tagexclude",
    "pass",
    "drop",
    "fieldpass",
    "fielddrop",
];

/// Accepts what any plugin may carry.
pub(super) fn accept(table: &Table) {
    table.accept(&ACCEPTED);
}

/// The options of a kind that are spans of time.
fn durations(role: Role) -> &'static [&'static str] {
    match role {
        Role::Input => &["interval", "precision", "collection_jitter", "collection_offset"],
        Role::Output => &["flush_interval", "flush_jitter"],
        Role::Aggregator => &["period", "delay", "grace"],
        Role::Processor | Role::SecretStore => &[],
    }
}

/// Brings old and sloppy forms of general options into the form in which they are read.
///
/// `plugin` is the plugin's name for messages, such as `inputs.cpu`.
pub(super) fn normalize(role: Role, plugin: &str, table: &mut Table) {
    for entry in table.entries_mut() {
        let key = entry.key.as_str();
        let data = &mut entry.value.data;
        if STRING_ARRAYS.contains(&key) {
            keep_strings(plugin, key, data);
        } else if matches!(key, "tagpass" | "tagdrop") {
            if let Data::Table(tags) = data {
                for tag in tags.entries_mut() {
                    keep_strings(plugin, key, &mut tag.value.data);
                }
            }
        } else if durations(role).contains(&key) {
            if let Data::Integer(_) | Data::Float(_) = data {
                log::warn!(
                    target: "",
                    "Option {key:?} of plugin {plugin:?} is a number and taken as seconds; \
                     Telegraf ignores it unless it is a string such as \"10s\""
                );
            }
        } else if role == Role::Output && matches!(key, "metric_batch_size" | "metric_buffer_limit")
        {
            if let Data::String { substituted: substituted @ false, .. } = data {
                log::warn!(
                    target: "",
                    "Option {key:?} of plugin {plugin:?} is a string and taken as a number; \
                     Telegraf ignores it unless it is a number"
                );
                *substituted = true;
            }
        } else if role == Role::Aggregator
            && key == "drop_original"
            && let Data::String { substituted, .. } = data
        {
            // Telegraf takes this one as a string, too.
            *substituted = true;
        }
    }
}

/// Leaves only the strings of an array, as Telegraf does, but not in silence.
fn keep_strings(plugin: &str, key: &str, data: &mut Data) {
    let Data::Array(values) = data else { return };
    let is_string = |value: &Value| matches!(value.data, Data::String { .. });
    if !values.iter().all(is_string) {
        values.retain(is_string);
        log::warn!(
            target: "",
            "Option {key:?} of plugin {plugin:?} has elements that are no strings; they are ignored"
        );
    }
}

/// Names of filters from before 1.29, still in many files and kept for good.
#[derive(Default, Deserialize)]
#[serde(default)]
struct DeprecatedFilterOptions {
    pass: Vec<String>,
    fieldpass: Vec<String>,
    drop: Vec<String>,
    fielddrop: Vec<String>,
}

/// An option that has a newer name; the versions are Telegraf's, for its words about them.
struct Renamed {
    option: &'static str,
    since: &'static str,
    removal: &'static str,
    now: &'static str,
}

const PASS: Renamed =
    Renamed { option: "pass", since: "0.10.4", removal: "1.35.0", now: "fieldinclude" };
const FIELDPASS: Renamed =
    Renamed { option: "fieldpass", since: "1.29.0", removal: "1.40.0", now: "fieldinclude" };
const DROP: Renamed =
    Renamed { option: "drop", since: "0.10.4", removal: "1.35.0", now: "fieldexclude" };
const FIELDDROP: Renamed =
    Renamed { option: "fielddrop", since: "1.29.0", removal: "1.40.0", now: "fieldexclude" };

/// The deprecation lines written so far; each comes once for a plugin's name.
pub(super) type Noticed = BTreeSet<(String, &'static str)>;

/// Reads the filter, values under deprecated names before those under the present ones.
///
/// # Errors
/// Every option of the filter whose value has a wrong type.
pub(super) fn read_filter(
    plugin: &str,
    table: &Table,
    noticed: &mut Noticed,
) -> Result<FilterOptions, Vec<SettingsError>> {
    let (old, filter) = (table.read::<DeprecatedFilterOptions>(), table.read::<FilterOptions>());
    let (old, mut filter) = match (old, filter) {
        (Ok(old), Ok(filter)) => (old, filter),
        (old, filter) => {
            let mut errors = old.err().unwrap_or_default();
            errors.extend(filter.err().unwrap_or_default());
            return Err(errors);
        }
    };
    let mut take = |values: Vec<String>, old: &Renamed, list: &mut Vec<String>| {
        if !values.is_empty() && noticed.insert((plugin.to_owned(), old.option)) {
            log::error!(
                target: "",
                "DeprecationError: Option {:?} of plugin {plugin:?} deprecated since version {} and \
                 will be removed in {}: use '{}' instead",
                old.option, old.since, old.removal, old.now
            );
        }
        list.splice(..0, values);
    };
    take(old.fieldpass, &FIELDPASS, &mut filter.fieldinclude);
    take(old.pass, &PASS, &mut filter.fieldinclude);
    take(old.fielddrop, &FIELDDROP, &mut filter.fieldexclude);
    take(old.drop, &DROP, &mut filter.fieldexclude);
    Ok(filter)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::options::{AggregatorOptions, InputOptions, OutputOptions};
    use crate::config::toml::parse;
    use crate::plugin::settings::Duration;

    fn normalized(role: Role, text: &str) -> Table {
        let mut table = parse("a.conf", text).unwrap();
        normalize(role, "x.y", &mut table);
        table
    }

    #[test]
    fn values_under_old_names_come_before_those_under_new_ones() {
        let table = normalized(
            Role::Input,
            "fieldinclude = ['c']\nfieldpass = ['b']\npass = ['a']\nfielddrop = ['y']\n\
             drop = ['x', 5]\nnamepass = ['m', 1, true]\n[tagpass]\na = ['b', 5]",
        );
        let mut noticed = Noticed::new();
        let filter = read_filter("inputs.cpu", &table, &mut noticed).unwrap();
        assert_eq!(filter.fieldinclude, ["a", "b", "c"]);
        assert_eq!(filter.fieldexclude, ["x", "y"]);
        assert_eq!(filter.namepass, ["m"]);
        assert_eq!(filter.tagpass.unwrap()["a"], ["b"]);
        assert_eq!(noticed.len(), 4);
        assert!(table.unknown().is_empty());
    }

    #[test]
    fn lists_that_are_none_are_errors() {
        let text = "namepass = 'x'\npass = 'x'\ntagpass = 'x'\n[tagdrop]\na = 'x'";
        let table = normalized(Role::Output, text);
        let errors = read_filter("outputs.x", &table, &mut Noticed::new()).unwrap_err();
        let messages: Vec<_> = errors.iter().map(|error| error.message.as_str()).collect();
        assert_eq!(
            messages,
            [
                "pass: cannot unmarshal TOML string into array",
                "namepass: cannot unmarshal TOML string into array",
                "tagpass: cannot unmarshal TOML string into table",
                "tagdrop.a: cannot unmarshal TOML string into array",
            ]
        );
    }

    #[test]
    fn sloppy_values_are_taken_for_what_they_mean() {
        let input: InputOptions =
            normalized(Role::Input, "interval = 5\nprecision = 0.5").read().unwrap();
        assert_eq!(input.interval, Duration::from_secs(5));
        assert_eq!(input.precision, Duration::from_millis(500));
        let output: OutputOptions =
            normalized(Role::Output, "metric_batch_size = '7'").read().unwrap();
        assert_eq!(output.metric_batch_size, 7);
        let aggregator: AggregatorOptions =
            normalized(Role::Aggregator, "drop_original = 'true'\nperiod = 3").read().unwrap();
        assert!(aggregator.drop_original);
        let wrong = normalized(Role::Aggregator, "drop_original = 'yes'");
        assert!(wrong.read::<AggregatorOptions>().is_err());
    }
}
