//! Attributes: what stands behind a dot.

use std::sync::Arc;

use super::super::failure::{Outcome, fail};
use super::super::library::{attribute_names, method, metrics, nearest_hint, times};
use super::super::text::Str;
use super::super::value::{Method, Value};
use super::Machine;

impl Machine {
    /// The value of `of.name`.
    pub(crate) fn attribute(&mut self, of: &Value, name: &Str) -> Outcome {
        match self.find_attribute(of, name)? {
            Some(value) => Ok(value),
            None => {
                let kind = of.type_name();
                let hint = nearest_hint(name, attribute_names(of), ".");
                fail!("{kind} has no .{name} field or method{hint}")
            }
        }
    }

    /// The value of `of.name`, if there is such an attribute.
    ///
    /// # Errors
    /// Some types say in their own words that there is none.
    pub(crate) fn find_attribute(&mut self, of: &Value, name: &str) -> Outcome<Option<Value>> {
        if let Value::Metric(id) = of {
            return Ok(metrics::attribute(self, *id, name));
        }
        if let Some(builtin) = method(of, name) {
            let method = Method { receiver: of.clone(), builtin };
            return Ok(Some(Value::Method(Arc::new(method))));
        }
        match of {
            Value::Module(module) => Ok((module.member)(name)),
            Value::Time(time) => Ok(times::time_attribute(time, name)),
            Value::Duration(nanos) => times::duration_attribute(*nanos, name).map(Some),
            Value::Tags(_) | Value::Fields(_) => fail!("no such method \"{name}\""),
            _ => Ok(None),
        }
    }

    /// Does `of.name = value`.
    pub(super) fn set_attribute(&mut self, of: &Value, name: &str, value: &Value) -> Outcome<()> {
        match of {
            Value::Metric(id) => metrics::set_attribute(self, *id, name, value),
            _ => fail!("can't assign to .{name} field of {}", of.type_name()),
        }
    }
}
