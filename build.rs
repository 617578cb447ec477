//! How the linker lays out the programs, so that little of them is resident.
//!
//! They are linked at a fixed address, as Go does it for Telegraf. A position-independent program
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

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Names of functions, the order they are to lie in.
const LINK_ORDER: &str = "scripts/lib/link-order.txt";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={LINK_ORDER}");
    if variable("CARGO_CFG_TARGET_OS") != "linux" {
        return;
    }
    println!("cargo::rustc-link-arg-bins=-no-pie");
    if variable("PROFILE") == "release" {
        let list = Path::new(&variable("CARGO_MANIFEST_DIR")).join(LINK_ORDER);
        let argument = format!("-Wl,--symbol-ordering-file={}", list.display());
        if linker_takes(&argument) {
            println!("cargo::rustc-link-arg-bins={argument}");
            println!("cargo::rustc-link-arg-bins=-Wl,--no-warn-symbol-ordering");
        }
    }
}

/// Links an empty program with `argument`: only LLVM's linker, which is the compiler's own on most
/// systems, knows of an order.
fn linker_takes(argument: &str) -> bool {
    let folder = PathBuf::from(variable("OUT_DIR"));
    let source = folder.join("empty.rs");
    if std::fs::write(&source, "fn main() {}\n").is_err() {
        return false;
    }
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
    compiler.status().is_ok_and(|status| status.success())
}

/// A variable that cargo sets, or nothing.
fn variable(name: &str) -> String {
    env::var(name).unwrap_or_default()
}
