//! Where reading ended in each file, for the next time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::plugin::{PluginError, Stateful};

/// What inputs of this process have left when they stopped. A configuration that is loaded again
/// goes on where the one before it ended, also without a state file and with other settings.
static LEFT: Mutex<BTreeMap<String, u64>> = Mutex::new(BTreeMap::new());

/// Where reading ended in each file, by path; copies are the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Offsets(Arc<Mutex<BTreeMap<String, u64>>>);

impl Offsets {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where reading ended in the file: what a state file or this input itself knows comes before
    /// what others of this process have left.
    pub(super) fn get(&self, path: &str) -> Option<u64> {
        let own = self.lock().get(path).copied();
        own.or_else(|| LEFT.lock().unwrap_or_else(PoisonError::into_inner).get(path).copied())
    }

    /// Notes where reading ended in the file.
    pub(super) fn set(&self, path: &str, offset: u64) {
        self.lock().insert(path.to_owned(), offset);
    }

    /// Leaves what is known to inputs that start later in this process.
    pub(super) fn leave(&self) {
        let left = self.lock().clone();
        LEFT.lock().unwrap_or_else(PoisonError::into_inner).extend(left);
    }
}

impl Stateful for Offsets {
    fn state(&self) -> serde_json::Value {
        self.lock()
            .iter()
            .map(|(path, offset)| (path.clone(), serde_json::Value::from(*offset)))
            .collect()
    }

    fn set_state(&mut self, state: serde_json::Value) -> Result<(), PluginError> {
        let state: BTreeMap<String, u64> = serde_json::from_value(state)?;
        self.lock().extend(state);
        Ok(())
    }
}
