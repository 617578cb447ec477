//! The columns of a table: what stands in each, and which one a tag or a field belongs to.

use compact_str::CompactString;
use hashbrown::HashMap;

use super::cell::row_of;

/// The name of the column with a row's time.
pub(super) const TIME: &str = "time";
/// The name of the column with a row's measurement.
pub(super) const MEASUREMENT: &str = "measurement";

/// What a part of a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// A tag.
    Tag,
    /// A field.
    Field,
}

impl Role {
    /// What a column's name ends in when the plain name is another column's.
    fn suffix(self) -> &'static str {
        match self {
            Role::Tag => "_tag",
            Role::Field => "_field",
        }
    }
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holds {
    Time,
    Measurement,
    /// The tag or field of this key.
    Part(Role),
    /// A tag or a field: a header does not tell. The first that asks for it has it.
    Either,
}

#[derive(Debug, Clone)]
struct Column {
    name: CompactString,
    holds: Holds,
    /// The key of the tag or field, which the name may add to.
    key: CompactString,
}

/// The columns of a table.
#[derive(Debug, Clone, Default)]
pub(super) struct Columns {
    list: Vec<Column>,
    by_name: HashMap<CompactString, usize>,
    tags: HashMap<CompactString, usize>,
    fields: HashMap<CompactString, usize>,
    /// Where the parts of the last row have gone, in their order: the next row most likely has the
    /// same parts in the same order.
    order: Vec<usize>,
}

impl Columns {
    /// The columns of a table that nothing is known of: the time and the measurement.
    pub(super) fn new() -> Columns {
        Columns::of([TIME, MEASUREMENT])
    }

    /// The columns that a header names.
    pub(super) fn of<'n>(names: impl IntoIterator<Item = &'n str>) -> Columns {
        let column = |name: &'n str| {
            let holds = match name {
                TIME => Holds::Time,
                MEASUREMENT => Holds::Measurement,
                _ => Holds::Either,
            };
            Column { name: name.into(), holds, key: CompactString::default() }
        };
        let mut columns =
            Columns { list: names.into_iter().map(column).collect(), ..Columns::default() };
        columns.index();
        columns
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// The header with its line end.
    pub(super) fn header(&self) -> Vec<u8> {
        row_of(self.list.iter().map(|column| column.name.as_str()))
    }

    /// The column of the time.
    pub(super) fn time(&self) -> Option<usize> {
        self.list.iter().position(|column| column.holds == Holds::Time)
    }

    /// The column of the measurement.
    pub(super) fn measurement(&self) -> Option<usize> {
        self.list.iter().position(|column| column.holds == Holds::Measurement)
    }

    /// The column of a part, which is the one at `place` among the parts of its row.
    pub(super) fn find(&mut self, role: Role, key: &str, place: usize) -> Option<usize> {
        if let Some(guess) = self.order.get(place) {
            let column = &self.list[*guess];
            if column.holds == Holds::Part(role) && column.key == key {
                return Some(*guess);
            }
        }
        let found = match self.parts(role).get(key) {
            Some(found) => *found,
            None => self.bind(role, key)?,
        };
        if place < self.order.len() {
            self.order[place] = found;
        } else if place == self.order.len() {
            self.order.push(found);
        }
        Some(found)
    }

    /// The column of a part where columns are given by name only. A field stands back if the row
    /// has a tag of that name, which `is_tag` tells of a column.
    pub(super) fn find_by_name(
        &self,
        role: Role,
        key: &str,
        is_tag: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        let plain = self.by_name.get(key).filter(|at| self.list[**at].holds == Holds::Either);
        match plain {
            Some(at) if role == Role::Tag || !is_tag(*at) => Some(*at),
            None if !matches!(key, TIME | MEASUREMENT) => None,
            _ => self.by_name.get([key, role.suffix()].concat().as_str()).copied(),
        }
    }

    /// Adds columns for parts that have none: tags by their names, fields at the end. Returns which
    /// column each one was before.
    pub(super) fn add<'p>(
        &mut self,
        parts: impl Iterator<Item = (Role, &'p CompactString)>,
    ) -> Vec<Option<usize>> {
        let mut before: Vec<_> = (0..self.list.len()).map(Some).collect();
        for (role, key) in parts {
            if self.parts(role).contains_key(key) {
                // The row has it twice.
                continue;
            }
            let column = Column {
                name: self.free_name(role, key),
                holds: Holds::Part(role),
                key: key.clone(),
            };
            let at = match role {
                Role::Tag => self.place_of_tag(key),
                Role::Field => self.list.len(),
            };
            before.insert(at, None);
            self.list.insert(at, column);
            if at + 1 < self.list.len() {
                self.index();
            } else {
                self.index_one(at);
            }
        }
        self.order.clear();
        before
    }

    fn parts(&self, role: Role) -> &HashMap<CompactString, usize> {
        match role {
            Role::Tag => &self.tags,
            Role::Field => &self.fields,
        }
    }

    /// Gives a part the column of its name that is nobody's yet.
    fn bind(&mut self, role: Role, key: &str) -> Option<usize> {
        let name = self.free_name(role, key);
        let at = *self.by_name.get(&name)?;
        let column = &mut self.list[at];
        (column.holds, column.key) = (Holds::Part(role), key.into());
        match role {
            Role::Tag => self.tags.insert(key.into(), at),
            Role::Field => self.fields.insert(key.into(), at),
        };
        Some(at)
    }

    /// The name for the column of a part that no other part has.
    fn free_name(&self, role: Role, key: &str) -> CompactString {
        let is_taken = |name: &str| {
            self.by_name.get(name).is_some_and(|at| self.list[*at].holds != Holds::Either)
        };
        let mut name = CompactString::new(key);
        while is_taken(&name) {
            name.push_str(role.suffix());
        }
        name
    }

    /// Before the first tag that is greater, or else behind all tags.
    fn place_of_tag(&self, key: &str) -> usize {
        let tags = || {
            let list = self.list.iter().enumerate();
            list.filter(|(_, column)| column.holds == Holds::Part(Role::Tag))
        };
        if let Some((at, _)) = tags().find(|(_, column)| column.key.as_str() > key) {
            return at;
        }
        match tags().next_back() {
            Some((at, _)) => at + 1,
            None => self.list.len().min(2),
        }
    }

    fn index(&mut self) {
        self.by_name.clear();
        self.tags.clear();
        self.fields.clear();
        (0..self.list.len()).for_each(|at| self.index_one(at));
    }

    fn index_one(&mut self, at: usize) {
        let column = &self.list[at];
        self.by_name.insert(column.name.clone(), at);
        match column.holds {
            Holds::Part(Role::Tag) => self.tags.insert(column.key.clone(), at),
            Holds::Part(Role::Field) => self.fields.insert(column.key.clone(), at),
            _ => None,
        };
    }
}

