//! How many processes there are, and what they are doing.
//!
//! # References
//! Telegraf's `inputs.processes`; proc(5), "/proc/pid/stat"; ps(1), "PROCESS STATE CODES".

mod ps;
mod stat;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use crate::metric::{Field, Metric, ValueType};
use crate::plugin::{
    Accumulator, Build, BuildError, Context, Declaration, Input, PluginError, PluginLog, Quoted,
};
use crate::system::HostProcesses;
use ps::As;
use stat::Process;

/// Declares `inputs.processes`.
pub static PLUGIN: Declaration<dyn Input> =
    Declaration::new::<Config>("processes", include_str!("sample.conf"));

/// The settings of `inputs.processes`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    use_sudo: bool,
}

impl Build<dyn Input> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn Input>, BuildError> {
        Ok(Box::new(Processes {
            config: self,
            processes: context.system.host.processes(),
            buffer: Vec::new(),
            log: context.log.clone(),
        }))
    }
}

struct Processes {
    config: Config,
    processes: HostProcesses,
    buffer: Vec<u8>,
    log: PluginLog,
}

impl Input for Processes {
    fn gather(&mut self, accumulator: &mut Accumulator<'_>) -> Result<(), PluginError> {
        let counts = if cfg!(target_os = "linux") {
            self.count_in_proc()?
        } else {
            let who = if self.config.use_sudo { As::Superuser } else { As::Oneself };
            ps::count(&ps::run(who)?, &self.log)
        };
        let metric =
            Metric::from_lists("processes", accumulator.now(), Vec::new(), counts.into_fields());
        accumulator.add(metric.with_type(ValueType::Gauge));
        Ok(())
    }

    fn is_brief(&self) -> bool {
        true
    }
}

impl Processes {
    fn count_in_proc(&mut self) -> Result<Counts, PluginError> {
        let mut counts = Counts::default();
        let log = &self.log;
        self.processes.visit_stats(&mut self.buffer, |place, text| {
            match Process::parse(text) {
                Ok(Some(process)) => counts.add(&process, log, || place.path()),
                Ok(None) => {}
                Err(stat::TooShort) => {
                    let file = place.path();
                    let told = format!("something is terribly wrong with {}", file.display());
                    return Err(told.into());
                }
            }
            Ok::<_, PluginError>(())
        })?;
        Ok(counts)
    }
}

/// How many processes are in which state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Counts {
    blocked: i64,
    zombies: i64,
    stopped: i64,
    running: i64,
    sleeping: i64,
    unknown: i64,
    idle: i64,
    dead: i64,
    paging: i64,
    wait: i64,
    parked: i64,
    total: i64,
    total_threads: i64,
}

impl Counts {
    /// Counts a process that `/proc` tells of; `file` is where.
    fn add(
        &mut self,
        process: &Process<'_>,
        log: &PluginLog,
        file: impl Fn() -> std::path::PathBuf,
    ) {
        match process.state {
            b'R' => self.running += 1,
            b'S' => self.sleeping += 1,
            b'D' => self.blocked += 1,
            b'Z' => self.zombies += 1,
            b'X' => self.dead += 1,
            b'T' | b't' => self.stopped += 1,
            b'W' => self.paging += 1,
            b'I' => self.idle += 1,
            // Telegraf says whether there are any, not how many.
            b'P' => self.parked = 1,
            state => log.info(format_args!(
                "Unknown state {} in file {}",
                Quoted::new(&[state]),
                Quoted::new(file().as_os_str().as_encoded_bytes())
            )),
        }
        self.total += 1;
        match process.n_threads() {
            Ok(n_threads) => self.total_threads += n_threads,
            Err(word) => log.info(format_args!(
                "Error parsing thread count: strconv.Atoi: parsing {}: invalid syntax",
                Quoted::new(word)
            )),
        }
    }

    /// The fields that Telegraf has on the same system.
    fn into_fields(self) -> Vec<Field> {
        let mut fields = Vec::with_capacity(12);
        let mut push = |name, count: i64| {
            fields.push(Field { key: CompactString::const_new(name), value: count.into() });
        };
        push("blocked", self.blocked);
        push("zombies", self.zombies);
        push("stopped", self.stopped);
        push("running", self.running);
        push("sleeping", self.sleeping);
        push("total", self.total);
        push("unknown", self.unknown);
        let os = std::env::consts::OS;
        if ["linux", "freebsd", "openbsd", "macos"].contains(&os) {
            push("idle", self.idle);
        }
        if os == "freebsd" {
            push("wait", self.wait);
        }
        if os == "linux" {
            push("dead", self.dead);
            push("paging", self.paging);
            push("total_threads", self.total_threads);
        }
        if self.parked > 0 {
            push("parked", self.parked);
        }
        fields
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::System;

    #[test]
    fn what_ps_prints_agrees_with_proc() {
        let log = PluginLog::new("inputs.processes");
        let mut processes = Processes {
            config: Config::default(),
            processes: System::real().host.processes(),
            buffer: Vec::new(),
            log: log.clone(),
        };
        // Processes come and go between the two.
        let near = |one: Counts, other: Counts| {
            let apart = |one: i64, other: i64| (one - other).abs() <= 5;
            apart(one.total, other.total) && apart(one.zombies, other.zombies)
        };
        let agree = (0..20).any(|_| {
            let listed = ps::count(&ps::run(As::Oneself).unwrap(), &log);
            near(listed, processes.count_in_proc().unwrap())
        });
        assert!(agree);
        let counts = processes.count_in_proc().unwrap();
        // A process that has ended counts no threads.
        assert!(counts.total_threads >= counts.total - counts.zombies - counts.dead);
    }
}
