//! Runs the agent on the testcases of the plugins, one named test for each folder
//! `src/plugins/KIND/NAME/testcases/CASE/`.
//!
//! A case is data. Every file in it is optional but the first:
//!
//! | file | meaning |
//! |---|---|
//! | `telegraf.conf` | the configuration; nothing in it that Telegraf does not know |
//! | `test.toml` | how to run it, see below |
//! | `expected.out` | the lines on standard output, in any order; none if there is no such file |
//! | `expected.err` | texts that must stand in the log, one a line, each in a line of its own |
//! | `expected/…` | files that must be there afterwards, with this content |
//! | `proc/`, `sys/`, `etc/`, `run/`, `var/`, `dev/` | what `HOST_PROC` and so on point to |
//! | `proc-1/`, `proc-2/`, … of any of these | what they point to in the first and the second round |
//! | all others | input, copied to the folder that the agent is started in |
//!
//! Of two trees the first is there until a file of it has been read that also is in the second.
//!
//! `test.toml` may say:
//!
//! ```toml
//! mode = "test"         # or "once"
//! time = "exact"        # or "now": the time at the end of each line is not compared
//! arguments = []        # more flags, such as "--debug"
//! environment = {}      # more variables
//! exit_code = 0         # not compared if it is not set
//! differs = "…"         # why Telegraf gives something else, on purpose
//! ```
//!
//! With `TELEGRAF=/path/of/telegraf` the same cases are run by a Telegraf, without those that
//! differ. With `UPDATE_EXPECTED=1` the files `expected.out` are written from what is printed.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded, select};
use libtest_mimic::{Arguments, Failed, Trial};
use rustix::fs::inotify;
use serde::Deserialize;

/// Far beyond what any case takes, even on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// How long the reading of a tree must rest before the next one takes its place. Rounds are half a
/// second apart.
const REST: Duration = Duration::from_millis(150);

const ROOTS: [&str; 6] = ["proc", "sys", "etc", "run", "var", "dev"];

fn main() {
    let arguments = Arguments::from_args();
    let trials = match Runner::from_environment().and_then(|runner| trials(&runner)) {
        Ok(trials) => trials,
        Err(error) => vec![Trial::test("testcases", move || Err(error))],
    };
    libtest_mimic::run(&arguments, trials).exit();
}

/// The program that runs the cases.
#[derive(Debug, Clone)]
struct Runner {
    program: PathBuf,
    kind: ProgramKind,
    expectations: Expectations,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ProgramKind {
    Ours,
    Telegraf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expectations {
    Compare,
    Write,
}

impl Runner {
    #[expect(clippy::disallowed_methods, reason = "whoever runs the tests may choose the program")]
    fn from_environment() -> Result<Runner, Failed> {
        let expectations = match std::env::var_os("UPDATE_EXPECTED") {
            Some(_) => Expectations::Write,
            None => Expectations::Compare,
        };
        Ok(match std::env::var_os("TELEGRAF") {
            Some(program) => {
                let program = fs::canonicalize(&program)
                    .map_err(|error| format!("TELEGRAF={}: {error}", program.display()))?;
                Runner { program, kind: ProgramKind::Telegraf, expectations }
            }
            None => Runner {
                program: env!("CARGO_BIN_EXE_metric-agent").into(),
                kind: ProgramKind::Ours,
                expectations,
            },
        })
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    mode: Mode,
    time: Time,
    arguments: Vec<String>,
    environment: BTreeMap<String, String>,
    exit_code: Option<i32>,
    differs: Option<String>,
}

#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    #[default]
    Test,
    Once,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Time {
    #[default]
    Exact,
    Now,
}

fn trials(runner: &Runner) -> Result<Vec<Trial>, Failed> {
    let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/plugins");
    let mut trials = Vec::new();
    for kind in folders(&plugins)? {
        for plugin in folders(&kind)? {
            for folder in folders(&plugin.join("testcases"))? {
                let settings: Settings = match fs::read_to_string(folder.join("test.toml")) {
                    Ok(text) => toml::from_str(&text)
                        .map_err(|error| format!("{}/test.toml: {error}", folder.display()))?,
                    Err(_) => Settings::default(),
                };
                let name = [&kind, &plugin, &folder].map(|path| file_name(path)).join("/");
                let left_out = runner.kind == ProgramKind::Telegraf && settings.differs.is_some();
                let case = Case { folder, settings, runner: runner.clone() };
                trials.push(Trial::test(name, move || case.run()).with_ignored_flag(left_out));
            }
        }
    }
    Ok(trials)
}

/// The folders in a folder, sorted; none where there is no such folder.
fn folders(folder: &Path) -> Result<Vec<PathBuf>, Failed> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut folders = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            folders.push(path);
        }
    }
    folders.sort();
    Ok(folders)
}

