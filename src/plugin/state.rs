//! What a plugin wants to find again when the agent is next started.

use super::PluginError;

/// A plugin with state that outlives the agent, in the agent's `statefile`.
///
/// The engine hands the state of the last run in before the plugin starts, and asks for the new one
/// after it has stopped.
pub trait Stateful {
    /// The state as it stands.
    fn state(&self) -> serde_json::Value;

    /// Takes over the state of an earlier run.
    ///
    /// # Errors
    /// If it is no state of this plugin.
    fn set_state(&mut self, state: serde_json::Value) -> Result<(), PluginError>;
}
