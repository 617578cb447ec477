//! Feeds the parsers of everything that comes from outside with damaged input: no input may make
//! one of them panic, hang, or take memory without bound.
//!
//! Each target is a test of its own. It begins with its kept cases in `cases/TARGET/` and with
//! the data of the plugins' testcases, damages them by chance for a short time, and keeps those whose
//! outcome is new as the ground for more. The work is done by a child process whose memory is
//! limited, so that running out of it, overflowing the stack or hanging also is a failure of one
//! test. A failing input is made as small as possible and written to a file.
//!
//! | variable | meaning |
//! |---|---|
//! | `FUZZ_SECONDS` | how long each target is fed, 1 if it is not set |
//! | `FUZZ_SEED` | where chance begins, 1 if it is not set; others find what is not known yet |
//!
//! `FUZZ_SECONDS=600 FUZZ_SEED=$RANDOM cargo test --test fuzz -- parsers/csv` feeds one target for
//! ten minutes.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the child tells its parent")]
#![expect(
    clippy::disallowed_methods,
    reason = "a test runs on the clock and files of this machine"
)]

mod corpus;
mod feeder;
mod limits;
mod mutation;
mod shrinking;
mod supervisor;
mod targets;

use libtest_mimic::{Arguments, Trial};

fn main() {
    if let Some(task) = feeder::Task::from_environment() {
        feeder::run(&task);
        return;
    }
    let arguments = Arguments::from_args();
    let trial = |target: targets::Target| {
        Trial::test(target.name.clone(), move || supervisor::supervise(&target))
    };
    libtest_mimic::run(&arguments, targets::all().into_iter().map(trial).collect()).exit();
}
