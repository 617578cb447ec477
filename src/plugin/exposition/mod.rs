//! How Prometheus is told of metrics: families of series, and their text.
//!
//! The serializer `prometheus` writes it of each batch, and `outputs.prometheus_client` of what came
//! over some time.
//!
//! # References
//! Telegraf's `prometheus` serializer for what becomes of metrics; the exposition formats of
//! Prometheus and its Go library `expfmt` for the text.

mod collection;
mod conversion;
mod name;
mod text;

pub use collection::{Collection, Distribution, Family, Label, Labels, Measured, Series};
pub use conversion::{Conversion, MetricTypes, StringFields, TypesByName};
pub use name::{Characters, Escaping};
pub use text::{Descriptions, FamilyWriter, Style, TextWriter, Times};

/// What is told about families that were made of metrics.
pub const HELP: &str = "Telegraf collected metric";
