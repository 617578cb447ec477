//! Hash tables that keep the order in which keys were added.

use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::LazyLock;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::failure::{Outcome, fail};
use super::number;
use super::value::Value;

/// Up to this many entries looking at all of them beats an index.
const FEW: usize = 8;

static HASHES: LazyLock<DefaultHashBuilder> = LazyLock::new(DefaultHashBuilder::default);

/// The entries of a dict or, with values that mean nothing, of a set.
#[derive(Default, Debug)]
pub(crate) struct Table {
    /// In the order in which they were added; removed ones leave a gap.
    entries: Vec<Option<Entry>>,
    /// The places of the entries, once there are more than a few.
    index: HashTable<u32>,
    len: usize,
}

#[derive(Debug)]
struct Entry {
    hash: u64,
    key: Value,
    value: Value,
}

/// A value that can be a key, with its hash.
pub(crate) struct Key {
    hash: u64,
    value: Value,
}

impl Key {
    /// Takes a value for a key.
    ///
    /// # Errors
    /// If it can be changed, and so has no hash.
    pub(crate) fn new(value: &Value) -> Outcome<Key> {
        let mut hasher = HASHES.build_hasher();
        hash(value, &mut hasher)?;
        Ok(Key { hash: hasher.finish(), value: value.clone() })
    }
}

impl Table {
    /// How many entries there are.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: &Key) -> Option<&Value> {
        let at = self.find(key)?;
        self.entries[at].as_ref().map(|entry| &entry.value)
    }

    /// Sets the value of a key, which keeps its place if it has one, and tells whether it is new.
    pub(crate) fn insert(&mut self, key: Key, value: Value) -> bool {
        if let Some(at) = self.find(&key) {
            if let Some(entry) = &mut self.entries[at] {
                entry.value = value;
            }
            return false;
        }
        let at = self.entries.len();
        self.entries.push(Some(Entry { hash: key.hash, key: key.value, value }));
        self.len += 1;
        if !self.index.is_empty() {
            let entries = &self.entries;
            self.index.insert_unique(key.hash, at as u32, |at| hash_at(entries, *at));
        } else if self.len > FEW {
            self.build_index();
        }
        true
    }

    /// Removes a key and returns what it had.
    pub(crate) fn remove(&mut self, key: &Key) -> Option<(Value, Value)> {
        let at = self.find(key)?;
        if let Ok(found) = self.index.find_entry(key.hash, |candidate| *candidate as usize == at) {
            found.remove();
        }
        let entry = self.entries[at].take()?;
        self.len -= 1;
        while let Some(None) = self.entries.last() {
            self.entries.pop();
        }
        if self.entries.len() > FEW && self.entries.len() > 2 * self.len {
            self.entries.retain(Option::is_some);
            self.build_index();
        }
        Some((entry.key, entry.value))
    }

    /// Removes all entries.
    pub(crate) fn clear(&mut self) {
        *self = Table::default();
    }

    /// The entries in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Value, &Value)> {
        self.entries.iter().flatten().map(|entry| (&entry.key, &entry.value))
    }

    /// The first key at or behind a place, and the place behind it; for going through a table that
    /// is not changed meanwhile.
    pub(crate) fn key_from(&self, at: usize) -> Option<(Value, usize)> {
        let behind = self.entries.get(at..)?;
        let gap = behind.iter().position(Option::is_some)?;
        let entry = behind[gap].as_ref()?;
        Some((entry.key.clone(), at + gap + 1))
    }

    /// The first key.
    pub(crate) fn first(&self) -> Option<Value> {
        self.key_from(0).map(|(key, _)| key)
    }

    fn find(&self, key: &Key) -> Option<usize> {
        let is_it = |entry: &Entry| entry.hash == key.hash && is_same_key(&entry.key, &key.value);
        if self.index.is_empty() {
            return self.entries.iter().position(|entry| entry.as_ref().is_some_and(is_it));
        }
        self.index
            .find(key.hash, |at| self.entries[*at as usize].as_ref().is_some_and(is_it))
            .map(|at| *at as usize)
    }

    fn build_index(&mut self) {
        self.index.clear();
        if self.len <= FEW {
            return;
        }
        let entries = &self.entries;
        for (at, entry) in entries.iter().enumerate() {
            if let Some(entry) = entry {
                self.index.insert_unique(entry.hash, at as u32, |at| hash_at(entries, *at));
            }
        }
    }
}

fn hash_at(entries: &[Option<Entry>], at: u32) -> u64 {
    entries[at as usize].as_ref().map_or(0, |entry| entry.hash)
}

/// Hashes a value so that equal numbers of any type have the same hash.
fn hash(value: &Value, hasher: &mut impl Hasher) -> Outcome<()> {
    match value {
        Value::None | Value::Unset | Value::Cell(_) => 0_u8.hash(hasher),
        Value::Bool(truth) => (1_u8, truth).hash(hasher),
        Value::Int(number) => (2_u8, number).hash(hasher),
        Value::Big(number) => number.hash(hasher),
        Value::Float(float) if float.is_finite() && float.trunc() == *float => {
            return hash(&number::float_to_int(*float)?, hasher);
        }
        // All others are equal to floats only; which NaN it is makes no difference.
        Value::Float(float) if float.is_nan() => 3_u8.hash(hasher),
        Value::Float(float) => float.to_bits().hash(hasher),
        Value::Str(text) => text.hash(hasher),
        Value::Tuple(values) => {
            for value in values.iter() {
                hash(value, hasher)?;
            }
        }
        Value::Function(id) => (4_u8, id).hash(hasher),
        Value::Builtin(builtin) => builtin.name.hash(hasher),
        Value::Method(method) => method.builtin.name.hash(hasher),
        Value::Duration(nanos) => (5_u8, nanos).hash(hasher),
        Value::Time(time) => time.timestamp().hash(hasher),
        Value::List(_) | Value::Dict(_) | Value::Set(_) => {
            fail!("unhashable type: {}", value.type_name())
        }
        Value::Range(_) | Value::Parts(_) | Value::Module(_) => {
            fail!("unhashable: {}", value.type_name())
        }
        Value::Metric(_) | Value::Tags(_) | Value::Fields(_) => fail!("not hashable"),
    }
    Ok(())
}

/// Whether two values are the same key.
fn is_same_key(x: &Value, y: &Value) -> bool {
    match (x, y) {
        (Value::Str(x), Value::Str(y)) => x == y,
        (
            Value::Int(_) | Value::Big(_) | Value::Float(_),
            Value::Int(_) | Value::Big(_) | Value::Float(_),
        ) => number::compare(x, y).is_eq(),
        (Value::None, Value::None) => true,
        (Value::Bool(x), Value::Bool(y)) => x == y,
        (Value::Tuple(x), Value::Tuple(y)) => {
            x.len() == y.len() && x.iter().zip(y.iter()).all(|(x, y)| is_same_key(x, y))
        }
        (Value::Function(x), Value::Function(y)) => x == y,
        (Value::Builtin(x), Value::Builtin(y)) => std::ptr::eq(*x, *y),
        (Value::Method(x), Value::Method(y)) => std::sync::Arc::ptr_eq(x, y),
        (Value::Duration(x), Value::Duration(y)) => x == y,
        (Value::Time(x), Value::Time(y)) => x.timestamp() == y.timestamp(),
        _ => false,
    }
}
