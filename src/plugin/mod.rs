//! What a plugin author reads: the contracts of the plugin kinds, and what plugins are given.
//!
//! A plugin lives in its own folder below [`crate::plugins`], declares itself in a
//! [`Declaration`], and implements one of the traits here. It is only its own subject: intervals,
//! filters, names, tags, buffers, statistics and error logging belong to the engine around it.
//!
//! # References
//! Telegraf's `input.go`, `processor.go`, `aggregator.go`, `output.go`, `parser.go` and
//! `serializer.go` for the vocabulary.

mod accumulator;
pub mod aws;
mod character_encoding;
mod context;
mod declaration;
mod deprecation;
mod error;
pub mod event_time;
pub mod exposition;
pub mod glob;
pub mod go;
pub mod http_options;
pub mod json_path;
mod kafka_numbers;
mod kafka_options;
pub mod line_protocol;
mod log;
mod measured;
mod name_template;
mod overrides;
mod patterns;
mod quote;
pub mod secrets;
pub mod series;
pub mod settings;
mod shown;
pub mod starlark;
mod state;
mod statistics;
pub mod template;
mod time_format;
mod time_layout;

pub use accumulator::{Accumulator, Deliver, ServiceAccumulator};
pub use character_encoding::CharacterEncoding;
pub use context::{Context, Formats, Parsers};
pub use declaration::{AnyDeclaration, Build, Declaration, Kind, OfKind, SharedOptions, values_of};
pub use deprecation::DeprecatedOption;
pub use error::{
    BuildError, ConnectError, NotEnoughData, PluginError, Rejection, StartError, WriteError,
};
pub use kafka_numbers::KafkaNumbers;
pub use kafka_options::KafkaOptions;
pub use log::PluginLog;
pub use name_template::{NameParts, NameTemplateError, NameTemplates};
pub use overrides::Overrides;
pub use patterns::Patterns;
pub use quote::Quoted;
pub use secrets::SecretStore;
pub use shown::{Shown, ShownFloat};
pub use state::Stateful;
pub use statistics::{
    AverageTime, Counter, Number, PluginStatistics, Refresh, Statistic, Statistics,
};
pub use time_format::{TimeError, TimeFormat, UnknownZone, WrittenTime, time_zone};
pub use time_layout::{TimeLayout, TimeParseError};

use crate::metric::Metric;

/// Brings metrics in.
///
/// Most inputs only gather, once each interval. A service input starts threads of its own in
/// [`Input::start`] and hands metrics over whenever they come.
pub trait Input: Send {
    /// Starts the work that goes on between rounds; inputs that only gather need none.
    ///
    /// # Errors
    /// [`StartError`] says whether trying again later makes sense.
    fn start(&mut self, accumulator: ServiceAccumulator) -> Result<(), StartError> {
        drop(accumulator);
        Ok(())
    }

    /// Adds the metrics of one round to the accumulator.
    ///
    /// # Errors
    /// An error is logged and counted by the engine; metrics already added stay.
    fn gather(&mut self, accumulator: &mut Accumulator<'_>) -> Result<(), PluginError>;

    /// Ends what [`Input::start`] began and waits for it.
    fn stop(&mut self) {}

    /// What is left to do after all outputs have ended, when it is known what has become of the
    /// metrics that the input has brought in. It is asked for once, after [`Input::stop`], and has
    /// ten seconds then; what takes longer is left behind.
    fn finish(&mut self) -> Option<Finish> {
        None
    }

    /// The plugin's state, if it has any that outlives the agent.
    fn stateful(&mut self) -> Option<&mut dyn Stateful> {
        None
    }

    /// Whether metrics come from [`Input::start`] rather than from rounds; their times are then
    /// left at full precision.
    fn is_service(&self) -> bool {
        false
    }

    /// Whether a gather only reads what the kernel has in memory, and so never waits for long.
    ///
    /// Brief inputs take their rounds one after the other on a thread that they share: waking a
    /// thread of its own for each costs as much as the reading.
    fn is_brief(&self) -> bool {
        false
    }

    /// Whether a first gather only takes a baseline, so that `--test` and `--once` gather twice.
    fn is_differential(&self) -> bool {
        false
    }
}

/// What an input does last of all; it holds no way into the pipeline.
pub type Finish = Box<dyn FnOnce() + Send>;

/// Changes metrics on their way.
///
/// Most processors only apply. One that has to wait for what metrics become, such as for another
/// program, hands it over later through the accumulator that it is started with.
pub trait Processor: Send {
    /// Starts the work that goes on between groups; processors that only apply need none.
    ///
    /// Adding to the accumulator never blocks.
    ///
    /// # Errors
    /// The agent does not start then.
    fn start(&mut self, later: ServiceAccumulator) -> Result<(), StartError> {
        drop(later);
        Ok(())
    }

