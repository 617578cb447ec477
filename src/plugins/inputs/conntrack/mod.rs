//! How full the kernel's table of tracked connections is, and what happens in it.
//!
//! # References
//! Telegraf's `inputs.conntrack`; the kernel's
//! `Documentation/networking/nf_conntrack-sysctl.rst`.

mod statistics;

use std::io;
use std::path::{Path, PathBuf};

use compact_str::{CompactString, format_compact};
use serde::{Deserialize, Serialize};

use crate::metric::{Field, Metric, Tag, Timestamp, Value, ValueType};
use crate::plugin::{
    Accumulator, Build, BuildError, Context, Declaration, Input, PluginError, Quoted,
};
use crate::system::{HostFile, Root};
use statistics::{Counts, FIELDS};

/// Declares `inputs.conntrack`.
pub static PLUGIN: Declaration<dyn Input> =
    Declaration::new::<Config>("conntrack", include_str!("sample.conf"));

const DIRS: [&str; 2] = ["/proc/sys/net/ipv4/netfilter", "/proc/sys/net/netfilter"];

const FILES: [&str; 4] =
    ["ip_conntrack_count", "ip_conntrack_max", "nf_conntrack_count", "nf_conntrack_max"];

/// The settings of `inputs.conntrack`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    collect: Vec<String>,
    dirs: Vec<PathBuf>,
    files: Vec<String>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            collect: Vec::new(),
            dirs: DIRS.map(PathBuf::from).into(),
            files: FILES.map(str::to_owned).into(),
        }
    }
}

impl Build<dyn Input> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn Input>, BuildError> {
        let collect = self.collect.iter().map(|choice| Extent::named(choice));
        let collect = collect.collect::<Result<_, _>>()?;
        // An empty list stands for the default one.
        let Config { dirs, files, .. } = Config::default();
        let dirs = if self.dirs.is_empty() { dirs } else { self.dirs };
        let files = if self.files.is_empty() { files } else { self.files };
        let levels =
            dirs.iter().flat_map(|dir| files.iter().filter_map(|file| Level::new(dir, file)));
        Ok(Box::new(Conntrack {
            collect,
            levels: levels.collect(),
            statistics: context.system.host.file(Root::Proc, "net/stat/nf_conntrack"),
            buffer: Vec::new(),
        }))
    }
}

/// Which processors statistics are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    All,
    PerCpu,
}

impl Extent {
    fn named(name: &str) -> Result<Extent, BuildError> {
        match name {
            "all" => Ok(Extent::All),
            "percpu" => Ok(Extent::PerCpu),
            other => {
                let message = format!("config option 'collect': unknown choice {other}");
                Err(BuildError::invalid(message))
            }
        }
    }
}

/// A file that tells how full the table is.
struct Level {
    field: CompactString,
    path: PathBuf,
    file: HostFile,
}

impl Level {
    /// The file `name`, if it is called in the way such files are: its field has the prefix `ip_`,
    /// whichever the file has.
    fn new(dir: &Path, name: &str) -> Option<Level> {
        let (_, rest) = name.split_once('_')?;
        let path = dir.join(name);
        let file = HostFile::new(path.clone());
        Some(Level { field: format_compact!("ip_{rest}"), path, file })
    }
}

struct Conntrack {
    collect: Vec<Extent>,
    levels: Vec<Level>,
    statistics: HostFile,
    buffer: Vec<u8>,
}

impl Input for Conntrack {
    fn gather(&mut self, accumulator: &mut Accumulator<'_>) -> Result<(), PluginError> {
        let levels = self.levels(accumulator);
        if !self.collect.is_empty() {
            self.gather_statistics(accumulator);
        }
        if levels.is_empty() {
            return Err("conntrack input failed to collect metrics, make sure that the kernel \
                        module is loaded"
                .into());
        }
        let now = accumulator.now();
        accumulator.add(Metric::from_lists("conntrack", now, Vec::new(), levels));
        Ok(())
    }
}

impl Conntrack {
    fn levels(&mut self, accumulator: &mut Accumulator<'_>) -> Vec<Field> {
        let mut fields = Vec::with_capacity(2);
        for Level { field, path, file } in &mut self.levels {
            match file.read(&mut self.buffer) {
                Ok(()) => {
                    let text = String::from_utf8_lossy(&self.buffer);
                    let value = number(text.trim()).unwrap_or_else(|error| {
                        accumulator.report(error);
                        0.0
                    });
                    fields.push(Field { key: field.clone(), value: value.into() });
                }
                // Each kernel has only some of these.
                Err(error) if is_absent(&error) => {}
                Err(error) => {
                    let path = path.to_string_lossy();
                    let path = Quoted::new(&*path);
                    accumulator.report(format!("failed to read file {path}: {error}"));
                }
            }
        }
        fields
    }

    fn gather_statistics(&mut self, accumulator: &mut Accumulator<'_>) {
        let read = self.statistics.read(&mut self.buffer);
        let counts = match &read {
            Ok(()) => statistics::parse(&String::from_utf8_lossy(&self.buffer)),
            Err(_) => Vec::new(),
        };
        for extent in &self.collect {
            if let Err(error) = &read {
                accumulator.report(format!("failed to retrieve conntrack statistics: {error}"));
            }
            if read.is_err() || (*extent == Extent::PerCpu && counts.is_empty()) {
                accumulator.report("conntrack input failed to collect stats");
                continue;
            }
            let now = accumulator.now();
            match extent {
                Extent::All => {
                    let cpu = CompactString::const_new("all");
                    accumulator.add(metric(cpu, &statistics::sum(&counts), now));
                }
                Extent::PerCpu => {
                    for (cpu, counts) in counts.iter().enumerate() {
                        accumulator.add(metric(format_compact!("cpu{cpu}"), counts, now));
                    }
                }
            }
        }
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn metric(cpu: CompactString, counts: &Counts, now: Timestamp) -> Metric {
    let tag = Tag { key: CompactString::const_new("cpu"), value: cpu };
    let fields = FIELDS.iter().zip(counts).map(|(name, count)| Field {
        key: CompactString::const_new(name),
        value: Value::Unsigned(u64::from(*count)),
    });
    Metric::from_lists("conntrack", now, vec![tag], fields.collect()).with_type(ValueType::Counter)
}

/// A file that holds no number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "failed to parse metric, expected number but  found {0}: \
     strconv.ParseFloat: parsing {0}: invalid syntax",
    Quoted::new(text.as_str())
)]
struct NumberError {
    text: String,
}

fn number(text: &str) -> Result<f64, NumberError> {
    text.parse().map_err(|_| NumberError { text: text.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_have_one_prefix_whatever_the_files_have() {
        let field = |name| Level::new(Path::new("/d"), name).map(|level| level.field);
        assert_eq!(field("nf_conntrack_max").as_deref(), Some("ip_conntrack_max"));
        assert_eq!(field("ip_conntrack_max").as_deref(), Some("ip_conntrack_max"));
        assert_eq!(field("conntrack").as_deref(), None);
    }
}
