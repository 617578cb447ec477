//! Values by field, for the few fields that a series has.

use compact_str::CompactString;

/// A value for each field, in the order in which they were first seen.
///
/// Metrics of a series bring their fields in the same order, time after time, so that each field
/// is looked for where the one before it was found.
#[derive(Debug, Clone)]
pub struct FieldMap<T> {
    entries: Vec<(CompactString, T)>,
    next: usize,
}

impl<T> Default for FieldMap<T> {
    fn default() -> FieldMap<T> {
        FieldMap { entries: Vec::new(), next: 0 }
    }
}

impl<T> FieldMap<T> {
    /// The value of a field, or none where it is seen for the first time.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut T> {
        let place = self.find(key)?;
        self.next = place + 1;
        Some(&mut self.entries[place].1)
    }

    /// The value of a field.
    pub fn get(&self, key: &str) -> Option<&T> {
        self.find(key).map(|place| &self.entries[place].1)
    }

    /// Adds a field that is not there yet.
    pub fn insert_new(&mut self, key: &CompactString, value: T) {
        self.entries.push((key.clone(), value));
        self.next = self.entries.len();
    }

    /// Sets the value of a field.
    pub fn set(&mut self, key: &CompactString, value: T) {
        match self.get_mut(key) {
            Some(known) => *known = value,
            None => self.insert_new(key, value),
        }
    }

    /// Forgets all fields; room for as many stays.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.next = 0;
    }

    /// Takes all fields out in the order in which they were first seen.
    pub fn into_entries(self) -> impl ExactSizeIterator<Item = (CompactString, T)> {
        self.entries.into_iter()
    }

    /// Keys and values in the order in which the fields were first seen.
    pub fn iter(&self) -> impl Iterator<Item = (&CompactString, &T)> {
        self.entries.iter().map(|(key, value)| (key, value))
    }

    /// Keys and values, the latter to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&CompactString, &mut T)> {
        self.entries.iter_mut().map(|(key, value)| (&*key, value))
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn find(&self, key: &str) -> Option<usize> {
        let next = self.next.min(self.entries.len());
        let (before, behind) = self.entries.split_at(next);
        let is_it = |(known, _): &(CompactString, T)| known == key;
        match behind.iter().position(is_it) {
            Some(place) => Some(next + place),
            None => before.iter().position(is_it),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_in_any_order() {
        let mut map = FieldMap::<usize>::default();
        for (at, key) in ["a", "b", "c"].into_iter().enumerate() {
            map.set(&key.into(), at);
        }
        for key in ["b", "a", "c", "c", "a"] {
            *map.get_mut(key).unwrap() += 10;
        }
        assert_eq!(map.get_mut("d"), None);
        let entries: Vec<_> = map.iter().map(|(key, value)| (key.as_str(), *value)).collect();
        assert_eq!(entries, [("a", 20), ("b", 11), ("c", 22)]);
    }
}
