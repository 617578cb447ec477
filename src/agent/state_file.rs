//! The file in which plugins find their state again: the agent's `statefile`.
//!
//! It is written when the agent has stopped, and holds the states by the plugins' ids, so that a
//! plugin whose settings have changed starts anew.
//!
//! # References
//! Telegraf's `persister`; the file is the same, so that one agent can go on where the other ended.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::running_input::RunningInput;
use super::running_processor::RunningProcessor;
use crate::plugin::{PluginError, Stateful};
use crate::system::ErrorWords;

/// Why states could not be restored or kept.
#[derive(Debug, thiserror::Error)]
pub enum StateFileError {
    /// The file cannot be read.
    #[error("reading states file failed: open {}: {}", .path.display(), ErrorWords(source))]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It holds no states.
    #[error("unmarshalling states failed: {}: {source}", .path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// What it holds for a plugin is no state.
    #[error("unmarshalling state for {id:?} failed: {source}")]
    State {
        /// The plugin's id.
        id: String,
        /// What is wrong with it.
        source: PluginError,
    },
    /// A plugin does not take the state.
    #[error("setting state of {id:?} failed: {source}")]
    Set {
        /// The plugin's id.
        id: String,
        /// What it says.
        source: PluginError,
    },
    /// Two plugins with equal settings cannot be told apart.
    #[error("could not register {plugin}: plugin with ID {id:?} already registered")]
    Double {
        /// The second of them.
        plugin: String,
        /// Their id.
        id: String,
    },
    /// The file cannot be written.
    #[error("creating states file {path:?} failed: open {}: {}", .path.display(), ErrorWords(source))]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// Where a running plugin leaves its state when it has stopped.
#[derive(Clone)]
pub(super) struct StateSlot {
    id: String,
    states: States,
}

/// The states of plugins that have stopped, as JSON by id.
type States = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

impl StateSlot {
    /// Takes the state of a plugin that has stopped.
    pub(super) fn keep(&self, plugin: &dyn Stateful) {
        let state = plugin.state().to_string().into_bytes();
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        states.insert(self.id.clone(), state);
    }
}

/// The file while the agent runs.
pub(super) struct StateFile {
    path: PathBuf,
    states: States,
}

/// The file while states are given back.
struct Restoring {
    old: BTreeMap<String, String>,
    seen: Vec<String>,
    states: States,
}

impl StateFile {
    /// Gives the plugins their states back, and has them leave the new ones here.
    ///
    /// # Errors
    /// If the file is there and cannot be read, or a state is none.
    pub(super) fn restore(
        path: PathBuf,
        inputs: &mut [RunningInput],
        processors: &mut [RunningProcessor],
    ) -> Result<StateFile, StateFileError> {
        log::debug!(target: "agent", "Initializing plugin states");
        let old = read(&path)?;
        let mut restoring = Restoring { old, seen: Vec::new(), states: States::default() };
        for input in inputs {
            let (id, name) = (input.id.clone(), format!("input {}", input.log.name()));
            if let Some(plugin) = input.stateful() {
                let slot = restoring.restore(id, &name, plugin)?;
                input.leave_state_in(slot);
            }
        }
        for processor in processors {
            let (id, name) =
                (processor.id.clone(), format!("processor {}", processor.log().name()));
            if let Some(plugin) = processor.stateful() {
                let slot = restoring.restore(id, &name, plugin)?;
                processor.leave_state_in(slot);
            }
        }
        Ok(StateFile { path, states: restoring.states })
    }

    /// Writes the states of all plugins, which have stopped by now.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(super) fn store(&self) -> Result<(), StateFileError> {
        log::debug!(target: "agent", "Persisting plugin states");
        let states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        let encoded: BTreeMap<&str, String> =
            states.iter().map(|(id, state)| (id.as_str(), STANDARD.encode(state))).collect();
        let text = serde_json::to_vec(&encoded)
            .map_err(|source| StateFileError::Format { path: self.path.clone(), source })?;
        std::fs::write(&self.path, text)
            .map_err(|source| StateFileError::Write { path: self.path.clone(), source })
    }
}

impl Restoring {
    /// Gives a plugin its state back and tells where it is to leave the new one.
    fn restore(
        &mut self,
        id: String,
        name: &str,
        plugin: &mut dyn Stateful,
    ) -> Result<StateSlot, StateFileError> {
        if let Some(state) = self.old.remove(&id) {
            let state = decode(&state)
                .map_err(|source| StateFileError::State { id: id.clone(), source })?;
            plugin
                .set_state(state)
                .map_err(|source| StateFileError::Set { id: id.clone(), source })?;
        }
        if self.seen.contains(&id) {
            return Err(StateFileError::Double { plugin: name.to_owned(), id });
        }
        self.seen.push(id.clone());
        Ok(StateSlot { id, states: self.states.clone() })
    }
}

