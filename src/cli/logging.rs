//! The log of both programs, in the shape that Telegraf's users grep: `2026-11-21T04:02:34Z I!
//! [inputs.cpu] text`.
//!
//! Until the configuration has been read, lines go to standard error as text. Once it is known
//! that the log belongs somewhere else or looks different, the lines so far are repeated there,
//! so that neither place lacks the beginning.
//!
//! # References
//! Telegraf's `logger` package; the keys of structured lines are those of Go's `slog`.

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use env_logger::fmt::Formatter;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use log::{Level, LevelFilter, Log, Metadata, Record};

use crate::system::{Clock, RotatingFile, Rotation};

/// How many lines of the beginning are kept for repeating.
const EARLY_LINES: usize = 1_000;

/// How the log looks and where it goes.
#[derive(Debug, Clone)]
pub struct LogSettings {
    /// The level from which lines are written.
    pub level: LevelFilter,
    /// Levels of single plugins by their name, such as `inputs.cpu::alias`.
    pub plugin_levels: HashMap<String, LevelFilter>,
    /// How lines look.
    pub format: LogFormat,
    /// The zone of the time in text lines.
    pub time_zone: TimeZone,
    /// Where lines go.
    pub destination: LogDestination,
}

/// How a line of the log looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogFormat {
    /// `TIME L! [plugin] message`.
    Text,
    /// One JSON object a line, with the message under this key.
    Structured {
        /// `msg` unless set otherwise.
        message_key: String,
    },
}

/// Where the log goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogDestination {
    /// Standard error.
    Stderr,
    /// A file that is appended to, rotated as asked for.
    File {
        /// Its path; missing folders are made.
        path: PathBuf,
        /// When it is rotated.
        rotation: Rotation,
    },
}

/// Why the log could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("opening log file {}: {source}", path.display())]
pub struct LogError {
    path: PathBuf,
    source: io::Error,
}

impl LogSettings {
    /// Text on standard error in UTC.
    pub fn to_stderr(level: LevelFilter) -> LogSettings {
        LogSettings {
            level,
            plugin_levels: HashMap::new(),
            format: LogFormat::Text,
            time_zone: TimeZone::UTC,
            destination: LogDestination::Stderr,
        }
    }
}

/// Makes lines go to standard error from `level` on; later calls change the level.
pub fn start(level: LevelFilter) {
    let logger = Logger::global();
    logger.replace(Backend::stderr(LogSettings::to_stderr(level)));
    // Only the first call installs it; the logger is the same one ever after.
    let _ = log::set_logger(logger);
    log::set_max_level(LevelFilter::Trace);
}

/// Puts the configured log in place of the one on standard error.
///
/// # Errors
/// If the log file cannot be opened; the log stays as it was.
pub fn configure(settings: LogSettings, clock: Arc<dyn Clock>) -> Result<(), LogError> {
    let elsewhere =
        settings.destination != LogDestination::Stderr || settings.format != LogFormat::Text;
    let backend = match settings.destination.clone() {
        LogDestination::Stderr => Backend::stderr(settings),
        LogDestination::File { path, rotation } => {
            let file = RotatingFile::open(&path, rotation, 0o644, clock)
                .map_err(|source| LogError { path, source })?;
            Backend::new(settings, Box::new(file))
        }
    };
    let logger = Logger::global();
    if elsewhere {
        let early = logger.early().take().unwrap_or_default();
        early.iter().for_each(|line| line.write(&backend));
    } else {
        *logger.early() = None;
    }
    logger.replace(backend);
    Ok(())
}

/// Whether a live line stands on the terminal, which log lines have to push away.
static LIVE_LINE: AtomicBool = AtomicBool::new(false);

/// Takes the terminal's cursor to the start of its line and clears the line.
const CLEAR_LINE: &str = "\r\x1b[K";

/// Says whether a live line is shown on standard error; ending it clears it away.
pub fn set_live_line(shown: bool) {
    let was_shown = LIVE_LINE.swap(shown, Ordering::Relaxed);
    if was_shown && !shown {
        // A terminal that is gone needs no clearing.
        let _ = io::stderr().write_all(CLEAR_LINE.as_bytes());
    }
}