fn file_name(path: &Path) -> String {
    path.file_name().map(OsStr::to_string_lossy).unwrap_or_default().into_owned()
}

struct Case {
    folder: PathBuf,
    settings: Settings,
    runner: Runner,
}

impl Case {
    fn run(&self) -> Result<(), Failed> {
        let place = tempfile::tempdir()?;
        let work = place.path().join("work");
        copy(&self.folder, &work)?;
        let output = self.output(place.path(), &work)?;
        let mut faults = Vec::new();
        self.compare_out(&output, &mut faults)?;
        if !["expected.out", "expected.err", "expected"]
            .iter()
            .any(|name| self.folder.join(name).exists())
        {
            faults.push(
                "the case expects nothing: it has no expected.out, expected.err or expected/"
                    .into(),
            );
        }
        self.compare_log(&output, &mut faults);
        compare_files(&self.folder.join("expected"), &work, &mut faults)?;
        if let Some(expected) = self.settings.exit_code
            && output.status.code() != Some(expected)
        {
            faults.push(format!("expected exit code {expected}, found {}", output.status));
        }
        if faults.is_empty() {
            return Ok(());
        }
        let log = String::from_utf8_lossy(&output.stderr);
        Err(format!("{}\nThe log was:\n{log}", faults.join("\n")).into())
    }

    /// Runs the program to its end.
    fn output(&self, place: &Path, work: &Path) -> Result<Output, Failed> {
        let mode = match self.settings.mode {
            Mode::Test => "--test",
            Mode::Once => "--once",
        };
        let mut command = Command::new(&self.runner.program);
        command
            .args(["--config", "telegraf.conf", mode])
            .args(&self.settings.arguments)
            .current_dir(work)
            .env("HOME", work)
            .envs(&self.settings.environment)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        // Dropping the sender ends the watches.
        let (_ended, end) = bounded::<()>(0);
        for root in ROOTS {
            if let Some(tree) = self.tree(root, place, end.clone())? {
                command.env(format!("HOST_{}", root.to_uppercase()), tree);
            }
        }
        let child = command.spawn()?;
        let pid = rustix::process::Pid::from_child(&child);
        let (done, output) = bounded(1);
        std::thread::spawn(move || done.send(child.wait_with_output()));
        match output.recv_timeout(LIMIT) {
            Ok(output) => Ok(output?),
            Err(_) => {
                rustix::process::kill_process(pid, rustix::process::Signal::KILL)?;
                Err(format!("still running after {LIMIT:?}").into())
            }
        }
    }

    /// The folder that stands for one of the host's, if the case brings any.
    fn tree(&self, root: &str, place: &Path, end: Receiver<()>) -> Result<Option<PathBuf>, Failed> {
        let [only, first, second] =
            ["", "-1", "-2"].map(|n| self.folder.join(format!("{root}{n}")));
        if only.is_dir() {
            return Ok(Some(only));
        }
        if !first.is_dir() {
            return Ok(None);
        }
        let link = place.join(root);
        std::os::unix::fs::symlink(&first, &link)?;
        let (read, reads) = bounded(64);
        watch(&first, &second, read)?;
        let next = place.join(format!("{root}-next"));
        std::os::unix::fs::symlink(&second, &next)?;
        let target = link.clone();
        std::thread::spawn(move || {
            let mut rest = crossbeam_channel::never();
            loop {
                select! {
                    recv(reads) -> read => match read {
                        Ok(()) => rest = crossbeam_channel::after(REST),
                        Err(_) => return,
                    },
                    recv(rest) -> _ => {
                        // A rename puts the second tree in place of the first at one stroke.
                        let _ = fs::rename(&next, &target);
                        return;
                    }
                    recv(end) -> _ => return,
                }
            }
        });
        Ok(Some(link))
    }

