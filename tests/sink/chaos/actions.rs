//! What happens, when and to whom.

use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::Settings;
use super::hosts::Host;
use crate::support::Cluster;

/// How long nothing happens between two actions, at most.
const MOST_QUIET: Duration = Duration::from_millis(1_200);

/// Who something happens to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    Host(usize),
    Broker(i32),
}

/// What was done to it and is to be undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Harm {
    /// It was killed or has ended.
    Down,
    /// It stands still.
    Paused,
    /// Its disk is full.
    Full,
}

struct Harmed {
    victim: Victim,
    harm: Harm,
    until: Instant,
}

/// Sinks and brokers, and what is wrong with them now.
pub(super) struct Chaos<'c> {
    cluster: &'c Cluster,
    brokers: i32,
    most_threads: u32,
    hosts: Vec<Host>,
    harmed: Vec<Harmed>,
    random: fastrand::Rng,
    start: Instant,
}

impl<'c> Chaos<'c> {
    /// Starts all sinks.
    pub(super) fn new(
        settings: &Settings,
        cluster: &'c Cluster,
        hosts: Vec<Host>,
        random: fastrand::Rng,
    ) -> Chaos<'c> {
        let mut chaos = Chaos {
            cluster,
            brokers: settings.brokers,
            most_threads: settings.threads,
            hosts,
            harmed: Vec::new(),
            random,
            start: Instant::now(),
        };
        (0..chaos.hosts.len()).for_each(|host| chaos.start_host(host));
        chaos
    }

    /// Waits a while, undoes what is over, and does something.
    pub(super) fn step(&mut self) {
        thread::park_timeout(MOST_QUIET.mul_f64(self.random.f64()));
        self.undo(Instant::now());
        for host in 0..self.hosts.len() {
            // One that stands still has not ended either.
            self.hosts[host].assert_running();
        }
        let victim = match self.random.u32(0..5) {
            0 => Victim::Broker(self.random.i32(1..=self.brokers)),
            _ => Victim::Host(self.random.usize(0..self.hosts.len())),
        };
        let is_broker_harmed =
            self.harmed.iter().any(|harmed| matches!(harmed.victim, Victim::Broker(_)));
        let is_harmed = self.harmed.iter().any(|harmed| harmed.victim == victim);
        match victim {
            // One at a time, so that of three there are two which have all records.
            Victim::Broker(_) if is_broker_harmed => {}
            Victim::Broker(number) => self.harm_broker(number),
            Victim::Host(_) if is_harmed => {}
            Victim::Host(host) => self.harm_host(host),
        }
    }

    /// Undoes everything, so that all sinks and brokers are at work.
    pub(super) fn calm_down(&mut self) {
        while let Some(last) = self.harmed.iter().map(|harmed| harmed.until).max() {
            self.undo(last);
        }
    }

    pub(super) fn into_hosts(self) -> Vec<Host> {
        self.hosts
    }

    /// Says what happens, and when.
    pub(super) fn say(&self, what: fmt::Arguments<'_>) {
        eprintln!("{:9.3} s  {what}", self.start.elapsed().as_secs_f64());
    }

    fn harm_broker(&mut self, number: i32) {
        let (harm, most) = match self.random.bool() {
            true => {
                self.cluster.kill_broker(number);
                (Harm::Down, 3.0)
            }
            false => {
                self.cluster.pause_broker(number);
                (Harm::Paused, 9.0)
            }
        };
        self.note(Victim::Broker(number), harm, most);
    }

    fn harm_host(&mut self, host: usize) {
        let (harm, most) = match self.random.u32(0..8) {
            0..=2 => {
                self.hosts[host].kill();
                (Harm::Down, 4.0)
            }
            3..=4 => {
                self.hosts[host].terminate();
                (Harm::Down, 2.0)
            }
            // Half of the time past the session time-out.
            5..=6 => {
                self.hosts[host].signal(Signal::STOP);
                (Harm::Paused, 12.0)
            }
            _ => {
                let more = self.random.u64(0..20_000);
                self.hosts[host].limit_files(Some(more));
                (Harm::Full, 5.0)
            }
        };
        self.note(Victim::Host(host), harm, most);
    }

    fn note(&mut self, victim: Victim, harm: Harm, most_seconds: f64) {
        let span = Duration::from_secs_f64(self.random.f64() * most_seconds);
        self.say(format_args!("{victim:?}: {harm:?} for {span:.1?}"));
        self.harmed.push(Harmed { victim, harm, until: Instant::now() + span });
    }

    /// Undoes what is over by then.
    fn undo(&mut self, now: Instant) {
        let over: Vec<_> = self.harmed.extract_if(.., |harmed| harmed.until <= now).collect();
        for Harmed { victim, harm, .. } in over {
            self.say(format_args!("{victim:?}: {harm:?} is over"));
            match (victim, harm) {
                (Victim::Broker(number), Harm::Down) => self.cluster.start_broker(number),
                (Victim::Broker(number), _) => self.cluster.resume_broker(number),
                (Victim::Host(host), Harm::Down) => self.start_host(host),
                (Victim::Host(host), Harm::Paused) => self.hosts[host].signal(Signal::CONT),
                (Victim::Host(host), Harm::Full) => self.hosts[host].limit_files(None),
            }
        }
    }

    fn start_host(&mut self, host: usize) {
        let how = self.hosts[host].start(self.most_threads, &mut self.random);
        self.say(format_args!("host {}: {how}", self.hosts[host].number()));
    }
}
