//! Hands metrics to a script and takes what it gives back.

use super::Script;
use super::heap::Held;
use super::value::{Id, Value};
use crate::metric::{Companion, Metric};

impl Script {
    /// Applies the script to a metric and adds what it gives back to `out`.
    ///
    /// A metric that the script does not give back is done with. Anything that goes wrong is
    /// logged.
    pub fn apply(&mut self, metric: Metric, out: &mut Vec<Metric>) {
        *self.machine.heap.metrics.get_mut(self.slot) = Held::new(metric);
        let apply = self.apply.clone();
        match self.machine.call(&apply, &[Value::Metric(self.slot)], &[]) {
            Ok(value) => self.take(&value, out),
            Err(failure) => {
                self.log_failure(&failure);
                self.error_in_plugin(failure.message());
            }
        }
        // Whoever waits for the metric's delivery is not to wait for the next one.
        *self.machine.heap.metrics.get_mut(self.slot) = Held::default();
        self.collect();
    }

    fn error_in_plugin(&self, words: &str) {
        self.machine.surroundings.log.error(format_args!("Error in plugin: {words}"));
    }

    fn take(&mut self, value: &Value, out: &mut Vec<Metric>) {
        match value {
            Value::None => {}
            Value::Metric(id) => {
                let metric = self.take_metric(*id);
                out.push(metric);
            }
            Value::List(id) => {
                let values = self.machine.heap.lists.get(*id).items.clone();
                let mut taken: Vec<Id> = Vec::with_capacity(values.len());
                for value in values {
                    let log = &self.machine.surroundings.log;
                    match value {
                        Value::Metric(id) if taken.contains(&id) => {
                            log.error("Duplicate metric reference detected");
                        }
                        Value::Metric(id) => {
                            taken.push(id);
                            let metric = self.take_metric(id);
                            out.push(metric);
                        }
                        other => log.error(format_args!(
                            "Invalid type returned in list: {}",
                            other.type_name()
                        )),
                    }
                }
            }
            other => {
                let kind = other.go_type_name();
                self.error_in_plugin(&format!("invalid type returned: {kind}"));
            }
        }
    }

    /// Takes a metric out of the script's hands, or a copy if the script may come back to it.
    fn take_metric(&mut self, id: Id) -> Metric {
        let may_come_back = id != self.slot && (self.state.is_some() || self.keeps_metrics);
        let held = self.machine.heap.metrics.get_mut(id);
        if may_come_back {
            let metric = held.metric.clone();
            // The copy that is kept is not to hold up the delivery.
            held.metric.companion = Companion::default();
            metric
        } else {
            std::mem::take(held).metric
        }
    }
}
