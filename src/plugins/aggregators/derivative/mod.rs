//! How fast fields change: by the second, or by another field.
//!
//! # References
//! Telegraf's `aggregators.derivative`.

use compact_str::format_compact;
use serde::{Deserialize, Serialize};

use crate::metric::{Field, Metric, Timestamp, Value, seconds};
use crate::plugin::series::{FieldMap, Series, SeriesMap};
use crate::plugin::{Accumulator, Aggregator, Build, BuildError, Context, Declaration};

/// Declares `aggregators.derivative`.
pub static PLUGIN: Declaration<dyn Aggregator> =
    Declaration::new::<Config>("derivative", include_str!("sample.conf"));

/// The settings of `aggregators.derivative`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    variable: String,
    suffix: String,
    max_roll_over: u64,
}

impl Default for Config {
    fn default() -> Config {
        Config { variable: String::new(), suffix: "_rate".to_owned(), max_roll_over: 10 }
    }
}

impl Build<dyn Aggregator> for Config {
    fn build(mut self, _: &Context<'_>) -> Result<Box<dyn Aggregator>, BuildError> {
        self.variable = self.variable.trim().to_owned();
        self.suffix = self.suffix.trim().to_owned();
        Ok(Box::new(Derivative { config: self, series: SeriesMap::default() }))
    }
}

struct Derivative {
    config: Config,
    series: SeriesMap<Course>,
}

/// The two ends of what is known of a series.
#[derive(Debug)]
struct Course {
    first: Event,
    /// None where the first one is also the last.
    last: Option<Event>,
    /// How many periods have brought nothing new at either end.
    roll_overs: u64,
}

/// The numbers of a series at one time.
#[derive(Debug, Default)]
struct Event {
    time: Timestamp,
    fields: FieldMap<f64>,
}

impl Event {
    fn of(metric: &Metric) -> Event {
        let mut event = Event { time: metric.time, fields: FieldMap::default() };
        event.take_in(metric);
        event
    }

    /// Becomes the event of another metric, in the same room.
    fn replace(&mut self, metric: &Metric) {
        self.time = metric.time;
        self.fields.clear();
        self.take_in(metric);
    }

    fn take_in(&mut self, metric: &Metric) {
        for field in metric.fields() {
            if let Some(value) = field.value.as_f64() {
                self.fields.set(&field.key, value);
            }
        }
    }
}

impl Course {
    fn add(&mut self, metric: &Metric) {
        if metric.time < self.first.time {
            let first = std::mem::replace(&mut self.first, Event::of(metric));
            self.last.get_or_insert(first);
            self.roll_overs = 0;
            return;
        }
        if metric.time == self.first.time {
            self.first.take_in(metric);
            self.roll_overs = 0;
        }
        match &mut self.last {
            None if metric.time > self.first.time => self.last = Some(Event::of(metric)),
            Some(last) if metric.time > last.time => last.replace(metric),
            Some(last) if metric.time == last.time => last.take_in(metric),
            _ => return,
        }
        self.roll_overs = 0;
    }

    /// By what the changes are divided: seconds, or the change of the variable.
    fn divisor(&self, last: &Event, variable: &str) -> Option<f64> {
        let divisor = match variable {
            "" => seconds(last.time.nanos_after(self.first.time)),
            variable => last.fields.get(variable)? - self.first.fields.get(variable)?,
        };
        (divisor != 0.0).then_some(divisor)
    }
}

impl Aggregator for Derivative {
    fn add(&mut self, metric: &Metric) {
        match self.series.get_mut(metric) {
            Some(course) => course.add(metric),
            None => {
                let first = Event::of(metric);
                self.series.get_or_insert_with(metric, || Course {
                    first,
                    last: None,
                    roll_overs: 0,
                });
            }
        }
    }

    fn push(&mut self, accumulator: &mut Accumulator<'_>) {
        let now = accumulator.now();
        let Config { variable, suffix, .. } = &self.config;
        for series in self.series.iter() {
            let Series { value: course, .. } = series;
            let Some(last) = &course.last else { continue };
            let Some(divisor) = course.divisor(last, variable) else { continue };
            let changed = course.first.fields.iter().filter(|(key, _)| *key != variable);
            let fields: Vec<Field> = changed
                .filter_map(|(key, start)| {
                    let value = Value::Float((last.fields.get(key)? - start) / divisor);
                    Some(Field { key: format_compact!("{key}{suffix}"), value })
                })
                .collect();
            if !fields.is_empty() {
                accumulator.add(series.metric(now, fields));
            }
        }
    }

    /// The last event of a period is the first of the next.
    fn reset(&mut self) {
        let most = self.config.max_roll_over;
        self.series.retain(|series| {
            let course = &mut series.value;
            if course.roll_overs >= most {
                return false;
            }
            if let Some(last) = course.last.take() {
                course.first = last;
            }
            course.roll_overs += 1;
            true
        });
    }
}
