//! Parsers and serializers whose work is counted, for `inputs.internal`.
//!
//! # References
//! Telegraf's `models/running_parsers.go` and `models/running_serializer.go`.

use std::sync::Arc;
use std::time::Duration;

use super::{Counter, Parser, PluginError, ProgramExit, Rejection, Serializer, Statistics};
use crate::metric::Metric;
use crate::system::Clock;

/// What is counted of a format, for all plugins that use it.
pub(super) struct Measures {
    statistics: Statistics,
    clock: Arc<dyn Clock>,
    metrics: Counter,
    bytes: Counter,
    time_ns: Counter,
}

impl Measures {
    /// The counters of the parsers of `format`.
    pub(super) fn of_parser(
        statistics: &Statistics,
        clock: &Arc<dyn Clock>,
        format: &str,
    ) -> Measures {
        let counter = |field| statistics.counter("parser", field, &[("type", format)]);
        Measures {
            statistics: statistics.clone(),
            clock: clock.clone(),
            metrics: counter("metrics_parsed"),
            // How much is parsed is not reported.
            bytes: Counter::default(),
            time_ns: counter("parse_time_ns"),
        }
    }

    /// The counters of the serializers of `format`.
    pub(super) fn of_serializer(
        statistics: &Statistics,
        clock: &Arc<dyn Clock>,
        format: &str,
    ) -> Measures {
        let counter = |field| statistics.counter("serializer", field, &[("type", format)]);
        Measures {
            statistics: statistics.clone(),
            clock: clock.clone(),
            metrics: counter("metrics_serialized"),
            bytes: counter("bytes_serialized"),
            time_ns: counter("serialization_time_ns"),
        }
    }

    /// When the work began; `None` if nobody asks, to spare looking at the clock for each metric.
    fn begin(&self) -> Option<Duration> {
        self.statistics.are_formats_watched().then(|| self.clock.elapsed())
    }

    fn end(&self, began: Option<Duration>, n_metrics: usize, n_bytes: usize) {
        let Some(began) = began else { return };
        let took = self.clock.elapsed().saturating_sub(began);
        self.time_ns.add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
        self.metrics.add(n_metrics as u64);
        self.bytes.add(n_bytes as u64);
    }
}

/// A parser whose work is counted.
pub(super) struct MeasuredParser {
    pub(super) parser: Box<dyn Parser>,
    pub(super) measures: Measures,
}

impl Parser for MeasuredParser {
    fn parse(&mut self, input: &[u8]) -> Result<Vec<Metric>, PluginError> {
        let began = self.measures.begin();
        let result = self.parser.parse(input);
        self.measures.end(began, result.as_ref().map_or(0, Vec::len), input.len());
        result
    }

    fn reset(&mut self) {
        self.parser.reset();
    }

    fn set_content_type(&mut self, content_type: &str) {
        self.parser.set_content_type(content_type);
    }

    fn piece_of_stream(&self, stream: &[u8]) -> Option<usize> {
        self.parser.piece_of_stream(stream)
    }

    fn part_of_text(&self, text: &[u8]) -> Option<usize> {
        self.parser.part_of_text(text)
    }

    fn reads_exits(&self) -> bool {
        self.parser.reads_exits()
    }

    fn add_exit(&self, exit: &ProgramExit<'_>, metrics: &mut Vec<Metric>) {
        self.parser.add_exit(exit, metrics);
    }
}

/// A serializer whose work is counted.
pub(super) struct MeasuredSerializer {
    pub(super) serializer: Box<dyn Serializer>,
    pub(super) measures: Measures,
}

impl Serializer for MeasuredSerializer {
    fn serialize(&mut self, metric: &Metric, out: &mut Vec<u8>) -> Result<(), PluginError> {
        let began = self.measures.begin();
        let before = out.len();
        let result = self.serializer.serialize(metric, out);
        self.measures.end(began, 1, out.len().saturating_sub(before));
        result
    }

