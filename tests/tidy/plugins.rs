//! What every plugin's folder holds, and that no plugin was forgotten in its table.

use std::collections::BTreeMap;

use super::none;
use super::source::{files, folders, root};

const KINDS: [&str; 7] =
    ["aggregators", "inputs", "outputs", "parsers", "processors", "secretstores", "serializers"];

/// Plugins without testcases, each with the reason.
const WITHOUT_TESTCASES: [(&str, &str); 0] = [];

/// What stands in the `mod.rs` of a kind, in its order.
struct Listing {
    modules: Vec<String>,
    table: Vec<String>,
}

fn listing(kind: &str) -> Listing {
    let (_, text) = files(&[&format!("src/plugins/{kind}/mod.rs")]).remove(0);
    let modules = text
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'))
        .map(without_raw_mark)
        .collect();
    let (_, table) = text.split_once("pub static ALL").unwrap();
    let (_, table) = table.split_once('=').unwrap();
    let (table, _) = table.split_once("];").unwrap();
    let table = table
        .split('&')
        .filter_map(|entry| entry.trim().trim_end_matches(',').strip_suffix("::PLUGIN"))
        .map(without_raw_mark)
        .collect();
    Listing { modules, table }
}

/// The name that an identifier stands for: `final` is a word of the language, and written `r#final`.
fn without_raw_mark(name: &str) -> String {
    name.trim_start_matches("r#").to_owned()
}

#[test]
fn every_plugins_folder_is_a_module_and_in_the_table_of_its_kind() {
    for kind in KINDS {
        let folders = folders(&format!("src/plugins/{kind}"));
        let listing = listing(kind);
        // Equal to the sorted names of folders, so sorted themselves.
        assert_eq!(listing.modules, folders, "`pub mod` lines of plugins::{kind}");
        assert_eq!(listing.table, folders, "ALL of plugins::{kind}");
    }
}

#[test]
fn the_tables_are_sorted_by_the_names_of_the_plugins() {
    let all = metric_agent::plugins::all();
    let mut by_kind = BTreeMap::<_, Vec<_>>::new();
    for plugin in &all {
        by_kind.entry(plugin.kind.section()).or_default().push(plugin.name);
    }
    for (kind, names) in by_kind {
        assert!(names.is_sorted(), "{kind}: {names:?}");
    }
}

#[test]
fn every_plugins_folder_has_its_documents_and_testcases() {
    let mut found = Vec::new();
    for (kind, name) in KINDS.iter().flat_map(|kind| {
        folders(&format!("src/plugins/{kind}")).into_iter().map(move |name| (kind, name))
    }) {
        let folder = format!("src/plugins/{kind}/{name}");
        for file in ["mod.rs", "sample.conf", "README.md"] {
            if !root().join(&folder).join(file).is_file() {
                found.push(format!("{folder}/{file} is missing"));
            }
        }
        let plugin = format!("{kind}/{name}");
        let reason = WITHOUT_TESTCASES.iter().find(|(without, _)| *without == plugin);
        match (folders(&format!("{folder}/testcases")).is_empty(), reason) {
            (true, None) => found.push(format!("{folder}/testcases has no case")),
            (false, Some(_)) => {
                found.push(format!("{folder} has testcases; the exception is over"))
            }
            _ => {}
        }
    }
    none("a plugin's folder is not complete", found);
}
