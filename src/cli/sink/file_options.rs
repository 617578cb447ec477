//! The options about files: what records become in them, what they are called, when they end.

use std::time::Duration as Span;

use serde::Deserialize;

use super::settings::{List, SettingsError};
use crate::plugin::settings::{Duration, Size};
use crate::plugin::{UnknownZone, time_zone};
use crate::sink::files::FileSettings;
use crate::sink::files::keeping::Keep;
use crate::sink::files::packing::Packing;
use crate::sink::files::period::Interval;
use crate::sink::files::rotation::Rotation;
use crate::sink::files::template::{Template, Variable};
use crate::sink::rows::{RowSettings, TimeFormat, parse_columns};
use crate::sink::settings::{Format, Settings};

/// The options that are given as one text each.
pub(super) const VALUES: [&str; 9] = [
    "format",
    "columns",
    "time-format",
    "time-zone",
    "file-name",
    "rotate-size",
    "rotate-interval",
    "rotate-idle",
    "compress",
];

/// What the file or the flags may say of files; all of it is optional.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub(super) struct GivenOfFiles {
    format: Option<FormatWord>,
    columns: Option<String>,
    time_format: Option<String>,
    time_zone: Option<String>,
    file_name: Option<String>,
    rotate_size: Option<Size>,
    rotate_interval: Option<Duration>,
    rotate_idle: Option<Duration>,
    compress: Option<PackingWord>,
    keep: Option<List>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum FormatWord {
    Raw,
    Csv,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum PackingWord {
    None,
    Gzip,
    Zstd,
}

/// An option, and where it was given.
#[derive(Debug)]
struct Said<T> {
    value: T,
    origin: String,
}

/// All that was said of files, and where. What goes together can be said in two places.
#[derive(Debug, Default)]
pub(super) struct FileOptions {
    format: Option<Said<FormatWord>>,
    columns: Option<Said<String>>,
    time_format: Option<Said<String>>,
    time_zone: Option<Said<String>>,
    file_name: Option<Said<String>>,
    rotate_size: Option<Said<Size>>,
    rotate_interval: Option<Said<Duration>>,
    rotate_idle: Option<Said<Duration>>,
    compress: Option<Said<PackingWord>>,
    keep: Option<Said<List>>,
}

impl GivenOfFiles {
    /// Notes where this was given: in a file, or by `flags`.
    pub(super) fn said_in(self, origin: &str) -> FileOptions {
        let of = |name: &str| match origin {
            "flags" => format!("--{name}"),
            file => format!("{file}: {name}"),
        };
        fn said<T>(value: Option<T>, origin: String) -> Option<Said<T>> {
            value.map(|value| Said { value, origin })
        }
        FileOptions {
            format: said(self.format, of("format")),
            columns: said(self.columns, of("columns")),
            time_format: said(self.time_format, of("time-format")),
            time_zone: said(self.time_zone, of("time-zone")),
            file_name: said(self.file_name, of("file-name")),
            rotate_size: said(self.rotate_size, of("rotate-size")),
            rotate_interval: said(self.rotate_interval, of("rotate-interval")),
            rotate_idle: said(self.rotate_idle, of("rotate-idle")),
            compress: said(self.compress, of("compress")),
            keep: said(self.keep, of("keep")),
        }
    }
}

impl<T> Said<T> {
    fn wrong(&self, reason: impl ToString) -> SettingsError {
        SettingsError::Value { origin: self.origin.clone(), reason: reason.to_string() }
    }
}

impl FileOptions {
    /// The same, but for what is said here.
    pub(super) fn overridden_by(self, by: FileOptions) -> FileOptions {
        FileOptions {
            format: by.format.or(self.format),
            columns: by.columns.or(self.columns),
            time_format: by.time_format.or(self.time_format),
            time_zone: by.time_zone.or(self.time_zone),
            file_name: by.file_name.or(self.file_name),
            rotate_size: by.rotate_size.or(self.rotate_size),
            rotate_interval: by.rotate_interval.or(self.rotate_interval),
            rotate_idle: by.rotate_idle.or(self.rotate_idle),
            compress: by.compress.or(self.compress),
            keep: by.keep.or(self.keep),
        }
    }

    /// Puts it into the settings, whose threads and topics are known.
    ///
    /// # Errors
    /// The first option that is wrong, or does not go with the others.
    pub(super) fn apply(self, settings: &mut Settings) -> Result<(), SettingsError> {
        let zone = match &self.time_zone {
            None => jiff::tz::TimeZone::UTC,
            Some(zone) => time_zone(&zone.value).map_err(|error: UnknownZone| zone.wrong(error))?,
        };
        settings.format = self.format(&zone)?;
        let rotation = self.rotation(&zone)?;
        let template = self.template(settings, &rotation)?;
        let packing = self.packing(&rotation)?;
        let keep = self.keep(&rotation)?;
        settings.files = FileSettings { template, rotation, zone, packing, keep };
        Ok(())
    }

    fn format(&self, zone: &jiff::tz::TimeZone) -> Result<Format, SettingsError> {
        let is_csv = self.format.as_ref().is_some_and(|said| said.value == FormatWord::Csv);
        if !is_csv {
            if let Some(said) = self.columns.as_ref().or(self.time_format.as_ref()) {
                return Err(said.wrong("this is about rows of CSV: it needs --format csv"));
            }
            return Ok(Format::Raw);
        }
        let mut rows = RowSettings::default();
        if let Some(said) = &self.columns {
            rows.columns = Some(parse_columns(&said.value).map_err(|error| said.wrong(error))?);
        }
        rows.time_format = match &self.time_format {
            Some(said) => {
                TimeFormat::new(&said.value, zone.clone()).map_err(|error| said.wrong(error))?
            }
            None => TimeFormat::rfc3339(zone.clone()),
        };
        Ok(Format::Csv(rows))
    }

    fn rotation(&self, zone: &jiff::tz::TimeZone) -> Result<Rotation, SettingsError> {
        let mut rotation = Rotation::default();
        if let Some(said) = &self.rotate_size {
            match said.value.bytes() {
                0 => return Err(said.wrong("a file has to get larger than nothing")),
                bytes => rotation.size = Some(bytes),
            }
        }
        if let Some(said) = &self.rotate_interval {
            let interval = Interval::new(said.value.to_std(), zone.clone());
            rotation.interval = Some(interval.map_err(|error| said.wrong(error))?);
        }
        if let Some(said) = &self.rotate_idle {
            let idle = said.value.to_std();
            if idle < Span::from_secs(1) {
                return Err(said.wrong(format!("{} is too short, 1s is the shortest", said.value)));
            }
            rotation.idle = Some(idle);
        }
        Ok(rotation)
    }

    fn template(
        &self,
        settings: &Settings,
        rotation: &Rotation,
    ) -> Result<Template, SettingsError> {
        let has_tables = matches!(&settings.format, Format::Csv(RowSettings { columns: None, .. }));
        let Some(said) = &self.file_name else {
            let template = Template::default();
            return Ok(if has_tables { template.with_measurement() } else { template });
        };
        let template = Template::parse(&said.value).map_err(|error| said.wrong(error))?;
        let needs = |variable: Variable, what: &str| {
            Err(said.wrong(format!("{{{}}} needs {what}", variable.word())))
        };
        let has = |variable| template.has(variable);
        if has(Variable::Measurement) && !has_tables {
            return needs(Variable::Measurement, "--format csv without --columns");
        }
        if let Some(variable) = template.find(|it| it.is_of_time() || it == Variable::Last)
            && !rotation.is_on()
        {
            let what = "files that end: --rotate-interval, --rotate-size or --rotate-idle";
            return needs(variable, what);
        }
        let is_offset = |variable| matches!(variable, Variable::First | Variable::Last);
        if let Some(variable) = template.find(is_offset)
            && !has(Variable::Partition)
        {
            return needs(variable, "{partition}: offsets of several partitions tell nothing");
        }
        if has(Variable::Partition) && !has(Variable::Topic) && settings.topics.len() > 1 {
            return needs(Variable::Partition, "{topic}, since there are several topics");
        }
        if !has(Variable::Thread) && !rotation.is_on() && settings.threads > 1 {
            return Err(said.wrong(
                "without {thread} several threads would write to one file; with rotation they get \
                 names with numbers",
            ));
        }
        Ok(if has_tables { template.with_measurement() } else { template })
    }

    fn packing(&self, rotation: &Rotation) -> Result<Option<Packing>, SettingsError> {
        let Some(said) = &self.compress else { return Ok(None) };
        let packing = match said.value {
            PackingWord::None => return Ok(None),
            PackingWord::Gzip => Packing::Gzip,
            PackingWord::Zstd => Packing::Zstd,
        };
        needs_rotation(said, rotation)?;
        Ok(Some(packing))
    }

    fn keep(&self, rotation: &Rotation) -> Result<Keep, SettingsError> {
        let mut keep = Keep::default();
        let Some(said) = &self.keep else { return Ok(keep) };
        let limits = match &said.value {
            List::One(limit) => std::slice::from_ref(limit),
            List::Several(limits) => limits.as_slice(),
        };
        for limit in limits {
            keep.add(limit).map_err(|error| said.wrong(error))?;
        }
        if keep.is_limited() {
            needs_rotation(said, rotation)?;
        }
        Ok(keep)
    }
}

/// Files that never end are never compressed or removed.
fn needs_rotation<T>(said: &Said<T>, rotation: &Rotation) -> Result<(), SettingsError> {
    if rotation.is_on() {
        return Ok(());
    }
    Err(said.wrong(
        "this is about files that have ended: it needs --rotate-interval, --rotate-size or \
         --rotate-idle",
    ))
}