    fn serialize_batch(
        &mut self,
        metrics: &[Metric],
        out: &mut Vec<u8>,
    ) -> Result<Vec<Rejection>, PluginError> {
        let began = self.measures.begin();
        let before = out.len();
        let result = self.serializer.serialize_batch(metrics, out);
        self.measures.end(began, metrics.len(), out.len().saturating_sub(before));
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::Timestamp;
    use crate::system::fake::FakeClock;

    /// Takes three nanoseconds for everything: a metric from each byte, a byte for each metric.
    struct Slow(Arc<FakeClock>);

    impl Parser for Slow {
        fn parse(&mut self, input: &[u8]) -> Result<Vec<Metric>, PluginError> {
            self.0.advance(Duration::from_nanos(3));
            match input {
                b"bad" => Err("bad".into()),
                input => Ok(vec![Metric::new("m", Timestamp::EPOCH); input.len()]),
            }
        }
    }

    impl Serializer for Slow {
        fn serialize(&mut self, _metric: &Metric, out: &mut Vec<u8>) -> Result<(), PluginError> {
            self.0.advance(Duration::from_nanos(3));
            out.push(b'x');
            Ok(())
        }
    }

    fn numbers(statistics: &Statistics) -> Vec<(&'static str, u64)> {
        statistics.all().iter().map(|each| (each.field, each.number.take())).collect()
    }

    #[test]
    fn metrics_bytes_and_time_are_counted_where_somebody_asks_for_them() {
        let fake = Arc::new(FakeClock::at(Timestamp::EPOCH));
        let clock: Arc<dyn Clock> = fake.clone();
        let statistics = Statistics::default();
        let measures = Measures::of_parser(&statistics, &clock, "slow");
        let mut parser = MeasuredParser { parser: Box::new(Slow(fake.clone())), measures };
        let measures = Measures::of_serializer(&statistics, &clock, "slow");
        let mut serializer = MeasuredSerializer { serializer: Box::new(Slow(fake)), measures };
        let nothing = [
            ("metrics_parsed", 0),
            ("parse_time_ns", 0),
            ("metrics_serialized", 0),
            ("bytes_serialized", 0),
            ("serialization_time_ns", 0),
        ];
        parser.parse(b"abcd").unwrap();
        assert_eq!(numbers(&statistics), nothing);
        statistics.watch_formats();
        let metrics = parser.parse(b"abcd").unwrap();
        parser.parse(b"bad").unwrap_err();
        let mut out = b"before".to_vec();
        serializer.serialize(&metrics[0], &mut out).unwrap();
        serializer.serialize_batch(&metrics, &mut out).unwrap();
        assert_eq!(
            numbers(&statistics),
            [
                ("metrics_parsed", 4),
                ("parse_time_ns", 6),
                ("metrics_serialized", 5),
                ("bytes_serialized", 5),
                ("serialization_time_ns", 15),
            ]
        );
    }

    /// The names of the functions in the block that begins with `head`.
    fn functions<'a>(text: &'a str, head: &str) -> Vec<&'a str> {
        let (_, block) = text.split_once(head).unwrap();
        let (block, _) = block.split_once("\n}\n").unwrap();
        let lines = block.lines().filter_map(|line| line.strip_prefix("    fn "));
        lines.filter_map(|line| line.split('(').next()).collect()
    }

    /// One that is not passed on would fall back to the default of the trait in silence.
    #[test]
    fn every_function_of_a_format_is_passed_on() {
        let (traits, own) = (include_str!("mod.rs"), include_str!("measured.rs"));
        for (declared, passed_on) in [
            ("pub trait Parser: Send {", "impl Parser for MeasuredParser {"),
            ("pub trait Serializer: Send {", "impl Serializer for MeasuredSerializer {"),
        ] {
            let declared = functions(traits, declared);
            assert!(!declared.is_empty());
            assert_eq!(functions(own, passed_on), declared);
        }
    }
}
