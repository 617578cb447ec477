//! The arguments that a function of the language is called with.

use super::super::failure::{Failure, Outcome, fail};
use super::super::run::Machine;
use super::super::text::Str;
use super::super::value::Value;
use super::nearest_hint;

/// A call of a function of the language.
pub(crate) struct Call<'a> {
    pub(crate) name: &'static str,
    /// The value that a method was taken from.
    pub(crate) receiver: &'a Value,
    pub(crate) positional: &'a [Value],
    pub(crate) named: &'a [(Str, Value)],
}

impl<'a> Call<'a> {
    /// Checks that there are only positional arguments, and how many.
    pub(crate) fn expect(&self, least: usize, most: usize) -> Outcome<()> {
        let (name, given) = (self.name, self.positional.len());
        if !self.named.is_empty() {
            fail!("{name}: unexpected keyword arguments")
        }
        if given < least {
            let words = if least < most { "at least " } else { "" };
            fail!("{name}: got {given} arguments, want {words}{least}")
        }
        if given > most {
            let words = if least < most { "at most " } else { "" };
            fail!("{name}: got {given} arguments, want {words}{most}")
        }
        Ok(())
    }

    /// Checks that there are no named arguments and `count` others, in the words of functions
    /// that take any values.
    pub(crate) fn expect_exactly(&self, count: usize, exactly: &str) -> Outcome<()> {
        let (name, given) = (self.name, self.positional.len());
        if !self.named.is_empty() {
            fail!("{name} does not accept keyword arguments")
        }
        if given != count {
            fail!("{name}: got {given} arguments, want {exactly}{count}")
        }
        Ok(())
    }

    /// The arguments of parameters that can be named; the names of optional ones end in `?`.
    pub(crate) fn unpack<const N: usize>(
        &self,
        parameters: [&str; N],
    ) -> Outcome<[Option<Value>; N]> {
        let mut values = [const { None }; N];
        let (name, given) = (self.name, self.positional.len());
        if given > N {
            fail!("{name}: got {given} arguments, want at most {N}")
        }
        for (slot, value) in values.iter_mut().zip(self.positional) {
            *slot = Some(value.clone());
        }
        let plain = parameters.map(|parameter| parameter.trim_end_matches('?'));
        for (key, value) in self.named {
            let Some(at) = plain.iter().position(|parameter| *parameter == &**key) else {
                let hint = nearest_hint(key, plain, "");
                fail!("{name}: unexpected keyword argument \"{key}\"{hint}")
            };
            if values[at].replace(value.clone()).is_some() {
                fail!("{name}: got multiple values for keyword argument \"{key}\"")
            }
        }
        for (parameter, value) in parameters.iter().zip(&values) {
            if value.is_none() && !parameter.ends_with('?') {
                fail!("{name}: missing argument for {parameter}")
            }
        }
        Ok(values)
    }

    /// A positional argument.
    pub(crate) fn get(&self, at: usize) -> Option<&'a Value> {
        self.positional.get(at)
    }

    /// A positional argument that must be there.
    pub(crate) fn value(&self, at: usize) -> &'a Value {
        self.positional.get(at).unwrap_or(&Value::None)
    }

    /// A positional argument that must be text.
    pub(crate) fn text(&self, at: usize) -> Outcome<&'a Str> {
        match self.value(at) {
            Value::Str(text) => Ok(text),
            other => Err(self.wrong(at, &want(other, "string"))),
        }
    }

    /// A positional argument that must be a whole number, and `default` where it is left out.
    pub(crate) fn whole(&self, at: usize, default: i64) -> Outcome<i64> {
        match self.get(at) {
            None => Ok(default),
            Some(value) => whole(value).map_err(|failure| self.wrong(at, failure.message())),
        }
    }

    /// The words for a positional argument that is not as it should be.
    pub(crate) fn wrong(&self, at: usize, words: &str) -> Failure {
        Failure::new(format!("{}: for parameter {}: {words}", self.name, at + 1))
    }

    /// All values of a positional argument.
    pub(crate) fn elements(&self, machine: &mut Machine, at: usize) -> Outcome<Vec<Value>> {
        let value = self.value(at);
        if machine.is_iterable(value) {
            machine.elements(value)
        } else {
            Err(self.wrong(at, &want(value, "iterable")))
        }
    }

    /// The text that an argument with a name must be, and `default` where it is left out.
    pub(crate) fn named_text(
        &self,
        parameter: &str,
        value: Option<Value>,
        default: &str,
    ) -> Outcome<Str> {
        match value {
            None => Ok(Str::from(default)),
            Some(Value::Str(text)) => Ok(text),
            Some(other) => {
                fail!(
                    "{}: for parameter {}: {}",
                    self.name,
                    called(parameter),
                    want(&other, "string")
                )
            }
        }
    }

    /// Whether an argument with a name is true; it must be true or false.
    pub(crate) fn named_truth(&self, parameter: &str, value: Option<Value>) -> Outcome<bool> {
        match value {
            None => Ok(false),
            Some(Value::Bool(truth)) => Ok(truth),
            Some(other) => {
                fail!(
                    "{}: for parameter {}: {}",
                    self.name,
                    called(parameter),
                    want(&other, "bool")
                )
            }
        }
    }

    /// A function that an argument with a name must be, if it is there.
    pub(crate) fn named_function(
        &self,
        parameter: &str,
        value: Option<Value>,
    ) -> Outcome<Option<Value>> {
        match value {
            Some(value) if !is_callable(&value) => {
                fail!(
                    "{}: for parameter {}: {}",
                    self.name,
                    called(parameter),
                    want(&value, "callable")
                )
            }
            value => Ok(value),
        }
    }
}

/// How errors call a parameter: the names of optional ones, which end in `?`, are in quotes.
fn called(parameter: &str) -> String {
    match parameter.strip_suffix('?') {
        Some(optional) => format!("\"{optional}\""),
        None => parameter.to_owned(),
    }
}

/// Whether a value can be called.
pub(crate) fn is_callable(value: &Value) -> bool {
    matches!(value, Value::Function(_) | Value::Builtin(_) | Value::Method(_))
}

/// The words for a value of another type than wanted.
pub(crate) fn want(value: &Value, wanted: &str) -> String {
    format!("got {}, want {wanted}", value.type_name())
}

/// The whole number of 64 bits that a value is.
pub(crate) fn whole(value: &Value) -> Outcome<i64> {
    match value {
        Value::Int(number) => Ok(*number),
        Value::Big(number) => fail!("{number} out of range (want value in signed 64-bit range)"),
        other => fail!("{}", want(other, "int")),
    }
}