/// The states in the file, none if there is no file.
fn read(path: &PathBuf) -> Result<BTreeMap<String, String>, StateFileError> {
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            log::info!(
                target: "agent",
                "State file does not exist... Skip restoring states..."
            );
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
                log::warn!(
                    target: "agent",
                    "The folder {} of the state file does not exist; states cannot be kept at the \
                     end",
                    folder.display()
                );
            }
            return Ok(BTreeMap::new());
        }
        Err(source) => return Err(StateFileError::Read { path: path.clone(), source }),
    };
    serde_json::from_slice(&text)
        .map_err(|source| StateFileError::Format { path: path.clone(), source })
}

fn decode(state: &str) -> Result<serde_json::Value, PluginError> {
    Ok(serde_json::from_slice(&STANDARD.decode(state)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::filter::Filter;
    use crate::agent::naming::Naming;
    use crate::agent::options::{NamingOptions, StartupErrorBehavior, TimeSource};
    use crate::agent::running_input::{AlwaysInclude, InputShape, Timing};
    use crate::plugin::{Accumulator, Input, PluginLog, Statistics};

    /// An input whose state is the number of times that it was given one.
    struct Counting(u64);

    impl Input for Counting {
        fn gather(&mut self, _accumulator: &mut Accumulator<'_>) -> Result<(), PluginError> {
            Ok(())
        }

        fn stateful(&mut self) -> Option<&mut dyn Stateful> {
            Some(self)
        }
    }

    impl Stateful for Counting {
        fn state(&self) -> serde_json::Value {
            serde_json::json!({ "n": self.0 })
        }

        fn set_state(&mut self, state: serde_json::Value) -> Result<(), PluginError> {
            self.0 = state["n"].as_u64().ok_or("no number")? + 1;
            Ok(())
        }
    }

    fn input(id: &str) -> RunningInput {
        let second = std::time::Duration::from_secs(1);
        let timing = Timing {
            interval: second,
            jitter: std::time::Duration::ZERO,
            offset: std::time::Duration::ZERO,
            precision: second,
            service_precision: second,
        };
        let shape = InputShape {
            filter: Filter::default(),
            naming: Naming::new(NamingOptions::default(), Vec::new()),
            always_include: AlwaysInclude::default(),
            time_source: TimeSource::Metric,
        };
        let (log, error) = (PluginLog::new("inputs.counting"), StartupErrorBehavior::Error);
        let statistics = Statistics::default();
        let mut input =
            RunningInput::new(Box::new(Counting(0)), log, timing, error, shape, &statistics);
        input.id = id.to_owned();
        input
    }

    fn run(path: &std::path::Path, ids: &[&str]) -> Result<(), StateFileError> {
        let mut inputs: Vec<_> = ids.iter().map(|id| input(id)).collect();
        let file = StateFile::restore(path.to_owned(), &mut inputs, &mut [])?;
        inputs.iter_mut().for_each(|input| drop(input.stop()));
        file.store()
    }

    #[test]
    fn a_plugin_gets_the_state_back_that_it_had_under_its_id() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        run(&path, &["a", "b"]).unwrap();
        run(&path, &["b", "c"]).unwrap();
        // {"n":1} and {"n":0}; what has no plugin any more is gone.
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, r#"{"b":"eyJuIjoxfQ==","c":"eyJuIjowfQ=="}"#);
    }

    #[test]
    fn what_is_no_state_is_told_and_nothing_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        for (text, message) in [
            ("nonsense", "unmarshalling states failed: "),
            (r#"{"a":"!"}"#, r#"unmarshalling state for "a" failed: "#),
            (r#"{"a":"e30="}"#, r#"setting state of "a" failed: no number"#),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = run(&path, &["a"]).unwrap_err().to_string();
            assert!(error.starts_with(message), "{error}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
        std::fs::remove_file(&path).unwrap();
        let error = run(&path, &["a", "a"]).unwrap_err().to_string();
        assert!(error.contains("already registered"), "{error}");
        let error = run(&path.join("x"), &["a"]).unwrap_err().to_string();
        assert!(error.starts_with("creating states file"), "{error}");
    }
}
