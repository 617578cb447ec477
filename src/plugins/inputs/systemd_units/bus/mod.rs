//! A client of D-Bus, as far as asking systemd takes it.
//!
//! # References
//! The D-Bus specification, 0.43.

pub(super) mod address;
pub(super) mod connection;
pub(super) mod message;
pub(super) mod wire;
