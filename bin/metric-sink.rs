//! Starts metric-sink.

use std::process::ExitCode;

use metric_agent::cli::signals::Signals;
use metric_agent::cli::sink;
use metric_agent::system::System;

fn main() -> ExitCode {
    // The very first thing: a signal that came before would end the process.
    let signals = Signals::install();
    sink::main(std::env::args_os().skip(1), signals, &System::real())
}
