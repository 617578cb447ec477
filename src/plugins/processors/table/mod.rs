//! Tags and fields from a table that is kept up to date: from a compacted topic, or from a file.
//!
//! The table is as it is when a metric comes, as in a join of a stream with a table in Kafka
//! Streams; times are not compared. A row that comes later changes nothing of what has gone by.
//!
//! # References
//! Kafka Streams' joins of `KStream` and `GlobalKTable`.

mod file;
mod row;
mod topic;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::metric::Metric;
use crate::plugin::settings::Duration;
use crate::plugin::template::{Library, Template};
use crate::plugin::{
    Build, BuildError, Context, Counter, Declaration, KafkaOptions, Patterns, PluginError,
    PluginLog, Processor, ServiceAccumulator, StartError,
};
use crate::system::Clock;

use file::{FileFormat, FileWatch, TableFile};
use row::{Columns, Row, RowFormat, Rows};
use topic::{TableTopic, TopicWatch};

/// The processor as the table of processors lists it.
pub static PLUGIN: Declaration<dyn Processor> =
    Declaration::sharing::<Config, KafkaOptions>("table", include_str!("sample.conf"));

/// The settings of the processor.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    topic: String,
    file: String,
    format: Format,
    key_column: String,
    file_check_interval: Duration,
    start_timeout: Duration,
    key_tag: String,
    key: String,
    tags: Vec<String>,
    fields: Vec<String>,
    prefix: String,
    missing: Missing,
}

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    Json,
    Influx,
    Csv,
}

/// What becomes of metrics of which the table has no row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Missing {
    Pass,
    Drop,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            topic: String::new(),
            file: String::new(),
            format: Format::Json,
            key_column: "key".to_owned(),
            file_check_interval: Duration::from_secs(5),
            start_timeout: Duration::from_secs(60),
            key_tag: String::new(),
            key: String::new(),
            tags: vec!["*".to_owned()],
            fields: Vec::new(),
            prefix: String::new(),
            missing: Missing::Pass,
        }
    }
}

impl Build<dyn Processor> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn Processor>, BuildError> {
        let key = match (self.key_tag.is_empty(), self.key.is_empty()) {
            (false, true) => Key::Tag(self.key_tag.clone()),
            (true, false) => Key::Template(
                Template::new("key", &self.key, Library::Standard, &context.system)
                    .map_err(|error| BuildError::invalid(format!("key: {error}")))?,
            ),
            _ => {
                return Err(BuildError::invalid(
                    "either key_tag or key says which row a metric belongs to",
                ));
            }
        };
        let statistics = context.statistics.of_plugin(context.log.name());
        let missing = statistics.counter("metrics_without_row");
        let source = self.source(context, statistics.counter("rows_failed"))?;
        if self.file_check_interval <= Duration::ZERO || self.start_timeout <= Duration::ZERO {
            return Err(BuildError::invalid(
                "file_check_interval and start_timeout are longer than nothing",
            ));
        }
        Ok(Box::new(TableJoin {
            source: Some(source),
            watch: None,
            rows: Rows::default(),
            key,
            missing: self.missing,
            check_interval: self.file_check_interval.to_std(),
            start_timeout: self.start_timeout.to_std(),
            without_row: missing,
            clock: context.system.clock.clone(),
            log: context.log.clone(),
            text: String::new(),
        }))
    }
}

impl Config {
    fn source(&self, context: &Context<'_>, failures: Counter) -> Result<Source, BuildError> {
        let patterns = |list| Patterns::new(list).map_err(BuildError::invalid);
        let columns = Columns {
            tags: patterns(&self.tags)?,
            fields: patterns(&self.fields)?,
            prefix: self.prefix.clone(),
        };
        let of_rows = |format| match format {
            Format::Json => Ok(RowFormat::Json),
            _ => context.parser("influx").map(RowFormat::Metric),
        };
        match (self.topic.is_empty(), self.file.is_empty()) {
            (true, false) => {
                // None of them is needed, and all may be there.
                let _ = context.settings().read::<KafkaOptions>()?;
                let format = match self.format {
                    Format::Csv => FileFormat::Csv,
                    format => FileFormat::Lines(of_rows(format)?),
                };
                let (path, key) = (self.file.clone().into(), self.key_column.clone());
                Ok(Source::File(TableFile { path, format, key, columns }))
            }
            (false, true) if self.format == Format::Csv => {
                Err(BuildError::invalid("format \"csv\" is for files; records hold one row each"))
            }
            (false, true) => Ok(Source::Topic(Box::new(TableTopic {
                connection: KafkaOptions::connection(context)?,
                topic: self.topic.clone(),
                format: of_rows(self.format)?,
                columns,
                failures,
            }))),
            _ => Err(BuildError::invalid("either topic or file says where the table is")),
        }
    }
}

/// Where the table is.
enum Source {
    Topic(Box<TableTopic>),
    File(TableFile),
}

/// What keeps the table up to date; it ends when this is dropped.
enum Watch {
    Topic { _watch: TopicWatch },
    File { _watch: FileWatch },
}

/// What tells which row a metric belongs to.
enum Key {
    Tag(String),
    Template(Template),
}

/// A processor that looks metrics up in a table.
struct TableJoin {
    /// Until the start.
    source: Option<Source>,
    watch: Option<Watch>,
    rows: Rows,
    key: Key,
    missing: Missing,
    check_interval: std::time::Duration,
    start_timeout: std::time::Duration,
    without_row: Counter,
    clock: Arc<dyn Clock>,
    log: PluginLog,
    /// Room for a key, used again and again.
    text: String,
}

impl Processor for TableJoin {
    fn start(&mut self, later: ServiceAccumulator) -> Result<(), StartError> {
        drop(later);
        let (rows, clock, log) = (self.rows.clone(), self.clock.clone(), self.log.clone());
        let watch = match self.source.take() {
            None => return Ok(()),
            Some(Source::Topic(topic)) => {
                TopicWatch::start(*topic, self.start_timeout, rows, clock, log)
                    .map(|watch| Watch::Topic { _watch: watch })
            }
            Some(Source::File(file)) => {
                FileWatch::start(file, self.check_interval, rows, clock, log)
                    .map(|watch| Watch::File { _watch: watch })
            }
        };
        let failed = |source: PluginError| StartError { retryable: false, source };
        self.watch = Some(watch.map_err(failed)?);
        Ok(())
    }

    fn apply(&mut self, mut metrics: Vec<Metric>) -> Vec<Metric> {
        let rows = self.rows.read();
        let (key, text, log) = (&self.key, &mut self.text, &self.log);
        let mut without = 0;
        metrics.retain_mut(|metric| {
            let row = match key {
                Key::Tag(tag) => metric.tag(tag).and_then(|key| rows.get(key)),
                Key::Template(template) => {
                    text.clear();
                    match template.fill(metric, text) {
                        Ok(()) => rows.get(text.as_str()),
                        Err(error) => {
                            log.error(format_args!("making the key failed: {error}"));
                            None
                        }
                    }
                }
            };
            match row {
                Some(row) => {
                    row.go_into(metric);
                    true
                }
                None => {
                    without += 1;
                    self.missing == Missing::Pass
                }
            }
        });
        self.without_row.add(without);
        metrics
    }

    fn stop(&mut self) {
        self.watch = None;
    }
}

impl Row {
    fn go_into(&self, metric: &mut Metric) {
        for tag in &self.tags {
            metric.set_tag(tag.key.clone(), tag.value.clone());
        }
        for field in &self.fields {
            metric.set_field(field.key.clone(), field.value.clone());
        }
    }
}
