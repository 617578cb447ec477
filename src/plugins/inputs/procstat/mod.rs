//! Reports what processes use.
//!
//! # References
//! Telegraf's `inputs.procstat`; proc(5).

mod command;
mod config;
mod fields;
mod filtering;
mod finder;
mod group;
mod process;
mod sockets;
mod users;

use std::collections::HashMap;
use std::time::Duration;

use crate::metric::{Metric, Timestamp};
use crate::plugin::{
    Accumulator, Build, BuildError, Context, Declaration, DeprecatedOption, Input, PluginError,
    Quoted,
};
use crate::system::System;

pub use command::CommandError;
pub use config::{Config, FilterConfig};
use config::{Filter, Report};
use fields::{Known, Machine};
use finder::Finder;
pub use finder::{FindError, PidFinder};
use group::Group;
use process::Reader;
use sockets::Sockets;
pub use sockets::SocketsError;
use users::Users;

/// The input as the table lists it.
pub static PLUGIN: Declaration<dyn Input> =
    Declaration::new::<Config>("procstat", include_str!("sample.conf")).deprecating(&[
        SUPERVISOR_UNIT,
        PID_TAG,
        CMDLINE_TAG,
    ]);

const fn deprecated(option: &'static str, notice: &'static str) -> DeprecatedOption {
    DeprecatedOption { option, since: "1.29.0", removal: "1.40.0", notice }
}

const SUPERVISOR_UNIT: DeprecatedOption =
    deprecated("supervisor_unit", "use 'supervisor_units' instead");
const PID_TAG: DeprecatedOption = deprecated("pid_tag", "use 'tag_with = [\"pid\"]' instead");
const CMDLINE_TAG: DeprecatedOption =
    deprecated("cmdline_tag", "use 'tag_with = [\"cmdline\"]' instead");

impl Build<dyn Input> for Config {
    fn build(mut self, context: &Context<'_>) -> Result<Box<dyn Input>, BuildError> {
        for (is_set, option) in [
            (!self.supervisor_unit.is_empty(), SUPERVISOR_UNIT),
            (self.pid_tag, PID_TAG),
            (self.cmdline_tag, CMDLINE_TAG),
        ] {
            if is_set {
                option.log_use_in("inputs.procstat");
            }
        }
        let report = self.report()?;
        let has_selection = self.has_selection();
        if !self.supervisor_unit.is_empty() {
            self.supervisor_units.push(std::mem::take(&mut self.supervisor_unit));
        }
        let filters = self.filter.take().unwrap_or_default();
        let selection = if filters.is_empty() {
            if !has_selection {
                return Err(BuildError::invalid("require filter option but none set"));
            }
            Selection::Options(find_pgrep(&self)?, HashMap::new())
        } else {
            if has_selection {
                return Err(BuildError::invalid(
                    "cannot operate in mixed mode with filters and old-style config",
                ));
            }
            Selection::Filters(compile(&filters)?)
        };
        Ok(Box::new(Procstat {
            config: self,
            report,
            selection,
            users: Users::default(),
            system: context.system.clone(),
        }))
    }
}

fn compile(filters: &[FilterConfig]) -> Result<Vec<(Filter, Processes)>, BuildError> {
    let compile = |(at, filter)| match Filter::new(filter) {
        Ok(filter) => Ok((filter, HashMap::new())),
        Err(error) => Err(BuildError::invalid(format!("initializing filter {at} failed: {error}"))),
    };
    filters.iter().enumerate().map(compile).collect()
}

/// Where `pgrep` is, if it is asked.
fn find_pgrep(config: &Config) -> Result<String, BuildError> {
    if config.pid_finder == PidFinder::Native {
        return Ok(String::new());
    }
    let path = crate::system::environment_variable("PATH").unwrap_or_default();
    let found = path.split(':').map(|folder| format!("{folder}/pgrep")).find(|path| {
        let access = rustix::fs::Access::EXEC_OK;
        rustix::fs::access(path.as_str(), access).is_ok()
    });
    found.ok_or_else(|| {
        BuildError::invalid(
            "creating pgrep finder failed: could not find pgrep binary: exec: \"pgrep\": \
             executable file not found in $PATH",
        )
    })
}

/// Processes that were seen before, by number.
type Processes = HashMap<i32, Known>;

/// Which processes are reported.
enum Selection {
    /// Those of the older options, with the path of `pgrep`.
    Options(String, Processes),
    /// Those of filters.
    Filters(Vec<(Filter, Processes)>),
}

struct Procstat {
    config: Config,
    report: Report,
    selection: Selection,
    users: Users,
    system: System,
}

impl Input for Procstat {
    fn gather(&mut self, accumulator: &mut Accumulator<'_>) -> Result<(), PluginError> {
        let Procstat { config, report, selection, users, system } = self;
        users.refresh();
        let host = &*system.host;
        let mut reader = Reader::new(host);
        let machine = Machine {
            ticks_per_second: host.clock_ticks_per_second(),
            page_bytes: host.page_size_bytes(),
            memory_bytes: reader.memory_bytes(),
            boot_time_seconds: reader.boot_time_seconds(accumulator.now()),
            n_cpus: host.n_usable_cpus(),
        };
        let (time, elapsed) = (accumulator.now(), system.clock.elapsed());
        let sockets = Sockets::default();
        let mut round = Round { report, machine, reader, sockets, time, elapsed };
        match selection {
            Selection::Options(pgrep, known) => {
                let found = Finder { host, pgrep, users }.find(config);
                round.gather_options(config, found, known, users, accumulator)
            }
            Selection::Filters(filters) => {
                for (filter, known) in filters {
                    let found = filter.apply(&mut Finder { host, pgrep: "", users });
                    round.gather_filter(filter, found, known, users, accumulator);
                }
                Ok(())
            }
        }
    }

