//! Where outputs keep what they can never write.

use super::build::Builder;
use crate::agent::dead_letters::DeadLetters;
use crate::agent::running_output::RunningOutput;
use crate::plugin::Serializer;
use crate::plugins::serializers::influx;

/// What writes line protocol in which all types can be told apart.
pub fn lossless_lines() -> Box<dyn Serializer> {
    Box::new(influx::lossless())
}

impl Builder<'_> {
    /// Has an output keep its dead letters where the settings say, its own before the agent's.
    pub(super) fn keep_dead_letters(&self, output: &mut RunningOutput, own_file: &str) {
        let keeping = self.agent.dead_letters(output.log.name(), own_file, self.state_folder);
        output.dead_letters = keeping.map(|keeping| {
            DeadLetters::new(keeping, &output.id, lossless_lines(), output.log.clone())
        });
    }
}
