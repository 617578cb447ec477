//! Starlark: scripts that change metrics.
//!
//! The language is that of starlark-go as Telegraf sets it up: recursion and sets are allowed,
//! global variables may be assigned to again, and there are no `while` loops. What scripts show
//! of themselves, such as numbers as text and the words of errors, is as there. Where starlark-go
//! has strings of bytes, which may be no text, strings here are always UTF-8; there are no `bytes`.
//!
//! A script lives in a machine of its own, with all that it has made, and moves from thread to
//! thread with it. It needs neither locks nor counters: what can be changed lies in a
//! heap and is named by numbers, and what nothing names any more is freed between two metrics.
//!
//! # References
//! The Starlark language specification; starlark-go; Telegraf's `plugins/common/starlark`.

mod apply;
mod failure;
mod heap;
mod library;
mod number;
mod run;
mod state;
mod syntax;
mod table;
mod text;
mod value;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use self::failure::Failure;
use self::library::Surroundings;
use self::run::Machine;
use self::syntax::{Globals, SyntaxError};
use self::table::{Key, Table};
use self::text::Str;
use self::value::{Id, Value};
use super::PluginLog;
use crate::metric::{Metric, Timestamp};
use crate::system::Clock;

/// A script that has been loaded, with all that it keeps from one metric to the next.
pub struct Script {
    machine: Machine,
    /// The name of its file, empty if the settings hold it.
    file: String,
    /// What it finds without having made it.
    predeclared: Globals,
    /// The dict called `state`, unless the script does without.
    state: Option<Id>,
    /// Its function.
    apply: Value,
    /// Where the metric lies that it is called with.
    slot: Id,
    /// Whether it may come back to a metric that it has given back: it made some while it was
    /// loaded, or has a state of its own.
    keeps_metrics: bool,
}

/// Where a script comes from.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// What it says.
    pub text: &'a str,
    /// The name of its file, empty if it has none.
    pub file: &'a str,
}

/// Why a script cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScriptError {
    /// It is no Starlark, or names what is not there.
    #[error("{0}")]
    Syntax(String),
    /// It failed while it was loaded.
    #[error("{0}")]
    Failed(String),
    /// A constant takes the name of what a script keeps.
    #[error("'state' constant uses reserved name")]
    ReservedConstant,
    /// A constant has a type that scripts do not know.
    #[error("constant {0} is of a type that scripts do not know")]
    Constant(String),
    /// It lacks the function to be called.
    #[error("{0} is not defined")]
    Undefined(&'static str),
    /// What should be a function is none.
    #[error("{0} is not a function")]
    NoFunction(&'static str),
    /// Its function does not take what it is to be called with.
    #[error("{function} function must take {count} parameter(s)")]
    Parameters {
        /// The function.
        function: &'static str,
        /// How many parameters it should have.
        count: usize,
    },
}

impl Script {
    /// Loads a script that has a function `apply` of one metric.
    ///
    /// # Errors
    /// If it is no Starlark, fails, or has no such function.
    pub fn new(
        source: Source<'_>,
        constants: &serde_json::Map<String, serde_json::Value>,
        log: PluginLog,
        clock: Arc<dyn Clock>,
    ) -> Result<Script, ScriptError> {
        let mut machine = Machine::new(Surroundings { log, clock });
        let mut predeclared = Globals::new();
        for (name, constant) in constants {
            if name == "state" {
                return Err(ScriptError::ReservedConstant);
            }
            let value = constant_value(&mut machine, constant)
                .ok_or_else(|| ScriptError::Constant(name.clone()))?;
            predeclared.insert(Str::from(name.as_str()), value);
        }
        let slot = machine.heap.new_metric(Metric::new("", Timestamp::EPOCH));
        let file = source.file.to_owned();
        let mut script = Script {
            machine,
            file,
            predeclared,
            state: None,
            apply: Value::None,
            slot,
            keeps_metrics: false,
        };
        if let Err(error) = script.load(source.text) {
            // It may be that it only lacks the dict that it keeps things in.
            script.declare_state();
            script.load(source.text).map_err(|_| error)?;
        }
        script.apply = script.function("apply", 1)?;
        script.keeps_metrics =
            script.machine.heap.metrics.in_use() > 1 || script.machine.global("state").is_some();
        Ok(script)
    }

    fn declare_state(&mut self) {
        let state = self.machine.heap.new_dict(Table::default());
        if let Value::Dict(id) = &state {
            self.state = Some(*id);
        }
        self.predeclared.insert("state".into(), state);
    }

    fn load(&mut self, text: &str) -> Result<(), ScriptError> {
        let in_file =
            |error: &SyntaxError| ScriptError::Syntax(error.in_file(&self.file).to_string());
        let module = syntax::parse(text).map_err(|error| in_file(&error))?;
        let program =
            syntax::resolve(module, &self.predeclared).map_err(|error| in_file(&error))?;
        self.machine
            .load(&program)
            .map_err(|failure| ScriptError::Failed(failure.message().to_owned()))
    }

    fn function(&self, name: &'static str, count: usize) -> Result<Value, ScriptError> {
        match self.machine.global(name) {
            None => Err(ScriptError::Undefined(name)),
            Some(function @ Value::Function(id)) => {
                let code = &self.machine.heap.functions.get(*id).code;
                if code.parameters.len() == count {
                    Ok(function.clone())
                } else {
                    Err(ScriptError::Parameters { function: name, count })
                }
            }
            Some(_) => Err(ScriptError::NoFunction(name)),
        }
    }

    /// Logs how a call of the script failed, a line for each function that it led through.
    fn log_failure(&self, failure: &Failure) {
        for line in failure.trace(&self.file).lines() {
            self.machine.surroundings.log.error(line);
        }
    }

    /// Frees what no call to come can reach.
    fn collect(&mut self) {
        let slot = Value::Metric(self.slot);
        let roots = self.machine.globals().iter().chain(self.predeclared.values());
        let roots: Vec<Value> = roots.cloned().chain([slot]).collect();
        self.machine.heap.collect(roots.iter());
    }
}

/// The value of a constant of the settings.
fn constant_value(machine: &mut Machine, constant: &serde_json::Value) -> Option<Value> {
    use serde_json::Value as Json;
    Some(match constant {
        Json::Null => return None,
        Json::Bool(truth) => Value::Bool(*truth),
        Json::Number(number) => match number.as_i64() {
            Some(number) => Value::Int(number),
            None => Value::Float(number.as_f64()?),
        },
        Json::String(text) => Value::text(text.as_str()),
        Json::Array(values) => {
            let values: Option<Vec<Value>> =
                values.iter().map(|value| constant_value(machine, value)).collect();
            machine.heap.new_list(values?)
        }
        Json::Object(entries) => {
            let mut table = Table::default();
            for (name, value) in entries {
                let value = constant_value(machine, value)?;
                table.insert(Key::new(&Value::text(name.as_str())).ok()?, value);
            }
            machine.heap.new_dict(table)
        }
    })
}
