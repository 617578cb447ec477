//! Links the programs at a fixed address, as Go does it for Telegraf.
//!
//! A position-independent program carries some 30 000 relocations (OpenSSL's tables, mostly), which
//! are read and written at every start and stay resident: 1.3 MiB of an agent that is to live in
//! eight. The price is that the program's own code lies where an attacker can know it; libraries,
//! heap and stacks are still placed by chance.

#[expect(clippy::disallowed_methods, reason = "cargo speaks to build scripts by the environment")]
fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "linux") {
        println!("cargo::rustc-link-arg-bins=-no-pie");
    }
}