/// Renews the live line.
pub fn write_live_line(line: &str) {
    let _ = io::stderr().write_all(format!("{CLEAR_LINE}{line}").as_bytes());
}

/// Standard error, where a log line takes the place of the live line.
struct Stderr;

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut out = io::stderr().lock();
        if LIVE_LINE.load(Ordering::Relaxed) {
            out.write_all(CLEAR_LINE.as_bytes())?;
        }
        out.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

struct Logger {
    backend: RwLock<Arc<Backend>>,
    /// The lines so far, until it is known whether they have to be repeated.
    early: Mutex<Option<Vec<EarlyLine>>>,
}

struct EarlyLine {
    level: Level,
    target: String,
    message: String,
}

impl EarlyLine {
    fn write(&self, backend: &Backend) {
        let message = format_args!("{}", self.message);
        let record = Record::builder().level(self.level).target(&self.target).args(message).build();
        backend.log(&record);
    }
}

impl Logger {
    fn global() -> &'static Logger {
        static LOGGER: OnceLock<Logger> = OnceLock::new();
        LOGGER.get_or_init(|| Logger {
            backend: RwLock::new(Arc::new(Backend::stderr(LogSettings::to_stderr(
                LevelFilter::Info,
            )))),
            early: Mutex::new(Some(Vec::new())),
        })
    }

    fn replace(&self, backend: Backend) {
        *self.backend.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(backend);
    }

    fn backend(&self) -> Arc<Backend> {
        self.backend.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn early(&self) -> std::sync::MutexGuard<'_, Option<Vec<EarlyLine>>> {
        self.early.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.backend().enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        let backend = self.backend();
        if !backend.enabled(record.metadata()) {
            return;
        }
        backend.log(record);
        if let Some(early) = self.early().as_mut()
            && early.len() < EARLY_LINES
        {
            early.push(EarlyLine {
                level: record.level(),
                target: record.target().to_owned(),
                message: record.args().to_string(),
            });
        }
    }

    fn flush(&self) {
        self.backend().logger.flush();
    }
}

/// One way of writing the log: env_logger with our format, and levels by plugin.
struct Backend {
    logger: env_logger::Logger,
    level: LevelFilter,
    plugin_levels: HashMap<String, LevelFilter>,
}

impl Backend {
    fn stderr(settings: LogSettings) -> Backend {
        Backend::new(settings, Box::new(Stderr))
    }

    fn new(settings: LogSettings, out: Box<dyn Write + Send>) -> Backend {
        let LogSettings { level, plugin_levels, format, time_zone, .. } = settings;
        let logger = env_logger::Builder::new()
            .filter_level(LevelFilter::Trace)
            // What matters of the Kafka client is logged by who uses it, under a plugin's name or a
            // thread's; the wrapper's own lines name neither.
            .filter_module("rdkafka", LevelFilter::Off)
            .target(env_logger::Target::Pipe(out))
            .format(move |out, record| match &format {
                LogFormat::Text => write_text(out, record, &time_zone),
                LogFormat::Structured { message_key } => write_structured(out, record, message_key),
            })
            .build();
        Backend { logger, level, plugin_levels }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let level = self.plugin_levels.get(metadata.target()).unwrap_or(&self.level);
        metadata.level() <= *level
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            self.logger.log(record);
        }
    }
}

fn write_text(out: &mut Formatter, record: &Record<'_>, zone: &TimeZone) -> io::Result<()> {
    let letter = match record.level() {
        Level::Error => 'E',
        Level::Warn => 'W',
        Level::Info => 'I',
        Level::Debug => 'D',
        Level::Trace => 'T',
    };
    let time = Timestamp::now().to_zoned(zone.clone());
    // `%:z` writes UTC as +00:00, and people look for the Z.
    let format =
        if time.offset().is_zero() { "%Y-%m-%dT%H:%M:%SZ" } else { "%Y-%m-%dT%H:%M:%S%:z" };
    write!(out, "{} {letter}! ", time.strftime(format))?;
    let target = record.target();
    if target.is_empty() {
        writeln!(out, "{}", record.args())
    } else {
        writeln!(out, "[{target}] {}", record.args())
    }
}

