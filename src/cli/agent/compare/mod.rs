//! `metric-agent compare`: runs this program and a Telegraf on the same configuration at the same
//! moment, and tells what they have written that is not the same.
//!
//! Both get the user's files as they are. A last configuration comes through standard input and
//! replaces what would get in the way: it aligns the rounds, lets both log to standard error, keeps
//! them off the state file, and has them write to standard output; `--output-filter` takes all
//! other outputs away, so that nothing is sent anywhere. Of a file with outputs of the same kind
//! both get a copy in which these have another name.

mod difference;
mod peer;
mod readings;
mod report;
mod stand_in;
mod tags;
mod values;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Signal, kill_process_group};

use super::load::Look;
use super::{CliError, list};
use crate::cli::flags::Parsed;
use crate::plugin::glob::Glob;
use crate::plugin::settings::{format_duration, parse_duration};
use crate::system::{Clock, ErrorWords, Waited};
use difference::Rules;
use peer::{Launch, Peer, PeerError};
use report::Report;

/// The output through which both write; those in the user's files are left out.
const OUTPUT: &str = "file";

/// How long a program may take to start.
const START_PATIENCE: Duration = Duration::from_secs(60);

/// How long a program may take to end, beside the length of a round.
const END_PATIENCE: Duration = Duration::from_secs(15);

/// What a program is given to start before a round, and to gather behind the last one.
const MARGIN: Duration = Duration::from_secs(3);

/// Flags that both programs know and that are handed on as they were given.
const HANDED_ON: [&str; 4] = ["input-filter", "secretstore-filter", "password", "select"];

/// Why there is nothing to tell, or that there is something.
#[derive(Debug, thiserror::Error)]
pub(super) enum CompareError {
    #[error(transparent)]
    Peer(PeerError),
    #[error(
        "{file} has an outputs.{OUTPUT} without a header [[outputs.{OUTPUT}]]; the comparison reads \
         through one of its own what the programs write, and cannot leave this one out"
    )]
    OutputInUse { file: String },
    #[error("making a copy of {file} without its outputs failed: {}", ErrorWords(.source))]
    StandIn { file: String, source: std::io::Error },
    #[error("finding this program's own file failed: {0}")]
    OwnProgram(std::io::Error),
    #[error("told to stop before the comparison had come to its end")]
    Stopped,
    #[error(
        "neither program has written a metric; see to it that the configuration has inputs that gather within the {0} rounds"
    )]
    Nothing(u32),
    #[error("{0} differences")]
    Different(u64),
}

impl From<PeerError> for CompareError {
    fn from(error: PeerError) -> CompareError {
        CompareError::Peer(error)
    }
}

/// What to compare, and how to tell it.
struct Settings {
    peer: PathBuf,
    rounds: u32,
    interval: Duration,
    rules: Rules,
}

/// Compares, and prints the report.
///
/// # Errors
/// If one of the programs does not run, or there are differences.
pub(super) fn run(parsed: &Parsed, look: &Look<'_>) -> Result<(), CliError> {
    let settings = settings(parsed)?;
    let parts = look.parts()?;
    let (files, _stand_ins) = stand_in::files(&parts)?;
    let own = std::env::current_exe().map_err(CompareError::OwnProgram)?;
    let flags = flags(parsed, &files);
    let mask = Arc::new(parts.mask());
    let launch = |program: PathBuf| Launch {
        program,
        arguments: flags.clone(),
        config: last_config(settings.interval),
        mask: mask.clone(),
        clock: look.system.clock.clone(),
    };
    let launches = (launch(own), launch(settings.peer.clone()));
    let (ours, theirs) = watch(launches, &settings, look)?;
    if ours.readings.series.is_empty() && theirs.readings.series.is_empty() {
        let errors = ours.errors.iter().chain(&theirs.errors);
        errors.for_each(|line| log::warn!(target: "", "{line}"));
        return Err(CompareError::Nothing(settings.rounds).into());
    }
    let report = Report::new(&settings, ours, theirs);
    let text = match parsed.value("format") {
        Some("json") => report.json(),
        _ => report.table(),
    };
    list::print(&mask.hide(&text))?;
    match report.n_differences() {
        0 => Ok(()),
        differences => Err(CompareError::Different(differences).into()),
    }
}

fn settings(parsed: &Parsed) -> Result<Settings, CliError> {
    let wrong =
        |flag: &str, text: &str, why: &str| CliError::Usage(format!("--{flag} {text}: {why}"));
    let text = parsed.value("interval").unwrap_or("10s");
    let interval = parse_duration(text).map_err(|e| wrong("interval", text, &e.to_string()))?;
    let interval = u64::try_from(interval).map_or(Duration::ZERO, Duration::from_nanos);
    if interval < Duration::from_secs(1) {
        return Err(wrong("interval", text, "rounds shorter than a second cannot be told apart"));
    }
    let rounds = parsed.number("rounds").unwrap_or(3);
    let rounds = u32::try_from(rounds)
        .ok()
        .filter(|rounds| (1..=100_000).contains(rounds))
        .ok_or_else(|| wrong("rounds", &rounds.to_string(), "expected a number from 1 on"))?;
    let text = parsed.value("tolerance").unwrap_or("1");
    let percent = text.trim_end_matches('%').trim().parse().ok();
    let percent: f64 = percent
        .filter(|percent: &f64| *percent >= 0.0)
        .ok_or_else(|| wrong("tolerance", text, "expected a number of percent"))?;
    let ignored = parsed
        .values("ignore")
        .iter()
        .map(|text| Glob::new(text, "").map_err(|e| wrong("ignore", text, &e.to_string())))
        .collect::<Result<_, _>>()?;
    Ok(Settings {
        peer: PathBuf::from(parsed.value("with").unwrap_or("/usr/bin/telegraf")),
        rounds,
        interval,
        rules: Rules { reach: interval / 2, tolerance: percent / 100.0, ignored },
    })
}

