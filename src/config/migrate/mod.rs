//! Old configurations to what they are written as today: `config migrate`.
//!
//! # References
//! Telegraf's `config/migration.go` and `migrations`, for what is migrated to what. It writes the
//! sections that it has changed anew, without their comments; here only the words that change do.

mod leave_out;
mod options;
mod plugins;
mod section;
#[cfg(test)]
mod tests;

use toml::de::DeTable;

use super::text;
use super::toml::{SyntaxError, parse};
pub use leave_out::leave_out;
use options::{OPTIONS, OptionMigration};
use plugins::{REPLACED, Replaced};
use section::{Patches, Section};

/// A configuration that has been migrated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrated {
    /// Its text.
    pub text: String,
    /// How many migrations were applied; none leaves the text as it was.
    pub applied: usize,
    /// What people should know about it, for the log.
    pub notes: Vec<String>,
}

/// Why a configuration cannot be migrated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MigrateError {
    /// Its bytes are no text.
    #[error("parsing failed: the configuration is no UTF-8 text")]
    NotText,
    /// Its text is no TOML.
    #[error("parsing failed: {0}")]
    Syntax(SyntaxError),
    /// There is nothing in it.
    #[error("no TOML configuration found")]
    Empty,
    /// A section of it cannot be.
    #[error("migrating {section:?} (line {line}) failed: {reason}")]
    Section {
        /// The section, such as `inputs.disk`.
        section: String,
        /// The line that it begins on.
        line: usize,
        /// Why not.
        reason: String,
    },
}

/// What a migration says if all went well.
type Outcome = Result<Option<String>, String>;

fn contradiction(one: &str, other: &str) -> String {
    format!("contradicting setting for '{one}' and '{other}'")
}

/// How many migrations there are: of all plugins, to other plugins, of the options of one.
pub fn counts() -> (usize, usize, usize) {
    (GENERAL.len() + GLOBAL.len(), REPLACED.len(), OPTIONS.len())
}

/// Whether a plugin can be migrated to another one.
pub(super) fn is_replaced(kind: &str, name: &str) -> bool {
    replaced(kind, name).is_some()
}

/// A migration of any section.
type Migration = fn(&Section<'_>, &mut Patches) -> Outcome;

/// Migrations of `[agent]` and `[tags]`.
const GLOBAL: [(&str, Migration); 2] = [("agent", options::agent), ("tags", global_tags)];

/// Migrations of options that many plugins have.
const GENERAL: [Migration; 2] = [options::filters, options::encryption];

const KINDS: [&str; 4] = ["inputs", "outputs", "processors", "aggregators"];

/// Brings a configuration up to date.
///
/// # Errors
/// If it is no configuration, or says two things at once.
pub fn migrate(bytes: &[u8]) -> Result<Migrated, MigrateError> {
    let bytes = bytes.strip_prefix(text::BYTE_ORDER_MARK).unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|_| MigrateError::NotText)?;
    let mut migrated = Migrated { text: text.to_owned(), applied: 0, notes: Vec::new() };
    migrated.step(|root, work| {
        for (name, migrate) in GLOBAL {
            let is_free = name != "tags" || !root.has("global_tags");
            for section in root.0.below(name).iter().filter(|_| is_free) {
                work.apply(name, section, migrate)?;
            }
        }
        root.plugins(|kind, name, section| {
            let Some(replaced) = replaced(kind, name) else { return Ok(()) };
            work.apply(&format!("{kind}.{name}"), section, |section, patches| {
                patches.rename_plugin(section, replaced.by);
                (replaced.migrate)(section, patches)
            })
        })
    })?;
    migrated.step(|root, work| {
        root.plugins(|kind, name, section| {
            let plugin = format!("{kind}.{name}");
            for migrate in GENERAL {
                work.apply(&plugin, section, migrate)?;
            }
            let is_meant = |option: &&OptionMigration| option.kind == kind && option.name == name;
            match OPTIONS.iter().find(is_meant) {
                Some(option) => work.apply(&plugin, section, option.migrate),
                None => Ok(()),
            }
        })
    })?;
    Ok(migrated)
}

fn replaced(kind: &str, name: &str) -> Option<&'static Replaced> {
    REPLACED.iter().find(|replaced| replaced.kind == kind && replaced.name == name)
}

fn global_tags(section: &Section<'_>, patches: &mut Patches) -> Outcome {
    patches.rename_header(section, "global_tags");
    Ok(None)
}

/// The whole of a configuration.
struct Root<'t>(Section<'t>);

impl<'t> Root<'t> {
    fn has(&self, name: &str) -> bool {
        self.0.get(name).is_some()
    }

    /// Goes through the sections of all plugins, in the order of the file.
    fn plugins(
        &self,
        mut each: impl FnMut(&'static str, &'t str, &Section<'t>) -> Result<(), MigrateError>,
    ) -> Result<(), MigrateError> {
        let mut found = Vec::new();
        for kind in KINDS {
            for plugin in self.0.below(kind).iter().flat_map(Section::entries) {
                let sections = plugin.sections().into_iter();
                found.extend(sections.map(|section| (section.line(), kind, plugin.key(), section)));
            }
        }
        found.sort_by_key(|(line, ..)| *line);
        found.iter().try_for_each(|(_, kind, name, section)| each(kind, name, section))
    }
}

/// What has been done in one pass.
struct Work<'m> {
    patches: Patches,
    applied: &'m mut usize,
    notes: &'m mut Vec<String>,
}

impl Work<'_> {
    fn apply(
        &mut self,
        name: &str,
        section: &Section<'_>,
        migrate: impl FnOnce(&Section<'_>, &mut Patches) -> Outcome,
    ) -> Result<(), MigrateError> {
        let before = self.patches.len();
        let note = migrate(section, &mut self.patches).map_err(|reason| MigrateError::Section {
            section: name.to_owned(),
            line: section.line(),
            reason,
        })?;
        if self.patches.len() > before {
            *self.applied += 1;
        }
        if let Some(note) = note {
            self.notes.push(format!("Plugin {name:?} in line {}: {note}", section.line()));
        }
        Ok(())
    }
}

impl Migrated {
    /// Goes over the text once; what is changed takes effect at the end.
    fn step(
        &mut self,
        work: impl FnOnce(&Root<'_>, &mut Work<'_>) -> Result<(), MigrateError>,
    ) -> Result<(), MigrateError> {
        let text = std::mem::take(&mut self.text);
        if let Err(errors) = parse("", &text) {
            let first = errors.into_iter().next().map(MigrateError::Syntax);
            return Err(first.unwrap_or(MigrateError::Empty));
        }
        let (document, _) = DeTable::parse_recoverable(&text);
        let root = document.get_ref();
        if root.is_empty() {
            return Err(MigrateError::Empty);
        }
        let mut done = Work {
            patches: Patches::default(),
            applied: &mut self.applied,
            notes: &mut self.notes,
        };
        work(&Root(Section::new(&text, root, 0)), &mut done)?;
        let patches = done.patches;
        self.text = patches.apply(&text);
        Ok(())
    }
}