fn write_structured(out: &mut Formatter, record: &Record<'_>, message_key: &str) -> io::Result<()> {
    let time = Timestamp::now().to_string();
    let message = record.args().to_string();
    let target = record.target();
    let mut keys = vec![("time", time), ("level", record.level().as_str().to_owned())];
    match target.split_once('.') {
        Some((category, plugin)) => {
            let (plugin, alias) = plugin.split_once("::").unwrap_or((plugin, ""));
            keys.push((message_key, message));
            keys.push(("category", category.to_owned()));
            keys.push(("plugin", plugin.to_owned()));
            if !alias.is_empty() {
                keys.push(("alias", alias.to_owned()));
            }
        }
        None if target.is_empty() => keys.push((message_key, message)),
        None => keys.push((message_key, format!("[{target}] {message}"))),
    }
    for (at, (key, value)) in keys.iter().enumerate() {
        out.write_all(if at == 0 { b"{" } else { b"," })?;
        serde_json::to_writer(&mut *out, key)?;
        out.write_all(b":")?;
        serde_json::to_writer(&mut *out, value)?;
    }
    out.write_all(b"}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(settings: LogSettings, target: &str, level: Level) -> String {
        let shared = Shared::default();
        let backend = Backend::new(settings, Box::new(shared.clone()));
        let record = Record::builder()
            .level(level)
            .target(target)
            .args(format_args!("a \"message\""))
            .build();
        backend.log(&record);
        String::from_utf8(shared.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn text_lines_have_the_shape_that_people_grep() {
        let line = logged(LogSettings::to_stderr(LevelFilter::Info), "inputs.cpu::a", Level::Error);
        let (time, rest) = line.split_once(' ').unwrap();
        assert_eq!(rest, "E! [inputs.cpu::a] a \"message\"\n");
        assert_eq!((time.len(), time.ends_with('Z')), (20, true), "{time}");
        let line = logged(LogSettings::to_stderr(LevelFilter::Info), "", Level::Info);
        assert!(line.ends_with("Z I! a \"message\"\n"), "{line}");
    }

    #[test]
    fn a_time_zone_other_than_utc_shows_its_offset() {
        let settings = LogSettings {
            time_zone: TimeZone::fixed(jiff::tz::offset(9)),
            ..LogSettings::to_stderr(LevelFilter::Info)
        };
        let line = logged(settings, "", Level::Warn);
        assert!(line.split_once(' ').unwrap().0.ends_with("+09:00"), "{line}");
    }

    #[test]
    fn structured_lines_name_category_plugin_and_alias() {
        let settings = LogSettings {
            format: LogFormat::Structured { message_key: "message".into() },
            ..LogSettings::to_stderr(LevelFilter::Debug)
        };
        let line = logged(settings.clone(), "outputs.file::a", Level::Debug);
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(line["message"], "a \"message\"");
        assert_eq!(line["level"], "DEBUG");
        assert_eq!((&line["category"], &line["plugin"]), (&"outputs".into(), &"file".into()));
        assert_eq!(line["alias"], "a");
        let line = logged(settings, "agent", Level::Info);
        assert!(line.contains(r#""message":"[agent] a \"message\"""#), "{line}");
    }

    #[test]
    fn a_plugins_own_level_beats_the_agents() {
        let settings = LogSettings {
            plugin_levels: [("inputs.cpu".to_owned(), LevelFilter::Debug)].into(),
            ..LogSettings::to_stderr(LevelFilter::Error)
        };
        assert!(!logged(settings.clone(), "inputs.cpu", Level::Debug).is_empty());
        assert!(logged(settings, "inputs.cpu2", Level::Warn).is_empty());
    }
}
