//! The configuration as it comes to effect: all files in one, variables put in, secrets masked, and
//! behind each value the place that it is from. What is printed can be loaded again.

use std::fmt::Write as _;
use std::sync::Arc;

use super::agent_table::{self, AgentTable};
use super::environment::Dialect;
use super::errors::{ConfigError, ConfigErrors, Problem};
use super::load::Loader;
use super::secrets::masked;
use super::sections::Section;
use super::sources::Sources;
use crate::agent::options::{AgentOptions, IdentityOptions};
use crate::plugin::settings::{Data, Position, Table, Value};
use crate::plugins;

/// How many readings it may take until every value has the type of its option: a parser's options
/// are read after the plugin's own.
const MOST_READINGS: usize = 8;

/// Whether settings are shown that no file mentions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defaults {
    /// As comments.
    Shown,
    /// Not at all.
    Hidden,
}

/// A key of `[agent]` or of the global tags, and the file that has the last word about it.
type Merged = Vec<(Arc<str>, String, Value)>;

impl Loader<'_> {
    /// Prints the configuration as it comes to effect.
    ///
    /// # Errors
    /// Everything that is wrong with it: only what loads has an effect.
    pub fn effective(&self, sources: &Sources, defaults: Defaults) -> Result<String, ConfigErrors> {
        self.load(sources)?;
        let mut parts = self.parts(sources)?;
        let mut printer = Printer { text: String::new(), dialect: self.options.dialect };
        let (mut agent, mut tags) = (Merged::new(), Merged::new());
        for (file, sections) in &mut parts.sections {
            for table in &sections.global_tags {
                merge(&mut tags, file, table);
            }
            if let Some(table) = sections.agent.take() {
                let mut table = self.typed(table, |table| {
                    let mut errors = Vec::new();
                    AgentTable::new().add_agent(file, table, &mut errors);
                    errors
                });
                agent_table::normalize_keys(&mut table);
                merge(&mut agent, file, &table);
            }
        }
        if !tags.is_empty() {
            printer.text.push_str("[global_tags]\n");
            printer.merged(&tags);
            printer.text.push('\n');
        }
        if !agent.is_empty() || defaults == Defaults::Shown {
            printer.text.push_str("[agent]\n");
            printer.merged(&agent);
            if defaults == Defaults::Shown {
                let is_set = |key: &str| agent.iter().any(|(_, known, _)| known == key);
                let settings = serde_json::to_value(AgentOptions::default()).unwrap_or_default();
                printer.defaults(&settings, is_set);
            }
            printer.text.push('\n');
        }
        for (_, sections) in parts.sections {
            for section in sections.plugins {
                if self.options.filters.admit(&section) && self.selects(&section) {
                    self.print_section(&mut printer, section, defaults);
                }
            }
        }
        Ok(printer.text)
    }

    fn selects(&self, section: &Section) -> bool {
        let identity: IdentityOptions = section.table.read().unwrap_or_default();
        self.options.selector.selects(&identity.labels)
    }

    fn print_section(&self, printer: &mut Printer, section: Section, defaults: Defaults) {
        let agent = AgentTable::new();
        let (kind, name) = (section.role.plural(), section.name.clone());
        let table = self.typed(section.table.clone(), |table| {
            let mut builder = self.builder(&agent, Vec::new());
            builder.add(Section { table, ..section.clone() });
            builder.finish().1
        });
        let path = format!("{kind}.{}", bare_or_quoted(&name));
        printer.header(&format!("[[{path}]]"), 0, &table.file, table.position);
        let plugin = plugins::all();
        let plugin = plugin.iter().find(|each| each.kind.section() == kind && each.name == name);
        printer.values(&table, 1);
        if defaults == Defaults::Shown
            && let Some(Ok(settings)) = plugin.map(|plugin| (plugin.read_settings)(&table))
        {
            printer.defaults(&settings, |key| table.get(key).is_some());
        }
        printer.tables(&path, &table, 1);
        printer.text.push('\n');
    }

    /// Gives strings that a variable went into the types of their options: what is printed has no
    /// variables any more, and its strings would stay strings.
    ///
    /// Only the options' readers know the types, so they are asked: they refuse what is no string.
    fn typed(&self, mut table: Table, errors_of: impl Fn(Table) -> Vec<ConfigError>) -> Table {
        if !clear_substituted(&mut table) {
            return table;
        }
        for _ in 0..MOST_READINGS {
            let mut has_changed = false;
            for error in errors_of(table.clone()) {
                let ConfigError::File { problem, .. } = &error else { continue };
                let Problem::Value { error, .. } = &**problem else { continue };
                let Some((_, wanted)) = error.message.rsplit_once("TOML string into ") else {
                    continue;
                };
                if let Some(value) = value_at(&mut table, error.place.position)
                    && let Data::String { text, .. } = &value.data
                    && let Some(data) = converted(text.trim(), wanted)
                {
                    value.data = data;
                    has_changed = true;
                }
            }
            if !has_changed {
                break;
            }
        }
        table
    }
}

