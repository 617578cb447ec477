//! The line protocol of InfluxDB, to the byte as Telegraf's own parser takes it.
//!
//! The parser `influx` reads whole inputs with it, of which one bad line costs all, and
//! `inputs.influxdb_listener` lines of which each stands for itself. metric-sink takes the parts of
//! lines as they stand there, without making metrics of them.
//!
//! # References
//! The line protocol reference of InfluxDB; where it is silent, Telegraf 1.40 was asked.

mod error;
mod lines;
mod number;
mod parts;
mod plain;
mod stream;
mod text;

pub use error::{Fault, ParseError, Reason};
pub use lines::{Lines, NextLine};
pub use number::Number;
pub use parts::{FieldValue, Parts};
pub use plain::plain_length;
pub use stream::{first_line, whole_lines};
pub use text::Text;
