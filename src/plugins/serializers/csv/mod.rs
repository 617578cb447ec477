//! Writes metrics as comma separated values.
//!
//! # References
//! Telegraf's `csv` serializer, and Go's `encoding/csv` for quotes.

use compact_str::{CompactString, ToCompactString};
use serde::{Deserialize, Serialize};

use crate::metric::{Field, Metric, Timestamp, Value, push_plain_float};
use crate::plugin::go::to_text;
use crate::plugin::{
    Build, BuildError, Context, Declaration, PluginError, Quoted, Rejection, Serializer, TimeLayout,
};

/// The serializer as the table lists it.
pub static PLUGIN: Declaration<dyn Serializer> =
    Declaration::new::<Config>("csv", include_str!("sample.conf"));

/// The options beside `data_format = "csv"`.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    /// How times are written; empty for seconds since 1970.
    pub csv_timestamp_format: String,
    /// The character between values; empty for a comma.
    pub csv_separator: String,
    /// Whether a first line names the columns.
    pub csv_header: bool,
    /// Whether names of columns say what they are.
    pub csv_column_prefix: bool,
    /// The columns; empty for all there are.
    pub csv_columns: Vec<String>,
}

impl Build<dyn Serializer> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn Serializer>, BuildError> {
        let separator = match self.csv_separator.as_bytes() {
            [] => b',',
            [byte] if !matches!(byte, 0 | b'"' | b'\r' | b'\n') => *byte,
            _ => {
                return Err(BuildError::invalid(format!(
                    "invalid separator {}",
                    Quoted::new(&self.csv_separator)
                )));
            }
        };
        let time = TimeForm::new(&self.csv_timestamp_format, context.system.clock.now());
        let columns: Result<Vec<Column>, String> =
            self.csv_columns.iter().map(|column| Column::new(column)).collect();
        Ok(Box::new(Csv {
            separator,
            time: time.map_err(BuildError::invalid)?,
            columns: columns.map_err(BuildError::invalid)?,
            header: if self.csv_header { Header::Due } else { Header::No },
            names: if self.csv_column_prefix { Names::Prefixed } else { Names::Plain },
            config: self,
        }))
    }
}

/// How times are written.
enum TimeForm {
    /// Whole seconds, cut towards the past.
    Seconds,
    /// Numbers of so many nanoseconds, cut towards 1970.
    Units(i64),
    Layout(TimeLayout),
}

impl TimeForm {
    fn new(format: &str, now: Timestamp) -> Result<TimeForm, String> {
        Ok(match format {
            "" | "unix" => TimeForm::Seconds,
            "unix_ms" => TimeForm::Units(1_000_000),
            "unix_us" => TimeForm::Units(1_000),
            "unix_ns" => TimeForm::Units(1),
            layout => {
                let compiled = TimeLayout::new(layout);
                // A layout without any part of a time is no layout.
                if compiled.format_utc(now) == layout {
                    return Err(format!("invalid timestamp format {}", Quoted::new(layout)));
                }
                TimeForm::Layout(compiled)
            }
        })
    }

    fn text(&self, time: Timestamp) -> CompactString {
        match self {
            TimeForm::Seconds => time.seconds().to_compact_string(),
            TimeForm::Units(nanos) => (time.nanos() / nanos).to_compact_string(),
            TimeForm::Layout(layout) => layout.format_utc(time).into(),
        }
    }
}

/// One of the columns that are asked for.
enum Column {
    Time,
    Name,
    Tag(String),
    Field(String),
}

impl Column {
    fn new(name: &str) -> Result<Column, String> {
        match (name, name.split_once('.')) {
            ("timestamp", _) => Ok(Column::Time),
            ("name", _) => Ok(Column::Name),
            (_, Some(("tag", key))) => Ok(Column::Tag(key.to_owned())),
            (_, Some(("field", key))) => Ok(Column::Field(key.to_owned())),
            _ => Err(format!("invalid column reference {}", Quoted::new(name))),
        }
    }
}

/// Whether a line that names the columns is still to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Header {
    Due,
    No,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Names {
    Plain,
    Prefixed,
}

/// A serializer of comma separated values.
struct Csv {
    config: Config,
    separator: u8,
    time: TimeForm,
    columns: Vec<Column>,
    header: Header,
    names: Names,
}

