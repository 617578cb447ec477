//! That documentation says what the programs do.
//!
//! Where a text is generated, `UPDATE_DOCS=1 cargo test --test tests docs::` writes it.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use metric_agent::cli;
use metric_agent::config::sample::{Selection, sample};
use metric_agent::config::toml;
use metric_agent::plugin::settings::{Data, Table};
use metric_agent::plugin::{AnyDeclaration, Kind};
use metric_agent::plugins;
use serde_json::Value;

/// Options in samples that are not the plugin's: who reads them, so that their defaults are tested
/// there.
const OPTIONS_OF_THE_ENGINE: [&str; 4] = ["data_format", "drop_original", "id", "period"];

fn all() -> Vec<AnyDeclaration> {
    let parsers = plugins::parsers::ALL.iter().map(|plugin| AnyDeclaration::from(*plugin));
    let serializers = plugins::serializers::ALL.iter().map(|plugin| AnyDeclaration::from(*plugin));
    plugins::all().into_iter().chain(parsers).chain(serializers).collect()
}

fn full_name(plugin: &AnyDeclaration) -> String {
    format!("{}.{}", plugin.kind.section(), plugin.name)
}

fn folder(plugin: &AnyDeclaration) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    root.join("src/plugins").join(plugin.kind.section()).join(plugin.name)
}

/// Takes the comment signs off the settings of a sample; prose has two of them and keeps them.
fn uncommented(sample: &str) -> String {
    let mut text = String::new();
    // The line above the section says what the plugin does, with one comment sign.
    let mut is_title = sample.contains("\n[[");
    for line in sample.lines() {
        is_title &= !line.starts_with("[[");
        let rest = line.trim_start();
        match rest.strip_prefix("# ") {
            Some(setting) if !is_title => text.push_str(setting),
            _ => text.push_str(line),
        }
        text.push('\n');
    }
    text
}

/// The table of a plugin in the text of its sample: that of its section, or the whole text of one
/// that has no section of its own.
fn table(plugin: &AnyDeclaration, text: &str) -> Table {
    let name = full_name(plugin);
    let root = toml::parse("sample.conf", text).unwrap_or_else(|errors| {
        let errors: Vec<_> = errors.iter().map(ToString::to_string).collect();
        panic!("{name}: {}\n{text}", errors.join("\n"))
    });
    if matches!(plugin.kind, Kind::Parser | Kind::Serializer) {
        return root;
    }
    let Some(Data::Table(kind)) = root.get(plugin.kind.section()).map(|e| e.value.data.clone())
    else {
        panic!("{name}: the sample has no section of its kind")
    };
    match kind.get(plugin.name).map(|entry| entry.value.data.clone()) {
        Some(Data::Array(tables)) if tables.len() == 1 => match tables.into_iter().next() {
            Some(table) => match table.data {
                Data::Table(table) => table,
                data => panic!("{name}: {data:?}"),
            },
            None => unreachable!(),
        },
        data => panic!("{name}: one section is wanted, found {data:?}"),
    }
}

fn read(plugin: &AnyDeclaration, table: &Table) -> Value {
    (plugin.read_settings)(table).unwrap_or_else(|errors| {
        let errors: Vec<_> = errors.iter().map(ToString::to_string).collect();
        panic!("{}: {}", full_name(plugin), errors.join("\n"))
    })
}

/// What the plugin's settings are when nothing is set.
fn defaults(plugin: &AnyDeclaration) -> Value {
    read(plugin, &Table::new("nothing".into(), full_name(plugin), Default::default()))
}

fn keys(table: &Table) -> BTreeSet<&str> {
    table.entries().iter().map(|entry| entry.key.as_str()).collect()
}

#[test]
fn samples_are_configurations_as_they_stand() {
    for plugin in all() {
        let table = table(&plugin, plugin.sample_config);
        read(&plugin, &table);
    }
}

