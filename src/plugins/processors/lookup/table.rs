//! The tables of `processors.lookup`: keys, and the tags that belong to them.

use std::collections::HashMap;
use std::fs;
use std::io;

use super::records::{RecordError, Records};
use crate::metric::Tag;
use crate::system::ErrorWords;

/// How a file of a table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// `{"key": {"tag": "value"}}`
    Json,
    /// Lines of a key, and names and values by turns.
    KeyNameValue,
    /// A line of names, then lines of a key and values.
    KeyValues,
}

impl Format {
    pub(super) fn named(name: &str) -> Option<Format> {
        match name.to_lowercase().as_str() {
            "" | "json" => Some(Format::Json),
            "csv_key_name_value" => Some(Format::KeyNameValue),
            "csv_key_values" => Some(Format::KeyValues),
            _ => None,
        }
    }
}

/// Why a file is no table.
#[derive(Debug, thiserror::Error)]
pub(super) enum TableError {
    #[error("loading {file:?} failed: open {file}: {}", ErrorWords(.source))]
    Read { file: String, source: io::Error },
    #[error("parsing {file:?} failed: {source}")]
    Json { file: String, source: serde_json::Error },
    #[error("reading line {line} in {file:?} failed: {source}")]
    Record { file: String, line: usize, source: RecordError },
    #[error("line {line} in {file:?} has not enough columns, requiring at least `key,name,value`")]
    FewColumns { file: String, line: usize },
    #[error("line {line} in {file:?} has a tag-name without value")]
    NoValue { file: String, line: usize },
    #[error("missing header in {file:?}")]
    NoHeader { file: String },
    #[error("header in {file:?} has not enough columns, requiring at least `key,value`")]
    ShortHeader { file: String },
}

/// Tags by key; of tags with the same name the one read last.
#[derive(Debug, Default)]
pub(super) struct Table(HashMap<String, Vec<Tag>>);

impl Table {
    /// The tags that belong to a key.
    pub(super) fn tags(&self, key: &str) -> &[Tag] {
        self.0.get(key).map_or(&[], Vec::as_slice)
    }

    fn add(&mut self, key: &str, name: &str, value: &str) {
        let tags = self.0.entry(key.to_owned()).or_default();
        match tags.iter_mut().find(|tag| tag.key == name) {
            Some(tag) => tag.value = value.into(),
            None => tags.push(Tag { key: name.into(), value: value.into() }),
        }
    }

    /// Adds what a file holds.
    pub(super) fn load(&mut self, file: &str, format: Format) -> Result<(), TableError> {
        let bytes =
            fs::read(file).map_err(|source| TableError::Read { file: file.to_owned(), source })?;
        match format {
            Format::Json => self.load_json(file, &bytes),
            Format::KeyNameValue => {
                self.load_key_name_value(file, &String::from_utf8_lossy(&bytes))
            }
            Format::KeyValues => self.load_key_values(file, &String::from_utf8_lossy(&bytes)),
        }
    }

    fn load_json(&mut self, file: &str, bytes: &[u8]) -> Result<(), TableError> {
        let table: HashMap<String, HashMap<String, String>> = serde_json::from_slice(bytes)
            .map_err(|source| TableError::Json { file: file.to_owned(), source })?;
        for (key, tags) in table {
            tags.iter().for_each(|(name, value)| self.add(&key, name, value));
        }
        Ok(())
    }

    fn load_key_name_value(&mut self, file: &str, text: &str) -> Result<(), TableError> {
        for (line, record) in (1..).zip(Records::new(text)) {
            let file = || file.to_owned();
            let record =
                record.map_err(|source| TableError::Record { file: file(), line, source })?;
            let [key, tags @ ..] = record.as_slice() else { continue };
            if tags.len() < 2 {
                return Err(TableError::FewColumns { file: file(), line });
            }
            let (pairs, rest) = tags.as_chunks::<2>();
            if !rest.is_empty() {
                return Err(TableError::NoValue { file: file(), line });
            }
            pairs.iter().for_each(|[name, value]| self.add(key, name, value));
        }
        Ok(())
    }

    fn load_key_values(&mut self, file: &str, text: &str) -> Result<(), TableError> {
        let records = Records::of_equal_length(text);
        let mut names = Vec::new();
        let mut line = 0;
        for record in records {
            line += 1;
            let record = record.map_err(|source| TableError::Record {
                file: file.to_owned(),
                line,
                source,
            })?;
            if line == 1 {
                if record.len() < 2 {
                    return Err(TableError::ShortHeader { file: file.to_owned() });
                }
                names = record;
                continue;
            }
            let [key, values @ ..] = record.as_slice() else { continue };
            for (name, value) in names.iter().skip(1).zip(values) {
                let value = value.trim();
                if !value.is_empty() {
                    self.add(key, name, value);
                }
            }
        }
        if line == 0 {
            return Err(TableError::NoHeader { file: file.to_owned() });
        }
        Ok(())
    }
}
