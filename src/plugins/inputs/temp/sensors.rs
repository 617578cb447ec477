//! Temperatures in `/sys/class`: sensors in `hwmon`, zones in `thermal`.
//!
//! # References
//! The kernel's `Documentation/hwmon/sysfs-interface.rst` and
//! `Documentation/driver-api/thermal/sysfs-api.rst`.

use std::io;
use std::path::{Path, PathBuf};

use crate::plugin::{PluginLog, Quoted};
use crate::system::devices::{link_name, read_without_waiting};
use crate::system::{ErrorWords, Glob, HostFile};

/// Drivers tell thousandths of a degree.
const PER_DEGREE: f64 = 1000.0;

/// Room for 99999.999 °C.
const TEMPERATURE_BYTES: usize = 8;

/// A sensor or zone.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sensor {
    /// The chip or zone.
    pub(super) name: String,
    /// What it is fastened to, in lower case; empty if nobody has said.
    pub(super) label: String,
    /// The device that it belongs to; empty if there is none.
    pub(super) device: String,
    /// In degrees Celsius.
    pub(super) temperature: f64,
    /// Other values by the end of their file's name, such as `crit`.
    pub(super) limits: Vec<(String, f64)>,
}

/// Which values of a sensor are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Values {
    /// What it measures.
    Temperature,
    /// Its limits and alarms, too.
    All,
}

/// Where sensors and zones are looked for.
pub(super) struct Places {
    /// Files for temperatures; the second pattern is asked where the first finds none.
    sensors: [Glob; 2],
    zones: Glob,
}

impl Places {
    /// The places below the root of `/sys`.
    pub(super) fn below(sys: &Path) -> Result<Places, crate::system::GlobError> {
        let root = escaped(&sys.to_string_lossy());
        let glob = |pattern| Glob::for_commands(&format!("{root}/class/{pattern}"));
        Ok(Places {
            sensors: [
                glob("hwmon/hwmon*/temp*_input")?,
                // Older kernels have the files one folder deeper.
                glob("hwmon/hwmon*/device/temp*_input")?,
            ],
            zones: glob("thermal/thermal_zone*")?,
        })
    }

    /// Reads the sensors; those that cannot be read are left out.
    pub(super) fn sensors(&self, values: Values, log: &PluginLog) -> Vec<Sensor> {
        let files = self.sensors.iter().map(Glob::paths).find(|files| !files.is_empty());
        let files = files.unwrap_or_default();
        files.iter().filter_map(|file| sensor(file, values, log)).collect()
    }

    /// Reads the thermal zones; those that cannot be read are left out.
    pub(super) fn zones(&self, log: &PluginLog) -> Vec<Sensor> {
        self.zones.paths().iter().filter_map(|zone| read_zone(zone, log)).collect()
    }
}

/// The text as a pattern that stands for itself.
fn escaped(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '*' | '?' | '[' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern
}

fn sensor(file: &Path, values: Values, log: &PluginLog) -> Option<Sensor> {
    let folder = file.parent()?;
    let file_name = file.file_name()?.to_str()?;
    let (prefix, _) = file_name.split_once('_')?;
    let device = link_name(&folder.join("device")).unwrap_or_default();
    let name = read_text(folder.join("name")).unwrap_or_else(|| device.clone());
    let label = read_text(folder.join(format!("{prefix}_label"))).unwrap_or_default();
    let temperature = match read_temperature(file) {
        // A sensor whose file holds no number is reported nonetheless.
        Ok(temperature) => temperature.unwrap_or(0.0),
        Err(error) => {
            let file = file.to_string_lossy();
            let (file, error) = (Quoted::new(&*file), ErrorWords(&error));
            log.debug(format_args!("Couldn't read temperature from {file}: {error}"));
            return None;
        }
    };
    let limits = match values {
        Values::Temperature => Vec::new(),
        Values::All => limits(folder, prefix),
    };
    Some(Sensor { name, label: label.to_lowercase(), device, temperature, limits })
}

/// The values in the files beside `PREFIX_input`; what is no number is left out.
fn limits(folder: &Path, prefix: &str) -> Vec<(String, f64)> {
    let pattern = format!("{}/{prefix}_*", escaped(&folder.to_string_lossy()));
    let files = Glob::for_commands(&pattern).map(|glob| glob.paths()).unwrap_or_default();
    let limit = |file: PathBuf| {
        let kind = file.file_name()?.to_str()?.strip_prefix(prefix)?.strip_prefix('_')?;
        if matches!(kind, "label" | "input") {
            return None;
        }
        let value: f64 = read_text(file.clone())?.parse().ok()?;
        Some((kind.to_owned(), value / PER_DEGREE))
    };
    files.into_iter().filter_map(limit).collect()
}

fn read_zone(zone: &Path, log: &PluginLog) -> Option<Sensor> {
    let shown = zone.to_string_lossy();
    let shown = Quoted::new(&*shown);
    let Some(name) = read_text(zone.join("type")) else {
        log.error(format_args!("Cannot read name of zone {shown}"));
        return None;
    };
    match read_temperature(&zone.join("temp")) {
        Ok(temperature) => Some(Sensor {
            name,
            label: String::new(),
            device: String::new(),
            temperature: temperature?,
            limits: Vec::new(),
        }),
        // The hardware sleeps.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
        Err(error) => {
            let error = ErrorWords(&error);
            log.error(format_args!("Cannot read temperature of zone {shown}: {error}"));
            None
        }
    }
}

/// The temperature in a file; `None` if what it holds is no number.
fn read_temperature(file: &Path) -> io::Result<Option<f64>> {
    let mut buffer = [0; TEMPERATURE_BYTES];
    let length = read_without_waiting(file, &mut buffer)?;
    let text = std::str::from_utf8(&buffer[..length]).unwrap_or_default();
    let value: Option<f64> = text.trim().parse().ok();
    Ok(value.map(|value| value / PER_DEGREE))
}

fn read_text(file: PathBuf) -> Option<String> {
    let mut buffer = Vec::new();
    HostFile::new(file).read(&mut buffer).ok()?;
    Some(String::from_utf8_lossy(&buffer).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_with_signs_of_patterns_stands_for_itself() {
        let folder = tempfile::tempdir().unwrap();
        let sys = folder.path().join("a[b]*?\\c");
        let chip = sys.join("class/hwmon/hwmon0");
        std::fs::create_dir_all(&chip).unwrap();
        std::fs::write(chip.join("temp1_input"), "41500\n").unwrap();
        std::fs::write(chip.join("temp1_crit"), "100000\n").unwrap();
        let places = Places::below(&sys).unwrap();
        let sensors = places.sensors(Values::All, &PluginLog::new("inputs.temp"));
        assert_eq!(sensors.len(), 1);
        assert_eq!(sensors[0].temperature, 41.5);
        assert_eq!(sensors[0].limits, [("crit".to_owned(), 100.0)]);
    }
}
