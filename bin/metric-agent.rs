//! Starts metric-agent.

use std::process::ExitCode;

use metric_agent::cli::agent;
use metric_agent::cli::signals::Signals;
use metric_agent::system::System;

fn main() -> ExitCode {
    // The very first thing: a signal that came before would end the process.
    let signals = Signals::install();
    agent::main(std::env::args_os().skip(1), signals, &System::real())
}
