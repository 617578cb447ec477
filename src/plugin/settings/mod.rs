//! The settings of a plugin as they stand in a configuration file: values with their places.
//!
//! [`crate::config`] makes these tables from TOML text; plugins read them into structs with
//! [`Table::read`]. One table may be read several times, by the engine for the common options,
//! by the plugin and by its parser, each taking the keys it knows. What nobody has taken in the
//! end is an unknown option: [`Table::unknown`]. That is why settings structs need no
//! `deny_unknown_fields`.
//!
//! Structs must not use `#[serde(flatten)]`: serde then asks for every key, and unknown ones
//! would pass in silence.

mod deserialize;
mod duration;
mod error;
mod secret;
mod size;
mod table;

pub use duration::{Duration, format_duration, parse_duration};
pub use error::{Place, Position, SettingsError, did_you_mean};
pub use secret::SecretOption;
pub use size::Size;
pub use table::{Data, Entry, Table, Value};
