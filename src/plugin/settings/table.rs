//! Tables and values with their places in the file.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::deserialize::TableDeserializer;
use super::error::did_you_mean;
use super::{Place, Position, SettingsError};

/// A table of a configuration file: its keys in file order, and which of them somebody has read.
#[derive(Debug, Clone)]
pub struct Table {
    /// The file it stands in.
    pub file: Arc<str>,
    /// Its full name, such as `inputs.cpu` or `outputs.kafka.topic_suffix`.
    pub section: Arc<str>,
    /// Where it begins.
    pub position: Position,
    entries: Vec<Entry>,
    /// Names that readers would have taken, for suggestions.
    known: RefCell<Vec<&'static str>>,
}

/// One key of a table with its value.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key stands.
    pub position: Position,
    /// The value.
    pub value: Value,
    /// The value as it is written in the file.
    source: Option<Box<str>>,
    usage: Cell<Usage>,
    secret: Cell<bool>,
}

/// What has become of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Usage {
    /// Nobody has looked at it.
    Unread,
    /// Somebody takes it and does nothing with it.
    Accepted,
    /// Somebody has read it.
    Read,
}

/// A value with its place.
#[derive(Debug, Clone)]
pub struct Value {
    /// Where it stands.
    pub position: Position,
    /// What it is.
    pub data: Data,
}

/// The types of TOML.
#[derive(Debug, Clone)]
pub enum Data {
    /// A string; one that environment variables went into also converts to other types.
    String {
        /// The text, variables already put in.
        text: String,
        /// Whether a variable was put in.
        substituted: bool,
    },
    /// A whole number.
    Integer(i64),
    /// A floating point number.
    Float(f64),
    /// True or false.
    Boolean(bool),
    /// A date or time, as written.
    Datetime(String),
    /// A list.
    Array(Vec<Value>),
    /// A table.
    Table(Table),
}

impl Data {
    /// The word for the type in messages.
    pub fn type_name(&self) -> &'static str {
        match self {
            Data::String { .. } => "string",
            Data::Integer(_) => "integer",
            Data::Float(_) => "float",
            Data::Boolean(_) => "boolean",
            Data::Datetime(_) => "datetime",
            Data::Array(_) => "array",
            Data::Table(_) => "table",
        }
    }
}

impl Table {
    /// Makes an empty table.
    pub fn new(file: Arc<str>, section: impl Into<Arc<str>>, position: Position) -> Table {
        Table {
            file,
            section: section.into(),
            position,
            entries: Vec::new(),
            known: RefCell::new(Vec::new()),
        }
    }

    /// Adds a key; the caller sees to it that it is new.
    pub fn push(&mut self, key: impl Into<String>, position: Position, value: Value) {
        self.push_written(key, position, value, None);
    }

    /// Adds a key whose value is written as `source`; the caller sees to it that it is new.
    pub fn push_written(
        &mut self,
        key: impl Into<String>,
        position: Position,
        value: Value,
        source: Option<&str>,
    ) {
        let (key, source) = (key.into(), source.map(Box::from));
        let (usage, secret) = (Cell::new(Usage::Unread), Cell::new(false));
        self.entries.push(Entry { key, position, value, source, usage, secret });
    }

    /// The keys in file order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The keys in file order, for changing values.
    pub fn entries_mut(&mut self) -> &mut [Entry] {
        &mut self.entries
    }

    /// Gives the keys up in file order.
    pub fn into_entries(self) -> Vec<Entry> {
        self.entries
    }

    /// Looks a key up without counting it as read.
    pub fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// The place of something in this table.
    pub fn place(&self, position: Position) -> Place {
        Place { file: self.file.clone(), position, section: self.section.clone() }
    }

