//! The child process: feeds one target, input after input, until time is up or one fails.

use std::collections::HashSet;
use std::env;
use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::exit;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use metric_agent::system::Random;

use crate::corpus;
use crate::limits::{self, HANG};
use crate::mutation::Material;
use crate::targets::{self, Outcome, Run, Target};

/// What ends the child when an input fails.
pub(crate) const FAILED: i32 = 99;

/// How many inputs are kept for their new outcomes.
const MOST_KEPT: usize = 4_000;

/// The name of the file with the input under way, in the folder of the task.
pub(crate) const CURRENT: &str = "current";

/// What the parent wants to have done.
pub(crate) struct Task {
    /// The target.
    pub(crate) target: String,
    /// Where the input under way is kept.
    pub(crate) folder: PathBuf,
    /// What to do.
    pub(crate) work: Work,
}

/// What to feed.
pub(crate) enum Work {
    /// Whatever chance brings.
    Feed {
        /// For how long.
        span: Duration,
        /// Where chance begins.
        seed: u64,
    },
    /// The input in the folder's file, once.
    Repeat,
}

impl Task {
    /// The task of this process, if it is a child.
    pub(crate) fn from_environment() -> Option<Task> {
        let target = env::var("FUZZ_TARGET").ok()?;
        let folder = env::var("FUZZ_FOLDER").unwrap().into();
        let work = match env::var("FUZZ_SEED") {
            Ok(seed) => {
                let seconds: f64 = env::var("FUZZ_SECONDS").unwrap().parse().unwrap();
                Work::Feed { span: Duration::from_secs_f64(seconds), seed: seed.parse().unwrap() }
            }
            Err(_) => Work::Repeat,
        };
        Some(Task { target, folder, work })
    }
}

/// Does what the parent wants; ends the process where an input fails.
pub(crate) fn run(task: &Task) {
    let target = targets::all().into_iter().find(|target| target.name == task.target).unwrap();
    limits::limit_memory();
    let (done, ended) = mpsc::channel::<()>();
    let began = Arc::new(AtomicU64::new(0));
    let watched = began.clone();
    let folder = task.folder.clone();
    let work = match task.work {
        Work::Feed { span, seed } => Some((span, seed)),
        Work::Repeat => None,
    };
    // On a thread with a stack as small as those of the agent.
    let builder = thread::Builder::new().stack_size(limits::STACK_BYTES);
    let worker = builder.spawn(move || {
        let mut feeder = Feeder::new(target, &folder, began);
        match work {
            Some((span, seed)) => feeder.feed(span, seed),
            None => feeder.repeat(&folder),
        }
        println!("{} inputs", feeder.n_fed);
        drop(done);
    });
    let worker = worker.unwrap();
    let start = Instant::now();
    // Each look at the count that finds it unchanged for too long is a hang.
    let mut seen = (u64::MAX, start);
    while ended.recv_timeout(Duration::from_millis(500)) == Err(mpsc::RecvTimeoutError::Timeout) {
        let count = watched.load(Ordering::Relaxed);
        if count != seen.0 {
            seen = (count, Instant::now());
        } else if seen.1.elapsed() > HANG {
            eprintln!("an input takes longer than {HANG:?}");
            exit(FAILED);
        }
    }
    if worker.join().is_err() {
        exit(FAILED);
    }
}

struct Feeder {
    run: Run,
    target: Target,
    /// Holds the input under way, for the parent.
    current: File,
    began: Arc<AtomicU64>,
    n_fed: u64,
}

impl Feeder {
    fn new(target: Target, folder: &std::path::Path, began: Arc<AtomicU64>) -> Feeder {
        let current = folder.join(CURRENT);
        let current = File::options().create(true).truncate(false).write(true).open(current);
        Feeder { run: (target.start)(), target, current: current.unwrap(), began, n_fed: 0 }
    }

    fn repeat(&mut self, folder: &std::path::Path) {
        let input = fs::read(folder.join(CURRENT)).unwrap();
        self.one(&input);
    }

    fn feed(&mut self, span: Duration, seed: u64) {
        let mut corpus: Vec<_> = corpus::kept(&self.target.name).into_iter().map(|c| c.1).collect();
        corpus.extend((self.target.corpus)());
        let tokens: Vec<_> = self.target.tokens.iter().map(|t| t.as_bytes().to_vec()).collect();
        let mut outcomes = HashSet::new();
        for input in &corpus {
            outcomes.insert(self.one(input));
        }
        let start = Instant::now();
        let mut rng = Random::from_seed(seed).derive(&self.target.name);
        while start.elapsed() < span {
            let Target { most_bytes, head, .. } = self.target;
            let material = Material { corpus: &corpus, tokens: &tokens, most_bytes, head };
            let input = material.damaged(&mut rng);
            let outcome = self.one(&input);
            if outcomes.insert(outcome) && corpus.len() < MOST_KEPT && input.len() < 4096 {
                corpus.push(input);
            }
        }
    }

    /// Feeds one input; ends the process if it fails.
    fn one(&mut self, input: &[u8]) -> Outcome {
        self.current.seek(SeekFrom::Start(0)).unwrap();
        self.current.write_all(input).unwrap();
        self.current.set_len(input.len() as u64).unwrap();
        self.n_fed += 1;
        self.began.fetch_add(1, Ordering::Relaxed);
        let limit = limits::processor_time(input.len(), self.target.nanos_per_byte);
        let start = Instant::now();
        let outcome = self.caught(input);
        // Only what took long by the clock is worth the question how long it had a processor.
        if start.elapsed() > limit {
            let before = limits::processor_time_used();
            self.caught(input);
            let took = limits::processor_time_used().saturating_sub(before);
            if took > limit {
                eprintln!(
                    "{} bytes take {took:?} of a processor, more than {limit:?}",
                    input.len()
                );
                exit(FAILED);
            }
        }
        outcome
    }

    fn caught(&mut self, input: &[u8]) -> Outcome {
        match catch_unwind(AssertUnwindSafe(|| (self.run)(input))) {
            Ok(outcome) => outcome,
            // The hook has printed what and where.
            Err(_) => exit(FAILED),
        }
    }
}
