//! That the packages hold what they should, as far as it can be told without making them.

use std::collections::BTreeMap;
use std::fs;

use toml::{Table, Value};

use super::none;
use super::source::root;

/// A file of a package: where it comes from, and with which mode.
type Contents = BTreeMap<String, (String, String)>;

fn metadata(kind: &str) -> Table {
    let manifest: Table = fs::read_to_string(root().join("Cargo.toml")).unwrap().parse().unwrap();
    manifest["package"]["metadata"][kind].as_table().unwrap().clone()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn deb() -> Contents {
    let assets = metadata("deb")["assets"].as_array().unwrap().clone();
    assets.iter().map(|asset| (text(&asset[1]), (text(&asset[0]), text(&asset[2])))).collect()
}

fn rpm_assets() -> Vec<Value> {
    metadata("generate-rpm")["assets"].as_array().unwrap().clone()
}

fn rpm() -> Contents {
    rpm_assets()
        .iter()
        .map(|asset| (text(&asset["dest"]), (text(&asset["source"]), text(&asset["mode"]))))
        .collect()
}

#[test]
fn both_packages_hold_the_same_files() {
    let mut rpm = rpm();
    // The tool that makes the .deb puts the licence there by itself.
    rpm.remove("/usr/share/doc/metric-agent/copyright").unwrap();
    assert_eq!(deb(), rpm);
}

#[test]
fn what_the_packages_hold_is_there() {
    let missing = rpm()
        .into_values()
        .map(|(source, _)| source)
        .filter(|source| !source.starts_with("target/") && !root().join(source).is_file());
    none("a file of a package is in the repository", missing);
}

#[test]
fn an_upgrade_keeps_every_file_below_etc() {
    let below_etc: Vec<_> = deb().into_keys().filter(|path| path.starts_with("/etc/")).collect();
    let mut kept_by_deb: Vec<_> =
        metadata("deb")["conf-files"].as_array().unwrap().iter().map(text).collect();
    kept_by_deb.sort();
    let mut kept_by_rpm: Vec<_> = rpm_assets()
        .iter()
        .filter(|asset| asset.get("config").and_then(Value::as_str) == Some("noreplace"))
        .map(|asset| text(&asset["dest"]))
        .collect();
    kept_by_rpm.sort();
    assert_eq!(kept_by_deb, below_etc);
    assert_eq!(kept_by_rpm, below_etc);
}

#[test]
fn every_file_bears_our_name_so_that_none_is_in_the_telegraf_package() {
    let clashes = rpm().into_keys().filter(|path| !path.contains("metric-"));
    none("both packages can be installed", clashes);
}

#[test]
fn a_reload_asks_the_agent_in_the_folder_that_the_service_gives_it() {
    let unit = fs::read_to_string(root().join("packaging/systemd/metric-agent.service")).unwrap();
    let value = |key: &str| unit.lines().find_map(|line| line.strip_prefix(key)).unwrap();
    assert_eq!(value("ExecReload="), "/usr/bin/metric-agent reload");
    assert_eq!((value("RuntimeDirectory="), value("User=")), ("metric-agent", "telegraf"));
}
