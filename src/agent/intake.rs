//! Where inputs put their metrics.

use std::sync::Arc;

use crossbeam_channel::{SendError, Sender};

use super::running_output::OutputQueue;
use crate::metric::Metric;

/// The way from the inputs into the pipeline.
///
/// Whatever lies behind it ends once every clone is gone.
#[derive(Clone)]
pub enum Intake {
    /// To the junction, for processors, aggregators and printing.
    Junction(Sender<Vec<Metric>>),
    /// Straight to the outputs where nothing lies between: waking one more thread for each round
    /// costs as much as gathering it.
    Outputs(Arc<Fanout>),
}

impl Intake {
    /// Puts metrics in; blocks while the junction has more than enough to do.
    pub fn put(&self, metrics: Vec<Metric>) {
        match self {
            Intake::Junction(junction) => {
                // The junction ends after the inputs, so it is there; if it panicked, or went on
                // without an input that hung, that was logged.
                if let Err(SendError(metrics)) = junction.send(metrics) {
                    metrics.iter().for_each(|metric| metric.companion.leave_behind());
                }
            }
            Intake::Outputs(fanout) => fanout.add(metrics),
        }
    }
}

/// The queues of all outputs.
pub struct Fanout {
    queues: Vec<Arc<OutputQueue>>,
    /// The outputs stop when this is gone.
    _outputs_run: Sender<()>,
}

impl Fanout {
    /// Makes the fan-out of these queues; their outputs stop when `outputs_run` is dropped.
    pub(super) fn new(queues: Vec<Arc<OutputQueue>>, outputs_run: Sender<()>) -> Fanout {
        Fanout { queues, _outputs_run: outputs_run }
    }

    /// Adds metrics to every queue.
    pub(super) fn add(&self, metrics: Vec<Metric>) {
        // The last output takes the metrics themselves; the others get copies.
        if let Some((last, others)) = self.queues.split_last() {
            others.iter().for_each(|output| output.add_copies(&metrics));
            last.add(metrics);
        }
    }
}

impl Drop for Fanout {
    fn drop(&mut self) {
        // Nothing more will come; the outputs are told right after this.
        log::info!(target: "agent", "Hang on, flushing any cached metrics before shutdown");
    }
}
