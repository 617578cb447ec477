//! The sections of one file: `[agent]`, the global tags and the plugins, in all forms that
//! configurations have had over the years.
//!
//! # References
//! Telegraf's `LoadConfigData`: a top-level table that is nothing else is an input, `[plugins.x]`
//! is `[inputs.x]`, `[tags]` is `[global_tags]`, and single brackets do for inputs and outputs.

use std::sync::Arc;

use super::errors::{ConfigError, Problem};
use super::migrate;
use super::retired::{self, Retired};
use crate::plugin::settings::{Data, Entry, Place, Table, did_you_mean};

/// What a file says, taken apart but not yet read.
#[derive(Debug, Default)]
pub(super) struct Sections {
    pub agent: Option<Table>,
    /// `[tags]`, then `[global_tags]`.
    pub global_tags: Vec<Table>,
    /// In the order of the file.
    pub plugins: Vec<Section>,
}

/// The section of a plugin.
#[derive(Debug, Clone)]
pub(super) struct Section {
    pub role: Role,
    /// The plugin's name.
    pub name: String,
    pub form: Form,
    pub table: Table,
}

/// What kind of plugin a section is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Input,
    Output,
    Processor,
    Aggregator,
    SecretStore,
}

/// How a section is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// `[[inputs.cpu]]`
    List,
    /// `[inputs.cpu]`
    Single,
    /// `[cpu]`
    TopLevel,
}

impl Role {
    fn of(section: &str) -> Option<Role> {
        Some(match section {
            "inputs" | "plugins" => Role::Input,
            "outputs" => Role::Output,
            "processors" => Role::Processor,
            "aggregators" => Role::Aggregator,
            "secretstores" => Role::SecretStore,
            _ => return None,
        })
    }

    /// The word before a plugin's name in the log, such as `inputs`.
    pub(super) fn plural(self) -> &'static str {
        match self {
            Role::Input => "inputs",
            Role::Output => "outputs",
            Role::Processor => "processors",
            Role::Aggregator => "aggregators",
            Role::SecretStore => "secretstores",
        }
    }

    /// The word for one plugin, such as `input`.
    pub(super) fn singular(self) -> &'static str {
        let plural = self.plural();
        &plural[..plural.len() - 1]
    }

    fn takes_single_tables(self) -> bool {
        matches!(self, Role::Input | Role::Output)
    }
}

/// Takes the root table of a file apart; what has no form that fits goes to `errors`.
pub(super) fn split(file: &Arc<str>, root: Table, errors: &mut Vec<ConfigError>) -> Sections {
    let mut sections = Sections::default();
    let mut report = |problem: Problem| errors.push(problem.of(file));
    let mut tags = None;
    for entry in root.into_entries() {
        let place = place(file, &entry);
        let Entry { key, value, .. } = entry;
        let Data::Table(table) = value.data else {
            let single = || format!("it is written `[{key}]`, once in a file");
            report(match key.as_str() {
                "agent" => Problem::Undefined {
                    place,
                    message: "invalid configuration, error parsing agent table".to_owned(),
                    hint: single(),
                },
                "tags" | "global_tags" => Problem::Undefined {
                    place,
                    message: format!("invalid configuration, bad table name {key:?}"),
                    hint: single(),
                },
                _ => Problem::Shape {
                    place,
                    message: format!("invalid configuration, error parsing field {key:?} as table"),
                },
            });
            continue;
        };
        match (key.as_str(), Role::of(&key)) {
            ("agent", _) => sections.agent = Some(table),
            ("tags", _) => tags = Some(table),
            ("global_tags", _) => sections.global_tags.push(table),
            (_, Some(role)) => {
                for entry in table.into_entries() {
                    let place = self::place(file, &entry);
                    if let Err(name) = add_plugins(role, entry, &mut sections.plugins) {
                        report(Problem::Undefined {
                            place,
                            message: format!("unsupported config format: {name}"),
                            hint: format!("a plugin is a section: `[[{}.{name}]]`", role.plural()),
                        });
                    }
                }
            }
            (_, None) => {
                let form = Form::TopLevel;
                sections.plugins.push(Section { role: Role::Input, name: key, form, table });
            }
        }
    }
    // Where both are given, the newer name has the last word.
    sections.global_tags.splice(..0, tags);
    sections.plugins.sort_by_key(|section| section.table.position);
    sections
}