/// The flags with which both are started.
fn flags(parsed: &Parsed, files: &[String]) -> Vec<String> {
    let mut flags: Vec<String> = Vec::new();
    for file in files.iter().map(String::as_str).chain(["/dev/stdin"]) {
        flags.extend(["--config".to_owned(), file.to_owned()]);
    }
    flags.extend(["--output-filter".to_owned(), OUTPUT.to_owned()]);
    flags.push(match parsed.is_on("non-strict-env-handling") {
        true => "--non-strict-env-handling".to_owned(),
        false => "--strict-env-handling".to_owned(),
    });
    if parsed.is_on("old-env-behavior") {
        flags.push("--old-env-behavior".to_owned());
    }
    for flag in HANDED_ON {
        for value in parsed.values(flag) {
            flags.extend([format!("--{flag}"), value]);
        }
    }
    flags
}

/// What is said after all files of the user.
fn last_config(interval: Duration) -> String {
    let interval = format_duration(i64::try_from(interval.as_nanos()).unwrap_or(i64::MAX));
    format!(
        "[agent]\n\
         interval = \"{interval}\"\n\
         round_interval = true\n\
         collection_jitter = \"0s\"\n\
         collection_offset = \"0s\"\n\
         flush_interval = \"1s\"\n\
         flush_jitter = \"0s\"\n\
         metric_buffer_limit = 100000\n\
         buffer_strategy = \"memory\"\n\
         quiet = false\n\
         debug = false\n\
         logfile = \"\"\n\
         logformat = \"text\"\n\
         statefile = \"\"\n\
         [[outputs.{OUTPUT}]]\n\
         files = [\"stdout\"]\n\
         data_format = \"influx\"\n\
         influx_uint_support = true\n"
    )
}

/// Runs both for as long as the rounds take.
fn watch(
    (ours, theirs): (Launch, Launch),
    settings: &Settings,
    look: &Look<'_>,
) -> Result<(peer::Ended, peer::Ended), CompareError> {
    let (clock, signals) = (look.system.clock.as_ref(), look.signals);
    let interval = settings.interval;
    let margin = MARGIN.min(interval / 2);
    let wait = |span: Duration| match clock.wait(span, &signals.stopping) {
        Waited::Passed => Ok(()),
        Waited::Stopped => Err(CompareError::Stopped),
    };
    log::info!(
        target: "",
        "Comparing {} rounds of {}",
        settings.rounds,
        format_duration(i64::try_from(interval.as_nanos()).unwrap_or(i64::MAX))
    );
    // One that is up before the next round begins and one that is not would see different rounds.
    if until_round(clock, interval) < margin {
        wait(until_round(clock, interval))?;
    }
    let mut peers = [Peer::start(ours)?, Peer::start(theirs)?];
    let pids = peers.each_ref().map(Peer::pid);
    signals.report.set(move || {
        // SIGQUIT ends this program at once; the two are to go with it.
        for pid in pids {
            let _ = kill_process_group(pid, Signal::KILL);
        }
        "comparing; both programs were ended\n".to_owned()
    });
    let mut gather = || {
        for peer in &mut peers {
            if !peer.wait_until_ready(START_PATIENCE, &signals.stopping)? {
                return Err(CompareError::Stopped);
            }
        }
        wait(until_round(clock, interval) + interval * (settings.rounds - 1) + margin)?;
        peers.iter_mut().try_for_each(|peer| peer.is_running().map_err(CompareError::from))
    };
    let gathered = gather();
    // Both at once, whatever has come of it, so that neither waits for the other's end.
    peers.iter().for_each(Peer::ask_to_end);
    let [ours, theirs] = peers;
    let patience = END_PATIENCE + interval;
    let ended = (ours.finish(patience), theirs.finish(patience));
    signals.report.set(String::new);
    gathered.map(|()| ended)
}

/// How long it is until the next multiple of the interval.
fn until_round(clock: &dyn Clock, interval: Duration) -> Duration {
    let now = clock.now();
    now.truncate(interval).after(interval).since(now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::toml::parse;
    use crate::metric::Timestamp;
    use crate::system::fake::FakeClock;

    #[test]
    fn the_last_configuration_is_one() {
        let table = parse("stdin", &last_config(Duration::from_secs(90))).unwrap();
        assert!(table.get("agent").is_some() && table.get("outputs").is_some());
        assert!(last_config(Duration::from_secs(90)).contains("interval = \"1m30s\""));
    }

    #[test]
    fn rounds_begin_at_multiples_of_the_interval() {
        let clock = FakeClock::at(Timestamp::from_millis(1_000_007_250));
        let interval = Duration::from_secs(10);
        assert_eq!(until_round(&clock, interval), Duration::from_millis(2_750));
    }
}
