//! Which file a record goes to: one for all, or one for each topic, partition or table of rows.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use hashbrown::{Equivalent, HashMap};

use crate::sink::files::period::Period;
use crate::sink::files::rotation::Age;
use crate::sink::files::template::{Template, Variable};
use crate::sink::journaled::JournaledFile;
use crate::sink::rows::Layout;

/// What the lines of a slot are.
#[derive(Debug, Clone)]
pub(super) enum Lines {
    /// Values as they came.
    Values,
    /// Rows of one layout.
    Rows(Arc<Layout>),
    /// Records that no rows can be made of.
    DeadLetters,
}

impl Lines {
    /// What stands before all lines.
    pub(super) fn header(&self) -> &[u8] {
        match self {
            Lines::Rows(layout) => &layout.header,
            Lines::Values | Lines::DeadLetters => b"",
        }
    }

    fn id(&self) -> LinesId {
        match self {
            Lines::Values => LinesId::Values,
            // The slot holds the layout, so that no other gets its address.
            Lines::Rows(layout) => LinesId::Rows(Arc::as_ptr(layout).addr()),
            Lines::DeadLetters => LinesId::DeadLetters,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum LinesId {
    Values,
    Rows(usize),
    DeadLetters,
}

/// A file that is appended to.
#[derive(Debug)]
pub(super) struct OpenFile {
    pub(super) file: JournaledFile,
    /// The stretch of time in which it was begun.
    pub(super) period: Option<Period>,
    /// When it was last written to, in the clock's elapsed time.
    pub(super) written_at: Duration,
}

impl OpenFile {
    pub(super) fn age(&self) -> Age {
        Age { bytes: self.file.length(), period: self.period, written_at: self.written_at }
    }
}

/// Whether more records come to a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    Current,
    /// The table has got another column, and with it another slot.
    Superseded,
}

/// What goes to one file, and to the next one when that has ended.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) lines: Lines,
    pub(super) topic: Option<Arc<str>>,
    pub(super) partition: Option<i32>,
    pub(super) of_use: Use,
    /// It is opened when there is something to write.
    pub(super) open: Option<OpenFile>,
}

impl Slot {
    fn key(&self) -> Key {
        Key { lines: self.lines.id(), topic: self.topic.clone(), partition: self.partition }
    }

    /// Whether rows of another layout belong to the same table.
    fn is_table_of(&self, other: &Slot) -> bool {
        match (&self.lines, &other.lines) {
            (Lines::Rows(a), Lines::Rows(b)) => {
                !Arc::ptr_eq(a, b)
                    && a.measurement == b.measurement
                    && self.topic == other.topic
                    && self.partition == other.partition
            }
            _ => false,
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Key {
    lines: LinesId,
    topic: Option<Arc<str>>,
    partition: Option<i32>,
}

#[derive(Debug, Clone, Copy)]
struct KeyRef<'k> {
    lines: LinesId,
    topic: Option<&'k str>,
    partition: Option<i32>,
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Key { lines, topic, partition } = self;
        KeyRef { lines: *lines, topic: topic.as_deref(), partition: *partition }.hash(state);
    }
}

impl Hash for KeyRef<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.lines, self.topic, self.partition).hash(state);
    }
}

impl Equivalent<Key> for KeyRef<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.lines == key.lines
            && self.partition == key.partition
            && self.topic == key.topic.as_deref()
    }
}

/// Whether files are told apart by something that their names tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Split {
    ForEach,
    ForAll,
}

/// All slots of a writer.
#[derive(Debug)]
pub(super) struct Slots {
    list: Vec<Slot>,
    by_key: HashMap<Key, usize>,
    /// The one that was asked for last.
    last: usize,
    topics: Split,
    partitions: Split,
}

impl Slots {
    pub(super) fn new(template: &Template) -> Slots {
        let split = |variable| {
            if template.has(variable) { Split::ForEach } else { Split::ForAll }
        };
        Slots {
            list: Vec::new(),
            by_key: HashMap::new(),
            last: 0,
            topics: split(Variable::Topic),
            partitions: split(Variable::Partition),
        }
    }

    /// The slot of these lines of a record; a new one if there is none.
    pub(super) fn of(&mut self, lines: &Lines, topic: &str, partition: i32) -> usize {
        self.find_or_add(lines.id(), || lines.clone(), topic, partition)
    }

    /// The slot of rows; a new one if there is none.
    pub(super) fn of_rows(&mut self, layout: &Arc<Layout>, topic: &str, number: i32) -> usize {
        let id = LinesId::Rows(Arc::as_ptr(layout).addr());
        self.find_or_add(id, || Lines::Rows(layout.clone()), topic, number)
    }

