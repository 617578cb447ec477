//! What a script finds: functions, methods of values, and modules to load.

mod call;
mod dicts;
mod json;
mod json_decode;
mod lists;
mod logging;
mod mathematics;
mod metric_methods;
pub(crate) mod metrics;
mod nearest;
mod numbers;
mod sequences;
mod sets;
mod string_format;
mod string_split;
mod strings;
mod time_module;
pub(crate) mod times;
mod universe;

use std::fmt;
use std::sync::Arc;

pub(crate) use call::Call;
pub(crate) use nearest::{nearest, nearest_hint};

use super::failure::{Outcome, fail};
use super::run::Machine;
use super::value::Value;
use crate::plugin::PluginLog;
use crate::system::Clock;

/// A function of the language.
pub(crate) struct Builtin {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&mut Machine, Call<'_>) -> Outcome,
}

impl fmt::Debug for Builtin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// A module that scripts load.
pub(crate) struct Module {
    /// The name by which it is loaded, and known afterwards.
    pub(crate) name: &'static str,
    /// Finds what is in it.
    pub(crate) member: fn(&str) -> Option<Value>,
    /// The names of what is in it.
    pub(crate) names: &'static [&'static str],
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// What functions reach of the world outside the script.
pub(crate) struct Surroundings {
    pub(crate) log: PluginLog,
    pub(crate) clock: Arc<dyn Clock>,
}

/// The module that is loaded by a name.
///
/// # Errors
/// If there is none.
pub(crate) fn module(file: &str) -> Outcome<&'static Module> {
    Ok(match file {
        "json.star" => &json::MODULE,
        "logging.star" => &logging::MODULE,
        "math.star" => &mathematics::MODULE,
        "time.star" => &time_module::MODULE,
        _ => fail!("module {file} is not available"),
    })
}

/// The value of a name that all scripts know.
pub(crate) fn universal(name: &str) -> Option<Value> {
    Some(match name {
        "None" => Value::None,
        "True" => Value::Bool(true),
        "False" => Value::Bool(false),
        _ => Value::Builtin(find(universe::FUNCTIONS, name)?),
    })
}

/// The method of a value.
pub(crate) fn method(of: &Value, name: &str) -> Option<&'static Builtin> {
    find(methods(of), name)
}

/// The names of all that can stand behind the dot of a value, sorted.
pub(crate) fn attribute_names(of: &Value) -> Vec<&'static str> {
    let others: &[&'static str] = match of {
        Value::Metric(_) => &["name", "tags", "fields", "time"],
        Value::Time(_) => &times::TIME_ATTRIBUTES,
        Value::Duration(_) => &times::DURATION_ATTRIBUTES,
        Value::Module(module) => module.names,
        _ => &[],
    };
    let mut names: Vec<&str> = methods(of).iter().map(|method| method.name).collect();
    names.extend(others);
    names.sort_unstable();
    names
}

fn methods(of: &Value) -> &'static [Builtin] {
    match of {
        Value::Str(_) => strings::METHODS,
        Value::List(_) => lists::METHODS,
        Value::Dict(_) => dicts::METHODS,
        Value::Set(_) => sets::METHODS,
        Value::Tags(_) | Value::Fields(_) => metric_methods::METHODS,
        Value::Time(_) => time_module::METHODS,
        _ => &[],
    }
}

/// Finds a function in a table sorted by name.
pub(crate) fn find(table: &'static [Builtin], name: &str) -> Option<&'static Builtin> {
    let at = table.binary_search_by(|builtin| builtin.name.cmp(name)).ok()?;
    table.get(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted_by_name() {
        for table in [
            universe::FUNCTIONS,
            strings::METHODS,
            lists::METHODS,
            dicts::METHODS,
            sets::METHODS,
            metric_methods::METHODS,
            time_module::METHODS,
            time_module::FUNCTIONS,
            mathematics::FUNCTIONS,
            json::FUNCTIONS,
            logging::FUNCTIONS,
        ] {
            assert!(table.is_sorted_by_key(|builtin| builtin.name), "{table:?}");
        }
    }
}
