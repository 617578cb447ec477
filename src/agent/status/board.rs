//! Where the agent notes what it is doing, and from which snapshots are made.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{InputStatus, LastError, OutputStatus, Phase, Reload, Snapshot};
use crate::agent::activity::Activity;
use crate::agent::health::{Failure, Health};
use crate::agent::watch::{Watched, Work};
use crate::metric::Timestamp;
use crate::plugin::{Number, Statistic, Statistics};
use crate::system::{Clock, UtcTime};

/// Counters of metrics that an output will not write, and the reasons by which they are told.
const DROPPED: [(&str, &str); 2] =
    [("metrics_dropped", "overflow"), ("metrics_rejected", "rejected")];

/// What begins the names of further counters of that kind, in front of the reason.
const DROPPED_PREFIX: &str = "metrics_dropped_";

/// What the agent notes; it is written to seldom, and read by whoever asks.
pub struct Board {
    statistics: Statistics,
    clock: Arc<dyn Clock>,
    started_at: Timestamp,
    noted: Mutex<Noted>,
}

struct Noted {
    phase: Phase,
    activity: Activity,
    configuration: Vec<String>,
    configured_at: Option<Timestamp>,
    last_reload: Option<(Timestamp, Option<String>)>,
}

impl Board {
    /// Makes the board of an agent that starts now.
    pub fn new(statistics: Statistics, clock: Arc<dyn Clock>) -> Board {
        let noted = Noted {
            phase: Phase::Starting,
            activity: Activity::default(),
            configuration: Vec::new(),
            configured_at: None,
            last_reload: None,
        };
        Board { statistics, started_at: clock.now(), clock, noted: Mutex::new(noted) }
    }

    /// A configuration is to be run, from these files.
    pub fn starts(&self, configuration: &[String]) {
        let now = self.clock.now();
        let mut noted = self.noted();
        if noted.phase != Phase::Reloading {
            noted.phase = Phase::Starting;
        }
        noted.configuration = configuration.to_vec();
        noted.configured_at = Some(now);
    }

    /// The configuration runs.
    pub fn runs(&self, activity: Activity) {
        let mut noted = self.noted();
        noted.phase = Phase::Running;
        noted.activity = activity;
    }

    /// Something else begins.
    pub fn enters(&self, phase: Phase) {
        self.noted().phase = phase;
    }

    /// A wish for a new configuration has ended, with an error if the one before stays.
    pub fn reload_ended(&self, error: Option<String>) {
        let now = self.clock.now();
        self.noted().last_reload = Some((now, error));
    }

