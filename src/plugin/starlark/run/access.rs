//! Indexes and slices.

use super::super::failure::{Outcome, fail};
use super::super::library::metrics;
use super::super::table::Key;
use super::super::text::Str;
use super::super::value::{Id, Range, Value};
use super::Machine;

impl Machine {
    /// The value of `of[index]`.
    pub(crate) fn index(&mut self, of: &Value, index: &Value) -> Outcome {
        match of {
            Value::Dict(_) | Value::Tags(_) | Value::Fields(_) => match self.entry(of, index)? {
                Some(value) => Ok(value),
                None => fail!("key {} not in {}", self.repr(index), of.type_name()),
            },
            Value::Str(_) | Value::List(_) | Value::Tuple(_) | Value::Range(_) => {
                let len = self.len(of).unwrap_or(0);
                let at = checked_index(of, index, len)?;
                Ok(match of {
                    Value::Str(text) => Value::Str(Str::of_bytes(&text.as_bytes()[at..=at])),
                    Value::List(id) => self.heap.lists.get(*id).items[at].clone(),
                    Value::Tuple(values) => values[at].clone(),
                    Value::Range(range) => Value::Int(range.get(at)),
                    _ => Value::None,
                })
            }
            Value::Parts(_) => {
                let elements = self.elements(of)?;
                let at = checked_index(of, index, elements.len())?;
                Ok(elements[at].clone())
            }
            _ => fail!("unhandled index operation {}[{}]", of.type_name(), index.type_name()),
        }
    }

    /// The value of a key in a dict or the like.
    ///
    /// # Errors
    /// If it can be no key.
    pub(crate) fn entry(&self, of: &Value, key: &Value) -> Outcome<Option<Value>> {
        match of {
            Value::Dict(id) => Ok(self.heap.dicts.get(*id).table.get(&Key::new(key)?).cloned()),
            Value::Tags(id) => metrics::tag(self, *id, key),
            Value::Fields(id) => metrics::field(self, *id, key),
            _ => Ok(None),
        }
    }

    /// The keys and values of a dict or the like; nothing of other values.
    pub(crate) fn entries(&self, of: &Value) -> Option<Vec<(Value, Value)>> {
        match of {
            Value::Dict(id) => {
                let table = &self.heap.dicts.get(*id).table;
                Some(table.iter().map(|(key, value)| (key.clone(), value.clone())).collect())
            }
            Value::Tags(id) => Some(metrics::tags(self, *id)),
            Value::Fields(id) => Some(metrics::fields(self, *id)),
            _ => None,
        }
    }

    /// Does `of[index] = value`.
    pub(crate) fn set_index(&mut self, of: &Value, index: &Value, value: Value) -> Outcome<()> {
        match of {
            Value::Dict(id) => {
                let key = Key::new(index)?;
                let dict = self.heap.dicts.get_mut(*id);
                dict.guard.check("insert into", "hash table")?;
                dict.table.insert(key, value);
                Ok(())
            }
            Value::Tags(id) => metrics::set_tag(self, *id, index, &value),
            Value::Fields(id) => metrics::set_field(self, *id, index, &value),
            Value::List(id) => {
                let len = self.heap.lists.get(*id).items.len();
                let at = checked_index(of, index, len)?;
                let list = self.heap.lists.get_mut(*id);
                list.guard.check("assign to element of", "list")?;
                list.items[at] = value;
                Ok(())
            }
            _ => fail!("{} value does not support item assignment", of.type_name()),
        }
    }

    /// Adds all entries of one dict to another.
    pub(crate) fn merge_dicts(&mut self, id: Id, from: Id) -> Outcome<()> {
        for (key, value) in self.entries(&Value::Dict(from)).unwrap_or_default() {
            self.heap.dicts.get_mut(id).table.insert(Key::new(&key)?, value);
        }
        Ok(())
    }

