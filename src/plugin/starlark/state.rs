//! What a script keeps for the next start of the agent.

use serde_json::{Map, Number, Value as Json, json};

use super::Script;
use super::table::Key;
use super::value::Value;
use crate::plugin::{PluginError, Stateful};

impl Stateful for Script {
    /// The entries of the dict called `state`; numbers that JSON does not know are
    /// `{"float": "NaN"}` and the like.
    fn state(&self) -> Json {
        let mut entries = Map::new();
        let Some(id) = self.state else { return Json::Null };
        let log = &self.machine.surroundings.log;
        for (key, value) in self.machine.heap.dicts.get(id).table.iter() {
            let shown = || format!("({}, {})", self.machine.repr(key), self.machine.repr(value));
            let Value::Str(name) = key else {
                let kind = key.go_type_name();
                log.error(format_args!("state item {} has invalid key type {kind}", shown()));
                continue;
            };
            let written = match value {
                Value::Bool(truth) => json!(truth),
                Value::Int(number) => json!(number),
                Value::Float(number) => match Number::from_f64(*number) {
                    Some(number) => Json::Number(number),
                    None => json!({ "float": number.to_string() }),
                },
                Value::Str(text) => json!(&**text),
                other => {
                    let problem = match other {
                        Value::Big(big) => format!("cannot represent integer {big} as int64"),
                        other => format!("invalid starlark type {}", other.go_type_name()),
                    };
                    log.error(format_args!(
                        "state item {} value cannot be converted: {problem}",
                        shown()
                    ));
                    continue;
                }
            };
            entries.insert(name.to_string(), written);
        }
        Json::Object(entries)
    }

    fn set_state(&mut self, state: Json) -> Result<(), PluginError> {
        let entries = match state {
            // A script that kept nothing leaves this behind.
            Json::Null => return Ok(()),
            Json::Object(entries) => entries,
            _ => return Err("the state is no table".into()),
        };
        // A script that declares its state itself does not keep it either.
        let Some(id) = self.state else { return Ok(()) };
        for (name, written) in entries {
            let value = match &written {
                Json::Bool(truth) => Value::Bool(*truth),
                Json::String(text) => Value::text(text.as_str()),
                Json::Number(number) => match number.as_i64() {
                    Some(number) => Value::Int(number),
                    None => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
                },
                Json::Object(float) => match float.get("float").and_then(Json::as_str) {
                    Some(number) => Value::Float(number.parse()?),
                    None => return Err(format!("state item {name:?} has no known type").into()),
                },
                _ => return Err(format!("state item {name:?} has no known type").into()),
            };
            let key = Key::new(&Value::text(name)).map_err(|it| it.message().to_owned())?;
            self.machine.heap.dicts.get_mut(id).table.insert(key, value);
        }
        Ok(())
    }
}