    /// Reads the keys that `T` has fields for, and counts them as read.
    ///
    /// A key that is missing is left to `T`, usually by `#[serde(default)]`.
    ///
    /// # Errors
    /// Every key whose value has a wrong type, not just the first.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Vec<SettingsError>> {
        let mut errors = Vec::new();
        let mut skipped = Vec::new();
        loop {
            let error = match T::deserialize(TableDeserializer::new(self, &skipped)) {
                Ok(settings) if errors.is_empty() => return Ok(settings),
                Ok(_) => return Err(errors),
                Err(error) => error,
            };
            let entry = error.entry;
            errors.push(SettingsError {
                place: self.place(error.position.unwrap_or(self.position)),
                message: error.message,
                hint: error.hint,
            });
            // Leaving out the key at fault and reading again brings up the next error.
            match entry {
                Some(entry) if !skipped.contains(&entry) => skipped.push(entry),
                _ => return Err(errors),
            }
        }
    }

    /// Counts a key and all below it as known, for options that are accepted and have no effect.
    pub fn accept(&self, keys: &[&str]) {
        for entry in &self.entries {
            if entry.usage.get() == Usage::Unread && keys.contains(&entry.key.as_str()) {
                entry.usage.set(Usage::Accepted);
            }
        }
    }

    /// The texts that were read as secrets, below this table too, each with its place.
    pub fn secrets(&self) -> Vec<(Position, &str)> {
        let mut secrets = Vec::new();
        for entry in &self.entries {
            match &entry.value.data {
                Data::String { text, .. } if entry.is_secret() => {
                    secrets.push((entry.value.position, text.as_str()));
                }
                _ => secrets.extend(entry.value.tables().flat_map(Table::secrets)),
            }
        }
        secrets
    }

    /// The keys that were only accepted.
    pub fn without_effect(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| entry.usage.get() == Usage::Accepted)
    }

    /// The keys that nobody has read, below this table too, each with a suggestion if one is near.
    pub fn unknown(&self) -> Vec<SettingsError> {
        let mut errors = Vec::new();
        for entry in &self.entries {
            match entry.usage.get() {
                Usage::Unread => {
                    errors.push(self.unknown_key(entry));
                    continue;
                }
                // Nobody will read what is below, whatever it is.
                Usage::Accepted => continue,
                Usage::Read => {}
            }
            errors.extend(entry.value.tables().flat_map(Table::unknown));
        }
        errors
    }

    fn unknown_key(&self, entry: &Entry) -> SettingsError {
        let known = self.known.borrow();
        SettingsError {
            place: self.place(entry.position),
            message: format!(
                "configuration specified the fields [{:?}], but they were not used; this is either \
                 a typo or this config option does not exist in this version",
                entry.key
            ),
            hint: did_you_mean(&entry.key, known.iter().copied())
                .map(|name| format!("did you mean `{name}`?")),
        }
    }

    pub(super) fn note_known(&self, names: &'static [&'static str]) {
        let mut known = self.known.borrow_mut();
        for name in names {
            if !known.contains(name) {
                known.push(name);
            }
        }
    }
}

impl Entry {
    /// The value as it is written in the file, before variables are put in; none for tables under
    /// headers of their own.
    pub fn source(&self) -> Option<&str> {
        self.source.as_deref()
    }

    /// Whether the value was read as a secret, and so is never to be shown.
    pub fn is_secret(&self) -> bool {
        self.secret.get()
    }

    pub(super) fn mark_read(&self) {
        self.usage.set(Usage::Read);
    }

    pub(super) fn mark_secret(&self) {
        self.secret.set(true);
    }

    /// Marks the key and everything below it as read: the reader takes whatever keys there are.
    pub(super) fn mark_all_read(&self) {
        self.mark_read();
        self.value.mark_all_read();
    }
}

impl Value {
    /// The tables that it is or holds.
    pub fn tables(&self) -> impl Iterator<Item = &Table> {
        let values = match &self.data {
            Data::Array(values) => values.as_slice(),
            _ => std::slice::from_ref(self),
        };
        values.iter().filter_map(|value| match &value.data {
            Data::Table(table) => Some(table),
            _ => None,
        })
    }

    pub(super) fn mark_all_read(&self) {
        match &self.data {
            Data::Table(table) => table.entries.iter().for_each(Entry::mark_all_read),
            Data::Array(values) => values.iter().for_each(Value::mark_all_read),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, Default, PartialEq)]
    #[serde(default)]
    struct Sample {
        percpu: bool,
        count: u16,
        ratio: f64,
        names: Vec<String>,
        tags: std::collections::BTreeMap<String, String>,
        nested: Nested,
        limit: Option<i64>,
    }

    #[derive(Debug, Deserialize, Default, PartialEq)]
    #[serde(default)]
    struct Nested {
        inner: String,
    }

    fn table(entries: Vec<(&str, Data)>) -> Table {
        let mut table = Table::new("telegraf.conf".into(), "inputs.x", Position::default());
        for (line, (key, data)) in entries.into_iter().enumerate() {
            let position = Position { line: line + 2, column: 3 };
            table.push(key, position, Value { position, data });
        }
        table
    }

