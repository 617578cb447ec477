//! The functions that all scripts know.

use super::super::failure::{Outcome, fail};
use super::super::library::metrics;
use super::super::run::Machine;
use super::super::table::{Key, Table};
use super::super::value::Value;
use super::call::Call;
use super::{Builtin, attribute_names, dicts, numbers, sequences};

/// The functions, by name.
pub(crate) static FUNCTIONS: &[Builtin] = &[
    Builtin { name: "Metric", run: metrics::new_metric },
    Builtin { name: "abs", run: numbers::abs },
    Builtin { name: "all", run: sequences::all },
    Builtin { name: "any", run: sequences::any },
    Builtin { name: "bool", run: bool },
    Builtin { name: "catch", run: catch },
    Builtin { name: "chr", run: numbers::chr },
    Builtin { name: "deepcopy", run: metrics::deepcopy },
    Builtin { name: "dict", run: dict },
    Builtin { name: "dir", run: dir },
    Builtin { name: "enumerate", run: sequences::enumerate },
    Builtin { name: "fail", run: fail },
    Builtin { name: "float", run: numbers::float },
    Builtin { name: "getattr", run: getattr },
    Builtin { name: "hasattr", run: hasattr },
    Builtin { name: "hash", run: hash },
    Builtin { name: "int", run: numbers::int },
    Builtin { name: "len", run: len },
    Builtin { name: "list", run: sequences::list },
    Builtin { name: "max", run: sequences::extreme },
    Builtin { name: "min", run: sequences::extreme },
    Builtin { name: "ord", run: numbers::ord },
    Builtin { name: "print", run: print },
    Builtin { name: "range", run: sequences::range },
    Builtin { name: "repr", run: repr },
    Builtin { name: "reversed", run: sequences::reversed },
    Builtin { name: "set", run: set },
    Builtin { name: "sorted", run: sequences::sorted },
    Builtin { name: "str", run: str },
    Builtin { name: "tuple", run: sequences::tuple },
    Builtin { name: "type", run: type_of },
    Builtin { name: "zip", run: sequences::zip },
];

fn bool(machine: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect(0, 1)?;
    Ok(Value::Bool(call.get(0).is_some_and(|value| machine.is_true(value))))
}

/// Calls a function and gives the words of its error, or `None` if all went well.
fn catch(machine: &mut Machine, call: Call<'_>) -> Outcome {
    let [function] = call.unpack(["fn"])?;
    let function = call.named_function("fn", function)?.unwrap_or(Value::None);
    Ok(match machine.call(&function, &[], &[]) {
        Ok(_) => Value::None,
        Err(failure) => Value::text(failure.message()),
    })
}

fn dict(machine: &mut Machine, call: Call<'_>) -> Outcome {
    let given = call.positional.len();
    if given > 1 {
        fail!("dict: got {given} arguments, want at most 1")
    }
    let dict = machine.heap.new_dict(Table::default());
    dicts::fill(machine, &dict, &call).map_err(|failure| failure.within("dict"))?;
    Ok(dict)
}

fn dir(machine: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect_exactly(1, "")?;
    let names = attribute_names(call.value(0));
    Ok(machine.heap.new_list(names.into_iter().map(Value::text).collect()))
}

/// The texts of values with a separator between them.
fn joined(machine: &Machine, call: &Call<'_>) -> Outcome<String> {
    let named = Call { positional: &[], ..*call };
    let [separator] = named.unpack(["sep?"])?;
    let separator = call.named_text("sep?", separator, " ")?;
    let mut text = String::new();
    for (at, value) in call.positional.iter().enumerate() {
        if at > 0 {
            text.push_str(&separator);
        }
        text.push_str(&machine.str(value));
    }
    Ok(text)
}

fn fail(machine: &mut Machine, call: Call<'_>) -> Outcome {
    let text = joined(machine, &call)?;
    fail!("fail: {text}")
}

fn print(machine: &mut Machine, call: Call<'_>) -> Outcome {
    let text = joined(machine, &call)?;
    machine.surroundings.log.debug(text);
    Ok(Value::None)
}

fn getattr(machine: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect(2, 3)?;
    let (of, name) = (call.value(0), call.text(1)?);
    match (machine.find_attribute(of, name), call.get(2)) {
        (Ok(Some(value)), _) => Ok(value),
        (_, Some(default)) => Ok(default.clone()),
        (Err(failure), None) => Err(failure.within("getattr")),
        (Ok(None), None) => fail!("getattr: {} has no .{name} field or method", of.type_name()),
    }
}

fn hasattr(machine: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect(2, 2)?;
    let (of, name) = (call.value(0), call.text(1)?);
    Ok(Value::Bool(matches!(machine.find_attribute(of, name), Ok(Some(_)))))
}

/// The hash that Java has for strings, over their UTF-16, as the specification wants it.
fn hash(_: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect(1, 1)?;
    match call.value(0) {
        Value::Str(text) => Ok(Value::Int(i64::from(
            text.encode_utf16()
                .fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit))),
        ))),
        other => fail!("hash: got {}, want string or bytes", other.type_name()),
    }
}

fn len(machine: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect(1, 1)?;
    let value = call.value(0);
    match machine.len(value) {
        Some(len) => Ok(Value::Int(len as i64)),
        None => fail!("len: value of type {} has no len", value.type_name()),
    }
}

fn repr(machine: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect(1, 1)?;
    Ok(Value::text(machine.repr(call.value(0))))
}

fn str(machine: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect_exactly(1, "exactly ")?;
    Ok(Value::Str(machine.str(call.value(0))))
}

fn set(machine: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect(0, 1)?;
    let mut table = Table::default();
    if call.get(0).is_some() {
        for value in call.elements(machine, 0)? {
            let key = Key::new(&value).map_err(|failure| failure.within("set"))?;
            table.insert(key, Value::None);
        }
    }
    Ok(machine.heap.new_set(table))
}

fn type_of(_: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect_exactly(1, "exactly ")?;
    Ok(Value::text(call.value(0).type_name()))
}
