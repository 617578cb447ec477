//! `telegraf.conf` text to what the agent runs.
//!
//! The way of a configuration: [`sources`] names the files and reads them; their bytes become
//! text without comments, the text a [`toml`] table that knows the place of every key, with
//! [`environment`] variables put in before or, usually, after; the table is taken apart into
//! sections; those of all files together are built into a [`crate::agent::plan::Plan`]. A
//! [`Loader`] goes all this way, and tells everything that is wrong at once.

mod agent_table;
mod build;
pub mod coverage;
mod effective;
pub mod environment;
pub mod errors;
mod general;
mod letters;
mod load;
pub mod migrate;
mod option_use;
mod parts;
mod plugin_id;
pub mod remote;
pub mod retired;
pub mod sample;
mod secrets;
mod sections;
pub mod selector;
pub mod sources;
mod stores;
mod text;
pub mod toml;
mod variables;

pub use build::Plugins;
pub use effective::Defaults;
pub use letters::lossless_lines;
pub use load::{LoadOptions, Loaded, LoadedPlugin, Loader, PluginFilters, Purpose};
pub use migrate::leave_out;
pub use parts::Parts;
pub use secrets::Mask;

#[cfg(test)]
mod tests;
