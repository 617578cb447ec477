//! The way of metrics that a processor hands over later than it got what they were made of.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, unbounded};

use crate::metric::Metric;
use crate::plugin::{Deliver, PluginLog};

/// Where in the junction a processor stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Its place among the processors before the aggregators.
    Before(usize),
    /// Its place among those that aggregates pass.
    After(usize),
}

/// Metrics that come out of a processor by themselves.
pub(super) struct Late {
    pub(super) stage: Stage,
    pub(super) metrics: Vec<Metric>,
}

/// Brings what processors hand over later to the junction.
///
/// The channel has no bound: a processor that had to wait for the junction could not take what the
/// junction waits to give it.
pub(super) struct Lateness {
    sender: Sender<Late>,
    receiver: Receiver<Late>,
}

impl Lateness {
    pub(super) fn new() -> Lateness {
        let (sender, receiver) = unbounded();
        Lateness { sender, receiver }
    }

    /// What has been handed over; never closes.
    pub(super) fn receiver(&self) -> &Receiver<Late> {
        &self.receiver
    }

    /// The way for the processor at `stage`.
    pub(super) fn delivery(&self, stage: Stage, log: PluginLog) -> Arc<dyn Deliver> {
        Arc::new(LateDelivery { stage, log, sender: self.sender.clone() })
    }
}

struct LateDelivery {
    stage: Stage,
    log: PluginLog,
    sender: Sender<Late>,
}

impl Deliver for LateDelivery {
    fn deliver(&self, metrics: &mut Vec<Metric>) {
        let metrics = std::mem::take(metrics);
        if !metrics.is_empty() {
            // The junction is there until it has stopped the processor.
            let _ = self.sender.send(Late { stage: self.stage, metrics });
        }
    }

    fn report(&self, error: &dyn std::error::Error) {
        self.log.error(format_args!("Error in plugin: {error}"));
    }
}
