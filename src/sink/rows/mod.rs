//! Records as rows of CSV: line protocol and JSON become columns.
//!
//! A table is what rows of one measurement go to. Its columns are the time, the measurement, the
//! tags by their names, and the fields in the order in which they first came. A row with a part
//! that has no column yet widens the table; rows behind it belong into a new file, below a wider
//! header, and the rows before it stay right.
//!
//! Whatever belongs to a record becomes rows or nothing: one that cannot be made rows of as a
//! whole is [`Unfit`].
//!
//! # References
//! RFC 4180.

mod cell;
mod columns;
mod header;
mod json;
mod row;
mod tables;
mod time;

use std::sync::Arc;

pub use header::{ColumnsError, end_of_last_row, header_of, parse_columns};
pub use tables::{FindHeader, Layout, Place};
pub use time::{TimeFormat, TimeFormatError};

use crate::metric::Timestamp;
use crate::plugin::line_protocol::{
    FieldValue, Lines, NextLine, Number, ParseError, Parts, Reason, Text,
};
use cell::push_text;
use row::Row;
use tables::Tables;
use time::TimeWriter;

/// How much memory is kept from record to record; one that is large must not keep it for good.
const KEPT_BYTES: usize = 1 << 20;

/// How rows are to be.
#[derive(Debug, Clone)]
pub struct RowSettings {
    /// The only columns there are, if they are given: the rows of all measurements go to one table.
    pub columns: Option<Vec<String>>,
    /// How times are written.
    pub time_format: TimeFormat,
    /// How many columns a table can have.
    pub most_columns: usize,
    /// How many tables there can be, each with a file that is open.
    pub most_measurements: usize,
}

impl Default for RowSettings {
    fn default() -> RowSettings {
        RowSettings {
            columns: None,
            time_format: TimeFormat::default(),
            most_columns: 1_000,
            most_measurements: 1_000,
        }
    }
}

/// What rows are made of.
#[derive(Debug, Clone, Copy)]
pub struct Record<'r> {
    /// The topic, which is the measurement of JSON that names none.
    pub topic: &'r str,
    /// The record's own time, for metrics that have none.
    pub time: Option<Timestamp>,
    /// Its value, if it has one.
    pub value: Option<&'r [u8]>,
}

/// Why a record cannot be made rows of.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// There is nothing in it.
    #[error("the record has no value")]
    NoValue,
    /// There are blanks and comments only, or an empty list.
    #[error("there is no metric in it")]
    NoMetric,
    /// A metric has no field, or none that has a value.
    #[error("no field has a value")]
    NoField,
    /// It is no line protocol.
    #[error(transparent)]
    Line(#[from] ParseError),
    /// It begins as JSON and is none.
    #[error("invalid JSON: {0}")]
    Json(String),
    /// It is JSON, but no object.
    #[error("{0} of JSON makes no row, only an object does")]
    NoObject(&'static str),
    /// Its time is none.
    #[error("{0} is no time")]
    Time(String),
    /// Its table would get too wide.
    #[error("{measurement:?} would get more than {most} columns")]
    TooManyColumns {
        /// The table's measurement.
        measurement: String,
        /// How many there can be.
        most: usize,
    },
    /// There would be too many tables.
    #[error("{measurement:?} would be one of more than {most} measurements")]
    TooManyMeasurements {
        /// The measurement that has no table.
        measurement: String,
        /// How many there can be.
        most: usize,
    },
}

/// What has been counted since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RowCounts {
    /// Rows that were made.
    pub rows: u64,
    /// Tags and fields that none of the given columns is for.
    pub left_out: u64,
    /// Records with bytes that were not UTF-8, of which U+FFFD was made.
    pub repaired: u64,
}

/// Rows of one layout that follow each other in a record.
#[derive(Debug, Clone, Copy)]
pub struct Run<'r> {
    /// What they belong below.
    pub layout: &'r Arc<Layout>,
    /// The rows with their line ends.
    pub rows: &'r [u8],
    /// How many rows there are.
    pub count: u64,
}

/// Makes rows of records.
#[derive(Debug)]
pub struct Rows {
    tables: Tables,
    row: Row,
    path: String,
    writing: Writing,
}

/// What has been made of the record so far, and what it takes to make more.
#[derive(Debug)]
struct Writing {
    time: TimeWriter,
    most_columns: usize,
    most_measurements: usize,
    rows: Vec<u8>,
    runs: Vec<(Arc<Layout>, usize, u64)>,
    left_out: u64,
    counts: RowCounts,
}

impl Rows {
    /// Begins without any table.
    pub fn new(settings: RowSettings) -> Rows {
        Rows {
            tables: Tables::new(settings.columns),
            row: Row::default(),
            path: String::new(),
            writing: Writing {
                time: TimeWriter::new(settings.time_format),
                most_columns: settings.most_columns,
                most_measurements: settings.most_measurements,
                rows: Vec::new(),
                runs: Vec::new(),
                left_out: 0,
                counts: RowCounts::default(),
            },
        }
    }

    /// What has been counted since the start.
    pub fn counts(&self) -> RowCounts {
        self.writing.counts
    }