    fn is_differential(&self) -> bool {
        true
    }
}

/// What the processes of one round are read with.
struct Round<'a> {
    report: &'a Report,
    machine: Machine,
    reader: Reader<'a>,
    sockets: Sockets,
    time: Timestamp,
    elapsed: Duration,
}

impl Round<'_> {
    fn gather_options(
        &mut self,
        config: &Config,
        found: Result<Vec<Group>, FindError>,
        known: &mut Processes,
        users: &mut Users,
        accumulator: &mut Accumulator<'_>,
    ) -> Result<(), PluginError> {
        let finder = config.pid_finder.name();
        let groups = match found {
            Ok(groups) => groups,
            Err(error) => {
                let metric = self.lookup(LookupResult::Error, (0, 0));
                accumulator.add(metric.with_tag("pid_finder", finder));
                return Err(error.into());
            }
        };
        let mut running = Vec::new();
        for group in &groups {
            self.gather_group(group, &group.tags, known, &mut running, users, accumulator);
        }
        known.retain(|pid, _| running.contains(pid));
        let count = groups.iter().map(|group| group.pids.len()).sum();
        let mut metric = self.lookup(LookupResult::Success, (count, known.len()));
        metric.set_tag("pid_finder", finder);
        for (key, value) in groups.iter().flat_map(|group| &group.tags) {
            metric.set_tag(*key, value.as_str());
        }
        if !config.supervisor_units.is_empty() {
            metric.set_tag("supervisor_unit", config.supervisor_units.join(";"));
        }
        accumulator.add(metric);
        Ok(())
    }

    fn gather_filter(
        &mut self,
        filter: &Filter,
        found: Result<Vec<Group>, FindError>,
        known: &mut Processes,
        users: &mut Users,
        accumulator: &mut Accumulator<'_>,
    ) {
        let name = filter.name.as_str();
        let groups = match found {
            Ok(groups) => groups,
            Err(error) => {
                let metric = self.lookup(LookupResult::Error, (0, 0));
                accumulator.add(metric.with_tag("filter", name));
                let name = Quoted::new(name);
                accumulator.report(format!("applying filter {name} failed: {error}"));
                return;
            }
        };
        let has_level = self.report.tags.level;
        let mut running = Vec::new();
        for group in &groups {
            let mut tags = group.tags.clone();
            tags.push(("filter", name.to_owned()));
            if has_level {
                tags.push(("level", group.level.to_string()));
            }
            self.gather_group(group, &tags, known, &mut running, users, accumulator);
            if has_level {
                running.sort_unstable();
                running.dedup();
                let counts = (group.pids.len(), running.len());
                let metric = self.lookup(LookupResult::Success, counts);
                accumulator.add(metric.with_tag("filter", name).with_field("level", group.level));
            }
        }
        known.retain(|pid, _| running.contains(pid));
        let count = groups.iter().map(|group| group.pids.len()).sum();
        let metric = self.lookup(LookupResult::Success, (count, known.len()));
        accumulator.add(metric.with_tag("filter", name));
    }

    /// Reports the processes of a group that are still there, and notes them in `running`.
    fn gather_group(
        &mut self,
        group: &Group,
        tags: &[(&'static str, String)],
        known: &mut Processes,
        running: &mut Vec<i32>,
        users: &mut Users,
        accumulator: &mut Accumulator<'_>,
    ) {
        let Round { report, machine, reader, sockets, time, elapsed } = self;
        for pid in &group.pids {
            if !reader.exists(*pid) {
                continue;
            }
            if known.get(pid).is_some_and(|process| !process.is_same(reader)) {
                known.remove(pid);
            }
            if !known.contains_key(pid) {
                let Some(process) = Known::new(*pid, tags.to_vec(), report, machine, reader) else {
                    continue;
                };
                known.insert(*pid, process);
            }
            let Some(process) = known.get_mut(pid) else { continue };
            running.push(*pid);
            let main = process.metric(report, machine, reader, users, *time, *elapsed);
            let mut metrics = Vec::new();
            if let Err(error) = sockets.metrics(process, &main, report, reader, &mut metrics) {
                accumulator.report(error);
            }
            accumulator.add(main);
            metrics.into_iter().for_each(|metric| accumulator.add(metric));
        }
    }

    fn lookup(&self, result: LookupResult, (count, running): (usize, usize)) -> Metric {
        let (tag, code) = match result {
            LookupResult::Success => ("success", 0),
            LookupResult::Error => ("lookup_error", 1),
        };
        Metric::new("procstat_lookup", self.time)
            .with_tag("result", tag)
            .with_field("pid_count", count as i64)
            .with_field("running", running as i64)
            .with_field("result_code", code as i64)
    }
}

/// Whether processes could be looked for.
#[derive(Clone, Copy)]
enum LookupResult {
    Success,
    Error,
}
