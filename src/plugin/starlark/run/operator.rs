//! What operators do.

use num_bigint::BigInt;

use super::super::failure::{Outcome, fail};
use super::super::library::times;
use super::super::number::{self, finite_float, from_big, to_big};
use super::super::syntax::Operator;
use super::super::table::{Key, Table};
use super::super::value::{Id, Value};
use super::Machine;
use super::access::whole;

/// Larger values are not made by repeating smaller ones.
const LARGEST: usize = 1 << 30;

impl Machine {
    /// The value of `-x`, `+x` or `~x`.
    pub(super) fn unary(&self, sign: &str, value: &Value) -> Outcome {
        match (sign, value) {
            ("-", Value::Int(number)) => Ok(match number.checked_neg() {
                Some(negated) => Value::Int(negated),
                None => from_big(-BigInt::from(*number)),
            }),
            ("-", Value::Big(number)) => Ok(from_big(-(**number).clone())),
            ("-", Value::Float(number)) => Ok(Value::Float(-number)),
            ("+", Value::Int(_) | Value::Big(_) | Value::Float(_)) => Ok(value.clone()),
            ("~", Value::Int(number)) => Ok(Value::Int(!number)),
            ("~", Value::Big(number)) => Ok(from_big(-(**number).clone() - 1)),
            _ => fail!("unknown unary op: {sign} {}", value.type_name()),
        }
    }

    /// The value of two values joined by an operator.
    pub(crate) fn binary(&mut self, operator: Operator, x: &Value, y: &Value) -> Outcome {
        if operator.strength() == Operator::Equal.strength() {
            return Ok(Value::Bool(match operator {
                Operator::In => self.is_in(x, y)?,
                Operator::NotIn => !self.is_in(x, y)?,
                _ => self.holds(operator, x, y)?,
            }));
        }
        let value = match (x, y) {
            (Value::Int(x), Value::Int(y)) => match small(operator, *x, *y) {
                Some(value) => Some(value),
                None => big(operator, BigInt::from(*x), BigInt::from(*y))?,
            },
            (Value::Int(_) | Value::Big(_), Value::Int(_) | Value::Big(_)) => {
                big(operator, to_big(x).unwrap_or_default(), to_big(y).unwrap_or_default())?
            }
            (
                Value::Int(_) | Value::Big(_) | Value::Float(_),
                Value::Int(_) | Value::Big(_) | Value::Float(_),
            ) => floats(operator, x, y)?,
            (Value::Str(format), _) if operator == Operator::Modulo => {
                return self.interpolate(format, y);
            }
            (Value::Time(_) | Value::Duration(_), _) | (_, Value::Time(_) | Value::Duration(_)) => {
                times::binary(operator, x, y)?
            }
            _ => self.collections(operator, x, y)?,
        };
        match value {
            Some(value) => Ok(value),
            None => {
                let (left, right) = (x.type_name(), y.type_name());
                fail!("unknown binary op: {left} {} {right}", operator.shown())
            }
        }
    }