    /// What is going on now.
    pub fn snapshot(&self) -> Snapshot {
        let (elapsed, now) = (self.clock.elapsed(), self.clock.now());
        let statistics = self.statistics.all();
        let noted = self.noted();
        let inputs: Vec<_> =
            noted.activity.inputs().map(|each| input(each, elapsed, &statistics)).collect();
        let outputs: Vec<_> =
            noted.activity.outputs().map(|each| output(each, elapsed, &statistics)).collect();
        let last_reload = noted
            .last_reload
            .as_ref()
            .map(|(at, error)| Reload { ended_at: (*at).into(), error: error.clone() });
        let problems = problems(&inputs, &outputs, last_reload.as_ref());
        Snapshot {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            started_at: self.started_at.into(),
            uptime_seconds: now.since(self.started_at).as_secs_f64(),
            phase: noted.phase,
            healthy: problems.is_empty(),
            problems,
            configuration: noted.configuration.clone(),
            configured_at: noted.configured_at.map(UtcTime::from),
            last_reload,
            inputs,
            outputs,
        }
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn problems(
    inputs: &[InputStatus],
    outputs: &[OutputStatus],
    reload: Option<&Reload>,
) -> Vec<String> {
    let refused = reload.and_then(|reload| reload.error.as_ref());
    let refused = refused.map(|error| format!("the last reload was refused: {error}"));
    let failing = |name: &str, error: &Option<LastError>| {
        let text = error.as_ref().map_or("", |error| error.text.as_str());
        format!("{name}: {text}")
    };
    let inputs = inputs.iter().filter(|each| each.is_failing());
    let inputs = inputs.map(|each| failing(&each.name, &each.last_error));
    let outputs = outputs.iter().filter(|each| each.is_failing());
    let outputs = outputs.map(|each| failing(&each.name, &each.last_error));
    refused.into_iter().chain(outputs).chain(inputs).collect()
}

/// The counters of one plugin.
struct Counters<'s> {
    measurement: &'static str,
    name: &'s str,
    id: &'s str,
    all: &'s [Statistic],
}

impl<'s> Counters<'s> {
    fn own(&self) -> impl Iterator<Item = (&'static str, u64)> + 's {
        let (measurement, id) = (self.measurement, self.id);
        let full = self.name.split_once('.').map_or(self.name, |(_, name)| name);
        let (name, alias) = full.split_once("::").unwrap_or((full, ""));
        let is_own = move |each: &&Statistic| {
            let mut tags = each.tags.iter();
            each.measurement == measurement
                && &*each.instance == id
                && tags.next().is_some_and(|(_, value)| value == name)
                && tags.find(|(key, _)| *key == "alias").map_or("", |(_, value)| value) == alias
        };
        self.all.iter().filter(is_own).filter_map(|each| match &each.number {
            Number::Counter(counter) => Some((each.field, counter.get())),
            // To look at an average begins a new one.
            Number::AverageTime(_) => None,
        })
    }

    fn get(&self, field: &str) -> u64 {
        self.own().find(|(own, _)| *own == field).map_or(0, |(_, count)| count)
    }
}

fn input(watched: &Watched, now: Duration, all: &[Statistic]) -> InputStatus {
    let subject = watched.subject();
    let (name, id) = (&subject.name, &subject.id);
    let counters = Counters { measurement: "gather", name, id, all };
    InputStatus {
        name: name.clone(),
        id: id.clone(),
        busy_seconds: busy_seconds(watched, now),
        gathered: counters.get("metrics_gathered"),
        errors: counters.get("errors"),
        last_gather_at: subject.health.last_success().map(UtcTime::from),
        last_error: last_error(&subject.health),
    }
}

fn output(watched: &Watched, now: Duration, all: &[Statistic]) -> OutputStatus {
    let subject = watched.subject();
    let (name, id) = (&subject.name, &subject.id);
    let counters = Counters { measurement: "write", name, id, all };
    let in_flight = subject.health.in_flight() as u64;
    let by_name = DROPPED.iter().map(|(field, reason)| ((*reason).to_owned(), counters.get(field)));
    let more = counters.own().filter_map(|(field, count)| {
        field.strip_prefix(DROPPED_PREFIX).map(|reason| (reason.to_owned(), count))
    });
    let dropped: BTreeMap<String, u64> = by_name.chain(more).collect();
    OutputStatus {
        name: name.clone(),
        id: id.clone(),
        busy_seconds: busy_seconds(watched, now),
        received: counters.get("metrics_added"),
        written: counters.get("metrics_written"),
        waiting: counters.get("buffer_size").saturating_sub(in_flight),
        in_flight,
        dropped,
        write_errors: counters.get("write_errors"),
        last_success_at: subject.health.last_success().map(UtcTime::from),
        last_error: last_error(&subject.health),
    }
}

fn busy_seconds(watched: &Watched, now: Duration) -> Option<f64> {
    match watched.work(now) {
        Work::For(span) => Some(span.as_secs_f64()),
        Work::None | Work::Unknown => None,
    }
}

fn last_error(health: &Health) -> Option<LastError> {
    let Failure { at, text } = health.last_failure()?;
    Some(LastError { at: at.into(), text })
}
