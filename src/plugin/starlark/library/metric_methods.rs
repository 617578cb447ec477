//! Methods of the tags and the fields of a metric, which are those of dicts.

use super::super::failure::{Outcome, fail};
use super::super::run::Machine;
use super::super::text::Str;
use super::super::value::Value;
use super::call::Call;
use super::metrics::from_field;
use super::{Builtin, dicts};

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

/// Checks the number of arguments; Telegraf puts the method's name before the words once more.
fn expect(call: &Call<'_>, least: usize, most: usize) -> Outcome<()> {
    call.expect(least, most).map_err(|failure| failure.within(call.name))
}

/// Checks that nothing goes through the dict while entries are taken away.
fn check_deletable(machine: &Machine, of: &Value) -> Outcome<()> {
    let iterations = match of {
        Value::Tags(id) => machine.heap.metrics.get(*id).tag_iterations,
        Value::Fields(id) => machine.heap.metrics.get(*id).field_iterations,
        _ => 0,
    };
    if iterations > 0 {
        fail!("cannot delete during iteration")
    }
    Ok(())
}

fn clear(machine: &mut Machine, call: Call<'_>) -> Outcome {
    expect(&call, 0, 0)?;
    check_deletable(machine, call.receiver)?;
    match call.receiver {
        Value::Tags(id) => machine.heap.metrics.get_mut(*id).metric.retain_tags(|_| false),
        Value::Fields(id) => machine.heap.metrics.get_mut(*id).metric.retain_fields(|_| false),
        _ => {}
    }
    Ok(Value::None)
}

fn get(machine: &mut Machine, call: Call<'_>) -> Outcome {
    expect(&call, 1, 2)?;
    let found = machine.entry(call.receiver, call.value(0));
    let found = found.map_err(|failure| failure.within(call.name))?;
    Ok(found.or_else(|| call.get(1).cloned()).unwrap_or(Value::None))
}

fn items(machine: &mut Machine, call: Call<'_>) -> Outcome {
    expect(&call, 0, 0)?;
    dicts::items(machine, call)
}

fn keys(machine: &mut Machine, call: Call<'_>) -> Outcome {
    expect(&call, 0, 0)?;
    dicts::keys(machine, call)
}

fn values(machine: &mut Machine, call: Call<'_>) -> Outcome {
    expect(&call, 0, 0)?;
    dicts::values(machine, call)
}

/// Takes an entry away and gives its value.
fn remove(machine: &mut Machine, of: &Value, key: &str) -> Option<Value> {
    match of {
        Value::Tags(id) => machine
            .heap
            .metrics
            .get_mut(*id)
            .metric
            .remove_tag(key)
            .map(|value| Value::Str(Str::from(&value))),
        Value::Fields(id) => {
            let removed = machine.heap.metrics.get_mut(*id).metric.remove_field(key);
            removed.as_ref().map(from_field)
        }
        _ => None,
    }
}

fn pop(machine: &mut Machine, call: Call<'_>) -> Outcome {
    expect(&call, 1, 2)?;
    check_deletable(machine, call.receiver).map_err(|failure| failure.within(call.name))?;
    let Value::Str(key) = call.value(0) else { fail!("pop: key must be of type 'str'") };
    match (remove(machine, call.receiver, key), call.get(1)) {
        (Some(value), _) => Ok(value),
        (None, Some(default)) => Ok(default.clone()),
        (None, None) => fail!("pop: missing key"),
    }
}

fn popitem(machine: &mut Machine, call: Call<'_>) -> Outcome {
    expect(&call, 0, 0)?;
    check_deletable(machine, call.receiver)?;
    let (first, kind) = match call.receiver {
        Value::Fields(id) => {
            let first = machine.heap.metrics.get(*id).metric.fields().first();
            (first.map(|field| Str::from(&field.key)), "field")
        }
        Value::Tags(id) => {
            let first = machine.heap.metrics.get(*id).metric.tags().first();
            (first.map(|tag| Str::from(&tag.key)), "tag")
        }
        _ => (None, "tag"),
    };
    let Some(key) = first else { fail!("popitem(): {kind} dictionary is empty") };
    let value = remove(machine, call.receiver, &key).unwrap_or(Value::None);
    Ok(Value::tuple([Value::Str(key), value]))
}

fn setdefault(machine: &mut Machine, call: Call<'_>) -> Outcome {
    expect(&call, 1, 2)?;
    let key = call.value(0);
    let named = |failure: super::super::failure::Failure| failure.within(call.name);
    if let Some(value) = machine.entry(call.receiver, key).map_err(named)? {
        return Ok(value);
    }
    let default = call.get(1).cloned().unwrap_or(Value::None);
    machine.set_index(call.receiver, key, default.clone()).map_err(named)?;
    Ok(default)
}

fn update(machine: &mut Machine, call: Call<'_>) -> Outcome {
    let given = call.positional.len();
    if given > 1 {
        fail!("update: got {given} arguments, want at most 1")
    }
    dicts::fill(machine, call.receiver, &call)?;
    Ok(Value::None)
}
