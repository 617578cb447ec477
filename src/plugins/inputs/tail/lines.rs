//! What becomes of a line: filtered, parsed, tagged, and handed over when there is room.

use crossbeam_channel::{Receiver, TryRecvError};

use super::ansi;
use super::slots::Slots;
use crate::metric::Metric;
use crate::plugin::{NotEnoughData, Parser, PluginLog, Quoted, ServiceAccumulator};

/// How many metrics are handed over at once.
const HAND_OVER_AT: usize = 1_000;

/// What is done with lines of every file.
pub(super) struct Lines {
    /// Where metrics go.
    pub accumulator: ServiceAccumulator,
    /// How many lines may be under way.
    pub slots: Slots,
    /// Closes when the input ends.
    pub stopped: Receiver<()>,
    /// Whether control sequences of terminals are taken out.
    pub strips_colors: bool,
    /// The tag for the path; empty for none.
    pub path_tag: String,
    /// The plugin's log.
    pub log: PluginLog,
    /// Metrics that are not handed over yet.
    pub pending: Vec<Metric>,
    /// Whether a line without metrics was told of.
    pub has_told_of_no_metrics: bool,
}

impl Lines {
    /// Turns the text of a line, or of several that belong together, into metrics.
    pub(super) fn take(&mut self, text: &[u8], path: &str, parser: &mut dyn Parser) {
        let stripped;
        let text = if self.strips_colors {
            stripped = ansi::strip(text);
            &stripped
        } else {
            text
        };
        let metrics = match parser.parse(text) {
            Ok(metrics) => metrics,
            // The parser wants more lines first.
            Err(error) if error.is::<NotEnoughData>() => return,
            Err(error) => {
                self.log.error(format_args!(
                    "Malformed log line in {}: [{}]: {error}",
                    Quoted::new(path),
                    Quoted::new(text)
                ));
                return;
            }
        };
        if metrics.is_empty() {
            self.tell_of_no_metrics();
            return;
        }
        let companion = self.slots.try_take().or_else(|| {
            // What waits here holds slots itself.
            self.hand_over();
            self.slots.wait(&self.stopped)
        });
        // A line that was read when the input stops has no slot and is not lost for that.
        let companion = companion.unwrap_or_default();
        for mut metric in metrics {
            if !self.path_tag.is_empty() {
                metric.set_tag(self.path_tag.as_str(), path);
            }
            metric.companion = companion.clone();
            self.pending.push(metric);
        }
        if self.pending.len() >= HAND_OVER_AT {
            self.hand_over();
        }
    }

    /// Whether the input is to stop.
    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.try_recv() == Err(TryRecvError::Disconnected)
    }

    /// Hands over the metrics that there are.
    pub(super) fn hand_over(&mut self) {
        if !self.pending.is_empty() {
            self.accumulator.add_all(&mut self.pending);
        }
    }

    fn tell_of_no_metrics(&mut self) {
        if !self.has_told_of_no_metrics {
            self.has_told_of_no_metrics = true;
            self.log.debug(
                "No metrics came out of a line; if some should have, look at the options of the \
                 parser. This is said only once.",
            );
        }
    }
}