fn merge(merged: &mut Merged, file: &Arc<str>, table: &Table) {
    for entry in table.entries() {
        let (file, value) = (file.clone(), entry.value.clone());
        match merged.iter_mut().find(|(_, key, _)| *key == entry.key) {
            Some(known) => (known.0, known.2) = (file, value),
            None => merged.push((file, entry.key.clone(), value)),
        }
    }
}

/// Makes plain strings of those that variables went into; tells whether there are any.
fn clear_substituted(table: &mut Table) -> bool {
    fn clear(value: &mut Value) -> bool {
        match &mut value.data {
            Data::String { substituted, .. } => std::mem::take(substituted),
            Data::Array(values) => values.iter_mut().fold(false, |any, value| clear(value) | any),
            Data::Table(table) => clear_substituted(table),
            _ => false,
        }
    }
    table.entries_mut().iter_mut().fold(false, |any, entry| clear(&mut entry.value) | any)
}

fn value_at(table: &mut Table, position: Position) -> Option<&mut Value> {
    fn within(value: &mut Value, position: Position) -> Option<&mut Value> {
        if value.position == position && matches!(value.data, Data::String { .. }) {
            return Some(value);
        }
        match &mut value.data {
            Data::Array(values) => values.iter_mut().find_map(|value| within(value, position)),
            Data::Table(table) => value_at(table, position),
            _ => None,
        }
    }
    table.entries_mut().iter_mut().find_map(|entry| within(&mut entry.value, position))
}

/// The text as the type that its option takes.
fn converted(text: &str, wanted: &str) -> Option<Data> {
    Some(match wanted {
        "integer" => Data::Integer(text.parse().ok()?),
        "float" => Data::Float(text.parse().ok()?),
        "bool" => Data::Boolean(matches!(text, "1" | "t" | "T" | "true" | "TRUE" | "True")),
        _ => return None,
    })
}

struct Printer {
    text: String,
    dialect: Dialect,
}

impl Printer {
    fn header(&mut self, header: &str, depth: usize, file: &str, position: Position) {
        let _ = writeln!(self.text, "{:1$}{header}  # {file}:{2}", "", depth * 2, position.line);
    }

    fn merged(&mut self, entries: &Merged) {
        for (file, key, value) in entries {
            let shown = self.value(key, value);
            let (key, line) = (bare_or_quoted(key), value.position.line);
            let _ = writeln!(self.text, "  {key} = {shown}  # {file}:{line}");
        }
    }

    /// The keys of a table that have plain values.
    fn values(&mut self, table: &Table, depth: usize) {
        for entry in table.entries().iter().filter(|entry| !has_header(&entry.value)) {
            let shown = self.value(&entry.key, &entry.value);
            let (key, file, line) =
                (bare_or_quoted(&entry.key), &table.file, entry.value.position.line);
            let _ = writeln!(self.text, "{:1$}{key} = {shown}  # {file}:{line}", "", depth * 2);
        }
    }

