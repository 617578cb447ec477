//! Writes values as text.

use super::super::library::{metrics, times};
use super::super::number::{FloatStyle, push_float};
use super::super::syntax::quote;
use super::super::text::Str;
use super::super::value::{PartsOf, Value};
use super::Machine;

impl Machine {
    /// The text of a value, as `str` gives it.
    pub(crate) fn str(&self, value: &Value) -> Str {
        match value {
            Value::Str(text) => text.clone(),
            other => Str::from(self.repr(other)),
        }
    }

    /// The text of a value as a script would have it, where it can.
    pub(crate) fn repr(&self, value: &Value) -> String {
        let mut out = String::new();
        self.push_repr(&mut out, value, &mut Vec::new());
        out
    }

    fn push_repr(&self, out: &mut String, value: &Value, around: &mut Vec<Value>) {
        match value {
            Value::Unset | Value::Cell(_) => out.push_str("<nil>"),
            Value::None => out.push_str("None"),
            Value::Bool(truth) => out.push_str(if *truth { "True" } else { "False" }),
            Value::Int(number) => out.push_str(itoa::Buffer::new().format(*number)),
            Value::Big(number) => out.push_str(&number.to_string()),
            Value::Float(number) => push_float(out, *number, FloatStyle::Shortest),
            Value::Str(text) => out.push_str(&quote(text)),
            Value::Tuple(values) => {
                out.push('(');
                self.push_all(out, values, around);
                out.push_str(if values.len() == 1 { ",)" } else { ")" });
            }
            Value::List(id) => self.within(out, value, around, ["[", "]"], |out, around| {
                self.push_all(out, &self.heap.lists.get(*id).items, around);
            }),
            Value::Dict(id) => self.within(out, value, around, ["{", "}"], |out, around| {
                self.push_entries(out, self.heap.dicts.get(*id).table.iter(), around);
            }),
            Value::Set(id) => {
                let keys: Vec<Value> =
                    self.heap.sets.get(*id).table.iter().map(|(key, _)| key.clone()).collect();
                out.push_str("set([");
                self.push_all(out, &keys, around);
                out.push_str("])");
            }
            Value::Tags(id) => {
                let entries = metrics::tags(self, *id);
                out.push('{');
                self.push_entries(out, entries.iter().map(|(key, value)| (key, value)), around);
                out.push('}');
            }
            Value::Fields(id) => {
                let entries = metrics::fields(self, *id);
                out.push('{');
                self.push_entries(out, entries.iter().map(|(key, value)| (key, value)), around);
                out.push('}');
            }
            Value::Metric(id) => {
                let metric = &self.heap.metrics.get(*id).metric;
                out.push_str("Metric(");
                out.push_str(&quote(&metric.name));
                out.push_str(", tags=");
                self.push_repr(out, &Value::Tags(*id), around);
                out.push_str(", fields=");
                self.push_repr(out, &Value::Fields(*id), around);
                out.push_str(&format!(", time={})", metric.time.nanos()));
            }
            Value::Range(range) => {
                let (start, stop, step) = (range.start, range.stop, range.step);
                out.push_str(&if step != 1 {
                    format!("range({start}, {stop}, {step})")
                } else if start != 0 {
                    format!("range({start}, {stop})")
                } else {
                    format!("range({stop})")
                });
            }
            Value::Parts(parts) => {
                let method = match parts.of {
                    PartsOf::Bytes => "elems",
                    PartsOf::ByteNumbers => "elem_ords",
                    PartsOf::Characters => "codepoints",
                    PartsOf::CharacterNumbers => "codepoint_ords",
                };
                out.push_str(&format!("{}.{method}()", quote(&parts.text)));
            }
            Value::Function(id) => {
                out.push_str(&format!("<function {}>", self.heap.functions.get(*id).code.name));
            }
            Value::Builtin(builtin) => {
                out.push_str(&format!("<built-in function {}>", builtin.name));
            }
            Value::Method(method) => {
                let kind = method.receiver.type_name();
                let name = method.builtin.name;
                out.push_str(&format!("<built-in method {name} of {kind} value>"));
            }
            Value::Module(module) => out.push_str(&format!("<module \"{}\">", module.name)),
            Value::Duration(nanos) => out.push_str(&times::shown_duration(*nanos)),
            Value::Time(time) => out.push_str(&times::shown_time(time)),
        }
    }

    /// Writes something that may hold itself.
    fn within(
        &self,
        out: &mut String,
        value: &Value,
        around: &mut Vec<Value>,
        brackets: [&str; 2],
        inner: impl FnOnce(&mut String, &mut Vec<Value>),
    ) {
        out.push_str(brackets[0]);
        let is_around = around.iter().any(|outer| match (outer, value) {
            (Value::List(outer), Value::List(id)) | (Value::Dict(outer), Value::Dict(id)) => {
                outer == id
            }
            _ => false,
        });
        if is_around || around.len() > 200 {
            out.push_str("...");
        } else {
            around.push(value.clone());
            inner(out, around);
            around.pop();
        }
        out.push_str(brackets[1]);
    }

    fn push_all(&self, out: &mut String, values: &[Value], around: &mut Vec<Value>) {
        for (at, value) in values.iter().enumerate() {
            if at > 0 {
                out.push_str(", ");
            }
            self.push_repr(out, value, around);
        }
    }

    fn push_entries<'v>(
        &self,
        out: &mut String,
        entries: impl Iterator<Item = (&'v Value, &'v Value)>,
        around: &mut Vec<Value>,
    ) {
        for (at, (key, value)) in entries.enumerate() {
            if at > 0 {
                out.push_str(", ");
            }
            self.push_repr(out, key, around);
            out.push_str(": ");
            self.push_repr(out, value, around);
        }
    }
}