#[test]
fn samples_show_the_defaults_there_are() {
    let mut wrong = Vec::new();
    for plugin in all() {
        let name = full_name(&plugin);
        let active = table(&plugin, plugin.sample_config);
        let whole = uncommented(plugin.sample_config);
        let shown = read(&plugin, &table(&plugin, &whole));
        let defaults = defaults(&plugin);
        for (key, default) in defaults.as_object().into_iter().flatten() {
            let shown = &shown[key];
            // Nothing is the default of options whose absence has a meaning of its own; the
            // sample then shows what they look like. What is active there is an example, too, and so
            // are tables of which there may be several.
            let is_example = default.is_null()
                || keys(&active).contains(key.as_str())
                || shown.as_array().is_some_and(|list| list.first().is_some_and(Value::is_object));
            if shown != default && !is_example {
                wrong.push(format!("{name}: {key}: the default is {default}, shown is {shown}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn samples_show_every_option_and_no_other() {
    let mut wrong = Vec::new();
    for plugin in all() {
        let name = full_name(&plugin);
        let whole = uncommented(plugin.sample_config);
        let shown = table(&plugin, &whole);
        for (key, _) in defaults(&plugin).as_object().into_iter().flatten() {
            if !keys(&shown).contains(key.as_str()) {
                wrong.push(format!("{name}: {key} is not in the sample"));
            }
        }
        read(&plugin, &shown);
        shown.accept(&OPTIONS_OF_THE_ENGINE);
        wrong.extend(shown.unknown().iter().map(|error| format!("{name}: {error}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Compares a file with what it should be, or writes it where that is asked for.
fn require(path: &Path, expected: &str) -> Option<String> {
    if fs::read_to_string(path).unwrap_or_default() == expected {
        return None;
    }
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(path, expected).unwrap();
        return None;
    }
    Some(format!("{} is not up to date; UPDATE_DOCS=1 writes it", path.display()))
}

/// Puts `inner` between two texts, of which `after` is looked for behind `before`.
fn replaced(text: &str, before: &str, after: &str, inner: &str) -> Option<String> {
    let (head, rest) = text.split_once(before)?;
    let (_, tail) = rest.split_once(after)?;
    Some(format!("{head}{before}{inner}{after}{tail}"))
}

#[test]
fn every_plugins_readme_holds_its_sample() {
    let mut wrong = Vec::new();
    for plugin in all() {
        let path = folder(&plugin).join("README.md");
        let readme = fs::read_to_string(&path).unwrap();
        match replaced(&readme, "```toml @sample.conf\n", "```", plugin.sample_config) {
            Some(expected) => wrong.extend(require(&path, &expected)),
            None => wrong.push(format!("{}: no ```toml @sample.conf block", path.display())),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_example_configuration_is_made_of_all_samples() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("telegraf.conf.example");
    assert_eq!(require(&path, &sample(&Selection::default())), None);
}

#[test]
fn the_readme_holds_the_tables_of_plugins_and_flags() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let mut readme = fs::read_to_string(&path).unwrap();
    for (name, text) in [
        ("plugins", plugin_table()),
        ("agent flags", cli::agent::flags::PROGRAM.markdown()),
        ("agent replay flags", cli::agent::replay::PROGRAM.markdown()),
        ("agent status flags", cli::agent::status::PROGRAM.markdown()),
        ("agent reload flags", cli::agent::status::RELOAD_PROGRAM.markdown()),
        ("sink flags", cli::sink::flags::PROGRAM.markdown()),
        ("sink status flags", cli::sink::status::PROGRAM.markdown()),
        ("sink replay flags", cli::sink::replay::PROGRAM.markdown()),
        ("sink verify flags", cli::sink::verify::PROGRAM.markdown()),
    ] {
        let (before, after) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->"));
        // A second end, as a merge can leave it, would keep an old text for good.
        assert_eq!(readme.matches(&after).count(), 1, "README.md: {after}");
        readme =
            replaced(&readme, &before, &after, &format!("{}\n", text.trim_start_matches('\n')))
                .unwrap_or_else(|| panic!("README.md has no place for: {name}"));
    }
    assert_eq!(require(&path, &readme), None);
}

/// A row for each plugin: its name, and what the first line of its sample says about it.
fn plugin_table() -> String {
    let mut text = String::from("| plugin | |\n|---|---|\n");
    for plugin in all() {
        let (kind, name) = (plugin.kind.section(), plugin.name);
        let title = plugin.sample_config.lines().next().unwrap_or_default();
        let title = title.trim_start_matches('#').trim();
        text.push_str(&format!("| [{kind}.{name}](src/plugins/{kind}/{name}) | {title} |\n"));
    }
    text
}

#[test]
fn only_settings_lose_their_comment_signs() {
    let sample = "# Do it\n[[inputs.x]]\n  ## Which\n  # a = [\n  #   1,\n  # ]\n  b = 2\n";
    assert_eq!(uncommented(sample), "# Do it\n[[inputs.x]]\n  ## Which\na = [\n  1,\n]\n  b = 2\n");
}
