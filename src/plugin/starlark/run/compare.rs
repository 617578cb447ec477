//! Compares values.

use std::cmp::Ordering;
use std::sync::Arc;

use super::super::failure::{Outcome, fail};
use super::super::number;
use super::super::syntax::Operator;
use super::super::table::Key;
use super::super::value::{Id, Value};
use super::Machine;

/// This deep lists may lie in each other for being compared.
const DEEPEST: usize = 10;

impl Machine {
    /// Whether a value counts as true.
    pub(crate) fn is_true(&self, value: &Value) -> bool {
        match value {
            Value::Bool(truth) => *truth,
            Value::None | Value::Unset => false,
            Value::Int(number) => *number != 0,
            Value::Float(number) => *number != 0.0,
            Value::Duration(nanos) => *nanos != 0,
            Value::Tags(id) => !self.heap.metrics.get(*id).metric.tags().is_empty(),
            Value::Fields(id) => !self.heap.metrics.get(*id).metric.fields().is_empty(),
            other => self.len(other) != Some(0),
        }
    }

    /// Whether two values are equal.
    ///
    /// # Errors
    /// If they lie too deep in each other.
    pub(crate) fn is_equal(&self, x: &Value, y: &Value) -> Outcome<bool> {
        self.compare(Operator::Equal, x, y, DEEPEST)
    }

    /// Whether a value stands before another.
    ///
    /// # Errors
    /// If values of their types have no order.
    pub(crate) fn is_less(&self, x: &Value, y: &Value) -> Outcome<bool> {
        self.compare(Operator::Less, x, y, DEEPEST)
    }

    /// Whether a value stands behind another.
    ///
    /// # Errors
    /// If values of their types have no order.
    pub(crate) fn is_greater(&self, x: &Value, y: &Value) -> Outcome<bool> {
        self.compare(Operator::Greater, x, y, DEEPEST)
    }

    /// Whether a comparison holds.
    pub(super) fn holds(&self, operator: Operator, x: &Value, y: &Value) -> Outcome<bool> {
        self.compare(operator, x, y, DEEPEST)
    }

    fn compare(&self, operator: Operator, x: &Value, y: &Value, depth: usize) -> Outcome<bool> {
        if depth == 0 {
            fail!("comparison exceeded maximum recursion depth")
        }
        let ordering = match (x, y) {
            (Value::Str(x), Value::Str(y)) => x.as_bytes().cmp(y.as_bytes()),
            (
                Value::Int(_) | Value::Big(_) | Value::Float(_),
                Value::Int(_) | Value::Big(_) | Value::Float(_),
            ) => number::compare(x, y),
            (Value::Bool(x), Value::Bool(y)) => x.cmp(y),
            (Value::Duration(x), Value::Duration(y)) => x.cmp(y),
            (Value::Time(x), Value::Time(y)) => x.timestamp().cmp(&y.timestamp()),
            (Value::List(x), Value::List(y)) => {
                let (x, y) = (&self.heap.lists.get(*x).items, &self.heap.lists.get(*y).items);
                return self.compare_sequences(operator, x, y, depth - 1);
            }
            (Value::Tuple(x), Value::Tuple(y)) => {
                return self.compare_sequences(operator, x, y, depth - 1);
            }
            (Value::Dict(dict), Value::Dict(other)) if is_equality(operator) => {
                let is_equal = self.are_equal_dicts(*dict, *other, depth - 1)?;
                return Ok(is_equal == (operator == Operator::Equal));
            }
            (Value::Set(set), Value::Set(other)) => {
                return self.compare_sets(operator, *set, *other);
            }
            _ if is_equality(operator) => {
                return Ok(is_identical(x, y) == (operator == Operator::Equal));
            }
            _ => {
                let (left, right) = (x.type_name(), y.type_name());
                fail!("{left} {} {right} not implemented", operator.shown())
            }
        };
        Ok(is_held_by(operator, ordering))
    }

    fn compare_sequences(
        &self,
        operator: Operator,
        x: &[Value],
        y: &[Value],
        depth: usize,
    ) -> Outcome<bool> {
        if is_equality(operator) && x.len() != y.len() {
            return Ok(operator == Operator::Unequal);
        }
        for (x, y) in x.iter().zip(y) {
            // A chain of lists of each other ends at the limit.
            if !self.compare(Operator::Equal, x, y, depth)? {
                return match operator {
                    Operator::Equal => Ok(false),
                    Operator::Unequal => Ok(true),
                    _ => self.compare(operator, x, y, depth),
                };
            }
        }
        Ok(is_held_by(operator, x.len().cmp(&y.len())))
    }

    fn are_equal_dicts(&self, dict: Id, other: Id, depth: usize) -> Outcome<bool> {
        let (dict, other) = (&self.heap.dicts.get(dict).table, &self.heap.dicts.get(other).table);
        if dict.len() != other.len() {
            return Ok(false);
        }
        for (key, value) in dict.iter() {
            match other.get(&Key::new(key)?) {
                Some(found) if self.compare(Operator::Equal, value, found, depth)? => {}
                _ => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Whether all of one set is in another.
    pub(crate) fn is_subset(&self, set: Id, of: Id) -> Outcome<bool> {
        for (key, _) in self.heap.sets.get(set).table.iter() {
            if self.heap.sets.get(of).table.get(&Key::new(key)?).is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn compare_sets(&self, operator: Operator, set: Id, other: Id) -> Outcome<bool> {
        let len = |id| self.heap.sets.get(id).table.len();
        let (count, others) = (len(set), len(other));
        Ok(match operator {
            Operator::Unequal => count != others || !self.is_subset(set, other)?,
            Operator::LessOrEqual => self.is_subset(set, other)?,
            Operator::GreaterOrEqual => self.is_subset(other, set)?,
            Operator::Less => count < others && self.is_subset(set, other)?,
            Operator::Greater => count > others && self.is_subset(other, set)?,
            _ => count == others && self.is_subset(set, other)?,
        })
    }
}

fn is_equality(operator: Operator) -> bool {
    matches!(operator, Operator::Equal | Operator::Unequal)
}

fn is_held_by(operator: Operator, ordering: Ordering) -> bool {
    match operator {
        Operator::Unequal => ordering.is_ne(),
        Operator::Less => ordering.is_lt(),
        Operator::LessOrEqual => ordering.is_le(),
        Operator::Greater => ordering.is_gt(),
        Operator::GreaterOrEqual => ordering.is_ge(),
        _ => ordering.is_eq(),
    }
}

/// Whether two values without an order are the same thing.
fn is_identical(x: &Value, y: &Value) -> bool {
    match (x, y) {
        (Value::None, Value::None) => true,
        (Value::Function(x), Value::Function(y))
        | (Value::Metric(x), Value::Metric(y))
        | (Value::Tags(x), Value::Tags(y))
        | (Value::Fields(x), Value::Fields(y)) => x == y,
        (Value::Builtin(x), Value::Builtin(y)) => std::ptr::eq(*x, *y),
        (Value::Module(x), Value::Module(y)) => std::ptr::eq(*x, *y),
        (Value::Method(x), Value::Method(y)) => Arc::ptr_eq(x, y),
        (Value::Parts(x), Value::Parts(y)) => Arc::ptr_eq(x, y),
        (Value::Range(x), Value::Range(y)) => {
            x.len == y.len
                && (x.len == 0 || (x.start == y.start && (x.len == 1 || x.step == y.step)))
        }
        _ => false,
    }
}