    /// The value of `of[start:stop:step]`.
    pub(super) fn slice(&mut self, of: &Value, ends: &[Value; 3]) -> Outcome {
        let [start, stop, step] = ends;
        let len = match of {
            Value::Str(_) | Value::List(_) | Value::Tuple(_) | Value::Range(_) => {
                self.len(of).unwrap_or(0) as i64
            }
            _ => fail!("invalid slice operand {}", of.type_name()),
        };
        let step = match step {
            Value::None => 1,
            step => whole(step).map_err(|it| it.within("invalid slice step"))?,
        };
        if step == 0 {
            fail!("zero is not a valid slice step")
        }
        let chosen = if step > 0 {
            let start = end_of(start, "start", 0, len, 0, len)?;
            let stop = end_of(stop, "end", len, len, 0, len)?;
            Range::new(start, stop.max(start), step)
        } else {
            let start = end_of(start, "start", len - 1, len, -1, len - 1)?;
            let stop = end_of(stop, "end", -1, len, -1, len - 1)?;
            Range::new(start, stop.min(start), step)
        };
        let places = (0..chosen.len).map(|at| chosen.get(at) as usize);
        Ok(match of {
            Value::Str(text) if step == 1 => {
                let (start, stop) = (chosen.start as usize, chosen.stop as usize);
                Value::Str(Str::of_bytes(&text.as_bytes()[start..stop]))
            }
            Value::Str(text) => {
                let bytes: Vec<u8> = places.map(|at| text.as_bytes()[at]).collect();
                Value::Str(Str::of_bytes(&bytes))
            }
            Value::List(id) => {
                let items = &self.heap.lists.get(*id).items;
                let items = places.map(|at| items[at].clone()).collect();
                self.heap.new_list(items)
            }
            Value::Tuple(values) => {
                Value::tuple(places.map(|at| values[at].clone()).collect::<Vec<_>>())
            }
            Value::Range(range) => {
                let start = range.start + range.step * chosen.start;
                let stop = range.start + range.step * chosen.stop;
                Value::Range(Range::new(start, stop, range.step * step).into())
            }
            _ => Value::None,
        })
    }
}

/// Where a part of something begins and ends that two values bound, as far as they are given.
pub(crate) fn ends([start, end]: [&Value; 2], len: usize) -> Outcome<(usize, usize)> {
    let len = len as i64;
    let start = end_of(start, "start", 0, len, 0, len)?;
    let end = end_of(end, "end", len, len, 0, len)?;
    Ok((start as usize, end as usize))
}

/// One end of a slice, within what there is.
fn end_of(
    value: &Value,
    name: &str,
    default: i64,
    len: i64,
    least: i64,
    most: i64,
) -> Outcome<i64> {
    let at = match value {
        Value::None => return Ok(default),
        value => whole(value).map_err(|it| it.within(&format!("invalid {name} index")))?,
    };
    let at = if at < 0 { at + len } else { at };
    Ok(at.clamp(least, most))
}

/// A number as places are counted, within 32 bits as Go has it.
pub(crate) fn whole(value: &Value) -> Outcome<i64> {
    match value {
        Value::Int(number) if i32::try_from(*number).is_ok() => Ok(*number),
        Value::Int(number) => fail!("{number} out of range"),
        Value::Big(number) => fail!("{number} out of range"),
        other => fail!("got {}, want int", other.type_name()),
    }
}

/// The place that an index means, counted from the end if it is negative.
fn checked_index(of: &Value, index: &Value, len: usize) -> Outcome<usize> {
    let kind = of.type_name();
    let at = whole(index).map_err(|failure| failure.within(&format!("{kind} index")))?;
    let found = if at < 0 { at + len as i64 } else { at };
    match usize::try_from(found) {
        Ok(found) if found < len => Ok(found),
        _ if len == 0 => fail!("index {at} out of range: empty {kind}"),
        _ => fail!("{kind} index {at} out of range [-{len}:{}]", len - 1),
    }
}
