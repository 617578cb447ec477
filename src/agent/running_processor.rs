//! A processor with its filter: metrics that are not selected pass by.

use std::sync::Arc;
use std::time::Duration;

use super::filter::Filter;
use super::guard::{Panicked, guarded};
use super::state_file::StateSlot;
use crate::metric::Metric;
use crate::plugin::{
    Deliver, PluginLog, Processor, ServiceAccumulator, StartError, Stateful, Statistics,
};
use crate::system::Clock;

/// A processor ready to run.
pub struct RunningProcessor {
    processor: Box<dyn Processor>,
    log: PluginLog,
    /// What it is known by in the state file; the same for the same settings.
    pub id: String,
    /// Its place: lower ones come first.
    pub order: i64,
    filter: Filter,
    state: Option<StateSlot>,
}

impl RunningProcessor {
    /// Wraps a processor.
    pub fn new(
        processor: Box<dyn Processor>,
        log: PluginLog,
        order: i64,
        filter: Filter,
        statistics: &Statistics,
    ) -> RunningProcessor {
        let own = statistics.of_plugin(log.name());
        let log = log.counting_errors(own.counter("errors"));
        RunningProcessor { processor, log, id: String::new(), order, filter, state: None }
    }

    /// The processor's state, if it has any that outlives the agent.
    pub(super) fn stateful(&mut self) -> Option<&mut dyn Stateful> {
        self.processor.stateful()
    }

    /// Has the processor leave its state in `slot` once nothing more comes.
    pub(super) fn leave_state_in(&mut self, slot: StateSlot) {
        self.state = Some(slot);
    }

    /// Its log, which knows its name.
    pub fn log(&self) -> &PluginLog {
        &self.log
    }

    /// Starts the processor; what it hands over later goes to `deliver`.
    ///
    /// # Errors
    /// The processor's own error.
    pub fn start(
        &mut self,
        deliver: Arc<dyn Deliver>,
        clock: Arc<dyn Clock>,
    ) -> Result<(), StartError> {
        let log = self.log.clone();
        // Metrics keep the times they have.
        let later = ServiceAccumulator::new(deliver, clock, Duration::ZERO, log);
        guarded(|| self.processor.start(later)).unwrap_or_else(|panicked| {
            Err(StartError { retryable: false, source: panicked.into() })
        })
    }

    /// Ends the processor, after it has handed over what was still to come.
    pub fn stop(&mut self) {
        let stopped = guarded(|| {
            self.processor.stop();
            if let Some(slot) = &self.state
                && let Some(plugin) = self.processor.stateful()
            {
                slot.keep(plugin);
            }
        });
        if let Err(panicked) = stopped {
            self.log.error(format_args!("Error stopping plugin: {panicked}"));
        }
    }

    /// Applies the processor to the metrics that its filter selects; the others keep their place
    /// between them. Metrics without fields, which an earlier processor may leave, are dropped.
    pub fn apply(&mut self, mut metrics: Vec<Metric>) -> Vec<Metric> {
        if self.filter.passes_all() {
            metrics.retain(|metric| !metric.fields().is_empty());
            return self.guarded(metrics);
        }
        let mut done = Vec::with_capacity(metrics.len());
        let mut selected = Vec::new();
        for mut metric in metrics {
            if self.filter.selects(&metric) {
                self.filter.modify(&mut metric);
                if !metric.fields().is_empty() {
                    selected.push(metric);
                }
            } else {
                self.apply_to(&mut selected, &mut done);
                done.push(metric);
            }
        }
        self.apply_to(&mut selected, &mut done);
        done
    }

    /// Moves metrics through the processor, leaving their list empty for the next group.
    fn apply_to(&mut self, selected: &mut Vec<Metric>, done: &mut Vec<Metric>) {
        if selected.is_empty() {
            return;
        }
        let mut applied = self.guarded(std::mem::take(selected));
        done.append(&mut applied);
        // Most processors give back the list they got.
        *selected = applied;
    }