impl Csv {
    fn write_header(&self, metric: &Metric, out: &mut Vec<u8>) {
        let mut record = Record::new(self.separator, out);
        if self.columns.is_empty() {
            record.push("timestamp");
            record.push("measurement");
            let (tag, field) = match self.names {
                Names::Plain => ("", ""),
                Names::Prefixed => ("tag_", "field_"),
            };
            for known in metric.tags() {
                record.push(&format!("{tag}{}", known.key));
            }
            for known in sorted(metric) {
                record.push(&format!("{field}{}", known.key));
            }
        } else {
            for column in &self.config.csv_columns {
                match self.names {
                    Names::Prefixed => record.push(&column.replace('.', "_")),
                    Names::Plain => {
                        let name = column.strip_prefix("tag.").unwrap_or(column);
                        record.push(name.strip_prefix("field.").unwrap_or(name));
                    }
                }
            }
        }
        record.end();
    }

    fn write(&self, metric: &Metric, out: &mut Vec<u8>) {
        let time = self.time.text(metric.time);
        let mut record = Record::new(self.separator, out);
        if self.columns.is_empty() {
            record.push(&time);
            record.push(&metric.name);
            metric.tags().iter().for_each(|tag| record.push(&tag.value));
            sorted(metric).iter().for_each(|field| record.push_value(&field.value));
        }
        for column in &self.columns {
            match column {
                Column::Time => record.push(&time),
                Column::Name => record.push(&metric.name),
                Column::Tag(key) => record.push(metric.tag(key).unwrap_or_default()),
                Column::Field(key) => match metric.field(key) {
                    Some(value) => record.push_value(value),
                    None => record.push(""),
                },
            }
        }
        record.end();
    }
}

fn sorted(metric: &Metric) -> Vec<&Field> {
    let mut fields: Vec<_> = metric.fields().iter().collect();
    fields.sort_unstable_by(|a, b| a.key.cmp(&b.key));
    fields
}

impl Serializer for Csv {
    fn serialize(&mut self, metric: &Metric, out: &mut Vec<u8>) -> Result<(), PluginError> {
        self.serialize_batch(std::slice::from_ref(metric), out).map(drop)
    }

    fn serialize_batch(
        &mut self,
        metrics: &[Metric],
        out: &mut Vec<u8>,
    ) -> Result<Vec<Rejection>, PluginError> {
        if let (Header::Due, Some(first)) = (self.header, metrics.first()) {
            self.write_header(first, out);
            self.header = Header::No;
        }
        metrics.iter().for_each(|metric| self.write(metric, out));
        Ok(Vec::new())
    }
}

/// A line on its way.
struct Record<'o> {
    out: &'o mut Vec<u8>,
    separator: u8,
    is_first: bool,
}

impl<'o> Record<'o> {
    fn new(separator: u8, out: &'o mut Vec<u8>) -> Record<'o> {
        Record { out, separator, is_first: true }
    }

    fn separate(&mut self) {
        if !std::mem::take(&mut self.is_first) {
            self.out.push(self.separator);
        }
    }

    /// Appends a text, in quotes if it could be mistaken without.
    fn push(&mut self, text: &str) {
        self.separate();
        let is_special = |byte: u8| matches!(byte, b'"' | b'\r' | b'\n') || byte == self.separator;
        let needs_quotes =
            text == "\\." || text.bytes().any(is_special) || text.starts_with(char::is_whitespace);
        if !needs_quotes {
            self.out.extend_from_slice(text.as_bytes());
            return;
        }
        self.out.push(b'"');
        for (at, part) in text.split('"').enumerate() {
            if at > 0 {
                self.out.extend_from_slice(b"\"\"");
            }
            self.out.extend_from_slice(part.as_bytes());
        }
        self.out.push(b'"');
    }

    fn push_value(&mut self, value: &Value) {
        match value {
            Value::String(text) => self.push(text),
            Value::Float(value) if value.is_finite() && self.is_plain_in_numbers() => {
                self.separate();
                push_plain_float(self.out, *value);
            }
            value => self.push(&to_text(value)),
        }
    }

    /// Whether no number holds the separator.
    fn is_plain_in_numbers(&self) -> bool {
        !self.separator.is_ascii_digit() && !matches!(self.separator, b'.' | b'-')
    }

    fn end(self) {
        self.out.push(b'\n');
    }
}

#[cfg(test)]
mod tests;
