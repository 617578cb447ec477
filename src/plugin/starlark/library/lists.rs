//! Methods of lists.

use super::super::failure::{Outcome, fail};
use super::super::heap::List;
use super::super::run::{Machine, ends, whole};
use super::super::value::{Id, Value};
use super::Builtin;
use super::call::Call;

/// The methods, by name.
pub(crate) static METHODS: &[Builtin] = &[
    Builtin { name: "append", run: append },
    Builtin { name: "clear", run: clear },
    Builtin { name: "extend", run: extend },
    Builtin { name: "index", run: index },
    Builtin { name: "insert", run: insert },
    Builtin { name: "pop", run: pop },
    Builtin { name: "remove", run: remove },
];

fn id(call: &Call<'_>) -> Id {
    match call.receiver {
        Value::List(id) => *id,
        _ => 0,
    }
}

/// The list for changing it.
fn changed<'m>(machine: &'m mut Machine, call: &Call<'_>, change: &str) -> Outcome<&'m mut List> {
    let list = machine.heap.lists.get_mut(id(call));
    list.guard.check(change, "list").map_err(|failure| failure.within(call.name))?;
    Ok(list)
}

fn append(machine: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect(1, 1)?;
    changed(machine, &call, "append to")?.items.push(call.value(0).clone());
    Ok(Value::None)
}

fn clear(machine: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect(0, 0)?;
    changed(machine, &call, "clear")?.items.clear();
    Ok(Value::None)
}

fn extend(machine: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect(1, 1)?;
    let values = call.elements(machine, 0)?;
    changed(machine, &call, "extend")?.items.extend(values);
    Ok(Value::None)
}

fn index(machine: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect(1, 3)?;
    let items = &machine.heap.lists.get(id(&call)).items;
    let bounds = [call.get(1).unwrap_or(&Value::None), call.get(2).unwrap_or(&Value::None)];
    let (start, end) = ends(bounds, items.len()).map_err(|failure| failure.within(call.name))?;
    for (at, item) in items.iter().enumerate().take(end).skip(start) {
        if machine.is_equal(item, call.value(0))? {
            return Ok(Value::Int(at as i64));
        }
    }
    fail!("index: value not in list")
}

fn insert(machine: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect(2, 2)?;
    let at = whole(call.value(0)).map_err(|failure| call.wrong(0, failure.message()))?;
    let list = changed(machine, &call, "insert into")?;
    let len = list.items.len() as i64;
    let at = if at < 0 { at + len } else { at };
    list.items.insert(at.clamp(0, len) as usize, call.value(1).clone());
    Ok(Value::None)
}

fn pop(machine: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect(0, 1)?;
    let at = match call.get(0) {
        Some(at) => whole(at).map_err(|failure| call.wrong(0, failure.message()))?,
        None => -1,
    };
    let len = machine.heap.lists.get(id(&call)).items.len();
    let place = if at < 0 { at + len as i64 } else { at };
    let found = usize::try_from(place).ok().filter(|place| *place < len);
    let Some(place) = found else {
        if len == 0 {
            fail!("pop: index {at} out of range: empty list")
        }
        fail!("pop: list index {at} out of range [-{len}:{}]", len - 1)
    };
    Ok(changed(machine, &call, "pop from")?.items.remove(place))
}

fn remove(machine: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect(1, 1)?;
    changed(machine, &call, "remove from")?;
    let items = &machine.heap.lists.get(id(&call)).items;
    for (at, item) in items.iter().enumerate() {
        if machine.is_equal(item, call.value(0))? {
            machine.heap.lists.get_mut(id(&call)).items.remove(at);
            return Ok(Value::None);
        }
    }
    fail!("remove: element not found")
}
