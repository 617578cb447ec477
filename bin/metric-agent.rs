//! Starts metric-agent.

fn main() {}
