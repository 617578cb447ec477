//! How warm the machine is.
//!
//! # References
//! Telegraf's `inputs.temp`.

mod sensors;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use crate::metric::{Field, Metric, Tag, Timestamp};
use crate::plugin::{
    Accumulator, Build, BuildError, Context, Declaration, Input, PluginError, PluginLog, Quoted,
};
use sensors::{Places, Sensor, Values};

/// Declares `inputs.temp`.
pub static PLUGIN: Declaration<dyn Input> =
    Declaration::new::<Config>("temp", include_str!("sample.conf"));

/// The settings of `inputs.temp`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    metric_format: String,
    add_device_tag: bool,
    always_gather_zones: bool,
}

impl Default for Config {
    fn default() -> Config {
        let metric_format = "v2".to_owned();
        Config { metric_format, add_device_tag: false, always_gather_zones: false }
    }
}

impl Build<dyn Input> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn Input>, BuildError> {
        let format = match self.metric_format.as_str() {
            "" | "v2" => Format::V2,
            "v1" => Format::V1,
            other => {
                let other = Quoted::new(other);
                return Err(BuildError::invalid(format!("invalid 'metric_format' {other}")));
            }
        };
        let places = Places::below(&context.system.host.roots().sys)
            .map_err(|error| BuildError::invalid(format!("getting sensors failed: {error}")))?;
        Ok(Box::new(Temp {
            format,
            devices: if self.add_device_tag { Devices::InTag } else { Devices::Untold },
            zones: if self.always_gather_zones { Zones::Always } else { Zones::WithoutSensors },
            places,
            log: context.log.clone(),
        }))
    }
}

/// How sensors are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    V1,
    V2,
}

/// What is told of the devices that sensors belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Devices {
    InTag,
    Untold,
}

/// When thermal zones are reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Zones {
    Always,
    WithoutSensors,
}

struct Temp {
    format: Format,
    devices: Devices,
    zones: Zones,
    places: Places,
    log: PluginLog,
}

impl Input for Temp {
    fn gather(&mut self, accumulator: &mut Accumulator<'_>) -> Result<(), PluginError> {
        let values = match self.format {
            Format::V1 => Values::All,
            Format::V2 => Values::Temperature,
        };
        let mut sensors = self.places.sensors(values, &self.log);
        if sensors.is_empty() || self.zones == Zones::Always {
            sensors.extend(self.places.zones(&self.log));
        }
        let now = accumulator.now();
        for sensor in &sensors {
            self.report(sensor, now, accumulator);
        }
        Ok(())
    }
}

impl Temp {
    fn report(&self, sensor: &Sensor, now: Timestamp, accumulator: &mut Accumulator<'_>) {
        let mut add = |name, value| accumulator.add(self.metric(sensor, name, value, now));
        match self.format {
            Format::V2 => add(sensor_name(sensor, "_"), sensor.temperature),
            Format::V1 => {
                let name = sensor_name(sensor, "");
                add(format!("{name}_input"), sensor.temperature);
                for (kind, value) in &sensor.limits {
                    add(format!("{name}_{kind}"), *value);
                }
            }
        }
    }

    fn metric(&self, sensor: &Sensor, name: String, value: f64, now: Timestamp) -> Metric {
        let tag = |key, value| Tag { key: CompactString::const_new(key), value };
        let mut tags = Vec::with_capacity(2);
        if self.devices == Devices::InTag {
            tags.push(tag("device", sensor.device.as_str().into()));
        }
        tags.push(tag("sensor", name.into()));
        let field = Field { key: CompactString::const_new("temp"), value: value.into() };
        Metric::from_lists("temp", now, tags, vec![field])
    }
}

/// The name of the chip or zone and, where there is one, the label without its blanks.
fn sensor_name(sensor: &Sensor, blank: &str) -> String {
    match sensor.label.as_str() {
        "" => sensor.name.clone(),
        label => format!("{}_{}", sensor.name, label.replace(' ', blank)),
    }
}
