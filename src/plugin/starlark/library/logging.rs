//! The module `logging.star`: lines in the log of the plugin.

use super::super::failure::Outcome;
use super::super::run::Machine;
use super::super::value::Value;
use super::call::Call;
use super::{Builtin, Module, find};

/// The module.
pub(super) static MODULE: Module = Module {
    name: "log",
    member: |name| find(FUNCTIONS, &format!("log.{name}")).map(Value::Builtin),
    names: &["debug", "error", "info", "warn"],
};

/// Its functions, by name.
pub(super) static FUNCTIONS: &[Builtin] = &[
    Builtin { name: "log.debug", run: log },
    Builtin { name: "log.error", run: log },
    Builtin { name: "log.info", run: log },
    Builtin { name: "log.warn", run: log },
];

fn log(machine: &mut Machine, call: Call<'_>) -> Outcome {
    let checked = call.expect(1, 1).and_then(|()| call.text(0));
    let text = checked.map_err(|failure| failure.within(call.name))?;
    let log = &machine.surroundings.log;
    match call.name {
        "log.debug" => log.debug(text),
        "log.info" => log.info(text),
        "log.warn" => log.warn(text),
        _ => log.error(text),
    }
    Ok(Value::None)
}
