//! Reports the states of systemd's units.
//!
//! # References
//! Telegraf's `inputs.systemd_units`; org.freedesktop.systemd1(5).

mod bus;
mod codes;
mod manager;

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::metric::{Metric, Timestamp, Value as FieldValue};
use crate::plugin::settings::Duration;
use crate::plugin::{
    Accumulator, Build, BuildError, Context, Declaration, DeprecatedOption, Input, Patterns,
    PluginError, PluginLog, Quoted, ServiceAccumulator, StartError,
};
use crate::system::{System, environment_variable};

use bus::address::{self, Address};
pub use bus::connection::BusError;
use bus::connection::{Connection, Deadline};
use bus::wire::Value;
pub use codes::UnknownState;
use manager::{Manager, Properties, Unit};

/// The input as the table lists it.
pub static PLUGIN: Declaration<dyn Input> =
    Declaration::new::<Config>("systemd_units", include_str!("sample.conf"))
        .deprecating(&[SUBCOMMAND]);

const SYSTEM_BUS: &str = "unix:path=/var/run/dbus/system_bus_socket";

/// The settings of the input.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    /// Patterns for the names of units, with blanks between them.
    pub pattern: String,
    /// The type of the units.
    pub unittype: String,
    /// Whose systemd is asked.
    pub scope: String,
    /// Whether units count that systemd has not loaded.
    pub collect_disabled_units: bool,
    /// Whether there is more than the states.
    pub details: bool,
    /// An older way to ask for details: `show`, or `list` for none.
    pub subcommand: String,
    /// How long systemd may take to answer.
    pub timeout: Duration,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            pattern: "*".to_owned(),
            unittype: "service".to_owned(),
            scope: "system".to_owned(),
            collect_disabled_units: false,
            details: false,
            subcommand: String::new(),
            timeout: Duration::from_secs(5),
        }
    }
}

const SUBCOMMAND: DeprecatedOption = DeprecatedOption {
    option: "subcommand",
    since: "1.30.0",
    removal: "1.40.0",
    notice: "use 'details' instead",
};

const UNIT_TYPES: [&str; 11] = [
    "service",
    "socket",
    "target",
    "device",
    "mount",
    "automount",
    "swap",
    "timer",
    "path",
    "slice",
    "scope",
];

impl Build<dyn Input> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn Input>, BuildError> {
        Ok(Box::new(self.input(context)?))
    }
}

impl Config {
    fn input(mut self, context: &Context<'_>) -> Result<SystemdUnits, BuildError> {
        match self.subcommand.as_str() {
            "" => {}
            "list" => SUBCOMMAND.log_use_in("inputs.systemd_units"),
            "show" => {
                SUBCOMMAND.log_use_in("inputs.systemd_units");
                self.details = true;
            }
            other => {
                let other = Quoted::new(other);
                return Err(BuildError::invalid(format!("unknown subcommand {other}")));
            }
        }
        let or = |text: &str, default: &str| match text {
            "" => default.to_owned(),
            text => text.to_owned(),
        };
        let unit_type = or(&self.unittype, "service");
        if !UNIT_TYPES.contains(&unit_type.as_str()) {
            let unit_type = Quoted::new(&unit_type);
            return Err(BuildError::invalid(format!("invalid 'unittype' {unit_type}")));
        }
        let user = match self.scope.as_str() {
            "" | "system" => None,
            "user" => Some(user_name()),
            scope => {
                let scope = Quoted::new(scope);
                return Err(BuildError::invalid(format!("invalid 'scope' {scope}")));
            }
        };
        let patterns: Vec<_> = or(&self.pattern, "*").split(' ').map(str::to_owned).collect();
        let matching = Patterns::new(&patterns)
            .map_err(|error| BuildError::invalid(format!("compiling filter failed: {error}")))?;
        let mut interface = unit_type.clone();
        if let Some(first) = interface.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        Ok(SystemdUnits {
            bus: bus_address(user.is_some()),
            config: self,
            interface,
            unit_type,
            user,
            patterns,
            matching,
            warned: HashSet::new(),
            connection: None,
            log: context.log.clone(),
            system: context.system.clone(),
        })
    }
}

/// Where the bus is on which the systemd of the user or of the system answers.
fn bus_address(is_of_user: bool) -> Option<Address> {
    let variable = |name| environment_variable(name).filter(|value| !value.is_empty());
    let list = if is_of_user {
        let runtime =
            || variable("XDG_RUNTIME_DIR").map(|folder| format!("unix:path={folder}/bus"));
        variable("DBUS_SESSION_BUS_ADDRESS").or_else(runtime)?
    } else {
        variable("DBUS_SYSTEM_BUS_ADDRESS").unwrap_or_else(|| SYSTEM_BUS.to_owned())
    };
    address::parse(&list)
}

