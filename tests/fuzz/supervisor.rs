//! The parent process: starts the child of a target and tells what became of it.

use std::env;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use libtest_mimic::Failed;

use crate::feeder::CURRENT;
use crate::shrinking::shrink;
use crate::targets::Target;

/// How much of an input is shown; the file has all of it.
const SHOWN_BYTES: usize = 600;

/// Where chance begins if nothing else is said: at the same place for everybody, so that a test
/// that fails says something of what was changed.
const SEED: u64 = 1;

/// How long a failing input is made smaller.
const SHRINKING: Duration = Duration::from_secs(20);

/// Feeds a target and fails with the smallest input that was found to fail.
pub(crate) fn supervise(target: &Target) -> Result<(), Failed> {
    let seconds = env::var("FUZZ_SECONDS").unwrap_or_else(|_| "1".into());
    let seed: u64 = match env::var("FUZZ_SEED") {
        Ok(seed) => seed.parse().map_err(|error| format!("FUZZ_SEED={seed}: {error}"))?,
        Err(_) => SEED,
    };
    let folder = tempfile::tempdir()?;
    let feed = [("FUZZ_SEED", seed.to_string()), ("FUZZ_SECONDS", seconds)];
    let output = child(target, folder.path(), &feed)?;
    if output.status.success() {
        if env::var("FUZZ_SECONDS").is_ok() {
            print!("{} ({seed}): {}", target.name, String::from_utf8_lossy(&output.stdout));
        }
        return Ok(());
    }
    let found = fs::read(folder.path().join(CURRENT)).unwrap_or_default();
    let fails = |input: &[u8]| -> Result<Option<String>, Failed> {
        fs::write(folder.path().join(CURRENT), input)?;
        let output = child(target, folder.path(), &[])?;
        Ok((!output.status.success()).then(|| said(&output)))
    };
    let mut message = said(&output);
    let (smallest, again) = match fails(&found)? {
        Some(_) => shrink(found, SHRINKING, fails)?,
        None => (found, None),
    };
    match again {
        Some(again) => message = again,
        None => message.push_str("\n(it does not fail alone: what came before matters)"),
    }
    let file = env::temp_dir().join(format!("fuzz-{}-{seed}", target.name.replace('/', "-")));
    fs::write(&file, &smallest)?;
    let shown = smallest[..smallest.len().min(SHOWN_BYTES)].escape_ascii();
    let (length, file) = (smallest.len(), file.display());
    Err(format!("{message}\nFUZZ_SEED={seed}; the input of {length} bytes is in {file}:\n{shown}")
        .into())
}

fn child(target: &Target, folder: &Path, variables: &[(&str, String)]) -> Result<Output, Failed> {
    let mut command = Command::new(env::current_exe()?);
    command.env_remove("FUZZ_SEED").env_remove("FUZZ_SECONDS");
    command.env("FUZZ_TARGET", &target.name).env("FUZZ_FOLDER", folder);
    command.envs(variables.iter().map(|(name, value)| (name, value))).current_dir(folder);
    // So that memory of many threads is not mostly address space.
    command.env("MALLOC_ARENA_MAX", "2").env("RUST_BACKTRACE", "0");
    Ok(command.stdin(Stdio::null()).output()?)
}

/// Why a child has ended.
fn said(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let start = text.char_indices().rev().nth(2000).map_or(0, |(at, _)| at);
    let mut said = text[start..].trim().to_owned();
    // Writing to a String does not fail.
    let _ = write!(said, "\n({})", output.status);
    said
}
