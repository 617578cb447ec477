//! How much of an existing installation's configuration there is here: for each section whether the
//! plugin is there, whether its options are, and what it does otherwise than Telegraf.

mod differences;

use std::sync::Arc;

use super::agent_table::AgentTable;
use super::errors::{ConfigError, ConfigErrors, Problem};
use super::load::Loader;
use super::remote;
use super::sections::{Role, Section};
use super::sources::Sources;
use crate::plugin::settings::{Data, Position, Table};
use differences::differences_of;

/// Settings of `[agent]` that are taken and change nothing.
const AGENT_WITHOUT_EFFECT: [&str; 1] = ["snmp_translator"];

/// What there is of an installation.
#[derive(Debug, Default)]
pub struct Coverage {
    /// Its files, in their order.
    pub files: Vec<String>,
    /// Its sections, in the order of the files.
    pub sections: Vec<CoveredSection>,
}

/// One section of a configuration, or a file that cannot be read as one.
#[derive(Debug)]
pub struct CoveredSection {
    /// The file.
    pub file: Arc<str>,
    /// The line where the section begins.
    pub line: usize,
    /// What the section is about, such as `inputs.cpu`; empty for a file as a whole.
    pub name: String,
    /// What it needs and is not there.
    pub gaps: Vec<Gap>,
    /// What is there and does something else.
    pub differences: Vec<String>,
}

/// Something that a section asks for and that is not there.
#[derive(Debug, PartialEq, Eq)]
pub struct Gap {
    /// Where it is asked for.
    pub line: usize,
    /// What kind of gap it is.
    pub kind: GapKind,
    /// The option, if it is about one.
    pub option: Option<String>,
    /// What is wrong, in a sentence.
    pub message: String,
}

/// Why something is not covered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GapKind {
    /// There is no such plugin here.
    Plugin,
    /// Nobody here knows the option.
    UnknownOption,
    /// The option is known, and its value is refused.
    RefusedOption,
    /// The options do not make a plugin.
    RefusedPlugin,
    /// The text is no configuration.
    Text,
}

impl GapKind {
    /// The words for it.
    pub fn words(self) -> &'static str {
        match self {
            GapKind::Plugin => "plugin not there",
            GapKind::UnknownOption => "option unknown",
            GapKind::RefusedOption => "option refused",
            GapKind::RefusedPlugin => "plugin refused",
            GapKind::Text => "not readable",
        }
    }
}

/// How well a section is covered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// It does what it does with Telegraf.
    Covered,
    /// It runs, and does something otherwise on purpose.
    Differs,
    /// It does not run.
    NotCovered,
}

impl Verdict {
    /// The words for it.
    pub fn words(self) -> &'static str {
        match self {
            Verdict::Covered => "covered",
            Verdict::Differs => "covered with differences",
            Verdict::NotCovered => "not covered",
        }
    }
}

impl CoveredSection {
    /// How well it is covered.
    pub fn verdict(&self) -> Verdict {
        match (self.gaps.is_empty(), self.differences.is_empty()) {
            (false, _) => Verdict::NotCovered,
            (true, false) => Verdict::Differs,
            (true, true) => Verdict::Covered,
        }
    }
}

impl Coverage {
    /// How many sections have a verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.sections.iter().filter(|section| section.verdict() == verdict).count()
    }
}