fn place(file: &Arc<str>, entry: &Entry) -> Place {
    Place { file: file.clone(), position: entry.position, section: "".into() }
}

/// Adds the section or sections of one plugin; gives the name back if it has no form that fits.
fn add_plugins(role: Role, entry: Entry, plugins: &mut Vec<Section>) -> Result<(), String> {
    let Entry { key: name, value, .. } = entry;
    match value.data {
        Data::Table(table) if role.takes_single_tables() => {
            plugins.push(Section { role, name, form: Form::Single, table });
            Ok(())
        }
        Data::Array(values) => {
            let tables: Option<Vec<Table>> = values
                .into_iter()
                .map(|value| match value.data {
                    Data::Table(table) => Some(table),
                    _ => None,
                })
                .collect();
            let tables = tables.ok_or_else(|| name.clone())?;
            plugins.extend(tables.into_iter().map(|table| {
                let form = Form::List;
                Section { role, name: name.clone(), form, table }
            }));
            Ok(())
        }
        _ => Err(name),
    }
}

impl Section {
    /// What Telegraf calls the section in errors about its content.
    pub(super) fn title(&self) -> String {
        match (self.role, self.form) {
            (Role::Output, Form::List) => format!("{} array,", self.name),
            _ => format!("{},", self.name),
        }
    }

    /// The place of the section itself.
    pub(super) fn place(&self) -> Place {
        self.table.place(self.table.position)
    }