/// The name of the user that this program runs as; the number where it has none.
fn user_name() -> String {
    let uid = rustix::process::getuid().as_raw().to_string();
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == uid).then(|| name.to_owned())
    });
    name.unwrap_or(uid)
}

struct SystemdUnits {
    config: Config,
    /// Where the bus is, if that is known.
    bus: Option<Address>,
    unit_type: String,
    /// The interface of the type on the bus.
    interface: String,
    user: Option<String>,
    patterns: Vec<String>,
    matching: Option<Patterns>,
    /// Units whose properties could not be read.
    warned: HashSet<String>,
    connection: Option<Connection>,
    log: PluginLog,
    system: System,
}

impl SystemdUnits {
    fn connect(&self, deadline: Deadline<'_>) -> Result<Connection, PluginError> {
        let Some(address) = &self.bus else {
            return Err("dbus: couldn't determine address of session bus".into());
        };
        Ok(Connection::open(address, deadline)?)
    }

    fn is_wanted(&self, name: &str) -> bool {
        self.matching.as_ref().is_some_and(|patterns| patterns.match_any(name))
    }

    /// The units that match: those that are loaded, and if asked for those that are not.
    fn units(&self, manager: &mut Manager<'_>) -> Result<Vec<Unit>, PluginError> {
        let mut units =
            manager.units().map_err(|error| failed("listing loaded units failed", error))?;
        units.retain(|unit| self.is_wanted(&unit.name));
        if self.config.collect_disabled_units {
            let states = ["enabled", "disabled", "static"].map(str::to_owned);
            let files = manager
                .unit_files(&states, &self.patterns)
                .map_err(|error| failed("listing unit files failed", error))?;
            let unloaded = Unloaded::find(&units, &files);
            let disabled = manager
                .units_by_names(&unloaded.disabled)
                .map_err(|error| failed("listing unit states failed", error))?;
            units.extend(disabled);
            units.extend(unloaded.unused.into_iter().map(|name| Unit {
                name,
                load: "stub".to_owned(),
                active: "inactive".to_owned(),
                sub: "dead".to_owned(),
            }));
        }
        units.retain(|unit| {
            unit.name.rsplit_once('.').is_some_and(|(_, kind)| kind == self.unit_type)
        });
        Ok(units)
    }

    fn metric(&self, unit: &Unit, time: Timestamp) -> Result<Metric, UnknownState> {
        let mut metric = Metric::new("systemd_units", time)
            .with_tag("name", unit.name.as_str())
            .with_tag("load", unit.load.as_str())
            .with_tag("active", unit.active.as_str())
            .with_tag("sub", unit.sub.as_str())
            .with_field("load_code", codes::load(&unit.load)?)
            .with_field("active_code", codes::active(&unit.active)?)
            .with_field("sub_code", codes::sub(&unit.sub)?);
        if let Some(user) = &self.user {
            metric.set_tag("user", user.as_str());
        }
        Ok(metric)
    }

    /// Adds what is known beside the states; false if the unit is of another type after all.
    fn add_details(
        &mut self,
        unit: &Unit,
        metric: &mut Metric,
        manager: &mut Manager<'_>,
    ) -> Result<bool, BusError> {
        let own = match manager.properties(&unit.name, &self.interface) {
            Err(BusError::Answer(text)) if text.contains("Unknown interface") => return Ok(false),
            // Units that are not loaded have none; Telegraf makes these up for them.
            Err(BusError::Answer(_)) => Properties::from([
                ("StatusErrno".to_owned(), Value::Signed(-1)),
                ("NRestarts".to_owned(), Value::Unsigned(0)),
            ]),
            result => result?,
        };
        let common = match manager.properties(&unit.name, "Unit") {
            Err(BusError::Answer(text)) => {
                if self.warned.insert(unit.name.clone()) {
                    let name = Quoted::new(&unit.name);
                    self.log.warn(format_args!("Cannot read unit properties for {name}: {text}"));
                }
                Properties::new()
            }
            result => result?,
        };
        for (tag, property) in [("state", "UnitFileState"), ("preset", "UnitFilePreset")] {
            if let Some(text) = common.get(property).and_then(Value::text) {
                metric.set_tag(tag, text);
            }
        }
        let mut add = |name: &'static str, value: Option<&Value>| {
            if let Some(value) = value.and_then(field_value) {
                metric.set_field(name, value);
            }
        };
        add("active_enter_timestamp_us", common.get("ActiveEnterTimestamp"));
        add("status_errno", own.get("StatusErrno"));
        add("restarts", own.get("NRestarts"));
        add("pid", own.get("MainPID"));
        for (name, property) in [
            ("mem_current", "MemoryCurrent"),
            ("mem_peak", "MemoryPeak"),
            ("mem_avail", "MemoryAvailable"),
            ("swap_current", "MemorySwapCurrent"),
            ("swap_peak", "MemorySwapPeak"),
        ] {
            // The highest number stands for none.
            let value = own.get(property).filter(|value| **value != Value::Unsigned(u64::MAX));
            add(name, Some(value.unwrap_or(&Value::Unsigned(0))));
        }
        Ok(true)
    }

    fn gather_with(
        &mut self,
        connection: &mut Connection,
        deadline: Deadline<'_>,
        accumulator: &mut Accumulator<'_>,
    ) -> Result<(), PluginError> {
        let mut manager = Manager { connection, deadline };
        for unit in self.units(&mut manager)? {
            let mut metric = match self.metric(&unit, accumulator.now()) {
                Ok(metric) => metric,
                Err(error) => {
                    accumulator.report(error);
                    continue;
                }
            };
            if !self.config.details || self.add_details(&unit, &mut metric, &mut manager)? {
                accumulator.add(metric);
            }
        }
        Ok(())
    }
}

