//! The command lines of both programs.

pub mod flags;
pub mod logging;
pub mod signals;