    fn text(text: &str) -> Data {
        Data::String { text: text.into(), substituted: false }
    }

    fn variable(text: &str) -> Data {
        Data::String { text: text.into(), substituted: true }
    }

    #[test]
    fn values_are_read_by_type_and_missing_ones_default() {
        let tags = Data::Table(table(vec![("a", text("b"))]));
        let read: Sample = table(vec![
            ("percpu", Data::Boolean(true)),
            ("count", Data::Integer(7)),
            ("ratio", Data::Integer(2)),
            ("tags", tags),
        ])
        .read()
        .unwrap();
        assert!(read.percpu && read.count == 7 && read.ratio == 2.0);
        assert_eq!(read.tags["a"], "b");
        assert_eq!(read.limit, None);
    }

    #[test]
    fn a_substituted_string_converts_to_the_type_of_the_field() {
        let read: Sample = table(vec![
            ("percpu", variable("true")),
            ("count", variable("12")),
            ("ratio", variable("0.5")),
            ("limit", variable("-3")),
        ])
        .read()
        .unwrap();
        assert_eq!((read.percpu, read.count, read.ratio), (true, 12, 0.5));
        assert_eq!(read.limit, Some(-3));
    }

    #[test]
    fn every_wrong_value_is_reported_with_its_place() {
        let errors = table(vec![
            ("percpu", text("true")),
            ("count", variable("5\n[[outputs.exec]]")),
            ("names", Data::Integer(1)),
            ("ratio", Data::Float(0.5)),
        ])
        .read::<Sample>()
        .unwrap_err();
        let messages: Vec<_> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(
            messages,
            [
                "telegraf.conf:2:3: [inputs.x]: percpu: cannot unmarshal TOML string into bool",
                "telegraf.conf:3:3: [inputs.x]: count: cannot unmarshal \
                 \"5\\n[[outputs.exec]]\" into integer",
                "telegraf.conf:4:3: [inputs.x]: names: cannot unmarshal TOML integer into array",
            ]
        );
    }

    #[test]
    fn secrets_are_remembered_as_such_at_every_depth_and_not_shown() {
        use crate::plugin::settings::SecretOption;

        #[derive(Debug, Deserialize)]
        struct Secrets {
            password: SecretOption,
            headers: std::collections::BTreeMap<String, SecretOption>,
            plain: String,
        }

        let headers = Data::Table(table(vec![("X", text("hush"))]));
        let settings =
            table(vec![("password", variable("pw")), ("headers", headers), ("plain", text("p"))]);
        let read: Secrets = settings.read().unwrap();
        assert_eq!((read.password, read.plain.as_str()), ("pw".into(), "p"));
        let (line, column) = (2, 3);
        let position = Position { line, column };
        assert_eq!(settings.secrets(), [(position, "pw"), (position, "hush")]);
        assert!(!format!("{:?}", read.headers).contains("hush"));
        let error = table(vec![("password", Data::Integer(1))]).read::<Secrets>().unwrap_err();
        let expected = "password: cannot unmarshal TOML integer into string";
        assert!(error[0].to_string().contains(expected), "{error:?}");
    }

    #[test]
    fn what_nobody_read_is_unknown_at_every_depth_and_near_names_are_suggested() {
        let nested = table(vec![("inner", text("x")), ("outer", text("y"))]);
        let settings = table(vec![
            ("per_cpu", Data::Boolean(true)),
            ("nested", Data::Table(nested)),
            ("tags", Data::Table(table(vec![("anything", text("goes"))]))),
        ]);
        settings.read::<Sample>().unwrap();
        let unknown = settings.unknown();
        assert_eq!(unknown.len(), 2);
        assert_eq!(unknown[0].hint.as_deref(), Some("did you mean `percpu`?"));
        assert!(unknown[1].message.contains("\"outer\""));
        settings.accept(&["per_cpu", "tags"]);
        assert_eq!(settings.unknown().len(), 1);
        let idle: Vec<_> = settings.without_effect().map(|entry| entry.key.as_str()).collect();
        assert_eq!(idle, ["per_cpu"], "what somebody reads has an effect");
    }

    #[test]
    fn what_is_below_an_accepted_key_is_accepted() {
        let settings = table(vec![("tags", Data::Table(table(vec![("a", text("b"))])))]);
        settings.accept(&["tags"]);
        assert!(settings.unknown().is_empty());
    }
}
