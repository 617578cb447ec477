//! Tables in files: comma-separated values, or a JSON object or a line of line protocol a line.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use compact_str::CompactString;
use crossbeam_channel::{Sender, bounded};

use super::row::{Columns, Row, RowFormat, Rows, Values, as_text};
use crate::metric::Value;
use crate::plugin::{PluginError, PluginLog};
use crate::system::thread::{Thread, spawn};
use crate::system::{Clock, ErrorWords, Waited};

/// Why a file is no table.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    #[error("reading {}: {}", .path.display(), ErrorWords(.source))]
    Read { path: PathBuf, source: io::Error },
    #[error("{}: {source}", .path.display())]
    Csv { path: PathBuf, source: csv::Error },
    #[error("{}: line {line}: {source}", .path.display())]
    Line { path: PathBuf, line: usize, source: PluginError },
    #[error("{}: row {row} has no column {column:?}, which holds the key", .path.display())]
    NoKey { path: PathBuf, row: usize, column: String },
}

/// How a file is written.
pub(super) enum FileFormat {
    /// A line of names, then one of values for each row.
    Csv,
    /// A row a line.
    Lines(RowFormat),
}

/// A file that holds a table.
pub(super) struct TableFile {
    pub(super) path: PathBuf,
    pub(super) format: FileFormat,
    /// The column that holds the key.
    pub(super) key: String,
    pub(super) columns: Columns,
}

impl TableFile {
    /// Reads all of it.
    ///
    /// # Errors
    /// If any of it is no row: half a table would look like one whose other rows were removed.
    pub(super) fn read(&mut self) -> Result<HashMap<CompactString, Row>, FileError> {
        let path = || self.path.clone();
        let text =
            fs::read(&self.path).map_err(|source| FileError::Read { path: path(), source })?;
        let mut rows = HashMap::new();
        match &mut self.format {
            FileFormat::Csv => {
                let mut reader = csv::Reader::from_reader(text.as_slice());
                let failed = |source| FileError::Csv { path: path(), source };
                let names = reader.headers().map_err(failed)?.clone();
                for (record, row) in reader.records().zip(1..) {
                    let record = record.map_err(failed)?;
                    let named = names.iter().zip(&record);
                    let values = named.map(|(name, value)| (name.into(), value_of(value)));
                    add(&mut rows, values.collect(), &self.path, &self.key, row, &self.columns)?;
                }
            }
            FileFormat::Lines(format) => {
                for (line, number) in text.split(|byte| *byte == b'\n').zip(1..) {
                    let line = line.trim_ascii();
                    if line.is_empty() {
                        continue;
                    }
                    let failed = |source| FileError::Line { path: path(), line: number, source };
                    let values = format.read(line).map_err(failed)?;
                    add(&mut rows, values, &self.path, &self.key, number, &self.columns)?;
                }
            }
        }
        Ok(rows)
    }
}

fn add(
    rows: &mut HashMap<CompactString, Row>,
    values: Values,
    path: &Path,
    key: &str,
    row: usize,
    columns: &Columns,
) -> Result<(), FileError> {
    let found = values.iter().find(|(name, _)| name == key).map(|(_, value)| as_text(value));
    let Some(found) = found else {
        return Err(FileError::NoKey { path: path.to_owned(), row, column: key.to_owned() });
    };
    rows.insert(found, columns.row(values));
    Ok(())
}

/// A number where it looks like one as a whole.
fn value_of(text: &str) -> Value {
    if let Ok(number) = text.parse::<i64>() {
        // Zeros in front belong to names, such as postal codes.
        if itoa::Buffer::new().format(number) == text {
            return number.into();
        }
    } else if text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte))
        && let Ok(number) = text.parse::<f64>()
    {
        return number.into();
    }
    text.into()
}

/// What tells whether a file has changed.
type Stamp = (SystemTime, u64);

fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

/// A thread that reads the file again when it has changed.
pub(super) struct FileWatch {
    /// Closes when the thread is to end.
    _stop: Sender<()>,
    _thread: Thread,
}

impl FileWatch {
    /// Reads the file, and begins to look at it every so often.
    ///
    /// # Errors
    /// If there is no table in it, or no room for another thread.
    pub(super) fn start(
        mut file: TableFile,
        every: Duration,
        rows: Rows,
        clock: std::sync::Arc<dyn Clock>,
        log: PluginLog,
    ) -> Result<FileWatch, PluginError> {
        let mut last = stamp(&file.path);
        *rows.write() = file.read()?;
        let (stop, stopped) = bounded(0);
        let thread = spawn("table file", move || {
            while clock.wait(every, &stopped) == Waited::Passed {
                let now = stamp(&file.path);
                if now == last {
                    continue;
                }
                last = now;
                match file.read() {
                    Ok(read) => {
                        log.info(format_args!("Read {} rows again", read.len()));
                        let old = std::mem::replace(&mut *rows.write(), read);
                        drop(old);
                    }
                    Err(error) => {
                        log.error(format_args!("The table stays as it was: {error}"));
                    }
                }
            }
        })?;
        Ok(FileWatch { _stop: stop, _thread: thread })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugin::Patterns;

    fn read(text: &str, format: FileFormat) -> Result<Vec<(String, String)>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table");
        fs::write(&path, text).unwrap();
        let columns = Columns {
            tags: Patterns::new(&["*".into()]).unwrap(),
            fields: None,
            prefix: String::new(),
        };
        let mut file = TableFile { path, format, key: "id".into(), columns };
        let rows = file.read().map_err(|error| error.to_string())?;
        let mut rows: Vec<_> = rows
            .iter()
            .map(|(key, row)| {
                let tags = row.tags.iter().map(|tag| format!("{}={}", tag.key, tag.value));
                (key.to_string(), tags.collect::<Vec<_>>().join(","))
            })
            .collect();
        rows.sort();
        Ok(rows)
    }

    fn pairs(all: &[(&str, &str)]) -> Vec<(String, String)> {
        all.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
    }

    #[test]
    fn tables_are_read_from_both_kinds_of_files() {
        let csv = "id,rack,zip\n1,\"a, b\",01067\n2,c,\n";
        let expected = pairs(&[("1", "id=1,rack=a, b,zip=01067"), ("2", "id=2,rack=c")]);
        assert_eq!(read(csv, FileFormat::Csv), Ok(expected));
        let lines = "{\"id\":\"x\",\"on\":true}\n\n{\"id\":7,\"n\":0.5}\r\n";
        let expected = pairs(&[("7", "id=7,n=0.5"), ("x", "id=x,on=true")]);
        assert_eq!(read(lines, FileFormat::Lines(RowFormat::Json)), Ok(expected));
    }

    #[test]
    fn a_file_that_is_wrong_somewhere_is_no_table() {
        for (text, format, expected) in [
            ("id,a\n1,2\n3\n", FileFormat::Csv, "record 2"),
            ("key,a\n1,2\n", FileFormat::Csv, "row 1 has no column \"id\""),
            ("{\"id\":1}\n{\n", FileFormat::Lines(RowFormat::Json), "line 2: EOF"),
        ] {
            let error = read(text, format).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn only_what_is_a_number_as_a_whole_is_one() {
        for (text, expected) in [
            ("12", Value::Integer(12)),
            ("-1.5e3", Value::Float(-1500.0)),
            ("012", Value::String("012".into())),
            ("1.2.3", Value::String("1.2.3".into())),
            ("inf", Value::String("inf".into())),
            ("", Value::String("".into())),
        ] {
            assert_eq!(value_of(text), expected, "{text}");
        }
    }
}