    /// The tables in a table, and what is in them.
    fn tables(&mut self, path: &str, table: &Table, depth: usize) {
        for entry in table.entries().iter().filter(|entry| has_header(&entry.value)) {
            let path = format!("{path}.{}", bare_or_quoted(&entry.key));
            let mut push = |header: String, inner: &Table| {
                self.header(&header, depth, &inner.file, inner.position);
                self.values(inner, depth + 1);
                self.tables(&path, inner, depth + 1);
            };
            match &entry.value.data {
                Data::Table(inner) => push(format!("[{path}]"), inner),
                Data::Array(values) => {
                    for value in values {
                        if let Data::Table(inner) = &value.data {
                            push(format!("[[{path}]]"), inner);
                        }
                    }
                }
                _ => {}
            }
        }
    }

    /// The settings that are not set, as comments.
    fn defaults(&mut self, settings: &serde_json::Value, is_set: impl Fn(&str) -> bool) {
        let Some(settings) = settings.as_object() else { return };
        for (key, value) in settings.iter().filter(|(key, _)| !is_set(key)) {
            if let Some(value) = self.json(value) {
                let _ = writeln!(self.text, "  # {key} = {value}");
            }
        }
    }

    fn value(&self, name: &str, value: &Value) -> String {
        match &value.data {
            Data::String { text, .. } => self.quoted(&masked(name, text)),
            Data::Integer(number) => number.to_string(),
            Data::Float(number) if number.is_nan() => "nan".to_owned(),
            Data::Float(number) => format!("{number:?}"),
            Data::Boolean(value) => value.to_string(),
            Data::Datetime(text) => text.clone(),
            Data::Array(values) => {
                let values = values.iter().map(|value| self.value(name, value));
                format!("[{}]", values.collect::<Vec<_>>().join(", "))
            }
            Data::Table(table) => {
                let entries = table.entries().iter().map(|entry| {
                    let value = self.value(&entry.key, &entry.value);
                    format!("{} = {value}", bare_or_quoted(&entry.key))
                });
                let entries = entries.collect::<Vec<_>>().join(", ");
                if entries.is_empty() { "{}".to_owned() } else { format!("{{ {entries} }}") }
            }
        }
    }

    fn json(&self, value: &serde_json::Value) -> Option<String> {
        Some(match value {
            serde_json::Value::Null => return None,
            serde_json::Value::String(text) => self.quoted(text),
            serde_json::Value::Array(values) => {
                let values: Vec<_> = values.iter().filter_map(|value| self.json(value)).collect();
                format!("[{}]", values.join(", "))
            }
            serde_json::Value::Object(entries) => {
                let entries = entries.iter().filter_map(|(key, value)| {
                    Some(format!("{} = {}", bare_or_quoted(key), self.json(value)?))
                });
                format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
            }
            other => other.to_string(),
        })
    }

    /// A string that means itself when it is loaded again: signs of variables are doubled.
    fn quoted(&self, text: &str) -> String {
        let mut quoted = String::from("\"");
        for c in text.chars() {
            match c {
                '"' => quoted.push_str("\\\""),
                '\\' => quoted.push_str("\\\\"),
                '\n' => quoted.push_str("\\n"),
                '\r' => quoted.push_str("\\r"),
                '\t' => quoted.push_str("\\t"),
                '$' if self.dialect == Dialect::Current => quoted.push_str("$$"),
                c if c.is_control() => {
                    let _ = write!(quoted, "\\u{:04x}", u32::from(c));
                }
                c => quoted.push(c),
            }
        }
        quoted.push('"');
        quoted
    }
}

/// Whether a value is written under a header of its own.
fn has_header(value: &Value) -> bool {
    match &value.data {
        Data::Table(_) => true,
        Data::Array(values) => {
            !values.is_empty() && values.iter().all(|value| matches!(value.data, Data::Table(_)))
        }
        _ => false,
    }
}