#[cfg(test)]
mod tests {
    use Role::{Field, Tag};

    use super::*;

    fn header(columns: &Columns) -> String {
        String::from_utf8(columns.header()).unwrap().trim_end().to_owned()
    }

    fn add(columns: &mut Columns, parts: &[(Role, &str)]) -> Vec<Option<usize>> {
        let parts: Vec<_> =
            parts.iter().map(|(role, key)| (*role, CompactString::new(key))).collect();
        columns.add(parts.iter().map(|(role, key)| (*role, key)))
    }

    #[test]
    fn tags_are_sorted_and_fields_stand_as_they_came() {
        let mut columns = Columns::new();
        add(&mut columns, &[(Tag, "host"), (Tag, "cpu"), (Field, "z"), (Field, "a")]);
        assert_eq!(header(&columns), "time,measurement,cpu,host,z,a");
        let before = add(&mut columns, &[(Field, "b"), (Tag, "dc"), (Tag, "zone")]);
        assert_eq!(header(&columns), "time,measurement,cpu,dc,host,zone,z,a,b");
        let old = [Some(0), Some(1), Some(2), None, Some(3), None, Some(4), Some(5), None];
        assert_eq!(before, old);
        assert_eq!(columns.find(Tag, "host", 7), Some(4));
    }

    #[test]
    fn parts_of_one_name_are_told_apart() {
        let mut columns = Columns::new();
        add(&mut columns, &[(Tag, "host"), (Tag, "time"), (Field, "host"), (Field, "measurement")]);
        let names = "time,measurement,host,time_tag,host_field,measurement_field";
        assert_eq!(header(&columns), names);
        // Of names that are read back from a header the same parts have the same columns.
        let mut again = Columns::of(names.split(','));
        for (role, key) in
            [(Tag, "host"), (Tag, "time"), (Field, "host"), (Field, "measurement"), (Tag, "other")]
        {
            assert_eq!(again.find(role, key, 0), columns.find(role, key, 0), "{key}");
        }
        add(&mut columns, &[(Tag, "host_field"), (Field, "time")]);
        assert_eq!(
            header(&columns),
            "time,measurement,host,host_field_tag,time_tag,host_field,measurement_field,time_field"
        );
    }

    #[test]
    fn columns_that_are_given_take_a_tag_before_a_field() {
        let columns = Columns::of(["host", "host_field", "time", "time_field"]);
        let none = |_: usize| false;
        assert_eq!(columns.find_by_name(Tag, "host", none), Some(0));
        assert_eq!(columns.find_by_name(Field, "host", none), Some(0));
        assert_eq!(columns.find_by_name(Field, "host", |at| at == 0), Some(1));
        assert_eq!(columns.find_by_name(Field, "host_field", none), Some(1));
        assert_eq!(columns.find_by_name(Field, "time", none), Some(3));
        assert_eq!(columns.find_by_name(Tag, "time", none), None);
        assert_eq!(columns.find_by_name(Tag, "other", none), None);
    }
}
