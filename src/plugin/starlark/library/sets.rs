//! Methods of sets.

use super::super::failure::{Outcome, fail};
use super::super::heap::Hashed;
use super::super::run::Machine;
use super::super::syntax::Operator;
use super::super::table::{Key, Table};
use super::super::value::{Id, Value};
use super::Builtin;
use super::call::Call;

/// The methods, by name.
pub(crate) static METHODS: &[Builtin] = &[
    Builtin { name: "add", run: add },
    Builtin { name: "clear", run: clear },
    Builtin { name: "difference", run: combine },
    Builtin { name: "discard", run: discard },
    Builtin { name: "intersection", run: combine },
    Builtin { name: "issubset", run: is_subset },
    Builtin { name: "issuperset", run: is_subset },
    Builtin { name: "pop", run: pop },
    Builtin { name: "remove", run: discard },
    Builtin { name: "symmetric_difference", run: combine },
    Builtin { name: "union", run: union },
    Builtin { name: "update", run: update },
];

fn id(set: &Value) -> Id {
    match set {
        Value::Set(id) => *id,
        _ => 0,
    }
}

/// The set for changing it.
fn changed<'m>(machine: &'m mut Machine, call: &Call<'_>, change: &str) -> Outcome<&'m mut Hashed> {
    let set = machine.heap.sets.get_mut(id(call.receiver));
    set.guard.check(change, "hash table").map_err(|failure| failure.within(call.name))?;
    Ok(set)
}

fn key(call: &Call<'_>) -> Outcome<Key> {
    Key::new(call.value(0)).map_err(|failure| failure.within(call.name))
}

fn add(machine: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect(1, 1)?;
    let key = key(&call)?;
    changed(machine, &call, "insert into")?.table.insert(key, Value::None);
    Ok(Value::None)
}

fn clear(machine: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect(0, 0)?;
    changed(machine, &call, "clear")?.table.clear();
    Ok(Value::None)
}

/// `discard`, and `remove`, which fails where there is nothing.
fn discard(machine: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect(1, 1)?;
    let key = key(&call)?;
    match changed(machine, &call, "delete from")?.table.remove(&key) {
        None if call.name == "remove" => fail!("remove: missing key"),
        _ => Ok(Value::None),
    }
}

fn pop(machine: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect(0, 0)?;
    let Some(first) = machine.heap.sets.get(id(call.receiver)).table.first() else {
        fail!("pop: empty set")
    };
    let key = Key::new(&first)?;
    changed(machine, &call, "delete from")?.table.remove(&key);
    Ok(first)
}

/// A set of whatever can be gone through.
fn set_of(machine: &mut Machine, call: &Call<'_>, at: usize) -> Outcome {
    let mut table = Table::default();
    if call.get(at).is_some() {
        for value in call.elements(machine, at)? {
            let key = Key::new(&value).map_err(|failure| failure.within(call.name))?;
            table.insert(key, Value::None);
        }
    }
    Ok(machine.heap.new_set(table))
}

fn combine(machine: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect(0, 1)?;
    let other = set_of(machine, &call, 0)?;
    let operator = match call.name {
        "difference" => Operator::Minus,
        "intersection" => Operator::And,
        _ => Operator::Xor,
    };
    machine.binary(operator, call.receiver, &other)
}

fn is_subset(machine: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect(0, 1)?;
    let (set, other) = (id(call.receiver), set_of(machine, &call, 0)?);
    Ok(Value::Bool(match call.name {
        "issubset" => machine.is_subset(set, id(&other))?,
        _ => machine.is_subset(id(&other), set)?,
    }))
}

fn union(machine: &mut Machine, call: Call<'_>) -> Outcome {
    if !call.named.is_empty() {
        fail!("{} does not accept keyword arguments", call.name)
    }
    let mut union = call.receiver.clone();
    for at in 0..call.positional.len() {
        let other = set_of(machine, &call, at)?;
        union = machine.binary(Operator::Or, &union, &other)?;
    }
    if call.positional.is_empty() {
        let nothing = machine.heap.new_set(Table::default());
        union = machine.binary(Operator::Or, &union, &nothing)?;
    }
    Ok(union)
}

fn update(machine: &mut Machine, call: Call<'_>) -> Outcome {
    if !call.named.is_empty() {
        fail!("update does not accept keyword arguments")
    }
    for (at, value) in call.positional.iter().enumerate() {
        if !machine.is_iterable(value) {
            fail!("update: argument #{} is not iterable: {}", at + 1, value.type_name())
        }
        for element in machine.elements(value)? {
            let key = Key::new(&element).map_err(|failure| failure.within("update"))?;
            changed(machine, &call, "insert into")?.table.insert(key, Value::None);
        }
    }
    Ok(Value::None)
}