    /// Says that there is no such plugin, and what the user may have meant.
    pub(super) fn undefined(&self, known: &[&str]) -> Problem {
        let (kind, name) = match self.role {
            // Telegraf uses the plural here, and only here.
            Role::SecretStore => (self.role.plural(), &self.name),
            role => (role.singular(), &self.name),
        };
        if let Some(Retired { kind, name, since, notice }) = retired::find(self.role, &self.name) {
            let message = format!("error parsing {} plugin deprecated", self.title());
            let mut hint =
                format!("{kind}.{name} deprecated since version {since} and removed: {notice}");
            if migrate::is_replaced(kind, name) {
                hint.push_str("; `config migrate` rewrites the file");
            }
            return Problem::Undefined { place: self.place(), message, hint };
        }
        let message =
            format!("error parsing {} undefined but requested {kind}: {name}", self.title());
        let headings = [
            "agent",
            "global_tags",
            "inputs",
            "outputs",
            "processors",
            "aggregators",
            "secretstores",
        ];
        let heading =
            (self.form == Form::TopLevel).then(|| did_you_mean(&self.name, headings)).flatten();
        let hint = match (heading, did_you_mean(name, known.iter().copied())) {
            (Some(heading), _) => match self.table.entries().first() {
                Some(inner) if Role::of(heading).is_some() => {
                    format!("did you mean `[[{heading}.{}]]`?", inner.key)
                }
                _ => format!("did you mean `[{heading}]`?"),
            },
            (None, Some(near)) => format!("did you mean {near:?}?"),
            (None, None) if known.is_empty() => {
                format!("this version has no {}", self.role.plural())
            }
            (None, None) => {
                format!("this version has the {} {}", self.role.plural(), known.join(", "))
            }
        };
        Problem::Undefined { place: self.place(), message, hint }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::toml::parse;

    fn split_text(text: &str) -> (Sections, Vec<String>) {
        let mut errors = Vec::new();
        let root = parse("a.conf", text).unwrap();
        let sections = split(&"a.conf".into(), root, &mut errors);
        (sections, errors.iter().map(ToString::to_string).collect())
    }

    fn names(sections: &Sections) -> Vec<String> {
        let names = sections.plugins.iter();
        names.map(|section| format!("{}.{}", section.role.plural(), section.name)).collect()
    }

    #[test]
    fn all_forms_of_sections_are_taken_in_file_order() {
        let (sections, errors) = split_text(
            "[[outputs.a]]\n[inputs.b]\n[c]\n[plugins.d]\n[[plugins.e]]\n[outputs.f]\n\
             [[processors.h]]\n[[inputs.g]]\n[[processors.i]]\n[[inputs.g]]\n[[processors.h]]\n\
             [[aggregators.j]]\n[[secretstores.k]]\n[agent]\n[global_tags]\n[tags]\n",
        );
        assert_eq!(errors, [""; 0]);
        assert_eq!(
            names(&sections),
            [
                "outputs.a",
                "inputs.b",
                "inputs.c",
                "inputs.d",
                "inputs.e",
                "outputs.f",
                "processors.h",
                "inputs.g",
                "processors.i",
                "inputs.g",
                "processors.h",
                "aggregators.j",
                "secretstores.k"
            ]
        );
        assert!(sections.agent.is_some());
        let tags: Vec<_> = sections.global_tags.iter().map(|table| &*table.section).collect();
        assert_eq!(tags, ["tags", "global_tags"]);
    }

    #[test]
    fn what_has_no_form_that_fits_is_an_error_and_the_rest_is_taken() {
        let (sections, errors) = split_text(
            "x = 5\n[[agent]]\n[[global_tags]]\n[[cpu]]\n[inputs]\nb = 1\nc = [1]\n[processors.d]\n\
             [aggregators.e]\n[[inputs.f]]\n",
        );
        assert_eq!(names(&sections), ["inputs.f"]);
        let at = "loading config file a.conf failed: ";
        let field = |name: &str| {
            format!("{at}invalid configuration, error parsing field \"{name}\" as table")
        };
        assert_eq!(
            errors,
            [
                field("x") + " (a.conf:1:1)",
                format!(
                    "{at}invalid configuration, error parsing agent table (a.conf:2:3); it is written `[agent]`, once in a file"
                ),
                format!(
                    "{at}invalid configuration, bad table name \"global_tags\" (a.conf:3:3); it is written `[global_tags]`, once in a file"
                ),
                field("cpu") + " (a.conf:4:3)",
                format!(
                    "{at}unsupported config format: b (a.conf:6:1); a plugin is a section: `[[inputs.b]]`"
                ),
                format!(
                    "{at}unsupported config format: c (a.conf:7:1); a plugin is a section: `[[inputs.c]]`"
                ),
                format!(
                    "{at}unsupported config format: d (a.conf:8:13); a plugin is a section: `[[processors.d]]`"
                ),
                format!(
                    "{at}unsupported config format: e (a.conf:9:14); a plugin is a section: `[[aggregators.e]]`"
                ),
            ]
        );
    }

    #[test]
    fn a_plugin_that_is_not_there_is_named_with_what_may_be_meant() {
        for (text, known, message) in [
            (
                "[[inputs.cpuu]]",
                &["cpu", "mem"][..],
                "error parsing cpuu, undefined but requested input: cpuu (a.conf:1:1); did you \
                 mean \"cpu\"?",
            ),
            (
                "[[outputs.x]]",
                &["file", "kafka"],
                "error parsing x array, undefined but requested output: x (a.conf:1:1); this \
                 version has the outputs file, kafka",
            ),
            (
                "[outputs.x]",
                &[],
                "error parsing x, undefined but requested output: x (a.conf:1:1); this version \
                 has no outputs",
            ),
            (
                "[Agent]",
                &["cpu"],
                "error parsing Agent, undefined but requested input: Agent (a.conf:1:1); did you \
                 mean `[agent]`?",
            ),
            (
                "[[input.cpu]]",
                &["cpu"],
                "error parsing input, undefined but requested input: input (a.conf:1:3); did you \
                 mean `[[inputs.cpu]]`?",
            ),
            (
                "[[inputs.io]]",
                &["diskio"],
                "error parsing io, plugin deprecated (a.conf:1:1); inputs.io deprecated since \
                 version 0.10.0 and removed: use 'inputs.diskio' instead; `config migrate` \
                 rewrites the file",
            ),
            (
                "[[secretstores.x]]",
                &[],
                "error parsing x, undefined but requested secretstores: x (a.conf:1:1); this \
                 version has no secretstores",
            ),
        ] {
            let (sections, _) = split_text(text);
            assert_eq!(sections.plugins[0].undefined(known).to_string(), message, "{text}");
        }
    }
}
