//! Methods of dicts.

use super::super::failure::{Outcome, fail};
use super::super::heap::Hashed;
use super::super::run::Machine;
use super::super::table::Key;
use super::super::value::{Id, Value};
use super::Builtin;
use super::call::Call;

/// The methods, by name.
pub(crate) static METHODS: &[Builtin] = &[
    Builtin { name: "clear", run: clear },
    Builtin { name: "get", run: get },
    Builtin { name: "items", run: items },
    Builtin { name: "keys", run: keys },
    Builtin { name: "pop", run: pop },
    Builtin { name: "popitem", run: popitem },
    Builtin { name: "setdefault", run: setdefault },
    Builtin { name: "update", run: update },
    Builtin { name: "values", run: values },
];

fn id(call: &Call<'_>) -> Id {
    match call.receiver {
        Value::Dict(id) => *id,
        _ => 0,
    }
}

/// The dict for changing it.
fn changed<'m>(machine: &'m mut Machine, call: &Call<'_>, change: &str) -> Outcome<&'m mut Hashed> {
    let dict = machine.heap.dicts.get_mut(id(call));
    dict.guard.check(change, "hash table").map_err(|failure| failure.within(call.name))?;
    Ok(dict)
}

fn key(call: &Call<'_>) -> Outcome<Key> {
    Key::new(call.value(0)).map_err(|failure| failure.within(call.name))
}

fn clear(machine: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect(0, 0)?;
    changed(machine, &call, "clear")?.table.clear();
    Ok(Value::None)
}

fn get(machine: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect(1, 2)?;
    let found = machine.heap.dicts.get(id(&call)).table.get(&key(&call)?).cloned();
    Ok(found.or_else(|| call.get(1).cloned()).unwrap_or(Value::None))
}

/// The entries of any kind of dict as tuples.
pub(super) fn items(machine: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect(0, 0)?;
    let entries = machine.entries(call.receiver).unwrap_or_default();
    let items = entries.into_iter().map(|(key, value)| Value::tuple([key, value])).collect();
    Ok(machine.heap.new_list(items))
}

/// The keys of any kind of dict.
pub(super) fn keys(machine: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect(0, 0)?;
    let entries = machine.entries(call.receiver).unwrap_or_default();
    Ok(machine.heap.new_list(entries.into_iter().map(|(key, _)| key).collect()))
}

/// The values of any kind of dict.
pub(super) fn values(machine: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect(0, 0)?;
    let entries = machine.entries(call.receiver).unwrap_or_default();
    Ok(machine.heap.new_list(entries.into_iter().map(|(_, value)| value).collect()))
}

fn pop(machine: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect(1, 2)?;
    let key = key(&call)?;
    let removed = changed(machine, &call, "delete from")?.table.remove(&key);
    match (removed, call.get(1)) {
        (Some((_, value)), _) => Ok(value),
        (None, Some(default)) => Ok(default.clone()),
        (None, None) => fail!("pop: missing key"),
    }
}

fn popitem(machine: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect(0, 0)?;
    let Some(first) = machine.heap.dicts.get(id(&call)).table.first() else {
        fail!("popitem: empty dict")
    };
    let key = Key::new(&first)?;
    match changed(machine, &call, "delete from")?.table.remove(&key) {
        Some((key, value)) => Ok(Value::tuple([key, value])),
        None => fail!("popitem: empty dict"),
    }
}

fn setdefault(machine: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect(1, 2)?;
    let key = key(&call)?;
    if let Some(value) = machine.heap.dicts.get(id(&call)).table.get(&key) {
        return Ok(value.clone());
    }
    let default = call.get(1).cloned().unwrap_or(Value::None);
    changed(machine, &call, "insert into")?.table.insert(key, default.clone());
    Ok(default)
}

fn update(machine: &mut Machine, call: Call<'_>) -> Outcome {
    let given = call.positional.len();
    if given > 1 {
        fail!("update: got {given} arguments, want at most 1")
    }
    fill(machine, call.receiver, &call).map_err(|failure| failure.within("update"))?;
    Ok(Value::None)
}

/// Sets entries of any kind of dict from another dict, or pairs, and from named arguments.
pub(super) fn fill(machine: &mut Machine, dict: &Value, call: &Call<'_>) -> Outcome<()> {
    if let Some(updates) = call.get(0) {
        let entries = match machine.entries(updates) {
            Some(entries) => entries,
            None => pairs(machine, updates)?,
        };
        for (key, value) in entries {
            machine.set_index(dict, &key, value)?;
        }
    }
    for (key, value) in call.named {
        machine.set_index(dict, &Value::Str(key.clone()), value.clone())?;
    }
    for (at, (key, _)) in call.named.iter().enumerate() {
        if call.named[..at].iter().any(|(earlier, _)| earlier == key) {
            fail!("duplicate keyword arg: {}", machine.repr(&Value::Str(key.clone())))
        }
    }
    Ok(())
}

fn pairs(machine: &mut Machine, updates: &Value) -> Outcome<Vec<(Value, Value)>> {
    if !machine.is_iterable(updates) {
        fail!("got {}, want iterable", updates.type_name())
    }
    let mut pairs = Vec::new();
    for (at, pair) in machine.elements(updates)?.into_iter().enumerate() {
        let kind = pair.type_name();
        if !machine.is_iterable(&pair) {
            fail!("dictionary update sequence element #{at} is not iterable ({kind})")
        }
        if machine.len(&pair).is_none() {
            fail!("dictionary update sequence element #{at} has unknown length ({kind})")
        }
        let elements = machine.elements(&pair)?;
        match <[Value; 2]>::try_from(elements) {
            Ok([key, value]) => pairs.push((key, value)),
            Err(elements) => fail!(
                "dictionary update sequence element #{at} has length {}, want 2",
                elements.len()
            ),
        }
    }
    Ok(pairs)
}
