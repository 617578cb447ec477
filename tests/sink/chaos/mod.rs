//! Chaos: sinks in several folders and their brokers are killed, stopped, starved of disk and started
//! again by chance while numbered records are written; in the end each number stands in the files
//! once.
//!
//! A short run is a test like the others. `scripts/chaos` makes it as long and as large as one
//! likes, by the same code: it hands its flags on in the environment.

mod actions;
mod counting;
mod hosts;
mod load;

use std::env;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::LIMIT;
use crate::support::{Cluster, Program, wait_for};
use actions::Chaos;
use hosts::Host;
use load::{Load, committed};

/// How long the sinks may take to read what is left, when everything works again.
const END_LIMIT: Duration = Duration::from_secs(180);

/// How much chaos there is.
#[derive(Debug, Clone)]
struct Settings {
    /// Everything that is left to chance follows from it, but for what the machine does.
    seed: u64,
    /// For how long things happen.
    duration: Duration,
    brokers: i32,
    folders: usize,
    /// How many threads a sink has at most.
    threads: u32,
    partitions: i32,
    /// How many records are written each second.
    rate: u64,
}

impl Settings {
    /// The short run, or what `scripts/chaos` has been told.
    fn from_environment() -> Settings {
        let number = |name: &str, default: u64| match env::var(format!("CHAOS_{name}")) {
            Ok(text) if !text.is_empty() => {
                text.parse().unwrap_or_else(|_| panic!("CHAOS_{name} is no number: {text:?}"))
            }
            _ => default,
        };
        Settings {
            seed: number("SEED", 5),
            duration: Duration::from_secs(number("SECONDS", 20)),
            brokers: i32::try_from(number("BROKERS", 1)).unwrap(),
            folders: usize::try_from(number("FOLDERS", 2)).unwrap().max(1),
            threads: u32::try_from(number("THREADS", 3)).unwrap().max(1),
            partitions: i32::try_from(number("PARTITIONS", 5)).unwrap().max(1),
            rate: number("RATE", 4_000).max(1),
        }
    }
}

/// The folders of a run, kept if it fails.
struct Folders {
    root: PathBuf,
}

impl Folders {
    fn new() -> Folders {
        let root = tempfile::Builder::new().prefix("metric-chaos-").tempdir().unwrap().keep();
        Folders { root }
    }

    fn of_host(&self, number: usize) -> PathBuf {
        let folder = self.root.join(format!("host-{number}"));
        std::fs::create_dir(&folder).unwrap();
        folder
    }
}

impl Drop for Folders {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("the folders and logs of all sinks are kept in {}", self.root.display());
        } else {
            // What cannot be removed does no harm in the system's folder for temporary files.
            let _ = std::fs::remove_dir_all(&self.root);
        }
    }
}

#[test]
fn whatever_happens_to_sinks_and_brokers_each_record_stands_once() {
    let settings = Settings::from_environment();
    eprintln!("{settings:?}");
    let folders = Folders::new();
    let cluster = Cluster::start(settings.brokers);
    let topic = cluster.topic("chaos", settings.partitions);
    let group = format!("group-of-{}", topic.name());
    let mut random = fastrand::Rng::with_seed(settings.seed);
    let hosts: Vec<_> = (0..settings.folders)
        .map(|number| {
            let arguments = [
                "--brokers",
                cluster.addresses(),
                "--topic",
                topic.name(),
                "--group",
                &group,
                "--session-timeout",
                "6s",
            ];
            Host::new(number, folders.of_host(number), arguments, &mut random)
        })
        .collect();
    let load = Load::start(&cluster, topic.name(), settings.partitions, settings.rate);
    let mut chaos = Chaos::new(&settings, &cluster, hosts, random);
    let start = Instant::now();
    while start.elapsed() < settings.duration {
        chaos.step();
    }
    chaos.calm_down();
    let total = load.stop();
    chaos.say(format_args!("{total} records were written"));

    let mut hosts = chaos.into_hosts();
    wait_for("all records to be committed", END_LIMIT, || {
        hosts.iter_mut().for_each(Host::assert_running);
        (committed(&cluster, topic.name(), settings.partitions, &group) == total).then_some(())
    });
    hosts.iter_mut().for_each(|host| host.wait_until_settled(LIMIT));
    let paths: Vec<PathBuf> = hosts.iter().map(|host| host.folder().to_owned()).collect();
    hosts.into_iter().for_each(Host::stop);

    let mut counted = counting::Numbers::new(total, settings.partitions);
    paths.iter().for_each(|path| counted.add_folder(path));
    let wrong = counted.wrong();
    assert!(wrong.is_empty(), "seed {}:\n{}", settings.seed, wrong.join("\n"));
    assert_verified(&cluster, &group, topic.name(), &paths);
}

/// Fails unless `metric-sink verify` says that all is well, too.
fn assert_verified(cluster: &Cluster, group: &str, topic: &str, folders: &[PathBuf]) {
    let here = Path::new("/");
    let ended = Program::sink(here)
        .args(["verify", "--deep", "--brokers", cluster.addresses()])
        .args(["--group", group, "--topic", topic])
        .args(folders)
        .run(END_LIMIT);
    assert!(ended.status.success(), "{}\n{}{}", ended.status, ended.stdout, ended.stderr);
    eprintln!("{}", ended.stdout);
}