    /// Makes rows of a record; `find_header` is asked once for each new measurement.
    ///
    /// # Errors
    /// If not all of it can be made rows of; then none are.
    pub fn convert<'s>(
        &'s mut self,
        record: &Record<'_>,
        find_header: &mut FindHeader<'_>,
    ) -> Result<impl Iterator<Item = Run<'s>> + use<'s>, Unfit> {
        self.writing.rows.clear();
        self.writing.rows.shrink_to(KEPT_BYTES);
        self.writing.runs.clear();
        self.writing.left_out = 0;
        let value = record.value.filter(|value| !value.is_empty()).ok_or(Unfit::NoValue)?;
        match value.iter().find(|byte| !byte.is_ascii_whitespace()) {
            Some(b'{') => self.objects(record, value, find_header)?,
            _ => self.lines(record, value, find_header)?,
        }
        if self.writing.runs.is_empty() {
            return Err(Unfit::NoMetric);
        }
        let writing = &mut self.writing;
        writing.counts.rows += writing.runs.iter().map(|(_, _, count)| count).sum::<u64>();
        writing.counts.left_out += writing.left_out;
        writing.counts.repaired += u64::from(std::str::from_utf8(value).is_err());
        let rows = &writing.rows;
        let mut start = 0;
        Ok(writing.runs.iter().map(move |(layout, end, count)| {
            let run = Run { layout, rows: &rows[start..*end], count: *count };
            start = *end;
            run
        }))
    }

    fn lines(
        &mut self,
        record: &Record<'_>,
        value: &[u8],
        find_header: &mut FindHeader<'_>,
    ) -> Result<(), Unfit> {
        let mut lines = Lines::new(value, 1);
        loop {
            let mut parts = LineParts { tables: &mut self.tables, row: &mut self.row };
            match lines.next_parts(&mut parts) {
                Ok(NextLine::Read(time)) => {
                    let time = time.or(record.time);
                    self.writing.end_row(&mut self.tables, &mut self.row, time, find_header)?;
                }
                Ok(NextLine::None) => return Ok(()),
                // What is JSON, but no object, deserves another word than a column.
                Err(fault) => match json::kind(value) {
                    Some(kind) => return Err(Unfit::NoObject(kind)),
                    None => return Err(ParseError::new(fault, value).into()),
                },
            }
        }
    }

    fn objects(
        &mut self,
        record: &Record<'_>,
        value: &[u8],
        find_header: &mut FindHeader<'_>,
    ) -> Result<(), Unfit> {
        let text = String::from_utf8_lossy(value);
        json::check(&text)?;
        let Rows { tables, row, path, writing } = self;
        for object in json::Objects::of(&text) {
            let time = match object.read(record.topic, tables, row, path)? {
                Some(time) => Some(time),
                None => record.time,
            };
            writing.end_row(tables, row, time, find_header)?;
        }
        Ok(())
    }
}

impl Writing {
    /// Puts the row that has been read behind the others.
    fn end_row(
        &mut self,
        tables: &mut Tables,
        row: &mut Row,
        time: Option<Timestamp>,
        find_header: &mut FindHeader<'_>,
    ) -> Result<(), Unfit> {
        if row.n_fields() == 0 {
            return Err(Unfit::NoField);
        }
        let most = self.most_measurements;
        let id = row.settle(tables, |tables, measurement| {
            if tables.len() >= most {
                let measurement = measurement.to_owned();
                return Err(Unfit::TooManyMeasurements { measurement, most });
            }
            Ok(tables.make(measurement, find_header))
        })?;
        self.left_out += row.left_out();
        let table = tables.table_mut(id);
        if row.n_unplaced() > 0 {
            if table.columns.len() + row.n_unplaced() > self.most_columns {
                return Err(Unfit::TooManyColumns {
                    measurement: table.layout.measurement.as_deref().unwrap_or_default().to_owned(),
                    most: self.most_columns,
                });
            }
            row.widen(table);
            table.lay_out_anew();
        }
        row.finish(table, |out| {
            if let Some(time) = time {
                self.time.push_cell(out, time);
            }
        });
        row.write(&mut self.rows);
        let end = self.rows.len();
        match self.runs.last_mut() {
            Some((layout, run_end, count)) if Arc::ptr_eq(layout, &table.layout) => {
                (*run_end, *count) = (end, *count + 1);
            }
            _ => self.runs.push((table.layout.clone(), end, 1)),
        }
        Ok(())
    }
}

/// Takes the parts of a line into the row.
struct LineParts<'r> {
    tables: &'r mut Tables,
    row: &'r mut Row,
}

impl Parts for LineParts<'_> {
    fn name(&mut self, name: Text<'_>) {
        self.row.begin(self.tables, &name.meaning());
    }

    fn tag(&mut self, key: Text<'_>, value: Text<'_>) {
        let write = |out: &mut Vec<u8>| push_text(out, &value.meaning());
        self.row.tag(self.tables, &key.meaning(), write);
    }

    fn field(&mut self, key: Text<'_>, value: FieldValue<'_>) -> Result<(), Reason> {
        if let FieldValue::Number(number) = value {
            check(number)?;
        }
        self.row.field(self.tables, &key.meaning(), |out| match value {
            FieldValue::String(text) => push_text(out, &text.meaning()),
            FieldValue::Boolean(true) => out.extend_from_slice(b"true"),
            FieldValue::Boolean(false) => out.extend_from_slice(b"false"),
            FieldValue::Number(
                Number::Float(digits) | Number::Integer(digits) | Number::Unsigned(digits),
            ) => out.extend_from_slice(digits),
        });
        Ok(())
    }
}

/// Refuses what is no number, or one that is out of range.
fn check(number: Number<'_>) -> Result<(), Reason> {
    /// So many digits fit any number of 64 bits, and any float.
    const SAFE_DIGITS: usize = 18;
    let is_safe = match number {
        Number::Integer(digits) | Number::Unsigned(digits) => digits.len() <= SAFE_DIGITS,
        Number::Float(digits) => {
            digits.len() <= SAFE_DIGITS && !digits.iter().any(|byte| matches!(byte, b'e' | b'E'))
        }
    };
    if is_safe { Ok(()) } else { number.value().map(drop) }
}

#[cfg(test)]
mod tests;
