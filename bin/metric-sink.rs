//! Starts metric-sink.

fn main() {}