    fn collections(&mut self, operator: Operator, x: &Value, y: &Value) -> Outcome<Option<Value>> {
        Ok(Some(match (operator, x, y) {
            (Operator::Plus, Value::Str(x), Value::Str(y)) => {
                let mut text = String::with_capacity(x.len() + y.len());
                text.push_str(x);
                text.push_str(y);
                Value::text(text)
            }
            (Operator::Plus, Value::List(x), Value::List(y)) => {
                let (x, y) = (&self.heap.lists.get(*x).items, &self.heap.lists.get(*y).items);
                let items = [x.as_slice(), y].concat();
                self.heap.new_list(items)
            }
            (Operator::Plus, Value::Tuple(x), Value::Tuple(y)) => {
                Value::tuple([&x[..], &y[..]].concat())
            }
            (Operator::Times, Value::Str(text), times)
            | (Operator::Times, times, Value::Str(text))
                if is_whole(times) =>
            {
                Value::text(text.repeat(repeats(times, text.len())?))
            }
            (Operator::Times, Value::List(id), times)
            | (Operator::Times, times, Value::List(id))
                if is_whole(times) =>
            {
                let items = &self.heap.lists.get(*id).items;
                let items = repeated(items, repeats(times, items.len())?);
                self.heap.new_list(items)
            }
            (Operator::Times, Value::Tuple(values), times)
            | (Operator::Times, times, Value::Tuple(values))
                if is_whole(times) =>
            {
                Value::tuple(repeated(values, repeats(times, values.len())?))
            }
            (Operator::Or, Value::Dict(x), Value::Dict(y)) => {
                let union = self.heap.new_dict(Table::default());
                if let Value::Dict(id) = union {
                    self.merge_dicts(id, *x)?;
                    self.merge_dicts(id, *y)?;
                }
                union
            }
            (_, Value::Set(x), Value::Set(y)) => return self.sets(operator, *x, *y),
            _ => return Ok(None),
        }))
    }

    fn sets(&mut self, operator: Operator, x: Id, y: Id) -> Outcome<Option<Value>> {
        let (left, right) = (&self.heap.sets.get(x).table, &self.heap.sets.get(y).table);
        let mut table = Table::default();
        let keys = |table: &Table| table.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>();
        let from_left = keys(left).into_iter().map(|key| (key, right));
        let from_right = keys(right).into_iter().map(|key| (key, left));
        for (at, (key, other)) in from_left.chain(from_right).enumerate() {
            let is_left = at < left.len();
            let hashed = Key::new(&key)?;
            let is_in_other = other.get(&hashed).is_some();
            let is_kept = match operator {
                Operator::Or => true,
                Operator::And => is_left && is_in_other,
                Operator::Minus => is_left && !is_in_other,
                Operator::Xor => !is_in_other,
                _ => return Ok(None),
            };
            if is_kept {
                table.insert(hashed, Value::None);
            }
        }
        Ok(Some(self.heap.new_set(table)))
    }

    fn is_in(&self, x: &Value, y: &Value) -> Outcome<bool> {
        match y {
            Value::Dict(id) => {
                // What can be no key is none.
                Ok(Key::new(x).is_ok_and(|key| self.heap.dicts.get(*id).table.get(&key).is_some()))
            }
            Value::Set(id) => Ok(self.heap.sets.get(*id).table.get(&Key::new(x)?).is_some()),
            Value::Tags(_) | Value::Fields(_) => {
                Ok(self.entry(y, x).is_ok_and(|found| found.is_some()))
            }
            Value::List(id) => self.contains(&self.heap.lists.get(*id).items, x),
            Value::Tuple(values) => self.contains(values, x),
            Value::Str(text) => match x {
                Value::Str(part) => Ok(text.contains(&**part)),
                other => fail!(
                    "'in <string>' requires string as left operand, not {}",
                    other.type_name()
                ),
            },
            Value::Range(range) => match number::to_int(x) {
                Ok(whole) if number::compare(&whole, x).is_eq() => {
                    Ok(matches!(whole, Value::Int(number) if range.contains(number)))
                }
                Ok(_) => Ok(false),
                Err(_) => {
                    fail!("'in <range>' requires integer as left operand, not {}", x.type_name())
                }
            },
            _ => fail!("unknown binary op: {} in {}", x.type_name(), y.type_name()),
        }
    }

