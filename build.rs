//! How the linker lays out the programs, so that little of them is resident; and what the plugins'
//! READMEs say under "Differences", put where `config check --telegraf` finds it.
//!
//! The programs are linked at a fixed address, as Go does it for Telegraf. A position-independent program
//! carries some 30 000 relocations (OpenSSL's tables, mostly), which are read and written at every
//! start and stay resident: 1.3 MiB of an agent that is to live in eight. The price is that the
//! program's own code lies where an attacker can know it; libraries, heap and stacks are still
//! placed by chance.
//!
//! Functions that run lie side by side. The kernel maps a program in pieces of 64 KiB around each
//! byte that is touched, and left to itself a linker spreads the tenth of the functions that an
//! agent uses over all pieces: 4 MiB more. `scripts/link-order` finds out which they are. A name in
//! its list that this build does not have (another compiler gives other hashes) is passed over:
//! the program is the same, only more of it is resident.

#![expect(clippy::disallowed_methods, reason = "cargo speaks to build scripts by the environment")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs, io};

/// Names of functions, the order they are to lie in.
const LINK_ORDER: &str = "scripts/lib/link-order.txt";

/// Where the plugins are, each in its folder.
const PLUGINS: &str = "src/plugins";

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={PLUGINS}");
    fs::write(Path::new(&variable("OUT_DIR")).join("differences.rs"), differences()?)?;
    println!("cargo::rerun-if-changed={LINK_ORDER}");
    if variable("CARGO_CFG_TARGET_OS") == "linux" {
        println!("cargo::rustc-link-arg-bins=-no-pie");
        if variable("PROFILE") == "release" {
            order_functions()?;
        }
    }
    Ok(())
}

/// Hands the list on to the linker if it takes one.
fn order_functions() -> io::Result<()> {
    let list = Path::new(&variable("CARGO_MANIFEST_DIR")).join(LINK_ORDER);
    let argument = format!("-Wl,--symbol-ordering-file={}", list.display());
    if linker_takes(&argument)? {
        println!("cargo::rustc-link-arg-bins={argument}");
        println!("cargo::rustc-link-arg-bins=-Wl,--no-warn-symbol-ordering");
    }
    Ok(())
}

/// Links an empty program with `argument`: only LLVM's linker, which is the compiler's own on most
/// systems, knows of an order.
fn linker_takes(argument: &str) -> io::Result<bool> {
    let folder = PathBuf::from(variable("OUT_DIR"));
    let source = folder.join("empty.rs");
    fs::write(&source, "fn main() {}\n")?;
    let mut compiler = Command::new(variable("RUSTC"));
    compiler.arg(&source).arg("-o").arg(folder.join("empty"));
    compiler.args(["--target", &variable("TARGET"), "-C", &format!("link-arg={argument}")]);
    let linker = variable("RUSTC_LINKER");
    if !linker.is_empty() {
        compiler.args(["-C", &format!("linker={linker}")]);
    }
    let flags = variable("CARGO_ENCODED_RUSTFLAGS");
    compiler.args(flags.split('\x1f').filter(|flag| !flag.is_empty()));
    compiler.stdout(Stdio::null()).stderr(Stdio::null());
    Ok(compiler.status()?.success())
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

/// A variable that cargo sets, or nothing.
fn variable(name: &str) -> String {
    env::var(name).unwrap_or_default()
}
