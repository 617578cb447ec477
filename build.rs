//! Links the programs at a fixed address, as Go does it for Telegraf; and puts what the plugins'
//! READMEs say under "Differences" where `config check --telegraf` finds it.
//!
//! A position-independent program carries some 30 000 relocations (OpenSSL's tables, mostly), which
//! are read and written at every start and stay resident: 1.3 MiB of an agent that is to live in
//! eight. The price is that the program's own code lies where an attacker can know it; libraries,
//! heap and stacks are still placed by chance.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

const PLUGINS: &str = "src/plugins";

#[expect(clippy::disallowed_methods, reason = "cargo speaks to build scripts by the environment")]
fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={PLUGINS}");
    if env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "linux") {
        println!("cargo::rustc-link-arg-bins=-no-pie");
    }
    let folder = env::var_os("OUT_DIR").map(PathBuf::from).unwrap_or_default();
    fs::write(folder.join("differences.rs"), differences()?)
}

/// A table in Rust: each plugin that differs, and the items of its list.
fn differences() -> io::Result<String> {
    let mut table = "&[\n".to_owned();
    for kind in folders(Path::new(PLUGINS))? {
        for plugin in folders(&kind)? {
            let Ok(readme) = fs::read_to_string(plugin.join("README.md")) else { continue };
            let items = items(&readme);
            if !items.is_empty() {
                let name = |path: &Path| path.file_name().unwrap_or_default().display().to_string();
                let _ = writeln!(table, "({:?}, &{items:?}),", name(&kind) + "." + &name(&plugin));
            }
        }
    }
    table.push(']');
    Ok(table)
}

fn folders(path: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

/// The items of the list under the heading "Differences …", a line each.
fn items(readme: &str) -> Vec<String> {
    let mut items: Vec<String> = Vec::new();
    let lines = readme.lines().skip_while(|line| !line.starts_with("## Differences")).skip(1);
    for line in lines.take_while(|line| !line.starts_with("## ")) {
        match (line.strip_prefix("- "), items.last_mut()) {
            (Some(item), _) => items.push(item.to_owned()),
            (None, Some(item)) if line.starts_with("  ") => {
                item.push(' ');
                item.push_str(line.trim());
            }
            _ => {}
        }
    }
    items
}
