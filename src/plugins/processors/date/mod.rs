//! Adds the time of a metric as a tag or field.
//!
//! # References
//! Telegraf's `processors.date`.

use compact_str::CompactString;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::metric::{Metric, Timestamp, Value};
use crate::plugin::settings::Duration;
use crate::plugin::{
    Build, BuildError, Context, Declaration, Processor, TimeLayout, UnknownZone, time_zone,
};

/// The processor as the table lists it.
pub static PLUGIN: Declaration<dyn Processor> =
    Declaration::new::<Config>("date", include_str!("sample.conf"));

/// The settings of the processor.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    /// The tag that takes the time.
    pub tag_key: String,
    /// The field that takes the time; exactly one of both must be set.
    pub field_key: String,
    /// How the time is written.
    pub date_format: String,
    /// What is added to the time.
    pub date_offset: Duration,
    /// The time zone in which it is written.
    pub timezone: String,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            tag_key: String::new(),
            field_key: String::new(),
            date_format: String::new(),
            date_offset: Duration::ZERO,
            timezone: "UTC".into(),
        }
    }
}

/// Why settings make no sense.
#[derive(Debug, thiserror::Error)]
pub enum DateError {
    /// It is not clear where the time goes.
    #[error("field_key and tag_key cannot be specified at the same time")]
    TwoKeys,
    /// Nothing says where the time goes.
    #[error("at least one of field_key or tag_key must be specified")]
    NoKey,
    /// There is no such time zone.
    #[error(transparent)]
    Zone(#[from] UnknownZone),
}

impl Build<dyn Processor> for Config {
    fn build(self, _context: &Context<'_>) -> Result<Box<dyn Processor>, BuildError> {
        let target = match (self.tag_key.as_str(), self.field_key.as_str()) {
            ("", "") => Err(DateError::NoKey),
            (tag, "") => Ok(Target::Tag(tag.into(), TimeLayout::new(&self.date_format))),
            ("", field) => Ok(Target::Field(field.into(), Format::new(&self.date_format))),
            _ => Err(DateError::TwoKeys),
        };
        let target = target.map_err(BuildError::invalid)?;
        let zone = time_zone(&self.timezone).map_err(BuildError::invalid)?;
        Ok(Box::new(Date { target, zone, offset: self.date_offset }))
    }
}

/// Where the time goes, and how it is written there.
enum Target {
    Tag(CompactString, TimeLayout),
    Field(CompactString, Format),
}

enum Format {
    /// Seconds since 1970, rounded down.
    Seconds,
    /// Smaller units, rounded towards 1970 as the original does it.
    Units {
        nanos: i64,
    },
    Layout(TimeLayout),
}

impl Format {
    fn new(format: &str) -> Format {
        match format {
            "unix" => Format::Seconds,
            "unix_ms" => Format::Units { nanos: 1_000_000 },
            "unix_us" => Format::Units { nanos: 1_000 },
            "unix_ns" => Format::Units { nanos: 1 },
            layout => Format::Layout(TimeLayout::new(layout)),
        }
    }
}

/// A processor that adds times.
struct Date {
    target: Target,
    zone: TimeZone,
    offset: Duration,
}

impl Date {
    fn add_to(&self, metric: &mut Metric) {
        let nanos = metric.time.nanos().saturating_add(self.offset.nanos());
        let time = Timestamp::from_nanos(nanos);
        match &self.target {
            Target::Tag(key, layout) => metric.set_tag(key.clone(), self.text(layout, time)),
            Target::Field(key, format) => {
                let value: Value = match format {
                    Format::Seconds => time.seconds().into(),
                    Format::Units { nanos: unit } => (nanos / unit).into(),
                    Format::Layout(layout) => self.text(layout, time).into(),
                };
                metric.set_field(key.clone(), value);
            }
        }
    }

    fn text(&self, layout: &TimeLayout, time: Timestamp) -> String {
        // Every number of nanoseconds that fits 64 bits is a time that jiff can hold.
        let time = jiff::Timestamp::from_nanosecond(i128::from(time.nanos()))
            .unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        layout.format(&time.to_zoned(self.zone.clone()))
    }
}

impl Processor for Date {
    fn apply(&mut self, mut metrics: Vec<Metric>) -> Vec<Metric> {
        metrics.iter_mut().for_each(|metric| self.add_to(metric));
        metrics
    }
}
