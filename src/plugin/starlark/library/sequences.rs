//! Functions of whatever can be gone through.

use super::super::failure::{Outcome, fail};
use super::super::run::Machine;
use super::super::value::{Range, Value};
use super::call::{Call, want};

pub(super) fn all(machine: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect(1, 1)?;
    let values = call.elements(machine, 0)?;
    Ok(Value::Bool(values.iter().all(|value| machine.is_true(value))))
}

pub(super) fn any(machine: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect(1, 1)?;
    let values = call.elements(machine, 0)?;
    Ok(Value::Bool(values.iter().any(|value| machine.is_true(value))))
}

pub(super) fn enumerate(machine: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect(1, 2)?;
    let start = call.whole(1, 0)?;
    let values = call.elements(machine, 0)?;
    let pairs = values.into_iter().zip(start..);
    let pairs = pairs.map(|(value, at)| Value::tuple([Value::Int(at), value])).collect();
    Ok(machine.heap.new_list(pairs))
}

pub(super) fn list(machine: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect(0, 1)?;
    let values = if call.get(0).is_some() { call.elements(machine, 0)? } else { Vec::new() };
    Ok(machine.heap.new_list(values))
}

pub(super) fn tuple(machine: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect(0, 1)?;
    let values = if call.get(0).is_some() { call.elements(machine, 0)? } else { Vec::new() };
    Ok(Value::tuple(values))
}

pub(super) fn reversed(machine: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect(1, 1)?;
    let mut values = call.elements(machine, 0)?;
    values.reverse();
    Ok(machine.heap.new_list(values))
}

/// `max` and `min`.
pub(super) fn extreme(machine: &mut Machine, call: Call<'_>) -> Outcome {
    let name = call.name;
    if call.positional.is_empty() {
        fail!("{name} requires at least one positional argument")
    }
    let [key] = Call { positional: &[], ..call }.unpack(["key?"])?;
    let key = call.named_function("key?", key)?;
    let values = match call.positional {
        [only] if !machine.is_iterable(only) => {
            fail!("{name}: {} value is not iterable", only.type_name())
        }
        [only] => machine.elements(only)?,
        several => several.to_vec(),
    };
    let mut best: Option<(Value, Value)> = None;
    for value in values {
        let by = match &key {
            Some(key) => machine.call(key, std::slice::from_ref(&value), &[])?,
            None => value.clone(),
        };
        let is_better = match &best {
            None => true,
            Some((_, than)) if name == "max" => {
                machine.is_greater(&by, than).map_err(|failure| failure.within(name))?
            }
            Some((_, than)) => {
                machine.is_less(&by, than).map_err(|failure| failure.within(name))?
            }
        };
        if is_better {
            best = Some((value, by));
        }
    }
    match best {
        Some((value, _)) => Ok(value),
        None => fail!("{name}: argument is an empty sequence"),
    }
}

pub(super) fn range(_: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect(1, 3)?;
    let first = call.whole(0, 0)?;
    let (start, stop) = match call.get(1) {
        Some(_) => (first, call.whole(1, 0)?),
        None => (0, first),
    };
    let step = call.whole(2, 1)?;
    if step == 0 {
        fail!("range: step argument must not be zero")
    }
    Ok(Value::Range(Range::new(start, stop, step).into()))
}

pub(super) fn sorted(machine: &mut Machine, call: Call<'_>) -> Outcome {
    let [values, key, reverse] = call.unpack(["iterable", "key?", "reverse?"])?;
    let values = values.unwrap_or(Value::None);
    if !machine.is_iterable(&values) {
        fail!("sorted: for parameter iterable: {}", want(&values, "iterable"))
    }
    let key = call.named_function("key?", key)?;
    let is_reverse = call.named_truth("reverse?", reverse)?;
    let values = machine.elements(&values)?;
    let mut keyed = Vec::with_capacity(values.len());
    for value in values {
        let by = match &key {
            Some(key) => machine.call(key, std::slice::from_ref(&value), &[])?,
            None => value.clone(),
        };
        keyed.push((by, value));
    }
    let sorted = merge_sort(keyed, &mut |x: &(Value, Value), y: &(Value, Value)| {
        if is_reverse { machine.is_less(&x.0, &y.0) } else { machine.is_less(&y.0, &x.0) }
    })?;
    Ok(machine.heap.new_list(sorted.into_iter().map(|(_, value)| value).collect()))
}

/// Sorts stably by an order that may fail, and may not even be one; `is_behind` tells whether the
/// first value belongs behind the second.
fn merge_sort<T>(
    mut values: Vec<T>,
    is_behind: &mut impl FnMut(&T, &T) -> Outcome<bool>,
) -> Outcome<Vec<T>> {
    if values.len() < 2 {
        return Ok(values);
    }
    let right = values.split_off(values.len() / 2);
    let left = merge_sort(values, is_behind)?;
    let right = merge_sort(right, is_behind)?;
    let mut merged = Vec::with_capacity(left.len() + right.len());
    let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
    while let (Some(x), Some(y)) = (left.peek(), right.peek()) {
        let next = if is_behind(x, y)? { right.next() } else { left.next() };
        merged.extend(next);
    }
    merged.extend(left);
    merged.extend(right);
    Ok(merged)
}

pub(super) fn zip(machine: &mut Machine, call: Call<'_>) -> Outcome {
    if !call.named.is_empty() {
        fail!("zip does not accept keyword arguments")
    }
    let mut columns = Vec::with_capacity(call.positional.len());
    for (at, value) in call.positional.iter().enumerate() {
        if !machine.is_iterable(value) {
            fail!("zip: argument #{} is not iterable: {}", at + 1, value.type_name())
        }
        columns.push(machine.elements(value)?.into_iter());
    }
    let mut rows = Vec::new();
    while !columns.is_empty() {
        let row: Option<Vec<Value>> = columns.iter_mut().map(Iterator::next).collect();
        match row {
            Some(row) => rows.push(Value::tuple(row)),
            None => break,
        }
    }
    Ok(machine.heap.new_list(rows))
}
