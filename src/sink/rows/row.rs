//! One row on its way: the cells of a metric's parts, and the columns that they go to.

use compact_str::CompactString;

use super::KEPT_BYTES;
use super::cell::push_text;
use super::columns::Role;
use super::tables::{Table, TableId, Tables};

/// A row that is being put together.
///
/// Cells are written one behind the other as their parts are read. Only at the end of a row they
/// are brought into the order of the columns, which a part read late may have added to.
#[derive(Debug, Default)]
pub(super) struct Row {
    target: Target,
    /// The measurement as a cell; that of a table of one measurement is kept there.
    name_cell: Vec<u8>,
    cells: Vec<u8>,
    /// The cell of each column of the table.
    slots: Vec<Span>,
    /// Parts without a column.
    unplaced: Vec<Unplaced>,
    /// How many parts none of the given columns is for.
    left_out: u64,
    /// How many parts have been read.
    n_parts: usize,
    n_fields: usize,
    /// Where the cells of tags end.
    end_of_tags: usize,
}

/// Where a row is to go.
#[derive(Debug, Default)]
enum Target {
    #[default]
    None,
    Known(TableId),
    /// To a table that there is not yet.
    New(CompactString),
}

/// A part of the cells; an empty one is a cell that is missing.
#[derive(Debug, Clone, Copy, Default)]
struct Span {
    start: usize,
    end: usize,
}

#[derive(Debug)]
struct Unplaced {
    role: Role,
    key: CompactString,
    cell: Span,
}

impl Row {
    /// Begins the row of a metric of this name.
    pub(super) fn begin(&mut self, tables: &mut Tables, measurement: &str) {
        self.cells.clear();
        self.cells.shrink_to(KEPT_BYTES);
        self.slots.clear();
        self.unplaced.clear();
        (self.left_out, self.n_parts, self.n_fields, self.end_of_tags) = (0, 0, 0, 0);
        if tables.are_given() {
            self.name_cell.clear();
            push_text(&mut self.name_cell, measurement);
        }
        self.target = match tables.find(measurement) {
            Some(id) => {
                self.slots.resize(tables.table(id).columns.len(), Span::default());
                Target::Known(id)
            }
            None => Target::New(measurement.into()),
        };
    }

    /// How many fields it has.
    pub(super) fn n_fields(&self) -> usize {
        self.n_fields
    }

    /// How many of its parts none of the given columns is for.
    pub(super) fn left_out(&self) -> u64 {
        self.left_out
    }

    /// How many columns it wants that there are not yet.
    pub(super) fn n_unplaced(&self) -> usize {
        self.unplaced.len()
    }

    /// Takes a tag, which come before all fields.
    pub(super) fn tag(&mut self, tables: &mut Tables, key: &str, write: impl FnOnce(&mut Vec<u8>)) {
        self.part(tables, Role::Tag, key, write);
        self.end_of_tags = self.cells.len();
    }

    /// Takes a field.
    pub(super) fn field(
        &mut self,
        tables: &mut Tables,
        key: &str,
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        self.part(tables, Role::Field, key, write);
        self.n_fields += 1;
    }

    fn part(
        &mut self,
        tables: &mut Tables,
        role: Role,
        key: &str,
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        let start = self.cells.len();
        write(&mut self.cells);
        let cell = Span { start, end: self.cells.len() };
        let place = self.n_parts;
        self.n_parts += 1;
        let column = match self.target {
            Target::Known(id) => self.column(tables, id, role, key, place),
            Target::None | Target::New(_) => None,
        };
        match column {
            Some(column) => self.slots[column] = cell,
            None if tables.are_given() && matches!(self.target, Target::Known(_)) => {
                self.cells.truncate(start);
                self.left_out += 1;
            }
            None => self.unplaced.push(Unplaced { role, key: key.into(), cell }),
        }
    }

    fn column(
        &self,
        tables: &mut Tables,
        id: TableId,
        role: Role,
        key: &str,
        place: usize,
    ) -> Option<usize> {
        if tables.are_given() {
            let is_tag = |column: usize| {
                let cell = self.slots[column];
                cell.end > cell.start && cell.end <= self.end_of_tags
            };
            tables.table(id).columns.find_by_name(role, key, is_tag)
        } else {
            tables.table_mut(id).columns.find(role, key, place)
        }
    }

    /// The table that the row goes to; one that there was not is made by `make`.
    ///
    /// # Errors
    /// Whatever `make` fails with.
    pub(super) fn settle<E>(
        &mut self,
        tables: &mut Tables,
        make: impl FnOnce(&mut Tables, &str) -> Result<TableId, E>,
    ) -> Result<TableId, E> {
        let id = match &self.target {
            Target::Known(id) => return Ok(*id),
            Target::None => make(tables, "")?,
            Target::New(measurement) => make(tables, measurement)?,
        };
        self.target = Target::Known(id);
        self.slots.resize(tables.table(id).columns.len(), Span::default());
        for (place, part) in std::mem::take(&mut self.unplaced).into_iter().enumerate() {
            match self.column(tables, id, part.role, &part.key, place) {
                Some(column) => self.slots[column] = part.cell,
                None if tables.are_given() => self.left_out += 1,
                None => self.unplaced.push(part),
            }
        }
        Ok(id)
    }

    /// Gives the parts without a column one in `table`.
    pub(super) fn widen(&mut self, table: &mut Table) {
        let before = table.columns.add(self.unplaced.iter().map(|part| (part.role, &part.key)));
        let cells = before.iter().map(|old| old.map_or(Span::default(), |old| self.slots[old]));
        self.slots = cells.collect();
        for part in self.unplaced.drain(..) {
            if let Some(column) = table.columns.find(part.role, &part.key, usize::MAX) {
                self.slots[column] = part.cell;
            }
        }
    }

    /// Fills the columns of the time and the measurement, if the table has them.
    pub(super) fn finish(&mut self, table: &Table, time: impl FnOnce(&mut Vec<u8>)) {
        if let Some(column) = table.time {
            let start = self.cells.len();
            time(&mut self.cells);
            self.slots[column] = Span { start, end: self.cells.len() };
        }
        if let Some(column) = table.measurement {
            let start = self.cells.len();
            let cell = match &table.layout.measurement {
                Some(_) => &table.name_cell,
                None => &self.name_cell,
            };
            self.cells.extend_from_slice(cell);
            self.slots[column] = Span { start, end: self.cells.len() };
        }
    }

    /// Appends the cells in the order of their columns, and a line end.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.reserve(self.cells.len() + self.slots.len() + 3);
        let start = out.len();
        for (column, cell) in self.slots.iter().enumerate() {
            if column > 0 {
                out.push(b',');
            }
            out.extend_from_slice(&self.cells[cell.start..cell.end]);
        }
        if out.len() == start {
            // Programs that read CSV pass over empty lines.
            out.extend_from_slice(b"\"\"");
        }
        out.push(b'\n');
    }
}