impl Loader<'_> {
    /// Looks through the whole configuration, whatever is wrong with it.
    ///
    /// # Errors
    /// If there is no file to look at.
    pub fn coverage(&self, sources: &Sources) -> Result<Coverage, ConfigErrors> {
        let files = sources.find(self.environment)?;
        let mut coverage = Coverage { files, ..Coverage::default() };
        for name in &coverage.files {
            let file: Arc<str> = remote::shown(name).into();
            let mut errors = Vec::new();
            let mut agent = AgentTable::new();
            let bytes = self.bytes(name, &agent).map_err(|problem| vec![problem]);
            match bytes.and_then(|bytes| self.read(&file, &bytes, &mut errors)) {
                Ok(sections) => {
                    agent.add_tags(&file, &sections.global_tags, &mut errors);
                    if let Some(table) = sections.agent {
                        coverage.sections.push(agent_section(&mut agent, &file, table));
                    }
                    let found = sections.plugins.into_iter();
                    coverage.sections.extend(found.map(|section| self.covered(&file, section)));
                }
                Err(problems) => {
                    errors.extend(problems.into_iter().map(|problem| problem.of(&file)));
                }
            }
            if !errors.is_empty() {
                let gaps = errors.iter().filter_map(|error| gap(error, None)).collect();
                let (name, line) = (String::new(), 1);
                let section = CoveredSection { file, line, name, gaps, differences: Vec::new() };
                coverage.sections.push(section);
            }
        }
        Ok(coverage)
    }

    /// Builds a section by itself to see whether it can be built.
    fn covered(&self, file: &Arc<str>, section: Section) -> CoveredSection {
        let name = format!("{}.{}", section.role.plural(), section.name);
        let (line, table) = (section.table.position.line, section.table.clone());
        let mut differences = differences_of(&name, &table);
        // The plugin brings the parser or serializer that its data format names.
        if let Some(Data::String { text: format, .. }) =
            table.get("data_format").map(|entry| &entry.value.data)
        {
            let kind = if section.role == Role::Output { "serializers" } else { "parsers" };
            differences.extend(differences_of(&format!("{kind}.{format}"), &table));
        }
        let agent = AgentTable::new();
        let mut builder = self.builder(&agent, Vec::new());
        builder.add(section);
        let (built, errors) = builder.finish();
        for option in built.without_effect {
            if !differences.iter().any(|text| text.contains(&format!("`{option}`"))) {
                differences.push(format!("`{option}` is taken and does nothing here"));
            }
        }
        let gaps = errors.iter().filter_map(|error| gap(error, Some(&table))).collect();
        CoveredSection { file: file.clone(), line, name, gaps, differences }
    }
}

fn agent_section(agent: &mut AgentTable, file: &Arc<str>, table: Table) -> CoveredSection {
    let mut errors = Vec::new();
    let mut differences = Vec::new();
    for option in AGENT_WITHOUT_EFFECT.iter().filter(|option| table.get(option).is_some()) {
        differences.push(format!("`{option}` is taken and does nothing here"));
    }
    let (line, copy) = (table.position.line, table.clone());
    agent.add_agent(file, table, &mut errors);
    let gaps = errors.iter().filter_map(|error| gap(error, Some(&copy))).collect();
    CoveredSection { file: file.clone(), line, name: "agent".to_owned(), gaps, differences }
}

/// What an error means for the coverage; none if it says nothing about the section itself.
fn gap(error: &ConfigError, section: Option<&Table>) -> Option<Gap> {
    let ConfigError::File { problem, .. } = error else { return None };
    let position = error.position();
    let option = || section.and_then(|table| option_at(table, position));
    let (kind, option, message) = match &**problem {
        // Stores stand in sections of their own, which are looked at by themselves.
        Problem::Secret { .. } => return None,
        Problem::Undefined { message, .. } => (GapKind::Plugin, None, message.clone()),
        Problem::Unknown { error, .. } => {
            let message = match &error.hint {
                Some(hint) => format!("no such option here; {hint}"),
                None => "no such option here".to_owned(),
            };
            (GapKind::UnknownOption, option(), message)
        }
        Problem::Value { error, .. } => (GapKind::RefusedOption, option(), error.message.clone()),
        Problem::Build { message, .. } => (GapKind::RefusedPlugin, None, message.clone()),
        Problem::Shape { message, .. } if section.is_some() => {
            (GapKind::RefusedOption, option(), message.clone())
        }
        other => (GapKind::Text, None, other.to_string()),
    };
    Some(Gap { line: position.line.max(1), kind, option, message })
}

/// The option of a section at or around a place, with the tables that it stands in.
fn option_at(table: &Table, position: Position) -> Option<String> {
    let entry = table.entries().iter().rfind(|entry| entry.position <= position)?;
    let nested = match &entry.value.data {
        Data::Table(inner) => option_at(inner, position),
        Data::Array(values) => {
            values.iter().rfind(|value| value.position <= position).and_then(|value| {
                match &value.data {
                    Data::Table(inner) => option_at(inner, position),
                    _ => None,
                }
            })
        }
        _ => None,
    };
    Some(match nested {
        Some(inner) => format!("{}.{inner}", entry.key),
        None => entry.key.clone(),
    })
}

#[cfg(test)]
mod tests;
