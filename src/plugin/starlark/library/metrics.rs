//! Metrics in the hands of a script: their attributes, and their tags and fields as dicts.

use super::super::failure::{Outcome, fail};
use super::super::number::from_big;
use super::super::run::Machine;
use super::super::text::Str;
use super::super::value::{Id, Value};
use super::call::{Call, want};
use super::nearest_hint;
use crate::metric::{Companion, Metric, Timestamp, Value as FieldValue};

/// Makes a metric of a name and, if they are given, tags and fields.
pub(super) fn new_metric(machine: &mut Machine, call: Call<'_>) -> Outcome {
    let [name, tags, fields] = call.unpack(["name", "tags?", "fields?"])?;
    let name = call.named_text("name", name, "")?;
    let mut metric = Metric::new(name.to_compact(), machine.surroundings.clock.now());
    for (key, value) in collection(machine, fields, "fields")? {
        metric.set_field(text_of(&key, "key for fields")?.to_compact(), to_field(&value)?);
    }
    for (key, value) in collection(machine, tags, "tags")? {
        let value = text_of(&value, "value for tags");
        metric.set_tag(text_of(&key, "key for tags")?.to_compact(), value?.to_compact());
    }
    Ok(Value::Metric(machine.heap.new_metric(metric)))
}

fn collection(machine: &Machine, given: Option<Value>, what: &str) -> Outcome<Vec<(Value, Value)>> {
    let Some(given) = given else { return Ok(Vec::new()) };
    match machine.entries(&given) {
        Some(entries) => Ok(entries),
        None => fail!(
            "The type {} is unsupported as type of collection of {what}",
            given.go_type_name()
        ),
    }
}

fn text_of<'v>(value: &'v Value, what: &str) -> Outcome<&'v Str> {
    match value {
        Value::Str(text) => Ok(text),
        other => fail!("The type {} is unsupported as type of {what}", other.go_type_name()),
    }
}

/// Copies a metric; the copy takes part in the delivery of the original only if that is asked for.
pub(super) fn deepcopy(machine: &mut Machine, call: Call<'_>) -> Outcome {
    let [source, track] = call.unpack(["source", "track?"])?;
    let is_tracked = call.named_truth("track?", track)?;
    let Some(Value::Metric(id)) = source else {
        let source = source.unwrap_or(Value::None);
        fail!("deepcopy: for parameter source: {}", want(&source, "Metric"))
    };
    let mut copy = machine.heap.metrics.get(id).metric.clone();
    if !is_tracked {
        copy.companion = Companion::default();
    }
    Ok(Value::Metric(machine.heap.new_metric(copy)))
}

/// What stands behind the dot of a metric.
pub(crate) fn attribute(machine: &Machine, id: Id, name: &str) -> Option<Value> {
    Some(match name {
        "fields" => Value::Fields(id),
        "tags" => Value::Tags(id),
        "name" => Value::Str(Str::from(&machine.heap.metrics.get(id).metric.name)),
        "time" => Value::Int(machine.heap.metrics.get(id).metric.time.nanos()),
        _ => return None,
    })
}

/// Sets the name or the time of a metric.
pub(crate) fn set_attribute(
    machine: &mut Machine,
    id: Id,
    name: &str,
    value: &Value,
) -> Outcome<()> {
    let held = machine.heap.metrics.get_mut(id);
    if held.is_frozen {
        fail!("cannot modify frozen metric")
    }
    match (name, value) {
        ("name", Value::Str(name)) => held.metric.name = name.to_compact(),
        ("time", Value::Int(nanos)) => held.metric.time = Timestamp::from_nanos(*nanos),
        ("time", Value::Big(_)) => fail!("type error: unrepresentable time"),
        ("name" | "time", _) => fail!("type error"),
        ("tags" | "fields", _) => fail!("cannot set {name}"),
        _ => {
            let hint = nearest_hint(name, ["name", "tags", "fields", "time"], ".");
            fail!("cannot assign to field \"{name}\"{hint}")
        }
    }
    Ok(())
}

/// The value of a tag.
pub(crate) fn tag(machine: &Machine, id: Id, key: &Value) -> Outcome<Option<Value>> {
    let value = machine.heap.metrics.get(id).metric.tag(key_of(key)?);
    Ok(value.map(Value::text))
}

/// The value of a field.
pub(crate) fn field(machine: &Machine, id: Id, key: &Value) -> Outcome<Option<Value>> {
    let value = machine.heap.metrics.get(id).metric.field(key_of(key)?);
    Ok(value.map(from_field))
}

fn key_of(key: &Value) -> Outcome<&Str> {
    match key {
        Value::Str(key) => Ok(key),
        _ => fail!("key must be of type 'str'"),
    }
}

/// All tags, by key.
pub(crate) fn tags(machine: &Machine, id: Id) -> Vec<(Value, Value)> {
    let tags = machine.heap.metrics.get(id).metric.tags().iter();
    tags.map(|tag| (Value::Str(Str::from(&tag.key)), Value::Str(Str::from(&tag.value)))).collect()
}

/// All fields, in their order.
pub(crate) fn fields(machine: &Machine, id: Id) -> Vec<(Value, Value)> {
    let fields = machine.heap.metrics.get(id).metric.fields().iter();
    fields.map(|field| (Value::Str(Str::from(&field.key)), from_field(&field.value))).collect()
}

/// Sets a tag.
pub(crate) fn set_tag(machine: &mut Machine, id: Id, key: &Value, value: &Value) -> Outcome<()> {
    let held = machine.heap.metrics.get_mut(id);
    if held.tag_iterations > 0 {
        fail!("cannot insert during iteration")
    }
    let Value::Str(key) = key else { fail!("tag key must be of type 'str'") };
    let Value::Str(value) = value else { fail!("tag value must be of type 'str'") };
    held.metric.set_tag(key.to_compact(), value.to_compact());
    Ok(())
}

/// Sets a field.
pub(crate) fn set_field(machine: &mut Machine, id: Id, key: &Value, value: &Value) -> Outcome<()> {
    let held = machine.heap.metrics.get_mut(id);
    if held.field_iterations > 0 {
        fail!("cannot insert during iteration")
    }
    let Value::Str(key) = key else { fail!("field key must be of type 'str'") };
    held.metric.set_field(key.to_compact(), to_field(value)?);
    Ok(())
}

/// The value of a field for a script.
pub(crate) fn from_field(value: &FieldValue) -> Value {
    match value {
        FieldValue::Float(value) => Value::Float(*value),
        FieldValue::Integer(value) => Value::Int(*value),
        FieldValue::Unsigned(value) => match i64::try_from(*value) {
            Ok(value) => Value::Int(value),
            Err(_) => from_big((*value).into()),
        },
        FieldValue::Boolean(value) => Value::Bool(*value),
        FieldValue::String(value) => Value::Str(Str::from(value)),
    }
}

/// The value that a field can have.
///
/// # Errors
/// If fields can hold no such value.
pub(crate) fn to_field(value: &Value) -> Outcome<FieldValue> {
    Ok(match value {
        Value::Float(value) => FieldValue::Float(*value),
        Value::Int(value) => FieldValue::Integer(*value),
        Value::Str(value) => FieldValue::String(value.to_compact()),
        Value::Bool(value) => FieldValue::Boolean(*value),
        Value::Big(value) => fail!("cannot represent integer {value} as int64"),
        other => fail!("invalid starlark type {}", other.go_type_name()),
    })
}
