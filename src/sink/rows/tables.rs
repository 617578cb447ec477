//! The tables that rows go to: one for each measurement, or one for all.

use std::sync::Arc;

use compact_str::CompactString;
use hashbrown::HashMap;

use super::cell::push_text;
use super::columns::{Columns, MEASUREMENT, TIME};

/// A header, and where it came from: what the rows behind it have in common.
///
/// Rows of one layout belong into one file, below its header. A table that gets another column
/// gets another layout, and with it another file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The measurement of all rows; none where all measurements share a table.
    pub measurement: Option<CompactString>,
    /// The header row with its line end.
    pub header: Vec<u8>,
    /// Where rows of it are to be written.
    pub place: Place,
}

/// Where rows of a layout are to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// To the file that the header was read from.
    FoundFile,
    /// To a new file, below the header.
    NewFile,
}

/// Finds the header of the newest file that a table has from an earlier run; it is asked for the
/// measurement, or for none where all share a table.
pub type FindHeader<'f> = dyn FnMut(Option<&str>) -> Option<Vec<String>> + 'f;

/// The place of a table in the list.
pub(super) type TableId = usize;

#[derive(Debug)]
pub(super) struct Table {
    pub(super) layout: Arc<Layout>,
    pub(super) columns: Columns,
    pub(super) time: Option<usize>,
    pub(super) measurement: Option<usize>,
    /// The measurement as a cell.
    pub(super) name_cell: Vec<u8>,
}

impl Table {
    fn new(measurement: Option<&str>, columns: Columns, place: Place) -> Table {
        let mut name_cell = Vec::new();
        push_text(&mut name_cell, measurement.unwrap_or_default());
        let measurement = measurement.map(CompactString::from);
        Table {
            layout: Arc::new(Layout { measurement, header: columns.header(), place }),
            time: columns.time(),
            measurement: columns.measurement(),
            columns,
            name_cell,
        }
    }

    /// Takes up a layout of the columns as they are now.
    pub(super) fn lay_out_anew(&mut self) {
        let measurement = self.layout.measurement.clone();
        let header = self.columns.header();
        self.layout = Arc::new(Layout { measurement, header, place: Place::NewFile });
        (self.time, self.measurement) = (self.columns.time(), self.columns.measurement());
    }
}

#[derive(Debug)]
pub(super) struct Tables {
    /// Those of the only table, if they are given.
    given: Option<Vec<String>>,
    list: Vec<Table>,
    by_measurement: HashMap<CompactString, TableId>,
    /// The one that was asked for last.
    last: TableId,
}

impl Tables {
    pub(super) fn new(given: Option<Vec<String>>) -> Tables {
        Tables { given, list: Vec::new(), by_measurement: HashMap::new(), last: 0 }
    }

    /// Whether the columns are given, and there is one table for all rows.
    pub(super) fn are_given(&self) -> bool {
        self.given.is_some()
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn table(&self, id: TableId) -> &Table {
        &self.list[id]
    }

    pub(super) fn table_mut(&mut self, id: TableId) -> &mut Table {
        &mut self.list[id]
    }

    pub(super) fn find(&mut self, measurement: &str) -> Option<TableId> {
        if self.are_given() {
            return (!self.list.is_empty()).then_some(0);
        }
        let is_it = |table: &Table| table.layout.measurement.as_deref() == Some(measurement);
        if !self.list.get(self.last).is_some_and(is_it) {
            self.last = *self.by_measurement.get(measurement)?;
        }
        Some(self.last)
    }

    /// Makes the table for a measurement, with the columns of its newest file if they fit.
    pub(super) fn make(&mut self, measurement: &str, find_header: &mut FindHeader<'_>) -> TableId {
        let table = match &self.given {
            Some(given) => {
                let is_found = find_header(None).is_some_and(|header| header == *given);
                let place = if is_found { Place::FoundFile } else { Place::NewFile };
                Table::new(None, Columns::of(given.iter().map(String::as_str)), place)
            }
            None => {
                let header = find_header(Some(measurement)).filter(|header| is_of_table(header));
                match header {
                    Some(header) => {
                        let columns = Columns::of(header.iter().map(String::as_str));
                        Table::new(Some(measurement), columns, Place::FoundFile)
                    }
                    None => Table::new(Some(measurement), Columns::new(), Place::NewFile),
                }
            }
        };
        self.list.push(table);
        let id = self.list.len() - 1;
        self.by_measurement.insert(measurement.into(), id);
        id
    }
}

/// Whether a header is one of a measurement's table.
fn is_of_table(header: &[String]) -> bool {
    let mut names: Vec<_> = header.iter().collect();
    names.sort();
    names.dedup();
    names.len() == header.len() && header.starts_with(&[TIME.to_owned(), MEASUREMENT.to_owned()])
}
