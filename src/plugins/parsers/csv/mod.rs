//! Parses comma separated values: a record becomes a metric, a column a field or a tag.
//!
//! # References
//! Telegraf's `csv` parser.

mod columns;
mod config;
mod records;

use std::collections::BTreeMap;
use std::sync::Arc;

use compact_str::{CompactString, format_compact};
use jiff::tz::TimeZone;

use crate::metric::{Field, Metric, Tag, Timestamp, Value};
use crate::plugin::{
    Declaration, NotEnoughData, Parser, PluginError, PluginLog, Shown, TimeError, TimeFormat,
    WrittenTime,
};
use crate::system::Clock;

pub use columns::ValueError;
use columns::{Column, Columns, Role};
pub use config::{Config, ResetMode};
use records::{Dialect, Record, Records};
pub use records::{Fault, SyntaxError};

/// The parser as the table lists it.
pub static PLUGIN: Declaration<dyn Parser> =
    Declaration::new::<Config>("csv", include_str!("sample.conf"));

/// Why a record is no metric.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// A value is not of the type of its column.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// There is a column for the time, and no value in it.
    #[error("timestamp column: {0} could not be found")]
    NoTime(String),
    /// There is a column for the time, and nothing says how it is written.
    #[error("timestamp format must be specified")]
    NoTimeFormat,
    /// The time is none.
    #[error(transparent)]
    Time(#[from] TimeError),
}

/// How records become metrics, as the options say it.
struct Rules {
    config: Config,
    name: CompactString,
    dialect: Dialect,
    /// A delimiter that no record can have, which stands for a comma while commas are kept away.
    stand_in: Option<char>,
    separators: Vec<String>,
    time_format: Option<TimeFormat>,
    zone: TimeZone,
}

/// What is left of the lines before the records.
#[derive(Debug, Clone, Copy)]
struct Ahead {
    skipped: i64,
    metadata: i64,
    header: i64,
}

/// A parser of comma separated values.
struct Csv {
    rules: Rules,
    ahead: Ahead,
    /// Known once the header has been read.
    columns: Option<Columns>,
    /// The names out of those lines of the header that have come.
    header: Vec<CompactString>,
    metadata: BTreeMap<CompactString, CompactString>,
    clock: Arc<dyn Clock>,
    log: PluginLog,
}

impl Rules {
    fn ahead(&self) -> Ahead {
        Ahead {
            skipped: self.config.csv_skip_rows,
            metadata: self.config.csv_metadata_rows,
            header: self.config.csv_header_row_count,
        }
    }

    fn skipped_columns(&self) -> usize {
        usize::try_from(self.config.csv_skip_columns).unwrap_or(0)
    }

    fn trimmed<'v>(&self, value: &'v str) -> &'v str {
        if self.config.csv_trim_space { value.trim_matches(' ') } else { value }
    }

    /// The key and the value of a line of metadata.
    fn metadata<'l>(&self, line: &'l str) -> Option<(&'l str, &'l str)> {
        let set = |c: char| self.config.csv_metadata_trim_set.contains(c);
        let line = line.trim_end_matches(['\r', '\n']);
        self.separators.iter().find_map(|separator| {
            let (key, value) = line.split_once(separator.as_str())?;
            let key = key.trim_matches(set);
            (!key.is_empty()).then(|| (key, value.trim_matches(set)))
        })
    }

    fn metric(
        &self,
        columns: &Columns,
        record: &Record<'_>,
        metadata: &BTreeMap<CompactString, CompactString>,
        now: Timestamp,
    ) -> Result<Metric, RecordError> {
        let record = record.get(self.skipped_columns()..).unwrap_or_default();
        let shared =
            metadata.iter().map(|(key, value)| Tag { key: key.clone(), value: value.clone() });
        let mut tags = Vec::with_capacity(columns.tags + metadata.len());
        if self.config.csv_tag_overwrite {
            tags.extend(shared.clone());
        }
        let mut fields = Vec::with_capacity(columns.list.len() - columns.tags);
        let (mut name, mut time) = (None, None);
        for (Column { key, role }, value) in columns.list.iter().zip(record) {
            let value = self.trimmed(value);
            if self.config.csv_skip_values.iter().any(|skipped| skipped == value) {
                continue;
            }
            match role {
                Role::Ignored => {}
                Role::Tag => tags.push(Tag { key: key.clone(), value: value.into() }),
                Role::Time => time = Some(value),
                Role::Name(column) => name = Some(shown(column.read(value)?)),
                Role::TimeAndName => {
                    time = Some(value);
                    name = Some(value.into());
                }
                Role::Field(column) => {
                    fields.push(Field { key: key.clone(), value: column.read(value)? });
                }
            }
        }
        if !self.config.csv_tag_overwrite {
            tags.extend(shared);
        }
        let name = name.filter(|name| !name.is_empty()).unwrap_or_else(|| self.name.clone());
        Ok(Metric::from_lists(name, self.time(time, now)?, tags, fields))
    }

    fn time(&self, value: Option<&str>, now: Timestamp) -> Result<Timestamp, RecordError> {
        let column = &self.config.csv_timestamp_column;
        if column.is_empty() {
            return Ok(now);
        }
        let value = value.ok_or_else(|| RecordError::NoTime(column.clone()))?;
        let format = self.time_format.as_ref().ok_or(RecordError::NoTimeFormat)?;
        Ok(format.read(WrittenTime::Text(value), &self.zone, now)?)
    }
}

