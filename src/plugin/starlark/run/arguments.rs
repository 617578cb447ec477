//! Binds the arguments of a call to the parameters of a function.

use super::super::failure::{Failure, Outcome, fail};
use super::super::library::nearest_hint;
use super::super::syntax::{Code, ParameterKind};
use super::super::table::{Key, Table};
use super::super::text::Str;
use super::super::value::{Id, Value};
use super::Machine;
use std::sync::Arc;

impl Machine {
    /// Puts the parameters of a function on the stack, where its positional arguments lie from
    /// `base` on.
    ///
    /// # Errors
    /// If it does not take these arguments; the stack then ends at `base`.
    pub(super) fn bind(&mut self, id: Id, base: usize, named: &[(Str, Value)]) -> Outcome<()> {
        let code = Arc::clone(&self.heap.functions.get(id).code);
        let given = self.stack.len() - base;
        if code.is_plain && named.is_empty() && given == code.parameters.len() {
            return Ok(());
        }
        let positional = self.stack.split_off(base);
        let bound = self.bound(id, &code, positional, named);
        // The call itself is part of the trace, as in Go, where it begins.
        let bound = bound.map_err(|failure: Failure| failure.at(code.place).leaving(&code.name))?;
        self.stack.extend(bound);
        Ok(())
    }

    fn bound(
        &mut self,
        id: Id,
        code: &Code,
        positional: Vec<Value>,
        named: &[(Str, Value)],
    ) -> Outcome<Vec<Value>> {
        let name = &code.name;
        let given = positional.len() + named.len();
        if code.parameters.is_empty() {
            if given > 0 {
                fail!("function {name} accepts no arguments ({given} given)")
            }
            return Ok(Vec::new());
        }
        let is_positional =
            |kind| matches!(kind, ParameterKind::Required | ParameterKind::Optional);
        let places = code.parameters.iter().filter(|it| is_positional(it.kind)).count();
        let rest = code.parameters.iter().position(|it| it.kind == ParameterKind::Rest);
        let by_name = code.parameters.iter().position(|it| it.kind == ParameterKind::RestByName);
        let mut bound = vec![Value::Unset; code.parameters.len()];
        if positional.len() > places && rest.is_none() {
            let has_optional = code.parameters.iter().any(|it| it.kind == ParameterKind::Optional);
            let most = if has_optional { "at most " } else { "" };
            let plural = if places == 1 { "" } else { "s" };
            let count = positional.len();
            fail!(
                "function {name} accepts {most}{places} positional argument{plural} ({count} given)"
            )
        }
        let mut positional = positional.into_iter();
        for (at, value) in positional.by_ref().take(places).enumerate() {
            bound[at] = value;
        }
        if let Some(rest) = rest {
            bound[rest] = Value::tuple(positional.collect::<Vec<_>>());
        }
        let mut others = Table::default();
        for (key, value) in named {
            let at = code.parameters.iter().position(|it| {
                it.name == *key
                    && !matches!(it.kind, ParameterKind::Rest | ParameterKind::RestByName)
            });
            let is_double = match at {
                Some(at) => {
                    !matches!(std::mem::replace(&mut bound[at], value.clone()), Value::Unset)
                }
                None if by_name.is_some() => {
                    !others.insert(Key::new(&Value::Str(key.clone()))?, value.clone())
                }
                None => {
                    let hint = nearest_hint(key, code.parameters.iter().map(|it| &*it.name), "");
                    fail!("function {name} got an unexpected keyword argument \"{key}\"{hint}")
                }
            };
            if is_double {
                fail!("function {name} got multiple values for parameter \"{key}\"")
            }
        }
        if let Some(by_name) = by_name {
            bound[by_name] = self.heap.new_dict(others);
        }
        self.fill_in(id, code, &mut bound)?;
        Ok(bound)
    }

    /// Gives parameters that have not been given a value their own.
    fn fill_in(&self, id: Id, code: &Code, bound: &mut [Value]) -> Outcome<()> {
        let mut defaults = self.heap.functions.get(id).defaults.iter();
        let mut missing: Vec<&str> = Vec::new();
        for (parameter, value) in code.parameters.iter().zip(bound) {
            let default = match parameter.kind {
                ParameterKind::Optional | ParameterKind::OptionalByName => defaults.next(),
                _ => None,
            };
            if matches!(value, Value::Unset) {
                match default {
                    Some(default) => *value = default.clone(),
                    None => missing.push(&parameter.name),
                }
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        let plural = if missing.len() == 1 { "" } else { "s" };
        let (count, names) = (missing.len(), missing.join(", "));
        fail!("function {} missing {count} argument{plural} ({names})", code.name)
    }
}
