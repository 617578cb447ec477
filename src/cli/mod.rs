//! The command lines of both programs.

pub mod logging;