fn failed(what: &str, error: BusError) -> Failed {
    Failed { what: what.to_owned(), source: error }
}

/// Why a list is missing.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {source}")]
struct Failed {
    what: String,
    source: BusError,
}

fn field_value(value: &Value) -> Option<FieldValue> {
    Some(match value {
        Value::Unsigned(number) => (*number).into(),
        Value::Signed(number) => (*number).into(),
        Value::Float(number) => (*number).into(),
        Value::Boolean(value) => (*value).into(),
        Value::Text(text) => text.as_str().into(),
        Value::List(_) | Value::Entry(_) => return None,
    })
}

/// Units that have a file and are not loaded.
#[derive(Debug, Default, PartialEq, Eq)]
struct Unloaded {
    /// Those that are disabled.
    disabled: Vec<String>,
    /// Those that nothing uses, and templates.
    unused: Vec<String>,
}

impl Unloaded {
    fn find(loaded: &[Unit], files: &[manager::UnitFile]) -> Unloaded {
        let mut seen: HashSet<String> = loaded.iter().map(|unit| template(&unit.name)).collect();
        let mut unloaded = Unloaded::default();
        for file in files {
            let name = &file.name;
            match file.state.as_str() {
                "disabled" if seen.insert(name.clone()) => {
                    let is_template = name
                        .split_once('@')
                        .is_some_and(|(_, rest)| rest.starts_with('.') || rest.is_empty());
                    let list =
                        if is_template { &mut unloaded.unused } else { &mut unloaded.disabled };
                    list.push(name.clone());
                }
                "static" if !seen.contains(name) && seen.insert(template(name)) => {
                    unloaded.unused.push(name.clone());
                }
                _ => {}
            }
        }
        unloaded
    }
}

/// The name of the template of an instance, or the name itself.
fn template(name: &str) -> String {
    match (name.split_once('@'), name.rfind('.')) {
        (Some((prefix, _)), Some(dot)) => format!("{prefix}@{}", &name[dot..]),
        (Some((prefix, _)), None) => format!("{prefix}@"),
        (None, _) => name.to_owned(),
    }
}

impl Input for SystemdUnits {
    fn start(&mut self, _accumulator: ServiceAccumulator) -> Result<(), StartError> {
        let clock = self.system.clock.clone();
        let at = clock.elapsed().saturating_add(self.config.timeout.to_std());
        let connection = self.connect(Deadline { clock: &*clock, at });
        self.connection =
            Some(connection.map_err(|source| StartError { retryable: false, source })?);
        Ok(())
    }

    fn gather(&mut self, accumulator: &mut Accumulator<'_>) -> Result<(), PluginError> {
        let clock = self.system.clock.clone();
        let at = clock.elapsed().saturating_add(self.config.timeout.to_std());
        let deadline = Deadline { clock: &*clock, at };
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                self.log.debug("Connection to systemd daemon lost, trying to reconnect...");
                self.connect(deadline)?
            }
        };
        let gathered = self.gather_with(&mut connection, deadline, accumulator);
        let is_lost = gathered.as_ref().is_err_and(|error| {
            let bus = error.downcast_ref::<BusError>();
            let bus = bus.or_else(|| error.downcast_ref::<Failed>().map(|failed| &failed.source));
            bus.is_some_and(BusError::is_fatal)
        });
        if !is_lost {
            self.connection = Some(connection);
        }
        gathered
    }

    fn stop(&mut self) {
        self.connection = None;
    }
}

#[cfg(test)]
mod tests;
