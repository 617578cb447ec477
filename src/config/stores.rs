//! The secret stores of all files, which are there before anything that refers to them.

use super::build::Builder;
use super::errors::Problem;
use super::sections::{Role, Section};
use crate::plugin::secrets::{References, SecretError, is_word};
use crate::plugin::settings::{Data, Position, Table};
use crate::plugin::{BuildError, PluginLog};

impl Builder<'_> {
    /// Builds the secret stores, each after those that its own settings refer to.
    pub(super) fn add_secret_stores(&mut self, mut waiting: Vec<Section>) {
        while !waiting.is_empty() {
            let is_ready = |at: usize| {
                let others = waiting.iter().enumerate().filter(|(other, _)| *other != at);
                let mut ids = others.filter_map(|(_, section)| id(section));
                ids.all(|id| !refers_to(&waiting[at].table, id))
            };
            // Where stores refer to each other, the first one is told that the other is unknown.
            let next = (0..waiting.len()).find(|at| is_ready(*at)).unwrap_or(0);
            let section = waiting.remove(next);
            self.add(section);
        }
    }

    /// Builds one secret store; tells whether there is one.
    pub(super) fn add_secret_store(&mut self, section: &Section) -> bool {
        let is_there = self.try_secret_store(section);
        if let Some(id) = id(section).filter(|_| !is_there) {
            self.failed_stores.insert(id.to_owned());
        }
        is_there
    }

    fn try_secret_store(&mut self, section: &Section) -> bool {
        let name = &section.name;
        let Some(id) = id(section) else {
            self.wrong(section, "id", format_args!("{name:?} secret store without ID"));
            return false;
        };
        if !is_word(id) {
            let message = format_args!(
                "invalid secret store ID {id:?}, must only contain letters, numbers or underscore"
            );
            self.wrong(section, "id", message);
            return false;
        }
        let Some(declaration) = self.declared(section, self.plugins.secret_stores) else {
            return false;
        };
        let log = PluginLog::new(format!("secretstores.{name}"));
        let built = (declaration.build)(&self.context(section, &log));
        if built.is_err() {
            self.report_unknown_options(section, declaration);
        }
        match built {
            Ok(store) => match self.built.secret_stores.add(id, store) {
                Ok(()) => return true,
                Err(_) => {
                    let message = format_args!("duplicate ID {id:?} for secretstore {name:?}");
                    self.wrong(section, "id", message);
                }
            },
            Err(BuildError::Settings(errors)) => self.report_values(section, errors),
            Err(BuildError::Secret { position, error }) => {
                self.report_secret(section, position, error);
            }
            Err(BuildError::Invalid(error)) => {
                let message = format!("error initializing secret store {id:?}: {error}");
                self.wrong(section, "", message);
            }
        }
        false
    }

    /// Reports the stores that a plugin's secrets refer to and that there are not.
    pub(super) fn report_unknown_stores(&mut self, section: &Section) {
        for (position, text) in section.table.secrets() {
            for reference in References::of(text) {
                if self.built.secret_stores.get(reference.store).is_none() {
                    let reference = reference.text.to_owned();
                    let error = SecretError::UnknownStore { reference };
                    self.report_secret(section, position, error);
                }
            }
        }
    }

    /// Reports that a secret is not to be had, unless that has been said of its store as a whole.
    pub(super) fn report_secret(
        &mut self,
        section: &Section,
        position: Position,
        error: SecretError,
    ) {
        if let SecretError::UnknownStore { reference } = &error
            && References::of(reference).any(|found| self.failed_stores.contains(found.store))
        {
            return;
        }
        let place = section.table.place(position);
        self.report(section, Problem::Secret { place, error });
    }
}

/// Divides sections into those of secret stores and all others.
pub(super) fn divide(sections: Vec<Section>) -> (Vec<Section>, Vec<Section>) {
    sections.into_iter().partition(|section| section.role == Role::SecretStore)
}

fn id(section: &Section) -> Option<&str> {
    match &section.table.get("id")?.value.data {
        Data::String { text, .. } => Some(text.as_str()).filter(|id| !id.is_empty()),
        _ => None,
    }
}

/// Whether any text in a table refers to the store of that id.
fn refers_to(table: &Table, id: &str) -> bool {
    fn any(data: &Data, id: &str) -> bool {
        match data {
            Data::String { text, .. } => References::of(text).any(|found| found.store == id),
            Data::Array(values) => values.iter().any(|value| any(&value.data, id)),
            Data::Table(table) => refers_to(table, id),
            _ => false,
        }
    }
    table.entries().iter().any(|entry| any(&entry.value.data, id))
}
