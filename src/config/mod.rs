//! `telegraf.conf` text to what the agent runs.
//!
//! The way of a file: its bytes become [`text`] without comments, TOML [`toml`] tables with the
//! place of every key, …

pub mod environment;
mod text;
pub mod toml;