    fn guarded(&mut self, metrics: Vec<Metric>) -> Vec<Metric> {
        let count = metrics.len();
        guarded(|| self.processor.apply(metrics)).unwrap_or_else(|Panicked(message)| {
            self.log.error(format_args!(
                "Error in plugin: panicked, {count} metrics are lost: {message}"
            ));
            Vec::new()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::options::FilterOptions;
    use crate::metric::Timestamp;

    /// Adds `!` to names, and panics on the name `bomb`.
    struct Shout;

    fn running(filter: Filter, statistics: &Statistics) -> RunningProcessor {
        let log = PluginLog::new("processors.shout");
        RunningProcessor::new(Box::new(Shout), log, 0, filter, statistics)
    }

    impl Processor for Shout {
        fn apply(&mut self, mut metrics: Vec<Metric>) -> Vec<Metric> {
            for metric in &mut metrics {
                assert_ne!(metric.name, "bomb");
                metric.name.push('!');
            }
            metrics
        }
    }

    fn names(filter: FilterOptions, names: &[&str]) -> Vec<String> {
        let filter = Filter::for_test(&filter);
        let mut processor = running(filter, &Statistics::default());
        let metrics = names
            .iter()
            .map(|name| Metric::new(*name, Timestamp::EPOCH).with_field("f", 1i64))
            .collect();
        processor.apply(metrics).iter().map(|metric| metric.name.to_string()).collect()
    }

    #[test]
    fn metrics_that_are_not_selected_pass_by_in_their_place() {
        let filter = FilterOptions { namedrop: vec!["b".into()], ..FilterOptions::default() };
        assert_eq!(names(filter, &["a", "b", "c"]), ["a!", "b", "c!"]);
    }

    #[test]
    fn a_selected_metric_without_fields_left_is_gone() {
        let filter = FilterOptions { fieldexclude: vec!["f".into()], ..FilterOptions::default() };
        assert_eq!(names(filter, &["a"]), [""; 0]);
    }

    #[test]
    fn a_metric_without_fields_is_gone_unless_it_passes_by() {
        let filters = [&[][..], &["a", "b"], &["a"], &["b"]].map(|namedrop: &[&str]| {
            let namedrop = namedrop.iter().map(|name| (*name).into()).collect();
            FilterOptions { namedrop, ..FilterOptions::default() }
        });
        let left = filters.map(|filter| {
            let filter = Filter::for_test(&filter);
            let mut processor = running(filter, &Statistics::default());
            let bare = Metric::new("a", Timestamp::EPOCH);
            let full = Metric::new("b", Timestamp::EPOCH).with_field("f", 1i64);
            let left = processor.apply(vec![bare, full]);
            left.iter().map(|metric| metric.name.to_string()).collect::<Vec<_>>()
        });
        assert_eq!(left, [vec!["b!"], vec!["a", "b"], vec!["a", "b!"], vec!["b"]]);
    }

    #[test]
    fn a_panic_loses_one_group_and_nothing_else() {
        let filter = FilterOptions { namedrop: vec!["x".into()], ..FilterOptions::default() };
        assert_eq!(names(filter, &["a", "x", "bomb", "x", "c"]), ["a!", "x", "x", "c!"]);
    }

    #[test]
    fn a_panic_is_counted_as_an_error_of_the_processor() {
        let statistics = Statistics::default();
        let mut processor = running(Filter::default(), &statistics);
        let metric = |name: &str| Metric::new(name, Timestamp::EPOCH).with_field("f", 1i64);
        let errors = statistics.counter("process", "errors", &[("processor", "shout")]);
        assert_eq!(processor.apply(vec![metric("bomb"), metric("a")]), []);
        assert_eq!(errors.get(), 1);
        assert_eq!(processor.apply(vec![metric("a")]).len(), 1, "the next group goes on");
        assert_eq!(errors.get(), 1);
    }
}