fn bare_or_quoted(key: &str) -> String {
    let is_bare = |c: char| c == '_' || c == '-' || c.is_ascii_alphanumeric();
    if !key.is_empty() && key.chars().all(is_bare) {
        return key.to_owned();
    }
    let printer = Printer { text: String::new(), dialect: Dialect::Old };
    printer.quoted(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::with_loader;

    /// What a configuration comes to, once as it is and once as it is printed.
    fn effective(texts: &[&str], defaults: Defaults) -> String {
        let folder = tempfile::tempdir().unwrap();
        let prefix = format!("{}/", folder.path().display());
        let mut sources = Sources::default();
        for (index, text) in texts.iter().enumerate() {
            let path = format!("{prefix}{index}.conf");
            std::fs::write(&path, text).unwrap();
            sources.files.push(path);
        }
        with_loader(|loader| {
            let first = loader.effective(&sources, defaults).unwrap();
            let again = folder.path().join("again.conf");
            std::fs::write(&again, &first).unwrap();
            let again = Sources { files: vec![again.display().to_string()], ..Sources::default() };
            let second = loader.effective(&again, defaults).unwrap();
            let bare = |text: &str| {
                let lines = text.lines().filter(|line| !line.trim_start().starts_with("# "));
                let lines = lines.map(|line| line.split("  # /").next().unwrap_or_default());
                lines.map(str::trim_end).collect::<Vec<_>>().join("\n")
            };
            assert_eq!(bare(&second), bare(&first), "it is the same when it is loaded again");
            first.replace(&prefix, "")
        })
    }

    #[test]
    fn all_files_are_one_and_each_value_says_where_it_is_from() {
        let shown = effective(
            &[
                "[tags]\na = 'b'\n[agent]\nInterval = '5s'\n[[inputs.mem]]\n  alias = '${TEXT}'\n",
                "[global_tags]\nc = \"d\"\n[agent]\n  interval = '${SPAN}'\n  omit_hostname = true\n\
                 [outputs.file]\n  files = ['a', \"b\\n\"]\n  [outputs.file.tagpass]\n    x = ['y']\n",
            ],
            Defaults::Hidden,
        );
        assert_eq!(
            shown,
            "[global_tags]\n  a = \"b\"  # 0.conf:2\n  c = \"d\"  # 1.conf:2\n\n[agent]\n  interval = \
             \"7s\"  # 1.conf:4\n  omit_hostname = true  # 1.conf:5\n\n[[inputs.mem]]  # 0.conf:5\n  \
             alias = \"some text\"  # 0.conf:6\n\n[[outputs.file]]  # 1.conf:6\n  files = [\"a\", \
             \"b\\n\"]  # 1.conf:7\n  [outputs.file.tagpass]  # 1.conf:8\n    x = [\"y\"]  # \
             1.conf:9\n\n"
        );
    }

    #[test]
    fn variables_become_values_of_their_options_types_and_secrets_are_masked() {
        let shown = effective(
            &["[agent]\n  metric_batch_size = '${FIVE}'\n  round_interval = '${YES}'\n\
               [[inputs.mem]]\n  collect_extended = '${YES}'\n\
               [[inputs.file]]\n  files = ['${FIVE}', '$$HOME ${1} $UNSET']\n  data_format = 'csv'\n  \
               csv_header_row_count = '${FIVE}'\n\
               [[outputs.http]]\n  url = 'http://u:p4ss@h/?token=abc'\n  password = '${TEXT}'\n  \
               username = 'u'\n  [outputs.http.headers]\n    Authorization = 'Basic xyz'\n    \
               X-Other = 'shown'\n"],
            Defaults::Hidden,
        );
        for line in [
            "  metric_batch_size = 5  # 0.conf:2",
            "  round_interval = true  # 0.conf:3",
            "  collect_extended = true  # 0.conf:5",
            "  files = [\"5\", \"$$HOME $${1} $$UNSET\"]  # 0.conf:7",
            "  csv_header_row_count = 5  # 0.conf:9",
            "  url = \"http://u:****@h/?token=****\"  # 0.conf:11",
            "  password = \"****\"  # 0.conf:12",
            "    Authorization = \"****\"  # 0.conf:15",
            "    X-Other = \"shown\"  # 0.conf:16",
        ] {
            assert!(shown.contains(&format!("{line}\n")), "{line}\n{shown}");
        }
        assert!(!shown.contains("some text") && !shown.contains("p4ss"), "{shown}");
    }

    #[test]
    fn defaults_are_comments() {
        let shown = effective(&["[[inputs.cpu]]\n  percpu = false\n"], Defaults::Shown);
        for line in
            ["  percpu = false  # 0.conf:2", "  # totalcpu = true", "  # interval = \"10s\""]
        {
            assert!(shown.contains(&format!("{line}\n")), "{line}\n{shown}");
        }
    }
}
