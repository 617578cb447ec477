//! Goes through what can be gone through.

use std::sync::Arc;

use super::super::failure::{Outcome, fail};
use super::super::text::Str;
use super::super::value::{Id, Parts, PartsOf, Range, Value};
use super::Machine;

/// A walk through a value; it keeps what it goes through from being changed until it is ended.
pub(super) enum Steps {
    List(Id, usize),
    Dict(Id, usize),
    Set(Id, usize),
    Tags(Id, usize),
    Fields(Id, usize),
    Tuple(Arc<[Value]>, usize),
    Range(Arc<Range>, usize),
    Parts(Arc<Parts>, usize),
}

impl Machine {
    /// Whether a value can be gone through.
    pub(crate) fn is_iterable(&self, value: &Value) -> bool {
        matches!(
            value,
            Value::List(_)
                | Value::Dict(_)
                | Value::Set(_)
                | Value::Tags(_)
                | Value::Fields(_)
                | Value::Tuple(_)
                | Value::Range(_)
                | Value::Parts(_)
        )
    }

    /// Begins to go through a value.
    ///
    /// # Errors
    /// If there is nothing to go through.
    pub(super) fn steps(&mut self, value: &Value) -> Outcome<Steps> {
        let steps = match value {
            Value::List(id) => Steps::List(*id, 0),
            Value::Dict(id) => Steps::Dict(*id, 0),
            Value::Set(id) => Steps::Set(*id, 0),
            Value::Tags(id) => Steps::Tags(*id, 0),
            Value::Fields(id) => Steps::Fields(*id, 0),
            Value::Tuple(values) => Steps::Tuple(Arc::clone(values), 0),
            Value::Range(range) => Steps::Range(Arc::clone(range), 0),
            Value::Parts(parts) => Steps::Parts(Arc::clone(parts), 0),
            other => fail!("{} value is not iterable", other.type_name()),
        };
        if let Some(count) = self.iterations(&steps) {
            *count += 1;
        }
        Ok(steps)
    }

    /// Ends a walk, so that what it went through can be changed again.
    pub(super) fn end(&mut self, steps: &Steps) {
        if let Some(count) = self.iterations(steps) {
            *count = count.saturating_sub(1);
        }
    }

    fn iterations(&mut self, steps: &Steps) -> Option<&mut u32> {
        match steps {
            Steps::List(id, _) => Some(&mut self.heap.lists.get_mut(*id).guard.iterations),
            Steps::Dict(id, _) => Some(&mut self.heap.dicts.get_mut(*id).guard.iterations),
            Steps::Set(id, _) => Some(&mut self.heap.sets.get_mut(*id).guard.iterations),
            Steps::Tags(id, _) => Some(&mut self.heap.metrics.get_mut(*id).tag_iterations),
            Steps::Fields(id, _) => Some(&mut self.heap.metrics.get_mut(*id).field_iterations),
            Steps::Tuple(..) | Steps::Range(..) | Steps::Parts(..) => None,
        }
    }

    /// The next value of a walk.
    pub(super) fn next(&self, steps: &mut Steps) -> Option<Value> {
        let (value, at) = match steps {
            Steps::List(id, at) => (self.heap.lists.get(*id).items.get(*at).cloned(), at),
            Steps::Tuple(values, at) => (values.get(*at).cloned(), at),
            Steps::Range(range, at) => ((*at < range.len).then(|| Value::Int(range.get(*at))), at),
            Steps::Tags(id, at) => {
                let tag = self.heap.metrics.get(*id).metric.tags().get(*at);
                (tag.map(|tag| Value::Str(Str::from(&tag.key))), at)
            }
            Steps::Fields(id, at) => {
                let field = self.heap.metrics.get(*id).metric.fields().get(*at);
                (field.map(|field| Value::Str(Str::from(&field.key))), at)
            }
            Steps::Dict(id, at) => {
                let (key, behind) = self.heap.dicts.get(*id).table.key_from(*at)?;
                *at = behind;
                return Some(key);
            }
            Steps::Set(id, at) => {
                let (key, behind) = self.heap.sets.get(*id).table.key_from(*at)?;
                *at = behind;
                return Some(key);
            }
            Steps::Parts(parts, at) => {
                let (part, len) = part(parts, *at)?;
                *at += len;
                return Some(part);
            }
        };
        *at += 1;
        value
    }

    /// All values of something at once.
    ///
    /// # Errors
    /// If it cannot be gone through.
    pub(crate) fn elements(&mut self, value: &Value) -> Outcome<Vec<Value>> {
        match value {
            Value::List(id) => return Ok(self.heap.lists.get(*id).items.clone()),
            Value::Tuple(values) => return Ok(values.to_vec()),
            _ => {}
        }
        let mut steps = self.steps(value)?;
        let mut elements = Vec::new();
        while let Some(element) = self.next(&mut steps) {
            elements.push(element);
        }
        self.end(&steps);
        Ok(elements)
    }

    /// How many values something has, if it can be told.
    pub(crate) fn len(&self, value: &Value) -> Option<usize> {
        Some(match value {
            Value::Str(text) => text.len(),
            Value::List(id) => self.heap.lists.get(*id).items.len(),
            Value::Dict(id) => self.heap.dicts.get(*id).table.len(),
            Value::Set(id) => self.heap.sets.get(*id).table.len(),
            Value::Tuple(values) => values.len(),
            Value::Range(range) => range.len,
            Value::Parts(parts) => match parts.of {
                PartsOf::Bytes | PartsOf::ByteNumbers => parts.text.len(),
                PartsOf::Characters | PartsOf::CharacterNumbers => return None,
            },
            _ => return None,
        })
    }
}

/// The part of a string at a byte, and how many bytes it takes.
fn part(parts: &Parts, at: usize) -> Option<(Value, usize)> {
    let rest = parts.text.as_bytes().get(at..).filter(|rest| !rest.is_empty())?;
    let value = match parts.of {
        PartsOf::Bytes => Value::Str(Str::of_bytes(&rest[..1])),
        PartsOf::ByteNumbers => Value::Int(i64::from(rest[0])),
        PartsOf::Characters | PartsOf::CharacterNumbers => {
            let character = parts.text.get(at..)?.chars().next()?;
            let value = if parts.of == PartsOf::Characters {
                Value::Str(Str::of_char(character))
            } else {
                Value::Int(i64::from(u32::from(character)))
            };
            return Some((value, character.len_utf8()));
        }
    };
    Some((value, 1))
}
