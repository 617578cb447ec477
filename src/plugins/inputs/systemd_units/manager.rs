//! systemd as it answers on the bus.
//!
//! # References
//! org.freedesktop.systemd1(5).

use std::collections::HashMap;

use super::bus::connection::{BusError, Connection, Deadline};
use super::bus::message::{Argument, Call};
use super::bus::wire::Value;

const DESTINATION: &str = "org.freedesktop.systemd1";
const MANAGER_PATH: &str = "/org/freedesktop/systemd1";
const MANAGER: &str = "org.freedesktop.systemd1.Manager";

/// A unit and its states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unit {
    pub name: String,
    pub load: String,
    pub active: String,
    pub sub: String,
}

/// The file of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UnitFile {
    /// Its name without folders.
    pub name: String,
    /// `enabled`, `disabled`, `static`, ….
    pub state: String,
}

/// Properties by name.
pub(super) type Properties = HashMap<String, Value>;

/// Asks systemd.
pub(super) struct Manager<'a> {
    pub connection: &'a mut Connection,
    pub deadline: Deadline<'a>,
}

impl Manager<'_> {
    fn ask(&mut self, member: &str, arguments: &[Argument<'_>]) -> Result<Vec<Value>, BusError> {
        let call = Call {
            destination: DESTINATION,
            path: MANAGER_PATH,
            interface: MANAGER,
            member,
            arguments,
        };
        self.connection.call(&call, self.deadline)
    }

    /// All units that systemd has loaded.
    pub(super) fn units(&mut self) -> Result<Vec<Unit>, BusError> {
        Ok(units(&self.ask("ListUnits", &[])?))
    }

    /// Units by name, which systemd loads for that.
    pub(super) fn units_by_names(&mut self, names: &[String]) -> Result<Vec<Unit>, BusError> {
        Ok(units(&self.ask("ListUnitsByNames", &[Argument::Texts(names)])?))
    }

    /// The files of units in these states that match one of the patterns.
    pub(super) fn unit_files(
        &mut self,
        states: &[String],
        patterns: &[String],
    ) -> Result<Vec<UnitFile>, BusError> {
        let arguments = [Argument::Texts(states), Argument::Texts(patterns)];
        let answer = self.ask("ListUnitFilesByPatterns", &arguments)?;
        let file = |value: &Value| {
            let [path, state] = value.items() else { return None };
            let name = path.text()?.rsplit('/').next()?.to_owned();
            Some(UnitFile { name, state: state.text()?.to_owned() })
        };
        Ok(answer.first().map(Value::items).unwrap_or_default().iter().filter_map(file).collect())
    }

    /// The properties of a unit in one of its interfaces, such as `Unit` or `Service`.
    pub(super) fn properties(
        &mut self,
        unit: &str,
        interface: &str,
    ) -> Result<Properties, BusError> {
        let interface = format!("{DESTINATION}.{interface}");
        let call = Call {
            destination: DESTINATION,
            path: &unit_path(unit),
            interface: "org.freedesktop.DBus.Properties",
            member: "GetAll",
            arguments: &[Argument::Text(&interface)],
        };
        let answer = self.connection.call(&call, self.deadline)?;
        let entries = answer.into_iter().next();
        let entries = match entries {
            Some(Value::List(entries)) => entries,
            _ => Vec::new(),
        };
        let entry = |value| match value {
            Value::Entry(entry) => match *entry {
                (Value::Text(name), value) => Some((name, value)),
                _ => None,
            },
            _ => None,
        };
        Ok(entries.into_iter().filter_map(entry).collect())
    }
}

fn units(answer: &[Value]) -> Vec<Unit> {
    let unit = |value: &Value| {
        let [name, _, load, active, sub, ..] = value.items() else { return None };
        Some(Unit {
            name: name.text()?.to_owned(),
            load: load.text()?.to_owned(),
            active: active.text()?.to_owned(),
            sub: sub.text()?.to_owned(),
        })
    };
    answer.first().map(Value::items).unwrap_or_default().iter().filter_map(unit).collect()
}

/// The path of the object of a unit: what is no letter or digit, and a digit at the start, is
/// written as `_` and its number.
fn unit_path(name: &str) -> String {
    use std::fmt::Write;

    let mut path = format!("{MANAGER_PATH}/unit/");
    if name.is_empty() {
        path.push('_');
    }
    for (at, byte) in name.bytes().enumerate() {
        if byte.is_ascii_alphabetic() || (at > 0 && byte.is_ascii_digit()) {
            path.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(path, "_{byte:02x}");
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_in_paths() {
        assert_eq!(
            unit_path("1a-b@c.service"),
            "/org/freedesktop/systemd1/unit/_31a_2db_40c_2eservice"
        );
    }
}
