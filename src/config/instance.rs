//! What tells a plugin from others of its name: all its options, whatever their order.
//!
//! # References
//! Telegraf makes such names in its `config/plugin_id.go`; ours are others, as stable.

use std::fmt::Write;

use crate::plugin::settings::{Data, Table};

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0100_0000_01b3;

/// The same name for sections of `plugin` with the same options, and another for all others.
pub(super) fn instance_name(plugin: &str, table: &Table) -> String {
    let mut options = Vec::new();
    collect("", table, &mut options);
    options.sort_unstable();
    let mut hash = fnv(FNV_OFFSET, plugin.as_bytes());
    for option in options {
        hash = fnv(fnv(hash, &[0]), option.as_bytes());
    }
    format!("{hash:016x}")
}

fn collect(prefix: &str, table: &Table, options: &mut Vec<String>) {
    for entry in table.entries() {
        collect_value(&format!("{prefix}{}", entry.key), &entry.value.data, options);
    }
}

fn collect_value(key: &str, data: &Data, options: &mut Vec<String>) {
    let mut option = format!("{key}:");
    // Writing to a string cannot fail.
    let _ = match data {
        Data::Table(table) => return collect(&format!("{key}."), table, options),
        Data::Array(values) => {
            for (at, value) in values.iter().enumerate() {
                collect_value(&format!("{key}#{at}"), &value.data, options);
            }
            return;
        }
        Data::String { text, .. } => write!(option, "{text:?}"),
        Data::Integer(number) => write!(option, "{number}"),
        Data::Float(number) => write!(option, "{number:?}"),
        Data::Boolean(flag) => write!(option, "{flag}"),
        Data::Datetime(text) => write!(option, "{text}"),
    };
    options.push(option);
}

/// FNV-1a, which is the same on every machine and in every version.
fn fnv(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(FNV_PRIME))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::toml::parse;

    fn name(text: &str) -> String {
        instance_name("inputs.x", &parse("a.conf", text).unwrap())
    }

    #[test]
    fn the_order_of_options_plays_no_part_and_their_values_do() {
        let one = name("a = 1\nb = ['x', 'y']\n[c]\nd = true");
        assert_eq!(one, name("b = ['x', 'y']\na = 1\n\n[c]\nd = true"));
        assert_eq!(one.len(), 16);
        for other in [
            "a = 2\nb = ['x', 'y']\n[c]\nd = true",
            "a = 1\nb = ['y', 'x']\n[c]\nd = true",
            "a = '1'\nb = ['x', 'y']\n[c]\nd = true",
            "a = 1\nb = ['x', 'y']\n[c]\ne = true",
        ] {
            assert_ne!(one, name(other), "{other}");
        }
        let empty = parse("a.conf", "").unwrap();
        assert_ne!(instance_name("inputs.x", &empty), instance_name("outputs.x", &empty));
    }
}