    fn contains(&self, values: &[Value], wanted: &Value) -> Outcome<bool> {
        for value in values {
            if self.is_equal(value, wanted)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn repeated(values: &[Value], times: usize) -> Vec<Value> {
    std::iter::repeat_n(values, times).flatten().cloned().collect()
}

fn is_whole(value: &Value) -> bool {
    matches!(value, Value::Int(_) | Value::Big(_))
}

fn repeats(times: &Value, len: usize) -> Outcome<usize> {
    let Value::Int(times) = times else {
        let Value::Big(times) = times else { return Ok(0) };
        if times.sign() == num_bigint::Sign::Minus {
            return Ok(0);
        }
        fail!("repeat count {times} too large")
    };
    let Ok(times) = usize::try_from(*times) else { return Ok(0) };
    if len.saturating_mul(times) >= LARGEST {
        fail!("excessive repeat ({len} * {times} elements)")
    }
    Ok(times)
}

/// What small whole numbers come to, if it is small and there is nothing special about it.
fn small(operator: Operator, x: i64, y: i64) -> Option<Value> {
    Some(Value::Int(match operator {
        Operator::Plus => x.checked_add(y)?,
        Operator::Minus => x.checked_sub(y)?,
        Operator::Times => x.checked_mul(y)?,
        Operator::FloorDivide => {
            let quotient = x.checked_div(y)?;
            // Rounded towards zero so far.
            if x % y != 0 && (x < 0) != (y < 0) { quotient - 1 } else { quotient }
        }
        Operator::Modulo => {
            let rest = x.checked_rem(y)?;
            if rest != 0 && (rest < 0) != (y < 0) { rest + y } else { rest }
        }
        Operator::And => x & y,
        Operator::Or => x | y,
        Operator::Xor => x ^ y,
        Operator::ShiftRight if (0..64).contains(&y) => x >> y,
        Operator::Divide if y != 0 => return Some(Value::Float(x as f64 / y as f64)),
        _ => return None,
    }))
}

/// What whole numbers of any size come to.
fn big(operator: Operator, x: BigInt, y: BigInt) -> Outcome<Option<Value>> {
    let zero = BigInt::ZERO;
    Ok(Some(from_big(match operator {
        Operator::Plus => x + y,
        Operator::Minus => x - y,
        Operator::Times => x * y,
        Operator::FloorDivide | Operator::Modulo => {
            if y == zero {
                match operator {
                    Operator::Modulo => fail!("integer modulo by zero"),
                    _ => fail!("floored division by zero"),
                }
            }
            let (quotient, rest) = (&x / &y, &x % &y);
            let is_uneven = rest != zero && (rest < zero) != (y < zero);
            match (operator, is_uneven) {
                (Operator::Modulo, true) => rest + y,
                (Operator::Modulo, false) => rest,
                (_, true) => quotient - 1,
                (_, false) => quotient,
            }
        }
        Operator::And => x & y,
        Operator::Or => x | y,
        Operator::Xor => x ^ y,
        Operator::ShiftLeft | Operator::ShiftRight => {
            let by = whole(&from_big(y))?;
            if by < 0 {
                fail!("negative shift count: {by}")
            }
            match operator {
                Operator::ShiftLeft if by >= 512 => fail!("shift count too large: {by}"),
                Operator::ShiftLeft => x << by,
                _ => x >> by,
            }
        }
        Operator::Divide => return floats(operator, &from_big(x), &from_big(y)),
        _ => return Ok(None),
    })))
}

/// What two numbers come to of which one is a float, or which are divided.
fn floats(operator: Operator, x: &Value, y: &Value) -> Outcome<Option<Value>> {
    let (Some(x), Some(y)) = (finite_float(x)?, finite_float(y)?) else { return Ok(None) };
    Ok(Some(Value::Float(match operator {
        Operator::Plus => x + y,
        Operator::Minus => x - y,
        Operator::Times => x * y,
        Operator::Divide if y == 0.0 => fail!("floating-point division by zero"),
        Operator::Divide => x / y,
        Operator::FloorDivide if y == 0.0 => fail!("floored division by zero"),
        Operator::FloorDivide => (x / y).floor(),
        Operator::Modulo if y == 0.0 => fail!("floating-point modulo by zero"),
        Operator::Modulo => {
            let rest = x % y;
            if (x < 0.0) != (y < 0.0) && rest != 0.0 { rest + y } else { rest }
        }
        _ => return Ok(None),
    })))
}