fn shown(value: Value) -> CompactString {
    match value {
        Value::String(text) => text,
        value => format_compact!("{}", Shown(&value)),
    }
}

impl Csv {
    fn new(rules: Rules, clock: Arc<dyn Clock>, log: PluginLog) -> Csv {
        let metadata = BTreeMap::new();
        let ahead = rules.ahead();
        let mut parser =
            Csv { rules, ahead, columns: None, header: Vec::new(), metadata, clock, log };
        parser.expect_header();
        parser
    }

    /// Starts over, but keeps the metadata.
    fn expect_header(&mut self) {
        self.ahead = self.rules.ahead();
        self.header.clear();
        let names = &self.rules.config.csv_column_names;
        self.columns = (!names.is_empty()).then(|| {
            let names = names.iter().map(CompactString::from);
            Columns::new(names, &self.rules.config)
        });
    }

    fn parse_text(&mut self, mut text: &str) -> Result<Vec<Metric>, PluginError> {
        while self.ahead.skipped > 0 {
            take_line(&mut text).ok_or(NotEnoughData)?;
            self.ahead.skipped -= 1;
        }
        while self.ahead.metadata > 0 {
            let line = take_line(&mut text).ok_or(NotEnoughData)?;
            self.ahead.metadata -= 1;
            if let Some((key, value)) = self.rules.metadata(line) {
                self.metadata.insert(key.into(), value.into());
            }
        }
        let mut records = Records::new(text, self.rules.dialect);
        let mut record = Record::new();
        while self.ahead.header > 0 {
            if !records.read(&mut record)? {
                return Err(NotEnoughData.into());
            }
            self.ahead.header -= 1;
            if self.columns.is_none() {
                self.take_header(&record);
            }
        }
        let columns = match &mut self.columns {
            Some(columns) => columns,
            none => {
                let names = self.header.drain(..).skip(self.rules.skipped_columns());
                none.insert(Columns::new(names, &self.rules.config))
            }
        };
        // A fault anywhere voids all, before the values of any record are looked at.
        let mut metrics = Vec::new();
        let mut failed = None;
        while records.read(&mut record)? {
            if failed.is_some() {
                continue;
            }
            match self.rules.metric(columns, &record, &self.metadata, self.clock.now()) {
                Ok(metric) => metrics.push(metric),
                Err(error) if self.rules.config.csv_skip_errors => {
                    self.log.debug(format_args!("Parsing error: {error}"));
                }
                Err(error) => failed = Some(error),
            }
        }
        match failed {
            Some(error) => Err(error.into()),
            None => Ok(metrics),
        }
    }

    /// Adds a line of the header to the names that there are.
    fn take_header(&mut self, record: &Record<'_>) {
        for (at, name) in record.iter().enumerate() {
            let name = self.rules.trimmed(name);
            match self.header.get_mut(at) {
                Some(start) => start.push_str(name),
                None => self.header.push(name.into()),
            }
        }
    }
}

/// Takes a line with its end off the text; none if nothing is left.
fn take_line<'t>(text: &mut &'t str) -> Option<&'t str> {
    if text.is_empty() {
        return None;
    }
    let end = memchr::memchr(b'\n', text.as_bytes()).map_or(text.len(), |end| end + 1);
    let (line, rest) = text.split_at(end);
    *text = rest;
    Some(line)
}

impl Parser for Csv {
    fn parse(&mut self, input: &[u8]) -> Result<Vec<Metric>, PluginError> {
        if self.rules.config.csv_reset_mode == ResetMode::Always {
            self.expect_header();
        }
        let text = String::from_utf8_lossy(input);
        match self.rules.stand_in {
            None => self.parse_text(&text),
            Some(stand_in) => {
                // As the original has it: commas of values are lost.
                let text = text.replace(',', "\u{fffd}").replace(stand_in, ",");
                self.parse_text(&text)
            }
        }
    }

    fn reset(&mut self) {
        self.expect_header();
        self.metadata.clear();
    }

    fn part_of_text(&self, text: &[u8]) -> Option<usize> {
        let Csv { rules, ahead: Ahead { skipped, metadata, .. }, .. } = self;
        if rules.config.csv_reset_mode == ResetMode::Always {
            return None;
        }
        let n_ahead = usize::try_from(skipped + metadata).unwrap_or(0);
        let start = match n_ahead {
            0 => 0,
            count => memchr::memchr_iter(b'\n', text).nth(count - 1)? + 1,
        };
        records::whole_records(&text[start..], rules.dialect).map(|end| start + end)
    }
}

#[cfg(test)]
mod tests;
