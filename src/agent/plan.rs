//! What is to run: the plugins of a configuration, built and wrapped, not yet started.

use super::options::AgentOptions;
use super::running_aggregator::RunningAggregator;
use super::running_input::RunningInput;
use super::running_output::RunningOutput;
use super::running_processor::RunningProcessor;
use super::schedule::Alignment;

/// Everything that the pipeline needs to start.
pub struct Plan {
    /// The `[agent]` table.
    pub agent: AgentOptions,
    /// The name of this host as metrics carry it.
    pub hostname: String,
    /// The inputs, in file order.
    pub inputs: Vec<RunningInput>,
    /// The processors in their order.
    pub processors: Vec<RunningProcessor>,
    /// The aggregators, in file order.
    pub aggregators: Vec<RunningAggregator>,
    /// Second instances of the processors, for what the aggregators push; empty if aggregates
    /// pass the processors by.
    pub aggregate_processors: Vec<RunningProcessor>,
    /// The outputs, in file order.
    pub outputs: Vec<RunningOutput>,
}

impl Plan {
    /// Whether rounds and windows fall on multiples of their interval.
    pub fn alignment(&self) -> Alignment {
        if self.agent.round_interval { Alignment::Clock } else { Alignment::Start }
    }
}
