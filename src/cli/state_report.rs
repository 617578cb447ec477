//! What a program is doing, for those who are asked why it hangs.
//!
//! # References
//! proc(5): `/proc/self/task`.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex, TryLockError};

/// Where the kernel lists the threads of this process: not below the roots of the host, which may
/// be those of another machine.
const OWN_THREADS: &str = "/proc/self/task";

type Describe = Box<dyn Fn() -> String + Send>;

/// A report on the state of the program; all clones are one.
#[derive(Clone, Default)]
pub struct StateReport {
    describe: Arc<Mutex<Option<Describe>>>,
}

impl StateReport {
    /// From now on the report holds what `describe` tells, beside the list of threads.
    ///
    /// It is called when something hangs, so it must not wait for anything.
    pub fn set(&self, describe: impl Fn() -> String + Send + 'static) {
        if let Ok(mut current) = self.describe.lock() {
            *current = Some(Box::new(describe));
        }
    }

    /// The report.
    pub fn text(&self) -> String {
        let described = match self.describe.try_lock() {
            Ok(describe) => describe.as_ref().map_or_else(String::new, |describe| describe()),
            Err(TryLockError::Poisoned(_) | TryLockError::WouldBlock) => String::new(),
        };
        format!(
            "SIGQUIT: the state of process {}, version {}\n\nthreads:\n{}{described}",
            std::process::id(),
            env!("CARGO_PKG_VERSION"),
            threads(Path::new(OWN_THREADS)),
        )
    }

    /// Writes the report to standard error, in one piece.
    pub fn print(&self) {
        // Nobody reads it then; the process ends all the same.
        let _ = io::stderr().write_all(self.text().as_bytes());
    }
}

/// One line for each thread: its number, its name, and what it does or in which function of the
/// kernel it waits.
fn threads(folder: &Path) -> String {
    let mut text = String::new();
    let Ok(entries) = fs::read_dir(folder) else { return text };
    let mut numbers: Vec<u32> =
        entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    numbers.sort_unstable();
    for number in numbers {
        let read = |name: &str| fs::read_to_string(folder.join(number.to_string()).join(name));
        let name = read("comm").unwrap_or_default();
        let status = read("status").unwrap_or_default();
        let state = status.lines().find_map(|line| line.strip_prefix("State:")).unwrap_or("gone");
        let _ = write!(text, "  {number} {}: {}", name.trim_end(), state.trim());
        match read("wchan") {
            Ok(function) if !matches!(function.trim(), "" | "0") => {
                let _ = writeln!(text, ", in {}", function.trim());
            }
            _ => text.push('\n'),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_is_made_of_the_threads_and_what_was_asked_for() {
        let report = StateReport::default();
        assert!(report.text().starts_with("SIGQUIT: the state of process "));
        report.clone().set(|| "\nwork:\n  none\n".to_owned());
        assert!(report.text().ends_with("\nwork:\n  none\n"), "{}", report.text());
    }

    #[test]
    fn a_report_that_is_being_changed_holds_nothing_up() {
        let report = StateReport::default();
        report.set(|| "state".to_owned());
        let _held = report.describe.lock().unwrap();
        assert!(!report.text().ends_with("state"));
    }

    #[test]
    fn threads_are_listed_by_number_with_what_they_wait_for() {
        let folder = tempfile::tempdir().unwrap();
        let files = [
            ("30/comm", "outputs.kafka\n"),
            ("30/status", "Name:\toutputs.kafka\nState:\tR (running)\n"),
            ("30/wchan", "0"),
            ("4/comm", "metric-agent\n"),
            ("4/status", "Name:\tmetric-agent\nState:\tS (sleeping)\n"),
            ("4/wchan", "futex_wait_queue"),
            ("5/comm", "ended\n"),
        ];
        for (name, content) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        assert_eq!(
            threads(folder.path()),
            "  4 metric-agent: S (sleeping), in futex_wait_queue\n\
             \x20 5 ended: gone\n  30 outputs.kafka: R (running)\n"
        );
        assert_eq!(threads(Path::new("/nowhere")), "");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_kernel_lists_this_thread() {
        let own = format!("  {} ", std::process::id());
        assert!(threads(Path::new(OWN_THREADS)).lines().any(|line| line.starts_with(&own)));
    }
}