    fn find_or_add(
        &mut self,
        id: LinesId,
        lines: impl FnOnce() -> Lines,
        topic: &str,
        partition: i32,
    ) -> usize {
        let split = |split: Split| split == Split::ForEach && id != LinesId::DeadLetters;
        let key = KeyRef {
            lines: id,
            topic: split(self.topics).then_some(topic),
            partition: split(self.partitions).then_some(partition),
        };
        let is_it = |slot: &Slot| {
            slot.lines.id() == key.lines
                && slot.partition == key.partition
                && slot.topic.as_deref() == key.topic
        };
        if self.list.get(self.last).is_some_and(is_it) {
            return self.last;
        }
        self.last = match self.by_key.get(&key) {
            Some(known) => *known,
            None => self.add(Slot {
                lines: lines(),
                topic: key.topic.map(Arc::from),
                partition: key.partition,
                of_use: Use::Current,
                open: None,
            }),
        };
        self.last
    }

    fn add(&mut self, slot: Slot) -> usize {
        for other in self.list.iter_mut().filter(|other| other.is_table_of(&slot)) {
            other.of_use = Use::Superseded;
        }
        let at = self.list.len();
        self.by_key.insert(slot.key(), at);
        self.list.push(slot);
        at
    }

    pub(super) fn get(&self, at: usize) -> &Slot {
        &self.list[at]
    }

    pub(super) fn get_mut(&mut self, at: usize) -> &mut Slot {
        &mut self.list[at]
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Slot> {
        self.list.iter_mut()
    }

    /// The files that are open now.
    pub(super) fn files(&self) -> impl Iterator<Item = &JournaledFile> {
        self.list.iter().filter_map(|slot| slot.open.as_ref()).map(|open| &open.file)
    }

    /// The files that are open now.
    pub(super) fn files_mut(&mut self) -> impl Iterator<Item = &mut JournaledFile> {
        self.list.iter_mut().filter_map(|slot| slot.open.as_mut()).map(|open| &mut open.file)
    }

    /// Takes out the slots that nothing comes to any more. The others get other places: nothing may
    /// be in the batch.
    pub(super) fn take_superseded(&mut self) -> Vec<Slot> {
        if self.list.iter().all(|slot| slot.of_use == Use::Current) {
            return Vec::new();
        }
        let taken = self.list.extract_if(.., |slot| slot.of_use == Use::Superseded).collect();
        self.by_key = self.list.iter().enumerate().map(|(at, slot)| (slot.key(), at)).collect();
        self.last = 0;
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::rows::Place;

    fn layout(measurement: &str, header: &str) -> Lines {
        Lines::Rows(Arc::new(Layout {
            measurement: Some(measurement.into()),
            header: header.as_bytes().to_vec(),
            place: Place::NewFile,
        }))
    }

    fn slots(template: &str) -> Slots {
        Slots::new(&Template::parse(template).unwrap())
    }

    #[test]
    fn files_are_as_many_as_the_template_tells_apart() {
        for (template, numbers) in [
            ("{thread}", [0, 0, 0, 0, 0]),
            ("{topic}", [0, 0, 1, 0, 1]),
            ("{partition}", [0, 1, 0, 0, 1]),
            ("{topic}-{partition}", [0, 1, 2, 0, 3]),
        ] {
            let mut slots = slots(template);
            let records = [("a", 0), ("a", 1), ("b", 0), ("a", 0), ("b", 1)];
            let found = records.map(|(topic, number)| slots.of(&Lines::Values, topic, number));
            assert_eq!(found, numbers, "{template}");
        }
    }

    #[test]
    fn dead_letters_have_one_file() {
        let mut slots = slots("{topic}-{partition}");
        assert_eq!(slots.of(&Lines::DeadLetters, "a", 0), 0);
        assert_eq!(slots.of(&Lines::DeadLetters, "b", 1), 0);
        assert_eq!(slots.of(&Lines::Values, "b", 1), 1);
    }

    #[test]
    fn a_table_with_another_column_supersedes_itself_and_nothing_else() {
        let mut slots = slots("{topic}.{measurement}");
        let (cpu, wider, mem) =
            (layout("cpu", "a\n"), layout("cpu", "a,b\n"), layout("mem", "a\n"));
        for (lines, topic) in [(&cpu, "t"), (&cpu, "u"), (&mem, "t")] {
            slots.of(lines, topic, 0);
        }
        assert!(slots.take_superseded().is_empty());
        assert_eq!(slots.of(&wider, "t", 0), 3);
        let superseded = slots.take_superseded();
        assert_eq!(superseded.len(), 1);
        assert_eq!(superseded[0].lines.header(), b"a\n");
        assert_eq!(superseded[0].topic.as_deref(), Some("t"));
        for (lines, topic, place) in [(&cpu, "u", 0), (&mem, "t", 1), (&wider, "t", 2)] {
            assert_eq!(slots.of(lines, topic, 0), place);
        }
    }
}
