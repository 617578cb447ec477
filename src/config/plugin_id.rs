//! The id of a plugin: the same for the same settings, whatever their order in the file.
//!
//! # References
//! Telegraf's `config/plugin_id.go`: a SHA-256 over the plugin's name and its options, as they are
//! written, sorted by key. The ids are the same, and so a state file is that of either agent.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use crate::plugin::settings::{Data, Table};

/// The id of the plugin, such as `inputs.tail`, with these settings.
pub(super) fn plugin_id(plugin: &str, settings: &Table) -> String {
    let mut options = Vec::new();
    collect("", settings, &mut options);
    options.sort_by(|a, b| a.0.cmp(&b.0));
    let mut hash = Sha256::new();
    hash.update(plugin);
    hash.update([0]);
    for (key, value) in options {
        hash.update(key);
        hash.update(":");
        hash.update(value);
        hash.update([0]);
    }
    hash.finalize().iter().fold(String::with_capacity(64), |mut id, byte| {
        // Writing to a string cannot fail.
        let _ = write!(id, "{byte:02x}");
        id
    })
}

/// Collects the options of a table and of those below it, each with its value as written.
fn collect<'t>(prefix: &str, table: &'t Table, options: &mut Vec<(String, &'t str)>) {
    for entry in table.entries() {
        let key = &entry.key;
        match (&entry.value.data, entry.source()) {
            (Data::Table(inner), _) => collect(&format!("{prefix}{key}."), inner, options),
            (Data::Array(tables), None) => {
                for (at, value) in tables.iter().enumerate() {
                    if let Data::Table(inner) = &value.data {
                        collect(&format!("{prefix}#{at}.{key}."), inner, options);
                    }
                }
            }
            (_, source) => options.push((format!("{prefix}{key}"), source.unwrap_or_default())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::toml::parse;

    #[test]
    fn ids_are_those_of_telegraf() {
        let settings = "  files = [\"/tmp/mt/st/*.log\",\n     'b'] \n  \
                        initial_read_offset = \"saved-or-beginning\"  \n  \
                        max_undelivered_lines = 1_000\n  data_format = 'influx'\n  \
                        [tags]\n    env = \"${HOME}\"\n";
        assert_eq!(
            plugin_id("inputs.tail", &parse("f", settings).unwrap()),
            "151adf79496f471ce4862bb2a4eb8df71f9c1bc4912e216b28cff073e83800be"
        );
    }

    #[test]
    fn the_order_of_options_does_not_matter_and_everything_else_does() {
        let id = |text: &str| plugin_id("inputs.x", &parse("f", text).unwrap());
        let texts = ["a = 1", "a = '1'", "a = [1]", "[a]\nb = 1", "[[a]]\nb = 1", "a = [{b = 1}]"];
        let mut ids: Vec<_> = texts.iter().map(|text| id(text)).collect();
        ids.push(plugin_id("inputs.y", &parse("f", "a = 1").unwrap()));
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), texts.len() + 1);
        assert_eq!(id("a = 1\nb = 2"), id("b = 2\na = 1"));
        assert_eq!(id("a = { b = 1 }"), id("[a]\nb = 1"));
    }
}