    /// Takes metrics and returns what they have become by now; order is kept by the engine.
    fn apply(&mut self, metrics: Vec<Metric>) -> Vec<Metric>;

    /// Ends what [`Processor::start`] began; what is still to come is handed over before it
    /// returns.
    fn stop(&mut self) {}

    /// The plugin's state, if it has any that outlives the agent.
    fn stateful(&mut self) -> Option<&mut dyn Stateful> {
        None
    }
}

/// Condenses the metrics of a period.
pub trait Aggregator: Send {
    /// Takes one metric into account.
    fn add(&mut self, metric: &Metric);

    /// Adds what the period came to to the accumulator.
    fn push(&mut self, accumulator: &mut Accumulator<'_>);

    /// Forgets the period.
    fn reset(&mut self);
}

/// Takes metrics out.
pub trait Output: Send {
    /// Prepares for writing: opens, connects, authenticates. Called again after a failure if the
    /// settings ask for it.
    ///
    /// # Errors
    /// [`ConnectError`] says whether trying again later makes sense.
    fn connect(&mut self) -> Result<(), ConnectError>;

    /// Writes a batch.
    ///
    /// # Errors
    /// [`WriteError`] says which metrics are to be kept for another try and which are given up;
    /// after `Ok` all of them count as delivered.
    fn write(&mut self, batch: &[Metric]) -> Result<(), WriteError>;

    /// Finishes what is under way and lets go of files and connections.
    ///
    /// # Errors
    /// Whatever was found out too late for [`Output::write`] to tell.
    fn close(&mut self) -> Result<(), PluginError> {
        Ok(())
    }
}

/// Turns bytes into metrics.
pub trait Parser: Send {
    /// Parses one self-contained piece of input, such as a file or a record's value.
    ///
    /// # Errors
    /// One bad line voids the whole input, as Telegraf does it; the error says where.
    /// A parser that is still waiting for the rest of a header answers [`NotEnoughData`]; an input
    /// that reads line by line passes over that in silence.
    fn parse(&mut self, input: &[u8]) -> Result<Vec<Metric>, PluginError>;

    /// Forgets what earlier input has told, such as the names of columns. Inputs call it before
    /// each piece that stands for itself, such as another file.
    fn reset(&mut self) {}

    /// Tells what the sender says the next input is: the value of its `Content-Type`.
    fn set_content_type(&mut self, content_type: &str) {
        let _ = content_type;
    }

    /// How many bytes at the beginning of a stream are a piece that can be parsed by itself, its
    /// end counted; `None` while its end has not come.
    ///
    /// Where a format does not say otherwise each line is a piece.
    fn piece_of_stream(&self, stream: &[u8]) -> Option<usize> {
        memchr::memchr(b'\n', stream).map(|end| end + 1)
    }

    /// How many bytes at the beginning of a long text can be parsed before the rest is read, the
    /// more the better; `None` if none can, or the format has to see a text as a whole.
    ///
    /// Parts that are parsed one after the other, without a [`Parser::reset`] between them, give
    /// the metrics that the whole would give.
    fn part_of_text(&self, text: &[u8]) -> Option<usize> {
        let _ = text;
        None
    }

    /// Whether it matters to the parser how the program ended that has written the input; then
    /// output is parsed also of programs that fail.
    fn reads_exits(&self) -> bool {
        false
    }

    /// Adds how a program ended to the metrics of its output, for parsers to which it matters.
    fn add_exit(&self, exit: &ProgramExit<'_>, metrics: &mut Vec<Metric>) {
        let _ = (exit, metrics);
    }
}

/// How a program ended whose output is parsed.
#[derive(Debug, Clone, Copy)]
pub struct ProgramExit<'e> {
    /// What it ended with, -1 for a signal; or why it did not run, or not to its end.
    pub code: Result<i32, &'e str>,
    /// What it wrote to standard error.
    pub stderr: &'e [u8],
}

/// Turns metrics into bytes.
pub trait Serializer: Send {
    /// Appends one metric to `out`, with the line end that the format asks for.
    ///
    /// # Errors
    /// If the metric cannot be written in this format; nothing is appended then.
    fn serialize(&mut self, metric: &Metric, out: &mut Vec<u8>) -> Result<(), PluginError>;

    /// Appends a batch to `out`; metrics that cannot be written are left out and reported by
    /// index.
    ///
    /// # Errors
    /// If the batch as a whole cannot be written; nothing is appended then.
    fn serialize_batch(
        &mut self,
        metrics: &[Metric],
        out: &mut Vec<u8>,
    ) -> Result<Vec<Rejection>, PluginError> {
        let mut rejected = Vec::new();
        for (index, metric) in metrics.iter().enumerate() {
            if let Err(reason) = self.serialize(metric, out) {
                rejected.push(Rejection { index, reason });
            }
        }
        Ok(rejected)
    }
}
