//! What the Kafka client of a plugin counts, for `inputs.internal`.

use std::sync::Arc;

use super::{Counter, Refresh, Statistics};
use crate::kafka::ClientStatistics;

/// The numbers of a client, and the counters that report them.
pub struct KafkaNumbers {
    read: Box<dyn Fn() -> Option<ClientStatistics> + Send + Sync>,
    counters: Vec<(Counter, Number)>,
}

/// Takes one number out of all.
type Number = fn(&ClientStatistics) -> u64;

const FIELDS: [(&str, Number); 15] = [
    ("requests", |numbers| numbers.requests),
    ("request_bytes", |numbers| numbers.request_bytes),
    ("responses", |numbers| numbers.responses),
    ("response_bytes", |numbers| numbers.response_bytes),
    ("records", |numbers| numbers.records),
    ("record_bytes", |numbers| numbers.record_bytes),
    ("queued_records", |numbers| numbers.queued_records),
    ("queued_bytes", |numbers| numbers.queued_bytes),
    ("outstanding_requests", |numbers| numbers.outstanding_requests),
    ("request_errors", |numbers| numbers.request_errors),
    ("request_retries", |numbers| numbers.request_retries),
    ("request_timeouts", |numbers| numbers.request_timeouts),
    ("disconnects", |numbers| numbers.disconnects),
    ("rtt_avg_us", |numbers| numbers.rtt_avg_us),
    ("rtt_max_us", |numbers| numbers.rtt_max_us),
];

impl KafkaNumbers {
    /// Has the numbers of a client reported as those of the plugin whose log has this name, under
    /// `kafka_producer` or `kafka_consumer`, for as long as what is returned is kept.
    pub fn report(
        statistics: &Statistics,
        log_name: &str,
        measurement: &'static str,
        read: impl Fn() -> Option<ClientStatistics> + Send + Sync + 'static,
    ) -> Arc<dyn Refresh> {
        let plugin = statistics.of_plugin(log_name).under(measurement);
        let counters = FIELDS.map(|(field, number)| (plugin.counter(field), number)).into();
        let numbers: Arc<dyn Refresh> = Arc::new(KafkaNumbers { read: Box::new(read), counters });
        statistics.fetch_from(Arc::downgrade(&numbers));
        numbers
    }
}

impl Refresh for KafkaNumbers {
    fn refresh(&self) {
        if let Some(numbers) = (self.read)() {
            self.counters.iter().for_each(|(counter, number)| counter.set(number(&numbers)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_field_reports_its_number_until_the_plugin_is_gone() {
        let statistics = Statistics::default();
        let read = || Some(ClientStatistics { requests: 3, rtt_max_us: 7, ..Default::default() });
        let kept = KafkaNumbers::report(&statistics, "outputs.kafka", "kafka_producer", read);
        statistics.refresh();
        let all = statistics.all();
        assert_eq!(all.len(), FIELDS.len());
        assert!(all.iter().all(|each| each.measurement == "kafka_producer"));
        let number = |field| all.iter().find(|each| each.field == field).unwrap().number.take();
        assert_eq!((number("requests"), number("rtt_max_us"), number("records")), (3, 7, 0));
        drop(kept);
        statistics.counter("kafka_producer", "requests", &[("output", "kafka")]).set(9);
        statistics.refresh();
        assert_eq!(number("requests"), 9);
    }
}