    fn compare_out(&self, output: &Output, faults: &mut Vec<String>) -> Result<(), Failed> {
        let path = self.folder.join("expected.out");
        let expected = self.lines(&fs::read(&path).unwrap_or_default());
        let found = self.lines(&output.stdout);
        if expected != found && self.runner.expectations == Expectations::Write {
            fs::write(&path, &output.stdout)?;
        } else if expected != found {
            let missing = expected.iter().filter(|line| !found.contains(line));
            let surplus = found.iter().filter(|line| !expected.contains(line));
            let shown: Vec<_> = missing
                .map(|line| format!("  missing: {line}"))
                .chain(surplus.map(|line| format!("  surplus: {line}")))
                .collect();
            let shown = if shown.is_empty() { "  (other counts)".into() } else { shown.join("\n") };
            faults.push(format!("standard output is not expected.out:\n{shown}"));
        }
        Ok(())
    }

    /// The lines of some output in comparable form.
    fn lines(&self, text: &[u8]) -> Vec<String> {
        let text = String::from_utf8_lossy(text);
        let mut lines: Vec<_> = text
            .split('\n')
            .filter(|line| !line.is_empty())
            .map(|line| match self.settings.time {
                Time::Exact => line.to_owned(),
                Time::Now => without_time(line).to_owned(),
            })
            .collect();
        lines.sort();
        lines
    }

    fn compare_log(&self, output: &Output, faults: &mut Vec<String>) {
        let Ok(expected) = fs::read_to_string(self.folder.join("expected.err")) else { return };
        let log = String::from_utf8_lossy(&output.stderr);
        let mut log: Vec<&str> = log.lines().collect();
        for text in expected.lines() {
            match log.iter().position(|line| line.contains(text)) {
                Some(at) => drop(log.remove(at)),
                None => faults.push(format!("this is missing in the log: {text}")),
            }
        }
    }
}

fn without_time(line: &str) -> &str {
    match line.rsplit_once(' ') {
        Some((rest, time)) if time.parse::<i64>().is_ok() => rest,
        _ => line,
    }
}

/// Sends a message whenever a file of the first tree that also is in the second has been read.
fn watch(first: &Path, second: &Path, read: Sender<()>) -> Result<(), Failed> {
    let watch = inotify::init(inotify::CreateFlags::CLOEXEC)?;
    for file in files(second)? {
        let file = first.join(file);
        if file.exists() {
            inotify::add_watch(&watch, &file, inotify::WatchFlags::CLOSE_NOWRITE)?;
        }
    }
    std::thread::spawn(move || {
        let mut buffer = [std::mem::MaybeUninit::uninit(); 4096];
        let mut events = inotify::Reader::new(&watch, &mut buffer);
        while events.next().is_ok() && read.send(()).is_ok() {}
    });
    Ok(())
}

fn compare_files(expected: &Path, work: &Path, faults: &mut Vec<String>) -> Result<(), Failed> {
    if !expected.is_dir() {
        return Ok(());
    }
    for file in files(expected)? {
        let wanted = fs::read(expected.join(&file))?;
        match fs::read(work.join(&file)) {
            Ok(found) if found == wanted => {}
            Ok(found) => faults.push(format!(
                "{} is not as expected, it holds:\n{}",
                file.display(),
                String::from_utf8_lossy(&found)
            )),
            Err(error) => faults.push(format!("{}: {error}", file.display())),
        }
    }
    Ok(())
}

/// The files below a folder, relative to it.
fn files(folder: &Path) -> Result<Vec<PathBuf>, Failed> {
    let mut files = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(inner) = open.pop() {
        for entry in fs::read_dir(&inner)? {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path);
            } else if let Ok(relative) = path.strip_prefix(folder) {
                files.push(relative.to_owned());
            }
        }
    }
    Ok(files)
}

/// Copies the configuration and input of a case, but not what is expected.
fn copy(case: &Path, work: &Path) -> Result<(), Failed> {
    let is_input = |file: &&PathBuf| {
        let first = file.iter().next().map(OsStr::to_string_lossy).unwrap_or_default();
        let is_tree = ROOTS.iter().any(|root| first.split('-').next() == Some(root));
        !first.starts_with("expected") && first != "test.toml" && !is_tree
    };
    fs::create_dir_all(work)?;
    for file in files(case)?.iter().filter(is_input) {
        let target = work.join(file);
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::copy(case.join(file), target)?;
    }
    Ok(())
}
