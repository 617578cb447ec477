//! Scales the values of fields.
//!
//! # References
//! Telegraf's `processors.scale`.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::metric::{Metric, Value};
use crate::plugin::glob::GlobError;
use crate::plugin::{
    Build, BuildError, Context, Declaration, Patterns, PluginLog, Processor, Quoted, go,
};

/// The processor as the table lists it.
pub static PLUGIN: Declaration<dyn Processor> =
    Declaration::new::<Config>("scale", include_str!("sample.conf"));

/// The settings of the processor.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    /// The scalings; each sees what the ones before have made.
    pub scaling: Option<Vec<ScalingConfig>>,
}

/// One scaling, by ranges or by a factor and an offset.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct ScalingConfig {
    /// The value that becomes `output_minimum`.
    pub input_minimum: Option<f64>,
    /// The value that becomes `output_maximum`.
    pub input_maximum: Option<f64>,
    /// What `input_minimum` becomes.
    pub output_minimum: Option<f64>,
    /// What `input_maximum` becomes.
    pub output_maximum: Option<f64>,
    /// What values are multiplied by.
    pub factor: Option<f64>,
    /// What is added afterwards.
    pub offset: Option<f64>,
    /// Patterns for the fields.
    pub fields: Vec<String>,
}

/// Why a scaling makes no sense.
#[derive(Debug, thiserror::Error)]
pub enum ScalingError {
    /// There is none.
    #[error("no valid scaling defined")]
    None,
    /// It is of both kinds.
    #[error(
        "scaling {number}: cannot use factor/offset and minimum/maximum at the same time for \
         fields {fields}"
    )]
    BothKinds {
        /// Which scaling, counted from 1.
        number: usize,
        /// Its fields.
        fields: String,
    },
    /// A bound is missing.
    #[error("scaling {number}: all minimum and maximum values need to be set for fields {fields}")]
    Incomplete {
        /// Which scaling, counted from 1.
        number: usize,
        /// Its fields.
        fields: String,
    },
    /// It is of neither kind.
    #[error("scaling {number}: no scaling defined for fields {fields}")]
    Empty {
        /// Which scaling, counted from 1.
        number: usize,
        /// Its fields.
        fields: String,
    },
    /// A range has no extent.
    #[error("scaling {number}: {range} minimum and maximum are equal for fields {fields}")]
    NoRange {
        /// Which scaling, counted from 1.
        number: usize,
        /// Which range.
        range: &'static str,
        /// Its fields.
        fields: String,
    },
    /// It has no fields.
    #[error("scaling {number}: no fields are given; list some, or \"*\" for all")]
    NoFields {
        /// Which scaling, counted from 1.
        number: usize,
    },
    /// A pattern is wrong.
    #[error("scaling {number}: could not compile fields filter: {source}")]
    Pattern {
        /// Which scaling, counted from 1.
        number: usize,
        /// What is wrong with which pattern.
        source: GlobError,
    },
}

impl Build<dyn Processor> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn Processor>, BuildError> {
        let Some(configs) = self.scaling else {
            return Err(BuildError::invalid(ScalingError::None));
        };
        warn_of_double_fields(&configs, &context.log);
        let scalings = configs.iter().enumerate().map(|(at, each)| Scaling::new(at + 1, each));
        let scalings = scalings.collect::<Result<_, _>>().map_err(BuildError::invalid)?;
        Ok(Box::new(Scale { scalings, log: context.log.clone() }))
    }
}

fn warn_of_double_fields(configs: &[ScalingConfig], log: &PluginLog) {
    let (mut seen, mut told) = (HashSet::new(), HashSet::new());
    for field in configs.iter().flat_map(|config| &config.fields) {
        if !seen.insert(field) && told.insert(field) {
            log.warn(format_args!("Filter field {} used twice in scalings", Quoted::new(field)));
        }
    }
}

struct Scaling {
    fields: Patterns,
    /// The value that becomes `shift_out`.
    shift_in: f64,
    scale: f64,
    shift_out: f64,
}

impl Scaling {
    fn new(number: usize, config: &ScalingConfig) -> Result<Scaling, ScalingError> {
        let fields = config.fields.join(",");
        let bounds = [
            config.input_minimum,
            config.input_maximum,
            config.output_minimum,
            config.output_maximum,
        ];
        let is_shift = config.factor.is_some() || config.offset.is_some();
        let (shift_in, scale, shift_out) = match bounds {
            [None, None, None, None] if !is_shift => {
                return Err(ScalingError::Empty { number, fields });
            }
            [None, None, None, None] => {
                (0.0, config.factor.unwrap_or(1.0), config.offset.unwrap_or(0.0))
            }
            _ if is_shift => return Err(ScalingError::BothKinds { number, fields }),
            [Some(in_min), Some(in_max), Some(out_min), Some(out_max)] => {
                for (range, min, max) in [("input", in_min, in_max), ("output", out_min, out_max)] {
                    if min == max {
                        return Err(ScalingError::NoRange { number, range, fields });
                    }
                }
                (in_min, (out_max - out_min) / (in_max - in_min), out_min)
            }
            _ => return Err(ScalingError::Incomplete { number, fields }),
        };
        let fields = Patterns::new(&config.fields)
            .map_err(|source| ScalingError::Pattern { number, source })?
            .ok_or(ScalingError::NoFields { number })?;
        Ok(Scaling { fields, shift_in, scale, shift_out })
    }
}

/// A processor that scales.
struct Scale {
    scalings: Vec<Scaling>,
    log: PluginLog,
}

impl Processor for Scale {
    fn apply(&mut self, mut metrics: Vec<Metric>) -> Vec<Metric> {
        for metric in &mut metrics {
            for scaling in &self.scalings {
                for field in metric.fields_mut() {
                    if !scaling.fields.match_any(&field.key) {
                        continue;
                    }
                    match go::to_float(&field.value) {
                        Ok(value) => {
                            let scaled =
                                scaling.scale * (value - scaling.shift_in) + scaling.shift_out;
                            field.value = Value::Float(scaled);
                        }
                        Err(error) => self.log.error(format_args!(
                            "Error converting {} to float: {error}",
                            Quoted::new(&field.key)
                        )),
                    }
                }
            }
        }
        metrics
    }
}
