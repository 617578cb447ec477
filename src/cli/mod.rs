//! The command lines of both programs.

pub mod agent;
pub mod flags;
pub mod logging;
pub mod signals;
pub mod sink;
pub mod state_report;
pub mod systemd;
