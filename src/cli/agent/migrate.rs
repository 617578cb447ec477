//! `config migrate`: writes what configurations would be today beside them.
//!
//! # References
//! Telegraf's `cmd_config.go`, for the names of files and the words.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::load::ConfigLoader;
use super::{Arguments, CliError};
use crate::cli::signals::Signals;
use crate::config::errors::ConfigErrors;
use crate::config::migrate::{self, MigrateError};
use crate::config::remote::shown;
use crate::plugin::Statistics;
use crate::system::{ErrorWords, System, environment_variable};

/// The mode of migrated files: passwords stand in configurations.
const FILE_MODE: u32 = 0o640;

/// What happens to a migrated file that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Existing {
    Kept,
    Overwritten,
}

/// Why a configuration could not be migrated.
#[derive(Debug, thiserror::Error)]
pub(super) enum MigrationError {
    #[error("opening input {file:?} failed: {reason}")]
    Read { file: String, reason: String },
    #[error("{file}: {source}")]
    Migrate { file: String, source: MigrateError },
    #[error("output file {0:?} already exists; --force overwrites it")]
    Exists(String),
    #[error("writing output {file:?} failed: {}", ErrorWords(.source))]
    Write { file: String, source: io::Error },
}

/// Migrates every configuration that the command line names, or those at the usual places.
///
/// # Errors
/// The first that goes wrong; files before it have been written.
pub(super) fn migrate(
    arguments: &Arguments,
    existing: Existing,
    system: &System,
    signals: &Signals,
) -> Result<(), CliError> {
    let (general, plugins, options) = migrate::counts();
    log::info!(
        target: "",
        "{general} general, {plugins} plugin and {options} plugin-option migrations available"
    );
    let loader = ConfigLoader::new(arguments, system, &Statistics::default());
    let files = arguments.sources.find(&environment_variable).map_err(ConfigErrors::from)?;
    for file in &files {
        let name = shown(file);
        log::debug!(target: "", "Trying to migrate {name:?}...");
        let bytes = loader
            .read(file, signals)?
            .map_err(|reason| MigrationError::Read { file: name.clone(), reason })?;
        let migrated = migrate::migrate(&bytes)
            .map_err(|source| MigrationError::Migrate { file: name.clone(), source })?;
        for note in &migrated.notes {
            log::info!(target: "", "{note}");
        }
        if migrated.applied == 0 {
            log::info!(target: "", "No migration applied for {name:?}");
            continue;
        }
        let output = output_name(file);
        log::info!(
            target: "",
            "{} migration applied for {name:?}, writing result as {output:?}",
            migrated.applied
        );
        write(&output, migrated.text.as_bytes(), existing)?;
    }
    Ok(())
}

/// The file beside the one that was read; in the working folder for one that lies on a server.
fn output_name(file: &str) -> String {
    let Some((_, rest)) = file.split_once("://") else { return format!("{file}.migrated") };
    let path = rest.split(['?', '#']).next().unwrap_or_default();
    let (_, path) = path.split_once('/').unwrap_or_default();
    let name = Path::new(path).file_name().unwrap_or("telegraf.conf".as_ref());
    format!("{}.migrated", name.to_string_lossy())
}

fn write(file: &str, bytes: &[u8], existing: Existing) -> Result<(), MigrationError> {
    let mut options = OpenOptions::new();
    options.write(true).mode(FILE_MODE);
    match existing {
        Existing::Kept => options.create_new(true),
        Existing::Overwritten => options.create(true).truncate(true),
    };
    let result = options.open(file).and_then(|mut file| file.write_all(bytes));
    result.map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => MigrationError::Exists(file.to_owned()),
        _ => MigrationError::Write { file: file.to_owned(), source },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_migrated_lies_beside_what_was_read_or_here() {
        for (file, expected) in [
            ("/etc/telegraf/a.conf", "/etc/telegraf/a.conf.migrated"),
            ("http://me:word@host/x/a.conf?token=b/c", "a.conf.migrated"),
            ("https://host", "telegraf.conf.migrated"),
        ] {
            assert_eq!(output_name(file), expected);
        }
    }
}
